"""What is connected to the two terminals of the cell: an SMU, a pulse channel, ground or nothing.

RPM 1 of the first pulse card sits on "top", RPM 2 on "bottom" (none on a terminal wired to ground); each connects its
terminal's SMU or its pulse channel (D 7-22, 7-67). Without an RPM the setting `cables` says which of the two is plugged in.
Further pulse cards have no cell: their channels are open.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping

from labctl.errors import UsageError
from labctl.kxci.replies import Option

from .settings import Settings
from .smu import Smu

TERMINALS = ("top", "bottom")
OUTPUT_RESISTANCE = 50.0  #: ohm, of a pulse channel (PMU manual 4-19)


class Rpm(enum.IntEnum):
    """What an RPM connects (D 7-22)."""

    PULSE = 0
    CV_TWO_WIRE = 1
    SMU = 2
    CV_FOUR_WIRE = 3


class Ground:
    """A terminal tied to the chassis: 0 V, any current."""

    output = True
    sources_current = False
    level = 0.0
    open_voltage = 0.0
    current_limit = math.inf
    resistance = 0.0


class Open:
    """A terminal with nothing on it."""

    output = False
    sources_current = False
    level = 0.0
    open_voltage = 0.0
    current_limit = 0.0
    resistance = 0.0


class PulseEnd:
    """The output of one pulse channel: a voltage behind its resistance.

    Nothing limits its current but, where an RPM corrects that resistance away, what the card can drive: its range over its own
    50 ohm (data/kxci.md 7; guess).
    """

    sources_current = False

    def __init__(self) -> None:
        self.current_limit = math.inf
        self.resistance = OUTPUT_RESISTANCE
        self.off()

    def off(self) -> None:
        """Open the output relay and go to 0 V."""
        self.output = False
        self.open_voltage = 0.0

    @property
    def level(self) -> float:
        """The open-circuit voltage, V."""
        return self.open_voltage


End = Smu | Ground | Open | PulseEnd


class Routing:
    """The RPMs, and what they connect now (`connected`: top, bottom)."""

    def __init__(
        self, options: list[Option], smus: Mapping[int, Smu], wiring: Mapping[str, int | None], settings: Settings
    ) -> None:
        cards = _cards(options)
        self.channels = {2 * card - 2 + side: PulseEnd() for card in cards for side in (1, 2)}
        self._settings = settings
        self._first = 2 * min(cards, default=1) - 1  # the channel on "top"
        self._with_rpm = {2 * card - 2 + side for card, sides in cards.items() for side in sides}
        self._homes = tuple(_home(name, wiring, smus) for name in TERMINALS)
        if self._homes[0] is self._homes[1]:
            raise UsageError(f"wiring: top and bottom must be different channels, not {wiring}")
        self.reset()

    def reset(self) -> None:
        """Undo all routing, as *RST does; what the RPMs then connect is a setting (guess)."""
        start = Rpm.SMU if self._settings.rpm_at_reset == "smu" else Rpm.PULSE
        self._modes = dict.fromkeys(self._with_rpm, start)
        self._connect()

    def rpm(self, channel: int) -> Rpm | None:
        """What the RPM of a pulse channel connects; None where it has none."""
        return self._modes.get(channel)

    def route(self, hardware: str, mode: int) -> None:
        """Let the RPM that `hardware` (PMU1-1, SMU2) is on connect what `mode` says; without one nothing happens (D 7-67)."""
        channel = self._channel(hardware)
        if channel in self._modes:
            self._modes[channel] = Rpm(mode)
            self._connect()

    def _channel(self, hardware: str) -> int | None:
        if hardware.startswith("PMU"):
            card, side = hardware.removeprefix("PMU").split("-")
            return 2 * int(card) - 2 + int(side)
        for place, home in enumerate(self._homes):
            if isinstance(home, Smu) and hardware == f"SMU{home.number}":
                return self._first + place
        return None  # no CV unit is installed, and this SMU is on no RPM

    def _connect(self) -> None:
        self.connected: tuple[End, End] = (self._at(0), self._at(1))

    def _at(self, place: int) -> End:
        home, channel = self._homes[place], self._first + place
        if isinstance(home, Ground) or channel not in self.channels:
            return home
        mode = self._modes.get(channel)
        if mode is None:
            mode = Rpm.PULSE if self._settings.cables == "PMU" else Rpm.SMU
        if mode is Rpm.PULSE:
            return self.channels[channel]
        return home if mode is Rpm.SMU else Open()


def _cards(options: list[Option]) -> dict[int, set[int]]:
    """The sides with an RPM by pulse card. ``PMURPM`` and ``PMURPM1`` are read as both sides of card 1 (guess)."""
    cards: dict[int, set[int]] = {}
    for option in options:
        if option.kind == "PMU":
            sides = {int(digit) for digit in option.rpm if digit.isdigit()}
            both = bool(option.rpm) and (option.number is None or not sides)
            cards.setdefault(option.number or 1, set()).update({1, 2} if both else sides)
    return cards


def _home(name: str, wiring: Mapping[str, int | None], smus: Mapping[int, Smu]) -> Smu | Ground:
    channel = wiring.get(name)
    if channel is None:
        return Ground()
    if channel not in smus:
        raise UsageError(f"wiring: {name} is on channel {channel}, but there are only SMUs {', '.join(map(str, smus))}")
    return smus[channel]
