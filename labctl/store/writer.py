"""Write a run while it happens: an append-only journal, packed into the run file when the run ends."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np

from labctl.contracts import Block
from labctl.store import frames, values
from labctl.store.chronicle import chronicle
from labctl.store.errors import NameTaken, StoreError
from labctl.store.header import RunHeader, parse_time
from labctl.store.journal import Journal, journal_of
from labctl.store.model import CLOSED, OUTCOMES, Run
from labctl.store.naming import numbered, usable
from labctl.store.recovery import pack_in_place, pack_nameless, rescue
from labctl.store.replay import later
from labctl.store.shield import shielded
from labctl.store.table import PLAIN, Table, block_of

_ADOPTED = 16384  #: rows taken over in one frame; as many as a chunk of a run file has
_PLAIN = PLAIN.issuperset


class RunWriter:
    """A run being recorded; made by `create`. It is the run's Recorder (labctl.contracts) and is used from one thread.

    A row, block, stimulus, outcome or event is one frame, in the operating system's hands before the call returns: it
    survives the death of this process at any instant. It survives a power cut from the next sync on, which comes with every
    stimulus, with the first frame `sync_interval` seconds or more after the last sync, and at the end.
    Every method raises StoreError if the disk refuses, if the clock goes backwards or says no number, and (at a sync) if the
    journal was deleted, moved or replaced; the journal then ends with its last good frame. After that, and
    after any other exception in a method, `finish` still ends the run in order.
    """

    def __init__(
        self,
        path: Path,
        journal: Journal,
        header: RunHeader,
        table: Table,
        clock: Callable[[], float],
        sync_interval: float,
    ) -> None:
        self.path = path  #: the run file, with the number it got; once finished, where it is
        self.header = header
        self.rows = 0  #: rows so far, provisional ones too
        self.state, self.reason = "", ""  #: how the run was closed: `finish` may know of a failure the caller does not
        self._journal, self._out = journal, journal.out
        self._clock, self._interval = clock, sync_interval
        self._start, self._synced, self._last = clock(), 0.0, 0.0
        self._provisional = 0  # rows a final block would replace
        self._open_notes: set[int] = set()
        self._last_note = 0
        self._ending = False
        self._table, self._wire, self._values = table, table.wire, table.values

    @classmethod
    def create(
        cls,
        path_h5: Path,
        header: RunHeader,
        *,
        unique: bool = False,
        sync_interval: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        heartbeat: float = 5.0,
        time_of_day: Callable[[], float] = time.time,
        mapped: bool = True,
    ) -> RunWriter:
        """Start the journal beside `path_h5` (same name, ``.jrn``), making its folder if need be.

        unique: where the name is taken, take ``name.2.h5`` and so on instead of refusing; `path` says which.
        clock: s, never decreasing. sync_interval: s by `clock` between syncs to the disk, so at most that much of a run is lost
        in a power cut; math.inf for one at the end only (a virtual clock that leaps would else sync with every block).
        heartbeat: s between signs of life in the journal, math.inf for none; time_of_day: s since 1970-01-01 UTC, for them.
        mapped: store small frames in mapped memory, which takes no system call; where the file system isn't fit for that, and
        if False, they are written: slower, but no one can end this process by shortening the journal.
        Raises NameTaken if a run file or journal of that name exists, StoreError.
        """
        path = usable(Path(path_h5))
        for name, seconds in (("sync_interval", sync_interval), ("heartbeat", heartbeat)):
            if not seconds >= 0:
                raise StoreError(f"{name} = {seconds} s must be 0 s or more")
        begin = partial(cls._begin, header, clock, sync_interval, heartbeat, time_of_day, mapped)
        for candidate in numbered(path):
            try:
                return begin(candidate)
            except NameTaken:
                if not unique:
                    raise
        raise NameTaken(f"{path} and the numbered names beside it exist; choose another name")

    @classmethod
    def _begin(
        cls,
        header: RunHeader,
        clock: Callable[[], float],
        sync_interval: float,
        heartbeat: float,
        time_of_day: Callable[[], float],
        mapped: bool,
        path: Path,
    ) -> RunWriter:
        journal = Journal(journal_of(path))
        try:
            journal.claim(path)
            header = header.beside(path)  # now the name is known, and this run's
            table = Table(header.columns)
            head = frames.encode(frames.HEAD, 0.0, header.to_json().encode("ascii"))
            journal.start(frames.preamble() + head, frames.RowFormat(table.kinds), mapped)
            writer = cls(path, journal, header, table, clock, sync_interval)
            journal.beat(heartbeat, time_of_day)
        except BaseException:
            journal.discard()
            raise
        return writer

    def row(self, values: Mapping[str, float]) -> None:
        """Add one final row of plain numbers, all of the header's columns: as `append` of a block of one row, but quicker.

        Raises StoreError as `append` does.
        """
        try:
            found = self._values(values)
        except KeyError:
            raise StoreError(self._table.misfit(values)) from None
        if len(values) != len(found):
            raise StoreError(self._table.misfit(values))
        if not _PLAIN(map(type, found)):
            return self.append(block_of(values))
        now = self._clock() - self._start
        if not self._last <= now < math.inf:
            raise StoreError(self._odd_clock(now))
        try:
            self._out.row(now, found)
        except (struct.error, OverflowError):  # a number that is no 64-bit integer where one must be
            return self.append(block_of(values))
        self._last = now
        if self._provisional:
            self.rows, self._provisional = self.rows - self._provisional, 0
        self.rows += 1
        if now - self._synced >= self._interval:
            self.sync()
        return None

    def append(self, block: Block) -> None:
        """Add the rows of `block`, all of the header's columns; a final block replaces provisional rows before it.

        A block without rows changes nothing. Raises StoreError naming a column that is missing, unknown, or holds
        values its dtype can't hold exactly (float64 takes any integer).
        """
        payload = self._table.payload(block.columns)
        rows = len(payload) // self._table.row
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

    def adopt(self, run: Run, since: float = 0.0) -> None:
        """Take over the rows, stimuli, outcomes and events of `run`, with their times and numbers; first of all, and synced.

        Stimuli without an outcome stay so: "unknown whether applied". since: s that have passed since the start of `run`; time
        goes on from there, or from its last frame if that is later (the time of day was set back). Raises StoreError if
        anything was recorded already, or the columns differ.
        """
        if self.rows or self._last_note or run.header.columns != self.header.columns:
            raise StoreError(f"{self.path} can't take over a run: it has begun, or its columns are others")
        taken = 0
        for entry in chronicle(run):
            taken = self._adopt_rows(run, taken, entry.row, entry.time)
            self._write(entry.tag, values.dumps(entry.data).encode("ascii"), at=entry.time)
        self._adopt_rows(run, taken, len(run), run.ending.duration)
        self._last_note = max((note.id for note in run.stimuli), default=0)
        self._start = self._clock() - max(since, run.ending.duration)
        self.sync()

    def _adopt_rows(self, run: Run, first: int, end: int, time: float) -> int:
        for start in range(first, end, _ADOPTED):
            words = [run[name][start : min(start + _ADOPTED, end)].astype(wire) for name, wire in self._wire.items()]
            self._write(frames.ROWS, b"".join(map(np.ndarray.tobytes, words)), len(words[0]), at=time)
        self.rows = max(first, end)
        return self.rows

    def sync(self) -> None:
        """Wait until everything so far is on the disk. Raises StoreError, also if the journal is not where it was."""
        self._out.sync()
        if not self._journal.is_ours():
            raise StoreError(self._journal.lost_name())
        self._synced = self._clock() - self._start

    def finish(self, state: str, reason: str = "", traceback: str = "", end_time: str = "") -> Path:
        """Close the run as "finished", "aborted" or "failed", pack it, and return the run file; once, at any time.

        end_time: ISO 8601 with offset; "" for start_time plus what the clock says. The name differs from the one asked
        for (``run.1.h5``) if that was taken meanwhile. The journal goes once the run file is in place. If packing fails it
        stays, with the run's end in it, and `recover` packs it later: StoreError says so. A first Ctrl-C changes nothing; a
        second one gives up packing, and KeyboardInterrupt has the same advice as a note. If the journal was deleted, moved
        or replaced, it is packed all the same, and "finished" becomes "failed": `state` and `reason` say what the file says.
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
        now = self._clock() - self._start
        if not self._last <= now < math.inf:
            now = self._last  # a clock that failed must not keep the run from ending
        end_time = end_time or later(self.header.start_time, now)
        parse_time(end_time, "end_time")
        self._out.descriptor()
        if self._ending:
            raise StoreError(f"{self._journal.path} is being packed; a run is finished once")
        self._ending = True
        try:
            ours = self._close_as(state, values.clean(reason))
            end = {"state": self.state, "end_time": end_time, "reason": self.reason}
            self._write(frames.END, values.dumps({**end, "traceback": values.clean(traceback)}).encode("ascii"), at=now)
            self._journal.cut()
            self._out.sync()
            self.path = self._packed(stop, ours)
        finally:
            self._journal.close()
        return self.path

    def _close_as(self, state: str, reason: str) -> bool:
        """Settle how the run ended, by whether its journal has its name still; returns that."""
        try:
            ours = self._journal.is_ours()
        except StoreError:  # it can't be looked at; whether it can be packed will be seen
            ours = True
        if not ours and (lost := values.clean(self._journal.lost_name())) not in reason:
            state, reason = ("failed" if state == "finished" else state), f"{reason}; {lost}" if reason else lost
        self.state, self.reason = state, reason
        return ours

    def _packed(self, stop: Event, ours: bool) -> Path:
        journal = self._journal
        try:
            source = journal.reading()
        except OSError as error:
            raise StoreError(f"{journal.path} can't be read: {error.strerror}; {rescue(journal.path)}") from error
        with source:
            if not ours:
                return pack_nameless(source, journal.path, self.path, stop)

            def release() -> None:
                source.close()
                journal.close()

            return pack_in_place(source, journal.path, self.path, release, stop)

    def _note(self, tag: bytes, **data: Any) -> float:
        return self._write(tag, values.dumps(data).encode("ascii"))

    def _write(self, tag: bytes, payload: bytes, rows: int = 0, at: float | None = None) -> float:
        """Write a frame and return its time (at, or now). Syncing comes later, when the writer's own counts are right again."""
        now = self._clock() - self._start if at is None else at
        if at is None and not self._last <= now < math.inf:
            raise StoreError(self._odd_clock(now))
        self._out.frame(tag, now, payload, rows)
        if at is None:
            self._last = now
        return now

    def _sync_if_due(self, now: float) -> None:
        if now - self._synced >= self._interval:
            self.sync()

    def _odd_clock(self, now: float) -> str:
        return (
            f"the clock of the run went from {self._last:.6g} s to {now:.6g} s; it must never go back, so nothing more can be "
            f"recorded. What was recorded before is safe in {self._journal.path}"
        )
