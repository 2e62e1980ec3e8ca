"""How long a reading is expected to take: only to know when a test is late, so roughly and rather too long."""

from __future__ import annotations

from labctl.contracts import Acquisition
from labctl.kxci.ranges import SmuKind

from .wiring import Settings

#: Mode of ``IT`` and power-line cycles by name (D 5-39).
INTEGRATIONS = {"fast": (1, 0.1), "normal": (2, 1.0), "quiet": (3, 10.0)}
_DELAY_FACTORS = {"fast": 0.7, "normal": 1.0, "quiet": 1.3}  # as Clarius has them (RM 6-84)
_PER_CYCLE, _PER_POINT = 0.0671, 0.00675  # s; fit to an old 4200 over LAN, fixed range (data/kxci.md 5)
_SETTLING, _AT, _LONGEST = (
    0.02,
    1e-9,
    1.0,
)  # s at this range in A, more below it in proportion, s at most: guess, no table found


def reading_time(acquisition: Acquisition, settings: Settings, kind: SmuKind) -> float:
    """The time in s one point takes: integration times the square of the filter factor, and settling on the lowest range.

    The filter factor counts only for an integration in power-line cycles (``IT4``); the others are named by their whole time.
    """
    how = acquisition.integration
    if isinstance(how, str):
        return _point(INTEGRATIONS[how][1]) + _DELAY_FACTORS[how] * _settling(acquisition, kind)
    filtering = max(1.0, settings.filter_factor) ** 2  # RM 6-84
    return _point(float(how) * filtering) + settings.delay_factor * _settling(acquisition, kind)


def _point(cycles: float) -> float:
    return _PER_CYCLE * cycles + _PER_POINT


def _settling(acquisition: Acquisition, kind: SmuKind) -> float:
    """Seconds at delay factor 1 on the fixed range, or on the lowest that autorange may choose."""
    span = acquisition.current_range or acquisition.range_floor or kind.default_range_floor
    return min(_LONGEST, _SETTLING * _AT / span)
