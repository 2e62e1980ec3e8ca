"""A run's pulse response as exports need it: branches over the cycles, how they were pulsed and read, the fitted model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from labctl.analysis.plasticity import model as plasticity_model
from labctl.analysis.plasticity import run as plasticity_run
from labctl.contracts import FloatArray
from labctl.errors import UsageError
from labctl.exports import provenance
from labctl.store import Run

#: columns of pulses and reads, with the kind of their numbers
NEEDED = {
    "kind": "i", "status": "i", "cycle": "i", "segment": "i", "pulse": "i",
    "conductance": "f", "amplitude": "f", "width": "f",
}  # fmt: skip
NARROW = 0.1  #: difference of the branches' ends over the range they share, from which on it is said: guess


@dataclass(frozen=True)
class Pulsed:
    """The pulses of one branch. amplitude: V, width: s, shape (pulses,), of the first whole one."""

    amplitude: FloatArray
    width: FloatArray

    @property
    def alike(self) -> bool:
        """Whether all pulses of the branch have one amplitude and one width."""
        return bool(np.ptp(self.amplitude) == 0 and np.ptp(self.width) == 0)


@dataclass(frozen=True)
class Measured:
    """A run's branches. up, down: for each cycle that has both whole, the conductances (S) before and after each pulse.

    pulsed: by sign; cycles: begun; read_voltage: V, NaN where the run does not say.
    """

    run: Run
    up: list[FloatArray]
    down: list[FloatArray]
    pulsed: dict[int, Pulsed]
    cycles: int
    read_voltage: float

    @cached_property
    def settled(self) -> tuple[list[FloatArray], list[FloatArray]]:
        """The branches as pulses made them: of several cycles the state before the first, which a sweep wrote, is left out."""
        if len(self.up) == 1:
            return self.up, self.down
        first = self.up[0].copy()
        first[0] = np.nan
        return [first, *self.up[1:]], self.down

    @cached_property
    def model(self) -> plasticity_model.UpdateModel:
        """The fitted model. Raises UsageError where there is none."""
        found = plasticity_model.model(*self.settled)
        if found is None:
            raise UsageError(
                f"{_name(self.run)}: no model fits: potentiation or depression does not rise or fall clear of its scatter, or"
                " they share no range of conductance"
            )
        return found

    @property
    def complete(self) -> list[tuple[FloatArray, FloatArray]]:
        """The cycles of which every level was read, the one a sweep wrote included."""
        pairs = zip(*self.settled, strict=True)
        return [(up, down) for up, down in pairs if np.isfinite(up).all() and np.isfinite(down).all()]

    def notes(self) -> tuple[str, ...]:
        """What a user of the numbers must know."""
        said = []
        if not all(pulsed.alike for pulsed in self.pulsed.values()):
            said.append("the pulses of a branch were not alike; the model takes them as if they were")
        if self.model.mismatch > NARROW:
            share = f"{self.model.mismatch:.0%} of the range they share"
            said.append(f"potentiation and depression do not meet: their ends are {share} apart")
        if len(self.up) < self.cycles:
            said.append(f"{self.cycles - len(self.up)} of {self.cycles} cycles are not whole and left out")
        return tuple(said)

    def facts(self) -> dict[str, Any]:
        """Where the numbers are from and how they were measured, for JSON."""
        return {
            "provenance": provenance.facts(self.run),
            "cycles": len(self.up),
            "pulses of potentiation": int(self.up[0].size - 1),
            "pulses of depression": int(self.down[0].size - 1),
            "amplitudes (V)": {
                name: _range(self.pulsed[sign].amplitude) for sign, name in plasticity_run.BRANCHES.items()
            },
            "widths (s)": {name: _range(self.pulsed[sign].width) for sign, name in plasticity_run.BRANCHES.items()},
            "read voltage (V)": provenance.short(self.read_voltage),
            "notes": list(self.notes()),
        }


def measured(run: Run) -> Measured:
    """The branches of a run. Raises UsageError for one without a whole potentiation and depression."""
    if lacking := [name for name, kind in NEEDED.items() if name not in run.columns or run[name].dtype.kind != kind]:
        raise UsageError(
            f"{_name(run)} is no potentiation and depression (it has no such column as {lacking[0]}); give a run of"
            " potentiation-depression"
        )
    pairs = plasticity_run.trains(run.columns).cycles
    whole = [(pair[1], pair[-1]) for pair in pairs]
    both = [(up.means(), down.means()) for up, down in whole if up is not None and down is not None]
    if not both:
        raise UsageError(f"{_name(run)} has no cycle with a whole potentiation and a whole depression")
    pulsed = {sign: _pulsed(run, sign, both[0][0].size - 1) for sign in plasticity_run.BRANCHES}
    up, down = [pair[0] for pair in both], [pair[1] for pair in both]
    return Measured(run, up, down, pulsed, len(pairs), _read_voltage(run))


def _pulsed(run: Run, sign: int, pulses: int) -> Pulsed:
    """Amplitude and width of each pulse, from the first row that names it."""
    rows = np.flatnonzero(run["segment"] == sign)
    numbers, first = np.unique(run["pulse"][rows], return_index=True)
    rows = rows[first[(numbers >= 1) & (numbers <= pulses)]]
    return Pulsed(run["amplitude"][rows], run["width"][rows])


def _read_voltage(run: Run) -> float:
    value = run.header.parameters.get("v_read", {}).get("value")
    return float(value) if isinstance(value, float) else float("nan")


def _range(values: FloatArray) -> list[float]:
    """First and last of the values, one where they are alike."""
    ends = values[:1] if np.ptp(values) == 0 else values[[0, -1]]
    return [provenance.short(value) for value in ends.tolist()]


def _name(run: Run) -> str:
    return run.path.name if run.path else provenance.line(run.header.title)
