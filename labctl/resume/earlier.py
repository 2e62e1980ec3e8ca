"""Whether a run can be continued, and the header of the run that does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from labctl.contracts import READING_COLUMNS
from labctl.resume.record import ResumeError, answers, rows_due, unknown
from labctl.station import Station
from labctl.store import Run, RunHeader, StoreError, read, read_header

#: Settings of instruments that a run may go on without: they change nothing that the cell gets.
_FREE = {"read_twice", "faults"}


def check(earlier: Run) -> None:
    """Raise ResumeError unless `earlier` ended before its time, and its record is whole and can be gone through."""
    if earlier.state == "finished":
        raise ResumeError("the run has finished; there is nothing to continue")
    if earlier.state == "running":
        raise ResumeError("the run is still under way; end it first")
    if earlier.ending.lost_bytes:
        raise ResumeError(
            f"{earlier.ending.lost_bytes} bytes of this run's journal are lost, and nobody knows what was sent in them;"
            " it can't be continued (the damaged journal was kept as .jrn.damaged)"
        )
    names = {column.name for column in earlier.header.columns}
    if missing := [column.name for column in READING_COLUMNS if column.name not in names]:
        raise ResumeError(f"the run's table has no {', '.join(missing)} as instruments give it; it can't be continued")
    if not earlier.header.has_taken_over(len(earlier), len(earlier.stimuli), len(earlier.events)):
        first = earlier.header.resumes[-1]["uuid"]
        raise ResumeError(
            f"this run ended while it took over run {first}, of which it has a part only; continue that one"
        )
    try:
        for note in earlier.stimuli:
            rows_due(note)
        answers(earlier)
        unknown(earlier)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise ResumeError(f"the notes of this run can't be understood ({what}); it can't be continued") from None


def check_first(earlier: Run, path: Path) -> None:
    """Raise ResumeError if another run continues `earlier` already: what that one sent would be sent again.

    Looked at are the run files and journals beside `path`, where the new run goes, and beside `earlier`. One that has part of
    `earlier` only, and so nothing of its own, does not count; one of the same name but for a number that can't be read does.
    """
    for found in _beside(earlier, path):
        try:
            continues = any(item.get("uuid") == earlier.header.uuid for item in read_header(found).resumes)
            if continues and _has_gone_on(read(found)):
                raise ResumeError(f"{found} continues this run already; continue that one: labctl resume {found}")
        except StoreError as error:
            if found.name.startswith(path.stem):
                raise ResumeError(
                    f"{error}; it may continue this run: move it away if you know that it does not"
                ) from None


def _beside(earlier: Run, path: Path) -> Iterator[Path]:
    folders = {path.parent.resolve()} | ({earlier.path.parent.resolve()} if earlier.path is not None else set())
    for folder in sorted(folders):
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        yield from (file for file in files if file.suffix in (".h5", ".jrn") and file.is_file())


def _has_gone_on(run: Run) -> bool:
    return run.header.has_taken_over(len(run), len(run.stimuli), len(run.events))


def check_station(earlier: Run, name: str) -> None:
    """Raise ResumeError unless the station called `name` is the one of `earlier`."""
    if earlier.header.station != name:
        raise ResumeError(f"the run was one of station {earlier.header.station!r}, this is {name!r}; nothing was sent")


def check_cell(station: Station) -> None:
    """Raise ResumeError for a simulated cell that has a history: what is recorded would be applied to it once more."""
    if station.bench is not None and station.prepared is None:
        raise ResumeError("the simulated cell of this station has a history; open a new station to continue on")


def continued(header: RunHeader, earlier: Run) -> RunHeader:
    """The header of the run that continues `earlier`: its start, its set-up, and what is taken over.

    Raises ResumeError where it can't be continued: it is running, it finished, or another instrument answers now.
    """
    check(earlier)
    then = earlier.header
    check_station(earlier, header.station)
    for name, value in (("procedure", header.procedure), ("sample", header.sample)):
        if getattr(then, name) != value:
            raise ResumeError(f"the run was one of {name} {getattr(then, name)!r}, this is {value!r}; nothing was sent")
    if changed := [name for name, item in header.parameters.items() if then.parameters.get(name) != item]:
        raise ResumeError(f"the parameters {', '.join(changed)} are not those of the run; nothing was sent")
    for name, item in then.instruments.items():
        now = header.instruments.get(name, {})
        _same_instrument(name, item.get("identity", {}), now.get("identity", {}))
        _same_settings(name, item.get("settings", {}), now.get("settings", {}))
    last = max((note.id for note in earlier.stimuli), default=0)
    taken: dict[str, Any] = {"uuid": then.uuid, "rows": len(earlier), "stimuli": len(earlier.stimuli), "last": last}
    taken |= {"events": len(earlier.events), "time": earlier.ending.duration}
    return replace(header, start_time=then.start_time, resumes=(*then.resumes, taken), setup=then.setup, seed=then.seed)


def _same_instrument(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for key in ("manufacturer", "model", "serial"):
        if then.get(key) != now.get(key):
            raise ResumeError(f"{name} had {key} {then.get(key)!r}, now {now.get(key)!r} answers; nothing was sent")


def _same_settings(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ResumeError where the instrument is wired or set up in another way: the cell would get something else."""
    for key in sorted({*then, *now} - _FREE):
        if then.get(key) != now.get(key):
            raise ResumeError(f"{key} of {name} was {then.get(key)!r}, now it is {now.get(key)!r}; nothing was sent")


def since(earlier: Run) -> Callable[[], float]:
    """A function that says how many seconds have passed since the start of `earlier`, by the time of day at this moment.

    0 where that is in the future: somebody set the time of day back.
    """
    began = datetime.fromisoformat(earlier.header.start_time)
    passed, then = (datetime.now().astimezone() - began).total_seconds(), time.monotonic()
    return lambda: max(0.0, passed) + time.monotonic() - then
