"""A device of one ECM cell, or of two in series, as a device model: SI at the door, nm inside."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from labctl.contracts import Card, DeviceModel, Drive, Response
from labctl.errors import LabctlError, UsageError

from . import integrator as at
from .circuits import connect
from .filament import NM, Filament
from .parameters import read

#: of filaments in one dwell; a drive that makes and breaks them without end is a mistake worth hearing about
MAX_RUPTURES = 1000
#: the same with capacitors: a selector before an off memory may oscillate at some 100 kHz, and rightly so (ecm-model.md 5.2)
MAX_OSCILLATIONS = 100_000


class EcmCell(DeviceModel):
    """Pristine ECM cells in series, one or two: form them with a few volts, or call `set_formed`; then they switch.

    tolerance: m; greatest error of gap and radius in one step. 1e-11 is right for sweeps, 1e-12 for kinetics (ecm-model.md 6).
    """

    name: ClassVar[str] = "ecm"
    tolerance: float = 1e-11

    def __init__(self, parts: Mapping[str, Mapping[str, float]], seed: int | None = None) -> None:
        """Build a device from the values of each of its cells by name, in the card's units; "" for the only one.

        seed None: nominal cells, no variability. Raises UsageError for more than two cells and for cells that don't fit.
        """
        if not 1 <= len(parts) <= 2:
            raise UsageError(f"an ECM device has one cell or two in series, not {', '.join(parts) or 'none'}")
        self._filaments = {
            name: Filament(values, _seeds(seed, place, len(parts)))
            for place, (name, values) in enumerate(parts.items())
        }
        self._cells = tuple(self._filaments.values())
        self._circuit = connect(self._filaments)
        self._most = MAX_OSCILLATIONS if self._circuit.voltages() else MAX_RUPTURES
        self._time = 0.0
        self._flickers = any(filament.flickers for filament in self._cells)
        self._flicker()

    @classmethod
    def from_card(cls, card: Card, seed: int | None) -> EcmCell:
        """Build a pristine device; seed None means no variability at all. Raises UsageError for a card that does not fit.

        A card of two cells has the fields of both, each behind the cell's name and a dot (ecm-model.md 8).
        """
        parts = {}
        for name in dict.fromkeys(field.rpartition(".")[0] for field in card.fields):
            begin = f"{name}." if name else ""
            own = {
                key.removeprefix(begin): field for key, field in card.fields.items() if key.rpartition(".")[0] == name
            }
            part = replace(card, name=f"{card.name}, {name}" if name else card.name, fields=own)
            parts[name] = read(part)
        return cls(parts, seed)

    def set_formed(self) -> None:
        """Put every cell into its formed high-resistance state (gap x0, seed radius), as after electroforming and a reset."""
        for filament in self._filaments.values():
            filament.set_formed()
        self._circuit.rest()

    def prepare(self, state: str) -> None:
        """Leave the cells pristine, or put them into the formed high-resistance state. Raises UsageError for another name."""
        super().prepare(state)
        if state == "formed":
            self.set_formed()

    def advance(self, drive: Drive, duration: float) -> Response:
        """Let `duration` seconds (>= 0) pass under a constant drive; circuit and state are solved together.

        Returns the response at the end, which of cells with an area is the source's, charging included; duration 0 moves
        nothing and gives the present one: what gaps and radii conduct once all voltages have settled.
        Raises UsageError for a drive that is not finite, LabctlError where the bound on steps is hit
        (the cell has then followed the drive up to there).
        """
        v_s, i_cc, r_src = drive.voltage, drive.compliance, drive.resistance
        if not (0.0 <= duration < math.inf and abs(v_s) < math.inf and i_cc > 0.0 and 0.0 <= r_src < math.inf):
            raise UsageError(f"an ECM cell can't follow {drive} for {duration} s")
        if duration == 0.0:
            return self._circuit.present(drive)
        for filament in self._cells:
            if filament.given_up(abs(v_s)):
                filament.renew()
        found = self._follow(drive, float(duration))
        for filament in self._cells:
            filament.look(v_s)
        self._time += duration
        if not self._flickers:
            return found
        self._flicker()
        return self._circuit.present(drive)

    def _flicker(self) -> None:
        """Let every cell have its noise of the present time."""
        for filament in self._cells:
            filament.flicker(self._time)

    def _follow(self, drive: Drive, left: float) -> Response:
        dwell, tolerance = self._circuit.dwell, self.tolerance / NM
        for _ in range(self._most):
            ended, left, found = dwell(drive, left, tolerance)
            if ended == at.DONE:
                return found
            if ended == at.EXHAUSTED:
                raise LabctlError(f"the ECM cell needs more than {at.MAX_TRIES} steps for {drive}, {left} s to go")
            for filament in self._cells:
                filament.happen()
        raise LabctlError(f"the ECM cell ruptures more than {self._most} times in one dwell under {drive}")

    def current(self, voltage: float) -> float:
        """The current (A) at `voltage` (V) in the present state, nothing moving, from an ideal source.

        Of cells with an area, too, it is what they conduct: no charge flows on or off.
        """
        if not abs(voltage) < math.inf:
            raise UsageError(f"an ECM cell has no current at {voltage} V")
        return self._circuit.present(Drive(voltage)).current

    def state(self) -> Mapping[str, float]:
        """Gap, radius, deepest point of the front (m), formed? filament? (0/1), ion supply (0 to 1), broken (0 to 4), ruptures.

        Of a cell with an area also its voltage (V). Of two cells each name has the cell's and a dot before it.
        """
        shown = {name: filament.shown() for name, filament in self._filaments.items()}
        for part, voltage in zip(shown.values(), self._circuit.voltages(), strict=False):
            part["voltage"] = voltage
        return {f"{name}.{key}" if name else key: value for name, part in shown.items() for key, value in part.items()}


def _seeds(seed: int | None, place: int, cells: int) -> list[int] | None:
    """The seed of one cell: the device's own for the only one, else with the cell's place."""
    if seed is None:
        return None
    return [seed] if cells == 1 else [seed, place]
