"""The one error of the store."""

from __future__ import annotations

from labctl.errors import LabctlError


class StoreError(LabctlError):
    """A run file or journal can't be written, read or recovered; the message names the file and says what to do."""
