"""Locks on real instruments: one program at a time, and whoever comes second is told who has it.

A lock is a file in a folder of this machine, one for each VISA resource, held by the operating system: the hold ends with the
process, however it ends, so what a dead program left in the file is no obstacle. Inside is one line of JSON about the
holder. A lock is not seen from another computer, and an instrument that is reached by two names (GPIB and Ethernet) has two.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import stat
import sys
import weakref
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labctl.errors import UsageError

#: The folder of the locks, instead of the machine's own; everybody who measures here must use the same.
VARIABLE = "LABCTL_LOCKS"
#: Byte that is locked: far beyond the text, which Windows would else keep others from reading. A guess, below 2**31.
_BYTE = 2**30
_LONGEST = 4096  #: bytes read of a holder's line; a guess, above what `_write` can write
_COMMAND = 300  #: characters kept of a command line; a guess
_TRIES = 10  #: times a lock file may vanish (a cleaner of temporary files) while it is being taken; a guess


class InUse(UsageError):
    """Another program holds the instrument; the message says who."""


class Lock:
    """The hold on one resource, from `take` to `release`; it also ends with the process.

    inherited: who had it when the last holder's process died with it, None if that one let go.
    """

    def __init__(self, path: Path, fd: int, inherited: str | None) -> None:
        self.path = path
        self.inherited = inherited
        self._fd: int | None = fd
        _held.add(self)

    def release(self) -> None:
        """Let go; harmless if that was done before. The file stays, empty: removing it could take away another's lock."""
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(OSError):  # the text is for people; closing is what lets go
                os.ftruncate(fd, 0)
            os.close(fd)

    def __del__(self) -> None:
        """Let go: whoever lost the lock can't."""
        self.release()

    def forget(self) -> None:
        """Close the descriptor that a fork has copied into this process: its parent holds the lock, this one does not."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)


_held: weakref.WeakSet[Lock] = weakref.WeakSet()


def take(resource: str, holder: Mapping[str, Any]) -> Lock:
    """Lock `resource` for this program, told to others as `holder`: "pid", "user", "host", "since" (ISO 8601), "command".

    Raises InUse saying who has it, UsageError if this machine gives no locks.
    """
    path = _path(resource)
    for _ in range(_TRIES):
        fd = _open(path)
        try:
            if not _lock(fd, path):
                raise InUse(f"{resource} is in use by {_who(_read(fd))}; end that first")  # also by this very program
            if _is_at(fd, path):
                before = _read(fd)
                _write(fd, holder)
                return Lock(path, fd, _who(before) if before else None)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
    raise UsageError(f"{path} vanishes again and again; set {VARIABLE} to a folder nobody cleans up")


def holder_of(resource: str) -> str | None:
    """Who holds `resource` now, in words; None if nobody does. Raises UsageError if this machine gives no locks."""
    path = _path(resource)
    if not path.exists():
        return None
    fd = _open(path)
    try:
        return None if _lock(fd, path) else _who(_read(fd))
    finally:
        os.close(fd)


# -- the file ---------------------------------------------------------------------------------------------------------
def folder() -> Path:
    """Where the locks of this machine lie: one place for all its users."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    if sys.platform == "win32":
        import platformdirs

        return platformdirs.site_data_path("labctl", appauthor=False) / "locks"
    return Path("/tmp/labctl-locks")  # not TMPDIR, which is each user's own on some systems


def _path(resource: str) -> Path:
    """The lock's file: readable, and by its checksum one for each name."""
    name = resource.strip().upper()
    readable = re.sub(r"[^A-Z0-9]+", "-", name).strip("-")[:80]
    return folder() / f"{readable}-{zlib.crc32(name.encode('utf-8', 'backslashreplace')):08x}.lock"


def _open(path: Path) -> int:
    """Open or make the file, which anybody may then open. Raises UsageError, also for a link or anything but a file."""
    try:
        _make_folder(path.parent)
        fd = _opened(path)
    except OSError as error:
        raise UsageError(
            f"{path} can't be opened ({error.strerror}); set {VARIABLE} to a folder all may write"
        ) from error
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise UsageError(f"{path} is no regular file; remove it, or set {VARIABLE} to another folder")


def _make_folder(path: Path) -> None:
    if path.is_dir():
        return
    path.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(PermissionError):  # made by somebody else just now
        path.chmod(0o1777)  # as /tmp: all may lock, nobody removes another's file


def _opened(path: Path) -> int:
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:  # without O_CREAT first: Linux refuses that on another's file in such a folder (fs.protected_regular)
        return os.open(path, flags)
    except FileNotFoundError:
        pass
    try:
        fd = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:  # another program has just made it
        return os.open(path, flags)
    if hasattr(os, "fchmod"):
        os.fchmod(fd, 0o666)  # whatever the umask
    return fd


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _write(fd: int, holder: Mapping[str, Any]) -> None:
    line = json.dumps({**holder, "command": str(holder.get("command", ""))[:_COMMAND]})
    with contextlib.suppress(OSError):  # a full disk: it is held all the same, others only don't learn by whom
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
        os.write(fd, line.encode("ascii") + b"\n")


def _read(fd: int) -> bytes:
    os.lseek(fd, 0, os.SEEK_SET)
    return os.read(fd, _LONGEST)


def _who(line: bytes) -> str:
    """The holder in words: ``pid 4711 (anna on bench-2) since 2026-11-24 09:30: labctl run ...``."""
    try:
        data = json.loads(line)
        known = {name: _plain(data[name]) for name in ("pid", "user", "host", "since", "command")}
    except (ValueError, KeyError, TypeError, RecursionError):  # just taken, or written by something else
        return "a program that has not said its name"
    since = known["since"][:16].replace("T", " ")
    return f"pid {known['pid']} ({known['user']} on {known['host']}) since {since}: {known['command']}"


def _plain(value: object) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))


# -- the operating systems ----------------------------------------------------------------------------------------------
if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int, path: Path) -> bool:
        os.lseek(fd, _BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EDEADLK):
                return False
            raise UsageError(f"{path} can't be locked ({error.strerror}); set {VARIABLE} to a local folder") from error
        return True

else:
    import fcntl

    def _lock(fd: int, path: Path) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise UsageError(f"{path} can't be locked ({error.strerror}); set {VARIABLE} to a local folder") from error
        return True

    def _forget_all() -> None:
        for lock in list(_held):
            lock.forget()

    os.register_at_fork(after_in_child=_forget_all)
