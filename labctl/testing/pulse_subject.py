"""What a conformance check of a pulse source is given, and what it does with it again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labctl.contracts import Block, FloatArray, Measure, PulseSource, PulseTrain, Waveform

NOTHING, MEAN = Measure.NOTHING, Measure.MEAN


@dataclass
class PulseSubject:
    """A connected pulse source with `resistance` (ohm, far above its own output's) between "top" and "bottom".

    sent: messages written to the instrument so far; again: lets the connection die, as with its process, and connects anew;
    current_range: A, one that holds 2 V over the resistance; tolerance: relative, of a current of half that range; error: V,
    of a voltage; sample_rate: samples per s to ask for, None where the instrument leaves no choice; slow: s that a test may
    take which is to be left in the middle.
    """

    pulses: PulseSource
    resistance: float
    sent: Callable[[], int]
    again: Callable[[], PulseSource]
    current_range: float
    tolerance: float = 0.01
    error: float = 0.01
    sample_rate: float | None = 1e5
    slow: float = 6.0

    def wave(self, durations: object, levels: object, measure: object = NOTHING, **more: object) -> Waveform:
        """A waveform on the range of the resistor."""
        return Waveform(durations, levels, measure, current_range=self.current_range, **more)  # type: ignore[arg-type]

    def train(self, amplitudes: object, **more: object) -> PulseTrain:
        """A train of pulses of 200 us every 1 ms on the range of the resistor."""
        given = {"width": 2e-4, "period": 1e-3, "rise": 1e-5, "fall": 1e-5, "current_range": self.current_range, **more}
        return PulseTrain(amplitudes, **given)  # type: ignore[arg-type]


def pulses_of(subject: PulseSubject, tops: FloatArray, repeats: int = 1) -> Waveform:
    """Pulses with tops of 1 ms, each measured by a mean, and 1 ms between them."""
    durations = np.tile([1e-3, 1e-5, 1e-3, 1e-5], tops.size)
    levels = np.append(0.0, np.column_stack([np.zeros_like(tops), tops, tops, np.zeros_like(tops)]).ravel())
    return subject.wave(durations, levels, np.tile([NOTHING, NOTHING, MEAN, NOTHING], tops.size), repeats=repeats)


def slow_wave(subject: PulseSubject) -> Waveform:
    """A waveform that takes long enough to be left in the middle: 60 means."""
    times = np.round(np.array([0.1, 0.8, 0.1]) * subject.slow / 60, 5)
    return subject.wave(times, [0.0, 1.0, 1.0, 0.0], [NOTHING, MEAN, NOTHING], repeats=60)


def assert_resistor(subject: PulseSubject, block: Block, levels: FloatArray, slack: float = 0.0) -> None:
    """Voltages are `levels` (V) and currents levels/resistance; slack: V, by which the levels may be off."""
    floor = 0.5 * subject.tolerance * subject.current_range + slack / subject.resistance
    message = "the voltage is not the level"
    np.testing.assert_allclose(block["voltage"], levels, rtol=0.01, atol=subject.error + slack, err_msg=message)
    message = "the current is not level/resistance"
    expected = levels / subject.resistance
    np.testing.assert_allclose(block["current"], expected, rtol=subject.tolerance, atol=floor, err_msg=message)
