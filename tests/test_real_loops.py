"""Gradual, bipolar loops that other labs measured: every loop has its switching voltages, on/off, resistances and area.

The ranges are what extraction gave, held against a plot of the curves. The files are Nottingham's (MIT licence; see SOURCES.md
beside them): voltage, current, time, no status, no cycle.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from labctl import plugins
from labctl.analysis import loops, switching
from labctl.analysis.switching import HalfLoop, branches, offset, onset, split
from labctl.contracts import Extracted
from labctl.procedure import Procedure

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
FIVE, TEN = "iv_loops_2.5V_5x_VIT.txt", "iv_loops_3.0V_10x_VIT.txt"


@cache
def table(name: str) -> dict[str, np.ndarray]:
    file = DATA / name
    if not file.exists():
        pytest.skip("the measured loops of other labs are not here (../shared/data)")
    voltage, current, _ = np.loadtxt(file, skiprows=1, unpack=True)
    return split.table(voltage, current)


def half_loops(name: str, side: int) -> list[HalfLoop]:
    return [HalfLoop.of(part) for part in loops.joined([table(name)]) if part["segment"][0] == side]


def each(name: str, side: int, find: object) -> np.ndarray:
    found = [find(half) for half in half_loops(name, side)]  # type: ignore[operator]
    return np.array([np.nan if item is None else item.value for item in found])


def within(values: np.ndarray, low: float, high: float) -> bool:
    return bool(np.all((values >= low) & (values <= high)))


@pytest.mark.parametrize(("name", "count", "peak"), [(FIVE, 5, 2.5), (TEN, 10, 3.0)])
def test_the_list_is_cut_into_its_loops(name: str, count: int, peak: float) -> None:
    for side in (1, -1):
        halves = half_loops(name, side)
        assert len(halves) == count
        assert all(half.peak == pytest.approx(side * peak) for half in halves)
        assert all(half.level[0] == half.level[-1] == 0 for half in halves)


def test_ten_loops_set_at_positive_and_reset_at_negative_voltage() -> None:
    up, down = half_loops(TEN, 1), half_loops(TEN, -1)
    assert all(half.sets and not half.resets for half in up)
    assert all(half.resets and not half.sets for half in down)
    begins, middle = each(TEN, 1, branches.largest_ratio), each(TEN, 1, branches.set_half_closing)
    assert within(begins, 2.15, 2.3), "the dip before the current takes off"
    assert within(middle[1:], 2.4, 2.6)
    assert 2.6 < middle[0] < 2.8, "the first loop starts half on, and sets later"
    assert within(each(TEN, 1, onset.steepest_log_slope), 2.3, 2.5)
    assert within(each(TEN, 1, onset.steepest_current)[1:], 2.4, 2.55)
    assert np.isnan(each(TEN, 1, onset.steepest_current)[0]), "the first loop is steepest at the very turn"
    assert within(each(TEN, -1, offset.max_current), -2.76, -2.69)
    assert within(each(TEN, -1, offset.max_conductance), -2.7, -2.5)
    assert within(each(TEN, -1, branches.reset_half_closing), -2.87, -2.82)
    assert within(each(TEN, -1, offset.reset_current), 3.3e-4, 3.4e-4)


def test_five_loops_set_at_negative_and_reset_at_positive_voltage() -> None:
    """Here the curves leave more open, and the definitions differ accordingly."""
    assert all(half.sets for half in half_loops(FIVE, -1))
    assert all(half.resets for half in half_loops(FIVE, 1))
    assert within(each(FIVE, -1, branches.set_half_closing), -1.5, -0.75)
    assert within(each(FIVE, -1, onset.steepest_log_slope), -1.15, -0.6)
    assert within(each(FIVE, -1, onset.knee), -1.7, -1.4)
    assert within(each(FIVE, 1, offset.max_conductance), 1.2, 1.6), "where the conductance begins to fall"
    assert np.isnan(each(FIVE, 1, branches.reset_half_closing)).all(), (
        "the off state is too nonlinear for it to mean anything"
    )
    assert np.count_nonzero(np.isfinite(each(FIVE, 1, offset.max_current))) <= 1, "the current grows up to the turn"


@pytest.mark.parametrize(
    ("name", "side", "low", "high"),
    [(FIVE, 1, 2.4, 4.0), (FIVE, -1, 4.0, 10.0), (TEN, 1, 1.1, 1.45), (TEN, -1, 1.3, 1.46)],
)
def test_on_off_at_half_a_volt(name: str, side: int, low: float, high: float) -> None:
    assert within(each(name, side, lambda half: branches.on_off(half, 0.5)), low, high)
    for half in half_loops(name, side):
        on_off = branches.on_off(half, 0.5)
        assert on_off is not None
        rows = np.flatnonzero(np.isclose(np.abs(half.level), 0.5))
        ohms = np.abs(half.voltage[rows] / half.current[rows])
        assert on_off.value == pytest.approx(ohms.max() / ohms.min(), rel=1e-6), (
            "0.5 V is a level: nothing to interpolate"
        )


def test_areas() -> None:
    assert within(each(TEN, 1, branches.hysteresis_area), 5e-5, 1.3e-4)
    assert within(each(TEN, -1, branches.hysteresis_area), -1.5e-4, -1.2e-4)


@pytest.mark.parametrize(("name", "count"), [(FIVE, 5), (TEN, 10)])
def test_the_recipe_of_loops_takes_them(name: str, count: int) -> None:
    recipe = plugins.load("procedures", "iv-sweep", Procedure)
    series = {item.name: item for item in recipe.per_cycle(table(name))}
    for quantity in ("V_set", "V_reset", "LRS, positive half", "HRS, positive half", "on/off, negative half"):
        assert np.isfinite(series[quantity].values).sum() == count, f"{quantity} of every loop"
        assert not series[quantity].censored.any()
    found: list[Extracted] = recipe.analyze(table(name))
    assert {item.method for item in found if item.name == "V_set"} >= {"V_set/half-closing@1", "V_set/knee@1"}
    assert not any(item.name in ("V_th", "V_hold") for item in found), "nonvolatile"


def test_a_switch_in_steps_has_none_here() -> None:
    """The definition by the largest step asks for 0.7 decades between two rows; no row of these curves makes that."""
    for name in (FIVE, TEN):
        for side in (1, -1):
            assert np.isnan(each(name, side, onset.largest_step)).all()
    assert switching.by_cycle(table(TEN), 1)
