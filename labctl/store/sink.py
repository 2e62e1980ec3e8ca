"""A file HDF5 can write to without ever being told that the disk is full.

When a write fails, the HDF5 library can't close its objects any more and takes the whole process down with a segmentation
fault (h5py issue 914; reproduced with HDF5 2.0 in h5py 3.16, at whatever write the space ran out). So it
writes into this object, which keeps the first error, drops what comes after it, and raises the error once HDF5 is done.
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Event
from types import TracebackType

from labctl.store.shield import Stopped


class Sink:
    """A new file for ``h5py.File(sink, "w")``, synced to the disk when the ``with`` block ends without an error.

    A file of that name is replaced, not written into: it may be a run file's second name (a crash within files.rename_new).
    """

    def __init__(self, path: Path, stop: Event) -> None:
        path.unlink(missing_ok=True)
        self._file = path.open("xb+", buffering=0)
        self._stop = stop
        self._error: OSError | None = None

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
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """The present byte."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; h5py tells a file from a file name by this method."""
        return self._file.read(size)

    def readinto(self, buffer: memoryview) -> int:
        """Fill `buffer` from the file."""
        return self._file.readinto(buffer)

    def write(self, data: memoryview) -> int:
        """Write `data`, all of it as far as the caller can tell."""
        rest = memoryview(data)
        try:
            while rest and self._error is None:  # the system may take less than it was given
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._error = error
        return len(data)

    def truncate(self, size: int) -> int:
        """Set the file's length."""
        if self._error is None:
            try:
                return self._file.truncate(size)
            except OSError as error:
                self._error = error
        return size

    def flush(self) -> None:
        """Do nothing: the file has no buffer of its own."""
