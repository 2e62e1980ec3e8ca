"""The store when things go wrong: torn and damaged journals, a full disk, and SIGKILL."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from store_runs import Ticks, block, header, record, size, use, ways, writer

from labctl import store
from labctl.contracts import Block
from labctl.quantities import Column
from labctl.store import PlotSpec, RunWriter, StoreError, files, frames, read


@pytest.fixture(**ways())
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way of writing a journal in turn."""
    use(request.param, monkeypatch)
    return str(request.param)


def _small(folder: Path) -> tuple[Path, int, int]:
    """A journal of a short run with an end; (path, bytes of preamble and header, number of rows)."""
    plain = header(columns=(Column("x"),), plot=PlotSpec("x"), parameters={}, instruments={}, limits=(), notes="")
    run = RunWriter.create(folder / "run.h5", plain, clock=Ticks())
    journal = folder / "run.jrn"
    start = size(run)
    for row in range(4):
        run.append(Block({"x": np.array([float(row)])}))
        run.event("row", {"number": row})
    run.close()
    return journal, start, 4


@pytest.mark.usefixtures("way")
def test_a_journal_cut_anywhere_reads_as_a_prefix(tmp_path: Path) -> None:
    journal, start, rows = _small(tmp_path)
    whole = journal.read_bytes()
    lengths = set()
    for cut in range(start, len(whole) + 1):
        journal.write_bytes(whole[:cut])
        found = read(journal)
        assert found["x"].tolist() == [float(row) for row in range(len(found))]
        assert found.ending.recovered_bytes + found.ending.lost_bytes == cut
        assert found.state == "died"
        lengths.add(len(found))
    assert lengths == set(range(rows + 1))


def test_a_journal_cut_before_its_header_ends_holds_nothing(tmp_path: Path) -> None:
    journal, start, _ = _small(tmp_path)
    whole = journal.read_bytes()
    for cut in range(start):
        journal.write_bytes(whole[:cut])
        with pytest.raises(StoreError, match=r"header|neither|empty"):
            read(journal)
        with pytest.raises(StoreError, match=r"header|not a journal" if cut else "held nothing"):
            store.recover(journal)
        assert journal.exists() == (cut > 0), "an empty one is removed: it would block its name"
        assert not (tmp_path / "run.h5~").exists()


def test_a_flipped_bit_anywhere_is_noticed(tmp_path: Path) -> None:
    journal, start, rows = _small(tmp_path)
    whole = bytearray(journal.read_bytes())
    for place in range(start, len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        journal.write_bytes(damaged)
        found = read(journal)
        assert found.ending.lost_bytes > 0
        assert f"{found.ending.lost_bytes} bytes after it are lost" in found.reason
        assert len(found) <= rows
        assert found["x"].tolist() == [float(row) for row in range(len(found))]
    for place in range(start):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        journal.write_bytes(damaged)
        if not 16 <= place < 32:  # the heartbeat, and the reserved bytes of the preamble
            with pytest.raises(StoreError):
                read(journal)


def test_recovery_counts_what_is_lost_and_keeps_the_damaged_journal(tmp_path: Path) -> None:
    journal, start, _ = _small(tmp_path)
    damaged = bytearray(journal.read_bytes())
    damaged[(start + len(damaged)) // 2] ^= 0xFF
    journal.write_bytes(damaged)
    found = read(store.recover(journal))
    assert found.state == "died"
    assert found.ending.recovered_bytes + found.ending.lost_bytes == len(damaged)
    assert 0 < len(found) < 4
    assert (tmp_path / "run.jrn.damaged").read_bytes() == bytes(damaged)
    assert store.orphans(tmp_path) == []


def test_recovery_of_a_run_that_ended_but_was_not_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = writer(tmp_path)
    record(run)
    with monkeypatch.context() as patch:
        patch.setattr(files, "rename_new", _raise(OSError(errno.EIO, "Input/output error")))
        with pytest.raises(StoreError, match=r"Input/output error.*safe in .*run\.jrn"):
            run.finish("aborted", "by hand")
    assert [item.name for item in tmp_path.iterdir()] == ["run.jrn"]
    found = read(store.recover(tmp_path / "run.jrn"))
    assert (found.state, found.reason, len(found)) == ("aborted", "by hand", 13)


def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    journal, _, _ = _small(tmp_path)
    data = bytearray(journal.read_bytes())
    data[8] = 3
    journal.write_bytes(data)
    with pytest.raises(StoreError, match=r"journal format 3.*update labctl"):
        read(journal)


# -- the disk refuses -------------------------------------------------------------------------------------------------
def _raise(error: BaseException) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise error

    return fail


_MANY = 60  # rows of a frame that is written by the system in every way (mapped.py: above 2048 bytes)


def _after(writes: int, then: BaseException, piece: int = 0) -> Callable[[int, memoryview, int], int]:
    """A files.write_at that works `writes` times, then takes `piece` bytes once, then raises."""
    real, left = files.write_at, [writes, piece]

    def write(fd: int, data: memoryview, at: int) -> int:
        if left[0] > 0:
            left[0] -= 1
            return real(fd, data, at)
        if left[1]:
            taken, left[1] = left[1], 0
            return real(fd, data[:taken], at)
        raise then

    return write


def _calls(way: str) -> int:
    """Writes of the system for one large frame: in mapped files its tag comes by itself, last."""
    return 2 if way == "mapped" else 1


def _first(run: store.Run) -> list[int]:
    """The first rows of the blocks of _MANY rows that are there."""
    times = run["time"].tolist()
    assert times == [float(first + row) for first in times[::_MANY] for row in range(_MANY)]
    return [int(first) // _MANY for first in times[::_MANY]]


@pytest.mark.parametrize("piece", [0, 1, 23, 50])
def test_a_full_disk_keeps_the_rows_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, piece: int
) -> None:
    run = writer(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(
            files, "write_at", _after(3 * _calls(way), OSError(errno.ENOSPC, "No space left on device"), piece)
        )
        for number in range(3):
            run.append(block(_MANY * number, _MANY))
        with pytest.raises(
            StoreError, match=r"No space left on device; what was recorded before is safe.*free some space"
        ):
            run.append(block(3 * _MANY, _MANY))
        with pytest.raises(StoreError, match="No space left"):
            run.stimulus("sweep", {"levels": np.zeros(600)})
    run.append(block(3 * _MANY, _MANY))  # space again: the run can go on
    assert run.stimulus("sweep", {}) == 2  # 1 may be on the disk in part
    found = read(run.finish("failed", "disk full"))
    assert (_first(found), found.ending.lost_bytes) == ([0, 1, 2, 3], 0)


def test_an_interrupt_within_a_write_leaves_no_half_frame_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    run = writer(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_at", _after(_calls(way), KeyboardInterrupt(), piece=30))
        run.append(block(0, _MANY))
        with pytest.raises(KeyboardInterrupt):
            run.append(block(_MANY, _MANY))
    whole = (tmp_path / "run.jrn").read_bytes()
    (tmp_path / "copy.jrn").write_bytes(whole)
    copied = read(tmp_path / "copy.jrn")
    assert (_first(copied), copied.ending.lost_bytes > 0) == ([0], way != "mapped"), "without its tag it is no frame"
    found = read(run.finish("aborted", "Ctrl-C"))
    assert (_first(found), found.state, found.ending.lost_bytes) == ([0], "aborted", 0)


@pytest.mark.usefixtures("way")
def test_a_piece_that_cannot_be_cut_off_is_skipped_by_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = writer(tmp_path)
    run.append(block(0, _MANY))
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_at", _after(0, OSError(errno.EIO, "Input/output error"), piece=30))
        patch.setattr(os, "ftruncate", _raise(OSError(errno.EIO, "Input/output error")))
        with pytest.raises(StoreError, match="recorded before is safe in it, followed by a piece of a frame"):
            run.append(block(_MANY, _MANY))
        with pytest.raises(StoreError, match="can't be cut back"):
            run.append(block(1, 1))
    assert _first(read(tmp_path / "run.jrn")) == [0]
    run.append(block(_MANY, _MANY))
    assert _first(read(run.finish("finished"))) == [0, 1]


@pytest.mark.usefixtures("way")
def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = files.write_at
    run = writer(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_at", lambda fd, data, at: real(fd, data[:7], at))
        record(run)
        run.append(block(13, _MANY))
    assert len(read(run.finish("finished"))) == 9 + _MANY


@pytest.mark.usefixtures("way")
def test_a_write_that_takes_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = writer(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_at", lambda fd, data, at: 0)
        with pytest.raises(StoreError, match="takes no more bytes"):
            run.append(block(0, _MANY))
    run.close()


@pytest.mark.parametrize("call", ["write_at", "take_room", "sync_data", "sync_folder"])
def test_a_run_that_cannot_start_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, call: str
) -> None:
    if call == "take_room" and way == "plain":
        pytest.skip("no space is taken ahead")
    with monkeypatch.context() as patch:
        patch.setattr(files, call, _raise(OSError(errno.ENOSPC, "No space left on device")))
        with pytest.raises(StoreError, match="No space left"):
            writer(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_sync_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = writer(tmp_path, sync_interval=0.0)
    with monkeypatch.context() as patch:
        patch.setattr(
            os, "fdatasync" if hasattr(os, "fdatasync") else "fsync", _raise(OSError(errno.EIO, "Input/output error"))
        )
        with pytest.raises(StoreError, match="synced"):
            run.append(block(0, 1))
    run.close()


_FULL = """
import resource, signal, sys
from pathlib import Path
from store_runs import block, writer
from labctl.store import StoreError, read, recover
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
run = writer(folder)
run.append(block(0, 1000))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
try:
    run.finish("finished")
except StoreError as error:
    assert "safe in" in str(error), error
else:
    raise SystemExit("the limit was not felt")
assert [item.name for item in folder.iterdir()] == ["run.jrn"]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert len(read(recover(folder / "run.jrn"))) == 1000
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files (POSIX)")
def test_no_space_for_the_run_file_neither_crashes_nor_loses(tmp_path: Path) -> None:
    """HDF5 itself would end the process here with a segmentation fault (see labctl/store/sink.py)."""
    run = writer(tmp_path, "sizes.h5")
    run.append(block(0, 1000))
    journal = size(run)
    needed = run.finish("finished").stat().st_size
    assert needed > journal + 10_000
    for number, limit in enumerate(np.linspace(journal + 500, needed - 1, 4).astype(int)):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = _child(_FULL, str(folder), str(limit))
        assert done.wait() == 0, limit


#: Packs a journal with room for 0, 1, 2 ... pages, each time in a child, until there is room for all; prints how many children
#: died by a signal, ended with an OSError, and succeeded.
_PAGES = """
import errno, os, sys, threading
from pathlib import Path
from labctl.store import pack, sink

class Disk:
    def __init__(self, file, room):
        self.file, self.room, self.pages = file, room, set()
    def __getattr__(self, name):
        return getattr(self.file, name)
    def __enter__(self):
        return self
    def __exit__(self, *error):
        self.file.close()
    def write(self, data):
        place, done = self.file.tell(), 0
        while done < len(data):
            page = (place + done) // 4096
            if page not in self.pages and len(self.pages) >= self.room:
                break
            self.pages.add(page)
            done = min(len(data), (page + 1) * 4096 - place)
        if not done:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(data[:done])

begin, journal, counts, room = sink.Sink.__init__, Path(sys.argv[1]), {"signal": 0, "error": 0, "whole": 0}, 0
while not counts["whole"]:
    child = os.fork()
    if child == 0:
        def limited(self, path, stop):
            begin(self, path, stop)
            self._file = Disk(self._file, room)
        sink.Sink.__init__ = limited
        try:
            with journal.open("rb") as source:
                pack.pack(source, journal, journal.with_suffix(".h5~"), threading.Event())
        except OSError:
            os._exit(1)
        except BaseException:
            os._exit(2)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    bad = os.WIFSIGNALED(status) or os.WEXITSTATUS(status) > 1
    counts["signal" if bad else "error" if os.WEXITSTATUS(status) else "whole"] += 1
    room += 1
print(counts["signal"], counts["error"], counts["whole"])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_disk_that_is_full_at_any_page_of_a_run_file_is_an_error_and_no_crash(tmp_path: Path) -> None:
    """The library reads what it wrote: zeros in the place of its own structures let it crash, too."""
    run = writer(tmp_path)
    for number in range(14):
        note = run.stimulus("sweep", {"levels": [0.01 * step for step in range(200)], "number": number})
        run.append(block(200 * number, 200))
        run.outcome(note, "done", {"rows": 200})
    run.event("remark", {"text": "x" * 50})
    run.close()
    said, _ = _child(_PAGES, str(tmp_path / "run.jrn")).communicate(timeout=50)
    signals, errors, whole = map(int, said.split())
    assert (signals, whole) == (0, 1)
    assert errors > 20


# -- SIGKILL ----------------------------------------------------------------------------------------------------------
def _child(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    paths = [str(Path(store.__file__).parents[2]), str(Path(__file__).parent)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, env=environment)


#: Writes blocks of 3 rows and acknowledges each with one byte; after the last it packs. `mode`: "honest", or "buffered"
#: for the negative control, in which frames wait in the process as they would in a buffered file.
_WRITER = """
import os, sys
from pathlib import Path
from store_runs import block, writer
import labctl.store.pack  # h5py loads now, so that a late kill meets the packing itself
folder, mode, blocks = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
run = writer(folder, sync_interval=float("inf"))  # syncs are for power cuts, and would take most of the time
real, kept = os.write, []
if mode == "buffered":
    run._out.frame = lambda *frame: kept.append(frame)
for number in range(blocks):
    run.append(block(3 * number, 3, provisional=number % 2 == 1))
    run.stimulus("next", {"number": number})
    real(1, b".")
real(1, b"p")
run.finish("finished")
real(1, b"f")
"""


def _killed(folder: Path, mode: str, blocks: int, kill_after: int) -> bytes:
    """Kill the writer once `kill_after` bytes of acknowledgement are here; returns all it managed to say."""
    folder.mkdir()
    child = _child(_WRITER, str(folder), mode, str(blocks))
    assert child.stdout is not None
    with child, child.stdout as pipe:
        said = pipe.read(kill_after)
        child.send_signal(signal.SIGKILL)
        return said + pipe.read()


def _recovered(folder: Path) -> store.Run:
    journals = store.orphans(folder)
    return read(store.recover(journals[0]) if journals else folder / "run.h5")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_sigkill_loses_no_acknowledged_row(tmp_path: Path) -> None:
    for number, kill_after in enumerate([1, 100, 500, 701, 701]):  # the last ones while it packs
        said = _killed(tmp_path / str(number), "honest", 700, kill_after)
        found = _recovered(tmp_path / str(number))
        acknowledged = said.count(b".")
        assert acknowledged >= min(kill_after, 700)
        assert len(found) >= 3 * acknowledged
        assert found["time"].tolist() == list(range(len(found)))
        assert len(found.stimuli) >= acknowledged
        assert store.orphans(tmp_path / str(number)) == []


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_the_kill_test_would_notice_rows_kept_in_the_process(tmp_path: Path) -> None:
    said = _killed(tmp_path / "control", "buffered", 10_000, 100)
    assert len(_recovered(tmp_path / "control")) < 3 * said.count(b".")


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_half_written_run_file_is_replaced_on_recovery(tmp_path: Path) -> None:
    run = writer(tmp_path)
    record(run)
    run.close()
    shutil.copy(tmp_path / "run.jrn", tmp_path / "run.h5~")
    assert len(read(store.recover(tmp_path / "run.jrn"))) == 13
    assert [item.name for item in tmp_path.iterdir()] == ["run.h5"]


def test_a_note_that_is_no_note_is_one_clear_error(tmp_path: Path) -> None:
    run = writer(tmp_path)
    record(run)
    run._note(frames.OUTCOME, id=99, outcome="done", row=0, details=None)
    run.close()
    for look in (read, store.recover):
        with pytest.raises(StoreError, match="can't be understood"):
            look(tmp_path / "run.jrn")


def test_what_is_no_journal_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "folder.jrn").mkdir()
    with pytest.raises(StoreError, match="it is a folder"):
        store.recover(tmp_path / "folder.jrn")
    with pytest.raises(StoreError, match="can't be opened"):
        store.recover(tmp_path / "nothing.jrn")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal sent to one's own process")
def test_ctrl_c_while_the_file_is_made_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = writer(tmp_path)
    record(run)
    rename = files.rename_new

    def interrupted(source: Path, target: Path) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        rename(source, target)

    monkeypatch.setattr(files, "rename_new", interrupted)
    assert read(run.finish("finished")).state == "finished"
    assert [item.name for item in tmp_path.iterdir()] == ["run.h5"]
