"""What can go wrong between driver and instrument: the run ends as failed, keeps its rows, and the outputs are seen to."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from labctl import cards, plugins, runner, store
from labctl.bench import SimBench, TcpDoor
from labctl.clocks import VirtualClock
from labctl.contracts import Block, FarSide
from labctl.procedure import Procedure
from labctl.station import InstrumentConfig, Station, StationConfig

IVSweep = plugins.load("procedures", "iv-sweep", Procedure)  # type: ignore[type-abstract]
TIMEOUT = 0.25  # s of the wall's, of every reply


class Faulty(FarSide):
    """Passes everything on to a simulated instrument until `fault` is set: then it is silent, or answers nonsense."""

    def __init__(self, inner: FarSide) -> None:
        self.inner = inner
        self.fault = ""
        self.heard: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        self.heard.append(data)
        if self.fault == "silent":
            return b""
        reply = self.inner.feed(data)
        if self.fault == "garbage" and reply and reply != b"ACK\0":
            return b"\xff\x00\xfe??,N nan,\0"
        return reply

    def serial_poll(self) -> int:
        return self.inner.serial_poll()

    def disconnect(self) -> None:
        self.inner.disconnect()


@pytest.fixture
def far_side() -> Iterator[tuple[Faulty, TcpDoor]]:
    bench = SimBench(cards.build("ohmic", 1), seed=1, settings={"message_time": 0.02}, clock=VirtualClock())
    faulty = Faulty(bench.instrument)
    with TcpDoor(faulty) as door:
        yield faulty, door


def run_over_tcp(door: TcpDoor, path: Path, on_block: object, cycles: int = 3) -> tuple[runner.Result, store.Run]:
    resource = f"TCPIP0::127.0.0.1::{door.port}::SOCKET"
    smu = InstrumentConfig(driver="keithley4200", resource=resource, visa_library="@py", timeout=TIMEOUT)
    station = Station(StationConfig(name="tcp", instruments={"smu": smu}), clock=VirtualClock())
    try:
        procedure = IVSweep(step=0.05, cycles=cycles)
        result = runner.run("iv-sweep", procedure, station, path, listeners=[on_block])  # type: ignore[list-item]
    finally:
        station.close()
    return result, store.read(result.path)


def check(run: store.Run, result: runner.Result) -> None:
    assert (result.state, run.state) == ("failed", "failed")
    assert run.reason
    assert len(run) > 0
    np.testing.assert_allclose(run["current"], np.minimum(run["level"] / 1e6, 1e-6), rtol=0.02, atol=1e-9)
    assert len({(c, t) for c, t in zip(run["cycle"], run["time"], strict=True)}) == len(run), "no row twice"


def test_a_whole_run_over_tcp(far_side: tuple[Faulty, TcpDoor], tmp_path: Path) -> None:
    result, run = run_over_tcp(far_side[1], tmp_path / "r.h5", lambda block: None, cycles=1)
    assert (result.state, result.safe, len(run)) == ("finished", True, 41)


def test_the_peer_is_gone_in_mid_sweep(far_side: tuple[Faulty, TcpDoor], tmp_path: Path) -> None:
    _, door = far_side
    result, run = run_over_tcp(door, tmp_path / "r.h5", lambda block: block.provisional and door.stop())
    check(run, result)
    assert not result.safe
    assert "outputs may still be on" in run.reason


@pytest.mark.parametrize("when", ["live", "after the first sweep"])
def test_an_instrument_that_hangs(far_side: tuple[Faulty, TcpDoor], tmp_path: Path, when: str) -> None:
    faulty, door = far_side

    def hang(block: Block) -> None:
        if block.provisional == (when == "live"):
            faulty.fault = "silent"

    result, run = run_over_tcp(door, tmp_path / "r.h5", hang)
    check(run, result)
    assert not result.safe
    asked, told = b"".join(faulty.heard).rsplit(b"ID\0", 1)
    assert asked, "it was asked again on a new connection"
    assert told.startswith(b"ME4\0"), "and, as it did not answer, told to stop and to switch off all the same"
    assert b"DV1;DV2" in told


def test_an_instrument_that_talks_nonsense_for_a_while(far_side: tuple[Faulty, TcpDoor], tmp_path: Path) -> None:
    faulty, door = far_side
    before: list[int] = []

    def confuse(block: Block) -> None:
        if block.provisional:
            before.append(len(faulty.heard))
            faulty.fault = "garbage"
            threading.Timer(2 * TIMEOUT, lambda: setattr(faulty, "fault", "")).start()

    result, run = run_over_tcp(door, tmp_path / "r.h5", confuse)
    check(run, result)
    assert b"DV1" in b"".join(faulty.heard[before[0] :]), "the outputs were told to go off"
    assert not result.safe, "and nobody can know whether it listened"


def test_a_bench_that_is_not_there(far_side: tuple[Faulty, TcpDoor], tmp_path: Path) -> None:
    _, door = far_side
    port = door.port
    door.stop()
    with pytest.raises(Exception, match=str(port)):
        run_over_tcp(door, tmp_path / "r.h5", lambda block: None)
    assert not list(tmp_path.iterdir())
