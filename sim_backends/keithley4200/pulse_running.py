"""A running pulse test: played step by step, as far as the clock has come, and never further.

A course (`standard_course`, `segment_course`) is a generator that yields when its next step is over; it goes on once the clock
has passed that. So an abort ends the stimulus where it is, as in `running`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Protocol

from .circuit import Circuit
from .pulse_line import Line, Seen
from .pulse_waveform import Shot
from .settings import Settings

Taken = Callable[[int, list[Seen]], None]  #: called with a window's number and what was seen in it


class Course(Protocol):
    """What a test plays."""

    def play(self, stage: Stage) -> Iterator[float]:
        """Play everything; yields the clock time of the end of each step."""
        ...


class Stage:
    """The channels of a test on the circuit. began: clock time of its start; time: where the next shot begins."""

    def __init__(self, lines: Sequence[Line], circuit: Circuit) -> None:
        self.lines = lines
        self._circuit = circuit
        self.began = self.time = circuit.time
        self._present: tuple[tuple[float, ...], tuple[bool, ...]] | None = None

    def begin(self, now: float) -> None:
        """Switch the outputs on at clock time `now`."""
        self._circuit.pass_to(now)
        self.began = self.time = now
        self.renew()

    def renew(self) -> None:
        """Take the channels' ranges as they are now."""
        for line in self.lines:
            line.switch_on()
        self._present = None

    def shot(self, shot: Shot, taken: Taken | None = None) -> Generator[float, None, list[list[Seen]]]:
        """Play one shot; yields when each step is over, returns what was seen in each window."""
        seen: list[list[Seen]] = [[] for _ in shot.windows]
        began, circuit, lines = self.time, self._circuit, self.lines
        for step in shot.steps:
            self._put(step.levels, step.closed)
            if step.duration:
                yield began + step.end
                circuit.live(step.duration, began + step.end)
                for line in lines:
                    line.follow(circuit, step.duration)
            if step.instant is not None:
                self._put(step.instant, step.closed)
            for number in step.looks:
                seen[number].append(lines[shot.windows[number].place].look(circuit))
            if taken is not None:
                for number in step.done:
                    taken(number, seen[number])
        self.time = began + shot.duration
        return seen

    def hold(self, seconds: float) -> Iterator[float]:
        """Stay at the present levels."""
        self.time += seconds
        yield self.time
        self._circuit.live(seconds, self.time)

    def _put(self, levels: tuple[float, ...], closed: tuple[bool, ...]) -> None:
        if self._present == (levels, closed):
            return
        self._present = levels, closed
        for line, level, relay in zip(self.lines, levels, closed, strict=True):
            line.put(level, relay)
        self._circuit.changed()

    def rest(self, zero: bool) -> None:
        """Stay at the last levels, or go to 0 V, with the outputs on."""
        if zero:
            self._put((0.0,) * len(self.lines), (True,) * len(self.lines))


class PulseRun:
    """One test from ``:PMU:EXECUTE`` to its end; everything was checked before."""

    def __init__(self, course: Course, lines: Sequence[Line], circuit: Circuit, settings: Settings) -> None:
        self._settings, self._circuit = settings, circuit
        self._stage = Stage(lines, circuit)
        self._steps = self._all(course)
        self.active = True
        self.due = next(self._steps)

    def advance_to(self, now: float) -> None:
        """Play every step that is over by `now`."""
        while self.active and self.due <= now:
            try:
                self.due = next(self._steps)
            except StopIteration:
                self.active = False
                self._stage.rest(self._settings.pulse_rests == "zero")

    def abort(self, now: float) -> None:
        """Stop where the clock stands; what becomes of the outputs is the caller's."""
        self._circuit.pass_to(now)
        self.active = False

    def _all(self, course: Course) -> Iterator[float]:
        start = self._circuit.time + self._settings.pulse_setup_time
        yield start
        self._stage.begin(start)
        yield from course.play(self._stage)
