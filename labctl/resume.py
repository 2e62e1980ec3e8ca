"""Continue a run that ended before its time, without sending anything a second time.

The recipe is run again from its beginning, but what it asks for is answered from the record as long as the record lasts: a
recipe decides by what it reads, so with the same answers it asks the same questions. Where the record ends the instruments
take over. Nothing that was noted is ever sent again, whether it was answered or not, but for a read whose answer was lost.

On a simulated bench in this process the cell died with its program: it is built anew and lives through the record again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from labctl.contracts import READING_COLUMNS, Block, Clock, Measure, Recorder, Status
from labctl.contracts.instrument import R, Request
from labctl.errors import LabctlError
from labctl.quantities import show
from labctl.station import Station
from labctl.store import Event, Run, RunHeader, Stimulus, StoreError, read_header, values

AFTER_GAP = "after_gap"  #: in the details of the read that looks at the cell before a resumed run goes on
_RAW = tuple(column.name for column in READING_COLUMNS)


class ResumeError(LabctlError):
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


def check(earlier: Run) -> None:
    """Raise ResumeError unless `earlier` ended before its time."""
    if earlier.state == "finished":
        raise ResumeError("the run has finished; there is nothing to continue")
    if earlier.state == "running":
        raise ResumeError("the run is still under way; end it first")
    if not earlier.header.has_taken_over(len(earlier), len(earlier.stimuli), len(earlier.events)):
        first = earlier.header.resumes[-1]["uuid"]
        raise ResumeError(
            f"this run ended while it took over run {first}, of which it has a part only; continue that one"
        )


def check_first(earlier: Run, path: Path) -> None:
    """Raise ResumeError if a run beside `path` continues `earlier` already: what that one sent would be sent again.

    path: of a run file; looked at are those of the same stem, numbered or not, and their journals.
    """
    for found in sorted(path.parent.iterdir()) if path.parent.is_dir() else []:
        if found.suffix not in (".h5", ".jrn") or not found.name.startswith(path.stem):
            continue
        try:
            header = read_header(found)
        except StoreError:
            continue
        if any(item.get("uuid") == earlier.header.uuid for item in header.resumes):
            raise ResumeError(f"{found} continues this run already; continue that one: labctl resume {found}")


def continued(header: RunHeader, earlier: Run) -> RunHeader:
    """The header of the run that continues `earlier`: its start, its set-up, and what is taken over.

    Raises ResumeError where it can't be continued: it is running, it finished, or another instrument answers now.
    """
    check(earlier)
    then = earlier.header
    for name, value in (("procedure", header.procedure), ("sample", header.sample), ("station", header.station)):
        if getattr(then, name) != value:
            raise ResumeError(f"the run was one of {name} {getattr(then, name)!r}, this is {value!r}; nothing was sent")
    if changed := [name for name, item in header.parameters.items() if then.parameters.get(name) != item]:
        raise ResumeError(f"the parameters {', '.join(changed)} are not those of the run; nothing was sent")
    for name, item in then.instruments.items():
        _same_instrument(name, item.get("identity", {}), header.instruments.get(name, {}).get("identity", {}))
    last = max((note.id for note in earlier.stimuli), default=0)
    taken: dict[str, Any] = {"uuid": then.uuid, "rows": len(earlier), "stimuli": len(earlier.stimuli), "last": last}
    taken |= {"events": len(earlier.events), "time": earlier.ending.duration}
    return replace(header, start_time=then.start_time, resumes=(*then.resumes, taken), setup=then.setup, seed=then.seed)


def _same_instrument(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for key in ("manufacturer", "model", "serial"):
        if then.get(key) != now.get(key):
            raise ResumeError(f"{name} had {key} {then.get(key)!r}, now {now.get(key)!r} answers; nothing was sent")


def since(earlier: Run) -> Callable[[], float]:
    """A function that says how many seconds have passed since the start of `earlier`, by the time of day at this moment.

    0 where that is in the future: somebody set the time of day back.
    """
    began = datetime.fromisoformat(earlier.header.start_time)
    passed, then = (datetime.now().astimezone() - began).total_seconds(), time.monotonic()
    return lambda: max(0.0, passed) + time.monotonic() - then


def _answer(run: Run, note: Stimulus, end: int) -> Answer:
    last = note.outcome_row if note.outcome_row >= 0 else end
    first, last = min(note.row, len(run)), min(max(last, note.row), len(run))
    return Answer(note, first, last, note.outcome == "done" or _has_all(run, note, first, last))


def _has_all(run: Run, note: Stimulus, first: int, last: int) -> bool:
    """Whether every row of a test is there with the instrument's own status, though its end was never noted."""
    if "status" not in run.columns or np.any(run["status"][first:last] & int(Status.PROVISIONAL)):
        return False
    return 0 < last - first == _rows(note)


def _rows(note: Stimulus) -> int:
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


class Recall:
    """Answers the tests of a recipe from `run` until its record is used up, then lets the instruments of `station` work.

    gap_read: a read of the cell before the first stimulus after the record, None for none; relive: the bench is a simulated
    one whose cell has to live through the record again. `attach` puts it in place, `detach` takes it away.
    """

    def __init__(self, run: Run, station: Station, recorder: Recorder, gap_read: Request | None) -> None:
        self.run, self.station = run, station
        self.time = 0.0  #: s since the start of the run, of what is being recalled
        self.recalling = True
        self.relive = station.bench is not None
        self._answers = answers(run)
        self._next = 0
        self._gap_read = gap_read
        self._recorder = _Recorder(recorder, self, run.events)
        self._began = station.clock.now()
        self._differs = 0
        self._real = station.clock

    def attach(self, elapsed: Callable[[], float]) -> None:
        """Stand between the recipe and the instruments. elapsed: s since the start of the run, by the time of day."""
        self._elapsed = elapsed
        for part in self.station.parts:
            part.recall = self
        self.station.record_to(self._recorder)
        if not self.relive:
            self.station.clock = _Clock(self._real, self)
        if not self._answers:
            self._end()

    def detach(self) -> None:
        """Give the station back its clock; the instruments answer for themselves."""
        self.station.clock = self._real
        for part in self.station.parts:
            part.recall = None

    # -- what instruments ask (labctl.contracts.instrument.Recall) -----------------------------------------------------
    def begin(self, request: Request) -> None:
        """Look at the cell before the first stimulus that is really sent, if the recipe does not look by itself."""
        read, due = self._gap_read, not self.recalling
        if not due or read is None:
            return
        self._gap_read = None
        if not request.reads:
            self._look(read)

    def answer(self, kind: str, request: R, run: Callable[[R], Iterator[Block]]) -> Iterator[Block] | None:
        """The blocks recorded for `request`, None if it was never sent. Raises ResumeError if something else was."""
        if not self.recalling:
            return None
        known = self._answers[self._next]
        self._next += 1
        asked = values.loads(values.dumps(request.details()))
        if (kind, asked) != (known.note.kind, dict(known.note.details)):
            raise ResumeError(_differs(known.note, kind, asked))
        return self._told(known, request, run)

    def _told(self, known: Answer, request: R, run: Callable[[R], Iterator[Block]]) -> Iterator[Block]:
        self.time = known.note.time
        block = self._block(known)
        if self.relive:
            self._live_again(known, block, run(request))
        if not np.isnan(known.note.outcome_time):
            self.time = known.note.outcome_time
        if len(block):
            yield block
        if self._next == len(self._answers):
            self._end()

    def _block(self, known: Answer) -> Block:
        columns = {name: self.run[name][known.first : known.last] for name in _RAW}
        if known.note.kind in ("waveform", "pulse train"):  # which segment a row is of, recipes do not keep
            columns["segment"] = np.full(known.last - known.first, -1, dtype=np.int64)
        return Block(columns)

    def _live_again(self, known: Answer, block: Block, blocks: Iterator[Block]) -> None:
        """Apply to the simulated cell what was applied to the one that died: all of it, or as much as there are rows."""
        if not known.complete and not len(block):
            return
        final: Block | None = None
        with closing(blocks):  # type: ignore[type-var]  # a generator
            for got in blocks:
                final = None if got.provisional else got
                if not known.complete and len(got) >= len(block):
                    break
        if known.complete and final is not None and len(block):
            same = all(np.array_equal(final[name], block[name], equal_nan=True) for name in ("voltage", "current"))
            self._differs += not same

    def _end(self) -> None:
        """The record is used up."""
        last = max([note.time for note in self.run.stimuli] + [self.run.ending.duration])
        if self.relive:
            self._real.sleep(max(0.0, last - (self._real.now() - self._began)))
        self.recalling = False
        details: dict[str, Any] = {"run": self.run.header.uuid, "rows": len(self.run), "unknown": unknown(self.run)}
        details["cut_short"] = [item.note.id for item in self._answers if not item.complete]
        if not self.relive:
            details["gap"] = max(0.0, self._elapsed() - last)
        if self._differs:
            details["simulated_differently"] = self._differs
        self._recorder.noted("resumed", details)

    def _look(self, read: Request) -> None:
        self._recorder.looking = True
        try:
            self.station.check(read)
            blocks = [block for block in self.station.apply(read) if not block.provisional]
        finally:
            self._recorder.looking = False
        means = {
            name: float(np.mean(np.concatenate([block[name] for block in blocks]))) for name in _RAW[2:4] if blocks
        }
        self._recorder.noted("state after the gap", means)

    def elapsed(self) -> float:
        """Seconds since the start of the run, by the time of day."""
        return self._elapsed()


class _Recorder:
    """The recorder of a resumed run: what the recipe says again of what is recorded is not written again."""

    def __init__(self, recorder: Recorder, recall: Recall, events: list[Event]) -> None:
        self.looking = False
        self._recorder, self._recall = recorder, recall
        self._said = [(event.kind, dict(event.details)) for event in events]

    def stimulus(self, kind: str, details: Mapping[str, Any]) -> int:
        """Note what is about to be applied."""
        if not self.looking:
            self._said.clear()  # from here on everything is new
        return self._recorder.stimulus(kind, {**details, AFTER_GAP: True} if self.looking else details)

    def outcome(self, note: int, outcome: str, details: Mapping[str, Any] | None = None) -> None:
        """Close a note."""
        self._recorder.outcome(note, outcome, details)

    def event(self, kind: str, details: Mapping[str, Any]) -> None:
        """Note a remark unless the record has it."""
        said = (kind, values.loads(values.dumps(dict(details))))
        if said in self._said:
            self._said.remove(said)
        else:
            self._recorder.event(kind, details)

    def noted(self, kind: str, details: Mapping[str, Any]) -> None:
        """Note a remark of this resumption."""
        self._recorder.event(kind, details)


class _Clock:
    """The recipe's clock on a real bench: the record's time while it lasts, then the time since the run's start."""

    def __init__(self, real: Clock, recall: Recall) -> None:
        self._real, self._recall = real, recall
        self._shift: float | None = None

    def now(self) -> float:
        """Seconds since the start of the run."""
        if self._recall.recalling:
            return self._recall.time
        if self._shift is None:
            self._shift = max(self._recall.elapsed(), self._recall.time) - self._real.now()
        return self._real.now() + self._shift

    def sleep(self, seconds: float) -> None:
        """Let `seconds` pass; what was waited for before is not waited for again."""
        if not self._recall.recalling:
            self._real.sleep(seconds)
        else:
            self._recall.time += seconds

    def wait(self, seconds: float, should_stop: Callable[[], bool]) -> None:
        """Let `seconds` pass, or less when `should_stop` turns true."""
        if self._recall.recalling:
            self._recall.time += seconds
        else:
            self._real.wait(seconds, should_stop)


def _differs(note: Stimulus, kind: str, asked: Mapping[str, Any]) -> str:
    known = dict(note.details)
    others = [name for name in sorted({*known, *asked}) if known.get(name) != asked.get(name)]
    what = [f"{name}: {_short(known.get(name))} then, {_short(asked.get(name))} now" for name in others]
    words = f"a {note.kind} then, a {kind} now" if kind != note.kind else "; ".join(what[:3])
    return (
        f"stimulus {note.id}, recorded {show(note.time, 's')} after the start, is not what the procedure asks for now"
        f" ({words}); was it changed since? The run can't be continued; nothing was sent"
    )


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
