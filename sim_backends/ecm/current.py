"""The electronic current of one junction: WKB tunnelling through a trapezoidal barrier, and the oxide's leak.

The equations are in ecm-model.md 2.
"""

from __future__ import annotations

import math

from labctl.jit import Vector, kernel

from .parameters import G_0, G_C, G_L, K_F, N_J, P_R, PHI, V_L, B

#: V; below it the exact exponent is 0/0 and its first-order series is used (ecm-model.md 2)
SMALL_V = 1e-3


@kernel
def exponent(p: Vector, v: float, x: float) -> tuple[float, float, float]:
    """Compute the tunnelling exponent S, dS/dV (1/V) and dS/dx (1/nm) at junction voltage v >= 0 (V) and gap x (nm).

    Direct tunnelling below the barrier height, Fowler-Nordheim above; S and dS/dV are continuous there.
    """
    phi, b = p[PHI], p[B]
    root = math.sqrt(phi)
    if v < SMALL_V:
        full = 1.5 * b * root
        s_x = full * (1.0 - v / (4.0 * phi))
        return s_x * x, -full * x / (4.0 * phi), s_x
    if v >= phi:
        s_x = b * phi * root / v
        return s_x * x, -s_x * x / v, s_x
    rest = math.sqrt(phi - v)
    s_x = b * (phi * root - (phi - v) * rest) / v
    return s_x * x, (1.5 * b * rest - s_x) * x / v, s_x


@kernel
def current(p: Vector, v: float, x: float, r: float) -> tuple[float, float, float, float]:
    """Compute the current I (A) and dI/dV (S), dI/dx, dI/dr (A/nm) at junction voltage v >= 0 (V).

    x: gap, nm; r: filament radius, nm, > 0. All four are >= 0 but dI/dx, which is <= 0.
    """
    phi = p[PHI]
    s, s_v, s_x = exponent(p, v, x)
    squared = (v / phi) * (v / phi)
    g = G_0 * p[G_C] * math.pow(0.5 * K_F * r, p[P_R]) * math.sqrt(1.0 + squared) * math.exp(-s)
    tunnel = g * v
    tunnel_v = g * (1.0 + squared / (1.0 + squared) - v * s_v)
    across = p[N_J] * v
    bent = (across / p[V_L]) * (across / p[V_L])
    leak = p[G_L] * across * (1.0 + bent)
    leak_v = p[G_L] * p[N_J] * (1.0 + 3.0 * bent)
    return tunnel + leak, tunnel_v + leak_v, -tunnel * s_x, p[P_R] * tunnel / r
