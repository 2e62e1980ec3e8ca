"""What can be said of a run in numbers: asked of its recipe by today's definitions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from labctl import plugins
from labctl.analysis.loops import Table
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


def of(run: Run | SlicedRun, passed: Callable[[int], None] = lambda rows: None) -> Numbers:
    """Analyse a run by today's definitions, a sliced one in the memory of a cycle where its recipe allows it.

    passed: told how many rows each slice had that was gone through. The name in a file only chooses among the recipes installed
    here.
    """
    name = run.header.procedure
    if name not in plugins.names("procedures"):
        return Numbers(
            problem=f"the procedure {name!r} is not installed here, so nothing is extracted"
            " (LABCTL_PLUGINS names a folder of your own; labctl plot --kind plain and labctl export work without)"
        )
    if not len(run):
        return Numbers(problem="the run has no rows")
    try:
        kind = plugins.load("procedures", name, Procedure)  # type: ignore[type-abstract]
        found, series = kind.analyze_slices(
            _told(run.cycles(), passed) if isinstance(run, SlicedRun) else [run.columns]
        )
        return Numbers(tuple(found), tuple(series))
    except Exception as error:  # noqa: BLE001 - a recipe's extraction must never cost the report of its run
        return Numbers(problem=f"nothing extracted: {type(error).__name__}: {error}")


def _told(tables: Iterable[Table], passed: Callable[[int], None]) -> Iterator[Table]:
    for table in tables:
        yield table
        passed(len(next(iter(table.values()))))


def interval(item: Extracted) -> str:
    """The 95 % interval in words, "" where none is stated; an open end is a bound."""
    low, high = item.interval
    if math.isnan(low) or math.isnan(high):
        return ""
    if math.isinf(low) and math.isinf(high):
        return ""
    if math.isinf(high):
        return f"at least {show(low, item.unit, 4)}"
    if math.isinf(low):
        return f"at most {show(high, item.unit, 4)}"
    digits = _digits(low, high)
    return f"{show(low, item.unit, digits)} to {show(high, item.unit, digits)}"


def _digits(low: float, high: float) -> int:
    """How many digits tell the ends of an interval apart, two of them in its width; 3 at least."""
    width, size = high - low, max(abs(low), abs(high))
    return min(12, max(3, math.ceil(math.log10(size / width)) + 2)) if width > 0 and size > 0 else 3
