"""The journal of a run being recorded: a reserved name, a lock, and frames, each whole or not there."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import BinaryIO
from weakref import WeakSet

from labctl.store import files, frames
from labctl.store.errors import NameTaken, StoreError
from labctl.store.header import RunHeader
from labctl.store.heartbeat import Heartbeat
from labctl.store.mapped import Mapped
from labctl.store.written import Written

_log = logging.getLogger("labctl.store")


def journal_of(run_file: Path) -> Path:
    """Where the journal of a run file lies: beside it, ``.jrn``."""
    return run_file.with_suffix(".jrn")


_known: WeakSet[Journal] = WeakSet()  #: every journal of this process


def _leave_all_to_parent() -> None:
    for journal in list(_known):
        journal.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all_to_parent)


class Journal:
    """A journal open for writing. Making the object touches nothing; `claim` creates the file, `close` lets go of it.

    Frames go through `out`, from `start` on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: list[FileIO] = []  # one at most
        self._out: Written | None = None
        self._heart: Heartbeat | None = None
        _known.add(self)

    def leave_to_parent(self) -> None:
        """Close this process's descriptor of a journal that its parent writes: the lock must not outlive the parent."""
        if self._out is not None:
            self._out.close()  # mapped memory has a descriptor of its own
        for file in self._files:
            file.close()

    @property
    def out(self) -> Written:
        """What takes the frames. Raises StoreError before `start`."""
        if self._out is None:
            raise StoreError(f"{self.path} was not begun")
        return self._out

    @property
    def file(self) -> FileIO:
        """The open file. Raises StoreError before `claim`."""
        if not self._files:
            raise StoreError(f"{self.path} was not created")
        return self._files[0]

    def claim(self, run_file: Path) -> None:
        """Create the journal of `run_file` and hold it: the name is this run's from here on.

        Raises NameTaken if there is such a journal or run file, StoreError if the folder refuses.
        """
        try:
            # One step of the interpreter: no Ctrl-C comes between creating the file and knowing that it was created.
            self._files.extend(map(FileIO, [str(self.path)], ["x+"]))
            files.hold(self.file.fileno(), wait=True)
        except FileExistsError:
            raise NameTaken(_whose(self.path)) from None
        except OSError as error:
            raise StoreError(f"{self.path} can't be created: {error.strerror}") from error
        if not self.is_ours():  # a recovery found it empty before it was held, and removed it
            raise NameTaken(f"{self.path} was removed by a recovery just when it was created; start the run again")
        if os.path.lexists(run_file):  # asked last: a run that ends puts its file in place before its journal goes
            raise NameTaken(f"{run_file} exists; run files are never overwritten, choose another name")

    def start(self, data: bytes, row: frames.RowFormat, mapped: bool) -> None:
        """Write the first frames and wait until they and the file's name are on the disk. Raises StoreError.

        mapped: store rows in mapped memory where the file system is fit for that; else, and elsewhere, write them.
        """
        fd = self.file.fileno()
        ahead = files.keeps_room(fd)
        self._out = Mapped(fd, self.path, row) if mapped and ahead else Written(fd, self.path, row, ahead=ahead)
        self.out.start(data)
        self.out.sync()
        try:
            files.sync_folder(self.path.parent)
        except OSError as error:
            raise StoreError(f"{self.path.parent} can't be synced to the disk: {error.strerror}") from error

    def is_ours(self) -> bool:
        """Whether the name still names the file: not if that was deleted, moved or replaced. Raises StoreError."""
        try:
            return files.is_at(self.file.fileno(), self.path)
        except OSError as error:
            raise StoreError(f"{self.path} can't be looked at: {error.strerror}") from error

    def lost_name(self) -> str:
        """What to say of a journal whose name does not name it any more."""
        what = "replaced by another file" if os.path.lexists(self.path) else "deleted or moved away"
        return (
            f"the journal {self.path} was {what} while the run was being recorded{self._moved_to()}; nothing is lost, what was "
            "recorded goes into the run file now; leave a journal alone until its run has ended"
        )

    def reading(self) -> BinaryIO:
        """The whole file from its beginning, for reading, whatever its name is by now; to be closed. Raises OSError."""
        source = os.fdopen(os.dup(self.file.fileno()), "rb")
        source.seek(0)
        return source

    def beat(self, interval: float, clock: Callable[[], float]) -> None:
        """Write a sign of life now, and every `interval` s until it is closed: what `clock` says (s since 1970-01-01 UTC)."""
        self._heart = Heartbeat(self.file, interval, clock)
        self._heart.start()

    def cut(self) -> None:
        """Cut the file to its real size."""
        try:
            if self._out is not None:
                self._out.cut()
        except StoreError as error:  # no harm: readers can tell space from frames
            _log.warning("%s keeps the space it had taken ahead: %s", self.path, error)

    def close(self) -> None:
        """Let go of the file, cut to its real size. Harmless if that was done before."""
        if self._heart is not None:
            self._heart.stop()
        self.cut()
        if self._out is not None:
            self._out.close()
        for file in self._files:
            file.close()

    def discard(self) -> None:
        """Remove the file again, if it was created here, and let go of it."""
        try:
            if self._files and self.is_ours():
                if os.name == "nt":  # Windows removes no open file; elsewhere the name goes while it is still held
                    self.close()
                self.path.unlink(missing_ok=True)
        finally:
            self.close()

    def _moved_to(self) -> str:
        """Where it is now, as far as Linux tells (proc(5): the descriptor's link; " (deleted)" is added to a deleted one's)."""
        if not sys.platform.startswith("linux"):
            return ""
        try:
            place = os.readlink(f"/proc/self/fd/{self.file.fileno()}")
        except OSError:  # no /proc here
            return ""
        return "" if place.endswith(" (deleted)") else f" (it is {place} now; the run file makes it superfluous)"


def _whose(path: Path) -> str:
    """Say whose journal has the name `path`."""
    try:
        if not files.is_held(path):
            return f"{path} exists: a run of that name died; recover it first: labctl recover {path}"
    except OSError:  # just packed: the name is taken all the same
        return f"{path} exists: a run of that name is under way; choose another name"
    if not (who := _holder(path)):
        return f"{path} exists: a run of that name is under way; choose another name"
    return (
        f"{path} exists: a run of that name is under way, recorded by {who}; choose another name, or end that run first"
    )


def being_written(path: Path) -> str:
    """Say that the journal `path` is being written, and by whom as far as its header tells."""
    who = _holder(path)
    return f"{path} is still being written{f' by {who}' if who else ''}"


def _holder(path: Path) -> str:
    """Who writes a journal, "" where nobody can tell: it is just being created, or packed."""
    try:
        with path.open("rb") as file:
            first = next(iter(frames.Scan(file, str(path))), None)
        header = RunHeader.from_json(first.payload, str(path)) if first else None
    except (OSError, StoreError):
        header = None
    if header is None:
        return ""
    who = header.holder
    process = f"process {who['pid']}" if who.get("pid") else "another process"
    user = f" of {who['user']}" if who.get("user") else ""
    return f"{process}{user}{' on ' + str(who['host']) if who.get('host') else ''} since {header.start_time}"
