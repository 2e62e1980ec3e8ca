"""The ledger while runs go: live, and made anew from the run files, it is the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ledger_bench import CELL, Endurance, Forming, Plasticity, book, config, go, loop
from store_runs import header

from labctl import ledger, store
from labctl.contracts import Block, Sweep
from labctl.errors import UsageError
from labctl.ledger import RulesConfig, Use
from labctl.station import Station, simulated


@pytest.fixture
def station() -> Iterator[Station]:
    with Station(config(), CELL, seed=0) as opened:
        yield opened


def recipes(folder: Path) -> None:
    """Runs of every kind of end on two cells, one of them simulated by a memory."""
    with Station(config(), CELL, seed=0) as station:
        go(station, folder, touchdown=True)
        go(station, folder, should_stop=iter([False] * 8 + [True] * 1000).__next__)
        go(station, folder, listeners=[_interrupt])
        station.source_meter._sweep = _broken  # type: ignore[method-assign]
        assert go(station, folder).state == "failed"
    with Station(config("device-2"), CELL, seed=1) as station:
        assert station.bench is not None
        station.bench.device.prepare("pristine")
        go(station, folder, Forming(v_max=8, step=0.1, compliance=1e-6), "forming")
    with Station(config("synapse"), "W12/C2", seed=1) as station:
        assert station.bench is not None
        station.bench.device.prepare("formed")
        values = {"pulses": 2, "cycles": 1, "repeats": 1, "step": 0.5, "disturb": "half", "disturb_pulses": 5}
        go(station, folder, Plasticity(**values), "potentiation-depression")
        pulses = {"stress": "pulse", "cycles": 5, "per_decade": 1, "check_every": 5, "wait": 0.0}
        go(station, folder, Endurance(**pulses), "endurance")


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs of `recipes`, for tests that only add to it."""
    folder = tmp_path_factory.mktemp("runs")
    recipes(folder)
    return folder


def _interrupt(block: Block) -> None:
    raise KeyboardInterrupt


def _broken(sweep: Sweep) -> Iterator[Block]:
    raise OSError("a wire fell off")
    yield


def died(folder: Path, name: str = "dead.h5", **head: Any) -> str:
    """A run whose program dies in its second sweep; the ledger has it as running. Returns its uuid."""
    about = header(uuid=f"uuid of {name}", sample=CELL, simulated=True, **head)
    up = Sweep(np.array([0.0, 1.0, 2.0]), 1e-3)
    with ledger.enter(folder / ledger.NAME, ledger.Rules(), about, folder / name, worst=[up, up, up]) as entry:
        writer = store.RunWriter.create(folder / name, about)
        recorder = entry.begin(writer.path, writer)
        note = recorder.stimulus("sweep", up.details())
        level = np.array([0.0, 1.0, 2.0])
        names = {
            "time": level,
            "level": level,
            "voltage": level,
            "current": level / 1e4,
            "status": np.zeros(3, np.int64),
        }
        writer.append(Block(names))
        recorder.outcome(note, "done", {"rows": 3})
        recorder.stimulus("sweep", up.details())
        writer.close()
    return about.uuid


def test_made_anew_it_equals_the_live_one(measured: Path) -> None:
    tmp_path = measured
    died(tmp_path)
    resumed = [{"uuid": "uuid of dead.h5", "rows": 3, "stimuli": 2, "last": 2, "time": 1.0}]
    died(tmp_path, "resumed.h5", resumes=resumed)
    live = book(tmp_path)
    assert ledger.settle(live) == []
    lines = live.lines()
    assert sorted(line.state for line in lines) == ["aborted"] * 2 + ["died"] * 2 + ["failed"] + ["finished"] * 4
    assert not any(line.holder for line in lines)
    live.path.unlink()
    found = ledger.rebuild(live, tmp_path)
    assert (found.entered, found.kept, found.words) == (9, 0, [])
    assert live.lines() == lines
    assert ledger.rebuild(live, tmp_path).entered == 9
    assert live.lines() == lines, "a second time changes nothing"
    forming = next(line for line in lines if line.procedure == "forming")
    assert forming.use.formed_how == "forming: formed"
    assert live.total(CELL, True).formed_voltage == pytest.approx(3.5, abs=1.0)


def test_the_figures_of_real_runs(measured: Path) -> None:
    lines = {line.procedure: line.use for line in book(measured).lines() if line.state == "finished"}
    first = next(line.use for line in book(measured).lines() if line.use.touchdowns)
    assert (first.sweeps, first.reads, first.cycles, first.touchdowns, first.unmeasured) == (2, 2, 1, 1, 0)
    assert (first.v_programmed, first.i_measured) == (1.0, pytest.approx(1e-6, rel=0.02))
    endurance = lines["endurance"]
    assert (endurance.pulses, endurance.cycles, endurance.sweeps) == (10, 5, 0)
    assert 0 < endurance.unmeasured < 10, "the cycles nobody read have no energy"
    assert endurance.energy > 0
    assert lines["potentiation-depression"].pulses == 8 + 4 * 5
    made = Plasticity(pulses=2, cycles=1, repeats=1, step=0.5, disturb="half", disturb_pulses=5)
    plan = ledger.entry.planned(made.plan())
    use = lines["potentiation-depression"]
    assert (plan.pulses, plan.sweeps) == (use.pulses, use.sweeps)


def test_a_lost_run_file_counts_with_all_it_planned(tmp_path: Path) -> None:
    died(tmp_path)
    (tmp_path / "dead.jrn").unlink()
    words = ledger.settle(book(tmp_path))
    assert len(words) == 1
    assert "dead.h5" in words[0]
    assert "missing" in words[0]
    (line,) = book(tmp_path).lines()
    assert (line.state, line.use.sweeps) == ("missing", 3)
    assert ledger.rebuild(book(tmp_path), tmp_path).kept == 1
    assert book(tmp_path).total(CELL, True).sweeps == 3


def test_a_run_under_way_counts_as_planned(tmp_path: Path, station: Station) -> None:
    seen: list[Use] = []
    listener = [lambda block: seen.append(book(tmp_path).total(CELL, True))]
    go(station, tmp_path, loop(3), listeners=listener)
    assert {use.cycles for use in seen} == {3}
    assert ledger.settle(book(tmp_path)) == []
    assert book(tmp_path).lines()[0].state == "finished"


def test_a_resumed_run_whose_first_part_is_gone_counts_whole(tmp_path: Path) -> None:
    died(tmp_path, "resumed.h5", resumes=[{"uuid": "gone", "rows": 3, "stimuli": 1, "last": 1, "time": 1.0}])
    assert ledger.settle(book(tmp_path)) == []
    assert book(tmp_path).total(CELL, True).sweeps == 1
    book(tmp_path).path.unlink()
    ledger.rebuild(book(tmp_path), tmp_path)
    assert book(tmp_path).total(CELL, True).sweeps == 2


def test_runs_without_a_sample_are_not_entered_and_simulated_ones_are_kept_apart(tmp_path: Path) -> None:
    with Station(simulated("ohmic"), seed=0) as station:
        assert go(station, tmp_path).state == "finished"
    assert not book(tmp_path).path.exists()
    ruled = simulated("ohmic").model_copy(update={"rules": RulesConfig(pulses=1.0)})
    with Station(ruled) as station, pytest.raises(UsageError, match="give --sample"):
        go(station, tmp_path)
    with Station(config(), CELL, seed=0) as station:
        go(station, tmp_path)
    assert book(tmp_path).total(CELL, False) == Use()
    assert book(tmp_path).total(CELL, True).sweeps == 2


def test_a_run_that_is_continued_is_counted_once(tmp_path: Path) -> None:
    with Station(config(cycles=4.0), CELL, seed=0) as station:
        station.prepare("formed")
        stopped = go(
            station, tmp_path, loop(4), should_stop=iter([False] * 30 + [True] * 10_000).__next__, touchdown=True
        )
    assert stopped.state == "aborted"
    earlier = store.read(stopped.path)
    before = book(tmp_path).total(CELL, True)
    with Station(config(cycles=4.0), CELL, seed=0) as station:
        station.prepare("formed")
        done = go(station, tmp_path, loop(4), earlier=earlier)
    whole = store.read(done.path)
    assert done.state == "finished"
    assert 0 < before.sweeps < 8
    total = book(tmp_path).total(CELL, True)
    assert total.sweeps == sum(note.kind == "sweep" and not note.details["reads"] for note in whole.stimuli)
    assert (total.touchdowns, total.cycles) == (1, 4)
    lines = book(tmp_path).lines()
    book(tmp_path).path.unlink()
    ledger.rebuild(book(tmp_path), tmp_path)
    assert book(tmp_path).lines() == lines
