"""A straight line through values whose noise is correlated, as that of a memristor is: flicker noise, telegraph noise, drift.

Ordinary least squares takes the values for independent and states an error that is too small by any factor. Here the
line is fitted by generalised least squares under each of many models of the noise, from white to nearly all of it slow,
and the answers are averaged with the models' restricted likelihoods as weights (Hoeting et al., Stat. Sci. 14, 382,
1999: model averaging). The interval then carries what is not known of the noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labctl.analysis.statistics import intervals
from labctl.analysis.statistics.intervals import Interval
from labctl.contracts import FloatArray

#: how intervals of a line were found, for definitions
WORDS = "generalised least squares averaged over models of correlated noise (white to flicker; a random walk is not covered)"
MOST_BINS = 60  #: means of values the line is drawn through; more change nothing and cost their cube: guess
LEAST_POINTS = 5  #: values for a line with an interval: guess
SHARES = (0.1, 0.3, 0.6, 0.9, 0.99)  #: correlated share of a value's variance, one model each: guess
TIMES = 9  #: correlation times on a logarithmic grid, one model each: guess
#: values that count as one in the degrees of freedom, as correlated ones do: guess, so that coverage holds for flicker noise
WORTH = 5.0
#: times the longest span: the slowest noise of the flicker model: guess
SLOWEST = 30.0
LEAST_SIDE = 3  #: bins on each side of a step: guess
MUCH_BETTER = 0.5  #: share of a line's squares left over, below which a step explains more: guess
CLEAR = 4.0  #: standard deviations from value to value that a step has at least: guess
#: lengths, in decades, of noise that is correlated in ln t: processes with widely spread rates step once in so many: guess
DECADES = (0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Trend:
    """y = offset + slope x under every model of the noise.

    coefficients: shape (g, 2), offset and slope; covariances: (g, 2, 2); weights: (g,), sum 1; freedom: degrees of
    freedom of each; count: values used; correlated: the mean correlated share of a value's variance.
    """

    coefficients: FloatArray
    covariances: FloatArray
    weights: FloatArray
    freedom: float
    count: int
    correlated: float

    def of(self, vector: FloatArray) -> tuple[float, float, Interval]:
        """Value, standard uncertainty and 95 % interval of vector . (offset, slope); vector: shape (2,)."""
        from scipy import optimize, special

        centres = self.coefficients @ vector
        widths = np.sqrt(np.maximum(np.einsum("i,gij,j->g", vector, self.covariances, vector), 0.0))
        value = float(self.weights @ centres)
        variance = self.weights @ (widths**2 + (centres - value) ** 2)
        if not variance > 0:
            return value, 0.0, (value, value)

        def excess(x: float, share: float) -> float:
            return float(self.weights @ special.stdtr(self.freedom, (x - centres) / widths)) - share

        reach = 1e3 * (float(np.max(widths)) + float(np.ptp(centres)))
        low, high = (
            float(optimize.brentq(excess, value - reach, value + reach, args=(share,), xtol=1e-9 * math.sqrt(variance)))
            for share in (intervals.TAIL, 1.0 - intervals.TAIL)
        )
        return value, float(math.sqrt(variance)), (low, high)

    @cached_property
    def slope(self) -> tuple[float, float, Interval]:
        """Slope, its standard uncertainty, its 95 % interval."""
        return self.of(np.array([0.0, 1.0]))

    def at(self, x: float) -> tuple[float, float, Interval]:
        """The line's y at x, its standard uncertainty and its 95 % interval (of the line, not of a single value)."""
        return self.of(np.array([1.0, x]))


def trend(times: FloatArray, y: FloatArray, step: float | None = None) -> Trend | None:
    """The line of y against ln t; times: shape (n,), above 0, rising; y: finite. None for fewer than 5 or for one time.

    step: a time (s) at and after which y is offset by a number that is fitted, too. More than 60 values are
    averaged in bins of equal width in ln t first. The noise may be correlated in t (one correlation time, or
    flicker noise: all of them) or in ln t. Intervals cover (tested at 93 % or more) for white, exponentially
    correlated, telegraph and 1/f noise; for noise that has no mean they fall short: of a random walk in t they
    cover 90 %, in ln t 77 %; where one step is all there is see `stepped`.
    """
    if times.size < LEAST_POINTS or not times[-1] > times[0]:
        return None
    bins = _binned(times, y)
    x, means = bins.x, bins.y
    if x.size < LEAST_POINTS:
        return None
    design = np.stack([np.ones(x.size), x - x.mean()], axis=1)
    if step is not None:
        design = np.column_stack([design, _binned(times, (times >= step).astype(np.float64)).y])
    kernels, white = np.array(_kernels(bins)), np.diag(1.0 / bins.count)
    shares = np.concatenate([[0.0], np.tile(SHARES, kernels.shape[0])])
    slow = np.concatenate([white[None], np.repeat(kernels, len(SHARES), axis=0)])
    noises = (1.0 - shares)[:, None, None] * white + shares[:, None, None] * slow
    coefficients, covariances, evidence = _solved(design, means, noises)
    weights = _prior(evidence.size) * np.exp(evidence - evidence.max())
    weights /= weights.sum()
    back = np.array([[1.0, -x.mean()], [0.0, 1.0]])  # from the line about the mean of x to one about 0
    freedom, correlated = (x.size - design.shape[1]) / WORTH, float(weights @ shares)
    coefficients, covariances = coefficients[:, :2] @ back.T, back @ covariances[:, :2, :2] @ back.T
    return Trend(coefficients, covariances, weights, freedom, times.size, correlated)


def scatter(y: FloatArray) -> float:
    """The standard deviation of y from value to value, by second differences, so that neither a trend nor a few jumps count."""
    second = np.abs(np.diff(y, 2))
    return float(1.4826 * np.median(second)) / math.sqrt(6.0) if second.size else 0.0


def step(times: FloatArray, y: FloatArray) -> tuple[float, float] | None:
    """The time (s) from which on y is offset, and by how much, where one step explains y much better than a line; else None.

    Much: the squares left over, of means in bins of ln t, are less than half of the line's, and the step is clear of the
    scatter from value to value. At least 3 bins lie on each side.
    """
    if times.size < 2 * LEAST_SIDE or not times[-1] > times[0]:
        return None
    bins = _binned(times, y)
    x, means = bins.x - bins.x.mean(), bins.y - bins.y.mean()
    count = np.arange(1, x.size + 1)
    left, total = np.cumsum(means), float(means @ means)
    among = left[:-1] ** 2 / count[:-1] + left[:-1] ** 2 / (x.size - count[:-1])  # squares that a step there takes up
    among[: LEAST_SIDE - 1], among[x.size - LEAST_SIDE :] = 0.0, 0.0
    if x.size < 2 * LEAST_SIDE:
        return None
    at = int(np.argmax(among)) + 1
    height = float(means[at:].mean() - means[:at].mean())
    straight = total - float(x @ means) ** 2 / float(x @ x)
    if total - among[at - 1] >= MUCH_BETTER * straight or abs(height) < CLEAR * scatter(y):
        return None
    return float(bins.first[at]), height


def stepped(times: FloatArray, y: FloatArray) -> str:
    """That `step` finds one, in words for a definition; "" where it does not."""
    found = step(times, y)
    return "" if found is None else f"; a step by {found[1]:+.3g} at {found[0]:.3g} s explains more than a power law"


@dataclass(frozen=True)
class _Bins:
    """Means of values in bins: ln t and y, how many, first and last time of each, shape (k,); the values' usual distance, s."""

    x: FloatArray
    y: FloatArray
    count: FloatArray
    first: FloatArray
    last: FloatArray
    step: float


def _binned(times: FloatArray, y: FloatArray) -> _Bins:
    x = np.log(times)
    step = float(np.min(np.diff(times)[np.diff(times) > 0]))
    if times.size <= MOST_BINS:
        return _Bins(x, y, np.ones(times.size), times, times, step)
    place = np.minimum(((x - x[0]) / (x[-1] - x[0]) * MOST_BINS).astype(np.int64), MOST_BINS - 1)
    starts = np.flatnonzero(np.append(True, np.diff(place) > 0))
    count = np.diff(np.append(starts, times.size)).astype(np.float64)
    ends = np.append(starts[1:], times.size) - 1
    sums = [np.add.reduceat(values, starts) / count for values in (x, y)]
    return _Bins(sums[0], sums[1], count, times[starts], times[ends], step)


def _prior(models: int) -> FloatArray:
    """Weights of the models before the values are looked at, shape (models,).

    A fifth each for white and for flicker noise, the rest evenly: guess.
    """
    several = models - 1 - len(SHARES)
    flicker = 1 + TIMES * len(SHARES)
    weights = np.full(models, 0.6 / several)
    weights[0] = 0.2
    weights[flicker : flicker + len(SHARES)] = 0.2 / len(SHARES)
    return weights


def _kernels(bins: _Bins) -> list[FloatArray]:
    """Correlation of the bins' means under each kind of slow noise of unit variance, shape (k, k) each."""
    span = float(bins.last[-1] - bins.first[0])
    times = np.geomspace(bins.step, 3 * span, TIMES)
    flicker = [_exponential(bins, time) for time in np.geomspace(bins.step, SLOWEST * span, 3 * TIMES)]
    found = [_exponential(bins, float(time)) for time in times]
    found.append(np.asarray(np.mean(flicker, axis=0)))
    apart = np.abs(bins.x[:, None] - bins.x[None, :]) / math.log(10.0)
    return [*found, *(np.exp(-apart / length) for length in DECADES)]


def _exponential(bins: _Bins, time: float) -> FloatArray:
    """Correlation of means over stretches of time of noise whose correlation falls as exp(-t / time)."""
    wide = (bins.last - bins.first) / time
    small = np.maximum(wide, 1e-6)
    edge = -np.expm1(-small) / small  # the mean of exp(-u) over a stretch, from its nearer end
    gap = np.maximum(bins.first[None, :] - bins.last[:, None], bins.first[:, None] - bins.last[None, :])
    found = np.exp(-np.maximum(gap, 0.0) / time) * edge[:, None] * edge[None, :]
    own = np.where(wide < 1e-3, 1.0 - wide / 3.0, 2.0 / small - 2.0 / small * edge)
    np.fill_diagonal(found, own)
    return np.asarray(found)


def _solved(design: FloatArray, y: FloatArray, noises: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Coefficients, shape (g, 2), their covariances, (g, 2, 2), and logarithms of restricted likelihoods, (g,), one a noise.

    noises: shape (g, n, n), covariance of the values but for a factor, which is found with the rest.
    """
    size, freedom = y.size, y.size - design.shape[1]
    noises = noises + 1e-9 * np.trace(noises, axis1=1, axis2=2)[:, None, None] / size * np.eye(size)
    roots = np.linalg.cholesky(noises)
    both = np.linalg.solve(roots, np.concatenate([design, y[:, None]], axis=1)[None])
    a, b = both[:, :, :-1], both[:, :, -1:]
    inner = a.transpose(0, 2, 1) @ a
    inverse = np.linalg.inv(inner)
    coefficients = inverse @ a.transpose(0, 2, 1) @ b
    rest = np.sum((b - a @ coefficients) ** 2, axis=(1, 2)) + 1e-24 * (float(np.var(y)) or 1.0) * size
    determinant = np.sum(np.log(np.diagonal(roots, axis1=1, axis2=2)), axis=1)
    evidence = -determinant - 0.5 * np.log(np.linalg.det(inner)) - 0.5 * freedom * np.log(rest)
    return coefficients[:, :, 0], (rest / freedom)[:, None, None] * inverse, evidence
