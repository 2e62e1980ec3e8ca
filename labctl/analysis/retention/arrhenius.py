"""Times to failure at several temperatures: activation energy, and the time at the temperature of use.

ln t = ln t0 + Ea / (k T), with normal scatter of ln t. A cell that had not failed by the end of its test counts as one
that lives at least that long. What is said of a temperature or a time beyond those measured is extrapolated, and the
words say by how much.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labctl.analysis.methods import method
from labctl.analysis.statistics import intervals, regions
from labctl.analysis.statistics.families import FAMILIES
from labctl.analysis.statistics.intervals import Interval
from labctl.contracts import Extracted, FloatArray

BOLTZMANN = 8.617333262e-5  #: eV/K, from the exact constants of the SI (CODATA 2018)
LEAST_TEMPERATURES = 2  #: at which cells failed
MISFIT = 0.05  #: chance of a scatter as large, below which stated errors are taken for too small


@dataclass(frozen=True)
class Line:
    """ln t = offset + energy / (k T).

    edge: shape (m, 2), both on the edge of the 95 % region of one parameter, empty without one.
    """

    offset: float
    energy: float
    errors: tuple[float, float]
    edge: FloatArray
    words: str

    def at(self, temperature: float) -> tuple[float, Interval]:
        """ln of the time at a temperature (K) and the ends of its 95 % interval."""
        x = 1 / (BOLTZMANN * temperature)
        ends = self.edge[:, 0] + self.edge[:, 1] * x
        interval = (float(ends.min()), float(ends.max())) if ends.size else intervals.UNKNOWN
        return self.offset + self.energy * x, interval

    @property
    def energy_interval(self) -> Interval:
        """The ends of the 95 % interval of the energy, eV."""
        if not self.edge.size:
            return intervals.UNKNOWN
        return float(self.edge[:, 1].min()), float(self.edge[:, 1].max())


def line(
    temperatures: ArrayLike, times: ArrayLike, errors: ArrayLike | None = None, censored: ArrayLike | None = None
) -> Line | None:
    """The Arrhenius line through times to failure (s) at temperatures (K), shape (n,).

    None below 2 temperatures with a failure.

    errors: standard uncertainties of ln t, as they are (by the least squares of them the scatter is judged; where it is
    too large for them they are enlarged to fit); without, the scatter is found from the times themselves. censored:
    True where the cell had not failed by then.
    """
    kelvin, y = np.asarray(temperatures, dtype=np.float64), np.log(np.asarray(times, dtype=np.float64))
    bound = np.zeros(y.shape, bool) if censored is None else np.asarray(censored, dtype=bool)
    sigma = np.ones(y.shape) if errors is None else np.asarray(errors, dtype=np.float64)
    if np.unique(kelvin[~bound]).size < LEAST_TEMPERATURES:
        return None
    x = 1 / (BOLTZMANN * kelvin)
    middle, width = float(x[~bound].mean()), float(x[~bound].std())
    task = _Task((x - middle) / width, y, sigma, bound, errors is not None)
    found = task.solved()
    if found is None:
        return None
    best, spread, edge, words = found
    turn = np.array([[1.0, -middle / width], [0.0, 1 / width]])  # back to x as it is
    offset, energy = turn @ best
    deviations = np.sqrt(np.diag(turn @ spread @ turn.T))
    return Line(
        float(offset), float(energy), (float(deviations[0]), float(deviations[1])), edge @ turn.T, words
    )  # fmt: skip


@dataclass(frozen=True)
class _Task:
    """The line of y against x, both brought near 0 and 1: relative or known errors, and which y are bounds."""

    x: FloatArray
    y: FloatArray
    sigma: FloatArray
    bound: NDArray[np.bool_]
    known: bool

    def solved(self) -> tuple[FloatArray, FloatArray, FloatArray, str] | None:
        """Coefficients, their covariance, the edge of their region, and how it was done."""
        count, bounds = int(np.count_nonzero(~self.bound)), int(np.count_nonzero(self.bound))
        data = f"{count} times to failure at {np.unique(self.x[~self.bound]).size} temperatures"
        data += f", {bounds} cells that outlived the test" if bounds else ""
        return self._known(data) if self.known else self._scattered(data)

    def _weighted(self) -> tuple[FloatArray, FloatArray, float]:
        """Coefficients, covariance and chi squared of the weighted line through the known times."""
        use = ~self.bound
        design = np.stack([np.ones(np.count_nonzero(use)), self.x[use]], axis=1) / self.sigma[use, None]
        spread = np.asarray(np.linalg.inv(design.T @ design), dtype=np.float64)
        best = spread @ design.T @ (self.y[use] / self.sigma[use])
        return best, spread, float(np.sum((self.y[use] / self.sigma[use] - design @ best) ** 2))

    def _known(self, data: str) -> tuple[FloatArray, FloatArray, FloatArray, str] | None:
        """With errors that are stated: weighted least squares, or with bounds the likeliest line."""
        from scipy import stats

        best, spread, squares = self._weighted()
        freedom = int(np.count_nonzero(~self.bound)) - 2
        factor, words = 1.96, "weighted by the stated errors"
        if freedom > 0 and stats.chi2.sf(squares, freedom) < MISFIT:
            spread *= squares / freedom
            factor = intervals.student(freedom)
            words += f", which are too small for the scatter by {math.sqrt(squares / freedom):.2g} and enlarged by it"
        if self.bound.any():
            larger = math.sqrt(max(1.0, squares / freedom)) if factor != 1.96 else 1.0
            return self._likely(data, words, larger * self.sigma, 0.5 * factor**2)
        rays = regions.directions(2) @ np.linalg.cholesky(spread).T
        return best, spread, best + factor * rays, f"{words}; {data}"

    def _scattered(self, data: str) -> tuple[FloatArray, FloatArray, FloatArray, str] | None:
        """With the scatter found from the times: least squares, or with bounds the likeliest line."""
        words, count = "scatter found from the times", int(np.count_nonzero(~self.bound))
        if self.bound.any():
            if count < 4:
                return None
            return self._likely(data, words, None, 0.5 * intervals.deviance_limit(count, 2))
        best, spread, squares = self._weighted()
        if count < 3:
            return best, np.full((2, 2), math.nan), np.empty((0, 2)), f"through two points: no error; {data}"
        spread *= squares / (count - 2)
        rays = regions.directions(2) @ np.linalg.cholesky(spread + 1e-300 * np.eye(2)).T
        return best, spread, best + intervals.student(count - 2) * rays, f"{words}; {data}"

    def _likely(
        self, data: str, words: str, sigma: FloatArray | None, fall: float
    ) -> tuple[FloatArray, FloatArray, FloatArray, str] | None:
        """The likeliest line where some times are bounds; sigma: None where the scatter is found, too."""
        start, _, squares = self._weighted()
        size = math.sqrt(squares / np.count_nonzero(~self.bound)) if sigma is None else 1.0
        if not size > 0:
            return None
        rest = (self.y - start[0] - start[1] * self.x) / size
        likelihood, scaled = self._likelihood(rest, sigma), sigma is None
        best = regions.maximum(likelihood, 2 + scaled, scaled)
        spread = None if best is None else regions.covariance(likelihood, best)
        if best is None or spread is None:
            return None
        edge = regions.edge(likelihood, best, spread, fall, scaled)
        turn = np.eye(2)
        if scaled:
            turn = np.concatenate([turn / best[2], -best[:2, None] / best[2] ** 2], axis=1)
            edge, best = edge[:, :2] / edge[:, 2:], best[:2] / best[2]
        covariance = size**2 * turn @ spread @ turn.T
        return start + size * best, covariance, start + size * edge, f"maximum likelihood, {words}; {data}"

    def _likelihood(self, rest: FloatArray, sigma: FloatArray | None) -> regions.Likelihood:
        """Of offset and slope, with errors that are known; else of (offset, slope, 1) / scatter."""
        family, use = FAMILIES["normal"], ~self.bound
        weight = 1.0 / (np.ones(rest.shape) if sigma is None else sigma)

        def likelihood(points: FloatArray) -> FloatArray:
            b = points[:, 2:] if sigma is None else np.ones((points.shape[0], 1))
            z = (b * rest - points[:, :1] - points[:, 1:2] * self.x) * weight
            total = np.sum(family.density(z[:, use]), axis=1) + np.sum(family.above(z[:, self.bound]), axis=1)
            return np.asarray(total + np.count_nonzero(use) * np.log(b[:, 0]))

        return likelihood


@method("activation energy/arrhenius")
def activation(
    temperatures: ArrayLike,
    times: ArrayLike,
    use: float | None = None,
    errors: ArrayLike | None = None,
    censored: ArrayLike | None = None,
) -> list[Extracted]:
    """Activation energy (eV) and, for a temperature of use (K), the time to failure there (s), as `line` finds them; or [].

    Censored cells count as bounds. The time says by how many kelvin the temperature and by how many decades the time is
    beyond the data.
    """
    found = line(temperatures, times, errors, censored)
    if found is None:
        return []
    kelvin, seconds = np.asarray(temperatures, dtype=np.float64), np.asarray(times, dtype=np.float64)
    span = f"{kelvin.min():g} to {kelvin.max():g} K"
    said = [
        Extracted(
            "activation energy", found.energy, "eV", found.errors[1],
            f"slope of ln t against 1/(k T), {span}; {found.words}", range(kelvin.size), found.energy_interval,
        )
    ]  # fmt: skip
    if use is not None:
        value, (low, high) = found.at(use)
        words = f"Arrhenius line at {use:g} K{_beyond(use, value, kelvin, seconds)}; {found.words}"
        error = (high - low) / (2 * 1.96) * _exp(value)
        ends = (_exp(low), _exp(high))
        said.append(Extracted(f"time to failure at {use:g} K", _exp(value), "s", error, words, (), ends))
    return said


def _beyond(use: float, value: float, kelvin: FloatArray, seconds: FloatArray) -> str:
    """How far a temperature and the ln of a time are outside of the data, in words; "" where they are inside."""
    outside = max(kelvin.min() - use, use - kelvin.max(), 0.0)
    decades = (value - math.log(float(seconds.max()))) / math.log(10.0)
    words = f", extrapolated by {outside:.3g} K" if outside > 0 else ""
    return words + (f", beyond the data by {decades:.2g} decades of time" if decades > 0 else "")


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


def of_failures(
    temperatures: Sequence[float], failures: Sequence[Extracted], use: float | None = None
) -> list[Extracted]:
    """`activation` of times to failure as extracted from retention runs at their temperatures (K).

    A time without a number is a bound at the lower end of its interval (left out where it has none); errors of ln t are
    from the intervals where every time has one, else from the scatter.
    """
    value = np.array([item.value for item in failures])
    low, high = (np.array([item.interval[end] for item in failures]) for end in (0, 1))
    bound = ~np.isfinite(value)
    times = np.where(bound, low, value)
    kept = np.isfinite(times) & (times > 0)
    stated = np.isfinite(low) & np.isfinite(high) & (low > 0)
    errors = None
    if np.all(stated[kept & ~bound]):
        widths = np.log(np.where(stated, high, 1.0) / np.where(stated, low, 1.0)) / (2 * 1.96)
        errors = np.where(stated, widths, float(np.median(widths[stated])) if stated.any() else 1.0)[kept]
    return activation(np.asarray(temperatures)[kept], times[kept], use, errors, bound[kept])
