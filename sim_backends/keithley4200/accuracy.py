"""Resolution, accuracy and noise of the SMU's ranges.

The tables are from memory of the published data sheet, never checked against it (data/kxci.md 5): good for
sizes, not for claims. How errors are drawn from them is a guess: gain and offset of a range are normal, fixed for one
instrument, with a quarter of the accuracy limit as standard deviation; noise is one resolution step (rms) at one power
line cycle and normal filter, falling with the root of the integration time and with the filter factor (RM 6-84: twice the
filter factor, half the noise). The resolution of the table belongs to that one cycle: a converter that averages longer counts
in finer steps, so a step falls with the noise (guess; else long integration would show no noise at all, only one step).
"""

from __future__ import annotations

import random
from functools import lru_cache
from typing import NamedTuple

SIGMAS = 4.0  #: accuracy limit in standard deviations; guess
LEAST_FILTER = 0.2  #: of "fast" (RM 6-84); a smaller filter factor adds no more noise; guess


class Range(NamedTuple):
    """One range, SI: measurement resolution, gain limit (1), offset limit, source resolution, its gain and offset limits."""

    resolution: float
    gain: float
    offset: float
    step: float
    source_gain: float
    source_offset: float


def _current(resolution: float, percent: float, offset: float, step: float) -> Range:
    # the source accuracy of currents is not known: taken equal to the measurement's; guess
    return Range(resolution, percent / 100, offset, step, percent / 100, offset)


CURRENT: dict[float, Range] = {
    1.0: _current(1e-6, 0.100, 200e-6, 50e-6), 0.1: _current(100e-9, 0.045, 3e-6, 5e-6),
    1e-2: _current(10e-9, 0.037, 300e-9, 500e-9), 1e-3: _current(1e-9, 0.035, 30e-9, 50e-9),
    1e-4: _current(100e-12, 0.033, 3e-9, 5e-9), 1e-5: _current(10e-12, 0.050, 600e-12, 500e-12),
    1e-6: _current(1e-12, 0.050, 100e-12, 50e-12), 1e-7: _current(100e-15, 0.050, 30e-12, 5e-12),
    1e-8: _current(10e-15, 0.050, 1e-12, 500e-15), 1e-9: _current(3e-15, 0.050, 100e-15, 50e-15),
    1e-10: _current(1e-15, 0.100, 30e-15, 15e-15), 1e-11: _current(0.3e-15, 0.500, 15e-15, 5e-15),
    1e-12: _current(0.1e-15, 1.000, 10e-15, 1.5e-15),
}  # fmt: skip
VOLTAGE: dict[float, Range] = {
    200.0: Range(200e-6, 0.00015, 3e-3, 5e-3, 0.0002, 15e-3),
    20.0: Range(20e-6, 0.0001, 1e-3, 500e-6, 0.0002, 1.5e-3),
    2.0: Range(2e-6, 0.00012, 150e-6, 50e-6, 0.0002, 300e-6),
    0.2: Range(1e-6, 0.00012, 100e-6, 5e-6, 0.0002, 150e-6),
}


class Errors(NamedTuple):
    """The fixed errors of one instrument on one range."""

    gain: float
    offset: float
    source_gain: float
    source_offset: float


class Scale(NamedTuple):
    """How the meter of one instrument reads on one range at one averaging: gain (1), offset, rms noise and step, SI."""

    gain: float
    offset: float
    noise: float
    step: float


class Converter:
    """The source and the meter of one SMU for one quantity: true value -> reading, programmed -> applied level.

    seed: of noise and errors, None for an ideal instrument (then only the resolution is left).
    """

    def __init__(
        self, table: dict[float, Range], seed: str | None, noise: float, offset: float, quantised: bool
    ) -> None:
        self._table = table
        self._rng = random.Random(seed)
        self._noise = noise if seed is not None else 0.0
        factor = offset / SIGMAS if seed is not None else 0.0
        self._errors = {span: self._drawn(row, factor) for span, row in table.items()}
        self._quantised = quantised
        self._scale = lru_cache(maxsize=64)(self._scaled)  # the same few at every reading

    def _drawn(self, row: Range, factor: float) -> Errors:
        limits = (row.gain, row.offset, row.source_gain, row.source_offset)
        return Errors(*(self._rng.gauss(0.0, 1.0) * factor * limit for limit in limits))

    def read(self, value: float, span: float, averaging: float) -> float:
        """The reading of `value` on range `span`; averaging: the noise is divided by it, and above 1 the step, too."""
        gain, offset, noise, step = self._scale(span, averaging)
        seen = value * gain + offset
        if self._noise:
            seen += self._rng.gauss(0.0, noise)
        return step * round(seen / step) if self._quantised else seen

    def _scaled(self, span: float, averaging: float) -> Scale:
        row, error = self._table[span], self._errors[span]
        noise, step = self._noise * row.resolution / averaging, row.resolution / max(averaging, 1.0)
        return Scale(1.0 + error.gain, error.offset, noise, step)

    def apply(self, level: float, span: float) -> float:
        """The level that comes out when `level` is programmed on range `span`."""
        row, error = self._table[span], self._errors[span]
        set_to = row.step * round(level / row.step) if self._quantised else level
        return set_to * (1.0 + error.source_gain) + error.source_offset
