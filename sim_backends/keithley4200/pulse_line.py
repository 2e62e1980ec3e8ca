"""One pulse channel in a test: what it puts out, through what resistance, and what its meters make of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from labctl.kxci.pulse_status import Acquired, PulseFlag, PulseStatus, RpmPath, word_of

from . import pulse_meter as meter
from .circuit import Circuit
from .pulse_setup import Channel
from .routing import OUTPUT_RESISTANCE, PulseEnd, Rpm
from .settings import Settings

PATHS = {
    Rpm.PULSE: RpmPath.BYPASS_PMU, Rpm.SMU: RpmPath.BYPASS_SMU,
    Rpm.CV_TWO_WIRE: RpmPath.BYPASS_CVU, Rpm.CV_FOUR_WIRE: RpmPath.BYPASS_CVU,
}  # fmt: skip
Seen = tuple[float, float]  #: V and A at one moment


class Line:
    """State of one channel during a test. rpm: what its RPM connects, None without one."""

    def __init__(
        self, number: int, setup: Channel, end: PulseEnd, rpm: Rpm | None, converter: meter.Converter, settings: Settings
    ) -> None:  # fmt: skip
        self.number, self.setup, self._end = number, setup, end
        self._rpm, self._converter, self._settings = rpm, converter, settings
        self.span = setup.voltage_range
        self.shorted = 0.0  # ohm that short compensation takes for the cables of this channel
        self.lift = 0.0  # V that load line correction adds to the top
        self.load_line = PulseFlag(0)
        self._settled = 0.0
        self.use_range(setup.current_range)

    @property
    def has_rpm(self) -> bool:
        """Whether an RPM stands in pulse mode on this channel."""
        return self._rpm is Rpm.PULSE

    @property
    def ranges(self) -> list[float]:
        """The current ranges there are, A, ascending."""
        return meter.ranges(self.has_rpm, self.span)

    @property
    def on_rpm(self) -> bool:
        """Whether the present current range is the RPM's own."""
        return meter.on_rpm(self.has_rpm, self.span, self.current_range)

    def use_range(self, current_range: float) -> None:
        """Measure on `current_range` (A) from now on; that decides the output resistance, too (PA-1086)."""
        self.current_range = current_range
        own = self.on_rpm
        self.resistance = self._settings.rpm_resistance if own else OUTPUT_RESISTANCE
        self._row = meter.RPM[current_range] if own else meter.PMU[self.span].get(current_range)
        settling = self._row.settling * self._settings.pulse_settling if self._row else 0.0
        self._constant = settling / meter.SETTLED

    # -- source -------------------------------------------------------------------------------------------------------
    def open_level(self, level: float) -> float:
        """The open-circuit voltage for which the load would get `level` V (D 7-11)."""
        return level * (self.setup.load + self.resistance) / self.setup.load

    def apply(self, level: float, lift: float = 0.0) -> float:
        """The open-circuit voltage that really comes out; lift: V more."""
        return self._converter.apply(self.open_level(level) + lift, self.span)

    def switch_on(self) -> None:
        """Put the output through its present resistance; the meter begins anew."""
        self._end.output, self._end.resistance, self._settled = True, self.resistance, 0.0
        self._end.current_limit = self.span / OUTPUT_RESISTANCE if self.on_rpm else math.inf

    def put(self, level: float, closed: bool) -> None:
        """Let the output stand at `level` V open-circuit, its relay closed or not."""
        self._end.open_voltage, self._end.output = level, closed

    # -- meters -------------------------------------------------------------------------------------------------------
    def follow(self, circuit: Circuit, duration: float) -> None:
        """Let the current meter settle for `duration` s towards what flows now."""
        flows = circuit.out_of(self._end)
        left = math.exp(-duration / self._constant) if self._constant else 0.0
        self._settled = flows + (self._settled - flows) * left

    def look(self, circuit: Circuit) -> Seen:
        """V at the output and A out of it, as the meters see them now; both 0 with the interlock open (D 3-7)."""
        if not self._settings.interlock_closed:
            return 0.0, 0.0
        flows = circuit.out_of(self._end)
        volts = self._end.open_voltage - flows * (self._end.resistance + self.shorted) if self._end.output else 0.0
        return volts, self._settled if self._constant else flows

    def reading(self, seen: Sequence[Seen], samples: int, acquired: Acquired) -> tuple[float, float, int]:
        """The reading of what was seen: mean V, mean A and the status word. samples: how many there really were."""
        volts, amperes = zip(*seen, strict=True)
        flags = self.load_line
        flags |= meter.beyond(volts, self.span, PulseFlag.VOLTAGE_UNDERFLOW, PulseFlag.VOLTAGE_OVERFLOW)
        flags |= meter.beyond(amperes, self.current_range, PulseFlag.CURRENT_UNDERFLOW, PulseFlag.CURRENT_OVERFLOW)
        voltage = self._converter.voltage(math.fsum(volts) / len(volts), self.span, samples)
        assert self._row is not None  # the range was checked before the test
        current = self._converter.current(math.fsum(amperes) / len(amperes), self._row, self.current_range, samples)
        return voltage, current, self._word(flags, acquired)

    def _word(self, flags: PulseFlag, acquired: Acquired) -> int:
        path = RpmPath.NONE if self._rpm is None else RpmPath.RPM if self.on_rpm else PATHS[self._rpm]
        side = 2 - self.number % 2
        return word_of(PulseStatus(side, self.current_range, self.span, acquired, path, flags))
