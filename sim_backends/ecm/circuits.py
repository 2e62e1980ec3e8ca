"""The kernels of one cell and of two in series behind one pair of methods."""

from __future__ import annotations

from typing import Protocol

from labctl.contracts import Drive, Response
from labctl.jit import Vector, vector

from . import integrator as at
from .circuit import solve, terminal_voltage
from .filament import Filament
from .series_circuit import AMPS, LIMITED, U_1, series_solve, series_voltage
from .series_integrator import WORK_SIZE, series_dwell


class Circuit(Protocol):
    """Cells between the two terminals of a source."""

    def dwell(self, drive: Drive, duration: float, tolerance: float) -> tuple[int, float, Response]:
        """Hold `drive` for `duration` s: how it ended, s still to be held, response. tolerance: nm, per step."""
        ...

    def present(self, drive: Drive) -> Response:
        """The response to `drive` in the present state, noise included; nothing moves."""
        ...


class Alone:
    """One cell."""

    def __init__(self, cell: Filament) -> None:
        self._cell = cell

    def dwell(self, drive: Drive, duration: float, tolerance: float) -> tuple[int, float, Response]:
        """Hold `drive` for `duration` s: how it ended, s still to be held, response. tolerance: nm, per step."""
        cell, v, cc, r = self._cell, float(drive.voltage), float(drive.compliance), float(drive.resistance)
        ended, current, voltage, limited = at.dwell(cell.packed, cell.state, v, cc, r, duration, tolerance)
        return ended, float(cell.state[at.LEFT]), Response(current, voltage, limited)

    def present(self, drive: Drive) -> Response:
        """The response to `drive` in the present state, noise included; nothing moves."""
        p, s = self._cell.seen, self._cell.state
        v, cc, r = float(drive.voltage), float(drive.compliance), float(drive.resistance)
        found = solve(p, abs(v), cc, r, float(s[at.X]), float(s[at.R]), abs(v))
        sign = -1.0 if v < 0.0 else 1.0
        return Response(sign * found[1], sign * terminal_voltage(p, abs(v), r, float(s[at.R]), found), found[2])


class Series:
    """Two cells, one after the other, with the node between them left to itself."""

    def __init__(self, first: Filament, second: Filament) -> None:
        self._first, self._second = first, second
        self._work: Vector = vector([0.0] * WORK_SIZE)

    def dwell(self, drive: Drive, duration: float, tolerance: float) -> tuple[int, float, Response]:
        """Hold `drive` for `duration` s: how it ended, s still to be held, response. tolerance: nm, per step."""
        a, b, v, cc, r = (
            self._first, self._second, float(drive.voltage), float(drive.compliance), float(drive.resistance)
        )  # fmt: skip
        ended, current, voltage, limited = series_dwell(
            a.packed, b.packed, a.state, b.state, self._work, v, cc, r, duration, tolerance
        )
        return ended, float(a.state[at.LEFT]), Response(current, voltage, limited)

    def present(self, drive: Drive) -> Response:
        """The response to `drive` in the present state, noise included; nothing moves."""
        p, q, s, t = self._first.seen, self._second.seen, self._first.state, self._second.state
        v, cc, r = float(drive.voltage), float(drive.compliance), float(drive.resistance)
        w = vector([0.0] * WORK_SIZE)
        w[U_1] = float(s[at.U])
        series_solve(p, q, abs(v), cc, r, float(s[at.X]), float(s[at.R]), float(t[at.X]), float(t[at.R]), w)
        voltage = series_voltage(p, q, abs(v), r, float(s[at.R]), float(t[at.R]), w)
        sign = -1.0 if v < 0.0 else 1.0
        return Response(sign * float(w[AMPS]), sign * voltage, bool(w[LIMITED] > 0.5))
