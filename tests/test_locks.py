"""Two programs on one instrument: the second is told who is first; a dead one's lock is nobody's."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import labctl

from labctl import cards, locks
from labctl.bench import SimBench, TcpDoor
from labctl.cli import doctor
from labctl.clocks import VirtualClock
from labctl.errors import UsageError
from labctl.link import canonical
from labctl.station import InstrumentConfig, Station, StationConfig, simulated

ANNA = {
    "pid": 4711,
    "user": "anna",
    "host": "bench-2",
    "since": "2026-11-24T09:30:01.500+01:00",
    "command": "labctl run x",
}
NAME = "GPIB0::17::INSTR"
HOLD = """
import sys
from labctl import locks
lock = locks.take(sys.argv[1], {"pid": 4711, "user": "anna", "host": "bench-2", "since": "2026-11-24T09:30", "command": "c"})
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(locks.VARIABLE, str(tmp_path / "locks"))
    return tmp_path / "locks"


def test_the_second_is_told_who_is_first(folder: Path) -> None:
    lock = locks.take(NAME, ANNA)
    assert lock.inherited is None
    with pytest.raises(locks.InUse) as caught:
        locks.take(NAME, ANNA)
    assert str(caught.value) == (
        "GPIB0::17::INSTR is in use by pid 4711 (anna on bench-2) since 2026-11-24 09:30: labctl run x; end that first"
    )
    assert locks.holder_of(NAME) == "pid 4711 (anna on bench-2) since 2026-11-24 09:30: labctl run x"
    locks.take("GPIB0::18::INSTR", ANNA).release()
    lock.release()
    lock.release()
    assert locks.holder_of(NAME) is None
    again = locks.take(NAME, ANNA)
    assert again.inherited is None
    again.release()


@pytest.fixture
def other_program(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, NAME], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_program_that_is_killed_leaves_nothing_in_the_way(other_program: subprocess.Popen[str]) -> None:
    with pytest.raises(locks.InUse, match=r"anna on bench-2"):
        locks.take(NAME, ANNA)
    other_program.kill()
    other_program.wait()
    assert locks.holder_of(NAME) is None
    lock = locks.take(NAME, ANNA)
    assert lock.inherited == "pid 4711 (anna on bench-2) since 2026-11-24 09:30: c"
    lock.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_does_not_keep_its_parents_lock() -> None:
    lock = locks.take(NAME, ANNA)
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    assert locks.holder_of(NAME) is not None, "the child has not let go of what is its parent's"
    lock.release()
    assert locks.holder_of(NAME) is None
    os.write(go[1], b"x")
    os.waitpid(child, 0)


@pytest.mark.parametrize(
    "text", [b"", b"\xff\x00", b"[]", b'{"pid": 1}', b"[" * 5000, b'{"pid":"\\u001b[2J"}', b"x" * 100_000]
)
def test_whatever_is_in_the_file(folder: Path, text: bytes) -> None:
    lock = locks.take(NAME, ANNA)
    lock.path.write_bytes(text)
    with pytest.raises(locks.InUse, match="in use by a program that has not said its name"):
        locks.take(NAME, ANNA)
    lock.release()


def test_what_a_holder_says_moves_no_cursor() -> None:
    lock = locks.take(NAME, {**ANNA, "command": "\x1b[2J\nlabctl", "user": "\x07"})
    assert (locks.holder_of(NAME) or "").isprintable()
    lock.release()


def test_a_lock_file_that_was_cleaned_away_is_made_again(folder: Path) -> None:
    lock = locks.take(NAME, ANNA)
    lock.path.unlink()
    second = locks.take(NAME, ANNA)  # nothing can be known of a file that is gone
    assert second.path.exists()
    lock.release()
    second.release()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_or_folder_in_the_locks_place_is_refused(folder: Path, tmp_path: Path) -> None:
    lock = locks.take(NAME, ANNA)
    lock.release()
    (tmp_path / "precious").write_text("mine")
    lock.path.unlink()
    lock.path.symlink_to(tmp_path / "precious")
    with pytest.raises(UsageError, match=locks.VARIABLE):
        locks.take(NAME, ANNA)
    assert (tmp_path / "precious").read_text() == "mine"
    lock.path.unlink()
    lock.path.mkdir()
    with pytest.raises(UsageError, match=locks.VARIABLE):
        locks.take(NAME, ANNA)


def test_every_user_may_lock_and_no_umask_prevents_it(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        lock = locks.take(NAME, ANNA)
    finally:
        os.umask(before)
    if os.name != "nt":
        assert (folder.stat().st_mode & 0o7777, lock.path.stat().st_mode & 0o777) == (0o1777, 0o666)
    lock.release()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("gpib::17", "GPIB0::17::INSTR"),
        (" GPIB0::17::instr", "GPIB0::17::INSTR"),
        ("tcpip::Bench::1225::SOCKET", "TCPIP0::BENCH::1225::SOCKET"),
        ("nonsense ", "NONSENSE"),
        ("GPIB0::17::0::INSTR", "GPIB0::17::INSTR"),
        ("TCPIP::localhost::01225::SOCKET", "TCPIP0::127.0.0.1::1225::SOCKET"),
    ],
)
def test_one_instrument_has_one_name(written: str, name: str) -> None:
    assert canonical(written) == name


# -- stations -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def bench() -> Iterator[StationConfig]:
    made = SimBench(cards.build("ohmic", 1), seed=1, clock=VirtualClock())
    with TcpDoor(made.instrument) as door:
        resource = f"tcpip::127.0.0.1::{door.port}::SOCKET"
        smu = InstrumentConfig(driver="keithley4200", resource=resource, visa_library="@py", timeout=2.0)
        yield StationConfig(name="tcp", instruments={"smu": smu})


def test_a_station_holds_its_instruments_till_it_is_closed(bench: StationConfig) -> None:
    with Station(bench):
        with pytest.raises(locks.InUse, match=rf"TCPIP0::127\.0\.0\.1::\d+::SOCKET is in use by pid {os.getpid()} \("):
            Station(bench)
        assert locks.holder_of(canonical(bench.instruments["smu"].resource)) is not None, (
            "the refused one took nothing away"
        )
    with Station(bench) as again:
        assert again.source_meter.identity()["model"]


def test_a_station_that_can_not_be_opened_lets_go(bench: StationConfig) -> None:
    nobody = bench.instruments["smu"].model_copy(update={"resource": "TCPIP0::127.0.0.1::1::SOCKET"})
    config = StationConfig(name="x", instruments={"a": bench.instruments["smu"], "b": nobody})
    with pytest.raises(Exception, match="::1::SOCKET"):
        Station(config)
    for name in ("a", "b"):
        assert locks.holder_of(canonical(config.instruments[name].resource)) is None


def test_a_simulated_bench_in_this_process_needs_no_lock(folder: Path) -> None:
    with Station(simulated("ohmic"), seed=0), Station(simulated("ohmic"), seed=0):
        assert not folder.exists()


def test_doctor_and_run_say_who_has_the_bench(bench: StationConfig, tmp_path: Path) -> None:
    smu = bench.instruments["smu"]
    settings = f"driver: keithley4200, resource: '{smu.resource}', visa_library: '@py', timeout: 2 s"
    text = f"name: tcp\ninstruments:\n  smu: {{{settings}}}\n"
    (tmp_path / "bench.yaml").write_text(text)
    with Station(bench):
        with pytest.raises(locks.InUse, match=rf"is in use by pid {os.getpid()} \("):
            doctor._bench(tmp_path / "bench.yaml")  # one of its checks; each that raises is printed as BAD
        done = labctl("run", "iv-sweep", "--station", "bench.yaml", folder=tmp_path)
        assert done.returncode == 2
        assert f"is in use by pid {os.getpid()} (" in done.stderr
        assert done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("runs/*"))
