"""One SMU: what it is told to source, what that is on the terminal, and how it reads back.

An SMU is a source with two limits. As a voltage source it holds `open_voltage` until the current reaches
`current_limit`; as a current source it holds its current, `current_limit`, until the voltage reaches `open_voltage`.
So both kinds are one pair of numbers, and being "in compliance" means the other number rules than the one asked for.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace

from labctl.kxci.ranges import FORCE_CURRENT_CODES, FORCE_VOLTAGE_CODES, OVER_RANGE, VOLTAGE_RANGES, SmuKind

from .accuracy import CURRENT, VOLTAGE, Converter
from .refusal import ARGUMENT, ILLEGAL_SETUP, Refused
from .settings import Settings
from .timing import Integration

LEAST_OF_RANGE = 0.11  #: compliance must exceed this part of a fixed range (RM 3-4)
LEAST_VOLTAGE_COMPLIANCE = 0.02  #: V (RM 3-4)
COMMON_SPAN = 20.0  #: V; source range of a channel in COM mode is irrelevant, it is hard ground


@dataclass(frozen=True, slots=True)
class Ranging:
    """How the meters range: fixed ranges (None: auto) and the floor of the current's autorange, A and V."""

    floor: float
    current: float | None = None
    voltage: float | None = None


class Ladder:
    """Ranges in ascending order, V or A."""

    def __init__(self, spans: tuple[float, ...]) -> None:
        self.spans = spans
        self._reach = [span * OVER_RANGE for span in spans]
        self._last = len(spans) - 1

    def holding(self, value: float) -> float:
        """The smallest range that holds `value`; the greatest where none does, by the source's own error only."""
        return self.spans[min(bisect_left(self._reach, abs(value)), self._last)]


VOLTS = Ladder(VOLTAGE_RANGES)
VOLTS_WITHOUT_PREAMP = Ladder(VOLTAGE_RANGES[2:])  #: to source: small ranges need a preamplifier (D 5-33)


class Smu:
    """State of one SMU; changing it does not yet touch the device, see `circuit`."""

    resistance = 0.0  #: ohm between source and terminal: an SMU senses its own output

    def __init__(self, number: int, kind: SmuKind, settings: Settings, seed: int | None) -> None:
        self.number = number
        self.kind = kind
        self._settings = settings
        self._currents = Ladder(kind.current_ranges)
        self._voltages = VOLTS if kind.preamp else VOLTS_WITHOUT_PREAMP
        self._seeds = [f"{seed}/{number}/{what}" if seed is not None else None for what in ("current", "voltage")]
        scale = (settings.noise, settings.offset, settings.quantisation)
        self._amperes = Converter(CURRENT, self._seeds[0], *scale)
        self._volts = Converter(VOLTAGE, self._seeds[1], *scale)
        self.reset()

    def reset(self) -> None:
        """Output off; 100 uA range and autorange as at power-on (D 5-4)."""
        self.ranging = Ranging(self.kind.default_range_floor)
        self.source_range = 0.0
        self.current_range = 1e-4
        self.off()

    def off(self) -> None:
        """Open the output."""
        self.output = False
        self.sources_current = False
        self.level = 0.0
        self.open_voltage = 0.0
        self.current_limit = 0.0
        self._source_span: float | None = None
        self._programmed: tuple[float, int] | None = None  # compliance and range code as sent

    # -- sourcing -----------------------------------------------------------------------------------------------------
    def common(self) -> None:
        """Be ground: 0 V, the SMU's greatest current (mode COM, D 5-7)."""
        self.off()
        self.output = True
        self.current_limit = self.kind.greatest_current(0.0)
        self._source_span = COMMON_SPAN

    def force_voltage(self, level: float, compliance: float, code: int = 0) -> None:
        """Source `level` V, at most `compliance` A; code: range of DV (D 5-33). Raises Refused."""
        self.check_voltage(level, compliance)
        span = self._voltage_span(level, code)
        limit = self._limited(max(abs(compliance), self.kind.lowest_compliance), self.ranging.current)
        self.output, self.sources_current, self.level = True, False, level
        self.open_voltage, self.current_limit = self._volts.apply(level, span), limit
        self._source_span, self._programmed = span, (compliance, code)

    def force_current(self, level: float, compliance: float, code: int = 0) -> None:
        """Source `level` A, at most `compliance` V; code: range of DI (D 5-31). Raises Refused."""
        self.check_current(level, compliance)
        span = self._current_span(level, code)
        limit = self._limited(max(abs(compliance), LEAST_VOLTAGE_COMPLIANCE), self.ranging.voltage)
        applied = self._amperes.apply(level, span) if level else 0.0
        self.output, self.sources_current, self.level = True, True, level
        self.open_voltage, self.current_limit = math.copysign(limit, applied), abs(applied)
        self._source_span, self._programmed = span, (compliance, code)

    def rehearse(self, sources: str | None, values: tuple[float, ...], compliance: float) -> None:
        """Refuse a program before any of it is applied; afterwards none of its levels can be refused."""
        worst = max(values, key=abs)
        if sources == "V":
            self.check_voltage(worst, compliance)
            self._voltage_span(worst, 0)
            self._limited(max(abs(compliance), self.kind.lowest_compliance), self.ranging.current)
        elif sources == "I":
            self.check_current(worst, compliance)
            self._current_span(worst, 0)
            self._limited(max(abs(compliance), LEAST_VOLTAGE_COMPLIANCE), self.ranging.voltage)

    def check_voltage(self, level: float, compliance: float) -> None:
        """Refuse a level or compliance this SMU can't do (RM 3-6)."""
        if abs(level) > VOLTAGE_RANGES[-1] * OVER_RANGE or abs(compliance) > self.kind.greatest_current(level):
            raise Refused(ARGUMENT)

    def check_current(self, level: float, compliance: float) -> None:
        """Refuse a level or compliance this SMU can't do (RM 3-6)."""
        if abs(compliance) > VOLTAGE_RANGES[-1] * OVER_RANGE or abs(level) > self.kind.greatest_current(compliance):
            raise Refused(ARGUMENT)

    def _voltage_span(self, level: float, code: int) -> float:
        if code in (4, 5) and not self.kind.preamp:
            raise Refused(ARGUMENT)
        if code or self.ranging.voltage:
            span = FORCE_VOLTAGE_CODES[code] if code else self.ranging.voltage or 0.0
            if abs(level) > span * OVER_RANGE:
                raise Refused(ARGUMENT)
            return span
        return self._voltages.holding(level)

    def _current_span(self, level: float, code: int) -> float:
        if not code:
            holding = self._currents.holding
            return max(holding(level), holding(self.source_range) if self.source_range else 0.0)
        span = FORCE_CURRENT_CODES[code]
        if span not in self._currents.spans or abs(level) > span * OVER_RANGE:
            raise Refused(ARGUMENT)
        return span

    # -- ranges -------------------------------------------------------------------------------------------------------
    # They work at once, also under an output that is on: a fixed range takes the compliance sent with it, which it caps
    # (RM 3-4), and a range that is no longer fixed sets the compliance free again. With the output off nothing of a
    # compliance is kept: whatever switches it on (DV, DI, a test) brings its own.
    def fix_current(self, span: float, compliance: float) -> None:
        """Stay on current range `span` (A), at most `compliance` A (RI, D 5-42). Raises Refused, changing nothing."""
        self._limited(max(abs(compliance), self.kind.lowest_compliance), span)
        self._change(replace(self.ranging, current=span), None if self.sources_current else compliance)
        self.current_range = span

    def fix_voltage(self, span: float, compliance: float) -> None:
        """Stay on voltage range `span` (V), at most `compliance` V (RV, D 5-43). Raises Refused, changing nothing."""
        self._limited(max(abs(compliance), LEAST_VOLTAGE_COMPLIANCE), span)
        self._change(replace(self.ranging, voltage=span), compliance if self.sources_current else None)

    def set_floor(self, floor: float) -> None:
        """Take `floor` (A) as the lowest range of autorange (RG, D 5-41); whether that ends a fixed range is a setting."""
        fixed = None if self._settings.range_floor_ends_fixed else self.ranging.current
        self._change(replace(self.ranging, floor=floor, current=fixed), None)

    def _change(self, ranging: Ranging, compliance: float | None) -> None:
        """Range otherwise from now on; compliance: the new one of an output that is on, None: the one it has."""
        before, self.ranging = self.ranging, ranging
        if not self.output or self._programmed is None:  # a common has no compliance of its own
            return
        present, code = self._programmed
        force = self.force_current if self.sources_current else self.force_voltage
        try:
            force(self.level, present if compliance is None else compliance, code)
        except Refused:
            self.ranging = before
            raise

    def _limited(self, compliance: float, fixed: float | None) -> float:
        if fixed is None:
            return compliance
        if compliance < LEAST_OF_RANGE * fixed:
            if self._settings.small_compliance == "error":
                raise Refused(ILLEGAL_SETUP)
            return LEAST_OF_RANGE * fixed
        return min(compliance, OVER_RANGE * fixed)

    # -- measuring ----------------------------------------------------------------------------------------------------
    def follow(self, current: float) -> int:
        """Move the current meter to the range for `current` A; returns how many decades that was."""
        wanted = self._meter_span(current)
        if wanted == self.current_range:
            return 0
        spans = self._currents.spans
        moves = abs(spans.index(wanted) - spans.index(self.current_range))
        self.current_range = wanted
        return moves

    def widen(self, current: float) -> int:
        """Move the current meter up if `current` A is too much for its range; returns the decades moved."""
        return self.follow(current) if self._meter_span(current) > self.current_range else 0

    def read_current(self, current: float, integration: Integration) -> float:
        """What the meter shows for `current` A on the range it is on. 0 with the interlock open (D 3-7)."""
        if not self._settings.interlock_closed:
            return 0.0
        return self._amperes.read(current, self.current_range, integration.averaging)

    def read_voltage(self, voltage: float, integration: Integration) -> float:
        """What the meter shows for `voltage` V; 0 with the interlock open (D 3-7)."""
        if not self._settings.interlock_closed:
            return 0.0
        if not self.sources_current and self._source_span is not None:
            span = self._source_span
        else:
            span = self.ranging.voltage or VOLTS.holding(voltage)
        return self._volts.read(voltage, span, integration.averaging)

    def _meter_span(self, current: float) -> float:
        if self.sources_current and self._source_span is not None:
            return self._source_span
        if self.ranging.current is not None:
            return self.ranging.current
        return max(self._currents.holding(current), self.ranging.floor)
