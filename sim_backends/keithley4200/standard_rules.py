"""What ``:PMU:EXECUTE`` checks of standard pulses, and what is measured of them (D 7-13 … 7-34)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from .pulse_data import CAPACITY
from .pulse_line import Line
from .pulse_rules import ROUNDING, check_level, check_ranges, load_of, sample_rate
from .pulse_setup import HELD, NOTHING, SPOT_MEAN, WAVEFORM, WAVEFORM_AVERAGE, PulseSetup, Source, Times
from .pulse_waveform import Window
from .refusal import NO_SWEEPER, POINTS, PULSE_MODE, PULSE_RATE, PULSE_SETUP, SAMPLES, STEP_COUNT, Refused
from .settings import Settings

HIGH, LOW = 0, 1  #: slots of spot means
LEAST_REST = 40e-9  #: s; the off time must be longer (D 7-19)


class Least(NamedTuple):
    """The least times of a voltage range, s (D 7-18)."""

    period: float
    width: float
    edge: float
    delay: float


LEAST = {10.0: Least(60e-9, 40e-9, 20e-9, 20e-9), 40.0: Least(500e-9, 250e-9, 50e-9, 50e-9)}
LONGEST_PERIOD, LONGEST_EDGE, GAP = 1.0, 33e-3, 10e-9  #: s; GAP: from the width to the period (D 7-18)


def check_standard(setup: PulseSetup, lines: Sequence[Line], settings: Settings) -> float:
    """Refuse a standard test that can't be run; returns the sampling rate, Sa/s."""
    sources = [line.setup.source for line in lines if line.setup.source is not None]
    if not sources:
        raise Refused(PULSE_SETUP)
    check_ranges(lines, only_fixed=False)
    _check_sources(setup, sources)
    for line in lines:
        _check_times(line.setup.times, LEAST[line.span])
        _check_levels(line)
    return _rate(setup, lines, settings)


def count_points(sources: Iterable[Source], role: str) -> int:
    """Points of the sweep or of the steps; 1 where there is none."""
    return max((source.points for source in sources if source.role == role), default=1)


def windows(setup: PulseSetup, lines: Sequence[Line]) -> list[Window]:
    """Where each pulse is measured: windows of top and base, or the waveform with its margins."""
    if setup.measure == NOTHING:
        return []
    if setup.measure in (WAVEFORM, WAVEFORM_AVERAGE):
        return [_captured(place, line) for place, line in enumerate(lines)]
    return list(chain.from_iterable(_means(place, line) for place, line in enumerate(lines)))


def window_of_top(place: int, line: Line) -> Window:
    """The spot mean's window at the top: shares of its flat part (guess, the manual says width)."""
    begin, end = line.setup.times.top
    first, last = line.setup.window
    return Window(place, begin + first * (end - begin), begin + last * (end - begin), True, HIGH)


def _means(place: int, line: Line) -> Iterator[Window]:
    high, low = line.setup.acquired
    if high:
        yield window_of_top(place, line)
    if low:
        times, (first, last) = line.setup.times, line.setup.window
        rest = times.period - times.end
        yield Window(place, times.end + first * rest, times.end + last * rest, True, LOW)


def _captured(place: int, line: Line) -> Window:
    """Margins are shares of width + (rise + fall)/2, cut at the delay before and (guess) at the period after (D 7-34)."""
    times = line.setup.times
    before, after = (share * (times.width + times.edges) for share in line.setup.margins)
    return Window(place, max(times.delay - before, 0.0), min(times.end + after, times.period), False, HIGH)


# -- checks -----------------------------------------------------------------------------------------------------------
def _check_sources(setup: PulseSetup, sources: Sequence[Source]) -> None:
    for role in ("sweep", "step"):
        if len({source.points for source in sources if source.role == role}) > 1:
            raise Refused(STEP_COUNT)
    roles = {source.role for source in sources}
    if "step" in roles and "sweep" not in roles:
        raise Refused(NO_SWEEPER)
    steps_base = any(source.role == "step" and source.moves == "base" for source in sources)
    if steps_base and setup.measure in (WAVEFORM, WAVEFORM_AVERAGE):  # D 7-27: pulse IV only
        raise Refused(PULSE_MODE)
    if setup.measure not in (NOTHING, WAVEFORM, WAVEFORM_AVERAGE):
        points = count_points(sources, "sweep") * count_points(sources, "step")
        if points * (setup.burst if setup.measure == SPOT_MEAN else 1) > CAPACITY:
            raise Refused(POINTS)


def _check_times(times: Times, least: Least) -> None:
    """D 7-18, 7-19; that all of these are -967: inferred."""
    slack = ROUNDING * times.period
    edges = (times.rise, times.fall)
    fits = (
        least.period - slack <= times.period <= LONGEST_PERIOD + slack,
        least.width - slack <= times.width <= times.period - GAP + slack,
        min(edges) >= least.edge - slack and max(edges) <= LONGEST_EDGE + slack,
        times.delay == 0 or times.delay >= least.delay - slack,
        times.width > times.edges,
        times.rise <= times.width,
        times.period - times.end > LEAST_REST + slack,
    )
    if not all(fits):
        raise Refused(PULSE_SETUP)


def _check_levels(line: Line) -> None:
    for base, top in (line.setup.source or HELD).extremes():
        if abs(top - base) > line.span * (1.0 + ROUNDING):
            raise Refused(PULSE_SETUP)
        check_level(line, base)
        check_level(line, top)


def _rate(setup: PulseSetup, lines: Sequence[Line], settings: Settings) -> float:
    """Choose the rate; captured waveforms must fit, too."""
    sources = [line.setup.source or HELD for line in lines]
    repeats = count_points(sources, "sweep") * count_points(sources, "step")
    if setup.measure in (SPOT_MEAN, WAVEFORM):
        repeats *= setup.burst
    found = windows(setup, lines)
    intervals: dict[int, list[tuple[float, int]]] = {}
    for window in found:
        intervals.setdefault(window.place, []).append((window.stop - window.start, repeats))
    load = load_of(intervals)
    if load is None:
        return setup.rate
    if load.shortest <= 0.0:
        raise Refused(PULSE_SETUP)
    waveform = setup.measure in (WAVEFORM, WAVEFORM_AVERAGE)
    limited = waveform or (settings.rate_limit == "all" and not setup.by_library)
    rate = sample_rate(setup.rate, load, limited, PULSE_RATE)
    if waveform and any(window.samples(rate) * repeats > CAPACITY for window in found):
        raise Refused(SAMPLES)
    return rate
