"""A file HDF5 can write to without ever being told that the disk is full.

When a write fails, the HDF5 library can't close its objects any more and takes the whole process down with a segmentation
fault (h5py issue 914; reproduced with HDF5 2.0 in h5py 3.16, at whatever write the space ran out). So it writes into this
object, which keeps the first error, keeps what comes after it in memory, and raises the error once HDF5 is done. What was
written must come back when it is read: the library reads its own structures again, and crashes over zeros in their place, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from threading import Event
from types import TracebackType

from labctl.store.shield import Stopped

_PAGE = 4096  #: bytes kept together in memory


class Sink:
    """A new file for ``h5py.File(sink, "w")``, synced to the disk when the ``with`` block ends without an error.

    A file of that name is replaced, not written into: it may be a run file's second name (a crash within files.rename_new).
    """

    def __init__(self, path: Path, stop: Event) -> None:
        path.unlink(missing_ok=True)
        self._file = path.open("xb+", buffering=0)
        self._stop = stop
        self._error: OSError | None = None
        self._spilt: _Spilt | None = None  # from the first error on, what the disk did not take

    def check(self) -> None:
        """Raise the first OSError there was, if any, or Stopped if packing was called off."""
        if self._error is not None:
            raise self._error
        if self._stop.is_set():
            raise Stopped

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            self.check()
            if error is None:
                os.fsync(self._file.fileno())

    # -- what h5py's driver for Python files calls ------------------------------------------------------------------------
    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a byte."""
        return self._file.seek(offset, whence) if self._spilt is None else self._spilt.seek(offset, whence)

    def tell(self) -> int:
        """The present byte."""
        return self._file.tell() if self._spilt is None else self._spilt.position

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; h5py tells a file from a file name by this method."""
        buffer = bytearray(size)
        return bytes(buffer[: self.readinto(memoryview(buffer))])

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer` from the file."""
        return self._file.readinto(buffer) if self._spilt is None else self._spilt.readinto(memoryview(buffer))

    def write(self, data: memoryview) -> int:
        """Write `data`, all of it as far as the caller can tell."""
        rest = memoryview(data).cast("B")
        while rest and self._spilt is None:  # the system may take less than it was given
            try:
                rest = rest[self._file.write(rest) :]
            except OSError as error:
                self._fail(error)
        if self._spilt is not None:
            self._spilt.write(rest)
        return len(data)

    def truncate(self, size: int) -> int:
        """Set the file's length."""
        if self._spilt is None:
            try:
                return self._file.truncate(size)
            except OSError as error:
                self._fail(error)
        return size

    def flush(self) -> None:
        """Do nothing: the file has no buffer of its own."""

    def _fail(self, error: OSError) -> None:
        self._error = error
        self._spilt = _Spilt(self._file, self._file.tell())


class _Spilt:
    """The file as it would be: what is written from now on is kept in memory, in pages, and laid over what is on the disk."""

    def __init__(self, file: FileIO, position: int) -> None:
        self.position = position
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._pages: dict[int, bytearray] = {}

    def seek(self, offset: int, whence: int) -> int:
        """Move to a byte."""
        self.position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self._size}[whence]
        return self.position

    def write(self, data: memoryview) -> None:
        """Keep `data`."""
        for page, start, piece in self._pieces(data):
            self._page(page)[start : start + len(piece)] = piece
        self.position += len(data)
        self._size = max(self._size, self.position)

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer`; zeros where nothing was ever written."""
        for page, start, piece in self._pieces(buffer):
            piece[:] = self._page(page)[start : start + len(piece)]
        self.position += len(buffer)
        return len(buffer)

    def _pieces(self, data: memoryview) -> Iterator[tuple[int, int, memoryview]]:
        """`data` cut at the pages' borders, each piece with its page and where it begins in it."""
        place, done = self.position, 0
        while done < len(data):
            page, start = divmod(place + done, _PAGE)
            piece = data[done : done + _PAGE - start]
            yield page, start, piece
            done += len(piece)

    def _page(self, number: int) -> bytearray:
        if number not in self._pages:
            self._file.seek(number * _PAGE)
            there = self._file.read(_PAGE)
            self._pages[number] = bytearray(there.ljust(_PAGE, b"\0"))
        return self._pages[number]
