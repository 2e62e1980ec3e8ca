"""System mode: the pages DE, SS, SM and MD describe a test, ME runs it, DO and RD read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labctl.kxci import messages as m
from labctl.kxci.ranges import OVER_RANGE
from labctl.kxci.spec import Command

from . import buffer, plan
from .mainframe import Mainframe
from .refusal import ARGUMENT, NO_FILE, NO_SMU, NOT_MAPPED, Refused
from .setup import ChannelDefinition, Levels, Quantity

COMMON = 3  #: mode of a channel
MODES: dict[int, Quantity | None] = {1: "V", 2: "I", COMMON: None}  #: D 5-7


# -- DE ---------------------------------------------------------------------------------------------------------------
def _define(frame: Mainframe, command: m.DefineChannel) -> None:
    if command.voltage is None or command.current is None or command.function is None:
        frame.setup.define(command.channel, None)  # also of an SMU that is not there: scripts do it (D 5-5, 5-8)
        return
    frame.smu(command.channel)
    sources = MODES[command.mode or COMMON]
    frame.setup.define(command.channel, ChannelDefinition(command.voltage, command.current, sources, command.function))


def _define_voltmeter(frame: Mainframe, command: m.DefineVoltmeter) -> None:
    if command.name is None:
        frame.setup.voltmeters.pop(command.channel, None)
    else:
        frame.setup.voltmeters[command.channel] = command.name


def _define_source(frame: Mainframe, command: m.DefineVoltageSource) -> None:
    if command.name is not None:
        raise Refused(NOT_MAPPED)  # switching an unmapped one off is harmless: scripts do it (D 5-5)


# -- SS ---------------------------------------------------------------------------------------------------------------
def _sweep(frame: Mainframe, command: m.VoltageSweep | m.CurrentSweep) -> None:
    is_voltage = isinstance(command, m.VoltageSweep)
    if command.kind == 1:
        values = plan.linear(command.start, command.stop, command.step or 0.0, is_voltage)
    else:
        values = plan.logarithmic(command.start, command.stop, command.kind)
    frame.setup.var1 = Levels("V" if is_voltage else "I", values, _sweep_compliance(frame, command, is_voltage))
    frame.setup.lists.clear()


def _sweep_compliance(frame: Mainframe, command: m.VoltageSweep | m.CurrentSweep, is_voltage: bool) -> float:
    """A log sweep is sent without compliance; which one applies is not documented: the last one, or the default (guess)."""
    if command.compliance is not None:
        return command.compliance
    last = frame.setup.var1
    if last is not None and last.sources == ("V" if is_voltage else "I"):
        return last.compliance
    return 0.1 if is_voltage else 2.0


def _steps(frame: Mainframe, command: m.VoltageSteps | m.CurrentSteps) -> None:
    values = tuple(command.start + command.step * k for k in range(command.count))
    sources: Quantity = "V" if isinstance(command, m.VoltageSteps) else "I"
    frame.setup.var2[command.index or 1] = Levels(sources, values, command.compliance)


def _constant(frame: Mainframe, command: m.ConstantVoltage | m.ConstantCurrent) -> None:
    smu = frame.smu(command.channel)
    if isinstance(command, m.ConstantVoltage):
        smu.check_voltage(command.value, command.compliance)
        levels = Levels("V", (command.value,), command.compliance)
    else:
        smu.check_current(command.value, command.compliance)
        levels = Levels("I", (command.value,), command.compliance)
    frame.setup.constants[command.channel] = levels


def _list(frame: Mainframe, command: m.VoltageList | m.CurrentList) -> None:
    smu = frame.smu(command.channel)
    worst = max(command.values, key=abs)
    if isinstance(command, m.VoltageList):
        smu.check_voltage(worst, command.compliance)
    else:
        smu.check_current(worst, command.compliance)
    sources: Quantity = "V" if isinstance(command, m.VoltageList) else "I"
    frame.setup.lists[command.channel] = Levels(sources, command.values, command.compliance)
    if command.master:
        frame.setup.master = command.channel


def _constant_source(frame: Mainframe, command: m.ConstantVoltageSource) -> None:
    if command.value is not None:
        raise Refused(NOT_MAPPED)


def _delay(frame: Mainframe, command: m.DelayTime) -> None:
    frame.setup.delay = command.seconds


def _hold(frame: Mainframe, command: m.HoldTime) -> None:
    frame.setup.hold = command.seconds


def _offset(frame: Mainframe, command: m.Offset) -> None:
    frame.setup.offsets[command.channel or 0] = command.offset


def _ratio(frame: Mainframe, command: m.Ratio) -> None:
    frame.setup.ratios[command.channel or 0] = command.ratio


def _standby(frame: Mainframe, command: m.Standby) -> None:
    frame.smu(command.channel)
    (frame.setup.energised.discard if command.on else frame.setup.energised.add)(command.channel)


# -- SM ---------------------------------------------------------------------------------------------------------------
def _display(_: Mainframe, __: Command) -> None:
    """Nothing to see here: the console's screen is not simulated."""


def _names(frame: Mainframe, command: m.ListNames) -> None:
    """LI adds up over several commands (inferred from working scripts)."""
    frame.setup.names += [name for name in command.names if name not in frame.setup.names]


def _axis(frame: Mainframe, command: m.XAxis | m.Y1Axis | m.Y2Axis) -> None:
    if command.name not in frame.setup.names:
        frame.setup.names.append(command.name)


def _count(frame: Mainframe, command: m.ReadingCount) -> None:
    if frame.emulates_4145 and command.count > 1024:  # D 5-24
        raise Refused(ARGUMENT)
    frame.setup.count = command.count


def _interval(frame: Mainframe, command: m.Interval) -> None:
    frame.setup.interval = command.seconds


def _wait(frame: Mainframe, command: m.WaitTime) -> None:
    frame.setup.wait = command.seconds


# -- MD and reading ---------------------------------------------------------------------------------------------------
def _measure(frame: Mainframe, command: m.Measure) -> None:
    if command.action == 4:
        frame.stop()
    else:
        frame.start(repeat=command.action == 2, append=command.action == 3)


def _data(frame: Mainframe, command: m.GetData) -> str:
    found = frame.buffer.find(command.name)
    if found is None:
        raise Refused(ARGUMENT)
    frame.status.taken()
    return buffer.whole(found, frame.digits, frame.settings)


def _reading(frame: Mainframe, command: m.GetReading) -> str:
    found = frame.buffer.find(command.name)
    if found is None:
        raise Refused(ARGUMENT)
    frame.status.taken()
    return buffer.single(found, command.index, frame.digits, frame.settings)


# -- files and mapping ------------------------------------------------------------------------------------------------
def _save(frame: Mainframe, command: m.SaveFile) -> None:
    """Programs live in memory; data files are not simulated and accepted silently, as the console would."""
    if command.name.startswith("P "):
        frame.saved[command.name.split()[1] if len(command.name.split()) > 1 else ""] = frame.setup.copy()


def _load(frame: Mainframe, command: m.LoadFile) -> None:
    saved = frame.saved.get(command.name[2:].strip()) if command.name.startswith("P ") else None
    if saved is None:
        raise Refused(NO_FILE)
    frame.setup = saved.copy()


def _map(frame: Mainframe, command: m.MapChannel) -> None:
    home = f"SMU{command.channel}"
    target = str(command.instrument) if command.instrument is not None else home
    if target.startswith("SMU") and target not in {f"SMU{n}" for n in frame.smus}:
        raise Refused(NO_SMU)
    frame.mapping[command.channel] = target


def _source_range(frame: Mainframe, command: m.SourceRange) -> None:
    smu = frame.smu(command.channel)
    if command.value != 2.0 and command.value > smu.kind.current_ranges[-1] * OVER_RANGE:
        raise Refused(ARGUMENT)
    frame.setup.source_ranges[command.channel] = command.value


HANDLERS: dict[type[Command], Callable[[Mainframe, Any], str | None]] = {
    m.DefineChannel: _define, m.DefineVoltmeter: _define_voltmeter, m.DefineVoltageSource: _define_source,
    m.VoltageSweep: _sweep, m.CurrentSweep: _sweep, m.VoltageSteps: _steps, m.CurrentSteps: _steps,
    m.ConstantVoltage: _constant, m.ConstantCurrent: _constant, m.VoltageList: _list, m.CurrentList: _list,
    m.ConstantVoltageSource: _constant_source, m.DelayTime: _delay, m.HoldTime: _hold, m.Offset: _offset,
    m.Ratio: _ratio, m.Standby: _standby,
    m.DisplayMode: _display, m.ListNames: _names, m.XAxis: _axis, m.TimeAxis: _display, m.Y1Axis: _axis,
    m.Y2Axis: _axis, m.ReadingCount: _count, m.Interval: _interval, m.WaitTime: _wait,
    m.Measure: _measure, m.GetData: _data, m.GetReading: _reading,
    m.SaveFile: _save, m.LoadFile: _load, m.MapChannel: _map, m.SourceRange: _source_range,
}  # fmt: skip
