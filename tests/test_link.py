"""The link over real sockets on loopback, against peers that misbehave; and over VISA libraries without a socket."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from pymeasure.instruments import Instrument
from pyvisa import constants
from pyvisa.constants import ResourceAttribute, StatusCode
from pyvisa.errors import VisaIOError
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.util import LibraryPath

from labctl.clocks import VirtualClock
from labctl.errors import ConnectionLost, LinkTimeout, RemoteProtocolError, TransportError, UsageError
from labctl.link import Line, VisaLink, _socket_of
from labctl.link_adapter import LinkAdapter
from labctl.stream import Stream

SHORT = 0.2  # s; time-outs that are meant to happen

Talk = Callable[[socket.socket, bytes], object]


class Peer:
    """A server on a free port that hands every NUL-ended message of a client to `talk`, in threads."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.clients: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.resource = f"TCPIP0::127.0.0.1::{self.listener.getsockname()[1]}::SOCKET"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                self.clients.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        held = b""
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                held += data
                while b"\0" in held:
                    message, _, held = held.partition(b"\0")
                    self.talk(client, message)

    def close(self) -> None:
        for one in (self.listener, *self.clients):
            with contextlib.suppress(OSError):  # wakes an accept or recv that waits in its thread (Linux)
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def peers() -> Iterator[Callable[[Talk], Peer]]:
    made: list[Peer] = []

    def make(talk: Talk) -> Peer:
        made.append(Peer(talk))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


def opened(peer: Peer, timeout: float = 5.0, **more: object) -> VisaLink:
    return VisaLink(
        peer.resource,
        visa_library="@py",
        write_termination="\0",
        read_termination="\0",
        timeout=timeout,
        **more,
    )


def echo(client: socket.socket, message: bytes) -> None:
    client.sendall(message + b"\0")


def hang_up(client: socket.socket, message: bytes) -> None:
    client.shutdown(socket.SHUT_RDWR)
    client.close()


def reset(client: socket.socket, message: bytes) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # linger on, 0 s: close sends RST
    client.close()


# -- what works -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("reply", ["ACK", "", "a;b,c\r\nd", "N 1.0E-06," * 6000, "\xff\xfe garbage \x80"])
def test_replies_come_back_whole(peers: Callable[[Talk], Peer], reply: str) -> None:
    link = opened(peers(lambda client, _: client.sendall(reply.encode("latin-1") + b"\0")))
    assert link.query("DO 'I1'") == reply
    assert not link.poisoned


def test_a_reply_in_pieces_is_put_together(peers: Callable[[Talk], Peer]) -> None:
    def dribble(client: socket.socket, message: bytes) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in message + b"\0":
            client.sendall(bytes([byte]))

    assert opened(peers(dribble)).query("ID") == "ID"


def test_two_replies_in_one_packet_are_two(peers: Callable[[Talk], Peer]) -> None:
    link = opened(peers(lambda client, _: client.sendall(b"one\0two\0")))
    assert (link.query("ID"), link.read()) == ("one", "two")


def test_a_long_message_arrives_whole(peers: Callable[[Talk], Peer]) -> None:
    link = opened(peers(lambda client, message: client.sendall(b"%d\0" % len(message))))
    assert link.query("V" * 300_000) == "300000"


def test_terminators_of_two_characters(peers: Callable[[Talk], Peer]) -> None:
    peer = peers(lambda client, _: client.sendall(b"a\rb\r\n"))
    link = VisaLink(peer.resource, visa_library="@py", write_termination="\0", read_termination="\r\n", timeout=5)
    assert link.query("ID") == "a\rb"


def test_small_packets_are_not_held_back(peers: Callable[[Talk], Peer]) -> None:
    peer = peers(echo)
    link = opened(peer)
    ours = _socket_of(link._session)
    assert ours is not None
    assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# -- failures ---------------------------------------------------------------------------------------------------------
def test_a_closed_port_is_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionLost, match="remote control"):
        VisaLink(
            f"TCPIP0::127.0.0.1::{port}::SOCKET",
            visa_library="@py",
            write_termination="\0",
            read_termination="\0",
            timeout=1,
        )


@pytest.mark.parametrize("resource", ["TCPIP0::no-such-host.invalid::1225::SOCKET", "nonsense", "TCPIP0::x"])
def test_what_cant_be_opened_says_so(resource: str) -> None:
    with pytest.raises(ConnectionLost, match="can't be opened"):
        VisaLink(resource, visa_library="@py", write_termination="\0", read_termination="\0", timeout=SHORT)


def test_a_link_needs_a_read_terminator(peers: Callable[[Talk], Peer]) -> None:
    with pytest.raises(UsageError, match="terminator"):
        VisaLink(peers(echo).resource, visa_library="@py", write_termination="\0", read_termination="")


def half_then_gone(client: socket.socket, message: bytes) -> None:
    client.sendall(b"half a re")
    hang_up(client, message)


@pytest.mark.parametrize("leave", [hang_up, reset, half_then_gone])
def test_a_peer_that_leaves_is_noticed_without_waiting(peers: Callable[[Talk], Peer], leave: Talk) -> None:
    link = opened(peers(leave), timeout=30.0)  # far longer than the test may take
    with pytest.raises(ConnectionLost, match="still on and connected"):
        link.query("SP")
    assert link.poisoned


def test_a_peer_that_left_before_the_question(peers: Callable[[Talk], Peer]) -> None:
    peer = peers(echo)
    link = opened(peer, timeout=30.0)
    assert link.query("ID") == "ID"
    hang_up(peer.clients[0], b"")
    with pytest.raises(ConnectionLost):
        link.query("SP")


@pytest.mark.parametrize("sends", [b"", b"half a re"])
def test_waiting_costs_no_processor_time(peers: Callable[[Talk], Peer], sends: bytes) -> None:
    link = opened(peers(lambda client, _: client.sendall(sends)), timeout=SHORT)
    wall, cpu = time.monotonic(), time.thread_time()
    with pytest.raises(LinkTimeout):
        link.query("SP")
    waited, worked = time.monotonic() - wall, time.thread_time() - cpu
    assert waited >= 0.9 * SHORT
    assert worked < 0.5 * waited  # the library's own loop on a closed peer takes all of it


def test_a_late_reply_never_answers_a_later_question(peers: Callable[[Talk], Peer]) -> None:
    release = threading.Event()

    def slow_once(client: socket.socket, message: bytes) -> None:
        if message == b"slow":
            release.wait(5.0)
        client.sendall(b"answer to " + message + b"\0")

    peer = peers(slow_once)
    link = opened(peer)
    with pytest.raises(LinkTimeout, match="slow"):
        link.query("slow", timeout=SHORT / 2)
    release.set()
    for attempt in (lambda: link.query("next"), lambda: link.write("next"), link.read):
        with pytest.raises(ConnectionLost, match="connect anew"):
            attempt()
    link.reopen()
    assert link.query("next") == "answer to next"


@pytest.mark.parametrize("in_one_packet", [True, False])
def test_a_reply_to_nothing_never_answers_the_next_question(peers: Callable[[Talk], Peer], in_one_packet: bool) -> None:
    peer = peers(lambda client, message: client.sendall((message + b"\0") * (1 + in_one_packet * (message == b"one"))))
    link = opened(peer)
    assert link.query("one") == "one"
    if not in_one_packet:
        peer.clients[0].sendall(b"one\0")
    heard: list[Line] = []
    link._sink = heard.append
    with pytest.raises(RemoteProtocolError, match=r"'one.*nothing was asked"):
        link.query("two")
    assert link.poisoned
    assert heard[-1].direction == "!"
    with pytest.raises(ConnectionLost, match="connect anew"):
        link.query("three")
    link.reopen()
    assert link.query("four") == "four"


def test_half_a_reply_to_nothing_is_one_too(peers: Callable[[Talk], Peer]) -> None:
    peer = peers(lambda client, message: client.sendall(message + b"\0on"))
    link = opened(peer)
    assert link.query("one") == "one"
    with pytest.raises(RemoteProtocolError, match="'on'"):
        link.write("two")


def test_a_peer_that_does_not_read_times_out_the_write(peers: Callable[[Talk], Peer]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts, and never reads
        link = VisaLink(
            f"TCPIP0::127.0.0.1::{listener.getsockname()[1]}::SOCKET",
            visa_library="@py",
            write_termination="\0",
            read_termination="\0",
            timeout=SHORT,
        )
        with pytest.raises(LinkTimeout, match="sending"):
            link.write("V" * 50_000_000)
        assert link.poisoned


def test_an_interrupted_exchange_poisons(peers: Callable[[Talk], Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    link = opened(peers(echo))

    def interrupt(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(Stream, "receive", interrupt)
    with pytest.raises(KeyboardInterrupt):
        link.query("ID")
    assert link.poisoned


def test_reopening_a_dead_peer_fails_and_stays_poisoned(peers: Callable[[Talk], Peer]) -> None:
    peer = peers(hang_up)
    link = opened(peer)
    with pytest.raises(ConnectionLost):
        link.query("ID")
    peer.close()
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            link.reopen()
    assert link.poisoned


def test_a_closed_link_can_be_closed_again_and_reopened(peers: Callable[[Talk], Peer]) -> None:
    link = opened(peers(echo))
    link.close()
    link.close()
    with pytest.raises(ConnectionLost, match="closed"):
        link.query("ID")
    link.reopen()
    assert link.query("ID") == "ID"


def test_a_socket_has_no_serial_poll(peers: Callable[[Talk], Peer]) -> None:
    link = opened(peers(echo))
    with pytest.raises(TransportError, match="serial poll"):
        link.read_status_byte()
    assert not link.poisoned


# -- transcript -------------------------------------------------------------------------------------------------------
def test_the_transcript_is_bounded_and_the_sink_hears_everything(peers: Callable[[Talk], Peer]) -> None:
    heard: list[Line] = []
    clock = VirtualClock(7.0)
    link = opened(peers(echo), clock=clock, sink=heard.append)
    long = "V" * 5000
    assert link.query(long) == long
    assert [(line.time, line.direction, line.text) for line in heard] == [(7.0, ">", long), (7.0, "<", long)]
    assert all(len(line.text) < 300 and "5000 characters" in line.text for line in link.transcript)
    for _ in range(200):
        link.query("SP")
    assert len(link.transcript) == 100


# -- without a socket -------------------------------------------------------------------------------------------------
class FakeVisa(VisaLibraryBase):
    """A VISA library with one GPIB device that answers from `replies`; an exception there is raised."""

    def _init(self) -> None:
        self.replies: list[bytes | Exception] = []
        self.sent: list[bytes] = []
        self.attributes: dict[object, object] = {}
        self.opened = 0

    def open_default_resource_manager(self) -> tuple[int, StatusCode]:
        return 1, self.handle_return_value(None, StatusCode.success)

    def open(self, *_: object) -> tuple[int, StatusCode]:
        self.opened += 1
        return 100 + self.opened, StatusCode.success

    def close(self, session: object) -> StatusCode:
        return StatusCode.success

    def set_attribute(self, session: object, attribute: object, state: object) -> StatusCode:
        self.attributes[attribute] = state
        return StatusCode.success

    def get_attribute(self, session: object, attribute: object) -> tuple[object, StatusCode]:
        return self.attributes.get(attribute, constants.InterfaceType.gpib), StatusCode.success

    def disable_event(self, *_: object) -> StatusCode:
        return StatusCode.success

    discard_events = disable_event

    def write(self, session: object, data: bytes) -> tuple[int, StatusCode]:
        self.sent.append(data)
        return len(data), StatusCode.success

    def read(self, session: object, count: int) -> tuple[bytes, StatusCode]:
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply, StatusCode.success

    def read_stb(self, session: object) -> tuple[int, StatusCode]:
        return 65, StatusCode.success


@pytest.fixture
def visa(request: pytest.FixtureRequest) -> FakeVisa:
    return FakeVisa(LibraryPath(f"fake {request.node.name}"))


def on_gpib(visa: FakeVisa) -> VisaLink:
    return VisaLink("GPIB0::17::INSTR", visa_library=visa, write_termination="\n", read_termination="\n", timeout=3.0)


def test_gpib_goes_through_the_library(visa: FakeVisa) -> None:
    link = on_gpib(visa)
    visa.replies = [b"KI4200A V1.8.1\r\n", b"no terminator, but END"]
    assert link.query("ID") == "KI4200A V1.8.1\r"  # the rest is KCon's business
    assert link.query("ID", timeout=0.5) == "no terminator, but END"
    assert visa.sent == [b"ID\n", b"ID\n"]
    assert visa.attributes[ResourceAttribute.timeout_value] == 500
    assert link.read_status_byte() == 65


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (VisaIOError(StatusCode.error_timeout), LinkTimeout),
        (VisaIOError(StatusCode.error_connection_lost), ConnectionLost),
        (VisaIOError(StatusCode.error_system_error), ConnectionLost),
        (ConnectionResetError("reset"), ConnectionLost),
        (NotImplementedError(), ConnectionLost),
    ],
)
def test_failures_of_a_library_are_translated(visa: FakeVisa, failure: Exception, expected: type[Exception]) -> None:
    link = on_gpib(visa)
    visa.replies = [failure, b"fine\n"]
    with pytest.raises(expected, match="still on and connected"):
        link.query("ID")
    assert link.poisoned
    link.reopen()
    assert link.query("ID") == "fine"
    assert visa.opened == 2


# -- PyMeasure --------------------------------------------------------------------------------------------------------
def test_a_pymeasure_instrument_speaks_through_the_link(peers: Callable[[Talk], Peer]) -> None:
    class Thing(Instrument):
        voltage = Instrument.measurement("TV1", "Measure the voltage in V.")

    link = opened(peers(lambda client, message: client.sendall(b"1.5\0" if message == b"TV1" else b"\0")))
    thing = Thing(LinkAdapter(link), "thing", includeSCPI=False)
    assert thing.voltage == 1.5
    del thing  # losing the driver does not close the link
    assert link.query("TV1") == "1.5"


def test_the_adapters_timeout_is_its_own(peers: Callable[[Talk], Peer]) -> None:
    link = opened(peers(lambda client, message: None), timeout=30.0)
    adapter = LinkAdapter(link, timeout=SHORT / 2)
    adapter.write("ID")
    with pytest.raises(LinkTimeout, match=r"0\.1 s"):
        adapter.read()
    for refuse in (lambda: adapter.write_bytes(b"x"), adapter.read_bytes):
        with pytest.raises(UsageError):
            refuse()
