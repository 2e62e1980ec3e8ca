"""User mode (US): one SMU at a time; and the range commands that work in any mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labctl.errors import LimitError
from labctl.kxci import messages as m
from labctl.kxci.ranges import OVER_RANGE, VOLTAGE_RANGES
from labctl.kxci.spec import Command

from .buffer import UNMAPPED, number
from .circuit import Terminal
from .mainframe import Mainframe
from .refusal import ARGUMENT, NOT_MAPPED, Refused
from .smu import Smu

#: SMU by TV code (D 5-35); the other codes are voltmeters
SMU_BY_CODE = {1: 1, 2: 2, 3: 3, 4: 4, 7: 5, 8: 6, 9: 7, 10: 8}
VOLTAGE_PLACES = "ABCDEFGHIJKLMNOP"  #: letter by TV code (D 3-2)
CURRENT_PLACES = "ABCDEFGH"  #: letter by SMU (D 3-2)


def _force(frame: Mainframe, command: m.ForceVoltage | m.ForceCurrent) -> None:
    smu = frame.smu(command.channel)
    frame.settle()
    if command.range_code is None or command.value is None or command.compliance is None:
        smu.off()
    elif isinstance(command, m.ForceVoltage):
        smu.force_voltage(command.value, command.compliance, command.range_code)
    else:
        smu.force_current(command.value, command.compliance, command.range_code)
    frame.circuit.changed()


def _force_source(_: Mainframe, command: m.ForceVoltageSource) -> None:
    if command.value is not None:  # no VS channel is mapped to an instrument here (D 5-32); bare is off: nothing to do
        raise Refused(NOT_MAPPED)


def _take_current(frame: Mainframe, command: m.TakeCurrent) -> str:
    smu = frame.smu(command.channel)
    seen = frame.look(smu, current=True)
    value = smu.read_current(seen.current, frame.integration)
    return _reply(frame, seen, CURRENT_PLACES[command.channel - 1] + "I", value)


def _take_voltage(frame: Mainframe, command: m.TakeVoltage) -> str:
    place = VOLTAGE_PLACES[command.code - 1] + "V"
    number_of_smu = SMU_BY_CODE.get(command.code)
    if number_of_smu is None:  # a voltmeter that is not mapped (D 5-8)
        frame.status.ready()
        return _reply(frame, Terminal(UNMAPPED, 0.0, False), place, UNMAPPED)
    smu = frame.smu(number_of_smu)
    seen = frame.look(smu, current=False)
    return _reply(frame, seen, place, smu.read_voltage(seen.voltage, frame.integration))


def _reply(frame: Mainframe, seen: Terminal, place: str, value: float) -> str:
    letter = "C" if seen.in_compliance else "N"
    if letter == "N" and "T" in frame.settings.letters and frame.circuit.limits_anywhere():
        letter = "T"
    return letter + place + number(value, frame.digits, frame.settings)


# -- ranges -----------------------------------------------------------------------------------------------------------
def _floor(frame: Mainframe, command: m.RangeFloor) -> None:
    """RG: the lowest range of autorange, at once. The manual prints signed limits: a magnitude."""
    smu = frame.smu(command.channel)
    floor = _current_range(smu, abs(command.value))
    frame.settle()
    smu.set_floor(floor)
    frame.circuit.changed()


def _fixed_current(frame: Mainframe, command: m.FixedCurrentRange) -> None:
    """RI: the current range and compliance from now on, also of an output that is on."""
    smu = frame.smu(command.channel)
    smu.check_voltage(0.0, command.compliance)
    span = _current_range(smu, command.value)
    frame.settle()
    smu.fix_current(span, command.compliance)
    frame.circuit.changed()


def _fixed_voltage(frame: Mainframe, command: m.FixedVoltageRange) -> None:
    """RV: the nearest voltage range that fits and the compliance from now on, also of an output that is on."""
    smu = frame.smu(command.channel)
    span = next(span for span in VOLTAGE_RANGES if abs(command.value) <= span * OVER_RANGE)
    frame.settle()
    smu.fix_voltage(span, command.compliance)
    frame.circuit.changed()


def _current_range(smu: Smu, value: float) -> float:
    try:
        return smu.kind.range_for(value)
    except LimitError:
        raise Refused(ARGUMENT) from None


HANDLERS: dict[type[Command], Callable[[Mainframe, Any], str | None]] = {
    m.ForceVoltage: _force, m.ForceCurrent: _force, m.ForceVoltageSource: _force_source,
    m.TakeCurrent: _take_current, m.TakeVoltage: _take_voltage,
    m.RangeFloor: _floor, m.FixedCurrentRange: _fixed_current, m.FixedVoltageRange: _fixed_voltage,
}  # fmt: skip
