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
        """Get the status byte; reading it clears data ready and syntax error."""
        if self.acknowledges:
            return self.inquire(replies.read_status, m.PollStatus())
        connection = self.adapter.connection  # a link of labctl, or PyMeasure's PyVISA resource
        poll = getattr(connection, "read_status_byte", None) or connection.read_stb
        return StatusByte(int(poll()))


def short(message: str) -> str:
    """As much of a message as fits into an error text."""
    return message if len(message) <= 60 else f"{message[:60]}... ({len(message)} characters)"
