"""Write a run's header into HDF5 groups that are readable with nothing but h5py (see data/run-file.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np

import labctl
from labctl.store import values
from labctl.store.header import RunHeader

_TEXT = h5py.string_dtype("utf-8")
_FEW = 10  #: clashing names that are numbered without a gap
_INT64 = range(-(2**63), 2**63)


def group(parent: Any, name: str, nx_class: str) -> Any:
    """Make a group of a NeXus class; `name` is used as it is."""
    made = parent.create_group(name)
    made.attrs["NX_class"] = nx_class
    return made


def put(parent: Any, name: str, value: Any, unit: str | None = None) -> None:
    """Write one value as a dataset: numbers, text, bools and plain lists as such, else JSON text with @format="json"."""
    data, dtype = _encode(value)
    dataset = parent.create_dataset(_free_name(parent, name), data=data, dtype=dtype)
    if _encoded_as_json(value, dtype):
        dataset.attrs["format"] = "json"
    _keep_name(dataset, name)
    if unit is not None:
        dataset.attrs["units"] = values.clean(unit)


def put_all(parent: Any, mapping: Mapping[str, Any]) -> None:
    """Write every entry of a mapping."""
    for name, value in mapping.items():
        put(parent, name, value)


def write_header(entry: Any, header: RunHeader) -> None:
    """Write everything of the header but the table: title, times, process, sample, instruments, parameters, limits."""
    put_all(entry, {"title": header.title or header.procedure, "start_time": header.start_time})
    put_all(entry, {"experiment_identifier": header.uuid, "experiment_description": header.notes})
    _write_process(entry, header)
    put(group(entry, "user", "NXuser"), "name", header.operator)
    sample = group(entry, "sample", "NXsample")
    put_all(sample, {"name": header.sample, "type": "simulated data" if header.simulated else "sample"})
    _write_instruments(entry, header)
    parameters = group(entry, "parameters", "NXcollection")
    for name, parameter in header.parameters.items():
        put(parameters, name, parameter["value"], str(parameter["unit"]))
    limits = group(entry, "limits", "NXcollection")
    for number, limit in enumerate(header.limits, 1):
        put_all(group(limits, f"limit_{number}", "NXcollection"), limit)


def _write_process(entry: Any, header: RunHeader) -> None:
    process = group(entry, "process", "NXprocess")
    version = header.software.get("labctl", labctl.__version__)
    put_all(process, {"program": "labctl", "version": version, "date": header.start_time})
    put_all(process, {"procedure": header.procedure, "command": header.command, "header": header.to_json()})
    put_all(group(process, "software", "NXcollection"), header.software)
    put_all(group(process, "git", "NXcollection"), header.git)
    put_all(group(process, "logs", "NXcollection"), header.logs)
    simulation = group(process, "simulation", "NXcollection")
    put_all(simulation, {"simulated": header.simulated, "device": header.device})
    if header.seed is not None:
        put(simulation, "seed", header.seed)


def _write_instruments(entry: Any, header: RunHeader) -> None:
    parent = group(entry, "instrument", "NXinstrument")
    put(parent, "name", header.station)
    for name, instrument in header.instruments.items():
        made = group(parent, _free_name(parent, name), "NXcollection")
        _keep_name(made, name)
        for part, content in instrument.items():
            if isinstance(content, Mapping):
                put_all(group(made, _free_name(made, part), "NXcollection"), content)
            else:
                put(made, part, content)


def _free_name(parent: Any, name: str) -> str:
    """A name HDF5 and NeXus take, not yet used in `parent`: other characters become _, a second one gets _2."""
    base = re.sub(r"[^A-Za-z0-9_]", "_", name) or "_"
    found, number = base, 1
    while found in parent:
        number = number + 1 if number < _FEW else max(number, len(parent)) + 1  # thousands of clashes take no hour
        found = f"{base}_{number}"
    return found


def _keep_name(made: Any, name: str) -> None:
    if made.name.rpartition("/")[2] != name:
        made.attrs["original_name"] = values.clean(name)


def _encode(value: Any) -> tuple[Any, Any]:
    if isinstance(value, bool):
        return np.bool_(value), np.bool_
    if isinstance(value, float) or (isinstance(value, int) and value in _INT64):
        return value, np.float64 if isinstance(value, float) else np.int64
    if isinstance(value, str):
        return values.clean(value), _TEXT
    return _encode_list(value) if isinstance(value, Sequence) and value else (values.dumps(value), _TEXT)


def _encode_list(items: Sequence[Any]) -> tuple[Any, Any]:
    kinds = {type(item) for item in items}
    if kinds == {str}:
        return [values.clean(item) for item in items], _TEXT
    if kinds == {int} and all(item in _INT64 for item in items):
        return items, np.int64
    if kinds == {float} or (kinds == {int, float} and all(abs(item) <= 2**53 for item in items if type(item) is int)):
        return items, np.float64
    return values.dumps(items), _TEXT


def _encoded_as_json(value: Any, dtype: Any) -> bool:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return dtype is _TEXT and not (value and all(isinstance(item, str) for item in value))
    return dtype is _TEXT and not isinstance(value, str)
