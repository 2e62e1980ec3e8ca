"""The formed cell as a behavioural netlist for ngspice: gap and radius are the voltages of two capacitors.

Comparable, not the same: growth under positive bias and rupture only, no compliance, no events, no damage, velocities held
below 1e6 nm/s and states within their stops, without which such netlists end in "timestep too small".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: node = expression of V(a), the cell's voltage behind its electrodes, and of V(x), V(r); numbers of a card by name
EXPRESSIONS = """
u = max(V(a), 1e-3)
g = min(max(V(x), {x_min} - 0.05), {x0} + 0.05)
w = min(max(V(r), 0.5 * {r_n}), {r_res})
s = {b} * V(g) * ({phi} ** 1.5 - max({phi} - V(u), 0) ** 1.5) / V(u)
i = {g_0} * {g_c} * (0.5 * {k_f} * V(w)) ** {p_r} * V(a) * sqrt(1 + (V(a) / {phi}) ** 2) * exp(-V(s))
ct = {v0} * (exp({alpha} * V(u) / {v_t}) - exp(-(1 - {alpha}) * V(u) / {v_t}))
hop = {v_h} * 2 * sinh(min({a_h} * V(u) / (2 * (V(g) + {x_s}) * {v_t}), 40))
nuc = {delta} * {nu0} * exp(-{dg} / {v_t}) * (exp(({n_c} + {alpha}) * V(u) / {v_t}) - 1)
layer = 1 / (1 + exp(-(V(g) - {x0} + {delta}) / (0.2 * {delta})))
v = min(1 / (1 / V(ct) + 1 / V(hop) + V(layer) / V(nuc)), 1e6)
d = min({k_sd} / V(w) ** 2 * max(exp({r_gt} / V(w)) - {s_sd}, {eps_sd}), 1e6)
low = 1 - exp(-(V(g) - {x_min}) / {lam_c})
high = 1 - exp(-({x0} - V(g)) / {lam_c})
fed = {kappa_i} * abs(V(i)) / ({r_res} ** 2 - {r_n} ** 2)
left = max(0, 1 - V(w) ** 2 / ({r_n} ** 2 + ({r_res} ** 2 - {r_n} ** 2) * V(fed) / (1 + V(fed)))) ** 2
"""


def netlist(values: Mapping[str, float], constants: Any, top: float, seconds: float, step: float) -> str:
    """The text of a sweep from 0 to `top` (V) and back in `seconds`; step: greatest time step, s."""
    numbers = {
        **values,
        "b": constants.B_0 * values["m_eff"] ** 0.5,
        "g_0": constants.G_0,
        "k_f": constants.K_F,
        "v_t": constants.V_T,
        "r_gt": constants.R_GT,
    }
    pairs = (line.split(" = ", 1) for line in EXPRESSIONS.format(**numbers).strip().splitlines())
    there = f"{values['lam']} * max(0, {values['x0']} - V(g)) / ({values['x0']} - {values['x_min']})"
    return "\n".join(
        [
            "* one ECM cell",
            f"Vs s 0 PWL(0 0 {seconds / 2} {top} {seconds} 0)",
            f"Rs s a {values['r_s'] + values['rho_k'] / values['r_n'] ** 2}",
            *(f"B{name} {name} 0 V = {expression}" for name, expression in pairs),
            f"Bcell a 0 I = V(i) + {values['g_l']} * V(a) * (1 + (V(a) / {values['v_l']}) ** 2)",
            f"Cx x 0 1 ic={values['x0'] - 0.05}",
            "Bx 0 x I = -V(v) * V(low) + V(d) * V(high)",
            f"Cr r 0 1 ic={values['r_n']}",
            f"Br 0 r I = {there} * V(left) * V(v)",
            f".tran {step} {seconds} 0 {step} uic",
            ".end",
        ]
    )
