"""Measures what Kim et al., Adv. Intell. Syst. 2022, 2200110 measured, with our recipes, driver and simulated 4200.

Every number comes out of runs of ``forming`` and ``iv-sweep``; nothing here reads a card. Run as a program it prints a table:
``python tests/paper_rows.py``.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from labctl import plugins
from labctl.analysis import switching
from labctl.contracts import Status
from labctl.procedure import Procedure
from labctl.station import Station, simulated

Table = dict[str, np.ndarray]


def measure(station: Station, recipe: str, **settings: Any) -> Table:
    """Run a recipe on an opened station and return its table (final rows only)."""
    procedure = plugins.load("procedures", recipe, Procedure)(**settings)  # type: ignore[type-abstract]
    procedure.station, procedure.should_stop = station, lambda: False
    kept: list[Any] = []
    procedure.hand_on = lambda block: None if block.provisional else kept.append(block)  # type: ignore[method-assign]
    procedure.startup()
    procedure.execute()
    return {name: np.concatenate([block[name] for block in kept]) for name in kept[0].columns}


@contextmanager
def formed(device: str, seed: int, **forming: Any) -> Iterator[Station]:
    """A pristine simulated cell, electroformed through the instrument as on the bench."""
    with Station(simulated(device), seed=seed) as station:
        table = measure(station, "forming", **{"integration": "fast", "compliance": 1e-6, "v_max": 8, **forming})
        assert switching.threshold_voltage(table["level"], table["current"]) is not None, (
            f"{device} {seed} did not form"
        )
        yield station


def forming_voltage(device: str, seed: int, **forming: Any) -> float:
    """V; the programmed voltage of the forming jump."""
    with Station(simulated(device), seed=seed) as station:
        table = measure(station, "forming", **{"integration": "fast", "compliance": 1e-6, "v_max": 8, **forming})
    found = switching.threshold_voltage(table["level"], table["current"])
    return found.value if found else float("nan")


def loops(station: Station, cycles: int, **settings: Any) -> list[Table]:
    """Positive half loops 0 -> v_max -> 0."""
    return switching.by_cycle(measure(station, "iv-sweep", cycles=cycles, **{"integration": "fast", **settings}), 1)


def threshold(loop: Table) -> float:
    """V_th of one loop in V, NaN where it did not switch on."""
    found = switching.threshold_voltage(loop["level"], loop["current"])
    return found.value if found else float("nan")


def hold(loop: Table) -> float:
    """V_hold of one loop in V, NaN where it did not switch off."""
    found = switching.hold_voltage(loop["level"], loop["voltage"], loop["current"])
    return found.value if found else float("nan")


def is_volatile(device: str, compliance: float, seed: int) -> bool:
    """Whether the cell is off again after each of three loops: it switches on anew in every one."""
    with formed(device, seed, compliance=compliance) as station:
        runs = loops(station, 3, compliance=compliance)
    return all(np.isfinite(threshold(loop)) for loop in runs[1:])


def on_current(device: str, compliance: float, seed: int, cycles: int = 5) -> np.ndarray:
    """Greatest current of every loop, A."""
    with formed(device, seed, compliance=1e-6) as station:
        return np.array([loop["current"].max() for loop in loops(station, cycles, compliance=compliance)])


def on_off(loop: Table) -> float:
    """Greatest current over the current just below V_th."""
    found = switching.threshold_voltage(loop["level"], loop["current"])
    assert found is not None
    return float(loop["current"].max() / loop["current"][found.rows[0]])


def on_off_ratio(device: str, seed: int) -> float:
    """Geometric mean of the same over five loops, each after a negative half loop (a nonvolatile cell is on after forming)."""
    settings = {"v_min": -1.0, "first": "negative", "compliance": 1e-4, "reset_compliance": 1e-2}
    with formed(device, seed) as station:
        found = [on_off(loop) for loop in loops(station, 5, **settings) if np.isfinite(threshold(loop))]
    return float(np.exp(np.mean(np.log(found))))


def fowler_nordheim(loop: Table) -> tuple[float, float]:
    """Slope (V) and R squared of ln(I/V^2) against 1/V on the returning branch below compliance."""
    peak = int(np.argmax(np.abs(loop["level"])))
    back = np.arange(peak, len(loop["level"]))
    free = (loop["status"][back] & int(Status.COMPLIANCE)) == 0
    v_hold = hold(loop)
    # from clear of the rupture down to where the junction tunnels directly (voltage below about half the barrier)
    least = max(v_hold + 0.03 if np.isfinite(v_hold) else 0.0, 0.25)
    rows = back[free & (loop["voltage"][back] >= least)]
    x, y = 1 / loop["voltage"][rows], np.log(loop["current"][rows] / loop["voltage"][rows] ** 2)
    slope, offset = np.polyfit(x, y, 1)
    rest = y - slope * x - offset
    return float(slope), float(1 - rest.var() / y.var())


# -- the rows "Volatility and I-V" ---------------------------------------------------------------------------------
COMPLIANCES = (1e-6, 1e-5, 1e-4)
VERTICAL = ("device-1", "device-2", "device-3", "device-4")


def volatility_table(seed: int) -> dict[str, list[bool]]:
    """For every vertical device, whether it is volatile at 1e-6, 1e-5 and 1e-4 A."""
    return {device: [is_volatile(device, compliance, seed) for compliance in COMPLIANCES] for device in VERTICAL}


def report(seed: int = 1) -> Iterator[str]:
    """The table, one line a row."""
    for device in VERTICAL:
        yield f"forming      {device}  {forming_voltage(device, seed):.2f} V"
    for device, row in volatility_table(seed).items():
        yield f"volatile     {device}  {row} at {COMPLIANCES} A"
    for device in VERTICAL[:2]:
        holds = []
        for compliance in COMPLIANCES:
            with formed(device, seed, compliance=compliance) as station:
                holds.append(float(np.nanmean([hold(loop) for loop in loops(station, 10, compliance=compliance)])))
        yield f"vhold-cc     {device}  {[round(v, 3) for v in holds]} V"
    for device, paper in (("device-1", 3e-5), ("device-2", 8e-5)):
        top = on_current(device, 1e-4, seed)
        yield f"self-cc      {device}  {top.mean():.3g} A +- {top.std():.1g}, paper {paper:g}, {top.mean() / paper - 1:+.1%}"
    for device in VERTICAL[:3]:
        with formed(device, seed) as station:
            runs = loops(station, 50, compliance=1e-6)
        v_th, v_hold = np.array([threshold(r) for r in runs]), np.array([hold(r) for r in runs])
        spread = (
            f"{np.nanmean(v_th):.3f} +- {np.nanstd(v_th):.3f} V, {np.nanmean(v_hold):.3f} +- {np.nanstd(v_hold):.3f} V"
        )
        yield f"vth, vhold   {device}  {spread}"
    for device in VERTICAL:
        yield f"onoff-size   {device}  {on_off_ratio(device, seed):.2g}"
    for device in VERTICAL[:3]:
        with formed(device, seed) as station:
            slope, r_squared = fowler_nordheim(loops(station, 1, compliance=1e-6, step=0.005)[0])
        yield f"fn-vertical  {device}  slope {slope:.2f} V, R2 {r_squared:.3f}"


# -- the rows "Lateral devices and conduction" ------------------------------------------------------------------------
LATERAL = {"l-device-1": 100.0, "l-device-2": 80.0, "l-device-3": 20.0, "l-device-4": 4.0}  # peak of the I-V sweep, V


def lateral(device: str, seed: int) -> list[Table]:
    """Three loops at 1e-6 A of a lateral device after a forming ramp to 200 V (l-device-1 does not form)."""
    peak = LATERAL[device]
    with Station(simulated(device), seed=seed) as station:
        measure(station, "forming", v_max=200, step=0.5, compliance=1e-6, integration="fast", v_read=0)
        return loops(station, 3, v_max=peak, step=peak / 200, compliance=1e-6)


# -- the quasi-static rows of "The 1S-1R synapse" ---------------------------------------------------------------------
SYNAPSE = {
    "integration": "fast",
    "delay": 0.006,
    "step": 0.02,
    "compliance": 1e-5,
    "reset_compliance": 0.05,
}  # 20 ms/point


@contextmanager
def synapse(seed: int, device: str = "synapse") -> Iterator[Station]:
    """A formed stack."""
    with Station(simulated(device), seed=seed) as station:
        measure(station, "forming", integration="fast", compliance=1e-5, v_max=12, v_read=0)
        yield station


def cycles_of(station: Station, cycles: int) -> tuple[list[Table], list[Table]]:
    """Set half loops 0 -> 2.5 -> 0 V and reset half loops 0 -> -3 -> 0 V."""
    table = measure(station, "iv-sweep", cycles=cycles, v_max=2.5, v_min=-3, **SYNAPSE)
    return switching.by_cycle(table, 1), switching.by_cycle(table, -1)


def largest_step(loop: Table, least: float, up: bool) -> float:
    """Level of the largest step of ln|I| beyond |level| = least on the way out: past the selector's own switching."""
    peak = int(np.argmax(np.abs(loop["level"])))
    rows = np.arange(peak + 1)
    rows = rows[np.abs(loop["level"][rows]) > least]
    steps = np.diff(np.log(np.maximum(np.abs(loop["current"][rows]), switching.FLOOR)))
    return float(loop["level"][rows[int(np.argmax(steps if up else -steps)) + 1]])


def current_at(loop: Table, voltage: float, rising: bool = True) -> float:
    """|I| in A at the level nearest to `voltage` on the way out, or on the way back."""
    peak = int(np.argmax(np.abs(loop["level"])))
    rows = np.arange(peak + 1) if rising else np.arange(peak, len(loop["level"]))
    return float(abs(loop["current"][rows[np.argmin(np.abs(loop["level"][rows] - voltage))]]))


def switching_voltages(seed: int, cycles: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """V_set and V_reset of every cycle, V."""
    with synapse(seed) as station:
        up, down = cycles_of(station, cycles)
    v_set = np.array([largest_step(loop, 0.62, True) for loop in up])
    return v_set, np.array([largest_step(loop, 0.54, False) for loop in down])


def synapse_reads(seed: int) -> dict[str, float]:
    """LRS and HRS at 0.7 V, on/off and selectivity, from read sweeps to 0.7 V after a set and after a reset."""
    read = {**SYNAPSE, "v_max": 0.7, "step": 0.01}
    with synapse(seed) as station:
        measure(station, "iv-sweep", v_max=2.5, v_min=-3, **SYNAPSE)
        hrs = loops(station, 1, **read)[0]
        measure(station, "iv-sweep", v_max=2.5, **SYNAPSE)
        lrs = loops(station, 1, **read)[0]
    on, off, half = current_at(lrs, 0.7), current_at(hrs, 0.7), current_at(lrs, 0.35)
    return {"LRS": on, "HRS": off, "on/off": on / off, "selectivity": on / half}


def memory_lrs(seed: int) -> float:
    """LRS current of the memory alone at 0.7 V, compliance 1e-3 A."""
    with synapse(seed, "memory") as station:
        loop = loops(station, 1, v_max=2.5, **{**SYNAPSE, "compliance": 1e-3})[0]
    return current_at(loop, 0.7, rising=False)


def report_rest(seed: int) -> Iterator[str]:
    """The lateral rows and those of the synapse."""
    for device in LATERAL:
        runs = lateral(device, seed)
        v_th = threshold(runs[-1])
        if not np.isfinite(v_th):
            yield f"lateral      {device}  no switching, {max(loop['current'].max() for loop in runs):.2g} A at most"
            continue
        slope, r_squared = fowler_nordheim(runs[-1])
        top = runs[-1]["current"].max()
        facts = f"V_th {v_th:.1f} V, V_hold {hold(runs[-1]):.1f} V, slope {slope:.1f} V, R2 {r_squared:.4f}"
        yield f"lateral      {device}  {facts}, {top:.2g} A at most"
    yield f"mem-lrs      {memory_lrs(seed):.2e} A, paper 1e-3"
    yield f"synapse      { ({k: float(f'{v:.3g}') for k, v in synapse_reads(seed).items()}) }, paper 1e-5, -, 1e4, 1e5"
    v_set, v_reset = switching_voltages(seed)
    yield f"syn-set-cv   {v_set.std(ddof=1) / v_set.mean():.3f}, paper 0.26 (mean {v_set.mean():.2f} V)"
    yield f"syn-reset-cv {v_reset.std(ddof=1) / abs(v_reset.mean()):.3f}, paper 0.35 (mean {v_reset.mean():.2f} V)"


if __name__ == "__main__":
    import sys

    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    for line in (*report(number), *report_rest(number)):
        sys.stdout.write(line + "\n")
