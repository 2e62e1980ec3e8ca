"""One call of `Tiles`: cells go into the tile and come out of it where something happens that needs more than arithmetic."""

# so many names that a line for each would fill a page
# isort: off
from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import Drive
from labctl.errors import LabctlError
from labctl.jit import enabled, vector

from .cell import MAX_RUPTURES, EcmCell
from .filament import NM
from .integrator import MAX_TRIES, STATE_SIZE
from .parameters import SOUND
from .tile_layout import LANES, PARAMETERS, ROWS
from .tile_play import (
    AT, EXHAUSTED, FINISHED, FOUND, GAVE_UP, HAPPENED, NOTES, PAUSES, PRECISION, TRIAL, TRIES, TRYING, WHY, play,
)  # fmt: skip

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Responses:
    """What is seen of each cell (first axis) at the end of each dwell (second axis), as `Response`: A, V, in compliance?"""

    current: Numbers
    voltage: Numbers
    in_compliance: NDArray[np.bool_]


class Run:
    """Some cells on their way through their dwells."""

    def __init__(self, cells: Sequence[EcmCell], drives: Numbers) -> None:
        """Take the cells as they are; drives: V, A, ohm, s (last axis) by cell (first, 1 if all follow the same) and dwell."""
        self._cells = cells
        self._parts = [next(iter(cell._filaments.values())) for cell in cells]
        self._given, self._steps = drives, drives.shape[1]
        self._stride = 0 if len(drives) == 1 else self._steps
        self._drives = _flat(drives)
        self._found = _flat(np.zeros((len(cells), self._steps, FOUND)))
        self._p, self._s = (
            _flat(np.array([getattr(part, name) for part in self._parts])) for name in ("packed", "state")
        )
        self._notes = _flat(np.zeros(NOTES * len(cells)))
        self._struck: Counter[tuple[int, int]] = Counter()
        self._failed: dict[int, str] = {}
        self._clock: dict[tuple[float, int, int, int], float] = {}
        for cell in range(len(cells)):
            self._note(cell)

    def finish(self, threads: int) -> Responses:
        """Play all dwells to all cells, and leave the cells as they are then. Raises LabctlError where one could not follow."""
        queue = list(range(len(self._cells)))
        while queue:
            self._round(queue, threads)
            queue = [cell for cell in queue if self._goes_on(cell)]
        if self._failed:
            cell, what = next(iter(self._failed.items()))
            raise LabctlError(
                f"cell {cell} of the tiles {what} ({len(self._failed)} of {len(self._cells)} cells failed)"
            )
        current, voltage, limited = np.moveaxis(np.reshape(self._found, (-1, self._steps, FOUND)), -1, 0)
        return Responses(current.copy(), voltage.copy(), limited > 0.5)

    def _round(self, queue: list[int], threads: int) -> None:
        """Play to the cells of the queue until each is done or has to come out; every thread has a tile of its own."""
        size = math.ceil(len(queue) / threads)
        parts = [queue[first : first + size] for first in range(0, len(queue), size)]
        if len(parts) == 1:
            self._play(queue)
            return
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(self._play, parts))

    def _play(self, queue: list[int]) -> None:
        values = [self._parts[cell].values for cell in queue]
        damaging = any(min(v["v_bd"], v["j_burn"]) < math.inf for v in values)
        supplying, linear = any(v["q_in"] > 0.0 for v in values), all(v["p_r"] == 1.0 for v in values)
        tile, waiting = _flat(np.zeros(ROWS * LANES)), vector(map(float, queue))
        play(
            tile, self._p, self._s, self._notes, waiting, len(queue), self._drives, self._stride, self._found,
            self._steps, damaging, supplying, linear,
        )  # fmt: skip

    def _goes_on(self, cell: int) -> bool:
        """Do what a cell has come out for; tell whether it has to go in again."""
        part, why, step = self._parts[cell], float(self._notes[NOTES * cell + WHY]), int(self._notes[NOTES * cell + AT])
        self._bring(cell)
        if why == HAPPENED:
            part.happen()
            self._struck[cell, step] += 1
        elif why == GAVE_UP:
            part.renew()
        elif why == FINISHED and part.flickers:
            self._watch(cell, step - 1)
        failed = self._failure(cell, why, step)
        if failed:
            self._failed[cell] = failed
        if failed or (why == FINISHED and step == self._steps):
            # of a cell with noise `_watch` has counted the time
            self._pass(cell, slice(0, 0 if part.flickers else step))
            return False
        self._brief(cell)
        return True

    def _failure(self, cell: int, why: float, step: int) -> str:
        """Why a cell can't go on, if so, in the words of `EcmCell.advance`."""
        if why == EXHAUSTED:
            return f"needs more than {MAX_TRIES} steps for {self._drive(cell, step)}"
        if self._struck[cell, step] >= MAX_RUPTURES:
            return f"ruptures more than {MAX_RUPTURES} times in one dwell under {self._drive(cell, step)}"
        return ""

    def _note(self, cell: int) -> None:
        """Tell the tile what it has to know of a cell beside parameters and state."""
        part = self._parts[cell]
        for place, value in (
            (PRECISION, self._cells[cell].tolerance / NM),
            (TRIES, float(part._varies and part._broken == SOUND)),
            (TRYING, float(part._tried)),
            (TRIAL, part._attempt),
            (PAUSES, float(part.flickers)),
        ):
            self._notes[NOTES * cell + place] = value

    def _brief(self, cell: int) -> None:
        """Give a cell that goes in again the parameters and the state it has now."""
        part, p, s = self._parts[cell], PARAMETERS * cell, STATE_SIZE * cell
        self._p[p : p + PARAMETERS] = part.packed
        self._s[s : s + STATE_SIZE] = part.state
        self._note(cell)

    def _bring(self, cell: int) -> None:
        """Give a cell the state it has come out with."""
        part, s = self._parts[cell], STATE_SIZE * cell
        state: Any = part.state
        state[:] = self._s[s : s + STATE_SIZE]
        part._tried = bool(self._notes[NOTES * cell + TRYING] > 0.5)

    def _drive(self, cell: int, step: int) -> Drive:
        """What a cell was following in a dwell."""
        v, i_cc, r_src, _ = self._given[cell if self._stride else 0, step].tolist()
        return Drive(v, i_cc, r_src)

    def _pass(self, cell: int, steps: slice) -> None:
        """Let a cell know that the time of some dwells has passed, added up one by one as `EcmCell.advance` does."""
        before = self._cells[cell]._time
        key = (before, steps.start, steps.stop, cell if self._stride else 0)
        if key not in self._clock:
            *_, self._clock[key] = accumulate(self._given[key[-1], steps, 3].tolist(), initial=before)
        self._cells[cell]._time = self._clock[key]

    def _watch(self, cell: int, step: int) -> None:
        """See a noisy cell as it is at the end of a dwell, as `EcmCell.advance` does."""
        self._pass(cell, slice(step, step + 1))
        self._cells[cell]._flicker()
        seen = self._cells[cell]._circuit.present(self._drive(cell, step))
        at = FOUND * (self._steps * cell + step)
        self._found[at : at + FOUND] = seen.current, seen.voltage, float(seen.in_compliance)


def _flat(numbers: Numbers) -> Any:
    """Numbers as a kernel takes them: in a row, and in plain Python as a list. Either takes and gives slices."""
    flat = np.ascontiguousarray(numbers).reshape(-1)
    return flat if enabled() else flat.tolist()
