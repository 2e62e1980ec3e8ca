"""What ``:PMU:EXECUTE`` checks of Segment Arb: sequences, the list that plays them, and its sampling (D 7-38 … 7-57)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .pulse_data import CAPACITY
from .pulse_line import Line
from .pulse_rules import ROUNDING, check_level, check_ranges, load_of, sample_rate
from .pulse_setup import SPOT_MEAN, SPOT_MEAN_AVERAGE, WAVEFORM_AVERAGE, PulseSetup
from .pulse_setup import Sequence as Arrays
from .refusal import (
    FEW_SEGMENTS,
    JUMP,
    RELAY,
    SAMPLES,
    SEGMENT,
    SEGMENT_RATE,
    SEGMENTS,
    SEQUENCE,
    SEQUENCES,
    SHORT_SEQUENCE,
    SLEW,
    Refused,
)  # fmt: skip
from .settings import Settings

MOST_SEQUENCES = 512  #: entries of a list, taken for "Max sequences" (guess: numbers above 512 are argument errors)
MOST_SEGMENTS = 2048  #: of one channel, in all its sequences (LPT 6-69)
LEAST_SEGMENTS = 3  #: of one sequence
GRID = 10e-9  #: s; resolution of segment times
SHORTEST = {10.0: 20e-9, 40.0: 50e-9}  #: s by voltage range
LONGEST = 1.0  #: s
OFF_GRID = 1e-3  #: of a grid step; what a time in floats may miss
MEANS = (SPOT_MEAN, SPOT_MEAN_AVERAGE)
REQUIRED = ("time", "start", "stop")  #: the minimum set (D 7-38)


@dataclass(frozen=True, slots=True)
class Segments:
    """One sequence of one channel, every array filled in. times: s; starts, stops: V; kinds: as MEASURE:MODE; windows: s."""

    times: tuple[float, ...]
    starts: tuple[float, ...]
    stops: tuple[float, ...]
    kinds: tuple[int, ...]
    windows: tuple[tuple[float, float], ...]
    closed: tuple[bool, ...]

    @classmethod
    def of(cls, arrays: Arrays) -> Segments:
        """Fill in the defaults. Raises Refused for a missing array, and for arrays of different lengths (guess)."""
        if any(name not in arrays.arrays for name in REQUIRED):
            raise Refused(SEGMENT)
        times = arrays.arrays["time"]
        count = len(times)
        if any(len(values) != count for values in arrays.arrays.values()):
            raise Refused(SEGMENT)
        begins, ends = arrays.values("begin", [0.0] * count), arrays.values("end", times)
        return cls(
            tuple(times), tuple(arrays.arrays["start"]), tuple(arrays.arrays["stop"]),
            tuple(map(int, arrays.values("kind", [0.0] * count))), tuple(zip(begins, ends, strict=True)),
            tuple(map(bool, arrays.values("relay", [1.0] * count))),
        )  # fmt: skip

    def measured(self) -> Iterator[tuple[int, float]]:
        """Kind and length (s) of each measured window."""
        for kind, (begin, end) in zip(self.kinds, self.windows, strict=True):
            if kind:
                yield kind, end - begin


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the list: what each channel plays together, how often."""

    segments: tuple[Segments, ...]
    loops: int


def check_segments(setup: PulseSetup, lines: Sequence[Line], settings: Settings) -> tuple[list[Entry], float]:
    """Refuse a Segment Arb test that can't be run; returns what is played, and the sampling rate in Sa/s."""
    check_ranges(lines, only_fixed=True)
    played = [_listed(line, settings) for line in lines]
    for listed, line in zip(played, lines, strict=True):
        _check_seams(listed)
        if sum(len(arrays.arrays.get("time", [])) for arrays in line.setup.sequences.values()) > MOST_SEGMENTS:
            raise Refused(SEGMENTS)
    entries = _together(played)
    return entries, _rate(setup, entries, settings)


def _listed(line: Line, settings: Settings) -> list[tuple[Segments, int]]:
    """What a channel's list plays, each sequence checked."""
    plays = line.setup.plays
    if len(plays) > MOST_SEQUENCES:
        raise Refused(SEQUENCES)
    if not plays or any(play.sequence not in line.setup.sequences for play in plays):
        raise Refused(SEQUENCE)
    checked = {n: Segments.of(line.setup.sequences[n]) for n in dict.fromkeys(play.sequence for play in plays)}
    for segments in checked.values():
        _check_sequence(segments, line, settings)
    return [(checked[play.sequence], play.loops) for play in plays]


def _check_sequence(segments: Segments, line: Line, settings: Settings) -> None:
    if len(segments.times) < LEAST_SEGMENTS:
        raise Refused(FEW_SEGMENTS)
    for time, kind, window in zip(segments.times, segments.kinds, segments.windows, strict=True):
        _check_times(time, kind, window, SHORTEST[line.span])
    for level in (*segments.starts, *segments.stops):
        check_level(line, level)
    for stop, start in zip(segments.stops, segments.starts[1:], strict=False):
        _check_joint(stop, start)
    for time, start, stop in zip(segments.times, segments.starts, segments.stops, strict=True):
        if start != stop and abs(stop - start) / time < settings.least_slew:
            raise Refused(SLEW)
    if line.on_rpm and not all(segments.closed):
        raise Refused(RELAY)


def _check_times(time: float, kind: int, window: tuple[float, float], shortest: float) -> None:
    """Windows may be off the 10 ns grid, whatever the manual says of them: those of its own example (D 7-57) are."""
    begin, end = window
    if not (shortest * (1.0 - ROUNDING) <= time <= LONGEST and _on_grid(time)):
        raise Refused(SEGMENT)
    if begin > end or end > time * (1.0 + ROUNDING):
        raise Refused(SEGMENT)
    if kind and begin == end:
        raise Refused(SHORT_SEQUENCE)


def _on_grid(time: float) -> bool:
    return abs(time / GRID - round(time / GRID)) < OFF_GRID


def _check_joint(stop: float, start: float) -> None:
    if abs(stop - start) > ROUNDING * max(1.0, abs(stop)):
        raise Refused(JUMP)


def _check_seams(entries: Sequence[tuple[Segments, int]]) -> None:
    """Sequences join without a jump, a repeated one with itself (LPT 6-69)."""
    for segments, loops in entries:
        if loops > 1:
            _check_joint(segments.stops[-1], segments.starts[0])
    for (before, _), (after, _) in pairwise(entries):
        _check_joint(before.stops[-1], after.starts[0])


def _together(played: Sequence[list[tuple[Segments, int]]]) -> list[Entry]:
    """Put the lists of all channels side by side: they share a clock, so times and loops must be the same.

    That a difference is -962, and that different cards must agree, too: guess.
    """
    if len({len(one) for one in played}) > 1:
        raise Refused(SEGMENT)
    entries = []
    for side_by_side in zip(*played, strict=True):
        if len({(segments.times, loops) for segments, loops in side_by_side}) > 1:
            raise Refused(SEGMENT)
        entries.append(Entry(tuple(segments for segments, _ in side_by_side), side_by_side[0][1]))
    return entries


def _rate(setup: PulseSetup, entries: Sequence[Entry], settings: Settings) -> float:
    intervals: dict[int, list[tuple[float, int]]] = {}
    means: dict[int, int] = {}
    for entry in entries:
        for place, segments in enumerate(entry.segments):
            for kind, length in segments.measured():
                times = repeats(kind, entry.loops, settings)
                means[place] = means.get(place, 0) + times * (kind in MEANS)
                if kind not in MEANS or settings.rate_limit == "all":
                    intervals.setdefault(place, []).append((length, times))
                else:
                    intervals.setdefault(place, []).append((length, 0))
    if any(count > CAPACITY for count in means.values()):
        raise Refused(SAMPLES)
    load = load_of(intervals)
    if load is None:
        return setup.rate
    rate = sample_rate(setup.rate, load, load.total > 0.0, SEGMENT_RATE)
    if max(_count_points(entries, rate, settings)) > CAPACITY:
        raise Refused(SAMPLES)
    return rate


def repeats(kind: int, loops: int, settings: Settings) -> int:
    """How often a segment gives points: in every loop, or once where its kind averages over them (a setting)."""
    averages = kind in (SPOT_MEAN_AVERAGE, WAVEFORM_AVERAGE) and settings.segment_average == "loops"
    return 1 if averages else loops


def _count_points(entries: Sequence[Entry], rate: float, settings: Settings) -> Iterator[int]:
    for place in range(len(entries[0].segments)):
        yield sum(
            repeats(kind, entry.loops, settings) * (1 if kind in MEANS else int(length * rate + 1e-6))
            for entry in entries
            for kind, length in entry.segments[place].measured()
        )
