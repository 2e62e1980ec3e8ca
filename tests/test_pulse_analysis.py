"""Extraction from pulses and waits, and what builds pulses: known answers, edges of the definitions, noise."""

import math

import numpy as np
import pytest

from labctl import pulses
from labctl.analysis import endurance, kinetics, plasticity, retention, volatility
from labctl.analysis.endurance import Check, Verdict
from labctl.contracts import Measure
from labctl.procedure import ParameterError
from labctl.quantities import Limits

TIMES = np.linspace(0.3e-6, 135e-6, 1348)


# -- kinetics ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("begin", "end"), [(1e-6, 1e-4), (1e-4, 1e-6)])
def test_half_of_a_straight_change_is_in_the_middle(sign: int, begin: float, end: float) -> None:
    found = kinetics.half_change(TIMES, sign * np.linspace(begin, end, TIMES.size), "t_set")
    assert found is not None
    assert found.value == pytest.approx(0.5 * (TIMES[0] + TIMES[-1]), rel=1e-3)


def test_noise_costs_uncertainty_and_not_the_answer() -> None:
    clean = 1e-4 * (1 - 0.2 * np.log1p(TIMES / 5e-6) / np.log1p(TIMES[-1] / 5e-6))
    noisy = clean + np.random.default_rng(1).normal(0, 3e-7, TIMES.size)
    exact, found = (kinetics.half_change(TIMES, current, "t_reset") for current in (clean, noisy))
    assert exact is not None
    assert found is not None
    assert found.value == pytest.approx(exact.value, rel=0.1)
    assert found.uncertainty > exact.uncertainty


@pytest.mark.parametrize("change", [0.0, 0.009, -0.009])
def test_a_change_below_the_least_is_no_switch(change: float) -> None:
    assert kinetics.half_change(TIMES, np.linspace(1e-5, 1e-5 * (1 + change), TIMES.size), "t_set") is None


def test_noise_alone_is_no_switch() -> None:
    for seed in range(20):
        current = np.random.default_rng(seed).normal(0, 1e-7, TIMES.size)
        assert kinetics.half_change(TIMES, current, "t_set") is None


def test_samples_that_are_no_numbers_give_no_time() -> None:
    assert kinetics.half_change(TIMES, np.full(TIMES.size, np.nan), "t_set") is None
    assert kinetics.half_change(TIMES[:2], np.array([1.0, 2.0]), "t_set") is None
    assert kinetics.half_life(TIMES, np.full(TIMES.size, np.nan)) is None
    assert kinetics.relaxation_time(TIMES, np.full(TIMES.size, np.nan)) is None


def test_an_exponential_gives_its_time_and_a_step_gives_none() -> None:
    times = np.geomspace(1e-6, 1e-1, 60)
    found = kinetics.relaxation_time(times, 1e-9 + 1e-6 * np.exp(-times / 2e-3))
    assert found is not None
    assert found.value == pytest.approx(2e-3, rel=1e-6)
    step = np.where(times < 1e-3, 1e-6, 1e-9)
    assert kinetics.relaxation_time(times, step) is None
    half = kinetics.half_life(times, step)
    assert half is not None
    assert half.value == pytest.approx(1e-3, rel=0.2)


# -- plasticity -------------------------------------------------------------------------------------------------------
def test_the_greatest_distance_from_the_line_is_what_it_is_called() -> None:
    """Of 0, 0, 1, 1 the line is 0.4 k - 0.1: distances 0.1, 0.3, 0.3, 0.1; squares 0.2 of 1."""
    values = np.array([0.0, 0.0, 1.0, 1.0])
    linear, bent = plasticity.linearity(values, "x"), plasticity.nonlinearity(values, "x")
    assert linear is not None
    assert bent is not None
    assert linear.value == pytest.approx(0.8)
    assert bent.value == pytest.approx(0.3)


def test_lost_reads_are_left_out_in_their_places() -> None:
    values = np.array([1.0, np.nan, 3.0, 4.0])
    found = plasticity.nonlinearity(values, "x")
    assert found is not None
    assert found.value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("values", [[1.0, 2.0], [1.0, 1.0, 1.0], [np.nan] * 4, []])
def test_too_little_for_a_line_gives_none(values: list[float]) -> None:
    assert plasticity.linearity(np.array(values), "x") is None
    assert plasticity.nonlinearity(np.array(values), "x") is None


def test_a_range_over_zero_is_none() -> None:
    assert plasticity.dynamic_range(np.array([0.0, 1.0]), "x") is None
    assert plasticity.dynamic_range(np.array([-1.0, 1.0]), "x") is None


def test_asymmetry_of_mirror_images_is_none_at_all() -> None:
    up = np.array([1.0, 4.0, 9.0, 16.0])
    found = plasticity.asymmetry(up, up[::-1])
    assert found is not None
    assert found.value == 0
    shifted = plasticity.asymmetry(up, up[::-1] + 15)
    assert shifted is not None
    assert shifted.value == pytest.approx(0.5)
    assert plasticity.asymmetry(up, up[:0:-1]) is None, "branches of unlike length have none"


def test_what_was_left_out_is_in_the_words() -> None:
    found = plasticity.dynamic_range(np.array([1.0, 2.0, np.nan]), "x")
    assert found is not None
    assert "2 of 3 levels" in found.definition
    one = plasticity.over_cycles([found, None])
    assert one is not None
    assert one.definition == f"{found.definition}; 1 of 2 cycles"


@pytest.mark.parametrize(("spread", "levels"), [(0.01, 10), (0.1, 10), (0.2, 5), (10.0, 1)])
def test_levels_are_counted_by_their_scatter(spread: float, levels: int) -> None:
    """Ten levels 1 apart: at a standard deviation of 0.2, six of them are 1.2, so every second is told apart."""
    samples = [k + spread * np.array([-1.0, 0.0, 1.0]) for k in range(10)]
    found = plasticity.levels_apart(samples, "x")
    assert found is not None
    assert found.value == levels


def test_levels_read_twice_are_not_counted() -> None:
    assert plasticity.levels_apart([np.array([1.0, 1.0]), np.array([2.0, 2.0])], "x") is None
    assert plasticity.levels_apart([], "x") is None


# -- retention --------------------------------------------------------------------------------------------------------
def test_a_constant_state_has_no_drift_and_does_not_fail() -> None:
    times = np.geomspace(1, 1e4, 41)
    drift, failure = (
        retention.drift_exponent(times, np.full(41, 1e-5), "x"),
        retention.failure_time(times, np.full(41, 1e-5), "x"),
    )
    assert drift is not None
    assert failure is not None
    assert (drift.value, drift.uncertainty) == (pytest.approx(0), pytest.approx(0, abs=1e-12))
    assert math.isnan(failure.value)
    assert "1e+04 s" in failure.definition


@pytest.mark.parametrize("factor", [0.4, 2.5])
def test_a_state_fails_upwards_and_downwards(factor: float) -> None:
    times, current = np.array([1.0, 10.0, 100.0]), np.array([1.0, 1.0, factor])
    found = retention.failure_time(times, current, "x")
    assert found is not None
    assert (found.value, found.rows) == (100.0, (1, 2))


def test_one_stray_read_is_no_failure() -> None:
    current = np.array([1.0, 1.0, 5.0, 1.0, 1.0])
    found = retention.failure_time(np.arange(1.0, 6.0), current, "x")
    assert found is not None
    assert math.isnan(found.value)


def test_nothing_comes_of_nothing() -> None:
    none = np.empty(0)
    assert retention.drift_exponent(none, none, "x") is None
    assert retention.failure_time(none, none, "x") is None
    assert retention.disturbed(none, none, "x") is None
    assert retention.reads_to_change(none, none, "x") is None
    assert retention.on_off(1.0, 0.0, "x", "") is None


def test_reads_of_two_states_pair_by_age() -> None:
    on, off = np.array([1.0, 10.0, 100.0]), np.array([1.02, 103.0])
    assert retention.same_age(on, off) == [(0, 0), (2, 1)]
    assert retention.same_age(off, on) == [(0, 0), (1, 2)]
    assert retention.same_age(on, np.empty(0)) == []


# -- endurance --------------------------------------------------------------------------------------------------------
FIRST = Check(1e-5, 1e-9)


@pytest.mark.parametrize(("on", "off", "last", "verdict"), [
    (1e-5, 1e-9, FIRST, Verdict.SOUND),
    (1e-5, 0.0, FIRST, Verdict.SOUND),  # nothing flows when off
    (1e-5, 2e-6, FIRST, Verdict.COLLAPSED),
    (1e-5, 9e-6, FIRST, Verdict.STUCK_LOW),
    (5e-6, 5e-6, FIRST, Verdict.STUCK_LOW),
    (1e-9, 1e-9, FIRST, Verdict.STUCK_HIGH),
    (0.0, 0.0, FIRST, Verdict.STUCK_HIGH),
    (math.nan, 1e-9, FIRST, Verdict.UNREAD),
    (1e-7, 1e-7, FIRST, Verdict.COLLAPSED),  # sits between both states
    (1e-9, 1e-5, FIRST, Verdict.COLLAPSED),  # switches the wrong way round
    (1e-5, 9e-6, Check(1e-5, 5e-7), Verdict.COLLAPSED),  # had been closing
])  # fmt: skip
def test_verdicts(on: float, off: float, last: Check, verdict: Verdict) -> None:
    assert endurance.judge(Check(on, off), FIRST, last, 10.0) == verdict


def test_without_a_window_ever_there_is_nothing_to_be_stuck_in() -> None:
    assert endurance.judge(Check(1e-5, 1e-5), None, None, 10.0) == Verdict.NO_WINDOW


def test_the_end_is_where_the_last_run_of_failures_begins() -> None:
    cycles = np.array([1, 2, 10, 18, 19, 20])
    sound, high = Verdict.SOUND, Verdict.STUCK_HIGH
    died, passing = endurance.end(cycles, np.array([sound, high, sound, high, high, high]))
    assert (died.name, died.value) == ("end: stuck high", 18)
    assert died.uncertainty == pytest.approx(8 / math.sqrt(12))
    assert passing.value == 1
    assert endurance.end(cycles, np.full(6, sound))[0].name == "cycles survived"
    assert endurance.end(np.empty(0), np.empty(0)) == []


def test_too_few_failing_checks_make_no_death() -> None:
    cycles, verdicts = np.array([1, 2, 3]), np.array([Verdict.SOUND, Verdict.SOUND, Verdict.STUCK_LOW])
    survived, end, _ = endurance.end(cycles, verdicts, confirmed=False)
    assert (survived.name, survived.value) == ("cycles survived", 2)
    assert (end.name, end.value) == ("end: unconfirmed", 3)
    assert "looks like stuck low" in end.definition


def test_half_a_cycle_is_no_cycle() -> None:
    applied, read = endurance.counts(np.array([5, 8, 10]), np.array([5, 8]), np.array([5, 8]))
    assert (applied.value, read.value) == (9, 2)
    assert "of cycle 10 the first half" in applied.definition
    assert "first half" not in endurance.counts(np.array([5, 8]), np.array([8]), np.array([8]))[0].definition


# -- building pulses --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("last", "per_decade", "numbers"), [
    (1, 3, [1]),
    (100, 3, [1, 2, 5, 10, 20, 50, 100]),
    (30, 3, [1, 2, 5, 10, 20, 30]),
    (100, 1, [1, 10, 100]),
    (10, 10, [1, 2, 3, 4, 5, 6, 8, 10]),
])  # fmt: skip
def test_counts_on_a_log_grid(last: int, per_decade: int, numbers: list[int]) -> None:
    assert pulses.log_counts(last, per_decade).tolist() == numbers


def test_times_on_a_log_grid_have_both_ends() -> None:
    times = pulses.log_times(1.0, 1e4, 10)
    assert (times[0], times[-1], times.size) == (1.0, pytest.approx(1e4), 41)
    assert pulses.log_times(5.0, 5.0, 10).tolist() == [5.0]
    assert pulses.linear_times(1.0, 9.0, 1).tolist() == [9.0]


def test_a_pulse_is_as_wide_at_half_height_as_it_says() -> None:
    shape = pulses.Shape(10e-6, rise=1e-6, fall=3e-6)
    wave = shape.captured(2.0, 1e-6, 1e7)
    wave.check(Limits())
    assert wave.duration == pytest.approx(1e-6 + 1e-6 + 8e-6 + 3e-6 + 1e-6)
    assert wave.level_at([1.5e-6, 11.5e-6]) == pytest.approx([1.0, 1.0])
    assert shape.train([1.0]).width == 10e-6


def test_a_read_follows_a_pulse_after_its_delay() -> None:
    wave = pulses.Shape(1e-5, rise=1e-7, fall=2e-7).followed(1.0, 5e-5, 0.1, 1e-6)
    wave.check(Limits())
    assert np.flatnonzero(wave.measure == Measure.MEAN).tolist() == [1, 5]
    begin, end = wave.window(5)
    middle = wave.starts[5] + 0.5 * (begin + end)
    assert middle - wave.starts[3] == pytest.approx(5e-5, abs=1e-8)
    with pytest.raises(ParameterError, match="too short for a read"):
        pulses.Shape(1e-5).followed(1.0, 5e-7, 0.1, 1e-6)


def test_cycles_play_every_pulse_in_turn() -> None:
    shapes = [(pulses.Shape(1e-6), 2.0), (pulses.Shape(2e-6), -3.0)]
    wave = pulses.cycles(shapes, 1e-3, 7)
    wave.check(Limits())
    assert (wave.repeats, len(wave.durations)) == (7, 8)
    assert (wave.levels.max(), wave.levels.min(), wave.levels[0], wave.levels[-1]) == (2.0, -3.0, 0.0, 0.0)


@pytest.mark.parametrize("width", [6e-8, 1e-7])
def test_a_pulse_of_edges_only_is_refused(width: float) -> None:
    with pytest.raises(ParameterError, match="leaves no top"):
        pulses.Shape(width).check()


def test_a_memory_that_only_sets_late_is_not_volatile() -> None:
    """Off, set, on: it never lost a state, and only the loop after the one in which it was on can tell."""
    level = np.concatenate([np.linspace(0, 1, 51), np.linspace(1, 0, 51)[1:]])
    on, off = level * 1e-4, level * 1e-11
    setting = np.where((np.arange(level.size) >= 40), on, off)
    loops = [{"level": level, "current": current} for current in (off, setting, on)]
    assert volatility.judge(loops, switched=True) == volatility.Verdict.NONVOLATILE
    assert volatility.judge(loops[:1] * 3, switched=True) == volatility.Verdict.NO_SWITCH
    assert volatility.judge([loops[1]] * 3, switched=False) == volatility.Verdict.VOLATILE
