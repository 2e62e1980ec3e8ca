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

from labctl import provenance
from labctl.contracts import Block
from labctl.errors import LabctlError, UsageError
from labctl.procedure import Procedure
from labctl.station import Station
from labctl.store import PlotSpec, RunHeader, RunWriter, StoreError

State = Literal[
    "finished", "aborted", "failed"
]  # how a run can be closed; a run read back may also be "died" or "running"
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
    unique: bool = True,
    should_stop: Callable[[], bool] = lambda: False,
    listeners: Sequence[Listener] = (),
) -> Result:
    """Run `procedure` on `station` into the HDF5 file `path`; returns how it ended.

    Parameters and limits are checked before anything is sent; what is refused then raises and leaves no file. After that
    the file is there whatever the end: "finished", "aborted" (should_stop or KeyboardInterrupt) or "failed" (any
    exception); other ways out (SystemExit) close it as "aborted" and pass on. unique: add a number where `path` is taken,
    instead of refusing.
    Raises StoreError if the file can't be made or completed; the journal beside it then holds the run.
    """
    procedure.station, procedure.should_stop, procedure.shutdown_error = station, should_stop, None
    asked_before = [(part, part.should_stop) for part in station.parts]
    try:
        procedure.startup()
        about = header(name, procedure, station, seed=seed, operator=operator, notes=notes)
        writer = RunWriter.create(path, about, unique=unique, **_timing(station))
        return _recorded(procedure, station, writer, should_stop, listeners)
    finally:
        for part, asked in asked_before:
            part.should_stop = asked
        procedure.__dict__.pop("hand_on", None)


def _recorded(
    procedure: Procedure,
    station: Station,
    writer: RunWriter,
    should_stop: Callable[[], bool],
    listeners: Sequence[Listener],
) -> Result:
    end = _End("aborted", "ended by SystemExit or the like")
    try:
        station.record_to(writer)
        procedure.hand_on = _Hand(writer, listeners)  # type: ignore[method-assign]
        end = _execute(procedure, should_stop)
    finally:
        error = _make_safe(procedure, station)
        station.record_to(_closed)
        try:
            end = end.unsafe(error) if error else end
            path = writer.finish(end.state, reason=end.reason, traceback=end.trace, end_time=provenance.now())
        except StoreError as unpacked:
            unpacked.add_note(f"the run itself ended after {writer.rows} rows: {end.state} {end.reason}".rstrip())
            raise
        finally:
            writer.close()
    return Result(path, end.state, end.reason, writer.rows, error is None)


@dataclass(frozen=True)
class _End:
    state: State
    reason: str = ""
    trace: str = ""

    def unsafe(self, error: BaseException) -> _End:
        warning = f"outputs may still be on: {str(error) or repr(error)}"
        return _End("failed", f"{self.reason}; {warning}" if self.reason else warning, self.trace)


class _Hand:
    """Hands a block to the store, then to the listeners; a listener that fails is left out from then on."""

    def __init__(self, writer: RunWriter, listeners: Sequence[Listener]) -> None:
        self.writer = writer
        self.listeners = list(listeners)

    def __call__(self, block: Block) -> None:
        self.writer.append(block)
        for listener in tuple(self.listeners):
            try:
                listener(block)
            except Exception as error:  # noqa: BLE001 - a progress bar or plot must not end a measurement
                self.listeners.remove(listener)
                self.writer.event("listener failed", {"listener": repr(listener), "error": repr(error)})


def _execute(procedure: Procedure, should_stop: Callable[[], bool]) -> _End:
    """Run the recipe; returns how it ended."""
    try:
        procedure.execute()
    except KeyboardInterrupt:
        return _End("aborted", "stopped at once by the user (Ctrl-C)")
    except LabctlError as error:
        return _End("failed", str(error), traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - a recipe may raise anything; the run must still end in order
        return _End("failed", f"{type(error).__name__}: {error}", traceback.format_exc())
    return _End("aborted", "stopped by the user") if should_stop() else _End("finished")


def _make_safe(procedure: Procedure, station: Station) -> BaseException | None:
    """Run the recipe's own shutdown, then switch the outputs off whatever that did; returns why they may still be on."""
    error = _tried(procedure.shutdown)
    for _ in range(3):  # a further Ctrl-C is no reason to leave them on
        error = _tried(station.make_safe)
        if not isinstance(error, KeyboardInterrupt):
            break
    return error


def _tried(action: Callable[[], None]) -> BaseException | None:
    try:
        action()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - reported by the caller
        return error
    return None


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
        limits=[asdict(limit) for limit in dict.fromkeys(x for part in station.parts for x in part.limits.items)],
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
    simulate, card = station.config.simulate, station.card
    if simulate is not None and card is not None:
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
        first, *others = procedure.columns
        return PlotSpec(others[-1].name, (first.name,)) if others else PlotSpec(first.name)
    plot = procedure.plot
    return PlotSpec(plot.y, (plot.x,), log=plot.log, log_x=plot.log_x, each=plot.each, names=plot.names, only=plot.only)


def run_path(folder: Path | str, name: str, what: str) -> Path:
    """A file name in `folder`: ``2026-11-24T08-06-31_iv-sweep_W12-D3-4-C5.h5``; the store numbers it if it is taken."""
    stamp = datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
    words = re.sub(r"[^A-Za-z0-9.]+", "-", what).strip("-")[:80]
    stem = f"{stamp}_{name}_{words}".rstrip("_")[:200]
    return Path(folder) / f"{stem}.h5"
