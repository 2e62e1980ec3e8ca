"""How a quantity is distributed over cycles or cells: empirical and fitted distributions, their bands, and which fits best.

Everything takes a `Sample`, in which values may be only bounds (see `samples`). Intervals and bands are at 95 %,
pointwise, and take the values for independent; `correlation` says where successive ones are not.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.methods import method
from labctl.analysis.statistics import intervals
from labctl.analysis.statistics.families import FAMILIES, Fit, fit
from labctl.analysis.statistics.fitted import Compared, best, compare, lognormal, normal, weibull
from labctl.analysis.statistics.intervals import SEED, Interval
from labctl.analysis.statistics.samples import Sample, between, named, of_series, sample
from labctl.contracts import Extracted, FloatArray

SKEWED = 1.5  #: skewness beyond which sigma/mu has no interval: guess; an exponential distribution has 2

__all__ = [
    "FAMILIES", "Compared", "Empirical", "Fit", "Sample", "best", "between", "compare", "correlation", "describe", "empirical",
    "fit", "lognormal", "median", "normal", "of_series", "plotting_positions", "relative_spread", "sample", "weibull",
]  # fmt: skip


@dataclass(frozen=True)
class Empirical:
    """The empirical distribution function at the known values, shape (n,) each: values, shares, and the ends of their band."""

    values: FloatArray
    shares: FloatArray
    lower: FloatArray
    upper: FloatArray
    before: FloatArray
    words: str


def empirical(found: Sample) -> Empirical | None:
    """The share of values at or below each known one, with a pointwise band; None where none is known.

    Without bounds: counts, with Clopper and Pearson's interval. With values that are only bounds on one side: Kaplan
    and Meier's estimate with the log-log band of Greenwood's variance (scipy.stats.ecdf), so that survivors count.
    Values between two bounds are put at the upper one (the check that found them). None, too, where some are bounded only
    from below and others only from above.
    """
    both = bool(np.any(np.isinf(found.lower)) and np.any(np.isinf(found.upper)))
    if both or not len(found):
        return None
    turned = bool(np.any(np.isinf(found.lower)))
    low, high = (-found.upper, -found.lower) if turned else (found.lower, found.upper)
    ends = np.isfinite(high)
    if not ends.any():
        return None
    if ends.all():
        values, shares, lower, upper = _counted(high)
        words = "share of values at or below; band: Clopper and Pearson"
    else:
        values, shares, lower, upper = _kaplan_meier(np.where(ends, high, low), ~ends)
        words = "Kaplan and Meier's estimate; band: log-log of Greenwood's variance"
    before = np.concatenate([[0.0], shares[:-1]])
    if (
        turned
    ):  # what is at or below x is 1 less what lies before -x; the band holds the shares on both sides of the step
        values, shares, before = -values[::-1], 1 - before[::-1], 1 - shares[::-1]
        lower, upper = 1 - upper[::-1], 1 - np.concatenate([[0.0], lower[:-1]])[::-1]
    return Empirical(values, shares, lower, upper, before, f"{words}; {found.words()}")


def _counted(values: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    from scipy import stats

    distinct, counts = np.unique(values, return_counts=True)
    hits, count = np.cumsum(counts), values.size
    lower = np.asarray(stats.beta.ppf(intervals.TAIL, hits, count - hits + 1), dtype=np.float64)
    upper = np.ones(hits.size)
    upper[:-1] = stats.beta.ppf(1 - intervals.TAIL, hits[:-1] + 1, count - hits[:-1])
    return distinct, hits / count, lower, upper


def _kaplan_meier(
    values: FloatArray, censored: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    from scipy import stats

    found: Any = stats.ecdf(stats.CensoredData.right_censored(values, censored))
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # that the band is undefined at some values: dealt with below
        band = found.cdf.confidence_interval(intervals.LEVEL, method="log-log")
    known = np.isin(found.cdf.quantiles, values[~censored])
    pick = [found.cdf.quantiles, found.cdf.probabilities, band.low.probabilities, band.high.probabilities]
    x, share, low, high = (np.asarray(item, dtype=np.float64)[known] for item in pick)
    low = np.maximum.accumulate(np.where(np.isfinite(low), low, 0.0))  # not defined where no survivor is left
    return x, share, low, np.where(np.isfinite(high), high, 1.0)


def plotting_positions(found: Sample) -> tuple[FloatArray, FloatArray]:
    """Known values and the shares to draw them at on probability paper, shape (n,) each.

    Halfway up each step of the empirical distribution, (i - 0.5) / n of n known values (Meeker and Escobar 1998, 6.4);
    the paper's axis is ``FAMILIES[name].quantile(share)`` against the value, or its logarithm.
    """
    steps = empirical(found)
    if steps is None:
        return np.empty(0), np.empty(0)
    return steps.values, 0.5 * (steps.before + steps.shares)


@method("median/order-statistics")
def median(found: Sample) -> Extracted | None:
    """The median, with the interval of order statistics.

    Of values that are bounds on one side, where Kaplan and Meier's estimate reaches half.

    None where more than half are only bounds. uncertainty: NaN, the interval says more. An end of the interval is
    infinite where the values do not bound it.
    """
    if not len(found):
        return None
    if found.known.all():
        value, interval = float(np.median(found.upper)), intervals.quantile(found.upper)
        words = f"median; order statistics; {found.words()}"
    elif found.events == len(found):  # each within a step of the levels
        value = float(np.median(0.5 * (found.lower + found.upper)))
        interval = intervals.quantile(found.lower)[0], intervals.quantile(found.upper)[1]
        words = f"median of the middles; order statistics of the ends; {found.words()}"
    else:
        steps = empirical(found)
        if steps is None or steps.shares[-1] < 0.5:
            return None
        value = float(steps.values[np.argmax(steps.shares >= 0.5)])
        interval = _crossing(steps)
        words = f"median of {steps.words}; interval: where the band contains one half"
    return Extracted(
        named(found, "median"), value, found.unit, math.nan, words, range(len(found)), interval, found.excluded
    )


def _crossing(steps: Empirical) -> Interval:
    """Between which values the band contains 0.5 (Brookmeyer and Crowley, Biometrics 38, 29, 1982)."""
    low = steps.values[steps.upper >= 0.5]
    high = steps.values[steps.lower > 0.5]
    return (float(low[0]) if low.size else -math.inf, float(high[0]) if high.size else math.inf)


@method("relative spread/bootstrap-t")
def relative_spread(found: Sample, seed: int = SEED) -> Extracted | None:
    """Standard deviation over mean (magnitude), with a seeded bootstrap-t interval; of fewer than 2 values None.

    No interval for fewer than 10 values, or for skewed ones (no interval of sigma/mu is known to cover; take sigma of
    ln). Where some values are only bounds it is the ratio of the fitted normal distribution, with the interval of its
    likelihood.
    """
    name = named(found, "sigma/mu")
    if not found.known.all():
        return _fitted_spread(found, name)
    values = found.upper
    if values.size < 2 or np.mean(values) == 0:
        return None
    logarithm, error = (float(item[0]) for item in _log_ratio(values[None, :]))
    skewed = values.size >= intervals.LEAST_RESAMPLED and abs(_skewness(values)) > SKEWED
    ends = intervals.UNKNOWN if skewed else intervals.studentised(_log_ratio, values, seed)
    interval = (math.exp(ends[0]), math.exp(ends[1]))
    doubt = "; skewed, so no interval: sigma of ln says more" if skewed else ""
    words = f"standard deviation (n - 1) over mean; bootstrap-t of its logarithm, seeded{doubt}; {found.words()}"
    value = math.exp(logarithm)
    return Extracted(name, value, "", value * error, words, range(values.size), interval, found.excluded)


def _skewness(values: FloatArray) -> float:
    rest = values - values.mean()
    spread = float(np.std(values))
    return float(np.mean(rest**3)) / spread**3 if spread > 0 else 0.0


def _log_ratio(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """ln of sigma/mu of each row, and its standard error from the values' influence; not finite for a row of equal values."""
    mean, spread = rows.mean(axis=1, keepdims=True), rows.std(axis=1, ddof=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (rows - mean) / spread
        influence = 0.5 * (z * z - 1) - spread / mean * z
        return np.log(spread / np.abs(mean))[:, 0], influence.std(axis=1) / math.sqrt(rows.shape[1])


def _fitted_spread(found: Sample, name: str) -> Extracted | None:
    """Scale over location of the fitted normal distribution; its interval from the likelihood region."""
    result = fit(found, "normal")
    if result is None or result.location == 0:
        return None
    ratios = result.region[:, 1] / result.region[:, 0] if result.region.size else np.empty(0)
    sound = bool(ratios.size and np.all(result.region[:, 0] * result.location > 0))
    interval = (float(np.abs(ratios).min()), float(np.abs(ratios).max())) if sound else intervals.UNKNOWN
    words = f"scale over location of the normal distribution fitted by maximum likelihood; {found.words()}"
    value = abs(result.scale / result.location)
    return Extracted(name, value, "", math.nan, words, range(len(found)), interval, found.excluded)


@method("lag-1 correlation/product-moment")
def correlation(found: Sample) -> Extracted | None:
    """The correlation of successive values (in their order), None for fewer than 10 or where some are bounds.

    Where it is beyond the 95 % limits of independent values, 1.96 / sqrt(n), intervals that take them for independent
    are too narrow; the definition says so.
    """
    values = found.upper
    if len(found) < 10 or not found.known.all() or np.ptp(values) == 0:
        return None
    rest = values - values.mean()
    r = float(rest[1:] @ rest[:-1] / (rest @ rest))
    limit = 1.96 / math.sqrt(values.size)
    said = "beyond" if abs(r) > limit else "within"
    doubt = "; intervals that take the values for independent are too narrow" if r > limit else ""
    words = f"of successive values, {said} the {limit:.2g} of independent ones{doubt}; {found.words()}"
    return Extracted(named(found, "lag-1 correlation"), r, "", 1 / math.sqrt(values.size), words)


def describe(found: Sample, seed: int = SEED) -> list[Extracted]:
    """All of a sample: median, sigma/mu, the parameters of every distribution, which fits best, the correlation of cycles.

    The definitions say where an assumption of an interval fails: independence, or the distribution itself.
    """
    related = correlation(found)
    single = [item for item in (median(found), relative_spread(found, seed)) if item is not None]
    compared = {item.name: item.p for item in compare(found, seed)}
    said = [_doubted(item, related, math.nan) for item in single]
    for family, parameters in (("normal", normal), ("lognormal", lognormal), ("weibull", weibull)):
        said += [_doubted(item, related, compared.get(family, math.nan)) for item in parameters(found)]
    return [*said, *best(found, seed), *([related] if related else [])]


def _doubted(item: Extracted, related: Extracted | None, p: float) -> Extracted:
    """The same number, its definition saying which assumption of its interval fails: independence, or the distribution."""
    doubts = ""
    if related is not None and related.value > 1.96 * related.uncertainty:
        doubts += f"; successive values are correlated ({related.value:.2g}), so the interval is too narrow"
    if p < 0.05:
        doubts += f"; the distribution is rejected (Anderson-Darling p = {p:.2g})"
    return replace(item, definition=item.definition + doubts) if doubts else item
