"""Normal, lognormal and Weibull distributions fitted by maximum likelihood to values of which some are only bounds.

All three are location-scale families of y: z = (y - location) / scale has a standard distribution, y being the value or
its logarithm (Meeker and Escobar, Statistical Methods for Reliability Data, 1998, chapters 4 and 8). The likelihood is
written in a = location / scale and b = 1 / scale, in which its logarithm is concave (Burridge, J. R. Stat. Soc. B 43,
41, 1981): one maximum, and a region of likely parameters without holes. From that region come all intervals and bands.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labctl.analysis.statistics import intervals, regions
from labctl.analysis.statistics.intervals import Interval
from labctl.analysis.statistics.samples import Sample
from labctl.contracts import FloatArray


@dataclass(frozen=True)
class Family:
    """A standard distribution: logarithms of density, distribution and survival function of z, and quantiles."""

    name: str
    logarithmic: bool
    density: Callable[[FloatArray], FloatArray]
    below: Callable[[FloatArray], FloatArray]
    above: Callable[[FloatArray], FloatArray]
    quantile: Callable[[FloatArray], FloatArray]

    def cdf(self, z: FloatArray) -> FloatArray:
        """The distribution function, 0 to 1."""
        return np.exp(self.below(z))


def _normal_density(z: FloatArray) -> FloatArray:
    return np.asarray(-0.5 * z * z - 0.5 * math.log(2.0 * math.pi))


def _normal_below(z: FloatArray) -> FloatArray:
    from scipy import special

    return np.asarray(special.log_ndtr(z))


def _normal_quantile(share: FloatArray) -> FloatArray:
    from scipy import special

    return np.asarray(special.ndtri(share))


def _extreme_below(z: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(np.log(-np.expm1(-np.exp(z))))


def _extreme_density(z: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.asarray(z - np.exp(z))


def _extreme_above(z: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.asarray(-np.exp(z))


def _extreme_quantile(share: FloatArray) -> FloatArray:
    return np.asarray(np.log(-np.log1p(-share)))


_NORMAL = (_normal_density, _normal_below, lambda z: _normal_below(-z), _normal_quantile)
_EXTREME = (_extreme_density, _extreme_below, _extreme_above, _extreme_quantile)
FAMILIES = {
    "normal": Family("normal", False, *_NORMAL),
    "lognormal": Family("lognormal", True, *_NORMAL),
    "weibull": Family("weibull", True, *_EXTREME),
}


@dataclass(frozen=True)
class Fit:
    """A fitted distribution of y (the value, or its natural logarithm where the family is logarithmic).

    location, scale: of y; errors: their standard uncertainties, of the location and of ln scale, from the observed
    information; region: shape (m, 2), locations and scales on the edge of the 95 % likelihood region, empty where too
    few values are known for intervals; likelihood: natural logarithm of it, as a density of the values; parameters: how
    many were fitted.
    """

    family: Family
    location: float
    scale: float
    errors: tuple[float, float]
    region: FloatArray
    likelihood: float
    sample: Sample
    parameters: int = 2

    @property
    def aicc(self) -> float:
        """Akaike's criterion, corrected for few values (Hurvich and Tsai, Biometrika 76, 297, 1989); inf below 4 values."""
        count, k = len(self.sample), self.parameters
        return 2 * k - 2 * self.likelihood + (2 * k * (k + 1) / (count - k - 1) if count > k + 1 else math.inf)

    def cdf(self, x: FloatArray) -> FloatArray:
        """The share of values at or below each of `x`, shape as `x`."""
        return self.family.cdf((self._y(x) - self.location) / self.scale)

    def quantile(self, share: FloatArray) -> FloatArray:
        """The value below which each share lies, shape as `share`."""
        return self._x(self.location + self.scale * self.family.quantile(np.asarray(share, dtype=np.float64)))

    def quantile_interval(self, share: float) -> Interval:
        """The 95 % interval of a quantile; NaN without a region."""
        z = float(self.family.quantile(np.asarray(share)))
        low, high = self._range(self.region[:, 0] + self.region[:, 1] * z)
        ends = self._x(np.array([low, high]))
        return float(ends[0]), float(ends[1])

    def scale_interval(self) -> Interval:
        """The 95 % interval of `scale`; NaN without a region."""
        return self._range(self.region[:, 1])

    def band(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end of the 95 % band of the distribution function at each of `x`, pointwise; NaN without a region."""
        y = np.atleast_1d(self._y(x))
        if not self.region.size:
            return np.full(y.shape, math.nan), np.full(y.shape, math.nan)
        z = (y[:, None] - self.region[:, 0]) / self.region[:, 1]
        return self.family.cdf(z.min(axis=1)), self.family.cdf(z.max(axis=1))

    def _range(self, values: FloatArray) -> Interval:
        return (float(values.min()), float(values.max())) if values.size else intervals.UNKNOWN

    def _y(self, x: FloatArray) -> FloatArray:
        x = np.asarray(x, dtype=np.float64)
        if not self.family.logarithmic:
            return x
        return np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), -math.inf)

    def _x(self, y: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            return np.exp(y) if self.family.logarithmic else y


def fit(sample: Sample, family: str) -> Fit | None:
    """The likeliest distribution of a family; None where fewer than 3 values are given, fewer than 2 known or all are equal.

    family: "normal", "lognormal" or "weibull"; the last two are None for values at or below 0. Intervals need 5 known
    values. Values known to lie between two bounds count with the probability of that interval.
    """
    kind = FAMILIES[family]
    if len(sample) < 3 or sample.events < 2 or (kind.logarithmic and not sample.positive):
        return None
    low, high = sample.logarithms() if kind.logarithmic else (sample.lower, sample.upper)
    finite = np.concatenate([low[np.isfinite(low)], high[np.isfinite(high)]])
    centre, width = float(np.median(finite)), float(np.std(finite))
    if width == 0 or not width > 1e-12 * abs(centre):
        return None
    likelihood = _likelihood(kind, (low - centre) / width, (high - centre) / width)
    best = regions.maximum(likelihood, 2)
    spread = None if best is None else regions.covariance(likelihood, best)
    if best is None or spread is None:
        return None
    region = np.empty((0, 2))
    if sample.events >= intervals.LEAST_EVENTS:
        edge = regions.edge(likelihood, best, spread, 0.5 * intervals.deviance_limit(sample.events))
        region = np.stack([edge[:, 0] / edge[:, 1], 1 / edge[:, 1]], axis=1) * width + np.array([centre, 0.0])
    known = low[low == high]
    value = float(likelihood(best[None, :])[0]) - known.size * math.log(width)
    value -= float(known.sum()) if kind.logarithmic else 0.0
    location, scale = centre + width * best[0] / best[1], width / best[1]
    errors = _errors(best, spread)
    return Fit(kind, location, scale, (width * errors[0], errors[1]), region, value, sample)


def _errors(best: FloatArray, spread: FloatArray) -> tuple[float, float]:
    """Standard uncertainties of the location and of ln scale from the covariance of (a, b)."""
    a, b = best
    turn = np.array([[1 / b, -a / b**2], [0.0, -1 / b]])
    variances = np.diag(turn @ spread @ turn.T)
    return float(np.sqrt(variances[0])), float(np.sqrt(variances[1]))


def _likelihood(family: Family, low: FloatArray, high: FloatArray) -> regions.Likelihood:
    """The logarithm of the likelihood of points (a, b), shape (m, 2), for bounds of y, shape (n,), scaled to near 0 and 1."""
    known = low[low == high]
    right, left = low[np.isfinite(low) & np.isinf(high)], high[np.isinf(low) & np.isfinite(high)]
    inside = np.isfinite(low) & np.isfinite(high) & (low < high)
    first, last = low[inside], high[inside]

    def likelihood(points: FloatArray) -> FloatArray:
        a, b = points[:, :1], points[:, 1:]
        total = np.sum(family.density(b * known - a), axis=1) + known.size * np.log(b[:, 0])
        total += np.sum(family.above(b * right - a), axis=1) + np.sum(family.below(b * left - a), axis=1)
        if first.size:
            total += np.sum(_log_between(family, b * first - a, b * last - a), axis=1)
        return np.asarray(total)

    return likelihood


def _log_between(family: Family, low: FloatArray, high: FloatArray) -> FloatArray:
    """The logarithm of the probability between two z, from whichever tail loses fewer digits."""
    upper = low + high > 0
    big = np.where(upper, family.above(low), family.below(high))
    small = np.where(upper, family.above(high), family.below(low))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(big + np.log(-np.expm1(np.minimum(small - big, 0.0))))
