"""Two cells in series in one circuit: how the voltage divides, and how that moves with both gaps and radii.

The equations are in ecm-model.md 5. "First" and "second" are the two cells in the order of the card; p and q are their
parameters. Voltages and currents are magnitudes, lengths nm, as for one cell.
"""

from __future__ import annotations

import math

from labctl.jit import Vector, kernel

from .circuit import CAP_LOG, MAX_ITERATIONS, RELATIVE, TINY_V, at_current, cell_resistance
from .current import current
from .parameters import N_J

#: of the source's voltage; the second junction's voltage is a difference and not known better than this
ROUNDING = 1e-15

#: places in the working vector: junction voltages (V), current (A), compliance? (0/1), ...
U_1, U_2, AMPS, LIMITED = range(4)
#: ... the derivatives of I, U_1 and U_2 to x and r of the first and of the second cell (A/nm, V/nm), four each
D_I, D_1, D_2 = 4, 8, 12
SOLUTION_SIZE = 16


@kernel
def bounded_exp(argument: float) -> float:
    """Compute exp of an argument held within +-CAP_LOG."""
    return math.exp(min(max(argument, -CAP_LOG), CAP_LOG))


@kernel
def divide(
    p: Vector, q: Vector, v_s: float, resistance: float, x_1: float, r_1: float, x_2: float, r_2: float, guess: float
) -> float:
    """Solve ln I_1(a) = ln I_2(b) for the first junction's voltage a (V), with b what a and I_1 R leave of v_s > 0.

    Newton's method in the logarithm of the smaller of the two voltages (they and the currents on the way there differ by ten
    decades), in a bracket that is halved where Newton leaves it or the residual does not halve in two steps.
    """
    low, high = 0.0, v_s / p[N_J]
    a = guess if low < guess < high else 0.5 * high
    before, last = math.inf, math.inf
    for _ in range(MAX_ITERATIONS):
        i, i_u, _, _ = current(p, a, x_1, r_1)
        b = (v_s - p[N_J] * a - i * resistance) / q[N_J]
        if b <= 0.0:
            high = a
            a = 0.5 * (low + high)
            continue
        j, j_u, _, _ = current(q, b, x_2, r_2)
        i, j = max(i, TINY_V), max(j, TINY_V)
        excess = math.log(i / j)
        if excess > 0.0:
            high = a
        else:
            low = a
        taken = (p[N_J] + i_u * resistance) / q[N_J]
        newton = excess / (i_u / i + taken * j_u / j)
        if p[N_J] * a <= q[N_J] * b:
            after = a * bounded_exp(-newton / a)
        else:
            after = a - b * (bounded_exp(taken * newton / b) - 1.0) / taken
        if abs(newton) < RELATIVE * min(a, b / taken) + ROUNDING * high:
            return min(max(after, low), high)
        if not low < after < high or abs(excess) > 0.5 * before:
            after = 0.5 * (low + high)
        before, last = last, abs(excess)
        a = after
    return a


@kernel
def limited(
    p: Vector, q: Vector, i_cc: float, x_1: float, r_1: float, x_2: float, r_2: float, most: float, w: Vector
) -> None:
    """Put the solution in compliance into `w`: each junction by itself carries i_cc (A) at some voltage up to `most` (V)."""
    w[AMPS], w[LIMITED] = i_cc, 1.0
    w[U_1] = at_current(p, i_cc, x_1, r_1, most, w[U_1])
    w[U_2] = at_current(q, i_cc, x_2, r_2, most, w[U_2])
    _, g_1, x1, r1 = current(p, w[U_1], x_1, r_1)
    _, g_2, x2, r2 = current(q, w[U_2], x_2, r_2)
    for k in range(4):
        w[D_I + k] = w[D_1 + k] = w[D_2 + k] = 0.0
    w[D_1], w[D_1 + 1] = -x1 / g_1, -r1 / g_1
    w[D_2 + 2], w[D_2 + 3] = -x2 / g_2, -r2 / g_2


@kernel
def series_solve(
    p: Vector,
    q: Vector,
    v_s: float,
    i_cc: float,
    r_src: float,
    x_1: float,
    r_1: float,
    x_2: float,
    r_2: float,
    w: Vector,
) -> None:
    """Put junction voltages, current, compliance and sensitivities into `w`, whose old w[U_1] is the first guess.

    v_s >= 0: source voltage, V; i_cc > 0: compliance, A, may be inf; r_src >= 0: ohm outside both cells.
    """
    inside_1, slope_1 = cell_resistance(p, r_1)
    inside_2, slope_2 = cell_resistance(q, r_2)
    resistance = r_src + inside_1 + inside_2
    a = 0.0
    if v_s > 0.0:
        a = divide(p, q, v_s, resistance, x_1, r_1, x_2, r_2, w[U_1])
    i, g_1, x1, r1 = current(p, a, x_1, r_1)
    b = max(v_s - p[N_J] * a - i * resistance, 0.0) / q[N_J]
    w[U_1], w[U_2] = a, b
    if i > i_cc:
        limited(p, q, i_cc, x_1, r_1, x_2, r_2, v_s, w)
        return
    _, g_2, x2, r2 = current(q, b, x_2, r_2)
    w[AMPS], w[LIMITED] = i, 0.0
    n_1, n_2 = p[N_J] / g_1, q[N_J] / g_2
    whole = n_1 + n_2 + resistance
    w[D_I], w[D_I + 1] = x1 * n_1 / whole, (r1 * n_1 - i * slope_1) / whole
    w[D_I + 2], w[D_I + 3] = x2 * n_2 / whole, (r2 * n_2 - i * slope_2) / whole
    for k in range(4):
        w[D_1 + k], w[D_2 + k] = w[D_I + k] / g_1, w[D_I + k] / g_2
    w[D_1], w[D_1 + 1] = w[D_1] - x1 / g_1, w[D_1 + 1] - r1 / g_1
    w[D_2 + 2], w[D_2 + 3] = w[D_2 + 2] - x2 / g_2, w[D_2 + 3] - r2 / g_2


@kernel
def series_voltage(p: Vector, q: Vector, v_s: float, r_src: float, r_1: float, r_2: float, w: Vector) -> float:
    """Compute the voltage at the source's terminals (V) from the solution in `w`: v_s, or less of it in compliance."""
    if w[LIMITED] < 0.5:
        return v_s
    resistance = r_src + cell_resistance(p, r_1)[0] + cell_resistance(q, r_2)[0]
    return min(v_s, p[N_J] * w[U_1] + q[N_J] * w[U_2] + w[AMPS] * resistance)
