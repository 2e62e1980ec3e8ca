"""Self-compliance: the greatest current of the on state that no compliance made, and what limits it."""

from __future__ import annotations

import math

import numpy as np

from labctl.analysis.methods import method
from labctl.analysis.switching import steps
from labctl.analysis.switching.half import HalfLoop, Rows, scatter
from labctl.contracts import Extracted

TOP = 0.2  #: share of the way back, from the turn, on which flatness is judged: guess


@method("self-compliance/greatest")
def self_compliance(half: HalfLoop, name: str = "self-compliance") -> Extracted | None:
    """The greatest |I| (A) of the on state that the compliance did not make; uncertainty is the scatter near it.

    A bound without an upper end where the compliance made other rows: the cell would have carried more. None for a cell
    that does not switch on, shows compliance only while it is on, or where nothing tells which rows the compliance made.
    """
    rows = _on(half)
    free = rows[~half.limited[rows]]
    if not half.sets or not half.tells_compliance or free.size == 0:
        return None
    row, limited = int(free[np.argmax(half.decades[free])]), rows.size - free.size
    value = abs(float(half.current[row]))
    error = scatter(np.abs(half.current[_top(half)])) if not limited else math.nan
    interval = (value, math.inf) if limited else (math.nan, math.nan)
    words = "greatest |I| after switching on that the compliance did not make"
    return Extracted(name, value, "A", error, words, (row,), interval, half.excluded + limited)


@method("self-limited/flags")
def self_limited(half: HalfLoop, name: str = "self-limited") -> Extracted | None:
    """1 where the cell switches on and no row is in compliance, else 0; None for a cell that does not, or without a status.

    So the compliance did not set the current at this peak. What did, `exponent` tells.
    """
    rows = half.rows
    if not half.sets or not half.tells_compliance:
        return None
    free = not half.limited[rows].any()
    return Extracted(
        name, float(free), "", math.nan, "1: switches on, no row in compliance", (), excluded=half.excluded
    )


@method("self-compliance/exponent")
def exponent(half: HalfLoop, name: str = "exponent of the on current") -> Extracted | None:
    """d log|I| / d log|V| on the first fifth of the way back, by least squares, over rows that no compliance made.

    1: a series resistance limits the current; below: it saturates; above: it is as great as the voltage makes it, and a higher
    peak gives more. uncertainty: standard error of the slope. None for a cell that does not switch on, without a status, and
    for fewer than 4 rows.
    """
    rows = _top(half)
    if not half.sets or not half.tells_compliance or rows.size < 4 or half.limited[rows].any():
        return None
    volts, amperes = np.log10(np.abs(half.level[rows])), half.decades[rows]
    slope, offset = np.polyfit(volts, amperes, 1)
    left = float(np.sum((amperes - slope * volts - offset) ** 2)) / (rows.size - 2)
    error = math.sqrt(left / float(np.sum((volts - volts.mean()) ** 2)))
    words = f"slope of log|I| against log|V| on the way back, above {1 - TOP:g} of the peak"
    return Extracted(name, float(slope), "", error, words, tuple(rows.tolist()), excluded=half.excluded)


def _on(half: HalfLoop) -> Rows:
    """The rows in which the cell is on: from the step up, or the turn of a gradual cell, to the step down, if it makes one."""
    first = int(half.risen[1]) if half.rise[1] >= steps.LEAST_STEP else half.turn
    last = int(half.fallen[0]) if half.fall[1] >= steps.LEAST_STEP else int(half.level.size) - 1
    return half.rows[(half.rows >= first) & (half.rows <= last)]


def _top(half: HalfLoop) -> Rows:
    least = (1.0 - TOP) * abs(half.peak)
    return half.back[np.abs(half.level[half.back]) >= least]
