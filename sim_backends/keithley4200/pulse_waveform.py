"""Waveforms of straight segments, cut into the steps in which the device is to live through them.

A plateau is one step; a ramp is steps of constant voltage at the means of their pieces, so every step has the ramp's right
area. Both are cut again wherever a converter looks: at its samples, and in the window of a spot mean at `mean_parts`
moments at most. A spot mean of more samples than that is the mean of these moments with the noise of all samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .settings import Settings

TICK = 1e-12  #: s; moments nearer to each other than this are one; far below the card's own 5 ns
FUZZ = 1e-6  #: of a sample; what a time in floats may miss
SPARE = 1e-2  #: of a step of a ramp; what load line and gain add to a round level is no reason for one more


@dataclass(frozen=True, slots=True)
class Path:
    """Open-circuit levels against time.

    times: s, n + 1 of them, from 0; levels: V, by channel and time; closed: relays, by channel and segment.
    """

    times: tuple[float, ...]
    levels: tuple[tuple[float, ...], ...]
    closed: tuple[tuple[bool, ...], ...]


class Window(NamedTuple):
    """Where one channel is measured. place: of the channel in the path; s; mean: one value or every sample; slot: its name."""

    place: int
    start: float
    stop: float
    mean: bool
    slot: int

    def samples(self, rate: float) -> int:
        """How many samples fall into it at `rate` (Sa/s)."""
        return int((self.stop - self.start) * rate + FUZZ)


class Step(NamedTuple):
    """One dwell and what is looked at when it is over.

    end: s from the start of the path; levels, closed: by channel; instant: the levels at the end, None on a plateau;
    looks: windows that take a value then; done: windows that have taken their last.
    """

    duration: float
    end: float
    levels: tuple[float, ...]
    closed: tuple[bool, ...]
    instant: tuple[float, ...] | None
    looks: tuple[int, ...]
    done: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shot:
    """A path, cut; `rate`: Sa/s."""

    steps: tuple[Step, ...]
    windows: tuple[Window, ...]
    rate: float
    duration: float


def joined(lines: Sequence[Sequence[tuple[float, float]]]) -> Path:
    """Put the (time, level) corners of several channels, all equally long in time, on one time axis."""
    times: list[float] = []
    for time in sorted(time for line in lines for time, _ in line):
        if not times or time - times[-1] > TICK:
            times.append(time)
    levels = [np.interp(times, [time for time, _ in line], [level for _, level in line]) for line in lines]
    closed = (True,) * (len(times) - 1)
    return Path(tuple(times), tuple(tuple(map(float, one)) for one in levels), (closed,) * len(lines))


def cut(path: Path, windows: Iterable[Window], rate: float, settings: Settings) -> Shot:
    """Cut a path into steps for these windows."""
    found = tuple(windows)
    marks = _marks(found, rate, settings.mean_parts)
    left = [0] * len(found)
    for _, number in marks:
        left[number] += 1
    steps: list[Step] = []
    taken = 0
    for n, (begin, end) in enumerate(pairwise(path.times)):
        first = taken
        while taken < len(marks) and marks[taken][0] < end - TICK:
            taken += 1
        starts, stops = tuple(one[n] for one in path.levels), tuple(one[n + 1] for one in path.levels)
        segment = _Segment(begin, end, starts, stops, tuple(one[n] for one in path.closed))
        segment.into(steps, marks[first:taken], left, settings)
    return Shot(tuple(steps), found, rate, path.times[-1])


class _Segment(NamedTuple):
    begin: float
    end: float
    starts: tuple[float, ...]
    stops: tuple[float, ...]
    closed: tuple[bool, ...]

    def into(self, steps: list[Step], marks: list[tuple[float, int]], left: list[int], settings: Settings) -> None:
        """Append the segment's steps. left: how many values each window still takes."""
        edges = [(time, -1) for time in self._edges(settings)]
        at = self.begin
        for time, looks in _together(sorted(marks + edges)):
            done = []
            for number in looks:
                left[number] -= 1
                if not left[number]:
                    done.append(number)
            duration = time - at if time - at > TICK else 0.0
            middle = self._at((at + time) / 2 if duration else time)
            instant = self._at(time) if looks and self.starts != self.stops else None
            steps.append(Step(duration, time, middle, self.closed, instant, tuple(looks), tuple(done)))
            at = time

    def _edges(self, settings: Settings) -> list[float]:
        """Where its steps end: on a ramp at equal distances."""
        height = max(abs(stop - start) for start, stop in zip(self.starts, self.stops, strict=True))
        count = max(settings.ramp_steps, math.ceil(height / settings.ramp_volts - SPARE)) if height else 1
        length = self.end - self.begin
        return [self.begin + length * k / count for k in range(1, count)] + [self.end]

    def _at(self, time: float) -> tuple[float, ...]:
        if self.starts == self.stops:
            return self.starts
        share = (time - self.begin) / (self.end - self.begin)
        return tuple(a + (b - a) * share for a, b in zip(self.starts, self.stops, strict=True))


def _marks(windows: tuple[Window, ...], rate: float, parts: int) -> list[tuple[float, int]]:
    """When which window takes a value, in the order of time."""
    marks: list[tuple[float, int]] = []
    for number, window in enumerate(windows):
        count = window.samples(rate)
        if window.mean and count > parts:
            length = (window.stop - window.start) / parts
            marks += [(window.start + (k + 0.5) * length, number) for k in range(parts)]
        else:
            marks += [(window.start + k / rate, number) for k in range(count)]
    return sorted(marks)


def _together(moments: list[tuple[float, int]]) -> Iterable[tuple[float, list[int]]]:
    """Bring moments that are one together; number -1 is no window."""
    groups: list[tuple[float, list[int]]] = []
    for time, number in moments:
        if not groups or time - groups[-1][0] > TICK:
            groups.append((time, []))
        if number >= 0:
            groups[-1][1].append(number)
    return groups
