"""What many runs say together: from cycle to cycle and from cell to cell, apart; and how long cells live.

Runs of one recipe with the same parameters are put together. A cell is its sample's path, or a simulated device with its seed;
several runs of one cell count as one cell.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.endurance.lifetimes import Life, lives, weibull
from labctl.analysis.statistics import distributions
from labctl.analysis.statistics.variation import mean_over_cells, suits_logarithm, variation
from labctl.contracts import Extracted, FloatArray
from labctl.report import numbers, text
from labctl.report.document import Figure, Section, Table, Words
from labctl.report.numbers import Numbers
from labctl.store import Run

LIFE = "life/interval-censored"  #: the method whose intervals are lives of cells
LEAST = 2  #: runs that are put together


@dataclass(frozen=True)
class Pool:
    """Runs of one recipe with the same parameters; places: their numbers in the report, from 1."""

    runs: tuple[Run, ...]
    found: tuple[Numbers, ...]
    places: tuple[int, ...]

    @property
    def cells(self) -> list[str]:
        """The cell of each run."""
        return [cell(run) for run in self.runs]

    @property
    def title(self) -> str:
        """Which recipe, and on how many cells."""
        return f"{self.runs[0].header.procedure}, {len(set(self.cells))} cells, {len(self.runs)} runs together"


def cell(run: Run) -> str:
    """What tells the cell of a run from others."""
    head = run.header
    return head.sample or f"{head.device or head.station} seed {head.seed}"


def pools(sources: Sequence[tuple[Run, Numbers]]) -> list[Pool]:
    """The runs that belong together, of two or more each, in the order of their first.

    A copy of a run, and a run that another one here continues (and so contains), are left out.
    """
    groups: dict[str, list[int]] = {}
    for place in _counted([run for run, _ in sources]):
        head = sources[place][0].header
        key = json.dumps([head.procedure, head.simulated, head.device, head.parameters], sort_keys=True)
        groups.setdefault(key, []).append(place)
    return [
        Pool(tuple(sources[i][0] for i in found), tuple(sources[i][1] for i in found), tuple(i + 1 for i in found))
        for found in groups.values()
        if len(found) >= LEAST
    ]


def _counted(runs: Sequence[Run]) -> list[int]:
    """The places of the runs that count: each once, and none that another one has taken over."""
    continued = {str(item.get("uuid")) for run in runs for item in run.header.resumes}
    first: dict[str, int] = {}
    for place, run in enumerate(runs):
        if run.header.uuid not in continued:
            first.setdefault(run.header.uuid, place)
    return list(first.values())


def uncounted(runs: Sequence[Run]) -> list[int]:
    """The places of runs that are copies of another, or that another one continues."""
    kept = set(_counted(runs))
    return [place for place in range(len(runs)) if place not in kept]


def sections(sources: Sequence[tuple[Run, Numbers]], progress: Callable[[str], None]) -> list[Section]:
    """A section for each pool: variation within and among cells, numbers from cell to cell, lives, distributions drawn."""
    made = []
    for pool in pools(sources):
        progress(pool.title)
        blocks: list[Words | Table | Figure] = [
            Words(f"Runs {', '.join(map(str, pool.places))}: the same recipe with the same parameters.")
        ]
        blocks += [item for item in (_variation(pool), _among(pool), _lives(pool)) if item is not None]
        made.append(Section(pool.title, [*blocks, *_drawn(pool)]))
    return made


# -- quantities over cycles and cells -----------------------------------------------------------------------------------
def _variation(pool: Pool) -> Table | None:
    """sigma_C2C, sigma_D2D and what goes with them, of every quantity over cycles."""
    items = [item for name in _series_names(pool) for item in _of_series(pool, name)]
    return _numbers(items, "From cycle to cycle and from cell to cell") if items else None


def _series_names(pool: Pool) -> list[tuple[str, str]]:
    """Name and method of the series that at least two of the runs have, in order."""
    found = [(item.name, item.method) for one in pool.found for item in one.series]
    return [key for key in dict.fromkeys(found) if found.count(key) >= LEAST]


def _of_series(pool: Pool, key: tuple[str, str]) -> list[Extracted]:
    """Mean over cells and the two variations of one quantity; of its logarithm where it is spread over much."""
    parts = [
        (where, item)
        for where, one in zip(pool.cells, pool.found, strict=True)
        for item in one.series
        if (item.name, item.method) == key
    ]
    values = np.concatenate([np.where(item.censored, np.nan, item.values) for _, item in parts])
    cells = np.concatenate([np.full(item.values.size, where) for where, item in parts])
    bounds = sum(int(item.censored.sum()) for _, item in parts)
    silent = len(set(pool.cells) - set(cells[np.isfinite(values)].tolist()))
    logarithmic, unit = suits_logarithm(values), parts[0][1].unit
    mean = geometric_mean(values, cells, key[0], unit) if logarithmic else mean_over_cells(values, cells, key[0], unit)
    found = [*([mean] if mean is not None else []), *variation(values, cells, key[0], unit, logarithmic)]
    return [_with_bounds(item, bounds, silent) for item in found]


def geometric_mean(values: FloatArray, cells: NDArray[Any], name: str, unit: str) -> Extracted | None:
    """exp of the mean over cells of ln|value|, with the interval likewise: of a quantity that is spread over decades."""
    with np.errstate(divide="ignore"):
        found = mean_over_cells(np.where(values != 0, np.log(np.abs(values)), np.nan), cells, name)
    if found is None:
        return None
    middle = math.exp(found.value)
    low, high = (math.exp(end) if end == end else math.nan for end in found.interval)
    words = f"geometric {found.definition}"
    return replace(
        found, value=middle, unit=unit, uncertainty=middle * found.uncertainty, definition=words, interval=(low, high)
    )


def _with_bounds(item: Extracted, bounds: int, silent: int) -> Extracted:
    """The same, without an interval where values or cells are missing that would be farther out."""
    if not bounds and not silent:
        return item
    gone = [f"{bounds} values that are only bounds"] if bounds else []
    gone += [f"{silent} cells that give no value"] if silent else []
    words = f"{' and '.join(gone)} are left out: biased towards what switched, so no interval"
    return replace(item, definition=f"{item.definition}; {words}", interval=(math.nan, math.nan))


# -- one number a cell ----------------------------------------------------------------------------------------------------
def _among(pool: Pool) -> Table | None:
    """The median and the range, over cells, of every number that at least two cells give or bound."""
    rows = [row for key in _number_names(pool) if (row := _row(pool, key)) is not None]
    head = ["quantity", "cells", "of them bounds", "median over cells", "95 % interval", "least", "greatest", "method"]
    caption = "One number a cell (the mean of its runs), over cells; bounds (survivors, floors) count as bounds"
    return Table(head, rows, caption, numbers=[1, 2, 3, 4, 5, 6]) if rows else None


def _number_names(pool: Pool) -> list[tuple[str, str, str]]:
    keys = [(item.name, item.method, item.unit) for one in pool.found for item in one.found]
    return list(dict.fromkeys(keys))


def _row(pool: Pool, key: tuple[str, str, str]) -> list[str] | None:
    ends: dict[str, list[tuple[float, float]]] = {}
    for where, one in zip(pool.cells, pool.found, strict=True):
        for item in one.found:
            if (item.name, item.method, item.unit) == key and (within := _between(item)) is not None:
                ends.setdefault(where, []).append(within)
    if len(ends) < LEAST:
        return None
    lower, upper = np.array([_mean_of(found) for found in ends.values()]).T
    mirrored = bool(np.all(np.where(np.isfinite(upper), upper, lower) < 0))
    low, high = (-upper, -lower) if mirrored else (lower, upper)
    middle = _median(low, high, key[0], key[2])
    sign = -1.0 if mirrored else 1.0
    value = math.nan if middle is None else sign * middle.value
    interval = (math.nan, math.nan) if middle is None else sorted(sign * end for end in middle.interval)
    said = numbers.interval(Extracted("", 0, key[2], 0, "", interval=(interval[0], interval[1])))
    known = np.concatenate([lower[np.isfinite(lower)], upper[np.isfinite(upper)]])
    shown = [
        "not reached" if math.isnan(number) else text.value(Extracted("", number, key[2], math.nan, ""))
        for number in (value, known.min(), known.max())
    ]
    bounds = int(np.count_nonzero(lower != upper))
    return [key[0], str(len(ends)), str(bounds) if bounds else "", shown[0], said, shown[1], shown[2], key[1]]


def _between(item: Extracted) -> tuple[float, float] | None:
    """Where a number lies: at its value, or beyond the one end of its interval it is known by; None where nothing is known."""
    low, high = item.interval
    if math.isinf(high) and math.isfinite(low) and (math.isnan(item.value) or item.value <= low):
        return low, math.inf
    if math.isinf(low) and math.isfinite(high) and (math.isnan(item.value) or item.value >= high):
        return -math.inf, high
    return (item.value, item.value) if math.isfinite(item.value) else None


def _mean_of(found: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The mean over the runs of one cell, a bound where one of them is."""
    lower, upper = np.array(found).T
    return float(lower.mean()), float(upper.mean())


def _median(lower: FloatArray, upper: FloatArray, name: str, unit: str) -> Extracted | None:
    """None where more than half are only bounds, and where some are bounded from above only, others from below only."""
    if np.any(np.isinf(lower)) and np.any(np.isinf(upper)):
        return None
    return distributions.median(distributions.between(lower, upper, name, unit))


# -- lives ----------------------------------------------------------------------------------------------------------------
def _lives(pool: Pool) -> Table | None:
    """The Weibull distribution of the cells' lives, survivors and intervals between checks censored."""
    runs: dict[str, list[tuple[str, Numbers]]] = {}
    for where, run, one in zip(pool.cells, pool.runs, pool.found, strict=True):
        runs.setdefault(where, []).append((run.header.start_time, one))
    each = [life for found in runs.values() if (life := _life([one for _, one in sorted(found, key=itemgetter(0))]))]
    items = weibull(lives(each))
    return _numbers(items, f"Lives of {len(each)} cells, survivors counted as survivors") if items else None


def _life(found: Sequence[Numbers]) -> Life | None:
    """The life of a cell from its runs in the order of time: cycles add up, until the first failure; None without a check."""
    before, last = 0.0, None
    for one in found:
        ended = next((item for item in one.found if item.method.startswith(f"{LIFE}@")), None)
        if ended is None:
            continue
        last = Life(before + ended.interval[0], before + ended.interval[1])
        if last.ended:
            return last
        before += next((item.value for item in one.found if item.name == "cycles applied"), ended.interval[0])
    return last


def _numbers(items: Sequence[Extracted], caption: str) -> Table:
    rows = [[item.name, text.value(item), numbers.interval(item), item.method, item.definition] for item in items]
    return Table(["quantity", "value", "95 % interval", "method", "definition"], rows, caption, numbers=[1, 2])


def _drawn(pool: Pool) -> list[Figure]:
    from labctl.report import plots

    if not _series_names(pool):
        return []
    return [plots.figure(list(pool.runs), "cdf")]
