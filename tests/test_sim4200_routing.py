"""The simulated pulse card beside the SMUs: RPMs and cables, who may speak when, abort, reset, retain, older software."""

from __future__ import annotations

from typing import Any

import pytest
from pulse_helpers import EXACT, GROUNDED, arb, await_end, drives, plateaus, play, points, pulse, pulser
from sim_helpers import Resistor, Talker

from labctl.kxci.points import SPOT_MEANS
from labctl.kxci.pulse_status import RpmPath, status_of

TRAIN = (":PMU:PULSE:TIMES 1, 1e-3, 2e-4, 1e-6, 1e-6", ":PMU:PULSE:TRAIN 1, 0, 1")
ON = (":PMU:OUTPUT:STATE 1, 1", ":PMU:EXECUTE")
FORCE = ("US", "DV1,0,0.5,1e-3", "DV2,0,0,1e-3")


def smu_current(talker: Talker) -> float:
    """What SMU1 drives through the cell at 0.5 V, A."""
    talker.say(*FORCE)
    return float(talker.ask("TI1")[3:])


# -- RPMs -------------------------------------------------------------------------------------------------------------
def test_at_power_on_and_after_reset_the_smus_are_connected() -> None:
    talker = Talker(Resistor(1e4), settings=EXACT)
    assert talker.ask("*OPT?") == "SMUPA1,SMUPA2,PMU1RPM1-2"
    assert smu_current(talker) == pytest.approx(5e-5)
    talker.say(":PMU:RPM:CONFIGURE PMU1-1, 0")
    assert talker.ask("TI1") == "NAI 0.0000E+00"
    assert talker.ask("TV1") == "NAV 500.00E-03"
    talker.say("*RST")
    assert smu_current(talker) == pytest.approx(5e-5)


def test_a_reset_that_leaves_rpms_at_the_pulse_card() -> None:
    talker = Talker(Resistor(1e4), settings={"rpm_at_reset": "pulse"})
    assert smu_current(talker) == 0.0
    talker.say(":PMU:RPM:CONFIGURE PMU1-1, 2", ":PMU:RPM:CONFIGURE PMU1-2, 2")
    assert smu_current(talker) == pytest.approx(5e-5)


@pytest.mark.parametrize(
    ("lead", "back"),
    [
        (":PMU:RPM:CONFIGURE PMU1-2, 0", ":PMU:RPM:CONFIGURE SMU2, 2"), ("SS RP SMU2, 0", "SS;RP PMU1-2, 2"),
        ("SS;RP PMU1-2, 1", "SS RP SMU2,2"), (":PMU:RPM:CONFIGURE PMU1-2, 3", ":PMU:RPM:CONFIGURE PMU1-2, 2"),
    ],
)  # fmt: skip
def test_an_rpm_answers_to_its_channel_and_its_smu(lead: str, back: str) -> None:
    talker = Talker(Resistor(1e4))
    talker.say(lead)
    assert smu_current(talker) == 0.0
    talker.say(back)
    assert smu_current(talker) == pytest.approx(5e-5)


def test_routing_follows_the_wiring() -> None:
    talker = Talker(Resistor(1e4), wiring={"top": 2, "bottom": 1})
    talker.say(":PMU:RPM:CONFIGURE PMU1-1, 0", *FORCE)
    assert float(talker.ask("TI2")[3:]) == 0.0
    talker.say(":PMU:RPM:CONFIGURE SMU2, 2")
    assert float(talker.ask("TI2")[3:]) == pytest.approx(-5e-5)


@pytest.mark.parametrize(("undoes", "current"), [(True, 5e-5), (False, 0.0)])
def test_whether_init_undoes_routing_is_a_setting(undoes: bool, current: float) -> None:
    talker = Talker(Resistor(1e4), settings={"init_resets_rpm": undoes})
    talker.say(":PMU:RPM:CONFIGURE PMU1-1, 0", ":PMU:INIT 1")
    assert smu_current(talker) == current


@pytest.mark.parametrize(("mode", "path"), [(2, RpmPath.BYPASS_SMU), (1, RpmPath.BYPASS_CVU), (0, RpmPath.RPM)])
def test_a_pulse_through_an_rpm_that_leads_elsewhere_does_not_reach_the_cell(mode: int, path: RpmPath) -> None:
    talker = pulser(wiring=GROUNDED)
    talker.say(f":PMU:RPM:CONFIGURE PMU1-1, {mode}", *TRAIN)
    play(talker)
    found = points(talker, columns=SPOT_MEANS)
    assert status_of(int(found.word("SH")[0])).rpm is path
    assert bool(drives(talker)) is (path is RpmPath.RPM)


def test_an_smu_can_hold_the_other_end_and_limits_the_pulse() -> None:
    talker = pulser(Resistor(1e4), wiring={"top": 1, "bottom": 2}, channels=(1,))
    talker.say("US", "DV2,0,-0.5,1e-5", *TRAIN)
    play(talker)
    found = points(talker, columns=SPOT_MEANS)
    assert found.number("VH")[0] == pytest.approx(1.0, rel=1e-4)
    assert found.number("IH")[0] == pytest.approx(1e-5)
    assert len(plateaus(talker, 1.5)) == 1


@pytest.mark.parametrize(("cables", "who"), [("SMU", "smu"), ("PMU", "pmu")])
def test_without_rpms_the_cables_decide(cables: str, who: str) -> None:
    talker = Talker(Resistor(1e4), settings={**EXACT, "options": "SMUPA1,SMUPA2,PMU1", "cables": cables})
    assert smu_current(talker) == (pytest.approx(5e-5) if who == "smu" else 0.0)
    talker.say("DV1", "DV2", ":PMU:INIT 0", ":PMU:RPM:CONFIGURE PMU1-1, 0", *TRAIN, ":PMU:PULSE:TRAIN 2, 0, 0")
    talker.say(":PMU:PULSE:TIMES 2, 1e-3, 2e-4, 1e-6, 1e-6")
    play(talker, 1, 2)
    found = points(talker, columns=SPOT_MEANS)
    assert found.number("IH")[0] == (0.0 if who == "smu" else pytest.approx(1.00005 / 10100, rel=1e-4))
    assert status_of(int(found.word("SH")[0])).rpm is RpmPath.NONE


@pytest.mark.parametrize("options", ["SMU1,SMU2,PMURPM", 'SMU1,"",SMU2,PMURPM1', "SMU1,SMU2,PMU1RPM1,PMU1RPM2"])
def test_other_spellings_of_two_rpms(options: str) -> None:
    talker = Talker(Resistor(1e4), settings={"options": options})
    talker.say(":PMU:RPM:CONFIGURE PMU1-2, 0")
    assert smu_current(talker) == 0.0


def test_without_a_pulse_card_routing_by_rp_is_no_error_and_pulses_are() -> None:
    talker = Talker(Resistor(1e4), settings={"options": "SMU1,SMU2"})
    talker.say("SS", "RP PMU1-1, 0")
    assert smu_current(talker) == pytest.approx(5e-5)
    assert talker.fails(":PMU:INIT 0") == -978


def test_a_second_card_has_no_cell() -> None:
    talker = pulser(settings={"options": "SMU1,SMU2,PMU1RPM1-2,PMU2"})
    talker.say(*(message.replace(" 1,", " 3,", 1) for message in TRAIN))
    play(talker, 3)
    found = points(talker, 3, SPOT_MEANS)
    assert (found.number("IH")[0], status_of(int(found.word("SH")[0])).channel) == (0.0, 1)
    assert drives(talker) == []


# -- busy -------------------------------------------------------------------------------------------------------------
def test_while_pulses_run_only_a_few_things_are_answered() -> None:
    talker = pulser(message_time=0.0)
    talker.say(*TRAIN, *ON)
    assert talker.ask("SP") == "16"
    assert talker.ask(":PMU:DATA:COUNT? 1") == "0"
    for message in ("US", "DE", "*RST", "DV1,0,1,1e-3", "BC", "*OPT?", ":PMU:EXECUTE", ":PMU:INIT 0", ON[0], TRAIN[1]):
        assert talker.fails(message) == -980, message
    talker.clock.sleep(0.1)
    assert [talker.ask("SP"), talker.ask("SP")] == ["1", "0"]
    assert talker.ask(":PMU:TEST:STATUS?") == "0"
    talker.say("US", "BC")


def test_while_smus_sweep_no_pulses_start_and_none_run() -> None:
    talker = Talker(Resistor(1e4))
    talker.say("DE", "CH1,'V1','I1',1,1", "CH2,'V2','I2',1,3", "SS", "VR1,0,1,0.1,1e-3", "VC2,0,1e-3", "MD", "ME1")
    assert talker.fails(":PMU:EXECUTE") == -980
    assert talker.ask(":PMU:TEST:STATUS?") == "0"
    talker.say(":PMU:ABORT")
    assert talker.ask("SP") == "16"


def test_options_may_wait_for_the_end_of_the_pulses() -> None:
    talker = pulser(settings={"options_while_busy": "wait"})
    talker.say(*TRAIN, *ON)
    assert talker.ask("*OPT?").startswith("SMU")
    assert talker.ask(":PMU:TEST:STATUS?") == "0"
    assert len(plateaus(talker, 1.0)) == 1


# -- the end of a test ------------------------------------------------------------------------------------------------
def test_an_abort_ends_the_stimulus_where_it_is_and_keeps_the_points() -> None:
    talker = pulser(message_time=0.0)
    talker.say(":PMU:PULSE:TIMES 1, 0.1, 0.05, 1e-3, 1e-3", ":PMU:PULSE:TRAIN 1, 0, 1", ":PMU:PULSE:BURST:COUNT 5", *ON)
    talker.clock.sleep(0.05 + 0.2 + 0.03)
    assert talker.fails(":PMU:ABORT") == -966
    assert talker.ask(":PMU:TEST:STATUS?") == "0"
    assert talker.instrument.pulse_outputs == ()
    assert talker.ask(":PMU:DATA:COUNT? 1") == "2"
    talker.clock.sleep(1.0)
    talker.ask("SP")
    assert sum(plateaus(talker, 1.0)) == pytest.approx(2 * 0.049 + 0.029)


@pytest.mark.parametrize("how", ["clear", "me4"])
def test_other_ways_to_stop(how: str) -> None:
    talker = pulser(message_time=0.0)
    talker.say("MD", ":PMU:PULSE:TIMES 1, 0.1, 0.05, 1e-3, 1e-3", TRAIN[1], *ON)
    talker.clock.sleep(0.08)
    if how == "clear":
        talker.instrument.device_clear()
        assert talker.instrument.pulse_outputs == ()
        assert talker.ask(":PMU:TEST:STATUS?") == "0"
        assert sum(plateaus(talker, 1.0)) == pytest.approx(0.029)
    else:  # ME4 is the SMUs' abort: the pulse goes on as if nothing had been said
        talker.ask("ME4")
        await_end(talker)
        assert sum(plateaus(talker, 1.0)) == pytest.approx(0.049)


def test_a_test_can_be_repeated_only_if_its_set_up_is_retained() -> None:
    talker = pulser()
    talker.say(*TRAIN)
    play(talker)
    assert talker.fails(":PMU:EXECUTE") == -967
    talker.say(TRAIN[1], ":PMU:RETAIN:CONFIG 1, 1")
    for _ in range(2):
        play(talker)
    assert len(plateaus(talker, 1.0)) == 3
    segments = arb(*pulse())
    play(segments)
    assert segments.fails(":PMU:EXECUTE") == -961


@pytest.mark.parametrize("message", [":PMU:INIT 0", "*RST", ":PMU:INIT 1"])
def test_what_starts_anew_forgets_data_and_set_up_and_switches_off(message: str) -> None:
    talker = pulser()
    talker.say(*TRAIN, ":PMU:SOURCE:RANGE 1, 40", ":PMU:RETAIN:CONFIG 1, 1")
    play(talker)
    assert talker.ask(":PMU:DATA:COUNT? 1") == "1"
    talker.say(message)
    assert talker.instrument.pulse_outputs == ()
    assert talker.ask(":PMU:DATA:COUNT? 1") == "0"
    assert talker.ask(":PMU:DATA:GET 1") == ""
    talker.say(":PMU:OUTPUT:STATE 1, 1")
    assert talker.fails(":PMU:EXECUTE") in (-967, -961)


def test_a_refused_test_keeps_the_data_of_the_last_one() -> None:
    talker = pulser()
    talker.say(*TRAIN)
    play(talker)
    assert talker.fails(":PMU:EXECUTE") == -967
    assert talker.ask(":PMU:DATA:COUNT? 1") == "1"


# -- older software and a bounded truth -------------------------------------------------------------------------------
@pytest.mark.parametrize("message", [":PMU:INIT 0", ":PMU:LOAD 1, nonsense", ":PMU:TEST:STATUS?", ":ERROR:LAST:GET"])
def test_older_software_knows_no_pulse_commands(message: str) -> None:
    talker = Talker(settings={"error_query": False})
    talker.ask(message)
    assert talker.ask("SP") == "66"
    assert talker.instrument.frame.status.last_error.endswith("(-992)")
    talker.ask("SS")
    talker.ask("RP PMU1-1, 0")
    assert talker.ask("SP") == "0"


def test_the_truth_is_bounded_and_can_be_switched_off() -> None:
    def truth(length: int) -> list[Any]:
        talker = pulser(settings={"truth_length": length})
        talker.say(*TRAIN, ":PMU:PULSE:BURST:COUNT 100")
        play(talker)
        return list(talker.instrument.truth)

    assert len(truth(50)) == 50
    assert truth(0) == []
