"""The simulated bench: the in-process VISA library, and the same instrument behind a TCP port."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import pyvisa
from pyvisa.constants import BufferOperation, StatusCode
from sim_helpers import Resistor

from labctl.bench import SimBench, SimVisaLibrary, TcpDoor
from labctl.clocks import VirtualClock
from labctl.errors import TransportError, UsageError

FOUR = "SMUPA1,SMUPA2,SMUPA3,SMUPA4"


# -- in process -------------------------------------------------------------------------------------------------------
def opened(bench: SimBench, **options: Any) -> Any:
    return pyvisa.ResourceManager(bench.library).open_resource(bench.resource, **options)


def nul(bench: SimBench, **options: Any) -> Any:
    return opened(bench, read_termination="\0", write_termination="\0", **options)


def test_a_socket_resource_talks() -> None:
    with nul(SimBench(Resistor())) as link:
        assert link.query("ID") == "KI4200A V1.13.0"
        assert link.query("BC") == "ACK"
        assert link.last_status is StatusCode.success_termination_character_read


def test_replies_queue_up_in_order() -> None:
    with nul(SimBench(Resistor())) as link:
        link.write("ID")
        link.write("BC")
        assert [link.read(), link.read()] == ["KI4200A V1.13.0", "ACK"]


def test_a_read_with_nothing_to_read_times_out_at_once_and_is_charged_to_the_clock() -> None:
    bench = SimBench(Resistor())
    with nul(bench, timeout=20000) as link:
        before = bench.clock.now()
        with pytest.raises(pyvisa.VisaIOError) as failed:
            link.read()
        assert failed.value.error_code is StatusCode.error_timeout
        assert bench.clock.now() - before == pytest.approx(20.0)


def test_without_its_termination_character_a_socket_reply_never_ends() -> None:
    with opened(SimBench(Resistor()), write_termination="\0") as link:
        link.write("ID")
        with pytest.raises(pyvisa.VisaIOError) as failed:
            link.read()
        assert failed.value.error_code is StatusCode.error_timeout


def test_long_replies_come_in_chunks_and_counted_reads_stop() -> None:
    bench = SimBench(Resistor(), message_time=0.0)
    with nul(bench) as link:
        link.chunk_size = 16
        assert link.query("*IDN?") == "KEITHLEY INSTRUMENTS,KI4200A,1442736,V1.13.0"
        link.write("ID")
        assert link.read_bytes(2) == b"KI"
        assert link.read_bytes(100, break_on_termchar=True) == b"4200A V1.13.0\0"


def test_a_late_reply_answers_the_next_question_until_it_is_cleared() -> None:
    with nul(SimBench(Resistor())) as link:
        link.write("ID")
        assert link.query("BC").startswith("KI4200A")
        link.clear()
        assert link.query("SP") == "0"
        link.write("ID")
        link.flush(BufferOperation.discard_read_buffer)
        assert link.query("BC") == "ACK"


def test_closing_disconnects_and_opening_starts_clean() -> None:
    bench = SimBench(Resistor())
    link = nul(bench)
    link.write_raw(b"DE;C")
    link.close()
    with nul(bench) as again:
        assert again.query("ID") == "KI4200A V1.13.0"


def test_gpib_has_end_serial_poll_and_device_clear() -> None:
    bench = SimBench(Resistor(), transport="gpib")
    with opened(bench, read_termination="\n", write_termination="\n") as link:
        assert link.query("ID") == "KI4200A V1.13.0"
        link.write("FOO")
        assert (link.read_stb(), link.read_stb()) == (66, 0)
        link.write("US;DV1,0,1,1e-3;DR1")
        link.query("TV1")
        assert link.stb == 65
        link.clear()
        assert float(link.query("TV1")[3:]) == 0.0
        with pytest.raises(pyvisa.VisaIOError):
            link.read()  # no ACK on GPIB


def test_gpib_without_any_terminator_ends_by_the_end_line() -> None:
    bench = SimBench(Resistor(), transport="gpib", settings={"character": "none"})
    with opened(bench, write_termination="") as link:
        assert link.query("ID") == "KI4200A V1.13.0"
        assert link.last_status is StatusCode.success


def test_a_socket_has_no_serial_poll_and_unknown_things_are_visa_errors() -> None:
    bench = SimBench(Resistor())
    with nul(bench) as link:
        with pytest.raises(pyvisa.VisaIOError) as failed:
            link.read_stb()
        assert failed.value.error_code is StatusCode.error_nonsupported_operation
        with pytest.raises(pyvisa.VisaIOError):
            link.get_visa_attribute(pyvisa.constants.ResourceAttribute.usb_interface_number)
    manager = pyvisa.ResourceManager(bench.library)
    with pytest.raises(pyvisa.VisaIOError) as missing:
        manager.open_resource("TCPIP0::elsewhere::1225::SOCKET")
    assert missing.value.error_code is StatusCode.error_resource_not_found


def test_several_resources_are_several_instruments() -> None:
    clock = VirtualClock()
    first, second = (SimBench(Resistor(r), clock=clock).instrument for r in (1e3, 1e4))
    names = {"GPIB0::17::INSTR": first, "TCPIP0::other::1225::SOCKET": second}
    manager = pyvisa.ResourceManager(SimVisaLibrary.over(names, clock))
    assert manager.list_resources("?*") == tuple(names)
    assert manager.list_resources() == ("GPIB0::17::INSTR",)
    assert "GPIB0::17::INSTR" in manager.list_resources_info()


def test_two_benches_are_two_libraries() -> None:
    one, two = SimBench(Resistor()), SimBench(Resistor(), transport="gpib")
    assert pyvisa.ResourceManager(one.library) is not pyvisa.ResourceManager(two.library)
    assert pyvisa.ResourceManager(one.library).list_resources("?*") == (one.resource,)


def test_an_unknown_instrument_or_transport_is_named() -> None:
    with pytest.raises(UsageError, match="keithley4200"):
        SimBench(Resistor(), instrument="keithley420")
    with pytest.raises(UsageError, match="rs232"):
        SimBench(Resistor(), transport="rs232")  # type: ignore[arg-type]


# -- over TCP ---------------------------------------------------------------------------------------------------------
class Client:
    """A raw socket that speaks NUL-ended messages."""

    def __init__(self, door: TcpDoor) -> None:
        self.socket = socket.create_connection((door.host, door.port), timeout=10)
        self.held = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reply(self) -> str:
        while b"\0" not in self.held:
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("closed")
            self.held += data
        reply, _, self.held = self.held.partition(b"\0")
        return reply.decode("ascii")

    def ask(self, message: str) -> str:
        self.send(message.encode("ascii") + b"\0")
        return self.reply()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()


@pytest.fixture
def door() -> Iterator[TcpDoor]:
    bench = SimBench(Resistor(1e4), settings={"options": FOUR}, message_time=0.05)
    with TcpDoor(bench.instrument) as served:
        yield served


WORKED_SWEEP = """
:ERROR:LAST:CLEAR | BC | *RST | EM 1,0
DE | CH1 | CH2 | CH3 | CH4
CH1, 'V1', 'I1', 1, 3
CH2, 'V2', 'I2', 1, 1
SS | VR1, 1, 5, 0.1, 0.01 | VC1, 0, 100e-3 | HT 0 | DT 0.2 | ST 1, 1 | ST 2, 1 | IT1
SM DM2 | LI 'I1', 'I2','V1','V2'
"""


def test_the_worked_sweep_of_the_vendors_scripts(door: TcpDoor) -> None:
    with Client(door) as client:
        for message in (part.strip() for line in WORKED_SWEEP.strip().splitlines() for part in line.split("|")):
            assert client.ask(message) == "ACK", message
        assert client.ask(":ERROR:LAST:GET") == ""
        assert client.ask("MD") == "ACK"
        assert client.ask("ME1") == "ACK"
        polls = [int(client.ask("SP"))]
        while polls[-1] not in (0, 1):
            polls.append(int(client.ask("SP")))
        assert set(polls[:-1]) == {16}
        assert polls[-1] == 1
        readings = client.ask("DO 'I2'").split(",")
        assert len(readings) == 41
        assert readings[0] == "N 100.00E-06"
        assert [float(text[1:]) for text in readings] == pytest.approx([(1 + 0.1 * k) / 1e4 for k in range(41)])
        one_by_one = []
        while (text := client.ask(f"RD 'I2', {len(one_by_one) + 1}")) != "0":
            one_by_one.append(float(text))
        assert one_by_one == [float(text[1:]) for text in readings]
        assert [client.ask(part) for part in ("DE", "CH1", "CH2")] == ["ACK"] * 3
        assert client.ask(":ERROR:LAST:GET") == ""


def test_half_messages_and_several_at_once(door: TcpDoor) -> None:
    with Client(door) as client:
        for piece in (b"I", b"D", b"\0B"):
            client.send(piece)
        assert client.reply() == "KI4200A V1.13.0"
        client.send(b"C\0SP\0ID\0")
        assert [client.reply(), client.reply(), client.reply()] == ["ACK", "0", "KI4200A V1.13.0"]


def test_disconnecting_in_the_middle_of_a_message_leaves_nothing_behind(door: TcpDoor) -> None:
    with Client(door) as client:
        client.ask("ID")
        client.send(b"DE;CH1,'V")
    for _ in range(2):
        with Client(door) as again:
            assert again.ask("ID") == "KI4200A V1.13.0"


def test_a_second_client_is_refused(door: TcpDoor) -> None:
    with Client(door) as first:
        first.ask("ID")
        with Client(door) as second, pytest.raises((ConnectionError, OSError)):
            second.ask("ID")
        assert first.ask("ID") == "KI4200A V1.13.0"


def test_a_second_client_may_be_accepted_and_messages_do_not_mix() -> None:
    bench = SimBench(Resistor(), settings={"second_client": "accept"})
    with TcpDoor(bench.instrument) as door, Client(door) as first, Client(door) as second:
        first.send(b"*ID")
        assert second.ask("ID") == "KI4200A V1.13.0"
        first.send(b"N?\0")
        assert first.reply().startswith("KEITHLEY")


def test_a_client_that_reads_nothing_gets_everything_in_the_end(door: TcpDoor) -> None:
    count = 20000
    with Client(door) as client:
        client.socket.settimeout(30)
        sent = b"*IDN?\0" * count
        client.socket.setblocking(False)
        received = at = 0
        while at < len(sent):  # fill every buffer first, then read
            try:
                at += client.socket.send(sent[at : at + 65536])
            except BlockingIOError:
                break
        client.socket.setblocking(True)
        complete = at // 6
        while received < complete:
            received += client.socket.recv(1 << 20).count(b"\0")
        assert received == complete


def test_a_client_that_never_ends_its_message_is_dropped(door: TcpDoor) -> None:
    with Client(door) as client, pytest.raises(OSError):
        client.ask("x" * (1 << 24))
    with Client(door) as again:
        assert again.ask("ID") == "KI4200A V1.13.0"


def test_a_port_that_is_taken_is_a_transport_error(door: TcpDoor) -> None:
    with pytest.raises(TransportError, match=str(door.port)):
        TcpDoor(door.instrument, port=door.port).start()


def test_the_door_tells_what_broke_inside() -> None:
    class Broken(Resistor):
        def advance(self, drive: Any, duration: float) -> Any:
            raise ArithmeticError("diverged")

    door = TcpDoor(SimBench(Broken()).instrument).start()
    with Client(door) as client, pytest.raises((ConnectionError, OSError)):
        client.ask("US;TI1")
    with pytest.raises(ArithmeticError, match="diverged"):
        door.stop()


def test_stop_closes_connections_and_frees_the_port() -> None:
    bench = SimBench(Resistor())
    door = TcpDoor(bench.instrument).start()
    with Client(door) as client:
        client.ask("ID")
        door.stop()
        assert client.socket.recv(10) == b""
    with pytest.raises(OSError):
        socket.create_connection((door.host, door.port), timeout=1)
