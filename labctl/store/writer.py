"""Write a run while it happens: an append-only journal, packed into the run file when the run ends."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import Block
from labctl.store import files, frames, values
from labctl.store.errors import NameTaken, StoreError
from labctl.store.header import RunHeader, parse_time
from labctl.store.journal import Journal, journal_of
from labctl.store.model import CLOSED, OUTCOMES
from labctl.store.recovery import pack_in_place, rescue
from labctl.store.replay import later
from labctl.store.shield import shielded

_WORD = 8  # bytes a value takes
#: Bytes of a run file's name without its ending; leaves room for a number, ``.jrn.damaged`` and another number in the 255 that
#: Linux (NAME_MAX, limits.h) and Windows allow.
LONGEST_STEM = 230
_NAMES = 10_000  #: names tried for a run that numbers itself; a guess: more means that something else is wrong
_bytes = np.ndarray.tobytes  #: as a function: what a subclass makes of it (masked arrays fill in values) is not asked


class RunWriter:
    """A run being recorded; made by `create`. It is the run's Recorder (labctl.contracts) and is used from one thread.

    A block, stimulus, outcome or event is one frame, handed to the operating system by one write before the call
    returns: it survives the death of this process. It survives a power cut from the next sync on, which comes with every
    stimulus, with the first frame `sync_interval` seconds or more after the last sync, and at the end.
    Every method raises StoreError if the disk refuses; the journal is then cut back to its last good frame. After that, and
    after any other exception in a method, `finish` still ends the run in order.
    """

    def __init__(
        self, path: Path, journal: Journal, header: RunHeader, clock: Callable[[], float], sync_interval: float
    ) -> None:
        self.path = path  #: the run file, with the number it got; once finished, where it is
        self.header = header
        self.rows = 0  #: rows so far, provisional ones too
        self._journal = journal
        self._clock, self._interval = clock, sync_interval
        self._start, self._synced = clock(), 0.0
        self._provisional = 0  # rows a final block would replace
        self._open_notes: set[int] = set()
        self._last_note = 0
        self._ending = False
        self._wire = {column.name: np.dtype(column.dtype).newbyteorder("<") for column in header.columns}
        self._row = _WORD * len(self._wire)
        # NumPy has one object for each native dtype: a column with that very object needs no cast (unless big-endian)
        self._dtypes = [(name, np.dtype(wire.name) if wire.isnative else None) for name, wire in self._wire.items()]

    @classmethod
    def create(
        cls,
        path_h5: Path,
        header: RunHeader,
        *,
        unique: bool = False,
        sync_interval: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> RunWriter:
        """Start the journal beside `path_h5` (same name, ``.jrn``), making its folder if need be.

        unique: where the name is taken, take ``name.2.h5`` and so on instead of refusing; `path` says which.
        sync_interval: s by `clock` between syncs to the disk, math.inf for one at the end only (a virtual clock that
        leaps would else sync with every block). Raises NameTaken if a run file or journal of that name exists, StoreError.
        """
        path = _usable(Path(path_h5))
        if math.isnan(sync_interval) or sync_interval < 0:
            raise StoreError(f"sync_interval = {sync_interval} s must be 0 s or more")
        for number in range(1, _NAMES if unique else 2):
            candidate = path if number == 1 else path.with_name(f"{path.stem}.{number}.h5")
            try:
                return cls._begin(candidate, header, clock, sync_interval)
            except NameTaken:
                if not unique:
                    raise
        raise NameTaken(f"{path} and {_NAMES} numbered names beside it exist; choose another name")

    @classmethod
    def _begin(cls, path: Path, header: RunHeader, clock: Callable[[], float], sync_interval: float) -> RunWriter:
        journal = Journal(journal_of(path))
        try:
            journal.claim(path)
            writer = cls(path, journal, header, clock, sync_interval)
            journal.start(frames.preamble() + frames.encode(frames.HEAD, 0.0, header.to_json().encode("ascii")))
        except BaseException:
            journal.discard()
            raise
        return writer

    def append(self, block: Block) -> None:
        """Add the rows of `block`, all of the header's columns; a final block replaces provisional rows before it.

        A block without rows changes nothing. Raises StoreError naming a column that is missing, unknown, or holds
        values its dtype can't hold exactly (float64 takes any integer).
        """
        columns, cast = block.columns, self._cast
        if len(columns) != len(self._wire):
            raise StoreError(self._wrong_columns(block))
        try:
            payload = b"".join([_bytes(c) if (c := columns[n]).dtype is t else cast(c, n) for n, t in self._dtypes])
        except KeyError:
            raise StoreError(self._wrong_columns(block)) from None
        rows = len(payload) // self._row
        if rows == 0:
            return
        now = self._write(frames.PROVISIONAL if block.provisional else frames.ROWS, payload, rows)
        if block.provisional:
            self._provisional += rows
        elif self._provisional:
            self.rows, self._provisional = self.rows - self._provisional, 0
        self.rows += rows
        if now - self._synced >= self._interval:
            self.sync()

    def stimulus(self, kind: str, details: Mapping[str, Any]) -> int:
        """Note what is about to be applied and return the note's number, from 1, higher each time; it is on the disk then.

        That takes a few ms (measured: median 4 ms on ext4 on a virtual disk; 0.06 ms without). With an infinite
        `sync_interval` it has only left this process. Provisional rows before it are kept: no later
        block replaces them.
        """
        self._last_note = number = self._last_note + 1  # at first: an interrupt must not let two notes share a number
        self._note(frames.STIMULUS, id=number, kind=values.clean(kind), row=self.rows, details=dict(details))
        self._open_notes.add(number)
        self._provisional = 0
        if self._interval < math.inf:
            self.sync()  # a power cut must not leave a pulse on the cell that nobody knows of
        return number

    def outcome(self, note: int, outcome: str, details: Mapping[str, Any] | None = None) -> None:
        """Close the stimulus `note` as "done", "aborted" or "failed", once; provisional rows before it are kept."""
        if note not in self._open_notes or outcome not in OUTCOMES:
            raise StoreError(f"can't close stimulus {note} as {outcome!r}: open are {sorted(self._open_notes)}")
        closed = dict(details) if details is not None else None
        now = self._note(frames.OUTCOME, id=note, outcome=outcome, row=self.rows, details=closed)
        self._open_notes.remove(note)
        self._provisional = 0
        self._sync_if_due(now)

    def event(self, kind: str, details: Mapping[str, Any]) -> None:
        """Note anything else worth keeping with the run."""
        self._sync_if_due(self._note(frames.EVENT, kind=values.clean(kind), row=self.rows, details=dict(details)))

    def sync(self) -> None:
        """Wait until everything so far is on the disk."""
        self._journal.sync()
        self._synced = self._clock() - self._start

    def finish(self, state: str, reason: str = "", traceback: str = "", end_time: str = "") -> Path:
        """Close the run as "finished", "aborted" or "failed", pack it, and return the run file; once, at any time.

        end_time: ISO 8601 with offset; "" for start_time plus what the clock says. The name differs from the one asked
        for (``run.1.h5``) if that was taken meanwhile. The journal goes once the run file is in place. If packing fails it
        stays, with the run's end in it, and `recover` packs it later: StoreError says so. A first Ctrl-C changes nothing; a
        second one gives up packing, and KeyboardInterrupt has the same advice as a note.
        """
        try:
            return shielded(lambda stop: self._finish(stop, state, reason, traceback, end_time))
        except BaseException as error:
            said = isinstance(error, StoreError) and (not self._ending or "labctl recover" in str(error))
            if not said and self._journal.path.exists():
                error.add_note(rescue(self._journal.path))
            raise

    def close(self) -> None:
        """Let go of the journal without ending the run; it stays as if the program had died. Harmless after `finish`."""
        if not self._ending:  # else the journal is let go of by whoever packs it
            self._journal.close()

    # -- how -----------------------------------------------------------------------------------------------------------
    def _finish(self, stop: Event, state: str, reason: str, traceback: str, end_time: str) -> Path:
        if state not in CLOSED:
            raise StoreError(f"a run can't end as {state!r}; choose {', '.join(CLOSED)}")
        end_time = end_time or later(self.header.start_time, self._clock() - self._start)
        parse_time(end_time, "end_time")
        self._journal.descriptor()
        if self._ending:
            raise StoreError(f"{self._journal.path} is being packed; a run is finished once")
        self._ending = True
        texts = {"reason": values.clean(reason), "traceback": values.clean(traceback)}
        try:
            self._note(frames.END, state=state, end_time=end_time, **texts)
            self.sync()
            self.path = pack_in_place(self._journal.path, self.path, self._journal.close, stop)
        finally:
            self._journal.close()
        return self.path

    def _note(self, tag: bytes, **data: Any) -> float:
        return self._write(tag, values.dumps(data).encode("ascii"))

    def _write(self, tag: bytes, payload: bytes, rows: int = 0) -> float:
        """Write a frame and return its time. Syncing comes later, when the writer's own counts are right again."""
        now = self._clock() - self._start
        self._journal.write(frames.encode(tag, now, payload, rows))
        return now

    def _sync_if_due(self, now: float) -> None:
        if now - self._synced >= self._interval:
            self.sync()

    def _cast(self, given: NDArray[Any], name: str) -> bytes:
        """The values of column `name` as bytes of its 8-byte type."""
        array, wire = np.asarray(given), self._wire[name]
        if array.dtype == wire:
            return array.tobytes()
        if array.dtype.kind not in "iufb":
            raise StoreError(f"column {name!r} must be {wire.name}; {array.dtype} can't be cast to it")
        with np.errstate(invalid="ignore"):  # NaN to an integer is found by the comparison
            cast = array.astype(wire)
        if wire.kind == "i" and not np.array_equal(cast, array):
            raise StoreError(f"column {name!r} must be int64, but holds values that are no 64-bit integers")
        return cast.tobytes()

    def _wrong_columns(self, block: Block) -> str:
        missing, unknown = self._wire.keys() - block.columns.keys(), block.columns.keys() - self._wire.keys()
        parts = [f"lacks column {', '.join(map(repr, sorted(missing)))}"] if missing else []
        parts += [f"has column {', '.join(map(repr, sorted(unknown)))} unknown to the run"] if unknown else []
        return f"a block {' and '.join(parts)}"


def _usable(path: Path) -> Path:
    """Check the name of a run file and make its folder. Raises StoreError."""
    if path.suffix != ".h5":
        raise StoreError(f"{path}: a run file's name must end in .h5")
    length = len(os.fsencode(path.stem))
    if length > LONGEST_STEM:
        raise StoreError(f"{path.name[:40]}...: a name of {length} bytes is too long, {LONGEST_STEM} are allowed")
    try:
        files.make_folder(path.parent)
    except OSError as error:
        raise StoreError(f"the folder {path.parent} can't be made: {error.strerror}") from error
    return path
