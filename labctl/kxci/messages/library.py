"""User library mode, ``UL`` (D 4-6 … 4-11): C modules on the instrument, the only pulse and measure of an old 4200-SCS."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from labctl.kxci.messages.arguments import LibraryName, frozen
from labctl.kxci.numbers import wire
from labctl.kxci.spec import Between, Command, Place, command

ELEMENTS = 15_999  #: of an array, in and out: fewer than 16 000 (D 4-8, 4-9)
PARAMETERS = 200  #: of a module; the longest known has 65: guess

Count = Annotated[int, Between(1, ELEMENTS)]


@command("EX", "D 4-7", "UL", counts=range(2, 2 + PARAMETERS + 1), query=True, separator="(")
@frozen
class Execute(Command):
    """Run a module of a library: ``EX lib module(p1,p2,…)``. arguments: its parameters as texts, see `place`.

    An empty one stands for an output, or for an input's default.
    """

    library: LibraryName
    module: LibraryName
    arguments: tuple[Place, ...] = ()

    def problem(self) -> str:
        if self.arguments == ("",):
            return "one empty place can't be told from no argument"
        longest = max((text.count(";") + 1 for text in self.arguments), default=0)
        return f"an array has {longest} elements, not up to {ELEMENTS}" if longest > ELEMENTS else ""


@command("GN", "D 4-9", "UL", counts=(1, 2), query=True, separator=" ")
@frozen
class GetParameterByName(Command):
    """Ask for a parameter of the module that ran last, an array's first `count` elements (without it 1)."""

    name: LibraryName
    count: Count | None = None


@command("GP", "D 4-10", "UL", counts=(1, 2), query=True, separator=" ")
@frozen
class GetParameter(Command):
    """Ask for parameter number `position`, from 1, of the module that ran last, an array's first `count` elements."""

    position: Annotated[int, Between(1, PARAMETERS)]
    count: Count | None = None


@command("GD", "D 4-9", "UL", separator=" ")
@frozen
class DescribeModule(Command):
    """Show a module's description on the instrument's console."""

    library: LibraryName
    module: LibraryName


@command("AB", "D 4-7", "UL")
@frozen
class AbortModule(Command):
    """Abort the module that runs."""


@command("GR", "E 4-12", "UL")
@frozen
class ShowReturnValue(Command):
    """Show the return value of the module that ran last on the instrument's console; the answer is only ``ACK``."""


def place(value: str | float | Iterable[float] | None = None) -> Place:
    """Write one argument of a module: a text as it is, numbers as on the wire, an array with ``;``, nothing for None.

    Raises LocalProtocolError for NaN and infinities.
    """
    if value is None:
        return Place("")
    if isinstance(value, str):
        return Place(value)
    return Place(_number(value) if isinstance(value, (int, float)) else ";".join(map(_number, value)))


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else wire(value)
