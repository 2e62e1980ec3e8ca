"""The rows of memory and stack that are swept: states, selectivity, switching voltages, their spread."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from labctl.contracts import FloatArray, Status
from labctl.paper import curves
from labctl.paper.plan import V_READ
from labctl.paper.results import NAN, Count, Measurement, Quantity, counted, median
from labctl.paper.taken import Cell, Taken
from labctl.quantities import show
from labctl.recipe_parts import Kind

WINDOW = (
    10.0  #: on/off from which on a cycle counts as one that set and reset: guess, as the recipe ``endurance`` has it
)
STACK = "synapse"


def mem_lrs(taken: Taken) -> Measurement:
    """The on current of the memory alone at the read voltage, after a set sweep at 1e-3 A."""
    words = f"|I| at {V_READ} V on the way out of a read sweep that no compliance limits, after a set sweep at 1 mA"
    return Measurement("mem-lrs", words, {"current": _memory(taken)})


def _memory(taken: Taken) -> Quantity:
    return taken.over("memory", "memory", partial(_state, "on", V_READ), "A")


# -- states ------------------------------------------------------------------------------------------------------------
def _state(step: str, voltage: float, cell: Cell) -> float:
    """|I| of a state at a voltage, on the way out of the sweep that reads it."""
    return curves.current_at(curves.halves(cell.run(step))[0], voltage)


def _read(state: int, cell: Cell) -> float:
    """|I| of the first read of a state (1 on, 0 off) that was written by a sweep; NaN where it is flagged."""
    run = cell.run("kept")
    rows = np.flatnonzero((run["kind"] == Kind.READ) & (run["segment"] == 1) & (run["state"] == state))
    first = rows[0] if rows.size else None
    sound = first is not None and run["status"][first] == Status.NORMAL
    return float(abs(run["current"][first])) if sound else NAN


def _figure(name: str, cell: Cell) -> float:
    return curves.figures(cell.run("kept")).get(name, NAN)


READ = f"read once at {V_READ} V for 10 ms, 1 s after a sweep wrote the state, no compliance reached"


def syn_lrs(taken: Taken) -> Measurement:
    """The on current of the stack, and how it compares with that of the memory alone."""
    found = taken.over("retention", STACK, partial(_read, 1), "A")
    alone = _memory(taken)
    ratio = found.value / alone.value
    error = ratio * math.hypot(found.uncertainty / found.value, alone.uncertainty / alone.value)
    share = Quantity(
        ratio, "", error, "both medians' standard errors in quadrature", nominal=found.nominal / alone.nominal
    )
    return Measurement("syn-lrs", f"|I| of the on state, {READ}", {"current": found, "over that of the memory": share})


def syn_onoff(taken: Taken) -> Measurement:
    """On over off of the stack at the read voltage."""
    found = taken.over("retention", STACK, partial(_figure, "on/off at the start"))
    return Measurement("syn-onoff", f"|I| of the on over that of the off state, each {READ}", {"on/off": found})


def syn_select(taken: Taken) -> Measurement:
    """Current of the on state at the read voltage over that at half of it."""
    found = taken.over("retention", STACK, partial(_figure, "selectivity at the start"))
    words = f"|I| of the on state {READ}, over |I| read at {V_READ / 2} V next"
    return Measurement("syn-select", words, {"selectivity": found})


# -- switching voltages ------------------------------------------------------------------------------------------------
def between_states(taken: Taken) -> float:
    """The current (A) half way between off and on on a logarithmic scale, both at the read voltage, medians over cells."""
    on, off = (taken.over("retention", STACK, partial(_read, state), "A").value for state in (1, 0))
    return math.sqrt(on * off)


def voltages(cell: Cell, segment: int, at: float) -> FloatArray:
    """V_set (segment 1; at: A) or V_reset (-1) of every cycle of a cell that shows one, V."""
    loops = curves.halves(cell.run("cycles"), segment)
    found = [curves.set_voltage(loop, at) if segment > 0 else curves.reset_voltage(loop) for loop in loops]
    return np.array([value for value in found if math.isfinite(value)])


def scatter(values: FloatArray) -> float:
    """sigma over |mu|, with n - 1."""
    return float(np.std(values, ddof=1) / abs(values.mean())) if values.size > 1 else NAN


def syn_set_cv(taken: Taken) -> Measurement:
    """sigma/mu of V_set over the cycles of a cell, median over cells."""
    at, cells = between_states(taken), taken.cells("stack", STACK)
    each = [voltages(cell, 1, at) for cell in cells]
    onsets = [
        np.array(
            [v for loop in curves.halves(cell.run("cycles")) if math.isfinite(v := curves.set_voltage(loop, 5e-6))]
        )
        for cell in cells
    ]
    found = {
        "sigma/mu": median([scatter(values) for values in each]),
        "mean": median([float(values.mean()) for values in each], "V"),
        "sigma/mu, |I| through 5 uA": median([scatter(values) for values in onsets]),
    }
    words = (
        f"V_set: |I| goes up through {show(at, 'A')}, half way (log) from off to on at {V_READ} V; sigma with n - 1 over the"
        " cycles of 50 in which the cell was off and is set"
    )
    count = Count(sum(values.size for values in each), 50 * len(cells), "cycles with a V_set")
    return Measurement("syn-set-cv", words, found, counts={"cycles": count}, method="V_set/current-threshold@1")


def syn_reset_cv(taken: Taken) -> Measurement:
    """sigma/mu of V_reset over the cycles of a cell, median over cells."""
    cells = taken.cells("stack", STACK)
    each = [voltages(cell, -1, NAN) for cell in cells]
    tops = [np.array([curves.most_current(loop) for loop in curves.halves(cell.run("cycles"), -1)]) for cell in cells]
    found = {
        "sigma/mu": median([scatter(values) for values in each]),
        "mean": median([float(values.mean()) for values in each], "V"),
        "sigma/mu, greatest |I|": median([scatter(values) for values in tops]),
    }
    words = "V_reset: level of the largest drop of log|I/V| after the selector turned on in the same sweep; sigma with n - 1"
    count = Count(sum(values.size for values in each), 50 * len(cells), "cycles with a V_reset")
    return Measurement("syn-reset-cv", words, found, counts={"cycles": count})


def syn_cells(taken: Taken) -> Measurement:
    """How far cells differ, against how far the cycles of a cell do: sigma of the cells' means over sigma within."""
    found: dict[str, Quantity] = {}
    at, cells = between_states(taken), taken.cells("stack", STACK)
    for name, segment in (("V_set", 1), ("V_reset", -1)):
        each = [voltages(cell, segment, at) for cell in cells]
        means = [float(values.mean()) for values in each]
        between = float(np.std(means, ddof=1)) if len(means) > 1 else NAN
        within = math.sqrt(float(np.mean([values.var(ddof=1) for values in each])))
        error = between / within / math.sqrt(2 * max(len(means) - 1, 1))
        of = f"standard error of a standard deviation of {len(means)} normal values"
        found[f"{name} between over within"] = Quantity(between / within, "", error, of)
        found[name] = median(means, "V")
    words = (
        "standard deviation of the mean switching voltages of the cells over that of the cycles within a cell (pooled)"
    )
    return Measurement("syn-cells", words, found)


def syn_bipolar(taken: Taken) -> Measurement:
    """In how many cycles the positive sweep set and the negative one reset."""
    flags = [flag for cell in taken.cells("stack", STACK) for flag in _bipolar(cell)]
    words = f"a cycle counts if |I| at {V_READ} V is ten times higher after the set than before it and than before the next set"
    return Measurement("syn-bipolar", words, counts={"cycles": counted(flags, "cycles of all cells")})


def _bipolar(cell: Cell) -> list[bool]:
    """For each cycle but the last (whose reset no later sweep looks at) whether it set and reset."""
    up = curves.halves(cell.run("cycles"))
    before = [_plain_current(loop, True) for loop in up]
    after = [_plain_current(loop, False) for loop in up]
    return [
        after[k] > WINDOW * before[k] and after[k] > WINDOW * before[k + 1] for k in range(len(up) - 1)
    ]  # fmt: skip


def _plain_current(loop: curves.Loop, rising: bool) -> float:
    """|I| at the read voltage, limited or not: a limited one is a lower bound, and ten times the off current all the same."""
    peak = int(np.argmax(np.abs(loop["level"])))
    rows = np.arange(peak + 1) if rising else np.arange(peak, len(loop["level"]))
    return float(abs(loop["current"][rows[np.argmin(np.abs(loop["level"][rows] - V_READ))]]))


ROWS: dict[str, tuple[tuple[str, ...], Callable[[Taken], Measurement]]] = {
    "mem-lrs": (("memory", "selector"), mem_lrs),
    "syn-lrs": (("retention", "memory"), syn_lrs),
    "syn-onoff": (("retention",), syn_onoff),
    "syn-select": (("retention",), syn_select),
    "syn-bipolar": (("stack",), syn_bipolar),
    "syn-set-cv": (("stack", "retention"), syn_set_cv),
    "syn-reset-cv": (("stack",), syn_reset_cv),
    "syn-cells": (("stack", "retention"), syn_cells),
}
