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
    """The programmed voltage (V) at which |current| makes its largest step up, on the way away from 0 V.

    level, current: shape (n,), V and A, of a ramp or half loop; the part up to the greatest |level| is looked at. The
    uncertainty is that of a switch anywhere within the step: step / sqrt(12).
    """
    peak = int(np.argmax(np.abs(level)))
    jump = _steps(current[: peak + 1], floor)
    if jump.size == 0 or jump.max() < LEAST_STEP:
        return None
    row = int(np.argmax(jump)) + 1
    definition = f"level at the largest step of log10|I| away from 0 V (at least {LEAST_STEP} decades)"
    return Extracted(name, float(level[row]), "V", _spread(level[row - 1 : row + 1]), definition, (row - 1, row))


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
    """The programmed voltage (V) of the largest step down of |current| on the way away from 0 V, or None."""
    peak = int(np.argmax(np.abs(level)))
    drop = -_steps(current[: peak + 1], floor)
    if drop.size == 0 or drop.max() < np.log10(1.5):  # a gradual reset has no decade in one step; factor 1.5: guess
        return None
    row = int(np.argmax(drop)) + 1
    definition = "level at the largest drop of log10|I| away from 0 V (at least a factor 1.5)"
    return Extracted("V_reset", float(level[row]), "V", _spread(level[row - 1 : row + 1]), definition, (row - 1, row))


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


def _steps(current: FloatArray, floor: float) -> FloatArray:
    return np.diff(np.log10(np.maximum(np.abs(current), floor)))


def _spread(levels: FloatArray) -> float:
    return float(np.ptp(levels) / np.sqrt(12)) if len(levels) > 1 else float("nan")
