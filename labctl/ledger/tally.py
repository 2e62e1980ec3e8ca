"""What one run did to its cell, from its notes and rows; a pure function of the run file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from labctl.ledger.asked import Details, asked
from labctl.ledger.errors import LedgerError
from labctl.ledger.measured import Measured, measured, told
from labctl.ledger.use import Use, total
from labctl.store import Event, Run, Stimulus
from labctl.store.replay import later

TOUCHDOWN = "touchdown"  #: the event of probes set down on the cell
#: Events after which a cell counts as formed: of the forming ramp, and of the volatility recipe's. A short looks the same.
FORMED = ("formed", "conducting from the start", "conducts")


def tally(run: Run, taken: Mapping[str, Any] | None = None) -> Use:
    """What `run` did to its cell. Raises LedgerError for notes that can't be understood.

    taken: what of it another line of the ledger holds, as in the header's `resumes`; by default what was taken over when the
    run was resumed last, {} for nothing.
    """
    if taken is None:
        taken = run.header.resumes[-1] if run.header.resumes else {}
    try:
        last = int(taken.get("last", 0))
        notes = [(note, end) for note, end in _with_end(run) if note.id > last]
        use = total(_of_note(run, note, end) for note, end in notes)
        return _with_events(use, run, _new_events(run, taken), [note for note, _ in notes])
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        what = f"{type(error).__name__}: {error}"
        raise LedgerError(f"the notes of run {run.header.uuid} can't be understood ({what})") from error


def of_test(kind: str, details: Details, columns: Mapping[str, Any], closed: str = "done") -> Use:
    """What one test did, from its note and its rows; closed: its outcome, "" for unknown."""
    return _joined(kind, details, measured(kind, details, columns), closed)


def _joined(kind: str, details: Details, found: Measured, closed: str) -> Use:
    """What one test did, from what was asked and what was measured."""
    use = asked(kind, details)
    reads, pulses = bool(details.get("reads", False)), kind in ("pulse train", "waveform")
    if pulses:
        counted = "reads" if reads else "pulses"
        use = replace(use, **{counted: max(0, getattr(use, counted) - found.skipped)})
    # what a sweep that was cut short did after its last row is not known
    tests = found.tests if pulses or closed == "done" else 0
    missing = use.pulses + use.sweeps + use.samplings - tests
    return replace(
        use + found.use,
        unmeasured=0 if reads else max(use.unmeasured, missing),
        unknown=int(closed == "" and not reads),
    )


def _of_note(run: Run, note: Stimulus, end: int) -> Use:
    """By the figures of the outcome, or else (an older run; a test without a final row) by the rows in the file."""
    if note.outcome and (found := told(note.outcome_details or {})) is not None:
        return _joined(note.kind, _carried_out(note), found, note.outcome)
    first, last = min(note.row, len(run)), min(max(end, note.row), len(run))
    rows = {name: column[first:last] for name, column in run.columns.items()}
    return of_test(note.kind, _carried_out(note), rows, note.outcome)


def _carried_out(note: Stimulus) -> Details:
    """The details of a note; of a sweep that ended itself in compliance only the levels that it got to."""
    rows = (note.outcome_details or {}).get("rows", 0)
    levels = note.details.get("levels")
    if note.kind == "sweep" and note.outcome == "done" and levels is not None and 0 < rows < len(levels):
        return {**note.details, "levels": levels[:rows]}
    return note.details


def _with_end(run: Run) -> Iterator[tuple[Stimulus, int]]:
    """Every note with the row before which its test ended: the outcome's, or else the next note's, or the table's end."""
    following = [note.row for note in run.stimuli[1:]] + [len(run)]
    for note, end in zip(run.stimuli, following, strict=False):  # a run that ended before its first stimulus has none
        yield note, note.outcome_row if note.outcome_row >= 0 else end


def _new_events(run: Run, taken: Mapping[str, Any]) -> list[Event]:
    """The events that were not taken over from the run before."""
    if not taken:
        return run.events
    if "events" in taken:
        return run.events[int(taken["events"]) :]
    return [event for event in run.events if event.time > float(taken["time"])]


def _with_events(use: Use, run: Run, events: list[Event], notes: list[Stimulus]) -> Use:
    head = run.header
    if formed := next((event for event in events if event.kind in FORMED), None):
        voltage = formed.details.get("voltage")
        use = replace(
            use,
            formed=later(head.start_time, formed.time) or head.start_time,
            formed_how=f"{head.procedure}: {formed.kind}",
            formed_voltage=float(voltage) if voltage is not None else None,
        )
    times = [time for note in notes for time in (note.time, note.outcome_time) if time == time]  # NaN: no outcome
    touchdowns = sum(event.kind == TOUCHDOWN for event in events)
    if touchdowns:
        times += [event.time for event in events if event.kind == TOUCHDOWN]
    last = (later(head.start_time, max(times)) or head.start_time) if times else ""
    return replace(use, touchdowns=touchdowns, last_used=last)
