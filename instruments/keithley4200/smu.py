"""One source-measure unit in user mode: force, measure, off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pymeasure.instruments import Channel

from labctl.contracts import Reading
from labctl.errors import LimitError, RemoteProtocolError
from labctl.kxci import messages as m
from labctl.kxci import ranges, replies
from labctl.quantities import show

if TYPE_CHECKING:
    from .driver import Keithley4200

LOWEST_VOLTAGE_COMPLIANCE = 0.02  #: V, autorange on (RM 3-4, 3-12)


class Smu(Channel):  # type: ignore[misc]  # pymeasure has no types
    """A 4200/4201 or 4210/4211 SMU; kind: what ``*OPT?`` says it can do.

    Ranges are given as their value (20.0 for the 20 V range), None for autorange. Limits raise LimitError, before a byte is
    sent, where the instrument would change the value without a word.
    """

    parent: Keithley4200

    def __init__(self, parent: Keithley4200, id: int, kind: ranges.SmuKind) -> None:
        super().__init__(parent, id)
        self.kind = kind
        self._forced: m.ForceVoltage | m.ForceCurrent | None = None
        self._measured = ""

    def force_voltage(self, voltage: float, compliance: float, source_range: float | None = None) -> None:
        """Force `voltage` (V, -210 to 210) with a current `compliance` (A, > 0, both signs).

        Raises LimitError, InstrumentError, TransportError.
        """
        self._within(abs(voltage), ranges.OVER_RANGE * (source_range or ranges.VOLTAGE_RANGES[-1]), "voltage", "V")
        check_compliance(self.kind, compliance, abs(voltage), f"SMU{self.id}")
        self._force(m.ForceVoltage(self.id, self._voltage_code(source_range), voltage, compliance))

    def force_current(self, current: float, compliance: float, source_range: float | None = None) -> None:
        """Force `current` (A) with a voltage `compliance` (V, 0.02 to 210, both signs).

        Raises LimitError, InstrumentError, TransportError.
        """
        if compliance < LOWEST_VOLTAGE_COMPLIANCE:
            raise LimitError(f"SMU{self.id}: compliance {show(compliance, 'V')} is below 20 mV, the least it can hold")
        self._within(compliance, ranges.OVER_RANGE * ranges.VOLTAGE_RANGES[-1], "compliance", "V")
        self._within(abs(current), self.kind.greatest_current(compliance), f"current at {show(compliance, 'V')}", "A")
        if source_range is not None:
            self._within(abs(current), ranges.OVER_RANGE * source_range, "current", "A")
        self._force(m.ForceCurrent(self.id, self._current_code(source_range), current, compliance))

    def measure_voltage(self) -> Reading:
        """Measure the voltage in V, with the instrument's flags."""
        code = self.id if self.id <= 4 else self.id + 2  # codes 5 and 6 are voltmeters (D 5-35)
        return self._measure("V", m.TakeVoltage(code), code)

    def measure_current(self) -> Reading:
        """Measure the current in A (into the device), with the instrument's flags."""
        return self._measure("I", m.TakeCurrent(self.id), self.id)

    def off(self) -> None:
        """Switch the output off."""
        self.parent.off(self.id)

    def forget(self) -> None:
        """Forget what is forced: the instrument left user mode or switched the output off."""
        self._forced, self._measured = None, ""

    def _force(self, command: m.ForceVoltage | m.ForceCurrent) -> None:
        if self.parent.is_fixed(self.id) and not self.parent.energised:  # it would clamp the compliance without a word
            self.parent.reset()
        self.parent.pulse.to_smu()
        self.parent.energised.add(self.id)  # before it is sent: what fails half-way may be on
        self.parent.send(m.UserMode(), command)
        self._forced, self._measured = command, ""

    def _measure(self, kind: str, command: m.TakeVoltage | m.TakeCurrent, channel: int) -> Reading:
        if self._measured not in ("", kind) and self._forced is not None:
            # the first reading after a change of quantity is wrong unless the source is set again (PyMeasure's device test)
            self.parent.send(m.UserMode(), self._forced)
        answer = self.parent.inquire(replies.read_measurement, m.UserMode(), command)
        if (answer.kind, answer.channel) != (kind, channel):
            self.parent.in_step = False
            raise RemoteProtocolError(
                f"asked SMU{self.id} for {kind}, got {answer.kind} of channel code {answer.channel}"
            )
        self._measured = kind
        return answer.reading

    def _within(self, value: float, greatest: float, what: str, unit: str) -> None:
        if not value <= greatest:
            raise LimitError(f"SMU{self.id}: {what} {show(value, unit)} exceeds {show(greatest, unit)}")

    def _voltage_code(self, source_range: float | None) -> int:
        if source_range in (0.2, 2.0) and not self.kind.preamp:
            raise LimitError(f"SMU{self.id} has no preamplifier, so no source range {show(source_range, 'V')} (D 5-33)")
        return self._code(source_range, ranges.FORCE_VOLTAGE_CODES, ranges.VOLTAGE_RANGES, "V")

    def _current_code(self, source_range: float | None) -> int:
        return self._code(source_range, ranges.FORCE_CURRENT_CODES, self.kind.current_ranges, "A")

    def _code(self, value: float | None, codes: dict[int, float], known: tuple[float, ...], unit: str) -> int:
        if value is None:
            return 0
        if value not in known:
            raise LimitError(
                f"SMU{self.id} has no source range {show(value, unit)}; it has {', '.join(show(v, unit) for v in known)}"
            )
        return next(code for code, of in codes.items() if of == value)


def check_compliance(kind: ranges.SmuKind, compliance: float, voltage: float, who: str) -> None:
    """Raise LimitError unless an SMU of this kind can hold `compliance` (A) at `voltage` (V, magnitude)."""
    if not compliance >= kind.lowest_compliance:
        raise LimitError(
            f"{who}: compliance {show(compliance, 'A')} is below {show(kind.lowest_compliance, 'A')}, the least of this SMU; "
            "the instrument would raise it without a word"
        )
    greatest = kind.greatest_current(voltage)
    if compliance > greatest * (1 + 1e-12):
        raise LimitError(
            f"{who}: compliance {show(compliance, 'A')} exceeds {show(greatest, 'A')}, the most of this SMU at "
            f"{show(voltage, 'V')}"
        )
