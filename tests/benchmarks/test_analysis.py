"""Extraction from a million rows in 500 cycles, beside plain NumPy over the same array; and the memory it takes."""

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from labctl import plugins
from labctl.analysis import switching
from labctl.procedure import Procedure

CYCLES, ROWS = 500, 2000
SLICE = 65_536  #: rows read of a file at a time
MEGABYTE = 2**20


def run_of_loops(cycles: int, rows: int = ROWS, seed: int = 1) -> dict[str, np.ndarray]:
    """Threshold switches with normal noise: on at 0.5 V, off at 0.25 V, both scattering from cycle to cycle."""
    rng = np.random.default_rng(seed)
    up = np.linspace(0, 1, rows // 2)
    level = np.concatenate([up, up[::-1]])
    on, off = rng.normal(0.5, 0.04, (cycles, 1)), rng.normal(0.25, 0.02, (cycles, 1))
    conducts = np.where(np.arange(rows) < rows // 2, level >= on, level >= off)
    current = np.where(conducts, np.minimum(level * 1e-4, 1e-5), level * 1e-10)
    current += rng.normal(0, 1e-13, current.shape) + current * rng.normal(0, 1e-3, current.shape)
    status = np.where(current >= 0.99e-5, 1, 0)
    levels = np.tile(level, cycles)
    return {
        "level": levels, "voltage": levels.copy(), "current": current.ravel(), "status": status.ravel(),
        "cycle": np.repeat(np.arange(1, cycles + 1), rows), "segment": np.ones(cycles * rows, np.int64),
    }  # fmt: skip


def plain(table: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What one writes for one definition, knowing that all loops are alike: the largest step of log|I| either way."""
    half = ROWS // 2
    level, current = table["level"].reshape(-1, ROWS), table["current"].reshape(-1, ROWS)
    steps = np.diff(np.log10(np.maximum(np.abs(current), 1e-12)), axis=1)
    on = np.argmax(steps[:, : half - 1], axis=1) + 1
    off = np.argmin(steps[:, half:], axis=1) + half
    rows = np.arange(len(level))
    return level[rows, on], level[rows, off]


def peak_of(job: Callable[[], object]) -> int:
    """The most memory (bytes) that `job` held at once, beyond what was there before."""
    tracemalloc.start()
    try:
        job()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def table() -> dict[str, np.ndarray]:
    return run_of_loops(CYCLES)


def test_a_million_rows(table: dict[str, np.ndarray], compare: Callable[..., dict[str, float]]) -> None:
    iv_sweep = plugins.load("procedures", "iv-sweep", Procedure)
    for name, values in (("V_th", plain(table)[0]), ("V_hold", plain(table)[1])):
        ours = next(item for item in iv_sweep.per_cycle(table) if item.name == name)
        assert np.mean(np.abs(ours.values - values) < 1e-9) > 0.95, f"{name} is the same number"
    ratios = compare(
        f"loops analysed, {CYCLES} cycles of {ROWS} rows",
        CYCLES,
        rounds=3,
        plain_numpy=lambda: plain(table),
        labctl_extract=lambda: iv_sweep.extract(table),
        labctl_analyze=lambda: iv_sweep.analyze(table),
    )
    assert ratios["labctl_extract"] > 1 / 60, "two definitions, any loops, noise told from switches"
    assert ratios["labctl_analyze"] > 1 / 300, "some thirty definitions with uncertainty, any loops"


def test_time_grows_with_the_rows_only(compare: Callable[..., dict[str, float]]) -> None:
    """Twenty times the cycles of a twentieth of the rows."""
    iv_sweep = plugins.load("procedures", "iv-sweep", Procedure)
    few, many = run_of_loops(100, 2000), run_of_loops(1000, 200)
    ratios = compare(
        "200 000 rows analysed", 200_000, rounds=3,
        loops_of_2000_rows=lambda: iv_sweep.extract(few), loops_of_200_rows=lambda: iv_sweep.extract(many),
    )  # fmt: skip
    assert ratios["loops_of_200_rows"] > 1 / 15, "by the loop, not by the loop times the rows"


def test_memory_does_not_grow_with_the_table(table: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]) -> None:
    iv_sweep = plugins.load("procedures", "iv-sweep", Procedure)
    small = run_of_loops(CYCLES // 10)
    iv_sweep.analyze(small)  # what is imported on the way
    few, many = (peak_of(lambda one=one: iv_sweep.analyze(one)) for one in (small, table))
    held = sum(column.nbytes for column in table.values())
    with capsys.disabled():
        print(
            f"\nbeyond a table of {held / MEGABYTE:.0f} MB: {many / MEGABYTE:.2f} MB; of a tenth: {few / MEGABYTE:.2f} MB"
        )
    assert many < 0.05 * held, "some numbers of each loop, and the rows of one"


def test_a_file_in_slices(table: dict[str, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same numbers from a file that is never in memory as a whole."""
    path = tmp_path / "run.h5"
    with h5py.File(path, "w") as file:
        for name, column in table.items():
            file.create_dataset(name, data=column, chunks=(16_384,))
    found: list[switching.LoopRun] = []
    used = peak_of(lambda: found.append(switching.of_tables(slices(path))))
    held = sum(column.nbytes for column in table.values())
    with capsys.disabled():
        print(f"\nmemory for a file of {held / MEGABYTE:.0f} MB in slices of {SLICE} rows: {used / MEGABYTE:.1f} MB")
    assert repr(found[0].found()) == repr(switching.of_tables([table]).found())  # NaN is not NaN
    assert used < 0.4 * held


def slices(path: Path) -> Iterator[dict[str, np.ndarray]]:
    with h5py.File(path) as file:
        for start in range(0, len(file["level"]), SLICE):
            yield {name: column[start : start + SLICE] for name, column in file.items()}
