"""The rows of memory and stack that are swept: states, selectivity, switching voltages, their spread."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.statistics import distributions
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
    """V_set (segment 1; at: A) or V_reset (-1; as `resets`) of every cycle of a cell that shows one, V."""
    if segment < 0:
        return resets(cell)[0]
    found = [curves.set_voltage(loop, at) for loop in curves.halves(cell.run("cycles"))]
    return np.array([value for value in found if math.isfinite(value)])


def resets(cell: Cell) -> tuple[FloatArray, NDArray[np.bool_]]:
    """V_reset (V) of the cycles of a cell, and which of them are only bounds, shape (n,) each.

    A cycle that shows no drop but did set and reset, by the states before and after it, was off again at the level at which
    the selector had turned on: V_reset is taken as that level, and is nearer to 0 at most. Other cycles without a drop (no
    set, no reset, or the last one, which no later sweep looks at) are left out.
    """
    loops, did = curves.halves(cell.run("cycles"), -1), [*_bipolar(cell), False]
    drops = np.array([curves.reset_voltage(loop) for loop in loops])
    at_once = np.isnan(drops) & np.array(did[: len(loops)])
    levels = np.array([curves.selector_on(loop) for loop in loops])
    values = np.where(at_once, levels, drops)
    kept = np.isfinite(values)
    return values[kept], at_once[kept]


def _plain(cell: Cell) -> FloatArray:
    """V_reset (V) of those cycles only that show a drop."""
    values, bounds = resets(cell)
    return values[~bounds]


def _censored(cell: Cell) -> float:
    """sigma/mu of V_reset, cycles without a drop as bounds: of the likeliest normal distribution; NaN where there is none."""
    values, bounds = resets(cell)
    return curves.number(distributions.relative_spread(distributions.sample(values, below=bounds)))


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
    total = sum(len(curves.halves(cell.run("cycles"))) for cell in cells)
    count = Count(sum(values.size for values in each), total, "cycles with a V_set")
    return Measurement("syn-set-cv", words, found, counts={"cycles": count}, method="V_set/current-threshold@1")


def syn_reset_cv(taken: Taken) -> Measurement:
    """sigma/mu of V_reset over the cycles of a cell, median over cells."""
    cells = taken.cells("stack", STACK)
    each = [resets(cell)[0] for cell in cells]
    tops = [np.array([curves.most_current(loop) for loop in curves.halves(cell.run("cycles"), -1)]) for cell in cells]
    found = {
        "sigma/mu": median([scatter(values) for values in each]),
        "mean": median([float(values.mean()) for values in each], "V"),
        "sigma/mu, cycles without a drop as bounds": median([_censored(cell) for cell in cells]),
        "sigma/mu, only cycles with a drop": median([scatter(_plain(cell)) for cell in cells]),
        "sigma/mu, greatest |I|": median([scatter(values) for values in tops]),
    }
    words = (
        "V_reset: level of the largest drop of log|I/V| after the selector turned on in the same sweep; of a cycle that did set"
        " and reset but shows no drop (off as soon as the selector was on) the level at which it was on; sigma with n - 1"
    )
    total = sum(len(curves.halves(cell.run("cycles"), -1)) for cell in cells)
    early = sum(int(resets(cell)[1].sum()) for cell in cells)
    counts = {
        "cycles": Count(sum(values.size for values in each), total, "cycles with a V_reset"),
        "early": Count(early, total, "cycles reset as soon as the selector was on"),
    }
    return Measurement("syn-reset-cv", words, found, counts=counts)


def syn_cells(taken: Taken) -> Measurement:
    """How far cells differ, against how far the cycles of a cell do: sigma of the cells' means over sigma within."""
    found: dict[str, Quantity] = {}
    counts: dict[str, Count] = {}
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
        total = sum(len(curves.halves(cell.run("cycles"), segment)) for cell in cells)
        counts[name] = Count(sum(values.size for values in each), total, f"cycles with a {name}")
    words = (
        "standard deviation of the mean switching voltages of the cells over that of the cycles within a cell (pooled);"
        " V_set and V_reset as in syn-set-cv and syn-reset-cv"
    )
    return Measurement("syn-cells", words, found, counts=counts)


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
