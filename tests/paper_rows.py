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
    return switching.by_cycle(measure(station, "iv-sweep", cycles=cycles, integration="fast", **settings), 1)


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
    """The same of a formed cell that was reset by a negative half loop first (a nonvolatile one is on after forming)."""
    settings = {"v_min": -1.0, "first": "negative", "compliance": 1e-4, "reset_compliance": 1e-2}
    with formed(device, seed) as station:
        return on_off(loops(station, 1, **settings)[0])


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


if __name__ == "__main__":
    import sys

    for line in report(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        sys.stdout.write(line + "\n")
