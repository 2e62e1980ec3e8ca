"""One ECM cell as a device model: SI at the door, nm inside, events and draws between the kernel's dwells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from labctl.contracts import Card, DeviceModel, Drive, Response
from labctl.errors import LabctlError, UsageError
from labctl.jit import Vector, vector

from . import integrator as at
from .circuit import solve
from .parameters import UNITS, check, pack
from .variability import Cycles, draw_device

NM = 1e-9
#: V per junction; a bias above the first that comes back below the second without a filament is a failed attempt: guess
TRIED, GIVEN_UP = 0.3, 0.02
#: of filaments in one dwell; a drive that makes and breaks them without end is a mistake worth hearing about
MAX_RUPTURES = 1000


class EcmCell(DeviceModel):
    """A pristine ECM cell: form it with a few volts, or call `set_formed`; then it switches.

    tolerance: m; greatest error of gap and radius in one step. 1e-11 is right for sweeps, 1e-12 for kinetics (ecm-model.md 6).
    """

    name: ClassVar[str] = "ecm"
    tolerance: float = 1e-11

    def __init__(self, values: Mapping[str, float], seed: int | None = None) -> None:
        """Build a cell from the values of a card, in the card's units; seed None: the nominal cell, no variability."""
        rng = None if seed is None else np.random.default_rng(seed)
        self._values = dict(values) if rng is None else draw_device(values, rng)
        self._cycles = Cycles(self._values, rng)
        self._varies = rng is not None
        self._tried = False
        self._state: Vector = vector([0.0] * at.STATE_SIZE)
        self._load()
        self._state[at.X] = self._state[at.X_F] = self._values["thickness"]
        self._state[at.R] = self._cycles.current().r_n

    @classmethod
    def from_card(cls, card: Card, seed: int | None) -> EcmCell:
        """Build a pristine cell; seed None means no variability at all. Raises UsageError for a card that does not fit."""
        values = card.values(UNITS)
        check(values, card.name)
        return cls(values, seed)

    def set_formed(self) -> None:
        """Put the cell into its formed high-resistance state (gap x0, seed radius), as after electroforming and a reset."""
        cycle, s = self._cycles.current(), self._state
        s[at.X], s[at.R], s[at.X_F], s[at.ON], s[at.H] = cycle.x0, cycle.r_n, self._values["x_min"], 0.0, 0.0
        self._tried = False

    def prepare(self, state: str) -> None:
        """Leave the cell pristine, or put it into the formed high-resistance state. Raises UsageError for another name."""
        super().prepare(state)
        if state == "formed":
            self.set_formed()

    def advance(self, drive: Drive, duration: float) -> Response:
        """Let `duration` seconds (>= 0) pass under a constant drive; circuit and state are solved together.

        Returns the response at the end; duration 0 gives the present one and moves nothing.
        Raises UsageError for a drive that is not finite, LabctlError where the bound on steps is hit
        (the cell has then followed the drive up to there).
        """
        v_s, i_cc, r_src = drive.voltage, drive.compliance, drive.resistance
        if not (0.0 <= duration < math.inf and abs(v_s) < math.inf and i_cc > 0.0 and 0.0 <= r_src < math.inf):
            raise UsageError(f"an ECM cell can't follow {drive} for {duration} s")
        if self._varies and duration > 0.0:
            self._watch(abs(v_s) / self._values["n_j"])
        left, s, tolerance = float(duration), self._state, self.tolerance / NM
        for _ in range(MAX_RUPTURES):
            ended, current, voltage, limited = at.dwell(
                self._packed, s, float(v_s), float(i_cc), float(r_src), left, tolerance
            )
            if ended == at.DONE:
                return Response(current, voltage, limited)
            if ended == at.EXHAUSTED:
                raise LabctlError(f"the ECM cell needs more than {at.MAX_TRIES} steps for {drive}, {duration} s")
            left = float(s[at.LEFT])
            self._renew()
        raise LabctlError(f"the ECM cell ruptures more than {MAX_RUPTURES} times within {duration} s of {drive}")

    def current(self, voltage: float) -> float:
        """The current (A) at `voltage` (V) in the present state, nothing moving, from an ideal source."""
        if not abs(voltage) < math.inf:
            raise UsageError(f"an ECM cell has no current at {voltage} V")
        s = self._state
        found = solve(
            self._packed, abs(float(voltage)), math.inf, 0.0, float(s[at.X]), float(s[at.R]), abs(float(voltage))
        )
        return math.copysign(found[1], voltage)

    def state(self) -> Mapping[str, float]:
        """Gap (m), filament radius (m), deepest point of the front (m), formed (0/1), filament present (0/1)."""
        s = self._state
        return {
            "gap": float(s[at.X]) * NM,
            "radius": float(s[at.R]) * NM,
            "front": float(s[at.X_F]) * NM,
            "formed": float(self._formed()),
            "filament": float(s[at.ON]),
        }

    def _formed(self) -> bool:
        return self._state[at.X_F] < self._x0

    def _load(self) -> None:
        cycle = self._cycles.current()
        self._x0, self._packed = cycle.x0, pack(self._values, cycle)

    def _renew(self) -> None:
        """Start the next filament: a new site, its seed radius, and a gap no wider than the site's own."""
        cycle, s = self._cycles.next(), self._state
        self._load()
        s[at.R], s[at.X], s[at.H] = cycle.r_n, min(s[at.X], cycle.x0), 0.0

    def _watch(self, voltage: float) -> None:
        """Draw again after an attempt that made no filament, else one unlucky draw blocks the cell for ever."""
        if self._state[at.ON] > 0.5 or not self._formed():
            self._tried = False
        elif voltage > TRIED:
            self._tried = True
        elif self._tried and voltage < GIVEN_UP:
            self._tried = False
            self._renew()
