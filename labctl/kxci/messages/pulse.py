"""The pulse card's commands, ``:PMU:`` (D section 7): control, data and measurement.

Bounds are those of the language, the widest of all cards and ranges; what a range or a relation between settings forbids,
the instrument says when ``:PMU:EXECUTE`` is sent (D 7-9, 7-19, 7-24). Standard pulses are in `standard_pulse`, Segment
Arb in `segments`.
"""

from __future__ import annotations

from typing import Annotated

from labctl.kxci.messages.arguments import (
    Compensation,
    MeasureMode,
    PointColumn,
    PulseChannel,
    RpmHardware,
    Switch,
    frozen,
)
from labctl.kxci.spec import Between, Command, command

Fraction = Annotated[float, Between(0, 1)]  # D 7-32, 7-34; that 1 is the greatest: guess


# -- control ----------------------------------------------------------------------------------------------------------
@command(":PMU:INIT", "D 7-9")
@frozen
class InitializePulse(Command):
    """Reset both channels, ranges, data and sequences, and choose the mode: 0 standard pulse, 1 Segment Arb."""

    mode: Switch


@command(":PMU:EXECUTE", "D 7-9")
@frozen
class ExecutePulse(Command):
    """Check the set-up, clear the data and start; answered at once."""


@command(":PMU:TEST:STATUS?", "D 7-32", query=True)
@frozen
class PollPulse(Command):
    """Ask whether a pulse test runs, on any card: ``1`` running, ``0`` not."""


@command(":PMU:ABORT", "D 7-4")
@frozen
class AbortPulse(Command):
    """Stop the test and switch the outputs off; the data stay."""


@command(":PMU:OUTPUT:STATE", "D 7-16")
@frozen
class PulseOutput(Command):
    """Switch the output of pulse channel n off now (0), or on at ``:PMU:EXECUTE`` (1)."""

    channel: PulseChannel
    on: Switch


@command(":PMU:RETAIN:CONFIG", "D 7-21", also=(":PMU:EXECUTE:STATE",))  # the second: the manual's misprinted usage line
@frozen
class RetainSetup(Command):
    """Keep the settings of pulse channel n, so that ``:PMU:EXECUTE`` can be repeated (1)."""

    channel: PulseChannel
    on: Switch


@command(":PMU:RPM:CONFIGURE", "D 7-22")
@frozen
class ConfigureRpm(Command):
    """Route an RPM: 0 pulse, 1 CV 2-wire, 2 SMU, 3 CV 4-wire; hardware is a word such as PMU1-1. As ``RP``, on any page."""

    hardware: RpmHardware
    mode: Annotated[int, Between(0, 3)]


# -- data -------------------------------------------------------------------------------------------------------------
@command(":PMU:DATA:COUNT?", "D 7-6", query=True)
@frozen
class CountPoints(Command):
    """Ask for the number of points of pulse channel n, also while the test runs."""

    channel: PulseChannel


@command(":PMU:DATA:GET", "D 7-7", counts=range(1, 3 + 8 + 1), query=True)  # at most the eight spot means: guess
@frozen
class GetPoints(Command):
    """Ask for `count` points of pulse channel n from number `start`, counted from 0; see `points` for the reply.

    Without a count: all that are there, up to 2048. columns: words such as V or IH, in the order wanted; without them those
    of the mode. There may come fewer points than asked for, or none (an empty reply). They stay in the instrument.
    """

    channel: PulseChannel
    start: Annotated[int, Between(0, 65535)] | None = None  # 65 536 points a channel (D 7-7)
    count: Annotated[int, Between(1, 2048)] | None = None
    columns: tuple[PointColumn, ...] = ()


# -- measurement ------------------------------------------------------------------------------------------------------
@command(":PMU:MEASURE:MODE", "D 7-13")
@frozen
class PulseMeasureMode(Command):
    """Choose what is measured: 0 nothing, 1 spot means, 2 waveform, 3 spot means averaged, 4 waveform averaged."""

    mode: MeasureMode


@command(":PMU:MEASURE:PIV", "D 7-14")
@frozen
class AcquireLevels(Command):
    """Take spot means at the top (high) and at the base (low) of pulses on channel n, or not (0)."""

    channel: PulseChannel
    high: Switch
    low: Switch


@command(":PMU:MEASURE:RANGE", "D 7-15", counts=(2, 3))
@frozen
class PulseMeasureRange(Command):
    """Choose the current range of pulse channel n: kind 0 auto, 1 auto from `value` (A) up, 2 fixed at `value` (A)."""

    channel: PulseChannel
    kind: Annotated[int, Between(0, 2)]
    value: Annotated[float, Between(1e-7, 0.8)] | None = None

    def problem(self) -> str:
        return "a range is missing (kind 1 and 2 need one)" if self.kind and self.value is None else ""


@command(":PMU:TIMES:PIV", "D 7-32", also=(":PMU:PIV:TIMES",))  # the second: the manual's misprinted usage line
@frozen
class SpotMeanWindow(Command):
    """Take spot means from `start` to `stop` of the top and of the base, as fractions of their widths."""

    channel: PulseChannel
    start: Fraction
    stop: Fraction


@command(":PMU:TIMES:WAVEFORM", "D 7-34")
@frozen
class WaveformMargins(Command):
    """Capture before and after a pulse for fractions `pre` and `post` of width + (rise + fall)/2."""

    channel: PulseChannel
    pre: Fraction
    post: Fraction


@command(":PMU:SAMPLE:RATE", "D 7-23")
@frozen
class SampleRate(Command):
    """Set the samples per second of all channels, 1000 to 200 million."""

    rate: Annotated[int, Between(1_000, 200_000_000)]


# -- connection compensation -------------------------------------------------------------------------------------------
@command(":PMU:CONNECTION:COMP", "D 7-5")
@frozen
class UseCompensation(Command):
    """Apply a connection compensation on the card of channel n (1) or not (0); kind 1 short, 3 offset."""

    channel: PulseChannel
    kind: Compensation
    on: Switch


@command(":PMU:MEASURE:CONNECTION:COMP", "D 7-12")
@frozen
class MeasureCompensation(Command):
    """Measure a connection compensation on channel n: kind 1 short, 3 offset; the result is on the console only."""

    channel: PulseChannel
    kind: Compensation
