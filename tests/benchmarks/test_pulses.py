"""(h) Pulses per second of the pulse card, end to end, beside as many bare round trips over the same link."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa

from labctl import cards, plugins, runner
from labctl.bench import SimBench, TcpDoor
from labctl.contracts import Measure, Waveform
from labctl.kxci import NUL
from labctl.procedure import Procedure
from labctl.pulses import Shape
from labctl.station import InstrumentConfig, Station, StationConfig, simulated

Compare = Callable[..., dict[str, float]]
Job = Callable[[], object]

TWICE = {"second_client": "accept"}  # the bare client beside ours
PULSES = 60
_number = count()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def recipe(read_with: str, station: Station, folder: Path) -> Job:
    """A pulse and a read, again and again, rows to disk."""
    wishes = {"pulses": PULSES // 2, "prepare": "none", "wait": 0.0, "read_with": read_with}
    procedure = plugins.load("procedures", "potentiation-depression", Procedure)(**wishes)  # type: ignore[type-abstract]

    def job() -> None:
        result = runner.run("potentiation-depression", procedure, station, folder / f"{next(_number)}.h5", seed=1)
        assert (result.state, result.rows) == ("finished", 2 * PULSES + 1)

    return job


def driver(what: str, station: Station) -> Job:
    """Single pulses of the driver: a train of one, or a waveform whose top is measured."""
    train = Shape(2e-5).train([1.0])
    wave = Waveform(np.array([1e-7, 2e-5, 1e-7]), np.array([0.0, 1.0, 1.0, 0.0]), np.array([0, Measure.MEAN, 0]))
    source = station.pulse_source

    def job() -> None:
        for _ in range(PULSES):
            blocks = source.train(train) if what == "train" else source.play(wave)
            assert sum(map(len, blocks)) == 1

    return job


def job_of(what: str, station: Station, folder: Path) -> Job:
    return recipe(what.removeprefix("recipe_"), station, folder) if "recipe" in what else driver(what, station)


Exchange = tuple[float, bytes]


def recorded(bench: SimBench, job: Job, monkeypatch: pytest.MonkeyPatch) -> list[Exchange]:
    """The messages of a job, and when each came on the bench's clock, s from the first."""
    feed, start, log = bench.instrument.feed, bench.clock.now(), list[Exchange]()

    def noting(data: bytes) -> bytes:
        log.append((bench.clock.now() - start, data))
        return feed(data)

    with monkeypatch.context() as patch:
        patch.setattr(bench.instrument, "feed", noting)
        job()
    return log


def played_again(bench: SimBench, log: list[Exchange]) -> Job:
    """The same messages straight into the instrument, at the same times: what its simulation costs."""

    def job() -> None:
        start = bench.clock.now()
        for when, data in log:
            bench.clock.sleep(max(start + when - bench.clock.now(), 0.0))
            bench.instrument.feed(data)

    return job


def repeat(times: int, query: Job) -> Job:
    def job() -> None:
        for _ in range(times):
            query()

    return job


def bare(resource: str, library: Any) -> Any:
    session: Any = pyvisa.ResourceManager(library).open_resource(resource)
    session.read_termination = session.write_termination = "\0"
    return session


WHAT = ("train", "play", "recipe_smu", "recipe_pulse")


@pytest.mark.parametrize("what", WHAT)
def test_pulses_in_process(what: str, folder: Path, compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    with Station(simulated("ohmic"), seed=1) as station:
        bench = station.bench
        assert bench is not None
        job = job_of(what, station, folder)
        log = recorded(bench, job, monkeypatch)
        session, link = bare(bench.resource, bench.library), station.source_meter.link  # type: ignore[attr-defined]
        ratios = compare(
            f"{what} in process, {len(log) / PULSES:.0f} messages a pulse; pulses",
            PULSES,
            bare_pyvisa=repeat(len(log), lambda: session.query("SP")),
            our_link=repeat(len(log), lambda: link.query("SP")),
            instrument_alone=played_again(bench, log),
            labctl=job,
        )
    assert ratios["labctl"] > 0.05, "a pulse costs twenty times the bare round trips it takes"


def raw_query(port: int) -> tuple[socket.socket, Job]:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def query() -> None:
        connection.sendall(b"SP\0")
        reply = b""
        while not reply.endswith(NUL):
            reply += connection.recv(65536)

    return connection, query


@pytest.mark.parametrize("what", WHAT)
def test_pulses_over_tcp(what: str, folder: Path, compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = SimBench(cards.build("ohmic", 1), seed=1, settings=TWICE)
    with TcpDoor(bench.instrument) as door:
        resource = f"TCPIP0::127.0.0.1::{door.port}::SOCKET"
        smu = InstrumentConfig(driver="keithley4200", resource=resource, visa_library="@py")
        session, (connection, query) = bare(resource, "@py"), raw_query(door.port)
        with connection, Station(StationConfig(name="tcp", instruments={"smu": smu}), clock=bench.clock) as station:
            job = job_of(what, station, folder)
            messages = len(recorded(bench, job, monkeypatch))
            link = station.source_meter.link  # type: ignore[attr-defined]
            ratios = compare(
                f"{what} over TCP, {messages / PULSES:.0f} messages a pulse; pulses",
                PULSES,
                rounds=5,
                bare_pyvisa_py=repeat(messages, lambda: session.query("SP")),
                raw_socket=repeat(messages, query),
                our_link=repeat(messages, lambda: link.query("SP")),
                labctl=job,
            )
        session.close()
    assert ratios["labctl"] > 0.07, "a pulse costs fourteen times the bare round trips it takes"
