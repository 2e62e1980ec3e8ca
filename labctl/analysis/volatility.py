"""Whether a cell is volatile, from I-V loops taken one after the other at one compliance.

A volatile cell is off again after every loop, so it switches on anew in each; a nonvolatile one stays on after the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import switching
from labctl.analysis.methods import method
from labctl.analysis.switching import offset, onset
from labctl.analysis.switching.many import SMALL
from labctl.contracts import Extracted
from labctl.quantities import show


class Verdict(Enum):
    """What the loops at one compliance say."""

    VOLATILE = "volatile"
    NONVOLATILE = "nonvolatile"
    NO_SWITCH = "does not switch"
    CONDUCTS = "conducts, never seen to switch"
    MIXED = "volatile in some loops"


#: S; where no loop switches, a cell with at least this conductance at small voltage is taken for on: guess, a hundred times a
#: leak of 1e-10 S
ON = 1e-8
DEFINITION = (
    "share of the loops after one in which the cell was on that switch on anew (a step of at least"
    f" {switching.LEAST_STEP:g} decades above the noise that the other way does not make, too): 1 volatile; 0 nonvolatile,"
    " where the cell was seen to switch on before and conducts from the start of those loops, between"
    f" {SMALL[0]:g} and {SMALL[1]:g} of the peak at least"
)

Loop = Mapping[str, NDArray[Any]]


def switches(loop: Loop) -> bool:
    """Whether a loop switches on, on the way away from 0 V: by a step, as `onset.largest_step` finds it."""
    return onset.largest_step(switching.HalfLoop.of(loop)) is not None


def least_on(loops: Sequence[Loop]) -> tuple[float, str]:
    """From which conductance (S) at small voltage a cell is on, and why: `switching.LEAST_STEP` decades above its own off
    state, before the loops that switch on; a guess (`ON`) where none does.
    """
    off = [_small(loop) for loop in loops if switches(loop) and _was_off(loop)]
    if not off:
        return ON, f"{show(ON, 'S')} (a guess: no loop shows the off state)"
    least = float(np.median(off)) * 10**switching.LEAST_STEP
    return least, f"{show(least, 'S')}, {switching.LEAST_STEP:g} decades above the off state of the loops that switch"


def _was_off(loop: Loop) -> bool:
    """Whether a loop that switches on began in an off state: it falls back to it, or ends well above where it began.

    A cell that was left half on steps up, too, and would pass for off.
    """
    half = switching.HalfLoop.of(loop)
    reversed_ = {name: column[::-1] for name, column in loop.items()}
    return offset.hold_drop(half) is not None or _small(reversed_) >= _small(loop) * 10**switching.LEAST_STEP


def conducts(loop: Loop, least: float = ON) -> bool:
    """Whether a cell is on at small voltage, on the way away from 0 V: by a conductance of at least `least` (S)."""
    return _small(loop) >= least


def _small(loop: Loop) -> float:
    """The median conductance (S) at small voltage on the way away from 0 V; 0 for no rows there."""
    peak = int(np.argmax(np.abs(loop["level"])))
    level, current = np.abs(loop["level"][: peak + 1]), np.abs(loop["current"][: peak + 1])
    small = (level >= SMALL[0] * level[-1]) & (level <= SMALL[1] * level[-1]) & (level > 0) & np.isfinite(current)
    return float(np.median(current[small] / level[small])) if small.any() else 0.0


def telling(loops: Sequence[Loop]) -> list[Loop]:
    """The loops that can show whether a cell was off again: those after a loop in which it was on."""
    least = least_on(loops)[0]
    return [loop for before, loop in pairwise(loops) if switches(before) or conducts(before, least)]


def judge(loops: Sequence[Loop], switched: bool) -> Verdict | None:
    """What loops at one compliance say; None for fewer than two. switched: the cell was seen to switch on before them."""
    if len(loops) < 2:
        return None
    later = telling(loops)
    if not later:
        return Verdict.NO_SWITCH if not switches(loops[-1]) else None
    anew = sum(switches(loop) for loop in later)
    if anew == len(later):
        return Verdict.VOLATILE
    if anew:
        return Verdict.MIXED
    least = least_on(loops)[0]
    if not all(conducts(loop, least) for loop in later):
        return Verdict.NO_SWITCH
    return Verdict.NONVOLATILE if switched or switches(loops[0]) else Verdict.CONDUCTS


@method("volatility/share-switching-anew")
def share(loops: Sequence[Loop], compliance: float, switched: bool) -> Extracted | None:
    """How many of the later loops at `compliance` (A) switch on anew, with the verdict in the name; switched: as `judge`."""
    verdict = judge(loops, switched)
    if verdict is None:
        return None
    later = telling(loops)
    value = sum(switches(loop) for loop in later) / len(later) if later else 0.0
    words = f"{DEFINITION} {least_on(loops)[1]}; {len(loops)} loops"
    return Extracted(f"{verdict.value} at {show(compliance, 'A')}", value, "", float("nan"), words)
