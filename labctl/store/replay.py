"""Read a journal from its beginning: settle the rows, collect stimuli, events and the end.

Rows stay raw 8-byte words until the very end, so what is packed is bit for bit what was appended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import Status
from labctl.quantities import Column
from labctl.store import frames, values
from labctl.store.errors import StoreError
from labctl.store.header import RunHeader, parse_time
from labctl.store.model import CLOSED, OUTCOMES, Ending, Event, Stimulus

Words = NDArray[np.int64]
#: Rows gathered before they are handed on: 128 KiB a column, which is also the chunk of a run file's datasets (a guess
#: between HDF5's default chunk cache of 1 MiB, shared by a few columns, and the overhead of many small chunks).
CHUNK = 16384
_WORD = 8  # bytes; every dtype of a column has this size
#: What the payloads of notes hold, and of what kind; the states and outcomes that there are.
_FIELDS: dict[bytes, dict[str, Any]] = {
    frames.STIMULUS: {"id": int, "kind": str, "row": int, "details": dict},
    frames.OUTCOME: {"id": int, "outcome": OUTCOMES, "row": int, "details": (dict, type(None))},
    frames.EVENT: {"kind": str, "row": int, "details": dict},
    frames.END: {"state": CLOSED, "reason": str, "traceback": str, "end_time": str},
}


class Replay:
    """One pass over an open journal: `header` at once, everything else after `tables` is exhausted.

    Raises StoreError if the file is no journal, is of a newer format, or ends before its header.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._name = name
        self._scan = frames.Scan(file, name)
        self._frames = iter(self._scan)
        first = next(self._frames, None)
        if first is None or first.tag != frames.HEAD:
            raise StoreError(f"{name}: the journal has no readable header; nothing can be recovered from it")
        self.header = RunHeader.from_json(first.payload, name)
        self.stimuli: dict[int, Stimulus] = {}
        self.events: list[Event] = []
        self._end: dict[str, Any] | None = None
        self._last_time = first.time
        self._width = len(self.header.columns)
        self._status = _status_index(self.header.columns)

    def tables(self) -> Iterator[Words]:
        """The settled rows as words, shape (columns, n): provisional rows replaced, or marked where none came."""
        key, batch = (0, False), list[bytes]()
        for rows, provisional, payload in self._settled():
            if batch and ((rows, provisional) != key or len(batch) * rows >= CHUNK):
                yield self._table(batch, *key)
                batch = []
            key = (rows, provisional)
            batch.append(payload)
        if batch:
            yield self._table(batch, *key)

    def ending(self, held: bool) -> Ending:
        """How the run ended; held: whether a process still writes the journal. Only after `tables` is exhausted."""
        good, lost = self._scan.good, self._scan.lost
        if self._end is not None:
            state, reason, end_time = self._end["state"], self._end["reason"], self._end["end_time"]
            return Ending(state, reason, self._end["traceback"], end_time, self._last_time, good, lost)
        alive = since_1970(self._scan.heartbeat, self.header.start_time)
        if held:  # what is after the good frames is just being written
            return Ending("running", "", "", "", self._last_time, good, 0, alive)
        end_time = later(self.header.start_time, self._last_time)
        if alive and end_time and parse_time(alive, "heartbeat") > parse_time(end_time, "end_time"):
            end_time = alive
        return Ending("died", self._last_words(end_time), "", end_time, self._last_time, good, lost, alive)

    def _last_words(self, end_time: str) -> str:
        if self._scan.lost:
            return f"the journal can be read up to byte {self._scan.good}; {self._scan.lost} bytes after it are lost"
        last = f"; last sign of life {end_time}" if end_time else ""
        return f"the program ended without closing the run{last}"

    def _settled(self) -> Iterator[tuple[int, bool, bytes]]:
        """(rows, provisional, payload) of the rows that stay, in order."""
        pending: list[tuple[int, bool, bytes]] = []
        row = self._width * _WORD
        for frame in self._frames:
            tag, self._last_time, rows, payload = frame
            if tag not in (frames.ROWS, frames.PROVISIONAL):
                if tag in (frames.STIMULUS, frames.OUTCOME):  # only blocks of the same test replace its live rows
                    yield from pending
                    pending = []
                self._note(frame)
                continue
            if rows * row != len(payload):
                raise StoreError(
                    f"{self._name}: the rows do not fit the header; this journal was not written by labctl"
                )
            if tag == frames.PROVISIONAL:
                pending.append((rows, True, payload))
                continue
            if pending:
                pending = []
            yield rows, False, payload
        yield from pending

    def _note(self, frame: frames.Frame) -> None:
        if frame.tag not in _FIELDS:
            raise StoreError(f"{self._name} holds a frame {frame.tag!r} that this labctl does not know; update labctl")
        try:
            self._keep(frame, _checked(values.loads(frame.payload), _FIELDS[frame.tag]))
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            what = f"{type(error).__name__}: {error}, up to byte {self._scan.good}"
            raise StoreError(
                f"{self._name} holds a note that can't be understood ({what}); not written by labctl"
            ) from error

    def _keep(self, frame: frames.Frame, data: dict[str, Any]) -> None:
        if frame.tag == frames.STIMULUS:
            self.stimuli[data["id"]] = Stimulus(data["id"], data["kind"], frame.time, data["row"], data["details"])
        elif frame.tag == frames.OUTCOME:
            self.stimuli[data["id"]] = replace(
                self.stimuli[data["id"]],
                outcome=data["outcome"],
                outcome_time=frame.time,
                outcome_row=data["row"],
                outcome_details=data["details"],
            )
        elif frame.tag == frames.EVENT:
            self.events.append(Event(data["kind"], frame.time, data["row"], data["details"]))
        else:
            self._end = data

    def _table(self, batch: list[bytes], rows: int, provisional: bool) -> Words:
        words = np.frombuffer(b"".join(batch), "<i8").reshape(len(batch), self._width, rows)
        table: Words = (
            words.transpose(1, 0, 2).reshape(self._width, len(batch) * rows).astype(np.int64, copy=provisional)
        )
        if provisional and self._status is not None:
            table[self._status] |= int(Status.PROVISIONAL)
        return table


def _checked(data: Any, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a note, each of its kind and fit for HDF5. Raises KeyError, TypeError, ValueError."""
    found = {name: data[name] for name in fields}
    for name, kind in fields.items():
        value = found[name]
        if kind in (OUTCOMES, CLOSED):
            kind.index(value)
        elif isinstance(value, bool) or not isinstance(value, kind):
            raise TypeError(f"{name} is a {type(value).__name__}")
        elif isinstance(value, int) and not 0 <= value < 2**63:
            raise ValueError(f"{name} is {value}")
        elif isinstance(value, str):
            found[name] = values.clean(value)
    return found


def columns_of(words: Words, columns: tuple[Column, ...]) -> dict[str, NDArray[Any]]:
    """The words, shape (columns, n), as one array per column in its own dtype."""
    return {column.name: words[index].view(column.dtype) for index, column in enumerate(columns)}


def later(time: str, seconds: float) -> str:
    """The ISO 8601 time `seconds` after `time`, to the microsecond; "" beyond the year 9999 (a virtual clock can get there)."""
    try:
        return (parse_time(time, "start_time") + timedelta(seconds=seconds)).isoformat()
    except (OverflowError, ValueError):  # ValueError: a clock that said NaN
        return ""


def since_1970(seconds: float, like: str) -> str:
    """The ISO 8601 time that is `seconds` after 1970-01-01 UTC, with the offset of the time `like`; "" for 0 and for none."""
    try:
        return datetime.fromtimestamp(seconds, parse_time(like, "start_time").tzinfo).isoformat() if seconds else ""
    except (OverflowError, ValueError, OSError):  # a damaged heartbeat: no checksum is over it
        return ""


def _status_index(columns: tuple[Column, ...]) -> int | None:
    found = [index for index, column in enumerate(columns) if column.name == "status" and column.dtype == "int64"]
    return found[0] if found else None
