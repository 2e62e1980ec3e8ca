"""The errors labctl raises; each message is one line that says what was wrong and what to do."""

from __future__ import annotations


class LabctlError(Exception):
    """Anything labctl raises on purpose. The command line prints it as one line, without a traceback."""


class UsageError(LabctlError):
    """The request can't be carried out as asked: unknown name, malformed value, unreadable file."""


class LimitError(LabctlError):
    """A stimulus would exceed a limit of the instrument, the station or the sample. Nothing was sent."""


class LocalProtocolError(LabctlError):
    """We were about to say something the instrument's language does not allow. Nothing was sent."""


class RemoteProtocolError(LabctlError):
    """The instrument said something its language does not allow (garbled reply, wrong count)."""


class InstrumentError(LabctlError):
    """The instrument reported an error of its own.

    code: the instrument's number for it, or None where it gives none.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class TransportError(LabctlError):
    """The link to an instrument failed."""


class LinkTimeout(TransportError):
    """No complete reply within the time-out. The link is poisoned: it must be reopened before it is used again."""


class ConnectionLost(TransportError):
    """The other end closed or reset the connection, or could not be reached."""
