"""Where a message ends: bytes in, whole messages out. No socket inside."""

from __future__ import annotations

NUL = b"\0"  #: ends every message in both directions over Ethernet (D 2-9)


class Framer:
    """Cuts a byte stream into messages at `terminator`; pieces may arrive in any size.

    terminator: at least one byte, else ValueError. limit: bytes a message may have; beyond it the message is dropped and
    reported as too long, so that a client that never sends a terminator can't fill the memory. The manual gives no limit;
    a 4096-value list of 12 characters is 54 kB: guess.
    """

    def __init__(self, terminator: bytes = NUL, limit: int = 1 << 20) -> None:
        if not terminator:
            raise ValueError("a message needs a terminator of at least one byte")
        self.terminator = terminator
        self.limit = limit
        self._held = bytearray()
        self._searched = 0  # bytes of _held where no terminator begins, so that single bytes don't cost a search of all
        self._overflow = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """Take bytes and return the messages now complete, without terminator; None stands for one that was too long."""
        messages: list[bytes | None] = []
        self._held += data
        while (end := self._held.find(self.terminator, self._searched)) >= 0:
            messages.append(None if self._overflow or end > self.limit else bytes(self._held[:end]))
            del self._held[: end + len(self.terminator)]
            self._searched = 0
            self._overflow = False
        self._keep()
        return messages

    def _keep(self) -> None:
        begun = len(self.terminator) - 1  # the last bytes may be the beginning of a terminator
        self._searched = max(len(self._held) - begun, 0)
        if self._searched > self.limit:
            del self._held[: self._searched]
            self._searched = 0
            self._overflow = True

    def clear(self) -> None:
        """Forget what is half received (device clear, new client)."""
        self._held.clear()
        self._searched = 0
        self._overflow = False
