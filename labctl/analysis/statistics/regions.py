"""The likeliest parameters and the region of likely ones, of a likelihood whose logarithm is concave.

The last parameter is an inverse scale, above 0, unless `scaled` is False. Functions take `likelihood`, which maps
points, shape (m, d), to the logarithm at each, shape (m,); the problem is to be scaled so that the answer is near 0 and
1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from labctl.contracts import FloatArray

Likelihood = Callable[[FloatArray], FloatArray]

STEPS = 40  #: most steps to the region's edge
CLOSE = 1e-4  #: of the likelihood's fall, at which the edge is found
FAR = (
    50.0  #: standard deviations beyond which the edge is not looked for; what is not bounded by then is called infinite
)
EXTREME = 1e6  #: a scale so many times larger or smaller than the values' spread is no fit


def maximum(likelihood: Likelihood, dimensions: int, scaled: bool = True) -> FloatArray | None:
    """The likeliest point, shape (d,), from 0 (an inverse scale: from 1) on; None where no maximum was found."""
    from scipy import optimize

    def point(free: FloatArray) -> FloatArray:
        return np.append(free[:-1], math.exp(min(free[-1], 700.0))) if scaled else free

    def cost(free: FloatArray) -> float:
        value = float(likelihood(point(free)[None, :])[0])
        return -value if math.isfinite(value) else 1e300

    options = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 4000, "maxfev": 4000}
    minimize: Any = optimize.minimize
    found = minimize(cost, np.zeros(dimensions), method="Nelder-Mead", options=options)
    if not found.success or (scaled and abs(found.x[-1]) > math.log(EXTREME)):
        return None
    return point(found.x)


def information(likelihood: Likelihood, best: FloatArray) -> FloatArray:
    """The observed information at `best`, shape (d, d), by central differences."""
    size = best.size
    step = np.diag(1e-4 * np.maximum(np.abs(best), 1.0))
    found = np.empty((size, size))
    for i in range(size):
        for j in range(i, size):
            corners = np.array([best + p * step[i] + q * step[j] for p, q in ((1, 1), (1, -1), (-1, 1), (-1, -1))])
            f = likelihood(corners)
            found[i, j] = found[j, i] = -(f[0] - f[1] - f[2] + f[3]) / (4 * step[i, i] * step[j, j])
    return found


def covariance(likelihood: Likelihood, best: FloatArray) -> FloatArray | None:
    """The inverse of the observed information; None where that is not positive."""
    observed = information(likelihood, best)
    if not np.all(np.isfinite(observed)) or np.any(np.linalg.eigvalsh(observed) <= 0):
        return None
    return np.asarray(np.linalg.inv(observed))


def directions(dimensions: int) -> FloatArray:
    """Unit vectors that cover the circle (64) or the sphere (400), shape (m, d).

    Extremes are then found within 0.2 % and 1 %.
    """
    if dimensions == 2:
        angles = 2 * np.pi * np.arange(64) / 64
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    number = np.arange(400) + 0.5
    height, turn = 1 - 2 * number / 400, np.pi * (1 + math.sqrt(5)) * number  # points on a golden spiral
    width = np.sqrt(1 - height**2)
    return np.stack([width * np.cos(turn), width * np.sin(turn), height], axis=1)


def edge(likelihood: Likelihood, best: FloatArray, spread: FloatArray, fall: float, scaled: bool = True) -> FloatArray:
    """Points at which the likelihood is `fall` below its maximum, shape (m, d).

    spread: covariance, to place the directions by.
    """
    rays = directions(best.size) @ np.linalg.cholesky(spread).T
    falling = (rays[:, -1] < 0) & scaled
    to_zero = np.where(falling, best[-1] / np.where(falling, -rays[:, -1], 1.0), math.inf)
    near, far = np.zeros(rays.shape[0]), np.minimum(FAR, to_zero * (1 - 1e-9))
    reach, top = np.minimum(math.sqrt(2 * fall), 0.5 * far), float(likelihood(best[None, :])[0])
    for _ in range(STEPS):
        fallen = top - likelihood(best + rays * reach[:, None])
        near, far = np.where(fallen <= fall, reach, near), np.where(fallen <= fall, far, reach)
        if np.all(np.abs(fallen - fall) < CLOSE * fall):
            break
        guess = reach * np.sqrt(fall / np.maximum(fallen, 1e-12))
        reach = np.where((guess > near) & (guess < far), guess, 0.5 * (near + far))
    return np.asarray(best + rays * reach[:, None])
