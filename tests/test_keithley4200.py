"""The Keithley 4200 driver against the simulated instrument, in every variant that the manuals leave open."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from keithley_bench import EXACT, RESISTANCE, Rig, Wish, ohmic, rig

from labctl import plugins
from labctl.bench import SimBench, TcpDoor
from labctl.clocks import VirtualClock
from labctl.contracts import Acquisition, Block, Sampling, SourceMeter, Status, Sweep
from labctl.errors import LimitError, RemoteProtocolError, UsageError
from labctl.kxci import encode
from labctl.kxci.replies import Option
from labctl.link import VisaLink
from labctl.testing import SOURCE_METER_CHECKS, Subject, check_source_meter

encoding = plugins.module("instruments", "keithley4200", "system_mode")
wires = plugins.module("instruments", "keithley4200", "wiring")

OLD = {"error_query": False, "letters": "LVXCTN", "version": "V4.6.0", "model": "KI4200"}
VARIANTS: dict[str, dict[str, Any]] = {
    "bad commands are not answered": {"bad_command": "silent"},
    "bad commands are answered with text": {"bad_command": "text"},
    "no error is said in words": {"clean_error": "No error. (0)"},
    "data end with CR": {"character": "cr"},
    "data end with LF": {"character": "lf"},
    "data end with CR LF": {"character": "crlf"},
    "readings apart by LF": {"separator": "lf"},
    "readings apart by 0x0E": {"separator": "so"},
    "ready is never shown": {"data_ready": "never"},
    "ready comes as 65": {"data_ready": "service"},
    "old status letters": {"letters": "LVXCTN"},
    "plain numbers": {"numbers": "plain"},
    "a measured zero is 0": {"measured_zero": "short"},
    "*RST keeps channels": {"reset_clears_channels": False},
    "ME4 clears the data": {"abort_discards": True},
    "no preamplifiers": {"options": "SMU1,SMU2"},
    "4210s and empty slots": {"options": 'HPSMU1,"",HPSMUPA2,PMU1RPM1-2'},
    "four SMUs": {"options": "SMUPA1,SMU2,HPSMU3,SMU4,CVU1"},
    "voltage source and voltmeter": {"options": "SMUPA1,SMUPA2,VS1,VM1"},
    "*OPT? waits for the end of a test": {"options_while_busy": "wait"},
    "RG leaves fixed ranges, outputs stay on": {"range_floor_ends_fixed": False, "left_on": "stays"},
    "small compliance is raised": {"small_compliance": "raise"},
    "old software": OLD,
    "old software, silent": {**OLD, "bad_command": "silent"},
    "old software, text": {**OLD, "bad_command": "text"},
    "old software, all at once": {**OLD, "data_ready": "never", "separator": "so", "numbers": "plain"},
}


@pytest.mark.parametrize("check", SOURCE_METER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("transport", ["tcp", "gpib"])
def test_it_keeps_every_promise_of_a_source_meter(check: Any, transport: str) -> None:
    check(rig(transport=transport).subject())


#: all but the one where the separator ends the message, see test_a_separator_that_ends_messages_is_noticed
CASES = [(v, t) for v in VARIANTS for t in ("tcp", "gpib") if (v, t) != ("readings apart by LF", "gpib")]


@pytest.mark.parametrize(("variant", "transport"), CASES)
def test_it_keeps_them_on_every_variant_of_the_instrument(variant: str, transport: str) -> None:
    settings = VARIANTS[variant]
    check_source_meter(lambda: rig(transport=transport, settings=settings).subject())


@pytest.mark.parametrize("stop_on_compliance", [False, True])
def test_a_separator_that_ends_messages_is_noticed(stop_on_compliance: bool) -> None:
    one = rig(transport="gpib", settings={"separator": "lf"})
    sweep = Sweep(np.array([0.2, 0.4, 1.0, 1.0]), 0.5 / RESISTANCE, stop_on_compliance=stop_on_compliance)
    with pytest.raises(RemoteProtocolError, match="Reading Delimiter"):
        list(one.meter.sweep(sweep))
    assert one.outputs_are_off()


def test_it_keeps_them_with_one_smu_against_ground() -> None:
    terminals = {"top": 2, "bottom": None}
    one = rig(terminals=terminals, settings={"options": "SMU2"})
    final = list(one.meter.sweep(Sweep(np.array([0.5, -0.5]), 1e-5)))[-1]
    np.testing.assert_allclose(final["current"], [0.5 / RESISTANCE, -0.5 / RESISTANCE], rtol=0.01)


def test_it_keeps_them_through_a_socket() -> None:
    bench = SimBench(ohmic(RESISTANCE), settings=EXACT)
    driver = plugins.load("instruments", "keithley4200", SourceMeter)
    sent = []
    with TcpDoor(bench.instrument) as door:

        def make() -> Subject:
            resource = f"TCPIP0::127.0.0.1::{door.port}::SOCKET"
            ends = dict(zip(("write_termination", "read_termination"), driver.terminators(resource), strict=True))
            link = VisaLink(
                resource,
                visa_library="@py",
                timeout=10.0,
                sink=lambda x: sent.append(x) if x[1] == ">" else None,
                **ends,
            )
            meter = driver.connect(link, {"top": 1, "bottom": 2}, bench.clock, {})
            return Subject(meter, RESISTANCE, lambda: len(sent), lambda: make().meter)

        subject = make()
        for check in SOURCE_METER_CHECKS[:7]:
            check(subject)
        subject.meter.link.reopen()  # the instrument may not have seen the old connection end yet
        subject.meter.make_safe()
        subject.meter.close()


def test_the_device_gets_just_what_was_asked_for() -> None:
    one = rig()
    levels = np.array([0.0, 0.3, -0.7, 1.5])
    before = len(one.bench.instrument.truth)
    list(one.meter.sweep(Sweep(levels, 1e-5)))
    one.meter.make_safe()
    applied = [dwell.drive for dwell in list(one.bench.instrument.truth)[before:]]
    steps = [v for k, v in enumerate(applied) if k == 0 or abs(v - applied[k - 1]) > 1e-6]
    np.testing.assert_allclose([v for v in steps if abs(v) > 1e-6], levels[1:], atol=1e-3)
    assert one.outputs_are_off()


def test_a_stopped_sweep_keeps_its_rows_when_the_instrument_drops_them() -> None:
    one = rig(settings={"abort_discards": True})
    asked = iter(range(1000))
    one.meter.should_stop = lambda: next(asked) >= 12
    final = list(one.meter.sweep(Sweep(np.linspace(0, 1, 300), 1e-5)))[-1]
    assert not final.provisional
    assert 3 < len(final) < 300
    assert np.all(final["status"] & int(Status.PROVISIONAL))
    np.testing.assert_allclose(final["current"], final["level"] / RESISTANCE, rtol=0.01, atol=1e-9)
    assert one.outputs_are_off()


def test_live_rows_show_the_compliance() -> None:
    limited = Sweep(np.full(60, 1.0), 0.5 / RESISTANCE)
    blocks = list(rig().meter.sweep(limited))
    live = [block for block in blocks if block.provisional]
    assert len(live) > 2
    wanted = int(Status.COMPLIANCE | Status.PROVISIONAL)
    assert all(np.all(block["status"] == wanted) for block in live)
    assert np.all(blocks[-1]["status"] == int(Status.COMPLIANCE))


def test_live_reading_can_be_switched_off() -> None:
    one = rig(options={"live": False})
    blocks = list(one.meter.sweep(Sweep(np.linspace(0, 1, 100), 1e-5)))
    assert [len(block) for block in blocks] == [100]
    looks = [message for message in one.sent if message.startswith("RD")]
    assert 0 < len(looks) <= one.sent.count("SP")
    assert all(message.startswith("RD 'CH1T'") for message in looks)  # whether it moves, not what it reads


def test_nothing_is_sent_when_it_is_stopped_before_it_began() -> None:
    one = rig()
    one.meter.should_stop = lambda: True
    one.sent.clear()
    assert list(one.meter.sweep(Sweep(np.array([1.0]), 1e-5))) == []
    assert one.sent == []


def test_the_longest_list_fits() -> None:
    levels = np.sin(np.linspace(0, 6, 4096)) * 1.23456789
    acquisition = Acquisition(integration="fast")
    final = list(rig(options={"live": False}).meter.sweep(Sweep(levels, 1e-4, acquisition=acquisition)))[-1]
    assert len(final) == 4096
    np.testing.assert_allclose(final["level"], levels, atol=1e-9)


def test_an_energised_output_stays_on_only_if_asked() -> None:
    one = rig()
    sweep = Sweep(np.array([0.5]), 1e-5)
    list(one.meter.sweep(sweep))
    assert one.outputs_are_off()
    list(one.meter.sweep(replace(sweep, standby=False)))
    assert not one.outputs_are_off()
    one.meter.make_safe()
    assert one.outputs_are_off()


# -- connecting -------------------------------------------------------------------------------------------------------
def test_who_answers() -> None:
    assert dict(rig().meter.identity()) == {
        "manufacturer": "KEITHLEY INSTRUMENTS",
        "model": "KI4200A",
        "serial": "1442736",
        "firmware": "V1.13.0",
        "resource": "TCPIP0::sim::1225::SOCKET",
    }


@pytest.mark.parametrize("transport", ["tcp", "gpib"])
@pytest.mark.parametrize("bad_command", ["ack", "silent", "text"])
@pytest.mark.parametrize("known", [True, False])
def test_the_error_queue_is_found_or_not(known: bool, bad_command: str, transport: str) -> None:
    one = rig(transport=transport, settings={"error_query": known, "bad_command": bad_command})
    assert one.meter.settings()["error_queue"] is known
    assert one.outputs_are_off()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"poll_intervall": 1}, "did you mean 'poll_interval'"),
        ({"digits": 9}, "digits"),
        ({"digits": 4.5}, "whole number"),
        ({"live": "yes"}, "true or false"),
        ({"poll_interval": "20 ms"}, "poll_interval"),
        ({"patience": "soon"}, "not a number"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rig(options=options)


@pytest.mark.parametrize(
    ("terminals", "message"), [({"top": 3, "bottom": 1}, "SMU3"), ({"top": 1, "bottom": 1}, "one SMU")]
)
def test_wrong_wiring_is_refused(terminals: dict[str, int], message: str) -> None:
    cards = [Option("SMU", 1), Option("SMU", 2)]
    with pytest.raises(UsageError, match=message):
        wires.Wiring.of(terminals, cards)


def test_options_may_carry_units() -> None:
    assert rig(options={"poll_interval": "500 ms", "timeout": 3}).meter.settings()["poll_interval"] == 0.5


@pytest.mark.parametrize("resource", ["ASRL1::INSTR", "TCPIP0::1.2.3.4::INSTR"])
def test_other_interfaces_are_refused(resource: str) -> None:
    with pytest.raises(UsageError, match="SOCKET"):
        plugins.load("instruments", "keithley4200", SourceMeter).terminators(resource)


# -- what is refused --------------------------------------------------------------------------------------------------
GOOD = Sweep(np.array([0.0, 1.0]), 1e-6)
SAMPLES = Sampling({"top": 0.5, "bottom": 0.0}, 1e-6, 10, 0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"compliance": 50e-12}, "100 pA"),
        ({"levels": np.array([25.0]), "compliance": 0.02}, "10.5 mA"),
        ({"levels": np.array([211.0])}, "210 V"),
        ({"levels": np.zeros(4097)}, "4096"),
        ({"acquisition": Acquisition(current_range=1e-5)}, "11 %"),
        ({"acquisition": Acquisition(current_range=1e-6), "compliance": 1.06e-6}, "105 %"),
        ({"acquisition": Acquisition(current_range=2e-6)}, "none of this SMU"),
        ({"acquisition": Acquisition(range_floor=1.0)}, "none of this SMU"),
        ({"acquisition": Acquisition(current_range=1e-6, range_floor=1e-9)}, "not both"),
        ({"acquisition": Acquisition(delay=6.6)}, "delay"),
        ({"acquisition": Acquisition(hold=656.0)}, "hold"),
        ({"acquisition": Acquisition(hold=float("nan"))}, "hold"),
        ({"acquisition": Acquisition(integration=20.0)}, "cycles"),
        ({"acquisition": Acquisition(integration="slow")}, "fast, normal, quiet"),
        ({"constants": {"top": 0.0, "bottom": 0.0}}, "swept and held"),
        ({"constants": {}}, "'bottom' on SMU2 would be left floating"),
        ({"constants": {"gate": 0.0}}, "not wired"),
        ({"terminal": "gate"}, "not wired"),
    ],
)
def test_a_sweep_the_instrument_would_change_is_refused(change: dict[str, Any], message: str) -> None:
    one = rig()
    one.sent.clear()
    with pytest.raises(LimitError, match=message):
        one.meter.sweep(replace(GOOD, **change))
    assert one.sent == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"interval": 0.005}, "interval"),
        ({"interval": 11.0}, "interval"),
        ({"wait": 101.0}, "wait"),
        ({"count": 4097}, "4096"),
        ({"voltages": {"bottom": 0.0}}, "only"),
        ({"voltages": {"top": 0.5}}, "floating"),
        ({"acquisition": Acquisition(delay=0.1)}, "wait"),
        ({"compliance": 0.2}, "105 mA"),
    ],
)
def test_a_sampling_the_instrument_would_change_is_refused(change: dict[str, Any], message: str) -> None:
    one = rig()
    one.sent.clear()
    with pytest.raises(LimitError, match=message):
        one.meter.sample(replace(SAMPLES, **change))
    assert one.sent == []


def test_a_grounded_terminal_can_be_neither_held_nor_driven() -> None:
    one = rig(terminals={"top": 1, "bottom": None})
    for change in ({"constants": {"bottom": 0.5}}, {"terminal": "bottom", "constants": {"top": 0.0}}):
        with pytest.raises(LimitError, match="grounded"):
            one.meter.sweep(replace(GOOD, **change))


# -- the words --------------------------------------------------------------------------------------------------------
WIRING = wires.Wiring.of({"top": 1, "bottom": 2, "gate": 3}, [Option("SMU", n, preamp=n < 3) for n in (1, 2, 3)])


def words(test: Any) -> list[str]:
    return [encode(*message) for message in test.messages]


def range_words(test: Any) -> str:
    return encode(*test.ranges.values())


def test_a_list_sweep_in_words() -> None:
    sweep = Sweep(np.array([0.0, 1.0, -1.0]), 1e-5, constants={"bottom": 0.0, "gate": 0.5}, stop_on_compliance=True)
    test = encoding.sweep_test(sweep, WIRING, wires.Settings())
    assert words(test) == [
        "DE;CH1;CH2;CH3;CH1,'V1','I1',1,1;CH2,'V2','I2',1,3;CH3,'V3','I3',1,3;IT2;RS7;EC1",
        "SS;HT0;DT0;VC2,0,1e-5;VC3,0.5,1e-5;ST1,1;ST2,1;ST3,1",
        "VL1,1,1e-5,0,1,-1",
        "SM;DM2;LI 'V1','I1','CH1T','V2','I2','V3';LI 'I3'",
    ]
    assert range_words(test) == "RG1,1e-9;RG2,1e-9;RG3,1e-7"
    assert test.open_ended


def test_an_even_ramp_goes_as_a_linear_sweep() -> None:
    how = Acquisition(integration=0.5, current_range=1e-5, hold=1.0, delay=0.02)
    sweep = Sweep(np.linspace(0, 1, 101), 1e-5, acquisition=how, standby=False)
    test = encoding.sweep_test(sweep, WIRING, wires.Settings(filter_factor=2.0, digits=5))
    assert words(test) == [
        "DE;CH1;CH2;CH3;CH1,'V1','I1',1,1;CH2,'V2','I2',1,3;IT4,1,2,0.5;RS5;EC0",
        "SS;HT1;DT0.02;VC2,0,1e-5;ST1,0;ST2,0;VR1,0,1,0.01,1e-5",
        "SM;DM2;LI 'V1','I1','CH1T','V2','I2'",
    ]
    assert range_words(test) == "RI1,1e-5,1e-5;RI2,1e-5,1e-5"
    np.testing.assert_allclose(test.levels, sweep.levels, atol=1e-12)


def test_sampling_in_words() -> None:
    sampling = Sampling({"top": 0.1, "bottom": 0.0}, 1e-6, 50, 0.25, wait=2.0, acquisition=Acquisition("quiet"))
    test = encoding.sampling_test(sampling, WIRING, wires.Settings())
    assert words(test) == [
        "DE;CH1;CH2;CH3;CH1,'V1','I1',1,3;CH2,'V2','I2',1,3;IT3;RS7;EC0",
        "SS;HT0;DT0;VC1,0.1,1e-6;VC2,0,1e-6;ST1,1;ST2,1",
        "SM;DM2;LI 'V1','I1','CH1T','V2','I2';NR50;IN0.25;WT2",
    ]


def test_voltage_sources_and_voltmeters_are_switched_off_too() -> None:
    wiring = wires.Wiring.of({"top": 1}, [Option("SMU", 1), Option("VS", 1), Option("VM", 2), Option("CVU", 1)])
    test = encoding.sweep_test(Sweep(np.array([1.0]), 1e-5, constants={}), wiring, wires.Settings())
    assert words(test)[0].startswith("DE;CH1;VS1;VM2;CH1,")


@pytest.mark.parametrize(
    "levels",
    [
        np.array([0.5]),
        np.array([0.0, 1.0]),
        np.linspace(1, 0, 11),  # which sign a falling step has is not documented
        np.linspace(0, 1, 1025),  # VAR1 ends at 1024 points
        np.linspace(0, 1e-3, 11),  # steps below 1 mV are forced to 0
        np.linspace(5e-4, 1, 11),  # so is a start
        np.linspace(0, 1, 12) + np.array([0, 1e-6] * 6),
        np.concatenate([np.linspace(0, 1, 11), np.linspace(0.9, 0, 10)]),
    ],
)
def test_what_is_no_even_rising_ramp_goes_as_a_list(levels: Any) -> None:
    test = encoding.sweep_test(Sweep(levels, 1e-5), WIRING, wires.Settings())
    assert any(text.startswith("VL1,") for text in words(test))
    assert test.levels.size == levels.size


def test_levels_are_recorded_as_they_were_sent() -> None:
    levels = np.array([1.23456789012345678, -1.23456789012345678e-3])
    test = encoding.sweep_test(Sweep(levels, 1e-5), WIRING, wires.Settings())
    sent = [float(value) for value in words(test)[2].split(",")[3:]]
    assert test.levels.tolist() == sent
    np.testing.assert_allclose(sent, levels, rtol=1e-6)


def test_many_names_go_in_sixes() -> None:
    names = [f"V{n}" for n in range(1, 9)]
    assert encode(*encoding.list_names(names)) == "LI 'V1','V2','V3','V4','V5','V6';LI 'V7','V8'"


# -- user mode --------------------------------------------------------------------------------------------------------
@pytest.fixture(params=["tcp", "gpib"])
def user(request: pytest.FixtureRequest) -> Rig:
    one = rig(Wish(transport=request.param))
    one.meter.driver.smu2.force_voltage(0.0, 1e-3)
    one.sent.clear()
    return one


def test_force_and_measure(user: Rig) -> None:
    smu = user.meter.driver.smu1
    smu.force_voltage(0.5, 1e-5)
    assert smu.measure_current().value == pytest.approx(0.5 / RESISTANCE, rel=0.01)
    assert smu.measure_current().status == Status.NORMAL
    assert smu.measure_voltage().value == pytest.approx(0.5, abs=1e-3)
    smu.off()
    assert user.sent == [
        "US;DV1,0,0.5,1e-5", "US;TI1", "US;TI1", "US;DV1,0,0.5,1e-5", "US;TV1", "US;DV1",
    ]  # fmt: skip


def test_compliance_in_user_mode(user: Rig) -> None:
    smu = user.meter.driver.smu1
    smu.force_voltage(0.5, 0.2 / RESISTANCE)
    reading = smu.measure_current()
    assert reading.status == Status.COMPLIANCE
    assert reading.value == pytest.approx(0.2 / RESISTANCE, rel=0.01)


def test_forcing_a_current(user: Rig) -> None:
    smu = user.meter.driver.smu1
    smu.force_current(3e-7, 2.0, source_range=1e-6)
    assert smu.measure_voltage().value == pytest.approx(0.3, rel=0.01)
    assert user.sent[0] == "US;DI1,4,3e-7,2"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda smu: smu.force_voltage(211.0, 1e-6), "210 V"),
        (lambda smu: smu.force_voltage(2.2, 1e-6, source_range=2.0), "2.1 V"),
        (lambda smu: smu.force_voltage(1.0, 1e-6, source_range=5.0), "no source range"),
        (lambda smu: smu.force_voltage(1.0, 1e-12), "100 pA"),
        (lambda smu: smu.force_voltage(25.0, 0.05), "10.5 mA"),
        (lambda smu: smu.force_voltage(float("nan"), 1e-6), "voltage"),
        (lambda smu: smu.force_current(0.2, 1.0), "105 mA"),
        (lambda smu: smu.force_current(2e-6, 1.0, source_range=1e-6), "1.05 uA"),
        (lambda smu: smu.force_current(1e-6, 0.01), "20 mV"),
        (lambda smu: smu.force_current(1e-6, 220.0), "210 V"),
    ],
)
def test_user_mode_refuses_before_a_byte(call: Any, message: str) -> None:
    one = rig()
    one.sent.clear()
    with pytest.raises(LimitError, match=message):
        call(one.meter.driver.smu1)
    assert one.sent == []


def test_low_source_ranges_need_a_preamplifier() -> None:
    smu = rig(settings={"options": "SMU1,SMU2"}).meter.driver.smu1
    with pytest.raises(LimitError, match="preamplifier"):
        smu.force_voltage(0.1, 1e-6, source_range=0.2)


def test_a_test_makes_user_mode_forget_what_it_forced() -> None:
    one = rig()
    smu = one.meter.driver.smu1
    smu.force_voltage(0.5, 1e-5)
    smu.measure_voltage()
    list(one.meter.sweep(Sweep(np.array([0.1]), 1e-5)))
    one.sent.clear()
    smu.measure_current()
    assert one.sent == ["US;TI1"]


def blocks_of(one: Rig, sweep: Sweep) -> list[Block]:
    return list(one.meter.sweep(sweep))


def test_fixed_range_of_an_earlier_test_does_not_linger() -> None:
    one = rig()
    low = Sweep(np.array([0.1]), 1e-6, acquisition=Acquisition(current_range=1e-6))
    high = Sweep(np.array([1.0]), 1e-4)
    swapped = Sweep(np.array([1.0]), 1e-4, terminal="bottom", constants={"top": 0.0})
    for sweep in (low, high, low, swapped):
        final = blocks_of(one, sweep)[-1]
        np.testing.assert_allclose(np.abs(final["current"]), np.abs(final["level"]) / RESISTANCE, rtol=0.01)


def test_the_driver_takes_its_pauses_on_the_clock_it_is_given() -> None:
    one = rig()
    clock = one.bench.clock
    assert isinstance(clock, VirtualClock)
    before = clock.now()
    list(one.meter.sample(Sampling({"top": 0.5, "bottom": 0.0}, 1e-5, count=100, interval=10.0)))
    assert 990 < clock.now() - before < 1100
