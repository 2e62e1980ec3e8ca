"""Every definition over the half loops of one polarity, fed one after the other.

A run of any length is analysed in the memory of one half loop: `HalfLoops.add` keeps some numbers of each and lets the rows go.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from labctl.analysis.switching import branches, limiting, offset, onset
from labctl.analysis.switching.half import HalfLoop
from labctl.analysis.switching.tally import Tally
from labctl.contracts import Extracted, Series

#: of the first peak: read voltage where the run has no reads: guess, below any switching voltage of a usable cell
READ_SHARE = 0.2
COMMON = (
    0.2  #: share of the half loops that must switch on (or off) for it to be told of: guess, a few odd ones are not
)
ON = 1e-8  #: S; a cell with at least this conductance at small voltage is on: guess, a hundred times a leak of 1e-10 S
SMALL = (0.1, 0.3)  #: shares of the peak at which the conductance before any switch is looked at: guess

Ask = Callable[[HalfLoop], Extracted | None]
#: in the order in which they are taken for the series, where at least half of the loops that switch give a value
SET: dict[str, Ask] = {
    "largest step": onset.largest_step,
    "half-closing": branches.set_half_closing,
    "steepest log slope": onset.steepest_log_slope,
    "steepest current": onset.steepest_current,
    "compliance onset": onset.compliance_onset,
    "knee": onset.knee,
    "largest ratio": branches.largest_ratio,
}
RESET: dict[str, Ask] = {
    "largest drop": offset.largest_drop,
    "maximum current": offset.max_current,
    "maximum conductance": offset.max_conductance,
    "half-closing": branches.reset_half_closing,
}
END: dict[str, Ask] = {"current minimum": offset.current_minimum, "reset current": offset.reset_current}
HOLD: dict[str, Ask] = {"largest drop": offset.hold_drop, "half-closing": branches.hold_half_closing}
OTHERS: dict[str, Ask] = {
    "at the switch": branches.on_off_at_switch,
    "area": branches.hysteresis_area,
    "self-compliance": limiting.self_compliance,
    "self-limited": limiting.self_limited,
    "exponent": limiting.exponent,
}
DECADES = ("at the switch", "self-compliance", "reset current")  #: of the above, averaged in decades
THRESHOLD = "current threshold"


class HalfLoops:
    """What the half loops of one polarity say; see this module's text.

    read: V, magnitude at which on/off and resistances are read, `READ_SHARE` of the peak by default; level: A, of the current
    thresholds, by default the `onset.middle_current` of the first half loop that switches on; suffix: ends the names.
    """

    def __init__(self, read: float = 0.0, level: float = 0.0, suffix: str = "") -> None:
        self.read, self.level, self.suffix = abs(read), level, suffix
        self.total = self.sets = self.resets = self.falls = 0
        self._set: dict[str, Tally] = {}
        self._reset: dict[str, Tally] = {}
        self._hold: dict[str, Tally] = {}
        self._others: dict[str, Tally] = {}

    def add(self, cycle: int, half: HalfLoop) -> None:
        """Take a half loop that was measured to its end."""
        on = on_from_start(half)
        self.total += 1
        self.sets, self.resets = self.sets + half.sets, self.resets + half.resets
        still = not half.sets and not half.resets
        self._ask(self._set, SET, cycle, half, half.peak if still and not on else math.nan)
        self._ask(self._reset, RESET, cycle, half, half.peak if still and on else math.nan)
        self._ask(self._reset, END, cycle, half)
        self._ask(self._hold, HOLD, cycle, half)
        self._ask(self._others, OTHERS, cycle, half)
        self.falls += any(tally.newest for tally in self._hold.values())
        self._at_level(cycle, half)
        self._at_read(cycle, half)

    @property
    def volatile(self) -> bool:
        """Whether most half loops that switch on switch off again on the way back."""
        return self.falls > self.sets / 2

    def found(self) -> list[Extracted]:
        """Every quantity by every definition: mean over the half loops, and the median by the first definition."""
        return [item for name, tally, both in self._told() for item in self._numbers(name, tally, both)]

    def series(self) -> list[Series]:
        """The quantities half loop by half loop, one definition each: the first that most loops give a value by."""
        made = [tally.series(name + self.suffix) for name, tally, first in self._told() if first]
        return [item for item in made if item is not None]

    def _ask(
        self, into: dict[str, Tally], table: dict[str, Ask], cycle: int, half: HalfLoop, bound: float = math.nan
    ) -> None:
        for key, ask in table.items():
            into.setdefault(key, Tally(key in DECADES)).add(cycle, ask(half), bound)

    def _at_level(self, cycle: int, half: HalfLoop) -> None:
        if not self.level and half.sets:
            self.level = onset.middle_current(half)
        up = onset.current_threshold(half, self.level) if self.level else None
        down = offset.hold_current_threshold(half, self.level) if self.level else None
        self._set.setdefault(THRESHOLD, Tally()).add(cycle, up)
        self._hold.setdefault(THRESHOLD, Tally()).add(cycle, down)

    def _at_read(self, cycle: int, half: HalfLoop) -> None:
        self.read = self.read or READ_SHARE * abs(half.peak)
        on: branches.Way = "out" if half.resets else "back"
        off: branches.Way = "back" if half.resets else "out"
        switched = half.sets or half.resets
        for key, item in {
            "on/off": branches.on_off(half, self.read),
            "LRS": branches.resistance(half, self.read, on, "LRS") if switched else None,
            "HRS": branches.resistance(half, self.read, off, "HRS") if switched else None,
            "selectivity": branches.selectivity(half, self.read, way=on) if switched else None,
        }.items():
            self._others.setdefault(key, Tally(log=True)).add(cycle, item)

    def _told(self) -> Iterator[tuple[str, Tally, bool]]:
        """Name, tally, and whether it is the first definition, of all that this polarity has to tell."""
        least = max(1.0, COMMON * self.total)
        if self.sets >= least:
            yield from self._group("V_th" if self.volatile else "V_set", self._set, self.sets)
            yield from self._group("V_hold", self._hold, self.falls) if self.volatile else ()
            yield from self._pick(
                ("self-compliance", True),
                ("self-limited", False),
                ("exponent", False),
                ("at the switch", self.volatile),
            )
        if self.resets >= least:
            ends = {key: self._reset[key] for key in END}
            yield from self._group("V_reset", {key: self._reset[key] for key in RESET}, self.resets)
            yield from ((tally.first.name, tally, False) for tally in ends.values() if tally.first)
        if self.total and max(self.sets, self.resets) >= least:
            states = () if self.volatile else (("on/off", True), ("LRS", True), ("HRS", True), ("selectivity", False))
            yield from self._pick(*states, ("area", False))

    def _group(self, name: str, tallies: dict[str, Tally], switched: int) -> Iterator[tuple[str, Tally, bool]]:
        first = next((key for key, tally in tallies.items() if tally.count and tally.count >= switched / 2), "")
        yield from ((name, tally, key == first) for key, tally in tallies.items())

    def _pick(self, *wanted: tuple[str, bool]) -> Iterator[tuple[str, Tally, bool]]:
        for key, first in wanted:
            tally = self._others[key]
            if tally.first is not None:
                yield tally.first.name, tally, first

    def _numbers(self, name: str, tally: Tally, both: bool) -> Iterator[Extracted]:
        mean = tally.share() if name == "self-limited" else tally.mean()
        median = tally.median() if both else None
        if mean is not None:
            yield replace(mean, name=name + self.suffix)
        if median is not None:
            yield replace(median, name=f"{name} (median){self.suffix}")


def on_from_start(half: HalfLoop) -> bool:
    """Whether the cell conducts at small voltage, before anything can have switched it."""
    level, current = np.abs(half.level[half.out]), np.abs(half.current[half.out])
    small = (level >= SMALL[0] * abs(half.peak)) & (level <= SMALL[1] * abs(half.peak))
    return bool(small.any()) and float(np.median(current[small] / level[small])) >= ON


def forming(ramp: HalfLoop) -> list[Extracted]:
    """The forming voltage of a ramp up, by every definition that finds one; current threshold as in `HalfLoops`."""
    found = [ask(ramp) for ask in SET.values()]
    if ramp.sets:
        found.append(onset.current_threshold(ramp, onset.middle_current(ramp)))
    return [replace(item, name="V_form") for item in found if item is not None]


def forming_series(ramp: HalfLoop) -> Series | None:
    """The forming voltage by the first definition that finds one, as a series of one; a bound where the ramp ended first.

    None for a cell that conducts from the start, and for no rows.
    """
    tally = Tally()
    for item in forming(ramp)[:1]:
        tally.add(1, item)
    if tally.total == 0 and ramp.out.size and not on_from_start(ramp):
        words = "end of the ramp, up to which nothing formed"
        tally.first = Extracted("V_form", ramp.peak, "V", math.nan, words)
        tally.add(1, None, ramp.peak)
    return tally.series("V_form")
