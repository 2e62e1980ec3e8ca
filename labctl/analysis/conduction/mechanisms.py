"""Which current law a branch of an I-V curve follows, and the slope that goes with it.

Functions take the voltage across the cell (V) and the current (A) of one branch, shape (n,), in any order; of both the
magnitudes are used, so a branch may be of either polarity. Left out and counted are rows whose status is not normal (a
current at its compliance follows no law), and rows whose current is no number, zero, or against the voltage (an
offset); rows at 0 V are left out. Where many rows at small voltages lie against it, these are noise: see `floor`.
`returning` gives the rows of a half loop that are still conducting on the way back.

All laws are compared on the residuals of ln|I|, i.e. as if the scatter of the current were a constant share of it. Where
neighbouring residuals are alike (a curve that no law follows to within its scatter) fewer rows count. Whether another kind of
scatter, the same for all currents, would choose another law is asked too, and said.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import switching
from labctl.analysis.conduction.fit import LEAST_SPAN, NARROW, Line, line, longest
from labctl.analysis.conduction.laws import LAWS, NAN, Law, Layer
from labctl.analysis.conduction.rank import Fit, enough, rank, usable
from labctl.analysis.methods import method
from labctl.analysis.statistics.residuals import inflated
from labctl.contracts import Extracted, FloatArray, Status

__all__ = ["Fit", "Layer", "fowler_nordheim", "rank", "returning", "slopes", "weights"]

Rows = NDArray[np.int64]
STRAIGHT_LINE = 0.95  #: R squared below which a slope is called doubtful: guess


def returning(
    level: FloatArray, voltage: FloatArray, current: FloatArray, status: NDArray[np.int64] | None = None
) -> Rows:
    """The rows of a half loop 0 -> peak -> 0 on the way back, down to V_hold (that row included) or to 0 V, unflagged.

    level: programmed, voltage: measured, V; current: A; shape (n,). The branch of the LRS, as far as it was measured freely.
    """
    if level.size == 0:
        return np.empty(0, np.int64)
    rows = np.arange(int(np.argmax(np.abs(level))), level.size)
    held = switching.hold_voltage(level, voltage, current)
    if held is not None and len(held.rows):
        rows = rows[rows <= held.rows[0]]
    return rows if status is None else rows[status[rows] == int(Status.NORMAL)]


@method("conduction/weights")
def weights(
    voltage: FloatArray,
    current: FloatArray,
    status: NDArray[np.int64] | None = None,
    layer: Layer | None = None,
) -> list[Extracted]:
    """The Akaike weight of every current law that is possible, the likeliest first: how likely it is the best of those listed.

    As `rank`; the definition of each has its slope, the range where it is a straight line, and what speaks against it.
    """
    fits = rank(voltage, current, status, layer)
    return [
        Extracted(f"weight of {fit.law}", fit.weight, "", NAN, _words(fit), tuple(fit.rows), excluded=fit.excluded)
        for fit in fits
        if fit.possible
    ]


@method("conduction/slopes")
def slopes(
    voltage: FloatArray,
    current: FloatArray,
    status: NDArray[np.int64] | None = None,
    layer: Layer | None = None,
) -> list[Extracted]:
    """The slope of every law that leaves one free and is possible, over all usable rows, with its 95 % interval."""
    return [
        Extracted(
            f"slope of {fit.law}",
            fit.slope,
            fit.unit,
            fit.error,
            _words(fit),
            tuple(fit.rows),
            fit.interval,
            fit.excluded,
        )
        for fit in rank(voltage, current, status, layer)
        if fit.possible and fit.error > 0
    ]


@method("FN slope/line")
def fowler_nordheim(
    voltage: FloatArray,
    current: FloatArray,
    status: NDArray[np.int64] | None = None,
    v_min: float | None = None,
    v_max: float | None = None,
) -> Extracted | None:
    """The slope (V, negative) of ln(I/V^2) against 1/V, between |V| of v_min and v_max (V, both included).

    Without either bound, over the longest stretch in which it is a straight line (see `Fit.valid`). None for fewer than 8
    usable rows, for less than a factor 1.1 in |V| or |I|, and where the slope is not negative.
    """
    law = _law("Fowler-Nordheim")
    found = usable(voltage, current, status)
    if v_min is None and v_max is None:
        wide = enough(found.v, found.i, NARROW)
        part = longest(law, found.v, found.i, NARROW, found.floor) if wide else None
        chosen = np.zeros(found.v.size, bool) if part is None else _within(found.v.size, part)
        words = "the longest straight stretch"
    else:
        chosen = (found.v >= (v_min or 0.0)) & (found.v <= (math.inf if v_max is None else v_max))
        words = "the stretch asked for"
    found = found.part(chosen)
    if not enough(found.v, found.i, NARROW):
        return None
    fit = line(law, found.v, found.i, floor=found.floor)
    if fit.slope >= 0:
        return None
    noisy = f" above a noise of {found.floor.sigma:.2g} A, weighted by it" if found.floor.sigma > 0 else ""
    definition = f"least-squares slope of {law.axes} over {words}{noisy}, {_span(found.v)}; {_quality(fit)}"
    rows = tuple(found.rows.tolist())
    return Extracted("FN slope", fit.slope, "V", fit.error, definition, rows, fit.interval, found.excluded)


def _within(size: int, part: slice) -> NDArray[np.bool_]:
    chosen = np.zeros(size, bool)
    chosen[part] = True
    return chosen


def _law(name: str) -> Law:
    return next(law for law in LAWS if law.name == name)


def _words(fit: Fit) -> str:
    """A fit in one line, for a definition."""
    slope = "slope fixed" if fit.error == 0 else f"slope {fit.slope:.4g} {fit.unit}".rstrip()
    straight = (
        "straight nowhere for 8 rows"
        if fit.valid_rows == 0
        else f"straight over {fit.valid[0]:.3g} to {fit.valid[1]:.3g} V ({fit.valid_rows} rows)"
    )
    parts = [
        f"{fit.axes}, {slope}, R^2 {fit.r_squared:.4f}, rms of ln|I| {fit.rms:.3g}, delta AICc {fit.delta:.3g}, {straight};"
        " scatter taken as a constant share of the current",
        *(f"{number.name} {number.value:.3g} {number.unit}".rstrip() for number in fit.implied),
        *fit.remarks,
    ]
    return "; ".join(parts)


def _span(v: FloatArray) -> str:
    narrow = "" if v[-1] >= LEAST_SPAN * v[0] else f" (a factor {v[-1] / v[0]:.3g} only: other laws may be as straight)"
    return f"{v[0]:.4g} to {v[-1]:.4g} V{narrow}, {v.size} rows"


def _quality(found: Line) -> str:
    """R squared of a line, and what speaks against it."""
    words = f"R^2 {found.r_squared:.4f}, rms of ln|I| {found.rms:.2g}"
    if found.r_squared < STRAIGHT_LINE:
        words += ", hardly a straight line"
    if inflated(found.correlation, found.residuals.size) > 1.0:
        words += (
            f", neighbouring residuals alike (correlation {found.correlation:.2f}): not quite straight, error widened"
        )
    return words
