"""Runs a recipe: blocks to the store and to listeners, a stop obeyed, outputs off whatever happens, a true end state."""

from __future__ import annotations

import math
import re
import traceback
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

from labctl import ledger, plugins, provenance, resume, run_logs
from labctl.contracts import Block, Recorder, Request
from labctl.errors import LabctlError, UsageError
from labctl.logs import RunLogs
from labctl.procedure import Procedure
from labctl.station import Station, ledger_file
from labctl.store import PlotSpec, Run, RunHeader, RunWriter, StoreError
from labctl.store.header import LOGS

State = Literal[
    "finished", "aborted", "failed"
]  # how a run can be closed; a run read back may also be "died" or "running"
#: Called with every block as it comes, provisional ones too; must not block for long. Blocks of the run that is continued,
#: which come from its record at once, go to its method `recalled`, if it has one.
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
    earlier: Run | None = None,
    logs: bool = True,
    touchdown: bool = False,
    override_rules: str = "",
) -> Result:
    """Run `procedure` on `station` into the HDF5 file `path`; returns how it ended.

    Parameters and limits are checked before anything is sent; what is refused then raises and leaves no file. After that
    the file is there whatever the end: "finished", "aborted" (should_stop or KeyboardInterrupt) or "failed" (any
    exception); other ways out (SystemExit) close it as "aborted" and pass on. unique: add a number where `path` is taken,
    instead of refusing. earlier: the run to continue (labctl.resume says how), whose procedure and parameters these are: its
    rows and notes are taken over into the new file, and nothing it noted is sent again. logs: keep a log in words and one of
    every message beside the run file; trouble with them becomes an event "log failed" and ends no run. The run of a named
    sample is entered in the ledger, and the station's rules on its cell hold, or LimitError; touchdown: the probes were set
    down for it; override_rules: a reason to go on without the rules, kept with the run.
    Raises StoreError if the file can't be made or completed; the journal beside it then holds the run.
    """
    procedure.station, procedure.should_stop, procedure.shutdown_error = station, should_stop, None
    asked_before = [(part, part.should_stop) for part in station.parts]
    try:
        procedure.startup()
        about = header(name, procedure, station, seed=seed, operator=operator, notes=notes)
        if earlier is not None:
            about = resume.continued(about, earlier)
            resume.check_cell(station)
            resume.check_first(earlier, path)
        station.prepared = None  # from here on a simulated cell has a history
        about = replace(about, logs=LOGS if logs else {})
        with ledger.enter(
            ledger_file(station.config, path, station.rules), station.rules, about, path,
            plan=procedure.plan(), worst=procedure.requests(), touchdown=touchdown, override=override_rules,
            also=plugins.names_of("procedures", type(procedure)),
        ) as entry:  # fmt: skip
            writer = RunWriter.create(path, about, unique=unique, **_timing(station, earlier))
            before = _Before(earlier, station) if earlier is not None else None
            with run_logs.kept(writer, station, before.passed() if before is not None else 0.0) as told:
                result = _recorded(procedure, station, writer, told, entry, should_stop, listeners, before)
            entry.ended(result.path)
            return result
    except ledger.ContinuedAlready as known:  # by a run whose file lies somewhere else
        raise resume.ResumeError(str(known)) from None
    finally:
        for part, asked in asked_before:
            part.should_stop = asked
        procedure.__dict__.pop("hand_on", None)


def _recorded(
    procedure: Procedure,
    station: Station,
    writer: RunWriter,
    logs: RunLogs,
    entry: ledger.Entry,
    should_stop: Callable[[], bool],
    listeners: Sequence[Listener],
    before: _Before | None,
) -> Result:
    end, time_of_day = _End("aborted", "ended by SystemExit or the like"), provenance.after(writer.header.start_time)
    recall = None
    try:
        station.record_to(recorder := entry.begin(writer.path, logs.recorder(writer)))
        if before is not None:
            recall = before.taken_over(writer, recorder, procedure.state_read())
        entry.say(recorder)
        procedure.hand_on = _Hand(writer, listeners, recall)  # type: ignore[method-assign]
        end = _execute(procedure, should_stop, recall)
    except KeyboardInterrupt as error:
        end = _interrupted(error)
    except Exception as error:
        end = _End("failed", f"{type(error).__name__}: {error}", traceback.format_exc())
        raise
    finally:
        if recall is not None:
            recall.detach()
        end, safe = _made_safe(end, procedure, station)
        station.record_to(_closed)
        try:
            logs.say(run_logs.end(end.state, end.reason, writer.rows, end.trace), "error" if end.trace else "info")
            path = writer.finish(end.state, reason=end.reason, traceback=end.trace, end_time=time_of_day())
        except StoreError as unpacked:
            unpacked.add_note(f"the run itself ended after {writer.rows} rows: {end.state} {end.reason}".rstrip())
            raise
        finally:
            writer.close()
    return Result(path, cast(State, writer.state), writer.reason, writer.rows, safe)  # as the file says


class _Before:
    """The run that is continued. passed: s since its start, on a simulated bench as far as its cell has lived again: 0."""

    def __init__(self, run: Run, station: Station) -> None:
        self.run, self.station, self.since = run, station, resume.since(run)

    def passed(self) -> float:
        """Seconds since its start."""
        return 0.0 if self.station.bench is not None else self.since()

    def taken_over(self, writer: RunWriter, recorder: Recorder, read: Request | None) -> resume.Recall:
        """Put its rows and notes into the new file, and what they answer in the instruments' place."""
        writer.adopt(self.run, self.passed())
        recall = resume.Recall(self.run, self.station, recorder, read, self.since)
        recall.attach()
        return recall


@dataclass(frozen=True)
class _End:
    state: State
    reason: str = ""
    trace: str = ""

    def after(self, error: BaseException) -> _End:
        """The same end after a shutdown of the recipe that raised; Ctrl-C during it changes nothing: the run was over."""
        if isinstance(error, KeyboardInterrupt):
            return self
        words = f"the procedure's shutdown failed: {type(error).__name__}: {error}"
        trace = "".join(traceback.format_exception(error))
        return _End("failed", f"{self.reason}; {words}" if self.reason else words, self.trace + trace)

    def unsafe(self, error: BaseException) -> _End:
        warning = f"outputs may still be on: {str(error) or repr(error)}"
        return _End("failed", f"{self.reason}; {warning}" if self.reason else warning, self.trace)


class _Hand:
    """Hands a block to the store, then to the listeners; a listener that fails is left out from then on.

    What is recalled from a run that is continued is in the store already.
    """

    def __init__(
        self,
        writer: RunWriter,
        listeners: Sequence[Listener],
        recall: resume.Recall | None = None,
    ) -> None:
        self.writer = writer
        self.recall = recall
        self.listeners = list(listeners)

    def __call__(self, block: Block) -> None:
        recalled = self.recall is not None and self.recall.has(block)
        if not recalled:
            self.writer.append(block)
        for listener in tuple(self.listeners):
            try:
                (getattr(listener, "recalled", listener) if recalled else listener)(block)
            except Exception as error:  # noqa: BLE001 - a progress bar or plot must not end a measurement
                self.listeners.remove(listener)
                self.writer.event("listener failed", {"listener": repr(listener), "error": repr(error)})


def _execute(procedure: Procedure, should_stop: Callable[[], bool], recall: resume.Recall | None) -> _End:
    """Run the recipe; returns how it ended. One that is continued must at least ask for all that was recorded."""
    try:
        procedure.execute()
    except KeyboardInterrupt as error:
        return _interrupted(error)
    except LabctlError as error:
        return _End("failed", str(error), traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - a recipe may raise anything; the run must still end in order
        return _End("failed", f"{type(error).__name__}: {error}", traceback.format_exc())
    if should_stop():
        return _End("aborted", f"stopped in order by {getattr(should_stop, 'who', '') or 'the program that ran it'}")
    if recall is not None and recall.recalling:
        return _End("failed", "the procedure asked for less than was recorded; was it changed since? Nothing was sent")
    return _End("finished")


def _interrupted(error: KeyboardInterrupt) -> _End:
    return _End("aborted", f"stopped at once by {error if error.args else 'the user (Ctrl-C)'}")


def _made_safe(end: _End, procedure: Procedure, station: Station) -> tuple[_End, bool]:
    """Run the recipe's shutdown, switch the outputs off; how the run ended after that, and whether they are surely off."""
    left, unsafe = _tried(procedure.shutdown), _make_safe(station)
    end = end.after(left) if left is not None else end
    return (end if unsafe is None else end.unsafe(unsafe)), unsafe is None


def _make_safe(station: Station) -> BaseException | None:
    """Switch the outputs off, whatever the recipe's own shutdown did; returns why they may still be on."""
    error = None
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
        setup=setup(station),
        holder=provenance.holder(),
    )


def setup(station: Station) -> dict[str, object]:
    """What rebuilds a simulated bench whose cell had no history before this run; else nothing."""
    if station.bench is None or station.prepared is None:
        return {}
    config = station.config.model_dump(mode="json")
    config["simulate"].pop(
        "faults", None
    )  # what was done to this run's line is not to be done to the one that goes on with it
    return {"config": config, "cell": station.prepared}


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
        faults = {"faults": simulate.faults} if simulate.faults else {}
        choices = {**simulate.settings, **faults}
        found["simulated_instrument"] = {"identity": {"name": simulate.instrument}, "settings": choices}
    return found


def _timing(station: Station, earlier: Run | None) -> dict[str, Any]:
    """On a simulated bench notes carry simulated time, the same in every run, and the disk is not synchronised by it."""
    if station.bench is None:  # nobody who shortens a mapped journal may end this process while outputs are on
        return {"mapped": False, "sync_interval": station.config.sync_interval}
    start, last = station.clock.now(), earlier.ending.duration if earlier else 0.0
    return {"clock": lambda: max(station.clock.now() - start, last), "sync_interval": math.inf}


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
