"""Endurance: set and reset a cell over and over, look at it now and then, and stop when it has no window any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import endurance, reads
from labctl.analysis.endurance import WORDS, Check, Verdict
from labctl.analysis.endurance import run as endurance_run
from labctl.contracts import Block, Extracted, FloatArray, PulseTrain, Series, Sweep, Waveform
from labctl.procedure import Choice, Count, Number, ParameterError, Plot, Station
from labctl.pulses import cycles as pulse_cycles
from labctl.pulses import log_counts
from labctl.quantities import Column, show
from labctl.recipe_parts import WORK_COLUMNS, PulseParameters, ReadParameters, StateParameters, Work, longest

SET, RESET = 1, -1


class Endurance(PulseParameters, ReadParameters, StateParameters):
    """Cycle a cell between its states by ramped sweeps or by pulses, and read both states at some of the cycles.

    Cycles applied are in `cycle`, and only those that were read have reads. A check that finds the window closed is confirmed
    on the next cycles and then ends the run: collapse, stuck low and stuck high are told apart, the event says which, and
    nothing more is applied to a dead cell.
    """

    stress = Choice(
        "stress", ("sweep", "pulse"), default="sweep", description="what cycles: sweeps of the smu, or pulses"
    )
    cycles = Count("cycles", default=500, minimum=1, description="cycles, unless the cell dies before")
    step = Number(
        "step",
        "V",
        default=0.125,
        above=0,
        maximum=10,
        description="voltage step of both sweeps; finer for finer curves",
    )
    pulse_set = Number("pulse_set", "V", default=2.5, minimum=-40, maximum=40, description="pulse that sets (pulse)")
    pulse_reset = Number(
        "pulse_reset", "V", default=-3.0, minimum=-40, maximum=40, description="pulse that resets (pulse)"
    )
    width_set = Number("width_set", "s", default=1e-3, minimum=6e-8, maximum=0.4, description="width of it (pulse)")
    width_reset = Number("width_reset", "s", default=1e-2, minimum=6e-8, maximum=0.4, description="width of it (pulse)")
    rest = Number("rest", "s", default=0.01, minimum=2e-8, maximum=1, description="wait at 0 V after each (pulse)")
    per_decade = Count(
        "per_decade", default=10, minimum=1, maximum=1000, description="cycles a decade whose states are read"
    )
    check_every = Count(
        "check_every", default=10, minimum=1, description="most cycles from the cell's end to the verdict"
    )
    curves = Count(
        "curves",
        default=3,
        minimum=0,
        maximum=1000,
        description="cycles a decade whose sweeps are kept; 3: 1, 2, 5, 10 ...",
    )
    window = Number("window", "", default=10.0, above=1, maximum=1e12, description="least on/off current ratio")
    confirm = Count(
        "confirm",
        default=3,
        minimum=1,
        maximum=100,
        description="failing checks, on cycles in a row, that make a verdict; one alone may be a bad cycle of a sound cell",
    )

    columns = (
        *WORK_COLUMNS,
        Column("cycle", "", "int64", "number of the cycle, from 1; its second half is the one that resets"),
        Column(
            "segment",
            "",
            "int64",
            "1 sweep that sets and the read after it, -1 sweep that resets and the read after it",
        ),
        Column("checks", "", "int64", "cycles read so far, this one included"),
        Column(
            "verdict",
            "",
            "int64",
            "of a check's last read: 1 sound, 2 collapse, 3 stuck low, 4 high, 5 no window, 6 unread; else 0",
        ),
        Column(
            "confirmed", "", "int64", "1 where enough checks in a row failed, so that the verdict ends the run; else 0"
        ),
    )
    plot = Plot("cycle", "conductance", log=True, log_x=True, each="segment", names=((1, "on"), (-1, "off")))
    pictures = ("endurance", "cycles", "cdf")

    def check(self) -> None:
        """Refuse reads at 0 V, and pulses of no top or level."""
        self.check_reads()
        self.check_states()
        for name in ("width_set", "width_reset"):
            self.shape(getattr(self, name)).check(name)
        longest(self.rest, "rest")
        if self.stress == "pulse" and 0 in (self.pulse_set, self.pulse_reset):
            raise ParameterError("a pulse of 0 V cycles nothing; give pulse_set and pulse_reset")

    def checked(self) -> list[int]:
        """The cycles whose states are read, if all goes well."""
        distance = max(1, self.check_every - (self.confirm - 1))  # so that the confirming cycles are within check_every
        regular = range(distance, self.cycles + 1, distance)
        return sorted({*log_counts(self.cycles, self.per_decade).tolist(), *self.drawn(), *regular})

    def drawn(self) -> list[int]:
        """The cycles whose sweeps are kept."""
        kept = log_counts(self.cycles, self.curves).tolist() if self.curves else []
        return kept if self.stress == "sweep" else []

    def expected_rows(self) -> int:
        """At most: all kept sweeps, and the reads of a cell whose every check must be confirmed."""
        each = sum(len(self.state_sweep(name).levels) for name in ("set", "reset"))
        pulses = 2 if self.stress == "pulse" else 0
        most = min(int(self.cycles), len(self.checked()) * self.confirm)
        return len(self.drawn()) * each + most * (2 + pulses)

    def requests(self) -> list[Sweep | PulseTrain | Waveform]:
        """The read, and what cycles the cell."""
        halves: list[Sweep | PulseTrain | Waveform] = [self.stimulus(sign) for sign in (SET, RESET)]
        gaps = [after - before - 1 for before, after in pairwise([0, *self.checked()])]
        unread = [self.unread(max(gaps))] if self.stress == "pulse" and max(gaps) else []
        return [self.read_request(), *halves, *unread]

    def stimulus(self, sign: int) -> Sweep | PulseTrain:
        """What sets (1) or resets (-1)."""
        if self.stress == "sweep":
            return self.state_sweep("set" if sign == SET else "reset")
        level, width = (self.pulse_set, self.width_set) if sign == SET else (self.pulse_reset, self.width_reset)
        return self.shape(width).train([level])

    def unread(self, count: int) -> Waveform:
        """Cycles of pulses that nobody reads, `count` of them in one go."""
        set_, reset = self.shape(self.width_set), self.shape(self.width_reset)
        return pulse_cycles([(set_, self.pulse_set), (reset, self.pulse_reset)], self.rest, count)

    def plan(self) -> list[tuple[int, Sequence[Sweep | PulseTrain]]]:
        """All cycles, and the reads of a cell that needs no confirmation."""
        halves = [self.stimulus(SET), self.stimulus(RESET)]
        return [(int(self.cycles), halves), (2 * len(self.checked()), [self.read_request()])]

    def points(self, station: Station) -> Iterator[Block]:
        """Yield the kept sweeps and the reads, until the last cycle or the cell's end."""
        work, watch = Work(station), _Watch(self.window, self.confirm)
        wanted, drawn = self.checked(), set(self.drawn())
        done = 0
        while done < self.cycles and not watch.dead and not work.stopped():
            next_check = done + 1 if watch.failing else next(cycle for cycle in wanted if cycle > done)
            yield from self._unread(work, next_check - done - 1)
            done = next_check
            if work.stopped():
                return
            yield from self._cycle(work, watch, done, done in drawn)
        if not work.stopped():
            work.event(watch.words(), cycle=done, **watch.details())

    def _unread(self, work: Work, count: int) -> Iterator[Block]:
        """Apply `count` cycles that nobody reads."""
        if self.stress == "pulse":
            if count:
                yield from work.pulse(self.unread(count), 2 * count, self.rest)
            return
        for _ in range(count):
            for name in ("set", "reset"):
                yield from work.sweep(self.state_sweep(name), keep=False)

    def _cycle(self, work: Work, watch: _Watch, number: int, drawn: bool) -> Iterator[Block]:
        """One cycle whose states are read; its last read carries the verdict."""
        on: Block | None = None
        for sign in (SET, RESET):
            checks = watch.checks + 1
            mark: dict[str, Any] = {"cycle": number, "segment": sign, "checks": checks, "verdict": 0, "confirmed": 0}
            stimulus = self.stimulus(sign)
            if isinstance(stimulus, Sweep):
                yield from work.sweep(stimulus, keep=drawn, **mark)
            else:
                yield from work.pulse(stimulus, 1, self.rest, **mark)
            for block in work.read(self.read_request(), self.wait, **mark):
                if block.provisional or on is None:
                    yield block
                else:
                    verdict = watch.look(on, block)
                    yield block.with_columns(verdict=int(verdict), confirmed=int(watch.dead))
            if work.stopped():
                return
            on = work.last

    @classmethod
    def extract(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """Cycles applied and read, how it ended and by which criteria, the window at start and end."""
        last, on = endurance_run.last_reads(columns), endurance_run.first_reads(columns)
        checked, verdicts = columns["cycle"][last], columns["verdict"][last]
        return [
            *endurance_run.counts(columns),
            *endurance.end(checked, verdicts, bool(np.any(columns["confirmed"][last]))),
            *endurance.window(_judged(columns, on), _judged(columns, last), verdicts == Verdict.SOUND),
            endurance.flagged(columns["status"][on | last]),
        ]

    @classmethod
    def analyze(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """Beside `extract`: the failure between two checks, the window in each decade and its trend, energies of kept
        sweeps.
        """
        return [*cls.extract(columns), *endurance_run.analyze(columns)]

    @classmethod
    def per_cycle(cls, columns: Mapping[str, NDArray[Any]]) -> list[Series]:
        """LRS, HRS and on/off at every check, by its cycle."""
        return endurance_run.per_cycle(columns)


def _judged(columns: Mapping[str, NDArray[Any]] | Block, rows: NDArray[np.bool_] | slice) -> FloatArray:
    """The currents (A) by which some reads are judged."""
    level, voltage, current, status = (columns[name][rows] for name in ("level", "voltage", "current", "status"))
    return endurance.judged(level, voltage, current, status)


class _Watch:
    """Looks at every check and remembers the first and last sound one, how many failed in a row, and the last verdict."""

    def __init__(self, window: float, confirm: int) -> None:
        self.window = window
        self.confirm = confirm
        self.checks = 0
        self.failing = 0
        self.verdict = Verdict.NONE
        self.first: Check | None = None
        self.sound: Check | None = None
        self.last: Check | None = None
        self.status: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    @property
    def dead(self) -> bool:
        """Whether enough checks in a row failed."""
        return self.failing >= self.confirm

    def look(self, on: Block, off: Block) -> Verdict:
        """Judge a check by the reads of both states."""
        check = Check(*(float(np.mean(_judged(block, slice(None)))) for block in (on, off)))
        self.verdict = endurance.judge(check, self.first, self.sound, self.window)
        self.last, self.status = check, np.concatenate([on["status"], off["status"]])
        self.checks += 1
        if self.verdict == Verdict.SOUND:
            self.first, self.sound, self.failing = self.first or check, check, 0
        else:
            self.failing += 1
        return self.verdict

    def words(self) -> str:
        """The last verdict as an event."""
        if self.verdict == Verdict.SOUND:
            return "window held"
        return WORDS[self.verdict] if self.dead else "unconfirmed"

    def details(self) -> dict[str, Any]:
        """What the event says beside the cycle: the last check, what too few failing checks look like, flags of the reads."""
        if self.last is None:
            return {}
        found: dict[str, Any] = {"cycles_read": self.checks, "on_off": self.last.ratio}
        for name, current in (("i_on", self.last.on), ("i_off", self.last.off)):
            found[name] = show(current, "A") if np.isfinite(current) else "not read"
        if self.failing and not self.dead:
            found["looks_like"] = (
                f"{WORDS[self.verdict]}, in {self.failing} of the {self.confirm} checks that make a verdict"
            )
        flags = reads.reasons(self.status)
        return {**found, "flagged": flags} if flags else found
