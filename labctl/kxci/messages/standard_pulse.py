"""The pulse card's commands, ``:PMU:`` (D section 7): source, load, and standard pulses with their sweeps and steps."""

from __future__ import annotations

from typing import Annotated

from labctl.kxci.messages.arguments import PulseChannel, PulseVoltage, Switch, frozen
from labctl.kxci.spec import Between, Command, OneOf, command

Period = Annotated[float, Between(20e-9, 1)]  # s; from a PGU's on the 10 V range (D 7-18)
Width = Annotated[float, Between(10e-9, 1)]  # s (D 7-18)
Edge = Annotated[float, Between(10e-9, 33e-3)]  # s (D 7-18)
Delay = Annotated[float, Between(0, 1)]  # s; it ends before the period does (D 7-19)


def _step_problem(step: float) -> str:
    return "" if step else "a step of 0 never ends"  # D 7-29


# -- source and load --------------------------------------------------------------------------------------------------
@command(":PMU:SOURCE:RANGE", "D 7-24")
@frozen
class PulseSourceRange(Command):
    """Choose the voltage range of pulse channel n, source and measure: 10 or 40 V; from ``:PMU:EXECUTE`` on."""

    channel: PulseChannel
    value: Annotated[float, OneOf(10, 40)]


@command(":PMU:LOAD", "D 7-11")
@frozen
class PulseLoad(Command):
    """Tell the resistance at pulse channel n, 1 to 1e7 ohm: levels are those across it, behind the source's 50 ohm."""

    channel: PulseChannel
    resistance: Annotated[float, Between(1, 1e7)]


@command(":PMU:LLEC:CONFIGURE", "D 7-10")
@frozen
class LoadLineCorrection(Command):
    """Correct levels for the load line by trial pulses on channel n (1) or not (0)."""

    channel: PulseChannel
    on: Switch


# -- standard pulses --------------------------------------------------------------------------------------------------
@command(":PMU:PULSE:BURST:COUNT", "D 7-17")
@frozen
class BurstCount(Command):
    """Give 1 to 10000 pulses a burst, on all channels."""

    count: Annotated[int, Between(1, 10_000)]


@command(":PMU:PULSE:TIMES", "D 7-18", counts=(5, 6))
@frozen
class PulseTimes(Command):
    """Set the times of a pulse on channel n, s; width at half height; the last period sent is that of all channels."""

    channel: PulseChannel
    period: Period
    width: Width
    rise: Edge
    fall: Edge
    delay: Delay | None = None


@command(":PMU:PULSE:TRAIN", "D 7-21")
@frozen
class PulseTrain(Command):
    """Pulse channel n between a base and a top level, both in V from 0."""

    channel: PulseChannel
    base: PulseVoltage
    amplitude: PulseVoltage


@command(":PMU:SWEEP:PULSE:AMPLITUDE", "D 7-29")
@frozen
class SweepAmplitude(Command):
    """Sweep the top level of channel n (V) over a fixed base; dual 1: and back again."""

    channel: PulseChannel
    start: PulseVoltage
    stop: PulseVoltage
    step: PulseVoltage
    base: PulseVoltage
    dual: Switch

    def problem(self) -> str:
        return _step_problem(self.step)


@command(":PMU:SWEEP:PULSE:BASE", "D 7-31")
@frozen
class SweepBase(Command):
    """Sweep the base level of channel n (V) under a fixed top; dual 1: and back again."""

    channel: PulseChannel
    start: PulseVoltage
    stop: PulseVoltage
    step: PulseVoltage
    amplitude: PulseVoltage
    dual: Switch

    def problem(self) -> str:
        return _step_problem(self.step)


@command(":PMU:SWEEP:DC", "D 7-28")
@frozen
class SweepDC(Command):
    """Sweep a constant level of channel n (V); dual 1: and back again."""

    channel: PulseChannel
    start: PulseVoltage
    stop: PulseVoltage
    step: PulseVoltage
    dual: Switch

    def problem(self) -> str:
        return _step_problem(self.step)


@command(":PMU:STEP:PULSE:AMPLITUDE", "D 7-26")
@frozen
class StepAmplitude(Command):
    """Step the top level of channel n (V) over a fixed base, around another channel's sweep."""

    channel: PulseChannel
    start: PulseVoltage
    stop: PulseVoltage
    step: PulseVoltage
    base: PulseVoltage

    def problem(self) -> str:
        return _step_problem(self.step)


@command(":PMU:STEP:PULSE:BASE", "D 7-27")
@frozen
class StepBase(Command):
    """Step the base level of channel n (V) under a fixed top, around another channel's sweep."""

    channel: PulseChannel
    start: PulseVoltage
    stop: PulseVoltage
    step: PulseVoltage
    amplitude: PulseVoltage

    def problem(self) -> str:
        return _step_problem(self.step)


@command(":PMU:STEP:DC", "D 7-25")
@frozen
class StepDC(Command):
    """Step a constant level of channel n (V), around another channel's sweep."""

    channel: PulseChannel
    start: PulseVoltage
    stop: PulseVoltage
    step: PulseVoltage

    def problem(self) -> str:
        return _step_problem(self.step)
