"""Names of run files: which are allowed, and which to try when one is taken."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from labctl.store import files
from labctl.store.errors import StoreError

#: Bytes of a run file's name without its ending; leaves room for a number, ``.jrn.damaged`` and another number in the 255 that
#: Linux (NAME_MAX, limits.h) and Windows allow.
LONGEST_STEM = 230
_NAMES = 10_000  #: names tried for a run that numbers itself; a guess: more means that something else is wrong


def usable(path: Path) -> Path:
    """Check the name of a run file and make its folder. Raises StoreError."""
    if path.suffix != ".h5":
        raise StoreError(f"{path}: a run file's name must end in .h5")
    length = len(os.fsencode(path.stem))
    if length > LONGEST_STEM:
        raise StoreError(f"{path.name[:40]}...: a name of {length} bytes is too long, {LONGEST_STEM} are allowed")
    try:
        files.make_folder(path.parent)
    except OSError as error:
        raise StoreError(f"the folder {path.parent} can't be made: {error.strerror}") from error
    return path


def numbered(path: Path) -> Iterator[Path]:
    """The name asked for, then ``name.2.h5`` and so on."""
    yield path
    for number in range(2, _NAMES):
        yield path.with_name(f"{path.stem}.{number}.h5")
