"""Nonlinearity of potentiation and depression by the laws other people fit: NeuroSim's A and label, Querlioz's beta, alpha.

Functions take the conductances (S) of one branch in the order of the pulses, shape (n,), that before the first pulse at the
front, NaN where it was not read. A branch is described on its way: u from 0 (before the first pulse) to 1 (after the last),
g(u) from 0 to 1, G = first + (last - first) g(u); first and last conductance are fitted along with the law's one number, so
that the scatter of two single levels does not set the scale. A branch is concave (it saturates) where that number is positive.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labctl.analysis.methods import method
from labctl.analysis.plasticity import noise
from labctl.analysis.statistics.intervals import UNKNOWN, Interval, student
from labctl.analysis.statistics.residuals import correlation, independent, inflated
from labctl.contracts import Extracted, FloatArray

NAN = math.nan
LEAST_LEVELS = 5  #: for three fitted numbers and something left to judge them by: guess
STEEPEST = 50.0  #: of a law's number; beyond, a branch is a single jump
#: NeuroSim's label is the greatest distance of the normalised curve from the straight line, taken at right angles, over 0.07.
#: This gives the table of labels 0.01 to 9 (MLP+NeuroSim V3.0, getParamA in formula.cpp) to every digit printed there, in the
#: 46 entries from all over it that were compared.
LABEL = 0.07 * math.sqrt(2.0)
REACH = 8.0  #: standard errors from the number that its likelihood is looked at first: guess
ANYTHING = 20.0  #: of a law's number, from which on a branch is as good as a jump: guess
LAST_LABEL = 9.0  #: the table ends here
LEAST_RISE = (
    3.0  #: standard deviations of the scatter between first and last level, below which there is no branch: guess
)

Shape = Callable[[FloatArray, float], FloatArray]


@dataclass(frozen=True)
class Curve:
    """A law fitted to a branch. number: the law's, positive for a concave branch; error, interval: standard error, 95 %.

    first, last: fitted conductances (S) before the first and after the last pulse; rms: of the conductances (S) about the
    curve; r: correlation of neighbouring residuals; levels: fitted. The interval is that of `noise`, for scatter of
    reads and steps.
    """

    number: float
    error: float
    interval: Interval
    first: float
    last: float
    rms: float
    r: float
    levels: int

    @property
    def rises(self) -> bool:
        """Whether the branch goes up."""
        return self.last > self.first

    @property
    def bounded(self) -> bool:
        """Whether the number is within the range looked at."""
        return abs(self.number) < 0.99 * STEEPEST


def exponential(u: FloatArray, a: float) -> FloatArray:
    """(1 - exp(-a u)) / (1 - exp(-a)): NeuroSim's law with A = 1 / a over the normalised pulses."""
    return u.copy() if abs(a) < 1e-9 else np.asarray(np.expm1(-a * u) / math.expm1(-a))


def logarithmic(u: FloatArray, b: float) -> FloatArray:
    """ln(1 + (exp(b) - 1) u) / b: a step falls as exp(-b g) with the conductance g reached."""
    if abs(b) < 1e-9:
        return u.copy()
    return np.asarray(np.log1p(math.expm1(b) * u) / b) if b > 0 else 1.0 - logarithmic(1.0 - u, -b)


def fit(conductances: FloatArray, shape: Shape) -> Curve | None:
    """Least squares for a branch, or None for fewer than 5 levels, or where it does not rise or fall clear of its scatter."""
    from scipy import optimize

    where = np.flatnonzero(np.isfinite(conductances))
    if where.size < LEAST_LEVELS:
        return None
    u, y = where / (conductances.size - 1.0), conductances[where]
    scale = float(np.ptp(y))
    if scale == 0:
        return None
    y = y / scale

    def left(number: float) -> float:
        return float(np.sum(_ends(u, y, shape, number)[2] ** 2))

    grid = np.linspace(-STEEPEST, STEEPEST, 41)
    start = int(np.argmin([left(number) for number in grid]))
    ends = (float(grid[max(start - 1, 0)]), float(grid[min(start + 1, grid.size - 1)]))
    best = optimize.minimize_scalar(left, bounds=ends, method="bounded", options={"xatol": 1e-7})
    return _curve(u, y, scale, shape, float(best.x), conductances.size - 1)


@method("nonlinearity/NeuroSim-label", version=2)
def label(conductances: FloatArray, name: str, curve: Curve | None = None) -> Extracted | None:
    """NeuroSim's nonlinearity label: positive for a potentiation that saturates, negative for a depression that does.

    name: of the branch; curve: what `fit` gave for the exponential law, where it is known. None where there is no branch.
    """
    curve = curve or fit(conductances, exponential)
    if curve is None:
        return None
    sign = 1.0 if curve.rises else -1.0
    value, error = label_of(curve.number), abs(_slope_of_label(curve.number)) * curve.error
    low, high = (sign * label_of(end) for end in curve.interval)
    beyond = "" if abs(value) <= LAST_LABEL else f"; beyond NeuroSim's table, which ends at {LAST_LABEL:g}"
    definition = (
        "NeuroSim's label: greatest distance at right angles of B (1 - exp(-x/A)) from the straight line over 0.07, the"
        f" curve normalised; positive for a saturating potentiation, negative for a saturating depression{beyond};"
        f" {_how(curve, conductances)}"
    )
    return Extracted(
        f"nonlinearity label of {name}", sign * value, "", error, definition, interval=(min(low, high), max(low, high))
    )


@method("nonlinearity/NeuroSim-A", version=2)
def neurosim_a(found: Extracted | None, name: str) -> Extracted | None:
    """NeuroSim's A over the normalised pulses, A in G = B (1 - exp(-x/A)) + Gmin; negative for a depression that saturates.

    found: the label, of one branch or the mean over cycles (A itself has no mean: it is infinite for a straight line); x: from
    0 at the least to 1 at the greatest conductance. The interval is given only where the label's is clear of 0. None for a
    label of 0, and for one that no curve has.
    """
    if found is None or not 1e-4 < abs(found.value) < 1.0 / LABEL:
        return None
    number = number_of(found.value)
    low, high = found.interval
    clear = low * high > 0  # False for NaN, too
    ends = sorted(1.0 / number_of(end) for end in (low, high)) if clear else UNKNOWN
    straight = "" if clear else "; a straight line is not ruled out, so no interval"
    definition = (
        f"A in G = B (1 - exp(-x/A)) + Gmin, x normalised pulses{straight}; from {found.name}: {found.definition}"
    )
    error = found.uncertainty / abs(_slope_of_label(number)) / number**2
    return Extracted(f"NeuroSim A of {name}", 1.0 / number, "", error, definition, interval=(ends[0], ends[1]))


@method("nonlinearity/Querlioz-beta", version=2)
def querlioz_beta(conductances: FloatArray, name: str) -> Extracted | None:
    """beta of steps that fall as exp(-beta g) with the conductance g already reached, from 0 to 1; 0 is linear.

    The step is that of D. Querlioz, O. Bichler, P. Dollfus, C. Gamrat, IEEE Trans. Nanotechnol. 12, 288 (2013).
    """
    curve = fit(conductances, logarithmic)
    if curve is None:
        return None
    definition = f"beta in dG ~ exp(-beta g), g normalised conductance reached; {_how(curve, conductances)}"
    return Extracted(f"beta of {name}", curve.number, "", curve.error, definition, interval=curve.interval)


@method("nonlinearity/alpha")
def alpha(conductances: FloatArray, name: str, curve: Curve | None = None) -> Extracted | None:
    """alpha of G = ((Gmax^alpha - Gmin^alpha) w + Gmin^alpha)^(1/alpha), w from 0 to 1 with the pulses; 1 is linear.

    J.-W. Jang et al., IEEE Electron Device Lett. 36, 457 (2015); for alpha = 0 it is Gmin (Gmax/Gmin)^w. For depression w goes
    from 1 to 0. None where a conductance is not positive: the law knows no others. curve: as of `label`.
    """
    from scipy import optimize

    start = curve or fit(conductances, exponential)
    where = np.flatnonzero(np.isfinite(conductances))
    values = conductances[where]
    if start is None or values.min() <= 0 or min(start.first, start.last) <= 0:
        return None
    u, scale = where / (conductances.size - 1.0), float(values.max())
    guess = np.array([1.0 + (start.number if start.rises else -start.number), start.first / scale, start.last / scale])

    def left(p: FloatArray) -> FloatArray:
        return power(u, p[0], p[1], p[2]) - values / scale

    found = optimize.least_squares(left, guess, bounds=([-STEEPEST, 1e-12, 1e-12], [STEEPEST, np.inf, np.inf]))
    return _alpha(found, values.size, name, conductances)


def power(u: FloatArray, exponent: float, first: float, last: float) -> FloatArray:
    """The law of alpha on its way from `first` to `last`, both positive."""
    if abs(exponent) < 1e-9:
        return np.asarray(first * (last / first) ** u)
    low, high = math.log(first), math.log(last)
    if exponent * (high - low) < 0:  # the same curve from its other end, where nothing cancels
        return power(1.0 - u, exponent, last, first)
    inner = low + np.log1p(u * math.expm1(min(exponent * (high - low), 700.0))) / exponent
    return np.asarray(np.exp(inner))


def label_of(number: float) -> float:
    """NeuroSim's label of the exponential law with A = 1 / number; its sign is that of `number`."""
    a = abs(number)
    if a < 1e-6:
        return number / 8.0 / LABEL
    if math.isinf(a):
        return math.copysign(1.0 / LABEL, number)
    share = -math.expm1(-a)
    u = -math.log(share / a) / a  # where the curve runs parallel to the straight line
    return math.copysign((-math.expm1(-a * u) / share - u) / LABEL, number)


def number_of(label: float) -> float:
    """The exponential law's number 1 / A of a label, with its sign; infinite from the label of a single jump on."""
    from scipy import optimize

    if abs(label) >= label_of(1e3):
        return math.copysign(math.inf, label)
    return math.copysign(float(optimize.brentq(lambda a: label_of(a) - abs(label), 0.0, 1e3, xtol=1e-12)), label)


def _slope_of_label(number: float) -> float:
    step = 1e-4 * (1.0 + abs(number))
    return (label_of(number + step) - label_of(number - step)) / (2.0 * step)


def _ends(u: FloatArray, y: FloatArray, shape: Shape, number: float) -> tuple[float, float, FloatArray]:
    """First and last conductance by linear least squares, and the residuals."""
    g = shape(u, number)
    off = g - g.mean()
    spread = float(off @ off)
    rise = float(off @ y) / spread if spread > 0 else 0.0
    first = float(y.mean() - rise * g.mean())
    return first, first + rise, y - first - rise * g


def _curve(u: FloatArray, y: FloatArray, scale: float, shape: Shape, number: float, whole: int) -> Curve | None:
    """Judge the best fit; None where the branch does not rise or fall clear of its scatter. whole: pulses of the branch."""
    first, last, residuals = _ends(u, y, shape, number)
    rms = float(np.sqrt(np.mean(residuals**2)))
    if abs(last - first) <= LEAST_RISE * rms:
        return None
    r = correlation(residuals)
    variance = float(residuals @ residuals) / max(u.size - 3, 1) * inflated(r, u.size)
    error = _error(u, y, shape, number, variance)
    reach = REACH * error if math.isfinite(error) else STEEPEST
    pulses = np.rint(u * whole)
    interval = _stated(noise.interval(pulses, u, y, shape, (number, reach), STEEPEST))
    return Curve(number, error, interval, first * scale, last * scale, rms * scale, r, int(u.size))


def _stated(interval: Interval) -> Interval:
    """The interval, or none where it says no more than that the branch is anything from straight to a jump."""
    low, high = interval
    return UNKNOWN if low < 0 < high and max(-low, high) > ANYTHING else interval


def _error(u: FloatArray, y: FloatArray, shape: Shape, number: float, variance: float) -> float:
    """Standard error of the law's number: from how the curve moves with it, beyond what its ends can take up."""
    step = 1e-4 * (1.0 + abs(number))
    first, last, _ = _ends(u, y, shape, number)
    moved = (last - first) * (shape(u, number + step) - shape(u, number - step)) / (2.0 * step)
    own = _ends(u, moved, shape, number)[2]
    square = float(own @ own)
    return math.sqrt(variance / square) if square > 0 else NAN


def _alpha(found: object, levels: int, name: str, conductances: FloatArray) -> Extracted | None:
    """The exponent with its interval by the covariance of the fit."""
    residuals, jacobian = np.asarray(found.fun), np.asarray(found.jac)  # type: ignore[attr-defined]
    r = correlation(residuals)
    variance = float(residuals @ residuals) / max(levels - 3, 1) * inflated(r, levels)
    try:
        error = math.sqrt(variance * float(np.linalg.inv(jacobian.T @ jacobian)[0, 0]))
    except (np.linalg.LinAlgError, ValueError):
        return None  # the exponent makes no difference
    value = float(found.x[0])  # type: ignore[attr-defined]
    half = student(max(independent(residuals) - 3, 1)) * error
    definition = (
        "alpha in G = ((Gmax^alpha - Gmin^alpha) w + Gmin^alpha)^(1/alpha), ends fitted;"
        f" {_quality(r, levels)}, {_of(conductances)}; interval for reads that scatter: too narrow where steps do"
    )
    return Extracted(f"alpha of {name}", value, "", error, definition, interval=(value - half, value + half))


def _how(curve: Curve, conductances: FloatArray) -> str:
    share = curve.rms / abs(curve.last - curve.first)
    jump = "" if curve.bounded else ", a single jump: the number is a bound"
    quality = _quality(curve.r, curve.levels)
    steps = "interval for scatter that adds up from pulse to pulse, too"
    if math.isnan(curve.interval[0]):
        steps = "no interval: if its scatter adds up from pulse to pulse, one cycle bounds nothing"
    return f"least squares, ends fitted, rms {share:.2g} of the range, {quality}, {steps}, {_of(conductances)}{jump}"


def _quality(r: float, levels: int) -> str:
    if inflated(r, levels) > 1.0:
        why = "not quite this law, or scatter that adds up from pulse to pulse"
        return f"neighbouring residuals alike (correlation {r:.2f}): {why}; interval widened"
    return "residuals independent"


def _of(conductances: FloatArray) -> str:
    return f"{np.count_nonzero(np.isfinite(conductances))} of {conductances.size} levels"
