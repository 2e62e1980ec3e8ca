"""The interval of a law's number from one branch, whatever part of the scatter stays in the cell.

A level is scattered by its read, which is gone at the next, and by the steps before it, which are not. Which part is which
one branch hardly tells, and the interval depends on it. It is taken from the likelihood of the number, averaged over the
ratio of both (first and last conductance and the scatter integrated out, all ratios alike before).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from labctl.analysis.statistics.intervals import Interval
from labctl.contracts import FloatArray

#: standard deviation of a step over that of a read, one model each: guess, from none to all
RATIOS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0, 3.0, 10.0)
OUTSIDE = (
    0.02  #: share of the likelihood beyond each end; with 0.025 of few levels 91 % are covered, where steps scatter
)
NOTHING = 1e-4  #: of the greatest likelihood, where the numbers looked at may end
LEAST_REACH = 1e-6  #: of the numbers looked at
POINTS = 401  #: numbers at which the likelihood is taken
MOST = 300  #: levels; of more, neighbours are averaged, as the work grows with their cube

Shape = Callable[[FloatArray, float], FloatArray]


def interval(
    where: FloatArray, u: FloatArray, y: FloatArray, shape: Shape, start: tuple[float, float], most: float
) -> Interval:
    """The central interval of a law's number; an end that is beyond `most` in magnitude is infinite.

    where: numbers of pulses, u: the same from 0 to 1, y: conductances (about 1), shape (n,); start: the likeliest number, and
    how far from it to look at first.
    """
    where, u, y = (_averaged(item) for item in (where, u, y))
    number, reach = start[0], max(start[1], LEAST_REACH)
    while True:
        grid = np.linspace(max(number - reach, -most), min(number + reach, most), POINTS)
        curves = np.stack([shape(u, float(item)) for item in grid])
        logs = _likelihoods(where, curves, y)
        density = np.exp(logs - logs.max()).sum(axis=0)
        inside = max(float(density[0]), float(density[-1])) < NOTHING * float(density.max())
        if inside or reach > 2.0 * most:
            return _central(grid, density, most)
        reach *= 2.0


def _central(grid: FloatArray, density: FloatArray, most: float) -> Interval:
    mass = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
    low, high = (float(np.interp(share * mass[-1], mass, grid)) for share in (OUTSIDE, 1.0 - OUTSIDE))
    return (-math.inf if low < -0.99 * most else low), (math.inf if high > 0.99 * most else high)


def _averaged(values: FloatArray) -> FloatArray:
    if values.size <= MOST:
        return values
    return np.array([part.mean() for part in np.array_split(values, MOST)])


@lru_cache(maxsize=4)
def _parts(where: bytes) -> tuple[FloatArray, FloatArray]:
    """Eigenvalues and vectors of the covariance of steps of unit variance that add up, at some numbers of pulses."""
    pulses = np.frombuffer(where)
    covariance = np.minimum(pulses[:, None], pulses[None, :])
    values, vectors = np.linalg.eigh(covariance)
    return np.maximum(values, 0.0), vectors


def _likelihoods(where: FloatArray, curves: FloatArray, y: FloatArray) -> FloatArray:
    """The logarithm of the likelihood of each curve under each ratio, shape (r, k), ends and scatter integrated out."""
    values, vectors = _parts(np.ascontiguousarray(where, dtype=np.float64).tobytes())
    turned = [item @ vectors for item in (np.ones(y.size), curves, y)]
    return np.stack([_likelihood(turned, 1.0 + ratio**2 * values) for ratio in RATIOS])


def _likelihood(turned: list[FloatArray], spread: FloatArray) -> FloatArray:
    """The logarithm of the likelihood of each curve, shape (k,); turned: a constant, curves, levels; spread: variances."""
    one, g, v = (item / np.sqrt(spread) for item in turned)
    a, b, c = float(one @ one), g @ one, np.sum(g * g, axis=1)
    d, e, f = float(one @ v), g @ v, float(v @ v)
    inner = np.maximum(a * c - b**2, 1e-300)
    rest = np.maximum(f - (c * d**2 - 2.0 * b * d * e + a * e**2) / inner, 1e-18 * f)
    return np.asarray(-0.5 * np.sum(np.log(spread)) - 0.5 * np.log(inner) - 0.5 * (v.size - 2) * np.log(rest))
