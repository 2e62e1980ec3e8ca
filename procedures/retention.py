"""Retention: states written once, then read now and then for hours, with nothing applied in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import reads, retention
from labctl.analysis.retention import noise
from labctl.contracts import Block, Extracted, FloatArray, PulseTrain, Status, Sweep
from labctl.procedure import Choice, Count, Flag, Number, ParameterError, Plot, Station
from labctl.pulses import linear_times, log_times
from labctl.quantities import Column
from labctl.recipe_parts import WORK_COLUMNS, Kind, PulseParameters, ReadParameters, StateParameters, Work
from labctl.visits import Visits

ON, OFF = 1, 0
WORDS = {ON: "on", OFF: "off"}


class Retention(PulseParameters, ReadParameters, StateParameters):
    """Write a state, read it on a grid of times with short reads, the outputs off in between; then the other state.

    A voltage held for hours would be a stress of its own, so the cell is sampled; `reads` counts what it saw.
    Temperature is recorded as stated; the recipe controls no chuck.
    """

    states = Choice(
        "states", ("both", "on", "off"), default="both", description="states written and kept; off comes first"
    )
    write_with = Choice(
        "write_with",
        ("sweep", "pulse"),
        default="sweep",
        description="what writes: sweeps of the smu, or one pulse each",
    )
    pulse_set = Number("pulse_set", "V", default=2.5, minimum=-40, maximum=40, description="pulse that sets (pulse)")
    pulse_reset = Number(
        "pulse_reset", "V", default=-3.0, minimum=-40, maximum=40, description="pulse that resets (pulse)"
    )
    pulse_width = Number(
        "pulse_width", "s", default=1e-3, minimum=6e-8, maximum=0.4, description="width of both (pulse)"
    )
    duration = Number("duration", "s", default=1e4, above=0, maximum=1e8, description="time each state is kept")
    grid = Choice("grid", ("log", "linear"), default="log", description="spacing of the reads in time")
    first = Number("first", "s", default=1.0, above=0, maximum=1e8, description="time of the first read after writing")
    per_decade = Count("per_decade", default=10, minimum=1, maximum=1000, description="reads a decade of time (log)")
    count = Count("count", default=41, minimum=2, maximum=100_000, description="reads in all (linear)")
    selectivity = Flag(
        "selectivity", default=True, description="also read at v_read/2 after the first and the last read of a state"
    )
    temperature = Number(
        "temperature",
        "K",
        default=300.0,
        above=0,
        maximum=1000,
        description="of the sample, as you state it; recorded only",
    )

    columns = (
        *WORK_COLUMNS,
        Column("state", "", "int64", "the state written: 1 on, 0 off"),
        Column("age", "s", meaning="since the state was written, on the station's clock", label="time since writing"),
        Column("segment", "", "int64", "1 a read at v_read, 2 at half of it, 0 the writing"),
    )
    pictures = ("retention",)
    plot = Plot(
        "age", "conductance", log=True, log_x=True, each="state", names=((1, "on"), (0, "off")), only=("segment", 1)
    )

    def check(self) -> None:
        """Refuse reads at 0 V, a first read after the last, and pulses of no top or level."""
        self.check_reads()
        self.check_states()
        self.shape(self.pulse_width).check("pulse_width")
        if self.first > self.duration:
            raise ParameterError(f"first = {self.first:g} s is later than duration = {self.duration:g} s")
        if self.write_with == "pulse" and 0 in (self.pulse_set, self.pulse_reset):
            raise ParameterError("a pulse of 0 V writes nothing; give pulse_set and pulse_reset")

    def times(self) -> FloatArray:
        """When each state is read, s after writing, shape (n,)."""
        if self.grid == "linear":
            return linear_times(self.first, self.duration, self.count)
        return log_times(self.first, self.duration, self.per_decade)

    def order(self) -> list[int]:
        """The states kept, in this order."""
        return {"both": [OFF, ON], "on": [ON], "off": [OFF]}[self.states]

    def writing(self, state: int) -> Sweep | PulseTrain:
        """What writes a state."""
        if self.write_with == "sweep":
            return self.state_sweep("set" if state == ON else "reset")
        level = self.pulse_set if state == ON else self.pulse_reset
        return self.shape(self.pulse_width).train([level])

    def expected_rows(self) -> int:
        """What is written and all reads."""
        written = 0
        for state in self.order():
            request = self.writing(state)
            written += len(request.levels) if isinstance(request, Sweep) else 1
        halves = 2 if self.selectivity else 0
        return written + len(self.order()) * (len(self.times()) + halves)

    def requests(self) -> list[Sweep | PulseTrain]:
        """What writes the states, and the reads."""
        halves = [self.read_request(0.5 * self.v_read)] if self.selectivity else []
        return [*(self.writing(state) for state in self.order()), self.read_request(), *halves]

    def plan(self) -> list[tuple[int, Sequence[Sweep | PulseTrain]]]:
        """What writes the states, and the reads at full voltage."""
        reads = len(self.order()) * len(self.times())
        return [(1, [self.writing(state) for state in self.order()]), (reads, [self.read_request()])]

    def points(self, station: Station) -> Iterator[Block]:
        """Yield, for each state, what writes it and its reads."""
        work = Work(station)
        for state in self.order():
            yield from self._write(work, state)
            yield from self._keep(work, state)
            if work.stopped():
                return

    def _write(self, work: Work, state: int) -> Iterator[Block]:
        request = self.writing(state)
        mark: dict[str, Any] = {"state": state, "age": 0.0, "segment": 0}
        if isinstance(request, Sweep):
            yield from work.sweep(request, **mark)
        else:
            yield from work.pulse(request, 1, **mark)

    def _keep(self, work: Work, state: int) -> Iterator[Block]:
        """The reads of a state just written."""
        visits = Visits(work, self.times())
        for _ in visits:
            yield from self._read(work, self.v_read, visits.wait(), visits.since, state=state, segment=1)
            visits.seen()
            if self.selectivity and (visits.count == 1 or visits.is_last):
                yield from self._read(work, 0.5 * self.v_read, self.wait, visits.since, state=state, segment=2)
                visits.also(self.wait)
            if work.stopped():
                return

    def _read(self, work: Work, voltage: float, wait: float, written: float, **mark: Any) -> Iterator[Block]:
        for block in work.read(self.read_request(voltage), wait, **mark):
            yield block.with_columns(age=block["elapsed"] - written)

    @classmethod
    def extract(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """Drift exponent and failure time of each state, on/off and selectivity at start and end."""
        found: list[Extracted | None] = []
        kept = {state: _reads(columns, state, 1) for state in (ON, OFF)}
        for state, (times, current) in kept.items():
            found.append(retention.drift_exponent(times, current, f"drift exponent {WORDS[state]}"))
            found.append(retention.failure_time(times, current, f"time to failure {WORDS[state]}"))
        found += [*_windows(kept[ON], kept[OFF]), *_selectivities(columns)]
        read = columns["kind"] == Kind.READ
        found.append(reads.left_out(columns["status"][read & (columns["status"] != Status.NORMAL)]))
        return [item for item in found if item is not None]

    @classmethod
    def analyze(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """Beside `extract`: the drift with an interval that holds for correlated noise, failure by it, and the noise of
        many reads.
        """
        found: list[Extracted | None] = list(cls.extract(columns))
        for state, word in WORDS.items():
            times, current = _reads(columns, state, 1)
            flagged = _flagged(columns, state)
            found.append(retention.drift(times, current, f"drift exponent {word}", flagged))
            found.append(retention.failure_by_drift(times, current, f"time to failure {word}", excluded=flagged))
            if _even(times):
                found += noise.read_noise(current, f"{word} state")
                found.append(noise.levels(current, f"{word} state"))
        return [item for item in found if item is not None]


Reads = tuple[FloatArray, FloatArray]  #: ages, s, and currents, A


def _reads(columns: Mapping[str, NDArray[Any]], state: int, segment: int) -> Reads:
    """Ages (s) and currents (A) of the unflagged reads of one state at one voltage."""
    rows = (columns["kind"] == Kind.READ) & (columns["status"] == Status.NORMAL)
    rows &= (columns["state"] == state) & (columns["segment"] == segment)
    return columns["age"][rows], columns["current"][rows]


def _flagged(columns: Mapping[str, NDArray[Any]], state: int) -> int:
    """How many reads of a state are left out for their status."""
    mine = (columns["kind"] == Kind.READ) & (columns["state"] == state) & (columns["segment"] == 1)
    return int(np.count_nonzero(columns["status"][mine] != Status.NORMAL))


def _even(times: FloatArray) -> bool:
    """Whether reads are at even distances, within a tenth: what noise is judged by."""
    steps = np.diff(times)
    return bool(steps.size and steps.min() > 0 and steps.max() < 1.1 * steps.min())


def _windows(on: Reads, off: Reads) -> list[Extracted | None]:
    """On/off of the first and the last age at which both states were read."""
    pairs = retention.same_age(on[0], off[0])
    found = []
    for words, (k, other) in zip(("start", "end"), [*pairs[:1], *pairs[1:][-1:]], strict=False):
        when = f"read {on[0][k]:.3g} s (on) and {off[0][other]:.3g} s (off) after writing"
        found.append(retention.on_off(on[1][k], off[1][other], f"on/off at the {words}", when))
    return found


def _selectivities(columns: Mapping[str, NDArray[Any]]) -> list[Extracted | None]:
    """Of each read at half the voltage and the one directly before it, both unflagged: on state, start and end."""
    mine = (columns["kind"] == Kind.READ) & (columns["state"] == ON)
    segment, age = columns["segment"][mine], columns["age"][mine]
    current = np.where(columns["status"][mine] == Status.NORMAL, columns["current"][mine], np.nan)
    found = []
    for words, row in zip(("start", "end"), np.flatnonzero(segment == 2), strict=False):
        if row and segment[row - 1] == 1:
            when = f"on state, {age[row - 1]:.3g} s after writing"
            name = f"selectivity at the {words}"
            found.append(retention.selectivity(float(current[row - 1]), float(current[row]), name, when))
    return found
