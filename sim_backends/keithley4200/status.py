"""The status byte (D 3-3/3-4) and the last error (D 4-2/4-3)."""

from __future__ import annotations

from labctl.kxci import errors
from labctl.kxci.replies import StatusByte

from .settings import Settings


class StatusRegister:
    """Data ready, syntax error and service request as they latch; busy is asked for when the byte is read."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._latched = StatusByte(0)
        self.service_on_ready = False  # DR1
        self.last_error = ""

    def ready(self) -> None:
        """All measurements are done."""
        if self._settings.data_ready == "never":
            return
        self._latched |= StatusByte.DATA_READY
        on_gpib = self._settings.transport == "gpib" and self.service_on_ready
        if on_gpib or self._settings.data_ready == "service":
            self._latched |= StatusByte.SERVICE_REQUEST

    def fail(self, code: int) -> None:
        """Keep the error; B1 and B6 always come together (D 3-4)."""
        self._latched |= StatusByte.SYNTAX_ERROR | StatusByte.SERVICE_REQUEST
        self.last_error = errors.report(code)

    def taken(self) -> None:
        """Data are transferred: clears B0 on GPIB; over LAN it stays until polled (seen on a real instrument)."""
        if self._settings.transport == "gpib":
            self.clear_ready()

    def clear_ready(self) -> None:
        """BC."""
        self._latched &= ~StatusByte.DATA_READY

    def poll(self, busy: bool) -> int:
        """Read the byte and clear what polling clears."""
        value = int(self._latched) | (StatusByte.BUSY if busy else 0)
        self._latched = StatusByte(0)
        return int(value)

    def clear(self) -> None:
        """Device clear."""
        self._latched = StatusByte(0)
