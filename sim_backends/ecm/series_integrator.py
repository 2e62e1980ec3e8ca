"""Lets time pass for two cells in series: ROS2 as for one cell, with the states of both and their Jacobian together.

Each cell keeps a state vector of its own (`integrator`); what belongs to both, drive and step, is in the first one's.
"""

from __future__ import annotations

import math

from labctl.jit import Vector, kernel

from .integrator import (
    DONE,
    EXHAUSTED,
    GAMMA,
    HAPPENED,
    I_CC,
    LEFT,
    MAX_TRIES,
    QUIET,
    R_SRC,
    RADIUS,
    RUNAWAY,
    SHORTEST,
    STEPS,
    SUPPLY,
    TRIES,
    V_S,
    X_F,
    H,
    R,
    U,
    W,
    X,
    fits,
    left_over,
    next_step,
    set_drive,
    settle,
    until_broken,
    wear,
    wears,
)
from .kinetics import rates, supply
from .series_circuit import AMPS, D_1, D_2, D_I, LIMITED, SOLUTION_SIZE, U_1, U_2, series_solve, series_voltage

#: a point: gap and radius of the first cell (nm), of the second, then the ion supply of both
STATES = 6
#: places in the working vector after the circuit's solution: slopes at a point (nm/s, 1/s), ...
F = SOLUTION_SIZE
#: ... the Jacobian (1/s) of gaps and radii, row by row; how they move with their own cell's supply; ...
J = F + STATES
J_W = J + 16
#: ... how the two supplies move with gaps and radii, row by row, and each with itself; ...
W_J = J_W + 4
W_W = W_J + 8
#: ... all of it at the start of the step, the point, the two stages, and the matrix being eliminated
F_0 = W_W + 2
J_0, J_W_0, W_J_0, W_W_0 = (F_0 + place - F for place in (J, J_W, W_J, W_W))
FOUND = F_0 - F
Y = F_0 + FOUND
K_1, K_2 = Y + STATES, Y + 2 * STATES
M = K_2 + STATES
WORK_SIZE = M + 16


@kernel
def set_row(w: Vector, at: int, by_u: float, by_i: float, along: int) -> None:
    """Start a row of the Jacobian at `at` with what comes through the circuit; along: where the cell's dU is in `w`."""
    for k in range(4):
        w[at + k] = by_u * w[along + k] + by_i * w[D_I + k]


@kernel
def cell_slopes(p: Vector, s: Vector, grows: bool, w: Vector, cell: int, u: float, along: int) -> None:
    """Put slopes and Jacobian rows of the first (0) or second (1) cell into `w`; u: V over its junction."""
    first, third = 2 * cell, 4 + cell
    f_x, f_r, x_u, x_x, x_r, x_w, r_u, r_x, r_r, r_i, r_w = rates(
        p, grows, s[X_F], u, w[AMPS], w[Y + first], w[Y + first + 1], w[Y + third]
    )
    f_w, w_u, w_w = supply(p, grows, u, w[Y + third])
    w[F + first], w[F + first + 1], w[F + third] = f_x, f_r, f_w
    set_row(w, J + 4 * first, x_u, 0.0, along)
    set_row(w, J + 4 * first + 4, r_u, r_i, along)
    w[J + 5 * first] += x_x
    w[J + 5 * first + 1] += x_r
    w[J + 5 * first + 4] += r_x
    w[J + 5 * first + 5] += r_r
    w[J_W + first], w[J_W + first + 1], w[W_W + cell] = x_w, r_w, w_w
    set_row(w, W_J + 4 * cell, w_u, 0.0, along)


@kernel
def series_slopes(p: Vector, q: Vector, s: Vector, t: Vector, w: Vector) -> None:
    """Put slopes (nm/s) and Jacobian (1/s) at the point w[Y] into `w`; s, t: state of the first and the second cell."""
    series_solve(p, q, abs(s[V_S]), s[I_CC], s[R_SRC], w[Y], w[Y + 1], w[Y + 2], w[Y + 3], w)
    grows = s[V_S] > 0.0
    cell_slopes(p, s, grows, w, 0, w[U_1], D_1)
    cell_slopes(q, t, grows, w, 1, w[U_2], D_2)


@kernel
def pivot(w: Vector, column: int, rhs: int) -> bool:
    """Bring the largest entry of the column on or below the diagonal up to it; tell whether rows were exchanged."""
    best = column
    for row in range(column + 1, 4):
        if abs(w[M + 4 * row + column]) > abs(w[M + 4 * best + column]):
            best = row
    if best == column:
        return False
    for k in range(4):
        kept = w[M + 4 * column + k]
        w[M + 4 * column + k] = w[M + 4 * best + k]
        w[M + 4 * best + k] = kept
    kept = w[rhs + column]
    w[rhs + column] = w[rhs + best]
    w[rhs + best] = kept
    return True


@kernel
def one_minus(w: Vector, h: float) -> None:
    """Put 1 - h J_0 of gaps and radii into the matrix; h: s."""
    for k in range(16):
        w[M + k] = -h * w[J_0 + k]
    for k in range(4):
        w[M + 5 * k] += 1.0


@kernel
def eliminate(w: Vector, rhs: int) -> float:
    """Bring the matrix with the right-hand side w[rhs...] into triangular form and return the determinant."""
    det = 1.0
    for column in range(4):
        if pivot(w, column, rhs):
            det = -det
        diagonal = w[M + 5 * column]
        det *= diagonal
        if diagonal == 0.0:
            return 0.0
        for row in range(column + 1, 4):
            factor = w[M + 4 * row + column] / diagonal
            for k in range(column, 4):
                w[M + 4 * row + k] -= factor * w[M + 4 * column + k]
            w[rhs + row] -= factor * w[rhs + column]
    return det


@kernel
def fold_in(w: Vector, g: float, rhs: int, cell: int) -> None:
    """Take the ion supply of a cell out of the stage's equations: it moves only by itself, so it is solved for first."""
    diagonal = 1.0 - g * w[W_W_0 + cell]
    for row in range(2 * cell, 2 * cell + 2):
        factor = g * w[J_W_0 + row] / diagonal
        for k in range(4):
            w[M + 4 * row + k] -= factor * g * w[W_J_0 + 4 * cell + k]
        w[rhs + row] += factor * w[rhs + 4 + cell]


@kernel
def supply_stage(w: Vector, g: float, rhs: int, cell: int) -> None:
    """Solve for the ion supply of a cell, with the stage's gaps and radii known."""
    total = w[rhs + 4 + cell]
    for k in range(4):
        total += g * w[W_J_0 + 4 * cell + k] * w[rhs + k]
    w[rhs + 4 + cell] = total / (1.0 - g * w[W_W_0 + cell])


@kernel
def stage(w: Vector, h: float, rhs: int) -> None:
    """Solve (1 - GAMMA h J_0) y = w[rhs...] in place, all six."""
    g = GAMMA * h
    one_minus(w, g)
    fold_in(w, g, rhs, 0)
    fold_in(w, g, rhs, 1)
    eliminate(w, rhs)
    for row in range(3, -1, -1):
        total = w[rhs + row]
        for k in range(row + 1, 4):
            total -= w[M + 4 * row + k] * w[rhs + k]
        w[rhs + row] = total / w[M + 5 * row]
    supply_stage(w, g, rhs, 0)
    supply_stage(w, g, rhs, 1)


@kernel
def both_fit(p: Vector, q: Vector, w: Vector) -> bool:
    """Tell whether the point w[Y] is a pair of cells at all."""
    return fits(p, w[Y], w[Y + 1]) and fits(q, w[Y + 2], w[Y + 3])


@kernel
def start_from(s: Vector, t: Vector, w: Vector, new: bool) -> None:
    """Put the present state into w[Y]; new: and keep the slopes and the Jacobian just found there."""
    w[Y], w[Y + 1], w[Y + 2], w[Y + 3], w[Y + 4], w[Y + 5] = s[X], s[R], t[X], t[R], s[W], t[W]
    if new:
        for k in range(FOUND):
            w[F_0 + k] = w[F + k]


@kernel
def series_attempt(p: Vector, q: Vector, s: Vector, t: Vector, h: float, w: Vector) -> float:
    """Try one ROS2 step of h (s): its end in w[Y]; returns the error estimate (nm), inf if a stage is no pair of cells."""
    start_from(s, t, w, False)
    for k in range(STATES):
        w[K_1 + k] = w[F_0 + k]
    stage(w, h, K_1)
    for k in range(STATES):
        w[Y + k] += h * w[K_1 + k]
    if not both_fit(p, q, w):
        return math.inf
    series_slopes(p, q, s, t, w)
    for k in range(STATES):
        w[K_2 + k] = w[F + k] - 2.0 * w[K_1 + k]
    stage(w, h, K_2)
    error = 0.0
    for k in range(STATES):
        moved = w[K_1 + k] + w[K_2 + k]
        w[Y + k] += 0.5 * h * moved
        weight = SUPPLY if k > 3 else RADIUS if k % 2 == 1 else 1.0 / (1.0 + 0.02 * abs(w[Y + k]))
        error = max(error, 0.5 * h * abs(moved) * weight)
    return error if both_fit(p, q, w) else math.inf


@kernel
def determinant(w: Vector, h: float) -> float:
    """Compute det(1 - h J_0) of gaps and radii; h: s."""
    one_minus(w, h)
    return eliminate(w, K_1)


@kernel
def series_longest(w: Vector, h: float, left: float) -> float:
    """Choose the step to try (s): all that is left where nothing moves, else h, shorter where a mode grows fast.

    det(1 - h J) is > 0 up to the h at which the fastest growing mode grows h-fold; so no eigenvalue has to be known.
    """
    quiet = True
    for k in range(4):
        w[K_1 + k] = 0.0
        if abs(w[F_0 + k]) * left >= QUIET or w[J_0 + 5 * k] > 0.0:
            quiet = False
    for k in range(4, STATES):
        quiet = quiet and abs(w[F_0 + k]) * left < QUIET
    if quiet and determinant(w, left / RUNAWAY) > 0.0:
        return left
    h = min(h, left)
    while h > SHORTEST and determinant(w, h / RUNAWAY) <= 0.0:
        h = 0.5 * h
    return h


@kernel
def series_take(s: Vector, t: Vector, w: Vector, h: float) -> None:
    """Make an accepted step of h (s) the state of both cells."""
    w[Y + 4], w[Y + 5] = left_over(w[Y + 4], s[W]), left_over(w[Y + 5], t[W])
    s[X], s[R], t[X], t[R], s[W], t[W] = w[Y], w[Y + 1], w[Y + 2], w[Y + 3], w[Y + 4], w[Y + 5]
    s[LEFT] = max(s[LEFT] - h, 0.0)
    s[STEPS] += 1.0


@kernel
def series_wear(p: Vector, q: Vector, s: Vector, t: Vector, h: float, w: Vector) -> None:
    """Add the damage of the step of h (s) just made to both cells."""
    wear(p, s, h, w[U_1], w[AMPS])
    wear(q, t, h, w[U_2], w[AMPS])


@kernel
def moves(w: Vector) -> bool:
    """Tell whether any slope differs from zero."""
    fastest = 0.0
    for k in range(STATES):
        fastest = max(fastest, abs(w[F_0 + k]))
    return fastest != 0.0


@kernel
def series_integrate(p: Vector, q: Vector, s: Vector, t: Vector, w: Vector, tolerance: float) -> int:
    """Let the time left pass under the drive in `s`; returns DONE, HAPPENED or EXHAUSTED. tolerance: nm, per step."""
    start_from(s, t, w, False)
    series_slopes(p, q, s, t, w)
    start_from(s, t, w, True)
    series_wear(p, q, s, t, 0.0, w)
    s[TRIES] = 0.0
    while s[LEFT] > 0.0 and (moves(w) or wears(s) or wears(t)):
        s[TRIES] += 1.0
        if s[TRIES] > MAX_TRIES:
            return EXHAUSTED
        h = min(until_broken(s, until_broken(t, series_longest(w, s[H], s[LEFT]))), s[LEFT])
        share = series_attempt(p, q, s, t, h, w) / tolerance
        accepted = share < 1.0 or h <= SHORTEST
        s[H] = next_step(h, s[H], accepted, share)
        if accepted:
            series_take(s, t, w, h)
            series_slopes(p, q, s, t, w)
            series_wear(p, q, s, t, h, w)
            first, second = settle(p, s), settle(q, t)
            if first or second:
                s[H] = 0.0
                return HAPPENED
            start_from(s, t, w, True)
    return DONE


@kernel
def series_dwell(
    p: Vector,
    q: Vector,
    s: Vector,
    t: Vector,
    w: Vector,
    v_s: float,
    i_cc: float,
    r_src: float,
    duration: float,
    tolerance: float,
) -> tuple[int, float, float, bool]:
    """Hold a drive for `duration` (s): how it ended, then current (A), terminal voltage (V), compliance? at its end.

    As `integrator.dwell`, for the cells with parameters p, q and states s, t in series; w: working vector.
    """
    set_drive(s, v_s, i_cc, r_src, duration)
    ended = series_integrate(p, q, s, t, w, tolerance)
    series_solve(p, q, abs(v_s), i_cc, r_src, s[X], s[R], t[X], t[R], w)
    s[U], t[U] = w[U_1], w[U_2]
    voltage = series_voltage(p, q, abs(v_s), r_src, s[R], t[R], w)
    sign = 1.0 if v_s >= 0.0 else -1.0
    return ended, sign * w[AMPS], sign * voltage, w[LIMITED] > 0.5
