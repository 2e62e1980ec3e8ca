"""Runs in words: what was extracted, what happened, how it ended."""

from __future__ import annotations

import math
from collections.abc import Iterator

from labctl import plugins
from labctl.contracts import Extracted
from labctl.procedure import Procedure
from labctl.quantities import show
from labctl.store import Event, Run


def extracted(run: Run) -> Iterator[str]:
    """One line per number of a run: value, uncertainty, definition; why there is none, where the extraction fails.

    The procedure's name in a file only chooses among installed recipes; a recipe not installed here extracts nothing.
    """
    name = run.header.procedure
    if name not in plugins.names("procedures") or not len(run):
        return
    try:
        kind = plugins.load("procedures", name, Procedure)  # type: ignore[type-abstract]
        found = kind.extract(run.columns)
    except Exception as error:  # noqa: BLE001 - a recipe's extraction must never cost the report of its run
        yield f"  nothing extracted: {type(error).__name__}: {error}"
        return
    for item in found:
        yield f"  {item.name} = {value(item)}  ({item.definition})"


def value(item: Extracted) -> str:
    """A number with its uncertainty, both in the same prefix of the unit."""
    if not math.isfinite(item.uncertainty):
        return show(item.value, item.unit, 4)
    if not item.unit:
        return f"{item.value:.4g} ± {item.uncertainty:.2g}"
    largest = max(abs(item.value), abs(item.uncertainty))
    prefixed = show(largest, item.unit, 4).rpartition(" ")[2]
    scale = largest / float(show(largest, item.unit, 17).partition(" ")[0]) if largest else 1.0
    return f"{item.value / scale:.4g} ± {item.uncertainty / scale:.2g} {prefixed}"


def event(item: Event) -> str:
    """One line for an event."""
    details = (f"{key} = {v:g}" if isinstance(v, (int, float)) else f"{key}: {v}" for key, v in item.details.items())
    return f"  {item.kind}: {', '.join(details)}" if item.details else f"  {item.kind}"
