"""What the operating systems do differently: opening, syncing, locking and putting a file in its place."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

#: A file system without locks (some network mounts): the run goes on without, as it does on Windows.
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF, errno.ENOSYS}
#: A file system without hard links: EPERM by link(2) of the Linux manual; the others as network and FUSE ones answer (guess).
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def check_regular(path: Path) -> None:
    """Raise OSError unless `path` is a regular file: a folder can't be read, and opening a FIFO would wait for ever."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def make_folder(folder: Path) -> None:
    """Make `folder` and what is missing above it, and wait until the names are on the disk. Raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


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


def hold(fd: int, wait: bool) -> bool:
    """Mark the open file as in use until `fd` is closed; False if another process (or descriptor) holds it.

    An advisory lock. Windows needs none: there an open file can't be renamed or removed.
    """
    return _lock(fd, exclusive=True, wait=wait)


if sys.platform == "win32":

    def rename_new(source: Path, target: Path) -> None:
        """Rename `source` to a name nobody has, whoever takes names at the same time. Raises FileExistsError, OSError."""
        os.rename(source, target)  # refuses a target that exists

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

    def rename_new(source: Path, target: Path) -> None:
        """Rename `source` to a name nobody has, whoever takes names at the same time. Raises FileExistsError, OSError."""
        try:
            os.link(source, target)  # os.rename would replace a file that came since anybody looked
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _rename_reserved(source, target)
        else:
            os.unlink(source)

    def _rename_reserved(source: Path, target: Path) -> None:
        """Rename where there are no hard links: what is replaced is an empty file of our own."""
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        try:
            os.replace(source, target)
        except BaseException:
            os.unlink(target)
            raise

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
