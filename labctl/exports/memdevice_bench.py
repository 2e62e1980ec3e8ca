"""Pulse response for memdevice-bench (read: 0.2.0): its canonical table of pulse updates and its metadata.

``.memdevice.csv``: one row for each level, the mean of its reads; ``.memdevice.json``: which device, measured how. Levels that
were not read are left out, and so are conductances that are not positive, which its table can't have. What a run does not say
(mechanism, materials) is left open: add tags before you publish.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from labctl.analysis import reads
from labctl.errors import UsageError
from labctl.exports import Made, provenance
from labctl.exports.measured import Measured, measured
from labctl.store import Run

SCHEMA = "0.2.0"  #: of the metadata
DIRECTIONS = {1: "potentiation", -1: "depression"}
COLUMNS = (
    "device_id", "cycle", "pulse_index", "direction", "conductance_s",
    "pulse_voltage_v", "pulse_width_s", "pulse_current_a", "read_voltage_v",
)  # fmt: skip
PULSE = 1  #: in the column ``kind``: the mean over a pulse's top


def make(run: Run) -> Made:
    """Table and metadata."""
    found = measured(run)
    device = _device(run)
    rows = list(_rows(found, device))
    usable = [row for row in rows if row[4] > 0]
    if not usable:
        raise UsageError("no level has a positive conductance; memdevice-bench's table can't have others")
    text = "\n".join([",".join(COLUMNS), *(",".join(map(_written, row)) for row in usable), ""])
    left = len(rows) - len(usable)
    notes = found.notes()
    if left:
        notes += (f"{left} of {len(rows)} levels have no positive conductance or no usable read and are left out",)
    return Made({".memdevice.csv": text.encode(), ".memdevice.json": provenance.as_json(_about(found, device))}, notes)


Row = tuple[str, int, int, str, float, float, float, float, float]


def _rows(found: Measured, device: str) -> Iterator[Row]:
    """The level after every pulse; NaN for what there is not. That before a branch is left out: no pulse belongs to it."""
    currents = _currents(found.run)
    for cycle, branches in enumerate(zip(found.up, found.down, strict=True), 1):
        for (sign, direction), values in zip(DIRECTIONS.items(), branches, strict=True):
            pulsed = [
                list(map(provenance.short, of.tolist()))
                for of in (found.pulsed[sign].amplitude, found.pulsed[sign].width)
            ]
            for number, value in enumerate(values[1:].tolist(), 1):
                shape = pulsed[0][number - 1], pulsed[1][number - 1]
                current = currents.get((cycle, sign, number), math.nan)
                yield device, cycle, number, direction, value, *shape, current, found.read_voltage


def _currents(run: Run) -> dict[tuple[int, int, int], float]:
    """The mean current (A) of every pulse that was measured, by cycle, sign and number."""
    rows = np.flatnonzero((run["kind"] == PULSE) & (np.abs(run["segment"]) == 1) & reads.usable(run["status"]))
    keys = zip(*(run[name][rows].tolist() for name in ("cycle", "segment", "pulse")), strict=True)
    return dict(zip(keys, run["current"][rows].tolist(), strict=True)) if "current" in run.columns else {}


def _device(run: Run) -> str:
    """The cell, or else the simulated device, without what a table would be split at."""
    name = provenance.cell(run.header.sample or run.header.device or run.header.uuid)
    return name.replace(",", " ").replace('"', "'")


def _written(value: object) -> str:
    """A cell of the table; nothing where there is no number."""
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    return str(value)


def _about(found: Measured, device: str) -> dict[str, Any]:
    """The metadata, tags only for what the run says."""
    instruments = "; ".join(
        " ".join(str(item.get("identity", {}).get(key, "")) for key in ("manufacturer", "model")).strip()
        for item in found.run.header.instruments.values()
        if isinstance(item.get("identity", {}), dict)
    )
    facts = "; ".join(f"{name}: {fact}" for name, fact in provenance.facts(found.run).items())
    return {
        "schema_version": SCHEMA,
        "device": {
            "device_id": device,
            "terminal_count": 2,
            "technology_tags": ["memristor"],
            "platform_tags": ["two-terminal"],
            "mechanism_tags": [],
            "material_tags": [],
            "behavior_tags": ["potentiation-depression"],
            "custom_tags": ["simulated"] if found.run.header.simulated else [],
            "notes": "; ".join(found.notes()),
        },
        "experiment": {
            "profile": "pulse-update",
            "instrument": provenance.line(instruments),
            "source_format": "labctl run file",
            "temperature_k": None,
            "notes": facts,
        },
        "license": "",
        "source_url": "",
        "citation": "",
    }
