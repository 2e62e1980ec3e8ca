"""Write a run while it happens: an append-only journal, packed into the run file when the run ends."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import Block
from labctl.store import files, frames, values
from labctl.store.errors import NameTaken, StoreError
from labctl.store.header import RunHeader, parse_time
from labctl.store.model import CLOSED, OUTCOMES
from labctl.store.recovery import journal_of, pack_in_place
from labctl.store.replay import later

_WORD = 8  # bytes a value takes


#: characters of a run file's name without its ending: leaves room for ``.jrn.damaged`` and numbers in the 255 of most systems
LONGEST_STEM = 230


class RunWriter:
    """A run being recorded; made by `create`. It is the run's Recorder (labctl.contracts) and is used from one thread.

    A block, stimulus, outcome or event is one frame, handed to the operating system by one write before the call
    returns: it survives the death of this process. It survives a power cut from the next sync on, which comes with
    the first frame `sync_interval` seconds or more after the last sync, and at the end.
    Every method raises StoreError if the disk refuses; the journal is then cut back to its last good frame.
    """

    def __init__(
        self, path: Path, fd: int, header: RunHeader, clock: Callable[[], float], sync_interval: float
    ) -> None:
        self.path = path
        self.header = header
        self.rows = 0  #: rows so far, provisional ones too
        self._journal = journal_of(path)
        self._fd: int | None = fd
        self._clock, self._interval = clock, sync_interval
        self._start, self._synced = clock(), 0.0
        self._good = 0  # bytes of whole frames
        self._torn = False  # a failed write left bytes that could not be cut off yet
        self._provisional = 0  # rows a final block would replace
        self._open_notes: set[int] = set()
        self._last_note = 0
        self._names = {column.name for column in header.columns}
        self._wire = [(column.name, np.dtype(column.dtype).newbyteorder("<")) for column in header.columns]

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
        leaps would else sync with every block). Raises StoreError if a run file or journal of that name exists.
        """
        path = Path(path_h5)
        if path.suffix != ".h5":
            raise StoreError(f"{path}: a run file's name must end in .h5")
        if math.isnan(sync_interval) or sync_interval < 0:
            raise StoreError(f"sync_interval = {sync_interval} s must be 0 s or more")
        if len(path.stem) > LONGEST_STEM:
            raise StoreError(
                f"{path.name[:40]}...: a name of {len(path.stem)} characters is too long, {LONGEST_STEM} are allowed"
            )
        path, fd = _reserve(path) if unique else (path, _open(path))
        writer = cls(path, fd, header, clock, sync_interval)
        try:
            files.hold(fd, wait=True)
            writer._write(frames.preamble() + frames.encode(frames.HEAD, 0.0, header.to_json().encode("ascii")))
            writer.sync()
            files.sync_folder(path.parent)
        except BaseException:
            writer.close()
            journal_of(path).unlink()
            raise
        return writer

    def append(self, block: Block) -> None:
        """Add the rows of `block`, all of the header's columns; a final block replaces provisional rows before it.

        A block without rows changes nothing. Raises StoreError naming a column that is missing, unknown, or holds
        values its dtype can't hold exactly (float64 takes any integer).
        """
        if block.columns.keys() != self._names:
            raise StoreError(self._wrong_columns(block))
        payload = b"".join([_fit(block.columns[name], name, wire) for name, wire in self._wire])
        rows = len(payload) // (_WORD * len(self._wire))
        if rows == 0:
            return
        self._put(frames.PROVISIONAL if block.provisional else frames.ROWS, payload, rows)
        if block.provisional:
            self._provisional += rows
        else:
            self.rows, self._provisional = self.rows - self._provisional, 0
        self.rows += rows

    def stimulus(self, kind: str, details: Mapping[str, Any]) -> int:
        """Note what is about to be applied and return the note's number, from 1; it is on the disk then.

        (Except with an infinite `sync_interval`: then it has left this process.) Provisional rows before it are kept: no
        later block replaces them.
        """
        number = self._last_note + 1
        self._put_json(frames.STIMULUS, id=number, kind=values.clean(kind), row=self.rows, details=dict(details))
        self._last_note = number
        self._open_notes.add(number)
        self._provisional = 0
        if math.isfinite(self._interval):
            self.sync()  # what is about to be applied must be known after a power cut, too
        return number

    def outcome(self, note: int, outcome: str, details: Mapping[str, Any] | None = None) -> None:
        """Close the stimulus `note` as "done", "aborted" or "failed", once; provisional rows before it are kept."""
        if note not in self._open_notes or outcome not in OUTCOMES:
            raise StoreError(f"can't close stimulus {note} as {outcome!r}: open are {sorted(self._open_notes)}")
        closed = dict(details) if details is not None else None
        self._put_json(frames.OUTCOME, id=note, outcome=outcome, row=self.rows, details=closed)
        self._open_notes.remove(note)
        self._provisional = 0

    def event(self, kind: str, details: Mapping[str, Any]) -> None:
        """Note anything else worth keeping with the run."""
        self._put_json(frames.EVENT, kind=values.clean(kind), row=self.rows, details=dict(details))

    def sync(self) -> None:
        """Wait until everything so far is on the disk."""
        try:
            files.sync_data(self._descriptor())
        except OSError as error:
            raise StoreError(f"{self._journal} can't be synced to the disk: {error.strerror}") from error
        self._synced = self._clock() - self._start

    def finish(self, state: str, reason: str = "", traceback: str = "", end_time: str = "") -> Path:
        """Close the run as "finished", "aborted" or "failed", pack it, and return the run file.

        end_time: ISO 8601 with offset; "" for start_time plus what the clock says. The name differs from the one asked
        for (``run.1.h5``) if that was taken meanwhile. The journal goes once the run file is in place; if packing
        fails it stays, StoreError says so, and `recover` packs it later.
        """
        if state not in CLOSED:
            raise StoreError(f"a run can't end as {state!r}; choose {', '.join(CLOSED)}")
        end_time = end_time or later(self.header.start_time, self._clock() - self._start)
        parse_time(end_time, "end_time")
        texts = {"reason": values.clean(reason), "traceback": values.clean(traceback)}
        try:
            self._put_json(frames.END, state=state, end_time=end_time, **texts)
            self.sync()
            return pack_in_place(self._journal, self.path, self.close)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the journal without ending the run; it stays as if the program had died. Harmless if closed."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)

    # -- how -----------------------------------------------------------------------------------------------------------
    def _put_json(self, tag: bytes, **data: Any) -> None:
        self._put(tag, values.dumps(data).encode("ascii"))

    def _put(self, tag: bytes, payload: bytes, rows: int = 0) -> None:
        now = self._clock() - self._start
        self._write(frames.encode(tag, now, payload, rows))
        if now - self._synced >= self._interval:
            self.sync()

    def _write(self, data: bytes) -> None:
        fd, rest = self._descriptor(), memoryview(data)
        if self._torn:
            self._cut_back(fd)
        try:
            while rest:
                rest = rest[_some(os.write(fd, rest)) :]
        except OSError as error:
            self._torn = True
            raise self._refused(fd, error) from error
        except BaseException:  # Ctrl-C between two pieces leaves half a frame: the next write cuts it off
            self._torn = True
            raise
        self._good += len(data)

    def _refused(self, fd: int, error: OSError) -> StoreError:
        message = f"{self._journal} can't be written: {error.strerror or error}; {self.rows} rows are safe in it"
        try:
            self._cut_back(fd)
        except StoreError:
            return StoreError(f"{message}, followed by a piece of a frame that readers skip")
        return StoreError(message)

    def _cut_back(self, fd: int) -> None:
        try:
            os.ftruncate(fd, self._good)
        except OSError as error:
            raise StoreError(f"{self._journal} can't be cut back to its last frame: {error.strerror}") from error
        self._torn = False

    def _descriptor(self) -> int:
        if self._fd is None:
            raise StoreError(f"{self._journal} is closed; nothing more can be recorded in this run")
        return self._fd

    def _wrong_columns(self, block: Block) -> str:
        missing, unknown = self._names - block.columns.keys(), block.columns.keys() - self._names
        parts = [f"lacks column {', '.join(map(repr, sorted(missing)))}"] if missing else []
        parts += [f"has column {', '.join(map(repr, sorted(unknown)))} unknown to the run"] if unknown else []
        return f"a block {' and '.join(parts)}"


def _reserve(path: Path) -> tuple[Path, int]:
    for number in range(1, 10_000):
        candidate = path if number == 1 else path.with_name(f"{path.stem}.{number}.h5")
        try:
            return candidate, _open(candidate)
        except NameTaken:
            continue
    raise NameTaken(f"{path} and ten thousand numbered names beside it exist; choose another name")


def _open(path: Path) -> int:
    journal = journal_of(path)
    if path.exists():
        raise NameTaken(f"{path} exists; run files are never overwritten, choose another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return files.create_exclusive(journal)
    except FileExistsError:
        raise NameTaken(f"{journal} exists: a run of that name is under way or died; recover it first") from None
    except OSError as error:
        raise StoreError(f"{journal} can't be created: {error.strerror}") from error


def _some(written: int) -> int:
    if written == 0:
        raise OSError("the system takes no more bytes")
    return written


def _fit(given: NDArray[Any], name: str, wire: np.dtype[Any]) -> Any:
    """The values of column `name` as a contiguous array of the 8-byte type `wire`."""
    array = np.asarray(given)
    if array.dtype == wire:
        return np.ascontiguousarray(array)
    if array.dtype.kind not in "iufb":
        raise StoreError(f"column {name!r} must be {wire.name}; {array.dtype} can't be cast to it")
    with np.errstate(invalid="ignore"):  # NaN to an integer is found by the comparison
        cast = np.ascontiguousarray(array.astype(wire))
    if wire.kind == "i" and not np.array_equal(cast, array):
        raise StoreError(f"column {name!r} must be int64, but holds values that are no 64-bit integers")
    return cast
