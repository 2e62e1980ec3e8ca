"""Switching voltages on curves whose answer is known, and on real loops."""

from pathlib import Path

import numpy as np
import pytest

from labctl.analysis import switching

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"


def loop(
    v_on: float, v_off: float, peak: float = 1.0, step: float = 0.01, r_on: float = 1e4
) -> tuple[np.ndarray, np.ndarray]:
    up = np.arange(round(peak / step) + 1) * step
    level = np.concatenate([up, up[-2::-1]])
    on = np.concatenate([up >= v_on - 1e-9, up[-2::-1] >= v_off - 1e-9])
    return level, np.where(on, level / r_on, level * 1e-10)


@pytest.mark.parametrize(("v_on", "v_off"), [(0.5, 0.2), (0.31, 0.3), (1.0, 0.05)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_volatile_loop(v_on: float, v_off: float, sign: int) -> None:
    level, current = loop(v_on, v_off)
    level, current = sign * level, sign * current
    on, off = switching.threshold_voltage(level, current), switching.hold_voltage(level, level, current)
    assert on is not None
    assert off is not None
    assert on.value == pytest.approx(sign * v_on)
    assert off.value == pytest.approx(sign * v_off)
    assert on.uncertainty == pytest.approx(0.01 / np.sqrt(12))
    assert abs(current[on.rows[1]] / current[on.rows[0]]) > 1e3


def test_a_nonvolatile_loop_has_no_hold_voltage() -> None:
    level, current = loop(0.5, 0.0)
    assert switching.hold_voltage(level, level, current) is None


def test_a_resistor_does_not_switch() -> None:
    level, _ = loop(0.5, 0.2)
    noise = np.random.default_rng(1).normal(0, 1e-13, level.size)
    current = level * 1e-6 + noise
    assert switching.threshold_voltage(level, current, floor=1e-8) is None
    assert switching.reset_voltage(level, current, floor=1e-8) is None


@pytest.mark.parametrize("per_decade", [1, 3])
def test_coarse_log_levels_on_a_resistor_make_no_switch(per_decade: int) -> None:
    up = 10.0 ** np.arange(-3, 1e-9, 1 / per_decade)
    level = np.concatenate([[0], up, up[-2::-1], [0]])
    assert switching.threshold_voltage(level, level * 1e-3) is None
    assert switching.hold_voltage(level, level, level * 1e-3) is None


def test_rows_that_are_no_numbers_are_left_out() -> None:
    level, current = loop(0.6, 0.2)
    current[30] = np.nan
    found = switching.threshold_voltage(level, current)
    assert found is not None
    assert found.value == pytest.approx(0.6)
    nothing = np.empty(0)
    assert switching.threshold_voltage(nothing, nothing) is None
    assert switching.hold_voltage(nothing, nothing, nothing) is None
    assert switching.read_resistance(nothing, nothing, "R") is None


def test_read_resistance() -> None:
    found = switching.read_resistance(np.array([0.1, 0.1, 0.1]), np.array([1e-6, 1.1e-6, 0.0]), "LRS")
    assert found is not None
    assert found.value == pytest.approx((1e5 + 0.1 / 1.1e-6) / 2)
    assert found.rows == (0, 1)


def test_reset_voltage() -> None:
    level = -loop(0.5, 0.0)[0]
    current = np.where((np.arange(level.size) < 70), level / 1e4, level / 1e6)
    found = switching.reset_voltage(level, current)
    assert found is not None
    assert found.value == pytest.approx(-0.70)


def test_over_cycles_counts_what_it_found() -> None:
    found = [switching.threshold_voltage(*loop(v, 0.2)) for v in (0.4, 0.5, 0.6)]
    mean = switching.over_cycles([*found, None], 4)
    assert mean is not None
    assert (mean.value, mean.uncertainty) == (pytest.approx(0.5), pytest.approx(np.hypot(0.1, 0.01 / np.sqrt(12))))
    assert "3 of 4 loops" in mean.definition
    same = switching.over_cycles([switching.threshold_voltage(*loop(0.5, 0.2))] * 3, 3)
    assert same is not None
    assert same.uncertainty == pytest.approx(0.01 / np.sqrt(12)), "never finer than the levels"


@pytest.mark.parametrize("offset", [2e-14, 1e-10, 1e-6])
def test_a_constant_current_is_no_switch(offset: float) -> None:
    """An open circuit shows the meter's offset, a short its compliance, whatever the level."""
    level = -loop(0.5, 0.2)[0]
    current = np.full(level.size, -offset) + np.random.default_rng(2).normal(0, 1e-15, level.size)
    for find in (switching.threshold_voltage, switching.reset_voltage):
        assert find(level, current) is None
    assert switching.hold_voltage(level, level, current) is None


def test_a_loop_cut_short_is_left_out() -> None:
    level, current = loop(0.5, 0.2)
    kept = len(level) + 120  # the second loop ends on its way back
    table = {
        "level": np.tile(level, 2)[:kept],
        "current": np.tile(current, 2)[:kept],
        "cycle": np.repeat([1, 2], len(level))[:kept],
        "segment": np.ones(kept, int),
    }
    assert [int(one["cycle"][0]) for one in switching.by_cycle(table, 1)] == [1]
    assert switching.over_cycles([None], 1) is None


def test_on_measured_loops() -> None:
    file = DATA / "iv_loops_3.0V_10x_VIT.txt"
    if not file.exists():
        pytest.skip("the measured loops of other labs are not here (../shared/data)")
    voltage, current, _ = np.loadtxt(file, skiprows=1, unpack=True)
    peaks = np.flatnonzero(np.isclose(voltage, voltage.max()))
    assert peaks.size >= 10
    start = np.flatnonzero(voltage[: peaks[0]] <= 0)[-1]
    half = slice(start, peaks[0] + (peaks[0] - start))
    window = switching.read_resistance(voltage[half][50:53], current[half][50:53], "R")
    assert window is not None
    assert 1e3 < window.value < 1e7
