"""Branches whose small currents lie in the noise of the ammeter: how large that is, and lines fitted in spite of it.

A row of a current that is all noise lies against the voltage every other time. Of such rows the logarithm does not exist,
and of those along the voltage alone it is too large: where rows lie against the voltage, the standard deviation of the noise
is estimated, rows of voltages at which the current does not rise above it are dropped, and laws are fitted to the currents
themselves, each weighted by its own variance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from labctl.analysis.conduction.laws import Law, with_barrier
from labctl.analysis.statistics.residuals import correlation, inflated
from labctl.contracts import FloatArray

LEAST_QUIET = 8  #: rows from which the scatter is estimated: guess
SMOOTHED = 2  #: rows on either side that the current is averaged over, to tell it from its noise: guess
FREQUENT = 0.1  #: share of rows against the voltage from which they are noise and not stray: guess
ABOVE = 1.0  #: standard deviations of the noise that the averaged current is above in every row that is kept: guess
STRONG = 10.0  #: times the noise, from which a row's scatter is its own: guess
LEAST_SHARE = 1e-3  #: of the current, that scatters at least: guess, what a range of an SMU is linear to


@dataclass(frozen=True)
class Floor:
    """The noise. sigma: standard deviation, A, 0 where no rows lie against the voltage; share: of the current, beside it."""

    sigma: float
    share: float

    def variance(self, i: FloatArray) -> FloatArray:
        """The variance (A^2) of each current, from the current averaged over its neighbours; i: along the voltage, A."""
        return np.asarray(self.sigma**2 + (self.share * np.maximum(averaged(i), 0.0)) ** 2)


NONE = Floor(0.0, 0.0)


def averaged(i: FloatArray) -> FloatArray:
    """The mean of each current and up to two neighbours on either side, as many on both, shape (n,)."""
    sums, at = np.concatenate([[0.0], np.cumsum(i)]), np.arange(i.size)
    half = np.minimum(np.minimum(at, i.size - 1 - at), SMOOTHED)
    return np.asarray((sums[at + half + 1] - sums[at - half]) / (2 * half + 1))


def scatter(values: FloatArray) -> float:
    """The standard deviation from row to row, by second differences; root mean square, as few rows are at hand."""
    second = np.diff(values, 2)
    return float(np.sqrt(np.mean(second**2) / 6.0)) if second.size else 0.0


def found(i: FloatArray) -> Floor:
    """The noise of currents (A, along the voltage positive) by ascending |V|, shape (n,); NONE where it can't be told.

    From the rows up to the last against the voltage that is no stray one: a tenth of those up to it are against it, too.
    """
    against = np.flatnonzero(i <= 0)
    among = against[np.arange(1, against.size + 1) >= FREQUENT * (against + 1)]
    if not among.size or i.size < LEAST_QUIET:
        return NONE
    quiet = i[: max(int(among[-1]) + 1, LEAST_QUIET)]
    sigma = max(scatter(quiet), -float(quiet.min()) / 3.0)  # an offset that hardly scatters hides as much
    strong = i[(averaged(i) > STRONG * sigma) & (i > 0)]
    if strong.size < LEAST_QUIET:
        return Floor(sigma, LEAST_SHARE)
    top = strong[strong.size // 2 :] if strong.size >= 2 * LEAST_QUIET else strong
    own = scatter(np.log(top)) ** 2 - float(np.mean((sigma / top) ** 2))
    return Floor(sigma, max(math.sqrt(max(own, 0.0)), LEAST_SHARE))


def first_above(i: FloatArray, floor: Floor) -> int:
    """The row from which on the averaged current stays above the noise; as many as there are where it never does."""
    below = np.flatnonzero(averaged(i) <= ABOVE * floor.sigma) if floor.sigma > 0 else np.empty(0, np.int64)
    return int(below[-1]) + 1 if below.size else 0


@dataclass(frozen=True)
class Solved:
    """A law fitted to currents. slope, intercept, height: as of `fit.Line`; error: of the slope; residuals: of ln|I|, weighted
    to the same mean square; r: correlation of neighbouring ones.
    """

    slope: float
    intercept: float
    height: float
    error: float
    residuals: FloatArray
    r: float


def solved(law: Law, v: FloatArray, i: FloatArray, floor: Floor, start: tuple[float, float, float]) -> Solved:
    """Least squares of the currents over their own variances; start: slope, intercept (of ln A) and barrier height (V)."""
    from scipy import optimize

    deviation = np.sqrt(floor.variance(i))
    free = law.fixed is None

    def curve(p: FloatArray) -> FloatArray:
        shaped = with_barrier(law, math.exp(p[2])) if law.barrier else law
        slope = p[1] if free else float(law.fixed or 0.0)
        return np.asarray(np.exp(np.clip(p[0] + slope * shaped.x(v) + law.g(v), -300.0, 100.0)))

    def left(p: FloatArray) -> FloatArray:
        return np.asarray((i - curve(p)) / deviation)

    first = [start[1], *([start[0]] if free else []), *([math.log(start[2])] if law.barrier else [])]
    best = optimize.least_squares(left, first, x_scale="jac")
    residuals, weight = np.asarray(best.fun), np.mean((np.maximum(averaged(i), 0.0) / deviation) ** 2)
    r, rows = correlation(residuals), v.size
    error = _error(np.asarray(best.jac), residuals) * math.sqrt(inflated(r, rows)) if free else 0.0
    height = math.exp(float(best.x[2])) if law.barrier else math.nan
    slope = float(best.x[1]) if free else float(law.fixed or 0.0)
    return Solved(slope, float(best.x[0]), height, error, residuals / math.sqrt(float(weight)), r)


def _error(jacobian: FloatArray, residuals: FloatArray) -> float:
    """The standard error of the slope: the greater of that by the variances as taken, scaled to the residuals, and that
    which takes each row's residual for its scatter (J. G. MacKinnon and H. White, J. Econometrics 29, 305, 1985, HC3).
    """
    inverse = np.linalg.pinv(jacobian.T @ jacobian)
    freedom = max(residuals.size - jacobian.shape[1], 1)
    usual = float(residuals @ residuals) / freedom * inverse[1, 1]
    hat = np.einsum("ij,jk,ik->i", jacobian, inverse, jacobian)
    turned = (inverse @ jacobian.T)[1]
    robust = float(np.sum((turned * residuals / np.maximum(1.0 - hat, 0.1)) ** 2))
    return math.sqrt(max(usual, robust))
