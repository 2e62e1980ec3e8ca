"""The options of a station file that belong to the pulse card, and which of its channels sits on which terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from labctl.errors import LimitError, UsageError
from labctl.quantities import parse

LOADS = (1.0, 1e7)  #: ohm, what ``:PMU:LOAD`` takes (D 7-11)
CHANNELS = range(1, 9)  #: pulse channels, counted through the cards (D 7-5)
_SOURCES = ("driven", "held")
_CABLES = ("smu", "pulse")


@dataclass(frozen=True)
class PulseSettings:
    """The ``options:`` of the pulse card; every one has a default.

    pulse_terminals: pulse channel by terminal of the cell, "ground" for the card's ground; pulse_library: True for a pulse
    card behind the user libraries of old software that ``*OPT?`` does not show, False for no pulse card at all; current_from:
    which channel's current is taken, "held" (its sign turned round) or "driven", by default "held" where a second channel is
    wired: what flows through the cell and not into cables; load: ohm, the cell's resistance, for which the card corrects its
    levels; without it they are those of an open circuit; cables: where terminals without an RPM are plugged in, "smu" or
    "pulse": tests of the other kind are refused there.
    """

    pulse_terminals: Mapping[str, int | None] = field(default_factory=lambda: {"top": 1, "bottom": 2})
    pulse_library: bool | None = None
    current_from: Literal["driven", "held"] | None = None
    load: float | None = None
    cables: Literal["smu", "pulse"] = "smu"

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> PulseSettings:
        """Take what is the pulse card's from the options of a station file. Raises UsageError for wrong values."""
        readers = {
            "pulse_terminals": _terminals,
            "pulse_library": _flag,
            "current_from": _source,
            "load": _load,
            "cables": _cables,
        }
        return cls(**{name: reader(options[name]) for name, reader in readers.items() if name in options})

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON types."""
        return {**asdict(self), "pulse_terminals": dict(self.pulse_terminals)}

    def driven(self, terminal: str) -> int:
        """The pulse channel of a terminal that is to be driven. Raises LimitError where there is none."""
        if terminal not in self.pulse_terminals:
            known = ", ".join(self.pulse_terminals)
            raise LimitError(f"terminal {terminal!r} is on no pulse channel; there is {known}")
        channel = self.pulse_terminals[terminal]
        if channel is None:
            raise LimitError(f"terminal {terminal!r} is grounded, it can't be pulsed")
        return channel

    def held(self, terminal: str) -> int | None:
        """The pulse channel that holds the other terminal at 0 V while `terminal` is driven, None for ground."""
        others = [channel for name, channel in self.pulse_terminals.items() if name != terminal]
        return next((channel for channel in others if channel is not None), None)


OPTIONS = tuple(PulseSettings.__dataclass_fields__)  #: their names


def _terminals(value: Any) -> dict[str, int | None]:
    if not isinstance(value, Mapping) or not value:
        raise UsageError(f"option pulse_terminals = {value!r} must be like {{top: 1, bottom: 2}}")
    found = {str(name): None if channel == "ground" else channel for name, channel in value.items()}
    used = [channel for channel in found.values() if channel is not None]
    if not used or any(type(channel) is not int or channel not in CHANNELS for channel in used):
        raise UsageError(f"option pulse_terminals = {dict(value)!r} must name pulse channels, 1 to 8, or ground")
    if len(found) > 2 or len(set(used)) != len(used):
        raise UsageError(f"option pulse_terminals = {dict(value)!r} must be up to two terminals on different channels")
    if len({(channel - 1) // 2 for channel in used}) > 1:
        raise UsageError(f"option pulse_terminals = {dict(value)!r}: both channels must be on one card, for one clock")
    return found


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"option pulse_library must be true or false, not {value!r}")
    return value


def _source(value: Any) -> Any:
    if value not in _SOURCES:
        raise UsageError(f"option current_from must be {' or '.join(_SOURCES)}, not {value!r}")
    return value


def _cables(value: Any) -> Any:
    if value not in _CABLES:
        raise UsageError(f"option cables must be {' or '.join(_CABLES)}, not {value!r}")
    return value


def _load(value: Any) -> float:
    load = parse(value, "ohm")
    if not LOADS[0] <= load <= LOADS[1]:
        raise UsageError(f"option load = {value!r} must be 1 ohm to 10 Mohm (D 7-11)")
    return load
