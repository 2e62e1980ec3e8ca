"""The voltage at which a cell switches off, by the definitions in use: reset, and the holding voltage of a volatile cell.

As in `onset`: a `HalfLoop` in, None where it does not show the thing; uncertainty and interval mean the same. Resets are
looked for on the way out, among the rows that the compliance did not make; V_hold on the way back, in measured volts, for in
compliance the programmed voltage is not the cell's.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from labctl.analysis.methods import method
from labctl.analysis.switching import steps
from labctl.analysis.switching.half import HalfLoop, scatter, smooth
from labctl.analysis.switching.lines import featureless, flat_top
from labctl.contracts import Extracted, FloatArray
from labctl.quantities import show


def largest_drop(half: HalfLoop, name: str = "V_reset") -> Extracted | None:
    """The level (V) of the largest drop of the conductance: `steps.reset_voltage` of the rows the compliance did not make.

    None for a loop that is not open, where the largest drop is as good as any.
    """
    if not half.resets:
        return None
    found = steps.reset_voltage(half.level, _free(half), half.floor)
    return found and replace(found, name=name, excluded=_excluded(half))


@method("V_reset/max-current")
def max_current(half: HalfLoop, name: str = "V_reset") -> Extracted | None:
    """The level (V) of the greatest |I| on the way out, from which on the current falls: where the reset begins.

    None where the current still grows at the turn, or the compliance made the rows beside the greatest. On a flat top the
    rows within two standard deviations of the scatter count alike: uncertainty is their extent over sqrt(12).
    """
    at = _top(half)
    if at is None:
        return None
    rows, volts, amperes = half.free, np.abs(half.level[half.free]), np.abs(half.current[half.free])
    pair = rows[at : at + 2]
    words = "level of the greatest |I| on the way out, before it falls"
    interval = (math.nan, math.nan)
    if half.decades[pair[0]] - half.decades[pair[1]] >= steps.LEAST_RESET:
        interval = (float(half.level[pair].min()), float(half.level[pair].max()))
    extent = flat_top(volts, amperes, at, 2.0 * scatter(amperes))[1]
    error, value = extent / math.sqrt(12), float(half.level[pair[0]])
    return Extracted(name, value, "V", error, words, tuple(pair.tolist()), interval, _excluded(half))


@method("V_reset/max-conductance")
def max_conductance(half: HalfLoop, name: str = "V_reset") -> Extracted | None:
    """The level (V) of the greatest |I/V| on the way out: where a gradual reset begins, though its current may still grow.

    Definition of labctl's own. None where the conductance still grows at the turn, or is flat within its noise over most of
    the way (an ohmic on state): its greatest value is then a matter of chance. On a flat top as `max_current`.
    """
    rows = half.free
    if not half.resets or rows.size < 3:
        return None
    volts, siemens = np.abs(half.level[rows]), np.abs(half.current[rows] / half.level[rows])
    means, first = smooth(siemens, half.width), half.width // 2  # before that the mean is of fewer rows
    at = first + int(np.argmax(means[first:]))
    if at == rows.size - 1 or half.limited[max(rows[at] - 1, 0) : rows[at] + 2].any():
        return None
    noise = scatter(siemens[means >= 0.5 * means[at]]) / math.sqrt(half.width)  # of the on state only
    if featureless(means[first:], noise):
        return None
    level, extent = flat_top(volts, means, at, 2.0 * noise)
    words, value = "level of the greatest |I/V| on the way out", math.copysign(level, half.peak)
    return Extracted(name, value, "V", extent / math.sqrt(12), words, (int(rows[at]),), excluded=_excluded(half))


@method("I_reset/max-current")
def reset_current(half: HalfLoop, name: str = "I_reset") -> Extracted | None:
    """The greatest |I| (A) on the way out before a reset, where `max_current` finds one; uncertainty is its scatter."""
    at = _top(half)
    if at is None:
        return None
    amperes = np.abs(half.current[half.free])
    row = (int(half.free[at]),)
    words = "greatest |I| on the way out, before it falls"
    return Extracted(name, float(amperes[at]), "A", scatter(amperes), words, row, excluded=_excluded(half))


@method("V_reset/current-minimum")
def current_minimum(half: HalfLoop, name: str = "V_reset_end") -> Extracted | None:
    """The level (V) of the least |I| between the greatest and the turn: where the reset has ended.

    None where the current still falls at the turn.
    """
    at = _top(half)
    if at is None:
        return None
    rows, amperes = half.free[at:], np.abs(half.current[half.free[at:]])
    least = int(np.argmin(amperes))
    if least == amperes.size - 1:
        return None
    extent = flat_top(np.abs(half.level[rows]), -amperes, least, 2.0 * scatter(amperes))[1]
    value, row = float(half.level[rows[least]]), (int(rows[least]),)
    words = "level of the least |I| between the greatest and the turn"
    return Extracted(name, value, "V", extent / math.sqrt(12), words, row, excluded=_excluded(half))


def hold_drop(half: HalfLoop, name: str = "V_hold") -> Extracted | None:
    """The measured voltage (V) before the largest drop on the way back: `steps.hold_voltage` of the sound rows.

    None for a loop that does not switch on.
    """
    if not half.sets or half.fall[1] < steps.LEAST_STEP:
        return None
    pair = half.fallen
    found = steps.hold_voltage(half.level[pair], half.voltage[pair], half.clean[pair], half.floor)
    return found and replace(found, name=name, rows=tuple(pair.tolist()), excluded=half.excluded)


@method("V_hold/current-threshold")
def hold_current_threshold(half: HalfLoop, at: float, name: str = "V_hold") -> Extracted | None:
    """The measured voltage (V) at which |I| falls through `at` (A, > 0) on the way back, between the rows in log |I|.

    None for a cell that makes no drop there (it is nonvolatile: its current falls with the voltage only), or is never above.
    """
    rows = half.back
    above = half.decades[rows] >= math.log10(at)
    if not half.sets or half.fall[1] < steps.LEAST_STEP or not above.any() or above.all():
        return None
    last = int(np.flatnonzero(above)[-1])
    if last + 1 >= rows.size:
        return None
    pair = rows[last : last + 2]
    high, low = half.decades[pair]
    volts = half.voltage[pair]
    value = float(np.interp(math.log10(at), [low, high], volts[::-1]))
    jump = high - low >= steps.LEAST_STEP
    interval = (float(volts.min()), float(volts.max())) if jump else (math.nan, math.nan)
    error = float(np.ptp(half.level[pair]) / math.sqrt(12))
    words = f"measured voltage at which |I| falls through {show(at, 'A')} on the way back, between rows in log|I|"
    return Extracted(name, value, "V", error, words, tuple(pair.tolist()), interval, half.excluded)


def _top(half: HalfLoop) -> int | None:
    """Place among `free` of the current's maximum before a reset, or None where there is none."""
    rows = half.free
    if not half.resets or rows.size < 3:
        return None
    at = int(np.argmax(np.abs(half.current[rows])))
    if at == rows.size - 1 or half.limited[max(rows[at] - 1, 0) : rows[at] + 2].any():
        return None
    return at


def _free(half: HalfLoop) -> FloatArray:
    return np.where(half.limited, math.nan, half.clean)


def _excluded(half: HalfLoop) -> int:
    """Rows left out: unsound ones, and on the way out those the compliance made."""
    return half.excluded + int(np.count_nonzero(half.limited[half.out]))
