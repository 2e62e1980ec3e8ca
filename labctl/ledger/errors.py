"""The error of the ledger."""

from __future__ import annotations

from labctl.errors import UsageError


class ContinuedAlready(UsageError):
    """A run that is to be continued is continued already; the message names the file. Nothing was sent."""


class LedgerError(UsageError):
    """A ledger can't be opened, read or written; the message names the file and says what to do."""


class DamagedLedger(LedgerError):
    """What the ledger's file holds can't be understood; it can be made anew from the run files."""
