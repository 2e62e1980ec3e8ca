"""What ``:PMU:EXECUTE`` checks of any pulse test: ranges, levels, power and the sampling rate.

The manual names the codes (D 2-12) and says for few which mistake gives which; where the text of a code does not settle it, the
choice here is a guess.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from labctl.kxci.replies import Option

from .pulse_data import CAPACITY
from .pulse_line import Line
from .pulse_setup import FIXED
from .refusal import POWER, PULSE_SETUP, SOURCE_VOLTAGE, Refused

CLOCK = 200e6  #: Sa/s; rates are this by a whole number (LPT 6-44)
SLOWEST = 200_000  #: the greatest of those numbers: 1 kSa/s
ROUNDING = 1e-9  #: relative; what a rate or level in floats may miss
CHASSIS = 500.0  #: W (D 1-2)
IDLE = {"VPU": 29.4, "PMU": 50.4}  #: W by card (D 1-2, 1-3)
RPM_IDLE, HIGH_POWER_SMU = 4.2, 45.0  #: W each (D 1-2, 1-3)
TEST = {10.0: 8.4, 40.0: 54.6}  #: W by a channel's voltage range (D 1-2, 1-3)


class Load(NamedTuple):
    """What a test asks of the sampling: the shortest measured interval and all of them together, s."""

    shortest: float
    total: float


def check_ranges(lines: Iterable[Line], only_fixed: bool) -> None:
    """Refuse a current range the channel does not have, and automatic ones where only fixed ones work (D 7-15)."""
    for line in lines:
        setup = line.setup
        if (only_fixed and setup.ranging != FIXED) or line.current_range not in line.ranges:
            raise Refused(PULSE_SETUP)


def check_level(line: Line, level: float) -> None:
    """Refuse a level (V) for which the source would need more than its range into an open circuit (D 7-11)."""
    if abs(line.open_level(level)) > line.span * (1.0 + open_circuit_slack(line)):
        raise Refused(SOURCE_VOLTAGE)


def open_circuit_slack(line: Line) -> float:
    """How far above its range the source may be asked to go, relative.

    The default load of 1 Mohm stands for an open circuit; 10 V across it are 10.0005 V open-circuit, and surely allowed on
    the 10 V range (guess: what 1 Mohm needs beyond the range is let pass).
    """
    return line.resistance / 1e6 + ROUNDING


def check_power(lines: Iterable[Line], options: Iterable[Option]) -> None:
    """Refuse a test that the chassis can't feed (D 1-2, 1-3); every high-power SMU counts as if it were in it (guess)."""
    power = sum(TEST[line.span] for line in lines)
    for option in options:
        power += IDLE.get(option.kind, 0.0) + HIGH_POWER_SMU * option.high_power
        power += RPM_IDLE * (2 if option.rpm in ("RPM", "RPM1-2") else bool(option.rpm))
    if power > CHASSIS:
        raise Refused(POWER)


def load_of(intervals: Mapping[int, list[tuple[float, int]]]) -> Load | None:
    """What measured intervals (s, how often) by channel ask of the one clock of a card; None for no measurement."""
    lengths = [length for one in intervals.values() for length, _ in one]
    if not lengths:
        return None
    return Load(min(lengths), max(math.fsum(length * times for length, times in one) for one in intervals.values()))


def sample_rate(wanted: float, load: Load, limited: bool, code: int) -> float:
    """The rate that is taken, Sa/s: the next higher one there is (LPT 6-44), within what the test allows (D 7-24).

    It is raised so that the shortest interval has a sample, and (limited) lowered so that all intervals together have 65536.
    Raises Refused with `code` where both can't be.
    """
    lowest = 1.0 / load.shortest
    highest = min(CAPACITY / load.total, CLOCK) if limited else CLOCK
    rate = min(max(wanted, lowest), highest)
    divisor = max(1, min(math.floor(CLOCK / rate * (1.0 + ROUNDING)), SLOWEST))
    if CLOCK / divisor > highest * (1.0 + ROUNDING):
        divisor += 1
    chosen = CLOCK / divisor
    if divisor > SLOWEST or chosen < lowest * (1.0 - ROUNDING) or chosen > highest * (1.0 + ROUNDING):
        raise Refused(code)
    return chosen
