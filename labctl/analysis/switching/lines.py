"""Where a sampled curve goes through a value, and how steeply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labctl.contracts import FloatArray

#: standard deviations within which a row may be the greatest by chance: guess, of some hundred rows one lies 3 up
CHANCE = 4.0
FLAT = 0.5  #: share of the rows up to the end of a flat top from which it is none: guess


@dataclass(frozen=True, slots=True)
class Crossing:
    """log10 of a current (A) at a voltage, its standard deviation in decades, and whether the compliance made it."""

    value: float
    sigma: float
    limited: bool


def crossing(x: FloatArray, y: FloatArray, value: float) -> tuple[float, float, float] | None:
    """Where y goes through `value` the first time: x there, |dy/dx| and the step of x; None for nowhere.

    x: shape (n,), rising; between two rows on the straight line through them, the slope taken over up to 5 rows.
    """
    above = y >= value
    changes = np.flatnonzero(above[1:] != above[:-1])
    if changes.size == 0:
        return None
    at = int(changes[0])
    share = (value - y[at]) / (y[at + 1] - y[at])
    low, high = max(at - 1, 0), min(at + 2, x.size - 1)
    slope = max(abs(y[high] - y[low]) / (x[high] - x[low]), abs(y[at + 1] - y[at]) / (x[at + 1] - x[at]) / 2)
    return float(x[at] + share * (x[at + 1] - x[at])), float(slope), float(x[at + 1] - x[at])


def featureless(values: FloatArray, noise: float) -> bool:
    """Whether most rows up to the last that may be the greatest by chance may be it, too: a curve without a top.

    values: shape (n,), by rising voltage; noise: standard deviation of a value.
    """
    near = values >= values.max() - CHANCE * noise
    return float(near[: int(np.flatnonzero(near)[-1]) + 1].mean()) > FLAT


def flat_top(volts: FloatArray, values: FloatArray, at: int, error: float) -> tuple[float, float]:
    """Middle and extent (V) of the rows around `at` whose values lie within `error` of its own; at least a step."""
    near = values >= values[at] - error
    low = at - int(np.argmin(near[at::-1])) + 1 if not near[: at + 1].all() else 0
    high = at + int(np.argmin(near[at:])) - 1 if not near[at:].all() else values.size - 1
    step = float(np.ptp(volts[max(at - 1, 0) : at + 1])) or float(np.ptp(volts[at : at + 2]))
    return float((volts[low] + volts[high]) / 2), max(float(volts[high] - volts[low]), step)
