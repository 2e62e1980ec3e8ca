"""Frames written to a journal by the system, one write each: for every file system, and for Windows."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from labctl.store import files, frames
from labctl.store.errors import StoreError

#: Bytes of space taken ahead that only the end of a run may use: a full disk must not keep a run from saying how it ended.
#: A traceback and a reason take a few thousand; a guess.
RESERVE = 2**16
#: Bytes of space taken ahead at a time: as much as there is already, between these two (guesses: short runs waste little, in
#: long ones taking space costs nothing that could be measured).
_LEAST, _MOST = 2**18, 2**22
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) if hasattr(errno, "EDQUOT") else (errno.ENOSPC, errno.EFBIG)


class Written:
    """The frames of an open journal, each handed to the system by one write before the call returns.

    An exception at any moment, KeyboardInterrupt too, leaves it consistent: what was not written whole is cut off by the
    next write, and skipped by readers. `mapped.Mapped` does the same without a system call.
    """

    def __init__(self, fd: int, path: Path, row: frames.RowFormat, size: int = 0, *, ahead: bool = False) -> None:
        self.path = path
        self.size = size  #: bytes of whole frames
        self._fd: int | None = fd
        self._row = row
        self._ahead = ahead  # whether space is taken ahead
        #: Byte up to which there is space, the reserve not counted; infinite as long as, and where, none is taken ahead.
        self._room = float("inf")
        self._torn = False  # there may be a piece of a frame after `size`
        self._begun = False

    def frame(self, tag: bytes, time: float, payload: bytes, rows: int = 0) -> None:
        """Append a frame. time: s since the start of the run. Raises StoreError if the disk refuses."""
        self._append(frames.encode(tag, time, payload, rows), reserve=tag == frames.END)

    def row(self, time: float, values: tuple[float, ...]) -> None:
        """Append a frame of one row. Raises struct.error for what is no number of the column's kind, StoreError."""
        self._append(self._row.encode(time, values))

    def start(self, data: bytes) -> None:
        """Write what comes before all frames and the first ones, and see to space for more. Raises StoreError."""
        self._append(data)
        if self._ahead:  # only now: a file of zeros is no journal
            self._take_room(self.size)
        self._begun = True

    def sync(self) -> None:
        """Wait until everything appended is on the disk. Raises StoreError."""
        try:
            files.sync_data(self.descriptor())
        except OSError as error:
            raise StoreError(f"{self.path} can't be synced to the disk: {error.strerror}") from error

    def descriptor(self) -> int:
        """The open file. Raises StoreError once it is closed."""
        if self._fd is None:
            raise StoreError(f"{self.path} is closed; nothing more can be recorded in this run")
        return self._fd

    def cut(self) -> None:
        """Give back the space after the last frame, and a piece of one, if there is either; once closed do nothing.

        Raises StoreError.
        """
        if self._fd is not None and (self._torn or self._ahead):
            self._cut_back(self._fd)

    def close(self) -> None:
        """Take nothing more. The file itself stays open."""
        self._fd, self._room = None, -1

    # -- how -----------------------------------------------------------------------------------------------------------
    def _append(self, data: bytes, reserve: bool = False) -> None:
        """Write `data` after the last frame. reserve: it may use the space kept for the end."""
        fd, end = self.descriptor(), self.size + len(data)
        if self._torn:
            self._cut_back(fd)
        if end > self._room and not (reserve and end <= self._room + RESERVE):
            self._take_room(end)
        self._torn = True  # until all of it is there, whatever ends this
        try:
            self._put(fd, data)
        except OSError as error:
            raise self._refused(fd, error) from error
        self.size = end
        self._torn = False

    def _put(self, fd: int, data: bytes) -> None:
        write_all(fd, data, self.size)

    def _take_room(self, end: int) -> None:
        """Take space up to `end` and some more, and the reserve. Raises StoreError."""
        fd = self.descriptor()
        if not self._ahead:
            return
        room = end + min(max(self.size, _LEAST), _MOST)
        try:
            files.take_room(fd, self.size, room + RESERVE - self.size)
        except OSError as error:
            raise StoreError(self._says(error)) from error
        self._room = room

    def _refused(self, fd: int, error: OSError) -> StoreError:
        try:
            self._cut_back(fd)
        except StoreError:
            return StoreError(self._says(error, ", followed by a piece of a frame that readers skip"))
        return StoreError(self._says(error))

    def _says(self, error: OSError, piece: str = "") -> str:
        kept = f"what was recorded before is safe in it{piece}" if self._begun else "the run was not begun"
        why = f"{self.path} can't be written: {error.strerror or error}; {kept}"
        return f"{why}; free some space on that disk" if error.errno in _FULL else why

    def _cut_back(self, fd: int) -> None:
        try:
            os.ftruncate(fd, self.size)
        except OSError as error:
            raise StoreError(f"{self.path} can't be cut back to its last frame: {error.strerror}") from error
        if self._ahead:
            self._room = self.size - RESERVE
        self._torn = False


def write_all(fd: int, data: bytes | memoryview, at: int) -> None:
    """Write all of `data` at a byte of the file, in as many pieces as the system takes. Raises OSError."""
    while (written := files.write_at(fd, data, at)) != len(data):
        if written == 0:
            raise OSError("the system takes no more bytes")
        data, at = memoryview(data)[written:], at + written
