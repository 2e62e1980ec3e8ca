"""``labctl paper`` in small: a row through the whole chain, judged, kept, drawn; what it must not read; how it is stopped."""

import ast
import hashlib
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commandline import labctl

from labctl import store
from labctl.errors import UsageError
from labctl.paper import cells, figures, plan, record, report, rows, session, table, targets, work
from labctl.paper.judge import judge
from labctl.report.document import Figure, Words

PAPER = Path(session.__file__).parent
#: what measures and makes the numbers; nothing of it may know what the paper says
MEASURING = (
    "cells",
    "curves",
    "iv",
    "lateral",
    "plan",
    "pulsed",
    "results",
    "rows",
    "stack",
    "taken",
    "tunnelling",
    "work",
)
LATERAL = ("fn-slope-4", "l1-none", "l-order")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> session.Outcome:
    """The rows of the lateral devices, one drawn cell of each beside the nominal one."""
    return session.reproduce(tmp_path_factory.mktemp("paper") / "kim", seed=1, cells=1, only=LATERAL)


# -- what knows the paper ---------------------------------------------------------------------------------------------
def imported(name: str) -> set[str]:
    """The modules of the package that a module of it imports."""
    tree = ast.parse((PAPER / f"{name}.py").read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    inside = [node for node in found if node.module.startswith("labctl.paper")]  # type: ignore[union-attr]
    direct = {node.module.rpartition(".")[2] for node in inside if node.module != "labctl.paper"}  # type: ignore[union-attr]
    return direct | {alias.name for node in inside if node.module == "labctl.paper" for alias in node.names}


@pytest.mark.parametrize("name", MEASURING)
def test_what_measures_does_not_know_the_paper(name: str) -> None:
    assert imported(name) <= set(MEASURING)
    text = (PAPER / f"{name}.py").read_text(encoding="utf-8")
    assert not re.search(r"\byaml\b|kim2022|\btargets\b|\bopen\(|read_text", text)


def test_other_targets_change_the_verdict_only(small: session.Outcome, tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "data" / "paper" / targets.NAME).read_text(encoding="utf-8")
    other = tmp_path / "other.yaml"
    other.write_text(page.replace("{number: slope, value: 5,", "{number: slope, value: 50,"), encoding="utf-8")
    assert other.read_text(encoding="utf-8") != page
    again = session.again(small.folder, against=other)
    assert [v.measurement for v in again.verdicts] == [v.measurement for v in small.verdicts]
    assert [v.outcome for v in small.verdicts] == ["pass"] * 3
    assert {v.target.id: v.outcome for v in again.verdicts} == {
        "l1-none": "pass",
        "l-order": "pass",
        "fn-slope-4": "fail",
    }
    assert again.failed
    assert not session.again(small.folder).failed


def test_every_row_has_a_target_and_every_check_can_be_asked() -> None:
    paper = targets.read()
    assert [target.id for target in paper.rows] == list(rows.ROWS)
    assert all(target.checks for target in paper.rows)


# -- one way through --------------------------------------------------------------------------------------------------
def test_a_number_can_be_traced_to_its_runs(small: session.Outcome) -> None:
    kept = json.loads((small.folder / record.JSON).read_text(encoding="utf-8"))
    (slope,) = [row for row in kept["rows"] if row["id"] == "fn-slope-4"]
    assert slope["measured"]["quantities"]["slope"]["value"] == pytest.approx(5.0, rel=0.15)
    hashes = {item["file"]: item["sha256"] for run in kept["runs"] for item in run["files"].values()}
    assert set(slope["measured"]["files"]) <= set(hashes)
    for file in slope["measured"]["files"]:
        run = store.read(small.folder / file)
        assert (run.state, run.header.simulated, run.header.device) == ("finished", True, "l-device-4")
        assert {"identity", "settings"} <= set(run.header.instruments["smu"])
        number = int("nominal" not in file)
        assert run.header.seed == cells.seed_of(1, "l-device-4", number)


def test_what_is_kept_is_what_was_found(small: session.Outcome) -> None:
    made, done = record.read(small.folder)
    assert made == small.about
    assert done == [work.Done(item.job, item.files, item.problem, round(item.seconds, 3)) for item in small.done]
    lines = (small.folder / record.CSV).read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + sum(len(verdict.findings) + len(verdict.beside) for verdict in small.verdicts)
    assert lines[0] == ",".join(table.HEAD)


@pytest.mark.long
def test_two_processes_measure_what_one_does(small: session.Outcome, tmp_path: Path) -> None:
    jobs = [plan.Job("lateral", "l-device-4", number) for number in (1, 0)]
    told: list[work.Done] = []
    done = work.measure(jobs, tmp_path, seed=1, workers=2, tell=told.append)
    assert [item.job for item in done] == jobs
    assert sorted(item.job for item in told) == sorted(jobs)
    for item in done:
        (before,) = [one for one in small.done if one.job == item.job]
        for file in item.files.values():
            one, other = (store.read(folder / file) for folder in (small.folder, tmp_path))
            assert (one["current"] == other["current"]).all()
        assert item.files == before.files


def test_the_report_has_table_figures_and_hashes(small: session.Outcome) -> None:
    made = list(figures.make(small.taken, small.about.rows))
    assert [type(item) for item in made] == [Figure, Figure]
    (missing,) = figures.make(small.taken, ["syn-levels"])
    assert isinstance(missing, Words)
    assert "not measured" in missing.text
    document = report.document(small, made)
    titles = [section.title for section in document.sections]
    assert titles[1:3] == ["Paper against measured", "Figures"]
    assert "3 of 3 rows" in document.subtitle
    (folder,) = [value for name, value in document.sections[-1].blocks[0].items if name == "again"]  # type: ignore[union-attr]
    assert folder == "labctl paper --seed 1 --cells 1 --only l1-none,l-order,fn-slope-4"
    assert figures.save(small.folder, made, small.about.rows) == [
        small.folder / "figures" / f"{name}.svg" for name in ("S6", "F3b")
    ]


def test_a_folder_with_something_in_it_is_not_written_to(small: session.Outcome) -> None:
    with pytest.raises(UsageError, match="is not empty"):
        session.reproduce(small.folder, only=LATERAL)


def test_an_unknown_row_is_refused_with_a_hint() -> None:
    with pytest.raises(UsageError, match=r"no row 'fn-slope-5'.*fn-slope-[24]"):
        session.jobs(["fn-slope-5"])


def test_a_record_from_elsewhere_names_no_file_outside(small: session.Outcome, tmp_path: Path) -> None:
    data = json.loads((small.folder / record.JSON).read_text(encoding="utf-8"))
    data["runs"][0]["files"]["loops"]["file"] = "../../secret.h5"
    (tmp_path / record.JSON).write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UsageError, match="lies outside"):
        record.read(tmp_path)


@pytest.fixture
def copy(small: session.Outcome, tmp_path: Path) -> Path:
    """The folder of the small run, to be tampered with."""
    return Path(shutil.copytree(small.folder, tmp_path / "copy"))


def outcomes(outcome: session.Outcome) -> dict[str, str]:
    return {verdict.target.id: verdict.outcome for verdict in outcome.verdicts}


def test_a_run_file_that_is_not_the_recorded_one_is_named_every_time(copy: Path) -> None:
    runs = copy / "runs"
    shutil.copy(runs / "lateral_l-device-4_nominal_loops.h5", runs / "lateral_l-device-4_cell-1_loops.h5")
    for _ in range(2):  # judging again keeps the recorded hash
        again = session.again(copy)
        assert again.changed == ("runs/lateral_l-device-4_cell-1_loops.h5",)
        assert again.failed
        assert outcomes(again) == {"l1-none": "pass", "l-order": "fail", "fn-slope-4": "fail"}
    (section, *_) = report.document(again, []).sections
    assert any(isinstance(block, Words) and "NOT AS RECORDED: 1 run files" in block.text for block in section.blocks)
    done = labctl("paper", "--from", str(copy), "--no-report", folder=copy)
    assert done.returncode == 1
    assert "not as recorded: runs/lateral_l-device-4_cell-1_loops.h5" in done.stdout


def test_a_missing_run_is_not_measured(copy: Path) -> None:
    (copy / "runs" / "lateral_l-device-4_cell-1_loops.h5").unlink()
    again = session.again(copy)
    assert outcomes(again) == {"l1-none": "pass", "l-order": "not measured", "fn-slope-4": "not measured"}
    assert again.changed == ()
    assert "is missing" in again.verdicts[-1].findings[0].measured
    assert session.again(copy).failed


def test_judging_some_rows_again_leaves_the_record_of_all(copy: Path) -> None:
    before = {name: (copy / name).read_bytes() for name in (record.JSON, record.CSV)}
    assert outcomes(session.again(copy, ["l1-none"])) == {"l1-none": "pass"}
    assert {name: (copy / name).read_bytes() for name in before} == before


def test_the_hash_over_all_run_files_can_be_made_from_the_record(small: session.Outcome) -> None:
    kept = json.loads((small.folder / record.JSON).read_text(encoding="utf-8"))
    files = {item["file"]: item["sha256"] for run in kept["runs"] for item in run["files"].values()}
    text = "".join(f"{files[name]}  {name}\n" for name in sorted(files))
    facts = report.document(small, []).sections[-1].blocks[-1]
    assert facts.items == [("all run files", hashlib.sha256(text.encode()).hexdigest())]  # type: ignore[union-attr]
    assert {run["seed"] for run in kept["runs"] if run["device"] == "l-device-4"} == {
        None,
        cells.seed_of(1, "l-device-4", 1),
    }


# -- a run that is missing or was stopped -------------------------------------------------------------------------------
def test_the_rows_of_a_run_that_failed_are_not_measured(small: session.Outcome) -> None:
    done = [work.Done(item.job, item.files, "loops: failed: no answer") for item in small.done]
    found = session.measurements(type(small.taken)(small.folder, done), ["fn-slope-4"])
    (verdict,) = [judge(target, found[0]) for target in targets.read().rows if target.id == "fn-slope-4"]
    assert verdict.outcome == "not measured"
    assert "no answer" in verdict.findings[0].measured


def test_a_stop_in_order_begins_nothing_more(tmp_path: Path) -> None:
    told: list[work.Done] = []
    outcome = session.reproduce(
        tmp_path / "kim", cells=1, only=["l1-none"], should_stop=lambda: len(told) > 0, tell=told.append
    )
    assert outcome.stopped
    assert len(outcome.done) == 1
    assert outcome.failed
    assert (outcome.folder / record.JSON).exists()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_the_workers_and_says_what_was_done(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from labctl.cli import main; main()",
        "paper",
        "--out",
        "kim",
        "--jobs",
        "2",
        "--only",
        "syn-cells",
    ]
    running = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    until = time.monotonic() + 40
    while not list(tmp_path.glob("kim/runs/stack*.jrn")) and time.monotonic() < until and running.poll() is None:
        running_wait(running)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    out, error = running.communicate(timeout=40)
    assert running.returncode == 130, error
    assert "stopping in order" in error
    assert re.search(r"stopped after \d+ cells; what they gave is kept", out)
    assert "not measured" in out
    assert "fail " not in out
    assert not list(tmp_path.glob("kim/runs/*.jrn")), "every run is closed"
    states = {store.read(path).state for path in tmp_path.glob("kim/runs/*.h5")}
    assert states <= {"finished", "aborted"}
    assert "aborted" in states


def running_wait(process: "subprocess.Popen[str]") -> None:
    """Let a tenth of a second pass, or less if it ends."""
    try:
        process.wait(0.1)
    except subprocess.TimeoutExpired:
        return


def test_the_command_line_lists_the_rows_and_refuses_what_is_not_there(tmp_path: Path) -> None:
    listed = labctl("paper", "--list", folder=tmp_path)
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(rows.ROWS)
    refused = labctl("paper", "--only", "syn-lrz", folder=tmp_path)
    assert (refused.returncode, "syn-lrs" in refused.stderr) == (2, True)


# -- the whole ----------------------------------------------------------------------------------------------------------
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_whole_paper(tmp_path: Path) -> None:
    done = labctl("paper", "--out", "kim", "--seed", "1", "--quiet", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    assert f"{len(rows.ROWS)} of {len(rows.ROWS)} rows" in done.stdout
    kept = json.loads((tmp_path / "kim" / record.JSON).read_text(encoding="utf-8"))
    assert all(not run["problem"] for run in kept["runs"])
    for name in ("report.html", "report.pdf", *(f"figures/{drawing.id}.svg" for drawing in figures.DRAWINGS)):
        assert (tmp_path / "kim" / name).stat().st_size > 10_000, name
    assert math.isfinite(kept["about"]["seconds"])
