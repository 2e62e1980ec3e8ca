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
from labctl.analysis.switching.many import ON, SMALL
from labctl.contracts import Extracted
from labctl.quantities import show


class Verdict(Enum):
    """What the loops at one compliance say."""

    VOLATILE = "volatile"
    NONVOLATILE = "nonvolatile"
    NO_SWITCH = "does not switch"
    CONDUCTS = "conducts, never seen to switch"
    MIXED = "volatile in some loops"


DEFINITION = (
    "share of the loops after one in which the cell was on that switch on anew (a step of at least"
    f" {switching.LEAST_STEP:g} decades): 1 volatile; 0 nonvolatile, where the cell conducts from the start of those loops"
    f" (at least {show(ON, 'S')} between {SMALL[0]:g} and {SMALL[1]:g} of the peak) and was seen to switch on before"
)

Loop = Mapping[str, NDArray[Any]]


def switches(loop: Loop) -> bool:
    """Whether a loop switches on, on the way away from 0 V."""
    return switching.threshold_voltage(loop["level"], loop["current"]) is not None


def conducts(loop: Loop) -> bool:
    """Whether a cell is on at small voltage, on the way away from 0 V."""
    peak = int(np.argmax(np.abs(loop["level"])))
    level, current = np.abs(loop["level"][: peak + 1]), np.abs(loop["current"][: peak + 1])
    small = (level >= SMALL[0] * level[-1]) & (level <= SMALL[1] * level[-1]) & (level > 0)
    return bool(small.any()) and float(np.median(current[small] / level[small])) >= ON


def telling(loops: Sequence[Loop]) -> list[Loop]:
    """The loops that can show whether a cell was off again: those after a loop in which it was on."""
    return [loop for before, loop in pairwise(loops) if switches(before) or conducts(before)]


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
    if not all(conducts(loop) for loop in later):
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
    words = f"{DEFINITION}; {len(loops)} loops"
    return Extracted(f"{verdict.value} at {show(compliance, 'A')}", value, "", float("nan"), words)
