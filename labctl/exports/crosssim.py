"""Pulse response for CrossSim 2 (Sandia), whose examples/lookup_table_generation make its look-up tables; CrossSim 3 has none.

``.set.csv`` and ``.reset.csv`` are the input of its create_lookup_table.py: one head line, one column a ramp, the current
after each pulse at the read voltage. ``.dG_increasing.txt`` and ``.dG_decreasing.txt`` are such tables, ready to use: a head
line, the conductances, the cumulative probabilities, then dG (S) with a row for each probability and a column for each
conductance. Their mean is the fitted law; their scatter that of all measured steps about it, taken as the same at all
conductances, so the scatter of the reads is in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from labctl.analysis.plasticity.model import UpdateModel, Way
from labctl.contracts import FloatArray
from labctl.errors import UsageError
from labctl.exports import Made, provenance
from labctl.exports.measured import measured
from labctl.store import Run

POINTS = 101  #: conductances and probabilities of a table, evenly spaced, as CrossSim's fast look-up asks for: guess


def make(run: Run) -> Made:
    """The two inputs, the two tables, and a JSON file that says where they are from."""
    found = measured(run)
    if not math.isfinite(found.read_voltage) or found.read_voltage == 0:
        raise UsageError("the run does not say at which voltage it was read (v_read), and CrossSim wants currents")
    origin = f"labctl, run {provenance.facts(run)['run']}"
    about = {**found.facts(), "range (S)": [found.model.low, found.model.high], "read_voltage": found.read_voltage}
    files = {
        ".set.csv": currents([values[1:] for values in found.up], found.read_voltage, origin),
        ".reset.csv": currents([values[1:] for values in found.down], found.read_voltage, origin),
        ".dG_increasing.txt": table(found.model, found.model.up, _off(found.settled[0], found.model.up), origin),
        ".dG_decreasing.txt": table(found.model, found.model.down, _off(found.settled[1], found.model.down), origin),
        ".crosssim.json": provenance.as_json(about),
    }
    return Made(files, found.notes())


def currents(ramps: Sequence[FloatArray], voltage: float, origin: str) -> bytes:
    """Currents (A), positive, one column a ramp; the head line says from which run; nothing where a level was not read."""
    columns = np.stack(ramps) * abs(voltage)
    head = ",".join(f"ramp {number} of {origin.replace(',', '')}" for number in range(1, len(ramps) + 1))
    lines = [",".join("" if math.isnan(value) else repr(value) for value in row) for row in columns.T.tolist()]
    return "\n".join([head, *lines, ""]).encode()


def table(model: UpdateModel, way: Way, off: FloatArray, origin: str) -> bytes:
    """One look-up table. off: deviations (S) of measured steps from the fitted ones, any number."""
    conductances = np.linspace(model.low, model.high, POINTS)
    probabilities = np.linspace(0.0, 1.0, POINTS)
    scatter = np.quantile(off, probabilities) - off.mean()
    steps = scatter[:, np.newaxis] + way.step(conductances)[np.newaxis, :]
    head = f"conductances (S); probabilities; then dG (S): row = probability, column = conductance; {origin}"
    lines = [",".join(map(repr, row)) for row in (conductances.tolist(), probabilities.tolist(), *steps.tolist())]
    return "\n".join([head, *lines, ""]).encode()


def _off(cycles: Sequence[FloatArray], way: Way) -> FloatArray:
    """How far each measured step is from the fitted one at the same pulse, S."""
    off = (np.diff(np.stack(cycles), axis=1) - np.diff(way.curve())).ravel()
    return np.asarray(off[np.isfinite(off)])
