"""How a cell ages: a rupture gap that narrows from cycle to cycle, and lives that end stuck low or high (ecm-model.md 7.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .parameters import SOUND, STUCK_HIGH, STUCK_LOW

#: nm; a window narrower than this is none: a filament and its rupture can't be told apart any more
COLLAPSED = 0.5


class Age:
    """The ruptures a cell has behind it, and how many it will bear: drawn once per cell, without a generator the medians."""

    def __init__(self, values: Mapping[str, float], rng: np.random.Generator | None) -> None:
        self._values = values
        self.ruptures = 0
        low, high = (0.5, 0.5) if rng is None else (float(u) for u in 1.0 - rng.random(2))
        self._low = _weibull(values["n_low"], values["b_low"], low)
        self._high = _weibull(values["n_high"], values["b_high"], high)

    def gap(self, x0: float) -> float:
        """The rupture gap (nm) that is left of x0 (nm) after so many ruptures."""
        v = self._values
        worn = math.pow(self.ruptures / v["n_wear"], v["b_wear"])
        return v["x_min"] + (x0 - v["x_min"]) * math.exp(-worn)

    def rupture(self, x0: float) -> float:
        """Count a rupture; what the cell is after it: SOUND, STUCK_LOW or STUCK_HIGH. x0: of the filament to come, nm."""
        self.ruptures += 1
        if self.ruptures >= self._low or self.gap(x0) - self._values["x_min"] < COLLAPSED:
            return STUCK_LOW
        return STUCK_HIGH if self.ruptures >= self._high else SOUND


def _weibull(scale: float, shape: float, u: float) -> float:
    """The life (ruptures) that a share u of cells outlives: Weibull."""
    return scale * math.pow(-math.log(u), 1.0 / shape)
