"""What becomes of a written state with time: drift, window, failure, and what a number of reads does to it.

Every function takes times (s after writing, rising) and currents (A) of reads at one voltage, shape (n,), and returns
`Extracted` with its definition, or None where the data do not allow the number. What is extrapolated says so, and how
far.
"""

from __future__ import annotations

import math

import numpy as np

from labctl.analysis.kinetics import line
from labctl.analysis.methods import method
from labctl.analysis.retention import trends
from labctl.analysis.statistics import intervals
from labctl.contracts import Extracted, FloatArray

#: share of the age by which two reads may differ and yet count as of one age: guess, nothing that drifts in ln t changes by it
SAME_AGE = 0.1
LARGEST = 0.5  #: relative uncertainty of a time above which it is not stated, the interval says more: guess
#: times the age of the last read that a time to failure may be extrapolated to, and a bound reach: guess, 3 decades
FURTHEST = 1e3
LEAST_HALF = 10  #: reads in each half by which a power law is doubted: guess
FAILED = 2.0  #: a state has failed when its current has changed by this factor: guess, a usual criterion
LEAST_POINTS = 3  #: for a drift exponent with an error
LEAST_READS = 20  #: for an interval; of fewer, slow noise can't be told from a drift (tested)


@method("drift exponent/least-squares")
def drift_exponent(times: FloatArray, current: FloatArray, name: str) -> Extracted | None:
    """The exponent nu of |I| = I_1 t^-nu, from the least-squares line of ln|I| against ln t; positive where |I| falls.

    uncertainty: the standard error of the slope if reads were independent; for noise as cells have it see `drift`.
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


@method("drift exponent/correlated-noise")
def drift(times: FloatArray, current: FloatArray, name: str, excluded: int = 0) -> Extracted | None:
    """The exponent nu of |I| = I_1 t^-nu with an interval for noise that is correlated from read to read.

    Positive where |I| falls.

    The interval is stated from 20 reads on. Where the first and the second half (in ln t) have exponents whose
    intervals exclude each other, the definition says that it is no power law; where a single step explains more, it says
    that, and the interval holds also that of the line with the step taken out. What noise it covers: see `trends.trend`.
    """
    t, y = _logarithms(times, current)
    found = trends.trend(t, y)
    if found is None:
        return None
    slope, error, interval = found.slope
    words = (
        f"|I| falls as t^-nu: line of ln|I| against ln t by {trends.WORDS}; {t.size} reads from {t[0]:.3g} to"
        f" {t[-1]:.3g} s, {found.correlated:.0%} of the noise correlated{_bent(t, y)}{trends.stepped(t, y)}"
    )
    few = t.size < LEAST_READS
    interval = _with_step(t, y, interval)
    ends = (math.nan, math.nan) if few else (-interval[1], -interval[0])
    words += f"; fewer than {LEAST_READS} reads: no interval" if few else ""
    return Extracted(name, -slope, "", error, words, range(t.size), ends, excluded)


def _with_step(t: FloatArray, y: FloatArray, interval: intervals.Interval) -> intervals.Interval:
    """The interval of a slope, widened where one step explains more than a line by that of the line without the step."""
    found = trends.step(t, y)
    other = None if found is None else trends.trend(t, y, found[0])
    if other is None:
        return interval
    low, high = other.slope[2]
    return min(interval[0], low), max(interval[1], high)


@method("disturb exponent/correlated-noise")
def disturb_exponent(counts: FloatArray, current: FloatArray, name: str, excluded: int = 0) -> Extracted | None:
    """The exponent nu of |I| = I_1 N^-nu against the number N of pulses, as `drift` against time; counts: above 0, rising."""
    n, y = _logarithms(counts, current)
    found = trends.trend(n, y)
    if found is None:
        return None
    slope, error, interval = found.slope
    few = n.size < LEAST_READS
    ends = (math.nan, math.nan) if few else (-interval[1], -interval[0])
    words = f"|I| falls as N^-nu: line of ln|I| against ln N by {trends.WORDS}; {n.size} reads"
    words += f"; fewer than {LEAST_READS} reads: no interval" if few else ""
    return Extracted(name, -slope, "", error, words, range(n.size), ends, excluded)


def _bent(t: FloatArray, y: FloatArray) -> str:
    """What speaks against one power law: exponents of the two halves that exclude each other; "" where nothing does."""
    middle = math.sqrt(float(t[0] * t[-1]))
    halves = [(t[part], y[part]) for part in (t <= middle, t > middle)]
    if min(part[0].size for part in halves) < LEAST_HALF:
        return ""
    found = [trends.trend(*part) for part in halves]
    slopes = [item.slope for item in found if item is not None]
    if len(slopes) < 2:
        return ""
    (early, _, first), (late, _, second) = slopes
    if first[1] >= second[0] and second[1] >= first[0]:
        return ""
    return f"; no power law: the exponent is {-early:.3g} before and {-late:.3g} after {middle:.3g} s"


def drift_band(
    times: FloatArray, current: FloatArray, at: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """|I| (A) of the drift's line at the times `at` (s), and both ends of its 95 % band, shape (m,) each; for pictures.

    None below 20 reads. Times outside of the reads are extrapolated.
    """
    t, y = _logarithms(times, current)
    found = trends.trend(t, y) if t.size >= LEAST_READS else None
    if found is None:
        return None
    lines = [found.at(math.log(float(time))) for time in at]
    return (
        np.exp([value for value, _, _ in lines]),
        np.exp([ends[0] for _, _, ends in lines]),
        np.exp([ends[1] for _, _, ends in lines]),
    )


@method("time to failure/extrapolated-drift", version=2)
def failure_by_drift(
    times: FloatArray, current: FloatArray, name: str, factor: float = FAILED, excluded: int = 0
) -> Extracted | None:
    """The time (s) at which the drift's line has changed by `factor` since the first read, with its 95 % interval.

    Mostly extrapolated: the definition says by how many decades, at most 3 beyond the last read; where the line arrives
    later, or the exponent's interval includes 0, there is no time: NaN, with the interval (lower bound, inf). A failure
    that is in the data is given as `failure_time` has it; where the drift is no power law there is neither time nor
    bound, and the definition says why. None below 20 reads.
    """
    found = drift(times, current, name)
    if found is None or not math.isfinite(found.interval[0]):
        return None
    t, y = _logarithms(times, current)
    seen = failure_time(t, np.exp(y), name, factor)
    if seen is not None and math.isfinite(seen.value):
        return _seen(seen, t, y, factor, excluded)
    doubt = _bent(t, y) or trends.stepped(t, y)
    if doubt:
        words = f"no time and no bound: the drift is not one that can be extrapolated; {found.definition}"
        return Extracted(name, math.nan, "s", math.nan, words, found.rows, intervals.UNKNOWN, excluded)
    return _extrapolated(found, float(t[0]), float(t[-1]), factor, excluded)


def _seen(seen: Extracted, t: FloatArray, y: FloatArray, factor: float, excluded: int) -> Extracted:
    """A failure in the data, between the last read before it that is clear of the criterion and the first behind it.

    Clear: by 2 standard deviations of the difference of two reads, from second differences of ln|I|.
    """
    away = np.abs(y - y[0]) - math.log(factor)
    margin = 2.0 * math.sqrt(2.0) * trends.scatter(y)
    at = seen.rows[-1]
    before, behind = np.flatnonzero(away[:at] < -margin), np.flatnonzero(away[at:] >= margin)
    ends = (float(t[before[-1]]) if before.size else float(t[0]), float(t[at + behind[0]]) if behind.size else math.inf)
    words = f"seen in the data, nothing is extrapolated: {seen.definition}"
    return Extracted(seen.name, seen.value, "s", seen.uncertainty, words, seen.rows, ends, excluded)


def _extrapolated(found: Extracted, first: float, last: float, factor: float, excluded: int) -> Extracted:
    """When the drift `found` arrives, if that is within `FURTHEST` times the last age (s), else a bound."""
    low, high = found.interval
    limit = FURTHEST * last
    words = f"line of the drift reaches a factor {factor:g} against the first read ({found.definition})"
    earliest = _reached(first, factor, max(abs(low), abs(high)))
    value = math.inf if low <= 0 <= high else _reached(first, factor, abs(found.value))
    if value > limit:
        why = "no drift that could be told from none" if low <= 0 <= high else "a drift that arrives later"
        words = f"{why}; not before the bound, at 95 %; {words}{_beyond(min(earliest, limit), last)}"
        if earliest > limit:
            words += f"; at least {FURTHEST:g} times the age of the last read, more is not claimed"
        return Extracted(
            found.name, math.nan, "s", math.nan, words, found.rows, (min(earliest, limit), math.inf), excluded
        )
    latest = _reached(first, factor, min(abs(low), abs(high)))
    relative = math.log(factor) / found.value**2 * found.uncertainty
    error = value * relative if relative < LARGEST else math.nan
    words += _beyond(value, last)
    ends = (earliest, latest if latest <= limit else math.inf)
    return Extracted(found.name, value, "s", error, words, found.rows, ends, excluded)


def _reached(first: float, factor: float, exponent: float) -> float:
    """When a power law has changed by a factor since the first read, s; inf beyond all numbers."""
    power = math.log(first) + math.log(factor) / exponent if exponent > 0 else math.inf
    return math.exp(power) if power < 700 else math.inf


def _beyond(time: float, last: float) -> str:
    """By how many decades a time is beyond the data, in words; "" where it is within them."""
    return f"; beyond the data by {math.log10(time / last):.2g} decades" if time > last else ""


def _logarithms(times: FloatArray, current: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Times (s) and ln|I| of the reads that have both, times rising strictly."""
    usable = (times > 0) & np.isfinite(current) & (current != 0)
    t, y = times[usable], np.log(np.abs(current[usable]))
    later = np.append(True, t[1:] > np.maximum.accumulate(t)[:-1]) if t.size else np.zeros(0, dtype=bool)
    return t[later], y[later]


@method("change of resistance/paired")
def changed(before: FloatArray, after: FloatArray, name: str) -> list[Extracted]:
    """What a bake (or a time) did to many cells: the median factor of R, and the correlation of ln R before and after.

    before, after: R (ohm), or any positive quantity, of the same cells in the same order, shape (n,). Intervals: order
    statistics, and Fisher's z for the correlation (normal ln R; Biometrika 10, 507, 1915). [] for fewer than 4 cells.
    """
    usable = np.isfinite(before) & np.isfinite(after) & (before > 0) & (after > 0)
    if np.count_nonzero(usable) < 4:
        return []
    x, y = np.log(before[usable]), np.log(after[usable])
    ends = intervals.quantile(y - x)
    words = f"{x.size} cells read before and after, {usable.size - x.size} left out"
    r = float(np.corrcoef(x, y)[0, 1])
    half = 1.96 / math.sqrt(x.size - 3)
    fisher = (math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)) if abs(r) < 1 else (r, r)
    factor = math.exp(float(np.median(y - x)))
    said = f"median of R after over R before; order statistics; {words}"
    spread = f"standard deviation of ln(R after / R before); {words}"
    between = f"correlation of ln R before and after; Fisher's z; {words}"
    return [
        Extracted(f"{name}: factor", factor, "", math.nan, said, interval=(math.exp(ends[0]), math.exp(ends[1]))),
        Extracted(f"{name}: spread of ln R", float(np.std(y - x, ddof=1)), "", math.nan, spread),
        Extracted(f"{name}: correlation", r, "", (1 - r**2) / math.sqrt(x.size - 1), between, interval=fisher),
    ]


def same_age(first: FloatArray, second: FloatArray) -> list[tuple[int, int]]:
    """Pairs of reads of two states with one age, as places in `first` and `second` (s after writing, each rising).

    Each read of the first has the nearest of the second, if that is within a tenth of its age.
    """
    if not second.size:
        return []
    nearest = [(k, int(np.argmin(np.abs(second - age)))) for k, age in enumerate(first)]
    return [(k, other) for k, other in nearest if abs(second[other] - first[k]) <= SAME_AGE * first[k]]


@method("on/off/same-age")
def on_off(on: float, off: float, name: str, words: str) -> Extracted | None:
    """|I_on| over |I_off|; words: when both were read."""
    if not (math.isfinite(on) and math.isfinite(off)) or off == 0:
        return None
    return Extracted(name, abs(on / off), "", math.nan, f"|I| of the on over that of the off state, {words}")


@method("time to failure/first-read")
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


@method("selectivity/half-voltage")
def selectivity(full: float, half: float, name: str, words: str) -> Extracted | None:
    """|I| at the read voltage over |I| at half of it; words: when both were read."""
    if not (math.isfinite(full) and math.isfinite(half)) or half == 0:
        return None
    return Extracted(name, abs(full / half), "", math.nan, f"|I| at the read voltage over |I| at half of it, {words}")


@method("disturb/all-reads")
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


@method("reads to change/first-read")
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
