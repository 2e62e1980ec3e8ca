"""Short runs on simulated cells, with rules on them, and their ledger."""

from pathlib import Path
from typing import Any

from labctl import ledger, plugins, runner
from labctl.ledger import Ledger, RulesConfig
from labctl.procedure import Procedure
from labctl.station import SampleConfig, Station, StationConfig, simulated

IVSweep = plugins.load("procedures", "iv-sweep", Procedure)  # type: ignore[type-abstract]
Forming = plugins.load("procedures", "forming", Procedure)  # type: ignore[type-abstract]
Endurance = plugins.load("procedures", "endurance", Procedure)  # type: ignore[type-abstract]
Plasticity = plugins.load("procedures", "potentiation-depression", Procedure)  # type: ignore[type-abstract]
CELL = "W12/C1"


def config(device: str = "ohmic", **rules: Any) -> StationConfig:
    return simulated(device).model_copy(update={"samples": {"W12": SampleConfig(rules=RulesConfig(**rules))}})


def book(folder: Path) -> Ledger:
    return Ledger(folder / ledger.NAME, busy=0.05)


def loop(cycles: int = 1, **values: Any) -> Procedure:
    return IVSweep(v_max=1, v_min=-1, step=0.25, cycles=cycles, compliance=1e-5, v_read=0.25, **values)


def go(station: Station, folder: Path, procedure: Any = None, name: str = "iv-sweep", **options: Any) -> runner.Result:
    return runner.run(name, procedure or loop(), station, folder / "run.h5", **options)
