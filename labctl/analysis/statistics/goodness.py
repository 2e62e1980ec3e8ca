"""Whether values can be from a fitted distribution: Anderson and Darling's statistic, its distribution simulated.

The statistic of a fitted location-scale family does not depend on location and scale (David and Johnson, Biometrika 35,
182, 1948), so it is simulated once for the number of values, from seeded standard values that are fitted in the same
way.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from labctl.analysis.statistics.families import Family, Fit
from labctl.contracts import FloatArray

SIMULATED = 999  #: samples; p is then resolved to 0.001
MOST = (
    300  #: values of a simulated sample; the statistic's distribution is that of infinitely many by then: guess, tested
)
NEWTON = 25  #: steps for a Weibull shape; it converges from the right side, quadratically


def p_value(fit: Fit, seed: int) -> float:
    """The chance of a statistic at least as large if the distribution were right; NaN where values are only bounds."""
    values = fit.sample.upper
    if not fit.sample.known.all() or values.size < 5:
        return math.nan
    y = np.log(values) if fit.family.logarithmic else values
    mine = float(statistic(y[None, :], fit.family)[0])
    simulated = _simulated(fit.family.name == "weibull", min(values.size, MOST), seed)
    return float((1 + np.count_nonzero(simulated >= mine)) / (1 + simulated.size))


def statistic(y: FloatArray, family: Family) -> FloatArray:
    """Anderson and Darling's statistic of each row of y, shape (m, n), against the family fitted to that row."""
    location, scale = _weibull(y) if family.name == "weibull" else (y.mean(axis=1), y.std(axis=1))
    z = np.sort((y - location[:, None]) / scale[:, None], axis=1)
    count = y.shape[1]
    weights = (2 * np.arange(1, count + 1) - 1) / count
    return np.asarray(-count - (family.below(z) + family.above(z)[:, ::-1]) @ weights)


def _weibull(y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Location and scale of the likeliest smallest-extreme-value distribution of each row, by Newton's method for the shape."""
    rest = y - y.mean(axis=1, keepdims=True)
    scale = rest.std(axis=1) * math.sqrt(6) / math.pi
    for _ in range(NEWTON):
        w = np.exp((rest - rest.max(axis=1, keepdims=True)) / scale[:, None])
        w /= w.sum(axis=1, keepdims=True)
        first, second = np.sum(w * rest, axis=1), np.sum(w * rest**2, axis=1)
        step = (scale - first) / (
            1 + (second - first**2) / scale**2
        )  # of scale = sum(w rest), the mean of rest being 0
        scale = np.maximum(scale - step, 0.1 * scale)
    top = rest.max(axis=1)
    location = top + scale * np.log(np.mean(np.exp((rest - top[:, None]) / scale[:, None]), axis=1))
    return y.mean(axis=1) + location, scale


@functools.lru_cache(maxsize=32)
def _simulated(weibull: bool, count: int, seed: int) -> FloatArray:
    from labctl.analysis.statistics.families import FAMILIES

    family = FAMILIES["weibull" if weibull else "normal"]
    shares = np.random.default_rng(seed).random((SIMULATED, count))
    return statistic(family.quantile(shares), family)
