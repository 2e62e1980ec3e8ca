"""When a command is allowed: the page rules (D 5-4), and what may be said while a test runs."""

from __future__ import annotations

from labctl.kxci import messages as m
from labctl.kxci.spec import Command, Where

from .refusal import BUSY, NOT_IN_SYSTEM_MODE, NOT_IN_USER_MODE, WRONG_PAGE, Refused

PAGES: dict[type[Command], str] = {
    m.DefinitionPage: "DE", m.SourcePage: "SS", m.MeasurePage: "SM", m.ControlPage: "MD", m.UserMode: "US",
    m.LibraryMode: "UL",
}  # fmt: skip
SYSTEM = ("DE", "SS", "SM", "MD")
#: (command, page) that vendor scripts use against the manual's rule, and that work (data/kxci.md 3)
LENIENT = {(m.ListNames, "MD"), (m.MapChannel, "US")}
#: what is answered while a test runs; everything else is -980 (data/kxci.md 3; the list is a guess)
WHILE_BUSY = (
    m.PollStatus, m.GetReading, m.GetError, m.ClearError, m.Identify, m.Model,
    m.PollPulse, m.CountPoints, m.GetPoints, m.AbortPulse, m.AbortModule,
)  # fmt: skip


def check(command: Command, where: Where, page: str, busy: bool, lenient: bool) -> None:
    """Raise Refused unless `command`, valid on `where`, may be given on `page` now."""
    if busy and not isinstance(command, WHILE_BUSY) and not _aborts(command):
        raise Refused(BUSY)
    if where == "ANY":
        if type(command) in PAGES and page == "UL" and PAGES[type(command)] not in ("UL", "DE", "US"):
            raise Refused(WRONG_PAGE)  # user library mode is left by DE or US (D 4-11)
        return
    if where == page or (where == "SYSTEM" and page in SYSTEM):
        return
    if lenient and (type(command), page) in LENIENT:
        return
    raise Refused(_code(where, page))


def _aborts(command: Command) -> bool:
    return isinstance(command, m.Measure) and command.action == 4


def _code(where: Where, page: str) -> int:
    if page == "US" and where not in ("US", "UL"):
        return NOT_IN_USER_MODE
    if page in SYSTEM and where == "US":
        return NOT_IN_SYSTEM_MODE
    return WRONG_PAGE
