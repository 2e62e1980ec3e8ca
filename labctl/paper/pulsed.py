"""The rows of the stack that need pulses or time: switching times, trains, levels, retention, endurance."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from labctl.analysis import reads
from labctl.analysis.endurance import Verdict
from labctl.analysis.statistics import distributions
from labctl.paper import curves
from labctl.paper.plan import KEPT, LEVELS, ROUNDS
from labctl.paper.results import NAN, Measurement, Quantity, counted, geometric, mean_of, median, on_nominal
from labctl.paper.taken import Cell, Taken
from labctl.quantities import show
from labctl.recipe_parts import Kind
from labctl.store import Run

STACK = "synapse"
KEEPS = 0.1  #: relative change up to which a level counts as kept: guess


# -- switching times -----------------------------------------------------------------------------------------------------
def _time(sign: int, cell: Cell) -> float:
    t_set, t_reset = curves.pulse_times(cell.run("pulses"))
    return t_set if sign > 0 else t_reset


def switching_time(name: str, sign: int, taken: Taken) -> Measurement:
    """The switching time of the cells that one pulse switches, how many of how many that is, and the median over all."""
    nominal = taken.nominal("pulses", STACK)
    cells = taken.cells("pulses", STACK)
    asked = cells if sign > 0 else [cell for cell in cells if math.isfinite(_time(1, cell))]
    verb, width = ("set" if sign > 0 else "reset"), _width(asked)
    each = [_time(sign, cell) for cell in asked]
    which = f"cells{'' if sign > 0 else ' that were set'} {verb} within one pulse of {show(width, 's')}"
    words = (
        f"half of the change of |I| within one {'+' if sign > 0 else '-'}2 V pulse of {show(width, 's')}, from 0.3 us on;"
        " conditional: of the cells whose read current it changed tenfold, as the paper shows one; the median over all cells"
        " takes the others for slower than the pulse (Kaplan and Meier)"
    )
    found = {
        f"time of a pulse that {verb}s": median(each, "s", _time(sign, nominal) if nominal else NAN),
        "median over all cells": survivors(each, width),
    }
    yields = counted([math.isfinite(value) for value in each], which)
    return Measurement(name, words, found, counts={"yield": yields}, method="t_50/half-change")


def _width(cells: Sequence[Cell]) -> float:
    """The width (s) of the pulses, NaN for no cells."""
    return float(cells[0].run("pulses").header.parameters["width"]["value"]) if cells else NAN


def survivors(each: Sequence[float], width: float) -> Quantity:
    """The median time (s) of all cells, one without a time being slower than the pulse's width (s); after Kaplan and Meier."""
    times = np.array(each)
    slow = ~np.isfinite(times)
    kept = tuple(map(float, times))
    found = distributions.median(distributions.sample(np.where(slow, width, times), slow, unit="s"))
    if found is None:
        return Quantity(NAN, "s", of=f"more than half of {times.size} cells are slower than the pulse", each=kept)
    of = f"no standard error; 95 % interval {show(found.interval[0], 's')} to {show(found.interval[1], 's')}"
    return Quantity(found.value, "s", NAN, of, found.interval, kept, cell=f"Kaplan-Meier, {times.size} cells")


# -- trains ---------------------------------------------------------------------------------------------------------------
#: why trains are judged on the nominal cell
TUNED = (
    "judged on the nominal cell, the model of the paper's device: the amplitudes are the paper's, chosen for that device; of"
    " drawn cells those that one +2 V pulse sets and one -2 V pulse resets are measured beside it"
)
Of = Callable[[str, int, int, Cell], float]  #: scheme, sign of the branch, round, cell


def _r2(scheme: str, sign: int, round_: int, cell: Cell) -> float:
    return curves.linearity(cell.run(scheme), sign, round_) if cell.has(scheme) else NAN


def _change(scheme: str, sign: int, round_: int, cell: Cell) -> float:
    """Conductance after the last pulse of a branch over that before its first."""
    values = curves.train(cell.run(scheme), sign, round_) if cell.has(scheme) else np.empty(0)
    return float(values[-1] / values[0]) if values.size else NAN


def _rounds(figure: Of, scheme: str, sign: int, cell: Cell) -> list[float]:
    return [figure(scheme, sign, number, cell) for number in range(1, ROUNDS + 1)]


def _both(figure: Of, scheme: str, sign: int, taken: Taken) -> tuple[Quantity, Quantity]:
    """A figure of the nominal cell, and its median over drawn cells; of each cell the mean over the rounds.

    Of a ratio of conductances the geometric mean, of all cells alike.
    """
    mean = geometric if figure is _change else mean_of
    each = [mean(_rounds(figure, scheme, sign, cell)) for cell in taken.cells("pulses", STACK)]
    nominal = taken.nominal("pulses", STACK)
    rounds = _rounds(figure, scheme, sign, nominal) if nominal else []
    return on_nominal(rounds, each, log=figure is _change), median(each, nominal=mean(rounds))


def branch(name: str, sign: int, taken: Taken) -> Measurement:
    """How straight a train with stepped amplitudes goes, and how far."""
    found: dict[str, Quantity] = {}
    for what, figure in (("linearity", _r2), ("last over first", _change)):
        found[what], found[f"{what}, drawn cells"] = _both(figure, "stepped", sign, taken)
    words = (
        "R squared of the straight line of conductance against pulse number, the level before the first of the 21 pulses"
        f" included, mean of {ROUNDS} rounds up and down; last over first: geometric mean of the rounds; {TUNED}"
    )
    return Measurement(name, words, found, method="linearity/r-squared")


def syn_constant(taken: Taken) -> Measurement:
    """How straight trains with constant amplitude go, against stepped ones; of the first round, from the off state."""
    nominal, cells = taken.nominal("pulses", STACK), taken.cells("pulses", STACK)
    steps, found = [], {}
    for scheme in ("constant", "stepped"):
        each = [_r2(scheme, 1, 1, cell) for cell in cells]
        of = _r2(scheme, 1, 1, nominal) if nominal else NAN
        steps.append((scheme, on_nominal([of], each)))
        found[f"linearity, {scheme}, drawn cells"] = median(each, nominal=of)
    found["linearity of depression, constant"] = _both(_r2, "constant", -1, taken)[0]
    drawn = [cell for cell in cells if cell.has("constant")]
    worse = counted(
        [_r2("constant", 1, 1, cell) < _r2("stepped", 1, 1, cell) for cell in drawn], "drawn cells less linear"
    )
    words = (
        "R squared as for syn-pot, of potentiation from the off state with 21 equal pulses of 2.3 V, the mean of the stepped"
        f" ones; {TUNED}"
    )
    return Measurement(
        "syn-constant", words, found, {"linearity": tuple(steps)}, {"worse": worse}, method="linearity/r-squared"
    )


# -- levels, retention, endurance ---------------------------------------------------------------------------------------
def drift(run: Run) -> float:
    """Median of the reads of the level kept after potentiation, over the read before, less 1; NaN where none is sound."""
    good = (run["kind"] == Kind.READ) & reads.usable(run["status"]) & np.isfinite(run["conductance"])
    before = run["conductance"][good & (run["segment"] == 1)]
    after = run["conductance"][good & (run["segment"] == 2)]
    return float(np.median(after) / before[-1] - 1) if before.size and after.size else NAN


def _drift(cell: Cell) -> float:
    """The greatest relative change of a level of a cell while it is kept."""
    names = [f"kept-{count}" for count in LEVELS]
    return max((abs(drift(cell.run(name))) for name in names if cell.has(name)), default=NAN)


def syn_levels(taken: Taken) -> Measurement:
    """How far levels of a potentiation drift once the pulses stop."""
    cells = [cell for cell in taken.cells("pulses", STACK) if cell.has("constant")]
    drifts = [drift(cell.run(f"kept-{count}")) for cell in cells for count in LEVELS]
    found = {"greatest drift": taken.over("pulses", STACK, _drift)}
    words = (
        f"the levels after {', '.join(map(str, LEVELS))} pulses, each written anew and kept for {KEPT:g} s: median of the reads"
        f" at 1, 10, 100 and 1000 s over the read after the last pulse; kept: within {KEEPS:.0%};"
        " of the drawn cells with trains, which one +2 V pulse sets and one -2 V pulse resets"
    )
    kept = counted([bool(abs(value) <= KEEPS) for value in drifts], "levels of all cells kept")
    return Measurement("syn-levels", words, found, counts={"levels": kept})


def _figure(step: str, name: str, cell: Cell) -> float:
    return curves.figures(cell.run(step)).get(name, NAN)


def _ratio(name: str, cell: Cell) -> float:
    return _figure("kept", f"{name} at the end", cell) / _figure("kept", f"{name} at the start", cell)


def _age(cell: Cell) -> float:
    run = cell.run("kept")
    return float(min(run["age"][run["state"] == state].max() for state in (0, 1)))


def _holds_states(cell: Cell) -> bool:
    found = curves.figures(cell.run("kept"))
    return all(math.isnan(found.get(f"time to failure {state}", 0.0)) for state in ("on", "off"))


def syn_retention(taken: Taken) -> Measurement:
    """What is left of window and selectivity after 1e4 s, and how many cells kept both states."""
    over = partial(taken.over, "retention", STACK)
    found = {
        "on/off at the end": over(partial(_figure, "kept", "on/off at the end")),
        "on/off, end over start": over(partial(_ratio, "on/off")),
        "selectivity, end over start": over(partial(_ratio, "selectivity")),
        "time": over(_age, "s"),
    }
    kept = [_holds_states(cell) for cell in taken.cells("retention", STACK)]
    words = "read at 0.7 V for 10 ms at times evenly spaced in log time; a state is lost when its current has changed twofold"
    return Measurement("syn-retention", words, found, counts={"cells": counted(kept, "cells keep both states")})


def syn_endurance(taken: Taken) -> Measurement:
    """How many cycles of sweeps were applied and how many of them had a window where they were looked at."""
    over = partial(taken.over, "endurance", STACK)
    found = {name: over(partial(_figure, "cycles", name)) for name in ("cycles applied", "cycles survived")}
    runs = [cell.run("cycles") for cell in taken.cells("endurance", STACK)]
    verdicts = [verdict for run in runs for verdict in run["verdict"][run["verdict"] != Verdict.NONE]]
    sound = counted([bool(verdict == Verdict.SOUND) for verdict in verdicts], "cycles read have on/off of at least 10")
    words = "sweeps of 0 to 2.5 V and 0 to -3 V; both states read at 0.7 V in some of the cycles"
    return Measurement("syn-endurance", words, found, counts={"sound": sound})


ROWS: dict[str, tuple[tuple[str, ...], Callable[[Taken], Measurement]]] = {
    "syn-retention": (("retention",), syn_retention),
    "syn-endurance": (("endurance",), syn_endurance),
    "syn-t-set": (("pulses",), partial(switching_time, "syn-t-set", 1)),
    "syn-t-reset": (("pulses",), partial(switching_time, "syn-t-reset", -1)),
    "syn-pot": (("pulses",), partial(branch, "syn-pot", 1)),
    "syn-dep": (("pulses",), partial(branch, "syn-dep", -1)),
    "syn-levels": (("pulses",), syn_levels),
    "syn-constant": (("pulses",), syn_constant),
}
