"""The journal of a run being recorded: a reserved name, then frames, each whole or cut off again."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path

from labctl.store import files
from labctl.store.errors import NameTaken, StoreError


def journal_of(run_file: Path) -> Path:
    """Where the journal of a run file lies: beside it, ``.jrn``."""
    return run_file.with_suffix(".jrn")


class Journal:
    """A journal open for writing. Making the object touches nothing; `claim` creates the file, `close` lets go of it.

    An exception at any moment, KeyboardInterrupt too, leaves it consistent: what was not written whole is cut off by the
    next write, and skipped by readers.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0  #: bytes of whole frames
        self._torn = False  # there may be a piece of a frame after them
        self._files: list[FileIO] = []  # one at most
        self._fd: int | None = None

    def claim(self, run_file: Path) -> None:
        """Create the journal of `run_file` and hold it: the name is this run's from here on.

        Raises NameTaken if there is such a journal or run file, StoreError if the folder refuses.
        """
        try:
            # One step of the interpreter: no Ctrl-C comes between creating the file and knowing that it was created.
            self._files.extend(map(FileIO, [str(self.path)], ["x"]))
            self._fd = self._files[0].fileno()
            files.hold(self._fd, wait=True)
        except FileExistsError:
            raise NameTaken(f"{self.path} exists: a run of that name is under way or died; recover it first") from None
        except OSError as error:
            raise StoreError(f"{self.path} can't be created: {error.strerror}") from error
        if not self._is_ours():  # a recovery found it empty before it was held, and removed it
            raise NameTaken(f"{self.path} was removed by a recovery just when it was created; start the run again")
        if os.path.lexists(run_file):  # asked last: a run that ends puts its file in place before its journal goes
            raise NameTaken(f"{run_file} exists; run files are never overwritten, choose another name")

    def start(self, data: bytes) -> None:
        """Write the first frames and wait until they and the file's name are on the disk. Raises StoreError."""
        self.write(data)
        self.sync()
        try:
            files.sync_folder(self.path.parent)
        except OSError as error:
            raise StoreError(f"{self.path.parent} can't be synced to the disk: {error.strerror}") from error

    def write(self, data: bytes) -> None:
        """Append whole frames, by one write of the system if it takes them all. Raises StoreError if the disk refuses."""
        fd = self._fd if self._fd is not None else self.descriptor()
        if self._torn:
            self._cut_back(fd)
        self._torn = True  # until all of it is there, whatever ends this
        rest: bytes | memoryview = data
        try:
            while (written := os.write(fd, rest)) != len(rest):
                rest = memoryview(rest)[_some(written) :]
        except OSError as error:
            raise self._refused(fd, error) from error
        self.size += len(data)
        self._torn = False

    def sync(self) -> None:
        """Wait until everything written is on the disk. Raises StoreError."""
        try:
            files.sync_data(self.descriptor())
        except OSError as error:
            raise StoreError(f"{self.path} can't be synced to the disk: {error.strerror}") from error

    def descriptor(self) -> int:
        """The open file. Raises StoreError once it is closed."""
        if self._fd is None:
            raise StoreError(f"{self.path} is closed; nothing more can be recorded in this run")
        return self._fd

    def close(self) -> None:
        """Let go of the file. Harmless if that was done before."""
        self._fd = None
        for file in self._files:
            file.close()

    def discard(self) -> None:
        """Remove the file again, if it was created here, and let go of it."""
        try:
            if self._files and self._is_ours():
                if os.name == "nt":  # Windows removes no open file; elsewhere the name goes while it is still held
                    self.close()
                self.path.unlink(missing_ok=True)
        finally:
            self.close()

    def _is_ours(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._files[0].fileno()), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _refused(self, fd: int, error: OSError) -> StoreError:
        message = f"{self.path} can't be written: {error.strerror or error}; what was recorded before is safe in it"
        try:
            self._cut_back(fd)
        except StoreError:
            return StoreError(f"{message}, followed by a piece of a frame that readers skip")
        return StoreError(message)

    def _cut_back(self, fd: int) -> None:
        try:
            os.ftruncate(fd, self.size)
            os.lseek(fd, self.size, os.SEEK_SET)
        except OSError as error:
            raise StoreError(f"{self.path} can't be cut back to its last frame: {error.strerror}") from error
        self._torn = False


def _some(written: int) -> int:
    if written == 0:
        raise OSError("the system takes no more bytes")
    return written
