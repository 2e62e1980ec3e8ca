"""Tests the simulated Keithley 4200 runs by itself: sweeps, steps, sampling."""

import itertools

import pytest
from sim_helpers import Talker, sampler, sweeper

from labctl.kxci import ranges


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


@pytest.mark.parametrize(
    ("stop", "step", "last"), [(1.0, 0.4, 1.2), (-1.0, 0.4, -1.2), (1.0, 0.3, 0.9), (1.0, 0.25, 1.0)]
)
def test_a_linear_sweep_ends_at_the_level_nearest_to_its_stop(stop: float, step: float, last: float) -> None:
    talker = sweeper(f"VR1,0,{stop},{step},0.01")
    talker.run()
    assert talker.numbers("V1")[-1] == pytest.approx(last, abs=1e-4)
    assert max(map(abs, talker.device.levels)) == pytest.approx(abs(last))
    assert len(talker.numbers("V1")) == ranges.linear_count(0.0, stop, step)


def test_a_linear_sweep_whose_overshoot_the_smu_cannot_do_is_refused() -> None:
    talker = sweeper("VR1,0,210,120,0.01", "MD")  # 240 V would be nearest
    assert talker.fails("ME1") == -993


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
    talker = sweeper("VL1,1,1e-2,1,1,1", "HT 3", "DT 0.5", "IT4,0,0,0.1", "RI1,1e-3,1e-3", "RI2,1e-3,1e-3")
    talker.run()
    point = 0.5 + 0.00671 + 0.00675
    assert talker.numbers("CH1T") == pytest.approx([3 + 0.0195 + point * k for k in (1, 2, 3)], rel=1e-4)


def test_status_column() -> None:
    talker = sweeper("VL1,1,1e-5,0.05,1")
    talker.run()
    assert talker.numbers("I1S") == [0.0, 1.0]


# -- sampling ---------------------------------------------------------------------------------------------------------
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
