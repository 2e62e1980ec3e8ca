"""The rates of a tile: how fast gap, radius and ion supply of each lane move at its point, as `kinetics` for one cell.

Growth, dissolution and forming are one sum of reciprocal velocities with other numbers, so a lane picks its numbers and
all do the same. Velocities are magnitudes in nm/s, currents A, voltages V, lengths nm.
"""

# so many names that a line for each would fill a page
# isort: off
from __future__ import annotations

import math

from labctl.jit import Vector, kernel

from .damage import CAP as CAP_DAMAGE
from .damage import COLD
from .kinetics import CAP, CAP_NUCLEATION, CAP_SUPPLY, OUTSIDE, STILL
from .parameters import (
    A_F, A_H, ALPHA, BIP, CT_BACK, CT_GROWTH, DELTA, EPS_SD, ETA_IN, FROZEN, HOP_BACK, HOP_GROWTH, K_IN, K_OUT, K_SD,
    KAPPA_I, LAM, M_BURN, N_ALPHA, N_J, NUCLEATION, Q_IN, R_GT, R_N, S_SD, THICKNESS, V_BD, V_FO, V_IN, V_MAX,
    V_T, X_0, X_MIN, X_S,
)  # fmt: skip
from .tile_layout import (
    A_R, A_X, AMPS, ARRIVES, AT_REST, BURNED, F_R, F_W, F_X, FOUND_IT, G_R, G_U, G_VR, G_VX, G_W, G_X, IN, IN_U, IN_W, K_RR,
    K_RW, K_RX, K_WR, K_WW, K_WX, K_XR, K_XW, K_XX, LANES, MODE, PER_AMPS, PER_DV_BD, PER_EDGE, PER_LAM_C, PER_R,
    PER_REACH, PER_T_BURN, PER_WINDOW, PHASE, S_V, S_X_F, SHARE, SHARE_W, SPARE, STARTING, TAKEN, V_R, V_X, VOLTS, WORE,
    Y_R, Y_W, Y_X,
)  # fmt: skip
from .vector_math import bounded_exp, falling_exp, fast_log, fast_power

PER_V_T = 1.0 / V_T
#: 1 - exp(3), where the soft stops end (ecm-model.md 3.5)
FULL = math.exp(-OUTSIDE)


@kernel
def lane_stop(distance: float, per_length: float) -> tuple[float, float]:
    """Compute the soft stop and its slope (1/nm), as `kinetics.stop`."""
    d = distance * per_length
    e = falling_exp(-max(d, OUTSIDE))
    return 1.0 - e, 0.0 if d < OUTSIDE else e * per_length


@kernel
def lane_transfer(scale: float, up: float, u: float) -> tuple[float, float]:
    """Compute the reciprocal of the Butler-Volmer velocity (s/nm) and its d/dU over its square, as `kinetics.transfer`."""
    at = min(u * PER_V_T, CAP)
    forth, back = bounded_exp(up * at), bounded_exp((up - 1.0) * at)
    slope = scale * (up * forth + (1.0 - up) * back) * PER_V_T
    per = 1.0 / max(scale * (forth - back), STILL)
    return per, 0.0 if u >= CAP * V_T else slope


@kernel
def lane_hopping(scale: float, a: float, path: float, u: float) -> tuple[float, float, float]:
    """Compute the Mott-Gurney velocity (nm/s), its d/dU and its d/dx (1/s), as `kinetics.hopping`."""
    per_path = 1.0 / path
    slope = a * per_path * (0.5 * PER_V_T)
    free = slope * u < CAP
    e = bounded_exp(min(slope * u, CAP))
    back = 1.0 / e
    cosh = scale * (e + back)
    return max(scale * (e - back), STILL), cosh * slope if free else 0.0, -cosh * slope * u * per_path if free else 0.0


@kernel
def lane_nucleation(w: Vector, k: int, u: float) -> tuple[float, float]:
    """Compute the velocity of electro-crystallisation in lane k (nm/s) and its d/dU, as `kinetics.nucleation`."""
    scale, a = w[LANES * NUCLEATION + k], w[LANES * N_ALPHA + k] * PER_V_T
    e = bounded_exp(min(a * u, CAP_NUCLEATION))
    return max(scale * (e - 1.0), STILL), scale * e * a if a * u < CAP_NUCLEATION else 0.0


@kernel
def lane_layer(w: Vector, k: int, x: float) -> tuple[float, float]:
    """Compute the share of growth that needs nucleation in lane k and its slope (1/nm), as `kinetics.first_layer`."""
    argument = (x - (w[LANES * X_0 + k] - w[LANES * DELTA + k])) * w[LANES * PER_EDGE + k]
    share = 1.0 / (1.0 + bounded_exp(-min(max(argument, -CAP), CAP)))
    return share, share * (1.0 - share) * w[LANES * PER_EDGE + k]


@kernel
def lane_front(w: Vector, k: int, grows: bool, forms: bool) -> tuple[float, float, float]:
    """Compute the velocity of the filament's tip in lane k (nm/s), its d/dU and its d/dx: growth, dissolution or forming."""
    u, x, alpha, reach = w[LANES * VOLTS + k], w[LANES * Y_X + k], w[LANES * ALPHA + k], w[LANES * PER_REACH + k]
    # numbers are read before one is chosen: a read that depends on a choice keeps the compiler from making vector code
    ct_on, ct_back, on, back = (
        w[LANES * CT_GROWTH + k], w[LANES * CT_BACK + k], w[LANES * HOP_GROWTH + k], w[LANES * HOP_BACK + k]
    )  # fmt: skip
    front, a_f, a_h = w[LANES * V_FO + k], w[LANES * A_F + k], w[LANES * A_H + k]
    left = 1.0 - (w[LANES * THICKNESS + k] - x) * reach
    opens = not (grows | forms)
    per_ct, ct_u = lane_transfer(ct_back if opens else ct_on, 1.0 - alpha if opens else alpha, u)
    scale = front if forms else back if opens else on
    hop, hop_u, hop_x = lane_hopping(scale, a_f if forms else a_h, x + w[LANES * X_S + k], u)
    ions = max(left, 0.0) if forms else 1.0
    per_hop = 1.0 / max(hop * ions, STILL)
    nuc, nuc_u = lane_nucleation(w, k, u)
    share, share_x = lane_layer(w, k, x)
    share, share_x = share if grows else 0.0, share_x if grows else 0.0
    per_nuc = 1.0 / nuc
    v = 1.0 / (per_ct + per_hop + share * per_nuc + 1.0 / V_MAX)
    a, b, c = v * per_ct, v * per_hop, v * per_nuc
    v_u = a * a * ct_u + b * b * ions * hop_u + share * c * c * nuc_u
    v_x = b * b * (ions * hop_x + (hop * reach if forms else 0.0)) - v * c * share_x
    none = (u <= 0.0) | (ions <= 0.0)
    return 0.0 if none else v, 0.0 if none else v_u, 0.0 if none else v_x


@kernel
def lane_rupture(w: Vector, k: int, per_r: float) -> tuple[float, float]:
    """Compute the velocity of surface diffusion in lane k (nm/s) and its d/dr (1/s), as `kinetics.rupture`."""
    scale = w[LANES * K_SD + k] * per_r * per_r
    e = bounded_exp(min(R_GT * per_r, CAP))
    drive, least = e - w[LANES * S_SD + k], w[LANES * EPS_SD + k]
    drives = drive > least
    drive = drive if drives else least
    return scale * drive, -scale * per_r * (2.0 * drive + (e * R_GT * per_r if drives else 0.0))


@kernel
def lane_thickening(w: Vector, k: int, i: float, r: float, per_r: float) -> tuple[float, float, float]:
    """Compute the share of lateral growth left in lane k, its d/dr and its d/dI, as `kinetics.thickening`."""
    r_n, kappa = w[LANES * R_N + k], w[LANES * KAPPA_I + k]
    fed, spare = kappa * i, w[LANES * SPARE + k]
    part = spare / (spare + fed)
    full = r * r / (r_n * r_n + part * fed)
    left = max(0.0, 1.0 - full)
    return left * left, -4.0 * left * full * per_r, 2.0 * left * full * full * (per_r * per_r) * kappa * part * part


@kernel
def keep(w: Vector, k: int, row: int, here: bool, value: float) -> None:
    """Make a value lane k's for the step to come, if it has arrived where that begins."""
    old = w[LANES * row + k]
    w[LANES * row + k] = value if here else old


@kernel
def keep_slopes(w: Vector, k: int, f_x: float, f_r: float) -> bool:
    """Put dx/dt, dr/dt, dw/dt into lane k, and all that depends on the supply alone; tell whether it has arrived."""
    phase, f_w, u_w = w[LANES * PHASE + k], w[LANES * IN + k], w[LANES * IN_U + k]
    here = (w[LANES * MODE + k] == FOUND_IT) & ((phase == TAKEN) | (phase == STARTING))
    w[LANES * ARRIVES + k] = 1.0 if here else 0.0
    w[LANES * F_X + k], w[LANES * F_R + k], w[LANES * F_W + k] = f_x, f_r, f_w
    keep(w, k, G_X, here, f_x)
    keep(w, k, G_R, here, f_r)
    keep(w, k, G_W, here, f_w)
    keep(w, k, K_WX, here, u_w * w[LANES * V_X + k])
    keep(w, k, K_WR, here, u_w * w[LANES * V_R + k])
    keep(w, k, K_WW, here, w[LANES * IN_W + k])
    keep(w, k, G_U, here, w[LANES * VOLTS + k])
    keep(w, k, G_VX, here, w[LANES * V_X + k])
    keep(w, k, G_VR, here, w[LANES * V_R + k])
    return here


@kernel
def lane_slopes(w: Vector, k: int) -> None:
    """Put slopes and, where lane k has arrived, their Jacobian along the circuit's solution into it, as `integrator.slopes`."""
    u, i, x, r = w[LANES * VOLTS + k], w[LANES * AMPS + k], w[LANES * Y_X + k], w[LANES * Y_R + k]
    x_0, share, share_w = w[LANES * X_0 + k], w[LANES * SHARE + k], w[LANES * SHARE_W + k]
    forward = ((w[LANES * S_V + k] > 0.0) | (w[LANES * BIP + k] > 0.5)) & (u > 0.0)
    virgin, sound = w[LANES * S_X_F + k] >= x_0, w[LANES * FROZEN + k] < 0.5
    forms, grows, opens = sound & virgin & forward, sound & (not virgin) & forward, sound & (not (virgin | forward))
    front, front_u, front_x = lane_front(w, k, grows, forms)
    supplied = grows | opens
    share, share_w = share if supplied else 1.0 if forms else 0.0, share_w if supplied else 0.0
    v, v_u, v_x, v_w = share * front, share * front_u, share * front_x, share_w * front
    u_x, u_r, per_r = w[LANES * V_X + k], w[LANES * V_R + k], w[LANES * PER_R + k]
    spread, spread_r = lane_rupture(w, k, per_r)
    spread, spread_r = spread if supplied else 0.0, spread_r if supplied else 0.0
    low, low_x = lane_stop(x - w[LANES * X_MIN + k], w[LANES * PER_LAM_C + k])
    high, high_x = lane_stop(x_0 - x, w[LANES * PER_LAM_C + k])
    gate, gate_x = high if opens else -low, -high_x if opens else -low_x
    left, left_r, left_i = lane_thickening(w, k, i, r, per_r)
    thick = w[LANES * LAM + k] * w[LANES * PER_WINDOW + k]
    thick = thick if grows else 0.0
    there, there_x = thick * max(0.0, x_0 - x), -thick if x < x_0 else 0.0
    x_u, r_u, r_i = v_u * gate, there * left * v_u, there * v * left_i
    here = keep_slopes(w, k, v * gate + spread * high, there * left * v)
    keep(w, k, K_XX, here, v_x * gate + v * gate_x - spread * high_x + x_u * u_x)
    keep(w, k, K_XR, here, spread_r * high + x_u * u_r)
    keep(w, k, K_XW, here, v_w * gate)
    keep(w, k, K_RX, here, (there * v_x + v * there_x) * left + r_u * u_x + r_i * w[LANES * A_X + k])
    keep(w, k, K_RR, here, there * v * left_r + r_u * u_r + r_i * w[LANES * A_R + k])
    keep(w, k, K_RW, here, there * left * v_w)


@kernel
def lane_supply(w: Vector, k: int) -> None:
    """Put w^q, its slope, dw/dt, its d/dU and its d/dw into lane k, as `kinetics.supplied` and `kinetics.supply`."""
    y, q, u, per = w[LANES * Y_W + k], w[LANES * Q_IN + k], w[LANES * VOLTS + k], 1.0 / w[LANES * V_IN + k]
    inside = (y > 0.0) & (y < 1.0) & (q > 0.0)
    bounded = y if inside else 1.0
    share = fast_power(bounded, q)
    none = (y <= 0.0) & (q > 0.0)
    w[LANES * SHARE + k] = 0.0 if none else share
    w[LANES * SHARE_W + k] = 0.0 if none else q * share / bounded
    first = (w[LANES * S_V + k] > 0.0) | (w[LANES * BIP + k] > 0.5)
    scale = w[LANES * K_IN + k] * (1.0 if first else w[LANES * ETA_IN + k])
    e = bounded_exp(min(u * per, CAP_SUPPLY))
    back = 1.0 / e
    drift = scale * (e - back)
    drift_u = scale * (e + back) * per if u < CAP_SUPPLY * w[LANES * V_IN + k] else 0.0
    on = (q > 0.0) & (w[LANES * FROZEN + k] < 0.5)
    w[LANES * IN + k] = (1.0 - y) * drift - y * w[LANES * K_OUT + k] if on else 0.0
    w[LANES * IN_U + k] = (1.0 - y) * drift_u if on else 0.0
    w[LANES * IN_W + k] = -drift - w[LANES * K_OUT + k] if on else 0.0


@kernel
def lane_damage(w: Vector, k: int) -> None:
    """Put the damage of oxide and filament per second into lane k, as `damage`."""
    per_r = w[LANES * PER_R + k]
    across = w[LANES * N_J + k] * w[LANES * VOLTS + k]
    per = w[LANES * PER_DV_BD + k]
    over = min((across - w[LANES * V_BD + k]) * per, CAP_DAMAGE)
    # at no voltage, and in a cell that can't break down, the difference is 0 to the bit: no damage goes on at all
    w[LANES * WORE + k] = max(falling_exp(over) - w[LANES * AT_REST + k], 0.0)
    share = w[LANES * AMPS + k] * w[LANES * PER_AMPS + k] * per_r * per_r
    hot = share >= COLD
    burned = (
        falling_exp(min(w[LANES * M_BURN + k] * fast_log(max(share, COLD)), CAP_DAMAGE)) * w[LANES * PER_T_BURN + k]
    )
    w[LANES * BURNED + k] = burned if hot else 0.0
