"""Frames put into a journal through memory that is the file: no system call a row, and still safe from SIGKILL.

Pages of a shared map belong to the system, not to the process: what was stored in them outlives it. A frame's tag is stored
after everything else of it, so a frame that death cuts short has a tag of zeros, which is where readers stop. (Within one
process the stores happen in that order; a reader on another processor that sees them in another one finds a wrong checksum, and
stops there too.) Nobody else may shorten the file meanwhile: storing beyond its end would end the process (SIGBUS).
"""

from __future__ import annotations

import mmap
import zlib
from pathlib import Path
from typing import NamedTuple

from labctl.store import frames
from labctl.store.errors import StoreError
from labctl.store.written import Written, write_all

#: Bytes of a frame from which a write of the system is the quicker way: a fresh page of a map costs a page fault (measured on
#: ext4, Linux 6.18: 1000 bytes 1.2 us by map and 1.4 us by write, 4000 bytes 4.2 and 3.2 us, 40 000 bytes 38 and 13 us).
_LARGE = 2048
_TAG, _ROWS, _crc32 = frames.TAG_SIZE, frames.ROWS, zlib.crc32


class _Window(NamedTuple):
    """A piece of the file in memory: bytes `first` to `end` (what frames may use of it)."""

    area: mmap.mmap
    first: int
    end: int


_NO_WINDOW = _Window(mmap.mmap(-1, 1), 0, -1)  # no frame fits into it


class Mapped(Written):
    """As Written, but small frames are stored in mapped memory. The file must be open for reading too."""

    def __init__(self, fd: int, path: Path, row: frames.RowFormat, size: int = 0) -> None:
        super().__init__(fd, path, row, size, ahead=True)
        self._window = _NO_WINDOW
        self._covered, self._rest, self._whole, self._length = (
            row.covered.pack,
            row.rest.pack_into,
            row.size,
            row.length,
        )

    def row(self, time: float, values: tuple[float, ...]) -> None:
        """Append a frame of one row. Raises struct.error for what is no number of the column's kind, StoreError."""
        length = self._length
        checksum = _crc32(self._covered(_ROWS, length, time, 1, *values))
        start = self.size
        end = start + self._whole
        area, first, room = self._window
        if end > room or self._torn:
            area, first = self._open(end)
        self._torn = True
        at = start - first
        self._rest(area, at + 4, length, time, 1, checksum, *values)
        area[at : at + 4] = _ROWS
        self.size = end
        self._torn = False

    def frame(self, tag: bytes, time: float, payload: bytes, rows: int = 0) -> None:
        """Append a frame. time: s since the start of the run. Raises StoreError if the disk refuses."""
        if len(payload) > _LARGE or tag == frames.END:  # the end may use the reserve, which is no part of a window
            return super().frame(tag, time, payload, rows)
        data = frames.encode(tag, time, payload, rows)
        end = self.size + len(data)
        area, first, room = self._window
        if end > room or self._torn:
            area, first = self._open(end)
        self._torn = True
        at = self.size - first
        area[at + _TAG : at + frames.HEAD_SIZE] = data[_TAG : frames.HEAD_SIZE]  # its length first: readers look at it
        area[at + frames.HEAD_SIZE : end - first] = payload
        area[at : at + _TAG] = tag
        self.size = end
        self._torn = False
        return None

    def close(self) -> None:
        """Take nothing more. The file itself stays open."""
        self._drop()
        super().close()

    # -- how -----------------------------------------------------------------------------------------------------------
    def _put(self, fd: int, data: bytes) -> None:
        if self.size == 0:  # the preamble has no tag, and its magic must be there first
            return super()._put(fd, data)
        write_all(fd, memoryview(data)[_TAG:], self.size + _TAG)
        write_all(fd, data[:_TAG], self.size)
        return None

    def _open(self, end: int) -> tuple[mmap.mmap, int]:
        """A window with room up to `end`: (memory, its first byte in the file). Raises StoreError."""
        fd = self.descriptor()
        if self._torn:
            self._cut_back(fd)
        if end > self._room:
            self._take_room(end)
        self._drop()
        room, first = int(self._room), self.size // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
        try:
            area = mmap.mmap(fd, room - first, offset=first)
            self._window = _Window(area, first, room)
        except (OSError, ValueError) as error:
            raise StoreError(
                f"{self.path} can't be mapped into memory: {error}; what was recorded is safe in it"
            ) from error
        self._torn = False
        return area, first

    def _cut_back(self, fd: int) -> None:
        self._drop()  # memory beyond the end of the file must not be touched
        super()._cut_back(fd)

    def _drop(self) -> None:
        """Let go of the window: by name, because its copy of the descriptor would keep the journal held."""
        self._torn = True  # should an interrupt come here, the next write makes a new one
        self._window.area.close()
        self._window = _NO_WINDOW
