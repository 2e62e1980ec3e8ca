"""Many ECM cells at once: each follows its own drive as if it were alone, but their equations are solved side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from labctl.contracts import Drive
from labctl.errors import UsageError

from .cell import EcmCell
from .circuits import Alone
from .tile_run import Numbers, Responses, Run


class Tiles:
    """Single ECM cells stepped together; after each call they are what they would be had each been advanced alone.

    Currents agree with `EcmCell.advance` to rounding, which a growing filament magnifies (ecm-model.md 6). A cell does not feel
    its neighbours: its bits do not depend on how many cells there are, in which order, or on how many threads. Cells with
    noise are slow: such a cell leaves its tile after every dwell.
    """

    def __init__(self, cells: Sequence[EcmCell], threads: int = 1) -> None:
        """Take cells in whatever state they are; threads: how many tiles to step at a time.

        Raises UsageError for no cells or threads, for a device of two cells or with a capacitance, and for a
        cell that is there twice.
        """
        if not cells or threads < 1:
            raise UsageError(f"tiles need cells and a thread, not {len(cells)} and {threads}")
        if len({id(cell) for cell in cells}) < len(cells):
            raise UsageError("a cell can be in the tiles only once")
        if not all(isinstance(cell._circuit, Alone) for cell in cells):
            raise UsageError("tiles take devices of one cell without a capacitance")
        self._cells, self._threads = list(cells), threads

    def advance(self, drive: Drive | Sequence[Drive], duration: float) -> Responses:
        """Let `duration` seconds (> 0) pass under a constant drive, the same or one for each cell; arrays of one dwell."""
        drives = [drive] if isinstance(drive, Drive) else drive
        columns = ([[getattr(d, name)] for d in drives] for name in ("voltage", "compliance", "resistance"))
        voltage, compliance, resistance = columns
        return self.play(voltage, duration, compliance, resistance)

    def play(
        self, voltage: ArrayLike, duration: ArrayLike, compliance: ArrayLike = math.inf, resistance: ArrayLike = 0.0
    ) -> Responses:
        """Hold one drive after the other: V, s (> 0), A (> 0), ohm.

        Each is a number, one number for each dwell, or an array of cells by dwells (by one: a number for each cell).
        Raises UsageError for what no cell can follow, before any has moved; LabctlError where cells need too many steps or
        rupture without end, when the others are done (those have followed up to there).
        """
        drives = _checked(voltage, compliance, resistance, duration)
        if drives.shape[0] not in (1, len(self._cells)) or drives.shape[1] == 0:
            raise UsageError(f"{len(self._cells)} cells can't follow drives of the shape {drives.shape[:-1]}")
        return Run(self._cells, drives).finish(self._threads)


def _checked(*parts: ArrayLike) -> Numbers:
    """Voltage, compliance, resistance and time (last axis) by cell (first axis, 1 if all follow the same) and dwell."""
    try:
        arrays = np.broadcast_arrays(*(np.atleast_2d(np.asarray(p, dtype=np.float64)) for p in parts))
    except ValueError as error:
        raise UsageError(f"these drives do not fit together: {error}") from error
    drives = np.stack(arrays, axis=-1)
    if drives.ndim != 3:
        raise UsageError(f"drives are numbers by cell and dwell, not of the shape {drives.shape[:-1]}")
    v, i_cc, r_src, dt = np.moveaxis(drives, -1, 0)
    good = np.isfinite(v) & (i_cc > 0.0) & np.isfinite(r_src) & (r_src >= 0.0) & np.isfinite(dt) & (dt > 0.0)
    if not good.all():
        *drive, seconds = drives[~good][0].tolist()
        raise UsageError(f"an ECM cell in a tile can't follow {Drive(*drive)} for {seconds} s")
    return drives
