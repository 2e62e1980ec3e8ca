"""Cut a table into the stretches that belong together: a cycle's segment, a train, a series of reads.

One pass over the key columns, whatever their number: the time does not grow with the number of cycles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Table = Mapping[str, NDArray[Any]]


def stretches(columns: Table, keys: Sequence[str] = ("cycle", "segment")) -> list[slice]:
    """The stretches of rows in which every key column keeps its value, in the order of the rows; [] for no rows.

    Keys that the table lacks are left out; without any there is one stretch.
    """
    there = [np.asarray(columns[name]) for name in keys if name in columns]
    rows = len(next(iter(columns.values()), ()))
    if rows == 0:
        return []
    edges = np.zeros(rows - 1, dtype=bool)
    for key in there:
        edges |= key[1:] != key[:-1]
    cuts = [0, *(np.flatnonzero(edges) + 1).tolist(), rows]
    return [slice(a, b) for a, b in pairwise(cuts)]


def part(columns: Table, rows: slice) -> dict[str, NDArray[Any]]:
    """A stretch of a table, as views of its columns."""
    return {name: column[rows] for name, column in columns.items()}


def of_segment(columns: Table, segment: int) -> Iterator[slice]:
    """The stretches of one segment, one a cycle, in the order measured."""
    for rows in stretches(columns):
        if columns["segment"][rows.start] == segment:
            yield rows
