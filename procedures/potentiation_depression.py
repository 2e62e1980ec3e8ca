"""Potentiation and depression: trains of pulses that step a conductance up and down, read after each pulse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.plasticity import run as plasticity_run
from labctl.analysis.plasticity.run import BRANCHES, DISTURBED, KEPT
from labctl.contracts import Block, Extracted, FloatArray, PulseTrain, Series, Sweep
from labctl.procedure import Choice, Count, Number, ParameterError, Plot, Station
from labctl.pulses import log_times
from labctl.quantities import Column
from labctl.recipe_parts import WORK_COLUMNS, PreparedParameters, PulseParameters, ReadParameters, Work
from labctl.visits import Visits

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
    pictures = ("staircase", "cdf")

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
        """Linearity, nonlinearity and range of both branches, asymmetry, levels, what keeping and disturbing changed."""
        return plasticity_run.extract(columns)

    @classmethod
    def analyze(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """`extract`, and nonlinearity, asymmetry and cycle variation by the other definitions in use."""
        return plasticity_run.analyze(columns)

    @classmethod
    def per_cycle(cls, columns: Mapping[str, NDArray[Any]]) -> list[Series]:
        """For every cycle: conductance at the end of both branches, their labels, R squared and ranges."""
        return plasticity_run.per_cycle(columns)
