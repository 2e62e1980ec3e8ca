"""What the record of a run says of each test it noted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labctl.contracts import Measure, Status
from labctl.errors import UsageError
from labctl.store import Run, Stimulus

AFTER_GAP = "after_gap"  #: in the details of the read that looks at the cell before a resumed run goes on


class ResumeError(UsageError):
    """A run can't be continued; nothing was sent."""


@dataclass(frozen=True)
class Answer:
    """What is known of one test: its note and its rows [first, last) in the table; complete: all of it is there."""

    note: Stimulus
    first: int
    last: int
    complete: bool

    @property
    def reads(self) -> bool:
        """Whether the recipe declared it a read."""
        return bool(self.note.details.get("reads", False))


def answers(run: Run) -> list[Answer]:
    """The tests of `run` in the order noted, without those that will be asked again: reads whose answer was lost."""
    own = [note for note in run.stimuli if not note.details.get(AFTER_GAP)]
    ends = [*(note.row for note in own[1:]), len(run)]
    found = [_answer(run, note, end) for note, end in zip(own, ends, strict=False)]
    repeated = [_first_after(own, int(resume["last"])) for resume in run.header.resumes]
    lost = {number - 1 for number in [*repeated, len(own)] if number}
    return [item for number, item in enumerate(found) if item.complete or not item.reads or number not in lost]


def _answer(run: Run, note: Stimulus, end: int) -> Answer:
    last = note.outcome_row if note.outcome_row >= 0 else end
    first, last = min(note.row, len(run)), min(max(last, note.row), len(run))
    return Answer(note, first, last, note.outcome == "done" or _has_all(run, note, first, last))


def _has_all(run: Run, note: Stimulus, first: int, last: int) -> bool:
    """Whether every row of a test is there with the instrument's own status, though its end was never noted."""
    if "status" not in run.columns or np.any(run["status"][first:last] & int(Status.PROVISIONAL)):
        return False
    return 0 < last - first == rows_due(note)


def rows_due(note: Stimulus) -> int:
    """How many rows the test of a note gives in all; 0 where that can't be told from its note."""
    asked = note.details
    if note.kind == "sweep":
        return len(asked["levels"])
    if note.kind == "sampling":
        return int(asked["count"])
    if note.kind == "pulse train":
        return len(asked["amplitudes"]) * int(asked["count"]) if asked["measure"] == Measure.MEAN else 0
    measures = asked["measure"] if note.kind == "waveform" else []
    return 0 if Measure.SAMPLES in measures else measures.count(Measure.MEAN) * int(asked["repeats"])


def _first_after(notes: list[Stimulus], last: int) -> int:
    """The index of the first note whose number is above `last`; 0 if there is none."""
    return next((index for index, note in enumerate(notes) if note.id > last), 0)


def unknown(run: Run) -> list[int]:
    """Numbers of the stimuli of which nobody knows whether they were applied: those without an outcome, reads left out."""
    own = [note for note in run.stimuli if not note.details.get("reads", False) and not note.outcome]
    ends = {note.id: following.row for note, following in zip(run.stimuli, run.stimuli[1:], strict=False)}
    return [note.id for note in own if not _answer(run, note, ends.get(note.id, len(run))).complete]
