"""Messages and their replies: one reply to each over Ethernet, and the book kept on whether the two are still in step."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pymeasure.instruments import Instrument

from labctl.clocks import WallClock
from labctl.contracts import Clock
from labctl.errors import InstrumentError, LinkTimeout, RemoteProtocolError
from labctl.kxci import Command, encode, errors, replies
from labctl.kxci import messages as m
from labctl.kxci.replies import StatusByte

T = TypeVar("T")
_DOCUMENTED = sum(StatusByte)  # every bit of the status byte that means something
SHORT = 2.0  #: s; a reply that only may come is not waited for longer (guess: KXCI answers in milliseconds)


class Talker(Instrument):  # type: ignore[misc]  # pymeasure has no types
    """Something that speaks KXCI.

    acknowledges: True over Ethernet, where every message has exactly one reply; False over GPIB, where only queries have;
    clock: whose time the pauses take, the wall's by default.
    """

    def __init__(self, adapter: Any, name: str, acknowledges: bool, clock: Clock | None, **kwargs: Any) -> None:
        ends = {"write_termination": "\0", "read_termination": "\0"}
        super().__init__(adapter, name, includeSCPI=False, tcpip=ends, **kwargs)
        self.acknowledges = acknowledges
        self.clock = clock or WallClock()
        self.read_twice = False  #: see `fetch`
        self.in_step = True  #: False once a reply may still be under way, or was not understood

    def send(self, *commands: Command) -> None:
        """Send commands without data as one message and, over Ethernet, take its acknowledgement."""
        message = encode(*commands)
        if not self.acknowledges:
            self.write(message)
            return
        try:
            reply = self._exchange(message)
        except LinkTimeout as error:
            raise InstrumentError(f"{short(message)!r} was not acknowledged ({error})") from error
        if reply.strip() != replies.ACK:
            self._raise_report(reply, message)
            self.in_step = False
            raise RemoteProtocolError(f"{reply[:40]!r} came instead of ACK as the reply to {short(message)!r}")

    def inquire(self, parse: Callable[[str], T], *commands: Command) -> T:
        """Send one message that ends with a query and return its reply, parsed."""
        message = encode(*commands)
        reply = self._exchange(message)
        if not isinstance(commands[-1], m.GetError):
            self._raise_report(reply, message)
        return self._parsed(parse, reply, message)

    def fetch(self, parse: Callable[[str], T], *commands: Command) -> T:
        """As `inquire`, for what asking does not change: where `read_twice` it is asked for twice, and must be the same.

        A digit that changed on the way looks like any other. TCP has checksums against that, GPIB has none. Raises
        RemoteProtocolError when the two replies differ.
        """
        if not self.read_twice:
            return self.inquire(parse, *commands)
        first, second = self.inquire(str, *commands), self.inquire(str, *commands)
        message = encode(*commands)
        if first != second:
            self.in_step = False
            hint = "" if self.acknowledges else "; the Reading Delimiter in KCon must be Comma"
            raise RemoteProtocolError(
                f"{short(message)!r} was answered in two ways: {_difference(first, second)}; the line is disturbed{hint}"
            )
        return self._parsed(parse, first, message)

    def _parsed(self, parse: Callable[[str], T], reply: str, message: str) -> T:
        try:
            return parse(reply)
        except RemoteProtocolError as error:
            self.in_step = False
            raise RemoteProtocolError(f"{error} (the reply to {short(message)!r})") from error

    def _exchange(self, message: str) -> str:
        self.in_step = False  # until the reply is here; Ctrl-C may come between
        self.write(message)
        reply = str(self.read())
        self.in_step = True
        return reply

    def _raise_report(self, reply: str, message: str) -> None:
        report = errors.parse_report(reply)
        if report is not None and report.code is not None:
            raise InstrumentError(f"the instrument answered {report} to {short(message)!r}", report.code)

    @contextlib.contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """Wait at most `seconds` for each reply inside, where the adapter's time-out can be set."""
        before = getattr(self.adapter, "timeout", None)
        if hasattr(self.adapter, "timeout"):
            self.adapter.timeout = seconds if before is None else min(seconds, before)
        try:
            yield
        finally:
            if hasattr(self.adapter, "timeout"):
                self.adapter.timeout = before

    @contextlib.contextmanager
    def longer_patience(self, seconds: float) -> Iterator[None]:
        """Wait at least `seconds` for each reply inside, where the adapter's time-out can be set."""
        before = getattr(self.adapter, "timeout", None)
        own = before or getattr(self.adapter.connection, "timeout", None) or 0.0
        if hasattr(self.adapter, "timeout"):
            self.adapter.timeout = max(seconds, own)
        try:
            yield
        finally:
            if hasattr(self.adapter, "timeout"):
                self.adapter.timeout = before

    @property
    def status(self) -> StatusByte:
        """Get the status byte; reading it clears data ready and syntax error.

        Bits without a meaning are more likely a garbled reply, so it is asked again; what says them again has them (guess).
        """
        first = self._poll()
        if not (strange := int(first) & ~_DOCUMENTED):
            return first
        second = self._poll()
        both = int(first) | int(second) if int(second) & ~_DOCUMENTED == strange else int(second)
        return StatusByte(both & _DOCUMENTED)

    def _poll(self) -> StatusByte:
        if self.acknowledges:
            return self.inquire(replies.read_status, m.PollStatus())
        connection = self.adapter.connection  # a link of labctl, or PyMeasure's PyVISA resource
        poll = getattr(connection, "read_status_byte", None) or connection.read_stb
        return StatusByte(int(poll()))


def _difference(first: str, second: str) -> str:
    """Where two replies begin to differ, and how."""
    at = next((k for k, (one, other) in enumerate(zip(first, second, strict=False)) if one != other), None)
    at = min(len(first), len(second)) if at is None else at
    begin = max(at - 10, 0)
    return f"{first[begin : at + 10]!r} and {second[begin : at + 10]!r}, from character {begin} on"


def short(message: str) -> str:
    """As much of a message as fits into an error text."""
    return message if len(message) <= 60 else f"{message[:60]}... ({len(message)} characters)"
