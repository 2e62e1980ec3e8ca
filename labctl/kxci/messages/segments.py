"""Segment Arb, ``:PMU:SARB:`` (D 7-40 … 7-57): sequences as arrays of segments, and the list that plays them.

A sequence has one array of values a property, all equally long; a message brings up to 128 of them and replaces the array,
its ``:ADD`` twin goes on with it. What binds the arrays together (levels without jumps, at least three segments, windows
inside their segments, 10 ns steps) the instrument says when ``:PMU:EXECUTE`` is sent.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from labctl.kxci.messages.arguments import MeasureMode, PulseChannel, PulseVoltage, Switch, frozen
from labctl.kxci.spec import Between, Command, command

PAGES = "D 7-40 … 7-57"
VALUES = 128  #: values of one array message (D 7-48)
PLAYS = 512  #: plays of one list message; a lab client sends 400: guess

SequenceNumber = Annotated[int, Between(1, 512)]
Duration = Annotated[float, Between(10e-9, 1)]  # s; from a PGU's, a PMU needs 20 ns on the 10 V range and 50 ns on 40 V
Moment = Annotated[float, Between(0, 1)]  # s from the beginning of the segment

_ARRAY = range(3, 2 + VALUES + 1)
_LIST = range(3, 1 + 2 * PLAYS + 1, 2)


class Play(NamedTuple):
    """One entry of the list: a sequence and how often it is played, 1 to 1e12 times."""

    sequence: SequenceNumber
    loops: Annotated[int, Between(1, 10**12)] = 1


@frozen
class SegmentArray(Command):
    """What all arrays have: pulse channel n, the sequence, and (in the commands) one value for each segment."""

    channel: PulseChannel
    sequence: SequenceNumber


@command(":PMU:SARB:SEQ:TIME", PAGES, counts=_ARRAY)
@frozen
class SegmentTimes(SegmentArray):
    """Set how long the segments last, s."""

    values: tuple[Duration, ...]


@command(":PMU:SARB:SEQ:TIME:ADD", PAGES, counts=_ARRAY)
@frozen
class AddSegmentTimes(SegmentArray):
    """Append to how long the segments last, s."""

    values: tuple[Duration, ...]


@command(":PMU:SARB:SEQ:STARTV", PAGES, counts=_ARRAY)
@frozen
class SegmentStarts(SegmentArray):
    """Set the levels at which the segments start, V."""

    values: tuple[PulseVoltage, ...]


@command(":PMU:SARB:SEQ:STARTV:ADD", PAGES, counts=_ARRAY)
@frozen
class AddSegmentStarts(SegmentArray):
    """Append to the levels at which the segments start, V."""

    values: tuple[PulseVoltage, ...]


@command(":PMU:SARB:SEQ:STOPV", PAGES, counts=_ARRAY)
@frozen
class SegmentStops(SegmentArray):
    """Set the levels at which the segments stop, V."""

    values: tuple[PulseVoltage, ...]


@command(":PMU:SARB:SEQ:STOPV:ADD", PAGES, counts=_ARRAY)
@frozen
class AddSegmentStops(SegmentArray):
    """Append to the levels at which the segments stop, V."""

    values: tuple[PulseVoltage, ...]


@command(":PMU:SARB:SEQ:MEAS:TYPE", PAGES, counts=_ARRAY)
@frozen
class SegmentModes(SegmentArray):
    """Set what is measured in each segment, as in ``:PMU:MEASURE:MODE``; without it nothing."""

    values: tuple[MeasureMode, ...]


@command(":PMU:SARB:SEQ:MEAS:TYPE:ADD", PAGES, counts=_ARRAY)
@frozen
class AddSegmentModes(SegmentArray):
    """Append to what is measured in each segment."""

    values: tuple[MeasureMode, ...]


@command(":PMU:SARB:SEQ:MEAS:START", PAGES, counts=_ARRAY)
@frozen
class WindowStarts(SegmentArray):
    """Set when measuring starts in each segment, s from its beginning; without it at 0."""

    values: tuple[Moment, ...]


@command(":PMU:SARB:SEQ:MEAS:START:ADD", PAGES, counts=_ARRAY)
@frozen
class AddWindowStarts(SegmentArray):
    """Append to when measuring starts in each segment, s from its beginning."""

    values: tuple[Moment, ...]


@command(":PMU:SARB:SEQ:MEAS:STOP", PAGES, counts=_ARRAY)
@frozen
class WindowStops(SegmentArray):
    """Set when measuring stops in each segment, s from its beginning; without it at its end."""

    values: tuple[Moment, ...]


@command(":PMU:SARB:SEQ:MEAS:STOP:ADD", PAGES, counts=_ARRAY)
@frozen
class AddWindowStops(SegmentArray):
    """Append to when measuring stops in each segment, s from its beginning."""

    values: tuple[Moment, ...]


@command(":PMU:SARB:SEQ:SSR", PAGES, counts=_ARRAY)
@frozen
class SegmentRelays(SegmentArray):
    """Set whether the output relay is closed (1) or open (0) in each segment; without it closed."""

    values: tuple[Switch, ...]


@command(":PMU:SARB:SEQ:SSR:ADD", PAGES, counts=_ARRAY)
@frozen
class AddSegmentRelays(SegmentArray):
    """Append to whether the output relay is closed (1) or open (0) in each segment."""

    values: tuple[Switch, ...]


@command(":PMU:SARB:SEQ:TRIG", PAGES, counts=_ARRAY)
@frozen
class SegmentTriggers(SegmentArray):
    """Set whether the trigger output is high (1) or low (0) in each segment; without it high."""

    values: tuple[Switch, ...]


@command(":PMU:SARB:SEQ:TRIG:ADD", PAGES, counts=_ARRAY)
@frozen
class AddSegmentTriggers(SegmentArray):
    """Append to whether the trigger output is high (1) or low (0) in each segment."""

    values: tuple[Switch, ...]


@command(":PMU:SARB:WFM:SEQ:LIST", PAGES, counts=_LIST)
@frozen
class PlaySequences(Command):
    """List the sequences that ``:PMU:EXECUTE`` plays on pulse channel n, each so many times."""

    channel: PulseChannel
    plays: tuple[Play, ...]


@command(":PMU:SARB:WFM:SEQ:LIST:ADD", PAGES, counts=_LIST)
@frozen
class AddPlaySequences(Command):
    """Append to the list of sequences that are played on pulse channel n."""

    channel: PulseChannel
    plays: tuple[Play, ...]
