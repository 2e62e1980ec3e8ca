"""What is known about a run before its first row: the header of its journal and of its run file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from labctl.quantities import Column
from labctl.store import values
from labctl.store.errors import StoreError

#: What a column may be called: names NeXus, HDF5 and Python all take.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DTYPES = ("float64", "int64")
#: Fields that are brought to plain JSON types at once, so that a header equals what is read back later.
_PLAIN = ("parameters", "instruments", "software", "git", "setup", "holder", "logs")


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
    beside the run file; resumes: one mapping for each time the run was continued, oldest first: {"uuid": of the run before,
    "rows": and "stimuli": how many were taken over from it, "last": greatest number of its notes, "time": s since the start}.
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
            data["columns"] = tuple(Column(**_known(Column, column)) for column in data["columns"])
            data["plot"] = PlotSpec(**_known(PlotSpec, data["plot"]))
            return cls(**_known(cls, data))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, StoreError) as error:
            raise StoreError(f"{source}: the header of the run can't be understood ({error})") from error


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
