"""Distributions, samples with bounds, and cycle-to-cycle apart from device-to-device: known answers and the edges."""

import math

import numpy as np
import pytest
from scipy import stats

from labctl.analysis.statistics import distributions, families, goodness, intervals, samples, variation
from labctl.contracts import Series

RNG_SEED = 7


def weibull_values(count: int, seed: int = RNG_SEED) -> np.ndarray:
    return 1.2 * np.random.default_rng(seed).weibull(3.0, count)


# -- samples ----------------------------------------------------------------------------------------------------------
def test_negative_values_are_magnitudes_and_say_so() -> None:
    found = samples.sample([-1.0, -2.0, np.nan, -3.0], [False, False, False, True])
    assert found.lower.tolist() == [1.0, 2.0, 3.0]
    assert math.isinf(found.upper[2])
    assert found.words() == "3 values, 1 of them only bounds, 1 more are no numbers, all negative, taken as magnitudes"


def test_a_bound_of_mixed_signs_points_away_from_0() -> None:
    found = samples.sample([-1.0, 2.0, 3.0], [True, True, False])
    assert (found.lower[0], found.upper[0]) == (-math.inf, -1.0)
    assert (found.lower[1], found.upper[1]) == (2.0, math.inf)
    assert not found.positive


def test_a_series_brings_its_flags() -> None:
    series = Series(
        "V_set", "V", np.arange(3), np.array([1.0, np.nan, 2.0]), np.array([False, False, True]), "words", "x@1", 4
    )
    found = samples.of_series(series)
    assert (len(found), found.events, found.excluded, found.missing, found.unit) == (2, 1, 4, 1, "V")


def test_bounds_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValueError, match="above its upper"):
        samples.between([2.0], [1.0])
    with pytest.raises(ValueError, match="equally long"):
        samples.between([2.0, 3.0], [3.0])


# -- fits against another program's ---------------------------------------------------------------------------------
@pytest.mark.parametrize("limit", [math.inf, 1.3])
def test_weibull_is_the_likeliest_as_scipy_has_it(limit: float) -> None:
    x = weibull_values(60)
    shape, _, scale = stats.weibull_min.fit(stats.CensoredData.right_censored(np.minimum(x, limit), x > limit), floc=0)
    found = {item.name: item.value for item in distributions.weibull(samples.sample(np.minimum(x, limit), x > limit))}
    assert found["Weibull shape"] == pytest.approx(shape, rel=1e-3)
    assert found["Weibull scale"] == pytest.approx(scale, rel=1e-3)


def test_left_and_interval_censored_values_count_as_scipy_has_it() -> None:
    x = np.random.default_rng(3).normal(2.0, 0.5, 80)
    low, high = np.floor(x * 4) / 4, np.ceil(x * 4) / 4
    data = stats.CensoredData(interval=np.stack([low, high], axis=1)[10:], left=high[:10])
    mean, sigma = stats.norm.fit(data)
    low[:10] = -math.inf
    found = families.fit(samples.between(low, high), "normal")
    assert found is not None
    assert (found.location, found.scale) == (pytest.approx(mean, rel=1e-3), pytest.approx(sigma, rel=1e-3))


def test_complete_normal_values_give_the_textbook_answers() -> None:
    x = np.random.default_rng(1).normal(3.0, 0.5, 12)
    mean, sigma = distributions.normal(samples.sample(x))
    assert mean.value == pytest.approx(x.mean(), rel=1e-6)
    assert sigma.value == pytest.approx(x.std(), rel=1e-5)
    low, high = intervals.mean(x)[2]
    assert mean.interval == (pytest.approx(low, rel=2e-3), pytest.approx(high, rel=2e-3))
    assert sigma.uncertainty == pytest.approx(x.std() / math.sqrt(24), rel=1e-3)


def test_a_fit_does_not_depend_on_the_unit() -> None:
    x = weibull_values(30)
    small, large = (distributions.weibull(samples.sample(factor * x, x > 1.4)) for factor in (1e-9, 1e9))
    assert small[0].value * 1e18 == pytest.approx(large[0].value, rel=1e-5)
    assert small[1].interval == pytest.approx(large[1].interval, rel=1e-4)


@pytest.mark.parametrize("family", list(families.FAMILIES))
def test_quantiles_and_shares_are_inverse(family: str) -> None:
    found = families.fit(samples.sample(weibull_values(40)), family)
    assert found is not None
    shares = np.array([0.01, 0.5, 0.99])
    assert found.cdf(found.quantile(shares)) == pytest.approx(shares)
    low, high = found.band(found.quantile(shares))
    assert np.all((low < shares) & (shares < high))


def test_too_little_is_not_fitted_and_few_have_no_interval() -> None:
    assert families.fit(samples.sample([1.0, 2.0]), "normal") is None
    assert families.fit(samples.sample([1.0, 1.0, 1.0]), "normal") is None
    assert families.fit(samples.sample([-1.0, 1.0, 2.0]), "weibull") is None
    assert families.fit(samples.sample([1.0, 2.0, 3.0], [True, True, False]), "normal") is None
    few = distributions.weibull(samples.sample([1.0, 1.5, 2.0, 2.5]))
    assert all(math.isnan(item.interval[0]) for item in few)
    assert "fewer than 5 values known" in few[0].definition


# -- empirical ------------------------------------------------------------------------------------------------------
def test_survivors_raise_the_survival() -> None:
    steps = distributions.empirical(samples.sample([1.0, 2.0, 3.0, 4.0], [False, True, False, True]))
    assert steps is not None
    assert steps.values.tolist() == [1.0, 3.0]
    assert steps.shares == pytest.approx([0.25, 0.625])  # 3/4, then a half of that
    assert np.all((steps.lower <= steps.shares) & (steps.shares <= steps.upper))


def test_values_below_a_floor_turn_round() -> None:
    steps = distributions.empirical(samples.sample([1.0, 2.0, 3.0, 4.0], below=[True, False, True, False]))
    mirror = distributions.empirical(samples.sample([4.0, 3.0, 2.0, 1.0], [True, False, True, False]))
    assert steps is not None
    assert mirror is not None
    assert steps.values.tolist() == [2.0, 4.0]
    assert steps.shares == pytest.approx([0.75, 1.0])
    assert (1 - steps.before)[::-1] == pytest.approx(mirror.shares)
    assert np.all((steps.lower <= steps.before) & (steps.shares <= steps.upper))
    whole = distributions.empirical(samples.sample([1.0, 2.0, 3.0, 4.0], below=[True, False, False, False]))
    assert whole is not None
    assert whole.shares == pytest.approx([0.5, 0.75, 1.0])  # as if the first were known


def test_bounds_on_both_sides_have_no_empirical_distribution() -> None:
    both = samples.between([-math.inf, 1.0], [0.0, math.inf])
    assert distributions.empirical(both) is None
    assert distributions.median(both) is None
    assert distributions.plotting_positions(both)[0].size == 0


def test_plotting_positions_of_known_values() -> None:
    values, shares = distributions.plotting_positions(samples.sample([3.0, 1.0, 2.0, 4.0]))
    assert values.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert shares == pytest.approx([0.125, 0.375, 0.625, 0.875])


def test_the_median_of_few_values_is_not_bounded() -> None:
    found = distributions.median(samples.sample([1.0, 2.0, 3.0, 4.0, 5.0]))
    assert found is not None
    assert found.interval == (-math.inf, math.inf)
    six = distributions.median(samples.sample([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
    assert six is not None
    assert six.interval == (1.0, 6.0)
    assert distributions.median(samples.sample([1.0, 2.0, 3.0], [False, True, True])) is None


# -- goodness, comparison, spread -----------------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore:As of SciPy:FutureWarning")
def test_the_statistic_is_that_of_anderson_and_darling() -> None:
    y = np.log(weibull_values(60))
    own = goodness.statistic(y[None, :], families.FAMILIES["weibull"])[0]
    assert own == pytest.approx(stats.anderson(y, "gumbel_l").statistic, abs=1e-6)


def test_p_values_of_a_right_distribution_are_even_and_a_wrong_one_is_rejected() -> None:
    right = [
        distributions.compare(samples.sample(weibull_values(40, seed)), families=("weibull",))[0].p
        for seed in range(25)
    ]
    assert stats.kstest(right, "uniform").pvalue > 0.01
    skewed = samples.sample(np.exp(np.random.default_rng(2).normal(0, 1.2, 80)))
    ranked = distributions.compare(skewed)
    assert ranked[0].name == "lognormal"
    assert [item.p < 0.05 for item in ranked if item.name == "normal"] == [True]
    assert sum(item.weight for item in ranked) == pytest.approx(1.0)
    assert math.isnan(distributions.compare(samples.sample([1.0, 2, 3, 4, 5, 6], [False] * 5 + [True]))[0].p)


def test_likelihoods_of_a_value_and_its_logarithm_are_on_one_scale() -> None:
    x = weibull_values(50)
    found = families.fit(samples.sample(x), "lognormal")
    assert found is not None
    expected = np.sum(stats.lognorm(found.scale, scale=math.exp(found.location)).logpdf(x))
    assert found.likelihood == pytest.approx(expected, rel=1e-9)


def test_the_spread_is_seeded_and_says_where_it_has_no_interval() -> None:
    x = samples.sample(np.random.default_rng(4).normal(1.0, 0.1, 50), name="V_set")
    first, again = distributions.relative_spread(x), distributions.relative_spread(x)
    assert first is not None
    assert first == again
    assert first.value == pytest.approx(np.std(x.upper, ddof=1) / np.mean(x.upper))
    assert first.name == "V_set: sigma/mu"
    few = distributions.relative_spread(samples.sample([1.0, 2.0, 3.0]))
    assert few is not None
    assert math.isnan(few.interval[0])
    skewed = distributions.relative_spread(samples.sample(np.exp(np.random.default_rng(0).normal(0, 1.5, 60))))
    assert skewed is not None
    assert "skewed" in skewed.definition
    assert math.isnan(skewed.interval[0])
    bounded = distributions.relative_spread(samples.sample(x.upper, x.upper > 1.1))
    assert bounded is not None
    assert bounded.interval[0] < 0.1 < bounded.interval[1]


def test_what_the_intervals_rest_on_is_doubted_in_words() -> None:
    walk = 5.0 + np.cumsum(np.random.default_rng(5).normal(0, 0.1, 100))
    said = distributions.describe(samples.sample(walk))
    assert all("too narrow" in item.definition for item in said if item.name.startswith("normal"))
    assert all(item.method for item in said)
    skewed = distributions.describe(samples.sample(np.random.default_rng(6).exponential(1.0, 100)))
    assert all("rejected" in item.definition for item in skewed if item.name.startswith("normal"))
    assert distributions.describe(samples.sample([])) == []


# -- cycle-to-cycle and device-to-device ------------------------------------------------------------------------------
def test_equal_numbers_give_the_analysis_of_variance_by_hand() -> None:
    """Cells (1, 3), (5, 7), (3, 5): means 2, 6, 4; within 2, among 2 * 4 = 8; D2D variance (8 - 2) / 2 = 3."""
    within, cell, share = variation.variation(np.array([1.0, 3, 5, 7, 3, 5]), ["a", "a", "b", "b", "c", "c"], "V", "V")
    assert within.value == pytest.approx(math.sqrt(2.0))
    assert cell.value == pytest.approx(math.sqrt(3.0))
    assert share.value == pytest.approx(3.0 / 5.0)
    low, high = stats.chi2.ppf([0.975, 0.025], 3)
    assert within.interval == (pytest.approx(math.sqrt(6 / low)), pytest.approx(math.sqrt(6 / high)))


def test_cells_that_are_alike_have_no_spread_between_them() -> None:
    values = np.tile([1.0, 2.0, 3.0], 4)
    _, cell, share = variation.variation(values, np.repeat(np.arange(4), 3), "V")
    assert (cell.value, share.value, cell.interval[0]) == (0.0, 0.0, 0.0)
    assert math.isnan(cell.uncertainty)
    assert "below 0" in cell.definition


def test_too_little_for_two_spreads_gives_none() -> None:
    assert variation.variation(np.array([1.0, 2, 3, 4]), [1, 1, 2, 2], "V") == []
    assert variation.variation(np.array([1.0, 2, 3]), [1, 2, 3], "V") == []
    assert variation.variation(np.ones(6), [1, 1, 2, 2, 3, 3], "V") == []


def test_cells_are_averaged_before_their_mean() -> None:
    found = variation.mean_over_cells(np.array([1.0, 1, 1, 1, 3]), [1, 1, 1, 1, 2], "V")
    assert found is not None
    assert found.value == 2.0
    table = variation.per_cell(np.array([1.0, np.nan, 2.0]), ["a", "a", "b"])
    assert table.counts.tolist() == [1, 1]
    assert np.all(np.isnan(table.spreads))


def test_heavy_tails_widen_the_interval_and_are_named() -> None:
    rng, cells = np.random.default_rng(8), np.repeat(np.arange(100), 3)
    plain = variation.variation(rng.normal(size=300), cells, "V")[0]
    heavy = variation.variation(rng.standard_t(3, 300), cells, "V")[0]
    assert "not normal" in heavy.definition
    widths = [item.interval[1] / item.interval[0] for item in (plain, heavy)]
    assert widths[1] > 1.2 * widths[0]


def test_values_over_decades_suit_the_logarithm() -> None:
    rng = np.random.default_rng(1)
    assert variation.suits_logarithm(np.exp(rng.normal(10, 1, 50)))
    assert variation.suits_logarithm([1.0, 2.0, 1.0, 2.0, np.nan])  # sigma of ln 0.4
    assert not variation.suits_logarithm(rng.normal(1.0, 0.1, 50))
    assert not variation.suits_logarithm([-1.0, 1.0, 100.0])
    assert not variation.suits_logarithm([0.0, 100.0])
    assert not variation.suits_logarithm([5.0])
    assert not variation.suits_logarithm([])


def test_the_median_of_values_within_steps_lies_within_theirs() -> None:
    low = np.array([1.0, 1.0, 1.0, 1.0, 1.1, 1.1, 1.0, 0.9])
    found = distributions.median(distributions.between(low, low + 0.1))
    assert found is not None
    assert found.value == pytest.approx(1.05)
    assert found.interval == pytest.approx((0.9, 1.2))
