"""Read disturb: read a state many times over and see what the reads do to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import reads, retention
from labctl.contracts import Block, Extracted, PulseTrain, Status, Sweep
from labctl.procedure import Choice, Count, Number, ParameterError, Plot, Station
from labctl.pulses import log_counts
from labctl.quantities import Column
from labctl.recipe_parts import WORK_COLUMNS, Kind, PulseParameters, ReadParameters, StateParameters, Work

ON, OFF, PRESENT = 1, 0, 2
WORDS = {ON: "on", OFF: "off", PRESENT: "present"}
ORDERS = {"both": [OFF, ON], "on": [ON], "off": [OFF], "present": [PRESENT]}


class ReadDisturb(PulseParameters, ReadParameters, StateParameters):
    """Stress a state with read pulses and read it, on a logarithmic grid of their number.

    The stress is pulses of the pulse card at `v_stress`, counted in `stressed` and applied unmeasured; the reads on the grid
    are by the smu or the pulse card as `read_with` says, and are counted in `reads`. Pulses have no current compliance.
    """

    states = Choice("states", tuple(ORDERS), default="both", description="states written and stressed; off comes first")
    count = Count("count", default=1000, minimum=1, maximum=10**7, description="stressing pulses for each state")
    per_decade = Count("per_decade", default=3, minimum=1, maximum=1000, description="reads a decade of their number")
    v_stress = Number(
        "v_stress", "V", default=0.0, minimum=-40, maximum=40, description="level of the stressing pulses; 0: as v_read"
    )
    width = Number("width", "s", default=1e-3, minimum=6e-8, maximum=0.4, description="width of a stressing pulse")
    period = Number(
        "period", "s", default=2e-3, minimum=1.2e-7, maximum=1, description="period of the stressing pulses"
    )
    burst = Count(
        "burst",
        default=10_000,
        minimum=1,
        maximum=10_000,
        description="most pulses of one request; a stop waits for it",
    )

    columns = (
        *WORK_COLUMNS,
        Column("state", "", "int64", "the state stressed: 1 on, 0 off, 2 the present one"),
        Column("stressed", "", "int64", "stressing pulses this state has seen so far", label="stressing pulses"),
    )
    plot = Plot("stressed", "conductance", log=True, each="state", names=((1, "on"), (0, "off"), (2, "as found")))

    def check(self) -> None:
        """Refuse reads at 0 V, pulses of no top, and a period that does not hold a pulse."""
        self.check_reads()
        self.check_states()
        self.shape(self.width).check()
        if self.period < self.width + self.rise + self.fall:
            raise ParameterError(f"period = {self.period:g} s does not hold a pulse of width = {self.width:g} s")

    def grid(self) -> list[int]:
        """Numbers of stressing pulses after which the state is read, from 0."""
        return [0, *log_counts(self.count, self.per_decade).tolist()]

    def stress(self, count: int) -> PulseTrain:
        """`count` stressing pulses."""
        return self.shape(self.width).train([self.v_stress or self.v_read], count, self.period, measured=False)

    def writing(self, state: int) -> list[Sweep]:
        """What writes a state; nothing for the present one."""
        return [] if state == PRESENT else [self.state_sweep("set" if state == ON else "reset")]

    def expected_rows(self) -> int:
        """Sweeps and reads."""
        states = ORDERS[self.states]
        return sum(len(sweep.levels) for state in states for sweep in self.writing(state)) + len(states) * len(
            self.grid()
        )

    def requests(self) -> list[Sweep | PulseTrain]:
        """What writes the states, the read, and the longest burst of stress."""
        longest = min(int(self.burst), max(after - before for before, after in pairwise(self.grid())))
        writing = [sweep for state in ORDERS[self.states] for sweep in self.writing(state)]
        return [*writing, self.read_request(), self.stress(longest)]

    def plan(self) -> list[tuple[int, Sequence[Sweep | PulseTrain]]]:
        """What writes each state, its stress, and the reads."""
        stress = self.stress(int(self.count))
        states = ORDERS[self.states]
        written: list[tuple[int, Sequence[Sweep | PulseTrain]]] = [
            (1, [*self.writing(state), stress]) for state in states
        ]
        return [*written, (len(states) * len(self.grid()), [self.read_request()])]

    def points(self, station: Station) -> Iterator[Block]:
        """Yield, for each state, what writes it and its reads."""
        work = Work(station)
        for state in ORDERS[self.states]:
            for sweep in self.writing(state):
                yield from work.sweep(sweep, state=state, stressed=0)
            before = 0
            for number in self.grid():
                yield from self._stress(work, number - before)
                yield from work.read(self.read_request(), self.wait, state=state, stressed=number)
                before = number
                if work.stopped():
                    return

    def _stress(self, work: Work, count: int) -> Iterator[Block]:
        """Apply `count` pulses, in bursts."""
        while count > 0 and not work.stopped():
            pulses = min(count, int(self.burst))
            yield from work.pulse(self.stress(pulses), pulses)
            count -= pulses

    @classmethod
    def extract(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """The change of each state by all stressing pulses, and how many change it by 10 %."""
        read = columns["kind"] == Kind.READ
        found = [reads.left_out(columns["status"][read & (columns["status"] != Status.NORMAL)])]
        for state, word in WORDS.items():
            rows = read & (columns["state"] == state) & (columns["status"] == Status.NORMAL)
            counts, current = columns["stressed"][rows].astype(np.float64), columns["current"][rows]
            found.append(retention.disturbed(counts, current, f"disturb of the {word} state"))
            found.append(retention.reads_to_change(counts, current, f"pulses to disturb the {word} state"))
        return [item for item in found if item is not None]

    @classmethod
    def analyze(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """Beside `extract`: the exponent of |I| against the number of stressing pulses, for noise that is correlated."""
        found: list[Extracted | None] = list(cls.extract(columns))
        read = columns["kind"] == Kind.READ
        for state, word in WORDS.items():
            mine = read & (columns["state"] == state) & (columns["stressed"] > 0)
            rows = mine & (columns["status"] == Status.NORMAL)
            counts, current = columns["stressed"][rows].astype(np.float64), columns["current"][rows]
            left = int(np.count_nonzero(mine) - np.count_nonzero(rows))
            found.append(retention.disturb_exponent(counts, current, f"disturb exponent of the {word} state", left))
        return [item for item in found if item is not None]
