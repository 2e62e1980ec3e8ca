"""A pulse test as the ``:PMU:`` commands describe it, before it is checked and played (defaults: D section 7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from labctl.kxci.messages import Play

STANDARD, SEGMENT_ARB = 0, 1  #: pulse modes (D 7-9)
NOTHING, SPOT_MEAN, WAVEFORM, SPOT_MEAN_AVERAGE, WAVEFORM_AVERAGE = range(5)  #: measure modes (D 7-13)
AUTO, LIMITED, FIXED = range(3)  #: kinds of current ranging (D 7-15)
SHORT, OFFSET = 1, 3  #: connection compensations (D 7-5)


@dataclass(frozen=True, slots=True)
class Times:
    """One pulse, s; width at half height (D 7-18)."""

    period: float = 1e-6
    width: float = 500e-9
    rise: float = 100e-9
    fall: float = 100e-9
    delay: float = 0.0

    @property
    def edges(self) -> float:
        """What the width loses to the edges, s."""
        return 0.5 * (self.rise + self.fall)

    @property
    def end(self) -> float:
        """When the fall ends, s from the start of the period."""
        return self.delay + self.width + self.edges

    @property
    def top(self) -> tuple[float, float]:
        """From when to when the pulse is at its top, s."""
        return self.delay + self.rise, self.delay + self.width + 0.5 * (self.rise - self.fall)


@dataclass(frozen=True, slots=True)
class Source:
    """The levels of one channel of a standard test, V: a train, a sweep (inner loop) or steps (outer loop).

    moves: what `start` and `step` are of; "both" is a constant level; fixed: the other level. count: levels one way;
    points: levels in all, with the way back.
    """

    role: Literal["train", "sweep", "step"]
    moves: Literal["top", "base", "both"]
    start: float
    fixed: float = 0.0
    step: float = 0.0
    count: int = 1
    points: int = 1

    def levels(self, number: int) -> tuple[float, float]:
        """Base and top of point `number`, from 0."""
        moved = self.start + self.step * (number if number < self.count else self.points - 1 - number)
        if self.moves == "both":
            return moved, moved
        return (self.fixed, moved) if self.moves == "top" else (moved, self.fixed)

    def extremes(self) -> list[tuple[float, float]]:
        """Base and top where they are greatest and least."""
        return [self.levels(0), self.levels(self.count - 1)]


HELD = Source("train", "both", 0.0)  #: a channel whose output is on and for which nothing was said: 0 V (guess)


def count_levels(start: float, stop: float, step: float) -> int:
    """Levels from `start` to `stop`, neither beyond: |stop - start|/step + 1 (0 to 5 V by 0.2 V are 26, Tek); step not 0."""
    return int(min(abs((stop - start) / step), 1e9) + 1e-6) + 1


@dataclass(slots=True)
class Sequence:
    """One Segment Arb sequence: the arrays as sent, by property; what was not sent is not there."""

    arrays: dict[str, list[float]] = field(default_factory=dict)

    def values(self, name: str, default: list[float]) -> list[float]:
        """An array, or its default."""
        return self.arrays.get(name, default)


@dataclass(slots=True)
class Channel:
    """Everything about one pulse channel."""

    voltage_range: float = 10.0
    load: float = 1e6
    corrects_load_line: bool = False
    ranging: int = FIXED
    current_range: float = 1e-2
    high: bool = True
    low: bool = True
    window: tuple[float, float] = (0.75, 0.90)
    margins: tuple[float, float] = (0.2, 0.2)
    times: Times = field(default_factory=Times)
    source: Source | None = None
    on: bool = False
    retains: bool = False
    sequences: dict[int, Sequence] = field(default_factory=dict)
    plays: list[Play] = field(default_factory=list)

    @property
    def acquired(self) -> tuple[bool, bool]:
        """Whether top and base are measured; both where neither was asked for (D 7-14)."""
        return (self.high, self.low) if self.high or self.low else (True, True)

    def forget(self) -> None:
        """Lose what is played, as after a test without RETAIN (D 7-21; that it is this and no more: guess)."""
        self.source = None
        self.sequences.clear()
        self.plays.clear()


@dataclass(slots=True)
class PulseSetup:
    """Everything ``:PMU:EXECUTE`` needs; by_library: it is a module's, for which KXCI's limit on samples of means is none."""

    channels: dict[int, Channel]
    mode: int = STANDARD
    measure: int = SPOT_MEAN
    burst: int = 1
    rate: float = 200e6
    by_library: bool = False

    @property
    def active(self) -> dict[int, Channel]:
        """The channels that take part: those whose output was asked for."""
        return {number: channel for number, channel in self.channels.items() if channel.on}
