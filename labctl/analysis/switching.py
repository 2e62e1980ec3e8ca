"""Where a cell switches: forming, threshold and hold voltages, set and reset, from one sweep or half loop.

Every function takes plain arrays of one branch or half loop in the order measured and returns `Extracted` with its
definition, or None where the curve shows no such switch. Currents below `floor` count as `floor`, so that noise around zero
makes no decades.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import Extracted, FloatArray

FLOOR = 1e-12  #: A; below the noise of an autoranging SMU without a preamplifier: guess
LEAST_STEP = 0.7  #: decades between two neighbouring points that count as a switch (physics note 8.12)


def threshold_voltage(
    level: FloatArray, current: FloatArray, name: str = "V_th", floor: float = FLOOR
) -> Extracted | None:
    """The programmed voltage (V) at which the conductance makes its largest step up, on the way away from 0 V.

    level, current: shape (n,), V and A, of a ramp or half loop; the part up to the greatest |level| is looked at. The
    uncertainty is that of a switch anywhere within the step: step / sqrt(12).
    """
    rows, jump = _outward(level, current, floor)
    if jump.size == 0 or jump.max() < LEAST_STEP:
        return None
    at = int(np.argmax(jump))
    definition = f"level at the largest step up of log10|I/V| away from 0 V (at least {LEAST_STEP} decades)"
    return _at_step(name, level, rows[at : at + 2], definition)


def hold_voltage(level: FloatArray, voltage: FloatArray, current: FloatArray, floor: float = FLOOR) -> Extracted | None:
    """The measured voltage (V) of the last conducting point before |current| makes its largest step down, on the way back.

    In compliance the source's level is not the cell's voltage, so the measured `voltage` is taken. None: the cell stayed
    conducting down to 0 V (nonvolatile), or never conducted.
    """
    peak = int(np.argmax(np.abs(level)))
    back = np.flatnonzero(np.abs(level[peak:]) > 0) + peak  # at 0 V itself there is no current to judge by
    drop = -_steps(current[back], floor)
    if drop.size == 0 or drop.max() < LEAST_STEP:
        return None
    at = int(np.argmax(drop))
    row = int(back[at])
    definition = f"measured voltage before the largest drop of log10|I| on the way back (at least {LEAST_STEP} decades)"
    return Extracted("V_hold", float(voltage[row]), "V", _spread(level[back[at : at + 2]]), definition, (row, row + 1))


def reset_voltage(level: FloatArray, current: FloatArray, floor: float = FLOOR) -> Extracted | None:
    """The programmed voltage (V) of the largest step down of the conductance on the way away from 0 V, or None."""
    rows, jump = _outward(level, current, floor)
    if jump.size == 0 or -jump.min() < np.log10(1.5):  # a gradual reset has no decade in one step; factor 1.5: guess
        return None
    at = int(np.argmin(jump))
    definition = "level at the largest drop of log10|I/V| away from 0 V (at least a factor 1.5)"
    return _at_step("V_reset", level, rows[at : at + 2], definition)


def resistance_at(level: FloatArray, current: FloatArray, at: float, rising: bool, name: str) -> Extracted | None:
    """|V/I| (ohm) at the level nearest to `at` (V) on the rising or the returning branch; None where the current is 0."""
    peak = int(np.argmax(np.abs(level)))
    rows = np.arange(peak + 1) if rising else np.arange(peak, len(level))
    row = int(rows[np.argmin(np.abs(level[rows] - at))])
    if current[row] == 0 or level[row] == 0:
        return None
    branch = "rising" if rising else "returning"
    definition = f"|V/I| at {level[row]:g} V on the {branch} branch"
    return Extracted(name, float(abs(level[row] / current[row])), "ohm", float("nan"), definition, (row,))


def by_cycle(columns: Mapping[str, NDArray[Any]], segment: int) -> list[dict[str, NDArray[Any]]]:
    """The rows of one segment, cut into cycles, in order; columns must hold "cycle" and "segment"."""
    chosen = columns["segment"] == segment
    return [
        {name: column[chosen & (columns["cycle"] == cycle)] for name, column in columns.items()}
        for cycle in np.unique(columns["cycle"][chosen])
    ]


def over_cycles(found: Sequence[Extracted | None], total: int) -> Extracted | None:
    """Mean over cycles of one quantity, uncertainty its standard deviation (n - 1), definition with the count found."""
    values = [item for item in found if item is not None]
    if not values:
        return None
    numbers = np.array([item.value for item in values])
    spread = float(numbers.std(ddof=1)) if len(values) > 1 else values[0].uncertainty
    definition = f"{values[0].definition}; mean and standard deviation of {len(values)} of {total} loops"
    return Extracted(values[0].name, float(numbers.mean()), values[0].unit, spread, definition, ())


def _outward(level: FloatArray, current: FloatArray, floor: float) -> tuple[NDArray[np.int64], FloatArray]:
    """Rows from 0 V (without) to the greatest |level|, and the steps of log10|I/V| between them, one fewer."""
    peak = int(np.argmax(np.abs(level)))
    rows = np.flatnonzero(np.abs(level[: peak + 1]) > 0)
    return rows, _steps(current[rows], floor) - np.diff(np.log10(np.abs(level[rows])))


def _at_step(name: str, level: FloatArray, rows: NDArray[np.int64], definition: str) -> Extracted:
    before, after = int(rows[0]), int(rows[1])
    return Extracted(name, float(level[after]), "V", _spread(level[rows]), definition, (before, after))


def _steps(current: FloatArray, floor: float) -> FloatArray:
    return np.diff(np.log10(np.maximum(np.abs(current), floor)))


def _spread(levels: FloatArray) -> float:
    return float(np.ptp(levels) / np.sqrt(12)) if len(levels) > 1 else float("nan")
