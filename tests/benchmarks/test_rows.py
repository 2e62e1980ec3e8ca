"""(b) Rows per second from a procedure to disk, beside bare h5py block appends and PyMeasure's Worker with CSV."""

import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from fakes import FakeMeter, FakeStation
from pymeasure.experiment import Results, Worker

from labctl import runner
from labctl.contracts import READING_COLUMNS, Block
from labctl.procedure import Procedure, Station
from labctl.station import Station as OpenStation
from labctl.station import simulated

FEW = 20_000  # rows PyMeasure gets, at any block size
ROWS = {1: 20_000, 100: 200_000, 1000: 1_000_000}  # rows of labctl and h5py by block size
_number = count()


def rows(size: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    table: dict[str, np.ndarray] = {column.name: rng.random(size) for column in READING_COLUMNS}
    table["status"] = np.zeros(size, np.int64)
    return table


class Stream(Procedure):
    """Yield ready-made blocks: the cost measured is that of everything behind the recipe."""

    columns = READING_COLUMNS
    size = 1000
    total = 20_000

    def points(self, station: Station) -> Iterator[Block]:
        block = Block(rows(self.size))
        for _ in range(self.total // self.size):
            yield block


def stream(size: int, total: int) -> Stream:
    procedure = Stream()
    procedure.size, procedure.total = size, total
    return procedure


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.mark.parametrize("size", [1, 100, 1000])
def test_rows_to_disk(size: int, folder: Path, compare: Callable[..., dict[str, float]]) -> None:
    with OpenStation(simulated("ohmic"), seed=1) as station:
        ratios = compare(
            f"rows to disk, blocks of {size}, until the file is closed",
            {"pymeasure_worker_csv": FEW, "bare_h5py_append_flush": ROWS[size], "labctl_run_to_hdf5": ROWS[size]},
            rounds=3,
            pymeasure_worker_csv=lambda: with_pymeasure(folder, size, FEW),
            bare_h5py_append_flush=lambda: with_h5py(folder, size, ROWS[size]),
            labctl_run_to_hdf5=lambda: with_labctl(folder, size, ROWS[size], station),
        )
    assert ratios["labctl_run_to_hdf5"] > (1.5 if size == 1 else 5)


def with_labctl(folder: Path, size: int, total: int, station: Any) -> None:
    result = runner.run("stream", stream(size, total), station, folder / f"{next(_number)}.h5")
    assert (result.state, result.rows) == ("finished", total)


def with_pymeasure(folder: Path, size: int, total: int) -> None:
    procedure = stream(size, total)
    procedure.station = FakeStation(FakeMeter())
    worker = Worker(Results(procedure, str(folder / f"{next(_number)}.csv")))
    worker.start()
    worker.join(timeout=120)
    assert procedure.status == Procedure.FINISHED


def with_h5py(folder: Path, size: int, total: int) -> None:
    table = rows(size)
    with h5py.File(folder / f"{next(_number)}.h5", "w") as file:
        sets = {
            name: file.create_dataset(name, (0,), dtype=column.dtype, maxshape=(None,), chunks=(max(size, 1000),))
            for name, column in table.items()
        }
        for start in range(0, total, size):
            for name, dataset in sets.items():
                dataset.resize((start + size,))
                dataset[start:] = table[name]
            file.flush()
