"""Answers in the instruments' place while the record of an earlier run lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any

import numpy as np

from labctl.contracts import READING_COLUMNS, Block, Clock, Recorder
from labctl.contracts.instrument import R, Request
from labctl.quantities import show
from labctl.resume.record import AFTER_GAP, Answer, ResumeError, answers, unknown
from labctl.station import Station
from labctl.store import Event, Run, Stimulus, values

_RAW = tuple(column.name for column in READING_COLUMNS)


class Recall:
    """Answers the tests of a recipe from `run` until its record is used up, then lets the instruments of `station` work.

    gap_read: a read of the cell before the first stimulus after the record, None for none; elapsed: s since the start of the
    run, by the time of day. `relive`: the bench is a simulated one whose cell has to live through the record again. `attach`
    puts it in place, `detach` takes it away.
    """

    def __init__(
        self, run: Run, station: Station, recorder: Recorder, gap_read: Request | None, elapsed: Callable[[], float]
    ) -> None:
        self.run, self.station, self.elapsed = run, station, elapsed
        self.time = 0.0  #: s since the start of the run, of what is being recalled
        self.recalling = True
        self.relive = station.bench is not None
        self._answers = answers(run)
        self._next = 0
        self._telling: Answer | None = None  # the test whose rows the recipe has just been given …
        self._handed = 0  # … and how many of them it has handed on
        self._fault: ResumeError | None = None
        if gap_read is not None and not gap_read.reads:
            raise ResumeError(
                "state_read() of the procedure is not declared a read (reads=True); it can't be asked again"
            )
        self._gap_read = gap_read
        self._recorder = _Recorder(recorder, run.events)
        self._began = station.clock.now()
        self._differs = 0
        self._real = station.clock

    def attach(self) -> None:
        """Stand between the recipe and the instruments."""
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
        if self._fault is not None:
            raise self._fault
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
        self._telling, self._handed = known, 0
        try:
            if len(block):
                yield block
        finally:
            if self._handed != len(block):
                self._fault = _kept_back()
            elif self._next == len(self._answers):
                self._end()
            self._telling = None
        if self._fault is not None:
            raise self._fault

    def has(self, block: Block) -> bool:
        """Whether `block`, which the recipe hands on, is of the record, so that the file has it already.

        Raises ResumeError if it is not what was recorded: the recipe changes rows, or hands them on later than it gets them.
        """
        if self._fault is not None:
            raise self._fault
        if not self.recalling or block.provisional:
            return self.recalling
        known = self._telling
        first = known.first + self._handed if known is not None else 0
        if known is None or first + len(block) > known.last or not self._is_recorded(block, first):
            raise _kept_back()
        self._handed += len(block)
        return True

    def _is_recorded(self, block: Block, first: int) -> bool:
        rows = slice(first, first + len(block))
        return all(np.array_equal(block[name], self.run[name][rows], equal_nan=name != "status") for name in _RAW)

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
            details["gap"] = max(0.0, self.elapsed() - last)
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


class _Recorder:
    """The recorder of a resumed run: what the recipe says again of what is recorded is not written again."""

    def __init__(self, recorder: Recorder, events: list[Event]) -> None:
        self.looking = False
        self._recorder = recorder
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


def _kept_back() -> ResumeError:
    return ResumeError(
        "the procedure does not hand on the rows of a test as it gets them (it changes them, or hands them on after the next"
        " test), so its record can't be told test by test; the run can't be continued, and nothing was sent"
    )


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
