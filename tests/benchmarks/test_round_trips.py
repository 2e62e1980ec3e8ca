"""(a) KXCI round trips of our link and driver, in process and over TCP, beside a bare PyVISA query and a raw socket."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pyvisa

from labctl import cards
from labctl.bench import SimBench
from labctl.link import VisaLink
from labctl.station import InstrumentConfig, Station, StationConfig, simulated

QUERIES = 500


@pytest.fixture
def served_port(tmp_path: Path) -> Iterator[int]:
    """The port of ``labctl serve`` in a process of its own."""
    port_file = tmp_path / "port"
    command = "from labctl.cli import main; main()"
    arguments = [
        "serve",
        "--sim",
        "ohmic",
        "--port",
        "0",
        "--seed",
        "1",
        "--port-file",
        str(port_file),
        "--set",
        "second_client=accept",
    ]
    server = subprocess.Popen([sys.executable, "-c", command, *arguments], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (port_file.exists() and port_file.read_text().endswith("\n")) and time.monotonic() < deadline:
        assert server.poll() is None, "labctl serve ended"
        time.sleep(0.05)
    yield int(port_file.read_text())
    server.terminate()
    server.wait()


def repeat(query: Callable[[], object]) -> Callable[[], None]:
    def many() -> None:
        for _ in range(QUERIES):
            query()

    return many


def raw(port: int) -> Callable[[], bytes]:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def query() -> bytes:
        connection.sendall(b"SP\0")
        reply = b""
        while not reply.endswith(b"\0"):
            reply += connection.recv(65536)
        return reply

    return query


def test_over_tcp(served_port: int, compare: Callable[..., dict[str, float]]) -> None:
    resource = f"TCPIP0::127.0.0.1::{served_port}::SOCKET"
    bare = pyvisa.ResourceManager("@py").open_resource(resource)
    bare.read_termination = bare.write_termination = "\0"
    link = VisaLink(resource, visa_library="@py", write_termination="\0", read_termination="\0", timeout=5.0)
    smu = InstrumentConfig(driver="keithley4200", resource=resource, visa_library="@py")
    with Station(StationConfig(name="tcp", instruments={"smu": smu})) as station:
        driver = station.source_meter.driver  # type: ignore[attr-defined]
        ratios = compare(
            "KXCI queries over TCP",
            QUERIES,
            bare_pyvisa_py=repeat(lambda: bare.query("SP")),
            raw_socket=repeat(raw(served_port)),
            our_link=repeat(lambda: link.query("SP")),
            our_driver_status=repeat(lambda: driver.status),
        )
    link.close()
    assert ratios["our_link"] > 0.9, "the link's checks cost more than a bare PyVISA query does"


def test_in_process(compare: Callable[..., dict[str, float]]) -> None:
    bench = SimBench(cards.build("ohmic", 1), seed=1)
    bare = pyvisa.ResourceManager(bench.library).open_resource(bench.resource)
    bare.read_termination = bare.write_termination = "\0"
    with Station(simulated("ohmic"), seed=1) as station:
        meter = station.source_meter
        driver, link = meter.driver, meter.link  # type: ignore[attr-defined]
        ratios = compare(
            "KXCI queries in process",
            QUERIES,
            bare_pyvisa=repeat(lambda: bare.query("SP")),
            instrument_alone=repeat(lambda: bench.instrument.feed(b"SP\0")),
            our_link=repeat(lambda: link.query("SP")),
            our_driver_status=repeat(lambda: driver.status),
        )
    assert ratios["our_link"] > 0.7
