"""A whole run of I-V loops, of one or both polarities, with or without reads between: fed stretch by stretch.

`of_tables` takes the run in slices of any size, so that a file needs not be in memory as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from labctl.analysis import loops, reads
from labctl.analysis.loops import Table
from labctl.analysis.methods import method
from labctl.analysis.switching.half import HalfLoop
from labctl.analysis.switching.many import HalfLoops
from labctl.analysis.switching.steps import complete, read_resistance
from labctl.analysis.switching.tally import Tally
from labctl.contracts import Extracted, Series

Named = TypeVar("Named", Extracted, Series)
SIDES = {1: "positive half", -1: "negative half"}
NO_COMPLIANCE: Mapping[int, float] = MappingProxyType({})
READS = {2: "R after the positive half loop", -2: "R after the negative half loop"}


class LoopRun:
    """Takes the stretches of a run as the recipe of I-V loops stores it: segments 1 and -1 half loops, 2 and -2 reads after.

    read, level: see `HalfLoops`; compliance: A, of the half loops of segment 1 and -1, where it is known; needed only where
    the table has no status. Half loops that were cut short are left out and counted in `cut_short`.
    """

    def __init__(self, read: float = 0.0, level: float = 0.0, compliance: Mapping[int, float] = NO_COMPLIANCE) -> None:
        self.compliance = compliance
        self.sides = {side: HalfLoops(read, level) for side in SIDES}
        self.reads = {segment: Tally(log=True) for segment in READS}
        self.cut_short = 0

    def add(self, stretch: Table) -> None:
        """Take one half loop or the reads after it: level, voltage, current, status, cycle, segment, all rows of one cycle."""
        cycle, segment = int(stretch["cycle"][0]), int(stretch["segment"][0])
        if segment in READS:
            self._read(cycle, segment, stretch)
        elif segment in SIDES and not complete(stretch):
            self.cut_short += 1
        elif segment in SIDES:
            self.sides[segment].add(cycle, HalfLoop.of(stretch, self.compliance.get(segment, math.nan)))

    def found(self) -> list[Extracted]:
        """Everything, definition beside definition; what both polarities show says which in its name."""
        items = [(side, item) for side, half in self.sides.items() for item in half.found()]
        return [*self._apart(items), *self._states()]

    def series(self) -> list[Series]:
        """What differs from cycle to cycle; resistances from the reads where there are any."""
        items = [(side, item) for side, half in self.sides.items() for item in half.series()]
        states = self._state_series()
        return [*(item for item in self._apart(items) if not states or item.name[:3] not in ("LRS", "HRS")), *states]

    def _read(self, cycle: int, segment: int, stretch: Table) -> None:
        rows = len(stretch["voltage"])
        sound = reads.usable(stretch["status"]) if "status" in stretch else np.ones(rows, bool)
        found = read_resistance(stretch["voltage"][sound], stretch["current"][sound], READS[segment])
        left = int(np.count_nonzero(~sound))
        self.reads[segment].add(cycle, found)
        self.reads[segment].excluded += left

    def _names(self) -> dict[int, str]:
        """What the reads after either half loop are of: the higher mean resistance is HRS, wherever it was read."""
        means = {segment: tally.mean() for segment, tally in self.reads.items() if tally.total}
        values = [item.value for item in means.values() if item is not None]
        if len(values) < len(READS) or values[0] == values[1]:
            return {segment: READS[segment] for segment in means}
        lower = min(READS, key=lambda segment: means[segment].value)  # type: ignore[union-attr]
        return {segment: "LRS" if segment == lower else "HRS" for segment in means}

    def _states(self) -> Iterator[Extracted]:
        """Resistances from the reads, and the window they make."""
        for segment, name in self._names().items():
            found, median = self.reads[segment].mean(), self.reads[segment].median()
            yield from (replace(item, name=name) for item in (found,) if item)
            yield from (replace(item, name=f"{name} (median)") for item in (median,) if item)
        pairs = self._window()
        yield from (item for item in (pairs.mean(),) if item)
        yield from (replace(item, name="window (median)") for item in (pairs.median(),) if item)

    def _state_series(self) -> list[Series]:
        made = [self.reads[segment].series(name) for segment, name in self._names().items()]
        return [item for item in (*made, self._window().series("window")) if item is not None]

    def _window(self) -> Tally:
        """HRS over LRS, read by read of the same cycle; empty unless both are read."""
        found, names = Tally(log=True), self._names()
        if set(names.values()) != {"LRS", "HRS"}:
            return found
        low, high = sorted(names, key=lambda segment: names[segment] == "HRS")
        lows, highs = self.reads[low].by_cycle(), self.reads[high].by_cycle()
        for cycle in sorted(lows.keys() & highs.keys()):
            found.add(cycle, window(lows[cycle], highs[cycle]))
        return found

    @staticmethod
    def _apart(items: Sequence[tuple[int, Named]]) -> list[Named]:
        """The items, with the polarity in the name of what both have."""
        names = {side: {item.name for where, item in items if where == side} for side in SIDES}
        both = names[1] & names[-1]
        return [
            replace(item, name=f"{item.name}, {SIDES[side]}") if item.name in both else item for side, item in items
        ]


@method("window/reads")
def window(lrs: float, hrs: float) -> Extracted | None:
    """HRS over LRS (ohm) of two reads of one cycle; None where one is no number. One pair says nothing of its uncertainty."""
    if not (math.isfinite(lrs) and math.isfinite(hrs) and lrs > 0):
        return None
    return Extracted("window", hrs / lrs, "", math.nan, "HRS over LRS, reads of the same cycle")


def of_tables(
    tables: Iterable[Table], read: float = 0.0, level: float = 0.0, compliance: Mapping[int, float] = NO_COMPLIANCE
) -> LoopRun:
    """A run whose table comes in slices, in order; read, level, compliance: as of `LoopRun`."""
    run = LoopRun(read, level, compliance)
    for stretch in loops.joined(tables):
        run.add(stretch)
    return run
