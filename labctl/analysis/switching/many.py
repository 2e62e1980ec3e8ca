"""Every definition over the half loops of one polarity, fed one after the other.

A run of any length is analysed in the memory of one half loop: `HalfLoops.add` keeps some numbers of each and lets the rows go.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from labctl.analysis.switching import branches, limiting, offset, onset, steps
from labctl.analysis.switching.half import HalfLoop, Rows
from labctl.analysis.switching.tally import Tally
from labctl.contracts import Extracted, Series
from labctl.quantities import show

#: of the first peak: read voltage where the run has no reads: guess, below any switching voltage of a usable cell
READ_SHARE = 0.2
COMMON = (
    0.2  #: share of the half loops that must switch on (or off) for it to be told of: guess, a few odd ones are not
)
SMALL = (0.1, 0.3)  #: shares of the peak at which the conductance before any switch is looked at: guess
#: S; a cell that was never seen to switch and has at least this at small voltage is taken for on already: guess, a tenth of
#: the conductance quantum 2 e^2 / h = 77.5 uS (CODATA 2018), of the narrowest metallic filament
FORMED = 7.75e-6

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
STEPPED = ("largest step", "largest drop")  #: their intervals are steps of the levels
UNBOUNDED = ("largest ratio", "maximum conductance")  #: where an optimum lies: no interval of where the cell switches


class HalfLoops:
    """What the half loops of one polarity say; see this module's text.

    read: V, magnitude at which on/off and resistances are read, `READ_SHARE` of the peak by default; level: A, of the current
    thresholds, by default the `onset.middle_current` of the first half loop that switches on; suffix: ends the names.
    """

    def __init__(self, read: float = 0.0, level: float = 0.0, suffix: str = "") -> None:
        self.read, self.level, self.suffix = abs(read), level, suffix
        self.total = self.sets = self.resets = self.both = self.falls = 0
        self._set: dict[str, Tally] = {}
        self._reset: dict[str, Tally] = {}
        self._hold: dict[str, Tally] = {}
        self._others: dict[str, Tally] = {}
        self._states = _States()

    def add(self, cycle: int, half: HalfLoop) -> None:
        """Take a half loop that was measured to its end."""
        self._states.add(self.total, half)
        self.total += 1
        self.sets, self.resets = self.sets + half.sets, self.resets + half.resets
        self.both += half.sets and half.resets
        self._ask(self._set, SET, cycle, half, half.sets)
        self._ask(self._reset, RESET, cycle, half, half.resets)
        self._ask(self._reset, END, cycle, half)
        self._ask(self._hold, HOLD, cycle, half)
        self._ask(self._others, OTHERS, cycle, half)
        self.falls += any(tally.newest for tally in self._hold.values())
        self._at_level(cycle, half)
        self._at_read(cycle, half)

    def _settle(self) -> None:
        """Make bounds of the loops that did not switch: of V_set where the cell was off, of V_reset where it was on.

        Which it was, all loops together tell; so this is done when they are asked, again after more of them.
        """
        for place, peak, on in self._states.stills():
            for tally in self._set.values():
                tally.beyond(place, math.nan if on else peak)
            for key in RESET:
                self._reset[key].beyond(place, peak if on else math.nan)

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
        self, into: dict[str, Tally], table: dict[str, Ask], cycle: int, half: HalfLoop, wanted: bool = False
    ) -> None:
        """wanted: the loop switched, so that a definition without an answer lost it."""
        for key, ask in table.items():
            if key not in into:
                into[key] = Tally(key in DECADES, key in STEPPED, key not in UNBOUNDED)
            item = ask(half)
            into[key].add(cycle, item)
            into[key].lost += wanted and item is None

    def _at_level(self, cycle: int, half: HalfLoop) -> None:
        if not self.level and half.sets:
            self.level = onset.middle_current(half)
        up = onset.current_threshold(half, self.level) if self.level else None
        down = offset.hold_current_threshold(half, self.level) if self.level else None
        into = self._set.setdefault(THRESHOLD, Tally())
        into.add(cycle, up)
        into.lost += half.sets and up is None
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
        self._settle()
        least = max(1.0, COMMON * self.total)
        if self.sets >= least:
            passing = self.volatile or self.both > self.sets / 2  # a threshold on the way to a reset sets nothing
            yield from self._group("V_th" if passing else "V_set", self._set, self.sets)
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


def switching_on(halves: Sequence[HalfLoop]) -> list[Extracted | None]:
    """V_th and V_hold, or V_set of a cell that stays on: means of the first definitions of `SET` and `HOLD`, as `HalfLoops`."""
    sets = [onset.largest_step(half) for half in halves]
    holds = [offset.hold_drop(half) for half in halves]
    switched = [half for half in halves if half.sets]
    falls = sum(
        hold is not None or branches.hold_half_closing(half) is not None
        for half, hold in zip(halves, holds, strict=True)
    )
    if not switched or len(switched) < COMMON * len(halves):
        return []
    volatile = falls > len(switched) / 2
    name = "V_th" if volatile else "V_set"  # a cell that stays on is set; one that falls back passed a threshold
    on = steps.over_cycles([item and replace(item, name=name) for item in sets], len(halves))
    return [on, steps.over_cycles(holds, len(halves)) if volatile else None]


def switching_off(halves: Sequence[HalfLoop]) -> Extracted | None:
    """V_reset: mean of the first definition of `RESET`, as `HalfLoops`."""
    if sum(half.resets for half in halves) < max(1.0, COMMON * len(halves)):
        return None
    return steps.over_cycles([offset.largest_drop(half) for half in halves], len(halves))


class _States:
    """The on and off states of the loops that switch, and the loops that do not, which are compared with them.

    Of each loop some decades of conductance (S) are kept. The on state of a cell that falls back is seen above small voltage
    only, so the greatest conductance of the way back stands for it.
    """

    def __init__(self) -> None:
        self._on, self._off, self._still, self._peaks = (array("d") for _ in range(4))
        self._places = array("q")

    def add(self, place: int, half: HalfLoop) -> None:
        """Take the loop number `place`."""
        if half.sets and half.resets:
            return  # a selector in series: at small voltage it hides the state
        if half.sets:
            self._on.append(_conductance(half, half.back, greatest=True))
            self._off.append(_conductance(half, half.out))
        elif half.resets:
            self._on.append(_conductance(half, half.out))
            self._off.append(_conductance(half, half.back))
        else:
            self._places.append(place)
            self._peaks.append(half.peak)
            self._still.append(_conductance(half, half.out))

    def stills(self) -> Iterator[tuple[int, float, bool]]:
        """Place and peak (V) of each loop that does not switch, and whether the cell was on: nearer to that than to off.

        Nothing where the states are not known: no loop switches.
        """
        on, off = (np.array(column)[np.isfinite(column)] for column in (self._on, self._off))
        if not on.size or not off.size:
            return
        middle = float(np.median(on) + np.median(off)) / 2
        for place, peak, decades in zip(self._places, self._peaks, self._still, strict=True):
            if not math.isnan(decades):
                yield place, peak, decades > middle


def _conductance(half: HalfLoop, way: Rows, greatest: bool = False) -> float:
    """log10 of |I/V| (S) on one way, median at small voltage, or the greatest from there to the peak; NaN for no rows there."""
    level = np.abs(half.level[way])
    rows = way[(level >= SMALL[0] * abs(half.peak)) & ((level <= SMALL[1] * abs(half.peak)) | greatest)]
    decades = half.decades[rows] - np.log10(np.abs(half.level[rows]))
    return float(np.max(decades) if greatest else np.median(decades)) if rows.size else math.nan


def forming(ramp: HalfLoop) -> list[Extracted]:
    """The forming voltage of a ramp up, by every definition that finds one; current threshold as in `HalfLoops`."""
    found = [ask(ramp) for ask in SET.values()]
    if ramp.sets:
        found.append(onset.current_threshold(ramp, onset.middle_current(ramp)))
    return [replace(item, name="V_form") for item in found if item is not None]


def forming_series(ramp: HalfLoop) -> Series | None:
    """The forming voltage by the first definition that finds one, as a series of one; a bound where the ramp ended first.

    None for a cell that conducts from the start (it reaches the compliance without a jump, or at least `FORMED`: a guess, for
    one ramp shows no other state to compare with), and for no rows.
    """
    tally = Tally(stepped=True)
    for item in forming(ramp)[:1]:
        tally.add(1, item)
    if tally.total == 0 and ramp.out.size and not conducts(ramp):
        words = (
            f"end of the ramp, up to which nothing formed (a cell below {show(FORMED, 'S')} is taken for off: guess)"
        )
        tally.first = Extracted("V_form", ramp.peak, "V", math.nan, words)
        tally.add(1, None, ramp.peak)
    return tally.series("V_form")


def conducts(ramp: HalfLoop) -> bool:
    """Whether a cell that was not seen to switch on is on, as `forming_series` says."""
    small = _conductance(ramp, ramp.out)
    return bool(ramp.limited[ramp.out].any()) or small >= math.log10(FORMED)
