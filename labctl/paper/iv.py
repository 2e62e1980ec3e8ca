"""The rows of the vertical devices: volatility, holding and threshold voltages, self-compliance, on/off ratio."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from labctl.analysis import volatility
from labctl.analysis.volatility import Verdict
from labctl.paper import curves
from labctl.paper.plan import COMPLIANCES, VERTICAL
from labctl.paper.results import Count, Measurement, Steps, counted, mean_of
from labctl.paper.taken import Cell, Taken
from labctl.quantities import show
from labctl.store import Run

SELF = COMPLIANCES[-1]  #: A; the compliance at which self-compliance is looked for: Kim 2022
Row = Callable[[Taken], Measurement]


def at(run: Run, compliance: float) -> list[curves.Loop]:
    """The loops at one compliance of a run of ``volatility``."""
    return [loop for loop in curves.halves(run) if loop["compliance"][0] == compliance]


def has_switched(run: Run, compliance: float) -> bool:
    """Whether a cell was seen to switch on before the loops at `compliance`: while forming, or in one at a smaller one."""
    rows = run["segment"] == 0
    ramp = [{name: column[rows] for name, column in run.columns.items()}] if rows.any() else []
    before = [loop for loop in curves.halves(run) if loop["compliance"][0] < compliance]
    return any(volatility.switches(loop) for loop in (*ramp, *before))


def says(run: Run, compliance: float) -> Verdict | None:
    """What the loops at a compliance say of a cell; None where they say nothing."""
    return volatility.judge(at(run, compliance), has_switched(run, compliance))


def volatile(device: str, taken: Taken) -> Measurement:
    """How many cells of a device are volatile, nonvolatile, or neither, at each compliance."""
    runs = [cell.run("loops") for cell in taken.cells("volatility", device)]
    found = {}
    for compliance in COMPLIANCES:
        said, name = [says(run, compliance) for run in runs], show(compliance, "A")
        found[name] = counted([item is Verdict.VOLATILE for item in said], "cells volatile")
        found[f"{name} nonvolatile"] = counted([item is Verdict.NONVOLATILE for item in said], "cells")
        neither = [item not in (Verdict.VOLATILE, Verdict.NONVOLATILE) for item in said]
        found[f"{name} neither"] = counted(neither, "cells (don't switch, or in some loops only)")
    words = (
        "volatile: in every loop after one in which the cell was on it switches on anew; nonvolatile: in none, it conducts from"
        " the start of each, and was seen to switch on before"
    )
    return Measurement(f"volatile-{device[-1]}", words, counts=found)


def _holds(compliance: float, cell: Cell) -> float:
    return mean_of([curves.hold(loop) for loop in at(cell.run("loops"), compliance)])


def _loops_at(compliance: float, cell: Cell) -> list[Any]:
    return list(at(cell.run("loops"), compliance))


def vhold_cc(taken: Taken) -> Measurement:
    """V_hold of devices 1 and 2 at each compliance: mean over the loops of a cell, median over cells."""
    steps: dict[str, Steps] = {
        device: tuple(
            (show(c, "A"), taken.over("volatility", device, partial(_holds, c), "V")) for c in COMPLIANCES
        )
        for device in VERTICAL[:2]
    }  # fmt: skip
    words = "V_hold: measured voltage before the largest drop of log|I/V| on the way back; mean of a cell's five loops"
    shown = {
        f"{device}, {show(c, 'A')}": showing(taken, "volatility", device, partial(_loops_at, c), curves.hold)
        for device in VERTICAL[:2]
        for c in COMPLIANCES
    }
    return Measurement("vhold-cc", words, steps=steps, counts=shown)


def showing(
    taken: Taken, experiment: str, device: str, loops: Callable[[Cell], list[Any]], figure: Callable[[Any], float]
) -> Count:
    """How many loops of the drawn cells have a figure; the others are left out of the mean of their cell."""
    found = [figure(loop) for cell in taken.cells(experiment, device) for loop in loops(cell)]
    return counted([math.isfinite(value) for value in found], "loops show it")


def _top(cell: Cell) -> float:
    return mean_of([curves.greatest(loop) for loop in at(cell.run("loops"), SELF)])


def self_cc(device: str, taken: Taken) -> Measurement:
    """The greatest current of a device's loops at 1e-4 A: mean over loops, median over cells."""
    found = taken.over("volatility", device, _top, "A")
    words = f"greatest |I| of a loop at a compliance of {show(SELF, 'A')}, mean of a cell's five loops"
    return Measurement(f"self-cc-{device[-1]}", words, {"current": found})


def self_cc_rep(taken: Taken) -> Measurement:
    """In how many loops at 1e-4 A the cell limited itself."""
    loops = {
        device: [loop for cell in taken.cells("volatility", device) for loop in at(cell.run("loops"), SELF)]
        for device in VERTICAL[:2]
    }
    found = {
        device: counted([curves.limits_itself(loop, SELF) for loop in mine], "loops of all cells")
        for device, mine in loops.items()
    }
    words = "the loop switches on, no row of it is flagged as limited, and its current stays below the compliance"
    return Measurement("self-cc-rep", words, counts=found)


def _distribution(name: str, figure: Callable[[curves.Loop], float], words: str, taken: Taken) -> Measurement:
    """A voltage over 50 cycles of devices 1, 2 and 3: mean over the cycles of a cell, median over cells."""

    def of(cell: Cell) -> float:
        return mean_of([figure(loop) for loop in curves.halves(cell.run("loops"))])

    steps: Steps = tuple((device, taken.over("cycles", device, of, "V")) for device in VERTICAL[:3])
    counts = {device: showing(taken, "cycles", device, partial(_half, "loops"), figure) for device in VERTICAL[:3]}
    return Measurement(name, words, steps={"particle size": steps}, counts=counts)


def _half(step: str, cell: Cell) -> list[Any]:
    return list(curves.halves(cell.run(step)))


def _window(cell: Cell) -> float:
    return curves.geometric([curves.on_off(loop) for loop in curves.halves(cell.run("window"))])


def onoff_size(taken: Taken) -> Measurement:
    """On/off ratio of the four devices, each loop after a negative one that resets."""
    steps: Steps = tuple((device, taken.over("cycles", device, _window)) for device in VERTICAL)
    words = "greatest |I| at a compliance of 100 uA over |I| just below the threshold, geometric mean of a cell's three loops"
    counts = {device: showing(taken, "cycles", device, partial(_half, "window"), curves.on_off) for device in VERTICAL}
    return Measurement("onoff-size", words, steps={"particle size": steps}, counts=counts)


def _ratio(cell: Cell) -> float:
    """Forming voltage over the mean of the later threshold voltages."""
    ramp = cell.run("forming")
    rows = ramp["segment"] == 1
    formed = curves.threshold({name: column[rows] for name, column in ramp.columns.items()})
    return formed / mean_of([curves.threshold(loop) for loop in curves.halves(cell.run("window"))])


def forming(taken: Taken) -> Measurement:
    """Whether pristine cells switch in a loop, and how far forming is above the later threshold."""
    pristine = {
        device: [loop for cell in taken.cells("cycles", device) for loop in curves.halves(cell.run("pristine"))]
        for device in VERTICAL
    }
    counts = {
        f"pristine {device}": counted(
            [math.isfinite(curves.threshold(loop)) for loop in loops], "cells switch unformed"
        )
        for device, loops in pristine.items()
    }
    counts |= {
        f"V_th {device}": showing(taken, "cycles", device, partial(_half, "window"), curves.threshold)
        for device in VERTICAL
    }
    ratios = {f"V_form/V_th {device}": taken.over("cycles", device, _ratio) for device in VERTICAL}
    words = (
        "a loop to 1 V before forming; forming voltage (largest step of log|I/V| of the ramp) over the later mean V_th"
    )
    return Measurement("forming", words, ratios, counts=counts)


TH = "V_th: level at the largest step up of log|I/V|; mean of a cell's 50 loops at a compliance of 1 uA"
HOLD = "V_hold: measured voltage before the largest drop of log|I/V| on the way back; mean of a cell's 50 loops at 1 uA"
ROWS: dict[str, tuple[tuple[str, ...], Row]] = {
    "forming": (("cycles",), forming),
    **{f"volatile-{device[-1]}": (("volatility",), partial(volatile, device)) for device in VERTICAL},
    "vhold-cc": (("volatility",), vhold_cc),
    **{f"self-cc-{device[-1]}": (("volatility",), partial(self_cc, device)) for device in VERTICAL[:2]},
    "self-cc-rep": (("volatility",), self_cc_rep),
    "vth-dist": (("cycles",), partial(_distribution, "vth-dist", curves.threshold, TH)),
    "vhold-dist": (("cycles",), partial(_distribution, "vhold-dist", curves.hold, HOLD)),
    "onoff-size": (("cycles",), onoff_size),
}
