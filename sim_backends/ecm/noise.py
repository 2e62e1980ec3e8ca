"""Fluctuators in a cell: one trap that makes random telegraph noise, and many small ones that add up to 1/f (ecm-model.md 2.1).

The state of a fluctuator is a function of its key and of the cell's time alone, drawn by hashing, not by a generator that
walks along: a waveform split in another way, or looked at more often, finds the same noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

#: multipliers and increment of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014, 10.1145/2660193.2660195)
_ADD, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_ALL = (1 << 64) - 1
#: cells of time looked back through for the last draw; empty with exp(-1) each, so never all of these
_BACK = 200


def _mixed(key: int, *numbers: int) -> int:
    """64 bits that look random, of a key and some whole numbers."""
    z = key
    for number in numbers:
        z = (z + _ADD * (number + 1)) & _ALL
        z = ((z ^ (z >> 30)) * _MIX_1) & _ALL
        z = ((z ^ (z >> 27)) * _MIX_2) & _ALL
        z ^= z >> 31
    return z


def _uniform(key: int, *numbers: int) -> float:
    """A number in (0, 1) of a key and some whole numbers."""
    return (_mixed(key, *numbers) + 0.5) / 2.0**64


class Fluctuator:
    """A trap with two states. At the points of a Poisson process (rate 1/`time`) it is occupied anew with probability `share`.

    That is the two-state Markov process with a mean time of time/(1 - share) occupied and time/share empty.
    """

    def __init__(self, key: int, time: float, share: float) -> None:
        self._key, self._time, self._share = key, time, share

    def occupied(self, now: float) -> bool:
        """Tell whether the trap is occupied `now` (s, >= 0): as drawn at the last point of the process before."""
        cell, inside = divmod(now / self._time, 1.0)
        at = int(cell)
        for back in range(_BACK):
            drawn = self._last(at - back, inside if back == 0 else 1.0)
            if drawn >= 0.0:
                return drawn < self._share
        return False

    def _last(self, cell: int, before: float) -> float:
        """The draw at the last point within the part of a cell of time up to `before`, -1 if there is none."""
        latest, drawn, key = -1.0, -1.0, cell & _ALL
        for point in range(self._points(key)):
            place = _uniform(self._key, key, 2 * point + 1)
            if latest < place <= before:
                latest, drawn = place, _uniform(self._key, key, 2 * point + 2)
        return drawn

    def _points(self, key: int) -> int:
        """How many points lie in a cell of time as long as their mean distance: Poisson with mean 1."""
        left, product = 0, _uniform(self._key, key, 0)
        term = total = math.exp(-1.0)
        while product > total and left < _BACK:
            left += 1
            term /= left
            total += term
        return left


def noisy(values: Mapping[str, float]) -> bool:
    """Whether a card's values have any noise in them."""
    return values["rtn_a"] > 0.0 or (values["read_a"] > 0.0 and values["read_n"] > 0.0)


class Noise:
    """The fluctuators of one cell, in the words of a card."""

    def __init__(self, values: Mapping[str, float], key: int) -> None:
        """Draw nothing yet: key is all the randomness there is."""
        self._r_n, self._rtn_a, self._read_a = values["r_n"], values["rtn_a"], values["read_a"]
        self._trap = Fluctuator(_mixed(key, 0), values["rtn_t"], values["rtn_p"])
        count = int(values["read_n"])
        ratio = values["read_slow"] / values["read_fast"]
        self._small = [
            Fluctuator(_mixed(key, k + 1), values["read_fast"] * ratio ** (k / max(count - 1, 1)), 0.5)
            for k in range(count)
        ]

    def factor(self, now: float, r: float) -> float:
        """The channels of the tip over their nominal number at time `now` (s) and radius r (nm): > 0."""
        thin = min(self._r_n / r, 1.0)
        found = 1.0
        if self._rtn_a > 0.0 and self._trap.occupied(now):
            found -= self._rtn_a * thin * thin
        if self._read_a > 0.0 and self._small:
            excess = sum(1 if small.occupied(now) else -1 for small in self._small) / math.sqrt(len(self._small))
            found *= math.exp(self._read_a * thin * excess)
        return found
