"""What is known about a run before its first row: the header of its journal and of its run file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from labctl.quantities import Column
from labctl.store import values
from labctl.store.errors import StoreError

_WHY = 300  #: characters of what is wrong with a header; a hostile one says it at length
#: What a column may be called: names NeXus, HDF5 and Python all take.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DTYPES = ("float64", "int64")
#: Fields that are brought to plain JSON types at once, so that a header equals what is read back later.
_PLAIN = ("parameters", "instruments", "software", "git", "setup", "holder", "logs")
LOGS = {"run": "*.log", "wire": "*.wire"}  #: the logs of a run that keeps them
#: What fields of a header read back must be, by the kinds they hold.
_KINDS: dict[Any, tuple[str, ...]] = {
    str: ("procedure", "start_time", "uuid", "title", "sample", "operator", "station", "device", "command", "notes"),
    bool: ("simulated",),
    (int, type(None)): ("seed",),
    dict: _PLAIN,
    list: ("columns", "limits", "resumes"),
}
#: Fields that hold one mapping for each name or number, and fields that hold texts by name.
_OF_MAPPINGS, _OF_TEXTS = ("parameters", "instruments", "limits", "resumes"), ("software", "logs")


@dataclass(frozen=True)
class PlotSpec:
    """Which columns a viewer draws unasked.

    signal: the ordinate; axes: the abscissa, then further choices for it; auxiliary: further curves;
    log: logarithmic ordinate, of the magnitude where the signal has negative values; log_x: logarithmic abscissa;
    each: a column whose values tell series of points apart, "" for lines as measured; names: what those values mean; only: a
    column and the value it has in the rows drawn as points.
    """

    signal: str
    axes: tuple[str, ...] = ()
    auxiliary: tuple[str, ...] = ()
    log: bool = False
    log_x: bool = False
    each: str = ""
    names: tuple[tuple[float, str], ...] = ()
    only: tuple[str, float] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple((float(value), str(name)) for value, name in self.names))
        object.__setattr__(self, "only", None if self.only is None else (str(self.only[0]), float(self.only[1])))
        object.__setattr__(self, "axes", tuple(self.axes))
        object.__setattr__(self, "auxiliary", tuple(self.auxiliary))


@dataclass(frozen=True, kw_only=True)
class RunHeader:
    """Everything a run file says about a run except what was measured.

    procedure: name of the recipe; columns: of the table, at least one; start_time: ISO 8601 with offset;
    uuid: the experiment's identifier; parameters: the full set, name -> {"value": ..., "unit": ...};
    sample: path text such as "W12/D3-4/C5", may be ""; station: name;
    instruments: name -> {"identity": {...}, "settings": {...}}; limits: one mapping per limit in force;
    seed: of the run's random generators, None if there is none; device: name of the simulated device's card;
    software: name -> version; git: {"commit": ..., "dirty": ...} or {}; command: as typed; notes: free text.
    setup: what rebuilds a simulated bench: {"config": the station, "cell": state it was prepared in}, {} on a real one;
    holder: the process that records: {"pid": ..., "host": ..., "user": ...}; logs: {"run": ..., "wire": ...}, names of files
    beside the run file ("*" stands for its own name until that is known);
    resumes: one mapping for each time the run was continued, oldest first: {"uuid": of the run before, "rows", "stimuli",
    "events": how many were taken over from it, "last": greatest number of its notes, "time": s since the start}.
    Raises StoreError for a header that could not be written or drawn.
    """

    procedure: str
    columns: tuple[Column, ...]
    plot: PlotSpec
    start_time: str
    uuid: str
    title: str = ""
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sample: str = ""
    operator: str = ""
    station: str = ""
    instruments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    limits: Sequence[Mapping[str, Any]] = ()
    seed: int | None = None
    simulated: bool = False
    device: str = ""
    software: Mapping[str, str] = field(default_factory=dict)
    git: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    notes: str = ""
    setup: Mapping[str, Any] = field(default_factory=dict)
    holder: Mapping[str, Any] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict)
    resumes: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        for name in ("limits", "resumes"):
            object.__setattr__(self, name, tuple(values.loads(values.dumps(list(getattr(self, name))))))
        for name in _PLAIN:
            object.__setattr__(self, name, values.loads(values.dumps(getattr(self, name))))
        _check_columns(self.columns)
        _check_plot(self.plot, [column.name for column in self.columns])
        parse_time(self.start_time, "start_time")
        for name, parameter in self.parameters.items():
            if not isinstance(parameter, Mapping) or parameter.keys() != {"value", "unit"}:
                raise StoreError(f"parameter {name!r} of a run header must be {{'value': ..., 'unit': ...}}")

    def beside(self, run_file: Path) -> RunHeader:
        """The same, with ``*`` in the names of the logs replaced by the name of `run_file`, or a number after it.

        Numbered are the names beside which files of an earlier run were left.
        """
        if not any("*" in name for name in self.logs.values()):
            return self
        for number in count(1):
            stem = run_file.stem if number == 1 else f"{run_file.stem}.{number}"
            logs = {kind: name.replace("*", stem) for kind, name in self.logs.items()}
            used = [run_file.with_name(name + part) for name in logs.values() for part in ("", ".1", ".1.gz")]
            if not any(os.path.lexists(path) for path in used):
                break
        return replace(self, logs=logs)

    def has_taken_over(self, rows: int, stimuli: int, events: int) -> bool:
        """Whether so many are all that the run was to take over from the one it continues; else it died while it did so."""
        if not self.resumes:
            return True
        due = [self.resumes[-1].get(name, 0) for name in ("rows", "stimuli", "events")]
        return all(isinstance(n, int) and there >= n for there, n in zip((rows, stimuli, events), due, strict=True))

    def to_json(self) -> str:
        """The header as one line of JSON text (see labctl.store.values)."""
        return values.dumps(self)

    @classmethod
    def from_json(cls, text: str | bytes, source: str) -> RunHeader:
        """The header that `to_json` wrote. Raises StoreError, naming the file `source`, for anything else.

        Fields this labctl does not know are left out: a newer one may add some without a new format version.
        """
        try:
            data = values.loads(text)
            _check_kinds(data)
            data["columns"] = tuple(Column(**_known(Column, column)) for column in data["columns"])
            data["plot"] = PlotSpec(**_known(PlotSpec, data["plot"]))
            return cls(**_known(cls, data))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, StoreError) as error:
            why = " ".join(str(error).split())[:_WHY]
            raise StoreError(f"{source}: the header of the run can't be understood ({why})") from error


def _check_kinds(data: dict[str, Any]) -> None:
    """Raise TypeError unless every field of a header's JSON is of its kind; what is missing has a default or is found later."""
    for kind, names in _KINDS.items():
        for name in names:
            value = data.get(name)
            if name in data and (not isinstance(value, kind) or (kind is not bool and isinstance(value, bool))):
                raise TypeError(f"{name} is a {type(value).__name__}")
    for name in _OF_MAPPINGS:
        items = data.get(name, [])
        if not all(isinstance(item, dict) for item in (items.values() if isinstance(items, dict) else items)):
            raise TypeError(f"{name} must hold mappings")
    texts = [data.get(name, {}).values() for name in _OF_TEXTS]
    texts += [[item.get("unit", "") for item in data.get("parameters", {}).values()]]
    texts += [column.values() for column in data["columns"]]
    if not all(isinstance(text, str) for some in texts for text in some):
        raise TypeError(f"{', '.join(_OF_TEXTS)}, units and columns must hold texts")


def _known(cls: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    return {item.name: data[item.name] for item in fields(cls) if item.name in data}


def parse_time(text: str, name: str) -> datetime:
    """Parse an ISO 8601 time with offset. Raises StoreError naming the field."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise StoreError(f"{name} {text!r} is not an ISO 8601 time such as '2026-11-24T09:30:00+01:00'") from None
    if time.tzinfo is None:
        raise StoreError(f"{name} {text!r} has no offset from UTC; write e.g. {text + '+01:00'!r}")
    return time


def _check_columns(columns: tuple[Column, ...]) -> None:
    names = [column.name for column in columns]
    if not names or len(set(names)) != len(names):
        raise StoreError(f"a run needs at least one column, each with a name of its own, not {names}")
    for column in columns:
        if not _NAME.fullmatch(column.name):
            raise StoreError(f"column name {column.name!r} must be letters, digits and _ and not begin with a digit")
        if column.dtype not in _DTYPES:
            raise StoreError(f"column {column.name!r} must be {' or '.join(_DTYPES)}, not {column.dtype}")


def _check_plot(plot: PlotSpec, names: list[str]) -> None:
    for name in (
        plot.signal,
        *plot.axes,
        *plot.auxiliary,
        *([plot.each] if plot.each else []),
        *([plot.only[0]] if plot.only else []),
    ):
        if name not in names:
            raise StoreError(f"the plot asks for column {name!r}, but the run has {', '.join(names)}")
    if plot.signal in plot.axes:
        raise StoreError(f"the plot draws column {plot.signal!r} against itself; choose another axis")
