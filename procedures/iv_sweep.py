"""I-V loops: unipolar or bipolar, with one compliance for set and one for reset, over any number of cycles."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import loops, switching
from labctl.contracts import READING_COLUMNS, Acquisition, Block, Extracted, FloatArray, Series, Status, Sweep
from labctl.procedure import Choice, Count, Number, ParameterError, Plot, Procedure, Station, levels_between
from labctl.quantities import Column


class IVSweep(Procedure):
    """Sweep 0 -> v_max -> 0 and 0 -> v_min -> 0, cycle after cycle, each half with its own compliance, and read between.

    A half loop is one list sweep in the instrument (at most 4096 points). v_min = 0 gives unipolar positive loops, v_max = 0
    unipolar negative ones. Rows: segment 1 the positive half loop, -1 the negative one, 2 and -2 the reads after them.
    """

    v_max = Number(
        "v_max", "V", default=1.0, minimum=0, maximum=210, description="peak of the positive half loop; 0 for none"
    )
    v_min = Number(
        "v_min", "V", default=0.0, minimum=-210, maximum=0, description="peak of the negative half loop; 0 for none"
    )
    step = Number("step", "V", default=0.01, above=0, maximum=10, description="voltage step (linear spacing)")
    spacing = Choice("spacing", ("linear", "log"), default="linear", description="spacing of the levels")
    v_first = Number("v_first", "V", default=1e-3, above=0, maximum=210, description="smallest level (log spacing)")
    per_decade = Count("per_decade", default=25, minimum=1, maximum=1000, description="points per decade (log spacing)")
    compliance = Number(
        "compliance", "A", default=1e-6, above=0, maximum=1.05, description="compliance of the positive (set) half loop"
    )
    reset_compliance = Number(
        "reset_compliance",
        "A",
        default=0.0,
        minimum=0,
        maximum=1.05,
        description="compliance of the negative (reset) half loop; 0: as compliance",
    )
    cycles = Count("cycles", default=1, minimum=1, maximum=100_000, description="number of loops")
    first = Choice("first", ("positive", "negative"), default="positive", description="half loop that comes first")
    read_compliance = Number(
        "read_compliance",
        "A",
        default=0.0,
        minimum=0,
        maximum=1.05,
        description="compliance of the reads; 0: the greater of the other two",
    )
    v_read = Number(
        "v_read",
        "V",
        default=0.0,
        minimum=-210,
        maximum=210,
        description="read voltage after each half loop; 0 for no read",
    )
    pause = Number("pause", "s", default=0.0, minimum=0, maximum=1e5, description="wait between cycles, outputs off")
    delay = Number(
        "delay", "s", default=0.0, minimum=0, maximum=6.553, description="wait between setting a voltage and measuring"
    )
    hold = Number("hold", "s", default=0.0, minimum=0, maximum=655.3, description="wait at the first voltage")
    integration = Choice(
        "integration",
        ("fast", "normal", "quiet", "custom"),
        default="normal",
        description="0.1, 1, 10 power-line cycles, or plc",
    )
    plc = Number("plc", "", default=1.0, minimum=0.01, maximum=10, description="power-line cycles (custom integration)")
    current_range = Number(
        "current_range", "A", default=0.0, minimum=0, maximum=1.0, description="fixed measure range; 0 for autorange"
    )
    range_floor = Number(
        "range_floor",
        "A",
        default=0.0,
        minimum=0,
        maximum=1.0,
        description="lowest autorange; 0 for the instrument's default",
    )

    columns = (
        *READING_COLUMNS,
        Column("cycle", "", "int64", "number of the loop, from 1"),
        Column("segment", "", "int64", "1 positive half loop, -1 negative, 2 and -2 the reads after them"),
    )
    plot = Plot("level", "current", log=True)
    pictures = ("iv", "cycles", "cdf", "fn")

    def check(self) -> None:
        """Refuse loops without points, steps larger than the peak, reversed log ranges, reads beyond the peaks."""
        if self.v_max == 0 and self.v_min == 0:
            raise ParameterError("v_max = 0 V and v_min = 0 V leave nothing to sweep; give at least one peak")
        for name, peak in (("v_max", self.v_max), ("v_min", -self.v_min)):
            smallest = ("v_first", self.v_first) if self.spacing == "log" else ("step", self.step)
            if 0 < peak < smallest[1]:
                raise ParameterError(f"{smallest[0]} = {smallest[1]:g} V is larger than |{name}| = {peak:g} V")
        if abs(self.v_read) > max(self.v_max, -self.v_min):
            raise ParameterError(
                f"v_read = {self.v_read:g} V is beyond both peaks ({self.v_min:g} V, {self.v_max:g} V)"
            )

    def expected_rows(self) -> int:
        """All half loops and reads."""
        halves = [self.half_loop(peak) for peak in self.peaks()]
        return self.cycles * sum(len(half) + (self.v_read != 0) for half in halves)

    def peaks(self) -> list[float]:
        """The peaks of one cycle in V, in the order applied."""
        order = [self.v_max, self.v_min] if self.first == "positive" else [self.v_min, self.v_max]
        return [peak for peak in order if peak != 0]

    def half_loop(self, peak: float) -> FloatArray:
        """Levels of one half loop, shape (n,), V: 0 -> peak -> 0, the peak once; the last step up may be shorter."""
        if self.spacing == "log":
            count = levels_between(math.log10(abs(peak) / self.v_first) * self.per_decade)
            up = np.minimum(self.v_first * 10.0 ** (np.arange(count + 1) / self.per_decade), abs(peak))
            up = np.concatenate([[0.0], up])
        else:
            up = np.minimum(np.arange(levels_between(abs(peak) / self.step) + 1) * self.step, abs(peak))
        return math.copysign(1.0, peak) * np.concatenate([up, up[-2::-1]])

    def acquisition(self) -> Acquisition:
        """How every sweep of this run measures."""
        return Acquisition(
            integration=self.plc if self.integration == "custom" else self.integration,
            current_range=self.current_range or None,
            range_floor=self.range_floor or None,
            hold=self.hold,
            delay=self.delay,
        )

    def halves(self) -> list[tuple[int, Sweep]]:
        """One cycle: every half loop and read with its segment number, in the order applied."""
        steps: list[tuple[int, Sweep]] = []
        for peak in self.peaks():
            segment = 1 if peak > 0 else -1
            compliance = self.compliance if peak > 0 else self.reset_compliance or self.compliance
            steps.append((segment, Sweep(self.half_loop(peak), compliance, acquisition=self.acquisition())))
            if self.v_read != 0:
                steps.append((2 * segment, self.read()))
        return steps

    def read(self) -> Sweep:
        """One reading at v_read; a low-resistance cell must not be cut off by the compliance it was set with."""
        compliance = self.read_compliance or max(self.compliance, self.reset_compliance)
        return Sweep(np.array([self.v_read]), compliance, acquisition=self.acquisition(), reads=True)

    def state_read(self) -> Sweep | None:
        """The read after a half loop, unless v_read is 0."""
        return self.read() if self.v_read != 0 else None

    def requests(self) -> list[Sweep]:
        """The sweeps of one cycle; the others repeat them."""
        return [sweep for _, sweep in self.halves()]

    def plan(self) -> list[tuple[int, Sequence[Sweep]]]:
        """Every cycle."""
        return [(int(self.cycles), self.requests())]

    def points(self, station: Station) -> Iterator[Block]:
        """Yield the blocks of every half loop and read."""
        meter = station.source_meter
        for cycle in range(1, self.cycles + 1):
            for segment, sweep in self.halves():
                for block in meter.sweep(sweep):
                    yield block.with_columns(cycle=cycle, segment=segment)
                if meter.should_stop():
                    return
            if cycle < self.cycles and self.pause > 0:
                station.clock.wait(self.pause, meter.should_stop)

    @classmethod
    def extract(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """Switching voltages of the positive half loops, V_hold where they fall back, and V_reset of the negative ones."""
        up, down = ([switching.HalfLoop.of(c) for c in switching.by_cycle(columns, side)] for side in (1, -1))
        found = [*switching.switching_on(up), switching.switching_off(down)]
        return [item for item in (*found, *cls.states(columns)) if item is not None]

    @classmethod
    def analyze(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """Every definition of where either polarity switches on and off, on/off, resistances, window, self-compliance."""
        return cls._loops([columns]).found()

    @classmethod
    def per_cycle(cls, columns: Mapping[str, NDArray[Any]]) -> list[Series]:
        """Switching voltages, on/off, resistances and window, cycle by cycle."""
        return cls._loops([columns]).series()

    @classmethod
    def analyze_slices(cls, tables: Iterable[Mapping[str, NDArray[Any]]]) -> tuple[list[Extracted], list[Series]]:
        """The same in one pass, in the memory of one slice."""
        run = cls._loops(tables)
        return run.found(), run.series()

    @staticmethod
    def _loops(tables: Iterable[Mapping[str, NDArray[Any]]]) -> switching.LoopRun:
        """All loops, read at the voltage the run's own reads were made at, if its first slice has any."""
        slices = iter(tables)
        first = next(slices)
        starts = (rows.start for rows in loops.stretches(first))
        read = next((float(first["level"][row]) for row in starts if abs(first["segment"][row]) == 2), 0.0)
        return switching.of_tables(chain([first], slices), read=read)

    @staticmethod
    def states(columns: Mapping[str, NDArray[Any]]) -> list[Extracted | None]:
        """HRS and LRS from the unflagged reads after either half loop: the higher resistance is HRS, wherever it was read."""
        normal = columns["status"] == Status.NORMAL
        masks = [(columns["segment"] == segment) & normal for segment in (2, -2)]
        reads = [switching.read_resistance(columns["voltage"][m], columns["current"][m], "") for m in masks]
        if None in reads:
            names = ["R after the positive half loop", "R after the negative half loop"]
        else:
            names = ["LRS", "HRS"] if reads[0].value < reads[1].value else ["HRS", "LRS"]  # type: ignore[union-attr]
        return [replace(read, name=name) if read else None for read, name in zip(reads, names, strict=True)]
