"""The parameters of fitted distributions with their intervals, and which distribution fits best."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from labctl.analysis.methods import method
from labctl.analysis.statistics import intervals
from labctl.analysis.statistics.families import FAMILIES, Fit, fit
from labctl.analysis.statistics.goodness import p_value
from labctl.analysis.statistics.intervals import SEED, Interval
from labctl.analysis.statistics.samples import Sample, named
from labctl.contracts import Extracted


@method("normal/censored-likelihood")
def normal(found: Sample) -> list[Extracted]:
    """Mean and standard deviation of the likeliest normal distribution, with likelihood intervals.

    [] where it can't be fitted.
    """
    result = fit(found, "normal")
    if result is None:
        return []
    mean, sigma = result.quantile_interval(0.5), result.scale_interval()
    words = _words(result, "normal")
    return [
        _parameter(found, "normal mean", result.location, result.errors[0], mean, found.unit, words),
        _parameter(found, "normal sigma", result.scale, result.scale * result.errors[1], sigma, found.unit, words),
    ]


@method("lognormal/censored-likelihood")
def lognormal(found: Sample) -> list[Extracted]:
    """Median and sigma (of ln) of the likeliest lognormal distribution, with likelihood intervals.

    [] where it can't be fitted.
    """
    result = fit(found, "lognormal")
    if result is None:
        return []
    middle = math.exp(result.location)
    words = _words(result, "lognormal")
    interval, sigma = result.quantile_interval(0.5), result.scale_interval()
    return [
        _parameter(found, "lognormal median", middle, middle * result.errors[0], interval, found.unit, words),
        _parameter(found, "lognormal sigma of ln", result.scale, result.scale * result.errors[1], sigma, "", words),
    ]


@method("weibull/censored-likelihood")
def weibull(found: Sample) -> list[Extracted]:
    """Scale (63.2 % are below) and shape of the likeliest 2-parameter Weibull distribution, with likelihood intervals.

    Or [].
    """
    result = fit(found, "weibull")
    if result is None:
        return []
    eta, beta = math.exp(result.location), 1.0 / result.scale
    words = _words(result, "Weibull")
    low, high = result.scale_interval()
    shape = (1.0 / high, 1.0 / low)
    scale = result.quantile_interval(1.0 - math.exp(-1.0))
    return [
        _parameter(found, "Weibull scale", eta, eta * result.errors[0], scale, found.unit, words),
        _parameter(found, "Weibull shape", beta, beta * result.errors[1], shape, "", words),
    ]


def _parameter(
    found: Sample, name: str, value: float, error: float, interval: Interval, unit: str, words: str
) -> Extracted:
    return Extracted(
        named(found, name), value, unit, error, words, range(len(found)), interval, found.excluded
    )  # fmt: skip


def _words(result: Fit, family: str) -> str:
    found = result.sample
    few = "" if result.region.size else f"; fewer than {intervals.LEAST_EVENTS} values known: no interval"
    return f"{family} distribution by maximum likelihood; {found.words()}{few}"


@dataclass(frozen=True)
class Compared:
    """A fit among others, by how much its AICc is worse than the best one's.

    weight: of Akaike; p: of Anderson and Darling's statistic, NaN where values are only bounds.
    """

    fit: Fit
    delta: float
    weight: float
    p: float

    @property
    def name(self) -> str:
        """Which distribution."""
        return self.fit.family.name


def compare(found: Sample, seed: int = SEED, families: tuple[str, ...] = tuple(FAMILIES)) -> list[Compared]:
    """The distributions that can be fitted, the best first by AICc; [] where none can.

    p: the chance of values that fit as badly if the distribution were right; NaN where values are only bounds. A
    difference of AICc below 2 is none (Burnham and Anderson, Model Selection and Multimodel Inference, 2002, 2.6).
    """
    fits = [result for name in families if (result := fit(found, name)) is not None]
    if not fits:
        return []
    fits.sort(key=lambda item: (item.aicc, -item.likelihood))
    best = fits[0].aicc if math.isfinite(fits[0].aicc) else 0.0
    deltas = np.array([item.aicc - best for item in fits])
    weights = np.where(np.isfinite(deltas), np.exp(-0.5 * deltas), 0.0)
    weights = weights / weights.sum() if weights.sum() > 0 else np.full(deltas.size, math.nan)
    return [
        Compared(item, float(delta), float(weight), p_value(item, seed))
        for item, delta, weight in zip(fits, deltas, weights, strict=True)
    ]


@method("best distribution/aicc")
def best(found: Sample, seed: int = SEED) -> list[Extracted]:
    """The Akaike weight of each distribution, with its p-value of Anderson and Darling in words.

    [] where none can be fitted.
    """
    compared = compare(found, seed)
    tie = " (not told apart from the best)"
    said = []
    for place, item in enumerate(compared):
        near = tie if place and item.delta < 2 else ""
        p = (
            "no goodness of fit of values that are bounds"
            if math.isnan(item.p)
            else f"Anderson-Darling p = {item.p:.3g}"
        )
        rejected = ": rejected at 5 %" if item.p < 0.05 else ""
        words = f"Akaike weight, AICc {item.delta:.3g} above the best{near}; {p}{rejected}; {found.words()}"
        said.append(Extracted(named(found, f"weight of {item.name}"), item.weight, "", math.nan, words))
    return said
