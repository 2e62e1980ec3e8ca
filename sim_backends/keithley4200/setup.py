"""A test as the pages describe it (DE, SS, SM), before it is checked and played."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

Quantity = Literal["V", "I"]
VAR1, VAR2, CONSTANT, VAR1_PRIME = 1, 2, 3, 4  #: functions of a channel (D 5-7)


@dataclass(frozen=True, slots=True)
class ChannelDefinition:
    """One channel of the DE page; sources: "V", "I", or None for common."""

    voltage: str
    current: str
    sources: Quantity | None
    function: int

    @property
    def names(self) -> tuple[str, str]:
        """The names of its voltage and its current."""
        return self.voltage, self.current


@dataclass(frozen=True, slots=True)
class Levels:
    """Values to be sourced, one after the other, SI; compliance in the other unit."""

    sources: Quantity
    values: tuple[float, ...]
    compliance: float


@dataclass(slots=True)
class Setup:
    """Everything ME1 needs. Where no source names a default, the value here is a guess."""

    channels: dict[int, ChannelDefinition] = field(default_factory=dict)
    voltmeters: dict[int, str] = field(default_factory=dict)
    var1: Levels | None = None
    lists: dict[int, Levels] = field(default_factory=dict)
    master: int | None = None
    var2: dict[int, Levels] = field(default_factory=dict)
    constants: dict[int, Levels] = field(default_factory=dict)
    ratios: dict[int, float] = field(default_factory=dict)  # channel 0: all of VAR1'
    offsets: dict[int, float] = field(default_factory=dict)
    energised: set[int] = field(default_factory=set)  # channels with ST n,0
    source_ranges: dict[int, float] = field(default_factory=dict)
    hold: float = 0.0
    delay: float = 0.0
    names: list[str] = field(default_factory=list)
    count: int = 1
    interval: float = 0.01
    wait: float = 0.0

    def copy(self) -> Setup:
        """An independent copy (its members are immutable or copied)."""
        copies = {name: type(value)(value) for name in _CONTAINERS if (value := getattr(self, name)) is not None}
        return replace(self, **copies)

    def define(self, channel: int, definition: ChannelDefinition | None) -> None:
        """Put `definition` on a channel, or switch it off; names of an earlier one leave the LI list (guess)."""
        if old := self.channels.pop(channel, None):
            self.names = [name for name in self.names if name not in old.names]
        if definition is not None:
            self.channels[channel] = definition


_CONTAINERS = (
    "channels", "voltmeters", "lists", "var2", "constants", "ratios", "offsets", "energised", "source_ranges", "names",
)  # fmt: skip


def at_start(smus: Iterable[int]) -> Setup:
    """The definitions that are live when KXCI starts (D 5-5): SMU1 common, SMU2 I VAR2, SMU3 V VAR1, SMU4 V constant."""
    whole: dict[int, ChannelDefinition] = {
        1: ChannelDefinition("V1", "I1", None, CONSTANT),
        2: ChannelDefinition("V2", "I2", "I", VAR2),
        3: ChannelDefinition("V3", "I3", "V", VAR1),
        4: ChannelDefinition("V4", "I4", "V", CONSTANT),
    }
    present = set(smus)
    return Setup(
        channels={n: definition for n, definition in whole.items() if n in present},
        var1=Levels("V", tuple(0.01 * k for k in range(101)), 0.1),
        var2={1: Levels("I", tuple(20e-6 * (k + 1) for k in range(5)), 2.0)},
        constants={4: Levels("V", (0.0,), 0.1)},
    )
