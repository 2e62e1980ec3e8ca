"""The slope after Fowler and Nordheim of the on branches of loops, and how straight they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from labctl.analysis import conduction
from labctl.contracts import Extracted
from labctl.paper import curves
from labctl.paper.results import NAN, Quantity, mean_of

METHOD = "FN slope/line@1"
#: V; below about half the barrier a junction tunnels directly and the line bends (physics: Simmons, J. Appl. Phys. 34, 1793,
#: 1963); a barrier of 0.5 V is a guess, so that the smallest voltages of the vertical cells are left out
LEAST = 0.25
CLEAR = 0.03  #: V; distance from V_hold, where the filament already thins out: guess


def fit(loop: curves.Loop, cut: float = LEAST) -> Extracted | None:
    """The slope (V) of ln(I/V^2) against 1/V of the rows on the way back from `cut` (V) on, not limited, clear of V_hold."""
    back = slice(int(np.argmax(np.abs(loop["level"]))), None)
    held = curves.hold(loop)
    least = max(cut, held + CLEAR) if np.isfinite(held) else cut
    return conduction.fowler_nordheim(loop["voltage"][back], loop["current"][back], loop["status"][back], v_min=least)


def straightness(loop: curves.Loop) -> float:
    """R squared of that line; NaN where there is none."""
    found = fit(loop)
    if found is None:
        return NAN
    rows = np.asarray(found.rows) + int(np.argmax(np.abs(loop["level"])))
    volts, amperes = np.abs(loop["voltage"][rows]), np.abs(loop["current"][rows])
    return float(np.corrcoef(1 / volts, np.log(amperes / volts**2))[0, 1] ** 2)


def slope(loops: Sequence[curves.Loop], cut: float = LEAST) -> float:
    """The mean slope of some loops, V; NaN where none has one."""
    return mean_of([curves.number(fit(loop, cut)) for loop in loops])


def quality(loops: Sequence[curves.Loop]) -> float:
    """The mean R squared of some loops."""
    return mean_of([straightness(loop) for loop in loops])


def magnitude(found: Quantity) -> Quantity:
    """The same quantity without its sign; an interval on both sides of 0 begins at 0."""
    low, high = sorted(abs(end) for end in found.interval)
    if found.interval[0] < 0 < found.interval[1]:
        low = 0.0
    each = tuple(abs(value) for value in found.each)
    return replace(found, value=abs(found.value), interval=(low, high), each=each, nominal=abs(found.nominal))
