"""How fast gap and radius move: growth, dissolution, rupture by surface diffusion, thickening, forming (ecm-model.md 3, 4).

Velocities are magnitudes in nm/s, currents A, voltages V, lengths nm; `u` is the voltage across the junction, >= 0.
"""

from __future__ import annotations

import math

from labctl.jit import Vector, kernel

from .parameters import (
    A_F,
    A_H,
    ALPHA,
    BIP,
    CT_BACK,
    CT_GROWTH,
    DELTA,
    EPS_SD,
    ETA_IN,
    F_RES,
    FROZEN,
    HOP_BACK,
    HOP_GROWTH,
    K_IN,
    K_OUT,
    K_SD,
    KAPPA_I,
    LAM,
    LAM_C,
    N_ALPHA,
    NUCLEATION,
    Q_IN,
    R_GT,
    R_N,
    R_RES,
    S_SD,
    THICKNESS,
    V_FO,
    V_IN,
    V_MAX,
    V_T,
    X_0,
    X_MIN,
    X_S,
)  # fmt: skip

#: dx/dt, dr/dt, then d(dx/dt)/d(U, x, r, w), then d(dr/dt)/d(U, x, r, I, w)
Rates = tuple[float, float, float, float, float, float, float, float, float, float, float]
#: nm/s; a step this slow stands still, and its reciprocal is still a number
STILL = 1e-150
#: caps of the exponents of charge transfer and hopping, and of nucleation (ecm-model.md 3.5); v_max decides long before them
CAP = 200.0
CAP_NUCLEATION = 300.0
#: of the exponent of the drift of ions, whose rate is a clock's and not a velocity's: guess
CAP_SUPPLY = 20.0
#: of a soft stop: constant beyond this many lengths outside, at 1 - exp(3) (ecm-model.md 3.5)
OUTSIDE = -3.0
#: of delta; width of the edge of the layer that needs nucleation: guess
EDGE = 0.2


@kernel
def stop(distance: float, length: float) -> tuple[float, float]:
    """Compute the soft stop 1 - exp(-distance/length) and its slope (1/nm): 1 far inside, 0 at the stop, < 0 outside."""
    d = distance / length
    if d < OUTSIDE:
        return 1.0 - math.exp(-OUTSIDE), 0.0
    e = math.exp(-d)
    return 1.0 - e, e / length


@kernel
def transfer(scale: float, up: float, down: float, u: float) -> tuple[float, float]:
    """Compute the Butler-Volmer velocity (nm/s) and its d/dU at u >= 0; up and down: the two transfer coefficients."""
    if u >= CAP * V_T:
        return max(scale * (math.exp(up * CAP) - math.exp(-down * CAP)), STILL), 0.0
    forth = math.exp(up * u / V_T)
    back = math.exp(-down * u / V_T)
    return max(scale * (forth - back), STILL), scale * (up * forth + down * back) / V_T


@kernel
def hopping(scale: float, a: float, path: float, u: float) -> tuple[float, float, float]:
    """Compute the Mott-Gurney velocity (nm/s), its d/dU and its d/dx (1/s) at u >= 0; path: gap and access path, nm."""
    slope = a / (2.0 * path * V_T)
    if slope * u >= CAP:
        return scale * (math.exp(CAP) - math.exp(-CAP)), 0.0, 0.0
    e = math.exp(slope * u)
    cosh = scale * (e + 1.0 / e)
    return max(scale * (e - 1.0 / e), STILL), cosh * slope, -cosh * slope * u / path


@kernel
def nucleation(p: Vector, u: float) -> tuple[float, float]:
    """Compute the velocity of electro-crystallisation (nm/s) and its d/dU at u >= 0."""
    a = p[N_ALPHA] / V_T
    if a * u >= CAP_NUCLEATION:
        return max(p[NUCLEATION] * math.exp(CAP_NUCLEATION), STILL), 0.0
    e = math.exp(a * u)
    return max(p[NUCLEATION] * (e - 1.0), STILL), p[NUCLEATION] * e * a


@kernel
def first_layer(p: Vector, x: float, x_max: float) -> tuple[float, float]:
    """Compute the share of growth at x that needs nucleation, and its slope (1/nm): 1 within delta of x_max, else 0."""
    edge = EDGE * p[DELTA]
    argument = (x - (x_max - p[DELTA])) / edge
    share = 1.0 / (1.0 + math.exp(-min(max(argument, -CAP), CAP)))
    return share, share * (1.0 - share) / edge


@kernel
def growth(p: Vector, u: float, x: float, x_max: float) -> tuple[float, float, float]:
    """Compute the growth velocity (nm/s, > 0), its d/dU and its d/dx: charge transfer, hopping, nucleation in series."""
    ct, ct_u = transfer(p[CT_GROWTH], p[ALPHA], 1.0 - p[ALPHA], u)
    hop, hop_u, hop_x = hopping(p[HOP_GROWTH], p[A_H], x + p[X_S], u)
    nuc, nuc_u = nucleation(p, u)
    share, share_x = first_layer(p, x, x_max)
    v = 1.0 / (1.0 / ct + 1.0 / hop + share / nuc + 1.0 / V_MAX)
    a, b, c = v / ct, v / hop, v / nuc
    return v, a * a * ct_u + b * b * hop_u + share * c * c * nuc_u, b * b * hop_x - v * c * share_x


@kernel
def dissolution(p: Vector, u: float, x: float) -> tuple[float, float, float]:
    """Compute the velocity of dissolution (nm/s, > 0), its d/dU and its d/dx: re-oxidation and hopping in series."""
    ct, ct_u = transfer(p[CT_BACK], 1.0 - p[ALPHA], p[ALPHA], u)
    hop, hop_u, hop_x = hopping(p[HOP_BACK], p[A_H], x + p[X_S], u)
    hop = max(hop, STILL)
    v = 1.0 / (1.0 / ct + 1.0 / hop + 1.0 / V_MAX)
    a, b = v / ct, v / hop
    return v, a * a * ct_u + b * b * hop_u, b * b * hop_x


@kernel
def forming(p: Vector, u: float, x: float) -> tuple[float, float, float]:
    """Compute the velocity of the front in virgin oxide (nm/s, >= 0), its d/dU and its d/dx; 0 once the ions are used up."""
    ct, ct_u = transfer(p[CT_GROWTH], p[ALPHA], 1.0 - p[ALPHA], u)
    hop, hop_u, hop_x = hopping(p[V_FO], p[A_F], x + p[X_S], u)
    reach = p[F_RES] * p[THICKNESS]
    ions = 1.0 - (p[THICKNESS] - x) / reach
    if ions <= 0.0:
        return 0.0, 0.0, 0.0
    front = max(hop * ions, STILL)
    v = 1.0 / (1.0 / ct + 1.0 / front + 1.0 / V_MAX)
    a, b = v / ct, v / front
    return v, a * a * ct_u + b * b * ions * hop_u, b * b * (ions * hop_x + hop / reach)


@kernel
def rupture(p: Vector, r: float) -> tuple[float, float]:
    """Compute the velocity of surface diffusion (nm/s, >= 0) and its d/dr (1/s): Gibbs-Thomson against supersaturation."""
    scale = p[K_SD] / (r * r)
    e = math.exp(min(R_GT / r, CAP))
    if e - p[S_SD] <= p[EPS_SD]:
        return scale * p[EPS_SD], -2.0 * scale * p[EPS_SD] / r
    drive = e - p[S_SD]
    return scale * drive, -scale * (2.0 * drive / r + e * R_GT / (r * r))


@kernel
def thickening(p: Vector, i: float, r: float) -> tuple[float, float, float]:
    """Compute the share [max(0, 1 - r^2/r_cap(I)^2)]^2 of lateral growth left at current i (A), its d/dr and its d/dI."""
    spare = p[R_RES] * p[R_RES] - p[R_N] * p[R_N]
    fed = p[KAPPA_I] * i
    cap = p[R_N] * p[R_N] + spare * fed / (spare + fed)
    cap_i = p[KAPPA_I] * (spare / (spare + fed)) * (spare / (spare + fed))
    full = r * r / cap
    left = max(0.0, 1.0 - full)
    return left * left, -4.0 * left * r / cap, 2.0 * left * full / cap * cap_i


@kernel
def supplied(p: Vector, w: float) -> tuple[float, float]:
    """Compute the factor w^q of growth and dissolution at ion supply w (0 to 1), and its slope; 1 and 0 without a supply."""
    q = p[Q_IN]
    if q == 0.0 or w >= 1.0:
        return 1.0, q
    if w <= 0.0:
        return 0.0, 0.0
    share = math.pow(w, q)
    return share, q * share / w


@kernel
def supply(p: Vector, grows: bool, u: float, w: float) -> tuple[float, float, float]:
    """Compute dw/dt of the ion supply (1/s), its d/dU and its d/dw: ions drift in with the field, and out by themselves."""
    if p[Q_IN] == 0.0 or p[FROZEN] > 0.5:
        return 0.0, 0.0, 0.0
    scale = p[K_IN] if grows or p[BIP] > 0.5 else p[K_IN] * p[ETA_IN]
    if u >= CAP_SUPPLY * p[V_IN]:
        drift, drift_u = scale * (math.exp(CAP_SUPPLY) - math.exp(-CAP_SUPPLY)), 0.0
    else:
        forth, back = math.exp(u / p[V_IN]), math.exp(-u / p[V_IN])
        drift, drift_u = scale * (forth - back), scale * (forth + back) / p[V_IN]
    return (1.0 - w) * drift - w * p[K_OUT], (1.0 - w) * drift_u, -drift - p[K_OUT]


@kernel
def virgin_rates(p: Vector, u: float, x: float) -> Rates:
    """Compute the rates under growth bias before forming: the front only advances, and there is nothing to thicken."""
    v, v_u, v_x = forming(p, u, x)
    low, low_x = stop(x - p[X_MIN], p[LAM_C])
    return -v * low, 0.0, -v_u * low, -v_x * low - v * low_x, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0


@kernel
def opening_rates(p: Vector, u: float, x: float, r: float, w: float) -> Rates:
    """Compute the rates of a formed cell without bias or under reverse bias: the gap opens, the radius stays."""
    v, v_u, v_x, v_w = 0.0, 0.0, 0.0, 0.0
    if u > 0.0:
        v, v_u, v_x = dissolution(p, u, x)
        share, share_w = supplied(p, w)
        v, v_u, v_x, v_w = share * v, share * v_u, share * v_x, share_w * v
    spread, spread_r = rupture(p, r)
    high, high_x = stop(p[X_0] - x, p[LAM_C])
    out = v + spread
    return out * high, 0.0, v_u * high, v_x * high - out * high_x, spread_r * high, v_w * high, 0.0, 0.0, 0.0, 0.0, 0.0


@kernel
def growing_rates(p: Vector, u: float, i: float, x: float, r: float, w: float) -> Rates:
    """Compute the rates of a formed cell under growth bias: growth against surface diffusion, and thickening."""
    v, v_u, v_x = growth(p, u, x, p[X_0])
    share, share_w = supplied(p, w)
    v, v_u, v_x, v_w = share * v, share * v_u, share * v_x, share_w * v
    spread, spread_r = rupture(p, r)
    low, low_x = stop(x - p[X_MIN], p[LAM_C])
    high, high_x = stop(p[X_0] - x, p[LAM_C])
    left, left_r, left_i = thickening(p, i, r)
    there = p[LAM] * max(0.0, p[X_0] - x) / (p[X_0] - p[X_MIN])
    there_x = -p[LAM] / (p[X_0] - p[X_MIN]) if x < p[X_0] else 0.0
    x_x = -v_x * low - v * low_x - spread * high_x
    r_x = (there * v_x + v * there_x) * left
    r_r, r_i = there * v * left_r, there * v * left_i
    return (
        -v * low + spread * high,
        there * left * v,
        -v_u * low,
        x_x,
        spread_r * high,
        -v_w * low,
        there * left * v_u,
        r_x,
        r_r,
        r_i,
        there * left * v_w,
    )


@kernel
def rates(p: Vector, grows: bool, x_f: float, u: float, i: float, x: float, r: float, w: float) -> Rates:
    """Compute dx/dt, dr/dt (nm/s), then d(dx/dt)/d(U, x, r, w), then d(dr/dt)/d(U, x, r, I, w) of one junction.

    grows: whether the bias has the polarity of growth; x_f: the deepest the front has been, nm (virgin while >= x0);
    u >= 0: junction voltage, V; i >= 0: current, A; x: gap, r: radius, nm; w: ion supply, 0 to 1.
    """
    forward = (grows or p[BIP] > 0.5) and u > 0.0
    if x_f >= p[X_0] or p[FROZEN] > 0.5:
        if forward and p[FROZEN] < 0.5:
            return virgin_rates(p, u, x)
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if forward:
        return growing_rates(p, u, i, x, r, w)
    return opening_rates(p, u, x, r, w)
