"""The parts of the model that a card may leave out, each a group of fields: damage, noise, wear, heat, ion supply, charge.

A card gives all fields of a group or none; without them the group is off, and the values below say so to the kernels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from labctl.errors import UsageError

#: unit on a card and the value that switches off, by field, by group (ecm-model.md 8)
GROUPS: dict[str, dict[str, tuple[str, float]]] = {
    "damage": {
        "v_bd": ("V", math.inf), "dv_bd": ("V", 1.0), "r_bd": ("ohm", 1.0), "j_burn": ("A/nm^2", math.inf),
        "m_burn": ("", 1.0), "t_burn": ("s", 1.0), "broken": ("", 0.0),
    },
    "noise": {
        "rtn_a": ("", 0.0), "rtn_t": ("s", 1.0), "rtn_p": ("", 0.5),
        "read_a": ("", 0.0), "read_n": ("", 0.0), "read_fast": ("s", 1.0), "read_slow": ("s", 1.0),
    },
    "endurance": {
        "n_wear": ("", math.inf), "b_wear": ("", 1.0), "n_low": ("", math.inf), "b_low": ("", 1.0),
        "n_high": ("", math.inf), "b_high": ("", 1.0),
    },
    "heat": {"temperature": ("K", 300.0), "e_sd": ("eV", 0.0)},
    "supply": {
        "q_in": ("", 0.0), "t_in": ("s", math.inf), "v_in": ("V", 1.0), "eta_in": ("", 1.0), "t_out": ("s", math.inf),
    },
    "charge": {"area": ("um^2", 0.0), "eps_r": ("", 1.0)},
}  # fmt: skip
OFF: dict[str, float] = {name: off for group in GROUPS.values() for name, (_, off) in group.items()}
#: fields of these groups that may be zero
MAY_BE_ZERO = {"broken", "rtn_a", "read_a", "read_n", "e_sd", "q_in", "area"}


def units(given: Iterable[str], card: str) -> dict[str, str]:
    """The unit of every field of the groups that are given at all. Raises UsageError where a part of a group is missing."""
    found, names = {}, set(given)
    for group, fields in GROUPS.items():
        missing = [name for name in fields if name not in names]
        if len(missing) == len(fields):
            continue
        if missing:
            raise UsageError(f"device card {card}: {group} needs {', '.join(missing)} too")
        found.update({name: unit for name, (unit, _) in fields.items()})
    return found


def complete(values: Mapping[str, float]) -> dict[str, float]:
    """The values with every group that is missing switched off."""
    return {**OFF, **values}


def check(values: Mapping[str, float], card: str) -> None:
    """Refuse what no cell has: signs, shares, whole numbers. Raises UsageError."""
    for name in set(OFF) & set(values):
        value = values[name]
        if not value >= 0 or (value == 0 and name not in MAY_BE_ZERO):
            raise UsageError(f"device card {card}: {name} = {value} must be {'>=' if name in MAY_BE_ZERO else '>'} 0")
    rules = {
        "broken is 0 (sound), 1 (short), 2 (open), 3 (stuck low) or 4 (stuck high)": values["broken"] in range(5),
        "rtn_a < 1": values["rtn_a"] < 1,
        "rtn_p < 1": values["rtn_p"] < 1,
        "read_n is a whole number": values["read_n"] == int(values["read_n"]),
        "read_fast <= read_slow": values["read_fast"] <= values["read_slow"],
        "q_in is a finite number": values["q_in"] < math.inf,
        "t_in and t_out are at least 1e-30 s": min(values["t_in"], values["t_out"]) >= 1e-30,
        "area and eps_r are finite": math.isfinite(values["area"] * values["eps_r"]),
    }
    for rule, kept in rules.items():
        if not kept:
            raise UsageError(f"device card {card}: {rule} is broken")
