"""Fingerprints of a run: of its file as it lies there, and of its numbers, whatever file they are in."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from labctl.store.model import Run


def of_file(path: Path) -> str:
    """The SHA-256 of a file, 64 hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_data(run: Run) -> str:
    """The SHA-256 of a run's table: for each column its name, NUL, its dtype, NUL, and its values, little-endian.

    The same for the journal, the run file and a copy packed anew.
    """
    digest = hashlib.sha256()
    for column in run.header.columns:
        digest.update(f"{column.name}\0{column.dtype}\0".encode())
        digest.update(np.ascontiguousarray(run[column.name], np.dtype(column.dtype).newbyteorder("<")).tobytes())
    return digest.hexdigest()
