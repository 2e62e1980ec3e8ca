"""What is no switch, what is only a bound, and which numbers have no interval: loops that mislead, made from a known answer."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from loop_curves import half_loop, levels, reset, rows_of, threshold

from labctl import plugins
from labctl.analysis import switching, volatility
from labctl.analysis.statistics import distributions, samples
from labctl.analysis.switching import HalfLoop, branches, limiting, offset, onset
from labctl.analysis.switching.tally import Tally
from labctl.analysis.volatility import Verdict
from labctl.contracts import Extracted, Series, Status
from labctl.procedure import Procedure

TRIALS, LEAST = 200, 0.93


def kind_of(name: str) -> type[Procedure]:
    return plugins.load("procedures", name, Procedure)


def table(halves: Sequence[HalfLoop], segment: int = 1) -> dict[str, np.ndarray]:
    parts = [rows_of(half, number, segment) for number, half in enumerate(halves, 1)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def named(found: Sequence[Any], name: str, method: str = "") -> Any:
    return next(item for item in found if item.name == name and method in item.method)


def plain(level: np.ndarray, current: np.ndarray, **about: Any) -> HalfLoop:
    return HalfLoop(level, level, current, np.zeros(level.size, np.int64), **about)


def leaky(at: float, rng: np.random.Generator, rows: int = 101, hold: float = 0.0) -> HalfLoop:
    """A cell of 1 Mohm that is set to 1 kohm at `at` (V); beyond 1 V: not at all."""
    return half_loop(*threshold(at, hold if at <= 1 else at, on=1e-3, off=1e-6, rows=rows), rng=rng, offset=1e-11)


# -- noise ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("noise", [1e-12, 3e-12, 1e-11, 5e-11])
def test_an_open_circuit_switches_in_no_number_of_a_run(noise: float) -> None:
    rng = np.random.default_rng(5)
    halves = [half_loop(levels(), np.full(201, 1e-12), rng=rng, offset=noise) for _ in range(10)]
    columns = table(halves)
    assert kind_of("iv-sweep").extract(columns) == kind_of("iv-sweep").analyze(columns) == []
    loops = [{name: column[at : at + 201] for name, column in columns.items()} for at in range(0, 1005, 201)]
    assert volatility.judge(loops, switched=False) is Verdict.NO_SWITCH
    ramp = {**{name: column[:101] for name, column in columns.items()}, "segment": np.ones(101, np.int64)}
    assert kind_of("forming").extract(ramp) == []


def test_a_cell_that_only_resets_has_no_other_voltage() -> None:
    rng = np.random.default_rng(6)
    halves = [half_loop(*reset(0.7, peak=1.0, off=1e-9), noise=0.01, rng=rng, offset=3e-11) for _ in range(20)]
    for found in (kind_of("iv-sweep").extract(table(halves)), kind_of("iv-sweep").analyze(table(halves))):
        assert not {item.name for item in found} & {"V_th", "V_set", "V_hold"}


def test_extract_says_what_analyze_says() -> None:
    rng = np.random.default_rng(7)
    halves = [half_loop(*threshold(at, 0.2), rng=rng) for at in rng.normal(0.6, 0.03, 8)]
    found, same = (ask(table(halves)) for ask in (kind_of("iv-sweep").analyze, kind_of("iv-sweep").extract))
    assert [item.name for item in same] == ["V_th", "V_hold"]
    for item in same:
        other = named(found, item.name, item.method)
        assert (item.value, item.uncertainty) == (pytest.approx(other.value), pytest.approx(other.uncertainty))


# -- steep conduction -----------------------------------------------------------------------------------------------------
STEEP: list[Callable[[np.ndarray], np.ndarray]] = [
    lambda volts: 1e-12 * np.sinh(25 * volts),
    lambda volts: np.sign(volts) * 1e-12 * np.expm1(np.abs(volts) / 0.05),
]


@pytest.mark.parametrize("rows", [11, 201])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("law", STEEP, ids=["sinh", "exp"])
def test_steep_conduction_without_memory_does_not_switch_at_coarse_levels(
    law: Callable[[np.ndarray], np.ndarray], sign: int, rows: int
) -> None:
    level, rng = sign * levels(rows=rows), np.random.default_rng(8)
    for _ in range(20):
        half = plain(level, law(level) + 1e-13 * rng.standard_normal(level.size))
        assert not half.sets
        assert max(half.rise[1], half.fall[1]) < switching.LEAST_STEP
        ramp = plain(level[:rows], half.current[:rows])
        assert not ramp.sets, "nor on a ramp without a way back, where every step is as large"


@pytest.mark.parametrize("law", STEEP, ids=["sinh", "exp"])
def test_a_jump_on_a_steep_curve_is_found_at_coarse_levels(law: Callable[[np.ndarray], np.ndarray]) -> None:
    level, siemens = threshold(0.55, 0.15, on=1e5, off=1.0, rows=11)
    half = plain(level, siemens * 1e-2 * law(level))
    found, back = onset.largest_step(half), offset.hold_drop(half)
    assert found is not None
    assert back is not None
    assert found.interval == (pytest.approx(0.5), pytest.approx(0.6))
    assert back.interval == (pytest.approx(0.1), pytest.approx(0.2))
    stays = plain(level, np.where(np.arange(21) > 5, 1e5, 1.0) * 1e-2 * law(level))
    assert stays.sets
    assert offset.hold_drop(stays) is None, "the steep current of an on state is no fall back"


def test_a_jump_that_took_two_rows_of_a_ramp_is_one() -> None:
    current = np.concatenate([np.full(50, 1e-10), [1e-8], np.full(10, 1e-6)])
    assert plain(np.linspace(0.01, 0.61, 61), current).rise[1] == pytest.approx(2.0, abs=0.01)


# -- bounds ---------------------------------------------------------------------------------------------------------------
def test_loops_of_a_leaky_cell_that_do_not_switch_are_bounds() -> None:
    rng = np.random.default_rng(9)
    series = named(kind_of("iv-sweep").per_cycle(table([leaky(at, rng) for at in (0.5, 0.6, 2.0, 0.7)])), "V_set")
    assert series.censored.tolist() == [False, False, True, False]
    assert series.values[2] == 1.0
    on = half_loop(levels(), np.full(201, 1e-3), 1e-3, rng)
    series = named(kind_of("iv-sweep").per_cycle(table([leaky(0.5, rng), on, leaky(2.0, rng)])), "V_set")
    assert series.censored.tolist() == [False, False, True]
    assert np.isnan(series.values[1]), "it was on: nothing is known of where it is set"


def test_a_loop_that_stays_on_is_a_bound_of_the_reset() -> None:
    rng = np.random.default_rng(10)
    halves = [half_loop(*reset(at, on=1e-9, off=1e-11), 1e-3, rng) for at in (0.5, 0.6)]
    stays, off = (half_loop(levels(-1.0), np.full(201, siemens), 1e-3, rng) for siemens in (1e-9, 1e-11))
    series = named(kind_of("iv-sweep").per_cycle(table([*halves, stays, off], -1)), "V_reset")
    assert series.censored.tolist() == [False, False, True, False], "on and off are the cell's own, not 10 nS"
    assert series.values[2] == -1.0


def test_asked_in_between_bounds_are_judged_anew() -> None:
    rng = np.random.default_rng(11)
    run = switching.HalfLoops()
    for number, half in enumerate([leaky(0.5, rng), leaky(2.0, rng)], 1):
        run.add(number, half)
    assert named(run.series(), "V_set").censored.tolist() == [False, True]
    for number in range(3, 9):
        run.add(number, half_loop(*threshold(0.5, 0.0, on=1e-6, off=1e-9), rng=rng))
    assert not named(run.series(), "V_set").censored.any(), "most loops now say that 1 uS is on"


def test_a_mean_of_loops_some_of_which_are_bounds_has_no_interval() -> None:
    tally = Tally()
    for number, value in enumerate(np.linspace(0.5, 0.9, 23)):
        tally.add(number, Extracted("V_set", value, "V", 0.003, "made", interval=(value - 0.01, value)))
    for number in range(23, 40):
        tally.add(number, None, bound=1.0)
    mean, median = tally.mean(), tally.median()
    assert mean is not None
    assert np.isnan(mean.interval).all()
    assert "mean of 23 of 40 loops; 17 more gave only a bound; no interval" in mean.definition
    assert median is not None
    assert np.isfinite(median.interval[0])
    assert "median of 40 of 40 loops, 17 of which gave only a bound" in median.definition


def test_a_pristine_cell_of_a_megohm_that_does_not_form_is_a_bound() -> None:
    level = levels(5.0)[:101]
    series = switching.forming_series(plain(level, level * 1e-6))
    assert series is not None
    assert series.values.tolist() == [5.0]
    assert series.censored.tolist() == [True]
    assert "guess" in series.definition
    assert switching.forming_series(plain(level, level * 1e-4)) is None, "10 kohm: it conducts from the start"
    leaks = half_loop(level, np.full(101, 1e-6), compliance=3e-6)
    assert switching.forming_series(leaks) is None, "it reaches the compliance without a jump"


def test_a_cell_that_fell_back_to_a_megohm_and_died_is_not_nonvolatile() -> None:
    rng = np.random.default_rng(12)
    halves = [leaky(0.5, rng, hold=0.2), *(leaky(2.0, rng) for _ in range(3))]
    loops = [{"level": half.level, "current": half.current} for half in halves]
    assert volatility.judge(loops, switched=True) is Verdict.NO_SWITCH
    stays = [leaky(0.5, rng), *(half_loop(levels(), np.full(201, 1e-3), 1e-3, rng) for _ in range(3))]
    loops = [{"level": half.level, "current": half.current} for half in stays]
    assert volatility.judge(loops, switched=True) is Verdict.NONVOLATILE


# -- definitions that miss a switch -----------------------------------------------------------------------------------------
def test_a_flat_curve_has_no_greatest_ratio_or_conductance() -> None:
    rng, ratios, greatest = np.random.default_rng(13), 0, 0
    for _ in range(50):
        ratios += branches.largest_ratio(half_loop(*threshold(0.8, 0.0, off=1e-6), noise=0.01, rng=rng)) is not None
        greatest += offset.max_conductance(half_loop(*reset(0.8), noise=0.01, rng=rng)) is not None
    assert max(ratios, greatest) <= 2


def test_where_an_optimum_lies_has_no_interval_over_loops() -> None:
    """Of an off state that conducts less and less at first the ratio is greatest there, wherever the cell switches."""
    rng, halves = np.random.default_rng(14), []
    for at in rng.normal(0.8, 0.03, 10):
        level, siemens = threshold(at, 0.0, off=1e-7)
        halves.append(half_loop(level, siemens * np.where(siemens < 1e-5, 1 + 9 * np.abs(level - 0.5), 1), rng=rng))
    item = named(kind_of("iv-sweep").analyze(table(halves)), "V_set", "largest-ratio")
    assert item.value == pytest.approx(0.5, abs=0.02)
    assert np.isnan(item.interval).all()
    assert "no interval" in item.definition


@pytest.mark.parametrize("compliance", [1e9, 1e-5])
def test_the_default_level_lies_within_the_jump(compliance: float) -> None:
    half = half_loop(*threshold(0.805, 0.0, on=1e-4, off=1e-6), noise=0.01, compliance=compliance)
    low, high = np.abs(half.current[[80, 81]])
    level = onset.middle_current(half)
    assert level == pytest.approx(math.sqrt(low * high), rel=1e-6)
    found = onset.current_threshold(half, level)
    assert found is not None
    assert found.interval == (pytest.approx(0.80), pytest.approx(0.81))


def test_half_closing_finds_every_jump_under_compliance() -> None:
    """The opening narrows from where the current is limited; a jump ends it all the same, however late."""
    rng = np.random.default_rng(15)
    for _ in range(100):
        at = rng.uniform(0.3, 1.1)
        level, siemens = threshold(at, 0.0, on=1e-3, off=1e-6, peak=1.2, rows=61)
        found = branches.set_half_closing(half_loop(level, siemens, rng=rng, compliance=1e-4))
        assert found is not None
        assert found.interval[0] <= at <= found.interval[1]


def test_a_mean_of_the_loops_that_a_definition_fits_has_no_interval() -> None:
    """Loops that reach the compliance are those that conduct more: no fair sample of all that switch."""
    rng = np.random.default_rng(16)
    halves = [
        half_loop(*threshold(at, 0.2, on=siemens), rng=rng, compliance=8e-5)
        for at, siemens in zip(rng.normal(0.6, 0.05, 20), np.tile([1e-4, 5e-5], 10), strict=True)
    ]
    found = kind_of("iv-sweep").analyze(table(halves))
    onsets = named(found, "V_th", "compliance-onset")
    assert np.isnan(onsets.interval).all()
    assert "10 more switched, but not by this definition; no interval" in onsets.definition
    assert np.isfinite(named(found, "V_th", "largest-step").interval).all()


# -- steps ------------------------------------------------------------------------------------------------------------------
def test_a_series_carries_the_step_of_each_value() -> None:
    rng = np.random.default_rng(17)
    pairs = ((0.55, 0.0), (0.61, 0.0), (2.0, 2.0), (0.75, 0.0))
    halves = [half_loop(*threshold(on, off, rows=11), rng=rng) for on, off in pairs]
    series = named(kind_of("iv-sweep").per_cycle(table(halves)), "V_set")
    assert series.values == pytest.approx([0.6, 0.7, 1.0, 0.8])
    assert series.lower == pytest.approx([0.5, 0.6, 1.0, 0.7])
    assert series.upper == pytest.approx(series.values)
    down = [half_loop(*reset(at, rows=11), rng=rng) for at in (0.55, 0.61, 0.75)]
    series = named(kind_of("iv-sweep").per_cycle(table(down, -1)), "V_reset")
    assert series.lower == pytest.approx(series.values)
    assert series.upper == pytest.approx(series.values + 0.1)
    assert named(kind_of("iv-sweep").per_cycle(table(down, -1)), "LRS").lower is None


def test_a_measured_voltage_in_compliance_is_no_end_of_a_step() -> None:
    rng = np.random.default_rng(18)
    limited = [half_loop(*threshold(0.605, 0.205), rng=rng, compliance=1e-6) for _ in range(3)]
    series = named(kind_of("iv-sweep").per_cycle(table(limited)), "V_hold")
    assert series.lower == pytest.approx(series.values)
    assert series.upper == pytest.approx(series.values)


def stepped(truth: np.ndarray, step: float, sign: int = 1) -> Series:
    """What loops of steps `step` say of switches at `truth`: the level beyond."""
    low = np.floor(truth / step) * step
    ends = sorted((sign * low, sign * (low + step)), key=lambda end: float(end[0]))
    none = np.zeros(truth.size, bool)
    return Series(
        "V", "V", np.arange(truth.size), sign * (low + step), none, "made", lower=ends[0], upper=ends[1]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("step", "count"), [(0.02, 100), pytest.param(0.1, 30, marks=pytest.mark.long)], ids=["fine", "coarse"]
)
def test_the_fitted_mean_holds_the_truth_whatever_the_step(step: float, count: int) -> None:
    rng, hits, told = np.random.default_rng(19), 0, 0
    for _ in range(TRIALS):
        centre = rng.uniform(0.9, 1.1)
        for mean in distributions.normal(samples.of_series(stepped(rng.normal(centre, 0.06, count), step)))[:1]:
            told += 1
            hits += mean.interval[0] <= centre <= mean.interval[1]
    assert told >= 0.9 * TRIALS, "few of them fall into one step or two, which no distribution can be fitted to"
    assert hits / told >= LEAST


def test_steps_below_zero_are_taken_as_magnitudes() -> None:
    values = np.random.default_rng(21).normal(1.0, 0.06, 30)
    up, down = (samples.of_series(stepped(values, 0.1, sign)) for sign in (1, -1))
    assert down.mirrored
    assert np.array_equal(up.lower, down.lower)
    assert np.array_equal(up.upper, down.upper)


def test_steps_become_bounds_on_both_sides_where_they_are_coarse() -> None:
    rng = np.random.default_rng(20)
    fine = samples.of_series(stepped(rng.normal(1.0, 0.06, 50), 0.01))
    assert fine.known.all(), "so that goodness of fit and correlation are still known"
    values = rng.normal(1.0, 0.06, 50)
    coarse = samples.of_series(stepped(values, 0.1))
    assert not coarse.known.any()
    assert np.all((coarse.lower <= values) & (values <= coarse.upper))
    assert "50 of them known to a step only" in coarse.words()
    assert distributions.empirical(coarse) is not None
    same = samples.of_series(stepped(np.full(50, 1.03), 0.1))
    assert not distributions.normal(same), "all in one step: nothing is known of their scatter"


@pytest.mark.parametrize("wrong", [{"lower": np.zeros(2), "upper": np.zeros(3)}, {"lower": np.zeros(3)}])
def test_ends_of_a_series_are_as_long_as_its_values(wrong: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="lower"):
        Series("V", "V", np.arange(3), np.zeros(3), np.zeros(3, bool), "made", **wrong)  # type: ignore[arg-type]


# -- limits -------------------------------------------------------------------------------------------------------------------
def test_a_cell_seen_on_only_in_compliance_has_no_self_compliance() -> None:
    """Before, the last off current stood for it."""
    half = half_loop(*threshold(0.605, 0.305, off=1e-9), compliance=1e-6)
    assert half.sets
    assert limiting.self_compliance(half) is None
    assert branches.set_half_closing(half) is not None
    stays = limiting.self_compliance(half_loop(*threshold(0.605, 0.0), compliance=1.05e-5))
    assert stays is not None
    assert stays.value == pytest.approx(1e-5), "the row of the way back that the compliance did not make"
    assert math.isinf(stays.interval[1])
    assert stays.rows[0] > 100


def test_without_a_status_nothing_is_said_of_the_compliance() -> None:
    half = half_loop(*threshold(0.605, 0.0), compliance=5e-5)
    columns = table([half] * 6)
    del columns["status"]
    silent = switching.of_tables([columns])
    assert not {"self-limited", "self-compliance", "exponent of the on current"} & {i.name for i in silent.found()}
    assert named(silent.found(), "V_set", "largest-step").value == pytest.approx(0.61)
    told = switching.of_tables([columns], compliance={1: 5e-5})
    assert named(told.found(), "self-limited").value == 0.0
    assert named(told.found(), "V_set", "compliance-onset").value == pytest.approx(0.61)
    flagged = switching.of_tables([{**columns, "status": np.tile(half.status, 6)}])
    assert named(flagged.found(), "self-limited").value == 0.0
    assert half.status.max() == Status.COMPLIANCE
