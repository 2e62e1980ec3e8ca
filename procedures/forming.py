"""Electroforming: ramp a pristine cell up under compliance until it forms, then read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import reads, switching
from labctl.contracts import READING_COLUMNS, Acquisition, Block, Extracted, FloatArray, Series, Status, Sweep
from labctl.procedure import Choice, Number, ParameterError, Plot, Procedure, Station, levels_between
from labctl.quantities import Column


class Forming(Procedure):
    """Ramp the voltage up under compliance, stop at the forming jump or at the limit, then read the cell.

    The ramp is one sweep in the instrument, which itself ends the test at the first point in compliance; a jump below the
    compliance ends it too, seen in the live readings. Rows: segment 1 the ramp, 0 the read.
    """

    v_max = Number(
        "v_max", "V", default=5.0, minimum=-210, maximum=210, description="end of the ramp; its sign is the polarity"
    )
    step = Number("step", "V", default=0.02, above=0, maximum=10, description="voltage step")
    compliance = Number(
        "compliance", "A", default=1e-5, above=0, maximum=1.05, description="current compliance of the ramp"
    )
    jump = Number(
        "jump",
        "",
        default=100.0,
        minimum=2,
        maximum=1e12,
        description="current ratio between two points that counts as forming",
    )
    i_formed = Number(
        "i_formed",
        "A",
        default=1e-8,
        above=0,
        maximum=1,
        description="least current after a jump that counts as forming",
    )
    v_read = Number(
        "v_read", "V", default=0.1, minimum=-210, maximum=210, description="read voltage afterwards; 0 for no read"
    )
    delay = Number(
        "delay", "s", default=0.0, minimum=0, maximum=6.553, description="wait between setting a voltage and measuring"
    )
    hold = Number("hold", "s", default=0.0, minimum=0, maximum=655.3, description="wait at the first voltage")
    integration = Choice(
        "integration", ("fast", "normal", "quiet"), default="normal", description="0.1, 1 or 10 power-line cycles"
    )

    columns = (*READING_COLUMNS, Column("segment", "", "int64", "1 ramp, 0 read"))
    plot = Plot("level", "current", log=True)
    pictures = ("iv",)
    cell = "pristine"

    def check(self) -> None:
        """Refuse a ramp of no points and a compliance that would count as "not formed"."""
        if self.v_max == 0:
            raise ParameterError("v_max = 0 V leaves no ramp; give the forming voltage to go up to, e.g. v_max=5")
        if self.step > abs(self.v_max):
            raise ParameterError(f"step = {self.step:g} V is larger than v_max = {abs(self.v_max):g} V")
        if self.i_formed > self.compliance:
            raise ParameterError(f"i_formed = {self.i_formed:g} A is above compliance = {self.compliance:g} A")
        if abs(self.v_read) > abs(self.v_max):
            raise ParameterError(f"v_read = {self.v_read:g} V is beyond v_max = {self.v_max:g} V")

    def expected_rows(self) -> int:
        """At most: the ramp may end early."""
        return len(self.ramp()) + (self.v_read != 0)

    def ramp(self) -> FloatArray:
        """The levels of the ramp, shape (n,), V, from 0 to v_max; the last step may be shorter."""
        count = levels_between(abs(self.v_max) / self.step)
        levels = np.minimum(np.arange(count + 1) * self.step, abs(self.v_max))
        return np.asarray(np.copysign(levels, self.v_max), dtype=np.float64)

    def requests(self) -> list[Sweep]:
        """The ramp, and the read unless v_read is 0."""
        acquisition = Acquisition(self.integration, hold=self.hold, delay=self.delay)
        ramp = Sweep(self.ramp(), self.compliance, acquisition=acquisition, stop_on_compliance=True)
        read = Sweep(np.array([self.v_read]), self.compliance, acquisition=acquisition, reads=True)
        return [ramp, read] if self.v_read != 0 else [ramp]

    def state_read(self) -> Sweep | None:
        """The read after the ramp, unless v_read is 0."""
        return next(iter(self.requests()[1:]), None)

    def plan(self) -> list[tuple[int, Sequence[Sweep]]]:
        """The ramp, and the read unless v_read is 0."""
        return [(1, self.requests())]

    def points(self, station: Station) -> Iterator[Block]:
        """Yield the ramp's blocks, then the read's; notes the event "formed", "not formed", "conducting from the start" or
        "forming cut short".
        """
        ramp, *reads = self.requests()
        meter = station.source_meter
        asked = meter.should_stop
        watch, rows = _Watch(self.jump, self.i_formed), 0
        try:
            meter.should_stop = lambda: watch.level is not None or asked()
            for block in meter.sweep(ramp):
                rows = len(block) + (rows if block.provisional else 0)
                watch.look(block)
                yield block.with_columns(segment=1)
        finally:
            meter.should_stop = asked
        station.recorder.event(*self.verdict(watch.level, rows))
        for read in reads if not asked() else []:
            for block in meter.sweep(read):
                yield block.with_columns(segment=0)

    @classmethod
    def extract(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """The forming voltage, from the ramp."""
        found = switching.largest_step(cls._ramp(columns), "V_form")
        return [found] if found else []

    @classmethod
    def analyze(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """The forming voltage by every definition, and the resistance read afterwards."""
        read = (columns["segment"] == 0) & reads.usable(columns["status"])
        after = switching.read_resistance(columns["voltage"][read], columns["current"][read], "R after forming")
        return [*switching.forming(cls._ramp(columns)), *([after] if after else [])]

    @classmethod
    def per_cycle(cls, columns: Mapping[str, NDArray[Any]]) -> list[Series]:
        """The forming voltage, for distributions among cells; a bound where the ramp ended first."""
        return [item for item in (switching.forming_series(cls._ramp(columns)),) if item is not None]

    @staticmethod
    def _ramp(columns: Mapping[str, NDArray[Any]]) -> switching.HalfLoop:
        ramp = columns["segment"] == 1
        return switching.HalfLoop.of({name: column[ramp] for name, column in columns.items()})

    def verdict(self, level: float | None, rows: int) -> tuple[str, dict[str, float]]:
        """What happened, as an event; level: V at which the cell conducted, None for never; rows: of the ramp there are."""
        levels = self.ramp()
        if level is None and rows < len(levels):  # stopped, or the program died; a ramp is not begun a second time
            return "forming cut short", {"reached": float(levels[rows - 1]) if rows else 0.0}
        if level is None:
            return "not formed", {"v_max": self.v_max}
        if abs(level) <= 2 * self.step:
            return "conducting from the start", {"voltage": level}
        return "formed", {"voltage": level}


class _Watch:
    """Looks at the rows as they come and remembers the level (V) of the first in compliance or after a jump."""

    def __init__(self, jump: float, least: float) -> None:
        self.jump = jump
        self.least = least
        self.level: float | None = None
        self._last = np.inf

    def look(self, block: Block) -> None:
        """Look at further rows, or, where a final block repeats the provisional ones, at all of them again."""
        current = np.abs(block["current"])
        before = np.concatenate([[self._last if block.provisional else np.inf], current[:-1]])
        jumped = (current >= self.least) & (current >= self.jump * before)
        rows = np.flatnonzero(jumped | ((block["status"] & Status.COMPLIANCE) != 0))
        if rows.size and self.level is None:
            self.level = float(block["level"][rows[0]])
        self._last = current[-1] if len(block) else self._last
