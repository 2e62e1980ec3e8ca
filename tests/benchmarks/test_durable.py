"""(c) Rows that survive SIGKILL once they are acknowledged, beside bare h5py, PyMeasure (Worker to CSV), QCoDeS (SQLite).

Everything is measured in processor time of this process, all threads of it, in turn A B C A B C …; waiting for the disk is
not in it. "acknowledged" ends with the last row, "closed" with the finished file. Only labctl acknowledges what
survives the death of the process: h5py, PyMeasure and QCoDeS hold the last rows in the process or leave files that can't be
opened (tests of what each loses are not part of this benchmark).
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from pymeasure.experiment import Procedure, Results, Worker
from store_runs import header

from labctl.contracts import READING_COLUMNS, Block
from labctl.store import RunWriter, read

NAMES = [column.name for column in READING_COLUMNS]
ROW: dict[str, Any] = {"time": 1.0, "level": 0.5, "voltage": 0.25, "current": 1.234567e-6, "status": 0}
SIZE = 1000  #: rows of a block
_number = count()
Seconds = tuple[float, float]  # processor time until the last row was acknowledged, and until the file was closed
needs_qcodes = importlib.util.find_spec("qcodes") is None


def table(rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    columns: dict[str, np.ndarray] = {name: rng.random(rows) for name in NAMES}
    columns["status"] = np.zeros(rows, np.int64)
    return columns


def clocked(add: Callable[[], object], close: Callable[[], object]) -> Seconds:
    start = time.process_time()
    add()
    acknowledged = time.process_time()
    close()
    return acknowledged - start, time.process_time() - start


# -- those compared -----------------------------------------------------------------------------------------------------
def labctl(folder: Path, way: str, rows: int, mapped: bool = True) -> Seconds:
    """way: "row", "append" (blocks of one row) or "blocks" (of 1000)."""
    run = RunWriter.create(folder / f"{next(_number)}.h5", header(), mapped=mapped)

    def add() -> None:
        if way == "row":
            row, one = run.row, ROW
            for _ in range(rows):
                row(one)
        else:
            size = 1 if way == "append" else SIZE
            append, block = run.append, Block(table(size))
            for _ in range(rows // size):
                append(block)

    return clocked(add, lambda: run.finish("finished"))


def bare_h5py(folder: Path, size: int, rows: int) -> Seconds:
    columns = table(size)
    file = h5py.File(folder / f"{next(_number)}.h5", "w")
    sets = {
        name: file.create_dataset(name, (0,), dtype=column.dtype, maxshape=(None,), chunks=(SIZE,))
        for name, column in columns.items()
    }

    def add() -> None:
        for start in range(0, rows, size):
            for name, dataset in sets.items():
                dataset.resize((start + size,))
                dataset[start:] = columns[name]
            file.flush()

    return clocked(add, file.close)


class Emitting(Procedure):
    """A stock PyMeasure procedure that emits a dictionary a row."""

    DATA_COLUMNS = NAMES
    rows = 0

    def execute(self) -> None:
        for _ in range(self.rows):
            self.emit("results", ROW)


def pymeasure(folder: Path, rows: int) -> Seconds:
    """Its rows are handed to a thread, so they count as acknowledged when that has written them: at the end."""
    procedure = Emitting()
    procedure.rows = rows
    worker = Worker(Results(procedure, str(folder / f"{next(_number)}.csv")))

    def add() -> None:
        worker.start()
        worker.join(timeout=300)

    taken = clocked(add, lambda: None)
    assert procedure.status == Procedure.FINISHED
    return taken


def qcodes(folder: Path, size: int, rows: int) -> Seconds:
    """size: 1 for plain numbers, else arrays of so many; on its default settings.

    Its rows wait in the process for some seconds before they are written, so they are safe when it is closed.
    """
    from qcodes.dataset import Measurement, initialise_or_create_database_at, load_or_create_experiment

    initialise_or_create_database_at(str(folder / f"{next(_number)}.db"))
    measurement = Measurement(exp=load_or_create_experiment("durable", "none"))
    kind = "numeric" if size == 1 else "array"
    measurement.register_custom_parameter("time", paramtype=kind)
    for name in NAMES[1:]:
        measurement.register_custom_parameter(name, setpoints=("time",), paramtype=kind)
    results = tuple(ROW.items()) if size == 1 else tuple(table(size).items())
    context = measurement.run()
    saver = context.__enter__()

    def add() -> None:
        for _ in range(rows // size):
            saver.add_result(*results)

    return clocked(add, lambda: context.__exit__(None, None, None))


# -- measuring ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


Jobs = dict[str, tuple[int, Callable[[], Seconds]]]


def per_row(rounds: int, jobs: Jobs) -> dict[str, Seconds]:
    """Median microseconds a row, (acknowledged, closed), of each job (rows, what), in turn."""
    times: dict[str, list[Seconds]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, (_, job) in jobs.items():
            times[name].append(job())
    medians = {name: [statistics.median(one) for one in zip(*found, strict=True)] for name, found in times.items()}
    return {name: (a / jobs[name][0] * 1e6, c / jobs[name][0] * 1e6) for name, (a, c) in medians.items()}


def show(capsys: pytest.CaptureFixture[str], what: str, found: dict[str, Seconds], base: str) -> None:
    with capsys.disabled():
        print(f"\n{what}, microseconds a row (x: {base} / this):")
        for name, (acknowledged, closed) in found.items():
            x = [found[base][1] / value for value in (acknowledged, closed)]
            print(
                f"  {name:<26} acknowledged {acknowledged:9.3f} ({x[0]:6.1f} x)   closed {closed:9.3f} ({x[1]:6.1f} x)"
            )


def with_qcodes(jobs: Jobs, folder: Path, size: int, rows: int) -> Jobs:
    return jobs if needs_qcodes else {**jobs, "qcodes_sqlite": (rows, lambda: qcodes(folder, size, rows))}


def test_one_row_at_a_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs: Jobs = {
        "pymeasure_worker_csv": (20_000, lambda: pymeasure(folder, 20_000)),
        "labctl_row": (100_000, lambda: labctl(folder, "row", 100_000)),
        "labctl_row_written": (100_000, lambda: labctl(folder, "row", 100_000, mapped=False)),
        "labctl_append_of_one": (50_000, lambda: labctl(folder, "append", 50_000)),
        "bare_h5py_flush": (1_000, lambda: bare_h5py(folder, 1, 1_000)),
    }
    found = per_row(7, with_qcodes(jobs, folder, 1, 10_000))
    show(capsys, "one row at a time", found, "pymeasure_worker_csv")
    assert found["pymeasure_worker_csv"][1] / found["labctl_row"][0] >= 4
    if not needs_qcodes:
        assert found["qcodes_sqlite"][1] / found["labctl_row"][0] >= 60


def test_blocks_of_a_thousand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs: Jobs = {
        "pymeasure_worker_csv": (20_000, lambda: pymeasure(folder, 20_000)),
        "labctl_blocks": (1_000_000, lambda: labctl(folder, "blocks", 1_000_000)),
        "labctl_blocks_written": (1_000_000, lambda: labctl(folder, "blocks", 1_000_000, mapped=False)),
        "bare_h5py_flush": (200_000, lambda: bare_h5py(folder, SIZE, 200_000)),
    }
    found = per_row(5, with_qcodes(jobs, folder, SIZE, 100_000))
    show(capsys, "blocks of 1000 rows (PyMeasure: a row at a time)", found, "pymeasure_worker_csv")
    assert found["pymeasure_worker_csv"][1] / found["labctl_blocks"][0] >= 40


def test_a_row_costs_the_same_however_long_the_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = (10_000, 100_000, 1_000_000)
    jobs: Jobs = {
        f"labctl_row_{rows}": (rows, lambda rows=rows: labctl(folder, "row", rows))  # type: ignore[misc]
        for rows in sizes
    }
    found = per_row(5, jobs)
    show(capsys, "rows of a run", found, "labctl_row_10000")
    assert found["labctl_row_1000000"][0] / found["labctl_row_10000"][0] <= 1.1


_MEMORY = """
import json, resource, sys
from pathlib import Path
from store_runs import header
from labctl.store import RunWriter, pack
row = {"time": 1.0, "level": 0.5, "voltage": 0.25, "current": 1.234567e-6, "status": 0}
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
def anonymous():  # what the process holds by itself, without the journal's window
    lines = dict(line.split(":") for line in open("/proc/self/status") if ":" in line)
    return int(lines["RssAnon"].split()[0]) * 1024
def add(run, rows):
    for _ in range(rows):
        run.row(row)
    return anonymous()
warm = RunWriter.create(Path(sys.argv[1]) / "warm.h5", header())
add(warm, 100_000)
warm.finish("finished")
run = RunWriter.create(Path(sys.argv[1]) / "run.h5", header())
recording = -add(run, 100_000) + add(run, 1_000_000)
before = peak()
run.finish("finished")
print(json.dumps({"recording": recording, "closing": peak() - before}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks for memory as Linux counts it")
def test_memory_does_not_grow_with_the_rows(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", _MEMORY, str(folder)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=True)
    grown = json.loads(done.stdout)
    with capsys.disabled():
        print(
            f"\ngrowth of memory with 1e6 more rows, and its peak on closing over that of 1e5 rows: {json.dumps(grown)} bytes"
        )
    assert max(grown.values()) <= 10e6


def test_rows_a_second_by_the_wall_clock(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Wall time, with the syncs of every second: until acknowledged, and until the file is closed."""
    start = time.perf_counter()
    run = RunWriter.create(folder / "wall.h5", header())
    block = Block(table(SIZE))
    for _ in range(1000):
        run.append(block)
    acknowledged = time.perf_counter() - start
    path = run.finish("finished")
    closed = time.perf_counter() - start
    assert len(read(path)) == 1_000_000
    with capsys.disabled():
        print(
            f"\n1e6 rows in blocks of 1000, wall: {1e6 / acknowledged:,.0f} rows/s acknowledged, {1e6 / closed:,.0f} closed"
        )
