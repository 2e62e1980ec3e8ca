"""Potentiation and depression: trains of pulses that step a conductance up and down, read after each pulse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import plasticity, reads
from labctl.contracts import Block, Extracted, FloatArray, PulseTrain, Sweep
from labctl.procedure import Choice, Count, Number, ParameterError, Plot, Station
from labctl.pulses import log_times
from labctl.quantities import Column
from labctl.recipe_parts import WORK_COLUMNS, Kind, PreparedParameters, PulseParameters, ReadParameters, Work
from labctl.visits import Visits

BRANCHES = {1: "potentiation", -1: "depression"}
KEPT, DISTURBED = 2, 3  # segments, with the sign of the branch
NAMES = (
    (0, "before"), (1, "potentiation"), (-1, "depression"),
    (2, "kept"), (-2, "kept"), (3, "disturbed"), (-3, "disturbed"),
)  # fmt: skip
SHARES = {"none": 0.0, "half": 1 / 2, "third": 1 / 3}


class PotentiationDepression(PulseParameters, ReadParameters, PreparedParameters):
    """Step a conductance up with positive pulses and down with negative ones; read after each pulse.

    Pulses have no current compliance: a cell that becomes a short carries level/(50 ohm + series), and limits are held
    against that. Rows: every read, and the mean of every programming pulse; half-select pulses are applied unmeasured.
    """

    scheme = Choice(
        "scheme",
        ("amplitude", "width", "constant"),
        default="amplitude",
        description="what is stepped; width and constant pulses have the mean of first and last amplitude",
    )
    pulses = Count("pulses", default=21, minimum=1, maximum=100_000, description="pulses of a branch")
    cycles = Count("cycles", default=1, minimum=1, maximum=100_000, description="times both branches are run")
    pot_first = Number(
        "pot_first", "V", default=2.1, minimum=-40, maximum=40, description="first potentiating amplitude"
    )
    pot_last = Number("pot_last", "V", default=2.5, minimum=-40, maximum=40, description="last potentiating amplitude")
    dep_first = Number(
        "dep_first", "V", default=-2.2, minimum=-40, maximum=40, description="first depressing amplitude"
    )
    dep_last = Number("dep_last", "V", default=-2.6, minimum=-40, maximum=40, description="last depressing amplitude")
    width = Number(
        "width", "s", default=20e-6, minimum=6e-8, maximum=0.4, description="width of a pulse at half height"
    )
    width_last = Number(
        "width_last", "s", default=100e-6, minimum=6e-8, maximum=0.4, description="width of the last one (width scheme)"
    )
    repeats = Count("repeats", default=1, minimum=1, maximum=1000, description="reads after each pulse")
    keep = Number(
        "keep",
        "s",
        default=0.0,
        minimum=0,
        maximum=1e7,
        description="how long the last level of both branches of the last cycle is kept and read; 0 for not",
    )
    disturb = Choice(
        "disturb",
        tuple(SHARES),
        default="none",
        description="half-select disturb in a further cycle: longest pulses at a half or a third of the greatest amplitude",
    )
    disturb_pulses = Count(
        "disturb_pulses", default=100, minimum=1, maximum=10_000, description="half-select pulses of each polarity"
    )
    disturb_period = Number(
        "disturb_period", "s", default=0.1, minimum=1e-6, maximum=1, description="period of the half-select pulses"
    )

    columns = (
        *WORK_COLUMNS,
        Column("cycle", "", "int64", "number of the cycle, from 1; the half-select disturb has one of its own"),
        Column(
            "segment", "", "int64", "0 before; 1 potentiation, -1 depression; 2, -2 kept, 3, -3 disturbed after them"
        ),
        Column("pulse", "", "int64", "pulses of this segment applied so far"),
        Column("amplitude", "V", meaning="level of the last pulse", label="pulse amplitude"),
        Column("width", "s", meaning="width of the last pulse at half height"),
    )
    plot = Plot("applied", "conductance", each="segment", names=NAMES)

    def check(self) -> None:
        """Refuse reads at 0 V, pulses of no top, amplitudes of 0 V, and periods too short for a half-select pulse."""
        self.check_reads()
        self.check_states()
        for name in ("width", "width_last"):
            self.shape(getattr(self, name)).check(name)
        for name in ("pot_first", "pot_last", "dep_first", "dep_last"):
            if getattr(self, name) == 0:
                raise ParameterError(f"{name} = 0 V is no pulse")
        name = "width_last" if self.scheme == "width" and self.width_last > self.width else "width"
        width = getattr(self, name)
        if self.disturb != "none" and self.disturb_period < 2 * width:
            raise ParameterError(f"disturb_period = {self.disturb_period:g} s is below twice {name} = {width:g} s")

    def expected_rows(self) -> int:
        """All sweeps, pulses and reads."""
        prepared = sum(len(sweep.levels) for sweep in self.preparing())
        trains = (self.cycles + (self.disturb != "none")) * 2 * self.pulses * (1 + self.repeats)
        disturbed = 4 if self.disturb != "none" else 0
        return prepared + 1 + trains + 2 * len(self.kept()) + disturbed

    def branch(self, sign: int) -> list[PulseTrain]:
        """The pulses of potentiation (1) or depression (-1), one request each."""
        first, last = (self.pot_first, self.pot_last) if sign > 0 else (self.dep_first, self.dep_last)
        amplitudes: FloatArray = np.linspace(first, last, self.pulses)
        widths: FloatArray = np.full(self.pulses, self.width)
        if self.scheme != "amplitude":
            amplitudes = np.full(self.pulses, 0.5 * (first + last))
        if self.scheme == "width":
            widths = np.linspace(self.width, self.width_last, self.pulses)
        return [self.shape(round(float(w), 8)).train([a]) for a, w in zip(amplitudes, widths, strict=True)]

    def kept(self) -> FloatArray:
        """Times (s after the last pulse) of the reads of a kept level: decades from 1 s, shape (n,)."""
        return log_times(min(1.0, float(self.keep)), self.keep, 1) if self.keep > 0 else np.empty(0)

    def half_selected(self) -> list[PulseTrain]:
        """The pulses a half-selected cell sees while others are potentiated, and while they are depressed.

        They have a share of the greatest amplitude, and the longest width, of the pulses that are really applied.
        """
        return [] if self.disturb == "none" else [self._half_selected(self.branch(sign)) for sign in BRANCHES]

    def _half_selected(self, branch: list[PulseTrain]) -> PulseTrain:
        peak = max((float(train.amplitudes[0]) for train in branch), key=abs)
        shape = self.shape(max(train.width for train in branch))
        level = SHARES[self.disturb] * peak
        return shape.train([level], self.disturb_pulses, self.disturb_period, measured=False)

    def requests(self) -> list[Sweep | PulseTrain]:
        """The preparing sweep, the read, every pulse of one cycle, the half-select pulses."""
        return [*self.preparing(), self.read_request(), *self.branch(1), *self.branch(-1), *self.half_selected()]

    def plan(self) -> list[tuple[int, Sequence[Sweep | PulseTrain]]]:
        """The preparing sweep, all cycles, and the one with the half-select pulses; of the reads those after pulses."""
        cycle, disturbed = [*self.branch(1), *self.branch(-1)], self.half_selected()
        further = [*self.branch(1), *disturbed, *self.branch(-1), *disturbed] if disturbed else []
        reads = 2 * int(self.pulses) * int(self.repeats) * (int(self.cycles) + (self.disturb != "none"))
        return [(1, self.preparing()), (int(self.cycles), cycle), (1, further), (reads, [self.read_request()])]

    def points(self, station: Station) -> Iterator[Block]:
        """Yield the preparing sweep, the first read, then pulses and reads."""
        work = Work(station)
        mark: dict[str, Any] = {"cycle": 1, "segment": 0, "pulse": 0, "amplitude": 0.0, "width": 0.0}
        for sweep in self.preparing():
            yield from work.sweep(sweep, **mark)
        yield from work.read(self.read_request(), self.wait, **mark)
        for cycle in range(1, self.cycles + 1 + (self.disturb != "none")):
            for sign in BRANCHES:
                mark = {**mark, "cycle": cycle}
                yield from self._train(work, sign, mark)
                if cycle == self.cycles:
                    yield from self._keep(work, {**mark, "segment": KEPT * sign, "pulse": 0})
                if cycle > self.cycles:
                    yield from self._disturb(work, {**mark, "segment": DISTURBED * sign})
                if work.stopped():
                    return

    def _train(self, work: Work, sign: int, mark: dict[str, Any]) -> Iterator[Block]:
        """One branch; leaves the last pulse's amplitude and width in `mark`."""
        for number, pulse in enumerate(self.branch(sign), 1):
            if work.stopped():
                return
            mark.update(segment=sign, pulse=number, amplitude=float(pulse.amplitudes[0]), width=pulse.width)
            yield from work.pulse(pulse, 1, self.wait, **mark)
            for _ in range(self.repeats):
                yield from work.read(self.read_request(), self.wait, **mark)

    def _keep(self, work: Work, mark: dict[str, Any]) -> Iterator[Block]:
        """Reads of the level kept with nothing applied in between."""
        visits = Visits(work, self.kept())
        for _ in visits:
            yield from work.read(self.read_request(), visits.wait(), **mark)
            visits.seen()

    def _disturb(self, work: Work, mark: dict[str, Any]) -> Iterator[Block]:
        """Half-select pulses of either polarity, a read after each lot."""
        for lot, train in enumerate(self.half_selected(), 1):
            mark = {
                **mark,
                "pulse": lot * self.disturb_pulses,
                "amplitude": float(train.amplitudes[0]),
                "width": train.width,
            }
            yield from work.pulse(train, train.pulses, self.wait, **mark)
            yield from work.read(self.read_request(), self.wait, **mark)

    @classmethod
    def extract(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """Linearity, nonlinearity and range of both branches, asymmetry, levels, what keeping and disturbing changed.

        Every read keeps its place, as no number where it is not usable. Branches that a stop cut short are left out.
        """
        rows = {name: column[columns["kind"] == Kind.READ] for name, column in columns.items()}
        good = reads.usable(rows["status"]) & np.isfinite(rows["conductance"])
        rows["conductance"] = np.where(good, rows["conductance"], np.nan)
        trains = _trains(rows, _whole(columns))
        found = [item for sign in BRANCHES for item in _of_branch([pair[sign] for pair in trains], BRANCHES[sign])]
        found.append(plasticity.over_cycles([_asymmetry(pair) for pair in trains]))
        found += [item for sign in BRANCHES for item in (_kept(rows, sign), *_disturbed(rows, sign))]
        found += [_incomplete(trains), reads.left_out(rows["status"][~good])]
        return [item for item in found if item is not None]


Levels = list[FloatArray]  #: a branch: the conductances read before it and after each of its pulses
Rows = Mapping[str, NDArray[Any]]


def _whole(columns: Rows) -> int:
    """How many pulses a branch has; 0 where no branch is known to have had all, as a second one begins only then."""
    potentiation = columns["segment"] == 1
    if not np.any(columns["segment"] == -1) or not potentiation.any():
        return 0
    return int(columns["pulse"][potentiation].max())


def _trains(rows: Rows, whole: int) -> list[dict[int, Levels | None]]:
    """For each cycle but that of half-select disturb its branches by sign; None for one that a stop cut short."""
    disturbed = rows["cycle"][np.abs(rows["segment"]) == DISTURBED]
    own = (np.abs(rows["segment"]) == 1) & (rows["cycle"] < (disturbed.min() if disturbed.size else np.inf))
    return [{sign: _branch(rows, sign, cycle, whole) for sign in BRANCHES} for cycle in np.unique(rows["cycle"][own])]


def _branch(rows: Rows, sign: int, cycle: int, whole: int) -> Levels | None:
    """The read directly before a branch and those after each of its pulses, None unless it has all `whole` pulses."""
    mine = np.flatnonzero((rows["segment"] == sign) & (rows["cycle"] == cycle))
    values, pulses = rows["conductance"][mine], rows["pulse"][mine]
    if whole == 0 or not mine.size or pulses.max() < whole:
        return None
    before = rows["conductance"][: mine[0]][-1:]
    return [before, *(values[pulses == pulse] for pulse in range(1, whole + 1))]


def _means(levels: Levels) -> FloatArray:
    """The mean of the usable reads of each level; NaN where none is usable."""
    kept = [level[np.isfinite(level)] for level in levels]
    return np.array([float(level.mean()) if level.size else np.nan for level in kept])


def _of_branch(cycles: list[Levels | None], name: str) -> list[Extracted | None]:
    """Linearity from the read before the first pulse on, so that a jump by it counts; range and levels after pulses."""
    means = [None if levels is None else _means(levels) for levels in cycles]
    found = [
        plasticity.over_cycles([None if values is None else figure(values, name) for values in means])
        for figure in (plasticity.linearity, plasticity.nonlinearity)
    ]
    ranges = [None if values is None else plasticity.dynamic_range(values[1:], name) for values in means]
    whole = [levels[1:] for levels in cycles if levels is not None]
    pooled = [np.concatenate(level) for level in zip(*whole, strict=True)]
    return [*found, plasticity.over_cycles(ranges), plasticity.levels_apart(pooled, name)]


def _asymmetry(pair: Mapping[int, Levels | None]) -> Extracted | None:
    """Of the two branches of a cycle, if both are whole."""
    up, down = pair[1], pair[-1]
    return None if up is None or down is None else plasticity.asymmetry(_means(up), _means(down))


def _incomplete(trains: list[dict[int, Levels | None]]) -> Extracted | None:
    """How many branches were left out."""
    count = sum(levels is None for pair in trains for levels in pair.values())
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
