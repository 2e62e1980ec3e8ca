"""Currents as read: the state of a cell in one number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import reads
from labctl.analysis.methods import method
from labctl.contracts import Extracted, FloatArray


@method("I/last-read")
def last_read(
    level: FloatArray, current: FloatArray, status: NDArray[np.int64], rows: NDArray[np.bool_], name: str
) -> Extracted | None:
    """The current (A) of the last of some reads, with its sign; NaN with the reason where that is flagged; None for no read.

    level: programmed, V; current: A; status: flags; rows: which of them are the reads; shape (n,) each.
    """
    at = np.flatnonzero(rows)[-1:]
    if at.size == 0:
        return None
    words, last = f"read at {float(level[at[0]]):.3g} V", (int(at[0]),)
    if flagged := reads.reasons(status[at]):
        return Extracted(name, float("nan"), "A", float("nan"), f"{words}: {flagged}", last)
    return Extracted(name, float(current[at[0]]), "A", float("nan"), words, last)
