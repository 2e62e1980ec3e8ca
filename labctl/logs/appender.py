"""A text file that only grows, whole lines at a time, and is cut into compressed parts."""

from __future__ import annotations

import gzip
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

#: Bytes of a part before it is compressed: half a second of gzip's work on another processor (measured: 40 MB/s). A guess
#: between files an editor still opens and a folder full of them.
PART = 16 * 2**20
_FLAGS = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


class Appender:
    """A new file `path` that begins with the line `head`, as does every part after the first.

    When it has `part` bytes it becomes ``path.1``, the next one ``path.2``, and so on, each compressed (``.gz``) by a
    thread of its own. keep: parts kept beside the growing file, the oldest go first; None for all.
    Every method raises OSError if the disk refuses, FileExistsError if there is a file of that name; a line that could not
    be written whole is taken back.
    """

    def __init__(self, path: Path, head: str, part: int = PART, keep: int | None = None) -> None:
        self.path = path
        self._head, self._part, self._keep = head, part, keep
        self._number = 0  # of the last full part
        self._size, self._limit = 0, part
        self._packer: threading.Thread | None = None
        self._trouble: OSError | None = None  # of the thread
        self._fd: int | None = self._begin()

    def write(self, line: str) -> None:
        """Append `line`, which ends in a line feed and has no other."""
        if self._trouble is not None:
            trouble, self._trouble = self._trouble, None
            raise trouble
        if self._size >= self._limit:
            self._turn()
        self._append(line.encode("utf-8", "backslashreplace"))

    def close(self) -> None:
        """Close the file and wait for the last part to be compressed; harmless if that was done before."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)
        if self._packer is not None:
            self._packer.join()
        if self._trouble is not None:
            trouble, self._trouble = self._trouble, None
            raise trouble

    def _begin(self) -> int:
        self._fd = os.open(self.path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o666)
        self._size, self._limit = 0, self._part
        self._append(self._head.encode("utf-8", "backslashreplace"))
        return self._fd

    def _append(self, data: bytes) -> None:
        if self._fd is None:
            raise OSError("the log is closed")
        written = os.write(self._fd, data)
        if written < len(data):  # the disk became full in mid-line
            os.ftruncate(self._fd, self._size)
            raise OSError(f"only {written} of {len(data)} bytes could be written")
        self._size += written

    def _turn(self) -> None:
        """Make the full file a part and begin a new one."""
        full = self.path.with_name(f"{self.path.name}.{self._number + 1}")
        if full.exists():
            raise FileExistsError(f"{full} exists")
        assert self._fd is not None
        os.close(self._fd)
        self._fd = None
        try:
            os.rename(self.path, full)
        except PermissionError:  # Windows: somebody reads it; it goes on growing, and the next try is a part later
            self._fd = os.open(self.path, _FLAGS)
            self._limit += self._part
            return
        self._number += 1
        self._begin()
        self._pack(full)

    def _pack(self, full: Path) -> None:
        if self._packer is not None:
            self._packer.join()
        self._packer = threading.Thread(target=self._packed, args=(full, self._number), name=f"pack {full.name}")
        self._packer.start()

    def _packed(self, full: Path, number: int) -> None:
        try:
            compress(full)
            if self._keep is not None and (oldest := number - self._keep) > 0:
                self.path.with_name(f"{self.path.name}.{oldest}.gz").unlink(missing_ok=True)
        except OSError as error:  # the part stays as it is; told with the next line
            self._trouble = error


def compress(path: Path) -> Path:
    """Replace `path` by ``path.gz``, which appears under that name only when it is whole. Raises OSError."""
    packed = path.with_name(f"{path.name}.gz")
    temporary = path.with_name(f"{path.name}.gz~")
    try:
        with path.open("rb") as source, temporary.open("xb") as target, gzip.GzipFile("", "wb", 6, target, 0) as file:
            shutil.copyfileobj(source, file, 2**20)
        os.replace(temporary, packed)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    path.unlink()
    return packed


class Log:
    """An `Appender` that ends no run: `trouble` is told the first error, with the log's name; after it nothing is written."""

    def __init__(self, name: str, trouble: Callable[[str, Exception], None]) -> None:
        self.name = name
        self._trouble = trouble
        self._file: Appender | None = None
        self._lock = threading.RLock()  # Python's logging may come from any thread

    def open(self, path: Path, head: str, part: int = PART, keep: int | None = None) -> None:
        """Begin the file."""
        self._try(lambda: self._opened(Appender(path, head, part, keep)))

    def write(self, make: Callable[[], str]) -> None:
        """Append the lines that `make` returns, each ending in a line feed."""
        if self._file is not None:
            self._try(lambda: self._write(make()))

    def put(self, text: str) -> None:
        """Append lines that are made already; as `write`, by a shorter way: there is one for every message."""
        if self._file is not None:
            try:
                with self._lock:
                    self._write(text)
            except Exception as error:  # noqa: BLE001 - as in _try
                self._give_up(error)

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            self._try(file.close)

    def _opened(self, file: Appender) -> None:
        self._file = file

    def _write(self, text: str) -> None:
        if self._file is not None:  # another thread may have closed it just now
            self._file.write(text)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            with self._lock:
                action()
        except Exception as error:  # noqa: BLE001 - a full disk, a detail no words are found for: told, and no reason to stop
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        file, self._file = self._file, None
        self._trouble(self.name, error)
        if file is not None:
            self._abandon(file)

    def _abandon(self, file: Appender) -> None:
        try:
            file.close()
        except OSError as second:
            self._trouble(self.name, second)
