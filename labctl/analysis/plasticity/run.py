"""Potentiation and depression of a whole run: its branches, and every figure of them, cycle by cycle.

Tables are those of ``potentiation-depression``: rows of reads (``kind`` 0) with ``conductance``, ``status``, ``cycle``,
``segment`` (1 potentiation, -1 depression; 2, -2 kept after them, 3, -3 disturbed) and ``pulse``. Every read keeps its place,
as no number where it is not usable. A branch that a stop cut short has no figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import plasticity, reads
from labctl.analysis.loops import stretches
from labctl.analysis.plasticity import curves as plasticity_curves
from labctl.contracts import Extracted, FloatArray, Series

BRANCHES = {1: "potentiation", -1: "depression"}
KEPT, DISTURBED = 2, 3  #: segments, with the sign of the branch
READ = 0  #: in the column ``kind``
Rows = Mapping[str, NDArray[Any]]
Figure = Callable[[FloatArray, str], Extracted | None]


@dataclass(frozen=True)
class Branch:
    """One branch. values: conductances (S) read before it and after its pulses, in that order, NaN for a read of no use.

    starts: where each level begins in `values`, shape (pulses + 1,).
    """

    values: FloatArray
    starts: NDArray[np.int64]

    def levels(self) -> list[FloatArray]:
        """The reads of each level, the one before the first pulse at the front."""
        return np.split(self.values, self.starts[1:])

    def means(self) -> FloatArray:
        """The mean of the usable reads of each level, shape (pulses + 1,); NaN where none is usable."""
        good = np.isfinite(self.values)
        sums = np.concatenate([[0.0], np.cumsum(np.where(good, self.values, 0.0))])
        if self.starts.size == self.values.size:  # one read each, the rule: exact
            return self.values.copy()
        ends = np.append(self.starts[1:], self.values.size)
        counts = np.concatenate([[0], np.cumsum(good)])
        number = counts[ends] - counts[self.starts]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(number > 0, (sums[ends] - sums[self.starts]) / number, np.nan))


@dataclass(frozen=True)
class Trains:
    """The branches of a run. rows: of all reads; good: which of them are of use; cycles: for each its branches by sign."""

    rows: Rows
    good: NDArray[np.bool_]
    cycles: list[dict[int, Branch | None]]

    def means(self, sign: int) -> list[FloatArray]:
        """For every cycle the mean conductance (S) before the first and after each pulse; empty for one cut short."""
        return [means(pair[sign]) for pair in self.cycles]

    def settled(self, sign: int) -> list[FloatArray]:
        """As `means`; where several cycles have a potentiation, the level before the first, which a sweep wrote, is NaN.

        It is the rule of the exports, too: one level that no pulse made can bend a branch more than all its pulses do.
        """
        found = self.means(sign)
        if sign == 1 and self.several and found[0].size:
            found[0] = np.concatenate([[np.nan], found[0][1:]])
        return found

    @property
    def several(self) -> bool:
        """Whether more than one cycle has a whole potentiation."""
        return sum(pair[1] is not None for pair in self.cycles) > 1

    def said(self, item: Extracted | None) -> Extracted | None:
        """A figure of potentiations as `settled`, with words for whether the level before the first cycle is in it."""
        words = "left out" if self.several else "included"
        return item and replace(item, definition=f"{item.definition}; the level before the first cycle {words}")

    @property
    def left_out(self) -> int:
        """Reads that are not used."""
        return int(np.count_nonzero(~self.good))


def trains(columns: Rows) -> Trains:
    """All reads, those of no use without a conductance, and the branches of every cycle but that of half-select disturb."""
    rows = {name: column[columns["kind"] == READ] for name, column in columns.items()}
    good = reads.usable(rows["status"]) & np.isfinite(rows["conductance"])
    rows["conductance"] = np.where(good, rows["conductance"], np.nan)
    return Trains(rows, good, _cycles(rows, _whole(columns)))


def means(branch: Branch | None) -> FloatArray:
    """The mean conductance (S) of each level; nothing for no branch."""
    return np.empty(0) if branch is None else branch.means()


def extract(columns: Rows) -> list[Extracted]:
    """Linearity, nonlinearity and range of both branches, asymmetry, levels, what keeping and disturbing changed."""
    run = trains(columns)
    found = [item for sign in BRANCHES for item in _of_branch([pair[sign] for pair in run.cycles], BRANCHES[sign])]
    found.append(plasticity.over_cycles([_of_pair(pair, plasticity.asymmetry) for pair in run.cycles], (0.0, np.inf)))
    found += [item for sign in BRANCHES for item in (_kept(run.rows, sign), *_disturbed(run.rows, sign))]
    found += [_incomplete(run.cycles), reads.left_out(run.rows["status"][~run.good])]
    return [item for item in found if item is not None]


def analyze(columns: Rows) -> list[Extracted]:
    """What `extract` gives, and nonlinearity, asymmetry and cycle variation by the other definitions in use.

    Labels, A, beta, alpha and the asymmetric ratio are those of the levels that pulses made (`Trains.settled`).
    """
    run = trains(columns)
    figures = {sign: _by_definition(run, sign) for sign in BRANCHES}
    found = [item for sign in BRANCHES for item in figures[sign]]
    pairs = zip(*(run.settled(sign) for sign in BRANCHES), strict=True)
    ratios = [plasticity.asymmetric_ratio(*pair) if all(part.size for part in pair) else None for pair in pairs]
    found.append(run.said(plasticity.over_cycles(ratios, (0.0, np.inf))))
    found.append(plasticity.label_difference(figures[1][0], figures[-1][0]))
    return [*extract(columns), *(replace(item, excluded=run.left_out) for item in found if item is not None)]


def per_cycle(columns: Rows) -> list[Series]:
    """For every cycle: conductance at the end of both branches, their labels, R squared and ranges."""
    run = trains(columns)
    if not run.cycles:
        return []
    return [item for sign in BRANCHES for item in _series(run, sign)]


def _whole(columns: Rows) -> int:
    """How many pulses a branch has; 0 where no branch is known to have had all, as a second one begins only then."""
    potentiation = columns["segment"] == 1
    if not np.any(columns["segment"] == -1) or not potentiation.any():
        return 0
    return int(columns["pulse"][potentiation].max())


def _cycles(rows: Rows, whole: int) -> list[dict[int, Branch | None]]:
    """For each cycle but that of half-select disturb its branches by sign; None for one that a stop cut short."""
    disturbed = rows["cycle"][np.abs(rows["segment"]) == DISTURBED]
    end = disturbed.min() if disturbed.size else np.inf
    found: dict[int, dict[int, Branch | None]] = {}
    for part in stretches(rows):
        cycle, sign = int(rows["cycle"][part.start]), int(rows["segment"][part.start])
        if sign in BRANCHES and cycle < end:
            found.setdefault(cycle, dict.fromkeys(BRANCHES))[sign] = _branch(rows, part, whole)
    return [found[cycle] for cycle in sorted(found)]


def _branch(rows: Rows, part: slice, whole: int) -> Branch | None:
    """The read directly before a stretch and those after each of its pulses, None unless it has all `whole` pulses."""
    pulses = rows["pulse"][part]
    if not 0 < whole <= pulses.size or pulses.max() < whole:
        return None
    order = np.argsort(pulses, kind="stable")
    starts = np.searchsorted(pulses[order], np.arange(1, whole + 1))
    before = rows["conductance"][max(part.start - 1, 0) : part.start]
    values = np.concatenate([before if before.size else [np.nan], rows["conductance"][part][order]])
    return Branch(values, np.concatenate([[0], starts + 1]))


def _of_branch(cycles: list[Branch | None], name: str) -> list[Extracted | None]:
    """Linearity from the read before the first pulse on, so that a jump by it counts; range and levels after pulses."""
    averages = [means(branch) for branch in cycles]
    linear = _over(averages, plasticity.linearity, name, (-np.inf, 1.0))
    bent = _over(averages, plasticity.nonlinearity, name, (0.0, np.inf))
    ranges = [plasticity.dynamic_range(values[1:], name) for values in averages]
    whole = [branch.levels()[1:] for branch in cycles if branch is not None]
    pooled = [np.concatenate(level) for level in zip(*whole, strict=True)]
    window = plasticity.over_cycles(ranges, (1.0, np.inf))
    return [linear, bent, window, plasticity.levels_apart(pooled, name)]


def _over(
    branches: list[FloatArray], figure: Figure, name: str, within: tuple[float, float] = (-np.inf, np.inf)
) -> Extracted | None:
    """A figure of one branch over all cycles; branches: means of every level, empty for a branch that is not whole."""
    return plasticity.over_cycles([figure(values, name) for values in branches], within)


def _by_definition(run: Trains, sign: int) -> list[Extracted | None]:
    """Nonlinearity of one branch by the laws others fit, NeuroSim's label first, and how it varies from cycle to cycle."""
    branches, name = run.settled(sign), BRANCHES[sign]
    if not branches:
        return [None]
    found = [plasticity.over_cycles(items) for items in zip(*(_laws(values, name) for values in branches), strict=True)]
    label, *others = map(run.said, found) if sign == 1 else found
    varied = plasticity.cycle_variation([values for values in run.means(sign) if values.size], name)
    return [label, plasticity_curves.neurosim_a(label, name), *others, varied]


def _laws(values: FloatArray, name: str) -> list[Extracted | None]:
    """The figures of one branch of one cycle; two of them rest on the same fit."""
    curve = plasticity_curves.fit(values, plasticity_curves.exponential)
    if curve is None:
        return [None] * 3
    return [
        plasticity_curves.label(values, name, curve),
        plasticity_curves.querlioz_beta(values, name),
        plasticity_curves.alpha(values, name, curve),
    ]


def _series(run: Trains, sign: int) -> list[Series]:
    """One number for each cycle, NaN where it has none: the last level, and figures of the branch."""
    branches, name, left_out = run.means(sign), BRANCHES[sign], run.left_out
    cycles = np.arange(1, len(branches) + 1)
    last = np.array([values[-1] if values.size else np.nan for values in branches])
    words = f"conductance after the last pulse of {name}"
    found = [Series(f"G after {name}", "S", cycles, last, np.zeros(cycles.size, bool), words, excluded=left_out)]
    for figure in (plasticity_curves.label, plasticity.linearity, plasticity.dynamic_range):
        used = run.settled(sign) if figure is plasticity_curves.label else branches
        items = [figure(values, name) for values in used]
        first = next((item for item in items if item is not None), None)
        if first is not None:
            values = np.array([np.nan if item is None else item.value for item in items])
            found.append(
                Series(
                    first.name, first.unit, cycles, values, np.zeros(cycles.size, bool), first.definition.partition(";")[0],
                    first.method, left_out,
                )
            )  # fmt: skip
    return found


def _of_pair(
    pair: Mapping[int, Branch | None], figure: Callable[[FloatArray, FloatArray], Extracted | None]
) -> Extracted | None:
    """A figure of the two branches of a cycle, None unless both are whole."""
    up, down = pair[1], pair[-1]
    return None if up is None or down is None else figure(means(up), means(down))


def _incomplete(trains: list[dict[int, Branch | None]]) -> Extracted | None:
    """How many branches were left out."""
    count = sum(branch is None for pair in trains for branch in pair.values())
    if count == 0:
        return None
    words = (
        f"of {2 * len(trains)} branches of the cycles begun, cut short by a stop or not begun, or not known to be complete;"
        " left out of linearity, range, levels and asymmetry"
    )
    return Extracted("incomplete branches", float(count), "", float("nan"), words)


def _kept(rows: Rows, sign: int) -> Extracted | None:
    """How far a kept level drifted from the read directly before the time it was kept to the last usable one."""
    kept = np.flatnonzero(rows["segment"] == KEPT * sign)
    good = kept[np.isfinite(rows["conductance"][kept])]
    if not good.size or kept[0] == 0:
        return None
    before, last = kept[0] - 1, good[-1]
    seconds = rows["elapsed"][last] - rows["elapsed"][before]
    words = f"after {seconds:.4g} s with nothing applied but {last - before} reads"
    after = rows["conductance"][last : last + 1]
    return plasticity.change(float(rows["conductance"][before]), after, f"drift after {BRANCHES[sign]}", words)


def _disturbed(rows: Rows, sign: int) -> Iterator[Extracted | None]:
    """What each lot of half-select pulses changed, against the read directly before the lot."""
    after = np.flatnonzero(rows["segment"] == DISTURBED * sign)
    for row in after:
        applied = rows["pulse"][row] - (rows["pulse"][after[0]] if row != after[0] else 0)
        level = rows["amplitude"][row]
        name = f"disturb by {level:+.3g} V after {BRANCHES[sign]}"
        words = f"after {applied} pulses of {level:+.3g} V and {rows['width'][row]:.3g} s"
        before = rows["conductance"][row - 1] if row else np.nan
        yield plasticity.change(float(before), rows["conductance"][row : row + 1], name, words)
