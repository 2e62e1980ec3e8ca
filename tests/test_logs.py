"""The logs of a run: every message and every note, line by line, whatever happens to the program or the disk."""

import ast
import errno
import gzip
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from commandline import labctl

from labctl import plugins, runner, store
from labctl.contracts import Block, NoRecorder, PulseTrain, Sampling, Sweep
from labctl.errors import ConnectionLost, UsageError
from labctl.link import Line
from labctl.logs import Entry, RunLogs, appender, entries, parts, raw_lines
from labctl.logs.appender import Appender
from labctl.logs.lines import details, escape, parse
from labctl.procedure import Procedure
from labctl.station import Station, simulated

IVSweep = plugins.load("procedures", "iv-sweep", Procedure)  # type: ignore[type-abstract]
DAY = "2026-11-24T09:30:01.250+01:00"


@pytest.fixture
def station() -> Iterator[Station]:
    with Station(simulated("ohmic"), seed=0) as opened:
        yield opened


def run(station: Station, folder: Path, procedure: Any = None, **options: Any) -> runner.Result:
    return runner.run("iv-sweep", procedure or IVSweep(step=0.25), station, folder / "run.h5", **options)


# -- a run --------------------------------------------------------------------------------------------------------------
def test_every_message_of_a_run_is_in_its_wire_log(station: Station, tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    link = station.source_meter.link  # type: ignore[attr-defined]
    inner = link._sink
    link._sink = lambda line: (told.append((line.direction, line.text)), inner(line))[1]
    result = run(station, tmp_path)
    link._sink = inner
    found = list(entries(tmp_path / "run.wire"))
    own = [(entry.direction, entry.text) for entry in found][-len(told) :]
    assert own == [(direction, escape(text)) for direction, text in told]
    assert {entry.name for entry in found} == {"smu"}
    times = [entry.seconds for entry in found]
    assert times == sorted(times)
    assert times[0] <= 0 < times[-1]
    assert any(entry.text == "ID" and entry.seconds <= 0 for entry in found), "who was there is said before the run"
    head = store.read(result.path).header
    assert dict(head.logs) == {"run": "run.log", "wire": "run.wire"}
    with h5py.File(result.path) as file:
        assert file["entry/process/logs/wire"][()] == b"run.wire"


def test_the_log_in_words(station: Station, tmp_path: Path) -> None:
    class Talks(IVSweep):  # type: ignore[misc, valid-type]
        """A sweep that says what it does."""

        def points(self, station: Station) -> Iterator[Block]:
            logging.getLogger("labctl.procedures").info("now %s", "it begins")
            station.recorder.event("formed", {"voltage": 1.25, "how": "ramp"})
            yield from super().points(station)
            raise ConnectionLost("the cable fell out")

    level = logging.getLogger("labctl").level
    result = run(station, tmp_path, Talks(step=0.25), operator="Zoë")
    text = (tmp_path / "run.log").read_text(encoding="utf-8")
    for words in (
        "# labctl log of run ", "operator Zoë", "step 250 mV", "instrument smu: manufacturer",
        "stimulus 1: sweep, levels 9 from 0 V to 1 V, compliance 1 uA", "stimulus 1: done, rows 9",
        "formed: voltage 1.25 V, how ramp", "labctl.procedures: now it begins",
        "error   failed: the cable fell out; 9 rows\n    Traceback", "    labctl.errors.ConnectionLost: the cable fell out",
    ):  # fmt: skip
        assert words in text, words
    assert result.state == "failed"
    assert logging.getLogger("labctl").level == level
    assert not logging.getLogger("labctl").handlers


def test_a_run_without_logs(station: Station, tmp_path: Path) -> None:
    result = run(station, tmp_path, logs=False)
    assert [item.name for item in tmp_path.iterdir()] == ["run.h5"]
    assert store.read(result.path).header.logs == {}
    said = labctl("wire", "run.h5", folder=tmp_path)
    assert (said.returncode, said.stderr) == (2, "labctl: run.h5 was recorded without a wire log\n")


def test_logs_of_an_earlier_run_of_that_name_are_kept(station: Station, tmp_path: Path) -> None:
    (tmp_path / "run.wire.1.gz").write_bytes(b"mine")
    result = run(station, tmp_path)
    assert dict(store.read(result.path).header.logs) == {"run": "run.2.log", "wire": "run.2.wire"}
    assert (tmp_path / "run.wire.1.gz").read_bytes() == b"mine"
    assert list(entries(tmp_path / "run.2.wire"))
    (tmp_path / "run.h5").unlink()
    assert run(station, tmp_path).path.name == "run.h5"
    assert (tmp_path / "run.3.wire").exists()


def full_after(count: int, real: Callable[[int, bytes], int] = os.write) -> Callable[[int, bytes], int]:
    """An os.write that takes `count` calls and then half a line, as a disk that becomes full does."""
    calls: list[int] = []

    def write(fd: int, data: bytes) -> int:
        calls.append(fd)
        if len(calls) <= count:
            return real(fd, data)
        if len(calls) == count + 1:
            return real(fd, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    return write


@pytest.mark.parametrize("when", [0, 1, 7, 40])
def test_a_full_disk_ends_the_logs_and_not_the_run(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int
) -> None:
    class Os:  # only the logs' own os
        write = staticmethod(full_after(when))

        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

    monkeypatch.setattr(appender, "os", Os())
    result = run(station, tmp_path, IVSweep(step=0.02))
    found = store.read(result.path)
    assert (result.state, len(found)) == ("finished", 101)
    failed = [event for event in found.events if event.kind == "log failed"]
    assert {event.details["log"] for event in failed} == {"run", "wire"}
    assert len(failed) == 2
    assert "bytes could be written" in failed[0].details["error"] or "No space left" in failed[0].details["error"]
    for name in ("run.log", "run.wire"):
        assert not (tmp_path / name).exists() or (tmp_path / name).read_bytes()[-1:] in (b"", b"\n")


def test_a_log_that_can_not_be_begun(station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Appender, "_begin", refuse)
    result = run(station, tmp_path)
    assert result.state == "finished"
    assert [event.kind for event in store.read(result.path).events] == ["log failed", "log failed"]


def test_a_detail_without_words_is_trouble_with_the_log_only(tmp_path: Path) -> None:
    class Odd:
        def __str__(self) -> str:
            raise ValueError("no words")

    trouble: list[str] = []
    logs = RunLogs(lambda: 0.0, lambda: DAY, lambda name, error: trouble.append(f"{name}: {error}"))
    logs.open(tmp_path, {"run": "r.log"}, "x")
    for _ in range(2):
        logs.recorder(NoRecorder()).event("x", {"odd": Odd()})
    logs.close()
    assert trouble == ["run: no words"]


# -- what is there after a kill ------------------------------------------------------------------------------------------
KILLED = """
import sys
from pathlib import Path
from labctl import plugins, runner
from labctl.procedure import Procedure
from labctl.station import Station, simulated
kind = plugins.load("procedures", "iv-sweep", Procedure)
def say(block):
    print("row", flush=True)
with Station(simulated("ohmic"), seed=0) as station:
    link = station.source_meter.link
    inner = link._sink
    def sink(line):
        inner(line)
        print(repr((line.direction, line.text)), flush=True)
    link._sink = sink
    print("begin", flush=True)
    runner.run("iv-sweep", kind(step=0.01, cycles=100000), station, Path(sys.argv[1]) / "run.h5")
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_kill_loses_nothing_that_was_said(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said: list[tuple[str, str]] = []
    for line in process.stdout:
        if line.startswith("("):
            said.append(ast.literal_eval(line))
        if len(said) > 150 and (tmp_path / "run.wire").exists():
            process.send_signal(signal.SIGKILL)
            break
    rest = process.stdout.read()
    said += [ast.literal_eval(line) for line in rest.splitlines() if line.startswith("(") and line.endswith(")")]
    process.wait()
    text = (tmp_path / "run.wire").read_bytes()
    assert text.endswith(b"\n")
    found = [(entry.direction, entry.text) for entry in entries(tmp_path / "run.wire")]
    wanted = [(direction, escape(text)) for direction, text in said]
    assert "\n".join(map(str, wanted[-100:])) in "\n".join(map(str, found)), "each was written before it was told"
    shown = labctl("wire", "run.jrn", folder=tmp_path)
    assert shown.returncode == 0
    assert len(shown.stdout.splitlines()) == len(found)
    run_file = store.read(tmp_path / "run.h5")
    assert run_file.state == "died"
    assert (tmp_path / "run.h5").exists()
    assert labctl("wire", "run.h5", folder=tmp_path).stdout == shown.stdout


# -- parts ----------------------------------------------------------------------------------------------------------------
def test_a_log_is_cut_into_compressed_parts_that_read_as_one(tmp_path: Path) -> None:
    log = Appender(tmp_path / "r.wire", "# head\n", part=400)
    wanted = [Entry(k / 8, "09:30:00.000", "smu", "><"[k % 2], f"message {k}") for k in range(100)]
    for entry in wanted:
        log.write(entry.line())
    log.close()
    found = parts(tmp_path / "r.wire")
    assert len(found) > 9
    assert [path.name for path in found[:2]] == ["r.wire.1.gz", "r.wire.2.gz"]
    assert found[-1].name == "r.wire"
    assert all(path.suffix == ".gz" for path in found[:-1])
    assert all(gzip.decompress(path.read_bytes()).startswith(b"# head\n") for path in found[:-1])
    assert list(entries(tmp_path / "r.wire")) == wanted
    assert not list(tmp_path.glob("*~"))


def test_only_so_many_parts_are_kept_if_asked_for(tmp_path: Path) -> None:
    log = Appender(tmp_path / "r.wire", "# head\n", part=100, keep=3)
    for k in range(60):
        log.write(f"{k:.6f} 09:30:00.000 smu > x\n")
    log.close()
    found = [entry.seconds for entry in entries(tmp_path / "r.wire")]
    assert len(parts(tmp_path / "r.wire")) == 4
    assert found == list(map(float, range(60)))[-len(found) :]


def test_parts_that_a_kill_left_half_done(tmp_path: Path) -> None:
    line = "{}.000000 09:30:00.000 smu > x\n"
    (tmp_path / "r.wire.1.gz").write_bytes(gzip.compress(line.format(1).encode() * 2000)[:-40])
    (tmp_path / "r.wire.2").write_text(line.format(2))
    (tmp_path / "r.wire.2.gz").write_bytes(gzip.compress(line.format(2).encode()))
    (tmp_path / "r.wire.3.gz~").write_bytes(b"\x1f\x8b")
    (tmp_path / "r.wire.3").write_text(line.format(3))
    (tmp_path / "r.wire.4.gz").write_bytes(b"not gzip")
    (tmp_path / "r.wire").write_bytes(line.format(5).encode() + b"6.0000")
    found = list(entries(tmp_path / "r.wire"))
    numbers = [entry.seconds for entry in found if entry.direction == ">"]
    assert sorted(set(numbers)) == [1.0, 2.0, 3.0, 5.0]
    assert numbers.count(2.0) == 1
    assert [entry.text.partition(" ")[0] for entry in found if entry.direction == "!"] == ["r.wire.1.gz", "r.wire.4.gz"]


def test_trouble_of_the_thread_that_compresses_is_told_with_the_next_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(appender, "compress", fail)
    log = Appender(tmp_path / "r.wire", "", part=20)
    log.write("0.000000 09:30:00.000 smu > x\n")
    log.write("1.000000 09:30:00.000 smu > x\n")
    assert log._packer is not None
    log._packer.join()
    with pytest.raises(OSError, match="No space"):
        log.write("2.000000 09:30:00.000 smu > x\n")
    log.write("3.000000 09:30:00.000 smu > x\n")
    with pytest.raises(OSError, match="No space"):
        log.close()
    assert [entry.seconds for entry in entries(tmp_path / "r.wire")] == [0.0, 1.0, 3.0]


# -- lines ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text", ["", "DR1", " two  blanks ", "a\nb\r\0", "back\\slash", "\xff\x80", "\x1b[2J", "tab\t", "é漢", "x" * 10**6]
)
def test_any_text_is_one_line_and_comes_back(text: str) -> None:
    line = Entry(-1.5, "09:30:01.250", "smu", "<", escape(text)).line()
    assert line.isascii()
    assert line[:-1].isprintable()
    found = parse(line[:-1])
    assert found is not None
    assert found.text.encode("ascii").decode("unicode_escape") == text
    assert found.seconds == -1.5


def test_a_name_with_blanks_is_one_word(tmp_path: Path) -> None:
    logs = RunLogs(lambda: 2.0, lambda: DAY, lambda name, error: pytest.fail(f"{name}: {error}"), offset=1.0)
    logs.open(tmp_path, {"wire": "r.wire"}, "x")
    logs.wire("my smu", Line(2.5, ">", "DR1"))
    logs.close()
    logs.wire("my smu", Line(2.5, ">", "after the end"))
    assert list(entries(tmp_path / "r.wire")) == [Entry(1.5, "09:30:01.250", "my\\x20smu", ">", "DR1")]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (
            Sweep(np.linspace(-1, 2, 4), 1e-6),
            "levels 4 from -1 V to 2 V, compliance 1 uA, terminal top, constants (bottom 0 V)",
        ),
        (
            Sampling({"top": 0.1, "bottom": 0.0}, 1e-4, 5, 0.02),
            "voltages (top 100 mV, bottom 0 V), compliance 100 uA, count 5",
        ),
        (PulseTrain(np.array([1.5]), 1e-6, 1e-5), "amplitudes 1.5 V, width 1 us, period 10 us, base 0 V, rise 100 ns"),
    ],
)
def test_a_request_in_words(request_: Sweep | Sampling | PulseTrain, words: str) -> None:
    assert details(request_.details()).startswith(words)


def test_there_is_no_such_log(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        list(raw_lines(tmp_path / "nowhere" / "r.wire"))


# -- labctl wire ------------------------------------------------------------------------------------------------------------
def test_labctl_wire_prints_the_conversation(tmp_path: Path) -> None:
    where = ["run", "iv-sweep", "--sim", "ohmic", "--seed", "1", "--set", "step=0.25", "-q", "--out", "r.h5"]
    assert labctl(*where, folder=tmp_path).returncode == 0
    whole = labctl("wire", "r.h5", folder=tmp_path).stdout.splitlines()
    assert any(" smu > ID" in line for line in whole)
    assert any(" smu < " in line for line in whole)
    assert labctl("wire", "r.wire", folder=tmp_path).stdout.splitlines() == whole
    late = labctl("wire", "r.h5", "--since", "10 ms", "--grep", "ME", folder=tmp_path).stdout.splitlines()
    assert late
    assert all(float(line.split()[0]) >= 0.01 and "ME" in line for line in late)
    raw = labctl("wire", "r.h5", "--raw", folder=tmp_path).stdout.splitlines()
    assert raw == [line for line in (tmp_path / "r.wire").read_text().splitlines() if not line.startswith("#")]
    (tmp_path / "r.wire").unlink()
    gone = labctl("wire", "r.h5", folder=tmp_path)
    assert (gone.returncode, gone.stderr) == (2, "labctl: r.wire does not exist, or is no regular file\n")


def test_labctl_wire_reads_a_run_that_is_under_way(station: Station, tmp_path: Path) -> None:
    seen: list[int] = []

    def look(block: Block) -> None:
        for name in ("run.jrn", "run.h5"):
            seen.append(len(labctl("wire", name, folder=tmp_path).stdout.splitlines()))

    run(station, tmp_path, listeners=[look])
    assert seen
    assert min(seen) > 10


def test_labctl_run_first_packs_what_died_in_its_folder(tmp_path: Path) -> None:
    from store_runs import header, writer

    writer(tmp_path, "dead.h5").close()
    held = writer(tmp_path, "held.h5")
    far = store.RunWriter.create(tmp_path / "far.h5", header(holder={"pid": 1, "host": "another", "user": "x"}))
    far.close()
    done = labctl("run", "iv-sweep", "--sim", "ohmic", "--set", "step=0.25", "-q", "--out", "r.h5", folder=tmp_path)
    assert done.returncode == 0
    assert "labctl: an earlier run died: dead.jrn -> dead.h5" in done.stderr
    assert store.read(tmp_path / "dead.h5").state == "died"
    assert sorted(path.name for path in tmp_path.glob("*.jrn")) == ["far.jrn", "held.jrn"]
    assert store.read(tmp_path / "far.h5").state == "died"
    assert (tmp_path / "far.jrn").exists(), "a journal of another machine is read, and left where it is"
    assert store.read(tmp_path / "held.h5").state == "running"
    held.close()


def test_the_logs_cost_little(tmp_path: Path) -> None:
    """A bound with a margin; the figure is in tests/benchmarks."""
    logs = RunLogs(time.monotonic, lambda: DAY, lambda name, error: pytest.fail(str(error)))
    logs.open(tmp_path, {"wire": "r.wire"}, "x")
    begin = time.perf_counter()
    for k in range(2000):
        logs.wire("smu", Line(float(k), ">", "DR1;DV1"))
    took = time.perf_counter() - begin
    logs.close()
    assert took / 2000 < 5e-4
