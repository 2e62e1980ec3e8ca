"""Ranges and hard limits of the SMUs (D 5-31 … 5-43; RM: 4200A-SCS Reference Manual 4200A-901-01 Rev. C, 3-4 and 3-6)."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.errors import LimitError
from labctl.kxci.replies import Option
from labctl.quantities import show

VOLTAGE_RANGES = (0.2, 2.0, 20.0, 200.0)  #: V; RM 3-6
OVER_RANGE = 1.05  #: a range reaches 105 % of its value, in source and measure (RM 3-6)
LIST_POINTS = 4096  #: values of a list sweep, and readings of the buffer (D 5-16, 5-27)
LINEAR_POINTS = 1024  #: points of a linear VAR1 sweep (D 5-19)
SMALLEST_STEP = 1e-3  #: V; a smaller start or step of VR is forced to 0 (D 5-21)

#: Source range by the range code of ``DV``, V (D 5-33); 0 is autorange.
FORCE_VOLTAGE_CODES = {1: 20.0, 2: 200.0, 3: 200.0, 4: 0.2, 5: 2.0}
#: Source range by the range code of ``DI``, A (D 5-31); 0 is autorange.
FORCE_CURRENT_CODES = {
    1: 1e-9, 2: 1e-8, 3: 1e-7, 4: 1e-6, 5: 1e-5, 6: 1e-4, 7: 1e-3, 8: 1e-2, 9: 0.1, 10: 1.0, 11: 1e-12, 12: 1e-11, 13: 1e-10,
}  # fmt: skip


def linear_count(start: float, stop: float, step: float) -> int:
    """Count the levels of a linear VAR1 sweep: int(|(stop - start) / step| + 1.5), the manual's own formula (D 5-19 … 5-21).

    So the last level, start + (count - 1) x step, is the one nearest to `stop`, not the last one before it: where the step
    does not divide the span, the sweep ends up to half a step before `stop`, or up to half a step *beyond* it (VR1,0,1,0.4
    goes to 1.2 V). step: any sign, not 0. A count too great for any instrument comes back as 1000001.
    """
    return int(min(abs((stop - start) / step), 1e6) + 1.5)


@dataclass(frozen=True, slots=True)
class SmuKind:
    """What one SMU can do; preamp: with a 4200-PA; high_power: a 4210/4211."""

    preamp: bool = False
    high_power: bool = False

    @classmethod
    def of(cls, option: Option) -> SmuKind:
        """The kind an ``*OPT?`` field names."""
        return cls(option.preamp, option.high_power)

    @property
    def current_ranges(self) -> tuple[float, ...]:
        """Ranges in A, ascending."""
        low = (1e-12, 1e-11, 1e-10, 1e-9, 1e-8) if self.preamp else ()
        return (*low, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, *((1.0,) if self.high_power else ()))

    @property
    def lowest_compliance(self) -> float:
        """Smallest compliance in A when sourcing voltage; the instrument raises a smaller one silently (D 5-16 … 5-21)."""
        return 100e-12 if self.preamp else 100e-9

    @property
    def default_range_floor(self) -> float:
        """Lowest autorange in A after a reset (D 5-41)."""
        return 1e-9 if self.preamp else 100e-9

    def greatest_current(self, voltage: float) -> float:
        """The most current in A at |voltage| in V (RM 3-6): 105 mA to 21 V, then 10.5 mA; tenfold for a 4210."""
        return (1.05 if abs(voltage) <= 21 else 0.105) if self.high_power else (0.105 if abs(voltage) <= 21 else 0.0105)

    def range_for(self, current: float, what: str = "current range") -> float:
        """The smallest range in A that holds `current`. Raises LimitError above the greatest."""
        for value in self.current_ranges:
            if abs(current) <= value * OVER_RANGE:
                return value
        raise LimitError(
            f"{what} {show(current, 'A')} exceeds the greatest range {show(self.current_ranges[-1], 'A')} of this SMU"
        )
