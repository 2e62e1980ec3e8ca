"""What the operating systems do differently: opening, syncing, locking and putting a file in its place."""

from __future__ import annotations

import errno
import os
import stat
import sys
from io import FileIO
from pathlib import Path

#: A file system without locks (some network mounts): the run goes on without, as it does on Windows.
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF, errno.ENOSYS}
#: A file system without hard links: EPERM by link(2) of the Linux manual; the others as network and FUSE ones answer (guess).
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
#: File systems on which space that fallocate gave stays given, so that writing through a map can't meet a full disk (which
#: would be SIGBUS): ext4 and XFS write in place, tmpfs gives the pages at once. Those that copy on write (btrfs, ZFS) promise
#: nothing of the kind, network ones don't share maps between machines. By fallocate(2) and the kernel's documentation.
_KEEPS_ROOM = {"ext4", "xfs", "tmpfs"}
_MOUNTS = Path("/proc/self/mountinfo")  # proc(5): device numbers are field 3, the type is the first one after "-"


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


def is_at(fd: int, path: Path) -> bool:
    """Whether `path` names the open file: not if it was deleted, moved or replaced. Raises OSError other than not found."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except (FileNotFoundError, NotADirectoryError):
        return False


def hold(fd: int, wait: bool) -> bool:
    """Mark the open file as in use until `fd` is closed; False if another process (or descriptor) holds it.

    An advisory lock. Windows needs none: there an open file can't be renamed or removed.
    """
    return _lock(fd, exclusive=True, wait=wait)


if sys.platform == "win32":

    def write_at(fd: int, data: bytes | memoryview, offset: int) -> int:
        """Write `data` at a byte of the file; returns how many bytes were taken. Raises OSError."""
        os.lseek(fd, offset, os.SEEK_SET)
        return os.write(fd, data)

    def stamp(file: FileIO, data: bytes, offset: int) -> None:
        """Write a few bytes while another thread may be writing elsewhere in the file. Raises OSError."""
        with open(str(file.name), "r+b", buffering=0) as other:  # a position of its own; no open file is moved there
            other.seek(offset)
            other.write(data)

    def keeps_room(fd: int) -> bool:
        """Whether space can be taken ahead, for good, and be mapped."""
        return False

    def take_room(fd: int, start: int, size: int) -> None:
        """Take `size` bytes of the disk's space from a byte of the file on; they read as zeros. Raises OSError."""
        raise OSError(errno.ENOTSUP, "no space is taken ahead on Windows")

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

    def write_at(fd: int, data: bytes | memoryview, offset: int) -> int:
        """Write `data` at a byte of the file; returns how many bytes were taken. Raises OSError."""
        return os.pwrite(fd, data, offset)

    def stamp(file: FileIO, data: bytes, offset: int) -> None:
        """Write a few bytes while another thread may be writing elsewhere in the file. Raises OSError."""
        os.pwrite(file.fileno(), data, offset)

    def keeps_room(fd: int) -> bool:
        """Whether space can be taken ahead, for good, and be mapped: `_KEEPS_ROOM`; not where that can't be known."""
        device = os.fstat(fd).st_dev
        numbers = f"{os.major(device)}:{os.minor(device)}"
        try:
            lines = [line.split() for line in _MOUNTS.read_text("utf-8", "replace").splitlines()]
        except OSError:  # no such list outside Linux
            return False
        return any(line[2] == numbers and line[line.index("-") + 1] in _KEEPS_ROOM for line in lines)

    def take_room(fd: int, start: int, size: int) -> None:
        """Take `size` bytes of the disk's space from a byte of the file on; they read as zeros. Raises OSError."""
        os.posix_fallocate(fd, start, size)

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
