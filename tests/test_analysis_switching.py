"""Every definition of where a cell switches, on curves whose answer is known."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from loop_curves import gradual, half_loop, levels, reset, threshold

from labctl.analysis import methods, volatility
from labctl.analysis.switching import HalfLoop, branches, limiting, offset, onset
from labctl.contracts import Extracted, Status

STEP = 0.01
ONSETS: list[Callable[[HalfLoop], Extracted | None]] = [
    onset.largest_step,
    onset.steepest_log_slope,
    onset.steepest_current,
    onset.knee,
    lambda half: onset.current_threshold(half, 1e-7),
    branches.set_half_closing,
]


def value(found: Extracted | None) -> float:
    assert found is not None
    return found.value


# -- on -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("off_at", [0.2, 0.0])
@pytest.mark.parametrize("find", ONSETS)
def test_a_jump_up_is_found_by_every_definition(
    find: Callable[[HalfLoop], Extracted | None], off_at: float, sign: int
) -> None:
    level, siemens = threshold(0.505, off_at)
    found = find(half_loop(sign * level, siemens))
    assert found is not None
    assert sign * found.value == pytest.approx(0.505, abs=STEP / 2 + 1e-9)
    assert found.interval[0] <= sign * 0.505 <= found.interval[1]
    assert found.uncertainty == pytest.approx(STEP / math.sqrt(12), rel=0.05)
    assert found.method.endswith("@1")
    assert found.definition


def test_the_middle_and_the_rows_beside_it() -> None:
    half = half_loop(*threshold(0.505, 0.2))
    assert value(onset.largest_step(half)) == pytest.approx(0.51), "the first row that conducts"
    assert value(onset.knee(half)) == pytest.approx(0.50), "the last that does not"
    assert value(onset.steepest_log_slope(half)) == pytest.approx(0.505), "the middle"
    found = onset.current_threshold(half, 1e-6)
    assert found is not None
    assert found.rows == (50, 51)
    assert 0.50 < found.value < 0.51


def test_compliance_onset() -> None:
    level, siemens = threshold(0.505, 0.2)
    found = onset.compliance_onset(half_loop(level, siemens, compliance=1e-6))
    assert value(found) == pytest.approx(0.51)
    assert found is not None
    assert found.interval == (pytest.approx(0.50), pytest.approx(0.51))
    assert onset.compliance_onset(half_loop(level, siemens)) is None, "never in compliance"
    late = onset.compliance_onset(half_loop(level, siemens, compliance=7e-5))
    assert value(late) == pytest.approx(0.71), "the compliance is reached after the switch: that is what it says"
    assert late is not None
    assert math.isnan(late.interval[0]), "and no jump"


def test_compliance_without_flags_is_seen_by_the_current() -> None:
    flagged = half_loop(*threshold(0.505, 0.2), compliance=1e-6)
    plain = HalfLoop(flagged.level, flagged.voltage, flagged.current, np.zeros(201, np.int64), compliance=1e-6)
    assert value(onset.compliance_onset(plain)) == pytest.approx(0.51)
    unknown = HalfLoop(flagged.level, flagged.voltage, flagged.current, np.zeros(201, np.int64))
    assert onset.compliance_onset(unknown) is None


@pytest.mark.parametrize("decades", [0.06, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_gradual_set_has_its_middle_where_it_was_put(decades: float, sign: int) -> None:
    level, siemens = gradual(0.62, decades=decades)
    half = half_loop(sign * level, siemens, noise=1e-4)
    assert half.sets
    assert sign * value(branches.set_half_closing(half)) == pytest.approx(0.62, abs=0.005)
    assert sign * value(onset.steepest_log_slope(half)) == pytest.approx(0.62, abs=0.06), "a derivative of noisy rows"
    assert onset.largest_step(half) is None, "no jump"
    assert branches.reset_half_closing(half) is None


def test_a_gradual_set_begins_before_its_middle() -> None:
    level, siemens = gradual(0.62, decades=1.0)
    out = np.arange(level.size) < 101
    dips = siemens * np.where(
        out, 10 ** (-0.5 * level * (level < 0.62)), 1.0
    )  # the off state conducts ever less at first
    begins = branches.largest_ratio(half_loop(level, dips, noise=1e-3))
    assert 0.3 < value(begins) < 0.6
    assert begins is not None
    assert begins.uncertainty > STEP / math.sqrt(12), "the top is flat"
    assert branches.largest_ratio(half_loop(level, siemens, noise=1e-4)) is None, "flat from 0 V on"


def test_a_threshold_that_the_off_current_goes_through_is_none() -> None:
    half = half_loop(*gradual(0.62, decades=0.2), noise=1e-4)
    assert onset.current_threshold(half, 1e-5) is None
    assert onset.current_threshold(half_loop(*gradual(0.62, decades=2.0)), 1e-5) is not None


def test_a_narrowing_opening_is_no_switching_voltage() -> None:
    """An off state that is only more nonlinear than the on state closes the loop from 0 V on."""
    level = levels()
    back = np.arange(level.size) >= 101
    siemens = 1e-4 * np.where(back, 1.0, 0.1 * 10 ** np.abs(level))
    half = half_loop(level, siemens, noise=1e-4)
    assert half.openness > 0
    assert branches.set_half_closing(half) is None


# -- nothing --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "current",
    [
        lambda v: 1e-6 * v,
        lambda v: 1e-9 * np.sinh(v / 0.08),
        lambda v: 1e-7 * v * np.abs(v),
        lambda v: 0 * v,
        lambda v: 0 * v + 1e-9,
    ],
    ids=["ohmic", "sinh", "space charge", "open", "offset"],
)
def test_conduction_without_memory_does_not_switch(current: Callable[[np.ndarray], np.ndarray]) -> None:
    level, rng = levels(), np.random.default_rng(3)
    drawn = current(level) * (1 + 1e-3 * rng.standard_normal(level.size)) + 1e-11 * rng.standard_normal(level.size)
    half = HalfLoop(level, level, drawn, np.zeros(level.size, np.int64))
    assert (half.sets, half.resets, half.openness) == (False, False, 0.0)
    for find in (*ONSETS, branches.largest_ratio, offset.max_current, offset.largest_drop, offset.max_conductance):
        assert find(half) is None
    for find in (offset.hold_drop, branches.hold_half_closing, limiting.self_compliance, limiting.self_limited):
        assert find(half) is None


def test_noise_makes_no_switch() -> None:
    """The false alarms of 300 noisy resistors, open and not."""
    rng = np.random.default_rng(5)
    false = 0
    for number in range(300):
        siemens = (0.0, 1e-9, 1e-5)[number % 3]
        half = half_loop(levels(), np.full(201, siemens), 0.02, rng, offset=10 ** rng.uniform(-14, -9))
        false += half.sets or half.resets
    assert false <= 2


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_few_rows_say_nothing(rows: int) -> None:
    level = np.linspace(0, 1, rows) if rows else np.empty(0)
    half = HalfLoop(level, level, level * 1e-6, np.zeros(rows, np.int64))
    asks = (*ONSETS, branches.largest_ratio, branches.hysteresis_area, offset.max_current, offset.hold_drop)
    assert all(find(half) is None for find in asks)
    assert branches.on_off(half, 0.5) is None


# -- off ------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sign", [1, -1])
def test_a_reset_by_every_definition(sign: int) -> None:
    level, siemens = reset(0.705)
    half = half_loop(-sign * level, siemens, noise=1e-4)
    assert half.resets
    assert not half.sets
    for find in (offset.largest_drop, offset.max_current, branches.reset_half_closing):
        found = find(half)
        assert sign * value(found) == pytest.approx(0.705, abs=STEP / 2 + 1e-9)
        assert found is not None
        assert found.interval[0] <= sign * 0.705 <= found.interval[1]
    assert value(offset.reset_current(half)) == pytest.approx(0.70e-4, rel=1e-3)
    assert sign * value(offset.current_minimum(half)) == pytest.approx(0.71), (
        "an ohmic off state: least just after the drop"
    )


def test_a_gradual_reset_may_have_no_greatest_current() -> None:
    half = half_loop(*gradual(0.7, width=0.1, decades=-0.15), noise=1e-4)
    assert half.resets
    assert offset.max_current(half) is None, "the current grows to the turn"
    assert value(branches.reset_half_closing(half)) == pytest.approx(0.7, abs=0.03)
    steeper = half_loop(*gradual(0.6, width=0.03, decades=-0.5), noise=1e-4)
    top = offset.max_current(steeper)
    level, siemens = gradual(0.6, width=0.03, decades=-0.5)
    assert value(top) == pytest.approx(level[np.argmax(level[:80] * siemens[:80])], abs=STEP + 1e-9)
    assert offset.max_conductance(steeper) is None, "an ohmic on state: its greatest conductance is chance"
    bends = half_loop(level, siemens * np.exp(np.minimum(np.abs(level), 0.6)), noise=1e-4)
    assert 0.4 < abs(value(offset.max_conductance(bends))) < 0.6


def test_a_maximum_that_the_compliance_made_is_none() -> None:
    level, siemens = reset(0.705)
    assert offset.max_current(half_loop(level, siemens, compliance=5e-5)) is None
    ample = half_loop(level, siemens, compliance=1e-3)
    assert value(offset.max_current(ample)) == pytest.approx(-0.70)


def test_holding_voltage() -> None:
    level, siemens = threshold(0.505, 0.195)
    half = half_loop(level, siemens, compliance=1e-6)
    found = offset.hold_drop(half)
    assert value(found) == pytest.approx(0.01, abs=1e-3), (
        "in compliance the cell has 1 uA / 100 uS, not the programmed 0.2 V"
    )
    free = half_loop(level, siemens)
    for item in (offset.hold_drop(free), offset.hold_current_threshold(free, 1e-7), branches.hold_half_closing(free)):
        assert value(item) == pytest.approx(0.195, abs=STEP / 2 + 1e-9)
        assert item is not None
        assert item.interval[0] <= 0.195 <= item.interval[1]


@pytest.mark.parametrize("noise", [1e-13, 3e-9])
def test_a_cell_that_stays_on_has_no_holding_voltage(noise: float) -> None:
    """Nor where its current sinks into the noise at small voltage."""
    half = half_loop(*threshold(0.505, 0.0), offset=noise)
    assert half.sets
    assert offset.hold_drop(half) is None
    assert offset.hold_current_threshold(half, 1e-6) is None
    assert branches.hold_half_closing(half) is None


def test_a_gradual_fall_back() -> None:
    level = levels(rows=401)
    out = np.arange(level.size) < 401
    share = 1 / (1 + np.exp(-(level - np.where(out, 0.7, 0.3)) / 0.02))
    half = half_loop(level, 1e-9 * 10 ** (4 * share), noise=1e-3)
    assert offset.hold_drop(half) is None, "no single drop of 0.7 decades"
    assert value(branches.hold_half_closing(half)) == pytest.approx(0.3, abs=0.01)
    assert value(branches.set_half_closing(half)) == pytest.approx(0.7, abs=0.01)


# -- both ways ------------------------------------------------------------------------------------------------------------
def test_on_off_at_a_voltage() -> None:
    half = half_loop(*threshold(0.505, 0.0, on=1e-4, off=1e-8))
    found = branches.on_off(half, 0.2)
    assert value(found) == pytest.approx(1e4, rel=1e-3)
    assert found is not None
    assert "way back" in found.definition
    assert branches.on_off(half, 1.5) is None, "beyond the loop"
    assert value(branches.on_off(half_loop(*reset(0.7)), 0.2)) == pytest.approx(100, rel=1e-3)


@pytest.mark.parametrize("compliance", [1e9, 1e-6])
def test_on_off_beyond_the_meter_is_a_bound(compliance: float) -> None:
    rng = np.random.default_rng(1)
    half = half_loop(*threshold(0.505, 0.0, off=1e-13), rng=rng, offset=1e-11, compliance=compliance)
    found = branches.on_off(half, 0.3)
    assert found is not None
    assert math.isinf(found.interval[1])
    assert math.isnan(found.uncertainty)
    assert found.value < 0.3e-4 / 0.3e-13
    assert found.value == pytest.approx(min(0.3e-4, compliance) / half.floor, rel=1e-6)
    limited = branches.on_off(half_loop(*threshold(0.505, 0.0), compliance=1e-6), 0.3)
    assert limited is not None
    assert math.isinf(limited.interval[1]), "the compliance made the on current"


def test_between_rows_in_decades() -> None:
    level = levels(rows=11)
    half = HalfLoop(level, level, 1e-9 * 10 ** (4 * level), np.zeros(21, np.int64))
    assert value(branches.selectivity(half, 0.75, share=0.6)) == pytest.approx(10 ** (4 * 0.3))
    assert value(branches.resistance(half, 0.45, "out", "HRS")) == pytest.approx(0.45 / (1e-9 * 10**1.8))
    assert branches.resistance(half_loop(*threshold(0.5, 0), compliance=1e-6), 0.3, "back", "LRS") is None


def test_selectivity_beyond_the_meter_is_a_bound() -> None:
    level, siemens = threshold(0.505, 0.305, on=1e-4, off=1e-13)
    bounds = 0
    for seed in range(40):
        found = branches.selectivity(half_loop(level, siemens, rng=np.random.default_rng(seed), offset=1e-11), 0.6)
        assert found is not None
        assert found.value < 0.6e-4 / 0.3e-13
        bounds += math.isinf(found.interval[1])
    assert bounds >= 30, "a floor from ten rows is too low now and then"


def test_area() -> None:
    half = half_loop(*reset(0.705, on=2e-4, off=0.0))
    exact = 0.5 * 2e-4 * 0.70 * 0.70 + 0.5 * 0.01 * 1.4e-4
    assert value(branches.hysteresis_area(half)) == pytest.approx(-exact, rel=1e-6)
    opened = half_loop(*threshold(0.5, 0.0))
    assert value(branches.hysteresis_area(opened)) > 0


# -- limits ---------------------------------------------------------------------------------------------------------------
def test_self_compliance() -> None:
    level, siemens = threshold(0.505, 0.2)
    free = half_loop(level, siemens, noise=1e-4)
    assert value(limiting.self_compliance(free)) == pytest.approx(1e-4, rel=1e-3)
    assert value(limiting.self_limited(free)) == 1.0
    slope = limiting.exponent(free)
    assert value(slope) == pytest.approx(1.0, abs=0.01), "a series resistance"
    held = half_loop(level, siemens, compliance=6e-5)
    found = limiting.self_compliance(held)
    assert found is not None
    assert found.value < 6e-5
    assert found.interval == (found.value, math.inf)
    assert found.excluded == np.count_nonzero(held.status)
    assert value(limiting.self_limited(held)) == 0.0
    assert limiting.exponent(held) is None


# -- rows ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("flag", [Status.OVERFLOW, Status.INVALID, Status.PROVISIONAL, Status.THRESHOLD])
def test_flagged_rows_are_left_out_and_counted(flag: Status) -> None:
    half = half_loop(*threshold(0.505, 0.2))
    status, current = half.status.copy(), half.current.copy()
    status[[20, 21, 120]], current[[20, 21, 120]] = flag, 1.0
    found = onset.largest_step(HalfLoop(half.level, half.voltage, current, status))
    assert value(found) == pytest.approx(0.51)
    assert found is not None
    assert found.excluded == 3


def test_a_row_lost_at_the_jump_widens_the_interval() -> None:
    half = half_loop(*threshold(0.505, 0.2))
    current = half.current.copy()
    current[51] = math.nan
    found = onset.steepest_log_slope(HalfLoop(half.level, half.voltage, current, half.status))
    assert found is not None
    assert found.interval == (pytest.approx(0.50), pytest.approx(0.52))
    assert found.uncertainty == pytest.approx(0.02 / math.sqrt(12))


def test_a_ramp_without_a_way_back() -> None:
    level, siemens = threshold(0.505, 0.2)
    jumps = half_loop(level[:52], siemens[:52], compliance=1e-6)
    for find in (onset.largest_step, onset.compliance_onset, onset.knee, onset.steepest_current):
        assert value(find(jumps)) == pytest.approx(0.505, abs=STEP / 2 + 1e-9)
    assert branches.set_half_closing(jumps) is None
    grows = half_loop(level[:101], 1e-9 * 10 ** (5 * level[:101]), compliance=1e-6)
    assert value(onset.compliance_onset(grows)) == pytest.approx(level[np.argmax(grows.limited)])
    leaks = half_loop(level[:101], np.full(101, 1e-5), compliance=1e-6)
    assert onset.compliance_onset(leaks) is None, "a leak that reaches the compliance is no forming"


def test_every_definition_is_marked() -> None:
    marks = {item.mark for item in methods.every()}
    for mark in (
        "V_set/largest-step@1", "V_set/steepest-log-slope@1", "V_set/steepest-current@1", "V_set/current-threshold@1",
        "V_set/compliance-onset@1", "V_set/knee@1", "V_set/half-closing@1", "V_set/largest-ratio@1",
        "V_reset/largest-drop@1", "V_reset/max-current@1", "V_reset/max-conductance@1", "V_reset/half-closing@1",
        "V_reset/current-minimum@1", "V_hold/largest-drop@1", "V_hold/current-threshold@1", "V_hold/half-closing@1",
        "on/off/at-voltage@1", "on/off/at-switch@1", "selectivity/two-voltages@1", "resistance/at-voltage@1",
        "hysteresis/area@1", "self-compliance/greatest@1", "self-limited/flags@1", "self-compliance/exponent@1",
        "volatility/share-switching-anew@1", "window/reads@1",
    ):  # fmt: skip
        assert mark in marks
    assert volatility.share.__doc__
