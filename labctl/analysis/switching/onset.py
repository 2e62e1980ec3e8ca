"""The voltage at which a cell switches on (forming, set, threshold), by the definitions in use.

Every function takes a `HalfLoop` that switches on (`HalfLoop.sets`) and returns None for any other, or where its own mark is
not in the data. Voltages are programmed ones, with their sign. uncertainty: of where within the step of the levels it was,
step / sqrt(12); interval: both levels of that step, stated only where the current jumped between them, for on a gradual curve
the scatter moves the mark, too. Rows made by the compliance are kept where they are the very end of the jump.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from labctl.analysis.methods import method
from labctl.analysis.switching import steps
from labctl.analysis.switching.half import NEAR_COMPLIANCE, HalfLoop, Rows
from labctl.contracts import Extracted, FloatArray
from labctl.quantities import show

NAME = "V_set"
LEAST_APART = math.log10(2.0)  #: decades between both ways where a current threshold tells on from off: guess
LEAST_KNEE = 0.05  #: of the height of the curve, how far a knee lies below the chord at least: guess


def largest_step(half: HalfLoop, name: str = NAME) -> Extracted | None:
    """The level (V) of the largest step up of the conductance: `steps.threshold_voltage` of sound rows above the scatter."""
    if half.rise[1] < steps.LEAST_STEP:
        return None
    pair = half.risen
    found = steps.threshold_voltage(half.level[pair], half.clean[pair], name, half.floor)
    return found and replace(found, rows=tuple(pair.tolist()), excluded=half.excluded)


@method("V_set/steepest-log-slope")
def steepest_log_slope(half: HalfLoop, name: str = NAME) -> Extracted | None:
    """The voltage (V) in the middle of the step with the steepest d log10|I/V| / dV; of |I|, too, the smaller counts."""
    rows = half.until_limited
    if not half.sets or rows.size < 3:
        return None
    over = 1 if half.rise[1] >= steps.LEAST_STEP else min(half.width, rows.size - 1)
    volts, amperes = np.abs(half.level[rows]), half.decades[rows]
    rise = np.minimum(_over(amperes, over), _over(amperes - np.log10(volts), over)) / _over(volts, over)
    at = rows[[int(np.argmax(rise)), int(np.argmax(rise)) + over]]
    middle = float(half.level[at].mean())
    return between(
        half, at, name, middle, "voltage of the steepest d log10|I/V| / dV away from 0 V, middle of the step"
    )


@method("V_set/steepest-current")
def steepest_current(half: HalfLoop, name: str = NAME) -> Extracted | None:
    """The voltage (V) in the middle of the step with the greatest d|I|/dV, up to the first row in compliance.

    None where that is the last step before the turn and no jump: the current still steepens.
    """
    rows = half.until_limited
    if not half.sets or rows.size < 3:
        return None
    over = 1 if half.rise[1] >= steps.LEAST_STEP else min(half.width, rows.size - 1)
    slopes = _over(np.abs(half.current[rows]), over) / _over(np.abs(half.level[rows]), over)
    best = int(np.argmax(slopes))
    at = rows[[best, best + over]]
    if best == slopes.size - 1 and not (_jumps(half, at) or half.limited[at[1]]):
        return None
    return between(half, at, name, float(half.level[at].mean()), "voltage of the greatest d|I|/dV, middle of the step")


@method("V_set/current-threshold")
def current_threshold(half: HalfLoop, at: float, name: str = NAME) -> Extracted | None:
    """The voltage (V) at which |I| first goes through `at` (A, > 0) and stays a row longer, between the rows in log |I|.

    None where it is above from the start, or where the way back carries less than twice the current just before: it is then
    the off current that goes through.
    """
    rows = half.out
    above = half.decades[rows] >= math.log10(at)
    stays = above & np.append(above[1:], True)
    if not half.sets or not stays.any() or stays[:1].any():
        return None
    pair = rows[int(np.argmax(stays)) - 1 :][:2]
    if half.opening[0].size and np.interp(abs(half.level[pair[0]]), *half.opening) < LEAST_APART:
        return None
    low, high = half.decades[pair]
    value = float(np.interp(math.log10(at), [low, high], half.level[pair]))
    return between(
        half, pair, name, value, f"voltage at which |I| goes up through {show(at, 'A')}, between rows in log|I|"
    )


def middle_current(half: HalfLoop) -> float:
    """The current (A) halfway, in decades, between off and on state: at the jump, or where both ways lie farthest apart.

    The default level of the current thresholds: a choice of labctl's own, stated with every result.
    """
    volts, out, back = half.ways
    if half.rise[1] >= steps.LEAST_STEP or not volts.size:
        return float(10 ** half.decades[half.risen].mean())
    at = int(np.argmax(back - out))
    return float(10 ** ((out[at] + back[at]) / 2))


@method("V_set/compliance-onset")
def compliance_onset(half: HalfLoop, name: str = NAME) -> Extracted | None:
    """The level (V) of the first row that the compliance made: flagged, or within 5 % of a compliance that is known.

    None where no row is, or the first one away from 0 V is: then the cell was on.
    """
    limited = half.limited[half.out]
    if not half.sets or not limited.any() or limited[0]:
        return None
    pair = half.out[int(np.argmax(limited)) - 1 :][:2]
    words = f"level of the first row in compliance (flagged, or |I| at least {NEAR_COMPLIANCE:g} of it)"
    return between(half, pair, name, float(half.level[pair[1]]), words)


@method("V_set/knee")
def knee(half: HalfLoop, name: str = NAME) -> Extracted | None:
    """The level (V) where |I| lies farthest below the chord from 0 to its greatest value on the way out.

    The knee of V. Satopaa et al., "Finding a 'Kneedle' in a Haystack" (ICDCS Workshops 2011), on linear axes: the last
    point before the current takes off.
    """
    rows = half.until_limited
    if not half.sets or rows.size < 3:
        return None
    volts, amperes = np.abs(half.level[rows]), np.abs(half.current[rows])
    top = int(np.argmax(amperes))
    below = volts[: top + 1] / volts[top] - amperes[: top + 1] / amperes[top]
    best = int(np.argmax(below))
    if below[best] < LEAST_KNEE or best == top:
        return None
    pair = rows[best : best + 2]
    return between(
        half, pair, name, float(half.level[pair[0]]), "level at which |I| lies farthest below its chord from 0"
    )


def between(half: HalfLoop, rows: Rows, name: str, value: float, words: str) -> Extracted:
    """A voltage found between two rows, with what the step of the levels leaves open; see this module's text."""
    ends = half.level[rows]
    interval = (float(ends.min()), float(ends.max())) if _jumps(half, rows) else (math.nan, math.nan)
    uncertainty = float(np.ptp(ends) / math.sqrt(12))
    return Extracted(name, value, "V", uncertainty, words, tuple(rows.tolist()), interval, half.excluded)


def _jumps(half: HalfLoop, rows: Rows) -> bool:
    """Whether |I| jumps between two rows, by as much as counts as a step."""
    return bool(abs(half.decades[rows[1]] - half.decades[rows[0]]) >= steps.LEAST_STEP)


def _over(values: FloatArray, count: int) -> FloatArray:
    return np.asarray(values[count:] - values[:-count])
