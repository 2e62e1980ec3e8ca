"""A resistor: the device model with nothing in it, for checking cables, compliance and the code around a cell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from labctl.contracts import Card, DeviceModel, Drive, Response
from labctl.errors import UsageError


class Ohmic(DeviceModel):
    """A constant resistance (ohm, > 0); nothing in it moves, so time and seed make no difference."""

    name: ClassVar[str] = "ohmic"

    def __init__(self, resistance: float) -> None:
        """Build a resistor of `resistance` ohm. Raises UsageError unless it is finite and > 0."""
        if not 0.0 < resistance < math.inf:
            raise UsageError(f"a resistor can't have {resistance} ohm; it must be finite and > 0")
        self.resistance = resistance

    @classmethod
    def from_card(cls, card: Card, seed: int | None) -> Ohmic:
        """Build the resistor of a card with the one field `resistance`; a resistor has no variability."""
        return cls(card.values({"resistance": "ohm"})["resistance"])

    def advance(self, drive: Drive, duration: float) -> Response:
        """Solve source, series resistance and resistor exactly: I = V/(R + r), held at the compliance (A)."""
        v, limit, outside = drive.voltage, drive.compliance, drive.resistance
        if not (0.0 <= duration < math.inf and abs(v) < math.inf and limit > 0.0 and 0.0 <= outside < math.inf):
            raise UsageError(f"a resistor can't follow {drive} for {duration} s")
        total = self.resistance + outside
        free = v / total
        if abs(free) <= limit:
            return Response(free, v)
        held = math.copysign(limit, v)
        return Response(held, held * total, in_compliance=True)

    def current(self, voltage: float) -> float:
        """The current (A) at `voltage` (V): Ohm's law."""
        if not abs(voltage) < math.inf:
            raise UsageError(f"a resistor has no current at {voltage} V")
        return voltage / self.resistance

    def state(self) -> Mapping[str, float]:
        """The resistance (ohm)."""
        return {"resistance": self.resistance}
