"""Every SMU command of the language (manual Rev. D sections 2 to 5) as a frozen dataclass; the page stands beside each.

The pulse commands (``:PMU:``) and user libraries (``EX``) get modules of their own beside this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from labctl.kxci.spec import Between, Command, Like, Word, command

Channel = Annotated[int, Between(1, 9)]
Voltage = Annotated[float, Between(-210, 210)]  # D 5-15 … 5-21
Current = Annotated[float, Between(-1.05, 1.05)]  # 4210/4211; the simulator narrows it for a 4200/4201
Level = Annotated[float, Between(-210, 210)]  # volts or amperes, by the command's twin
Switch = Annotated[int, Between(0, 1)]
Function = Annotated[int, Between(1, 4)]  # 1 VAR1, 2 VAR2, 3 constant, 4 VAR1' (D 5-7)
Name = Annotated[str, Like(r".{1,6}", "a name of 1 to 6 characters")]  # D 5-7; that it can't be empty: guess
#: what an RPM connects (D 7-22)
RpmHardware = Annotated[Word, Like(r"SMU[1-9]|PMU[1-9]-[12]|CV[HL][1-9]", "an instrument such as SMU1 or PMU1-1")]
Mapped = Annotated[Word, Like(r"(SMU|VS|VM)[1-9]", "an instrument such as SMU2, VS1 or VM1")]  # D 5-30
frozen = dataclass(frozen=True, slots=True)


# -- common commands (D 4-2 … 4-6) ------------------------------------------------------------------------------------
@command("*IDN?", "D 4-4", query=True)
@frozen
class Identify(Command):
    """Ask for maker, model, serial number and version."""


@command("ID", "D 4-3", query=True)
@frozen
class Model(Command):
    """Ask for the short identity, ``KI4200A Vx.x.x``."""


@command("*OPT?", "D 4-4", query=True)
@frozen
class Options(Command):
    """Ask what is installed, one field per slot."""


@command("*RST", "D 4-5")
@frozen
class Reset(Command):
    """Reset every instrument card."""


@command("SP", "D 4-6", query=True)
@frozen
class PollStatus(Command):
    """Ask for the status byte (Ethernet)."""


@command("DR", "D 4-2")
@frozen
class ServiceRequest(Command):
    """Switch the service request on data ready on (1) or off (0)."""

    on: Switch


@command(":ERROR:LAST:CLEAR", "D 4-2")
@frozen
class ClearError(Command):
    """Forget the last error."""


@command(":ERROR:LAST:GET", "D 4-2", query=True)
@frozen
class GetError(Command):
    """Ask for the last error."""


@command("EM", "D 5-39")
@frozen
class Emulation(Command):
    """Choose the command set: 0 4145, 1 4200A; keep: 0 this session, 1 written to KCon."""

    mode: Switch
    keep: Switch


# -- pages (D 5-4) ----------------------------------------------------------------------------------------------------
@command("DE", "D 5-4")
@frozen
class DefinitionPage(Command):
    """Go to the channel definition page."""


@command("SS", "D 5-4")
@frozen
class SourcePage(Command):
    """Go to the source setup page."""


@command("SM", "D 5-4")
@frozen
class MeasurePage(Command):
    """Go to the measurement setup page."""


@command("MD", "D 5-4")
@frozen
class ControlPage(Command):
    """Go to the measurement control page."""


@command("US", "D 5-4")
@frozen
class UserMode(Command):
    """Go to user mode."""


@command("UL", "D 4-11")
@frozen
class LibraryMode(Command):
    """Go to user library mode; left by DE or US."""


# -- DE: channel definition -------------------------------------------------------------------------------------------
@command("CH", "D 5-7", "DE", counts=(1, 5))
@frozen
class DefineChannel(Command):
    """Name channel n's voltage and current; mode 1 V source, 2 I source, 3 common. With n alone: channel off."""

    channel: Channel
    voltage: Name | None = None
    current: Name | None = None
    mode: Annotated[int, Between(1, 3)] | None = None
    function: Function | None = None

    def problem(self) -> str:
        return "common (mode 3) is constant, function 3" if self.mode == 3 and self.function != 3 else ""


@command("VM", "D 5-8", "DE", counts=(1, 2))
@frozen
class DefineVoltmeter(Command):
    """Name voltmeter n. With n alone: off."""

    channel: Channel
    name: Name | None = None


@command("VS", "D 5-9", "DE", counts=(1, 3))
@frozen
class DefineVoltageSource(Command):
    """Name voltage source n and its function. With n alone: off."""

    channel: Channel
    name: Name | None = None
    function: Function | None = None


# -- SS: source setup -------------------------------------------------------------------------------------------------
def _sweep_problem(kind: int, compliance: float | None) -> str:
    # a log sweep with a step or compliance is refused rather than run with other values than the sender believes
    if kind == 1:
        return "" if compliance is not None else "a linear sweep (kind 1) needs start, stop, step and compliance"
    return "" if compliance is None else "a log sweep (kind 2 to 4) takes start and stop only"


@command("VR", "D 5-19", "SS", counts=(3, 5))
@frozen
class VoltageSweep(Command):
    """Sweep VAR1 in voltage: kind 1 linear, 2/3/4 log (10, 25, 50 points a decade: guess); log sends start and stop only."""

    kind: Annotated[int, Between(1, 4)]
    start: Voltage
    stop: Voltage
    step: Voltage | None = None
    compliance: Current | None = None

    def problem(self) -> str:
        return _sweep_problem(self.kind, self.compliance)


@command("IR", "D 5-19", "SS", counts=(3, 5))
@frozen
class CurrentSweep(Command):
    """Sweep VAR1 in current; compliance in V."""

    kind: Annotated[int, Between(1, 4)]
    start: Current
    stop: Current
    step: Current | None = None
    compliance: Voltage | None = None

    def problem(self) -> str:
        return _sweep_problem(self.kind, self.compliance)


@command("VP", "D 5-17", "SS", counts=(4, 5))
@frozen
class VoltageSteps(Command):
    """Step VAR2 in voltage, 1 to 32 steps; index 1 to 4."""

    start: Voltage
    step: Voltage
    count: Annotated[int, Between(1, 32)]
    compliance: Current
    index: Annotated[int, Between(1, 4)] | None = None


@command("IP", "D 5-17", "SS", counts=(4, 5))
@frozen
class CurrentSteps(Command):
    """Step VAR2 in current; compliance in V."""

    start: Current
    step: Current
    count: Annotated[int, Between(1, 32)]
    compliance: Voltage
    index: Annotated[int, Between(1, 4)] | None = None


@command("VC", "D 5-15", "SS")
@frozen
class ConstantVoltage(Command):
    """Hold channel n at a voltage; compliance in A."""

    channel: Channel
    value: Voltage
    compliance: Current


@command("IC", "D 5-15", "SS")
@frozen
class ConstantCurrent(Command):
    """Hold channel n at a current; compliance in V."""

    channel: Channel
    value: Current
    compliance: Voltage


@command("VL", "D 5-16", "SS", counts=range(4, 4096 + 4))
@frozen
class VoltageList(Command):
    """Sweep channel n through a list of 1 to 4096 voltages; master 1, subordinate 0."""

    channel: Channel
    master: Switch
    compliance: Current
    values: tuple[Voltage, ...]


@command("IL", "D 5-16", "SS", counts=range(4, 4096 + 4))
@frozen
class CurrentList(Command):
    """Sweep channel n through a list of 1 to 4096 currents; compliance in V."""

    channel: Channel
    master: Switch
    compliance: Voltage
    values: tuple[Current, ...]


@command("SC", "D 5-14", "SS", counts=(1, 2))
@frozen
class ConstantVoltageSource(Command):
    """Set voltage source VSn to a voltage. With n alone: off."""

    channel: Channel
    value: Voltage | None = None  # the bound of a SMU: guess


@command("DT", "D 5-10", "SS")
@frozen
class DelayTime(Command):
    """Wait between source and measure at each step, 0 to 6.553 s."""

    seconds: Annotated[float, Between(0, 6.553)]


@command("HT", "D 5-12", "SS")
@frozen
class HoldTime(Command):
    """Wait before the sweep, 0 to 655.3 s."""

    seconds: Annotated[float, Between(0, 655.3)]


@command("FS", "D 5-11", "SS", counts=(1, 2))
@frozen
class Offset(Command):
    """Offset of VAR1'; without a channel for all of them."""

    offset: Level
    channel: Channel | None = None


@command("RT", "D 5-12", "SS", counts=(1, 2))
@frozen
class Ratio(Command):
    """Ratio of VAR1'; without a channel for all of them."""

    ratio: Annotated[float, Between(-10, 10)]
    channel: Channel | None = None


@command("ST", "D 5-14", "SS")
@frozen
class Standby(Command):
    """Switch channel n's output off at the end of the test (1) or leave it energised (0)."""

    channel: Channel
    on: Switch


@command("RP", "D 7-67", "SS")
@frozen
class RoutePreamp(Command):
    """Route an RPM: 0 pulse, 1 CV 2-wire, 2 SMU, 3 CV 4-wire; hardware is a word such as SMU1 or PMU1-1."""

    hardware: RpmHardware
    mode: Annotated[int, Between(0, 3)]


# -- SM: measurement setup --------------------------------------------------------------------------------------------
@command("DM", "D 5-22", "SM")
@frozen
class DisplayMode(Command):
    """Choose the display: 1 graphics, 2 list."""

    mode: Annotated[int, Between(1, 2)]


@command("LI", "D 5-23", "SM", counts=range(1, 7))
@frozen
class ListNames(Command):
    """Measure up to six names in list mode; several commands add up (inferred from working scripts)."""

    names: tuple[str, ...]


@command("XN", "D 5-25", "SM")
@frozen
class XAxis(Command):
    """Put a name on the X axis; scale 1 linear, 2 log."""

    name: str
    scale: Annotated[int, Between(1, 2)]
    low: Annotated[float, Between(-9999, 9999)]  # as the Y axes: guess
    high: Annotated[float, Between(-9999, 9999)]


@command("XT", "D 5-25", "SM")
@frozen
class TimeAxis(Command):
    """Put time on the X axis, s (the manual's example starts at 0)."""

    low: Annotated[float, Between(0, 9999)]
    high: Annotated[float, Between(0, 9999)]


@command("YA", "D 5-26", "SM")
@frozen
class Y1Axis(Command):
    """Put a name on the Y1 axis; scale 1 linear, 2 log, 3 log of the magnitude."""

    name: str
    scale: Annotated[int, Between(1, 3)]
    low: Annotated[float, Between(-9999, 9999)]
    high: Annotated[float, Between(-9999, 9999)]


@command("YB", "D 5-26", "SM")
@frozen
class Y2Axis(Command):
    """Put a name on the Y2 axis; scales as Y1."""

    name: str
    scale: Annotated[int, Between(1, 3)]
    low: Annotated[float, Between(-9999, 9999)]
    high: Annotated[float, Between(-9999, 9999)]


@command("NR", "D 5-24", "SM")
@frozen
class ReadingCount(Command):
    """Take n readings in a test against time, 1 to 4096."""

    count: Annotated[int, Between(1, 4096)]


@command("IN", "D 5-22", "SM")
@frozen
class Interval(Command):
    """Time between readings, 0.01 to 10 s."""

    seconds: Annotated[float, Between(0.01, 10)]


@command("WT", "D 5-24", "SM")
@frozen
class WaitTime(Command):
    """Wait before the first reading, 0 to 100 s."""

    seconds: Annotated[float, Between(0, 100)]


# -- MD: measurement control ------------------------------------------------------------------------------------------
@command("ME", "D 5-27", "MD", counts=(0, 1))
@frozen
class Measure(Command):
    """Control the test: 1 run (also without a number), 2 repeat, 3 append, 4 abort."""

    action: Annotated[int, Between(1, 4)] | None = None


@command("GT", "D 5-28", "SYSTEM")
@frozen
class LoadFile(Command):
    """Load a program or data file, ``P name`` or ``D name``; a name has 1 to 6 characters."""

    name: Annotated[str, Like(r"[PD] +[^ ]{1,6}", "P or D, a blank and a name of 1 to 6 characters")]


@command("SV", "D 5-29", "SYSTEM")
@frozen
class SaveFile(Command):
    """Save a program or data file, ``P name comment``; a name has 1 to 6, a comment up to 8 characters."""

    name: Annotated[
        str, Like(r"[PD] +[^ ]{1,6}( +.{1,8})?", "P or D, a name of 1 to 6, and a comment of up to 8 characters")
    ]


@command("MP", "D 5-30", "SYSTEM", counts=(1, 2))
@frozen
class MapChannel(Command):
    """Map channel n to an instrument (a word such as SMU2, VS1, VM1); alone: back to its SMU."""

    channel: Channel
    instrument: Mapped | None = None


@command("SR", "D 5-30", "SYSTEM")
@frozen
class SourceRange(Command):
    """Source range of channel n: 0 auto, 2 best fixed, otherwise a fixed range in A (up to 1)."""

    channel: Channel
    value: Annotated[float, Between(0, 2)]

    def problem(self) -> str:
        return f"{self.value} is neither 0, 2 nor a range up to 1 A" if 1 < self.value < 2 else ""


# -- modeless (D 5-36) ------------------------------------------------------------------------------------------------
@command("BC", "D 5-37")
@frozen
class ClearBuffer(Command):
    """Clear the reading buffer and the data-ready bit."""


@command("DO", "D 5-37", query=True)
@frozen
class GetData(Command):
    """Ask for all readings of a name; ``CHnT`` for time stamps."""

    name: str


@command("RD", "D 5-40", query=True)
@frozen
class GetReading(Command):
    """Ask for reading `index`, from 1; ``0`` means not measured yet."""

    name: str
    index: Annotated[int, Between(1, 4096)]


@command("IT", "D 5-39", counts=(1, 4))
@frozen
class Integration(Command):
    """Integration time: 1 fast 0.1 PLC, 2 normal 1 PLC, 3 quiet 10 PLC, 4 custom with delay, filter and PLC."""

    mode: Annotated[int, Between(1, 4)]
    delay_factor: Annotated[float, Between(0, 100)] | None = None
    filter_factor: Annotated[float, Between(0, 100)] | None = None
    cycles: Annotated[float, Between(0.01, 10)] | None = None

    def problem(self) -> str:
        custom = self.cycles is not None
        return (
            "" if custom == (self.mode == 4) else "delay factor, filter factor and PLC belong to mode 4 and only to it"
        )


@command("RS", "D 5-42")
@frozen
class Resolution(Command):
    """Digits of a reading, 3 to 7."""

    digits: Annotated[int, Between(3, 7)]


@command("RG", "D 5-41")
@frozen
class RangeFloor(Command):
    """Lowest range of autorange on channel n, A."""

    channel: Channel
    value: Annotated[float, Between(-1.0, 1.0)]


@command("RI", "D 5-42")
@frozen
class FixedCurrentRange(Command):
    """Go to a fixed current range now."""

    channel: Channel
    value: Current
    compliance: Voltage


@command("RV", "D 5-43")
@frozen
class FixedVoltageRange(Command):
    """Go to a fixed voltage range now (the nearest that fits)."""

    channel: Channel
    value: Voltage
    compliance: Current


@command("EC", "D 5-38")
@frozen
class ExitOnCompliance(Command):
    """End the test when compliance is reached (1)."""

    on: Switch


@command("AC", "D 5-36")
@frozen
class Autocalibrate(Command):
    """Calibrate channel n; nothing is answered meanwhile."""

    channel: Channel


# -- US: user mode ----------------------------------------------------------------------------------------------------
@command("DV", "D 5-33", "US", counts=(1, 4))
@frozen
class ForceVoltage(Command):
    """Force a voltage on SMU n: range code 0 auto, 1 20 V, 2 and 3 200 V, 4 200 mV, 5 2 V. With n alone: off."""

    channel: Channel
    range_code: Annotated[int, Between(0, 5)] | None = None
    value: Voltage | None = None
    compliance: Current | None = None


@command("DI", "D 5-31", "US", counts=(1, 4))
@frozen
class ForceCurrent(Command):
    """Force a current on SMU n: range code 0 auto, 1 … 13 see `ranges`. With n alone: off."""

    channel: Channel
    range_code: Annotated[int, Between(0, 13)] | None = None
    value: Current | None = None
    compliance: Voltage | None = None


@command("DS", "D 5-32", "US", counts=(1, 2))
@frozen
class ForceVoltageSource(Command):
    """Force a voltage on VSn. With n alone: off."""

    channel: Channel
    value: Annotated[float, Between(-200, 200)] | None = None


@command("TI", "D 5-34", "US", query=True)
@frozen
class TakeCurrent(Command):
    """Measure the current of SMU n, 1 to 8."""

    channel: Annotated[int, Between(1, 8)]


@command("TV", "D 5-35", "US", query=True)
@frozen
class TakeVoltage(Command):
    """Measure a voltage by code: 1-4 SMU1-4, 5-6 VM1-2, 7-10 SMU5-8, 11-16 VM3-8."""

    code: Annotated[int, Between(1, 16)]
