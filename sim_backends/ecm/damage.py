"""What breaks a cell for good: dielectric breakdown of the oxide and burn-out of the filament (ecm-model.md 3.6).

Both are sums of damage per time; at 1 the cell is broken. Voltages V, currents A, lengths nm, damage per s.
"""

from __future__ import annotations

import math

from labctl.jit import Vector, kernel

from .parameters import DV_BD, J_BURN, M_BURN, N_J, T_BURN, V_BD

#: of exponents; a cell at this rate breaks within the shortest step
CAP = 200.0
#: of the current density over the one that burns; below it nothing is summed up
COLD = 1e-30


@kernel
def breakdown_rate(p: Vector, u: float) -> float:
    """Compute the damage of the oxide per second at junction voltage u >= 0 (V): E model, 1/s at v_bd over the cell."""
    across = p[N_J] * u
    return math.exp(min((across - p[V_BD]) / p[DV_BD], CAP)) * (1.0 - math.exp(-across / p[DV_BD]))


@kernel
def burn_rate(p: Vector, i: float, r: float) -> float:
    """Compute the damage of the filament per second at current i >= 0 (A) and radius r (nm): a steep power of its density."""
    share = i / (math.pi * r * r * p[J_BURN])
    if share < COLD:
        return 0.0
    return math.exp(min(p[M_BURN] * math.log(share), CAP)) / p[T_BURN]
