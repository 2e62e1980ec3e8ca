"""ECM cells for the tests: the model's parts by name, cells in a given state, and sweeps of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from labctl import cards, jit, plugins
from labctl.contracts import DeviceModel, Drive, Response

PARAMETERS, CURRENT, KINETICS, CIRCUIT, INTEGRATOR, SERIES, SERIES_IN_TIME = (
    plugins.module("sim_backends", "ecm", part)
    for part in (
        "parameters", "current", "kinetics", "circuit", "integrator", "series_circuit", "series_integrator"
    )
)  # fmt: skip
EcmCell: Any = plugins.load("sim_backends", "ecm", DeviceModel)
X, R, W, X_F, ON, V_S, I_CC, R_SRC = (
    getattr(INTEGRATOR, n) for n in ("X", "R", "W", "X_F", "ON", "V_S", "I_CC", "R_SRC")
)


def plugins_part(part: str) -> Any:
    """A module of the model by name."""
    return plugins.module("sim_backends", "ecm", part)


#: an ion supply for tests of the state it adds; numbers near those of the memory
SUPPLY = {"q_in": 5.0, "t_in": 3e-4, "v_in": 0.6, "eta_in": 0.6, "t_out": 1e-3}
read = cache(cards.read)  # parsing YAML takes longer than most of these simulations


def values_of(name: str, **other: float) -> dict[str, float]:
    return {**PARAMETERS.read(read(name)), **other}


def part_of(name: str, part: str) -> dict[str, float]:
    """The values of one cell of a card of two."""
    begin = f"{part}."
    fields = {key.removeprefix(begin): f for key, f in read(name).fields.items() if key.startswith(begin)}
    values: dict[str, float] = PARAMETERS.read(replace(read(name), fields=fields))
    return values


def other_memory() -> dict[str, float]:
    """The memory for which another program of the same equations gave numbers; no card of ours, and without an ion supply."""
    return values_of(
        "memory", phi=0.88772, v0=2.0809e-3, alpha=0.32951, v_h=189.39, a_h=2.3657, x_s=6.9296, dg=1.008, eta_r=1.0,
        eta_h=0.010862, lam=0.3, lam_c=0.28265, x0=2.9, x_min=0.1, r_n=5.4742, r_res=8.0, kappa_i=51272.0, f_res=2.14,
        q_in=0.0,
    )  # fmt: skip


def pristine(name: str, seed: int | None = None) -> Any:
    return EcmCell.from_card(read(name), seed)


def cell_of(values: dict[str, float], seed: int | None = None) -> Any:
    return EcmCell({"": values}, seed)


def filament(cell: Any, part: str = "") -> Any:
    """One cell's part of a device, for what no measurement shows: its state vector, its draws."""
    return cell._filaments[part]


def packed(values: dict[str, float]) -> jit.Vector:
    vector: jit.Vector = PARAMETERS.pack(values, PARAMETERS.Cycle(values["x0"], values["dg"], values["r_n"]))
    return vector


def formed(name: str, seed: int | None = None) -> Any:
    cell = pristine(name, seed)
    cell.set_formed()
    return cell


def state_of(values: dict[str, float], x_f: float, drive: Drive) -> jit.Vector:
    s = jit.vector([0.0] * INTEGRATOR.STATE_SIZE)
    s[X_F], s[V_S], s[I_CC], s[R_SRC] = x_f, drive.voltage, drive.compliance, drive.resistance
    return s


def slopes_of_one(p: Any, s: Any, y: Any, guess: float) -> tuple[Any, Any, float]:
    """d(x, r, w)/dt (nm/s, 1/s) of one cell, its 3 x 3 Jacobian (1/s), and the current (A); y: x, r (nm), w."""
    f = INTEGRATOR.slopes(p, s, *(float(v) for v in y), guess)
    jacobian = [[f[2], f[3], f[9]], [f[4], f[5], f[10]], f[11:14]]
    return np.array([f[0], f[1], f[8]]), np.array(jacobian), float(f[7])


def slopes_of_two(p: Any, q: Any, s: Any, t: Any, y: Any) -> tuple[Any, Any, float]:
    """d(x, r, x, r, w, w)/dt of two cells in series, the 6 x 6 Jacobian (1/s), and the current (A)."""
    at, w = SERIES_IN_TIME, jit.vector([0.0] * SERIES_IN_TIME.WORK_SIZE)
    for k in range(6):
        w[at.Y + k] = float(y[k])
    at.series_slopes(p, q, s, t, w)
    jacobian = np.zeros((6, 6))
    jacobian[:4, :4] = np.array([float(w[at.J + k]) for k in range(16)]).reshape(4, 4)
    jacobian[4:, :4] = np.array([float(w[at.W_J + k]) for k in range(8)]).reshape(2, 4)
    for k in range(4):
        jacobian[k, 4 + k // 2] = w[at.J_W + k]
    for k in range(2):
        jacobian[4 + k, 4 + k] = w[at.W_W + k]
    return np.array([float(w[at.F + k]) for k in range(6)]), jacobian, float(w[SERIES.AMPS])


def there_and_back(top: float, step: float) -> list[float]:
    up = [top * k / round(abs(top) / step) for k in range(round(abs(top) / step) + 1)]
    return up + up[-2::-1]


def sweep(cell: Any, voltages: list[float], compliance: float, dwell: float) -> list[Response]:
    return [cell.advance(Drive(v, compliance), dwell) for v in voltages]


def jump(voltages: list[float], responses: list[Response], sign: int) -> float:
    """The voltage (V) after the largest step up (sign 1) or down (-1) of log |I|; currents below 0.1 pA count as that."""
    logs = np.log10(np.maximum(np.abs([r.current for r in responses]), 1e-13))
    steps = sign * np.diff(logs)
    assert steps.max() > 0.7, "no jump"
    return voltages[int(steps.argmax()) + 1]


def thresholds(cell: Any, compliance: float) -> tuple[float, float, float]:
    """V_th, V_hold (V) and the greatest current (A) of a 0 -> 1 -> 0 V sweep at 10 mV / 10 ms."""
    v = there_and_back(1.0, 0.01)
    out = sweep(cell, v, compliance, 0.01)
    half = len(v) // 2
    return jump(v[:half], out[:half], 1), jump(v[half:], out[half:], -1), max(r.current for r in out)


def ramp_until_compliance(cell: Any, compliance: float, top: float = 7.0) -> float:
    """Ramp at 1 V/s and return the voltage (V) at which the source reaches its compliance."""
    for k in range(round(top / 0.01)):
        if cell.advance(Drive(0.01 * k, compliance), 0.01).in_compliance:
            return 0.01 * k
    raise AssertionError(f"no forming up to {top} V")
