"""Endurance of a whole run: its checks, the life of its cell, and what a sweep of it takes.

Tables are those of ``endurance``: ``kind`` (0 read, 2 point of a sweep), ``cycle``, ``segment`` (1 set, -1 reset), and
``verdict``, which is not 0 in the last read of a check.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import endurance, energy, loops
from labctl.analysis.endurance import Verdict, cycling, lifetimes
from labctl.contracts import Extracted, FloatArray, Series, Status

READ, SWEEP = 0, 2  #: in the column ``kind``
SET, RESET = 1, -1  #: in the column ``segment``
Rows = Mapping[str, NDArray[Any]]


def judged(rows: Rows, which: NDArray[np.bool_]) -> FloatArray:
    """The currents (A) by which some reads are judged, shape (k,)."""
    level, voltage, current, status = (rows[name][which] for name in ("level", "voltage", "current", "status"))
    return endurance.judged(level, voltage, current, status)


def last_reads(rows: Rows) -> NDArray[np.bool_]:
    """Which rows are the last read of a check, shape (n,)."""
    return np.asarray((rows["kind"] == READ) & (rows["verdict"] != Verdict.NONE))


def first_reads(rows: Rows) -> NDArray[np.bool_]:
    """Which rows are the read of the on state of a check, shape (n,)."""
    on = (rows["kind"] == READ) & (rows["segment"] == SET)
    return np.asarray(on & np.isin(rows["cycle"], rows["cycle"][last_reads(rows)]))


def counts(rows: Rows) -> list[Extracted]:
    """Cycles applied and cycles read; what a stop cut short shows no half of a cycle."""
    seen = rows["status"] & int(Status.PROVISIONAL) == 0
    finished = (rows["segment"] == RESET) & ((rows["kind"] == READ) | seen)
    return endurance.counts(rows["cycle"], rows["cycle"][finished], rows["cycle"][last_reads(rows)])


def checks(rows: Rows) -> cycling.Checks:
    """R (ohm) of both states at every check, from what the reads are judged by; unread ones counted, not kept."""
    last = last_reads(rows)
    cycles = np.unique(rows["cycle"][last])
    low, high = (_ohms(rows, which, cycles) for which in (first_reads(rows), last))
    return cycling.checks(cycles, low, high, counts(rows)[0].value)


def _ohms(rows: Rows, which: NDArray[np.bool_], cycles: NDArray[np.int64]) -> FloatArray:
    """The mean R (ohm) of some reads at each of `cycles`; NaN where none says anything. Every such read is of one of them."""
    current = judged(rows, which)
    with np.errstate(divide="ignore", invalid="ignore"):
        ohms = np.abs(rows["level"][which]) / current
    good = np.isfinite(ohms)
    place = np.searchsorted(cycles, rows["cycle"][which])[good]
    sums = np.bincount(place, ohms[good], cycles.size)
    number = np.bincount(place, minlength=cycles.size)
    return np.where(number > 0, sums / np.maximum(number, 1), math.nan)


def life(rows: Rows) -> lifetimes.Life | None:
    """The life of the cell as its verdicts have it; None without checks. Failing checks too few for a verdict end nothing."""
    last = last_reads(rows)
    cycles, sound = rows["cycle"][last].astype(np.float64), rows["verdict"][last] == Verdict.SOUND
    if not cycles.size:
        return None
    seen = np.flatnonzero(sound)
    survived = float(cycles[seen[-1]]) if seen.size else 0.0
    if not np.any(rows["confirmed"][last]):
        return lifetimes.Life(survived, math.inf)
    return lifetimes.Life(survived, float(cycles[seen[-1] + 1 if seen.size else 0]))


def energies(rows: Rows) -> list[Extracted]:
    """The median energy (J) of the kept sweeps that set and of those that reset; [] where none was kept."""
    found: dict[int, list[Extracted]] = {SET: [], RESET: []}
    names = {SET: "energy of a set sweep", RESET: "energy of a reset sweep"}
    for part in loops.stretches(rows, ("cycle", "segment", "kind")):
        sign = int(rows["segment"][part.start])
        if rows["kind"][part.start] != SWEEP or sign not in found:
            continue
        item = energy.of_pulse(
            rows["time"][part], rows["voltage"][part], rows["current"][part], rows["status"][part], names[sign]
        )
        found[sign] += [item] if item is not None else []
    medians = [energy.median(items) for items in found.values()]
    return [item for item in medians if item is not None]


def analyze(rows: Rows) -> list[Extracted]:
    """The failure between two checks, the window in each decade and its trend, the energies of kept sweeps."""
    read, ended = checks(rows), life(rows)
    trend = cycling.trend(read)
    found = [lifetimes.failure(ended)] if ended is not None else []
    found += [*cycling.per_decade(read), *([trend] if trend is not None else [])]
    return [*found, *energies(rows)]


def per_cycle(rows: Rows) -> list[Series]:
    """LRS, HRS and on/off at every check, by its cycle."""
    read = checks(rows)
    number, none = read.cycles.astype(np.int64), np.zeros(read.cycles.size, dtype=bool)
    words = f"read voltage over the current judged by, of the check after a cycle; {read.words}"
    named = (("LRS", "ohm", read.low), ("HRS", "ohm", read.high), ("on/off", "", read.ratio))
    return [
        Series(name, unit, number, values, none, words, "window/single-check@1", read.excluded)
        for name, unit, values in named
    ]
