"""What instruments are reached through: time, and a link for messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Time as an argument: the wall clock on the bench, a virtual one in simulation."""

    def now(self) -> float:
        """Seconds since an arbitrary origin, never decreasing."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let `seconds` (>= 0) pass."""
        ...

    def wait(self, seconds: float, should_stop: Callable[[], bool]) -> None:
        """Let `seconds` pass, or less when `should_stop` turns true: for waits a user may want to end."""
        ...


class Link(Protocol):
    """A message link to one instrument: text in, text out, terminators handled, failures told apart.

    Raises LinkTimeout and ConnectionLost, and, where it can see that, RemoteProtocolError for a reply to nothing that would
    answer the next message; nothing else. After any of them the link is poisoned until `reopen`.
    """

    @property
    def resource(self) -> str:
        """The VISA resource name."""
        ...

    @property
    def poisoned(self) -> bool:
        """True after a time-out, a lost connection or a surplus reply: a late one could answer the next question."""
        ...

    def write(self, message: str) -> None: ...

    def read(self, timeout: float | None = None) -> str:
        """One reply without its terminator. timeout: s, None for the link's own."""
        ...

    def query(self, message: str, timeout: float | None = None) -> str: ...

    def reopen(self) -> None:
        """Close and open again; replies under way are lost, which is the point."""
        ...

    def read_status_byte(self) -> int:
        """Serial poll (GPIB); raises TransportError where the interface has none."""
        ...

    def close(self) -> None: ...
