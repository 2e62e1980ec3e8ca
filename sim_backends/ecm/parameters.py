"""The parameters of an ECM cell: their names and units on a card, and their places in the kernels' vector.

Inside the kernels lengths are nm, velocities nm/s, energies eV, everything else SI; that keeps every number near 1.
"ecm-model.md" is data/ecm-model.md: the equations, what every field of a card means, and where the numbers come from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from labctl.contracts import Card
from labctl.errors import UsageError
from labctl.jit import Vector, vector

from . import options

#: V; k_B T / e at 300 K (CODATA 2018)
V_T = 1.380649e-23 * 300.0 / 1.602176634e-19
#: S; 2 e^2 / h (CODATA 2018)
G_0 = 2.0 * 1.602176634e-19 * 1.602176634e-19 / 6.62607015e-34
#: 1/nm; Fermi wave number of silver (free electrons)
K_F = 12.0
#: (4/3) sqrt(2 m_e e) / hbar in eV, V, nm (WKB exponent); five digits, with which the cards were fitted
B_0 = 6.8309
#: nm; Gibbs-Thomson length 2 gamma Omega / k_B T, gamma = 1.00 J/m^2 (guess, bulk silver 1.1-1.25), Omega = 1.706e-29 m^3
R_GT = 2.0 * 1.00 * 1.706e-29 / (1.380649e-23 * 300.0) * 1e9
#: F nm/um^2; vacuum permittivity (CODATA 2018), so that eps_r EPS_0 area / thickness is a capacitance in F
EPS_0 = 8.8541878128e-12 * 1e-12 / 1e-9
#: nm/s; greatest velocity, about a lattice site per attempt (ecm-model.md 3.5); without it forming overflows
V_MAX = 1e12

#: unit on a card, by field
UNITS: dict[str, str] = {
    "phi": "eV", "m_eff": "", "g_c": "", "p_r": "",
    "rho_k": "ohm*nm^2", "r_s": "ohm", "g_l": "S", "v_l": "V", "n_j": "",
    "v0": "nm/s", "alpha": "", "v_h": "nm/s", "a_h": "nm", "x_s": "nm",
    "n_c": "", "nu0": "1/s", "delta": "nm", "dg": "eV", "eta_r": "", "eta_h": "", "bip": "",
    "k_sd": "nm^3/s", "s_sd": "", "eps_sd": "", "lam": "", "lam_c": "nm",
    "thickness": "nm", "x0": "nm", "x_min": "nm", "r_n": "nm", "r_res": "nm", "kappa_i": "nm^2/A",
    "a_f": "nm", "v_fo": "nm/s", "f_res": "",
    "s_x0": "", "s_dg": "eV", "s_rn": "", "s_v0": "", "s_vh": "", "rho_ar": "",
    "d2d_size": "", "d2d_dg": "eV", "d2d_v": "", "d2d_x0": "",
}  # fmt: skip
#: fields that may be zero; every other one must be > 0 (the leak too: it keeps the current's logarithm finite)
_MAY_BE_ZERO = {
    "rho_k", "r_s", "n_c", "eta_r", "eta_h", "bip", "k_sd", "eps_sd", "lam", "kappa_i", "v_fo",
    "s_x0", "s_dg", "s_rn", "s_v0", "s_vh", "rho_ar", "d2d_size", "d2d_dg", "d2d_v", "d2d_x0",
}  # fmt: skip

_PACKED = (
    "phi", "b", "g_c", "p_r", "rho_k", "r_s", "g_l", "v_l", "n_j",
    "ct_growth", "ct_back", "alpha", "hop_growth", "hop_back", "a_h", "x_s",
    "nucleation", "n_alpha", "delta", "bip", "k_sd", "s_sd", "eps_sd", "lam", "lam_c",
    "thickness", "x0", "x_min", "r_n", "r_res", "kappa_i", "a_f", "v_fo", "f_res",
    "frozen", "v_bd", "dv_bd", "j_burn", "m_burn", "t_burn", "q_in", "k_in", "v_in", "k_out", "eta_in",
    "capacity",
)  # fmt: skip
# numba takes these module integers as constants
PHI, B, G_C, P_R, RHO_K, R_S, G_L, V_L, N_J = (_PACKED.index(n) for n in _PACKED[:9])
CT_GROWTH, CT_BACK, ALPHA, HOP_GROWTH, HOP_BACK, A_H, X_S = (_PACKED.index(n) for n in _PACKED[9:16])
NUCLEATION, N_ALPHA, DELTA, BIP, K_SD, S_SD, EPS_SD, LAM, LAM_C = (_PACKED.index(n) for n in _PACKED[16:25])
THICKNESS, X_0, X_MIN, R_N, R_RES, KAPPA_I, A_F, V_FO, F_RES = (_PACKED.index(n) for n in _PACKED[25:34])
FROZEN, V_BD, DV_BD, J_BURN, M_BURN, T_BURN = (_PACKED.index(n) for n in _PACKED[34:40])
Q_IN, K_IN, V_IN, K_OUT, ETA_IN = (_PACKED.index(n) for n in _PACKED[40:45])
CAPACITY = _PACKED.index("capacity")

#: what may have happened to a cell for good: nothing, a short through the oxide, no filament any more, stuck on or off
SOUND, SHORT, OPEN, STUCK_LOW, STUCK_HIGH = 0.0, 1.0, 2.0, 3.0, 4.0
#: V; a short is ohmic: its conductance doubles here
OHMIC = 1e9


@dataclass(frozen=True, slots=True)
class Cycle:
    """What one filament drew: nm, eV, nm; `forward` and `reverse` multiply the charge transfer of growth and dissolution.

    In ecm-model.md 7 they are m_0 and m_h.
    """

    x0: float
    dg: float
    r_n: float
    forward: float = 1.0
    reverse: float = 1.0


def read(card: Card) -> dict[str, float]:
    """The values of one cell's card, groups left out switched off. Raises UsageError for a card that is no cell."""
    values = options.complete(card.values({**UNITS, **options.units(card.fields, card.name)}))
    check(values, card.name)
    options.check(values, card.name)
    return values


def check(values: Mapping[str, float], card: str) -> None:
    """Refuse what is no cell: signs, x_min < x0 < thickness, r_n < r_res, whole n_j. Raises UsageError."""
    for name in UNITS:
        value = values[name]
        if not math.isfinite(value) or value < 0 or (value == 0 and name not in _MAY_BE_ZERO):
            raise UsageError(f"device card {card}: {name} = {value} must be {'>=' if name in _MAY_BE_ZERO else '>'} 0")
    rules = {
        "x_min < x0 < thickness": values["x_min"] < values["x0"] < values["thickness"],
        "r_n < r_res": values["r_n"] < values["r_res"],
        "alpha < 1": values["alpha"] < 1,
        "rho_ar < 1": values["rho_ar"] < 1,
        "bip is 0 or 1": values["bip"] in (0.0, 1.0),
        "n_j is a whole number": values["n_j"] == int(values["n_j"]),
    }
    for rule, kept in rules.items():
        if not kept:
            raise UsageError(f"device card {card}: {rule} is broken")


def _arrhenius(energy: float, temperature: float) -> float:
    """How much faster a process of activation energy `energy` (eV) is at `temperature` (K) than at 300 K."""
    return math.exp(energy / V_T * (1.0 - 300.0 / temperature))


def capacity(values: Mapping[str, float]) -> float:
    """Compute the capacitance (F) of a cell as a plate capacitor: eps_r eps_0 area / thickness; 0 without an area."""
    return values["eps_r"] * EPS_0 * values["area"] / values["thickness"]


def pack(values: Mapping[str, float], cycle: Cycle, broken: float = SOUND) -> Vector:
    """Put the parameters of one cell in one cycle where the kernels look for them; broken: SOUND, SHORT, ..."""
    derived = {
        **values,
        "x0": cycle.x0,
        "r_n": cycle.r_n,
        "b": B_0 * math.sqrt(values["m_eff"]),
        "ct_growth": values["v0"] * cycle.forward,
        "ct_back": values["v0"] * values["eta_r"] * cycle.reverse,
        "hop_growth": values["v_h"],
        "hop_back": values["v_h"] * values["eta_h"],
        "nucleation": values["delta"] * values["nu0"] * math.exp(-cycle.dg / V_T),
        "n_alpha": values["n_c"] + values["alpha"],
        "k_sd": values["k_sd"] * _arrhenius(values["e_sd"], values["temperature"]),
        "frozen": float(broken != SOUND),
        "k_in": 1.0 / values["t_in"],
        "k_out": 1.0 / values["t_out"],
        "capacity": capacity(values),
    }
    if broken == SHORT:
        derived.update(g_l=1.0 / values["r_bd"], v_l=OHMIC, v_bd=math.inf)
    elif broken == OPEN:
        derived.update(g_c=0.0, v_bd=math.inf, j_burn=math.inf)
    return vector(derived[name] for name in _PACKED)
