"""Volatility: is a device volatile or nonvolatile, at each of three compliances."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import switching, volatility
from labctl.analysis.volatility import Verdict
from labctl.contracts import (
    READING_COLUMNS,
    Acquisition,
    Block,
    Extracted,
    FloatArray,
    Series,
    SourceMeter,
    Status,
    Sweep,
)
from labctl.procedure import Choice, Count, Number, ParameterError, Plot, Procedure, Station, levels_between
from labctl.quantities import Column, show
from labctl.recipe_parts import half_loop

FORMING, LOOP, RESET = 0, 1, -1


class Volatility(Procedure):
    """Form the device if it is pristine, then sweep loops at three rising compliances and say whether it stays on.

    A device that stayed on is reset by a negative half loop before the next compliance. Rows: segment 0 the forming ramp,
    1 the loops, -1 the resets; the verdicts are events.
    """

    compliance_1 = Number("compliance_1", "A", default=1e-6, above=0, maximum=0.1, description="first compliance")
    compliance_2 = Number(
        "compliance_2", "A", default=1e-5, minimum=0, maximum=0.1, description="second one; 0 for none"
    )
    compliance_3 = Number(
        "compliance_3", "A", default=1e-4, minimum=0, maximum=0.1, description="third one; 0 for none"
    )
    loops = Count("loops", default=3, minimum=2, maximum=1000, description="loops at each compliance")
    v_max = Number("v_max", "V", default=1.0, above=0, maximum=210, description="peak of the loops")
    step = Number("step", "V", default=0.01, above=0, maximum=10, description="voltage step of loops and resets")
    v_form = Number(
        "v_form",
        "V",
        default=8.0,
        minimum=0,
        maximum=210,
        description="end of the forming ramp, which ends itself in the first compliance; 0 for none",
    )
    form_step = Number(
        "form_step", "V", default=0.02, above=0, maximum=10, description="voltage step of the forming ramp"
    )
    v_reset = Number(
        "v_reset",
        "V",
        default=-1.0,
        minimum=-210,
        maximum=0,
        description="peak of a reset; 0 for none, cells then stay on",
    )
    reset_compliance = Number(
        "reset_compliance", "A", default=1e-2, above=0, maximum=0.1, description="compliance of a reset"
    )
    integration = Choice(
        "integration", ("fast", "normal", "quiet"), default="fast", description="0.1, 1 or 10 power-line cycles"
    )

    columns = (
        *READING_COLUMNS,
        Column("compliance", "A", meaning="compliance of the sweep"),
        Column("cycle", "", "int64", "loops applied so far, this one included; 0 while forming"),
        Column("segment", "", "int64", "0 forming ramp, 1 loop, -1 reset"),
    )
    plot = Plot("level", "current", log=True)
    pictures = ("iv", "cdf")
    cell = "pristine"
    device = "device-3"

    def check(self) -> None:
        """Refuse steps larger than their peaks, and compliances that do not rise."""
        peaks = (
            ("v_max", self.v_max, self.step),
            ("v_form", self.v_form, self.form_step),
            ("v_reset", self.v_reset, self.step),
        )
        for name, peak, step in peaks:
            if 0 < abs(peak) < step:
                raise ParameterError(f"{name} = {peak:g} V is smaller than its step of {step:g} V")
        compliances = self.compliances()
        if any(after <= before for before, after in pairwise(compliances)):
            raise ParameterError(
                f"the compliances {compliances} A must rise: a higher one leaves a cell more nonvolatile"
            )

    def compliances(self) -> list[float]:
        """The compliances in use, A, in their order."""
        return [self.compliance_1, *(value for value in (self.compliance_2, self.compliance_3) if value > 0)]

    def ramp(self) -> FloatArray:
        """The levels of the forming ramp, V, shape (n,)."""
        return half_loop(self.v_form, self.form_step)[: levels_between(self.v_form / self.form_step) + 1]

    def forming(self) -> Sweep | None:
        """The forming ramp, if one is wanted; on a device that was formed before it ends where the device switches on."""
        if self.v_form == 0:
            return None
        return Sweep(self.ramp(), self.compliance_1, acquisition=Acquisition(self.integration), stop_on_compliance=True)

    def loop(self, compliance: float) -> Sweep:
        """One loop."""
        return Sweep(half_loop(self.v_max, self.step), compliance, acquisition=Acquisition(self.integration))

    def reset(self) -> Sweep | None:
        """The half loop that resets, if one is wanted."""
        if self.v_reset == 0:
            return None
        levels = half_loop(self.v_reset, self.step)
        return Sweep(levels, self.reset_compliance, acquisition=Acquisition(self.integration))

    def requests(self) -> list[Sweep]:
        """The forming ramp, a loop at each compliance, the reset."""
        wanted = [self.forming(), *(self.loop(compliance) for compliance in self.compliances()), self.reset()]
        return [sweep for sweep in wanted if sweep is not None]

    def expected_rows(self) -> int:
        """At most: the ramp may end early, and a device that falls back is not reset."""
        others = [
            sweep for sweep in (self.forming(), *[self.reset()] * (len(self.compliances()) - 1)) if sweep is not None
        ]
        loops = self.loops * len(self.compliances()) * len(self.loop(1.0).levels)
        return loops + sum(len(sweep.levels) for sweep in others)

    def plan(self) -> list[tuple[int, Sequence[Sweep]]]:
        """The forming ramp and the loops; whether it is reset depends on the device."""
        ramp = self.forming()
        loops = [(int(self.loops), [self.loop(compliance)]) for compliance in self.compliances()]
        return [(1, [ramp] if ramp else []), *loops]

    def points(self, station: Station) -> Iterator[Block]:
        """Yield the forming ramp, then loops and resets; notes how forming ended and a verdict for each compliance."""
        meter, cycle = station.source_meter, 0
        switched = yield from self._form(station)
        for compliance in self.compliances():
            seen = []
            for _ in range(self.loops):
                if meter.should_stop():
                    return
                cycle += 1
                for block in self._sweep(meter, self.loop(compliance), cycle, LOOP):
                    seen += [] if block.provisional else [block.columns]
                    yield block
            if meter.should_stop():
                return
            verdict = volatility.judge(seen, switched)
            switched = switched or any(volatility.switches(loop) for loop in seen)
            station.recorder.event(
                verdict.value if verdict else "no verdict", {"compliance": compliance, "loops": self.loops}
            )
            reset = None if verdict in (Verdict.VOLATILE, Verdict.NO_SWITCH) else self.reset()
            if reset is not None and compliance != self.compliances()[-1]:
                yield from self._sweep(meter, reset, cycle, RESET)

    def _form(self, station: Station) -> Generator[Block, None, bool]:
        """Yield the forming ramp's blocks; returns whether the cell was seen to switch on."""
        ramp, reached, switched, block = self.forming(), None, False, None
        if ramp is None or station.source_meter.should_stop():
            return False
        for block in self._sweep(station.source_meter, ramp, 0, FORMING):
            limited = np.flatnonzero(block["status"] & int(Status.COMPLIANCE))
            if limited.size and not block.provisional:
                reached = float(block["level"][limited[0]])
            switched = volatility.switches(block.columns)
            yield block
        if not station.source_meter.should_stop():
            whole = block is not None and len(block) == len(ramp.levels)
            words = "conducts" if reached is not None else "not formed" if whole else "forming cut short"
            station.recorder.event(words, {"voltage": self.v_form if reached is None else reached})
        return switched

    def _sweep(self, meter: SourceMeter, sweep: Sweep, cycle: int, segment: int) -> Iterator[Block]:
        for block in meter.sweep(sweep):
            yield block.with_columns(compliance=sweep.compliance, cycle=cycle, segment=segment)

    @classmethod
    def extract(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """For each compliance the share of loops that switched on anew, with the verdict."""
        loops, forming = switching.by_cycle(columns, LOOP), columns["segment"] == FORMING
        switched = volatility.switches({name: column[forming] for name, column in columns.items()})
        found: list[Extracted | None] = []
        for compliance in np.unique([loop["compliance"][0] for loop in loops]):
            mine = [loop for loop in loops if loop["compliance"][0] == compliance]
            found.append(volatility.share(mine, float(compliance), switched))
            switched = switched or any(volatility.switches(loop) for loop in mine)
        return [item for item in found if item is not None]

    @classmethod
    def analyze(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """The verdicts, and for each compliance every definition of where the loops switch, with on/off and self-compliance."""
        return [*cls.extract(columns), *(item for each in cls._loops(columns) for item in each.found())]

    @classmethod
    def per_cycle(cls, columns: Mapping[str, NDArray[Any]]) -> list[Series]:
        """What differs from loop to loop, compliance by compliance."""
        return [item for each in cls._loops(columns) for item in each.series()]

    @staticmethod
    def _loops(columns: Mapping[str, NDArray[Any]]) -> list[switching.HalfLoops]:
        """The loops at each compliance, in the order of the compliances."""
        found: dict[float, switching.HalfLoops] = {}
        for loop in switching.by_cycle(columns, LOOP):
            compliance = float(loop["compliance"][0])
            mine = found.setdefault(compliance, switching.HalfLoops(suffix=f" at {show(compliance, 'A')}"))
            mine.add(int(loop["cycle"][0]), switching.HalfLoop.of(loop))
        return [found[compliance] for compliance in sorted(found)]
