"""A pulse test ready to be sent: the messages, and the rows to expect of them. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from labctl.contracts import Waveform
from labctl.kxci import Command, Word
from labctl.kxci import messages as m

from . import pulse_rules as rules
from .pulse_program import Program, Windows
from .segments import program_commands

STANDARD, SEGMENT_ARB = 0, 1  #: the modes of ``:PMU:INIT`` (D 7-9)
FIXED = 2  #: the kind of a measure range; Segment Arb has no other (D 7-15)
PULSE, SMU = 0, 2  #: what an RPM connects (D 7-22)


@dataclass(frozen=True)
class Pair:
    """The channels of a test: the driven one, the one that holds the other terminal at 0 V (None: ground); RPMs by channel."""

    driven: int
    held: int | None
    rpms: Mapping[int, Word]

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels, the driven one first."""
        return (self.driven,) if self.held is None else (self.driven, self.held)

    @property
    def kinds(self) -> Iterator[tuple[int, bool]]:
        """Each channel with whether it has an RPM."""
        return ((channel, channel in self.rpms) for channel in self.channels)


@dataclass(frozen=True)
class PulseTest:
    """A test for the pulse card.

    messages: one command each; pair: its channels; windows: where is measured; rate: samples per s, 0 where nothing is
    measured; duration: s; columns: what to ask ``:PMU:DATA:GET`` for, none for the mode's own.
    """

    messages: tuple[Command, ...]
    pair: Pair
    windows: Windows
    rate: float
    duration: float
    columns: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Ranges:
    """What is common to all tests. voltage: V, source and measurement; current: A; load: ohm, None for an open circuit."""

    voltage: float
    current: float
    load: float | None


def rate_of(windows: Windows, asked: float | None) -> float:
    """The sample rate, 0 where nothing is measured. Raises LimitError."""
    return rules.sample_rate(windows, asked) if windows.kinds.size else 0.0


def segment_test(program: Program, pair: Pair, ranges: Ranges, sample_rate: float | None) -> PulseTest:
    """Encode a program for Segment Arb. Raises LimitError for what the card can't play."""
    rules.check_program(program, ranges.voltage)
    rules.check_current_range(ranges.current, ranges.voltage, pair.kinds)
    windows = program.windows()
    rate = rate_of(windows, sample_rate)
    messages = (
        *set_up(SEGMENT_ARB, pair, ranges, rate),
        *program_commands(program, pair.driven, pair.held),
        *outputs(pair.channels, 1),
    )
    return PulseTest(messages, pair, windows, rate, program.duration)


def waveform_ranges(waveform: Waveform, load: float | None) -> Ranges:
    """The ranges of a waveform, whose ends are checked, too. Raises LimitError."""
    rules.check_ends(waveform)
    return Ranges(rules.source_range(waveform, load), waveform.current_range, load)


def set_up(mode: int, pair: Pair, ranges: Ranges, rate: float) -> Iterator[Command]:
    """The commands every test begins with. ``:PMU:INIT`` undoes ranges and, it may be, routing: it comes first (D 7-9)."""
    yield m.InitializePulse(mode)
    for channel in pair.channels:
        if channel in pair.rpms:
            yield m.ConfigureRpm(pair.rpms[channel], PULSE)
    for channel in pair.channels:
        yield m.PulseSourceRange(channel, ranges.voltage)
        yield m.PulseMeasureRange(channel, FIXED, ranges.current)
    if ranges.load is not None:
        yield m.PulseLoad(pair.driven, ranges.load)
    if rate:
        yield m.SampleRate(rules.wire_rate(rate))


def outputs(channels: Iterable[int], on: int) -> Iterator[Command]:
    """Outputs on when the test starts (1), or off now (0)."""
    return (m.PulseOutput(channel, on) for channel in channels)
