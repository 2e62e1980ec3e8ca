"""What many runs say together: from cycle to cycle and from cell to cell, apart; and how long cells live.

Runs of one recipe with the same parameters are put together. A cell is its sample's path, or a simulated device with its seed;
several runs of one cell count as one cell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from labctl.contracts import Extracted, Series
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
    """The runs that belong together, of two or more each, in the order of their first."""
    groups: dict[str, list[int]] = {}
    for place, (run, _) in enumerate(sources):
        key = json.dumps(
            [run.header.procedure, run.header.simulated, run.header.device, run.header.parameters], sort_keys=True
        )
        groups.setdefault(key, []).append(place)
    return [
        Pool(tuple(sources[i][0] for i in found), tuple(sources[i][1] for i in found), tuple(i + 1 for i in found))
        for found in groups.values()
        if len(found) >= LEAST
    ]


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
    from labctl.analysis.statistics.variation import mean_over_cells, variation

    parts = [
        (where, item)
        for where, one in zip(pool.cells, pool.found, strict=True)
        for item in one.series
        if (item.name, item.method) == key
    ]
    values = np.concatenate([_known(item) for _, item in parts])
    cells = np.concatenate([np.full(item.values.size, where) for where, item in parts])
    bounds = sum(int(item.censored.sum()) for _, item in parts)
    unit = parts[0][1].unit
    mean = mean_over_cells(values, cells, key[0], unit)
    found = [*([mean] if mean is not None else []), *variation(values, cells, key[0], unit)]
    return [_with_bounds(item, bounds) for item in found]


def _known(series: Series) -> np.ndarray:
    """Its values without those that are only bounds: the random-effects model takes none."""
    return np.where(series.censored, np.nan, series.values)


def _with_bounds(item: Extracted, bounds: int) -> Extracted:
    if not bounds:
        return item
    words = f"{bounds} values that are only bounds are left out, so it is biased towards what switched"
    return replace(item, definition=f"{item.definition}; {words}")


# -- one number a cell ----------------------------------------------------------------------------------------------------
def _among(pool: Pool) -> Table | None:
    """The median and the range, over cells, of every number that at least two cells give."""
    rows = [row for key in _number_names(pool) if (row := _row(pool, key)) is not None]
    head = ["quantity", "cells", "median over cells", "95 % interval", "least", "greatest", "method"]
    return (
        Table(head, rows, "One number a cell (the mean of its runs), over cells", numbers=[1, 2, 3, 4, 5])
        if rows
        else None
    )


def _number_names(pool: Pool) -> list[tuple[str, str, str]]:
    keys = [(item.name, item.method, item.unit) for one in pool.found for item in one.found]
    return list(dict.fromkeys(keys))


def _row(pool: Pool, key: tuple[str, str, str]) -> list[str] | None:
    from labctl.analysis.statistics.distributions import median, sample

    values: dict[str, list[float]] = {}
    for where, one in zip(pool.cells, pool.found, strict=True):
        for item in one.found:
            if (item.name, item.method, item.unit) == key and np.isfinite(item.value):
                values.setdefault(where, []).append(item.value)
    if len(values) < LEAST:
        return None
    each = np.array([float(np.mean(found)) for found in values.values()])
    middle = median(sample(each, name=key[0], unit=key[2]))
    if middle is None:
        return None
    sign = -1.0 if np.all(each <= 0) and np.any(each < 0) else 1.0  # a sample of negative values holds magnitudes
    ends = sorted(sign * end for end in middle.interval)
    said = numbers.interval(Extracted("", 0, key[2], 0, "", interval=(ends[0], ends[1])))
    shown = [
        text.value(Extracted("", value, key[2], float("nan"), ""))
        for value in (sign * middle.value, each.min(), each.max())
    ]
    return [key[0], str(len(values)), shown[0], said, shown[1], shown[2], key[1]]


# -- lives ----------------------------------------------------------------------------------------------------------------
def _lives(pool: Pool) -> Table | None:
    """The Weibull distribution of the cells' lives, survivors and intervals between checks censored."""
    from labctl.analysis.endurance.lifetimes import Life, lives, weibull

    ended: dict[str, Extracted] = {}
    for where, one in zip(pool.cells, pool.found, strict=True):
        for item in one.found:
            if item.method.startswith(f"{LIFE}@"):
                ended[where] = item  # the last run of a cell knows most of its life
    items = weibull(lives(Life(*item.interval) for item in ended.values()))
    return _numbers(items, f"Lives of {len(ended)} cells, survivors counted as survivors") if items else None


def _numbers(items: Sequence[Extracted], caption: str) -> Table:
    rows = [[item.name, text.value(item), numbers.interval(item), item.method, item.definition] for item in items]
    return Table(["quantity", "value", "95 % interval", "method", "definition"], rows, caption, numbers=[1, 2])


def _drawn(pool: Pool) -> list[Figure]:
    from labctl.report import plots

    if not _series_names(pool):
        return []
    return [plots.figure(list(pool.runs), "cdf")]
