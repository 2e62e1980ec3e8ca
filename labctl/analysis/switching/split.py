"""Cut a plain list of voltages into half loops and cycles, for tables that say nothing of either."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import FloatArray

LEAST_ROWS = 3  #: away from 0 V that make a half loop


def half_loops(voltage: FloatArray, zero: float | None = None) -> list[slice]:
    """The half loops of programmed voltages, shape (n,), V, in order; the rows at 0 V beside them are part of them.

    zero: V, |voltage| up to which counts as 0; by default half of the median step. A half loop keeps its sign and goes up and
    down once: where |V| turns up again before it is at 0 (a loop between 0.1 V and 1 V), the next begins.
    """
    if voltage.size < LEAST_ROWS:
        return []
    moves = np.abs(np.diff(voltage))
    least = (float(np.median(moves[moves > 0])) / 2 if (moves > 0).any() else 0.0) if zero is None else zero
    sides = np.where(np.abs(voltage) <= least, 0, np.sign(voltage)).astype(np.int64)
    cuts = [0, *(np.flatnonzero(sides[1:] != sides[:-1]) + 1).tolist(), voltage.size]
    found = []
    for start, stop in pairwise(cuts):
        if sides[start] != 0:
            before, after = start > 0 and sides[start - 1] == 0, stop < voltage.size and sides[stop] == 0
            found += _once(np.abs(voltage), start - before, stop + after)
    return [rows for rows in found if rows.stop - rows.start >= LEAST_ROWS]


def numbered(voltage: FloatArray, zero: float | None = None) -> tuple[NDArray[np.int64], ...]:
    """Rows, cycle and segment of programmed voltages, shape (m,) each: half loop after half loop, as loops of I-V are stored.

    rows: places in the list; a row at 0 V that two half loops share is there twice, one outside of any not at all. segment: 1
    above 0 V, -1 below. cycle: from 1; the next begins where a polarity comes again.
    """
    rows, cycles, segments = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    number, seen = 1, set[int]()
    for half in half_loops(voltage, zero):
        side = 1 if voltage[half].sum() > 0 else -1
        if side in seen:
            number, seen = number + 1, set()
        seen.add(side)
        rows.append(np.arange(half.start, half.stop))
        cycles.append(np.full(rows[-1].size, number))
        segments.append(np.full(rows[-1].size, side))
    return np.concatenate(rows), np.concatenate(cycles), np.concatenate(segments)


def table(voltage: FloatArray, current: FloatArray, zero: float | None = None) -> dict[str, NDArray[Any]]:
    """The table of plain voltages and currents, shape (n,), V and A: level, voltage, current, cycle, segment.

    No status: which rows the compliance made is not known.
    """
    rows, cycle, segment = numbered(voltage, zero)
    level = voltage[rows]
    return {"level": level, "voltage": level, "current": current[rows], "cycle": cycle, "segment": segment}


def _once(size: FloatArray, start: int, stop: int) -> list[slice]:
    """The stretches from `start` to `stop` in which |V| rises and falls once, cut at its minima."""
    rises = np.sign(np.diff(size[start:stop]))
    moving = np.flatnonzero(rises != 0)
    turns = moving[1:][(rises[moving[1:]] > 0) & (rises[moving[:-1]] < 0)]
    cuts = [start, *(start + turns).tolist(), stop]
    return [slice(a, b + (b < stop)) for a, b in pairwise(cuts)]
