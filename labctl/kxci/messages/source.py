"""The source setup page, ``SS`` (D 5-10 … 5-21)."""

from __future__ import annotations

from typing import Annotated

from labctl.kxci.messages.arguments import Channel, Current, Level, RpmHardware, Switch, Voltage, frozen
from labctl.kxci.spec import Between, Command, command


def _sweep_problem(kind: int, compliance: float | None) -> str:
    # a log sweep with a step or compliance is refused rather than run with other values than the sender believes
    if kind == 1:
        return "" if compliance is not None else "a linear sweep (kind 1) needs start, stop, step and compliance"
    return "" if compliance is None else "a log sweep (kind 2 to 4) takes start and stop only"


@command("VR", "D 5-19", "SS", counts=(3, 5))
@frozen
class VoltageSweep(Command):
    """Sweep VAR1 in voltage: kind 1 linear, 2/3/4 log (10, 25, 50 points a decade: guess); log sends start and stop only.

    A linear sweep ends at the level nearest to `stop`, up to half a step beyond it: see `ranges.linear_count`.
    """

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
