"""What the world does to a run being recorded: its file taken away, the disk full, the folder closed, clocks set back.

Every time the rows recorded before are kept, the state is true, and the message says what to do.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from store_runs import FIT, block, header, record, size, use, ways, writer

from labctl import plugins, provenance, runner, store
from labctl.contracts import Block
from labctl.procedure import Procedure
from labctl.station import Station, simulated
from labctl.store import NameTaken, RunWriter, StoreError, files, pack, read, sink, written

IVSweep = plugins.load("procedures", "iv-sweep", Procedure)  # type: ignore[type-abstract]
posix = pytest.mark.skipif(sys.platform == "win32", reason="an open file can't be removed, moved or replaced there")
full = OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(**ways())
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way of writing a journal in turn."""
    use(request.param, monkeypatch)
    return str(request.param)


def _raise(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


# -- the journal is taken away ------------------------------------------------------------------------------------------
def _deleted(folder: Path) -> None:
    (folder / "run.jrn").unlink()


def _moved(folder: Path) -> None:
    (folder / "run.jrn").rename(folder.parent / "elsewhere.jrn")


def _replaced(folder: Path) -> None:
    (folder / "new").write_text("another's")
    (folder / "new").replace(folder / "run.jrn")


def _no_folder(folder: Path) -> None:
    shutil.rmtree(folder)


TAKEN = [_deleted, _moved, _replaced, _no_folder]


@posix
@pytest.mark.parametrize("take", TAKEN)
@pytest.mark.usefixtures("way")
def test_a_journal_taken_away_is_noticed_at_the_next_sync_and_nothing_is_lost(
    tmp_path: Path, take: Callable[[Path], None]
) -> None:
    folder = tmp_path / "runs"
    run = writer(folder, sync_interval=0.0)
    run.append(block(0, 2))
    take(folder)
    with pytest.raises(
        StoreError, match=r"run\.jrn was (deleted or moved away|replaced by another file) while.*nothing is lost"
    ) as caught:
        run.append(block(2, 2))
    assert ("elsewhere.jrn" in str(caught.value)) == (take is _moved and sys.platform.startswith("linux"))
    path = run.finish("failed", str(caught.value))
    found = read(path)
    assert (found["time"].tolist(), found.state, found.reason) == ([0, 1, 2, 3], "failed", str(caught.value))
    assert path.name == ("run.1.h5" if take is _replaced else "run.h5")
    if take is _replaced:
        assert (folder / "run.jrn").read_text() == "another's"
    assert not list(tmp_path.rglob("*.h5~"))


@posix
@pytest.mark.parametrize(("state", "becomes"), [("finished", "failed"), ("aborted", "aborted"), ("failed", "failed")])
def test_a_run_whose_journal_is_gone_at_the_end_did_not_finish(tmp_path: Path, state: str, becomes: str) -> None:
    run = writer(tmp_path, sync_interval=math.inf)
    run.append(block(0, 3))
    _deleted(tmp_path)
    found = read(run.finish(state, "a reason"))
    assert (found.state, len(found), run.state, run.reason) == (becomes, 3, becomes, found.reason)
    assert found.reason.startswith("a reason; the journal ")


@posix
@pytest.mark.parametrize("take", TAKEN)
def test_if_it_cannot_be_packed_either_the_journal_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, take: Callable[[Path], None]
) -> None:
    folder, spare = tmp_path / "runs", tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(spare))
    run = writer(folder)
    record(run)
    take(folder)
    with monkeypatch.context() as patch:
        patch.setattr(files, "rename_new", _raise(full))
        if take is _no_folder:
            patch.setattr(files, "make_folder", _raise(PermissionError(errno.EACCES, "Permission denied")))
        with pytest.raises(StoreError, match=r"safe in .*\.jrn; pack it with: labctl recover") as caught:
            run.finish("finished")
    copy = {_deleted: "runs/run.jrn", _moved: "runs/run.jrn", _replaced: "runs/run.1.jrn", _no_folder: "spare/run.jrn"}[
        take
    ]
    assert f"labctl recover {tmp_path / copy}" in str(caught.value)
    found = read(store.recover(tmp_path / copy))
    assert (len(found), found.state) == (13, "failed")


@posix
def test_if_nothing_can_be_written_anywhere_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = writer(tmp_path)
    _deleted(tmp_path)
    monkeypatch.setattr(pack, "pack", _raise(full))
    monkeypatch.setattr(shutil, "copyfileobj", _raise(full))
    with pytest.raises(
        StoreError, match=r"can't be copied to another \(.*No space left on device\); its rows are lost"
    ):
        run.finish("finished")
    assert list(tmp_path.iterdir()) == []


# -- the disk is full ---------------------------------------------------------------------------------------------------
@pytest.mark.skipif(not FIT, reason="no space can be taken ahead on this system")
@pytest.mark.parametrize("name", ["mapped", "ahead"])
def test_a_disk_that_fills_up_stops_the_rows_but_not_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    use(name, monkeypatch)
    monkeypatch.setattr(written, "_MOST", 4096)
    monkeypatch.setattr(written, "_LEAST", 4096)
    run = writer(tmp_path, sync_interval=math.inf)
    with monkeypatch.context() as patch:
        patch.setattr(files, "take_room", _raise(full))
        with pytest.raises(StoreError, match=r"No space left on device; what was recorded .* safe.*free some space"):
            _fill(run)
        rows = run.rows
        assert rows > 20
        patch.setattr(sink.Sink, "check", _raise(full))
        with pytest.raises(StoreError, match=r"safe in .*run\.jrn; pack it with: labctl recover"):
            run.finish("failed", "the disk is full", "Traceback: " + "x" * 20_000)
    assert os.stat(tmp_path / "run.jrn").st_size == size(run)
    found = read(store.recover(tmp_path / "run.jrn"))
    assert (found["time"].tolist(), found.state, found.reason) == (list(range(rows)), "failed", "the disk is full")


def _fill(run: RunWriter) -> None:
    for number in range(10_000):
        run.append(block(number, 1))


@pytest.mark.parametrize("call", ["sync_folder", "rename_new"])
@pytest.mark.usefixtures("way")
def test_a_folder_that_became_read_only_keeps_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    run = writer(tmp_path)
    record(run)
    with monkeypatch.context() as patch:
        patch.setattr(files, call, _raise(PermissionError(errno.EACCES, "Permission denied")))
        with pytest.raises(StoreError, match=r"Permission denied.*labctl recover .*run\.jrn"):
            run.finish("finished")
    found = read(store.recover(tmp_path / "run.jrn"))
    assert (len(found), found.state) == (13, "finished")


# -- clocks -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("bad", [9.0, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", ["row", "append", "event", "stimulus"])
@pytest.mark.usefixtures("way")
def test_a_clock_that_goes_back_or_says_no_number_ends_the_recording(tmp_path: Path, bad: float, kind: str) -> None:
    now = [10.0]
    run = writer(tmp_path, clock=lambda: now[0], sync_interval=math.inf)
    now[0] = 11.0
    run.append(block(0, 2))
    now[0] = bad
    with pytest.raises(StoreError, match=r"clock of the run went from 1 s to .*must never go back"):
        _add(run, kind)
    found = read(run.finish("failed", "the clock"))
    assert (len(found), found.ending.duration, found.end_time) == (2, 1.0, "2026-11-24T09:30:01+01:00")
    assert (found.state, found.stimuli, found.events) == ("failed", [], [])


def _add(run: RunWriter, kind: str) -> None:
    if kind == "row":
        run.row(
            {name: float(column[0]) for name, column in block(2, 1).columns.items() if name != "status"} | {"status": 0}
        )
    elif kind == "append":
        run.append(block(2, 1))
    elif kind == "event":
        run.event("late", {})
    else:
        run.stimulus("late", {})


def test_an_end_is_never_before_what_has_passed_since_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    passed, told = [100.0], ["2026-11-24T09:30:00.000+01:00"]
    monkeypatch.setattr(time, "monotonic", lambda: passed[0])
    monkeypatch.setattr(provenance, "now", lambda: told[0])
    ended = provenance.after(told[0])
    passed[0], told[0] = 160.0, "2026-11-24T09:31:00.000+01:00"
    assert ended() == told[0]
    told[0] = "2026-11-24T07:31:00.000+00:00"  # set back by an hour
    assert ended() == "2026-11-24T09:31:00.000+01:00"
    told[0] = "2026-11-24T10:31:00.000+01:00"  # set forward
    assert ended() == told[0]


# -- the same through the runner: outputs off, the state true -----------------------------------------------------------
@pytest.fixture
def station() -> Iterator[Station]:
    with Station(simulated("ohmic"), seed=0) as opened:
        yield opened


def _run(station: Station, folder: Path, trouble: Callable[[], None]) -> runner.Result:
    """Run two loops of which the trouble comes after the first rows; the outputs must be off at the end."""
    calls: list[str] = []
    safe, troubles = station.source_meter.make_safe, [trouble]

    def look(block: Block) -> None:
        if troubles:
            troubles.pop()()

    station.source_meter.make_safe = lambda: (calls.append("safe"), safe())[1]  # type: ignore[method-assign, func-returns-value]
    try:
        return runner.run(
            "iv-sweep", IVSweep(step=0.25, cycles=2), station, folder / "run.h5", listeners=[look], logs=False
        )
    finally:
        assert calls


@posix
@pytest.mark.parametrize("take", TAKEN)
def test_a_run_whose_journal_is_taken_away_fails_with_all_its_rows(
    station: Station, tmp_path: Path, take: Callable[[Path], None]
) -> None:
    folder = tmp_path / "runs"
    result = _run(station, folder, lambda: take(folder))
    found = read(result.path)
    assert (result.state, found.state, result.safe, result.reason) == ("failed", "failed", True, found.reason)
    assert "leave a journal alone" in found.reason
    assert result.rows == len(found) == 18
    assert [note.outcome for note in found.stimuli] == ["done", "done"]


def test_a_run_that_meets_a_full_disk_fails_with_the_rows_so_far(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill() -> None:
        monkeypatch.setattr(written.Written, "frame", _filling)
        monkeypatch.setattr("labctl.store.mapped.Mapped.frame", _filling)

    def _filling(self: written.Written, tag: bytes, *rest: Any) -> None:
        if tag != b"END.":
            raise StoreError(self._says(full))
        self._append(store.frames.encode(tag, *rest), reserve=True)

    result = _run(station, tmp_path, fill)
    found = read(result.path)
    assert (result.state, found.state, result.safe) == ("failed", "failed", True)
    assert "free some space" in found.reason
    assert 0 < len(found) == result.rows < 18


def test_a_run_file_that_cannot_be_written_leaves_the_journal_with_the_true_end(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(StoreError, match="labctl recover"):
        _run(station, tmp_path, lambda: patch.setattr(files, "rename_new", _raise(full)))
    found = read(store.recover(tmp_path / "run.jrn"))
    assert (found.state, len(found)) == ("finished", 18)


def test_a_run_whose_clock_goes_back_fails_at_once(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_timing", lambda *_: {"clock": lambda: now[0], "sync_interval": math.inf})
    now = [50.0]
    result = _run(station, tmp_path, lambda: now.__setitem__(0, 20.0))
    found = read(result.path)
    assert (result.state, found.state, result.safe, found.ending.duration) == ("failed", "failed", True, 0.0)
    assert "must never go back" in found.reason
    assert 0 < len(found) == result.rows < 18


def test_a_run_during_which_the_time_of_day_is_set_back_ends_after_it_began(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def back() -> None:
        monkeypatch.setattr(provenance, "now", lambda: "2001-01-01T00:00:00.000+00:00")
        monkeypatch.setattr(time, "time", lambda: 978307200.0)

    result = _run(station, tmp_path, back)
    found = read(result.path)
    assert (result.state, len(found)) == ("finished", 18)
    start, end = (store.header.parse_time(text, "time") for text in (found.header.start_time, found.end_time))
    assert 0 <= (end - start).total_seconds() < 60
    assert found.ending.duration > 0


# -- a name that is held ------------------------------------------------------------------------------------------------
def test_a_name_that_is_held_says_by_whom(tmp_path: Path) -> None:
    who = {"pid": 4711, "host": "bench-pc", "user": "ada"}
    run = RunWriter.create(tmp_path / "run.h5", header(holder=who))
    with pytest.raises(
        NameTaken, match=r"under way, recorded by process 4711 of ada on bench-pc since 2026-11-24T09:30"
    ):
        writer(tmp_path)
    run.close()
    with pytest.raises(NameTaken, match=r"a run of that name died; recover it first: labctl recover .*run\.jrn"):
        writer(tmp_path)
    nobody = RunWriter.create(tmp_path / "other.h5", header())
    with pytest.raises(NameTaken, match="recorded by another process since"):
        writer(tmp_path, "other.h5")
    nobody.close()


@posix
def test_a_name_whose_journal_has_no_header_yet_is_taken_all_the_same(tmp_path: Path) -> None:
    for content in (b"", b"no journal"):
        with (tmp_path / "run.jrn").open("wb") as other:
            other.write(content)
            other.flush()
            files.hold(other.fileno(), wait=True)
            with pytest.raises(NameTaken, match="a run of that name is under way; choose another name"):
                writer(tmp_path)
