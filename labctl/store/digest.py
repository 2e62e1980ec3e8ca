"""Fingerprints of a run: of its file as it lies there, and of its numbers, whatever file they are in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.store.model import Run
from labctl.store.sliced import AT_ONCE, SlicedRun


def of_file(path: Path) -> str:
    """The SHA-256 of a file, 64 hexadecimal digits. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_data(run: Run | SlicedRun) -> str:
    """The SHA-256 of a run's table: for each column its name, NUL, its dtype, NUL, and its values, little-endian.

    The same for the journal, the run file and a copy packed anew.
    """
    digest = hashlib.sha256()
    for column in run.header.columns:
        digest.update(f"{column.name}\0{column.dtype}\0".encode())
        for part in _parts(run, column.name):
            digest.update(np.ascontiguousarray(part, np.dtype(column.dtype).newbyteorder("<")).tobytes())
    return digest.hexdigest()


def _parts(run: Run | SlicedRun, name: str) -> Iterator[NDArray[Any]]:
    if isinstance(run, SlicedRun):
        for start in range(0, len(run), AT_ONCE):
            yield run.part(start, start + AT_ONCE, [name])[name]
    else:
        yield run[name]
