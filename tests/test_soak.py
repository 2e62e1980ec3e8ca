"""Ten hours at the bench, in virtual time: more than a million points and a hundred thousand pulses in one run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl import runner, store
from labctl.contracts import Block, Sweep
from labctl.procedure import Count, Station
from labctl.pulses import Shape
from labctl.recipe_parts import WORK_COLUMNS, ReadParameters, Work, half_loop
from labctl.station import Station as Bench
from labctl.station import simulated

HOURS = 10
PULSES = 20  #: a loop's


class Soak(ReadParameters):
    """Sweep, pulse and read a cell, over and over."""

    loops = Count("loops", default=5200, minimum=1, description="loops")
    columns = WORK_COLUMNS

    def points(self, station: Station) -> Iterator[Block]:
        """Yield the rows of each loop."""
        work = Work(station)
        sweep = Sweep(half_loop(0.5, 0.005), 1e-3)
        train = Shape(1e-5).train([0.4], PULSES)
        for loop in range(1, self.loops + 1):
            yield from work.sweep(sweep)
            yield from work.pulse(train, PULSES)
            yield from work.read(self.read_request(0.1))
            work.wait(loop * HOURS * 3600 / self.loops - work.elapsed())


class Memory:
    """A listener that looks at the memory of this process now and then: (rows, bytes)."""

    def __init__(self) -> None:
        self.rows = 0
        self.seen: list[tuple[int, int]] = []

    def __call__(self, block: Block) -> None:
        if not block.provisional:
            self.rows += len(block)
            if not self.seen or self.rows - self.seen[-1][0] > 10_000:
                self.seen.append((self.rows, resident()))

    def slope(self) -> float:
        """Bytes more for every row more, over the second half."""
        half = np.array(self.seen[len(self.seen) // 2 :], dtype=np.float64)
        return float(np.polyfit(half[:, 0], half[:, 1], 1)[0])


def resident() -> int:
    """Bytes of memory this process has of its own: without the pages of files it has mapped."""
    with open("/proc/self/statm") as file:
        _, whole, shared, *_ = map(int, file.read().split())
    return (whole - shared) * os.sysconf("SC_PAGE_SIZE")


def soak(folder: Path, loops: int, **options: Any) -> tuple[runner.Result, Memory, float]:
    """One run; how it ended, what memory it took, and how long it took in virtual time (s)."""
    memory = Memory()
    with Bench(simulated("ohmic"), seed=1) as station:
        result = runner.run("soak", Soak(loops=loops), station, folder / "soak.h5", listeners=[memory], **options)
        return result, memory, station.clock.now()


def test_a_short_one(tmp_path: Path) -> None:
    result, _, took = soak(tmp_path, 5)
    run = store.read(result.path)
    assert (result.state, len(run)) == ("finished", 5 * (201 + PULSES + 1))
    assert took >= HOURS * 3600
    assert run["applied"][-1] == 5 * PULSES


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux for the memory of this process")
def test_ten_hours(tmp_path: Path) -> None:
    """At most 10 MB more for a million rows more, and a file that opens at once and is read whole in seconds."""
    result, memory, took = soak(tmp_path, 5200)
    slope, peak = memory.slope() * 1e6, resident()
    began = time.perf_counter()
    import h5py

    with h5py.File(result.path) as file:
        state = file["entry"].attrs["end_state"]
        rows = file["entry/data/current"].shape[0]
    opened = time.perf_counter() - began
    began = time.perf_counter()
    run = store.read(result.path)
    read = time.perf_counter() - began
    size = result.path.stat().st_size / 1e6
    print(f"\n{rows} rows, {run['applied'][-1]} pulses, {took / 3600:.2f} h of virtual time")
    print(f"memory: {peak / 1e6:.0f} MB at the end, {slope / 1e6:.2f} MB more for a million rows")
    print(f"file: {size:.1f} MB, opened in {1e3 * opened:.0f} ms, read whole in {read:.2f} s")
    assert (result.state, state, run.state) == ("finished",) * 3
    assert rows >= 1_000_000
    assert run["applied"][-1] >= 100_000
    assert took >= HOURS * 3600
    assert slope < 10e6
    assert opened < 1
    assert read < 5
