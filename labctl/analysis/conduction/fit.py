"""Straight lines through ln|I|: slope with standard error, how independent the residuals are, the longest straight stretch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.conduction import floor as floors
from labctl.analysis.conduction.floor import Floor
from labctl.analysis.conduction.laws import HIGHEST, Law, with_barrier
from labctl.analysis.statistics.intervals import student
from labctl.analysis.statistics.residuals import correlation, independent, inflated
from labctl.contracts import FloatArray

Places = NDArray[np.int64]
STRAIGHT = 0.05  #: rms of ln|I| about a line up to which a stretch counts as straight (5 % of the current): guess
SCATTER = 1.5  #: times the scatter between neighbouring rows, where that is more: guess
LEAST_ROWS = 8  #: of a line that means something: guess
LEAST_SPAN = 1.5  #: greatest over smallest |V|, and |I|, of such a line: guess
NARROW = 1.1  #: the least span of |V| and |I| for a slope of a law that is known: guess
EDGES = 200  #: places a stretch may begin or end at; more rows are thinned to these, as the search takes their square


@dataclass(frozen=True)
class Line:
    """A least-squares line. slope, intercept: of ln|I| - g against x; error: standard error of the slope, 0 where it is fixed.

    residuals: of ln|I|, in the order of the rows; correlation: of neighbouring ones; r_squared: on the linearised scale;
    freedom: independent rows less fitted numbers.
    """

    law: Law
    slope: float
    intercept: float
    error: float
    residuals: FloatArray
    correlation: float
    r_squared: float
    freedom: int
    height: float = math.nan

    @property
    def rms(self) -> float:
        """Root mean square of the residuals of ln|I|."""
        return float(np.sqrt(np.mean(self.residuals**2)))

    @property
    def interval(self) -> tuple[float, float]:
        """Ends of the 95 % interval of the slope by Student's t; equal where the slope is fixed."""
        half = student(self.freedom) * self.error
        return self.slope - half, self.slope + half


def line(law: Law, v: FloatArray, i: FloatArray, weights: FloatArray | None = None, floor: Floor = floors.NONE) -> Line:
    """Fit a law to |V| and |I|, both > 0, in ascending order of |V|, shape (n,); n more than the law's parameters.

    floor: the noise of the ammeter, where it matters; then i may be against the voltage (negative), and the law is fitted to
    the currents, not their logarithms.

    weights: inverse variances of ln|I|, up to a factor; all the same by default. The standard error is widened by
    sqrt((1 + r) / (1 - r)) where the correlation r of neighbouring residuals is beyond what chance gives (2 / sqrt(n)).
    """
    if floor.sigma > 0:
        return _noisy(law, v, i, floor)
    if law.barrier:
        return _tunnel(law, v, i, weights)
    x, y = law.x(v), np.log(i) - law.g(v)
    w = np.full(v.size, 1.0 / v.size) if weights is None else weights / weights.sum()
    middle, level = float(w @ x), float(w @ y)
    spread = float(w @ (x - middle) ** 2)
    slope = law.fixed if law.fixed is not None else float(w @ ((x - middle) * (y - level))) / spread
    residuals = y - level - slope * (x - middle)
    alike = correlation(residuals)
    freedom = v.size - law.parameters
    inflation = inflated(alike, v.size)
    error = 0.0 if law.fixed is not None else _error(residuals, w, spread, freedom) * math.sqrt(inflation)
    total = float(w @ (y - level) ** 2)
    quality = 1.0 - float(w @ residuals**2) / total if total > 0 else math.nan
    effective = max(independent(residuals) - law.parameters, 1)
    return Line(law, slope, level - slope * middle, error, residuals, alike, quality, effective)


def _noisy(law: Law, v: FloatArray, i: FloatArray, floor: Floor) -> Line:
    """The law fitted to the currents themselves, from the line through the logarithms of those along the voltage."""
    along = i > 0
    weights = np.maximum(floors.averaged(i), 0.1 * floor.sigma) ** 2 / floor.variance(i)
    first = line(law, v[along], i[along], weights[along])
    found = floors.solved(law, v, i, floor, (first.slope, first.intercept, first.height))
    shaped = with_barrier(law, found.height) if law.barrier else law
    freedom = max(independent(found.residuals) - law.parameters, 1)
    return Line(
        shaped, found.slope, found.intercept, found.error, found.residuals, found.r, first.r_squared, freedom,
        found.height,
    )  # fmt: skip


def longest(
    law: Law, v: FloatArray, i: FloatArray, span: float = LEAST_SPAN, floor: Floor = floors.NONE
) -> slice | None:
    """The stretch with the most rows over which the law is a straight line, or None; v ascending, shape (n,).

    Straight: rms of ln|I| about the stretch's own line at most 5 %, or 1.5 times the scatter between neighbouring rows where
    that is more. At least 8 rows that span a factor `span` in |V|. Of stretches alike in rows the straighter one. floor: the
    noise of the ammeter; rows count the less the more they are of it.
    """
    limit = max(STRAIGHT, SCATTER * (scatter(i) if floor.sigma == 0 else floor.share))
    weights = np.ones(v.size)
    if floor.sigma > 0:
        i = np.maximum(i, 0.2 * floor.sigma)  # rows against the voltage have no logarithm, and next to no weight
        share = floor.sigma / np.maximum(floors.averaged(i), 0.2 * floor.sigma)
        weights = limit**2 / (limit**2 + (SCATTER * share) ** 2)
    x, y = law.x(v), np.log(i) - law.g(v)
    edges = np.unique(np.linspace(0, v.size, min(EDGES, v.size) + 1).astype(np.int64))
    starts, ends = (grid.astype(np.int64) for grid in np.meshgrid(edges[:-1], edges[1:], indexing="ij"))
    rms = _rms_of_stretches(law, x - x.mean(), y - y.mean(), weights, starts, ends)
    wide = v[ends - 1] >= span * v[starts]
    good = (ends - starts >= LEAST_ROWS) & wide & (rms <= limit)
    if not good.any():
        return None
    order = np.where(good, (ends - starts) - rms / (1.0 + rms), -1.0)
    at = np.unravel_index(int(np.argmax(order)), order.shape)
    return slice(int(starts[at]), int(ends[at]))


def scatter(i: FloatArray) -> float:
    """Standard deviation of ln|I| from row to row, by second differences, in which a smooth curve nearly vanishes."""
    second = np.diff(np.log(i), 2)
    return float(1.4826 * np.median(np.abs(second)) / math.sqrt(6.0)) if second.size else 0.0


def _rms_of_stretches(
    law: Law, x: FloatArray, y: FloatArray, weights: FloatArray, starts: Places, ends: Places
) -> FloatArray:
    """Rms about the least-squares line of every stretch, by running sums; NaN for those of fewer than 3 rows."""

    def total(values: FloatArray) -> FloatArray:
        running = np.concatenate([[0.0], np.cumsum(weights * values)])
        return np.asarray(running[ends] - running[starts])

    n = np.maximum(total(np.ones(x.size)), 1e-12)
    xx = total(x * x) - total(x) ** 2 / n
    xy = total(x * y) - total(x) * total(y) / n
    yy = total(y * y) - total(y) ** 2 / n
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.full_like(xx, law.fixed) if law.fixed is not None else xy / xx
        left = yy - 2.0 * slope * xy + slope**2 * xx
    return np.where(ends - starts >= 3, np.sqrt(np.maximum(left, 0.0) / n), np.nan)


def _error(residuals: FloatArray, w: FloatArray, spread: float, freedom: int) -> float:
    variance = float(w @ residuals**2) / max(freedom, 1)
    return math.sqrt(variance / spread)


def _tunnel(law: Law, v: FloatArray, i: FloatArray, weights: FloatArray | None) -> Line:
    """The barrier height with the smallest residuals, from the greatest voltage to twenty times that."""
    from scipy import optimize

    top = float(v[-1])
    w = np.ones(v.size) if weights is None else weights

    def left(log_height: float) -> float:
        return float(w @ line(_fixed_barrier(law, math.exp(log_height)), v, i, weights).residuals ** 2)

    ends = (math.log(top), math.log(HIGHEST * top))
    best = optimize.minimize_scalar(left, bounds=ends, method="bounded", options={"xatol": 1e-4})
    height = math.exp(float(best.x))
    found = line(_fixed_barrier(law, height), v, i, weights)
    return Line(
        with_barrier(law, height), found.slope, found.intercept, found.error, found.residuals, found.correlation,
        found.r_squared, max(found.freedom - 1, 1), height,
    )  # fmt: skip


def _fixed_barrier(law: Law, height: float) -> Law:
    shaped = with_barrier(law, height)
    return Law(shaped.name, shaped.x, shaped.g, shaped.axes, shaped.unit, shaped.sign)
