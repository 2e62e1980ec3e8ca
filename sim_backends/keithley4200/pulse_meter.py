"""Ranges of the pulse card with their noise, settling and accuracy, and how a channel applies levels and reads back.

Which ranges there are is from D 7-15 and RM 6-73. The numbers are from memory of the 4225-PMU/RPM data sheet, never checked
against it (data/kxci.md 7): good for sizes, not for claims. How errors are drawn from them is a guess, as in `accuracy`: gain
and offset are normal, fixed for one channel and range, with a quarter of the limit as standard deviation. Noise is taken to be
that of one sample, and falls with the root of the samples in a mean.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

from labctl.kxci.pulse_status import PulseFlag

from .accuracy import SIGMAS
from .settings import Settings

OVER_RANGE = 1.05  #: a converter reaches this part of its range, beyond it the reading stays there; guess
SETTLED = math.log(200.0)  #: time constants in a settling time: to 0.5 %, the accuracy of the RPM's ranges; guess
SOURCE_BITS = 16  #: of the source, over -range to range; guess


class Range(NamedTuple):
    """One range, SI: rms noise of a sample, settling time, and limits of gain (1) and offset errors."""

    noise: float
    settling: float
    gain: float
    offset: float


RPM: dict[float, Range] = {
    1e-7: Range(200e-12, 100e-6, 0.005, 1e-9), 1e-6: Range(2e-9, 15e-6, 0.005, 1e-9),
    1e-5: Range(5e-9, 6e-6, 0.005, 30e-9), 1e-4: Range(50e-9, 750e-9, 0.005, 100e-9),
    1e-3: Range(300e-9, 250e-9, 0.005, 1e-6), 1e-2: Range(1.5e-6, 100e-9, 0.005, 10e-6),
}  # fmt: skip
PMU: dict[float, dict[float, Range]] = {
    10.0: {1e-2: Range(15e-6, 100e-9, 0.0025, 100e-6), 0.2: Range(75e-6, 30e-9, 0.0025, 250e-6)},
    40.0: {
        1e-4: Range(75e-9, 4e-6, 0.0025, 1e-6), 1e-2: Range(5e-6, 500e-9, 0.005, 100e-6),
        0.8: Range(200e-6, 500e-9, 0.0025, 3e-3),
    },
}  # fmt: skip
VOLTAGE = {10.0: Range(1e-3, 0.0, 0.0025, 10e-3), 40.0: Range(4e-3, 0.0, 0.0025, 20e-3)}  #: noise: guess


def on_rpm(has_rpm: bool, voltage_range: float, current_range: float) -> bool:
    """Whether a current range is the RPM's own; above 10 mA it is bypassed (PA-1086), and on the 40 V range (guess)."""
    return has_rpm and voltage_range == 10.0 and current_range in RPM


def ranges(has_rpm: bool, voltage_range: float) -> list[float]:
    """The current ranges there are, A, ascending."""
    return sorted({*PMU[voltage_range], *(RPM if has_rpm and voltage_range == 10.0 else ())})


class Converter:
    """Source and meters of one channel; seed: of noise and errors, None for an ideal one (then only resolution is left)."""

    def __init__(self, seed: str | None, settings: Settings) -> None:
        self._rng = random.Random(seed)
        self._noise = settings.noise if seed is not None else 0.0
        self._step = 2.0 ** (1 - settings.pulse_bits) if settings.quantisation else 0.0
        self._source_step = 2.0 ** (1 - SOURCE_BITS) if settings.quantisation else 0.0
        factor = settings.offset / SIGMAS if seed is not None else 0.0
        rows = [*RPM.values(), *PMU[10.0].values(), *PMU[40.0].values(), *VOLTAGE.values()]
        self._errors = {row: self._drawn(row, factor) for row in rows}
        self._source = {span: self._drawn(row, factor) for span, row in VOLTAGE.items()}
        self.zeroed = False  # offset compensation: current offsets are subtracted

    def _drawn(self, row: Range, factor: float) -> tuple[float, float]:
        return self._rng.gauss(0.0, 1.0) * factor * row.gain, self._rng.gauss(0.0, 1.0) * factor * row.offset

    def apply(self, level: float, span: float) -> float:
        """The level that comes out when `level` (V) is programmed; its errors are those of a reading's size (guess)."""
        gain, offset = self._source[span]
        step = self._source_step * span
        return (step * round(level / step) if step else level) * (1.0 + gain) + offset

    def voltage(self, value: float, span: float, samples: int = 1) -> float:
        """The reading of `value` V, a mean of so many samples."""
        gain, offset = self._errors[VOLTAGE[span]]
        return self._read(value * (1.0 + gain) + offset, span, VOLTAGE[span].noise, samples)

    def current(self, value: float, row: Range, span: float, samples: int = 1) -> float:
        """The reading of `value` A on range `span`, whose numbers are `row`, a mean of so many samples."""
        gain, offset = self._errors[row]
        return self._read(value * (1.0 + gain) + (0.0 if self.zeroed else offset), span, row.noise, samples)

    def _read(self, seen: float, span: float, noise: float, samples: int) -> float:
        averaging = math.sqrt(samples)
        if self._noise:
            seen += self._rng.gauss(0.0, self._noise * noise / averaging)
        if self._step:  # a mean of noisy samples is finer than one sample (guess: by the root of their number)
            step = self._step * span / (averaging if self._noise else 1.0)
            seen = step * round(seen / step)
        return max(-OVER_RANGE * span, min(OVER_RANGE * span, seen))


def beyond(values: Sequence[float], span: float, below: PulseFlag, above: PulseFlag) -> PulseFlag:
    """The flags of true values that leave a range on either side."""
    flags = PulseFlag(0)
    if min(values) < -OVER_RANGE * span:
        flags |= below
    if max(values) > OVER_RANGE * span:
        flags |= above
    return flags
