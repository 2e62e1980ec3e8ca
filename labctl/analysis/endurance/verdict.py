"""Whether a cell that is cycled still has its window, and if not, why: collapse, stuck low, stuck high told apart.

A check is one read of the on and one of the off state, at one voltage. The first sound check is the reference. A read that the
compliance limited is judged by current over measured voltage, one that is saturated or no number not at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import reads
from labctl.analysis.methods import method
from labctl.contracts import Extracted, FloatArray

LEAST_SWITCH = 2.0  #: on over off below which a cell counts as not switching at all: guess
#: share of the first window, in decades, up to which a cell that does not switch counts as being in that state: guess
NEAR = 0.25
#: share of the first window, in decades, left in the last sound check, below which it was closing before: guess
CLOSING = 0.5
#: share of the read voltage below which a measured voltage is offset and noise, not the cell's: guess; some 150 uV at 0.1 V and
#: above is the SMU's offset on its low ranges. Two limited reads of a short are then alike, as they should be.
LEAST_VOLTAGE = 1e-3


class Verdict(IntEnum):
    """What a check says, stored in the column ``verdict`` of the check's last read."""

    NONE = 0  #: not a check's last read
    SOUND = 1
    COLLAPSED = 2  #: it still switches, or sits between both states, and the window is below the one asked for
    STUCK_LOW = 3  #: it does not switch and stays at low resistance
    STUCK_HIGH = 4  #: it does not switch and stays at high resistance
    NO_WINDOW = 5  #: there never was a window, so there is no state to be stuck in
    UNREAD = 6  #: a read is no number, so nothing is known of the cell


WORDS = {
    Verdict.SOUND: "sound",
    Verdict.COLLAPSED: "window collapse",
    Verdict.STUCK_LOW: "stuck low",
    Verdict.STUCK_HIGH: "stuck high",
    Verdict.NO_WINDOW: "no window from the start",
    Verdict.UNREAD: "no reading",
}
CRITERIA = (
    f"on/off below the window asked for; stuck: on/off below {LEAST_SWITCH:g} and, between the off and the on state of the"
    f" first sound check on a logarithmic scale, within {NEAR:.0%} of the on (stuck low) or the off state (stuck high), unless"
    f" the last sound check had less than {CLOSING:.0%} of the first one's decades; otherwise collapse"
)


@dataclass(frozen=True, slots=True)
class Check:
    """What was read in one check: |I| of the on and the off state, A, as `judged` has it."""

    on: float
    off: float

    @property
    def ratio(self) -> float:
        """On over off; infinite where nothing flows when off, 0 where nothing flows at all, NaN where a read is none."""
        if not (math.isfinite(self.on) and math.isfinite(self.off)):
            return math.nan
        if self.on <= 0:
            return 0.0
        return self.on / self.off if self.off > 0 else math.inf


def judged(
    level: FloatArray, voltage: FloatArray, current: FloatArray, status: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The current (A) of each read to judge it by, shape (n,); NaN where the read says nothing of the cell.

    |I|; of a read that a compliance limited, |I/V| times the read voltage: what it would have been.
    """
    floor = np.maximum(np.abs(voltage), LEAST_VOLTAGE * np.abs(level))
    share = np.where(floor > 0, np.abs(level), 1.0) / np.where(floor > 0, floor, 1.0)
    factor = np.where(reads.marked(status, reads.LIMITED), share, 1.0)
    return np.where(reads.usable(status), np.abs(current) * factor, math.nan)


def judge(check: Check, first: Check | None, last: Check | None, window: float) -> Verdict:
    """What `check` says; window: least on/off asked for.

    first, last: the first and the last sound check before this, None if there was none.
    """
    if not (math.isfinite(check.on) and math.isfinite(check.off)):
        return Verdict.UNREAD
    if check.ratio >= window:
        return Verdict.SOUND
    if first is None or last is None:
        return Verdict.NO_WINDOW
    if check.ratio >= LEAST_SWITCH or 0 < check.ratio < 1 / LEAST_SWITCH or _was_closing(first, last):
        return Verdict.COLLAPSED
    place = _place(check, first)
    if place > 1 - NEAR:
        return Verdict.STUCK_LOW
    return Verdict.STUCK_HIGH if place < NEAR else Verdict.COLLAPSED


def _was_closing(first: Check, last: Check) -> bool:
    """Whether the window had lost much of its decades before; not known, so no, where the first has no end."""
    return math.isfinite(first.ratio) and math.log(last.ratio) < CLOSING * math.log(first.ratio)


def _place(check: Check, first: Check) -> float:
    """Where the cell sits between the first off (0) and the first on state (1), on a logarithmic scale."""
    if check.on <= 0 or check.off <= 0:
        return 0.0  # nothing flows: as high in resistance as can be told
    if first.off <= 0:
        return 1.0 if check.off > 0.1 * first.on else 0.0  # no current to place it against; a tenth: guess
    return math.log(math.sqrt(check.on * check.off) / first.off) / math.log(first.on / first.off)


@method("end/verdict")
def end(cycles: FloatArray, verdicts: FloatArray, confirmed: bool = True) -> list[Extracted]:
    """How the test ended: the cycle from which on it had no window, named by the verdict; and failures that passed.

    cycles, verdicts: shape (n,), of the last read of each check; confirmed: whether enough checks failed for a verdict.
    """
    if cycles.size == 0:
        return []
    verdict, sound = Verdict(int(verdicts[-1])), np.flatnonzero(verdicts == Verdict.SOUND)
    tail = int(sound[-1]) + 1 if sound.size else 0  # where the checks begin that failed to the end
    words = "checks without a window, before the last one with a window"
    passing = Extracted("passing failures", float(tail - sound.size), "", math.nan, words)
    since = float(cycles[sound[-1]]) if sound.size else 0.0
    if verdict == Verdict.SOUND:
        return [_survived(since), passing]
    found, failing = float(cycles[tail]), cycles.size - tail
    run = f"first of {failing} failing checks in a row, {found - since:g} cycles after the last sound one"
    uncertainty = (found - since) / math.sqrt(12.0)
    if confirmed:
        return [Extracted(f"end: {WORDS[verdict]}", found, "", uncertainty, f"{run}; {CRITERIA}"), passing]
    words = f"{run}, too few for a verdict; looks like {WORDS[verdict]}"
    return [_survived(since), Extracted("end: unconfirmed", found, "", uncertainty, words), passing]


def _survived(cycle: float) -> Extracted:
    words = "last cycle checked that had its window, 0 for none; the life is at least that (censored)"
    return Extracted("cycles survived", cycle, "", math.nan, words)


@method("cycles/applied-and-read")
def counts(cycles: FloatArray, finished: FloatArray, checked: FloatArray) -> list[Extracted]:
    """How many cycles were applied and at how many of them both states were read.

    cycles: of every row; finished: of rows that show that the second half of a cycle was applied; checked: of the checks.
    """
    begun = float(cycles.max()) if cycles.size else 0.0
    whole = begun == 0 or bool(np.any(finished == begun))
    applied = begun if whole else begun - 1  # those before were applied, looked at or not
    words = "number of the last cycle with a row"
    if not whole:
        words += f" whose second half was applied, too; of cycle {begun:g} the first half, or part of it, was applied"
    return [
        Extracted("cycles applied", applied, "", math.nan, words),
        Extracted(
            "cycles read", float(np.unique(checked).size), "", math.nan, "cycles after which both states were read"
        ),
    ]


@method("flagged reads/status")
def flagged(status: NDArray[np.int64]) -> Extracted:
    """How many reads of checks are flagged, and what that means; status: of all of them."""
    marked = status[status != 0]
    words = "reads whose status is not normal" + (f": {reads.reasons(marked)}" if marked.size else "")
    rule = "; limited ones are judged by current over measured voltage, other flags but load line leave a read unread"
    return Extracted("flagged reads", float(marked.size), "", math.nan, words + (rule if marked.size else ""))


@method("on/off/checks")
def window(on: FloatArray, off: FloatArray, sound: NDArray[np.bool_]) -> list[Extracted]:
    """On over off of first and last check, their smallest; of the sound checks the median currents (A) of both states.

    on, off: as `judged` has them; a check with a read that is none has no on/off, and is no part of these.
    """
    ratios = np.array([Check(float(a), float(b)).ratio for a, b in zip(on, off, strict=True)])
    checks = f"{ratios.size} checks"
    ratios = ratios[np.isfinite(on) & np.isfinite(off)]
    if ratios.size == 0:
        return []
    of = f"of {ratios.size} read of {checks}"
    found = [
        Extracted("on/off at the start", float(ratios[0]), "", math.nan, f"|I| on over off, first check {of}"),
        Extracted("on/off at the end", float(ratios[-1]), "", math.nan, f"|I| on over off, last check {of}"),
        Extracted("smallest on/off", float(ratios.min()), "", math.nan, of),
    ]
    for name, values in (("I_on", on[sound]), ("I_off", off[sound])):
        if values.size:
            spread = float(values.std(ddof=1)) if values.size > 1 else math.nan
            definition = f"median of {values.size} sound checks, standard deviation"
            found.append(Extracted(name, float(np.median(values)), "A", spread, definition))
    return found
