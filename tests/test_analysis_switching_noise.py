"""Stated intervals hold the truth: at least 93 % of 200 seeded trials at 95 %, on noisy curves and over cycles."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from loop_curves import gradual, half_loop, levels, reset, threshold

from labctl.analysis.switching import HalfLoop, branches, offset, onset
from labctl.analysis.switching.tally import Tally
from labctl.contracts import Extracted

TRIALS = 200
LEAST = 0.93
Make = Callable[[np.random.Generator], tuple[HalfLoop, float]]
Find = Callable[[HalfLoop], Extracted | None]


def coverage(make: Make, find: Find, seed: int) -> float:
    """The share of trials whose interval holds the truth; one that finds nothing counts as a miss."""
    rng = np.random.default_rng(seed)
    hits = 0
    for _ in range(TRIALS):
        half, truth = make(rng)
        found = find(half)
        hits += found is not None and found.interval[0] <= truth <= found.interval[1]
    return hits / TRIALS


def jump(rng: np.random.Generator) -> tuple[HalfLoop, float]:
    at = rng.uniform(0.3, 0.8)
    return half_loop(*threshold(at, 0.1), noise=0.02, rng=rng, offset=1e-12), at


def limited_jump(rng: np.random.Generator) -> tuple[HalfLoop, float]:
    at = rng.uniform(0.3, 0.8)
    return half_loop(*threshold(at, 0.1), noise=0.02, rng=rng, offset=1e-12, compliance=1e-6), at


def fall(rng: np.random.Generator) -> tuple[HalfLoop, float]:
    at = rng.uniform(0.1, 0.5)
    return half_loop(*threshold(0.7, at), noise=0.02, rng=rng, offset=1e-12), at


def drop(rng: np.random.Generator) -> tuple[HalfLoop, float]:
    at = rng.uniform(0.3, 0.8)
    return half_loop(*reset(at), noise=0.002, rng=rng), -at


def slow_set(rng: np.random.Generator) -> tuple[HalfLoop, float]:
    at = rng.uniform(0.45, 0.75)
    return half_loop(*gradual(at, width=0.04, decades=0.5), noise=0.01, rng=rng), at


def slow_reset(rng: np.random.Generator) -> tuple[HalfLoop, float]:
    at = rng.uniform(0.45, 0.75)
    return half_loop(*gradual(at, width=0.04, decades=-0.5), noise=0.01, rng=rng), at


@pytest.mark.parametrize(
    ("make", "find"),
    [
        (jump, onset.largest_step),
        (jump, onset.steepest_log_slope),
        (jump, onset.steepest_current),
        (jump, onset.knee),
        (jump, branches.set_half_closing),
        (jump, lambda half: onset.current_threshold(half, 1e-7)),
        (limited_jump, onset.compliance_onset),
        (limited_jump, branches.set_half_closing),
        (fall, offset.hold_drop),
        (fall, branches.hold_half_closing),
        (fall, lambda half: offset.hold_current_threshold(half, 1e-7)),
        (drop, offset.largest_drop),
        (drop, branches.reset_half_closing),
        (slow_set, branches.set_half_closing),
        (slow_reset, branches.reset_half_closing),
    ],
    ids=lambda item: getattr(item, "__name__", "").strip("<>"),
)
def test_switching_voltages_of_single_loops(make: Make, find: Find) -> None:
    assert coverage(make, find, seed=7) >= LEAST


def test_the_greatest_current_before_a_reset() -> None:
    """Where the current rises by more than its scatter a row, the greatest is the last before the drop."""

    def quiet(rng: np.random.Generator) -> tuple[HalfLoop, float]:
        at = rng.uniform(0.3, 0.8)
        return half_loop(*reset(at), noise=1e-3, rng=rng), -at

    assert coverage(quiet, offset.max_current, seed=8) >= LEAST


def noisy_window(rng: np.random.Generator) -> HalfLoop:
    return half_loop(*threshold(0.7, 0.0, on=1e-4, off=1e-6), noise=0.05, rng=rng)


@pytest.mark.parametrize(
    ("find", "truth"),
    [
        (lambda half: branches.on_off(half, 0.3), 100.0),
        (lambda half: branches.on_off(half, 0.302), 100.0),
        (lambda half: branches.resistance(half, 0.3, "back", "LRS"), 1e4),
        (lambda half: branches.resistance(half, 0.3, "out", "HRS"), 1e6),
        (lambda half: branches.selectivity(half, 0.6), 2.0),
    ],
    ids=["on/off", "on/off between rows", "LRS", "HRS", "selectivity"],
)
def test_what_is_read_at_a_voltage(find: Find, truth: float) -> None:
    assert coverage(lambda rng: (noisy_window(rng), truth), find, seed=9) >= LEAST


def test_the_area() -> None:
    level, siemens = reset(0.705, on=2e-4, off=1e-6)
    exact = branches.hysteresis_area(HalfLoop(level, level, level * siemens, np.zeros(level.size, np.int64)))
    assert exact is not None

    def make(rng: np.random.Generator) -> tuple[HalfLoop, float]:
        current = level * siemens + 1e-6 * rng.standard_normal(level.size)
        return HalfLoop(level, level, current, np.zeros(level.size, np.int64)), exact.value

    assert coverage(make, branches.hysteresis_area, seed=10) >= LEAST


# -- over cycles ----------------------------------------------------------------------------------------------------------
def stepped(truth: float, step: float, middle: bool) -> Extracted:
    """What one loop of steps `step` says of a switch at `truth`: the first level beyond, or the middle of the step."""
    low = math.floor(truth / step) * step
    high = low + step
    value = (low + high) / 2 if middle else high
    return Extracted("V_th", value, "V", step / math.sqrt(12), "made", interval=(low, high))


@pytest.mark.parametrize("middle", [True, False])
@pytest.mark.parametrize("spread", [1e-3, 0.04])
@pytest.mark.parametrize("loops", [3, 20])
def test_mean_and_median_over_cycles(loops: int, spread: float, middle: bool) -> None:
    """Of the cell's own switching voltages, not of the levels: also where the cell scatters less than the levels are apart."""
    rng, step, mean, median = np.random.default_rng(11), 0.01, 0, 0
    for _ in range(TRIALS):
        centre, tally = rng.uniform(0.4, 0.6), Tally()
        for number, truth in enumerate(rng.normal(centre, spread, loops)):
            tally.add(number, stepped(truth, step, middle))
        found, other = tally.mean(), tally.median()
        assert found is not None
        mean += found.interval[0] <= centre <= found.interval[1]
        assert (other is None) == (loops < 6)
        median += other is not None and other.interval[0] <= centre <= other.interval[1]
    assert mean / TRIALS >= LEAST
    assert loops < 6 or median / TRIALS >= LEAST


def test_ratios_over_cycles_are_averaged_in_decades() -> None:
    rng, hits = np.random.default_rng(12), 0
    for _ in range(TRIALS):
        tally = Tally(log=True)
        for number, decades in enumerate(rng.normal(3.0, 0.5, 12)):
            ratio = 10**decades
            tally.add(
                number, Extracted("on/off", ratio, "", 0.01 * ratio, "made", interval=(0.98 * ratio, 1.02 * ratio))
            )
        found = tally.mean()
        assert found is not None
        hits += found.interval[0] <= 1e3 <= found.interval[1]
    assert hits / TRIALS >= LEAST


def test_the_median_holds_where_a_third_did_not_switch() -> None:
    """Cells that stayed off up to the peak are beyond it: their loops count for the median, and the mean says what it is of."""
    rng, peak, hits, told = np.random.default_rng(13), 0.95, 0, 0
    centre = 0.9
    for _ in range(TRIALS):
        tally = Tally()
        for number, truth in enumerate(rng.normal(centre, 0.1, 25)):
            if truth < peak:
                tally.add(number, stepped(truth, 0.01, middle=True))
            else:
                tally.add(number, None, bound=peak)
        found, mean = tally.median(), tally.mean()
        assert mean is not None
        assert mean.value < centre, "the mean of those that switched is no estimate of the cell's"
        assert "only a bound" in mean.definition
        told += found is not None
        hits += found is None or found.interval[0] <= centre <= found.interval[1]
    assert hits / TRIALS >= LEAST
    assert told / TRIALS > 0.9


def test_a_loop_alone_keeps_its_own_interval() -> None:
    tally = Tally()
    tally.add(1, stepped(0.503, 0.01, middle=True))
    found = tally.mean()
    assert found is not None
    assert found.interval == (pytest.approx(0.50), pytest.approx(0.51))
    assert tally.median() is None
    assert Tally().mean() is None
    assert Tally().series("V_th") is None


def test_levels_of_the_other_sign() -> None:
    tally = Tally()
    for number in range(8):
        tally.add(number, Extracted("V_reset", -0.7 - 0.01 * number, "V", 0.003, "made"), bound=-1.0)
    tally.add(8, None, bound=-1.0)
    found = tally.median()
    assert found is not None
    assert found.value == pytest.approx(-0.74), "the loop that did not reset is beyond -1 V"
    assert found.interval[0] < -0.74 < found.interval[1]
    assert levels(-1.0)[100] == -1.0
