"""Lets time pass: ROS2 with the analytic Jacobian of device and circuit together, and an adaptive step.

Being in compliance makes the gap relax to the circuit within nanoseconds while the dwell lasts milliseconds or hours, so
the method must be stiff: ROS2 (Verwer et al., SIAM J. Sci. Comput. 20, 1456 (1999)) is L-stable, of order two for any
Jacobian, and needs two evaluations a step.
"""

from __future__ import annotations

import math

from labctl.jit import Vector, kernel

from .circuit import solve, terminal_voltage
from .damage import breakdown_rate, burn_rate
from .kinetics import rates, supply
from .parameters import LAM_C, R_N, R_RES, THICKNESS, X_0, X_MIN

#: places in the state vector: gap, radius, deepest front (nm), filament there? (0/1), next step (s), last U (V), ...
X, R, X_F, ON, H, U = range(6)
#: ... the drive (V with its sign, A, ohm), time still to pass (s), accepted steps and attempts so far
V_S, I_CC, R_SRC, LEFT, STEPS, TRIES = range(6, 12)
#: ... what happened to the cell in the last step; damage of oxide and filament (broken at 1), and both per second
EVENT, WORN, BURNT, WEARING, BURNING = range(12, 17)
#: ... and the ion supply (0 to 1)
W = 17
STATE_SIZE = 18

#: how `dwell` ended: the time is up; something happened (EVENT says what); or the bound on steps was hit
DONE, HAPPENED, EXHAUSTED = range(3)
#: events: none; the filament ruptured; the oxide broke down; the filament burnt
NOTHING, RUPTURED, BROKE_DOWN, BURNT_OUT = range(4)
#: of damage; rounding may leave this much of the last step to the next
DAMAGED = 1.0 - 1e-9

#: 1 - 1/sqrt(2), for which ROS2 is L-stable
GAMMA = 1.0 - math.sqrt(0.5)
#: bound on attempted steps in one call; the hardest dwell known (forming at 1 MV) takes a few hundred
MAX_TRIES = 20_000
#: s; a step this short moves less than 0.001 nm at the greatest velocity, so it is accepted as it is
SHORTEST = 1e-15
#: greatest growth and shrinkage of the step from one attempt to the next, and its safety factor (ecm-model.md 6)
FASTER, SLOWER, SAFETY = 5.0, 0.1, 0.9
#: of the error of the radius, which stays where that of the gap dies out
RADIUS = 3.0
#: nm; an error of the ion supply by 1 counts as much: guess, it enters the rates with a power of five or so
SUPPLY = 20.0
#: an ion supply below this that still falls is none; above the other it is there (`Filament.look`): guesses
DRAINED, SUPPLIED = 1e-9, 0.9
#: of the dwell; first step after the source has changed (ecm-model.md 6)
FIRST = 1e-3
#: nm; a stable cell that would move less than this in all the time left takes it in one step
QUIET = 1e-6
#: greatest step times fastest growing mode; beyond 1/GAMMA the method would turn growth into decay
RUNAWAY = 2.0
#: nm below x0: here a filament counts as ruptured; and the share of x_min..x0 within which it counts as there: guess
NEAR_X0 = 0.1
ON_SHARE = 0.6


#: dx/dt, dr/dt, their Jacobian row by row, U, I, then dw/dt, d(dx/dt, dr/dt)/dw, d(dw/dt)/d(x, r, w)
Slopes = tuple[
    float, float, float, float, float, float, float, float, float, float, float, float, float, float
]  # fmt: skip


@kernel
def slopes(p: Vector, s: Vector, x: float, r: float, w: float, guess: float) -> Slopes:
    """Compute dx/dt, dr/dt (nm/s), their Jacobian (1/s, row by row), junction voltage (V) and current (A) at x, r (nm).

    Then what the ion supply w adds: its own slope (1/s), how the first two move with it, and how it moves with x, r and w.
    """
    u, i, _, u_x, u_r, i_x, i_r = solve(p, abs(s[V_S]), s[I_CC], s[R_SRC], x, r, guess)
    f_x, f_r, x_u, x_x, x_r, x_w, r_u, r_x, r_r, r_i, r_w = rates(p, s[V_S] > 0.0, s[X_F], u, i, x, r, w)
    f_w, w_u, w_w = supply(p, s[V_S] > 0.0, u, w)
    j_xx, j_xr = x_x + x_u * u_x, x_r + x_u * u_r
    j_rx, j_rr = r_x + r_u * u_x + r_i * i_x, r_r + r_u * u_r + r_i * i_r
    return f_x, f_r, j_xx, j_xr, j_rx, j_rr, u, i, f_w, x_w, r_w, w_u * u_x, w_u * u_r, w_w


@kernel
def fits(p: Vector, x: float, r: float) -> bool:
    """Tell whether a stage is a cell at all; the soft stops are no longer steep far outside (ecm-model.md 3.5)."""
    margin = 2.5 * p[LAM_C]
    inside = p[X_MIN] - margin < x < p[THICKNESS] + margin
    return inside and 0.3 * p[R_N] < r < 1.2 * p[R_RES]


@kernel
def stage(f: Slopes, g: float, b_x: float, b_r: float, b_w: float) -> tuple[float, float, float]:
    """Solve (1 - g J) k = b for one stage, J from f: the ion supply first, which moves only by itself, then the other two."""
    d_w = 1.0 - g * f[13]
    x_w, r_w = g * f[9] / d_w, g * f[10] / d_w
    a, b = 1.0 - g * f[2] - x_w * g * f[11], -g * f[3] - x_w * g * f[12]
    c, d = -g * f[4] - r_w * g * f[11], 1.0 - g * f[5] - r_w * g * f[12]
    b_x, b_r = b_x + x_w * b_w, b_r + r_w * b_w
    det = a * d - b * c
    k_x, k_r = (d * b_x - b * b_r) / det, (a * b_r - c * b_x) / det
    return k_x, k_r, (b_w + g * (f[11] * k_x + f[12] * k_r)) / d_w


@kernel
def attempt(p: Vector, s: Vector, h: float, f: Slopes) -> tuple[bool, float, float, float, float]:
    """Try one ROS2 step of h (s) from the state with slopes f there: fits?, new x, r (nm), new w, error estimate (nm)."""
    g = GAMMA * h
    x, r, w = s[X], s[R], s[W]
    a_x, a_r, a_w = stage(f, g, f[0], f[1], f[8])
    x_1, r_1 = x + h * a_x, r + h * a_r
    if not fits(p, x_1, r_1):
        return False, x, r, w, 0.0
    f_2 = slopes(p, s, x_1, r_1, w + h * a_w, f[6])
    b_x, b_r, b_w = stage(f, g, f_2[0] - 2.0 * a_x, f_2[1] - 2.0 * a_r, f_2[8] - 2.0 * a_w)
    x_2, r_2, w_2 = x + h * (1.5 * a_x + 0.5 * b_x), r + h * (1.5 * a_r + 0.5 * b_r), w + h * (1.5 * a_w + 0.5 * b_w)
    error = max(abs(a_x + b_x) / (1.0 + 0.02 * abs(x)), RADIUS * abs(a_r + b_r), SUPPLY * abs(a_w + b_w))
    return fits(p, x_2, r_2), x_2, r_2, w_2, 0.5 * h * error


@kernel
def longest(f: Slopes, h: float, left: float) -> float:
    """Choose the step to try (s): all that is left where nothing moves, else h, shorter where a mode grows fast."""
    trace, det = f[2] + f[5], f[2] * f[5] - f[3] * f[4]
    quiet = abs(f[0]) * left < QUIET and abs(f[1]) * left < QUIET and abs(f[8]) * left < QUIET
    if trace <= 0.0 and det >= 0.0 and quiet:
        return left
    half = 0.5 * trace
    growing = half + math.sqrt(max(half * half - det, 0.0))
    if growing * h > RUNAWAY:
        h = RUNAWAY / growing
    return min(h, left)


@kernel
def settle(p: Vector, s: Vector) -> bool:
    """Mark the depth of the front and whether a filament is there; tell whether something happened in the step just taken."""
    s[X_F] = min(s[X_F], s[X])
    if s[WORN] >= DAMAGED or s[BURNT] >= DAMAGED:
        s[EVENT] = BURNT_OUT if s[BURNT] >= DAMAGED else BROKE_DOWN
        return True
    if s[X] < p[X_MIN] + ON_SHARE * (p[X_0] - p[X_MIN]):
        s[ON] = 1.0
    if s[ON] > 0.5 and s[X] > p[X_0] - NEAR_X0:
        s[ON] = 0.0
        s[EVENT] = RUPTURED
        return True
    return False


@kernel
def wear(p: Vector, s: Vector, h: float, u: float, i: float) -> None:
    """Add the damage of the step of h (s) just made (0: none) at its end's U (V) and I (A), with the rates at its start."""
    worn, burnt = breakdown_rate(p, u), burn_rate(p, i, s[R])
    if h > 0.0:
        s[WORN] = min(s[WORN] + 0.5 * h * (s[WEARING] + worn), 1.0)
        s[BURNT] = min(s[BURNT] + 0.5 * h * (s[BURNING] + burnt), 1.0)
    s[WEARING], s[BURNING] = worn, burnt


@kernel
def wears(s: Vector) -> bool:
    """Tell whether any damage is going on."""
    return s[WEARING] > 0.0 or s[BURNING] > 0.0


@kernel
def until_broken(s: Vector, h: float) -> float:
    """Shorten a step of h (s) to the one that breaks the cell at the present rates of damage."""
    if s[WEARING] * h > 1.0 - s[WORN]:
        h = (1.0 - s[WORN]) / s[WEARING]
    if s[BURNING] * h > 1.0 - s[BURNT]:
        h = (1.0 - s[BURNT]) / s[BURNING]
    return max(h, SHORTEST)


@kernel
def left_over(w: float, before: float) -> float:
    """Return the ion supply w, or none where it has fallen to a rounding error: it dies out exponentially, for ever."""
    return w if w > DRAINED or w > before else 0.0


@kernel
def take(s: Vector, h: float, x: float, r: float, w: float, u: float) -> None:
    """Make an accepted step of h (s) the state."""
    s[X], s[R], s[W], s[U] = x, r, left_over(w, s[W]), u
    s[LEFT] = max(s[LEFT] - h, 0.0)
    s[STEPS] += 1.0


@kernel
def next_step(h: float, wanted: float, accepted: bool, share: float) -> float:
    """Choose the step to go on with (s) from the one tried, the one it was cut from, and its error over the tolerance."""
    factor = SAFETY / math.sqrt(max(share, 1e-6))
    after = max(h * min(FASTER, max(SLOWER, factor)), SHORTEST)
    # a step cut short by the end of the dwell says nothing against the longer one it was cut from
    return max(after, wanted) if accepted and h < wanted else after


@kernel
def integrate(p: Vector, s: Vector, tolerance: float) -> int:
    """Let the time left pass under the drive in `s`; returns DONE, HAPPENED or EXHAUSTED. tolerance: nm, per step."""
    f = slopes(p, s, s[X], s[R], s[W], s[U])
    wear(p, s, 0.0, f[6], f[7])
    s[TRIES] = 0.0
    while s[LEFT] > 0.0 and (f[0] != 0.0 or f[1] != 0.0 or f[8] != 0.0 or wears(s)):
        s[TRIES] += 1.0
        if s[TRIES] > MAX_TRIES:
            return EXHAUSTED
        h = min(until_broken(s, longest(f, s[H], s[LEFT])), s[LEFT])
        good, x, r, w, error = attempt(p, s, h, f)
        share = error / tolerance if good else 1e6
        accepted = share < 1.0 or h <= SHORTEST
        s[H] = next_step(h, s[H], accepted, share)
        if accepted:
            take(s, h, x, r, w, f[6])
            f = slopes(p, s, x, r, s[W], f[6])
            wear(p, s, h, f[6], f[7])
            if settle(p, s):
                s[H] = 0.0  # what comes next has other rates: start afresh
                return HAPPENED
    return DONE


@kernel
def set_drive(s: Vector, v_s: float, i_cc: float, r_src: float, duration: float) -> None:
    """Make a drive held for `duration` (s) the present one, with a short first step if it is another than before."""
    if v_s != s[V_S] or i_cc != s[I_CC] or r_src != s[R_SRC] or s[H] <= 0.0:
        s[V_S], s[I_CC], s[R_SRC] = v_s, i_cc, r_src
        s[H] = FIRST * duration if s[H] <= 0.0 else min(s[H], FIRST * duration)
    s[LEFT] = duration


@kernel
def dwell(
    p: Vector, s: Vector, v_s: float, i_cc: float, r_src: float, duration: float, tolerance: float
) -> tuple[int, float, float, bool]:
    """Hold a drive for `duration` (s): how it ended, then current (A), terminal voltage (V), compliance? at its end.

    v_s: V, either sign; i_cc: A, > 0; r_src: ohm. After HAPPENED, s[LEFT] is what remains to be held.
    """
    set_drive(s, v_s, i_cc, r_src, duration)
    ended = integrate(p, s, tolerance)
    found = solve(p, abs(v_s), i_cc, r_src, s[X], s[R], s[U])
    s[U] = found[0]
    voltage = terminal_voltage(p, abs(v_s), r_src, s[R], found)
    sign = 1.0 if v_s >= 0.0 else -1.0
    return ended, sign * found[1], sign * voltage, found[2]
