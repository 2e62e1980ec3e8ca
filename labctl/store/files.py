"""What the operating systems do differently: opening, syncing, locking and putting a file in its place."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

#: No text mode on Windows; every write goes to the end, also after a torn one was cut off.
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
#: A file system without locks (some network mounts): the run goes on without, as it does on Windows.
_NO_LINKS = {
    errno.EPERM,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EMLINK,
}  # file systems without hard links
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF, errno.ENOSYS}


def create_exclusive(path: Path) -> int:
    """Create `path` for appending and return its descriptor. Raises FileExistsError, OSError."""
    return os.open(path, _APPEND, 0o666)


def sync_data(fd: int) -> None:
    """Wait until what was written is on the disk: fdatasync, or fsync where there is none (Windows, macOS)."""
    getattr(os, "fdatasync", os.fsync)(fd)


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk; Windows can't and need not open a folder for that."""
    if hasattr(os, "O_DIRECTORY"):
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def rename_new(source: Path, target: Path) -> None:
    """Rename `source` to a name nobody has, in one step. Raises FileExistsError where somebody has it, OSError."""
    if sys.platform == "win32":
        os.rename(source, target)  # refuses a target that exists
        return
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():  # a file system without hard links: two steps, the best there is
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        os.rename(source, target)
        return
    source.unlink()


def hold(fd: int, wait: bool) -> bool:
    """Mark the open file as in use until `fd` is closed; False if another process (or descriptor) holds it.

    An advisory lock. Windows needs none: there an open file can't be renamed or removed.
    """
    return _lock(fd, exclusive=True, wait=wait)


if sys.platform == "win32":

    def is_held(path: Path) -> bool:
        """Whether a journal is being written now. Raises FileNotFoundError."""
        try:
            os.rename(path, path)  # refused while any process has it open
        except PermissionError:
            return True
        return False

    def _lock(fd: int, exclusive: bool, wait: bool) -> bool:
        return True

else:
    import fcntl

    def is_held(path: Path) -> bool:
        """Whether a journal is being written now; False on a file system without locks. Raises FileNotFoundError."""
        fd = os.open(path, os.O_RDONLY)
        try:
            return not _lock(fd, exclusive=False, wait=False)
        finally:
            os.close(fd)

    def _lock(fd: int, exclusive: bool, wait: bool) -> bool:
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        try:
            fcntl.flock(fd, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        return True
