"""How fast a cell moves: the switching time within a pulse, and the decay after one.

Every function takes plain arrays and returns `Extracted` with its definition, or None where the curve shows no such thing.
"""

from __future__ import annotations

import math

import numpy as np

from labctl.analysis.methods import method
from labctl.contracts import Extracted, FloatArray

LEAST_CHANGE = 0.01  #: of the current; an edge that changes less has no switching time: guess
#: noise (one standard deviation) an edge must exceed by this factor; guess, so that noise alone is no switch
LEAST_OVER_NOISE = 6.0
SMOOTHED = (
    0.002  #: share of the samples that is averaged before a crossing is looked for: guess, far below any stated time
)
LEAST_LINE = 0.98  #: R squared of ln(I) against time that counts as one exponential: guess
LEAST_POINTS = 4  #: for an exponential
LEAST_DECAY = 1.0  #: of ln I; what decays by less within the points is not called exponential: guess
USED = 0.02  #: share of the first difference down to which points count for an exponential: guess, above what is left


@method("switching time/half-change")
def half_change(times: FloatArray, current: FloatArray, name: str, least: float = LEAST_CHANGE) -> Extracted | None:
    """When |I| has covered half of its change between the first and the last sample (s); None where it changes too little.

    times: shape (n,), s, from the reference the caller names (half of the rising edge); current: shape (n,), A.
    Too little is less than `least` of the first |I|, or less than six times the noise from sample to sample.
    uncertainty: the samples' distance / sqrt(12) and what the noise is worth in time, in quadrature.
    """
    if times.size < 3 or not np.all(np.isfinite(current)):
        return None
    amperes, noise, left = _smoothed(current * np.sign(current.sum() or 1.0))
    change = amperes[-1] - amperes[0]
    if abs(change) < max(least * amperes[0], LEAST_OVER_NOISE * noise) or change == 0:
        return None
    share = (amperes - amperes[0]) / change
    at = int(np.argmax(share >= 0.5))
    value = float(np.interp(0.5, share[at - 1 : at + 1], times[at - 1 : at + 1]))
    slope = abs(change) * (share[at] - share[at - 1]) / (times[at] - times[at - 1])
    uncertainty = math.hypot((times[at] - times[at - 1]) / math.sqrt(12.0), left / slope)
    definition = (
        f"|I| has covered half of its change between {times[0]:.3g} and {times[-1]:.3g} s after half of the rising edge"
        f" (a change of at least {least:.0%})"
    )
    return Extracted(name, value, "s", float(uncertainty), definition, (at - 1, at))


@method("half-life/log-interpolated")
def half_life(times: FloatArray, current: FloatArray, name: str = "t_half") -> Extracted | None:
    """The time (s) at which the current has lost half of what it loses between the first and the last point.

    times: shape (n,), s after the stimulus, rising; interpolated in the logarithm of time. uncertainty: the distance of the
    two points / sqrt(12). None where the current does not fall to less than half.
    """
    if times.size < 2 or not np.all(np.isfinite(current)):
        return None
    lost = (current[0] - current) / (current[0] - current[-1]) if current[0] != current[-1] else np.zeros(times.size)
    if not abs(current[-1]) < 0.5 * abs(current[0]):
        return None
    at = int(np.argmax(lost >= 0.5))
    value = math.exp(float(np.interp(0.5, lost[at - 1 : at + 1], np.log(times[at - 1 : at + 1]))))
    definition = (
        f"current halfway between those {times[0]:.3g} and {times[-1]:.3g} s after the pulse, interpolated in ln t"
    )
    uncertainty = float(times[at] - times[at - 1]) / math.sqrt(12.0)
    return Extracted(name, value, "s", uncertainty, definition, (at - 1, at))


@method("relaxation time/exponential")
def relaxation_time(times: FloatArray, current: FloatArray, name: str = "tau") -> Extracted | None:
    """The time constant (s) of an exponential decay to the last point's current; None where it is no exponential.

    The last point is taken for what is left; points that are still at least 2 % of the first difference above it count.
    uncertainty: that of the slope of the straight line through ln(I - I_last), which must fall by 1 and reach an R squared
    of 0.98.
    """
    above = np.abs(current[:-1] - current[-1]) if current.size else current
    if above.size == 0 or not np.all(np.isfinite(current)) or above[0] == 0:
        return None
    usable = above >= USED * above[0]
    if np.count_nonzero(usable) < LEAST_POINTS:
        return None
    x, y = times[:-1][usable], np.log(above[usable])
    slope, error, quality = line(x, y)
    if slope >= 0 or quality < LEAST_LINE or y[0] - y[-1] < LEAST_DECAY:
        return None
    definition = (
        f"least-squares line of ln(I - I at {times[-1]:.3g} s) against time, {x.size} points with at least"
        f" {USED:.0%} left, R^2 = {quality:.4f}"
    )
    return Extracted(name, -1.0 / slope, "s", error / slope**2, definition)


def line(x: FloatArray, y: FloatArray) -> tuple[float, float, float]:
    """Slope of the least-squares line, its standard error (NaN for two points), and R squared (1 where y is constant)."""
    slope, offset = (float(value) for value in np.polyfit(x, y, 1))
    rest = y - slope * x - offset
    total = float(np.sum((y - y.mean()) ** 2))
    spread = float(np.sum((x - x.mean()) ** 2))
    error = math.sqrt(float(np.sum(rest**2)) / (x.size - 2) / spread) if x.size > 2 else math.nan
    return slope, error, 1.0 - float(np.sum(rest**2)) / total if total > 0 else 1.0


def _smoothed(values: FloatArray) -> tuple[FloatArray, float, float]:
    """Running mean over a small share of the samples, the noise of a sample, and that left in a mean; the ends are lines."""
    half = int(SMOOTHED * values.size / 2)
    noise = float(np.median(np.abs(np.diff(values, 2)))) / 0.6745 / math.sqrt(6.0)  # of a normal distribution
    if half == 0:
        return values, noise, noise
    width = 2 * half + 1
    middle = np.convolve(values, np.full(width, 1.0 / width), mode="valid")
    x = np.arange(width, dtype=np.float64)
    head = np.polyval(np.polyfit(x, values[:width], 1), x[:half])
    tail = np.polyval(np.polyfit(x, values[-width:], 1), x[half + 1 :])
    return np.concatenate([head, middle, tail]), noise, noise / math.sqrt(width)
