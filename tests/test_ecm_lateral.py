"""The lateral devices, chains of junctions over 30 um, and the bipolar selector (Kim 2022 is 10.1002/aisy.202200110)."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from ecm_cells import formed, pristine, sweep, there_and_back, thresholds, values_of

from labctl.contracts import Drive

TOP = {2: 80.0, 3: 20.0, 4: 4.2}  # V; what the sweeps of a formed device go to


class Seen(NamedTuple):
    """What a sweep up and down at 1 uA shows; slope (V) and R^2 of ln(I/V^2) over 1/V in the on state."""

    v_th: float
    v_hold: float
    greatest: float
    slope: float
    r_squared: float


@cache
def lateral(number: int) -> Seen:
    up = [TOP[number] * k / 200 for k in range(201)]
    cell = formed(f"l-device-{number}")
    there, back = (sweep(cell, levels, 1e-6, 0.01) for levels in (up, up[::-1]))
    rising, falling = (np.log(np.maximum([r.current for r in rows], 1e-11)) for rows in (there, back))
    held = int(np.diff(falling).argmin())
    on = [(r.voltage, r.current) for r in back[: held - 2] if not r.in_compliance]
    x, y = (np.array(z) for z in zip(*((1 / v, np.log(i / v**2)) for v, i in on), strict=True))
    return Seen(
        up[int(np.diff(rising).argmax()) + 1], up[::-1][held], max(r.current for r in there),
        float(np.polyfit(x, y, 1)[0]), float(np.corrcoef(x, y)[0, 1]) ** 2,
    )  # fmt: skip


def test_the_tunnelling_plot_of_the_on_state_is_a_line_that_gets_flatter_with_more_silver() -> None:
    """Kim 2022: a slope of about -268 V for l-device-2 and about -5 V for l-device-4."""
    two, three, four = (lateral(number) for number in (2, 3, 4))
    assert two.slope == pytest.approx(-268.0, rel=0.05)
    assert four.slope == pytest.approx(-5.0, rel=0.05)
    assert two.slope < three.slope < four.slope
    assert min(two.r_squared, three.r_squared, four.r_squared) > 0.99


def test_threshold_and_holding_voltage_fall_with_more_silver() -> None:
    """The order is Kim 2022's, the values are assumed (ecm-model.md 9)."""
    two, three, four = (lateral(number) for number in (2, 3, 4))
    assert two.v_th > three.v_th > four.v_th
    assert two.v_hold > three.v_hold > four.v_hold
    assert [s.v_th for s in (two, three, four)] == pytest.approx([60.0, 15.0, 3.0], rel=0.05)
    for seen in (two, three, four):
        assert 0.4 * seen.v_th < seen.v_hold < 0.7 * seen.v_th


def test_only_l_device_2_limits_its_own_current() -> None:
    """Kim 2022: l-device-2 is self-compliant; the others are held by the source at 1 uA."""
    assert lateral(2).greatest == pytest.approx(4e-7, rel=0.1)
    assert (lateral(3).greatest, lateral(4).greatest) == (1e-6, 1e-6)


def test_l_device_1_has_too_little_silver_to_switch() -> None:
    cell = pristine("l-device-1")
    currents = [r.current for r in sweep(cell, [1.0 * k for k in range(201)], 1e-6, 1.0)]
    assert max(currents) < 1e-10
    cell.advance(Drive(200.0, 1e-6), 1e5)
    assert cell.state()["formed"] == 0.0
    left = (1.0 - values_of("l-device-1")["f_res"]) * 30e-6
    assert cell.state()["gap"] * values_of("l-device-1")["n_j"] == pytest.approx(left, rel=0.01)


@pytest.mark.parametrize(("number", "expected"), [(2, 110.0), (3, 98.0), (4, 84.0)])
def test_the_others_form(number: int, expected: float) -> None:
    """At 20 V/s, from both polarities alike: silver on both sides; the voltages are assumed."""
    for sign in (1, -1):
        cell = pristine(f"l-device-{number}")
        level = next(
            v for v in range(1, 200) if cell.advance(Drive(sign * float(v), 1e-6), 0.05) and cell.state()["formed"]
        )
        assert level == pytest.approx(expected, rel=0.03)
        cell.advance(Drive(0.0), 1.0)
        assert cell.state()["filament"] == 0.0, "volatile (Kim 2022)"


def test_the_selector_switches_at_both_polarities_and_carries_the_logic_level() -> None:
    """Made as device 2 with silver on both sides (Kim 2022); 22 uA at 0.7 V is what the logic of the array needs."""
    cell = formed("selector")
    v_th, v_hold, _ = thresholds(cell, 1e-5)
    assert v_th == pytest.approx(0.5, abs=0.05)
    assert 0.0 < v_hold < v_th
    positive, negative = (sweep(cell, there_and_back(v, 0.01), 1e-3, 0.01) for v in (0.7, -0.7))
    assert max(r.current for r in positive) > 22e-6
    assert min(r.current for r in negative) == pytest.approx(-max(r.current for r in positive), rel=1e-6)
    cell.advance(Drive(0.0), 1.0)
    assert cell.state()["filament"] == 0.0
