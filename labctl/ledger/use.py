"""What was done to a cell, as figures that add up: of one test, of one run, of a cell's whole life."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class Use:
    """Figures of use. ``a + b`` is `a`, then `b`: counts and times add, the greatest stay, the first forming stays.

    pulses: pulses that are no reads; reads: of a test declared a read its pulses, or one; sweeps, samplings: tests of a source
    meter that are no reads; first_sign, last_sign: polarity of the first and last write, 1, -1, 0 for none; reversals:
    changes of polarity from a write to the next; v_programmed: greatest |V| asked for, V; v_measured, i_measured: greatest
    measured, V and A; compliance_time: s in which the current was limited; energy: J, of what was measured; unmeasured:
    pulses, sweeps and samplings whose energy is not in it, or not all of it; unknown: tests of which nobody knows whether
    they were applied (counted above as if they had been); formed: when, ISO 8601, "" for never seen; formed_how: procedure and
    event; formed_voltage: V, None where it was not noted; touchdowns: of probes on the cell; last_used: ISO 8601.
    """

    pulses: int = 0
    reads: int = 0
    sweeps: int = 0
    samplings: int = 0
    first_sign: int = 0
    last_sign: int = 0
    reversals: int = 0
    v_programmed: float = 0.0
    v_measured: float = 0.0
    i_measured: float = 0.0
    compliance_time: float = 0.0
    energy: float = 0.0
    unmeasured: int = 0
    unknown: int = 0
    formed: str = ""
    formed_how: str = ""
    formed_voltage: float | None = None
    touchdowns: int = 0
    last_used: str = ""

    @property
    def cycles(self) -> int:
        """Cycles: a write of one polarity, then one of the other. Set, set, reset is one, set, reset, set one, too."""
        return (self.reversals + 1) // 2 if self.first_sign else 0

    def __add__(self, later: Use) -> Use:
        values = {name: getattr(self, name) + getattr(later, name) for name in _SUMS}
        values |= {name: max(getattr(self, name), getattr(later, name)) for name in _GREATEST}
        values["reversals"] += self._turns_to(later)
        values["first_sign"] = self.first_sign or later.first_sign
        values["last_sign"] = later.last_sign or self.last_sign
        values["last_used"] = later.last_used or self.last_used
        formed = self if self.formed else later
        values |= {name: getattr(formed, name) for name in _FORMED}
        return Use(**values)

    def times(self, count: int) -> Use:
        """The same `count` times over, one after the other. Only figures of what is asked for can be multiplied."""
        if count < 1:
            return Use()
        sums = {name: count * getattr(self, name) for name in _SUMS}
        sums["reversals"] += (count - 1) * self._turns_to(self)
        return replace(self, **sums)

    def _turns_to(self, later: Use) -> int:
        return int(self.last_sign * later.first_sign < 0)


_GREATEST = ("v_programmed", "v_measured", "i_measured")
_FORMED = ("formed", "formed_how", "formed_voltage")
_OTHERS = ("first_sign", "last_sign", "last_used", *_GREATEST, *_FORMED)
_SUMS = tuple(item.name for item in fields(Use) if item.name not in _OTHERS)


def total(uses: Iterable[Use]) -> Use:
    """All of `uses`, in the order given."""
    found = Use()
    for use in uses:
        found = found + use
    return found
