"""A second way to let time pass for ECM cells: scipy's Radau over the same right-hand side, with events found by root search.

Only for nominal cells: every new filament is the card's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ecm_cells import INTEGRATOR, packed, slopes_of_one, slopes_of_two
from scipy.integrate import solve_ivp

from labctl import jit
from labctl.contracts import Drive

Array = np.ndarray[Any, Any]
VIRGIN, OFF, ON = range(3)  # what a cell is; decides which gap is an event
LATE = 1.02  # of the dwell; the reference goes on a little, so that a switching time may be looked at


@dataclass
class Cell:
    """One cell of the reference: its parameters, and whether it is virgin, without or with a filament."""

    values: dict[str, float]
    mode: int
    p: Any = field(init=False)

    def __post_init__(self) -> None:
        self.p = packed(self.values)

    def event(self, x: float) -> float:
        """Cross zero upwards where the mode changes: formed, filament there, ruptured; x: gap, nm."""
        v = self.values
        there = v["x_min"] + INTEGRATOR.ON_SHARE * (v["x0"] - v["x_min"])
        return float((v["x0"] - x, there - x, x - (v["x0"] - INTEGRATOR.NEAR_X0))[self.mode])

    def change(self, gap_and_radius: Array) -> None:
        """Go to the next mode; a rupture starts the next filament."""
        if self.mode == ON:
            gap_and_radius[1] = self.values["r_n"]
        self.mode = (OFF, ON, OFF)[self.mode]

    def state(self, drive: Drive, x: float) -> jit.Vector:
        s = jit.vector([0.0] * INTEGRATOR.STATE_SIZE)
        s[INTEGRATOR.X_F] = x if self.mode == VIRGIN else self.values["x_min"]
        s[INTEGRATOR.V_S], s[INTEGRATOR.I_CC], s[INTEGRATOR.R_SRC] = drive.voltage, drive.compliance, drive.resistance
        return s


class Reference:
    """Cells in series under one drive; y: gap and radius of each (nm), then the ion supply of each."""

    def __init__(self, cells: list[Cell], drive: Drive) -> None:
        self.cells, self.drive = cells, drive
        self.floor = [f for c in cells for f in (c.values["x_min"] - 2.5 * c.values["lam_c"], 0.1)]
        self.floor += [0.0] * len(cells)

    def slopes(self, y: Array) -> tuple[Array, Array, float]:
        """Slopes (nm/s), Jacobian (1/s) and current (A) at y, or at the nearest that is a cell."""
        y = np.maximum(y, self.floor)
        return self._one(y) if len(self.cells) == 1 else self._two(y)

    def _one(self, y: Array) -> tuple[Array, Array, float]:
        cell = self.cells[0]
        s = cell.state(self.drive, y[0])
        return slopes_of_one(cell.p, s, y, abs(self.drive.voltage))

    def _two(self, y: Array) -> tuple[Array, Array, float]:
        first, second = self.cells
        return slopes_of_two(first.p, second.p, first.state(self.drive, y[0]), second.state(self.drive, y[2]), y)

    def follow(self, y: Array, duration: float, times: Array) -> tuple[Array, Array]:
        """Gaps and radii (nm), supplies, and current (A) at each of `times` (s, up to LATE of the duration), from y at 0."""
        now, end, y = 0.0, LATE * duration, np.array(y, dtype=float)
        states, currents = np.empty((len(times), len(y))), np.empty(len(times))
        while now < end:
            solution = self._until_event(y, now, end)
            for k in np.flatnonzero((times >= now) & (times <= solution.t[-1])):
                states[k] = solution.sol(times[k])
                currents[k] = self.slopes(states[k])[2]
            now, y = float(solution.t[-1]), solution.y[:, -1].copy()
            for n, found in enumerate(solution.t_events):
                if len(found):
                    self.cells[n].change(y[2 * n : 2 * n + 2])
        return states, currents

    def _until_event(self, y: Array, start: float, end: float) -> Any:
        def event_of(n: int) -> Any:
            def event(_: float, y: Array) -> float:
                return self.cells[n].event(float(y[2 * n]))

            event.terminal, event.direction = True, 1.0  # type: ignore[attr-defined]
            return event

        solution = solve_ivp(
            lambda _, y: self.slopes(y)[0], (start, end), y, jac=lambda _, y: self.slopes(y)[1], method="Radau",
            rtol=1e-9, atol=1e-9, first_step=min(1e-14, 0.5 * (end - start)), dense_output=True,
            events=[event_of(n) for n in range(len(self.cells))],
        )  # fmt: skip
        assert solution.success, solution.message
        return solution
