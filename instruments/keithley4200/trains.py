"""A train of equal pulses as the card's standard pulses, where they can do it, otherwise as segments. No I/O.

Standard pulses: a burst of one amplitude, or a sweep of evenly rising ones, measured by one mean of each top. Only rising
sweeps: which sign a falling step has is not documented.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from labctl.contracts import Measure, PulseTrain
from labctl.kxci import Command, wire_value
from labctl.kxci import messages as m
from labctl.kxci.points import HIGH

from . import pulse_rules as rules
from .pulse_plan import STANDARD, Pair, PulseTest, Ranges, outputs, rate_of, segment_test, set_up
from .pulse_program import TICK, Windows
from .segments import compile_train, pulse_ticks

_SAME = 1e-9  # V; amplitudes this near are one amplitude: the card resolves millivolts (guess)


def train_test(train: PulseTrain, pair: Pair, load: float | None) -> PulseTest:
    """Encode a train. Raises LimitError for what the card can't do."""
    ranges = Ranges(rules.source_range(train, load), train.current_range, load)
    rules.check_duration(train.duration)
    rules.check_current_range(ranges.current, ranges.voltage, pair.kinds)
    if train.measure == Measure.SAMPLES or (ramp := evenly(train)) is None or ramp.count > rules.BURST:
        return segment_test(compile_train(train), pair, ranges, train.sample_rate)
    rules.check_pulse(train, ranges.voltage)
    windows = train_windows(train)
    rate = rate_of(windows, train.sample_rate)
    messages = (*set_up(STANDARD, pair, ranges, rate), *_pulses(train, pair, ramp), *outputs(pair.channels, 1))
    columns = HIGH if windows.kinds.size else ()
    return PulseTest(messages, pair, windows, rate, train.duration, columns)


class Ramp:
    """Evenly rising amplitudes, `count` pulses at each. step: V, 0 for one amplitude."""

    def __init__(self, start: float, stop: float, step: float, count: int) -> None:
        self.start, self.stop, self.step, self.count = start, stop, step, count


def evenly(train: PulseTrain, falling: bool = False) -> Ramp | None:
    """The amplitudes as a ramp, None where they are none. falling: whether a falling one is one, too."""
    levels = train.amplitudes
    first, last, size = float(levels[0]), float(levels[-1]), levels.size
    if float(np.ptp(levels)) <= _SAME:
        return Ramp(first, first, 0.0, train.pulses)
    step = wire_value((last - first) / (size - 1)) if size > 1 else 0.0
    apart = float(np.max(np.abs(first + step * np.arange(size) - levels)))
    if apart > _SAME * size or not (step > 0 or (falling and step < 0)):
        return None
    return Ramp(first, last, step, train.count)


def train_windows(train: PulseTrain) -> Windows:
    """Where the tops of the pulses are measured. Raises LimitError for times off the grid."""
    delay, rise, top, _, _ = pulse_ticks(train)
    pulses = np.arange(train.pulses if train.measure != Measure.NOTHING else 0, dtype=np.int64)
    periods = pulses.astype(np.float64) * train.period
    begins = periods + (delay + rise + train.window[0] * top) * TICK
    ends = periods + (delay + rise + train.window[1] * top) * TICK
    levels = np.repeat(train.amplitudes, train.count)[: pulses.size]
    return Windows(begins, ends, levels, levels, np.full(pulses.size, int(train.measure)), pulses)


def _pulses(train: PulseTrain, pair: Pair, ramp: Ramp) -> Iterator[Command]:
    yield m.PulseMeasureMode(int(train.measure))
    for channel in pair.channels:
        if train.measure != Measure.NOTHING:
            yield m.AcquireLevels(channel, 1, 0)
            yield m.SpotMeanWindow(channel, *train.window)
        yield m.PulseTimes(channel, train.period, train.width, train.rise, train.fall, train.delay)
    if ramp.step:
        yield m.SweepAmplitude(pair.driven, ramp.start, ramp.stop, ramp.step, train.base, 0)
    else:
        yield m.PulseTrain(pair.driven, train.base, ramp.start)
    if pair.held is not None:
        yield m.PulseTrain(pair.held, 0.0, 0.0)
    yield m.BurstCount(ramp.count)
