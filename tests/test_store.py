"""The store from outside: what goes in comes out, from the run file and from the journal alike."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_runs import END, START, Ticks, block, header, record, same, writer

from labctl import store
from labctl.contracts import Block, Status
from labctl.quantities import Column
from labctl.store import PlotSpec, RunHeader, RunWriter, StoreError, files, read


# -- round trip -------------------------------------------------------------------------------------------------------
def test_everything_comes_back(tmp_path: Path) -> None:
    run = writer(tmp_path)
    record(run)
    path = run.finish("finished", end_time=END)
    found = read(path)
    assert path == tmp_path / "run.h5"
    assert [item.name for item in tmp_path.iterdir()] == ["run.h5"]
    assert found.header == header()
    assert (found.state, found.reason, found.traceback, found.end_time) == ("finished", "", "", END)
    assert list(found.columns) == [column.name for column in header().columns]
    np.testing.assert_array_equal(found["time"], np.arange(13.0))
    np.testing.assert_array_equal(found["current"], np.sin(np.arange(13.0)))
    assert found["status"].dtype == np.int64
    assert found["status"].tolist() == [0] * 9 + [Status.PROVISIONAL] * 4
    assert len(found) == 13


def test_stimuli_and_events_come_back_with_row_and_time(tmp_path: Path) -> None:
    run = writer(tmp_path)
    record(run)
    found = read(run.finish("finished", end_time=END))
    first, second = found.stimuli
    assert (first.id, first.kind, first.row, first.outcome, first.outcome_row) == (1, "sweep", 0, "done", 9)
    assert first.details["levels"] == [0.0, 0.5, 1.0]
    assert math.isnan(first.details["hold"])
    assert 0 < first.time < first.outcome_time < second.time < found.ending.duration
    assert (second.row, second.outcome, second.outcome_row) == (9, "", -1)
    assert math.isnan(second.outcome_time)
    event = found.events[0]
    assert (event.kind, event.row, event.details) == ("forming", 9, {"voltage": 1.25, "text": "über"})


def test_journal_and_run_file_say_the_same(tmp_path: Path) -> None:
    run = writer(tmp_path)
    record(run)
    live = read(tmp_path / "run.jrn")
    run.close()
    dead = read(tmp_path / "run.jrn")
    packed = read(store.recover(tmp_path / "run.jrn"))
    assert same(dead, packed)
    assert (dead.state, dead.end_time) == ("died", "2026-11-24T09:30:02.750000+01:00")  # eleven ticks of 0.25 s
    assert live.columns["time"].tobytes() == dead.columns["time"].tobytes()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells a live journal by its sharing mode, also here")
def test_a_live_journal_is_running_and_no_orphan(tmp_path: Path) -> None:
    run = writer(tmp_path)
    assert read(tmp_path / "run.jrn").state == "running"
    assert store.orphans(tmp_path) == []
    with pytest.raises(StoreError, match="still being written"):
        store.recover(tmp_path / "run.jrn")
    run.close()
    assert store.orphans(tmp_path) == [tmp_path / "run.jrn"]


@pytest.mark.parametrize("state", ["finished", "aborted", "failed"])
def test_states(tmp_path: Path, state: str) -> None:
    run = writer(tmp_path)
    run.append(block(0, 3))
    found = read(run.finish(state, "a \x00 reason", "Traceback:\n" + "x" * 100_000 + "\udc80", END))
    assert (found.state, found.reason, len(found)) == (state, "a \\x00 reason", 3)
    assert found.traceback.endswith("x\\udc80")
    assert len(found.traceback) > 100_000


def test_end_time_defaults_to_the_clock(tmp_path: Path) -> None:
    run = writer(tmp_path, clock=Ticks(60.0))
    assert read(run.finish("finished")).end_time.startswith("2026-11-24T09:3")


def test_a_run_without_rows(tmp_path: Path) -> None:
    found = read(writer(tmp_path).finish("aborted", "nothing came"))
    assert len(found) == 0
    assert {name: str(column.dtype) for name, column in found.columns.items()}["status"] == "int64"


def test_header_must_be_drawable_and_timed() -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"plot": PlotSpec("resistance")}, "column 'resistance'"),
        ({"plot": PlotSpec("current", ("current",))}, "against itself"),
        ({"start_time": "2026-11-24T09:30:00"}, "no offset"),
        ({"start_time": "yesterday"}, "not an ISO 8601 time"),
        ({"columns": ()}, "at least one column"),
        ({"columns": (Column("a b"),), "plot": PlotSpec("a b")}, "column name 'a b'"),
        ({"columns": (Column("a"), Column("a")), "plot": PlotSpec("a")}, "name of its own"),
        ({"parameters": {"v": 1.0}}, "parameter 'v'"),
        ({"git": {"commit": object()}}, "object can't be stored"),
    ]
    for changes, words in wrong:
        with pytest.raises(StoreError, match=words):
            header(**changes)


def test_h5py_is_not_loaded_for_the_asking() -> None:
    code = "import sys, labctl.store; sys.exit('h5py' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(store.__file__).parents[2])}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


# -- details ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Pair:
    left: float
    right: tuple[int, ...]


def test_details_keep_every_number(tmp_path: Path) -> None:
    run = writer(tmp_path)
    tenths = np.array([0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0, math.inf, math.nan])
    given_ = {
        "a": tenths,
        "single": np.float32(0.1),
        "$key": {"$float": "text"},
        "flag": Status.OVERFLOW,
        "b": np.bool_(True),
    }
    run.event("check", {**given_, "pair": _Pair(0.5, (1, 2)), "none": None, "big": 2**80, "path": Path("x")})
    details = read(run.finish("finished")).events[0].details
    assert np.array(details["a"]).tobytes() == tenths.tobytes()
    assert details["single"] == float(np.float32(0.1))
    assert details["$key"] == {"$float": "text"}
    assert (details["flag"], details["b"], details["none"], details["big"]) == (8, True, None, 2**80)
    assert (details["pair"], details["path"]) == ({"left": 0.5, "right": [1, 2]}, "x")


@pytest.mark.parametrize("bad", [{"x": object()}, {"x": b"bytes"}, {1: 2}, {"x": np.array([1j])}])
def test_details_that_cannot_be_read_back_are_refused(tmp_path: Path, bad: dict[str, object]) -> None:
    run = writer(tmp_path)
    with pytest.raises(StoreError, match=r"can't be stored|text as keys"):
        run.event("check", bad)
    run.append(block(0, 1))
    assert len(read(run.finish("finished"))) == 1


def test_stimuli_are_closed_once_and_properly(tmp_path: Path) -> None:
    run = writer(tmp_path)
    note = run.stimulus("sweep", {})
    assert (note, run.stimulus("sweep", {})) == (1, 2)
    for wrong in [(3, "done"), (0, "done"), (note, "perhaps")]:
        with pytest.raises(StoreError, match="can't close stimulus"):
            run.outcome(*wrong)
    run.outcome(note, "failed", {"why": "x"})
    with pytest.raises(StoreError, match="open are \\[2\\]"):
        run.outcome(note, "done")
    assert read(run.finish("failed")).stimuli[0].outcome_details == {"why": "x"}


def test_a_stimulus_is_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    run = writer(tmp_path)
    number = run.stimulus("pulse", {"voltage": 3.5})
    assert read(tmp_path / "run.jrn").stimuli[number - 1].details == {"voltage": 3.5}


# -- blocks -----------------------------------------------------------------------------------------------------------
def test_blocks_must_fit_the_header(tmp_path: Path) -> None:
    run = writer(tmp_path)
    good = dict(block(0, 2).columns)
    for changes, words in [
        ({"extra": np.zeros(2)}, "has column 'extra' unknown"),
        ({"current": np.array(["a", "b"])}, "column 'current' must be float64"),
        ({"current": np.array([1j, 2])}, "column 'current' must be float64"),
        ({"status": np.array([0.5, 1])}, "column 'status' must be int64"),
        ({"status": np.array([math.nan, 1])}, "column 'status' must be int64"),
        ({"status": np.array([2**63, 1], np.uint64)}, "column 'status' must be int64"),
    ]:
        with pytest.raises(StoreError, match=words):
            run.append(Block({**good, **changes}))
    with pytest.raises(StoreError, match="lacks column 'time'"):
        run.append(Block({name: column for name, column in good.items() if name != "time"}))
    assert run.rows == 0
    assert len(read(run.finish("failed"))) == 0


def test_blocks_are_cast_where_nothing_is_lost(tmp_path: Path) -> None:
    run = writer(tmp_path)
    columns = {
        "time": np.array([1, 2], np.int32),
        "level": np.array([1, 2], ">f8"),
        "voltage": np.array([0.1, 0.2], np.float32),
        "current": np.arange(4.0)[::2],
        "status": np.array([1.0, 2.0]),
    }
    run.append(Block(columns))
    found = read(run.finish("finished"))
    for name, values in columns.items():
        np.testing.assert_array_equal(found[name], values)


def _replacing(steps: list[tuple[str, int]], folder: Path) -> tuple[list[float], list[int]]:
    run = writer(folder)
    first = 0
    for step, count in steps:
        if step == "stimulus":
            run.stimulus("sweep", {})
        elif step == "event":
            run.event("remark", {})
        else:
            run.append(block(first, count, provisional=step == "provisional"))
            first += count
    assert run.rows == len(read(folder / "run.jrn"))
    found = read(run.finish("finished"))
    return found["time"].tolist(), found["status"].tolist()


@pytest.mark.parametrize(
    ("steps", "times", "marked"),
    [
        ([("provisional", 2), ("provisional", 1), ("final", 2)], [3, 4], []),
        ([("final", 2), ("provisional", 1), ("final", 1)], [0, 1, 3], []),
        ([("final", 1), ("final", 1)], [0, 1], []),
        ([("final", 1), ("provisional", 2)], [0, 1, 2], [1, 2]),
        ([("provisional", 2), ("event", 0), ("final", 1)], [2], []),
        ([("provisional", 2), ("stimulus", 0), ("final", 1)], [0, 1, 2], [0, 1]),
        ([("provisional", 1), ("stimulus", 0), ("provisional", 1), ("final", 2)], [0, 2, 3], [0]),
        ([("provisional", 2), ("final", 0)], [0, 1], [0, 1]),  # a block without rows changes nothing
    ],
)
def test_final_blocks_replace_provisional_rows(
    tmp_path: Path, steps: list[tuple[str, int]], times: list[int], marked: list[int]
) -> None:
    found, status = _replacing(steps, tmp_path)
    assert found == times
    assert status == [Status.PROVISIONAL if index in marked else 0 for index in range(len(times))]


def test_provisional_rows_without_a_status_column(tmp_path: Path) -> None:
    run = RunWriter.create(tmp_path / "run.h5", header(columns=(Column("x"),), plot=PlotSpec("x")), clock=Ticks())
    run.append(Block({"x": np.arange(3.0)}, provisional=True))
    assert read(run.finish("aborted"))["x"].tolist() == [0, 1, 2]


_BLOCKS = st.lists(
    st.tuples(st.booleans(), st.lists(st.tuples(st.floats(), st.integers(-(2**63), 2**63 - 1)), max_size=5)),
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blocks=_BLOCKS)
def test_any_blocks_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[tuple[bool, list[tuple[float, int]]]]
) -> None:
    columns = (Column("x", "V"), Column("status", "", "int64"))
    folder = tmp_path_factory.mktemp("any")
    run = RunWriter.create(folder / "run.h5", header(columns=columns, plot=PlotSpec("x", log=True)), clock=Ticks())
    final: list[tuple[float, int]] = []
    pending: list[tuple[float, int]] = []
    for provisional, rows in blocks:
        x = np.array([row[0] for row in rows], np.float64)
        run.append(Block({"x": x, "status": np.array([row[1] for row in rows], np.int64)}, provisional))
        if rows and not provisional:
            final, pending = final + rows, []
        elif rows:
            pending = pending + [(value, status | 32) for value, status in rows]
    from_journal = read(folder / "run.jrn")
    found = read(run.finish("finished"))
    assert found["x"].tobytes() == np.array([row[0] for row in final + pending], np.float64).tobytes()
    assert found["status"].tolist() == [row[1] for row in final + pending]
    assert all(found[name].tobytes() == from_journal[name].tobytes() for name in ("x", "status"))


def test_more_rows_than_a_chunk(tmp_path: Path) -> None:
    run = writer(tmp_path)
    sizes = [1] * 50 + [7, 20_000, 3] + [1000] * 30 + [16_384]
    first = 0
    for size in sizes:
        run.append(block(first, size))
        first += size
    found = read(run.finish("finished"))
    np.testing.assert_array_equal(found["time"], np.arange(sum(sizes), dtype=float))
    np.testing.assert_array_equal(found["current"], np.sin(np.arange(sum(sizes), dtype=float)))


# -- names and refusals -----------------------------------------------------------------------------------------------
def test_nothing_is_overwritten(tmp_path: Path) -> None:
    run = writer(tmp_path)
    with pytest.raises(StoreError, match=r"run\.jrn exists: a run of that name is under way"):
        writer(tmp_path)
    run.finish("finished")
    with pytest.raises(StoreError, match=r"run\.h5 exists.*never overwritten"):
        writer(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["run.h5"]


def test_a_name_taken_meanwhile_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = writer(tmp_path)
    (tmp_path / "run.h5").write_text("mine")
    path = run.finish("finished")
    assert path == tmp_path / "run.1.h5"
    assert (tmp_path / "run.h5").read_text() == "mine"
    assert "stored as" in caplog.text
    assert read(path).state == "finished"


def test_a_name_held_by_a_viewer_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = files.rename_new

    def refuse(source: Path, target: Path) -> None:
        if target.name == "run.h5":
            raise PermissionError(13, "The process cannot access the file")
        rename(source, target)

    run = writer(tmp_path)
    monkeypatch.setattr(files, "rename_new", refuse)
    assert run.finish("finished") == tmp_path / "run.1.h5"
    assert [item.name for item in tmp_path.iterdir()] == ["run.1.h5"]


def test_a_crash_before_tidying_up_makes_no_second_file(tmp_path: Path) -> None:
    run = writer(tmp_path)
    record(run)
    run.close()
    journal = (tmp_path / "run.jrn").read_bytes()
    assert store.recover(tmp_path / "run.jrn") == tmp_path / "run.h5"
    (tmp_path / "run.jrn").write_bytes(journal)
    assert store.recover(tmp_path / "run.jrn") == tmp_path / "run.h5"
    assert [item.name for item in tmp_path.iterdir()] == ["run.h5"]


def test_a_closed_run_takes_nothing_more(tmp_path: Path) -> None:
    run = writer(tmp_path)
    run.finish("finished")
    for late in (lambda: run.append(block(0, 1)), lambda: run.stimulus("x", {}), lambda: run.finish("failed")):
        with pytest.raises(StoreError, match="closed"):
            late()


def test_wrong_requests_say_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"end in \.h5"):
        writer(tmp_path, "run.txt")
    with pytest.raises(StoreError, match="sync_interval"):
        writer(tmp_path, sync_interval=-1.0)
    run = writer(tmp_path / "new" / "folder")
    for state, end_time, words in [("done", END, "can't end as 'done'"), ("finished", "noon", "end_time 'noon'")]:
        with pytest.raises(StoreError, match=words):
            run.finish(state, end_time=end_time)
    assert run.finish("finished").exists()
    with pytest.raises(StoreError, match="not a folder"):
        store.orphans(tmp_path / "nowhere")


@pytest.mark.skipif(sys.platform == "win32", reason="an open journal can't be removed there")
def test_a_journal_packed_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labctl.store import files

    held = files.is_held

    def late(path: Path) -> bool:
        path.unlink(missing_ok=True)
        return held(path)

    writer(tmp_path).close()
    monkeypatch.setattr(files, "is_held", late)
    assert store.orphans(tmp_path) == []
    writer(tmp_path, "other.h5").close()
    with pytest.raises(StoreError, match=r"packed just now; read other\.h5"):
        read(tmp_path / "other.jrn")


def test_orphans_are_found_below(tmp_path: Path) -> None:
    for name in ("b/run.h5", "a/c/run.h5"):
        writer(tmp_path, name).close()
    writer(tmp_path, "whole.h5").finish("finished")
    assert store.orphans(tmp_path) == [tmp_path / "a/c/run.jrn", tmp_path / "b/run.jrn"]


def test_unreadable_files_say_what_they_are(tmp_path: Path) -> None:
    import h5py

    run = writer(tmp_path)
    whole = run.finish("finished").read_bytes()
    (tmp_path / "text.h5").write_text("hello")
    (tmp_path / "empty.h5").write_bytes(b"")
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with h5py.File(tmp_path / "other.h5", "w"):
        pass
    (tmp_path / "newer.h5").write_bytes(whole)
    with h5py.File(tmp_path / "newer.h5", "r+") as file:
        file.attrs["labctl_format_version"] = 99
    (tmp_path / "hollow.h5").write_bytes(whole)
    with h5py.File(tmp_path / "hollow.h5", "r+") as file:
        del file["entry/data"]
    writer(tmp_path, "waiting.h5").close()
    for name, words in [
        ("missing.h5", "does not exist$"), ("waiting", "does not exist$"),
        ("text.h5", "neither"), ("empty.h5", "is empty$"), ("cut.h5", "damaged"), ("other.h5", "not a run file of labctl"),
        ("newer.h5", "format 99.*update labctl"), ("hollow.h5", "damaged"), (".", "can't be read: it is a folder"),
    ]:  # fmt: skip
        with pytest.raises(StoreError, match=words) as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        run = writer(tmp_path / name)
        record(run)
        files.append(run.finish("finished", end_time=END).read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("kind", ["row", "event", "outcome"])
def test_syncs_come_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    synced: list[int] = []
    monkeypatch.setattr(files, "sync_data", synced.append)
    for interval, expected in [(1.0, 3), (math.inf, 0), (0.0, 12)]:
        run = writer(tmp_path, f"run{interval}.h5", clock=Ticks(0.25), sync_interval=interval)
        notes = [run.stimulus("sweep", {}) for _ in range(12)]
        synced.clear()
        for number, note in enumerate(notes):
            if kind == "row":
                run.append(block(number, 1))
            elif kind == "event":
                run.event("remark", {})
            else:
                run.outcome(note, "done")
        assert len(synced) == pytest.approx(expected, abs=1 if expected == 3 else 0)
        run.finish("finished")
        assert len(synced) > expected - 2


def test_a_run_on_a_virtual_clock_keeps_its_time_and_knows_no_other(tmp_path: Path) -> None:
    """A clock that stands still, leaps over days, and is past the year 9999 at the end."""
    now = [5.0]
    run = writer(tmp_path, clock=lambda: now[0], sync_interval=math.inf)
    run.append(block(0, 1))
    note = run.stimulus("wait", {})
    now[0] += 1e6
    run.outcome(note, "done")
    now[0] += 1e12
    run.event("late", {})
    run.close()
    found = read(store.recover(tmp_path / "run.jrn"))
    assert (found.stimuli[0].time, found.stimuli[0].outcome_time, found.events[0].time) == (0.0, 1e6, 1e6 + 1e12)
    assert (found.ending.duration, found.end_time) == (1e6 + 1e12, "")


def test_header_survives_later_changes_to_its_parts() -> None:
    parameters = {"v": {"value": np.float64(1.5), "unit": "V"}}
    made = header(parameters=parameters)
    parameters["v"]["value"] = 9.0
    assert made.parameters == {"v": {"value": 1.5, "unit": "V"}}
    assert RunHeader.from_json(made.to_json(), "here") == made
    assert made.start_time == START


def test_header_of_a_newer_labctl_is_read_without_what_is_new() -> None:
    text = header().to_json().replace('"meaning":', '"colour":"red","meaning":').replace('"log":', '"grid":true,"log":')
    assert RunHeader.from_json(text.replace('"seed":', '"moon":"full","seed":'), "here") == header()
    for damaged in ("{}", "[]", "nonsense", text.replace("float64", "float16")):
        with pytest.raises(StoreError, match=r"here: the header of the run can't be understood"):
            RunHeader.from_json(damaged, "here")


# -- names --------------------------------------------------------------------------------------------------------------
def test_a_taken_name_is_refused_or_numbered(tmp_path: Path) -> None:
    first = RunWriter.create(tmp_path / "run.h5", header(), unique=True)
    with pytest.raises(store.NameTaken):
        RunWriter.create(tmp_path / "run.h5", header())
    second = RunWriter.create(tmp_path / "run.h5", header(), unique=True)
    third = RunWriter.create(tmp_path / "run.h5", header(), unique=True)
    assert [run.path.name for run in (first, second, third)] == ["run.h5", "run.2.h5", "run.3.h5"]
    assert len({run.finish("finished") for run in (third, first, second)}) == 3


def test_a_run_never_takes_a_name_that_another_took_meanwhile(tmp_path: Path) -> None:
    run = writer(tmp_path)
    (tmp_path / "run.h5").write_text("somebody else's")
    assert run.finish("finished") == tmp_path / "run.1.h5"
    assert (tmp_path / "run.h5").read_text() == "somebody else's"


def test_a_name_too_long_to_be_packed_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="too long"):
        RunWriter.create(tmp_path / f"{'x' * 231}.h5", header())
    run = RunWriter.create(tmp_path / f"{'x' * 230}.h5", header())
    record(run)
    assert read(run.finish("finished")).state == "finished"


# -- notes --------------------------------------------------------------------------------------------------------------
def test_rows_of_a_test_that_failed_are_not_replaced_by_a_later_block(tmp_path: Path) -> None:
    run = writer(tmp_path)
    note = run.stimulus("sweep", {})
    run.append(block(0, 3, provisional=True))
    run.outcome(note, "failed")
    run.append(block(3, 2))
    assert run.rows == 5
    found = read(run.finish("finished"))
    assert len(found) == 5
    assert [bool(s & Status.PROVISIONAL) for s in found["status"]] == [True] * 3 + [False] * 2


@pytest.mark.parametrize(("interval", "synced"), [(1e9, True), (math.inf, False)])
def test_a_stimulus_is_on_the_disk_before_it_is_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interval: float, synced: bool
) -> None:
    run = RunWriter.create(tmp_path / "run.h5", header(), sync_interval=interval)
    calls: list[int] = []
    monkeypatch.setattr(files, "sync_data", calls.append)
    run.append(block(0, 1))
    assert calls == []
    run.stimulus("sweep", {})
    assert bool(calls) == synced
    run.close()
