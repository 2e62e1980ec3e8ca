"""What both ways of a half loop say together: where a gradual cell switches, on/off ratio, selectivity, resistances, area.

A cell that switches without a jump has no steepest point worth the name; but its two ways through the loop differ until it has
switched. log10 of their ratio (`HalfLoop.opening`) is the measure: definitions of labctl's own, for want of an agreed one.
Intervals are at 95 % for white noise, found from the scatter of the curve itself.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np

from labctl.analysis.methods import method
from labctl.analysis.switching import steps
from labctl.analysis.switching.half import HalfLoop, scatter, smooth
from labctl.analysis.switching.lines import Crossing, crossing, featureless, flat_top
from labctl.contracts import Extracted, FloatArray
from labctl.quantities import show

Way = Literal["out", "back"]
#: standard deviations to either side for 95 %, where the deviation is a median over a few dozen rows and so uncertain itself;
#: 1.96 were it known: from simulation, held by a test of coverage
REACH = 2.05
#: of the voltage where the opening is half of its widest, how far up it is at least 0.8 of that: guess; 1 at a jump, 0.4 where
#: it narrows evenly from 0 V
PLATEAU = 0.5
NEARBY = 24  #: rows to either side of a place that its noise is taken from: a current's noise may grow with it
WORDS = {"out": "the way out", "back": "the way back"}


@method("V_set/half-closing")
def set_half_closing(half: HalfLoop, name: str = "V_set") -> Extracted | None:
    """The voltage (V) at which the cell has gone half of the way, in decades, from the off to the on state.

    Beyond the voltage where the two ways lie farthest apart, log10 of their ratio falls to half of that. At a jump that is
    its middle; a gradual cell needs no jump. None where the loop is not open, or its opening narrows all the way from small
    voltages (less than `PLATEAU`) and does not end in a jump: that is a nonlinear off state, not the switching.
    """
    return _half_closing(half, name, 1) if half.openness > 0 else None


@method("V_reset/half-closing")
def reset_half_closing(half: HalfLoop, name: str = "V_reset") -> Extracted | None:
    """The voltage (V) at which the cell has gone half of the way, in decades, from the on to the off state; as for set."""
    return _half_closing(half, name, -1) if half.openness < 0 else None


@method("V_hold/half-closing")
def hold_half_closing(half: HalfLoop, name: str = "V_hold") -> Extracted | None:
    """The voltage (V) at which a cell has gone half of the way back to its off state, on the way back.

    Below the voltage where the two ways lie farthest apart, log10 of their ratio falls to half of that. None where its
    conductance does not fall by `steps.LEAST_STEP` decades there: it stays on, only its current falls with the voltage.
    """
    if half.openness <= 0 or half.opening[1].max() < steps.LEAST_STEP:
        return None
    volts, ratio = half.opening[0], smooth(half.opening[1], half.width)
    top = int(np.argmax(ratio))
    before = crossing(volts[: top + 1], ratio[: top + 1], float(ratio[top]) / 2)
    ratio = ratio if before is None else _sharp(half, ratio, before[0])
    below = np.flatnonzero(ratio[:top] < ratio[top] / 2)
    siemens = half.ways[2] - np.log10(volts)
    if below.size == 0 or siemens[top] - siemens[below[-1]] < steps.LEAST_STEP:
        return None
    words = (
        "programmed voltage at which log10 of |I| back over |I| out has risen, from 0 V, to half of its greatest value"
    )
    start = int(below[-1])
    return _at_crossing(half, crossing(volts[start:], ratio[start:], float(ratio[top]) / 2), name, words)


@method("V_set/largest-ratio")
def largest_ratio(half: HalfLoop, name: str = "V_set") -> Extracted | None:
    """The level (V) at which the two ways lie farthest apart: where a set begins, on a curve without a jump.

    The maximum may be flat: uncertainty is the extent of the rows within two standard deviations of it, over sqrt(12). None
    where the ratio is flat within its noise over most of the way to the switch (both states ohmic): the greatest is chance.
    """
    volts, ratio = half.opening[0], smooth(half.opening[1], half.width)
    if half.openness <= 0:
        return None
    first, noise = (
        half.width // 2,
        scatter(half.opening[1]) / math.sqrt(half.width),
    )  # before that the mean is of fewer rows
    at = first + int(np.argmax(ratio[first:]))
    if featureless(ratio[first:], noise):
        return None
    level, extent = flat_top(volts, ratio, at, 2.0 * noise)
    words = "level at which |I| back over |I| out is greatest"
    return _found(half, name, math.copysign(level, half.peak), "V", extent / math.sqrt(12), words)


@method("on/off/at-voltage")
def on_off(half: HalfLoop, at: float, name: str = "on/off") -> Extracted | None:
    """The greater over the lesser |I| of both ways at the read voltage `at` (V, its magnitude), between rows in log |I|.

    A bound, with an infinite end, where the off current is at the floor or the on current was made by the compliance. None
    where the loop is not open, or does not pass `at` on both ways.
    """
    out, back = current_at(half, at, "out"), current_at(half, at, "back")
    if half.openness == 0 or out is None or back is None:
        return None
    low, high = min(out.value, back.value), max(out.value, back.value)
    on_way = "back" if back.value >= out.value else "out"
    sigma = math.hypot(out.sigma, back.sigma)
    bound = low <= math.log10(half.floor) or (back if on_way == "back" else out).limited
    words = f"|I| on {WORDS[on_way]} over the other way's at {show(at, 'V')}, between rows in log|I|"
    return _ratio(half, name, high - low, sigma, bound, words)


@method("on/off/at-switch")
def on_off_at_switch(half: HalfLoop, name: str = "on/off at the switch") -> Extracted | None:
    """The greatest |I| of the loop over the last |I| before the largest step up (Kim 2022's on/off of a threshold switch).

    A bound where the compliance made the greatest, or the other is at the floor.
    """
    if half.rise[1] < steps.LEAST_STEP:
        return None
    off, rows = float(half.decades[half.out[half.rise[0]]]), half.rows
    top = int(rows[np.argmax(half.decades[rows])])
    bound = bool(half.limited[rows].any()) or off <= math.log10(half.floor)
    sigma = scatter(half.decades[half.out[: half.rise[0] + 1]])
    words = "greatest |I| of the loop over |I| before the largest step up"
    return _ratio(half, name, float(half.decades[top]) - off, sigma, bound, words)


@method("selectivity/two-voltages")
def selectivity(half: HalfLoop, at: float, share: float = 0.5, way: Way = "back") -> Extracted | None:
    """|I| at the read voltage `at` (V) over |I| at its `share`, of one way (the way back: the on state), in log |I|.

    A bound where the lesser current is at the floor or the greater one was made by the compliance.
    """
    full, part = current_at(half, at, way), current_at(half, share * at, way)
    if full is None or part is None:
        return None
    bound = part.value <= math.log10(half.floor) or full.limited
    words = f"|I({show(at, 'V')})| over |I({show(share * at, 'V')})| on {WORDS[way]}, between rows in log|I|"
    return _ratio(half, "selectivity", full.value - part.value, math.hypot(full.sigma, part.sigma), bound, words)


@method("resistance/at-voltage")
def resistance(half: HalfLoop, at: float, way: Way, name: str) -> Extracted | None:
    """V/I (ohm) at the read voltage `at` (V) on one way, |I| between rows in log |I|; None where the compliance made the row.

    At the floor the resistance is at least that.
    """
    found = current_at(half, at, way)
    if found is None or found.limited:
        return None
    value, floor = abs(at) / 10**found.value, found.value <= math.log10(half.floor)
    words = f"V/I at {show(at, 'V')} on {WORDS[way]}, |I| between rows in log|I|{'; at least' if floor else ''}"
    return _log(half, name, value, "ohm", found.sigma, floor, words)


@method("hysteresis/area")
def hysteresis_area(half: HalfLoop, name: str = "loop area") -> Extracted | None:
    """The area (W) between both ways on linear axes, trapezoids over measured |V|; above 0 where the way back carries more.

    A pinched loop's lobe; its noise is that of independent currents.
    """
    if half.out.size < 3 or half.back.size < 3:
        return None
    side = math.copysign(1.0, half.peak)
    volts, amperes = side * half.voltage, side * half.current  # with their signs: magnitudes of noise would add up
    at = np.flatnonzero(half.sound)
    ways = (at[at <= half.turn], at[at >= half.turn])  # with the rows at 0 V
    area = -sum(float(np.trapezoid(amperes[rows], volts[rows])) for rows in ways)
    error = math.hypot(*(scatter(amperes[rows]) * _weight(volts[rows]) for rows in ways))
    words = "integral of |I| dV, way back less way out"
    return _found(half, name, area, "W", error, words, (area - REACH * error, area + REACH * error))


def current_at(half: HalfLoop, at: float, way: Way) -> Crossing | None:
    """log10 of |I| (A) at |level| = `at` on one way; None where the rows don't reach around it."""
    rows = half.out if way == "out" else half.back[::-1]
    volts = np.abs(half.level[rows])
    if rows.size < 2 or not volts[0] <= abs(at) <= volts[-1]:
        return None
    after = min(max(int(np.searchsorted(volts, abs(at))), 1), rows.size - 1)
    pair = rows[after - 1 : after + 1]
    value = float(np.interp(abs(at), volts[after - 1 : after + 1], half.decades[pair]))
    near = half.decades[rows[max(after - NEARBY, 0) : after + NEARBY]]
    return Crossing(value, scatter(near), bool(half.limited[pair].any()))


def _half_closing(half: HalfLoop, name: str, sign: int) -> Extracted | None:
    volts, ratio = half.opening[0], smooth(sign * half.opening[1], half.width)
    top = int(np.argmax(ratio))
    found, narrowed = (crossing(volts[top:], ratio[top:], share * float(ratio[top])) for share in (0.5, 0.8))
    if found is None or narrowed is None:
        return None
    if narrowed[0] < PLATEAU * found[0] and not _at_jump(half, found[0], sign):
        return None
    sharp = _sharp(half, ratio, found[0])
    found = crossing(volts[top:], sharp[top:], float(ratio[top]) / 2)
    words = (
        "voltage beyond the widest opening at which log10 of |I| on one way over the other's has fallen to half of it"
    )
    item = _at_crossing(half, found, name, words)
    return (
        _within_step(half, item) if item is not None and found is not None and _at_jump(half, found[0], sign) else item
    )


def _within_step(half: HalfLoop, item: Extracted) -> Extracted:
    """The same with an interval that holds the whole step, for the cell jumped anywhere within it."""
    ends = half.level[half.risen]
    low, high = min(item.interval[0], float(ends.min())), max(item.interval[1], float(ends.max()))
    return replace(item, interval=(low, high))


def _at_jump(half: HalfLoop, about: float, sign: int) -> bool:
    """Whether the voltage `about` (V, magnitude) of an averaged curve is that of the step up of a set (sign 1)."""
    if sign < 0 or half.rise[1] < steps.LEAST_STEP:
        return False
    low, high = np.abs(half.level[half.risen])
    reach = half.width * (high - low)
    return bool(low - reach <= about <= high + reach)


def _sharp(half: HalfLoop, ratio: FloatArray, about: float) -> FloatArray:
    """The opening averaged over some rows, but as it is near the voltage `about`, if a jump there is smeared otherwise."""
    volts, raw = half.opening[0], math.copysign(1.0, half.openness) * half.opening[1]
    at = int(np.searchsorted(volts, about))
    near = slice(max(at - half.width, 0), at + half.width + 1)
    if half.width == 1 or np.abs(np.diff(raw[near])).max() < 0.5 * ratio.max():
        return ratio
    return np.concatenate([ratio[: near.start], raw[near], ratio[near.stop :]])


def _at_crossing(half: HalfLoop, found: tuple[float, float, float] | None, name: str, words: str) -> Extracted | None:
    """A voltage where the opening goes through a value: noise over slope and the step of the levels, in quadrature."""
    if found is None:
        return None
    volts, slope, step = found
    noise = scatter(half.opening[1]) * math.sqrt(1.5 / half.width) / slope  # of the crossing and of half the maximum
    error = math.hypot(noise, step / math.sqrt(12))
    value, reach = math.copysign(volts, half.peak), max(REACH * error, step / 2)
    return _found(half, name, value, "V", error, words, (value - reach, value + reach))


def _ratio(half: HalfLoop, name: str, decades: float, sigma: float, bound: bool, words: str) -> Extracted:
    return _log(half, name, 10**decades, "", sigma, bound, words + ("; at least" if bound else ""))


def _log(half: HalfLoop, name: str, value: float, unit: str, sigma: float, bound: bool, words: str) -> Extracted:
    """A positive value with a standard deviation in decades; a bound has no upper end."""
    reach = 10 ** (REACH * sigma)
    interval = (value / reach, math.inf if bound else value * reach)
    return _found(half, name, value, unit, math.nan if bound else value * math.log(10) * sigma, words, interval)


def _found(
    half: HalfLoop, name: str, value: float, unit: str, error: float, words: str,
    interval: tuple[float, float] = (math.nan, math.nan),
) -> Extracted:  # fmt: skip
    return Extracted(name, value, unit, error, words, (), interval, half.excluded)


def _weight(volts: FloatArray) -> float:
    """What a trapezoid integral multiplies independent errors of its values by."""
    steps_ = np.abs(np.diff(volts))
    weights = np.concatenate([steps_, [0.0]]) / 2 + np.concatenate([[0.0], steps_]) / 2
    return float(np.sqrt(np.sum(weights**2)))
