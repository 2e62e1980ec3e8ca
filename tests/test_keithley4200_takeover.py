"""The Keithley 4200 driver and what was there before it: running tests, fixed ranges, live outputs, mappings, old replies."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from keithley_bench import RESISTANCE, MeddledLink, Rig, Wish, bench_of, connect, link_to, rig
from pymeasure.test import expected_protocol

from labctl import plugins
from labctl.bench import SimBench
from labctl.contracts import Acquisition, Block, Sweep
from labctl.errors import InstrumentError, LabctlError, LinkTimeout, RemoteProtocolError, UsageError

driver_module = plugins.module("instruments", "keithley4200", "driver")

LEFT_RUNNING = [
    "EM 1,0",
    "DE;CH1;CH2;CH1,'V1','I1',1,1;CH2,'V2','I2',1,3",
    "SS;VC2,0,1e-3;ST1,0;ST2,0;VL1,1,1e-5," + ",".join(["1"] * 1000),
    "SM;DM2;LI 'V1','I1'",
    "MD;ME1",
]
SWEEP = Sweep(np.array([0.5, -0.5, 1.0]), 1e-5)


def tell(bench: SimBench, *messages: str) -> None:
    """What another client says."""
    for message in messages:
        bench.instrument.feed(message.encode() + bench.instrument.message_end)


def left_running(**wish: Any) -> tuple[SimBench, MeddledLink, Wish]:
    """A bench in the middle of the test of a client that died, and a link to it."""
    wanted = Wish(**wish)
    bench = bench_of(wanted)
    tell(bench, *LEFT_RUNNING)
    bench.clock.sleep(1.0)
    assert bench.instrument.frame.busy
    return bench, link_to(bench), wanted


def is_safe(bench: SimBench) -> bool:
    bench.instrument.frame.catch_up()
    return not bench.instrument.frame.busy and not any(smu.output for smu in bench.instrument.frame.smus.values())


def final(one: Rig, sweep: Sweep) -> Block:
    return list(one.meter.sweep(sweep))[-1]


# -- a test that runs -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("transport", ["tcp", "gpib"])
@pytest.mark.parametrize("bad_command", ["ack", "silent", "text"])
@pytest.mark.parametrize("more", [{}, {"error_query": False}, {"options_while_busy": "wait"}], ids=str)
def test_connecting_stops_what_a_dead_client_left_running(transport: str, bad_command: str, more: Any) -> None:
    settings = {"bad_command": bad_command, **more}
    bench, link, wish = left_running(transport=transport, settings=settings)
    began = bench.clock.now()
    meter = connect(link, bench, wish)
    assert is_safe(bench)
    assert bench.clock.now() - began < 30, "it waited for the test to end by itself"
    list(meter.sweep(SWEEP))


def test_only_polls_and_the_abort_are_sent_while_it_runs() -> None:
    bench, link, wish = left_running()
    connect(link, bench, wish)
    assert link.sent[:3] == ["ID", "SP", "ME4"]
    assert link.sent.index("EM1,0") < link.sent.index("*OPT?")


@pytest.mark.parametrize(
    ("moment", "result"),
    [
        ("EM", LinkTimeout("no answer")),
        ("EM", "Command not valid during test execution. (-980)"),
        ("*OPT?", ""),
        ("*OPT?", "nonsense"),
        ("*OPT?", LinkTimeout("no answer")),
        (":ERROR", KeyboardInterrupt()),
        ("*RST", LinkTimeout("no answer")),
        ("*IDN?", KeyboardInterrupt()),
    ],
)
def test_connecting_that_fails_leaves_nothing_running(moment: str, result: str | BaseException) -> None:
    bench, link, wish = left_running()
    answered = iter([result])
    link.meddle = lambda message, reply: next(answered, reply) if message.startswith(moment) else reply
    with pytest.raises((LabctlError, KeyboardInterrupt)) as caught:
        connect(link, bench, wish)
    assert is_safe(bench)
    assert not getattr(caught.value, "__notes__", [])


def test_a_wrong_station_file_does_not_leave_it_running_either() -> None:
    bench, link, wish = left_running()
    with pytest.raises(UsageError, match="SMU3"):
        connect(link, bench, replace(wish, terminals={"top": 1, "bottom": 3}))
    assert is_safe(bench)


def test_that_it_can_not_be_made_safe_is_said() -> None:
    bench, link, wish = left_running()

    def die(message: str, reply: str) -> str:
        link.dead = link.dead or message == "*OPT?"
        return reply

    link.meddle = die
    with pytest.raises(LabctlError) as caught:
        connect(link, bench, wish)
    assert any("can't know whether the outputs are off" in note for note in caught.value.__notes__)


def test_an_instrument_that_stays_busy_is_not_used() -> None:
    bench, link, wish = left_running()
    link.meddle = lambda message, reply: "16" if message == "SP" else reply
    with pytest.raises(InstrumentError, match="earlier client"):
        connect(link, bench, wish)


def test_an_instrument_that_refuses_to_go_off_is_said() -> None:
    bench, link, wish = left_running()
    link.meddle = lambda message, reply: "nonsense" if message == "*OPT?" else "66" if message == "SP" else reply
    with pytest.raises(RemoteProtocolError) as caught:
        connect(link, bench, wish)
    assert any("refuses" in note for note in caught.value.__notes__)


def test_nothing_is_sent_to_what_is_no_4200() -> None:
    bench, link, wish = left_running()
    link.meddle = lambda message, reply: "KEITHLEY 2400"
    with pytest.raises(RemoteProtocolError, match="no Keithley 4200"):
        connect(link, bench, wish)
    assert link.sent == ["ID"]


def test_no_cards_at_all_is_no_answer() -> None:
    talk = [("ID", "KI4200A V1.8.1"), ("SP", "0"), ("EM1,0", "ACK"), ("*OPT?", "")]
    with (
        pytest.raises(RemoteProtocolError, match="without any card"),
        expected_protocol(driver_module.Keithley4200, talk),
    ):
        pass


# -- who answers ------------------------------------------------------------------------------------------------------
def test_an_old_identity_in_a_gpib_device_is_not_the_handshake() -> None:
    talk = [
        ("ID", "KEITHLEY INSTRUMENTS,KI4200A,1442736,V1.8.1"),
        (None, "KI4200A V1.8.1"),
        ("EM1,0", None),
        ("*OPT?", "SMU1"),
    ]
    with expected_protocol(driver_module.Keithley4200, talk, acknowledges=False) as driver:
        assert driver.model == "KI4200A V1.8.1"


def test_an_instrument_in_4145_emulation_is_known() -> None:
    talk = [("ID", "HP4145B 1.1,1.0"), ("SP", "0"), ("EM1,0", "ACK"), ("*OPT?", "SMU1")]
    with expected_protocol(driver_module.Keithley4200, talk) as driver:
        assert set(driver.smu) == {1}


def test_emulation_of_an_earlier_client_ends() -> None:
    bench = bench_of(Wish())
    tell(bench, "EM 0,0")
    meter = connect(link_to(bench), bench, Wish())
    assert meter.driver.model.startswith("KI4200A")
    assert not bench.instrument.frame.emulates_4145


def test_the_mode_is_chosen_again_after_a_reconnect() -> None:
    one = rig()
    tell(one.bench, "EM 0,0")  # KXCI was started anew
    one.meter.driver.in_step = False
    one.sent.clear()
    one.meter.make_safe()
    assert one.link.reopened == 1
    assert one.sent[:3] == ["ID", "SP", "EM1,0"]
    np.testing.assert_allclose(final(one, SWEEP)["current"], SWEEP.levels / RESISTANCE, rtol=0.01)


# -- mappings and ranges ----------------------------------------------------------------------------------------------
MAPPINGS = ["DE;MP1,SMU2;MP2,SMU1", "SS;SR1,1;SR2,1"]


@pytest.mark.parametrize(
    ("before", "while_connected"),
    # a mapping is restored for every test; ranges that another client sets while we are connected are its own fault
    [*((m, True) for m in MAPPINGS), *((m, False) for m in (*MAPPINGS, "RI1,1e-9,1e-9", "RV1,0.1,0.1"))],
)
def test_what_an_earlier_client_set_does_not_linger(before: str, while_connected: bool) -> None:
    wish = Wish(terminals={"top": 1, "bottom": None})  # SMU2 is not connected: exchanged, nothing would be measured
    bench = bench_of(wish)
    link = link_to(bench)
    if not while_connected:
        tell(bench, before)
    meter = connect(link, bench, wish)
    if while_connected:
        tell(bench, before)
    block = list(meter.sweep(replace(SWEEP, constants={"bottom": 0.0})))[-1]
    np.testing.assert_allclose(block["current"], SWEEP.levels / RESISTANCE, rtol=0.01)
    assert set(block["status"]) == {0}


def test_mapping_is_not_sent_to_software_that_does_not_know_it() -> None:
    bench = bench_of(Wish())
    link = link_to(bench)
    link.meddle = lambda m, reply: "KXCI command error. (-992)" if m.startswith("DE;MP") else reply
    meter = connect(link, bench, Wish())
    assert meter.settings()["mapping"] is False
    link.sent.clear()
    list(meter.sweep(SWEEP))
    assert not any("MP" in message for message in link.sent)


FIXED = replace(SWEEP, levels=np.array([0.5]), compliance=1e-6, acquisition=Acquisition(current_range=1e-6))
AUTO = replace(SWEEP, levels=np.array([10.0]))


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("transport", ["tcp", "gpib"])
def test_a_fixed_range_ends_with_its_test(ends: bool, transport: str) -> None:
    one = rig(transport=transport, settings={"range_floor_ends_fixed": ends})
    for sweep, current in ((FIXED, 5e-7), (AUTO, 1e-5), (FIXED, 5e-7), (FIXED, 5e-7), (AUTO, 1e-5)):
        block = final(one, replace(sweep, compliance=1e-6 if sweep is FIXED else 1e-4))
        np.testing.assert_allclose(block["current"], [current], rtol=0.01)
        assert block["status"].tolist() == [0]


@pytest.mark.parametrize("ends", [True, False])
def test_a_fixed_range_does_not_clamp_user_mode(ends: bool) -> None:
    one = rig(settings={"range_floor_ends_fixed": ends})
    final(one, FIXED)
    driver = one.meter.driver
    driver.smu2.force_voltage(0.0, 1e-3)
    driver.smu1.force_voltage(10.0, 1e-3)
    assert driver.smu1.measure_current().value == pytest.approx(10 / RESISTANCE, rel=0.01)
    driver.outputs_off()


# -- live outputs -----------------------------------------------------------------------------------------------------
THREE = Wish(settings={"options": "SMUPA1,SMUPA2,SMUPA3", "left_on": "stays"})


def test_an_output_that_has_no_part_in_the_test_goes_off_before() -> None:
    one = rig(THREE)
    one.meter.driver.smu3.force_voltage(2.0, 1e-6)
    one.sent.clear()
    final(one, SWEEP)
    assert one.sent.index("US;DV3") < next(k for k, message in enumerate(one.sent) if message.startswith("DE;CH"))
    assert one.outputs_are_off()


def test_ranges_never_change_under_a_live_output() -> None:
    one = rig(THREE)
    live = replace(SWEEP, standby=False)
    final(one, live)
    assert one.meter.driver.energised == {1, 2}
    one.sent.clear()
    final(one, live)  # the same ranges: nothing goes off, and no range is sent
    assert not any(message.startswith(("US", "RG", "RI")) for message in one.sent)
    one.sent.clear()
    final(one, replace(FIXED, standby=True))
    assert one.sent.index("US;DV1;DV2") < one.sent.index("RI1,1e-6,1e-6;RI2,1e-6,1e-6")
    assert one.outputs_are_off()
    assert one.meter.driver.energised == set()
