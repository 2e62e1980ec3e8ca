"""Confidence intervals that need no model of the values, and the one threshold all likelihood intervals here share.

Every interval is two-sided at 95 %. An end is infinite where the data do not bound that side.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from labctl.contracts import FloatArray

LEVEL = 0.95  #: of every interval and band
TAIL = 0.5 * (1.0 - LEVEL)
LEAST_EVENTS = 5  #: values known (not mere bounds) below which a fit states no interval: guess
LEAST_RESAMPLED = 10  #: values below which a resampling interval does not cover, as tested
MOST_AT_ONCE = 4_000_000  #: resampled values in memory at once
RESAMPLES = 2000  #: of a bootstrap; Efron and Tibshirani, An Introduction to the Bootstrap (1993), ask for 1000 or more
SEED = 20_240_229  #: of resampling where the caller names none: any number, so that a result is the same each time

Interval = tuple[float, float]
UNKNOWN: Interval = (math.nan, math.nan)


def student(freedom: float) -> float:
    """The factor on a standard error for an interval, from Student's t; freedom: degrees of freedom, above 0."""
    from scipy import stats

    return float(stats.t.ppf(1.0 - TAIL, freedom))


def mean(values: FloatArray) -> tuple[float, float, Interval]:
    """Mean, its standard error, and Student's interval of independent values; NaN for error and interval of one value."""
    value = float(np.mean(values))
    if values.size < 2:
        return value, math.nan, UNKNOWN
    error = float(np.std(values, ddof=1)) / math.sqrt(values.size)
    half = student(values.size - 1) * error
    return value, error, (value - half, value + half)


def quantile(values: FloatArray, share: float = 0.5, worth: float = math.inf) -> Interval:
    """The interval of a quantile from order statistics, whatever the distribution; values: all finite.

    worth: how many independent values they are worth (`residuals.effective`), all of them by default; of fewer, the ranks
    are those of so many, spread over the values.

    From the binomial distribution of how many lie below (David and Nagaraja, Order Statistics, 3rd ed., 7.1). Few
    values leave an end infinite: the median is bounded on both sides by 6 or more.
    """
    from scipy import stats

    count = values.size
    if count == 0:
        return UNKNOWN
    if worth < count:
        return _thinned(np.sort(values), share, max(int(worth), 1))
    below = stats.binom(count, share)
    lower = int(below.ppf(TAIL))  # the least k with P(K <= k) >= 2.5 %: k values are below in at least that share
    upper = int(below.ppf(1.0 - TAIL)) + 1
    padded = np.concatenate([[-math.inf], np.sort(values), [math.inf]])
    return float(padded[lower]), float(padded[min(upper, count + 1)])


def _thinned(ordered: FloatArray, share: float, worth: int) -> Interval:
    """`quantile` of values in rising order that are worth fewer: ranks k of them stand for shares k / (worth + 1)."""
    from scipy import stats

    below = stats.binom(worth, share)
    lower, upper = int(below.ppf(TAIL)), int(below.ppf(1.0 - TAIL)) + 1
    low = -math.inf if lower < 1 else float(np.quantile(ordered, lower / (worth + 1)))
    high = math.inf if upper > worth else float(np.quantile(ordered, upper / (worth + 1)))
    return low, high


def share(hits: int, count: int) -> Interval:
    """Clopper and Pearson's interval of a share, `hits` of `count` (Biometrika 26, 404, 1934); (0, 1) for none of none."""
    from scipy import stats

    low = stats.beta.ppf(TAIL, hits, count - hits + 1) if hits else 0.0
    high = stats.beta.ppf(1.0 - TAIL, hits + 1, count - hits) if hits < count else 1.0
    return float(low), float(high)


def studentised(
    statistic: Callable[[FloatArray], tuple[FloatArray, FloatArray]], values: FloatArray, seed: int
) -> Interval:
    """The bootstrap-t interval of a statistic of independent values, resampled with the seed.

    NaN below 10 values, or equal ones.

    statistic: value and standard error of each row of an array, shape (m, n). Efron and Tibshirani (1993), 12.5: the
    interval for scales; of sigma/mu it covers 93 % from 10 values on, where BCa has 86 % (and 90 % of 20). The tails
    are widened for few values by what Student's t is wider than the normal distribution (Hesterberg, Am. Stat. 69, 371,
    2015).
    """
    from scipy import stats

    count = values.size
    if count < LEAST_RESAMPLED or np.ptp(values) == 0:
        return UNKNOWN
    rng = np.random.default_rng(seed)
    middle, error = (float(item[0]) for item in statistic(values[None, :]))
    ratios = []
    for part in np.array_split(np.arange(RESAMPLES), max(1, RESAMPLES * count // MOST_AT_ONCE)):
        drawn, errors = statistic(values[rng.integers(0, count, (part.size, count))])
        ratios.append((drawn - middle) / errors)
    tail = float(stats.norm.cdf(-math.sqrt(count / (count - 1)) * student(count - 1)))
    pivot = np.concatenate(ratios)
    low, high = np.quantile(pivot[np.isfinite(pivot)], [tail, 1.0 - tail])
    return middle - float(high) * error, middle - float(low) * error


def deviance_limit(events: int, coefficients: int = 1) -> float:
    """How far twice the log likelihood may fall from its maximum within an interval of one parameter.

    events: values known; coefficients: of the line (1: a mean), fewer than events. n ln(1 + t^2 / (n - coefficients)),
    which makes the intervals of normal means and lines exact at any n, and tends to the 3.84 of chi squared. For other
    parameters and distributions it is an approximation that tests of coverage hold to.
    """
    freedom = events - coefficients
    return events * math.log1p(student(freedom) ** 2 / freedom)
