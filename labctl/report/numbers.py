"""What can be said of a run in numbers: asked of its recipe by today's definitions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from labctl import plugins
from labctl.contracts import Extracted, Series
from labctl.procedure import Procedure
from labctl.quantities import show
from labctl.store import Run, SlicedRun


@dataclass(frozen=True)
class Numbers:
    """Everything extracted from a run, its quantities over cycles, and why something is missing ("" where nothing is)."""

    found: tuple[Extracted, ...] = ()
    series: tuple[Series, ...] = ()
    problem: str = ""


def of(run: Run | SlicedRun) -> Numbers:
    """Analyse a run by today's definitions, a sliced one in the memory of a cycle where its recipe allows it.

    The name in a file only chooses among the recipes installed here.
    """
    name = run.header.procedure
    if name not in plugins.names("procedures"):
        return Numbers(problem=f"the procedure {name!r} is not installed here, so nothing is extracted")
    if not len(run):
        return Numbers(problem="the run has no rows")
    try:
        kind = plugins.load("procedures", name, Procedure)  # type: ignore[type-abstract]
        found, series = kind.analyze_slices(run.cycles() if isinstance(run, SlicedRun) else [run.columns])
        return Numbers(tuple(found), tuple(series))
    except Exception as error:  # noqa: BLE001 - a recipe's extraction must never cost the report of its run
        return Numbers(problem=f"nothing extracted: {type(error).__name__}: {error}")


def interval(item: Extracted) -> str:
    """The 95 % interval in words, "" where none is stated; an open end is a bound."""
    low, high = item.interval
    if math.isnan(low) or math.isnan(high):
        return ""
    if math.isinf(low) and math.isinf(high):
        return ""
    if math.isinf(high):
        return f"at least {show(low, item.unit, 3)}"
    if math.isinf(low):
        return f"at most {show(high, item.unit, 3)}"
    return f"{show(low, item.unit, 3)} to {show(high, item.unit, 3)}"
