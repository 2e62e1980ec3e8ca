"""Pulse response for IBM's analog hardware acceleration kit (aihwkit, read: 1.2.0).

``.aihwkit.csv`` is what its example 21 reads, like ``examples/csv/gong_et_al.csv``: two columns without a head, the weight
after each potentiating and each depressing pulse of the last whole cycle. ``.aihwkit.json`` has under ``fit`` the pulses and
responses of all cycles that ``aihwkit.utils.fitting.fit_measurements`` takes as they are, and under ``device`` the parameters
of a ``LinearStepDevice`` that steps like the fitted model: ``LinearStepDevice(**parameters)``.

Weights are conductances over the range both branches have, from -1 to 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from labctl.analysis.plasticity.model import UpdateModel
from labctl.contracts import FloatArray
from labctl.errors import UsageError
from labctl.exports import Made, provenance
from labctl.exports.measured import Measured, measured
from labctl.store import Run


def make(run: Run) -> Made:
    """The CSV and the JSON file. Raises UsageError where no cycle has all its levels."""
    found = measured(run)
    if not found.complete:
        raise UsageError("no cycle has a usable read of every level, and aihwkit takes no gaps")
    up, down = (weights(values, found.model) for values in found.complete[-1])
    rows = "".join(f"{a!r},{b!r}\n" for a, b in _pairs(up[1:].tolist(), down[1:].tolist()))
    content = {
        **found.facts(),
        "weight": {"-1 is (S)": found.model.low, "1 is (S)": found.model.high},
        "fit": sequence(found),
        "device": device(found.model),
    }
    return Made({".aihwkit.csv": rows.encode(), ".aihwkit.json": provenance.as_json(content)}, found.notes())


def weights(conductances: FloatArray, model: UpdateModel) -> FloatArray:
    """Conductances (S) as weights, -1 and 1 at the ends of the range both branches have."""
    return np.asarray(2.0 * (conductances - model.low) / (model.high - model.low) - 1.0)


def sequence(found: Measured) -> dict[str, list[float]]:
    """Pulses (1 up, -1 down) and the weight before each, cycle after cycle.

    Each cycle ends with a pulse of 0, which does nothing, so that the weight after its last pulse has its place.
    """
    pulses: list[float] = []
    responses: list[float] = []
    for up, down in found.complete:
        pulses += [1.0] * (up.size - 1) + [-1.0] * (down.size - 1) + [0.0]
        responses += weights(np.concatenate([up, down[1:]]), found.model).tolist()
    return {"pulses": pulses, "responses": responses}


def device(model: UpdateModel) -> dict[str, Any]:
    """A LinearStepDevice with the mean step and the scatter of the model, of one cell: no spread from device to device.

    It steps up by scale_up (1 - gamma_up w), down by scale_down (1 + gamma_down w), scale_up = dw_min (1 + min(up_down, 0)) and
    scale_down = dw_min (1 - max(up_down, 0)), with w_max = 1 and w_min = -1 (rpu_pulsed_device.cpp, rpu_linearstep_device.cpp).
    """
    up, down = _at_zero(model, up=True), -_at_zero(model, up=False)
    if up <= 0 or down <= 0:
        raise UsageError(
            "a fitted step does not go the way of its pulses at mid range; a LinearStepDevice can't do that"
        )
    dw_min, per_weight = max(up, down), 2.0 / (model.high - model.low)
    steps = float(np.mean([model.up.step_scatter, model.down.step_scatter])) * per_weight
    reads = float(np.mean([model.up.read_scatter, model.down.read_scatter])) * per_weight
    parameters = {
        "w_min": -1.0, "w_max": 1.0, "w_min_dtod": 0.0, "w_max_dtod": 0.0,
        "dw_min": dw_min, "dw_min_dtod": 0.0, "dw_min_std": steps / dw_min,
        "up_down": (up - down) / dw_min, "up_down_dtod": 0.0,
        "gamma_up": model.up.share / up, "gamma_down": model.down.share / down,
        "gamma_up_dtod": 0.0, "gamma_down_dtod": 0.0,
        "allow_increasing": bool(min(model.up.share, model.down.share) < 0),
        "mult_noise": False, "write_noise_std": reads / dw_min,
    }  # fmt: skip
    return {"class": "LinearStepDevice", "parameters": parameters, "how": _HOW, "rms of the fit": _rms(model)}


_HOW = (
    "G = first + (last - first) (1 - exp(-a u)) / (1 - exp(-a)) fitted to the mean of all cycles, so that a step is linear in"
    " the weight; scatter of steps and of reads told apart by the correlation of neighbouring steps, taken as the same at all"
    " weights; one cell, so all spreads from device to device are 0"
)


def _at_zero(model: UpdateModel, up: bool) -> float:
    """The mean step at weight 0, in weight."""
    middle = np.array([0.5 * (model.low + model.high)])
    way = model.up if up else model.down
    return float(way.step(middle)[0]) * 2.0 / (model.high - model.low)


def _rms(model: UpdateModel) -> dict[str, float]:
    """Of the mean curve about the fitted one, in weight."""
    per_weight = 2.0 / (model.high - model.low)
    return {"potentiation": model.up.rms * per_weight, "depression": model.down.rms * per_weight}


def _pairs(up: list[float], down: list[float]) -> list[tuple[float, float]]:
    if len(up) != len(down):
        raise UsageError(
            "potentiation and depression have not the same number of pulses, and the CSV has one row for both"
        )
    return list(zip(up, down, strict=True))
