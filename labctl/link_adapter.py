"""Lets a PyMeasure Instrument speak through a `labctl.contracts.Link`, with the link's care about time-outs."""

from __future__ import annotations

from typing import Any

from pymeasure.adapters import Adapter

from labctl.contracts import Link
from labctl.errors import UsageError


class LinkAdapter(Adapter):  # type: ignore[misc]  # pymeasure has no types
    """A PyMeasure adapter over a link. timeout: s for one reply, None for the link's own.

    The link stays its owner's: `close` closes it, but losing the adapter to the garbage collector does not.
    """

    def __init__(self, link: Link, timeout: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.connection = link
        self.timeout = timeout

    def __del__(self) -> None:
        """Leave the link alone; PyMeasure's own adapters would close it here."""

    def _write(self, command: str, **kwargs: Any) -> None:
        self.connection.write(command)

    def _read(self, **kwargs: Any) -> str:
        return str(self.connection.read(self.timeout))

    def _write_bytes(self, content: bytes, **kwargs: Any) -> None:
        raise UsageError("a message link sends text, not bytes")

    def _read_bytes(self, count: int, break_on_termchar: bool, **kwargs: Any) -> bytes:
        raise UsageError("a message link reads whole messages, not bytes")

    def flush_read_buffer(self) -> None:
        """Reopen the link, the only sure way to lose replies under way."""
        self.connection.reopen()

    def __repr__(self) -> str:
        return f"<LinkAdapter({self.connection.resource})>"
