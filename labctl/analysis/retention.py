"""What becomes of a written state with time: drift, window, failure, and what a number of reads does to it.

Every function takes times (s after writing, rising) and currents (A) of reads at one voltage, shape (n,), and returns
`Extracted` with its definition, or None where the data do not allow the number. Nothing is extrapolated.
"""

from __future__ import annotations

import math

import numpy as np

from labctl.analysis.kinetics import line
from labctl.contracts import Extracted, FloatArray

#: share of the age by which two reads may differ and yet count as of one age: guess, nothing that drifts in ln t changes by it
SAME_AGE = 0.1
FAILED = 2.0  #: a state has failed when its current has changed by this factor: guess, a usual criterion
LEAST_POINTS = 3  #: for a drift exponent with an error


def drift_exponent(times: FloatArray, current: FloatArray, name: str) -> Extracted | None:
    """The exponent nu of |I| = I_1 t^-nu, from the least-squares line of ln|I| against ln t; positive where |I| falls.

    uncertainty: the standard error of the slope.
    """
    usable = (times > 0) & np.isfinite(current) & (current != 0)
    x = np.log(times[usable])
    if x.size < LEAST_POINTS or np.ptp(x) == 0:
        return None
    slope, error, quality = line(x, np.log(np.abs(current[usable])))
    definition = (
        f"|I| falls as t^-nu: least-squares line of ln|I| against ln t, {x.size} reads from {times[usable][0]:.3g}"
        f" to {times[usable][-1]:.3g} s, R^2 = {quality:.3f}"
    )
    return Extracted(name, -slope, "", error, definition)


def same_age(first: FloatArray, second: FloatArray) -> list[tuple[int, int]]:
    """Pairs of reads of two states with one age, as places in `first` and `second` (s after writing, each rising).

    Each read of the first has the nearest of the second, if that is within a tenth of its age.
    """
    if not second.size:
        return []
    nearest = [(k, int(np.argmin(np.abs(second - age)))) for k, age in enumerate(first)]
    return [(k, other) for k, other in nearest if abs(second[other] - first[k]) <= SAME_AGE * first[k]]


def on_off(on: float, off: float, name: str, words: str) -> Extracted | None:
    """|I_on| over |I_off|; words: when both were read."""
    if not (math.isfinite(on) and math.isfinite(off)) or off == 0:
        return None
    return Extracted(name, abs(on / off), "", math.nan, f"|I| of the on over that of the off state, {words}")


def failure_time(times: FloatArray, current: FloatArray, name: str, factor: float = FAILED) -> Extracted | None:
    """The time (s) of the first read whose |I| is `factor` times above or below the first one's; NaN if there is none.

    A single such read between others that are not is no failure. The definition of a NaN says how far the data go.
    uncertainty: distance to the read before / sqrt(12).
    """
    usable = np.flatnonzero(np.isfinite(current) & (current != 0))
    if usable.size == 0:
        return None
    amperes = np.abs(current[usable])
    out = np.abs(np.log(amperes / amperes[0])) >= math.log(factor)
    gone = np.flatnonzero(out & np.append(out[1:], True))
    definition = f"first read of two in a row, or last, whose |I| has changed by a factor {factor:g} against the first"
    if gone.size == 0:
        not_yet = f"{definition}; not reached within the {times[usable[-1]]:.3g} s of data, nothing is extrapolated"
        return Extracted(name, math.nan, "s", math.nan, not_yet)
    at, before = usable[gone[0]], usable[gone[0] - 1]
    uncertainty = float(times[at] - times[before]) / math.sqrt(12.0)
    return Extracted(name, float(times[at]), "s", uncertainty, definition, (int(before), int(at)))


def selectivity(full: float, half: float, name: str, words: str) -> Extracted | None:
    """|I| at the read voltage over |I| at half of it; words: when both were read."""
    if not (math.isfinite(full) and math.isfinite(half)) or half == 0:
        return None
    return Extracted(name, abs(full / half), "", math.nan, f"|I| at the read voltage over |I| at half of it, {words}")


def disturbed(counts: FloatArray, current: FloatArray, name: str) -> Extracted | None:
    """The relative change of |I| by all reads, over the first; counts: reads before each of `current`, shape (n,).

    uncertainty: the scatter from read to read (from second differences, so that a steady drift does not count).
    """
    usable = np.isfinite(current) & (current != 0)
    if np.count_nonzero(usable) < 2:
        return None
    amperes, numbers = np.abs(current[usable]), counts[usable]
    noise = math.nan
    if amperes.size > LEAST_POINTS:
        noise = float(np.std(np.diff(amperes, 2))) / math.sqrt(6.0) / float(amperes[0]) * math.sqrt(2.0)
    definition = f"|I| after {int(numbers[-1])} reads over that after {int(numbers[0])}, less 1"
    return Extracted(name, float(amperes[-1] / amperes[0] - 1.0), "", noise, definition)


def reads_to_change(counts: FloatArray, current: FloatArray, name: str, share: float = 0.1) -> Extracted | None:
    """The number of reads after which |I| has changed by `share` of the first one; NaN where it has not, as `failure_time`."""
    usable = np.flatnonzero(np.isfinite(current) & (current != 0))
    if usable.size < 2:
        return None
    amperes, numbers = np.abs(current[usable]), counts[usable]
    gone = np.flatnonzero(np.abs(amperes / amperes[0] - 1.0) >= share)
    definition = f"reads until |I| has changed by {share:.0%}"
    if gone.size == 0:
        return Extracted(name, math.nan, "", math.nan, f"{definition}; not reached within {int(numbers[-1])} reads")
    at = int(gone[0])
    uncertainty = float(numbers[at] - numbers[at - 1]) / math.sqrt(12.0)
    return Extracted(name, float(numbers[at]), "", uncertainty, definition)
