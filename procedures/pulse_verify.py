"""Pulse and verify: bring a conductance to a target with pulses of rising amplitude, reading after each."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import reads
from labctl.analysis.plasticity import targets as plasticity_targets
from labctl.contracts import Block, Extracted, FloatArray, PulseTrain, Series, Sweep
from labctl.procedure import Count, Number, ParameterError, Plot, Station, levels_between
from labctl.quantities import Column
from labctl.recipe_parts import WORK_COLUMNS, PreparedParameters, PulseParameters, ReadParameters, Work

UP, DOWN = 1, -1
#: what a read of a target led to, column ``verdict``
OPEN, REACHED, NOT_REACHED = 0, 1, 2


class PulseVerify(PulseParameters, ReadParameters, PreparedParameters):
    """Programme conductances with incremental step pulses, up and down, until a read lies within the tolerance.

    Each direction has a staircase of amplitudes; whenever the direction changes, that of the other begins anew, and lower by
    `backoff` each time, so that a cell that jumps over its target is approached in smaller steps. A target is given up, with
    the reason as an event, when its pulses or the staircase are used up. Pulses have no current compliance.
    """

    target = Number("target", "S", default=5e-6, above=0, maximum=1, description="first target conductance")
    target_last = Number(
        "target_last", "S", default=0.0, minimum=0, maximum=1, description="last target (several targets); 0: as target"
    )
    targets = Count("targets", default=1, minimum=1, maximum=10_000, description="targets, evenly from first to last")
    tolerance = Number(
        "tolerance",
        "",
        default=0.05,
        above=0,
        maximum=1,
        description="greatest distance from the target, over the target",
    )
    max_pulses = Count("max_pulses", default=100, minimum=1, maximum=100_000, description="most pulses for one target")
    up_first = Number("up_first", "V", default=2.0, minimum=-40, maximum=40, description="first amplitude that raises")
    up_last = Number("up_last", "V", default=2.6, minimum=-40, maximum=40, description="last amplitude that raises")
    down_first = Number(
        "down_first", "V", default=-2.0, minimum=-40, maximum=40, description="first amplitude that lowers"
    )
    down_last = Number(
        "down_last", "V", default=-2.7, minimum=-40, maximum=40, description="last amplitude that lowers"
    )
    pulse_step = Number("pulse_step", "V", default=0.02, above=0, maximum=10, description="step of the amplitude")
    backoff = Number(
        "backoff",
        "V",
        default=0.1,
        minimum=0,
        maximum=10,
        description="how much lower a staircase begins after each change of direction, down to half of its first amplitude",
    )
    width = Number(
        "width", "s", default=20e-6, minimum=6e-8, maximum=0.4, description="width of a pulse at half height"
    )

    columns = (
        *WORK_COLUMNS,
        Column("target", "S", meaning="conductance aimed at"),
        Column("attempt", "", "int64", "pulses applied for this target so far"),
        Column("amplitude", "V", meaning="level of the last pulse, 0 before the first", label="pulse amplitude"),
        Column("verdict", "", "int64", "of a read: 1 the target is reached, 2 it is given up, 0 neither yet"),
    )
    plot = Plot("applied", "conductance", each="target")
    pictures = ("plain", "cdf")

    def check(self) -> None:
        """Refuse reads at 0 V, pulses of no top, and staircases that go down, change sign, or do nothing."""
        self.check_reads()
        self.check_states()
        self.shape(self.width).check()
        for name, first, last in (("up", self.up_first, self.up_last), ("down", self.down_first, self.down_last)):
            if first == 0 or first * last <= 0 or abs(last) < abs(first):
                raise ParameterError(f"{name}_first = {first:g} V to {name}_last = {last:g} V is no rising staircase")
        if self.up_first * self.down_first > 0:
            raise ParameterError("up_first and down_first have one sign; one of them can't move the cell back")

    def aims(self) -> FloatArray:
        """The targets in their order, S, shape (targets,)."""
        return np.linspace(self.target, self.target_last or self.target, self.targets)

    def staircase(self, direction: int, turns: int = 0) -> FloatArray:
        """Amplitudes of a direction (V) after `turns` changes of it, growing in magnitude; the last step may be shorter."""
        first, last = (self.up_first, self.up_last) if direction == UP else (self.down_first, self.down_last)
        start, end = max(abs(first) - turns * self.backoff, 0.5 * abs(first)), abs(last)
        steps = np.arange(levels_between((end - start) / self.pulse_step) + 1) * self.pulse_step
        return np.asarray(np.copysign(np.minimum(start + steps, end), last), dtype=np.float64)

    def requests(self) -> list[Sweep | PulseTrain]:
        """The preparing sweep, the read, and every step of both staircases."""
        shape = self.shape(self.width)
        steps = [shape.train([float(level)]) for way in (UP, DOWN) for level in self.staircase(way)]
        return [*self.preparing(), self.read_request(), *steps]

    def expected_rows(self) -> int:
        """At most: targets are usually reached with fewer pulses."""
        return sum(len(sweep.levels) for sweep in self.preparing()) + self.targets * (1 + 2 * self.max_pulses)

    def points(self, station: Station) -> Iterator[Block]:
        """Yield the preparing sweep, then pulses and reads, target by target."""
        work = Work(station)
        for sweep in self.preparing():
            yield from work.sweep(sweep, target=float(self.target), attempt=0, amplitude=0.0, verdict=OPEN)
        for aim in self.aims():
            yield from self._programme(work, float(aim))
            if work.stopped():
                return

    def _programme(self, work: Work, aim: float) -> Iterator[Block]:
        """Read, and pulse and read until the target is reached or given up."""
        shape, stairs = self.shape(self.width), _Stairs(self.staircase)
        mark: dict[str, Any] = {"target": aim, "attempt": 0, "amplitude": 0.0, "verdict": OPEN}
        for attempt in range(self.max_pulses + 1):
            reason = yield from self._verify(work, aim, mark, stairs, attempt)
            if reason is None or work.stopped():
                return
            if reason:
                work.event(reason, target=aim, conductance=work.conductance, pulses=attempt)
                return
            mark = {**mark, "attempt": attempt + 1, "amplitude": stairs.climb()}
            yield from work.pulse(shape.train([mark["amplitude"]]), 1, self.wait, **mark)

    def _verify(
        self, work: Work, aim: float, mark: dict[str, Any], stairs: _Stairs, attempt: int
    ) -> Generator[Block, None, str | None]:
        """Read once and return what follows: "" for a further pulse, else the event; None where a stop left no read."""
        reason = None
        for block in work.read(self.read_request(), self.wait, **mark):
            if block.provisional:
                yield block
                continue
            flagged = reads.reasons(block["status"])
            reason = self._reason(work.conductance, aim, stairs, attempt, flagged)
            yield block.with_columns(verdict=_verdict(reason))
        return reason

    def _reason(self, conductance: float, aim: float, stairs: _Stairs, attempt: int, flagged: str) -> str:
        """The event a read leads to, "" for a further pulse; turns the staircase the way the cell must go.

        flagged: what the instrument says is wrong with the read, "" for nothing.
        """
        if abs(conductance / aim - 1.0) <= self.tolerance:
            return "reached"
        if not np.isfinite(conductance):
            return "not reached: the read is no number" + (f" ({flagged})" if flagged else "")
        if attempt == self.max_pulses:
            return f"not reached: {self.max_pulses} pulses used up"
        stairs.turn(UP if conductance < aim else DOWN)
        return "not reached: at the end of the staircase" if stairs.ended else ""

    @classmethod
    def extract(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """How many targets were reached, with how many pulses, and how far from the target the cells were left."""
        return plasticity_targets.extract(columns)

    @classmethod
    def per_cycle(cls, columns: Mapping[str, NDArray[Any]]) -> list[Series]:
        """For every target: the distance left and the pulses it took."""
        return plasticity_targets.per_target(columns)


def _verdict(reason: str) -> int:
    return REACHED if reason == "reached" else NOT_REACHED if reason else OPEN


class _Stairs:
    """The staircase one is on, and what is left of it; steps: amplitudes of a direction after so many turns."""

    def __init__(self, steps: Callable[[int, int], FloatArray]) -> None:
        self.steps = steps
        self.direction = 0
        self.turns = -1  # the first direction is no turn
        self.left: list[float] = []

    @property
    def ended(self) -> bool:
        """Whether the staircase of the present direction is used up."""
        return not self.left

    def turn(self, direction: int) -> None:
        """Go on in `direction`, from the first step of a new staircase if it is another than before."""
        if direction != self.direction:
            self.direction, self.turns = direction, self.turns + 1
            self.left = [float(level) for level in self.steps(direction, self.turns)]

    def climb(self) -> float:
        """The amplitude (V) of the next step."""
        return self.left.pop(0)
