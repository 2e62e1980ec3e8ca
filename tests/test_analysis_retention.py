"""Drift, failure by it, noise and temperatures: known answers, what is extrapolated, and what is refused."""

import math

import numpy as np
import pytest

from labctl import plugins
from labctl.analysis import retention
from labctl.analysis.retention import arrhenius, noise, trends
from labctl.contracts import Extracted
from labctl.procedure import Procedure

TIMES = np.geomspace(1.0, 1e4, 41)


def noisy(nu: float, size: float = 0.01, seed: int = 0, times: np.ndarray = TIMES) -> np.ndarray:
    return 1e-6 * times**-nu * np.exp(np.random.default_rng(seed).normal(0, size, times.size))


# -- drift ------------------------------------------------------------------------------------------------------------
def test_a_clean_power_law_gives_its_exponent() -> None:
    found = retention.drift(TIMES, -1e-6 * TIMES**-0.05, "nu")
    assert found is not None
    assert found.value == pytest.approx(0.05)
    assert found.interval == pytest.approx((0.05, 0.05), abs=1e-6)


def test_slow_noise_widens_the_interval_and_least_squares_does_not_know() -> None:
    slow = np.cumsum(np.random.default_rng(1).normal(0, 0.01, TIMES.size))
    current = 1e-6 * np.exp(slow)
    naive, honest = retention.drift_exponent(TIMES, current, "nu"), retention.drift(TIMES, current, "nu")
    assert naive is not None
    assert honest is not None
    assert honest.uncertainty > 3 * naive.uncertainty
    assert honest.interval[0] < 0 < honest.interval[1]
    assert abs(naive.value) > 3 * naive.uncertainty  # a drift that is none


def test_few_reads_have_no_interval_and_none_no_drift() -> None:
    few = retention.drift(TIMES[:12], noisy(0.05)[:12], "nu")
    assert few is not None
    assert math.isnan(few.interval[0])
    assert "fewer than 20 reads" in few.definition
    assert retention.failure_by_drift(TIMES[:12], noisy(0.05)[:12], "t") is None
    assert retention.drift_band(TIMES[:12], noisy(0.05)[:12], TIMES) is None
    assert retention.drift(TIMES[:3], noisy(0.05)[:3], "nu") is None
    assert retention.drift(np.ones(30), np.ones(30), "nu") is None
    assert retention.drift(TIMES, np.full(TIMES.size, np.nan), "nu") is None


def test_what_is_no_power_law_is_named() -> None:
    broken = np.where(TIMES < 100, 1e-6, 1e-6 * (TIMES / 100) ** -0.3)
    found = retention.drift(TIMES, broken * noisy(0.0) / 1e-6, "nu")
    assert found is not None
    assert "no power law" in found.definition
    straight = retention.drift(TIMES, noisy(0.1), "nu")
    assert straight is not None
    assert "no power law" not in straight.definition


def test_many_reads_in_bins_give_the_same_line() -> None:
    times = np.arange(1.0, 5001.0)
    found = trends.trend(times, np.log(noisy(0.1, 0.02, 2, times)))
    assert found is not None
    assert found.count == 5000
    assert found.slope[0] == pytest.approx(-0.1, abs=0.003)
    value, _, (low, high) = found.at(math.log(1e3))
    assert low < math.log(1e-6 * 1e3**-0.1) < high
    assert low < value < high


def test_a_disturb_exponent_is_against_the_number_of_pulses() -> None:
    counts = np.unique(np.rint(np.geomspace(1, 1e5, 60)))
    found = retention.disturb_exponent(counts, -2e-6 * counts**0.02, "nu", 3)
    assert found is not None
    assert found.value == pytest.approx(-0.02)
    assert found.excluded == 3
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        noise = retention.disturb_exponent(counts, counts**-0.03 * np.exp(rng.normal(0, 0.02, counts.size)), "nu")
        assert noise is not None
        hits += noise.interval[0] <= 0.03 <= noise.interval[1]
    assert hits >= 186


# -- failure by drift ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sign", [1, -1])
def test_a_failure_beyond_the_data_says_how_far(sign: int) -> None:
    found = retention.failure_by_drift(TIMES, noisy(0.05 * sign), "t")
    assert found is not None
    truth = 2.0 ** (1 / 0.05)  # 1.05e6 s
    assert found.interval[0] < truth < found.interval[1]
    assert "beyond the data by" in found.definition
    assert retention.drift_band(TIMES, noisy(0.05), np.array([1e6])) is not None


def test_no_drift_gives_a_bound_and_no_time() -> None:
    found = retention.failure_by_drift(TIMES, noisy(0.0), "t")
    assert found is not None
    assert math.isnan(found.value)
    assert found.interval[0] > 1e4
    assert math.isinf(found.interval[1])
    assert "no drift that could be told from none" in found.definition


def test_a_failure_within_the_data_is_not_called_extrapolated() -> None:
    found = retention.failure_by_drift(TIMES, noisy(0.3), "t")
    assert found is not None
    assert found.value == retention.failure_time(TIMES, noisy(0.3), "t").value  # type: ignore[union-attr]
    assert found.interval[0] < 2 ** (1 / 0.3) < found.interval[1]
    assert "beyond" not in found.definition
    assert "nothing is extrapolated" in found.definition


AGES = np.geomspace(1.0, 1e4, 40)


@pytest.mark.parametrize("kept", [np.exp(-AGES / 5e3), np.where(AGES < 3000, 1.0, 0.3)], ids=["decay", "step"])
def test_a_failure_in_the_data_is_not_excluded_by_a_bound(kept: np.ndarray) -> None:
    for seed in range(20):
        found = retention.failure_by_drift(AGES, noisy(0.0, 0.003, seed, AGES) * kept, "t")
        assert found is not None
        assert 3000 < found.value < 4000
        assert found.interval[0] < (3466 if kept[-2] > 0.15 and kept[0] < 1 else 3000) <= found.interval[1]


@pytest.mark.parametrize(
    ("kept", "why"),
    [(np.where(AGES < 300, 1.0, 0.8), "a step by -0.2"), (np.maximum(AGES / 100, 1.0) ** -0.1, "no power law")],
)
def test_what_is_no_power_law_has_neither_time_nor_bound(kept: np.ndarray, why: str) -> None:
    found = retention.failure_by_drift(AGES, noisy(0.0, 0.003, 1, AGES) * kept, "t")
    assert found is not None
    assert np.isnan([found.value, *found.interval]).all()
    assert "no time and no bound" in found.definition
    assert why in found.definition


def test_no_bound_reaches_further_than_three_decades() -> None:
    for nu in (0.0, 0.002):  # 2^500 s
        found = retention.failure_by_drift(TIMES, noisy(nu, 1e-4), "t")
        assert found is not None
        assert math.isnan(found.value)
        assert found.interval == (pytest.approx(1e7), math.inf)
        assert "more is not claimed" in found.definition


def test_a_drift_of_one_step_is_covered_and_named() -> None:
    rng, times, hits, named = np.random.default_rng(10), np.arange(1, 301) * 0.1, 0, 0
    for _ in range(40):
        y = rng.normal(0, 0.005, times.size)
        y[np.searchsorted(times, np.exp(rng.uniform(np.log(0.3), np.log(20)))) :] += 0.1 * rng.choice([-1, 1])
        found = retention.drift(times, np.exp(y), "nu")
        assert found is not None
        hits += found.interval[0] <= 0 <= found.interval[1]
        named += "explains more than a power law" in found.definition
    assert hits >= 38  # without the step about 27
    assert named >= 38


def test_a_bake_has_its_factor_and_correlation() -> None:
    before = np.exp(np.random.default_rng(3).normal(10, 1, 100))
    factor, spread, correlation = retention.changed(before, 2 * before, "bake")
    assert (factor.value, factor.interval) == (pytest.approx(2.0), pytest.approx((2.0, 2.0)))
    assert (spread.value, correlation.value) == (pytest.approx(0.0, abs=1e-9), pytest.approx(1.0))
    assert retention.changed(before[:3], before[:3], "bake") == []
    assert "1 left out" in retention.changed(np.append(before, -1.0), np.append(before, 1.0), "bake")[0].definition


def test_a_run_has_drift_failure_and_noise_of_both_states() -> None:
    recipe, count = plugins.load("procedures", "retention", Procedure), 60
    age = np.arange(1.0, count + 1)
    columns = {
        "kind": np.zeros(2 * count, dtype=np.int64),
        "state": np.repeat([0, 1], count),
        "segment": np.ones(2 * count, dtype=np.int64),
        "status": np.zeros(2 * count, dtype=np.int64),
        "age": np.tile(age, 2),
        "current": np.concatenate([noisy(0.0, 0.02, 4, age) * 1e-3, noisy(0.2, 0.01, 5, age)]),
    }
    columns["status"][70] = 8
    found = {item.method + item.name: item for item in recipe.analyze(columns)}
    drift = found["drift exponent/correlated-noise@1drift exponent on"]
    assert drift.value == pytest.approx(0.2, abs=0.02)
    assert drift.excluded == 1
    assert found["read noise/second-differences@1off state: noise from read to read"].value == pytest.approx(
        0.02, rel=0.3
    )
    assert found["telegraph levels/mixture@2off state: levels"].value == 1
    assert "time to failure/extrapolated-drift@2time to failure off" in found
    assert {item.name for item in recipe.extract(columns)} <= {item.name for item in recipe.analyze(columns)}


# -- noise --------------------------------------------------------------------------------------------------------------
def test_a_drift_from_one_level_to_another_is_no_telegraph_noise() -> None:
    rng = np.random.default_rng(6)
    once = np.repeat([1.0, 1.2], 100) + 0.01 * rng.normal(size=200)
    often = np.tile(np.repeat([1.0, 1.2], 10), 10) + 0.01 * rng.normal(size=200)
    one, two = noise.levels(once, "x"), noise.levels(often, "x")
    assert one is not None
    assert two is not None
    assert (one.value, two.value) == (1.0, 2.0)
    assert "no levels" in one.definition
    assert "10 visits at least" in two.definition
    assert "jumps" in two.definition
    assert noise.levels(np.ones(100), "x") is None
    assert noise.read_noise(np.ones(10), "x") == []


def levels(values: np.ndarray) -> float:
    found = noise.levels(1e-6 * values, "x")
    assert found is not None
    return found.value


@pytest.mark.long
def test_a_drift_and_slow_noise_have_no_levels() -> None:
    rng, count = np.random.default_rng(3), 1000
    for height, size in ((0.05, 0.002), (0.05, 0.01), (0.02, 0.002), (0.1, 0.02)):
        assert levels(1 + height * np.linspace(0, 1, count) + size * rng.normal(size=count)) == 1
    assert levels(np.geomspace(1, 1e4, count) ** -0.02 * (1 + 0.002 * rng.normal(size=count))) == 1
    walks = np.cumsum(rng.normal(size=(8, count)), axis=1) / math.sqrt(count)
    assert [levels(1 + 0.05 * walk + 0.0005 * rng.normal(size=count)) for walk in walks] == [1.0] * 8


@pytest.mark.parametrize("height", [0.0, 0.05])
def test_telegraph_noise_has_its_levels_with_and_without_a_drift(height: float) -> None:
    rng, count = np.random.default_rng(4), 1000
    for size in (0.002, 0.006):
        state = np.cumsum(rng.random(count) < 0.03) % 2
        assert levels(1 + 0.05 * state + height * np.linspace(0, 1, count) + size * rng.normal(size=count)) == 2


# -- temperatures ---------------------------------------------------------------------------------------------------------
KELVIN = np.array([425.0, 450.0, 475.0, 500.0])


def lives(energy: float = 1.2) -> np.ndarray:
    return np.asarray(1e2 * np.exp(energy / arrhenius.BOLTZMANN * (1 / KELVIN - 1 / 500.0)))


def test_clean_times_give_their_energy_and_the_time_of_use() -> None:
    energy, late = arrhenius.activation(KELVIN, lives(), 358.0)
    assert energy.value == pytest.approx(1.2)
    assert late.value == pytest.approx(1e2 * math.exp(1.2 / arrhenius.BOLTZMANN * (1 / 358.0 - 1 / 500.0)))
    assert "extrapolated by 67 K" in late.definition
    assert "beyond the data by" in late.definition
    inside = arrhenius.activation(KELVIN, lives(), 460.0)[1]
    assert "extrapolated" not in inside.definition


def test_two_temperatures_have_a_line_and_no_error() -> None:
    energy = arrhenius.activation(KELVIN[:2], lives()[:2])[0]
    assert energy.value == pytest.approx(1.2)
    assert math.isnan(energy.uncertainty)
    assert math.isnan(energy.interval[0])
    assert arrhenius.activation(KELVIN[:1], lives()[:1]) == []
    assert arrhenius.activation(KELVIN[:2], lives()[:2], censored=[True, False]) == []


def test_a_survivor_bends_the_line_its_way() -> None:
    """A cell that outlived its test by far makes the energy larger than without it; taken for a failure, smaller."""
    rng = np.random.default_rng(7)
    kelvin = np.repeat(KELVIN, 4)
    times = np.repeat(lives(), 4) * np.exp(rng.normal(0, 0.3, 16))
    cut = np.minimum(times, np.sort(lives())[-2] * 2)
    bound = cut < times
    honest = arrhenius.activation(kelvin, cut, censored=bound)[0]
    wrong = arrhenius.activation(kelvin, cut)[0]
    assert bound.sum() >= 4
    assert wrong.value < honest.value
    assert honest.interval[0] < 1.2 < honest.interval[1]
    assert "outlived" in honest.definition


def test_errors_too_small_for_the_scatter_are_enlarged() -> None:
    times = lives() * np.exp([0.5, -0.5, 0.5, -0.5])
    small = arrhenius.activation(KELVIN, times, errors=np.full(4, 0.01))[0]
    assert "too small" in small.definition
    assert small.interval[1] - small.interval[0] > 0.3


def test_times_from_runs_bring_their_bounds() -> None:
    found = [Extracted("t", value, "s", math.nan, "", interval=(0.8 * value, 1.25 * value)) for value in lives()[1:]]
    found.append(Extracted("t", math.nan, "s", math.nan, "", interval=(1e5, math.inf)))
    energy, _ = arrhenius.of_failures([450.0, 475.0, 500.0, 400.0], found, 358.0)
    assert energy.interval[0] < 1.2 < energy.interval[1]
    assert "1 cells that outlived" in energy.definition
    assert "weighted by the stated errors" in energy.definition
