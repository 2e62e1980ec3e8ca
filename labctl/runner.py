"""Runs a recipe: blocks to the store and to listeners, a stop obeyed, outputs off whatever happens, a true end state."""

from __future__ import annotations

import math
import re
import traceback
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from labctl import cards, provenance
from labctl.contracts import Block
from labctl.errors import LabctlError, UsageError
from labctl.procedure import Procedure
from labctl.station import Station
from labctl.store import PlotSpec, RunHeader, RunWriter

State = Literal["finished", "aborted", "failed"]
#: Called with every block as it comes, provisional ones too; must not block for long.
Listener = Callable[[Block], None]


@dataclass(frozen=True)
class Result:
    """How a run ended. path: the HDF5 file; error: what made it fail, as one line; safe: the outputs are known to be off."""

    path: Path
    state: State
    reason: str = ""
    rows: int = 0
    safe: bool = True


def run(
    name: str,
    procedure: Procedure,
    station: Station,
    path: Path,
    *,
    seed: int | None = None,
    operator: str = "",
    notes: str = "",
    should_stop: Callable[[], bool] = lambda: False,
    listeners: Sequence[Listener] = (),
) -> Result:
    """Run `procedure` on `station` into the HDF5 file `path`; returns how it ended, and raises only if nothing could start.

    Parameters and limits are checked by the recipe and the instruments before anything is sent. The file is there whatever
    the end: "finished", "aborted" (should_stop or KeyboardInterrupt) or "failed" (any exception).
    """
    procedure.station = station
    procedure.should_stop = should_stop
    procedure.startup()  # parameters and limits: what is refused here leaves no file and has sent nothing
    about = header(name, procedure, station, seed=seed, operator=operator, notes=notes)
    writer = RunWriter.create(path, about, **_timing(station))
    station.record_to(writer)
    rows = 0

    def hand_on(block: Block) -> None:
        nonlocal rows
        writer.append(block)
        rows += 0 if block.provisional else len(block)
        for listener in listeners:
            listener(block)

    procedure.hand_on = hand_on  # type: ignore[method-assign]
    state, reason, trace = _execute(procedure, should_stop)
    safe, state, reason = _after(procedure, state, reason)
    station.record_to(_closed)
    final = writer.finish(state, reason=reason, traceback=trace, end_time=provenance.now())
    return Result(final, state, reason, rows, safe)


def _execute(procedure: Procedure, should_stop: Callable[[], bool]) -> tuple[State, str, str]:
    """Run the recipe and its shutdown; returns state, reason and traceback."""
    try:
        procedure.execute()
    except KeyboardInterrupt:
        return "aborted", "stopped at once by the user (Ctrl-C)", ""
    except LabctlError as error:
        return "failed", str(error), traceback.format_exc()
    except Exception as error:  # noqa: BLE001 - a recipe may raise anything; the run must still end in order
        return "failed", f"{type(error).__name__}: {error}", traceback.format_exc()
    finally:
        _shutdown(procedure)
    return ("aborted", "stopped by the user", "") if should_stop() else ("finished", "", "")


def _shutdown(procedure: Procedure) -> None:
    try:
        procedure.shutdown()
    except BaseException as error:  # noqa: BLE001 - also a second Ctrl-C, or a recipe's own shutdown that raises
        procedure.shutdown_error = error if isinstance(error, Exception) else LabctlError(f"interrupted: {error!r}")
        Procedure.shutdown(procedure)  # the base's part once more: outputs off


def _after(procedure: Procedure, state: State, reason: str) -> tuple[bool, State, str]:
    error = procedure.shutdown_error
    if error is None:
        return True, state, reason
    warning = f"outputs may still be on: {error}"
    return False, "failed", f"{reason}; {warning}" if reason else warning


class _Closed:
    """The recorder of a station whose run is over: stimuli after the end are a mistake, not something to lose quietly."""

    def stimulus(self, kind: str, details: object) -> int:
        raise UsageError(f"a {kind} was asked for after the run had ended: give the station a recorder first")

    def outcome(self, note: int, outcome: str, details: object = None) -> None:
        """Nothing to close."""

    def event(self, kind: str, details: object) -> None:
        """Nothing to note it in."""


_closed = _Closed()


# -- header and file name ---------------------------------------------------------------------------------------------
def header(
    name: str, procedure: Procedure, station: Station, *, seed: int | None, operator: str = "", notes: str = ""
) -> RunHeader:
    """Everything known about the run before its first row."""
    simulate = station.config.simulate
    return RunHeader(
        procedure=name,
        columns=procedure.columns,
        plot=plot_spec(procedure),
        start_time=provenance.now(),
        uuid=str(uuid.uuid4()),
        title=f"{name} on {station.sample or station.config.name}",
        parameters=parameters(procedure),
        sample=station.sample,
        operator=operator or station.config.operator,
        station=station.config.name,
        instruments=instruments(station),
        limits=[asdict(limit) for limit in station.source_meter.limits.items],
        seed=seed,
        simulated=simulate is not None,
        device=simulate.device if simulate else "",
        software=provenance.software(),
        git=provenance.git(),
        command=provenance.command(),
        notes=notes,
    )


def instruments(station: Station) -> dict[str, dict[str, object]]:
    """Identity and settings of every instrument; of a simulated cell its card, whose values may change between versions."""
    found: dict[str, dict[str, object]] = {
        key: {"identity": dict(meter.identity()), "settings": dict(meter.settings())}
        for key, meter in station.instruments.items()
    }
    simulate = station.config.simulate
    if simulate is not None:
        card = cards.read(simulate.device)
        who = {"device": card.name, "model": card.model, "title": card.title}
        values = {name: f"{item.value!r} {item.unit}".strip() for name, item in card.fields.items()}
        found["simulated_cell"] = {"identity": who, "settings": values}
        found["simulated_instrument"] = {"identity": {"name": simulate.instrument}, "settings": dict(simulate.settings)}
    return found


def _timing(station: Station) -> dict[str, Any]:
    """On a simulated bench notes carry simulated time, the same in every run, and the disk is not synchronised by it."""
    if station.bench is None:
        return {}
    start = station.clock.now()
    return {"clock": lambda: station.clock.now() - start, "sync_interval": math.inf}


def parameters(procedure: Procedure) -> dict[str, dict[str, object]]:
    """Every parameter with its value and unit ("" for none)."""
    return {
        name: {"value": getattr(procedure, name), "unit": getattr(item, "units", None) or ""}
        for name, item in procedure.declared().items()
    }


def plot_spec(procedure: Procedure) -> PlotSpec:
    """What a viewer draws unasked; by default the last column against the first."""
    if procedure.plot is None:
        return PlotSpec(procedure.columns[-1].name, (procedure.columns[0].name,))
    return PlotSpec(procedure.plot.y, (procedure.plot.x,), log=procedure.plot.log)


def run_path(folder: Path | str, name: str, what: str) -> Path:
    """A new file name in `folder`: ``2026-11-24T08-06-31_iv-sweep_W12-D3-4-C5.h5``, numbered if it is taken."""
    stamp = datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
    stem = f"{stamp}_{name}_{re.sub(r'[^A-Za-z0-9.]+', '-', what).strip('-')}".rstrip("_")
    folder = Path(folder)
    path = folder / f"{stem}.h5"
    number = 2
    while path.exists() or path.with_suffix(".jrn").exists():
        path = folder / f"{stem}.{number}.h5"
        number += 1
    return path
