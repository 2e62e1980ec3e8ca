"""Runs in words: what was extracted, what happened, how it ended."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator

from labctl import plugins
from labctl.contracts import Extracted
from labctl.logs.lines import UNITS
from labctl.procedure import Procedure
from labctl.quantities import prefix_of, show, takes_prefix
from labctl.store import Event, Run

FIXED, SMALL, MOST = (
    1e5,
    1e-3,
    6,
)  #: numbers from the first on, and below the second, have an exponent; most decimals without one
FLOATS = 2**1023  #: integers below this one are within a float's range
BRIEF = 70  #: characters of a definition beside its number


def extracted(run: Run, brief: bool = False) -> Iterator[str]:
    """One line per number of a run: value, uncertainty, definition; why there is none, where the extraction fails.

    brief: definitions are cut to what fits into a line.
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
        definition = _brief(item.definition) if brief else item.definition
        yield f"  {item.name} = {value(item)}  ({definition})"


def _brief(definition: str) -> str:
    """The beginning of a definition that fits into a line, without a bracket left open."""
    if len(definition) <= BRIEF:
        return definition
    first = definition.split("; ")[0]
    if len(first) > BRIEF:
        first = textwrap.shorten(first, BRIEF - 2, placeholder="")
        while first.count("(") > first.count(")"):
            first = first[: first.rindex("(")].rstrip()
    return f"{first} …"


def value(item: Extracted) -> str:
    """A number with its uncertainty, both in the same prefix of the unit, to the second digit of the uncertainty."""
    if math.isnan(item.value):
        return "not reached" if any(map(math.isinf, item.interval)) else "no value"
    if not math.isfinite(item.uncertainty) or _is_lopsided(item):
        return show(item.value, item.unit, 4)
    largest = float(f"{max(abs(item.value), abs(item.uncertainty)):.4g}")
    if not largest or not takes_prefix(item.unit):
        return f"{_rounded(item.value, item.uncertainty)} {item.unit}".rstrip()
    power, prefix = prefix_of(largest)
    return f"{_rounded(item.value / 10.0**power, item.uncertainty / 10.0**power)} {prefix}{item.unit}"


def _is_lopsided(item: Extracted) -> bool:
    """Whether value ± uncertainty would mislead, since it is known within a factor only; the interval says how well."""
    return item.interval[0] > 0 and item.uncertainty > 0.5 * item.value


def _rounded(number: float, uncertainty: float) -> str:
    """Both to the place of the second digit of the uncertainty; exponents where plain digits say too little."""
    size = max(abs(number), abs(uncertainty))
    places = max(1 - math.floor(math.log10(uncertainty)), 0) if uncertainty > 0 else 0
    if uncertainty <= 0.0 or not SMALL <= size < FIXED or places > MOST:
        return f"{number:.4g} ± {uncertainty:.2g}"
    return f"{number:.{places}f} ± {uncertainty:.{places}f}"


def _is_short(value: object) -> bool:
    """Whether it is a number that a float can hold; JSON has integers of any length."""
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < FLOATS)


def event(item: Event) -> str:
    """One line for an event; numbers with the units that logs give them, too."""
    details = (
        f"{key} = {show(float(v), UNITS.get(key, ''))}" if _is_short(v) else f"{key}: {v}"
        for key, v in item.details.items()
    )
    return f"  {item.kind}: {', '.join(details)}" if item.details else f"  {item.kind}"
