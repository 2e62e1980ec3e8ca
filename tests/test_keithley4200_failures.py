"""The Keithley 4200 driver when the instrument hangs, lies, mumbles or is gone: always a labctl error, always safe."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from keithley_bench import EXACT, RESISTANCE, Rig, ohmic, rig
from pymeasure.test import expected_protocol

from labctl import plugins
from labctl.bench import SimBench, TcpDoor
from labctl.contracts import Sampling, SourceMeter, Status, Sweep
from labctl.errors import (
    ConnectionLost,
    InstrumentError,
    LabctlError,
    LinkTimeout,
    RemoteProtocolError,
    TransportError,
)
from labctl.kxci.replies import StatusByte
from labctl.link import VisaLink

driver_module = plugins.module("instruments", "keithley4200", "driver")

SWEEP = Sweep(np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0] * 5), 1e-5)
SAMPLING = Sampling({"top": 0.5, "bottom": 0.0}, 1e-5, count=20, interval=0.1)
Meddle = Callable[[str, str], str | BaseException]


def when(start: str, result: str | BaseException) -> Meddle:
    """Replace the reply to every message that starts so."""
    return lambda message, reply: result if message.startswith(start) else reply


def once(start: str, result: str | BaseException, skip: int = 0) -> Meddle:
    """Replace one reply, after `skip` others to such a message."""
    left = iter([*[False] * skip, True])
    return lambda message, reply: result if message.startswith(start) and next(left, False) else reply


def run(one: Rig) -> list[object]:
    return list(one.meter.sweep(SWEEP))


# -- a hung instrument ------------------------------------------------------------------------------------------------
MOMENTS = [
    ":ERROR:LAST:CLEAR",
    "DE;MP",
    "RG",
    "BC",
    "DE;CH",
    "SS",
    "VL",
    "SM",
    ":ERROR:LAST:GET",
    "ID",
    "MD",
    "SP",
    "RD",
    "DO",
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_reply_that_never_comes(moment: str) -> None:
    one = rig()
    one.link.meddle = once(moment, LinkTimeout("no answer within 5 s"))
    with pytest.raises((InstrumentError, LinkTimeout), match="no answer"):
        run(one)
    assert one.link.reopened == 1
    assert one.outputs_are_off()
    one.link.meddle = lambda message, reply: reply
    assert len(run(one)) > 1  # and it can be used again


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_instrument_that_hangs_for_good(moment: str) -> None:
    one, hung = rig(), False

    def hang(message: str, reply: str) -> str | BaseException:
        nonlocal hung
        hung = hung or message.startswith(moment)
        return LinkTimeout("no answer within 5 s") if hung else reply

    one.link.meddle = hang
    with pytest.raises(LabctlError) as caught:
        run(one)
    assert any("outputs" in note for note in caught.value.__notes__), "that it may be energised must be said"
    assert 1 <= one.link.reopened <= 10
    with pytest.raises(TransportError, match="outputs"):
        one.meter.make_safe()


@pytest.mark.parametrize("moment", ["SS", "SP", "RD", "DO"])
def test_a_peer_that_dies(moment: str) -> None:
    one = rig()

    def die(message: str, reply: str) -> str | BaseException:
        one.link.dead = one.link.dead or message.startswith(moment)
        return ConnectionLost("the peer is gone") if one.link.dead else reply

    one.link.meddle = die
    with pytest.raises(ConnectionLost, match="gone") as caught:
        run(one)
    assert any("outputs" in note for note in caught.value.__notes__)
    for _ in range(2):
        with pytest.raises(TransportError, match="can't know"):
            one.meter.make_safe()
    one.link.dead, one.link.meddle = False, lambda message, reply: reply
    one.meter.make_safe()
    assert one.outputs_are_off()


def test_a_server_killed_in_the_middle_of_a_sweep() -> None:
    bench = SimBench(ohmic(RESISTANCE), settings=EXACT)
    door = TcpDoor(bench.instrument).start()
    link = VisaLink(
        f"TCPIP0::127.0.0.1::{door.port}::SOCKET",
        visa_library="@py",
        write_termination="\0",
        read_termination="\0",
        timeout=5.0,
    )
    driver = plugins.load("instruments", "keithley4200", SourceMeter)
    meter = driver.connect(link, {"top": 1, "bottom": 2}, bench.clock, {})
    blocks = meter.sweep(SWEEP)
    next(blocks)
    door.stop()
    with pytest.raises(ConnectionLost) as caught:
        next(blocks)
    assert any("outputs" in note for note in caught.value.__notes__)
    with TcpDoor(bench.instrument, port=door.port):  # KXCI was started again
        meter.make_safe()
        meter.close()
    assert not any(smu.output for smu in bench.instrument.frame.smus.values())


def test_an_instrument_that_hangs_up_on_the_first_new_connection() -> None:
    one = rig()
    tries = iter([ConnectionLost("hung up"), ConnectionLost("hung up")])
    one.link.meddle = lambda message, reply: next(tries, reply) if message == "ID" else reply
    one.meter.driver.in_step = False
    one.meter.make_safe()
    assert one.link.reopened == 3
    assert one.outputs_are_off()


# -- garbage ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("garbage", ["", "\x00\xff", "ACK ACK", "N 1.0E-06;;", "hello, world", "1e999x"])
@pytest.mark.parametrize("moment", ["SS", "MD", "SP", "RD 'CH1T'", "RD 'I1'", "DO 'CH1T'", "DO 'I1'"])
def test_garbage_is_refused(moment: str, garbage: str) -> None:
    one = rig()
    one.link.meddle = when(moment, garbage)
    with pytest.raises(LabctlError) as caught:
        run(one)
    assert isinstance(caught.value, RemoteProtocolError)
    one.link.meddle = lambda message, reply: reply
    one.meter.make_safe()
    assert one.outputs_are_off()


def test_replies_out_of_step_are_noticed_and_mended() -> None:
    one, held = rig(), ["ACK"]

    def shift(message: str, reply: str) -> str:
        held.append(reply)
        return held.pop(0)

    one.link.meddle = shift
    with pytest.raises(LabctlError):
        run(one)
    one.link.meddle = lambda message, reply: reply
    one.meter.make_safe()
    assert one.outputs_are_off()


@pytest.mark.parametrize(
    "change",
    [
        lambda reply: reply.rpartition(",")[0],
        lambda reply: reply + ",N 1.0E-06",
        lambda reply: "N 1.0E-06",
        lambda reply: "",
    ],
)
@pytest.mark.parametrize("name", ["CH1T", "V1", "I1"])
def test_a_wrong_number_of_readings_is_refused(name: str, change: Callable[[str], str]) -> None:
    one = rig()
    one.link.meddle = lambda message, reply: change(reply) if message == f"DO '{name}'" else reply
    with pytest.raises(RemoteProtocolError, match="30 readings were expected"):
        run(one)
    assert one.outputs_are_off()


def test_more_readings_than_asked_for_are_refused_even_when_fewer_may_come() -> None:
    one = rig()
    one.link.meddle = lambda message, reply: reply + ",1.0E-06" if message.startswith("DO") else reply
    with pytest.raises(RemoteProtocolError, match="31 of"):
        list(one.meter.sweep(Sweep(SWEEP.levels, 1e-5, stop_on_compliance=True)))


def test_sentinels_and_unknown_letters_are_marked() -> None:
    one = rig()
    values = ",".join(["N 9.0000E+37", "Q 1.0000E-06", *["N 1.0000E-06"] * 28])
    one.link.meddle = when("DO 'I1'", values)
    final = run(one)[-1]
    assert final["status"].tolist() == [int(Status.INVALID)] * 2 + [0] * 28


def test_old_letters_are_told_apart() -> None:
    one = rig()
    letters = {"L": 16, "V": 8, "X": 4, "C": 1, "T": 2, "N": 0}
    readings = [*(f"{letter} 1.0E-6" for letter in letters), *["N 1E-6"] * 24]
    one.link.meddle = when("DO 'I1'", ",".join(readings))
    assert run(one)[-1]["status"].tolist()[:6] == list(letters.values())


# -- an instrument that reports ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("moment", ["DE", "SS", "VL", "SM", "MD"])
def test_an_error_text_instead_of_ack(moment: str) -> None:
    one = rig()
    one.link.meddle = once(moment, "Illegal setup error. (-991)")
    with pytest.raises(InstrumentError, match="Illegal setup") as caught:
        run(one)
    assert caught.value.code == -991
    assert one.outputs_are_off()


@pytest.mark.parametrize(("skip", "doing"), [(0, "set up"), (1, "run")])
def test_the_error_queue_is_looked_at_after_setting_up_and_after_the_run(skip: int, doing: str) -> None:
    one = rig()
    one.link.meddle = once(":ERROR:LAST:GET", "Execution Aborted. (-966)", skip)
    with pytest.raises(InstrumentError, match=doing) as caught:
        run(one)
    assert caught.value.code == -966
    assert one.outputs_are_off()


@pytest.mark.parametrize("bad_command", ["ack", "silent", "text"])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("transport", ["tcp", "gpib"])
def test_a_refused_set_up_never_starts(bad_command: str, known: bool, transport: str) -> None:
    one = rig(transport=transport, settings={"bad_command": bad_command, "error_query": known})
    one.bench.instrument.frame.smus.pop(2)  # the SMU of "bottom" is gone since we connected
    one.bench.instrument.frame.mapping.pop(2)
    one.sent.clear()
    with pytest.raises(LabctlError):
        run(one)
    assert "MD;ME1" not in one.sent


def test_a_syntax_error_during_the_run_ends_it_on_old_software() -> None:
    one = rig(settings={"error_query": False})
    one.link.meddle = once("SP", str(int(StatusByte.BUSY | StatusByte.SYNTAX_ERROR)), skip=2)
    with pytest.raises(InstrumentError, match="syntax error"):
        run(one)
    assert one.outputs_are_off()


def test_outputs_that_refuse_to_go_off_are_said() -> None:
    one = rig()
    one.link.meddle = when(":ERROR:LAST:GET", "Command not valid during test execution. (-980)")
    with pytest.raises(InstrumentError, match="switching the outputs off") as caught:
        one.meter.make_safe()
    assert caught.value.code == -980


# -- the status byte --------------------------------------------------------------------------------------------------
def test_a_busy_bit_that_never_clears() -> None:
    one = rig()
    before = one.bench.clock.now()
    one.link.meddle = when("SP", "16")
    with pytest.raises(InstrumentError, match="does not end: 30 of 30 readings"):
        run(one)
    assert one.bench.clock.now() - before < 60
    assert one.outputs_are_off()


def test_a_slow_test_that_moves_is_waited_for() -> None:
    one = rig(options={"patience": 1, "margin": 3}, settings={"range_change_time": 0.5})
    blocks = list(one.meter.sweep(Sweep(np.array([1e-3, 1.0] * 6), 1e-5)))
    assert len(blocks[-1]) == 12


@pytest.mark.parametrize("shown", [["1", "0"], ["0"], ["65", "64"], ["64"], ["0", "1"], ["1.0"]])
def test_every_way_a_status_byte_may_end(shown: list[str]) -> None:
    one, left = rig(), iter(shown)
    one.link.meddle = lambda message, reply: (
        next(left, shown[-1]) if message == "SP" and reply != "16" else reply  # 16: it still runs
    )
    assert len(run(one)[-1]) == 30


def test_a_busy_bit_that_comes_late_is_waited_for() -> None:
    one, early = rig(), iter(["0", "0"])
    one.link.meddle = lambda message, reply: next(early, reply) if message == "SP" and reply == "16" else reply
    assert len(run(one)[-1]) == 30


def test_a_first_time_stamp_of_zero_is_not_taken_for_nothing() -> None:
    one = rig()
    one.link.meddle = lambda message, reply: "0" if message == "RD 'CH1T',1" else reply
    blocks = run(one)
    assert len(blocks) > 1
    assert blocks[0]["time"][0] == 0.0


# -- leaving in the middle --------------------------------------------------------------------------------------------
def test_leaving_with_a_dead_link_is_said() -> None:
    one = rig()
    blocks = one.meter.sweep(SWEEP)
    next(blocks)
    one.link.dead = True
    with pytest.raises(TransportError, match="outputs"):
        blocks.close()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_whatever_the_caller_throws_stops_the_test(error: type[BaseException]) -> None:
    one = rig()
    blocks = one.meter.sample(SAMPLING)
    next(blocks)
    with pytest.raises(error):
        blocks.throw(error)
    assert one.outputs_are_off()
    assert one.meter.driver.status & StatusByte.BUSY == 0


def test_ctrl_c_in_the_middle_of_a_reply_leaves_no_late_answer() -> None:
    one = rig()
    one.link.meddle = once("RD", KeyboardInterrupt(), skip=4)
    with pytest.raises(KeyboardInterrupt):
        run(one)
    assert one.link.reopened == 1
    assert one.outputs_are_off()


def test_an_abort_that_is_refused_is_no_obstacle() -> None:
    one = rig()
    asked = iter(range(1000))
    one.meter.should_stop = lambda: next(asked) >= 12
    one.link.meddle = once("ME4", "Command not valid on this page. (-989)")
    final = run(one)[-1]
    assert np.all(final["status"] & int(Status.PROVISIONAL))
    assert one.outputs_are_off()


# -- connecting -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("answer", ["KEITHLEY 2400", "", "ACK", "\xff\xfe"])
def test_another_instrument_is_not_taken_for_a_4200(answer: str) -> None:
    pairs: list[tuple[str, str]] = [("ID", answer)]
    with (
        pytest.raises(RemoteProtocolError, match="no Keithley 4200"),
        expected_protocol(driver_module.Keithley4200, pairs),
    ):
        pass


def connected(*more: tuple[str | None, str | None]) -> Iterator[object]:
    hello = [("ID", "KI4200 V9.1"), ("SP", "0"), ("EM1,0", "ACK"), ("*OPT?", "SMUPA1,HPSMU5")]
    return expected_protocol(driver_module.Keithley4200, [*hello, *more])


def test_channels_are_found_and_numbered_by_their_codes() -> None:
    talk = [("US;TV1", "NAV 1.0000E+00"), ("US;TV7", "NGV 2.0000E+00"), ("US;TI5", "CEI-3.0000E-06"), ("US;DV5", "ACK")]
    with connected(*talk) as driver:
        assert set(driver.smu) == {1, 5}
        assert driver.smu1.kind.preamp
        assert driver.smu5.kind.high_power
        assert driver.smu1.measure_voltage().value == 1.0
        assert driver.smu5.measure_voltage().value == 2.0
        reading = driver.smu5.measure_current()
        assert (reading.value, reading.status) == (-3e-6, Status.COMPLIANCE)
        driver.smu5.off()


def test_a_reading_of_another_channel_is_refused() -> None:
    with connected(("US;TI1", "NBI 1.0E-6")) as driver:
        with pytest.raises(RemoteProtocolError, match="SMU1"):
            driver.smu1.measure_current()
        assert not driver.in_step


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("KEITHLEY INSTRUMENTS,KI4200A,1442736,V1.8.1\r", ("KEITHLEY INSTRUMENTS", "KI4200A", "1442736", "V1.8.1")),
        ("ACK", ("Keithley", "KI4200", "", "V9.1")),
        ("KXCI command error. (-992)", ("Keithley", "KI4200", "", "V9.1")),
    ],
)
def test_identity_of_old_and_new_software(answer: str, expected: tuple[str, ...]) -> None:
    with connected(("*IDN?", answer)) as driver:
        assert tuple(driver.identity().values()) == expected


def test_pymeasures_own_shutdown_and_error_list() -> None:
    talk = [("SP", "0"), ("SP", "66"), ("US;DV1;DV5", "ACK")]
    with connected(*talk) as driver:
        assert driver.check_errors() == []
        assert len(driver.check_errors()) == 1
        driver.shutdown()
        assert driver.isShutdown


def test_resistance_is_seen_through_everything() -> None:
    final = run(rig())[-1]
    np.testing.assert_allclose(final["current"], SWEEP.levels / RESISTANCE, rtol=0.01, atol=1e-9)
