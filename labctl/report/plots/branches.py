"""The branches of sweeps in which the cell conducts freely on the way back from the peak: where current laws are sought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import conduction
from labctl.contracts import FloatArray
from labctl.quantities import show
from labctl.report.plots import rows, style
from labctl.store import Run

LEAST_ROWS = 8  #: of a branch: what `conduction` needs for a line
MOST = 60  #: branches of one kind that are looked at, evenly spaced over the cycles; the caption says how many


@dataclass(frozen=True)
class Branch:
    """The returning branch of one sweep. cycle: its number; v, i: magnitudes, shape (n,), V and A, above 0, as measured."""

    cycle: int
    v: FloatArray
    i: FloatArray


def of(run: Run) -> dict[str, list[Branch]]:
    """Branches by what was alike: polarity, and compliance where the run tells; those with fewer than 8 rows left out."""
    level = rows.numbers(run, "level")
    voltage, current = rows.numbers(run, "voltage"), rows.numbers(run, "current")
    status = rows.status(run)
    found: dict[str, list[Branch]] = {}
    for part in rows.sweeps(run, "level"):
        chosen = conduction.returning(level[part], voltage[part], current[part], status[part]) + part.start
        v, i = np.abs(voltage[chosen]), np.abs(current[chosen])
        along = (voltage[chosen] * current[chosen] > 0) & np.isfinite(v * i)
        if np.count_nonzero(along) >= LEAST_ROWS:
            found.setdefault(_name(run, part, level), []).append(_branch(run, part, v[along], i[along]))
    return {name: _thinned(items) for name, items in found.items()}


def lacks(run: Run) -> str:
    """A returning branch of at least 8 rows below compliance."""
    if reason := rows.missing(run, "level", "voltage", "current"):
        return reason
    return "" if of(run) else f"no sweep comes back from its peak with {LEAST_ROWS} rows that conduct below compliance"


def _branch(run: Run, part: slice, v: FloatArray, i: FloatArray) -> Branch:
    cycle: NDArray[np.int64] | None = run.columns.get("cycle")
    return Branch(0 if cycle is None else int(cycle[part.start]), v, i)


def _name(run: Run, part: slice, level: FloatArray) -> str:
    peak = float(level[part][np.nanargmax(np.abs(level[part]))])
    sign = "V > 0" if peak > 0 else "V < 0"
    if "compliance" not in run.columns:
        return sign
    compliance = float(rows.numbers(run, "compliance")[part.start])
    return f"{sign}, {style.micro(show(compliance, 'A', 3))}"


def _thinned(items: Sequence[Branch]) -> list[Branch]:
    chosen = np.unique(np.linspace(0, len(items) - 1, min(len(items), MOST)).astype(int))
    return [items[place] for place in chosen]
