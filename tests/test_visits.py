"""Reads of a kept state whose time passed while nobody was there: one is done at once, the others are left out."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pulse_chain import Chain
from pulse_fakes import Plain, PulseStation, collect, kind_of

from labctl import resume, runner, store
from labctl.bench import TcpDoor
from labctl.contracts import Block
from labctl.recipe_parts import Work
from labctl.visits import GAP, Visits

RETENTION = {"duration": 1000, "per_decade": 5, "write_with": "pulse", "read_with": "pulse"}
HALF = 2  #: segment of the reads at half the voltage


class Lab:
    """A cell that lives on, and runs on it that are stopped and continued; all times are those of one virtual clock."""

    def __init__(self, name: str, values: dict[str, Any], folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.name, self.values, self.folder = name, values, folder
        self.chain = Chain("synapse", seed=1, message_time=0.005)
        self.chain.bench.device.prepare("formed")
        clock = self.chain.bench.clock
        self.run: store.Run | None = None
        self.seen: list[Block] = []
        began = clock.now()
        patch.setattr(runner, "_timing", lambda station, earlier: {"clock": clock.now, "sync_interval": math.inf})
        patch.setattr(resume, "since", lambda run: lambda: clock.now() - began)

    def go(
        self, door: TcpDoor, gap: float = 0.0, until: Callable[[list[Block]], bool] = lambda seen: False
    ) -> store.Run:
        """Let `gap` s pass, then begin or go on, and stop in order when `until` says so."""
        self.chain.bench.clock.sleep(gap)
        self.seen = []
        with self.chain.station(door.port) as station:
            result = runner.run(
                self.name, kind_of(self.name)(**self.values), station, self.folder / "run.h5", earlier=self.run,
                listeners=[self.seen.append], should_stop=lambda: until(self.seen),
            )  # fmt: skip
        self.run = store.read(result.path)
        return self.run


def blocks(number: int) -> Callable[[list[Block]], bool]:
    return lambda seen: len(seen) >= number


def left_out(run: store.Run) -> list[tuple[int, float, float]]:
    return [(e.details["number"], e.details["from"], e.details["to"]) for e in run.events if e.kind == "reads left out"]


def full(run: store.Run, state: int) -> Any:
    return run["age"][(run["state"] == state) & (run["segment"] == 1)]


GRID = kind_of("retention")(**RETENTION).times()


@pytest.mark.parametrize(
    ("stop", "gap", "first_late", "halves"),
    [
        (1, 200.0, 0, 2),  # the gap follows the writing: the first read is late, and its half comes after it
        (2, 200.0, 1, 2),  # ... it is between the first read and the one at half the voltage
        (3, 200.0, 1, 2),
        (6, 200.0, 4, 2),
        (6, 2000.0, 4, 2),  # nothing is left of the grid: the late read is the last, and has its half
        (1, 2000.0, 0, 1),  # the late read is the first and the last
    ],
)
def test_what_passed_in_a_gap_is_left_out_but_for_one_read(
    stop: int, gap: float, first_late: int, halves: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab("retention", RETENTION, tmp_path, monkeypatch)
    with TcpDoor(lab.chain.bench.instrument) as door:
        part = lab.go(door, until=blocks(stop))
        assert (part.state, left_out(part)) == ("aborted", [])
        then = float(part["age"][-1])
        done = lab.go(door, gap)
    assert done.state == "finished", done.reason
    ages, late = full(done, 0), then + gap
    np.testing.assert_allclose(ages[:first_late], GRID[:first_late], atol=1.0)
    assert ages[first_late] == pytest.approx(late, abs=5)
    np.testing.assert_allclose(ages[first_late + 1 :], GRID[late < GRID], rtol=0.01)
    passed = GRID[first_late + 1 :][GRID[first_late + 1 :] < late]
    assert left_out(done) == [(len(passed), passed[0], passed[-1])]
    assert np.count_nonzero((done["state"] == 0) & (done["segment"] == HALF)) == halves
    np.testing.assert_allclose(full(done, 1), GRID, atol=1.0, err_msg="the other state is kept without a gap")


@pytest.mark.parametrize(("stop", "then"), [(1, 2), (2, 3), (2, 4), (5, 6)])
def test_a_run_with_gaps_is_continued_again(
    stop: int, then: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks again for what it asked for, in the same order, wherever the gap was."""
    lab = Lab("retention", RETENTION, tmp_path, monkeypatch)
    with TcpDoor(lab.chain.bench.instrument) as door:
        lab.go(door, until=blocks(stop))
        first = lab.go(door, 200.0, until=blocks(then))
        assert first.state == "aborted"
        second = lab.go(door, 300.0, until=lambda seen: sum(int(block["state"][0]) == 1 for block in seen) >= 4)
        assert second.state == "aborted", second.reason
        done = lab.go(door, 30.0)
    assert done.state == "finished", done.reason
    assert left_out(done)[:-1] == left_out(second)
    assert len(left_out(done)) == (2 if (stop, then) == (2, 3) else 3), "a read at half the voltage stands for no other"
    np.testing.assert_array_equal(full(done, 0), full(second, 0))
    for state in (0, 1):
        ages = full(done, state)
        assert ages[-1] == pytest.approx(1000, rel=0.01)
        assert np.all(np.diff(ages) > 0.2), "no reads at once at the same age"


def test_a_kept_level_likewise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"pulses": 2, "prepare": "none", "read_with": "pulse", "keep": 1e4}
    lab = Lab("potentiation-depression", values, tmp_path, monkeypatch)
    with TcpDoor(lab.chain.bench.instrument) as door:
        lab.go(door, until=blocks(6))
        first = lab.go(door, 5000.0, until=blocks(9))
        done = lab.go(door, 1.0)
    assert left_out(first) == left_out(done) == [(2, 100.0, 1000.0)]
    assert done.state == "finished", done.reason
    kept = done["elapsed"][done["segment"] == 2] - done["elapsed"][done["segment"] == 1][-1]
    np.testing.assert_allclose(kept, [1, 5000, 1e4], atol=5)


@pytest.mark.parametrize("delay", [0.0, 0.9 * GAP])
def test_reads_that_take_their_time_are_all_done(delay: float) -> None:
    """On a grid that is denser than the reads."""
    procedure = kind_of("retention")(states="on", duration=20, per_decade=30)
    station = PulseStation(Plain(1e-6))
    sweep = station.source_meter._sweep

    def slow(request: Any) -> Any:
        station.clock.sleep(delay if request.reads else 0.0)
        return sweep(request)

    station.source_meter._sweep = slow  # type: ignore[method-assign]
    rows = collect(procedure, station)
    assert np.count_nonzero(rows["segment"] == 1) == len(procedure.times())
    assert station.events == []


def test_a_gap_that_nothing_passed_in_is_no_event() -> None:
    station = PulseStation(Plain(1e-6))
    work = Work(station)  # type: ignore[arg-type]
    visits = Visits(work, np.array([1.0, 100.0]))
    taken = []
    for time in visits:
        station.clock.sleep(max(visits.wait(), 0.0) + 2 * GAP * (time == 1.0))
        taken.append(time)
        work.ended = work.elapsed()
        visits.seen()
    assert taken == [1.0, 100.0]
    assert station.events == []
