"""The journal's bytes: space taken ahead, tags stored last, rows of plain numbers, heartbeats, and SIGKILL at any instant."""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from store_runs import FIT, START_1970, WAYS, Ticks, block, header, record, same, size, use, ways, writer

from labctl import store
from labctl.quantities import Column
from labctl.store import PlotSpec, RunWriter, StoreError, files, frames, heartbeat, mapped, read, written

needs_map = pytest.mark.skipif(not FIT, reason="no space can be taken ahead on this system")
ROW = {"time": 1.0, "level": 0.5, "voltage": 0.25, "current": -1e-6, "status": 3}


@pytest.fixture(**ways())
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way of writing a journal in turn."""
    use(request.param, monkeypatch)
    return str(request.param)


def _everything(run: RunWriter) -> None:
    record(run)
    for number in range(13, 16):
        run.row({**ROW, "time": number})
    run.append(block(16, 500))
    run.event("long", {"text": "x" * 5000})


# -- the same journal, however it is written ----------------------------------------------------------------------------
@needs_map
def test_all_ways_write_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for name in WAYS:
        with monkeypatch.context() as patch:
            use(name, patch)
            run = writer(tmp_path / name)
            _everything(run)
            run.close()
        found.add((tmp_path / name / "run.jrn").read_bytes())
    assert len(found) == 1


@needs_map
@pytest.mark.parametrize(
    ("name", "kind"), [("mapped", mapped.Mapped), ("ahead", written.Written), ("plain", written.Written)]
)
def test_the_way_is_chosen_by_the_file_system_and_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: type
) -> None:
    use(name, monkeypatch)
    run = writer(tmp_path)
    assert type(run._out) is kind
    assert (os.stat(tmp_path / "run.jrn").st_size > size(run)) == (name != "plain")
    run.close()
    assert os.stat(tmp_path / "run.jrn").st_size == size(run)


def test_file_systems_are_told_apart_by_their_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "file").open("wb") as file:
        device = os.fstat(file.fileno()).st_dev
        for kind, fit in [("ext4", True), ("tmpfs", True), ("btrfs", False), ("nfs4", False), ("overlay", False)]:
            if sys.platform == "win32":
                fit = False
            else:
                numbers = f"{os.major(device)}:{os.minor(device)}"
                (tmp_path / "mounts").write_text(
                    f"20 1 0:99 / /proc rw - proc proc rw\n22 1 {numbers} / / rw,noatime shared:1 - {kind} /dev/x rw\n"
                )
            monkeypatch.setattr(files, "_MOUNTS", tmp_path / "mounts")
            assert files.keeps_room(file.fileno()) == fit
        monkeypatch.setattr(files, "_MOUNTS", tmp_path / "nowhere")
        assert not files.keeps_room(file.fileno())


def test_a_journal_grows_over_many_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(written, "_LEAST", 3000)
    monkeypatch.setattr(written, "_MOST", 3000)
    taken: list[int] = []
    take = files.take_room
    monkeypatch.setattr(files, "take_room", lambda fd, start, room: (taken.append(start), take(fd, start, room))[1])
    run = writer(tmp_path, sync_interval=math.inf)
    for first in range(0, 2000, 200):
        for number in range(first, first + 100):
            run.row({**ROW, "time": number})
        run.append(block(first + 100, 100))
    assert len(taken) > 20 or way == "plain"
    assert run.rows == 2000
    assert read(run.finish("finished"))["time"].tolist() == list(range(2000))


# -- space and pieces after the last frame ------------------------------------------------------------------------------
def test_a_frame_without_its_tag_is_not_there_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("plain", monkeypatch)
    run = writer(tmp_path)
    run.row(ROW)
    run.close()
    path = tmp_path / "run.jrn"
    whole = path.read_bytes()
    for frame in (
        frames.encode(frames.EVENT, 2.0, b'{"kind":"a","row":0,"details":{}}'),
        run._out._row.encode(2.0, (1.0, 1.0, 1.0, 1.0, 1)),
    ):
        for cut in range(4, len(frame) + 1):
            path.write_bytes(whole + bytes(4) + frame[4:cut] + bytes(1000))
            found = read(path)
            assert (len(found), found.ending.lost_bytes, found.ending.recovered_bytes) == (1, 0, len(whole))


@pytest.mark.parametrize("zeros", [0, 100_000])
def test_damage_before_the_space_taken_ahead_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zeros: int
) -> None:
    use("plain", monkeypatch)
    run = writer(tmp_path)
    run.row({**ROW, "status": -1})
    good = size(run)
    for _ in range(3):
        run.row({**ROW, "status": -1})
    run.close()
    path = tmp_path / "run.jrn"
    whole = bytearray(path.read_bytes())
    frame = (len(whole) - good) // 3
    for start, values, lost in [
        (good + 30, b"\xff", 3 * frame),  # within a frame
        (good, bytes(4), 3 * frame),  # its tag, but more frames follow
        (good, bytes(2 * frame), 3 * frame),  # a whole stretch of zeros
        (len(whole) - frame, bytes(4), 0),  # the last one's tag: as if it had never been finished
    ]:
        damaged = bytearray(whole)
        damaged[start : start + len(values)] = values
        path.write_bytes(bytes(damaged) + bytes(zeros))
        assert read(path).ending.lost_bytes == lost


def test_a_file_of_zeros_without_end_is_not_read_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use("plain", monkeypatch)
    run = writer(tmp_path)
    run.row(ROW)
    run.close()
    os.truncate(tmp_path / "run.jrn", 2**36)  # sparse
    began = time.process_time()
    assert len(read(tmp_path / "run.jrn")) == 1
    assert time.process_time() - began < 5


def test_the_magic_is_never_behind_what_follows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """A journal that begins with zeros would be none, and block its name."""
    done = list[Any]()
    for name in ("write_at", "take_room"):
        monkeypatch.setattr(files, name, _kept(done, name, getattr(files, name)))
    run = writer(tmp_path)
    assert done == ([("write_at", 0)] if way == "plain" else [("write_at", 0), ("take_room", size(run))])
    run.append(block(0, 100))
    start = size(run) - 4024
    assert done[-2:] == (
        [("write_at", start + 4), ("write_at", start)] if way == "mapped" else [*done[-2:-1], ("write_at", start)]
    )


def _kept(done: list[Any], name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    """`real`, with its name and the place in the file noted."""

    def do(fd: int, first: Any, second: Any) -> Any:
        done.append((name, second if name == "write_at" else first))
        return real(fd, first, second)

    return do


def test_format_1_is_read_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use("plain", monkeypatch)
    run = writer(tmp_path)
    record(run)
    run.close()
    path, old = tmp_path / "run.jrn", tmp_path / "old.jrn"
    whole = path.read_bytes()
    first = struct.pack("<8sII", frames.MAGIC, 1, 0) + whole[32:]
    old.write_bytes(first)
    new, found = read(path), read(old)
    assert (found.state, len(found), found.ending.lost_bytes) == ("died", 13, 0)
    assert [found[name].tolist() for name in found.columns] == [new[name].tolist() for name in new.columns]
    old.write_bytes(first + bytes(100))
    assert read(old).ending.lost_bytes == 100, "no space was taken ahead then"
    assert len(read(store.recover(old))) == 13
    old.write_bytes(first[:15])
    with pytest.raises(StoreError, match="ends before its header"):
        read(old)


def test_flags_of_a_later_labctl_are_refused(tmp_path: Path) -> None:
    writer(tmp_path).close()
    data = bytearray((tmp_path / "run.jrn").read_bytes())
    data[12] = 4
    (tmp_path / "run.jrn").write_bytes(data)
    with pytest.raises(StoreError, match=r"flags 0x4 .*update labctl"):
        read(tmp_path / "run.jrn")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells a live journal by its sharing mode, also here")
@pytest.mark.usefixtures("way")
def test_a_viewer_sees_a_beginning_at_any_moment(tmp_path: Path) -> None:
    """Looks between any two steps of the writer, by a trace, and is never shown more, less or other than what was recorded."""
    run = writer(tmp_path, sync_interval=math.inf)
    seen: list[int] = []

    def look(frame: Any, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in (mapped.__file__, written.__file__):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            sys.settrace(None)
            found = read(tmp_path / "run.jrn")
            assert (found.state, found.ending.lost_bytes) == ("running", 0)
            assert found["time"].tolist() == list(range(len(found)))
            seen.append(len(found))
            sys.settrace(look)
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        run.row({**ROW, "time": 0})
        run.append(block(1, 1))
        run.append(block(2, 60))
    finally:
        sys.settrace(before)
    assert seen == sorted(seen)
    assert set(seen) >= {0, 1, 2}
    assert len(read(run.finish("finished"))) == 62


# -- rows of plain numbers ----------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("way")
def test_a_row_is_a_block_of_one(tmp_path: Path) -> None:
    one, two = (writer(tmp_path / name, clock=lambda: 5.0) for name in ("one", "two"))
    for run, add in ((one, one.row), (two, lambda row: two.append(_block(row)))):
        run.append(block(0, 3, provisional=True))
        for value in (
            0.1,
            -0.0,
            math.nan,
            math.inf,
            5e-324,
            np.float64(1 / 3),
            np.float32(0.1),
            np.int64(7),
            True,
            2**60,
        ):
            add({**ROW, "current": value, "status": -(2**63)})
        add({**ROW, "status": 3.0})
        add({**ROW, "status": np.int32(4)})
        assert run.rows == 12
    assert same(read(one.finish("finished")), read(two.finish("finished")))


def _block(row: dict[str, Any]) -> store.writer.Block:
    return store.writer.Block({name: np.array([value]) for name, value in row.items()})


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"extra": 1.0}, "has column 'extra' unknown"),
        ({"current": None}, "column 'current' must be float64"),
        ({"current": "1.0"}, "column 'current' must be float64"),
        ({"current": np.complex128(1 + 2j)}, "column 'current' must be float64"),
        ({"current": 1j}, "column 'current' must be float64"),
        ({"status": 0.5}, "column 'status' must be int64"),
        ({"status": math.nan}, "column 'status' must be int64"),
        ({"status": 2**63}, "column 'status' must be int64"),
    ],
)
def test_what_is_no_row_is_refused_and_nothing_of_it_is_kept(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    run = writer(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(StoreError, match=words):
            run.row({**ROW, **changes})
        with pytest.raises(StoreError, match="lacks column 'level', 'time'"):
            run.row({name: value for name, value in ROW.items() if name not in ("time", "level")})
    run.row(ROW)
    found = read(run.finish("finished"))
    assert (run.rows, len(found), found.ending.lost_bytes) == (1, 1, 0)


@pytest.mark.usefixtures("way")
def test_a_run_of_one_column(tmp_path: Path) -> None:
    run = RunWriter.create(tmp_path / "run.h5", header(columns=(Column("x"),), plot=PlotSpec("x")), clock=Ticks())
    run.row({"x": 2.5})
    assert read(run.finish("finished"))["x"].tolist() == [2.5]


# -- heartbeat ----------------------------------------------------------------------------------------------------------
def test_the_heartbeat_of_a_run_that_died_is_its_last_sign_of_life(tmp_path: Path) -> None:
    now = [START_1970 + 40.0]
    run = writer(tmp_path, heartbeat=1e6, time_of_day=lambda: now[0])
    run.append(block(0, 2))
    assert read(tmp_path / "run.jrn").ending.heartbeat == "2026-11-24T09:30:40+01:00", "the first as it begins"
    now[0] = START_1970 + 90.5
    assert run._journal._heart is not None
    assert run._journal._heart.beat()
    alive = "2026-11-24T09:31:30.500000+01:00"
    assert read(tmp_path / "run.jrn").ending.heartbeat == alive
    run.close()
    assert not run._journal._heart.beat(), "nothing is written once it is closed"
    dead = read(tmp_path / "run.jrn")
    packed = read(store.recover(tmp_path / "run.jrn"))
    for found in (dead, packed):
        assert (found.state, found.end_time, found.ending.heartbeat) == ("died", alive, alive)
        assert found.reason == f"the program ended without closing the run; last sign of life {alive}"
        assert (len(found), found.ending.duration) == (2, 0.25)


@pytest.mark.parametrize("moment", [START_1970 - 3600.0, START_1970 + 0.1, math.nan, math.inf, -1e300, 1e300])
def test_a_heartbeat_that_is_earlier_or_no_time_changes_no_end(tmp_path: Path, moment: float) -> None:
    run = writer(tmp_path, heartbeat=1e6, time_of_day=lambda: moment)
    run.append(block(0, 2))
    assert run._journal._heart is not None
    run._journal._heart.beat()
    run.close()
    found, end = read(tmp_path / "run.jrn"), "2026-11-24T09:30:00.250000+01:00"
    assert (found.state, found.end_time, len(found)) == ("died", end, 2)
    assert found.reason == f"the program ended without closing the run; last sign of life {end}", "of its last frame"


def test_a_run_that_was_closed_needs_no_heartbeat(tmp_path: Path) -> None:
    run = writer(tmp_path, heartbeat=1e6)
    assert run._journal._heart is not None
    run._journal._heart.beat()
    found = read(run.finish("finished", end_time="2026-11-24T09:30:01+01:00"))
    assert (found.ending.heartbeat, found.end_time, found.reason) == ("", "2026-11-24T09:30:01+01:00", "")


def test_the_heart_beats_by_itself_and_stops(tmp_path: Path) -> None:
    beats: list[float] = []
    run = writer(tmp_path, heartbeat=0.005, time_of_day=lambda: (beats.append(1.0), START_1970 + len(beats))[1])
    deadline = time.monotonic() + 10
    while len(beats) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    run.close()
    count = len(beats)
    assert count >= 3
    time.sleep(0.02)
    assert len(beats) == count
    assert read(tmp_path / "run.jrn").ending.heartbeat.startswith("2026-11-24T09:30:0")


@pytest.mark.parametrize("interval", [-1.0, math.nan])
def test_an_impossible_heartbeat_is_refused(tmp_path: Path, interval: float) -> None:
    with pytest.raises(StoreError, match="heartbeat"):
        writer(tmp_path, heartbeat=interval)
    assert list(tmp_path.iterdir()) == []


def test_a_heartbeat_keeps_neither_the_process_nor_a_dropped_file_alive(tmp_path: Path) -> None:
    beat = heartbeat.Heartbeat(_file(tmp_path / "a"), 1e6, time.time)
    assert not beat.beat(), "its file is gone, and the descriptor's number may be another file's"
    code = "import sys; from store_runs import *; from pathlib import Path; run = writer(Path(sys.argv[1]), heartbeat=0.01)"
    paths = [str(Path(store.__file__).parents[2]), str(Path(__file__).parent)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)]
    assert subprocess.run(command, env=environment, timeout=30, check=False).returncode == 0
    assert read(tmp_path / "run.jrn").state == "died"


def _file(path: Path) -> Any:
    return path.open("xb", buffering=0)


def test_a_heartbeat_that_cannot_be_written_ends_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = writer(tmp_path, heartbeat=1e6)
    monkeypatch.setattr(files, "stamp", _raise(OSError(5, "Input/output error")))
    assert run._journal._heart is not None
    assert run._journal._heart.beat()
    assert "no sign of life" in caplog.text
    assert read(run.finish("finished")).state == "finished"


def _raise(error: Exception) -> Callable[..., Any]:
    def fail(*_: object) -> None:
        raise error

    return fail


# -- SIGKILL ------------------------------------------------------------------------------------------------------------
def _kills(folder: Path, mode: str, kills: int, seed: int) -> list[tuple[str, int]]:
    program = Path(__file__).with_name("kill_writers.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(store.__file__).parents[2])}
    command = [sys.executable, str(program), str(folder), mode, str(kills), str(seed)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [(wrong, acknowledged) for wrong, acknowledged in json.loads(done.stdout)]


def _check(found: list[tuple[str, int]], kills: int) -> None:
    assert [wrong for wrong, _ in found if wrong] == []
    assert len(found) == kills
    assert len({acknowledged for _, acknowledged in found}) > kills / 3, "they were killed at different moments"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_kills_at_any_instant_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    _check(_kills(tmp_path, "honest", 70, 1), 70)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_the_same_kills_find_a_writer_that_lets_rows_wait(tmp_path: Path) -> None:
    found = _kills(tmp_path, "buffered", 8, 1)
    assert sum(bool(wrong) for wrong, _ in found) >= 3


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_a_thousand_kills(tmp_path: Path) -> None:
    _check(_kills(tmp_path, "honest", 1000, 2), 1000)
