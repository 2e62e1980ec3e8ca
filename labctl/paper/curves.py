"""What one loop or one train of a run says, by the definitions of `labctl.analysis`; NaN where it does not say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import plasticity, reads, switching
from labctl.analysis.switching import onset, steps
from labctl.contracts import Extracted, FloatArray, Status
from labctl.paper.results import NAN
from labctl.plugins import load
from labctl.procedure import Procedure
from labctl.recipe_parts import Kind
from labctl.store import Run

Loop = Mapping[str, NDArray[Any]]


def halves(run: Run, segment: int = 1) -> list[dict[str, NDArray[Any]]]:
    """The whole half loops of a run: segment 1 the positive ones, -1 the negative ones."""
    return switching.by_cycle(run.columns, segment)


def number(found: Extracted | None) -> float:
    """The value of what was extracted, NaN for nothing."""
    return found.value if found is not None else NAN


def threshold(loop: Loop) -> float:
    """V_th of a half loop (V)."""
    return number(switching.threshold_voltage(loop["level"], loop["current"]))


def hold(loop: Loop) -> float:
    """V_hold of a half loop (V)."""
    return number(switching.hold_voltage(loop["level"], loop["voltage"], loop["current"]))


def set_voltage(loop: Loop, at: float) -> float:
    """The voltage (V) at which |I| goes up through `at` (A); NaN for a cell that was on, or does not stay on."""
    return number(onset.current_threshold(switching.HalfLoop.of(loop), at))


def reset_voltage(loop: Loop) -> float:
    """The level (V) of the largest drop of |I| and |I/V| after the largest step up, where a selector in series turned on.

    A gradual reset has one, too: there is no least drop. NaN for a sweep without a way out.
    """
    half = switching.HalfLoop.of(loop)
    rows = half.out[half.rise[0] + 1 :]
    if rows.size < 2:
        return NAN
    at, size = steps.largest(half.level, half.clean, rows, half.floor, down=True)
    return float(half.level[rows[at + 1]]) if size > 0 else NAN


def selector_on(loop: Loop) -> float:
    """The first level (V) after the largest step up on the way out, where a selector in series has just turned on; or NaN.

    A memory that is in its off state there was reset at once: its V_reset is this level at most.
    """
    half = switching.HalfLoop.of(loop)
    return float(half.level[half.risen[1]]) if half.rise[1] > 0 else NAN


def most_current(loop: Loop) -> float:
    """The level (V) of the greatest |I| on the way out: where a reset begins."""
    half = switching.HalfLoop.of(loop)
    return float(half.level[half.out[int(np.argmax(np.abs(half.current[half.out])))]])


def current_at(loop: Loop, voltage: float, rising: bool = True) -> float:
    """|I| (A) at the level nearest to `voltage` (V) on the way out, or back; NaN where the reading there is limited."""
    peak = int(np.argmax(np.abs(loop["level"])))
    rows = np.arange(peak + 1) if rising else np.arange(peak, len(loop["level"]))
    row = rows[np.argmin(np.abs(loop["level"][rows] - voltage))]
    return float(abs(loop["current"][row])) if loop["status"][row] == Status.NORMAL else NAN


def greatest(loop: Loop) -> float:
    """The greatest |I| of a loop (A)."""
    return float(np.max(np.abs(loop["current"])))


def limits_itself(loop: Loop, compliance: float) -> bool:
    """Whether a loop switched on and its current stayed below `compliance` (A) with no row flagged as limited."""
    free = not reads.marked(loop["status"], reads.LIMITED).any()
    return bool(np.isfinite(threshold(loop)) and free and greatest(loop) < compliance)


def on_off(loop: Loop) -> float:
    """Greatest |I| of a loop over |I| just below its threshold; NaN where it did not switch."""
    found = switching.threshold_voltage(loop["level"], loop["current"])
    return greatest(loop) / float(abs(loop["current"][found.rows[0]])) if found is not None else NAN


def geometric(values: Sequence[float]) -> float:
    """The geometric mean of the finite ones of some positive numbers."""
    kept = [value for value in values if np.isfinite(value)]
    return float(np.exp(np.mean(np.log(kept)))) if kept else NAN


# -- pulses -------------------------------------------------------------------------------------------------------------
SWITCHED = 10.0  #: factor by which a read must have changed for a pulse that set or reset: guess


def figures(run: Run) -> dict[str, float]:
    """What a run's recipe says at its end, by name."""
    kind = load("procedures", run.header.procedure, Procedure)  # type: ignore[type-abstract]
    return {item.name: item.value for item in kind.extract(run.columns)}


def pulse_times(run: Run) -> tuple[float, float]:
    """The switching times (s) of a +2 V and a -2 V pulse; NaN for one that did not change the current read tenfold.

    Without a set there is no reset.
    """
    found = figures(run)
    before, on, off = (abs(found.get(name, NAN)) for name in ("I before", "I after +2 V", "I after -2 V"))
    did_set = on > SWITCHED * before
    t_set = found.get("t_set", NAN) if did_set else NAN
    return t_set, found.get("t_reset", NAN) if did_set and off * SWITCHED < on else NAN


def switched(run: Run) -> bool:
    """Whether one pulse set the cell and the next reset it."""
    return bool(np.all(np.isfinite(pulse_times(run))))


# -- trains -----------------------------------------------------------------------------------------------------------
def train(run: Run, sign: int, cycle: int) -> FloatArray:
    """The conductances (S) read directly before a branch and after each of its pulses, NaN for a read that is flagged.

    sign: 1 potentiation, -1 depression; cycle from 1. The mean where a level was read more than once.
    """
    rows = {name: column[run["kind"] == Kind.READ] for name, column in run.columns.items()}
    values = np.where(reads.usable(rows["status"]), rows["conductance"], np.nan)
    mine = np.flatnonzero((rows["segment"] == sign) & (rows["cycle"] == cycle))
    if not mine.size or mine[0] == 0:
        return np.empty(0)
    pulses = rows["pulse"][mine]
    after = [float(np.mean(values[mine][pulses == pulse])) for pulse in np.unique(pulses)]
    return np.array([values[mine[0] - 1], *after])


def linearity(run: Run, sign: int, cycle: int) -> float:
    """R squared of the straight line through a branch, the level before its first pulse included."""
    return number(plasticity.linearity(train(run, sign, cycle), ""))
