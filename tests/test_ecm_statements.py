"""What the physics says about each parameter, one statement each: turn it, measure, and see the outputs move that way.

No threshold, holding voltage, ratio or switching time is stored anywhere; these tests would fail if one were.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ecm_cells import cell_of, jump, sweep, there_and_back, thresholds, values_of

from labctl.contracts import Drive

Turn = dict[str, float]
Measure = Callable[[str, Turn], float]


def made(name: str, turn: Turn) -> Any:
    """A formed nominal cell with some fields of its card multiplied."""
    values = values_of(name)
    cell = cell_of({**values, **{field: values[field] * by for field, by in turn.items()}})
    cell.set_formed()
    return cell


def v_th(name: str, turn: Turn) -> float:
    """V, to 1 mV, at 1 V/s."""
    up = [0.001 * k for k in range(1200)]
    return jump(up, sweep(made(name, turn), up, 1e-6, 1e-3), 1)


def v_hold(name: str, turn: Turn) -> float:
    """V, on the way back from 1 V at 1 uA."""
    cell, down = made(name, turn), [0.001 * k for k in range(1000, -1, -1)]
    cell.advance(Drive(1.0, 1e-6), 0.1)
    return jump(down, sweep(cell, down, 1e-6, 1e-3), -1)


def v_form(name: str, turn: Turn) -> float:
    """V, at 1 V/s."""
    values = values_of(name)
    cell = cell_of({**values, **{field: values[field] * by for field, by in turn.items()}})
    return next(0.01 * k for k in range(1000) if cell.advance(Drive(0.01 * k, 1e-6), 0.01).in_compliance)


def on_current(name: str, turn: Turn) -> float:
    """A, at 1 V without a limit below 0.1 mA: self-compliance."""
    return thresholds(made(name, turn), 1e-4)[2]


def off_current(name: str, turn: Turn) -> float:
    """A, at 0.2 V."""
    return float(made(name, turn).current(0.2))


def steepness(name: str, turn: Turn) -> float:
    """-d ln(I/V^2) / d(1/V) (V) of the on state, above the barrier's height."""
    values = values_of(name)
    cell = made(name, turn)
    cell._filaments[""].state[0] = values["x_min"] * turn.get("x_min", 1.0)
    v = np.linspace(1.5, 2.5, 11)
    drop = {**turn, "r_s": 0.0, "rho_k": 0.0}
    cell = made(name, drop)
    cell._filaments[""].state[0] = values["x_min"] * turn.get("x_min", 1.0)
    return -float(np.polyfit(1 / v, np.log([cell.current(float(x)) / x**2 for x in v]), 1)[0])


def lifetime(name: str, turn: Turn) -> float:
    """s at 0 V until the filament grown at 0.1 mA has ruptured."""
    cell = made(name, turn)
    cell.advance(Drive(0.8, 1e-4), 0.1)
    passed, step = 0.0, 1e-9
    while cell.state()["filament"] > 0.5 and passed < 1.0:
        cell.advance(Drive(0.0), step)
        passed, step = passed + step, 1.02 * step
    return passed


def radius(name: str, turn: Turn) -> float:
    """m, after 0.1 s at 0.8 V and 10 uA."""
    cell = made(name, turn)
    cell.advance(Drive(0.8, 1e-5), 0.1)
    return float(cell.state()["radius"])


def set_time(name: str, turn: Turn) -> float:
    """s at 1.3 V until the compliance of 0.1 mA is reached."""
    cell, passed, step = made(name, turn), 0.0, 1e-8
    while not cell.advance(Drive(1.3, 1e-4), step).in_compliance and passed < 10.0:
        passed, step = passed + step, 1.05 * step
    return passed


def v_reset(name: str, turn: Turn) -> float:
    """V, > 0: of a set memory on a negative sweep at 1 V/s."""
    cell, down = made(name, turn), [-0.005 * k for k in range(1, 500)]
    sweep(cell, there_and_back(2.0, 0.02), 1e-4, 0.02)
    currents = np.array([abs(cell.advance(Drive(v), 0.005).current) for v in down])
    return -down[int(np.diff(np.log(currents))[20:].argmin()) + 21]


def reset_time(name: str, turn: Turn) -> float:
    """s at -1.5 V until a set memory reads less than a tenth."""
    cell = made(name, turn)
    sweep(cell, there_and_back(2.0, 0.02), 1e-4, 0.02)
    cell.advance(Drive(0.0), 0.1)
    first, passed, step = abs(cell.current(0.1)), 0.0, 1e-8
    while abs(cell.current(0.1)) > 0.1 * first and passed < 1.0:
        cell.advance(Drive(-1.5), step)
        passed, step = passed + step, 1.01 * step
    return passed


LARGER_PARTICLES = {"r_n": 1.15, "r_res": 1.15**1.5, "f_res": 1.15}
UP, DOWN, SAME = 1, -1, 0


@pytest.mark.parametrize(
    ("statement", "measure", "name", "turn", "sign"),
    [
        ("larger particles, thicker seeds: rupture is slower and V_th falls", v_th, "device-2", LARGER_PARTICLES, DOWN),
        ("larger particles hold at lower voltages", v_hold, "device-2", LARGER_PARTICLES, DOWN),
        ("larger particles carry more current in the on state", on_current, "device-2", LARGER_PARTICLES, UP),
        ("faster surface diffusion needs more voltage to nucleate against", v_th, "device-2", {"k_sd": 5.0}, UP),
        ("faster surface diffusion needs more voltage to hold", v_hold, "device-2", {"k_sd": 5.0}, UP),
        ("faster surface diffusion shortens the filament's life", lifetime, "device-2", {"k_sd": 5.0}, DOWN),
        ("supersaturation around it lengthens the filament's life", lifetime, "device-2", {"s_sd": 2.0}, UP),
        ("a higher nucleation barrier raises V_th", v_th, "device-2", {"dg": 1.05}, UP),
        ("nucleation does not matter for holding", v_hold, "device-2", {"dg": 1.05}, SAME),
        ("faster attempts at nucleation lower V_th", v_th, "device-2", {"nu0": 10.0}, DOWN),
        ("faster charge transfer lowers V_hold", v_hold, "device-2", {"v0": 5.0}, DOWN),
        ("charge transfer does not limit V_th, nucleation does", v_th, "device-2", {"v0": 1.5}, SAME),
        ("a wider residual gap makes the tunnelling plot steeper", steepness, "device-2", {"x_min": 1.3}, UP),
        ("a higher barrier makes the tunnelling plot steeper", steepness, "device-2", {"phi": 1.2}, UP),
        ("a heavier electron makes the tunnelling plot steeper", steepness, "device-2", {"m_eff": 1.5}, UP),
        ("a wider residual gap carries less current in the on state", on_current, "device-2", {"x_min": 1.1}, DOWN),
        ("series resistance takes from the on current", on_current, "device-2", {"r_s": 10.0}, DOWN),
        ("more silver, more on current: self-compliance", on_current, "device-2", {"r_res": 1.2, "f_res": 1.44}, UP),
        ("the leak alone is the off current", off_current, "device-2", {"g_l": 2.0}, UP),
        ("the seed's radius does not matter for the leak", off_current, "device-2", {"r_n": 1.05}, SAME),
        ("a filament that takes more silver per current gets thicker", radius, "device-2", {"kappa_i": 2.0}, UP),
        ("a longer way of the ions forms at a higher voltage", v_form, "device-2", {"thickness": 1.1}, UP),
        ("less field enhancement forms at a higher voltage", v_form, "device-2", {"a_f": 0.8}, UP),
        ("faster ions in virgin oxide form at a lower voltage", v_form, "device-2", {"v_fo": 10.0}, DOWN),
        ("faster attempts at nucleation set sooner", set_time, "memory", {"nu0": 3.0}, DOWN),
        ("a lower nucleation barrier sets sooner", set_time, "memory", {"dg": 0.95}, DOWN),
        ("a wider rupture gap sets later", set_time, "memory", {"x0": 1.15}, UP),
        ("faster charge transfer of dissolution resets at a lower voltage", v_reset, "memory", {"eta_r": 30.0}, DOWN),
        ("hopping does not limit the slow reset, charge transfer does", v_reset, "memory", {"eta_h": 1.2}, SAME),
        ("faster hopping resets a pulse sooner", reset_time, "memory", {"v_h": 1.5}, DOWN),
        ("a gradual build-up of the ions' flow delays the reset of a pulse", reset_time, "memory", {"t_in": 2.0}, UP),
        ("a larger step of the hopping ions resets a pulse sooner", reset_time, "memory", {"a_h": 1.5}, DOWN),
    ],
)  # fmt: skip
def test_the_physics_says(statement: str, measure: Measure, name: str, turn: Turn, sign: int) -> None:
    before, after = measure(name, {}), measure(name, turn)
    assert math.isfinite(before)
    assert before > 0.0
    change = math.log(after / before)
    if sign == SAME:
        assert abs(change) < 0.01, f"{statement}: {before} -> {after}"
    else:
        assert sign * change > 0.01, f"{statement}: {before} -> {after}"


def test_without_a_restoring_force_a_slower_sweep_sets_at_a_lower_voltage() -> None:
    def v_set(dwell: float) -> float:
        cell = made("memory", {})
        return next(0.01 * k for k in range(50, 400) if cell.advance(Drive(0.01 * k, 1e-4), dwell).in_compliance)

    assert v_set(1e-2) < v_set(1e-4) - 0.1 < v_set(1e-6) - 0.2
