"""How a run gets into the ledger: short ones, dropped rows, names, two at once, one that goes on; files that are doubles."""

import dataclasses
import os
import platform
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commandline import labctl
from ledger_bench import CELL, Endurance, IVSweep, book, config, go, loop
from store_runs import header

from labctl import ledger, plugins, resume, runner, station, store
from labctl.contracts import READING_COLUMNS, Block, Sweep
from labctl.errors import LimitError, UsageError
from labctl.ledger import Ledger, LedgerError, Line, RulesConfig, Use, tally
from labctl.procedure import Procedure
from labctl.procedure import Station as AnyStation
from labctl.station import InstrumentConfig, Station, StationConfig


class Breaks(Procedure):
    """Fail before anything is asked of an instrument."""

    columns = READING_COLUMNS

    def points(self, station: AnyStation) -> Iterator[Block]:
        """Raise."""
        raise RuntimeError("no")
        yield


class Silent(Procedure):
    """Sweep into compliance again and again, and keep no row of it."""

    columns = READING_COLUMNS

    def points(self, station: AnyStation) -> Iterator[Block]:
        """Yield nothing."""
        for _ in range(50):
            for _block in station.source_meter.sweep(Sweep(np.linspace(0.0, 1.0, 5), 5e-7)):
                pass
        yield from ()


def rebuilt(folder: Path) -> list[Line]:
    """The lines of a ledger made anew from the files of a folder."""
    anew = Ledger(folder / "anew.sqlite")
    assert ledger.rebuild(anew, folder).words == []
    lines = anew.lines()
    anew.path.unlink()
    return lines


# -- runs without a stimulus ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("procedure", "options", "state"),
    [(Breaks(), {}, "failed"), (Endurance(cycles=3), {"should_stop": lambda: True}, "aborted")],
)
def test_a_run_that_ended_before_its_first_stimulus_added_nothing(
    tmp_path: Path, procedure: Procedure, options: dict[str, Any], state: str
) -> None:
    with Station(config(), CELL, seed=0) as opened:
        done = go(opened, tmp_path, procedure, "endurance", touchdown=True, **options)
    assert store.read(done.path).stimuli == []
    (line,) = book(tmp_path).lines()
    assert (line.state, line.holder, line.use.sweeps, line.use.touchdowns) == (state, "", 0, 1)
    assert rebuilt(tmp_path) == [line]


# -- rows that no recipe keeps --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("quantity", ["energy", "compliance_time"])
def test_budgets_see_what_a_recipe_drops(tmp_path: Path, quantity: str) -> None:
    with Station(config(), CELL, seed=0) as opened:
        assert go(opened, tmp_path, Silent(), "silent").state == "finished"
    (line,) = book(tmp_path).lines()
    used = getattr(line.use, quantity)
    assert used > 0
    assert (line.use.i_measured, line.use.unmeasured) == (pytest.approx(5e-7, rel=0.05), 0)
    assert rebuilt(tmp_path) == [line]
    with Station(config(**{quantity: 1.05 * used}), CELL, seed=0) as opened:
        done = go(opened, tmp_path, Silent(), "silent")
    run = store.read(done.path)
    assert (done.state, len(run), len(run.stimuli)) == ("failed", 0, 3), "a twentieth more is two sweeps and a half"
    assert quantity.replace("_", " ") in run.reason
    assert "this stimulus was not sent" in run.reason
    assert "nothing was sent" not in run.reason
    assert book(tmp_path).total(CELL, True).sweeps == 53


def test_figures_kept_with_an_outcome_are_those_of_its_rows(tmp_path: Path) -> None:
    with Station(config("synapse"), CELL, seed=1) as opened:
        opened.prepare("formed")
        swept = go(opened, tmp_path, Endurance(cycles=2, curves=1000), "endurance")
        pulsed = go(opened, tmp_path, Endurance(stress="pulse", cycles=3, per_decade=1, wait=0.0), "endurance")
    for result in (swept, pulsed):
        run = store.read(result.path)
        assert any("energy" in (note.outcome_details or {}) for note in run.stimuli)
        bare = [dataclasses.replace(note, outcome_details={"rows": len(run)}) for note in run.stimuli]
        assert tally(run) == tally(dataclasses.replace(run, stimuli=bare))


@pytest.mark.parametrize(
    "figures", [{"energy": "much"}, {"energy": float("nan")}, {"tests": -1}, {"compliance_time": -9}]
)
def test_figures_that_are_none_are_said_to_be(tmp_path: Path, figures: dict[str, Any]) -> None:
    with Station(config(), CELL, seed=0) as opened:
        run = store.read(go(opened, tmp_path).path)
    first = run.stimuli[0]
    bad = dataclasses.replace(first, outcome_details={**(first.outcome_details or {}), **figures})
    with pytest.raises(LedgerError, match="understood"):
        tally(dataclasses.replace(run, stimuli=[bad, *run.stimuli[1:]]))


# -- a procedure by any name -----------------------------------------------------------------------------------------------
class Own(Endurance):  # type: ignore[misc, valid-type]
    """A script's own variant."""


@pytest.mark.parametrize(
    ("procedure", "name"),
    [(Endurance(cycles=1), "Endurance"), (Endurance(cycles=1), "endurance "), (Endurance(cycles=1), "my test"),
     (Own(cycles=1), "own"), (Breaks(), "Endurance")],
)  # fmt: skip
def test_a_rule_on_a_procedure_holds_whatever_its_run_is_called(
    tmp_path: Path, procedure: Procedure, name: str
) -> None:
    with Station(config(formed_first=["endurance"]), CELL, seed=0) as opened:
        with pytest.raises(LimitError, match="needs a formed cell"):
            go(opened, tmp_path, procedure, name)
        assert go(opened, tmp_path, loop(), "quick look").state == "finished"


def test_the_plug_ins_of_a_class() -> None:
    assert plugins.names_of("procedures", IVSweep) == ["iv-sweep"]
    assert plugins.names_of("procedures", Own) == ["endurance"]
    assert plugins.names_of("procedures", Breaks) == []
    meter = plugins.module("instruments", "keithley4200").Keithley4200
    assert plugins.names_of("instruments", meter) == ["keithley4200"], "a plug-in that is a folder"


# -- where the history is ---------------------------------------------------------------------------------------------------
def test_rules_on_real_cells_need_a_ledger_of_their_own(tmp_path: Path) -> None:
    smu = InstrumentConfig(driver="keithley4200", resource="TCPIP0::192.0.2.1::1225::SOCKET")
    real = StationConfig(name="bench", instruments={"smu": smu}, rules=RulesConfig(pulses=1.0))
    ruled = station.rules(real, CELL)
    with pytest.raises(UsageError, match="ledger: /data"):
        station.ledger_file(real, tmp_path / "a.h5", ruled)
    named = real.model_copy(update={"ledger": tmp_path / "cells.sqlite"})
    assert station.ledger_file(named, tmp_path / "a.h5", ruled) == tmp_path / "cells.sqlite"
    assert station.ledger_file(real, tmp_path / "a.h5") == tmp_path / ledger.NAME


# -- files that are doubles -------------------------------------------------------------------------------------------------
def test_of_two_files_of_one_run_the_one_with_more_in_it_counts(tmp_path: Path) -> None:
    levels = np.array([0.0, 1.0, 2.0])
    names = dict.fromkeys(("time", "level", "voltage", "current"), levels)
    for name, tests in (("a.h5", 1), ("b.h5", 3), ("c.h5", 2)):
        writer = store.RunWriter.create(tmp_path / name, header(uuid="one", sample=CELL))
        for _ in range(tests):
            note = writer.stimulus("sweep", Sweep(levels, 1e-3).details())
            writer.append(Block({**names, "status": np.zeros(3, np.int64)}))
            writer.outcome(note, "done", {"rows": 3})
        writer.finish("finished")
    found = ledger.rebuild(book(tmp_path), tmp_path)
    (line,) = book(tmp_path).lines()
    assert (found.entered, line.file, line.use.sweeps) == (1, "b.h5", 3)
    assert [words.replace(str(tmp_path), "") for words in found.words] == [
        "/a.h5 is the same run as /b.h5, which has 3 stimuli to its 1; that one counts",
        "/c.h5 is the same run as /b.h5, which has 3 stimuli to its 2; that one counts",
    ]


# -- two at once ------------------------------------------------------------------------------------------------------------
def test_of_two_runs_that_begin_at_once_the_second_sees_the_plan_of_the_first(tmp_path: Path) -> None:
    rules = RulesConfig(cycles=3.0).of("sample W12")
    up_and_down = [Sweep(np.array([0.0, 1.0, -1.0, 0.0]), 1e-3)]
    pid = {"pid": os.getpid(), "host": platform.node()}
    heads = [header(uuid=name, sample=CELL, holder=pid) for name in ("first", "second")]
    with ledger.enter(book(tmp_path).path, rules, heads[0], tmp_path / "a.h5", plan=[(2, up_and_down)]) as first:
        assert [line.state for line in book(tmp_path).lines()] == ["starting"]
        with (
            pytest.raises(LimitError, match="2 so far and the run would add 2"),
            ledger.enter(book(tmp_path).path, rules, heads[1], tmp_path / "b.h5", plan=[(2, up_and_down)]),
        ):
            raise AssertionError("it was let in")
        assert [line.uuid for line in book(tmp_path).lines()] == ["first"], "a process that lives may be about to begin"
        assert first.line is not None
        book(tmp_path).put(dataclasses.replace(first.line, holder="pid 999999999 on nowhere, x since y"))
        ledger.settle(book(tmp_path))
        assert book(tmp_path).lines() == [], "one that is gone is not"


def test_nobody_gets_between_the_look_and_the_line(tmp_path: Path) -> None:
    line = Line("u", "a.h5", "s", 0.0, "p", CELL, False, "starting", use=Use(pulses=3))

    def allow(so_far: Use) -> None:
        assert so_far == Use()
        with pytest.raises(LedgerError, match="locked"):
            book(tmp_path).put(dataclasses.replace(line, uuid="v"))

    assert book(tmp_path).admit(line, allow) == Use()
    assert book(tmp_path).total(CELL, False).pulses == 3

    def refuse(so_far: Use) -> None:
        assert so_far.pulses == 3
        raise LimitError("no")

    with pytest.raises(LimitError):
        book(tmp_path).admit(dataclasses.replace(line, uuid="v"), refuse)
    assert len(book(tmp_path).lines()) == 1


# -- a run that goes on -----------------------------------------------------------------------------------------------------
def stopped(folder: Path, where: StationConfig, after: int = 12) -> runner.Result:
    with Station(where, CELL, seed=0) as opened:
        opened.prepare("formed")
        return go(opened, folder, loop(4), should_stop=iter([False] * after + [True] * 10_000).__next__)


def goes_on(earlier: Path, folder: Path, where: StationConfig, **options: Any) -> runner.Result:
    with Station(where, CELL, seed=0) as opened:
        opened.prepare("formed")
        return go(opened, folder, loop(4), earlier=store.read(earlier), **options)


def continuing(ledger: Ledger, uuid: str) -> list[Line]:
    """The lines of the runs that continue the run `uuid`, or one that does."""
    return [line for line in ledger.lines() if uuid in line.continues.split()]


def test_a_run_is_continued_once_wherever_the_files_are(tmp_path: Path) -> None:
    where = config().model_copy(update={"ledger": tmp_path / "cells.sqlite"})
    first = stopped(tmp_path / "a", where)
    alone = tmp_path / "alone" / "run.h5"
    alone.parent.mkdir()
    shutil.copy(first.path, alone)
    second = goes_on(first.path, tmp_path / "b", where, should_stop=iter([False] * 30 + [True] * 9999).__next__)
    assert second.state == "aborted"
    known = Ledger(tmp_path / "cells.sqlite")
    uuids = [store.read(result.path).header.uuid for result in (first, second)]
    assert [line.uuid for line in continuing(known, uuids[0])] == [uuids[1]]
    with pytest.raises(resume.ResumeError, match=r"b.run\.h5 continues this run already.*cells\.sqlite.*labctl resume"):
        goes_on(alone, tmp_path / "c", where)
    assert list((tmp_path / "c").glob("*")) == []
    third = goes_on(second.path, tmp_path / "c", where)
    assert third.state == "finished"
    assert len(continuing(known, uuids[0])) == 2
    second.path.unlink()
    known.put(*[dataclasses.replace(line, state="missing") for line in continuing(known, uuids[0])])
    with pytest.raises(resume.ResumeError, match="missing, so that nobody knows what it sent"):
        goes_on(alone, tmp_path / "d", where)


def test_one_that_ended_while_it_took_over_continues_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = config().model_copy(update={"ledger": tmp_path / "cells.sqlite"})
    first = stopped(tmp_path / "a", where)

    def breaks(self: store.RunWriter, run: store.Run, since: float = 0.0) -> None:
        raise store.StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(store.RunWriter, "adopt", breaks)
        with pytest.raises(store.StoreError, match="disk is full"):
            goes_on(first.path, tmp_path / "b", where)
    assert [line.state for line in Ledger(tmp_path / "cells.sqlite").lines()] == ["aborted", "starting"]
    assert goes_on(first.path, tmp_path / "c", where).state == "finished"
    lines = Ledger(tmp_path / "cells.sqlite").lines()
    assert {(line.state, bool(line.continues)) for line in lines} == {  # they began at one time: no order
        ("aborted", False), ("failed", False), ("finished", True)
    }  # fmt: skip
    assert rebuilt(tmp_path) == lines


def test_a_ledger_of_version_1_gets_its_new_column(tmp_path: Path) -> None:
    line = Line("u", "a.h5", "s", 0.0, "p", CELL, False, "finished", use=Use(pulses=3))
    book(tmp_path).put(line)
    with sqlite3.connect(book(tmp_path).path) as old:
        old.execute("ALTER TABLE runs DROP COLUMN continues")
        old.execute("PRAGMA user_version = 1")
    old.close()
    assert book(tmp_path).lines() == [line]
    book(tmp_path).put(dataclasses.replace(line, uuid="v", continues="u"))
    assert [found.uuid for found in continuing(book(tmp_path), "u")] == ["v"]


# -- the command line -------------------------------------------------------------------------------------------------------
STATION = """\
name: bench
instruments: {smu: {driver: keithley4200, resource: simulated}}
simulate: {device: ohmic}
"""


def test_resume_holds_the_rules_and_can_go_on_without_them(tmp_path: Path) -> None:
    with Station(config(), CELL, seed=0) as opened:
        opened.prepare("formed")
        first = runner.run(
            "iv-sweep", loop(4), opened, tmp_path / "runs" / "run.h5", seed=0,
            should_stop=iter([False] * 12 + [True] * 10_000).__next__,
        )  # fmt: skip
    rules = f"{STATION}ledger: runs/ledger.sqlite\nrules: {{energy: 1 fJ}}\n"
    (tmp_path / "st.yaml").write_text(rules.replace("name: bench", "name: simulated ohmic"))
    command = ("resume", str(first.path), "--station", "st.yaml", "-q")
    refused = labctl(*command, folder=tmp_path)
    assert (refused.returncode, "energy of W12/C1" in refused.stderr) == (2, True)
    assert len(list((tmp_path / "runs").glob("*.h5"))) == 1
    done = labctl(*command, "--override-rules", "the last one", "--touchdown", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "rules overridden: reason: the last one" in done.stdout
    assert Ledger(tmp_path / "runs" / ledger.NAME).total(CELL, True).touchdowns == 1
    elsewhere = labctl(*command, "--ledger", "other.sqlite", folder=tmp_path)
    assert (elsewhere.returncode, "continues this run already" in elsewhere.stderr) == (2, True)


def test_rules_without_a_ledger_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "st.yaml").write_text(f"{STATION}rules: {{pulses: 5}}\n")
    run = ("run", "iv-sweep", "--station", "st.yaml", "--sample", CELL, "--seed", "1", "-q", "--no-logs")
    short = ("--set", "step=0.5", "--set", "v_min=-1", "--set", "compliance=10u")
    said = "for one history whatever --out is, write 'ledger: FILE'"
    assert said in labctl(*run, *short, folder=tmp_path).stderr
    assert said not in labctl(*run, *short, "--ledger", "cells.sqlite", folder=tmp_path).stderr
    (tmp_path / "st.yaml").write_text(
        f"{STATION}rules: {{pulses: 5}}\n".replace("simulate: {device: ohmic}\n", "").replace(
            "resource: simulated", "resource: 'TCPIP0::192.0.2.1::1225::SOCKET'"
        )
    )
    refused = labctl(*run, *short, folder=tmp_path)
    assert (refused.returncode, "ledger: /data/cells.sqlite" in refused.stderr) == (2, True)
