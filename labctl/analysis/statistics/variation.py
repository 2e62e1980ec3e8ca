"""Cycle-to-cycle apart from device-to-device: how much a value differs within a cell, and how much from cell to cell.

One-way random effects: value = mean + cell + cycle, both normal and independent. Cells may have different numbers of
values. Estimates are from the analysis of variance of the cells' means (Thomas and Hultquist, Ann. Stat. 6, 582, 1978,
for unequal numbers); intervals of sigma_C2C and of the share are those of chi squared and F, that of sigma_D2D is
Ting's (J. Stat. Comput. Simul. 35, 135, 1990; Burdick and Graybill, Confidence Intervals on Variance Components, 1992).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labctl.analysis.methods import method
from labctl.analysis.statistics import intervals
from labctl.analysis.statistics.intervals import LEVEL, TAIL, Interval
from labctl.contracts import Extracted, FloatArray

#: values, or cells, from which their tails are looked at: guess; a kurtosis of fewer says nothing
LEAST_TAILS = 20
HEAVY = 1.0  #: excess kurtosis from which it is said not to be normal: guess; 0 of a normal distribution
FACTOR, SPREAD = 3.0, 0.3  #: greatest over smallest value, and sigma of ln, from which logarithms are taken: guesses
MODEL = "one-way random effects, normal within and among cells"


@dataclass(frozen=True)
class Cells:
    """What each cell gives, shape (k,) each: its label, how many values, their mean and standard deviation (NaN for one)."""

    labels: NDArray[np.str_]
    counts: FloatArray
    means: FloatArray
    spreads: FloatArray


def per_cell(values: FloatArray, cells: ArrayLike) -> Cells:
    """Number, mean and standard deviation of the values of each cell.

    values: shape (n,), those that are no numbers left out.
    """
    kept = np.isfinite(values)
    labels, place = np.unique(np.asarray(cells)[kept].astype(str), return_inverse=True)
    counts = np.bincount(place, minlength=labels.size).astype(np.float64)
    means = np.bincount(place, values[kept], labels.size) / np.maximum(counts, 1)
    squares = np.bincount(place, (values[kept] - means[place]) ** 2, labels.size)
    spreads = np.sqrt(np.where(counts > 1, squares / np.where(counts > 1, counts - 1, 1), math.nan))
    return Cells(labels, counts, means, spreads)


@dataclass(frozen=True)
class _Parts:
    """Mean squares among (of the unweighted means) and within cells.

    cells, repeats: their degrees of freedom; each: the harmonic mean number of values of a cell.
    """

    among: float
    within: float
    cells: float
    repeats: float
    each: float

    @property
    def cell_variance(self) -> float:
        """The variance among cells, not below 0."""
        return max(0.0, (self.among - self.within) / self.each)


def _parts(cells: Cells, tails: tuple[float, float]) -> _Parts:
    """Mean squares and their degrees of freedom; tails: excess kurtosis among and within cells.

    The degrees of freedom are those of normal values over 1 + kurtosis / 2, as the variance of a mean square has it (Box,
    Biometrika 40, 318, 1953).
    """
    each = cells.counts.size / float(np.sum(1.0 / cells.counts))
    repeats = float(np.sum(cells.counts - 1))
    within = float(np.nansum((cells.counts - 1) * cells.spreads**2)) / repeats
    among = each * float(np.var(cells.means, ddof=1))
    freedom = (cells.counts.size - 1, repeats)
    few = [max(1.0, value / (1 + 0.5 * tail)) for value, tail in zip(freedom, tails, strict=True)]
    return _Parts(among, within, few[0], few[1], each)


@method("variation/random-effects")
def variation(
    values: FloatArray, cells: ArrayLike, name: str, unit: str = "", logarithmic: bool = False
) -> list[Extracted]:
    """sigma_C2C, sigma_D2D and the share of the variance that is from cell to cell, each with its 95 % interval.

    values: shape (n,), in `unit`; cells: which cell each is from. logarithmic: of ln|value| (a resistance over
    decades), without unit. [] for fewer than 3 cells, for no cell with two values, and where all values of every cell
    are equal.
    """
    found = np.asarray(values, dtype=np.float64)
    if logarithmic:
        found = np.log(np.where(found != 0, np.abs(found), math.nan))
    table = per_cell(found, cells)
    if table.counts.size < 3 or table.counts.max() < 2:
        return []
    tails = _tails(found, np.asarray(cells), table)
    parts = _parts(table, tails)
    if not parts.within > 0:
        return []
    label, of = (f"ln {name}", "") if logarithmic else (name, unit)
    return _said(parts, table, label, of, tails)


def _tails(values: FloatArray, cells: NDArray[np.generic], table: Cells) -> tuple[float, float]:
    """Excess kurtosis among the cells' means and within cells, not below 0; 0 where too few values could show it."""
    kept = np.isfinite(values)
    place = np.searchsorted(table.labels, cells[kept].astype(str))
    several = table.counts[place] > 1
    rest = (values[kept] - table.means[place])[several]
    rest *= np.sqrt(table.counts[place] / np.maximum(table.counts[place] - 1, 1))[several]
    return _kurtosis(table.means - table.means.mean()), _kurtosis(rest)


def _kurtosis(rest: FloatArray) -> float:
    square = float(np.mean(rest**2))
    if rest.size < LEAST_TAILS or not square > 0:
        return 0.0
    return max(0.0, float(np.mean(rest**4)) / square**2 - 3.0)


def _said(parts: _Parts, table: Cells, name: str, unit: str, tails: tuple[float, float]) -> list[Extracted]:
    words = f"{MODEL}; {table.counts.size} cells, {int(table.counts.sum())} values"
    if max(tails) > HEAVY:
        words += f"; not normal (excess kurtosis {tails[0]:.2g} among, {tails[1]:.2g} within cells), intervals widened for it"
    negative = "; the estimate of its square is below 0 and taken as 0" if parts.among < parts.within else ""
    within, cell = math.sqrt(parts.within), math.sqrt(parts.cell_variance)
    share = parts.cell_variance / (parts.cell_variance + parts.within)
    return [
        Extracted(
            f"sigma_C2C of {name}", within, unit, within / math.sqrt(2.0 * parts.repeats),
            f"standard deviation within a cell, from cycle to cycle; {words}", interval=_within(parts),
        ),
        Extracted(
            f"sigma_D2D of {name}", cell, unit, _cell_error(parts),
            f"standard deviation from cell to cell, less what the cycles make{negative}; {words}", interval=_cell(parts),
        ),
        Extracted(
            f"D2D share of {name}", share, "", math.nan,
            f"variance from cell to cell over the whole variance (intraclass correlation); {words}", interval=_share(parts),
        ),
    ]  # fmt: skip


def _within(parts: _Parts) -> Interval:
    from scipy import stats

    squares = parts.repeats * parts.within
    low, high = (math.sqrt(squares / stats.chi2.ppf(share, parts.repeats)) for share in (1 - TAIL, TAIL))
    return low, high


def _cell_error(parts: _Parts) -> float:
    """Standard uncertainty of sigma_D2D from those of the mean squares; NaN for an estimate of 0."""
    variance = 2 * (parts.among**2 / parts.cells + parts.within**2 / parts.repeats) / parts.each**2
    sigma = math.sqrt(parts.cell_variance)
    return math.sqrt(variance) / (2 * sigma) if sigma > 0 else math.nan


def _cell(parts: _Parts) -> Interval:
    """Ting's interval of sigma_D2D: the estimate less and plus what the tails of both mean squares make of it."""
    from scipy import stats

    def tails(upper: float) -> tuple[float, float, float]:
        """Points of F of (cells, inf), (repeats, inf) and (cells, repeats), of which `upper` is above, below, above."""
        many = 1e12  # degrees of freedom as good as infinite
        among = float(stats.f.isf(upper, parts.cells, many))
        within = float(stats.f.isf(1 - upper, parts.repeats, many))
        return among, within, float(stats.f.isf(upper, parts.cells, parts.repeats))

    def ends(upper: float) -> float:
        """The square of how far an end is from the estimate, times `each` squared."""
        among, within, both = tails(upper)
        g, h = 1 - 1 / among, 1 / within - 1
        mixed = ((both - 1) ** 2 - (g * both) ** 2 - h**2) / both
        return (g * parts.among) ** 2 + (h * parts.within) ** 2 + mixed * parts.among * parts.within

    centre = parts.among - parts.within
    low, high = centre - math.sqrt(max(0.0, ends(TAIL))), centre + math.sqrt(max(0.0, ends(1 - TAIL)))
    return math.sqrt(max(0.0, low) / parts.each), math.sqrt(max(0.0, high) / parts.each)


def _share(parts: _Parts) -> Interval:
    from scipy import stats

    ratio = parts.among / parts.within
    ends = []
    for tail in (1 - TAIL, TAIL):
        f = ratio / float(stats.f.ppf(tail, parts.cells, parts.repeats))
        ends.append(max(0.0, (f - 1) / (f - 1 + parts.each)))
    return ends[0], ends[1]


@method("mean over cells/student")
def mean_over_cells(values: FloatArray, cells: ArrayLike, name: str, unit: str = "") -> Extracted | None:
    """The mean of the cells' means with Student's interval over cells: values of one cell are not independent evidence.

    None for no value; interval NaN for one cell.
    """
    table = per_cell(np.asarray(values, dtype=np.float64), cells)
    if not table.means.size:
        return None
    value, error, interval = intervals.mean(table.means)
    words = f"mean of the means of {table.means.size} cells, {int(table.counts.sum())} values; {LEVEL:.0%} over cells"
    return Extracted(f"{name}, mean over cells", value, unit, error, words, interval=interval)


def suits_logarithm(values: ArrayLike) -> bool:
    """Whether values, shape (n,), are better taken by their logarithms: all of one sign, none 0, and spread over a factor.

    A spread of more than a factor 3 from the least to the greatest, or a standard deviation of ln above 0.3 (guesses: below,
    a normal and a lognormal distribution hardly differ). What is no number does not count; False for fewer than 2 values.
    """
    found = np.asarray(values, dtype=np.float64)
    found = found[np.isfinite(found)]
    if found.size < 2 or not (np.all(found > 0) or np.all(found < 0)):
        return False
    size = np.abs(found)
    return bool(size.max() > FACTOR * size.min() or np.std(np.log(size), ddof=1) > SPREAD)
