"""The steps of a tile: every lane at its own place in its own step, all of them evaluated together.

ROS2 and its step control are those of `integrator`, cut where it needs the slopes at a point. Between two evaluations
a lane does what comes next for it: `complete` a step, `arrive` at its end, `plan` the next. So no lane waits for another.
"""

# so many names that a line for each would fill a page
# isort: off
from __future__ import annotations

import math

from labctl.jit import Vector, kernel

from .filament import GIVEN_UP
from .integrator import (
    BROKE_DOWN, BURNT_OUT, DAMAGED, DRAINED, FASTER, FIRST, GAMMA, MAX_TRIES, NEAR_X0, ON_SHARE, QUIET, RADIUS, RUNAWAY,
    RUPTURED, SAFETY, SHORTEST, SLOWER, SUPPLIED, SUPPLY,
)  # fmt: skip
from .parameters import BIP, LAM_C, N_J, R_N, R_RES, THICKNESS, X_0, X_MIN
from .tile_layout import (
    AGAIN, AMPS, ARRIVES, ATTEMPT, BURNED, DONE, DUE, EMPTY, ENTERED, F_R, F_W, F_X, FOUND_IT, FRESH, G_R, G_U, G_VR, G_VX,
    G_W, G_X, GUESS, K_RR, K_RW, K_RX, K_WR, K_WW, K_WX, K_XR, K_XW, K_XX, LANES, LIMITED, MAY_TRY, MODE, MOVED,
    NEWS, NEXT_I_CC, NEXT_R_SRC, NEXT_TIME, NEXT_V, ONE_R, ONE_W, ONE_X, OUT_I, OUT_LIMITED, OUT_V, OVER, PER_I_CC, PER_N,
    PER_TOLERANCE, PHASE, RESISTANCE, S_BURNING, S_BURNT, S_EVENT, S_H, S_I_CC, S_LEFT, S_ON, S_R, S_R_SRC, S_STEPS,
    S_TRIES, S_U, S_V, S_W, S_WEARING, S_WORN, S_X, S_X_F, SPENT, STAGED, STARTING, STEP, STRUCK, TAKEN, TRIED, V_R,
    V_V, V_X, VOLTS, WORE, Y_R, Y_W, Y_X, YIELDED,
)  # fmt: skip

#: A; below the least compliance that makes sense, and its reciprocal is a number
SMALLEST = 1e-300


@kernel
def lane_stage(w: Vector, k: int, g: float, b_x: float, b_r: float, b_w: float) -> tuple[float, float, float]:
    """Solve (1 - g J) y = b in lane k with the Jacobian at the start of the step, as `integrator.stage`."""
    w_x, w_r = g * w[LANES * K_WX + k], g * w[LANES * K_WR + k]
    per_w = 1.0 / (1.0 - g * w[LANES * K_WW + k])
    x_w, r_w = g * w[LANES * K_XW + k] * per_w, g * w[LANES * K_RW + k] * per_w
    a, b = 1.0 - g * w[LANES * K_XX + k] - x_w * w_x, -g * w[LANES * K_XR + k] - x_w * w_r
    c, d = -g * w[LANES * K_RX + k] - r_w * w_x, 1.0 - g * w[LANES * K_RR + k] - r_w * w_r
    b_x, b_r = b_x + x_w * b_w, b_r + r_w * b_w
    per = 1.0 / (a * d - b * c)
    y_x, y_r = (d * b_x - b * b_r) * per, (a * b_r - c * b_x) * per
    return y_x, y_r, (b_w + w_x * y_x + w_r * y_r) * per_w


@kernel
def lane_fits(w: Vector, k: int, x: float, r: float) -> bool:
    """Tell whether x, r (nm) are a cell at all in lane k, as `integrator.fits`."""
    margin = 2.5 * w[LANES * LAM_C + k]
    inside = (w[LANES * X_MIN + k] - margin < x) & (x < w[LANES * THICKNESS + k] + margin)
    return inside & (0.3 * w[LANES * R_N + k] < r) & (r < 1.2 * w[LANES * R_RES + k])


@kernel
def lane_next(h: float, wanted: float, accepted: bool, share: float) -> float:
    """Choose the step to go on with (s), as `integrator.next_step`."""
    factor = SAFETY / math.sqrt(max(share, 1e-6))
    after = max(h * min(FASTER, max(SLOWER, factor)), SHORTEST)
    return max(after, wanted) if accepted & (h < wanted) else after


@kernel
def lane_take(w: Vector, k: int, takes: bool, h: float) -> None:
    """Count a step of h (s) that lane k takes, and have the slopes at its end evaluated next."""
    u, left, steps, here = w[LANES * S_U + k], w[LANES * S_LEFT + k], w[LANES * S_STEPS + k], w[LANES * G_U + k]
    w[LANES * S_U + k] = here if takes else u
    w[LANES * S_LEFT + k] = max(left - h, 0.0) if takes else left
    w[LANES * S_STEPS + k] = steps + 1.0 if takes else steps


@kernel
def complete(w: Vector, k: int) -> None:
    """With the slopes at its first stage, end lane k's try: take the step or refuse it, as `integrator.attempt`."""
    phase, ready = w[LANES * PHASE + k], w[LANES * MODE + k] == FOUND_IT
    staged = ready & (phase == STAGED)
    h, wanted = w[LANES * STEP + k], w[LANES * S_H + k]
    a_x, a_r, a_w = w[LANES * ONE_X + k], w[LANES * ONE_R + k], w[LANES * ONE_W + k]
    x, r, y = w[LANES * S_X + k], w[LANES * S_R + k], w[LANES * S_W + k]
    guess, u, u_x, u_r = w[LANES * GUESS + k], w[LANES * VOLTS + k], w[LANES * V_X + k], w[LANES * V_R + k]
    b_x, b_r, b_w = lane_stage(
        w, k, GAMMA * h, w[LANES * F_X + k] - 2.0 * a_x, w[LANES * F_R + k] - 2.0 * a_r, w[LANES * F_W + k] - 2.0 * a_w
    )
    x_2, r_2, y_2 = x + h * (1.5 * a_x + 0.5 * b_x), r + h * (1.5 * a_r + 0.5 * b_r), y + h * (1.5 * a_w + 0.5 * b_w)
    error = max(abs(a_x + b_x) / (1.0 + 0.02 * abs(x)), RADIUS * abs(a_r + b_r))
    error = 0.5 * h * max(error, SUPPLY * abs(a_w + b_w))
    share = error * w[LANES * PER_TOLERANCE + k] if lane_fits(w, k, x_2, r_2) else 1e6
    takes = staged & ((share < 1.0) | (h <= SHORTEST))
    y_2 = y_2 if (y_2 > DRAINED) | (y_2 > y) else 0.0
    # from the stage the end of the step is not far: its voltage, moved along the circuit's solution, is a good guess
    near = u + u_x * (x_2 - w[LANES * Y_X + k]) + u_r * (r_2 - w[LANES * Y_R + k])
    w[LANES * S_H + k] = lane_next(h, wanted, takes, share) if staged else wanted
    w[LANES * S_X + k], w[LANES * S_R + k] = x_2 if takes else x, r_2 if takes else r
    w[LANES * S_W + k], w[LANES * GUESS + k] = y_2 if takes else y, near if takes else guess
    lane_take(w, k, takes, h)
    # refused: the slopes at the start are still there
    after = MOVED if takes else AGAIN
    w[LANES * PHASE + k] = after if staged else phase


@kernel
def lane_wear(w: Vector, k: int, arrives: bool, taken: bool) -> bool:
    """Add lane k's damage in the step just taken, as `integrator.wear`; tell whether any goes on."""
    h = 0.5 * w[LANES * STEP + k] if taken else 0.0
    wearing, burning = w[LANES * S_WEARING + k], w[LANES * S_BURNING + k]
    worn, burnt = w[LANES * S_WORN + k], w[LANES * S_BURNT + k]
    w[LANES * S_WORN + k] = min(worn + h * (wearing + w[LANES * WORE + k]), 1.0) if taken else worn
    w[LANES * S_BURNT + k] = min(burnt + h * (burning + w[LANES * BURNED + k]), 1.0) if taken else burnt
    wearing = w[LANES * WORE + k] if arrives else wearing
    burning = w[LANES * BURNED + k] if arrives else burning
    w[LANES * S_WEARING + k], w[LANES * S_BURNING + k] = wearing, burning
    return (wearing > 0.0) | (burning > 0.0)


@kernel
def lane_settle(w: Vector, k: int, taken: bool) -> bool:
    """Mark front and filament of lane k after a step; tell whether something happened in it, as `integrator.settle`."""
    x, x_f, on, x_0 = w[LANES * S_X + k], w[LANES * S_X_F + k], w[LANES * S_ON + k], w[LANES * X_0 + k]
    x_f = min(x_f, x) if taken else x_f
    w[LANES * S_X_F + k] = x_f
    burnt = w[LANES * S_BURNT + k] >= DAMAGED
    broken = taken & (burnt | (w[LANES * S_WORN + k] >= DAMAGED))
    x_min = w[LANES * X_MIN + k]
    on = 1.0 if taken & (not broken) & (x < x_min + ON_SHARE * (x_0 - x_min)) else on
    ruptured = taken & (not broken) & (on > 0.5) & (x > x_0 - NEAR_X0)
    w[LANES * S_ON + k] = 0.0 if ruptured else on
    event = float(RUPTURED) if ruptured else w[LANES * S_EVENT + k]
    damaged = float(BURNT_OUT) if burnt else float(BROKE_DOWN)
    w[LANES * S_EVENT + k] = damaged if broken else event
    w[LANES * S_H + k] = 0.0 if broken | ruptured else w[LANES * S_H + k]
    return broken | ruptured


@kernel
def arrive(w: Vector, k: int) -> None:
    """With the slopes where lane k is, see what the step has done, and whether the dwell goes on."""
    phase = w[LANES * PHASE + k]
    arrives = w[LANES * ARRIVES + k] > 0.5
    taken = arrives & (phase == TAKEN)
    wears = lane_wear(w, k, arrives, taken)
    struck = lane_settle(w, k, taken)
    still = (w[LANES * G_X + k] == 0.0) & (w[LANES * G_R + k] == 0.0) & (w[LANES * G_W + k] == 0.0) & (not wears)
    over = arrives & ((w[LANES * S_LEFT + k] <= 0.0) | still)
    going = AGAIN if arrives else phase
    w[LANES * PHASE + k] = STRUCK if struck else OVER if over else going


@kernel
def lane_longest(w: Vector, k: int) -> float:
    """Choose the step lane k tries (s), as `integrator.longest` and `integrator.until_broken`."""
    x_x, x_r, r_x, r_r = w[LANES * K_XX + k], w[LANES * K_XR + k], w[LANES * K_RX + k], w[LANES * K_RR + k]
    wanted, left = w[LANES * S_H + k], w[LANES * S_LEFT + k]
    trace, det = x_x + r_r, x_x * r_r - x_r * r_x
    most = max(max(abs(w[LANES * G_X + k]), abs(w[LANES * G_R + k])), abs(w[LANES * G_W + k]))
    quiet = (trace <= 0.0) & (det >= 0.0) & (most * left < QUIET)
    half = 0.5 * trace
    growing = half + math.sqrt(max(half * half - det, 0.0))
    bounded = RUNAWAY / growing if growing * wanted > RUNAWAY else wanted
    h = left if quiet else min(bounded, left)
    wearing, worn = w[LANES * S_WEARING + k], 1.0 - w[LANES * S_WORN + k]
    h = worn / wearing if wearing * h > worn else h
    burning, burnt = w[LANES * S_BURNING + k], 1.0 - w[LANES * S_BURNT + k]
    h = burnt / burning if burning * h > burnt else h
    return min(max(h, SHORTEST), left)


@kernel
def plan(w: Vector, k: int) -> None:
    """Choose lane k's next step and the point of its first stage, as the loop of `integrator.integrate`."""
    phase, tries, wanted, step = (
        w[LANES * PHASE + k], w[LANES * S_TRIES + k], w[LANES * S_H + k], w[LANES * STEP + k]
    )  # fmt: skip
    x, r, y = w[LANES * S_X + k], w[LANES * S_R + k], w[LANES * S_W + k]
    one_x, one_r, one_w = w[LANES * ONE_X + k], w[LANES * ONE_R + k], w[LANES * ONE_W + k]
    y_x, y_r, y_w = w[LANES * Y_X + k], w[LANES * Y_R + k], w[LANES * Y_W + k]
    guess, fresh, u, u_x, u_r = (
        w[LANES * GUESS + k], w[LANES * FRESH + k], w[LANES * G_U + k], w[LANES * G_VX + k], w[LANES * G_VR + k]
    )  # fmt: skip
    h = lane_longest(w, k)
    a_x, a_r, a_w = lane_stage(w, k, GAMMA * h, w[LANES * G_X + k], w[LANES * G_R + k], w[LANES * G_W + k])
    plans, moved = phase == AGAIN, phase == MOVED
    tries = tries + 1.0 if plans else tries
    spent = plans & (tries > float(MAX_TRIES))
    fits = lane_fits(w, k, x + h * a_x, r + h * a_r)
    goes = plans & fits & (not spent)
    # out of bounds: refused, or, as short as it can be, taken without moving
    out = plans & (not fits) & (not spent)
    takes = out & (h <= SHORTEST)
    on = h if goes else 0.0
    w[LANES * S_TRIES + k] = tries
    w[LANES * S_H + k] = lane_next(h, wanted, takes, 1e6) if out else wanted
    lane_take(w, k, takes, h)
    w[LANES * STEP + k] = h if goes | takes else step
    w[LANES * ONE_X + k], w[LANES * ONE_R + k] = a_x if goes else one_x, a_r if goes else one_r
    w[LANES * ONE_W + k] = a_w if goes else one_w
    new = goes | takes | moved
    w[LANES * Y_X + k], w[LANES * Y_R + k] = x + on * a_x if new else y_x, r + on * a_r if new else y_r
    w[LANES * Y_W + k], w[LANES * FRESH + k] = y + on * a_w if new else y_w, 1.0 if new else fresh
    w[LANES * GUESS + k] = u + on * (u_x * a_x + u_r * a_r) if plans else guess
    after = STAGED if goes else TAKEN if takes | moved else phase
    w[LANES * PHASE + k] = SPENT if spent else after


@kernel
def note(w: Vector, k: int) -> None:
    """Where lane k's time is up: keep what is seen of it, and whether it is in an attempt (`Filament.look`)."""
    over = w[LANES * PHASE + k] == OVER
    v_s, u, i, limited = w[LANES * S_V + k], w[LANES * VOLTS + k], w[LANES * AMPS + k], w[LANES * LIMITED + k]
    less = min(abs(v_s), w[LANES * N_J + k] * u + i * w[LANES * RESISTANCE + k])
    v = less if limited > 0.5 else abs(v_s)
    w[LANES * OUT_I + k] = i if v_s >= 0.0 else -i
    w[LANES * OUT_V + k] = v if v_s >= 0.0 else -v
    w[LANES * OUT_LIMITED + k] = limited
    w[LANES * DUE + k] = DONE if over else 0.0
    may = (w[LANES * MAY_TRY + k] > 0.5) & (w[LANES * S_ON + k] <= 0.5) & (w[LANES * S_X_F + k] < w[LANES * X_0 + k])
    tried = w[LANES * TRIED + k]
    grows = ((v_s > 0.0) | (w[LANES * BIP + k] > 0.5)) & (w[LANES * S_W + k] > SUPPLIED)
    high = 1.0 if (u > w[LANES * ATTEMPT + k]) & grows else tried
    w[LANES * TRIED + k] = (high if may else 0.0) if over else tried


@kernel
def turn(w: Vector, k: int) -> None:
    """Begin lane k's next dwell, if it is at the end of one and has a next (`Filament.given_up`, `integrator.set_drive`)."""
    # all is read before anything is chosen or written: see `tile_kinetics.lane_front`
    phase, u, h, left = w[LANES * PHASE + k], w[LANES * VOLTS + k], w[LANES * S_H + k], w[LANES * NEXT_TIME + k]
    v, i_cc, r_src = w[LANES * NEXT_V + k], w[LANES * NEXT_I_CC + k], w[LANES * NEXT_R_SRC + k]
    v_was, i_was, r_was = w[LANES * S_V + k], w[LANES * S_I_CC + k], w[LANES * S_R_SRC + k]
    u_was, left_was, tries = w[LANES * S_U + k], w[LANES * S_LEFT + k], w[LANES * S_TRIES + k]
    x, r, y, u_v = w[LANES * S_X + k], w[LANES * S_R + k], w[LANES * S_W + k], w[LANES * V_V + k]
    x_was, r_was_, y_was = w[LANES * Y_X + k], w[LANES * Y_R + k], w[LANES * Y_W + k]
    guess, fresh, tried, due = w[LANES * GUESS + k], w[LANES * FRESH + k], w[LANES * TRIED + k], w[LANES * DUE + k]
    per_n = w[LANES * PER_N + k]
    enters, waits = phase == ENTERED, (phase >= OVER) & (phase < EMPTY)
    goes = enters | ((phase == OVER) & (left > 0.0))
    gives_up = goes & (tried > 0.5) & (abs(v) * per_n < GIVEN_UP)
    starts = goes & (not gives_up)
    new, first = (v != v_was) | (i_cc != i_was) | (r_src != r_was), FIRST * left
    shorter = min(h, first) if new else h
    begun = first if h <= 0.0 else shorter
    near = u + u_v * (abs(v) - abs(v_was))
    i_cc = i_cc if starts else i_was
    w[LANES * S_U + k] = u if waits else u_was
    w[LANES * S_H + k] = begun if starts else h
    w[LANES * S_V + k] = v if starts else v_was
    w[LANES * S_I_CC + k], w[LANES * PER_I_CC + k] = i_cc, 1.0 / max(i_cc, SMALLEST)
    w[LANES * S_R_SRC + k] = r_src if starts else r_was
    w[LANES * S_LEFT + k], w[LANES * S_TRIES + k] = left if starts else left_was, 0.0 if starts else tries
    w[LANES * Y_X + k], w[LANES * Y_R + k] = x if starts else x_was, r if starts else r_was_
    w[LANES * Y_W + k], w[LANES * GUESS + k] = y if starts else y_was, near if starts else guess
    w[LANES * FRESH + k] = 1.0 if starts else fresh
    w[LANES * TRIED + k] = 0.0 if gives_up else tried
    w[LANES * DUE + k] = NEWS if enters & starts else due
    w[LANES * PHASE + k] = YIELDED if gives_up else STARTING if starts else phase


@kernel
def step_tile(w: Vector) -> None:
    """With the slopes of every lane evaluated at its point, let each do what comes next; sets points, guesses, phases."""
    for k in range(LANES):
        complete(w, k)
    for k in range(LANES):
        arrive(w, k)
    for k in range(LANES):
        note(w, k)
        turn(w, k)
    for k in range(LANES):
        plan(w, k)
