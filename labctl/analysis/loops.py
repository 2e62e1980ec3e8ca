"""Cut a table into the stretches that belong together: a cycle's segment, a train, a series of reads.

One pass over the key columns, whatever their number: the time does not grow with the number of cycles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECE = 65_536  #: rows looked at at once: the memory that takes does not grow with the table
Table = Mapping[str, NDArray[Any]]


def stretches(columns: Table, keys: Sequence[str] = ("cycle", "segment")) -> list[slice]:
    """The stretches of rows in which every key column keeps its value, in the order of the rows; [] for no rows.

    Keys that the table lacks are left out; without any there is one stretch.
    """
    there = [np.asarray(columns[name]) for name in keys if name in columns]
    rows = len(next(iter(columns.values()), ()))
    if rows == 0:
        return []
    cuts = [0]
    for start in range(0, rows - 1, PIECE):
        pieces = [key[start : start + PIECE + 1] for key in there]
        changes = [np.flatnonzero(piece[1:] != piece[:-1]) for piece in pieces]
        cuts += (np.unique(np.concatenate(changes)) + start + 1).tolist() if changes else []
    cuts.append(rows)
    return [slice(a, b) for a, b in pairwise(cuts)]


def part(columns: Table, rows: slice) -> dict[str, NDArray[Any]]:
    """A stretch of a table, as views of its columns."""
    return {name: column[rows] for name, column in columns.items()}


def of_segment(columns: Table, segment: int) -> Iterator[slice]:
    """The stretches of one segment, one a cycle, in the order measured."""
    for rows in stretches(columns):
        if columns["segment"][rows.start] == segment:
            yield rows


def joined(tables: Iterable[Table], keys: Sequence[str] = ("cycle", "segment")) -> Iterator[dict[str, NDArray[Any]]]:
    """The stretches of a table that comes in slices, each whole: one that runs on in the next slice is put together.

    Views where a stretch lies within one slice. In memory: the slice, and the stretch that is not at its end yet.
    """
    waiting: list[dict[str, NDArray[Any]]] = []
    for table in tables:
        for rows in stretches(table, keys):
            piece = part(table, rows)
            if waiting and any(waiting[0][key][0] != piece[key][0] for key in keys if key in piece):
                yield _one(waiting)
                waiting = []
            waiting.append(piece)
    if waiting:
        yield _one(waiting)


def _one(pieces: list[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    if len(pieces) == 1:
        return pieces[0]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
