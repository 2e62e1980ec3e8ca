"""One ROS2 step of cells with capacitors: its stages, and the error of every state and of the source's current.

As in `series_integrator`, with the voltage over each cell as one more state of it. For one cell p, q and s, t are the same.
"""

from __future__ import annotations

import math

from labctl.jit import Vector, kernel

from .charged_circuit import (
    F_0,
    K_1,
    K_2,
    LIMITED,
    LIMITED_0,
    OUTSIDE,
    OWN,
    SIZE,
    V_CELL,
    VOLT,
    WIDTH,
    F,
    Y,
    across,
    charged_slopes,
)
from .charged_matrix import factor, substitute
from .integrator import GAMMA, I_CC, RADIUS, SUPPLY, V_S, R, W, X, fits

#: nm; an error of a cell's voltage by 1 V at 0 V counts as much: 1 mV (3 % of a rate) as 0.01 nm
PER_VOLT = 10.0
#: V; where the error allowed has doubled, so that no voltage needs endless steps
LARGE = 1.0
#: nm; an error of the source's current by itself counts as much: tunnelling changes e-fold over about that gap
PER_CURRENT = 0.1
#: A; a source's current below it need not be known to a share of itself
FAINT = 1e-12
#: V beyond twice what source and charge explain; a stage with more is no state of a passive circuit
ASTRAY = 1.0


@kernel
def start_from(s: Vector, t: Vector, w: Vector) -> None:
    """Put the present state into w[Y]."""
    w[Y], w[Y + 1], w[Y + 2], w[Y + VOLT] = s[X], s[R], s[W], w[V_CELL]
    if w[SIZE] > OWN:
        w[Y + OWN], w[Y + OWN + 1], w[Y + OWN + 2], w[Y + OWN + VOLT] = t[X], t[R], t[W], w[V_CELL + 1]


@kernel
def keep(w: Vector) -> None:
    """Keep slopes, Jacobian and compliance just found as those at the start of the step."""
    for k in range(WIDTH + WIDTH * WIDTH):
        w[F_0 + k] = w[F + k]
    w[LIMITED_0] = w[LIMITED]


@kernel
def possible(p: Vector, q: Vector, s: Vector, w: Vector) -> bool:
    """Tell whether the point w[Y] is one of cells at all, with voltages that the source and their charge can explain."""
    most = 2.0 * (abs(s[V_S]) + abs(w[V_CELL]) + abs(w[V_CELL + 1])) + ASTRAY
    if not (fits(p, w[Y], w[Y + 1]) and abs(w[Y + VOLT]) < most):
        return False
    if w[SIZE] > OWN:
        return fits(q, w[Y + OWN], w[Y + OWN + 1]) and abs(w[Y + OWN + VOLT]) < most
    return True


@kernel
def weight(w: Vector, k: int) -> float:
    """Compute the nm of gap that an error of state k by one unit counts as, at the point w[Y]."""
    place = k % OWN
    if place == 0:
        return 1.0 / (1.0 + 0.02 * abs(w[Y + k]))
    if place == 1:
        return RADIUS
    if place == 2:
        return SUPPLY
    return PER_VOLT / (1.0 + abs(w[Y + k]) / LARGE)


@kernel
def source_error(s: Vector, w: Vector, off: float) -> float:
    """Compute the error (nm) that counts for the source, if the cells' voltages together are `off` (V) at the point w[Y].

    The drop over the resistance outside is a small difference of large voltages, so it is watched by itself. A step is made
    as it began, in compliance or not: within a step the kink between the two could make its stages cancel, and
    it would go nowhere for ever. How far it ends beyond the kink is an error of its voltage, or of its current; it must not
    end in the opposite compliance.
    """
    kink, drop = s[I_CC] * w[OUTSIDE], s[V_S] - across(w)
    if w[LIMITED_0] == 0.0:
        error = PER_CURRENT * abs(off) / (abs(drop) + FAINT * w[OUTSIDE])
        beyond = abs(drop) - kink
    else:
        error = 0.0
        beyond = kink - w[LIMITED_0] * drop
        if beyond > 2.0 * kink:
            return math.inf
    if beyond > 0.0:
        error = max(error, beyond * min(PER_VOLT / (1.0 + abs(drop) / LARGE), PER_CURRENT / kink))
    return error


@kernel
def finish(s: Vector, w: Vector, h: float) -> float:
    """Put the end of a step of h (s) with stages K_1, K_2 into w[Y], which holds that of the first; returns its error (nm)."""
    error, off = 0.0, 0.0
    for k in range(int(w[SIZE])):
        moved = 0.5 * h * (w[K_1 + k] + w[K_2 + k])
        w[Y + k] += moved
        error = max(error, abs(moved) * weight(w, k))
        if k % OWN == VOLT:
            off += moved
    return max(error, source_error(s, w, off))


@kernel
def charged_attempt(p: Vector, q: Vector, s: Vector, t: Vector, h: float, w: Vector) -> float:
    """Try one ROS2 step of h (s): its end in w[Y]; returns the error estimate (nm).

    Where a stage is no state of cells that is inf, and the point is the start.
    """
    size = int(w[SIZE])
    start_from(s, t, w)
    if factor(w, GAMMA * h) == 0.0:
        return math.inf
    for k in range(size):
        w[K_1 + k] = w[F_0 + k]
    substitute(w, K_1)
    for k in range(size):
        w[Y + k] += h * w[K_1 + k]
    if not possible(p, q, s, w):
        start_from(s, t, w)
        return math.inf
    charged_slopes(p, q, s, t, w, w[LIMITED_0])
    for k in range(size):
        w[K_2 + k] = w[F + k] - 2.0 * w[K_1 + k]
    substitute(w, K_2)
    error = finish(s, w, h)
    if not possible(p, q, s, w):
        start_from(s, t, w)
        return math.inf
    return error
