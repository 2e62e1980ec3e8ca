"""How well conductances were brought to their targets: the share reached, the distance left, the pulses it took.

Tables are those of ``pulse-verify``: rows of reads (``kind`` 0) with ``target``, ``conductance``, ``attempt`` and ``verdict``
(1 reached, 2 given up, 0 neither yet). A target that a stop cut short has no end, and counts nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.methods import method
from labctl.analysis.statistics import intervals
from labctl.contracts import Extracted, FloatArray, Series

READ = 0  #: in the column ``kind``
OPEN, REACHED = 0, 1  #: in the column ``verdict``
Rows = Mapping[str, NDArray[Any]]


@method("targets/reached")
def share(reached: NDArray[np.bool_]) -> Extracted | None:
    """The share of targets that ended in tolerance, with Clopper and Pearson's interval; reached: one a target, shape (n,)."""
    if reached.size == 0:
        return None
    hits = int(np.count_nonzero(reached))
    value = hits / reached.size
    definition = f"share of {reached.size} targets that ended in tolerance"
    error = math.sqrt(value * (1.0 - value) / reached.size) or math.nan  # of all or none it says nothing
    return Extracted("targets reached", value, "", error, definition, interval=intervals.share(hits, reached.size))


@method("targets/mean-over-reached")
def over_reached(values: FloatArray, name: str, words: str) -> Extracted | None:
    """The mean of a quantity over the targets reached, shape (n,); uncertainty: standard deviation; interval: of the mean."""
    if values.size == 0:
        return None
    mean, _, ends = intervals.mean(values)
    spread = float(values.std(ddof=1)) if values.size > 1 else math.nan
    definition = f"mean and standard deviation of {words} over {values.size} reached targets, interval of the mean"
    return Extracted(name, mean, "", spread, definition, interval=ends)


def extract(columns: Rows) -> list[Extracted]:
    """How many targets were reached, with how many pulses, and how far from the target the cells were left."""
    ends = _ends(columns)
    reached = columns["verdict"][ends] == REACHED
    found = [
        share(reached),
        over_reached(_errors(columns, ends[reached]), "error", "|G / target - 1|"),
        over_reached(columns["attempt"][ends[reached]].astype(np.float64), "pulses", "pulses for a target"),
    ]
    return [item for item in found if item is not None]


def per_target(columns: Rows) -> list[Series]:
    """For every target in its order: the distance left, and the pulses it took (a bound where it was given up)."""
    ends = _ends(columns)
    if not ends.size:
        return []
    numbers = np.arange(1, ends.size + 1)
    given_up = columns["verdict"][ends] != REACHED
    pulses = columns["attempt"][ends].astype(np.float64)
    none = np.zeros(ends.size, dtype=bool)
    words = "pulses for a target; of one that was given up, those applied until then"
    left = "|G / target - 1| at the last read of a target, reached or given up"
    return [
        Series("error", "", numbers, _errors(columns, ends), none, left),
        Series("pulses", "", numbers, pulses, given_up, words),
    ]


def _ends(columns: Rows) -> NDArray[np.int64]:
    """The reads at which a target was reached or given up."""
    return np.flatnonzero((columns["kind"] == READ) & (columns["verdict"] != OPEN))


def _errors(columns: Rows, rows: NDArray[np.int64]) -> FloatArray:
    return np.asarray(np.abs(columns["conductance"][rows] / columns["target"][rows] - 1.0))
