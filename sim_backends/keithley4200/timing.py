"""How long things take: the empirical model of one old 4200, and guesses where nothing was found."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

from .accuracy import LEAST_FILTER

PER_CYCLE = 0.0671  #: s per point and power line cycle, measured by one lab over LAN (data/kxci.md 5)
PER_POINT = 0.00675  #: s per point, same source
EXTRA_HOLD = 0.0195  #: s at the start of a test, same source
REFERENCE_LINE = 60.0  #: Hz; PER_CYCLE is four cycles of 60 Hz, so that lab is taken to have had 60 Hz; guess

#: Settling before a measurement by current range, s, at delay factor 1. The instrument's table was not found: guess.
DEFAULT_DELAYS = ((1e-6, 5e-4), (1e-7, 1e-3), (1e-8, 5e-3), (1e-9, 2e-2), (1e-10, 1e-1), (1e-11, 0.5), (0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Integration:
    """How a reading is integrated: power line cycles, and the delay and filter factors (RM 6-84)."""

    cycles: float = 1.0
    delay_factor: float = 1.0
    filter_factor: float = 1.0
    filter_costs: bool = False  # IT1-3 are named by their whole time (D 5-39); with IT4 the filter costs time
    #: what the noise of one power line cycle is divided by; here, for it is wanted at every reading
    averaging: float = field(init=False)

    def __post_init__(self) -> None:
        averaging = math.sqrt(self.cycles) * max(self.filter_factor, LEAST_FILTER)
        object.__setattr__(self, "averaging", averaging)  # it is frozen otherwise

    def point_time(self, line_frequency: float) -> float:
        """Seconds one point takes, without delays; grows with the square of the filter factor (RM 6-84)."""
        return PER_CYCLE * self.cycles * self._filtering() * REFERENCE_LINE / line_frequency + PER_POINT

    def window(self, line_frequency: float) -> float:
        """Seconds, at the end of a point's time, over which a reading is averaged: 1 PLC is 1/60 s (D 5-39, 5-40).

        That the filter's further readings prolong it by the square of its factor, like the point: guess. What else a point
        costs (`PER_CYCLE` is four cycles) is taken to be the converter's own business, before the window: guess.
        """
        return self.cycles * self._filtering() / line_frequency

    def _filtering(self) -> float:
        return max(1.0, self.filter_factor) ** 2 if self.filter_costs else 1.0

    def settling(self, current_range: float) -> float:
        """Seconds waited before measuring on `current_range` (A)."""
        if not self.delay_factor:
            return 0.0
        return self.delay_factor * _default_delay(current_range)


@lru_cache(maxsize=64)  # there are 13 ranges, and one is asked for at every point
def _default_delay(current_range: float) -> float:
    return next(s for floor, s in DEFAULT_DELAYS if current_range >= floor * 0.99)


#: IT1, IT2, IT3 (D 5-39) with Clarius' factors for Fast, Normal and Quiet (RM 6-84)
PRESETS = {1: Integration(0.1, 0.7, 0.2), 2: Integration(1.0, 1.0, 1.0), 3: Integration(10.0, 1.3, 3.0)}
