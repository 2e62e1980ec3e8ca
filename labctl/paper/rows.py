"""Every row that can be measured: which experiments it needs, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from labctl import plugins
from labctl.errors import LabctlError, UsageError
from labctl.paper import iv, lateral, pulsed, stack
from labctl.paper.results import Measurement
from labctl.paper.taken import Taken


@dataclass(frozen=True)
class Row:
    """One row of the paper. needs: experiments; measure: what makes the numbers from their runs."""

    id: str
    needs: tuple[str, ...]
    measure: Callable[[Taken], Measurement]


ROWS: dict[str, Row] = {
    name: Row(name, *about) for part in (iv, lateral, stack, pulsed) for name, about in part.ROWS.items()
}


def chosen(only: Iterable[str] = ()) -> list[Row]:
    """The rows with these names, all for none, in the paper's order. Raises UsageError for a name there is not."""
    wanted = list(only)
    for name in wanted:
        if name not in ROWS:
            raise UsageError(f"the paper has no row {name!r}{plugins.suggestion(name, list(ROWS))}; see --list")
    return [row for row in ROWS.values() if not wanted or row.id in wanted]


def measured(row: Row, taken: Taken) -> Measurement:
    """What the runs say for a row; with its problem where one that it needs is missing or can't be read."""
    mine = taken.afresh()
    try:
        found = row.measure(mine)
    except LabctlError as error:
        return Measurement(row.id, "", files=tuple(mine.used), problem=str(error))
    return replace(found, files=tuple(mine.used))
