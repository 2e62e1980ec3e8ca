"""Where a cell switches, and its resistance when read: from one sweep or half loop, and over cycles.

Every function takes plain arrays of one branch or half loop in the order measured and returns `Extracted` with its
definition, or None where the curve shows no such switch. A switch is a step of |I| and of |I/V| between neighbouring levels.
Currents below `floor` count as `floor`, so that noise around zero makes no decades; rows at 0 V and rows that are no numbers
are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import loops
from labctl.analysis.methods import method
from labctl.contracts import Extracted, FloatArray

Rows = NDArray[np.int64]
FLOOR = 1e-12  #: A; below the noise of an autoranging SMU without a preamplifier: guess
LEAST_STEP = (
    0.7  #: decades between two neighbouring points that count as a switch: guess, from simulated threshold switches
)
LEAST_RESET = float(np.log10(1.5))  #: decades; a gradual reset has no larger single step: guess


@method("V_set/largest-step")
def threshold_voltage(
    level: FloatArray, current: FloatArray, name: str = "V_th", floor: float = FLOOR
) -> Extracted | None:
    """The programmed voltage (V) at which current and conductance make their largest step up, on the way away from 0 V.

    level, current: shape (n,), V and A, of a ramp or half loop; the part up to the greatest |level| is looked at. The
    uncertainty is that of a switch anywhere within the step: step / sqrt(12).
    """
    rows = _usable(level, current, away=True)
    at, step = largest(level, current, rows, floor)
    if step < LEAST_STEP:
        return None
    definition = f"level at the largest step up of log10|I/V| away from 0 V (at least {LEAST_STEP} decades)"
    return _at_step(name, level, level, rows[at : at + 2], 1, definition)


@method("V_hold/largest-drop")
def hold_voltage(level: FloatArray, voltage: FloatArray, current: FloatArray, floor: float = FLOOR) -> Extracted | None:
    """The measured voltage (V) of the last conducting point before the conductance makes its largest drop, on the way back.

    In compliance the source's level is not the cell's voltage, so the measured `voltage` is taken. None: the cell stayed
    conducting down to 0 V (nonvolatile), or never conducted.
    """
    rows = _usable(level, current, away=False)
    at, step = largest(level, current, rows, floor, down=True)
    if step < LEAST_STEP:
        return None
    definition = (
        f"measured voltage before the largest drop of log10|I/V| on the way back (at least {LEAST_STEP} decades)"
    )
    return _at_step("V_hold", voltage, level, rows[at : at + 2], 0, definition)


@method("V_reset/largest-drop")
def reset_voltage(level: FloatArray, current: FloatArray, floor: float = FLOOR) -> Extracted | None:
    """The programmed voltage (V) of the largest drop of the conductance on the way away from 0 V, or None."""
    rows = _usable(level, current, away=True)
    at, step = largest(level, current, rows, floor, down=True)
    if step < LEAST_RESET:
        return None
    definition = "level at the largest drop of log10|I/V| away from 0 V (at least a factor 1.5)"
    return _at_step("V_reset", level, level, rows[at : at + 2], 1, definition)


@method("resistance/reads")
def read_resistance(voltage: FloatArray, current: FloatArray, name: str) -> Extracted | None:
    """The resistance (ohm) from reads: mean of |V/I| over the rows, uncertainty its standard deviation (n - 1)."""
    rows = np.flatnonzero(np.isfinite(current) & (current != 0) & (voltage != 0))
    if rows.size == 0:
        return None
    values = np.abs(voltage[rows] / current[rows])
    spread = float(values.std(ddof=1)) if rows.size > 1 else float("nan")
    at = ", ".join(f"{v:.3g} V" for v in np.unique(np.round(voltage[rows], 3))[:3])
    definition = f"mean and standard deviation of |V/I| over {rows.size} reads at {at}"
    return Extracted(name, float(values.mean()), "ohm", spread, definition, tuple(int(row) for row in rows))


def by_cycle(columns: Mapping[str, NDArray[Any]], segment: int) -> list[dict[str, NDArray[Any]]]:
    """The complete loops of one segment, in order; columns must hold "cycle", "segment" and "level".

    A loop that was cut short (it does not come back to the level it began at) is left out: it would tell a threshold
    switch from a memory cell by chance. The arrays returned are views of the columns.
    """
    return [loop for rows in loops.of_segment(columns, segment) if complete(loop := loops.part(columns, rows))]


def complete(loop: Mapping[str, NDArray[Any]]) -> bool:
    """Whether a loop of more than one row comes back to the level it began at."""
    return len(loop["level"]) > 1 and bool(loop["level"][0] == loop["level"][-1])


def over_cycles(found: Sequence[Extracted | None], total: int) -> Extracted | None:
    """Mean over cycles of one quantity, definition with the count found.

    uncertainty: standard deviation over the cycles (n - 1) and that of a single loop (its voltage step), in quadrature.
    """
    values = [item for item in found if item is not None]
    if not values:
        return None
    numbers = np.array([item.value for item in values])
    spread = float(numbers.std(ddof=1)) if len(values) > 1 else 0.0
    single = float(np.sqrt(np.mean([item.uncertainty**2 for item in values])))
    first, mean, uncertainty = values[0], float(numbers.mean()), float(np.hypot(spread, single))
    definition = f"{first.definition}; mean of {len(values)} of {total} loops, standard deviation with the step's"
    return Extracted(first.name, mean, first.unit, uncertainty, definition, method=first.method)


def _usable(level: FloatArray, current: FloatArray, away: bool) -> Rows:
    """Rows from 0 V (without it) to the greatest |level|, or from there back."""
    if level.size == 0:
        return np.empty(0, np.int64)
    peak = int(np.argmax(np.abs(level)))
    rows = np.arange(peak + 1) if away else np.arange(peak, level.size)
    return rows[(np.abs(level[rows]) > 0) & np.isfinite(current[rows])]


def largest(level: FloatArray, current: FloatArray, rows: Rows, floor: float, down: bool = False) -> tuple[int, float]:
    """Position and size (decades, >= 0) of the largest switch between neighbouring `rows`; (0, 0) for none.

    A switch changes current and conductance alike: of both steps the smaller counts, so that neither a coarse step of
    voltage nor a constant current (compliance, an offset) under a changing voltage looks like one.
    """
    return greatest(sizes(level, current, rows, floor, down))


def sizes(level: FloatArray, current: FloatArray, rows: Rows, floor: float, down: bool = False) -> FloatArray:
    """The steps (decades, above 0 in the direction looked for) between neighbouring `rows`, shape (n - 1,), as `largest`."""
    amperes = np.log10(np.maximum(np.abs(current[rows]), floor))
    sign = -1 if down else 1
    return np.asarray(np.minimum(sign * np.diff(amperes), sign * np.diff(amperes - np.log10(np.abs(level[rows])))))


def greatest(sizes: FloatArray) -> tuple[int, float]:
    """Position and size of the greatest of some steps; (0, 0) for none above 0."""
    if sizes.size == 0:
        return 0, 0.0
    at = int(np.argmax(sizes))
    return at, max(float(sizes[at]), 0.0)


def trend(sizes: FloatArray) -> FloatArray:
    """The second greatest of the two steps before and the two after each, shape (n,), at least 0: what a steep curve steps by.

    The second, so that a switch that took two rows stands out all the same.
    """
    padded = np.concatenate([[-np.inf] * 2, sizes, [-np.inf] * 2])
    beside = np.stack([padded[place : place + sizes.size] for place in (0, 1, 3, 4)])
    return np.asarray(np.maximum(np.sort(beside, axis=0)[-2], 0.0))


def _at_step(name: str, values: FloatArray, level: FloatArray, rows: Rows, which: int, definition: str) -> Extracted:
    """The value of one of two neighbouring rows; it switched anywhere between them, so their values are the interval."""
    uncertainty, ends = float(np.ptp(level[rows]) / np.sqrt(12)), values[rows]
    interval = (float(ends.min()), float(ends.max()))
    return Extracted(name, float(ends[which]), "V", uncertainty, definition, tuple(rows.tolist()), interval)
