"""Which reads say something of the cell, which do not, and what to change so that more of them do.

Functions take the column ``status`` of rows, shape (n,), `labctl.contracts.Status` as integers.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.methods import method
from labctl.contracts import Extracted, Status

LIMITED = Status.COMPLIANCE | Status.OTHER_COMPLIANCE
#: flags of a read whose current over measured voltage is the cell's conductance all the same: both were measured at one time
HARMLESS = LIMITED | Status.LOAD_LINE
#: what a flag of a read means and what to change, the worst first
_WORDS = (
    (Status.SKIPPED, "not applied"),
    (Status.OVERFLOW, "beyond its range: raise read_range"),
    (Status.THRESHOLD, "ended at a threshold of the pulse card"),
    (Status.INVALID, "no number"),
    (Status.PROVISIONAL, "cut short, its status unknown"),
    (Status.TOO_FAST, "too fast for the range: raise integration"),
    (Status.OSCILLATION, "oscillating"),
    (LIMITED, "limited: raise read_compliance"),
    (Status.LOAD_LINE, "not corrected for the card's own resistance"),
)


def usable(status: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether current over measured voltage of each read is the cell's conductance, shape (n,)."""
    return np.asarray((status & ~int(HARMLESS)) == 0)


def marked(status: NDArray[np.int64], flags: Status) -> NDArray[np.bool_]:
    """Whether each row has any of `flags`, shape (n,)."""
    return np.asarray((status & int(flags)) != 0)


def reasons(status: NDArray[np.int64]) -> str:
    """What is wrong with the flagged among some reads, as "2 beyond its range: raise read_range, ..."; "" where nothing is.

    A read with several flags counts under the worst.
    """
    left, parts = np.asarray(status, dtype=np.int64), []
    for flags, words in _WORDS:
        mine = marked(left, flags)
        if mine.any():
            parts.append(f"{np.count_nonzero(mine)} {words}")
        left = left[~mine]
    return ", ".join(parts)


@method("reads left out/status")
def left_out(status: NDArray[np.int64], name: str = "reads left out") -> Extracted | None:
    """How many reads were left out and why, or None for no read; status: of those left out, shape (n,)."""
    if status.size == 0:
        return None
    why = reasons(status) or "no number"
    return Extracted(name, float(status.size), "", math.nan, f"reads that no other figure counts: {why}")
