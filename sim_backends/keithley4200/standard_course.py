"""Standard pulses as they are played: steps around a sweep, a burst at each point, and what comes before a burst.

Two things make the card give pulses nobody asked for, and the cell gets them here, too:

* Load line correction: before each burst, up to `llec_iterations` trial pulses at this point's levels, each with a top
  corrected by what the one before it measured. What the real card does beyond "pre-iterations, slower" (D 7-10) is not known.
* Automatic ranging: the burst is repeated on another range until the currents fit (guess; D 7-15 only names the kinds).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence

import numpy as np

from labctl.kxci.pulse_status import Acquired, PulseFlag

from .pulse_data import PulseData
from .pulse_line import Line, Seen
from .pulse_running import Stage
from .pulse_setup import (
    AUTO,
    FIXED,
    HELD,
    SPOT_MEAN_AVERAGE,
    WAVEFORM,
    WAVEFORM_AVERAGE,
    PulseSetup,
    Source,
)  # fmt: skip
from .pulse_waveform import Shot, Window, cut, joined
from .settings import Settings
from .standard_rules import count_points, window_of_top, windows

SMALL_LEVEL = 1e-3  #: V; a smaller top is not corrected for the load line; guess
Levels = list[tuple[float, float]]  #: base and top by channel, V
Pulse = tuple[float, list[list[Seen]]]  #: when it began, s of the clock, and what was seen


class StandardCourse:
    """A standard test, checked before; `rate`: Sa/s; data: where each channel's points go."""

    def __init__(
        self, setup: PulseSetup, lines: Sequence[Line], rate: float, data: Mapping[int, PulseData], settings: Settings
    ) -> None:  # fmt: skip
        self._setup, self._lines, self._rate, self._data, self._settings = setup, lines, rate, data, settings
        self._sources = [line.setup.source or HELD for line in lines]
        self._windows = windows(setup, lines)
        self._averages = setup.measure in (SPOT_MEAN_AVERAGE, WAVEFORM_AVERAGE)
        self._ranging = [line for line in lines if line.setup.ranging != FIXED]

    def play(self, stage: Stage) -> Iterator[float]:
        """Play all points, the sweep inside the steps."""
        for outer in range(count_points(self._sources, "step")):
            for inner in range(count_points(self._sources, "sweep")):
                yield from self._point(stage, [_levels(source, inner, outer) for source in self._sources])

    def _point(self, stage: Stage, levels: Levels) -> Iterator[float]:
        for _ in range(sum(len(line.ranges) for line in self._ranging) + 1):
            yield from self._correct(stage, levels)
            pulses = yield from self._burst(stage, self._shot(levels, self._windows))
            if not self._change_ranges(stage, pulses):
                break
        for pulse in pulses:
            self._store(pulse, stage)

    def _burst(self, stage: Stage, shot: Shot) -> Generator[float, None, list[Pulse]]:
        """Play a burst; returns the pulses that are not stored yet, averaged to one where the mode says so."""
        kept: list[Pulse] = []
        sums: list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = []
        for number in range(self._setup.burst):
            began = stage.time
            seen = yield from stage.shot(shot)
            if self._averages:
                arrays = [np.array(one) for one in seen]
                sums = [a + b for a, b in zip(sums, arrays, strict=True)] if number else arrays
            elif self._ranging:
                kept.append((began, seen))
            else:
                self._store((began, seen), stage)
        if self._averages:
            means = [[(float(v), float(i)) for v, i in one / self._setup.burst] for one in sums]
            kept.append((stage.time - shot.duration, means))
        return kept

    # -- load line ----------------------------------------------------------------------------------------------------
    def _correct(self, stage: Stage, levels: Levels) -> Iterator[float]:
        """Give trial pulses until every corrected channel has its top; RPM ranges need none (LPT 6-31, PA-1086)."""
        trial = []
        for place, line in enumerate(self._lines):
            line.lift, line.load_line = 0.0, PulseFlag(0)
            if line.setup.corrects_load_line:
                line.load_line = PulseFlag.LOAD_LINE_ENABLED | PulseFlag.LOAD_LINE_OK
                if not line.on_rpm and abs(levels[place][1]) > SMALL_LEVEL:
                    trial.append(place)
                    line.load_line = PulseFlag.LOAD_LINE_ENABLED
        for _ in range(self._settings.llec_iterations if trial else 0):
            looks = [window_of_top(place, self._lines[place]) for place in trial]
            seen = yield from stage.shot(self._shot(levels, looks))
            close = [self._adjust(self._lines[p], levels[p][1], one) for p, one in zip(trial, seen, strict=True)]
            if all(close):
                return

    def _adjust(self, line: Line, top: float, seen: list[Seen]) -> bool:
        """Move the source so that `top` (V) would have been measured; returns whether it was already near enough."""
        voltage = line.reading(seen, len(seen), Acquired.SPOT_MEAN)[0]
        if abs(voltage - top) <= self._settings.llec_tolerance * abs(top):
            line.load_line |= PulseFlag.LOAD_LINE_OK
            return True
        line.load_line &= ~PulseFlag.LOAD_LINE_OK
        level = line.open_level(top) + line.lift
        wanted = level * top / voltage if voltage * top > 0 else level
        line.lift = max(-line.span, min(line.span, wanted)) - line.open_level(top)
        return False

    # -- shots --------------------------------------------------------------------------------------------------------
    def _shot(self, levels: Levels, looks: Sequence[Window]) -> Shot:
        corners = [_corners(line, *level) for line, level in zip(self._lines, levels, strict=True)]
        return cut(joined(corners), looks, self._rate, self._settings)

    def _change_ranges(self, stage: Stage, pulses: list[Pulse]) -> bool:
        """Put each ranging channel on the smallest range for what it saw; returns whether the burst must be repeated."""
        moved = False
        for line in self._ranging:
            places = [n for n, window in enumerate(self._windows) if self._lines[window.place] is line]
            peak = max((abs(i) for _, seen in pulses for n in places for _, i in seen[n]), default=0.0)
            floor = 0.0 if line.setup.ranging == AUTO else line.setup.current_range
            fits = [span for span in line.ranges if span >= max(peak, floor)] or line.ranges[-1:]
            if fits[0] != line.current_range:
                line.use_range(fits[0])
                moved = True
        if moved:
            stage.renew()
        return moved

    # -- points -------------------------------------------------------------------------------------------------------
    def _store(self, pulse: Pulse, stage: Stage) -> None:
        began, seen = pulse
        start = began - stage.began
        waveform = self._setup.measure in (WAVEFORM, WAVEFORM_AVERAGE)
        rows: dict[int, list[float]] = {}
        for window, values in zip(self._windows, seen, strict=True):
            line = self._lines[window.place]
            if waveform:
                self._store_waveform(line, window, values, start)
            else:
                samples = window.samples(self._rate) * (self._setup.burst if self._averages else 1)
                voltage, current, word = line.reading(values, samples, Acquired.SPOT_MEAN)
                middle = start + (window.start + window.stop) / 2
                rows.setdefault(line.number, []).extend((voltage, current, middle, word))
        for number, row in rows.items():
            self._data[number].add(*row)

    def _store_waveform(self, line: Line, window: Window, values: list[Seen], start: float) -> None:
        data, averaged = self._data[line.number], self._setup.burst if self._averages else 1
        for k, one in enumerate(values):
            voltage, current, word = line.reading((one,), averaged, Acquired.WAVEFORM)
            data.add(voltage, current, start + window.start + k / self._rate, word)


def _levels(source: Source, inner: int, outer: int) -> tuple[float, float]:
    return source.levels({"train": 0, "sweep": inner, "step": outer}[source.role])


def _corners(line: Line, base: float, top: float) -> list[tuple[float, float]]:
    """One period of a channel: (s, open-circuit V). Without a pulse it is one line."""
    times = line.setup.times
    low, high = line.apply(base), line.apply(top, line.lift)
    if base == top:
        return [(0.0, high), (times.period, high)]
    first, last = times.top
    corners = [(0.0, low)] if times.delay else []
    return [*corners, (times.delay, low), (first, high), (last, high), (times.end, low), (times.period, low)]
