"""Builds what recipes ask of a pulse source, and the grids of times and counts at which they look.

A pulse here has its width at half height, as pulse generators count it: the top lasts width - (rise + fall)/2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import FloatArray, Measure, PulseTrain, Waveform
from labctl.procedure import ParameterError
from labctl.quantities import show

TICK = 1e-8  #: s; the step of times in waveforms of the 4225-PMU (kxci: SARB:SEQ:TIME has 10 ns resolution)
LEAST_REST = 1e-6  #: s at the base after a single pulse, above the 40 ns the card asks for: guess
LONGEST = 1.0  #: s; the longest segment of a waveform, and period of a train, of the 4225-PMU
_ONE_TWO_FIVE = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Shape:
    """A pulse but for its level: width (s at half height), edges (s), current range (A), declared series resistance (ohm)."""

    width: float
    rise: float = 1e-7
    fall: float = 1e-7
    current_range: float = 1e-2
    series: float = 0.0

    @property
    def edges(self) -> float:
        """What half of both edges takes, s."""
        return 0.5 * (self.rise + self.fall)

    @property
    def top(self) -> float:
        """How long the top lasts, s."""
        return round(self.width - self.edges, 12)

    def check(self, name: str = "width") -> None:
        """Raise ParameterError for a pulse that its edges leave no top."""
        if self.top < TICK:
            raise ParameterError(
                f"{name} = {show(self.width, 's')} leaves no top between edges of {show(self.rise, 's')} and"
                f" {show(self.fall, 's')}"
            )

    def train(
        self, amplitudes: Sequence[float] | FloatArray, count: int = 1, period: float = 0.0, measured: bool = True
    ) -> PulseTrain:
        """`count` pulses at each of `amplitudes` (V); period: s, 0 for as short as a single pulse may be."""
        return PulseTrain(
            np.asarray(amplitudes, dtype=np.float64),
            width=self.width,
            period=period or ticks(self.width + self.rise + self.fall + max(self.width, LEAST_REST)),
            rise=self.rise,
            fall=self.fall,
            count=count,
            measure=Measure.MEAN if measured else Measure.NOTHING,
            current_range=self.current_range,
            series=self.series,
        )

    def captured(self, amplitude: float, lead: float, sample_rate: float | None) -> Waveform:
        """One pulse of `amplitude` (V) with every sample of its edges and top, `lead` s at 0 V before and after it."""
        return Waveform(
            np.array([lead, self.rise, self.top, self.fall, lead]),
            np.array([0.0, 0.0, amplitude, amplitude, 0.0, 0.0]),
            measure=np.array([Measure.NOTHING, *[Measure.SAMPLES] * 3, Measure.NOTHING]),
            current_range=self.current_range,
            sample_rate=sample_rate,
            series=self.series,
        )

    def followed(self, amplitude: float, delay: float, level: float, width: float) -> Waveform:
        """One pulse of `amplitude` (V), `delay` s after it a read of `level` (V) for `width` s: two means.

        The delay, at 0 V, is from the end of the pulse's fall to the middle of what is measured of the read, which is the
        second half of its top; a delay too short for that raises ParameterError.
        """
        empty = ticks(delay - self.rise - 0.75 * width)
        if empty < 2 * TICK:
            raise ParameterError(f"delay = {show(delay, 's')} is too short for a read of {show(width, 's')}")
        durations = np.array([self.rise, self.top, self.fall, empty, self.rise, width, self.fall])
        windows = np.zeros((7, 2))
        windows[1] = ticks(0.5 * self.top), self.top
        windows[5] = ticks(0.5 * width), width
        measure = np.full(7, Measure.NOTHING)
        measure[[1, 5]] = Measure.MEAN
        return Waveform(
            durations,
            np.array([0.0, amplitude, amplitude, 0.0, 0.0, level, level, 0.0]),
            measure=measure,
            windows=windows,
            current_range=self.current_range,
            series=self.series,
        )


def cycles(pulses: Sequence[tuple[Shape, float]], rest: float, count: int) -> Waveform:
    """Pulses of these shapes and levels (V) with `rest` s at 0 V after each, the whole `count` times; nothing is measured."""
    durations = [part for shape, _ in pulses for part in (shape.rise, shape.top, shape.fall, rest)]
    levels = [level for _, top in pulses for level in (top, top, 0.0, 0.0)]
    shape = pulses[0][0]
    return Waveform(
        np.array(durations),
        np.array([0.0, *levels]),
        repeats=count,
        current_range=shape.current_range,
        series=shape.series,
    )


def ticks(seconds: float) -> float:
    """`seconds` on the grid of the pulse card, to the nearest 10 ns."""
    return round(seconds / TICK) * TICK


def log_times(first: float, last: float, per_decade: int) -> FloatArray:
    """Times (s) from `first` to `last`, evenly in their logarithm, `per_decade` of them a decade; shape (n,), n >= 1."""
    if last <= first:
        return np.array([last])
    return np.geomspace(first, last, max(2, round(np.log10(last / first) * per_decade) + 1))


def linear_times(first: float, last: float, count: int) -> FloatArray:
    """`count` times (s) from `first` to `last`, evenly; only `last` for a count of 1."""
    return np.linspace(first, last, count) if count > 1 else np.array([last])


def log_counts(last: int, per_decade: int = 3) -> NDArray[np.int64]:
    """Whole numbers from 1 to `last`, both among them: 1, 2, 5, 10, ... for 3 a decade, else evenly in their logarithm."""
    if per_decade == len(_ONE_TWO_FIVE):
        numbers = [factor * 10**power for power in range(len(str(last))) for factor in _ONE_TWO_FIVE]
    else:
        numbers = [round(float(number)) for number in log_times(1.0, float(last), per_decade)]
    return np.unique([number for number in [*numbers, last] if 1 <= number <= last]).astype(np.int64)
