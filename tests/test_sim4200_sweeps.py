"""Tests the simulated Keithley 4200 runs by itself: sweeps, steps, sampling, abort."""

import itertools
import math

import pytest
from sim_helpers import Resistor, Talker, sweeper

from labctl.contracts import Response


class Rectifier(Resistor):
    """Conducts only one way."""

    def advance(self, drive, duration):  # type: ignore[no-untyped-def]
        response = super().advance(drive, duration)
        return response if response.current > 0 else Response(0.0, drive.voltage)


# -- sweeps -----------------------------------------------------------------------------------------------------------
def test_a_list_sweep_applies_and_measures_every_level() -> None:
    levels = [0.0, 0.5, 1.0, 0.5, 0.0, -1.0]
    talker = sweeper("VL1,1,1e-3," + ",".join(map(str, levels)))
    talker.run()
    assert talker.numbers("V1") == pytest.approx(levels, abs=1e-6)
    assert talker.numbers("I1") == pytest.approx([level / 1e4 for level in levels])
    assert talker.numbers("I2") == pytest.approx([-level / 1e4 for level in levels])
    applied = [level for level, _ in itertools.groupby(talker.device.levels)]  # a range move prolongs a level
    assert applied == pytest.approx(levels)


def test_a_linear_sweep_has_the_documented_number_of_points() -> None:
    talker = sweeper("VR1,1,-1,0.1,0.01")
    talker.run()
    assert talker.numbers("V1") == pytest.approx([1 - 0.1 * k for k in range(21)], abs=1e-5)


@pytest.mark.parametrize(("kind", "per_decade"), [(2, 10), (3, 25), (4, 50)])
def test_a_log_sweep(kind: int, per_decade: int) -> None:
    talker = sweeper(f"VR{kind},10e-3,1")
    talker.run()
    volts = talker.numbers("V1")
    assert len(volts) == 2 * per_decade + 1
    assert volts[per_decade] == pytest.approx(0.1, rel=1e-3)


def test_small_starts_and_steps_of_a_voltage_sweep_become_zero() -> None:
    talker = sweeper("VR1,5e-4,0.1,0.05,0.01")
    talker.run()
    assert talker.numbers("V1") == pytest.approx([0.0, 0.05, 0.1])
    assert talker.fails("SS;VR1,0,1,5e-4,0.01") == -993


def test_compliance_is_a_letter_and_a_reading_at_the_limit() -> None:
    talker = sweeper("VL1,1,1e-5,0.05,1,-1,0.05")
    talker.run()
    assert talker.letters("I1") == "NCCN"
    assert talker.letters("I2") == "NNNN"
    assert talker.numbers("I1") == pytest.approx([5e-6, 1e-5, -1e-5, 5e-6])
    assert talker.numbers("V1") == pytest.approx([0.05, 0.1, -0.1, 0.05])


def test_the_old_letters_tell_the_other_channel() -> None:
    talker = sweeper("VL1,1,1e-5,0.05,1", settings={"letters": "LVXCTN"})
    talker.run()
    assert (talker.letters("I1"), talker.letters("I2")) == ("NC", "NT")


def test_exit_on_compliance_ends_with_the_point_that_hit_it() -> None:
    talker = sweeper("VL1,1,1e-5,0.05,1,0.05,0.05", "EC 1")
    talker.run()
    assert talker.letters("I1") == "NC"
    talker.say("SS", "EC 0")
    talker.run()
    assert talker.letters("I1") == "NCNN"


def test_steps_are_the_outer_loop() -> None:
    talker = Talker(settings={"options": "SMU1,SMU2,SMU3"}, wiring={"top": 1, "bottom": 2})
    talker.say("*RST", "DE", "CH1,'V1','I1',1,1", "CH2,'V2','I2',1,2", "CH3,'V3','I3',1,2", "SS")
    talker.say("VR1,0,0.2,0.1,0.01", "VP 1,1,2,0.01", "VP 5,-1,2,0.01,2", "IT1", "SM", "LI 'I1'")
    talker.run()
    assert talker.numbers("V1") == pytest.approx([0, 0.1, 0.2] * 4)
    assert talker.numbers("V2") == pytest.approx(([1] * 3 + [2] * 3) * 2)
    assert talker.numbers("V3") == pytest.approx([5] * 6 + [4] * 6)
    assert talker.numbers("I1")[:3] == pytest.approx([-1e-4, -0.9e-4, -0.8e-4])


def test_var1_prime_follows_with_ratio_and_offset() -> None:
    talker = Talker()
    talker.say("*RST", "DE", "CH1,'V1','I1',1,1", "CH2,'V2','I2',1,4", "SS", "VR1,0,1,0.5,0.01", "RT -0.5,2", "FS 0.1")
    talker.run()
    assert talker.numbers("V2") == pytest.approx([0.1, -0.15, -0.4])


def test_two_lists_run_side_by_side() -> None:
    talker = Talker()
    talker.say(
        "*RST",
        "DE",
        "CH1,'V1','I1',1,1",
        "CH2,'V2','I2',1,1",
        "SS",
        "VL1,1,0.01,1,2",
        "VL2,0,0.01,-1,-2",
        "SM",
        "LI 'I1'",
    )
    talker.run()
    assert talker.numbers("I1") == pytest.approx([2e-4, 4e-4])
    talker.say("SS", "VL2,0,0.01,-1,-2,-3", "MD")
    assert talker.fails("ME1") == -991


def test_current_sweep_and_common() -> None:
    talker = Talker()
    talker.say(
        "*RST", "DE", "CH1,'V1','I1',2,1", "CH2,'V2','I2',3,3", "SS", "IR1,1e-5,3e-5,1e-5,0.25", "SM", "LI 'V1','I2'"
    )
    talker.run()
    assert talker.numbers("V1") == pytest.approx([0.1, 0.2, 0.25])
    assert talker.letters("V1") == "NNC"
    assert talker.numbers("I1") == pytest.approx([1e-5, 2e-5, 3e-5])  # forced, read back as programmed
    assert talker.numbers("I2") == pytest.approx([-1e-5, -2e-5, -2.5e-5])


def test_only_listed_quantities_are_measured() -> None:
    talker = Talker()
    talker.say(
        "*RST",
        "DE",
        "CH1,'V1','I1',1,1",
        "CH2,'V2','I2',1,3",
        "SS",
        "VL1,1,1e-5,1,1",
        "VC2,0,0.1",
        "SM",
        "YA 'I2',1,0,1",
    )
    talker.run()
    assert talker.numbers("V1") == [1.0, 1.0]  # programmed, though compliance held it at 0.1 V
    assert talker.numbers("I2") == pytest.approx([-1e-5, -1e-5])
    assert talker.fails("DO 'I1'") == -993


def test_list_names_add_up_and_leave_with_their_channel() -> None:
    talker = sweeper("VL1,1,1e-3,1", "SM", "LI 'V2'")
    talker.run()
    assert talker.numbers("V2") == [0.0]
    assert talker.numbers("I1") == pytest.approx([1e-4])
    talker.say("DE", "CH1,'V1','I1',1,1")
    talker.run()
    assert talker.fails("DO 'I1'") == -993


def test_reading_while_it_runs() -> None:
    talker = sweeper("VR1,0,1,0.01,0.01", message_time=0.0)
    talker.say("MD", "ME1")
    assert talker.ask("RD 'I1',1") == "0"
    seen = 0
    while talker.ask("SP") == "16":
        talker.clock.sleep(0.05)
        now = sum(talker.ask(f"RD 'CH1T',{k}") != "0" for k in range(1, 102))
        assert now >= seen
        seen = now
    assert seen == 101
    times = talker.numbers("CH1T")
    assert times == sorted(times)
    assert times[0] > 0
    assert talker.numbers("V1T") == times


def test_times_follow_hold_and_delay() -> None:
    talker = sweeper("VL1,1,1e-2,1,1,1", "HT 3", "DT 0.5", "IT4,0,0,0.1", "RI1,1e-3,1", "RI2,1e-3,1")
    talker.run()
    point = 0.5 + 0.00671 + 0.00675
    assert talker.numbers("CH1T") == pytest.approx([3 + 0.0195 + point * k for k in (1, 2, 3)], rel=1e-4)


def test_status_column() -> None:
    talker = sweeper("VL1,1,1e-5,0.05,1")
    talker.run()
    assert talker.numbers("I1S") == [0.0, 1.0]


# -- sampling ---------------------------------------------------------------------------------------------------------
def sampler(*measure: str, **options: object) -> Talker:
    talker = Talker(**options)
    talker.say("*RST", "DE", "CH1,'V1','I1',1,3", "CH2,'V2','I2',1,3", "SS", "VC1,0.5,1e-3", "VC2,0,0.1")
    talker.say(
        "IT4,0,0,0.01", "RI1,1e-4,1", "RI2,1e-4,1" if "small" in options else "RI2,0.1,1", "SM", "LI 'I1'", *measure
    )
    return talker


def test_sampling_against_time() -> None:
    talker = sampler("NR 5", "IN 0.1", "WT 2")
    talker.run()
    times = talker.numbers("CH1T")
    assert [b - a for a, b in itertools.pairwise(times)] == pytest.approx([0.1] * 4, abs=1e-4)
    assert times[0] == pytest.approx(2 + 0.0195 + 0.000671 + 0.00675, rel=1e-4)
    assert talker.numbers("I1") == pytest.approx([5e-5] * 5)


def test_an_interval_too_short_is_told_by_the_old_letters_only() -> None:
    for known, expected in (("LVXCTN", "NLLL"), ("CN", "NNNN")):
        talker = sampler("NR 4", "IN 0.01", "IT2", settings={"letters": known})
        talker.run()
        assert talker.letters("I1") == expected
        times = talker.numbers("CH1T")
        assert times[1] - times[0] == pytest.approx(0.0671 + 0.00675 + 5e-4, abs=1e-3)


# -- control ----------------------------------------------------------------------------------------------------------
def test_start_up_definitions_are_live() -> None:
    talker = Talker(settings={"options": "SMUPA1,SMUPA2,SMUPA3,SMUPA4"}, wiring={"top": 3, "bottom": 1})
    talker.say("MD", "ME1")
    talker.clock.sleep(1e4)
    assert talker.ask("SP") == "1"
    assert max(talker.device.levels) == pytest.approx(1.0)  # VAR1 of SMU3 went to 1 V without anybody's wish
    assert len(talker.device.levels) >= 505


def test_channels_nobody_switched_off_take_part() -> None:
    talker = Talker()
    talker.say("DE", "CH1,'V1','I1',1,1", "SS", "VL1,1,1e-3,1")  # SMU2 is still "I VAR2"
    talker.run()
    assert len(talker.numbers("V1")) == 5


def test_abort_stops_the_stimulus_where_it_is() -> None:
    talker = sweeper("VR1,0,5,0.01,0.01", "DT 0.1", message_time=0.0)
    talker.say("MD", "ME1")
    talker.clock.sleep(10.0)
    assert talker.ask("SP") == "16"
    talker.say("ME4")
    assert talker.ask("SP") == "0"
    reached = max(talker.device.levels)
    assert 0 < reached < 1.2
    duration = sum(d for _, d in talker.device.dwells)
    assert duration == pytest.approx(talker.clock.now())  # the last, unfinished point counts up to the abort
    talker.clock.sleep(100.0)
    assert talker.ask("SP") == "0"
    talker.say("US", "DV1,0,0,1e-3")
    assert max(talker.device.levels) == reached
    assert talker.device.levels[-1] == 0.0
    assert len(talker.numbers("V1")) > 50  # what was measured is kept


def test_abort_may_discard() -> None:
    talker = sweeper("VR1,0,5,0.01,0.01", "DT 1", settings={"abort_discards": True})
    talker.say("MD", "ME1")
    talker.clock.sleep(10.0)
    talker.say("ME4")
    assert talker.fails("DO 'V1'") == -993


@pytest.mark.parametrize(
    "message", ["MD", "DE", "BC", "*RST", "DV1,0,1,1e-3", "ME1", "IT1", "DO 'I1'", "CH1", "EM 1,0", "*OPT?"]
)
def test_busy_refuses_all_but_polling_and_abort(message: str) -> None:
    talker = sweeper("VR1,0,1,0.01,0.01")
    talker.say("MD", "ME1")
    for allowed in ("RD 'I1',1", "ID", "*IDN?", ":ERROR:LAST:GET"):
        talker.ask(allowed)
    assert talker.error() == ""
    assert talker.fails(message) == -980
    assert talker.ask("SP") == "16"
    talker.say("ME4")


def test_repeat_runs_until_aborted_and_append_keeps_what_was_there() -> None:
    talker = sweeper("VL1,1,1e-3,1,2")
    talker.run()
    talker.say("ME3")
    talker.clock.sleep(10)
    assert talker.numbers("V1") == [1.0, 2.0, 1.0, 2.0]
    talker.say("ME2")
    talker.clock.sleep(100)
    assert talker.ask("SP") == "16"
    talker.say("ME4")
    assert len(talker.numbers("V1")) <= 2
    assert len(talker.device.levels) > 100


def test_standby_decides_what_stays_on() -> None:
    talker = sweeper("VL1,1,1e-3,0.5", "ST 1,0", "ST 2,0")
    talker.run()
    talker.clock.sleep(5)
    talker.say("US", "DV2,0,0,1e-3")
    assert talker.device.levels[-1] == 0.5
    off = sweeper("VL1,1,1e-3,0.5")
    off.run()
    off.clock.sleep(5)
    off.say("US", "DV2,0,0,1e-3")
    assert off.device.levels[-1] == 0.0


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["DE", "CH1", "CH2"], -991),
        (["DE", "CH2", "CH1,'V1','I1',2,1"], -991),
        (["DE", "CH2,'V2','I2',1,2"], -991),
        (["DE", "CH2,'V2','I2',2,3"], -991),
        (["DE", "CH2,'V1','I2',1,3"], -991),
        (["SS", "VR1,0,1,0.1,0.5"], -993),
        (["SS", "VP 0,1,32,1e-3", "VR1,0,1,0.001,1e-3", "DE", "CH2,'V2','I2',1,2"], -991),
        (["RI1,0.1,1"], -991),
    ],
)
def test_setups_that_cannot_run(lines: list[str], code: int) -> None:
    talker = sweeper("VL1,1,1e-3,0.5")
    talker.say(*lines, "MD")
    assert talker.fails("ME1") == code
    assert talker.ask("SP") == "0"
    talker.ask("ME4")
    assert not talker.device.levels or set(talker.device.levels) == {0.0}


def test_append_beyond_the_buffer_is_refused() -> None:
    talker = sampler("NR 4096", "IN 0.01")
    talker.run(1e4)
    assert len(talker.numbers("I1")) == 4096
    assert talker.fails("ME3") == -991


def test_4145_emulation_has_1024_points() -> None:
    talker = sampler("NR 1025", "EM 0,0", "MD")
    assert talker.fails("ME1") == -991


def test_programs_are_saved_and_loaded() -> None:
    talker = sweeper("VL1,1,1e-3,0.5,0.6")
    talker.say("SV 'P iv memo'", "*RST", "MD")
    assert talker.fails("ME1") == -991
    talker.say("GT 'P iv'")
    talker.run()
    assert talker.numbers("V1") == pytest.approx([0.5, 0.6])


def test_two_channels_on_one_smu_cannot_run() -> None:
    talker = sweeper("VL1,1,1e-3,0.5", "MP 1,SMU2", "MD")
    assert talker.fails("ME1") == -991


def test_a_remapped_channel_drives_the_other_smu() -> None:
    talker = Talker(Rectifier(1e4))
    talker.say("US", "MP 1,SMU2", "MP 2,SMU1", "DV1,0,-1,1e-3", "DV2,0,0,1e-3")
    assert float(talker.ask("TI2")[3:]) == pytest.approx(1e-4)
    assert float(talker.ask("TI1")[3:]) == pytest.approx(-1e-4)


def test_unmapped_voltmeters_read_the_sentinel() -> None:
    talker = sweeper("VL1,1,1e-3,0.5", "DE", "VM1,'VM1'")
    talker.run()
    assert talker.numbers("VM1") == [9e37]
    assert talker.ask("US;TV5") == "NEV 90.000E+36"


def test_source_ranges_set_the_resolution_of_current_levels() -> None:
    for choice, expected in (("0", 1.23e-6), ("2", 1.2e-6), ("1e-4", 0.0)):
        talker = Talker(settings={"options": "SMU1,SMU2"})
        talker.say(
            "*RST", "DE", "CH1,'V1','I1',2,1", "CH2,'V2','I2',3,3", "SS", "IL1,1,20,1.23e-6,9e-4", f"SR1,{choice}"
        )
        talker.say("SM", "LI 'I2'")
        talker.run()
        steps = {"0": 5e-10, "2": 5e-8, "1e-4": 5e-9}[choice]
        first = -talker.numbers("I2")[0]
        assert first == pytest.approx(steps * round(1.23e-6 / steps), rel=1e-4), (choice, expected)


def test_a_device_error_is_not_swallowed() -> None:
    class Broken(Resistor):
        def advance(self, drive, duration):  # type: ignore[no-untyped-def]
            raise ArithmeticError("diverged")

    talker = Talker(Broken())
    with pytest.raises(ArithmeticError, match="diverged"):
        talker.ask("US;TI1")


def test_ten_thousand_seconds_take_no_time() -> None:
    talker = sampler("NR 1000", "IN 10")
    talker.run(1.1e4)
    assert talker.numbers("CH1T")[-1] == pytest.approx(9990, rel=1e-3)
    assert math.isclose(talker.numbers("I1")[-1], 5e-5, rel_tol=1e-3)
