"""What pictures take from runs: numbers an axis can place, rows apart by status, sweeps, reads, series."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from labctl import plugins
from labctl.analysis import loops, reads
from labctl.contracts import FloatArray, Series, Status
from labctl.procedure import Procedure
from labctl.quantities import Column
from labctl.recipe_parts import Kind
from labctl.report.plots.style import finite, plain
from labctl.store import Run

Mask = NDArray[np.bool_]
KEPT = 30  #: runs whose series are kept: guess, more than a picture shows
#: flags of a row that is a current of the cell all the same: what limited it is part of what is looked at
LIMITED = Status.COMPLIANCE | Status.OTHER_COMPLIANCE


def numbers(run: Run, name: str) -> FloatArray:
    """A column as floats, NaN for what no axis can place."""
    return finite(run.columns[name])


def column(run: Run, name: str) -> Column:
    """The column's name, unit and label."""
    return next(item for item in run.header.columns if item.name == name)


def missing(run: Run, *names: str) -> str:
    """What is missing of some columns, "" if nothing is and there are rows."""
    absent = [name for name in names if name not in run.columns]
    if absent:
        return f"it has no column {' or '.join(absent)}"
    return "" if len(run) else "it has no rows"


def status(run: Run) -> NDArray[np.int64]:
    """The status of every row; all normal where the run keeps none."""
    if "status" in run.columns:
        return np.asarray(run.columns["status"], dtype=np.int64)
    return np.zeros(len(run), dtype=np.int64)


def flagged(run: Run, harmless: Status = LIMITED) -> Mask:
    """Rows with any flag but the `harmless` ones: drawn apart or left out."""
    return np.asarray((status(run) & ~int(harmless)) != 0)


def left_out(run: Run, rows: Mask, what: str = "rows") -> str:
    """A sentence that counts flagged rows and says why, "" for none."""
    count = int(np.count_nonzero(rows))
    if not count:
        return ""
    return f"{count} {what} left out by status ({reads.reasons(status(run)[rows]) or 'unknown flag'})"


def is_read(run: Run) -> Mask:
    """Rows that are reads of the cell; all where the run does not tell."""
    if "kind" in run.columns:
        return np.asarray(run.columns["kind"] == Kind.READ)
    return np.ones(len(run), dtype=bool)


def sweeps(run: Run, x: str) -> list[slice]:
    """The stretches of rows that are one sweep of column `x`: more than one row, more than one value."""
    found = loops.stretches(run.columns, ("kind", "cycle", "segment", "state", "compliance"))
    kind = run.columns.get("kind")
    levels = run.columns[x]
    return [
        rows
        for rows in found
        if rows.stop - rows.start > 1
        and (kind is None or kind[rows.start] == Kind.SWEEP)
        and levels[rows].min() != levels[rows].max()
    ]


def procedure(run: Run) -> type[Procedure] | None:
    """The recipe a run names, if one of that name is installed here; a name in a file chooses, it is never run."""
    name = run.header.procedure
    if name not in plugins.names("procedures"):
        return None
    try:
        return plugins.load("procedures", name, Procedure)  # type: ignore[type-abstract]
    except Exception:  # noqa: BLE001 - a recipe that can't be loaded costs its own pictures, not all others
        return None


_known: list[
    tuple[weakref.ref[Run], tuple[list[Series], str]]
] = []  #: of the runs looked at last, for as long as they live


def series(run: Run) -> tuple[list[Series], str]:
    """What differs from cycle to cycle in a run, by its recipe; and why there is nothing, "" if there is something.

    Extracted once for each run object: a picture asks for it more than once, and a long run takes seconds.
    """
    for known, found in _known:
        if known() is run:
            return found
    found = _series(run)
    _known[:] = [*_known[-KEPT:], (weakref.ref(run), found)]
    return found


def _series(run: Run) -> tuple[list[Series], str]:
    recipe = procedure(run)
    if recipe is None:
        return [], f"no procedure {plain(run.header.procedure)!r} is installed that could say what its cycles give"
    if not len(run):
        return [], "it has no rows"
    try:
        found = recipe.per_cycle(run.columns)
    except Exception as error:  # noqa: BLE001 - a table from elsewhere; the picture is refused with the reason
        return [], f"nothing can be extracted from it ({type(error).__name__}: {plain(error)})"
    usable = [item for item in found if np.isfinite(finite(item.values)).any()]
    return usable, "" if usable else f"{plain(run.header.procedure)} gives no quantity that differs from cycle to cycle"


def who(run: Run, short: bool = False) -> str:
    """What a run was made on, for a legend: sample, or simulated device; else its station or the file's name."""
    head = run.header
    on = head.sample or (f"simulated {head.device}" if head.simulated and head.device else head.station)
    seed = f", seed {head.seed}" if head.simulated and head.seed is not None and not head.sample and not short else ""
    return plain((on or (run.path.stem if run.path else head.uuid)) + seed, 48)


def names(runs: Sequence[Run]) -> list[str]:
    """A name for each run that tells them apart: what it was made on, with the start time where that is not enough."""
    found = [who(run) for run in runs]
    if len(set(found)) == len(found):
        return found
    times = [run.header.start_time[:19].replace("T", " ") for run in runs]
    both = [f"{name}, {time}" for name, time in zip(found, times, strict=True)]
    return both if len(set(both)) == len(both) else [f"{number}: {name}" for number, name in enumerate(found, 1)]


def title(runs: Sequence[Run]) -> str:
    """What a picture of these runs is of: procedure, sample, and how it ended unless it finished."""
    procedures = list(dict.fromkeys(plain(run.header.procedure, 40) for run in runs))
    what = ", ".join(procedures[:3])
    if len(runs) > 1:
        return f"{what}: {len(runs)} runs"
    end = "" if runs[0].state == "finished" else f", {runs[0].state}"
    return f"{what}, {who(runs[0])}{end}"
