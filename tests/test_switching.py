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
    assert (mean.value, mean.uncertainty) == (pytest.approx(0.5), pytest.approx(0.1))
    assert "3 of 4 loops" in mean.definition
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
    window = switching.resistance_at(voltage[half], current[half], 1.0, True, "HRS")
    assert window is not None
    assert 1e3 < window.value < 1e7
