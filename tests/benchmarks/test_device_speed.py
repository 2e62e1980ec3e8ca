"""(f) The device models: seconds of whole experiments, and one cell's sweep beside scipy's LSODA on the same equations."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ecm_cells import INTEGRATOR, R, X, filament, formed, packed, state_of, sweep, there_and_back, values_of
from scipy.integrate import solve_ivp

from labctl.contracts import Drive

LEVELS = [v for v in there_and_back(1.0, 0.005) if v > 0.0]  # of device 2: set and hold


def cycles_of_the_synapse() -> Any:
    stack = formed("synapse", 1)
    for _ in range(500):
        sweep(stack, there_and_back(2.5, 0.02), 1e-5, 0.02)
        sweep(stack, there_and_back(-3.0, 0.02), math.inf, 0.02)
    return stack


def retention_of_the_synapse() -> Any:
    stack = formed("synapse", 1)
    sweep(stack, there_and_back(2.5, 0.02), 1e-5, 0.02)
    for _ in range(100):
        stack.advance(Drive(0.7), 0.01)
        stack.advance(Drive(0.0), 99.99)
    return stack


def fifty_sweeps_of_device_2() -> Any:
    cell = formed("device-2", 1)
    for _ in range(50):
        sweep(cell, there_and_back(1.0, 0.01), 1e-6, 0.01)
    return cell


@pytest.mark.parametrize("experiment", [cycles_of_the_synapse, retention_of_the_synapse, fifty_sweeps_of_device_2])
def test_seconds_of_an_experiment(experiment: Callable[[], Any], capsys: pytest.CaptureFixture[str]) -> None:
    formed("synapse").advance(Drive(0.1), 1e-3)  # compiled before the clock runs
    formed("device-2").advance(Drive(0.1), 1e-3)
    start = time.perf_counter()
    device = experiment()
    seconds = time.perf_counter() - start
    steps = sum(float(part.state[INTEGRATOR.STEPS]) for part in device._filaments.values())
    with capsys.disabled():
        print(f"\n{experiment.__name__}: {seconds:.2f} s, {steps:,.0f} steps, {steps / seconds:,.0f} steps/s")
    assert steps > 100


def ours() -> list[float]:
    cell = formed("device-2")
    return [cell.advance(Drive(v, 1e-5), 1e-3).current for v in LEVELS]


def lsoda(rtol: float) -> list[float]:
    """The same sweep by scipy over the same compiled right-hand side, rupture events left out (there are none on the way)."""
    values = values_of("device-2")
    p, y, currents = packed(values), np.array([values["x0"], values["r_n"]]), []
    floor = values["x_min"] - 2.5 * values["lam_c"]
    for v in LEVELS:
        s = state_of(values, values["x_min"], Drive(v, 1e-5))

        def slopes(_: float, y: Any, s: Any = s, v: float = v) -> tuple[float, ...]:
            found = INTEGRATOR.slopes(p, s, max(float(y[0]), floor), max(float(y[1]), 0.1), 1.0, v)
            return tuple(found[:2])

        y = solve_ivp(slopes, (0.0, 1e-3), y, method="LSODA", rtol=rtol, atol=1e-4, first_step=1e-12).y[:, -1]
        currents.append(float(INTEGRATOR.slopes(p, s, max(float(y[0]), floor), float(y[1]), 1.0, v)[7]))
    return currents


def test_one_cell_beside_lsoda(compare: Callable[..., dict[str, float]]) -> None:
    """Goal: 30 times as fast. Both end in the same on state on the way up, where the current is the compliance."""
    up = len(LEVELS) // 2
    assert ours()[up] == pytest.approx(lsoda(1e-4)[up], rel=0.05)
    ratios = compare("levels of a sweep of device 2", len(LEVELS), rounds=3, lsoda=lambda: lsoda(1e-4), labctl=ours)
    assert ratios["labctl"] > 10.0


def test_what_one_dwell_costs_beside_one_kernel_call(compare: Callable[..., dict[str, float]]) -> None:
    """The Python around the kernel: checks, the response, events; by how much a dwell is slower than its kernel."""
    cell = formed("device-2")
    cell.advance(Drive(0.3, 1e-5), 1e-3)
    drive, part = Drive(0.3, 1e-5), filament(cell)
    assert (part.state[X], part.state[R]) == (pytest.approx(4.0, rel=1e-3), pytest.approx(1.0))

    def kernels() -> None:
        for _ in range(2000):
            INTEGRATOR.dwell(part.packed, part.state, 0.3, 1e-5, 0.0, 1e-3, 1e-2)

    def dwells() -> None:
        for _ in range(2000):
            cell.advance(drive, 1e-3)

    ratios = compare("dwells at rest", 2000, kernel=kernels, dwell=dwells)
    assert ratios["dwell"] > 0.05
