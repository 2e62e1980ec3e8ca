"""Cells with capacitors: what the junctions carry at the voltages over the cells, what the source delivers, how all moves.

One cell or two in series: 4 or 8 states, of each cell its gap and radius (nm), ion supply and voltage (V, signed).
The equations are in ecm-model.md 5.2. The voltage over a cell is a state here, so it has a sign of its own: after a pulse
the node between two cells stays charged. Lengths are nm.
"""

from __future__ import annotations

from labctl.jit import Vector, kernel

from .circuit import at_voltage
from .current import current
from .integrator import I_CC, V_S, X_F
from .kinetics import rates, supply
from .parameters import CAPACITY, N_J, RHO_K

#: states of one cell, and of two: the width of the matrices
OWN, WIDTH = 4, 8
#: place of the voltage among a cell's states, after gap, radius and supply
VOLT = 3

#: places in the working vector: number of states, resistance outside the cells (ohm), source's current (A), its sign if in
#: compliance, else 0; ...
SIZE, OUTSIDE, AMPS, LIMITED = range(4)
#: ... of each cell its voltage (V, signed), its junction's (V, >= 0) and the current through it (A, >= 0); ...
V_CELL, U_CELL, I_CELL = 4, 6, 8
#: ... slopes at a point (nm/s, 1/s, V/s), the Jacobian (1/s) row by row, both at the start of the step, compliance there; ...
F = 10
J = F + WIDTH
F_0 = J + WIDTH * WIDTH
J_0 = F_0 + WIDTH
LIMITED_0 = J_0 + WIDTH * WIDTH
#: ... the point, the two stages, the matrix being factored and its exchanged rows
Y = LIMITED_0 + 1
K_1, K_2 = Y + WIDTH, Y + 2 * WIDTH
M = K_2 + WIDTH
ORDER = M + WIDTH * WIDTH
WORK_SIZE = ORDER + WIDTH

#: V; a cell is ohmic below it, and the solver's own absolute bound of 1e-9 V would be felt there
LINEAR = 1e-6

#: U, I, then dU/dV, dU/dx, dU/dr (1, V/nm) and dI/dV, dI/dx, dI/dr (S, A/nm), V the magnitude of the cell's voltage
Conduction = tuple[float, float, float, float, float, float, float, float]


@kernel
def conduct(p: Vector, v: float, x: float, r: float, guess: float) -> Conduction:
    """Find junction voltage U (V) and current I (A) of a cell at v >= 0 (V) over junctions and filament, and their slopes.

    The electrodes' resistance is not part of it: it lies outside of the capacitor. guess: V for U.
    """
    wire = p[RHO_K] / (r * r)
    if v < LINEAR:
        u = v / (p[N_J] + current(p, 0.0, x, r)[1] * wire)
    else:
        u = at_voltage(p, v, wire, x, r, guess)
    i, i_u, i_x, i_r = current(p, u, x, r)
    d = p[N_J] + i_u * wire
    u_x, u_r = -i_x * wire / d, -(i_r - 2.0 * i / r) * wire / d
    return u, i, 1.0 / d, u_x, u_r, i_u / d, i_x + i_u * u_x, i_r + i_u * u_r


@kernel
def across(w: Vector) -> float:
    """Add up the voltages (V) of the cells at the point w[Y]."""
    total = w[Y + VOLT]
    if w[SIZE] > OWN:
        total += w[Y + OWN + VOLT]
    return total


@kernel
def limit(s: Vector, w: Vector) -> float:
    """Tell whether the source is in compliance at the point w[Y]: the sign of its current if so, else 0."""
    drop = s[V_S] - across(w)
    if abs(drop) <= s[I_CC] * w[OUTSIDE]:
        return 0.0
    return 1.0 if drop > 0.0 else -1.0


@kernel
def source(s: Vector, w: Vector, limited: float) -> float:
    """Compute the source's current (A, with its sign) at the point w[Y], in compliance (its sign) or not (0)."""
    if limited != 0.0:
        return limited * s[I_CC]
    return (s[V_S] - across(w)) / w[OUTSIDE]


@kernel
def charging_time(p: Vector, q: Vector, two: bool, resistance: float) -> float:
    """Compute the time (s) in which the source charges the cells in series through `resistance` (ohm)."""
    elastance = 1.0 / p[CAPACITY]
    if two:
        elastance += 1.0 / q[CAPACITY]
    return resistance / elastance


@kernel
def set_row(w: Vector, row: int, by_x: float, by_r: float, by_w: float, by_v: float) -> None:
    """Put a cell's own part of a row of the Jacobian; the rest of it is 0."""
    at = J + WIDTH * row
    for k in range(WIDTH):
        w[at + k] = 0.0
    at += row - row % OWN
    w[at], w[at + 1], w[at + 2], w[at + VOLT] = by_x, by_r, by_w, by_v


@kernel
def cell_slopes(p: Vector, s: Vector, w: Vector, cell: int) -> None:
    """Put slopes and Jacobian rows of the first (0) or second (1) cell into `w`; the polarity is that of its own voltage."""
    at = OWN * cell
    x, r, stock, v = w[Y + at], w[Y + at + 1], w[Y + at + 2], w[Y + at + VOLT]
    sign, grows, c = (1.0 if v >= 0.0 else -1.0), v > 0.0, p[CAPACITY]
    u, i, u_v, u_x, u_r, i_v, i_x, i_r = conduct(p, abs(v), x, r, w[U_CELL + cell])
    f_x, f_r, x_u, x_x, x_r, x_w, r_u, r_x, r_r, r_i, r_w = rates(p, grows, s[X_F], u, i, x, r, stock)
    f_w, w_u, w_w = supply(p, grows, u, stock)
    w[U_CELL + cell], w[I_CELL + cell] = u, i
    w[F + at], w[F + at + 1], w[F + at + 2], w[F + at + VOLT] = f_x, f_r, f_w, (w[AMPS] - sign * i) / c
    set_row(w, at, x_x + x_u * u_x, x_r + x_u * u_r, x_w, sign * x_u * u_v)
    set_row(w, at + 1, r_x + r_u * u_x + r_i * i_x, r_r + r_u * u_r + r_i * i_r, r_w, sign * (r_u * u_v + r_i * i_v))
    set_row(w, at + 2, w_u * u_x, w_u * u_r, w_w, sign * w_u * u_v)
    set_row(w, at + VOLT, -sign * i_x / c, -sign * i_r / c, 0.0, -i_v / c)


@kernel
def add_source(p: Vector, w: Vector, cell: int) -> None:
    """Add to a cell's charging how the source's current moves with the voltages of all cells; in compliance it does not."""
    if w[LIMITED] != 0.0:
        return
    row = J + WIDTH * (OWN * cell + VOLT)
    for column in range(VOLT, int(w[SIZE]), OWN):
        w[row + column] -= 1.0 / (w[OUTSIDE] * p[CAPACITY])


@kernel
def charged_slopes(p: Vector, q: Vector, s: Vector, t: Vector, w: Vector, limited: float) -> None:
    """Put slopes (nm/s, 1/s, V/s) and Jacobian (1/s) at the point w[Y] into `w`; s, t: state of first and second cell.

    limited: in compliance, as `source` takes it.
    """
    w[AMPS], w[LIMITED] = source(s, w, limited), limited
    cell_slopes(p, s, w, 0)
    add_source(p, w, 0)
    if w[SIZE] > OWN:
        cell_slopes(q, t, w, 1)
        add_source(q, w, 1)
