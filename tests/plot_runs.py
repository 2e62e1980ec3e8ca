"""Made-up runs for tests of pictures: tables as the recipes write them, with numbers known in advance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl import plugins
from labctl.contracts import Status
from labctl.procedure import Procedure
from labctl.quantities import Column
from labctl.store import Ending, Run, RunHeader
from labctl.store.header import PlotSpec

COMPLIANCE = 1e-6
V_TH, V_HOLD = 0.5, 0.3


def run(procedure: str, table: dict[str, NDArray[Any]], state: str = "finished", **about: Any) -> Run:
    """A run of a recipe with `table`; columns the table lacks are zeros."""
    kind = plugins.load("procedures", procedure, Procedure)  # type: ignore[type-abstract]
    count = len(next(iter(table.values()), ()))
    columns = {c.name: np.asarray(table.get(c.name, np.zeros(count)), dtype=c.dtype) for c in kind.columns}
    plot = kind.plot
    assert plot is not None
    spec = PlotSpec(plot.y, (plot.x,), log=plot.log, log_x=plot.log_x, each=plot.each, names=plot.names, only=plot.only)
    return plain(columns, kind.columns, spec, state, procedure=procedure, **about)


def plain(
    columns: dict[str, NDArray[Any]],
    declared: tuple[Column, ...],
    spec: PlotSpec,
    state: str = "finished",
    **about: Any,
) -> Run:
    """A run of any columns."""
    said = {
        "procedure": "made-up",
        "sample": "W1/D2/C3",
        "start_time": "2026-11-24T10:00:00+01:00",
        "uuid": "u-1",
        **about,
    }
    header = RunHeader(columns=declared, plot=spec, **said)
    return Run(header, columns, [], [], Ending(state, "", "", "2026-11-24T11:00:00+01:00", 1.0, 0, 0))  # type: ignore[arg-type]


def half_loop(peak: float, step: float = 0.02) -> NDArray[np.float64]:
    """Levels 0 -> peak -> 0, V."""
    up = np.arange(round(abs(peak) / step) + 1) * step * np.sign(peak)
    return np.concatenate([up, up[-2::-1]])


def threshold_loop(v_th: float = V_TH, v_hold: float = V_HOLD) -> dict[str, NDArray[Any]]:
    """One positive loop of a volatile cell: 1e-10 A/V off, 1e-5 A/V on, limited to 1 uA."""
    level = half_loop(1.0)
    away = np.arange(level.size) <= level.size // 2
    on = np.where(away, level >= v_th, level >= v_hold)
    current = np.where(on, 1e-5, 1e-10) * level
    limited = current > COMPLIANCE
    return {
        "level": level,
        "voltage": np.where(limited, COMPLIANCE / 1e-5, level),
        "current": np.minimum(current, COMPLIANCE),
        "status": np.where(limited, int(Status.COMPLIANCE), 0),
    }


def iv(cycles: int, seed: int = 1, **about: Any) -> Run:
    """Loops whose threshold differs from cycle to cycle."""
    rng = np.random.default_rng(seed)
    parts = [threshold_loop(0.02 * round((V_TH + 0.04 * rng.standard_normal()) / 0.02)) for _ in range(cycles)]
    rows = len(parts[0]["level"])
    table = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    table |= {"cycle": np.repeat(np.arange(1, cycles + 1), rows), "segment": np.ones(rows * cycles)}
    return run("iv-sweep", table, **about)


def staircase(cycles: int, pulses: int = 10) -> Run:
    """Potentiation in steps of 1 uS from 1 uS, depression back, 0.1 uS higher each cycle; a pulse row before each read."""
    rows: list[tuple[float, ...]] = [(0, 1, 0, 0, 1e-6)]
    for cycle in range(1, cycles + 1):
        for sign in (1, -1):
            for pulse in range(1, pulses + 1):
                step = pulse if sign > 0 else pulses - pulse
                rows.append((1, cycle, sign, pulse, np.nan))
                rows.append((0, cycle, sign, pulse, (1 + step + 0.1 * (cycle - 1)) * 1e-6))
    table = dict(zip(("kind", "cycle", "segment", "pulse", "conductance"), np.array(rows).T, strict=True))
    return run("potentiation-depression", table)


def kept(exponent: float = 0.05, reads: int = 31, last: float = 1e4) -> Run:
    """Both states, the on state falling as t to minus `exponent`."""
    age = np.geomspace(1.0, last, reads)
    table = {
        "age": np.tile(age, 2),
        "state": np.repeat([0, 1], reads),
        "segment": np.ones(2 * reads),
        "conductance": np.concatenate([np.full(reads, 1e-9), 1e-5 * age**-exponent]),
    }
    return run("retention", table)


def cycled(cycles: int, every: int, dead_from: int) -> Run:
    """An endurance run looked at every so many cycles, whose window is gone from one cycle on."""
    checks = np.arange(every, cycles + 1, every)
    dead = checks >= dead_from
    table = {
        "cycle": np.repeat(checks, 2),
        "segment": np.tile([1, -1], checks.size),
        "conductance": np.stack([np.full(checks.size, 1e-4), np.where(dead, 9e-5, 1e-7)], axis=1).ravel(),
        "verdict": np.stack([np.zeros(checks.size), np.where(dead, 3, 1)], axis=1).ravel(),
    }
    return run("endurance", table)


def pulse(half: float = 20e-6, samples: int = 1000) -> Run:
    """One captured pulse whose current steps up after `half` seconds; a read before and after."""
    time = np.linspace(-1e-6, 100e-6, samples)
    current = np.where(time > half, 2e-4, 1e-6)
    ends = np.array([np.nan])
    table = {
        "kind": np.concatenate([[0], np.full(samples, 3), [0]]),
        "applied": np.concatenate([[0], np.ones(samples + 1)]),
        "amplitude": np.concatenate([[0], np.full(samples + 1, 2.0)]),
        "voltage": np.concatenate([[0.1], np.where(time > 0, 2.0, 0.0), [0.1]]),
        "current": np.concatenate([[1e-9], current, [1e-6]]),
        "pulse_time": np.concatenate([ends, time, ends]),
        "part": np.concatenate([[0], time > 1e-6, [0]]),
    }
    return run("switching-time", table)


def tunnelling(slope: float = -3.0, cycles: int = 3) -> Run:
    """Loops that come back along Fowler and Nordheim's law with a slope (V), a little stronger each cycle."""
    level = half_loop(2.0, 0.05)
    law = np.zeros(level.size)
    law[level > 0] = level[level > 0] ** 2 * np.exp(slope / level[level > 0])
    back = np.arange(level.size) > level.size // 2
    table = {
        "level": np.tile(level, cycles),
        "voltage": np.tile(level, cycles),
        "current": np.concatenate([np.where(back, 1e-6 * (1 + 0.1 * n) * law, 1e-12 * level) for n in range(cycles)]),
        "cycle": np.repeat(np.arange(1, cycles + 1), level.size),
        "segment": np.ones(level.size * cycles),
    }
    return run("iv-sweep", table)
