"""The errors of the store."""

from __future__ import annotations

from labctl.errors import LabctlError


class StoreError(LabctlError):
    """A run file or journal can't be written, read or recovered; the message names the file and says what to do."""


class NameTaken(StoreError):
    """The name asked for belongs to another run, stored, under way or dead. Nothing was created."""


class EmptyJournal(StoreError):
    """A journal without a byte, or with a part of an earlier run only: its program ended too early. It was removed."""
