"""One cell's part of a device: its parameters, its draws and its state, and what happens to it between the kernel's dwells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from labctl.jit import Vector, vector

from . import integrator as at
from .ageing import Age
from .kinetics import rupture
from .noise import Noise, noisy
from .parameters import G_C, OPEN, SHORT, SOUND, STUCK_HIGH, STUCK_LOW, V_T, Cycle, pack
from .variability import Cycles, draw_device

NM = 1e-9
#: nm/s; a site at which nucleation gets this far above rupture counts as tried: guess (ecm-model.md 7)
TRYING = 10.0
#: V per junction; a source below it has given an attempt up: guess
GIVEN_UP = 0.02


class Filament:
    """The filament of one cell, pristine when built; seed None: the nominal cell, nothing is ever drawn."""

    def __init__(self, values: Mapping[str, float], seed: Sequence[int] | None) -> None:
        rng, ageing = (None, None) if seed is None else (np.random.default_rng(seed), _stream(seed, 2))
        self.values = dict(values) if rng is None else draw_device(values, rng)
        self.cycles = Cycles(self.values, rng)
        self.state: Vector = vector([0.0] * at.STATE_SIZE)
        self._varies = rng is not None
        self._tried = False
        self._broken = self.values["broken"]
        self._age = Age(self.values, ageing)
        self._noise = None if seed is None or not noisy(values) else Noise(self.values, _key(seed))
        self._load()
        self.state[at.X] = self.state[at.X_F] = self.values["thickness"]
        self.state[at.R] = self.cycles.current().r_n if self._broken == SOUND else self.values["r_res"]
        self.state[at.W] = self._drained()
        if self._broken in (STUCK_LOW, STUCK_HIGH):
            self._stick(self._broken)
        self._attempt = _attempt_voltage(self.values, self.packed)

    def _cycle(self) -> Cycle:
        """What the present filament drew, with the gap that age has left of it."""
        cycle = self.cycles.current()
        return replace(cycle, x0=self._age.gap(cycle.x0))

    def _load(self) -> None:
        cycle = self._cycle()
        self._x0, self.packed = cycle.x0, pack(self.values, cycle, self._broken)
        self.seen = self.packed if self._noise is None else pack(self.values, cycle, self._broken)

    @property
    def flickers(self) -> bool:
        """Whether what is seen of the cell differs from what it does: it has noise."""
        return self._noise is not None

    def flicker(self, now: float) -> None:
        """Make the noise at time `now` (s) part of `seen`, the parameters for looking at the cell."""
        if self._noise is not None:
            self.seen[G_C] = self.packed[G_C] * self._noise.factor(now, float(self.state[at.R]))

    @property
    def formed(self) -> bool:
        """Whether the front has been deeper than the present rupture gap."""
        return float(self.state[at.X_F]) < self._x0

    def set_formed(self) -> None:
        """Put the cell into its formed high-resistance state: gap x0, seed radius, no filament; a broken one stays as it is."""
        if self._broken != SOUND:
            return
        cycle, s = self._cycle(), self.state
        s[at.X], s[at.R], s[at.X_F], s[at.ON], s[at.H] = cycle.x0, cycle.r_n, self.values["x_min"], 0.0, 0.0
        s[at.W] = self._drained()
        self._tried = False

    def _drained(self) -> float:
        """The ion supply of a cell long at rest: none; a cell whose card has no such group is always supplied."""
        return 0.0 if self.values["q_in"] > 0.0 else 1.0

    def given_up(self, voltage: float) -> bool:
        """Tell whether a source at `voltage` (V, >= 0) ends an attempt without a filament, and forget the attempt if so."""
        if not self._tried or voltage / self.values["n_j"] >= GIVEN_UP:
            return False
        self._tried = False
        return True

    def look(self, voltage: float) -> None:
        """Note after a dwell at `voltage` (V) whether the cell is in an attempt: a filament was to be expected, there is none.

        Its junction's voltage went high in the sense of growth, and long enough for its ions to flow.
        """
        if self._tried or (
            self.state[at.U] > self._attempt and self._grows(voltage)
        ):  # nearly every dwell says no at once
            self._tried = self._varies and self._broken == SOUND and self.formed and float(self.state[at.ON]) <= 0.5

    def _grows(self, voltage: float) -> bool:
        """Whether a source at `voltage` (V) makes a filament grow: polarity, and ion supply."""
        return bool((voltage > 0.0 or self.values["bip"] > 0.5) and self.state[at.W] > at.SUPPLIED)

    def happen(self) -> bool:
        """Do what the event of the last step means for the cell; tell whether there was one."""
        event, self.state[at.EVENT] = self.state[at.EVENT], at.NOTHING
        if event == at.RUPTURED:
            self._rupture()
        elif event != at.NOTHING:
            self._break(OPEN if event == at.BURNT_OUT else SHORT)
        return bool(event != at.NOTHING)

    def _rupture(self) -> None:
        self.cycles.next()
        after = self._age.rupture(self.cycles.current().x0)
        if after == SOUND:
            self._start()
        else:
            self._stick(after)

    def _stick(self, how: float) -> None:
        """Let the gap stay where it is for good: closed with the filament as it is, or open."""
        s = self.state
        self._broken = how
        self._load()
        low = how == STUCK_LOW
        s[at.X] = self.values["x_min"] if low else self._x0
        s[at.X_F], s[at.ON], s[at.H] = self.values["x_min"], float(low), 0.0

    def _break(self, how: float) -> None:
        """Break the cell for good; a short takes all the silver there is."""
        s = self.state
        s[at.WORN], s[at.BURNT], s[at.ON], s[at.H] = 0.0, 0.0, 0.0, 0.0
        if how == SHORT:
            s[at.R] = self.values["r_res"]
        self._broken = how
        self._load()

    def renew(self) -> None:
        """Draw the next filament."""
        self.cycles.next()
        self._start()

    def _start(self) -> None:
        """Start a filament at the site just drawn: its seed radius, and a gap no wider than the site's own."""
        self._load()
        s = self.state
        s[at.R], s[at.X], s[at.H] = self._cycle().r_n, min(s[at.X], self._x0), 0.0

    def shown(self) -> dict[str, float]:
        """Gap, radius, deepest point of the front (m), formed? filament there? (0/1), ion supply (0 to 1), broken, ruptures."""
        s = self.state
        return {
            "gap": float(s[at.X]) * NM,
            "radius": float(s[at.R]) * NM,
            "front": float(s[at.X_F]) * NM,
            "formed": float(self.formed),
            "filament": float(s[at.ON]),
            "supply": float(s[at.W]),
            "broken": self._broken,
            "ruptures": float(self._age.ruptures),
        }


def _attempt_voltage(values: Mapping[str, float], packed: Vector) -> float:
    """The voltage (V) of a junction at which the cell's mean site nucleates: a filament was to be expected there."""
    speed = rupture(packed, values["r_n"])[0] + TRYING
    at_rest = values["delta"] * values["nu0"]
    return (values["dg"] + V_T * math.log(speed / at_rest)) / (values["n_c"] + values["alpha"])


def _stream(seed: Sequence[int], number: int) -> np.random.Generator:
    """A generator beside the cell's own, so that what is switched on or off does not shift the other draws."""
    return np.random.default_rng([*seed, number])


def _key(seed: Sequence[int]) -> int:
    """64 bits for the noise of a cell of this seed."""
    return int(np.random.SeedSequence([*seed, 1]).generate_state(1, np.uint64)[0])
