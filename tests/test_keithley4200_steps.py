"""A reply too many, or too few: the Keithley 4200 driver never takes the answer to one question for that to another."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from keithley_bench import DRIVER, EXACT, RESISTANCE, Stutter, honest, ohmic, rig
from pymeasure.test import expected_protocol

from labctl import plugins
from labctl.bench import SimBench, TcpDoor
from labctl.contracts import Block, SimulatedInstrument, Sweep
from labctl.errors import InstrumentError, LabctlError, RemoteProtocolError
from labctl.link import VisaLink

Driver = plugins.module("instruments", "keithley4200", "driver").Keithley4200

SWEEP = Sweep(np.array([0.5, 1.0, 0.25, -0.5] * 3), 1e-5)
BEFORE_THE_START = [":ERROR:LAST:CLEAR", "DE;MP", "RG", "BC", "DE;CH", "SS", "VL", "SM", ":ERROR:LAST:GET"]
AFTERWARDS = [
    "ID",
    "MD",
    "SP",
    "RD 'CH1T'",
    "RD 'V1'",
    "RD 'I1'",
    "DO 'CH1T'",
    "DO 'V1'",
    "DO 'I1'",
    "DO 'V2'",
    "DO 'I2'",
]


def read_until_it_fails(blocks: Iterator[Block]) -> tuple[list[Block], LabctlError]:
    seen: list[Block] = []
    with pytest.raises(LabctlError) as caught:
        seen.extend(blocks)
    return seen, caught.value


def assert_right(block: Block) -> None:
    np.testing.assert_allclose(block["voltage"], block["level"], atol=1e-3)
    np.testing.assert_allclose(block["current"], block["level"] / RESISTANCE, rtol=0.01)


ON_GPIB = [":ERROR:LAST:GET", "ID", *(moment for moment in AFTERWARDS if moment.startswith(("RD", "DO")))]  # queries


@pytest.mark.parametrize(
    ("moment", "transport"),
    [*((moment, "tcp") for moment in (*BEFORE_THE_START, *AFTERWARDS)), *((moment, "gpib") for moment in ON_GPIB)],
)
def test_a_message_that_is_answered_twice(moment: str, transport: str) -> None:
    """Where the link itself can't see it, as in this process and on GPIB."""
    one = rig(transport=transport)
    one.sent.clear()
    one.link.meddle = Stutter(moment)
    seen, error = read_until_it_fails(one.meter.sweep(SWEEP))
    assert isinstance(error, RemoteProtocolError)
    assert all(block.provisional for block in seen), "a final block was made of shifted replies"
    assert not (moment in BEFORE_THE_START and "MD;ME1" in one.sent), "started without a valid check"
    assert one.outputs_are_off()
    one.link.meddle = honest
    assert_right(list(one.meter.sweep(SWEEP))[-1])


def test_a_refused_set_up_behind_a_surplus_acknowledgement_never_starts() -> None:
    one = rig()
    one.bench.instrument.frame.smus.pop(2)
    one.bench.instrument.frame.mapping.pop(2)
    one.sent.clear()
    one.link.meddle = Stutter("SM")
    _, error = read_until_it_fails(one.meter.sweep(SWEEP))
    assert isinstance(error, RemoteProtocolError)
    assert "MD;ME1" not in one.sent


class Stuttering(SimulatedInstrument):
    """Passes everything on to a simulated instrument, and answers the next message that starts with `twice` twice."""

    name = "stuttering"
    accepts_second_client = True

    def __init__(self, inner: SimulatedInstrument) -> None:
        self.inner = inner
        self.twice = b"never"
        self.heard: list[bytes] = []

    def feed(self, data: bytes) -> bytes:
        self.heard.append(data)
        reply = self.inner.feed(data)
        if data.startswith(self.twice):
            self.twice = b"never"
            return 2 * reply
        return reply

    def serial_poll(self) -> int:
        return self.inner.serial_poll()

    def disconnect(self) -> None:
        self.inner.disconnect()

    @classmethod
    def build(cls, *arguments: Any) -> "Stuttering":
        raise NotImplementedError


@pytest.mark.parametrize("moment", [*BEFORE_THE_START, *AFTERWARDS])
def test_over_a_socket_the_next_message_is_not_even_sent(moment: str) -> None:
    bench = SimBench(ohmic(RESISTANCE), settings=EXACT)
    far_side = Stuttering(bench.instrument)
    with TcpDoor(far_side) as door:
        ends = {"write_termination": "\0", "read_termination": "\0"}
        link = VisaLink(f"TCPIP0::127.0.0.1::{door.port}::SOCKET", visa_library="@py", timeout=10.0, **ends)
        meter = DRIVER.connect(link, {"top": 1, "bottom": 2}, bench.clock, {})
        far_side.heard.clear()
        far_side.twice = moment.encode()
        seen, error = read_until_it_fails(meter.sweep(SWEEP))
        assert isinstance(error, RemoteProtocolError)
        assert "nothing was asked" in str(error)
        for block in seen:
            assert_right(block)
        after = next(k for k, data in enumerate(far_side.heard) if data.startswith(moment.encode())) + 1
        assert far_side.heard[after].startswith(b"ID"), "something was sent before the link was opened again"
        assert_right(list(meter.sweep(SWEEP))[-1])
        meter.make_safe()
        meter.close()


# -- the last error ---------------------------------------------------------------------------------------------------
HELLO = [("ID", "KI4200A V1.13"), ("SP", "0"), ("EM1,0", "ACK"), ("*OPT?", "SMU1")]


def after_detection(clean: str, *more: tuple[str, str]) -> Any:
    queue = [("SP", "0"), (":ERROR:LAST:CLEAR", "ACK"), ("SP", "0"), (":ERROR:LAST:GET", clean)]
    return expected_protocol(Driver, [*HELLO, *queue, *more])


@pytest.mark.parametrize("reply", ["ACK", "16", "1", "500.0000E-09", "0"])
def test_the_answer_to_another_question_is_no_error_report(reply: str) -> None:
    with after_detection("", (":ERROR:LAST:GET", reply)) as driver:
        assert driver.detect_error_queue()
        with pytest.raises(RemoteProtocolError, match="out of step"):
            driver.last_error()
        assert not driver.in_step


@pytest.mark.parametrize("clean", ["", "0", "No error. (0)", "\r"])
def test_what_this_instrument_says_when_all_is_well_stays_that(clean: str) -> None:
    with after_detection(clean, (":ERROR:LAST:GET", clean)) as driver:
        assert driver.detect_error_queue()
        assert driver.last_error() is None
        assert driver.in_step


def test_a_text_without_code_is_an_error_and_a_reason_to_mistrust_the_link() -> None:
    with after_detection("", (":ERROR:LAST:GET", "hello, world")) as driver:
        driver.detect_error_queue()
        with pytest.raises(InstrumentError, match="hello"):
            driver.raise_error("a test")
        assert not driver.in_step


# -- letters ----------------------------------------------------------------------------------------------------------
Change = Callable[[str], str]


def without_letters(reply: str) -> str:
    return ",".join(piece.strip()[1:] for piece in reply.split(","))


def with_letters(reply: str) -> str:
    return ",".join(f"N {piece}" for piece in reply.split(","))


def some_without(reply: str) -> str:
    return ",".join(piece.strip()[1:] if k % 2 else piece for k, piece in enumerate(reply.split(",")))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("CH1T", with_letters),
        ("V1", without_letters),
        ("I1", without_letters),
        ("V1", some_without),
        ("I2", without_letters),
    ],
)
def test_status_letters_where_they_do_not_belong(name: str, change: Change) -> None:
    one = rig()
    one.link.meddle = lambda message, reply: change(reply) if message == f"DO '{name}'" else reply
    _, error = read_until_it_fails(one.meter.sweep(SWEEP))
    assert isinstance(error, RemoteProtocolError)
    assert "letters" in str(error)
    assert one.outputs_are_off()


def test_a_variant_without_letters_can_be_read() -> None:
    one = rig()
    plain = tuple(f"DO '{name}'" for name in ("V1", "I1", "V2", "I2"))
    one.link.meddle = lambda message, reply: without_letters(reply) if message in plain else reply
    assert_right(list(one.meter.sweep(SWEEP))[-1])
