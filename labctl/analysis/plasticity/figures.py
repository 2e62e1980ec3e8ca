"""How conductance follows pulses: linearity, range, levels that can be told apart, asymmetry.

Every function takes conductances (S) in the order of the pulses, shape (n,): one after each pulse, and for a straight line that
before the first pulse at the front, so that a cell which jumps at once is not called linear. It returns `Extracted` with its
definition, or None where the data do not allow the number. Values that are no number (lost reads) are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from labctl.analysis.methods import method
from labctl.analysis.statistics import intervals
from labctl.contracts import Extracted, FloatArray

NAN = float("nan")
APART = 3.0  #: standard deviations of each of two levels between them, if they count as two: guess, the usual 3 sigma
LEAST_POINTS = 3  #: levels for a straight line that means something
LEAST_CYCLES = 5  #: for an interval of how they vary: guess
LEAST_READS = 3  #: of a level, for a standard deviation that means something: guess


@method("linearity/R2")
def linearity(conductances: FloatArray, name: str) -> Extracted | None:
    """R squared of the straight line of conductance against pulse number; 1 is linear."""
    found = _line(conductances)
    if found is None:
        return None
    _, values, line = found
    left = float(np.sum((values - line) ** 2) / np.sum((values - values.mean()) ** 2))
    definition = f"R^2 of the least-squares line of {_against(conductances)}"
    return Extracted(f"linearity of {name}", 1.0 - left, "", NAN, definition)


@method("nonlinearity/greatest-distance")
def nonlinearity(conductances: FloatArray, name: str) -> Extracted | None:
    """Greatest distance of a conductance from the straight line, over the range of the conductances; 0 is linear."""
    found = _line(conductances)
    if found is None:
        return None
    _, values, line = found
    worst = float(np.max(np.abs(values - line)) / np.ptp(values))
    definition = (
        "greatest distance from a straight line, over greatest less smallest conductance; least-squares line of"
        f" {_against(conductances)}"
    )
    return Extracted(f"nonlinearity of {name}", worst, "", NAN, definition)


@method("dynamic range/extremes")
def dynamic_range(conductances: FloatArray, name: str) -> Extracted | None:
    """Greatest over smallest conductance after a pulse; None where one is not positive."""
    values = conductances[np.isfinite(conductances)]
    if values.size < 2 or values.min() <= 0:
        return None
    definition = f"greatest over smallest conductance read after a pulse, {_of(conductances)}"
    return Extracted(f"dynamic range of {name}", float(values.max() / values.min()), "", NAN, definition)


@method("asymmetry/mean-distance")
def asymmetry(up: FloatArray, down: FloatArray) -> Extracted | None:
    """How far depression is from potentiation played backwards; 0 is symmetric. None unless both have the same pulses.

    up, down: shape (n,), S, before the first pulse and after each one of potentiation and of depression.
    """
    if up.size != down.size:
        return None
    back = down[::-1]
    usable = np.isfinite(up) & np.isfinite(back)
    both = np.concatenate([up[usable], back[usable]])
    if both.size < 2 * LEAST_POINTS or np.ptp(both) == 0:
        return None
    value = float(np.mean(np.abs(up - back)[usable]) / np.ptp(both))
    definition = (
        "mean distance of potentiation from depression in reverse order, the levels before the first pulses included, over"
        f" greatest less smallest conductance, {np.count_nonzero(usable)} of {up.size} levels of each"
    )
    return Extracted("asymmetry", value, "", NAN, definition)


@method("asymmetry/greatest-distance")
def asymmetric_ratio(up: FloatArray, down: FloatArray) -> Extracted | None:
    """The greatest distance of potentiation from depression played backwards, over the range of potentiation.

    up, down: as of `asymmetry`. In use under the name AR; 0 is symmetric. None unless both have the same pulses, and
    potentiation a range.
    """
    if up.size != down.size:
        return None
    back = down[::-1]
    usable = np.isfinite(up) & np.isfinite(back)
    if np.count_nonzero(usable) < LEAST_POINTS or np.ptp(up[usable]) == 0:
        return None
    value = float(np.max(np.abs(up - back)[usable]) / np.ptp(up[usable]))
    definition = (
        "greatest distance of potentiation from depression in reverse order, over greatest less smallest conductance of"
        f" potentiation, {np.count_nonzero(usable)} of {up.size} levels of each"
    )
    return Extracted("asymmetric ratio", value, "", NAN, definition)


@method("asymmetry/labels")
def label_difference(up: Extracted | None, down: Extracted | None) -> Extracted | None:
    """NeuroSim's label of potentiation less that of depression: both saturating branches make it greater, 0 is symmetric.

    interval: the two distances from the values in quadrature (G. Y. Zou and A. Donner, Stat. Med. 27, 1693, 2008).
    """
    if up is None or down is None:
        return None
    value = up.value - down.value
    low = value - float(np.hypot(up.value - up.interval[0], down.interval[1] - down.value))
    high = value + float(np.hypot(up.interval[1] - up.value, down.value - down.interval[0]))
    return Extracted(
        "asymmetry of the labels", value, "", float(np.hypot(up.uncertainty, down.uncertainty)),
        "NeuroSim's label of potentiation less that of depression", interval=(low, high),
    )  # fmt: skip


@method("levels/3-sigma")
def levels_apart(samples: Sequence[FloatArray], name: str) -> Extracted | None:
    """How many levels can be told apart, from repeated reads of each; None unless every level has at least three.

    samples: one array of conductances (S) for each level, over cycles and repeated reads. Two levels are apart when their
    means differ by more than 3 standard deviations (n - 1) of the one and 3 of the other; counted from the lowest up.
    """
    usable = [level[np.isfinite(level)] for level in samples]
    if not usable or min(level.size for level in usable) < LEAST_READS:
        return None
    levels = sorted((float(level.mean()), float(level.std(ddof=1))) for level in usable)
    kept = [levels[0]]
    for mean, spread in levels[1:]:
        if mean - kept[-1][0] > APART * (spread + kept[-1][1]):
            kept.append((mean, spread))
    reads = min(level.size for level in usable)
    definition = (
        f"levels whose means differ by more than {APART:g} standard deviations of each, counted from the lowest;"
        f" at least {reads} reads a level"
    )
    return Extracted(f"levels of {name}", float(len(kept)), "", NAN, definition)


@method("cycle variation/steps", version=2)
def cycle_variation(cycles: Sequence[FloatArray], name: str) -> Extracted | None:
    """Standard deviation over the cycles of the step a pulse makes, over the range: NeuroSim's cycle-to-cycle variation.

    cycles: one branch each, all with the same pulses, at least two. The scatter of the reads is in it. Cycles are taken for
    independent, the steps of one cycle are not (all may be larger): the interval is that of a variance by chi squared, with
    as many degrees of freedom as the steps' deviations are alike. None is stated below 5 cycles.
    """
    table = np.stack(cycles) if cycles and len({item.size for item in cycles}) == 1 else np.empty((0, 0))
    if len(table) < 2 or table.shape[1] < LEAST_POINTS:
        return None
    whole = table[:, np.all(np.isfinite(table), axis=0)]  # levels that every cycle has
    if whole.shape[1] < LEAST_POINTS or np.ptp(whole.mean(axis=0)) == 0:
        return None
    steps = np.diff(whole, axis=1)
    off = steps - steps.mean(axis=0)
    freedom = (len(table) - 1) * steps.shape[1]
    sigma = float(np.sqrt(np.sum(off**2) / freedom) / np.ptp(whole.mean(axis=0)))
    worth = _freedom(off)
    definition = (
        "standard deviation over the cycles of the step of a pulse, pooled over the pulses, over greatest less smallest mean"
        f" conductance; scatter of the reads included; {len(table)} cycles, {steps.shape[1]} of {table.shape[1] - 1} steps;"
        f" deviations worth {worth:.3g} independent ones of {freedom}"
    )
    if len(table) < LEAST_CYCLES:
        definition += f"; fewer than {LEAST_CYCLES} cycles: no interval"
        return Extracted(f"cycle variation of {name}", sigma, "", NAN, definition)
    low, high = _of_variance(worth)
    return Extracted(
        f"cycle variation of {name}", sigma, "", sigma / float(np.sqrt(2.0 * worth)), definition,
        interval=(sigma * low, sigma * high),
    )  # fmt: skip


def _freedom(off: FloatArray) -> float:
    """Degrees of freedom of the mean square of deviations from the mean over the cycles, shape (cycles, steps).

    By Satterthwaite (Biometrics Bull. 2, 110, 1946): of f = cycles - 1 with covariance S of the steps, f tr(S)^2 / tr(S^2);
    f for a cycle whose steps all scale together, f times the steps where they are independent. tr(S^2) is that of the
    cycles, which is too large, and less what so few cycles add to it (Z. Bai and H. Saranadasa, Stat. Sin. 6, 311, 1996),
    which is now and then far too small: their geometric mean, as tests of coverage hold it to.
    """
    f = len(off) - 1
    products = off @ off.T
    square = float(np.trace(products)) ** 2
    if not square > 0 or f < 2:
        return float(f)
    seen = float(np.sum(products**2)) / square
    alike = float(np.clip(f / (f - 1) * (seen - 1.0 / f), 1.0 / off.shape[1], 1.0))
    return f / float(np.sqrt(alike * min(seen, 1.0)))


def _of_variance(freedom: float) -> tuple[float, float]:
    """The ends of the 95 % interval of a standard deviation, over its value."""
    from scipy import stats

    chi = stats.chi2(freedom)
    return float(np.sqrt(freedom / chi.ppf(0.975))), float(np.sqrt(freedom / chi.ppf(0.025)))


@method("change/last-over-before")
def change(before: float, after: FloatArray, name: str, words: str) -> Extracted | None:
    """The relative change of the last finite value of `after` against `before`; words: what was done in between."""
    values = after[np.isfinite(after)]
    if values.size == 0 or not np.isfinite(before) or before == 0:
        return None
    return Extracted(
        name, float(values[-1] / before - 1.0), "", NAN, f"conductance {words}, over the one before, less 1"
    )


def over_cycles(found: Sequence[Extracted | None], within: tuple[float, float] = (-np.inf, np.inf)) -> Extracted | None:
    """Mean over cycles of one quantity, None standing for a cycle without it.

    uncertainty: its standard deviation over the cycles (n - 1); interval: of the mean, by Student's t, for cycles that are
    independent, cut at the bounds the quantity has (`within`). Both are those of the quantity itself where one cycle has it.
    """
    values = [item for item in found if item is not None]
    if len(found) < 2 or not values:
        return values[0] if values else None
    first, numbers = values[0], np.array([item.value for item in values])
    which = f"{len(values)} of {len(found)} cycles"
    if len(values) == 1:
        return replace(first, definition=f"{first.definition}; {which}")
    definition = f"{first.definition}; mean and standard deviation of {which}, interval of the mean"
    mean, _, (low, high) = intervals.mean(numbers)
    ends = (max(low, within[0]), min(high, within[1]))
    spread = float(numbers.std(ddof=1))
    return replace(first, value=mean, uncertainty=spread, definition=definition, interval=ends, rows=())


def _of(conductances: FloatArray) -> str:
    """How many of the levels have a usable read, in words."""
    return f"{np.count_nonzero(np.isfinite(conductances))} of {conductances.size} levels"


def _against(conductances: FloatArray) -> str:
    """What a line is drawn through, in words; without the level before the first pulse a jump by it can't be seen."""
    first = "included" if conductances.size and np.isfinite(conductances[0]) else "not read, so its jump is not seen"
    return f"the conductance against the number of pulses, that before the first {first}, {_of(conductances)}"


def _line(conductances: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Pulse numbers, conductances and the least-squares line at them; None where there is no line to speak of."""
    numbers = np.flatnonzero(np.isfinite(conductances)).astype(np.float64)
    values = conductances[np.isfinite(conductances)]
    if values.size < LEAST_POINTS or np.ptp(values) == 0:
        return None
    slope, offset = np.polyfit(numbers, values, 1)
    return numbers, values, slope * numbers + offset
