"""Segment Arb as it is played: the entries of the list, each sequence as often as it says.

What the averaging kinds (3, 4) do over loops is not documented: a setting says whether they give a value in every loop, or
their mean in the last one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

import numpy as np

from labctl.kxci.pulse_status import Acquired

from .pulse_data import PulseData
from .pulse_line import Line, Seen
from .pulse_running import Stage
from .pulse_waveform import Path, Shot, Window, cut
from .segment_rules import MEANS, Entry, Segments, repeats
from .settings import Settings

TAIL = 10e-9  #: s that the card appends to the last segment (PMU manual 4-12)


class SegmentCourse:
    """A Segment Arb test, checked before; `rate`: Sa/s; data: where each channel's points go."""

    def __init__(
        self, entries: Sequence[Entry], lines: Sequence[Line], rate: float, data: Mapping[int, PulseData],
        settings: Settings,
    ) -> None:  # fmt: skip
        self._entries, self._lines, self._rate, self._data, self._settings = entries, lines, rate, data, settings
        self._shots: dict[tuple[Segments, ...], Shot] = {}

    def play(self, stage: Stage) -> Iterator[float]:
        """Play the list, then the tail."""
        for entry in self._entries:
            yield from self._entry(stage, entry)
        yield from stage.hold(TAIL)

    def _entry(self, stage: Stage, entry: Entry) -> Iterator[float]:
        shot = self._shot(entry.segments)
        sums: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
        for loop in range(entry.loops):
            start = stage.time - stage.began

            def taken(number: int, seen: list[Seen], loop: int = loop, start: float = start) -> None:
                window = shot.windows[number]
                kind = entry.segments[window.place].kinds[window.slot]
                loops = entry.loops if repeats(kind, entry.loops, self._settings) < entry.loops else 1
                if loops > 1:
                    sums[number] = np.array(seen) + sums.get(number, 0.0)
                    if loop < loops - 1:
                        return
                    seen = [(float(v), float(i)) for v, i in sums[number] / loops]
                self._store(window, seen, start, loops)

            yield from stage.shot(shot, taken)

    def _shot(self, side_by_side: tuple[Segments, ...]) -> Shot:
        if side_by_side not in self._shots:
            times = (0.0, *accumulate(side_by_side[0].times))
            levels = tuple(_levels(line, one) for line, one in zip(self._lines, side_by_side, strict=True))
            path = Path(times, levels, tuple(one.closed for one in side_by_side))
            looks = [look for place, one in enumerate(side_by_side) for look in _windows(place, one, times)]
            self._shots[side_by_side] = cut(path, looks, self._rate, self._settings)
        return self._shots[side_by_side]

    def _store(self, window: Window, seen: list[Seen], start: float, loops: int) -> None:
        line = self._lines[window.place]
        data = self._data[line.number]
        if window.mean:
            voltage, current, word = line.reading(seen, window.samples(self._rate) * loops, Acquired.SPOT_MEAN)
            data.add(voltage, current, start + (window.start + window.stop) / 2, word)
            return
        for k, one in enumerate(seen):
            voltage, current, word = line.reading((one,), loops, Acquired.WAVEFORM)
            data.add(voltage, current, start + window.start + k / self._rate, word)


def _levels(line: Line, segments: Segments) -> tuple[float, ...]:
    """The levels at the joints, open-circuit V; segments join without jumps, so the starts and the last stop are all."""
    return tuple(line.apply(level) for level in (*segments.starts, segments.stops[-1]))


def _windows(place: int, segments: Segments, times: tuple[float, ...]) -> Iterator[Window]:
    for n, (kind, (begin, end)) in enumerate(zip(segments.kinds, segments.windows, strict=True)):
        if kind:
            yield Window(place, times[n] + begin, times[n] + end, kind in MEANS, n)
