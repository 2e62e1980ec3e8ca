"""Cells with a capacitance for the tests, and a second way to compute what they do: root search and scipy's Radau."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from ecm_cells import CURRENT, KINETICS, EcmCell, R, X, filament, other_memory, packed, part_of, plugins_part, state_of

from labctl import jit
from labctl.contracts import Drive

CHARGED = plugins_part("charged_circuit")
SMALL, LARGE = 25.0, 2.5e5  # um^2; a crossbar's cell of (5 um)^2, and the 0.25 mm^2 of Kim 2022
OPEN = {"broken": 2.0, "g_l": 1e-20}  # a cell without a filament and with hardly a leak
ON = (4.0, 1.0, 0.6, 5.4742)  # nm; gap and radius of a selector at rest, then of a set memory


def stack_values(area: float, **other: float) -> dict[str, dict[str, float]]:
    """A synapse whose memory is no card's, so that the numbers of the tests stay when the card is fitted anew."""
    memory = {**other_memory(), "g_l": 2.8e-9, "v_l": 3.0, "k_sd": 1.0, "s_sd": 31.0, "eps_sd": 3e-5}
    cells = {"selector": part_of("synapse", "selector"), "memory": memory}
    return {name: {**values, "area": area, "eps_r": 3.9, **other} for name, values in cells.items()}


def stack(area: float, at: tuple[float, ...] | None = None, **other: float) -> Any:
    """A formed synapse of `area` um^2; at: gap and radius (nm) of its selector and of its memory, None for the off state."""
    device = EcmCell(stack_values(area, **other))
    device.set_formed()
    if at is not None:
        for name, x, r in (("selector", *at[:2]), ("memory", *at[2:])):
            filament(device, name).state[X], filament(device, name).state[R] = x, r
    return device


def voltages(device: Any) -> tuple[float, float]:
    return device.state()["selector.voltage"], device.state()["memory.voltage"]


def capacity(values: dict[str, float]) -> float:
    """F, in SI from the beginning."""
    return values["eps_r"] * 8.8541878128e-12 * values["area"] * 1e-12 / (values["thickness"] * 1e-9)


def conducted(values: dict[str, float], v: float, x: float, r: float) -> tuple[float, float]:
    """Junction voltage (V, >= 0) and signed current (A) of a cell with v (V) over junction and filament, by root search."""
    from scipy.optimize import brentq

    p, wire = packed(values), values["rho_k"] / r**2

    def excess(u: float) -> float:
        return float(values["n_j"] * u + CURRENT.current(p, u, x, r)[0] * wire - abs(v))

    u = brentq(excess, 0.0, abs(v) / values["n_j"] + 1e-300, xtol=1e-16, rtol=1e-14) if v else 0.0
    return u, math.copysign(float(CURRENT.current(p, u, x, r)[0]), v)


def slopes_of(y: Any, drive: Drive, fronts: tuple[float, ...], cells: list[dict[str, float]]) -> tuple[Any, Any]:
    """Slopes and Jacobian at gap, radius, supply and voltage of each cell."""
    p = [packed(v) for v in cells]
    s = [state_of(v, front, drive) for v, front in zip(cells, fronts, strict=True)]
    w = jit.vector([0.0] * CHARGED.WORK_SIZE)
    n = 4 * len(cells)
    w[CHARGED.SIZE], w[CHARGED.OUTSIDE] = float(n), drive.resistance + sum(v["r_s"] for v in cells)
    for k in range(n):
        w[CHARGED.Y + k] = float(y[k])
    CHARGED.charged_slopes(p[0], p[-1], s[0], s[-1], w, CHARGED.limit(s[0], w))
    rows = [[float(w[CHARGED.J + CHARGED.WIDTH * row + k]) for k in range(n)] for row in range(n)]
    return np.array([float(w[CHARGED.F + k]) for k in range(n)]), np.array(rows)


def reference(area: float, drive: Drive, start: Any, times: Any) -> Any:
    """The eight states at `times` by Radau, with a circuit of its own: current by root search, only kinetics shared."""
    from scipy.integrate import solve_ivp

    values = list(stack_values(area).values())
    p, outside = [packed(v) for v in values], drive.resistance + sum(v["r_s"] for v in values)
    floor = np.array([f for v in values for f in (v["x_min"] - 2.5 * v["lam_c"], 0.1, 0.0, -np.inf)])

    def slopes(_: float, y: Any) -> Any:
        y, out = np.maximum(y, floor), np.empty(8)
        amps = min(max((drive.voltage - y[3] - y[7]) / outside, -drive.compliance), drive.compliance)
        for n, v in enumerate(values):
            x, r, w, volts = (float(z) for z in y[4 * n : 4 * n + 4])
            u, i = conducted(v, volts, x, r)
            found = KINETICS.rates(p[n], volts > 0.0, 0.1, u, abs(i), x, r, w)
            supply = KINETICS.supply(p[n], volts > 0.0, u, w)
            out[4 * n : 4 * n + 4] = found[0], found[1], supply[0], (amps - i) / capacity(v)
        return out

    def jacobian(_: float, y: Any) -> Any:
        return slopes_of(np.maximum(y, floor), drive, (0.1, 0.1), values)[1]

    solution = solve_ivp(
        slopes, (0.0, times[-1]), start, method="Radau", rtol=1e-7, atol=1e-9, t_eval=times, jac=jacobian,
        first_step=1e-14,
    )  # fmt: skip
    assert solution.success, solution.message
    return solution.y
