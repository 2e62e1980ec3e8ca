"""The kernels of one cell, of two in series, and of either with capacitors, behind one pair of methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from labctl.contracts import Drive, Response
from labctl.errors import UsageError
from labctl.jit import Vector, vector

from . import charged_circuit, noise
from . import integrator as at
from .charged_integrator import charged_dwell
from .circuit import solve, terminal_voltage
from .filament import Filament
from .parameters import capacity
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

    def rest(self) -> None:
        """Forget what the last drive has left on the cells: nothing, where voltages divide at once."""
        return

    def voltages(self) -> tuple[float, ...]:
        """The voltage (V) over each cell, where it is a state; else none."""
        return ()


class Alone(Circuit):
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


class Series(Circuit):
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


class Charged(Circuit):
    """One cell or two in series, each with a capacitor beside it: the voltage over a cell is a state."""

    def __init__(self, cells: Mapping[str, Filament]) -> None:
        """Take cells by name, whose cards have a capacitance. Raises UsageError where this circuit can't be."""
        _check(cells)
        self._cells = list(cells.values())
        self._settled = _without_charge(self._cells)
        self._work: Vector = vector([0.0] * charged_circuit.WORK_SIZE)
        self._work[charged_circuit.SIZE] = float(charged_circuit.OWN * len(self._cells))

    def dwell(self, drive: Drive, duration: float, tolerance: float) -> tuple[int, float, Response]:
        """Hold `drive` for `duration` s: how it ended, s still to be held, response of the source, charging included.

        tolerance: nm, per step.
        """
        a, b, v, cc, r = (
            self._cells[0], self._cells[-1], float(drive.voltage), float(drive.compliance), float(drive.resistance)
        )  # fmt: skip
        ended, current, voltage, limited = charged_dwell(
            a.packed, b.packed, a.state, b.state, self._work, v, cc, r, duration, tolerance
        )
        return ended, float(a.state[at.LEFT]), Response(current, voltage, limited)

    def present(self, drive: Drive) -> Response:
        """The response to `drive` with gaps and radii as they are and every voltage settled; the charge stays as it is."""
        return self._settled.present(drive)

    def rest(self) -> None:
        """Take the charge off the cells."""
        for place in range(len(self._cells)):
            self._work[charged_circuit.V_CELL + place] = 0.0

    def voltages(self) -> tuple[float, ...]:
        """The voltage (V, top against bottom) over each cell, electrodes not included."""
        return tuple(float(self._work[charged_circuit.V_CELL + place]) for place in range(len(self._cells)))


def _check(cells: Mapping[str, Filament]) -> None:
    """Refuse cells of which only some have an area, that have noise, or that charge faster than time passes here."""
    parts = {name: cell.values for name, cell in cells.items()}
    without = [name for name, values in parts.items() if values["area"] == 0.0]
    if without:
        raise UsageError(f"an ECM device has the area of every cell or of none; it is missing for {', '.join(without)}")
    if any(noise.noisy(values) for values in parts.values()):
        raise UsageError("an ECM cell with an area can't have noise: the source would see it through the capacitance")
    outside = sum(values["r_s"] for values in parts.values())
    fastest = outside / sum(1.0 / capacity(values) for values in parts.values())
    if fastest < at.SHORTEST:
        raise UsageError(
            f"an ECM device whose area is charged through r_s = {outside} ohm in {fastest:.2g} s, less than {at.SHORTEST} s, "
            "can't be followed: leave the area out, or give it electrodes"
        )


def _without_charge(cells: list[Filament]) -> Circuit:
    return Alone(*cells) if len(cells) == 1 else Series(*cells)


def connect(cells: Mapping[str, Filament]) -> Circuit:
    """Put one cell or two between the terminals, as their cards say. Raises UsageError for cells that can't be followed."""
    if any(cell.values["area"] > 0.0 for cell in cells.values()):
        return Charged(cells)
    return _without_charge(list(cells.values()))
