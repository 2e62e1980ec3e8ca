"""The circuits of a tile: junction voltage and current of each lane at its point, as `current` and `circuit` for one cell.

Every lane does what all do, with selects for branches. Newton's method is that of `circuit`, but a lane does only `TURNS` of
its steps before all go on with what follows; one that has not finished by then goes on in the next pass. A lane that was in
compliance looks for the voltage of the compliance first, since the source's own, which it then need not find, is far.
"""

# so many names that a line for each would fill a page
# isort: off
from __future__ import annotations

import math

from labctl.jit import Vector, kernel

from .circuit import ABSOLUTE, MAX_ITERATIONS, RELATIVE, TINY_V
from .current import SMALL_V
from .parameters import G_0, G_C, G_L, K_F, N_J, P_R, PHI, R_S, RHO_K, B
from .tile_layout import (
    A_R, A_X, AMPS, AT_CURRENT, AT_VOLTAGE, BARRIER, BEFORE, CHANNELS, FOUND_IT, FRESH, GUESS, HIGH, LANES, LAST,
    LIMITED, LOW, MODE, PER_I_CC, PER_N, PER_PHI, PER_R, PER_V_L, RESISTANCE, ROOM, ROOT, S_I_CC, S_R_SRC, S_V, STEEP,
    TURN, V_R, V_V, V_X, VOLTS, Y_R, Y_X,
)  # fmt: skip
from .vector_math import SQRT_2, falling_exp, fast_power, split

#: steps of Newton's method in a pass; in a sweep enough for 99 points of 100 (measured)
TURNS = 2
LN_2 = math.log(2.0)
#: of the greatest voltage possible; a guess below is no guess, and Newton's method for a logarithm can't start at 0
UNKNOWN = 1e-9


@kernel
def tunnelling(w: Vector, k: int, v: float) -> tuple[float, float, float]:
    """Compute the tunnelling current (A), its d/dV (S) and dS/dx (1/nm) at junction voltage v >= 0 (V) in lane k."""
    phi, root, steep, x = w[LANES * PHI + k], w[LANES * ROOT + k], w[LANES * STEEP + k], w[LANES * Y_X + k]
    under = max(phi - v, 0.0)
    rest = math.sqrt(under)
    quarter = 0.25 * v * w[LANES * PER_PHI + k]
    share = v * w[LANES * PER_PHI + k]
    squared = share * share
    more = 1.0 + squared
    both = 1.0 / (more * max(v, SMALL_V))
    exact = ((w[LANES * BARRIER + k] - w[LANES * B + k] * under * rest) * both) * more
    small = v < SMALL_V
    s_x = steep * root * (1.0 - quarter) if small else exact
    falling = -steep * root * quarter if small else steep * rest - exact
    g = w[LANES * CHANNELS + k] * math.sqrt(more) * falling_exp(-s_x * x)
    bent = squared * (both * max(v, SMALL_V))
    return g * v, g * (1.0 + bent - falling * x), s_x


@kernel
def leaking(w: Vector, k: int, v: float) -> tuple[float, float]:
    """Compute the leak's current (A) and its d/dV (S) at junction voltage v >= 0 (V) in lane k."""
    g, n = w[LANES * G_L + k], w[LANES * N_J + k]
    across = n * v
    bent = across * w[LANES * PER_V_L + k]
    return g * across * (1.0 + bent * bent), g * n * (1.0 + 3.0 * (bent * bent))


@kernel
def start(guess: float, top: float, limits: bool) -> float:
    """Choose the junction voltage to begin with (V): the guess within 0 and top, or half of that where it is none."""
    within = min(max(guess, 0.0), top)
    return 0.5 * top if limits & (within < UNKNOWN * top) else within


@kernel
def prepare(w: Vector, k: int) -> None:
    """Find what the circuit of lane k has to do with the radius, and start its iteration if the point is fresh."""
    per_r, per_n, i_cc = 1.0 / w[LANES * Y_R + k], w[LANES * PER_N + k], w[LANES * S_I_CC + k]
    resistance = w[LANES * S_R_SRC + k] + (w[LANES * R_S + k] + w[LANES * RHO_K + k] * per_r * per_r)
    w[LANES * RESISTANCE + k], w[LANES * PER_R + k] = resistance, per_r
    source, fresh = abs(w[LANES * S_V + k]), w[LANES * FRESH + k] > 0.5
    room = (source - i_cc * resistance) * per_n
    w[LANES * ROOM + k] = room
    limited, mode, turn, guess = (
        w[LANES * LIMITED + k], w[LANES * MODE + k], w[LANES * TURN + k], w[LANES * GUESS + k]
    )  # fmt: skip
    low, high, last, before, u = (
        w[LANES * LOW + k], w[LANES * HIGH + k], w[LANES * LAST + k], w[LANES * BEFORE + k], w[LANES * VOLTS + k]
    )  # fmt: skip
    limits = (limited > 0.5) & (room > 0.0)
    top = room if limits else source * per_n
    w[LANES * LIMITED + k] = (1.0 if limits else 0.0) if fresh else limited
    w[LANES * MODE + k] = (AT_CURRENT if limits else AT_VOLTAGE) if fresh else mode
    w[LANES * TURN + k] = 0.0 if fresh else turn
    w[LANES * LOW + k] = 0.0 if fresh else low
    w[LANES * HIGH + k] = (2.0 * top if limits else top) if fresh else high
    w[LANES * LAST + k] = 2.0 * top if fresh else last
    w[LANES * BEFORE + k] = 2.0 * top if fresh else before
    first = start(guess, top, limits)
    w[LANES * VOLTS + k] = first if fresh else u
    w[LANES * FRESH + k] = 0.0


@kernel
def excess_log(ratio: float) -> tuple[float, float]:
    """Compute a numerator and a denominator > 0 whose quotient is ln(ratio) to second order about 1, and near it elsewhere."""
    m, n = split(ratio)
    large = m > SQRT_2
    m, n = 0.5 * m if large else m, n + 1.0 if large else n
    return (m + 1.0) * (n * LN_2) + 2.0 * (m - 1.0), m + 1.0


@kernel
def improve(w: Vector, k: int) -> None:
    """Do one step of Newton's method in lane k, for n_j U + I R = V_s or for ln I = ln I_cc, unless it has its voltage.

    In a bracket, which is halved where Newton leaves it or takes more than half the step before last.
    """
    u, low, high = w[LANES * VOLTS + k], w[LANES * LOW + k], w[LANES * HIGH + k]
    before, last, mode = w[LANES * BEFORE + k], w[LANES * LAST + k], w[LANES * MODE + k]
    n, resistance, room = w[LANES * N_J + k], w[LANES * RESISTANCE + k], w[LANES * ROOM + k]
    turn, limited, source, per_n = (
        w[LANES * TURN + k] + 1.0, w[LANES * LIMITED + k], abs(w[LANES * S_V + k]), w[LANES * PER_N + k]
    )  # fmt: skip
    tunnel, tunnel_u, _ = tunnelling(w, k, u)
    leak, leak_u = leaking(w, k, u)
    i, i_u = tunnel + leak, tunnel_u + leak_u
    limits, busy = mode == AT_CURRENT, mode != FOUND_IT
    above, per_above = excess_log(max(i * w[LANES * PER_I_CC + k], TINY_V))
    excess = above if limits else n * u + i * resistance - source
    newton = (above * i if limits else excess) / (max(per_above * i_u, TINY_V) if limits else n + i_u * resistance)
    over = excess > 0.0
    high, low = u if over else high, low if over else u
    after = u - newton
    # all the voltage there is, when it is Newton's choice for the first time, is tried whatever the step
    edge = limits & (after >= room) & (high > room)
    good = ((low <= after) & (after <= high) & (abs(newton) <= 0.5 * before)) | edge
    after = after if good else 0.5 * (low + high)
    after = min(after, room) if limits else after
    step = newton if good else u - after
    close = abs(step) < (0.0 if limits else ABSOLUTE) + RELATIVE * after
    done = close | (turn >= float(MAX_ITERATIONS))
    # with all the voltage there is the current is still below the compliance: the source is not limited
    free = limits & (not over) & (u >= room)
    top = source * per_n
    w[LANES * TURN + k] = turn
    w[LANES * VOLTS + k] = after if busy & (not free) else u
    w[LANES * LOW + k] = 0.0 if free else low
    w[LANES * HIGH + k] = top if free else high
    w[LANES * BEFORE + k] = 2.0 * top if free else abs(last)
    w[LANES * LAST + k] = 2.0 * top if free else step
    w[LANES * MODE + k] = (AT_VOLTAGE if free else FOUND_IT if done else mode) if busy else mode
    w[LANES * LIMITED + k] = 0.0 if free & busy else limited


@kernel
def finish(w: Vector, k: int) -> None:
    """Find the current in lane k and how it moves with gap and radius; or see that it exceeds the compliance, and go on."""
    u, per_r, i_cc, n = w[LANES * VOLTS + k], w[LANES * PER_R + k], w[LANES * S_I_CC + k], w[LANES * N_J + k]
    low, high, last, before, guess = (
        w[LANES * LOW + k], w[LANES * HIGH + k], w[LANES * LAST + k], w[LANES * BEFORE + k], w[LANES * GUESS + k]
    )  # fmt: skip
    limited, mode = w[LANES * LIMITED + k] > 0.5, w[LANES * MODE + k]
    tunnel, tunnel_u, s_x = tunnelling(w, k, u)
    leak, leak_u = leaking(w, k, u)
    i_u, i_x, i_r = tunnel_u + leak_u, -tunnel * s_x, w[LANES * P_R + k] * tunnel * per_r
    i, resistance = tunnel + leak, w[LANES * RESISTANCE + k]
    inside_r = -2.0 * w[LANES * RHO_K + k] * per_r * per_r * per_r
    per = 1.0 / (i_u if limited else n + i_u * resistance)
    u_x = -i_x * per * (1.0 if limited else resistance)
    u_r = -per * (i_r if limited else i_r * resistance + i * inside_r)
    w[LANES * V_X + k], w[LANES * V_R + k], w[LANES * V_V + k] = u_x, u_r, 0.0 if limited else per
    w[LANES * A_X + k] = 0.0 if limited else i_x + i_u * u_x
    w[LANES * A_R + k] = 0.0 if limited else i_r + i_u * u_r
    w[LANES * AMPS + k] = i_cc if limited else i
    exceeds = (mode == FOUND_IT) & (not limited) & (i > i_cc)
    w[LANES * MODE + k] = AT_CURRENT if exceeds else mode
    w[LANES * LIMITED + k] = 1.0 if exceeds | limited else 0.0
    w[LANES * LOW + k], w[LANES * HIGH + k] = 0.0 if exceeds else low, u if exceeds else high
    w[LANES * LAST + k], w[LANES * BEFORE + k] = 2.0 * u if exceeds else last, 2.0 * u if exceeds else before
    first = start(guess, u, True)
    w[LANES * VOLTS + k] = first if exceeds else u


@kernel
def count_channels(w: Vector, linear: bool) -> None:
    """Find the channels of the tip in every lane, times G0 (S); linear: whether they go with the radius in all of them."""
    if linear:
        for k in range(LANES):
            w[LANES * CHANNELS + k] = G_0 * w[LANES * G_C + k] * (0.5 * K_F * w[LANES * Y_R + k])
    else:
        for k in range(LANES):
            share, p_r = 0.5 * K_F * w[LANES * Y_R + k], w[LANES * P_R + k]
            power = fast_power(share, p_r)
            w[LANES * CHANNELS + k] = G_0 * w[LANES * G_C + k] * (share if p_r == 1.0 else power)


@kernel
def solve_tile(w: Vector, linear: bool) -> None:
    """Bring voltage and current of every lane nearer to those of its point; they are there once its `MODE` is FOUND_IT.

    linear: whether p_r is 1 in every lane.
    """
    count_channels(w, linear)
    for k in range(LANES):
        prepare(w, k)
    for _ in range(TURNS):
        for k in range(LANES):
            improve(w, k)
    for k in range(LANES):
        finish(w, k)
