"""Files made for people (reports, tables, pictures): each whole or not at all, none written over unasked."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from labctl.errors import UsageError


def check_free(path: Path, force: bool = False) -> None:
    """Raise UsageError unless a file may be made at `path`: it is not there yet, or `force`; folders never are written over."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give the name of a file")
    if path.exists() and not force:
        raise UsageError(f"{path} is there already; give another name, or --force to write over it")


def write_whole(path: Path, data: bytes) -> Path:
    """Write `data` to `path`, replacing what was there, whole or not at all; makes its folder. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    return path


def _umask() -> int:
    """What new files must not be: read by setting it, there is no other way."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
