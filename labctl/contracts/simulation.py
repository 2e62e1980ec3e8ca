"""The far side when it is simulated: what a source applies, device models with their cards, simulated instruments."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from labctl.contracts.links import Clock
from labctl.errors import UsageError


@dataclass(frozen=True, slots=True)
class Drive:
    """What a source applies to a cell: a voltage source that becomes a current source at its compliance.

    voltage: V, top against bottom; compliance: A, > 0, may be inf; resistance: ohm in series (source and wiring).
    A current source of level I with voltage compliance V is the same thing: voltage = sign(I) V, compliance = |I|.
    """

    voltage: float
    compliance: float = math.inf
    resistance: float = 0.0


@dataclass(frozen=True, slots=True)
class Response:
    """The cell at the end of a dwell: current (A, into top) and voltage at the source's terminals (V).

    in_compliance: the current was held at the source's compliance, so `voltage` is below the one asked for.
    """

    current: float
    voltage: float
    in_compliance: bool = False


@dataclass(frozen=True, slots=True)
class CardField:
    """One parameter of a device: its value in `unit`, what it means, and where it is from ("guess" is a source)."""

    value: float
    unit: str
    meaning: str
    source: str


@dataclass(frozen=True)
class Card:
    """A device's parameter card, as read from ``data/devices/<name>.yaml``; `model` names the physics that takes it.

    sweep: settings of an I-V sweep that shows this device (peaks in V, compliances in A), for ``labctl show``; not physics.
    """

    name: str
    model: str
    title: str
    fields: Mapping[str, CardField]
    sweep: Mapping[str, float] = field(default_factory=dict)

    def values(self, units: Mapping[str, str]) -> dict[str, float]:
        """The values of exactly the fields in `units` (unit by field name).

        Raises UsageError naming the card and the field that is missing, unknown, or given in another unit.
        """
        for name, item in self.fields.items():
            if name not in units:
                raise UsageError(f"device card {self.name}: field {name!r} is not one of {', '.join(units)}")
            if item.unit != units[name]:
                raise UsageError(f"device card {self.name}: {name} must be in {units[name]!r}, not {item.unit!r}")
        if missing := [name for name in units if name not in self.fields]:
            raise UsageError(f"device card {self.name}: missing {', '.join(missing)}")
        return {name: self.fields[name].value for name in units}


class DeviceModel(ABC):
    """The physics of one cell, its state and its own random generator. Knows no instrument and no clock."""

    #: the name parameter cards give under ``model:``
    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def from_card(cls, card: Card, seed: int | None) -> DeviceModel:
        """Build a pristine cell; seed None means no variability at all. Raises UsageError for a card that does not fit."""

    @abstractmethod
    def advance(self, drive: Drive, duration: float) -> Response:
        """Let `duration` seconds (>= 0) pass under a constant drive; circuit and state are solved together."""

    @abstractmethod
    def current(self, voltage: float) -> float:
        """The current (A) at `voltage` (V) in the present state, nothing moving, from an ideal source."""

    def prepare(self, state: str) -> None:
        """Put the cell into a named state, "pristine" or "formed", as if its history had been so.

        Raises UsageError for a state this physics does not have; a model without states accepts both and does nothing.
        """
        if state not in ("pristine", "formed"):
            raise UsageError(f"cell state {state!r} is neither 'pristine' nor 'formed'")

    @abstractmethod
    def state(self) -> Mapping[str, float]:
        """The internal state by name, SI, for tests and for truth beside a measurement; never seen by a driver."""


class HungUp(ConnectionResetError):
    """The far side has closed the connection to its client."""


class FarSide(ABC):
    """Something a client talks to: bytes in, bytes out. No socket, no thread, no sleeping, no file."""

    #: what ends a message in the byte stream of a client
    message_end: bytes = b"\0"
    #: whether a second client may connect while one is there
    accepts_second_client: bool = False

    @abstractmethod
    def feed(self, data: bytes) -> bytes:
        """Take what a client sent (any piece of a message) and return what is answered by now.

        Raises HungUp instead when the connection is closed; the client is gone then.
        """

    @abstractmethod
    def serial_poll(self) -> int:
        """The status byte, as a GPIB serial poll reads it."""

    @abstractmethod
    def disconnect(self) -> None:
        """The client is gone: forget half a message and replies not read."""

    def device_clear(self) -> None:
        """The bus cleared the device (GPIB DCL/SDC); who makes no difference forgets as at `disconnect`."""
        self.disconnect()

    def reply_due(self) -> float | None:
        """The clock time (s) at which the next reply that takes its time is there; None where none is under way."""
        return None

    def late_reply(self) -> bytes:
        """Take one reply to an earlier message that is there by now; empty where none is."""
        return b""


class SimulatedInstrument(FarSide):
    """A simulated instrument: a far side with a device on its terminals."""

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def build(
        cls,
        device: DeviceModel,
        clock: Clock,
        wiring: Mapping[str, int | None],
        settings: Mapping[str, Any],
        seed: int | None,
    ) -> SimulatedInstrument:
        """Build one with `device` between its channels: wiring gives the channel by terminal, None for ground.

        settings: choices by name, see the instrument's own settings class; seed: of its noise, None for none.
        Raises UsageError naming an unknown setting.
        """

    def reboot(self) -> None:
        """Restart as after a power failure: outputs off; test, data, settings gone. Raises UsageError where that is unknown."""
        raise UsageError(f"the simulated {self.name} can't be restarted")

    def stick_busy(self, seconds: float) -> None:
        """Say busy for the next `seconds` s whenever asked, whatever is true. Raises UsageError where nothing says busy."""
        raise UsageError(f"the simulated {self.name} does not say whether it is busy")
