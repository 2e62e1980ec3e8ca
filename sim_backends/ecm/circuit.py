"""The junction in its circuit: series resistance, and a source that becomes a current source at compliance.

The equations are in ecm-model.md 5.

Voltages and currents here are magnitudes; the caller restores the sign. Lengths are nm.
"""

from __future__ import annotations

import math

from labctl.jit import Vector, kernel

from .current import current
from .parameters import N_J, R_S, RHO_K

#: of Newton's method with halvings; halving alone needs about 60
MAX_ITERATIONS = 200
#: stop when the last step was below ABSOLUTE (V) + RELATIVE * U; convergence is quadratic, so the error is its square
ABSOLUTE = 1e-9
RELATIVE = 1e-7
#: V; least junction voltage considered under compliance, where the logarithm is taken
TINY_V = 1e-150
#: greatest change of ln U in one step; keeps the exponential finite
CAP_LOG = 500.0

#: U, I, compliance?, then dU/dx, dU/dr (V/nm) and dI/dx, dI/dr (A/nm) along the circuit's solution
Solution = tuple[float, float, bool, float, float, float, float]


@kernel
def cell_resistance(p: Vector, r: float) -> tuple[float, float]:
    """Compute the cell's own series resistance (ohm) and its d/dr (ohm/nm): electrode and filament."""
    wire = p[RHO_K] / (r * r)
    return p[R_S] + wire, -2.0 * wire / r


@kernel
def at_voltage(p: Vector, v_s: float, resistance: float, x: float, r: float, guess: float) -> float:
    """Solve n_j U + I(U) R = v_s for the junction voltage U (V), v_s >= 0.

    Newton's method in a bracket, halving it where Newton leaves it or takes more than half the step before last.
    """
    low, high = 0.0, v_s / p[N_J]
    u = min(max(guess, low), high)
    step, before = high, high
    for _ in range(MAX_ITERATIONS):
        i, i_u, _, _ = current(p, u, x, r)
        excess = p[N_J] * u + i * resistance - v_s
        if excess > 0.0:
            high = u
        else:
            low = u
        newton = excess / (p[N_J] + i_u * resistance)
        halve = not low <= u - newton <= high or abs(newton) > 0.5 * before
        before = abs(step)
        step = u - 0.5 * (low + high) if halve else newton
        u = u - step
        if abs(step) < ABSOLUTE + RELATIVE * u:
            break
    return u


@kernel
def at_current(p: Vector, i_cc: float, x: float, r: float, most: float, guess: float) -> float:
    """Solve ln I(U) = ln i_cc for U in (0, most] (V), given I(most) > i_cc > 0.

    As `at_voltage`, but in ln U: ln I over ln U has a slope of 1 to some 50 from the ohmic region to Fowler-Nordheim, so a
    compliance of 1e-30 A costs no more than one of 1e-4 A.
    """
    low, high = TINY_V, most
    u = min(max(guess, low), high)
    step = math.log(high / low)
    before = step
    for _ in range(MAX_ITERATIONS):
        i, i_u, _, _ = current(p, u, x, r)
        excess = math.log(max(i, TINY_V) / i_cc)
        if excess > 0.0:
            high = u
        else:
            low = u
        newton = excess * i / (u * i_u)
        after = u * math.exp(-min(max(newton, -CAP_LOG), CAP_LOG))
        halve = not low <= after <= high or abs(newton) > 0.5 * before
        before = abs(step)
        if halve:
            after = math.sqrt(low) * math.sqrt(high)
        step = math.log(u / after) if halve else newton
        u = after
        if abs(step) < RELATIVE:
            break
    return u


@kernel
def solve(p: Vector, v_s: float, i_cc: float, r_src: float, x: float, r: float, guess: float) -> Solution:
    """Find the junction voltage U (V), the current I (A), whether the source is in compliance, and their sensitivities.

    v_s >= 0: source voltage, V; i_cc > 0: compliance, A, may be inf; r_src >= 0: ohm outside the cell; guess: V for U.
    In compliance I is i_cc and does not move with x and r; only U does.
    """
    inside, inside_r = cell_resistance(p, r)
    resistance = r_src + inside
    u = at_voltage(p, v_s, resistance, x, r, guess)
    i, i_u, i_x, i_r = current(p, u, x, r)
    if i > i_cc:
        u = at_current(p, i_cc, x, r, u, guess)
        _, i_u, i_x, i_r = current(p, u, x, r)
        return u, i_cc, True, -i_x / i_u, -i_r / i_u, 0.0, 0.0
    d = p[N_J] + i_u * resistance
    u_x = -i_x * resistance / d
    u_r = -(i_r * resistance + i * inside_r) / d
    return u, i, False, u_x, u_r, i_x + i_u * u_x, i_r + i_u * u_r


@kernel
def terminal_voltage(p: Vector, v_s: float, r_src: float, r: float, solution: Solution) -> float:
    """Compute the voltage at the source's terminals (V): v_s, or less of it in compliance."""
    if not solution[2]:
        return v_s
    return min(v_s, p[N_J] * solution[0] + solution[1] * (r_src + cell_resistance(p, r)[0]))
