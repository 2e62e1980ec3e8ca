"""Endurance from plain arrays and from runs: windows, failure between checks, lives of many cells."""

import math

import numpy as np
import pytest
from scipy import signal, stats

from labctl import plugins
from labctl.analysis.endurance import Verdict, cycling, lifetimes
from labctl.contracts import Extracted
from labctl.procedure import Procedure

ENDURANCE = plugins.load("procedures", "endurance", Procedure)


def checks_of(ratios: list[float], applied: float | None = None) -> cycling.Checks:
    cycles = np.arange(1, len(ratios) + 1) * 10.0
    return cycling.checks(cycles, np.full(len(ratios), 1e4), 1e4 * np.array(ratios), applied)


# -- the window -------------------------------------------------------------------------------------------------------
def test_every_figure_says_what_was_read() -> None:
    found = checks_of([30.0, 20.0, math.nan, 10.0], applied=1000.0)
    assert (found.cycles.size, found.excluded) == (3, 1)
    said = [cycling.window_at(found, 10), cycling.window_near(found, 10), cycling.failure(found, 2.0)]
    said += [cycling.share_below(found, 15.0), *cycling.per_decade(found)]
    assert len(said) == 7
    for item in said:
        assert item is not None
        assert "1000 cycles applied, 3 actually read" in item.definition
        assert item.method
        assert item.excluded == 1


def test_a_single_check_is_told_from_the_median_around_it() -> None:
    found = checks_of([100.0, *[10.0] * 50, 1.0])
    single, around = cycling.window_at(found, 10), cycling.window_near(found, 10, 11)
    assert single is not None
    assert around is not None
    assert (single.value, around.value) == (pytest.approx(100.0), pytest.approx(10.0))
    assert math.isnan(single.interval[0])
    assert list(around.rows) == list(range(11))
    late = cycling.window_near(found, 520, 11)
    assert late is not None
    assert list(late.rows) == list(range(41, 52))


def test_decades_have_their_quantiles() -> None:
    found = checks_of([float(k) for k in range(1, 101)])  # cycles 10 to 1000
    medians = [item for item in cycling.per_decade(found) if "50%" in item.name]
    assert [item.value for item in medians] == pytest.approx([5.0, 54.5, 100.0])
    assert [len(item.rows) for item in medians] == [9, 90, 1]
    assert medians[2].interval == (-math.inf, math.inf)


@pytest.mark.parametrize("rho", [0.0, 0.7, 0.95])
def test_decades_cover_where_successive_checks_are_alike(rho: float) -> None:
    rng, hits = np.random.default_rng(6), 0
    noise = rng.normal(size=(200, 800)) * math.sqrt(1 - rho**2)
    rows = signal.lfilter([1.0], [1.0, -rho], noise, axis=1)[:, 200:]
    cycles = 1000.0 + np.arange(600)
    for row in rows:
        median = cycling.per_decade(cycling.checks(cycles, np.ones(600), 10 * np.exp(0.3 * row)))[1]
        hits += median.interval[0] <= 10 <= median.interval[1]
    assert hits >= 186
    assert ("independent checks" in median.definition) == (rho > 0)


def test_a_window_that_closes_as_a_power_has_its_exponent() -> None:
    cycles = np.unique(np.geomspace(1, 1e6, 60).astype(int)).astype(float)
    high = 1e6 * cycles**-0.2 * np.exp(np.random.default_rng(0).normal(0, 0.05, cycles.size))
    found = cycling.trend(cycling.checks(cycles, np.full(cycles.size, 1e4), high))
    assert found is not None
    assert found.value == pytest.approx(-0.2, abs=0.01)
    assert found.interval[0] < -0.2 < found.interval[1] < -0.15
    assert cycling.trend(checks_of([10.0] * 19)) is None


# -- failure ----------------------------------------------------------------------------------------------------------
def test_a_failure_lies_between_two_checks() -> None:
    found = cycling.failure(checks_of([9.0, 1.0, 9.0, 1.0, 1.0, 1.0, 9.0]), 2.0, confirm=3)
    assert found is not None
    assert found.interval == (30.0, 40.0)
    assert found.value == pytest.approx(math.sqrt(1200.0))
    survivor = cycling.failure(checks_of([9.0, 9.0, 1.0, 1.0]), 2.0, confirm=3)
    assert survivor is not None
    assert math.isnan(survivor.value)
    assert survivor.interval == (20.0, math.inf)


def test_lives_of_no_evidence_are_left_out() -> None:
    none = lifetimes.life(np.empty(0), np.empty(0, dtype=bool))
    dead = lifetimes.life(np.array([1.0, 2.0]), np.array([False, False]))
    assert (none.survived, none.ended) == (0.0, False)
    assert (dead.survived, dead.failed) == (0.0, 1.0)
    assert len(lifetimes.lives([none, dead, lifetimes.Life(5.0, math.inf)])) == 2


def test_survivors_lengthen_the_lives() -> None:
    """Half of the cells outlive the test; a fit that took their ends for failures would have shorter lives."""
    law = stats.weibull_min(2.0, scale=1e4)
    lives = law.rvs(60, random_state=np.random.default_rng(1))
    checks = np.geomspace(100, law.median(), 20)
    honest = lifetimes.weibull(lifetimes.lives([lifetimes.life(checks, checks < life) for life in lives]))
    cut = np.minimum(lives, law.median())
    wrong = lifetimes.weibull(lifetimes.lives([lifetimes.Life(0.99 * life, life) for life in cut]))
    assert honest[0].interval[0] < 1e4 < honest[0].interval[1]
    assert wrong[0].interval[1] < 1e4
    assert "beyond the data by" in honest[0].definition
    assert honest[2].name == "B10 life"
    assert honest[2].interval[0] < law.ppf(0.1) < honest[2].interval[1]
    assert lifetimes.weibull(lifetimes.lives([lifetimes.Life(1.0, math.inf)] * 5)) == []


# -- runs -------------------------------------------------------------------------------------------------------------
def table(verdicts: list[int], confirmed: bool, on: float = 1e-5) -> dict[str, np.ndarray]:
    """A run of checks at cycles 1, 2, ... with off 1e-8 A, read at 0.1 V."""
    count = 2 * len(verdicts)
    late = np.tile([0, 1], len(verdicts))
    verdict = np.where(late == 1, np.repeat(verdicts, 2), 0)
    current = np.where(late == 0, on, 1e-8)
    return {
        "kind": np.zeros(count, dtype=np.int64),
        "cycle": np.repeat(np.arange(1, len(verdicts) + 1), 2),
        "segment": np.where(late == 0, 1, -1),
        "verdict": verdict,
        "confirmed": np.where((late == 1) & (np.arange(count) == count - 1) & confirmed, 1, 0),
        "status": np.zeros(count, dtype=np.int64),
        "level": np.full(count, 0.1),
        "voltage": np.full(count, 0.1),
        "current": current,
        "time": np.arange(count) * 0.1,
    }


def named(found: list[Extracted]) -> dict[str, Extracted]:
    return {item.name: item for item in found}


def test_a_run_has_its_series_and_its_survivor() -> None:
    columns = table([Verdict.SOUND] * 25, confirmed=False)
    columns["status"][4] = 64  # no number: the third check is left out
    low, high, ratio = ENDURANCE.per_cycle(columns)
    assert (low.values[0], high.values[0], ratio.values[0]) == pytest.approx((1e4, 1e7, 1e3))
    assert (low.name, high.name, ratio.name, low.excluded) == ("LRS", "HRS", "on/off", 1)
    assert low.cycles.tolist()[:3] == [1, 2, 4]
    found = named(ENDURANCE.analyze(columns))
    assert found["failure cycle"].interval == (25.0, math.inf)
    assert found["window exponent"].value == pytest.approx(0.0, abs=1e-9)
    assert found["window, 50% quantile, 1e0-1e1 cycles"].value == pytest.approx(1e3)


@pytest.mark.parametrize(("confirmed", "interval"), [(True, (2.0, 3.0)), (False, (2.0, math.inf))])
def test_a_run_that_failed_says_between_which_checks(confirmed: bool, interval: tuple[float, float]) -> None:
    columns = table([Verdict.SOUND] * 2 + [Verdict.STUCK_HIGH] * 3, confirmed)
    assert named(ENDURANCE.analyze(columns))["failure cycle"].interval == interval


def test_a_run_without_rows_says_nothing_made_up() -> None:
    columns = {name: values[:0] for name, values in table([Verdict.SOUND], False).items()}
    assert [item.value for item in ENDURANCE.analyze(columns)] == [0.0, 0.0, 0.0]  # applied, read, flagged
    assert all(series.values.size == 0 for series in ENDURANCE.per_cycle(columns))
