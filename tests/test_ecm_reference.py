"""Every ECM card against scipy's Radau on random waveforms: gap, radius, current and switching times.

One waveform a card in every run; fifty with ``-m long``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from ecm_cells import ON, PARAMETERS, X_F, EcmCell, R, W, X, filament, part_of, read, values_of

from labctl import cards
from labctl.testing.device_model import random_waveform

reference = pytest.importorskip("ecm_reference", reason="needs scipy")

NAMES = [
    name
    for name in sorted(cards.paths())
    if cards.read(name).model == "ecm"
    and name != "damaged"
    and not any(field.rpartition(".")[2] == "area" for field in cards.read(name).fields)  # see test_ecm_charge.py
]
#: V; what a card's waveforms go to: past its set and reset voltages, below what breaks it
SPAN = {"synapse": 2.6, "l-device-1": 80.0, "l-device-2": 80.0, "l-device-3": 20.0, "l-device-4": 4.0, "memory": 2.0}
GAP, CURRENT, TIME = 0.01, 0.02, 0.02  # of the switching gap, of the current, of the time since the drive began
SUPPLIED = 0.01  # of the ion supply, which runs from 0 to 1


def parts(name: str) -> dict[str, dict[str, float]]:
    """The cells of a card, unbreakable: the reference knows no damage."""
    cells = (
        {part: part_of(name, part) for part in ("selector", "memory")} if name == "synapse" else {"": values_of(name)}
    )
    return {part: {**values, "v_bd": math.inf, "j_burn": math.inf} for part, values in cells.items()}


def mode(s: Any, values: dict[str, float]) -> int:
    if s[X_F] >= values["x0"]:
        return int(reference.VIRGIN)
    return int(reference.ON if s[ON] > 0.5 else reference.OFF)


def within(found: float, known: np.ndarray[Any, Any], tolerance: float) -> bool:
    """Whether `found` is what the reference has at the end of the dwell, or had or has a little earlier or later."""
    return bool(known.min() - tolerance <= found <= known.max() + tolerance)


def compare(name: str, seed: int) -> None:
    device, values = EcmCell(parts(name)), list(parts(name).values())
    if seed % 4:
        device.set_formed()
    states = [filament(device, part).state for part in parts(name)]
    for drive, duration in random_waveform(seed, SPAN.get(name, 1.2), 8):
        cells = [reference.Cell(v, mode(s, v)) for v, s in zip(values, states, strict=True)]
        start = np.array([float(s[k]) for s in states for k in (X, R)] + [float(s[W]) for s in states])
        times = duration * np.linspace(1.0 - TIME, 1.0 + TIME, 41)
        known, currents = reference.Reference(cells, drive).follow(start, duration, times)
        found = device.advance(drive, duration)
        words = f"{name}, seed {seed}: {drive} for {duration} s from {start}"
        for n, (s, v) in enumerate(zip(states, values, strict=True)):
            allowed = GAP * (v["x0"] - v["x_min"])
            for place, column in ((X, 2 * n), (R, 2 * n + 1)):
                assert within(float(s[place]), known[:, column], allowed), (
                    f"{words}: {s[place]}, {known[20, column]} nm"
                )
            place = 2 * len(values) + n
            assert within(float(s[W]), known[:, place], SUPPLIED), f"{words}: supply {s[W]}, {known[20, place]}"
        logs = np.log(np.maximum(np.abs(currents), 1e-300))
        right = drive.voltage == 0 or within(math.log(abs(found.current)), logs, CURRENT)
        assert right, f"{words}: {found}, {currents[20]} A"


@pytest.mark.parametrize("name", NAMES)
def test_a_random_waveform_against_radau(name: str) -> None:
    compare(name, 1)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", NAMES)
def test_fifty_random_waveforms_against_radau(name: str) -> None:
    for seed in range(50):
        compare(name, seed)


def test_every_field_of_the_cards_is_one_of_the_model() -> None:
    for name in NAMES:
        for field in read(name).fields:
            assert field.rpartition(".")[2] in {**PARAMETERS.UNITS, **PARAMETERS.options.OFF}
