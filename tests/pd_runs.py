"""Runs of potentiation and depression with a known answer, and of a sweep, as the store would read them."""

from pathlib import Path

import numpy as np

from labctl.analysis.plasticity import curves
from labctl.contracts import Block
from labctl.quantities import Column
from labctl.recipe_parts import WORK_COLUMNS
from labctl.store import Ending, PlotSpec, Run, RunHeader, RunWriter

LOW, HIGH = 2e-6, 8e-6  # S
BEND_UP, BEND_DOWN = 2.0, 1.0
PULSES = 24
V_READ = 0.5
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
COLUMNS = (
    *WORK_COLUMNS,
    Column("cycle", "", "int64"),
    Column("segment", "", "int64"),
    Column("pulse", "", "int64"),
    Column("amplitude", "V"),
    Column("width", "s"),
)


def truth(sign: int) -> np.ndarray:
    """Conductance (S) before the first and after each pulse."""
    u = np.linspace(0, 1, PULSES + 1)
    if sign > 0:
        return LOW + (HIGH - LOW) * curves.exponential(u, BEND_UP)
    return HIGH + (LOW - HIGH) * curves.exponential(u, BEND_DOWN)


def table(cycles: int = 3, reads: float = 0.0, steps: float = 0.0, seed: int = 1) -> dict[str, np.ndarray]:
    """Rows of a run: a first read, then a pulse and a read in turn; scatter of reads and of steps as a share of the range."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[int, int, int, int, float]] = [(0, 1, 0, 0, LOW)]
    for cycle in range(1, cycles + 1):
        for sign in (1, -1):
            drift = steps * (HIGH - LOW) * np.cumsum(rng.standard_normal(PULSES))
            drift -= drift[-1] * np.arange(1, PULSES + 1) / PULSES  # back at the end, where the next branch begins
            for pulse in range(1, PULSES + 1):
                rows.append((1, cycle, sign, pulse, np.nan))
                rows.append((0, cycle, sign, pulse, truth(sign)[pulse] + drift[pulse - 1]))
    kind, cycle, segment, pulse, conductance = (np.array(item) for item in zip(*rows, strict=True))
    conductance = conductance + reads * (HIGH - LOW) * rng.standard_normal(len(rows))
    columns = {column.name: np.zeros(len(rows), column.dtype) for column in COLUMNS}
    read = kind == 0
    columns |= {"kind": kind, "cycle": cycle, "segment": segment, "pulse": pulse, "conductance": conductance}
    columns["voltage"] = np.where(read, V_READ, 2.0 * np.sign(segment))
    columns["level"] = columns["voltage"].copy()
    columns["current"] = np.where(read, np.nan_to_num(conductance) * V_READ, 5e-6 * np.sign(segment))
    columns["amplitude"] = np.where(segment == 0, 0.0, np.where(segment > 0, 2.0, -1.5))
    columns["width"] = np.where(segment == 0, 0.0, 2e-5)
    columns["elapsed"] = columns["time"] = np.arange(len(rows)) * 0.1
    return {column.name: columns[column.name].astype(column.dtype) for column in COLUMNS}


def header(**changes: object) -> RunHeader:
    """Of a run of potentiation-depression on a bench."""
    facts = {
        "procedure": "potentiation-depression",
        "columns": COLUMNS,
        "plot": PlotSpec("conductance", ("applied",)),
        "start_time": "2026-11-24T10:00:00+00:00",
        "uuid": UUID,
        "title": "a title",
        "sample": "W12/D3-4/C5",
        "parameters": {"v_read": {"value": V_READ, "unit": "V"}, "scheme": {"value": "constant", "unit": ""}},
        **changes,
    }
    return RunHeader(**facts)  # type: ignore[arg-type]


def run(rows: dict[str, np.ndarray] | None = None, **changes: object) -> Run:
    """In memory."""
    ending = Ending("finished", "", "", "", 10.0, 0, 0)
    return Run(header(**changes), table() if rows is None else rows, [], [], ending)


def saved(path: Path, columns: dict[str, np.ndarray] | None = None, **changes: object) -> Path:
    """As a run file."""
    writer = RunWriter.create(path, header(**changes))
    rows = table() if columns is None else columns
    if len(rows["kind"]):
        writer.append(Block(rows))
    return writer.finish("finished")
