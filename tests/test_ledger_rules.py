"""Rules on a cell's history stop a run before the first byte, or at the stimulus; the command line."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from commandline import labctl
from ledger_bench import CELL, Forming, IVSweep, book, config, go, loop

from labctl import ledger, store
from labctl.contracts import READING_COLUMNS, Block, Sweep
from labctl.errors import LabctlError, LimitError
from labctl.ledger import Ledger
from labctl.procedure import Procedure
from labctl.procedure import Station as AnyStation
from labctl.station import Station


class Untold(Procedure):
    """Sweep up and down for ever, without a plan."""

    columns = READING_COLUMNS

    def points(self, station: AnyStation) -> Iterator[Block]:
        """Yield sweeps."""
        while True:
            for sign in (1, -1):
                yield from station.source_meter.sweep(Sweep(sign * np.array([0.0, 1.0, 0.0]), 1e-3))


# -- rules ------------------------------------------------------------------------------------------------------------
def sweeps(station: Station) -> list[Sweep]:
    """Have every sweep that is sent kept in the list returned."""
    sent: list[Sweep] = []
    inner = station.source_meter._sweep
    station.source_meter._sweep = lambda sweep: (sent.append(sweep), inner(sweep))[1]  # type: ignore[method-assign, func-returns-value]
    return sent


def test_a_plan_beyond_a_budget_is_refused_before_the_first_byte(tmp_path: Path) -> None:
    with Station(config(cycles=5.0), CELL, seed=0) as station:
        assert go(station, tmp_path, loop(3)).state == "finished"
        before = sorted(tmp_path.iterdir())
        sent = sweeps(station)
        with pytest.raises(LimitError, match=r"cycles of W12/C1: 3 so far and the run would add 3, the budget of 5"):
            go(station, tmp_path, loop(3))
        assert not sent
        assert sorted(tmp_path.iterdir()) == before
        assert len(book(tmp_path).lines()) == 1
        assert go(station, tmp_path, loop(2)).state == "finished"
        assert sent, "what is in the budget is sent"
        done = go(station, tmp_path, loop(3), override_rules="the cell is dead anyway")
        assert [e.details["reason"] for e in store.read(done.path).events if e.kind == "rules overridden"] == [
            "the cell is dead anyway"
        ]


def test_a_budget_stops_a_run_without_a_plan_at_the_very_stimulus(tmp_path: Path) -> None:
    with Station(config(cycles=3.0), CELL, seed=0) as station:
        safe: list[str] = []
        make_safe = station.source_meter.make_safe
        station.source_meter.make_safe = lambda: (safe.append("safe"), make_safe())[1]  # type: ignore[method-assign, func-returns-value]
        done = go(station, tmp_path, Untold(), "untold")
        run = store.read(done.path)
        assert (done.state, done.safe, bool(safe)) == ("failed", True, True)
        assert (
            "cycles of W12/C1: 3 so far and the next stimulus would add 1, the budget of 3 of sample W12" in run.reason
        )
        assert len(run.stimuli) == 7, "three cycles and the half that makes none"
        assert all(note.outcome == "done" for note in run.stimuli)
        assert book(tmp_path).total(CELL, True).cycles == 3
        with pytest.raises(LabctlError):
            station.recorder.stimulus("sweep", {})


@pytest.mark.parametrize("quantity", ["energy", "compliance_time"])
def test_measured_budgets_stop_after_the_test_that_used_them_up(tmp_path: Path, quantity: str) -> None:
    with Station(config(), CELL, seed=0) as station:
        go(station, tmp_path, IVSweep(step=0.25, cycles=2, compliance=5e-7))
    used = getattr(book(tmp_path).total(CELL, True), quantity)
    assert used > 0
    with Station(config(**{quantity: 1.9 * used}), CELL, seed=0) as station:
        done = go(station, tmp_path, IVSweep(step=0.25, cycles=9, compliance=5e-7))
        assert (done.state, len(store.read(done.path).stimuli)) == ("failed", 2)
        assert quantity.replace("_", " ") in done.reason
        with pytest.raises(LimitError, match="budget"):
            go(station, tmp_path)


def test_an_unformed_cell_is_not_cycled(tmp_path: Path) -> None:
    with Station(config("device-2", formed_first=["iv-sweep"], touchdowns=1.0), CELL, seed=1) as station:
        assert station.bench is not None
        station.bench.device.prepare("pristine")
        with pytest.raises(LimitError, match="needs a formed cell"):
            go(station, tmp_path)
        go(station, tmp_path, Forming(v_max=8, step=0.1, compliance=1e-6), "forming", touchdown=True)
        assert go(station, tmp_path).state == "finished"
        with pytest.raises(LimitError, match=r"touchdowns of W12/C1: 1 so far and the run would add 1"):
            go(station, tmp_path, touchdown=True)


# -- the command line ---------------------------------------------------------------------------------------------------
STATION = """\
name: bench
instruments: {smu: {driver: keithley4200, resource: simulated}}
simulate: {device: ohmic}
samples: {W12: {rules: {cycles: 2, formed_first: [endurance]}}}
"""
RUN = ("run", "iv-sweep", "--station", "st.yaml", "--sample", CELL, "--seed", "1", "-q", "--no-logs")
SHORT = ("--set", "step=0.5", "--set", "v_min=-1", "--set", "compliance=10u")


def test_the_ledger_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "st.yaml").write_text(STATION)
    assert labctl(*RUN, *SHORT, "--set", "cycles=2", "--touchdown", folder=tmp_path).returncode == 0
    files = sorted((tmp_path / "runs").iterdir())
    refused = labctl(*RUN, *SHORT, folder=tmp_path)
    assert refused.returncode == 2
    assert "cycles of W12/C1: 2 so far and the run would add 1, the budget of 2 of sample W12" in refused.stderr
    assert sorted((tmp_path / "runs").iterdir()) == files
    unformed = labctl("run", "endurance", *RUN[2:], folder=tmp_path)
    assert (unformed.returncode, "needs a formed cell" in unformed.stderr) == (2, True)
    forced = labctl(*RUN, *SHORT, "--override-rules", "last look", folder=tmp_path)
    assert (forced.returncode, "rules overridden: reason: last look" in forced.stdout) == (0, True)

    table = labctl("ledger", folder=tmp_path)
    assert table.returncode == 0
    assert table.stdout.splitlines()[1].split()[:6] == ["W12/C1", "(simulated)", "-", "0", "3", "6"]
    cell = labctl("ledger", "W12/C1", "--ledger", "runs/ledger.sqlite", folder=tmp_path)
    assert cell.returncode == 0
    assert "formed                never seen" in cell.stdout
    assert "touchdowns            1" in cell.stdout
    assert cell.stdout.count("finished") == 2
    assert labctl("ledger", "W12", folder=tmp_path).stdout == table.stdout
    (tmp_path / "runs" / ledger.NAME).unlink()
    none = labctl("ledger", folder=tmp_path)
    assert (none.returncode, "labctl ledger rebuild" in none.stdout) == (0, True)
    assert labctl("ledger", CELL, folder=tmp_path).returncode == 2
    made = labctl("ledger", "rebuild", "runs", folder=tmp_path)
    assert (made.returncode, "2 runs entered" in made.stdout) == (0, True)
    assert labctl("ledger", folder=tmp_path).stdout == table.stdout
    unknown = labctl("ledger", "W99", folder=tmp_path)
    assert (unknown.returncode, "it has W12/C1" in unknown.stderr) == (2, True)
    for command in (("ledger", "--help"), ("ledger", "rebuild", "--help"), ("ledger", "W12", "--help")):
        assert "Example: labctl ledger" in labctl(*command, folder=tmp_path).stdout


def test_one_ledger_for_several_folders(tmp_path: Path) -> None:
    (tmp_path / "st.yaml").write_text(STATION)
    other = (*RUN, *SHORT, "--ledger", "cells/all.sqlite", "--out")
    assert labctl(*other, "a", folder=tmp_path).returncode == 0
    assert labctl(*other, "b", folder=tmp_path).returncode == 0
    assert labctl(*other, "c", folder=tmp_path).returncode == 2
    assert {line.file.split("/")[1] for line in Ledger(tmp_path / "cells/all.sqlite").lines()} == {"a", "b"}
    (tmp_path / "st2.yaml").write_text(f"{STATION}ledger: cells/all.sqlite\n")
    assert labctl("ledger", "--station", "st2.yaml", folder=tmp_path).stdout.count("W12/C1") == 1
