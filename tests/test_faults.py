"""Faults on the wire: the plan in words, what each kind does to a conversation, in this process and over TCP."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import pyvisa
from commandline import labctl
from keithley_bench import DRIVER, EXACT, ohmic
from pyvisa.constants import StatusCode
from sim_helpers import Resistor

from labctl import store
from labctl.bench import SimBench, TcpDoor
from labctl.bench.fault_plan import KINDS, parse, table
from labctl.bench.faults import FaultyInstrument
from labctl.clocks import VirtualClock, WallClock
from labctl.contracts import Clock, DeviceModel, SimulatedInstrument
from labctl.errors import RemoteProtocolError, UsageError
from labctl.link import VisaLink


# -- the plan ---------------------------------------------------------------------------------------------------------
def test_a_plan_is_read() -> None:
    number, text, chance = parse("lost@25; garbled/digits@DO 'I1'#2 ;delayed@ p=0.01 : 30 s;")
    assert (number.kind, number.number, number.start) == ("lost", 25, "")
    assert (text.kind, text.variant, text.start, text.nth) == ("garbled", "digits", "DO 'I1'", 2)
    assert (chance.kind, chance.chance, chance.seconds) == ("delayed", 0.01, 30.0)


def test_text_may_have_colons() -> None:
    plain, timed = parse("lost@:PMU:EXECUTE; delayed@:PMU:DATA:COUNT? 1#3:20ms")
    assert (plain.start, timed.start, timed.nth, timed.seconds) == (":PMU:EXECUTE", ":PMU:DATA:COUNT? 1", 3, 0.02)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("garbeld@3", "garbled"),
        ("lost", "does not say when"),
        ("lost@", "does not say when"),
        ("lost/half@3", "no variant 'half'; there is none"),
        ("drop/after@3", "drop/before"),
        ("lost@0", "counted from 1"),
        ("lost@DO#0", "that start with 'DO' are counted from 1"),
        ("lost@3:4s", "lost takes no time; leave out :4s"),
        ("garbled/digits@DO#2 : 20ms", "garbled/digits takes no time; leave out :20ms"),
        ("lost@p=2", "probability"),
        ("lost@p=often", "probability"),
        ("busy@SP", "needs a time at its end, e.g. :30s"),
        ("delayed@SP:soon", "needs a time"),
        ("delayed@SP:0s", "greater than 0 s"),
        ("@3", "'' is not one of"),
    ],
)
def test_what_is_wrong_with_a_plan_is_said(text: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(f"lost@1; {text}")
    assert words in str(refused.value)
    assert repr(text) in str(refused.value)


def test_the_table_names_every_kind() -> None:
    assert all(f"  {kind}@WHEN" in table() for kind in KINDS)


# -- a conversation ---------------------------------------------------------------------------------------------------
class Talk:
    """A client in this process that does nothing by itself."""

    def __init__(self, faults: str, seed: int | None = 1, transport: Any = "tcp", **settings: Any) -> None:
        self.bench = SimBench(
            Resistor(), faults=faults, seed=seed, settings=settings, transport=transport, message_time=0.0
        )
        self.link: Any = None
        self.open()

    def open(self) -> None:
        end = "\0" if self.bench.resource.startswith("TCPIP") else "\n"
        manager = pyvisa.ResourceManager(self.bench.library)
        self.link = manager.open_resource(
            self.bench.resource, read_termination=end, write_termination=end, timeout=2000
        )

    def ask(self, message: str) -> str:
        """The reply, or the name of the error."""
        try:
            return str(self.link.query(message))
        except pyvisa.VisaIOError as error:
            return StatusCode(error.error_code).name

    def happened(self) -> list[tuple[int, str]]:
        return [(one.number, one.words) for one in self.bench.far_side.happened]  # type: ignore[attr-defined]


IDENTITY = "KI4200A V1.13.0"
LATE, GONE = "error_timeout", "error_connection_lost"


def test_a_bench_without_faults_has_nothing_between() -> None:
    bench = SimBench(Resistor())
    assert bench.far_side is bench.instrument


def test_a_lost_reply_never_comes_but_the_message_took_effect() -> None:
    talk = Talk("lost@EM 0")
    assert talk.ask("EM 0,0") == LATE
    assert talk.ask("ID") == "HP4145B 1.1,1.0"
    assert talk.happened() == [(1, "lost@EM 0")]


def test_an_unheard_message_has_no_effect() -> None:
    talk = Talk("unheard@EM 0")
    assert (talk.ask("EM 0,0"), talk.ask("ID")) == (LATE, IDENTITY)


def test_a_delayed_reply_is_waited_for_or_answers_the_next_question() -> None:
    talk = Talk("delayed@1:1.5s; delayed@2:3s")
    assert talk.ask("ID") == IDENTITY
    assert talk.bench.clock.now() == pytest.approx(1.5)
    assert talk.ask("ID") == LATE
    assert talk.bench.clock.now() == pytest.approx(3.5)
    talk.link.write("SP")
    assert [talk.link.read(), talk.link.read()] == [IDENTITY, "0"]
    assert talk.bench.clock.now() == pytest.approx(4.5)


def test_a_new_connection_does_not_get_old_replies() -> None:
    talk = Talk("delayed@1:3s")
    assert talk.ask("ID") == LATE
    talk.link.close()
    talk.open()
    assert talk.ask("SP") == "0"


def test_replies_are_cut_with_and_without_their_end() -> None:
    talk = Talk("truncated@1; truncated/open@2")
    cut = talk.ask("ID")
    assert len(cut) < len(IDENTITY)
    assert IDENTITY.startswith(cut)
    assert talk.ask("ID") == LATE


def test_a_reply_comes_twice() -> None:
    talk = Talk("duplicated@1")
    assert [talk.ask("ID"), talk.ask("SP"), talk.ask("BC")] == [IDENTITY, IDENTITY, "0"]


def test_replies_are_garbled_the_same_way_for_the_same_seed() -> None:
    first, again, other = ([Talk("garbled@1", seed).ask("ID")] for seed in (1, 1, 2))
    assert first == again != other
    assert len(first[0]) == len(IDENTITY)
    assert sum(one != two for one, two in zip(first[0], IDENTITY, strict=True)) == 2  # an eighth


def test_one_digit_is_another() -> None:
    reply = Talk("garbled/digits@ID").ask("ID")
    changed = [(a, b) for a, b in zip(reply, IDENTITY, strict=True) if a != b]
    assert len(changed) == 1
    assert "".join(changed[0]).isdecimal()


@pytest.mark.parametrize(("variant", "count"), [("", 2), ("/more", 4)])
def test_a_value_is_missing_or_comes_twice(variant: str, count: int) -> None:
    reply = Talk(f"count{variant}@*OPT?").ask("*OPT?")
    assert len(reply.split(",")) == count
    assert set(reply.split(",")) <= {"SMUPA1", "SMUPA2", "PMU1RPM1-2"}


@pytest.mark.parametrize(("variant", "model"), [("", "HP4145B 1.1,1.0"), ("/before", IDENTITY)])
def test_a_dropped_connection_stays_lost_until_a_new_one(variant: str, model: str) -> None:
    talk = Talk(f"drop{variant}@EM 0")
    assert [talk.ask("EM 0,0"), talk.ask("ID")] == [GONE, GONE]
    talk.link.close()
    talk.open()
    assert talk.ask("ID") == model


def energised(talk: Talk) -> bool:
    """Put 1 V on the cell and say whether it is there."""
    assert talk.ask("US;DV1,0,1,1E-3;DV2,0,0,1E-3") == "ACK"
    return talk.bench.instrument.outputs == (1, 2)  # type: ignore[attr-defined,no-any-return]


def test_a_reboot_switches_off_forgets_and_hangs_up() -> None:
    talk = Talk("reboot@SP")
    assert energised(talk)
    assert talk.ask("EM 0,0") == "ACK"
    assert talk.ask("SP") == GONE
    assert talk.bench.instrument.outputs == ()  # type: ignore[attr-defined]
    talk.link.close()
    talk.open()
    assert talk.ask("ID") == IDENTITY


def test_a_silent_reboot_answers_as_if_nothing_had_been() -> None:
    talk = Talk("reboot/silent@SP")
    assert energised(talk)
    assert talk.ask("SP") == "0"
    assert talk.bench.instrument.outputs == ()  # type: ignore[attr-defined]


def test_a_reboot_ends_a_running_test() -> None:
    talk = Talk("reboot/silent@SP#2")
    for message in ("DE;CH1,'V1','I1',1,1;CH2,'V2','I2',1,3", "SS;VR1,0,1,0.01,1e-3;VC2,0,0.1;DT 0.1", "SM;LI 'I1'"):
        assert talk.ask(message) == "ACK"
    assert talk.ask("MD;ME1") == "ACK"
    talk.bench.clock.sleep(2.0)
    assert talk.ask("SP") == "16"
    reached = max(dwell.drive for dwell in talk.bench.instrument.truth)  # type: ignore[attr-defined]
    assert talk.ask("SP") == "0"
    assert talk.ask("DO 'I1'") == ""
    talk.bench.clock.sleep(100.0)
    assert talk.ask("SP") == "66"  # of the name that is not known any more
    assert talk.ask("*RST") == "ACK"  # so that the idle time is in the record
    truth = talk.bench.instrument.truth  # type: ignore[attr-defined]
    assert max(dwell.drive for dwell in truth) <= reached + 0.0101  # the level under way is cut short
    assert truth[-1].drive == 0.0


def test_a_stuck_busy_bit_is_only_said() -> None:
    talk = Talk("busy@SP#1:10s")
    assert [talk.ask("SP"), talk.ask(":PMU:TEST:STATUS?")] == ["16", "1"]
    assert talk.ask("DE") == "ACK"  # a page: refused while a test runs
    assert talk.ask("SP") == "16"
    talk.bench.clock.sleep(10.0)
    assert [talk.ask("SP"), talk.ask(":PMU:TEST:STATUS?")] == ["0", "0"]


def test_a_bus_has_no_connection_to_lose_and_says_busy_to_a_poll() -> None:
    talk = Talk("drop@ID#1; busy@BC:10s", transport="gpib")
    assert [talk.ask("ID"), talk.ask("ID")] == ["error_no_listeners", IDENTITY]
    talk.link.write("BC")
    assert talk.link.read_stb() == 16
    talk.bench.clock.sleep(10.0)
    assert talk.link.read_stb() == 0


def test_chances_are_kept_and_seeded() -> None:
    counts = []
    for seed in (1, 1, 2):
        talk = Talk("lost@p=0.1", seed)
        lost = [talk.ask("ID") == LATE for _ in range(500)]
        assert sum(lost) == len(talk.happened())
        counts.append(lost)
    assert counts[0] == counts[1] != counts[2]
    assert all(25 < sum(lost) < 80 for lost in counts)


class Plain(SimulatedInstrument):
    """An instrument that knows neither reboot nor busy."""

    name = "plain"

    @classmethod
    def build(
        cls,
        device: DeviceModel,
        clock: Clock,
        wiring: Mapping[str, int | None],
        settings: Mapping[str, Any],
        seed: int | None,
    ) -> "Plain":
        return cls()

    def feed(self, data: bytes) -> bytes:
        return data

    def serial_poll(self) -> int:
        return 0

    def disconnect(self) -> None:
        """Nothing is kept."""


@pytest.mark.parametrize("fault", ["reboot@3", "busy@3:1s"])
def test_faults_an_instrument_can_not_have_are_refused(fault: str) -> None:
    with pytest.raises(UsageError, match="plain does not know the fault"):
        FaultyInstrument(Plain(), parse(fault), VirtualClock(), 1)
    wrapped = FaultyInstrument(Plain(), parse("duplicated@2"), VirtualClock(), 1)
    assert wrapped.feed(b"one\0two\0thr") == b"one\0two\0two\0"
    assert wrapped.feed(b"ee\0") == b"three\0"
    with pytest.raises(UsageError, match="can't be restarted"):
        Plain().reboot()


# -- over TCP ---------------------------------------------------------------------------------------------------------
def served(faults: str) -> TcpDoor:
    return TcpDoor(SimBench(Resistor(), faults=faults, seed=1, clock=WallClock()).far_side)


def ask(client: socket.socket, message: bytes, replies: int = 1) -> bytes:
    client.sendall(message + b"\0")
    received = b""
    while received.count(b"\0") < replies and (piece := client.recv(4096)):
        received += piece
    return received


def test_a_door_delays_replies_and_keeps_their_order() -> None:
    clock = WallClock()
    with served("delayed@1:0.1s") as door, socket.create_connection(("127.0.0.1", door.port), timeout=5.0) as client:
        client.sendall(b"ID\0")
        began = clock.now()
        assert ask(client, b"SP", replies=2) == b"KI4200A V1.13.0\0" + b"0\0"
        assert clock.now() - began >= 0.09


@pytest.mark.parametrize("fault", ["drop@1", "drop/before@1", "reboot@1"])
def test_a_door_hangs_up_and_lets_the_next_client_in(fault: str) -> None:
    with served(fault) as door:
        with socket.create_connection(("127.0.0.1", door.port), timeout=5.0) as client:
            assert ask(client, b"ID") == b""
        with socket.create_connection(("127.0.0.1", door.port), timeout=5.0) as client:
            assert ask(client, b"ID") == b"KI4200A V1.13.0\0"


def test_a_reply_too_many_is_noticed_over_a_socket() -> None:
    bench = SimBench(ohmic(1e6), settings=EXACT, faults="duplicated@2", clock=WallClock())
    with TcpDoor(bench.far_side) as door:
        link = VisaLink(
            f"TCPIP0::127.0.0.1::{door.port}::SOCKET",
            visa_library="@py", write_termination="\0", read_termination="\0", timeout=5.0,
        )  # fmt: skip
        assert DRIVER.terminators(link.resource) == ("\0", "\0")
        assert [link.query("ID"), link.query("SP")] == [IDENTITY, "0"]
        try:
            with pytest.raises(RemoteProtocolError, match="although nothing was asked"):
                link.query("ID")
        finally:
            link.close()


# -- the command line -------------------------------------------------------------------------------------------------
SWEEP = ("run", "iv-sweep", "--set", "v_max=0.2", "--set", "step=0.1", "--quiet")


def test_a_run_on_a_simulated_device_takes_faults_and_records_them(tmp_path: Path) -> None:
    said = labctl(*SWEEP, "--sim", "device-2", "--seed", "1", "--faults", "drop@MD;", "--out", "x.h5", folder=tmp_path)
    assert said.returncode == 1
    assert "'MD;ME1' was not acknowledged" in said.stderr or "reply to 'MD;ME1'" in said.stderr
    recorded = store.read(tmp_path / "x.h5").header.instruments["simulated_instrument"]["settings"]
    assert recorded["faults"] == "drop@MD;"  # type: ignore[index]


@pytest.mark.parametrize(
    ("where", "faults", "words"),
    [
        (("--sim", "device-2"), "lots@1", "'lots' is not one of"),
        (("--station", "bench.yaml"), "lost@1", "simulated wire only"),
        (("--station", "faulty.yaml"), "", "'lots' is not one of"),
    ],
)
def test_wrong_faults_are_refused(where: tuple[str, str], faults: str, words: str, tmp_path: Path) -> None:
    real = "name: x\ninstruments: {smu: {driver: keithley4200, resource: 'TCPIP0::127.0.0.1::1::SOCKET'}}\n"
    (tmp_path / "bench.yaml").write_text(real, encoding="utf-8")
    (tmp_path / "faulty.yaml").write_text(f"{real}simulate: {{device: device-2, faults: lots@1}}\n", encoding="utf-8")
    said = labctl(*SWEEP, *where, "--faults", faults, folder=tmp_path)
    assert said.returncode == 2
    assert words in said.stderr


@pytest.mark.parametrize("command", [("serve",), ("run", "iv-sweep")])
def test_the_help_lists_the_kinds(command: tuple[str, ...], tmp_path: Path) -> None:
    said = labctl(*command, "--help", folder=tmp_path)
    assert all(f"  {kind}@WHEN" in said.stdout for kind in KINDS)
