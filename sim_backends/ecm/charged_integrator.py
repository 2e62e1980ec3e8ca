"""Lets time pass for cells with capacitors, step by step, as `integrator` does.

Each cell keeps a state vector of its own (`integrator`); drive and step are in the first one's, and the voltages stay in
the working vector. For one cell p, q and s, t are the same vectors.
"""

from __future__ import annotations

from labctl.jit import Vector, kernel

from .charged_circuit import (
    AMPS,
    F_0,
    I_CELL,
    J_0,
    K_1,
    LIMITED,
    LIMITED_0,
    OUTSIDE,
    OWN,
    SIZE,
    U_CELL,
    V_CELL,
    VOLT,
    WIDTH,
    Y,
    across,
    charged_slopes,
    charging_time,
    limit,
)
from .charged_matrix import factor, substitute
from .charged_step import charged_attempt, keep, start_from
from .integrator import (
    DONE,
    EXHAUSTED,
    HAPPENED,
    I_CC,
    LEFT,
    MAX_TRIES,
    QUIET,
    R_SRC,
    RUNAWAY,
    SHORTEST,
    STEPS,
    TRIES,
    V_S,
    H,
    R,
    U,
    W,
    X,
    left_over,
    next_step,
    set_drive,
    settle,
    until_broken,
    wear,
    wears,
)
from .parameters import R_S

#: V; less than the charge of one electron makes on 43 pF: a cell at rest counts as discharged, and a voltage as settled
DISCHARGED = 1e-9
#: of the drop at which the source leaves the compliance; what a step out of it aims at
INSIDE = 0.99


@kernel
def calm(w: Vector, left: float) -> bool:
    """Tell whether nothing would move in all the time left (s), in a stable way: then one step does for it.

    Of a voltage the way to its equilibrium counts: its slope is a small difference of large currents over a tiny capacity.
    """
    size = int(w[SIZE])
    for k in range(size):
        w[K_1 + k] = w[F_0 + k]
        if k % OWN < VOLT and abs(w[F_0 + k]) * left >= QUIET:
            return False
        if k % OWN < 2 and w[J_0 + (WIDTH + 1) * k] > 0.0:
            return False
    if factor(w, left / RUNAWAY) <= 0.0:
        return False
    substitute(w, K_1)
    furthest = 0.0
    for k in range(VOLT, size, OWN):
        furthest = max(furthest, abs(w[K_1 + k]) * left)
    return furthest < DISCHARGED


@kernel
def charged_longest(w: Vector, h: float, left: float, fresh: bool) -> float:
    """Choose the step to try (s): all that is left where nothing moves, else h, shorter where a mode grows fast.

    det(1 - h J) is > 0 up to the h at which the fastest growing mode grows h-fold; so no eigenvalue has to be known.
    fresh: the last step was accepted, so that all of the rest has not been tried in vain.
    """
    if fresh and calm(w, left):
        return left
    h = min(h, left)
    while h > SHORTEST and factor(w, h / RUNAWAY) <= 0.0:
        h = 0.5 * h
    return h


@kernel
def until_kink(s: Vector, w: Vector, h: float) -> float:
    """Shorten a step of h (s) in compliance to the one that ends just where the source leaves it.

    A step well beyond could be undone by the next one, and so on.
    """
    limited = w[LIMITED_0]
    if limited == 0.0:
        return h
    speed = w[F_0 + VOLT]
    if w[SIZE] > OWN:
        speed += w[F_0 + OWN + VOLT]
    way = limited * (s[V_S] - w[V_CELL] - w[V_CELL + 1]) - INSIDE * s[I_CC] * w[OUTSIDE]
    if limited * speed * h > way:
        h = way / (limited * speed)
    return max(h, SHORTEST)


@kernel
def charged_take(s: Vector, t: Vector, w: Vector, h: float) -> None:
    """Make an accepted step of h (s) the state of all cells."""
    s[X], s[R], s[W], w[V_CELL] = w[Y], w[Y + 1], left_over(w[Y + 2], s[W]), w[Y + VOLT]
    if w[SIZE] > OWN:
        t[X], t[R], w[V_CELL + 1] = w[Y + OWN], w[Y + OWN + 1], w[Y + OWN + VOLT]
        t[W] = left_over(w[Y + OWN + 2], t[W])
    s[LEFT] = max(s[LEFT] - h, 0.0)
    s[STEPS] += 1.0


@kernel
def charged_wear(p: Vector, q: Vector, s: Vector, t: Vector, h: float, w: Vector) -> None:
    """Add the damage of the step of h (s) just made to every cell."""
    wear(p, s, h, w[U_CELL], w[I_CELL])
    if w[SIZE] > OWN:
        wear(q, t, h, w[U_CELL + 1], w[I_CELL + 1])


@kernel
def charged_settle(p: Vector, q: Vector, s: Vector, t: Vector, w: Vector) -> bool:
    """Mark fronts and filaments of every cell; tell whether something happened to one in the step just taken."""
    first = settle(p, s)
    second = settle(q, t) if w[SIZE] > OWN else False
    return first or second


@kernel
def moves(w: Vector) -> bool:
    """Tell whether any slope differs from zero."""
    fastest = 0.0
    for k in range(int(w[SIZE])):
        fastest = max(fastest, abs(w[F_0 + k]))
    return fastest > 0.0


@kernel
def charged_integrate(p: Vector, q: Vector, s: Vector, t: Vector, w: Vector, tolerance: float) -> int:
    """Let the time left pass under the drive in `s`; returns DONE, HAPPENED or EXHAUSTED. tolerance: nm, per step."""
    start_from(s, t, w)
    charged_slopes(p, q, s, t, w, limit(s, w))
    keep(w)
    charged_wear(p, q, s, t, 0.0, w)
    s[TRIES] = 0.0
    accepted = True
    while s[LEFT] > 0.0 and (moves(w) or wears(s) or wears(t)):
        s[TRIES] += 1.0
        if s[TRIES] > MAX_TRIES:
            return EXHAUSTED
        h = charged_longest(w, s[H], s[LEFT], accepted)
        h = min(until_broken(s, until_broken(t, until_kink(s, w, h))), s[LEFT])
        share = charged_attempt(p, q, s, t, h, w) / tolerance
        accepted = share < 1.0 or h <= SHORTEST
        s[H] = next_step(h, s[H], accepted, share)
        if accepted:
            charged_take(s, t, w, h)
            charged_slopes(p, q, s, t, w, limit(s, w))
            charged_wear(p, q, s, t, h, w)
            if charged_settle(p, q, s, t, w):
                s[H] = 0.0
                return HAPPENED
            keep(w)
    return DONE


@kernel
def set_source(
    p: Vector, q: Vector, s: Vector, w: Vector, v_s: float, i_cc: float, r_src: float, duration: float
) -> None:
    """Make a drive held for `duration` (s) the present one; after a change the first step is no longer than charging takes."""
    two = w[SIZE] > OWN
    changed = v_s != s[V_S] or i_cc != s[I_CC] or r_src != s[R_SRC] or s[H] <= 0.0
    w[OUTSIDE] = r_src + p[R_S] + (q[R_S] if two else 0.0)
    set_drive(s, v_s, i_cc, r_src, duration)
    if changed:
        s[H] = max(min(s[H], charging_time(p, q, two, w[OUTSIDE])), SHORTEST)


@kernel
def discharge(w: Vector) -> None:
    """Forget what charge is left on cells at rest, if there is less than anything could tell."""
    if abs(w[V_CELL]) < DISCHARGED and abs(w[V_CELL + 1]) < DISCHARGED:
        w[V_CELL], w[V_CELL + 1] = 0.0, 0.0


@kernel
def charged_dwell(
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
    """Hold a drive for `duration` (s): how it ended, then the source's current (A) and voltage (V), compliance? at its end.

    As `integrator.dwell`, for the cells with parameters p, q and states s, t; w: working vector, which keeps the voltages.
    """
    set_source(p, q, s, w, v_s, i_cc, r_src, duration)
    ended = charged_integrate(p, q, s, t, w, tolerance)
    if v_s == 0.0:
        discharge(w)
    start_from(s, t, w)
    charged_slopes(p, q, s, t, w, limit(s, w))
    s[U] = w[U_CELL]
    if w[SIZE] > OWN:
        t[U] = w[U_CELL + 1]
    limited = w[LIMITED] != 0.0
    return ended, w[AMPS], (across(w) + w[AMPS] * w[OUTSIDE] if limited else v_s), limited
