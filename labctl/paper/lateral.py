"""The rows of the lateral devices and of conduction after Fowler and Nordheim."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from labctl.paper import curves, tunnelling
from labctl.paper.plan import LATERAL, VERTICAL
from labctl.paper.results import Count, Measurement, Quantity, Steps, counted, mean_of
from labctl.paper.taken import Cell, Taken
from labctl.quantities import show

LIMIT = 1e-6  #: A; compliance of the loops: Kim 2022
SWITCHING = LATERAL[1:]  #: those that are expected to switch and whose loops are fitted: all but the widest gap
CUTS = (0.1, 0.35)  #: V; other least voltages of a fit, to show what hangs on it: ours
FN_WORDS = (
    "least-squares slope of ln(I/V^2) against 1/V on the way back, rows that are not limited, from one step above V_hold, at"
    " least 0.25 V; mean of a cell's loops"
)


def _loops(cell: Cell) -> list[dict[str, np.ndarray]]:
    return curves.halves(cell.run("loops"))


def l1_none(taken: Taken) -> Measurement:
    """How many cells of l-device-1 switch, in the forming ramp to 200 V or in a loop after it."""
    cells = taken.cells("lateral", "l-device-1")
    switched = []
    for cell in cells:
        ramp = cell.run("forming")
        rows = ramp["segment"] == 1
        curve = {name: column[rows] for name, column in ramp.columns.items()}
        switched.append(any(math.isfinite(curves.threshold(loop)) for loop in (curve, *_loops(cell))))
    words = "a step up of log|I/V| by 0.7 or more in the forming ramp to 200 V or in a loop to 100 V"
    return Measurement("l1-none", words, counts={"l-device-1": counted(switched, "cells switch")})


def l2_self_cc(taken: Taken) -> Measurement:
    """In how many loops l-device-2 limits its current itself, and at which current."""
    cells = taken.cells("lateral", "l-device-2")
    loops = [curves.limits_itself(loop, LIMIT) for cell in cells for loop in _loops(cell)]

    def top(cell: Cell) -> float:
        return mean_of([curves.greatest(loop) for loop in _loops(cell)])

    words = (
        "the loop switches on, no row of it is flagged as limited, and its current stays below the compliance of 1 uA"
    )
    found = {"greatest current": taken.over("lateral", "l-device-2", top, "A")}
    return Measurement("l2-self-cc", words, found, counts={"l-device-2": counted(loops, "loops of all cells")})


def l_order(taken: Taken) -> Measurement:
    """V_th and V_hold of l-devices 2, 3 and 4: mean over a cell's loops, median over cells."""

    def of(figure: Callable[[curves.Loop], float], cell: Cell) -> float:
        return mean_of([figure(loop) for loop in _loops(cell)])

    figures = {"V_th": curves.threshold, "V_hold": curves.hold}
    steps: dict[str, Steps] = {
        name: tuple((device, taken.over("lateral", device, partial(of, figure), "V")) for device in SWITCHING)
        for name, figure in figures.items()
    }
    words = "V_th and V_hold by the largest step of log|I/V| up and down; mean of a cell's three loops at 1 uA"
    counts = {
        f"{name} {device}": counted(
            [math.isfinite(figure(loop)) for cell in taken.cells("lateral", device) for loop in _loops(cell)],
            "loops show it",
        )
        for name, figure in figures.items()
        for device in SWITCHING
    }
    return Measurement("l-order", words, steps=steps, counts=counts)


# -- Fowler-Nordheim --------------------------------------------------------------------------------------------------
def _slope(experiment: str, step: str, device: str, taken: Taken, cut: float = tunnelling.LEAST) -> Quantity:
    return taken.over(experiment, device, lambda cell: tunnelling.slope(curves.halves(cell.run(step)), cut), "V")


def _fitted(experiment: str, step: str, device: str, taken: Taken) -> Count:
    """How many loops of the drawn cells can be fitted; the others are left out of the mean of their cell."""
    loops = [loop for cell in taken.cells(experiment, device) for loop in curves.halves(cell.run(step))]
    return counted([tunnelling.fit(loop) is not None for loop in loops], "loops can be fitted")


def _quality(device: str, taken: Taken) -> Quantity:
    return taken.over("lateral", device, lambda cell: tunnelling.quality(_loops(cell)))


def fn_linear(taken: Taken) -> Measurement:
    """Slope and R squared of ln(I/V^2) against 1/V of l-devices 2, 3 and 4."""
    found = {f"R2 {device}": _quality(device, taken) for device in SWITCHING}
    found |= {f"slope {device}": _slope("lateral", "loops", device, taken) for device in SWITCHING}
    counts = {device: _fitted("lateral", "loops", device, taken) for device in SWITCHING}
    return Measurement("fn-linear", FN_WORDS, found, counts=counts, method=tunnelling.METHOD)


def fn_slope(device: str, taken: Taken) -> Measurement:
    """The magnitude of the slope of one lateral device."""
    found = _slope("lateral", "loops", device, taken)
    return Measurement(
        f"fn-slope-{device[-1]}", FN_WORDS, {"slope": tunnelling.magnitude(found)},
        counts={"fits": _fitted("lateral", "loops", device, taken)}, method=tunnelling.METHOD,
    )  # fmt: skip


def fn_vertical(taken: Taken) -> Measurement:
    """The magnitude of the slope of devices 1, 2 and 3, from one fine loop at 1e-6 A; and with other least voltages."""

    def steps(cut: float) -> Steps:
        return tuple(
            (device, tunnelling.magnitude(_slope("cycles", "fine", device, taken, cut))) for device in VERTICAL[:3]
        )

    found = {"particle size": steps(tunnelling.LEAST)}
    found |= {f"from {show(cut, 'V')} on": steps(cut) for cut in CUTS}
    counts = {f"fits of {device}": _fitted("cycles", "fine", device, taken) for device in VERTICAL[:3]}
    words = f"{FN_WORDS}; the numbers depend on that least voltage, a guess: with others they are beside"
    return Measurement("fn-vertical", words, steps=found, counts=counts, method=tunnelling.METHOD)


ROWS: dict[str, tuple[tuple[str, ...], Callable[[Taken], Measurement]]] = {
    "l1-none": (("lateral",), l1_none),
    "l2-self-cc": (("lateral",), l2_self_cc),
    "l-order": (("lateral",), l_order),
    "fn-linear": (("lateral",), fn_linear),
    "fn-slope-2": (("lateral",), partial(fn_slope, "l-device-2")),
    "fn-slope-4": (("lateral",), partial(fn_slope, "l-device-4")),
    "fn-vertical": (("cycles",), fn_vertical),
}
