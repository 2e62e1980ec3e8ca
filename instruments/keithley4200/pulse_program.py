"""What the pulse card is to play and what rows it gives: sequences of straight segments on a 10 ns grid, played in loops.

No I/O and no commands: `segments` writes a program for Segment Arb, `library_pulses` for the module of old software.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import FloatArray, Measure
from labctl.errors import LimitError
from labctl.quantities import show

TICK = 1e-8  #: s, the grid of all times in Segment Arb (D 7-40)
OFF_GRID = 1e-12  #: s by which a time may miss the grid: rounding of sums of floats, nothing a card could tell (guess)

IntArray = NDArray[np.int64]


def ticks(times: FloatArray, what: str) -> IntArray:
    """Times (s, any shape) in steps of 10 ns. Raises LimitError naming the first that is off the grid by more than 1 ps."""
    steps = np.round(times / TICK)
    if (off := np.abs(times - steps * TICK) > OFF_GRID).any():
        value = float(times[off].flat[0])
        raise LimitError(f"{what} = {value:.12g} s is not a multiple of {show(TICK, 's')}, the grid of the pulse card")
    return steps.astype(np.int64)


@dataclass(frozen=True)
class Sequence:
    """Segments played one after the other.

    ticks: shape (n,), 10 ns; levels: (n + 1,), V; kinds: (n,), `Measure`; begins, ends: (n,), 10 ns from the segment's start,
    where it is measured; owners: (n,), the segment or pulse of the request; span: how many of these one pass plays.
    """

    ticks: IntArray
    levels: FloatArray
    kinds: IntArray
    begins: IntArray
    ends: IntArray
    owners: IntArray
    span: int

    def __len__(self) -> int:
        return int(self.ticks.size)

    def times(self, copies: int) -> Sequence:
        """The same, `copies` times over; it must end at the level where it starts."""
        shift = np.repeat(np.arange(copies) * self.span, len(self))
        levels = np.append(np.tile(self.levels[:-1], copies), self.levels[-1])
        repeated = [np.tile(column, copies) for column in (self.ticks, self.kinds, self.begins, self.ends, self.owners)]
        time, kinds, begins, ends, owners = repeated
        return Sequence(time, levels, kinds, begins, ends, owners + shift, self.span * copies)

    def padded(self, count: int, rest: int) -> Sequence:
        """The same with rests of `rest` ticks at its last level behind it, until there are `count` segments."""
        more = max(count - len(self), 0)
        nothing = np.zeros(more, dtype=np.int64)
        return Sequence(
            np.append(self.ticks, np.full(more, rest)),
            np.append(self.levels, np.full(more, self.levels[-1])),
            np.append(self.kinds, nothing),
            np.append(self.begins, nothing),
            np.append(self.ends, nothing),
            np.append(self.owners, np.full(more, self.owners[-1])),
            self.span,
        )


@dataclass(frozen=True)
class Windows:
    """Where is measured, in the order of time, one entry for each mean and for each stretch of samples; shape (m,) each.

    starts, stops: s from the start of the test; first, last: the programmed levels (V) there; kinds: `Measure`; owners:
    the segment or pulse, repeats counted on.
    """

    starts: FloatArray
    stops: FloatArray
    first: FloatArray
    last: FloatArray
    kinds: IntArray
    owners: IntArray

    @property
    def lengths(self) -> FloatArray:
        """How long each is, s."""
        return self.stops - self.starts

    @property
    def means(self) -> int:
        """How many means are taken."""
        return int(np.count_nonzero(self.kinds == Measure.MEAN))

    @property
    def sampled(self) -> bool:
        """Whether there are samples, too."""
        return self.means < self.kinds.size

    def rows(self, rate: float) -> IntArray:
        """How many rows each gives at `rate` samples per s: one for a mean, what fits (rounded down) of samples."""
        fitting = np.floor(self.lengths * rate + 1e-6).astype(np.int64)
        return np.where(self.kinds == Measure.MEAN, 1, np.maximum(fitting, 1))

    def telling(self, level: float) -> NDArray[np.bool_]:
        """Which are beyond `level` (V) from end to end: there a channel that is on can't read 0 V."""
        return (np.minimum(np.abs(self.first), np.abs(self.last)) > level) & (self.first * self.last > 0)

    def levels_at(self, which: IntArray, times: FloatArray) -> FloatArray:
        """The programmed levels at `times` (s), each of which lies in the window `which` says."""
        share = np.clip((times - self.starts[which]) / self.lengths[which], 0.0, 1.0)
        return self.first[which] + share * (self.last[which] - self.first[which])

    @classmethod
    def joined(cls, parts: Iterable[Windows]) -> Windows:
        """All of `parts`, one behind the other."""
        columns = ("starts", "stops", "first", "last", "kinds", "owners")
        listed = list(parts)
        return cls(*(np.concatenate([getattr(part, name) for part in listed]) for name in columns))


@dataclass(frozen=True)
class Program:
    """Sequences, and the order they are played in: (place in `sequences`, loops)."""

    sequences: tuple[Sequence, ...]
    plays: tuple[tuple[int, int], ...]

    @property
    def segments(self) -> int:
        """How many segments the card has to keep."""
        return sum(map(len, self.sequences))

    @property
    def duration(self) -> float:
        """How long all of it takes, s."""
        return sum(int(self.sequences[place].ticks.sum()) * loops for place, loops in self.plays) * TICK

    @property
    def row_count(self) -> int:
        """How many windows there are, loops included."""
        return sum(int(np.count_nonzero(self.sequences[place].kinds)) * loops for place, loops in self.plays)

    def windows(self) -> Windows:
        """Every place where is measured, loops included."""
        parts, clock, owner = [], 0, 0
        for place, loops in self.plays:
            sequence = self.sequences[place]
            parts.append(_windows(sequence, loops, clock, owner))
            clock += int(sequence.ticks.sum()) * loops
            owner += sequence.span * loops
        return Windows.joined(parts)


def _windows(sequence: Sequence, loops: int, clock: int, owner: int) -> Windows:
    found = np.flatnonzero(sequence.kinds)
    starts = np.concatenate([[0], np.cumsum(sequence.ticks)[:-1]])[found]
    slope = np.diff(sequence.levels)[found] / sequence.ticks[found]
    first = sequence.levels[found] + slope * sequence.begins[found]
    last = sequence.levels[found] + slope * sequence.ends[found]
    pass_ = np.arange(loops, dtype=np.int64)[:, np.newaxis]
    offsets = clock + pass_ * int(sequence.ticks.sum())
    return Windows(
        ((offsets + starts + sequence.begins[found]) * TICK).ravel(),
        ((offsets + starts + sequence.ends[found]) * TICK).ravel(),
        np.tile(first, loops),
        np.tile(last, loops),
        np.tile(sequence.kinds[found], loops),
        (owner + pass_ * sequence.span + sequence.owners[found]).ravel(),
    )
