"""Keeps the logs of a run while it lasts: what is about to happen, every note and message, and how it ended."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from labctl import provenance
from labctl.logs import RunLogs
from labctl.logs.lines import visible
from labctl.quantities import show
from labctl.station import Station
from labctl.store import RunHeader, RunWriter, StoreError

_log = logging.getLogger("labctl.logs")


@contextmanager
def kept(writer: RunWriter, station: Station, offset: float = 0.0) -> Iterator[RunLogs]:
    """The logs that the header of `writer` names, open within the ``with`` block; an error that leaves it is written, too.

    Before the run's messages come those `station` was sent since it was opened (their times are negative). offset: s since the
    start of the run, of one that is continued. Where the header names no logs, everything is taken and nothing is written.
    """
    logs = RunLogs(station.clock.now, provenance.now, partial(_trouble, writer), offset)
    try:
        if writer.header.logs:
            logs.open(writer.path.parent, writer.header.logs, f"run {writer.header.uuid}, {writer.header.start_time}")
            logs.say_all(begin(writer.header))
            station.log_wire_to(logs.wire)
        yield logs
    except BaseException as error:
        logs.say("".join(traceback.format_exception(error)), "error")
        raise
    finally:
        station.log_wire_to(None)
        logs.close()


def begin(header: RunHeader) -> Iterator[str]:
    """What is known before the first row, in lines."""
    yield f"{header.title or header.procedure}: run {header.uuid}, started {header.start_time}"
    yield f"command: {header.command}"
    yield f"station {header.station}, sample {header.sample or '-'}, operator {header.operator or '-'}"
    for name, parts in header.instruments.items():
        who = ", ".join(f"{key} {value}" for key, value in dict(parts.get("identity", {})).items())
        yield f"instrument {name}: {who}"
    parameters = header.parameters.items()
    yield "parameters: " + ", ".join(f"{name} {_worth(item['value'], str(item['unit']))}" for name, item in parameters)
    limits = (
        f"{item.get('quantity')} {_worth(item.get('value'), str(item.get('unit', '')))}" for item in header.limits
    )
    yield "limits: " + ", ".join(limits)


def end(state: str, reason: str, rows: int, trace: str) -> str:
    """How the run ended: one line, and the traceback after it."""
    return f"{state}{f': {visible(reason)}' if reason else ''}; {rows} rows\n{trace}".rstrip()


def _worth(value: object, unit: str) -> str:
    return show(value, unit) if isinstance(value, float) else f"{value} {unit}".rstrip()


def _trouble(writer: RunWriter, name: str, error: Exception) -> None:
    """Say once that a log is no longer written; the measurement matters more."""
    words = f"{type(error).__name__}: {error}"
    try:
        writer.event("log failed", {"log": name, "error": words})
    except StoreError:  # the run is closed, or its own journal can't be written either: it says so itself
        _log.warning("the %s log of %s could not be completed: %s", name, writer.path, words)
