"""The notes of a run in the order they were made, as a journal holds them."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any, NamedTuple

from labctl.store import frames
from labctl.store.model import Run


class Entry(NamedTuple):
    """One note: its frame's tag, time (s since the start), the rows before it, and what it says."""

    tag: bytes
    time: float
    row: int
    data: dict[str, Any]
    order: tuple[float, int, int, int]


def chronicle(run: Run) -> list[Entry]:
    """Every stimulus, outcome and event of `run`; an outcome follows its stimulus, also where no time passed between them."""
    return sorted([*_stimuli(run), *_events(run)], key=attrgetter("order"))


def _stimuli(run: Run) -> Iterator[Entry]:
    for note in run.stimuli:
        data = {"id": note.id, "kind": note.kind, "row": note.row, "details": dict(note.details)}
        yield Entry(frames.STIMULUS, note.time, note.row, data, (note.time, note.row, note.id, 0))
        if note.outcome:
            details = None if note.outcome_details is None else dict(note.outcome_details)
            end = {"id": note.id, "outcome": note.outcome, "row": note.outcome_row, "details": details}
            order = (note.outcome_time, note.outcome_row, note.id, 1)
            yield Entry(frames.OUTCOME, note.outcome_time, note.outcome_row, end, order)


def _events(run: Run) -> Iterator[Entry]:
    last = max((note.id for note in run.stimuli), default=0) + 1
    for event in run.events:
        data = {"kind": event.kind, "row": event.row, "details": dict(event.details)}
        yield Entry(frames.EVENT, event.time, event.row, data, (event.time, event.row, last, 0))
