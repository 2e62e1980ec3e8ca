"""Where cells differ: drawn parameters, never noise on the output (ecm-model.md 7).

A cell draws its size and barriers once (device to device), and every new filament draws its own site (cycle to cycle)
from four AR(1) standard normals. All of it comes from the generator of one seed; without a seed nothing is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .parameters import Cycle

#: new normals are clipped to this, and the second AR(1) normal to its own floor: weakest-site truncation (guess)
CLIP = (-1.9, 1.75)
WEAKEST = -1.2


def draw_device(values: Mapping[str, float], rng: np.random.Generator) -> dict[str, float]:
    """Draw one cell of the kind `values`: particle size, barrier, velocity scales and rupture gap, in the card's units.

    The size d moves r_n with d and r_res with d^1.5 (ecm-model.md 1, 7); f_res follows as (r_res/r_n)^2.
    """
    size, barrier, v0, v_h, gap = rng.standard_normal(5)
    d = math.exp(values["d2d_size"] * size)
    return {
        **values,
        "r_n": values["r_n"] * d,
        "r_res": values["r_res"] * d * math.sqrt(d),
        "f_res": values["f_res"] * d,
        "dg": values["dg"] + values["d2d_dg"] * barrier,
        "v0": values["v0"] * math.exp(values["d2d_v"] * v0),
        "v_h": values["v_h"] * math.exp(values["d2d_v"] * v_h),
        "v_fo": values["v_fo"] * math.exp(values["d2d_v"] * v_h),  # forming is hopping through the same oxide: guess
        "x0": values["x0"] * math.exp(values["d2d_x0"] * gap),
    }


class Cycles:
    """Draws the parameters of one filament after the other; with rng None every filament is the nominal one."""

    def __init__(self, values: Mapping[str, float], rng: np.random.Generator | None) -> None:
        self._values = values
        self._rng = rng
        self._z = [0.0] * 4
        if rng is not None:
            self._z = self._bounded(self._normals(rng))

    def next(self) -> Cycle:
        """Draw the next filament's parameters: z <- rho z + sqrt(1 - rho^2) n, then `current`."""
        if self._rng is not None:
            rho = self._values["rho_ar"]
            fresh = self._normals(self._rng)
            self._z = self._bounded(
                [rho * z + math.sqrt(1.0 - rho * rho) * n for z, n in zip(self._z, fresh, strict=True)]
            )
        return self.current()

    def current(self) -> Cycle:
        """The present filament's parameters; a hard nucleation site is also a slow one, so dg and forward share a normal."""
        v, (z1, z2, z3, z4) = self._values, self._z
        return Cycle(
            x0=v["x_min"] + (v["x0"] - v["x_min"]) * math.exp(v["s_x0"] * z1),
            dg=v["dg"] + v["s_dg"] * z2,
            r_n=v["r_n"] * math.exp(v["s_rn"] * z3),
            forward=math.exp(-v["s_v0"] * z2),
            reverse=math.exp(v["s_vh"] * z4),
        )

    @staticmethod
    def _normals(rng: np.random.Generator) -> list[float]:
        return [min(max(float(n), CLIP[0]), CLIP[1]) for n in rng.standard_normal(4)]

    @staticmethod
    def _bounded(z: list[float]) -> list[float]:
        return [z[0], max(z[1], WEAKEST), z[2], z[3]]
