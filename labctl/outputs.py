"""Files made for people (reports, tables, pictures): each whole or not at all, none written over unasked or while read."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from labctl.errors import UsageError

#: what to do about an error of the system, by its number; the rest: another place
_ADVICE = {
    errno.ENOSPC: "make room on the disk",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ENOTDIR: "a part of the name before the last is a file, give a folder",
    errno.EEXIST: "a part of the name before the last is a file, give a folder",
}
_PREFIX = 100  #: bytes of a file's name in that of its part, which must stay below the 255 that file systems take


class CannotWrite(UsageError, OSError):
    """A file can't be made; the message says which one, why, and what to do."""


def check_free(path: Path, force: bool = False, inputs: Sequence[Path] = ()) -> None:
    """Raise UsageError unless a file may be made at `path`: it is not there yet, or `force`; folders never are written over.

    inputs: files that are read for it; whatever `force` says, none of them is written over, by whatever name.
    """
    with _in_words(path):
        if path.is_dir():
            raise UsageError(f"{path} is a folder; give the name of a file")
        if any(_same(path, item) for item in inputs):
            raise UsageError(f"{path} is a file that is read for it, and is not written over; give another name")
        if path.exists() and not force:
            raise UsageError(f"{path} is there already; give another name, or --force to write over it")


class Together:
    """Files that are put in their places together, at the end of a ``with``, or none of them where that ends in an error."""

    def __init__(self) -> None:
        self._parts: list[tuple[str, Path]] = []

    def __enter__(self) -> Together:
        return self

    def __exit__(self, kind: type[BaseException] | None, *about: object) -> None:
        try:
            while kind is None and self._parts:
                part, path = self._parts[0]
                with _in_words(path):
                    os.replace(part, _target(path))
                del self._parts[0]
        finally:
            for part, _ in self._parts:
                with contextlib.suppress(FileNotFoundError):  # it is in its place already
                    os.unlink(part)

    def add(self, path: Path, data: bytes) -> None:
        """Write `data` beside `path`, for its place; makes its folder. Raises CannotWrite (an OSError)."""
        with _in_words(path):
            target = _target(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            short = os.fsencode(target.name)[:_PREFIX].decode(errors="ignore")
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{short}.", suffix=".part")
            self._parts.append((name, path))
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(name, 0o666 & ~_umask())


def write_whole(path: Path, data: bytes) -> Path:
    """Write `data` to `path`, replacing what was there, whole or not at all; makes its folder. Raises CannotWrite (an OSError).

    A symbolic link stays one: the file it names is written.
    """
    with Together() as files:
        files.add(path, data)
    return path


def _target(path: Path) -> Path:
    """Where a link leads, also one to a file that is not there yet; any other path as it is."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _same(path: Path, other: Path) -> bool:
    """Whether both names are of one file that is there."""
    return path.exists() and other.exists() and path.samefile(other)


@contextlib.contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Make an error of the system one that names the file wanted, not a part of it, and says what to do."""
    try:
        yield
    except CannotWrite:
        raise
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "give a name in a folder where files can be made")
        raise CannotWrite(f"can't write {path}: {error.strerror or error}; {advice}") from error


def _umask() -> int:
    """What new files must not be: read by setting it, there is no other way."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
