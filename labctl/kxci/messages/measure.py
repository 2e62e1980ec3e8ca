"""The measurement setup and control pages, ``SM`` and ``MD``, and what is valid on any page (D 5-22 … 5-30)."""

from __future__ import annotations

from typing import Annotated

from labctl.kxci.messages.arguments import Channel, Mapped, frozen
from labctl.kxci.spec import Between, Command, Like, command


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
