"""A run's table in Python: pandas and xarray, with units, meanings and origin in ``attrs``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from labctl.contracts import Status
from labctl.errors import UsageError
from labctl.exports import provenance
from labctl.store import Run, read


def library(name: str) -> Any:
    """A library of the extra ``export``. Raises UsageError that says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(f"{name} is not installed ({error}); it comes with: pip install 'labctl[export]'") from None


def opened(run: Run | Path | str) -> Run:
    """The run itself, or read from its file. Raises StoreError."""
    return run if isinstance(run, Run) else read(Path(run))


def to_pandas(run: Run | Path | str) -> Any:
    """A DataFrame, one column a column of the run, dtype as stored."""
    found, pandas = opened(run), library("pandas")
    frame = pandas.DataFrame({column.name: found[column.name] for column in found.header.columns})
    frame.attrs = {
        "units": {column.name: column.unit for column in found.header.columns},
        "meanings": {column.name: column.meaning for column in found.header.columns if column.meaning},
        "parameters": provenance.parameters(found),
        "provenance": provenance.facts(found),
    }
    return frame


def to_xarray(run: Run | Path | str) -> Any:
    """A Dataset with one variable a column along the dimension ``row``; attributes are texts, numbers and arrays only."""
    found, xarray = opened(run), library("xarray")
    variables = {column.name: ("row", found[column.name], _attributes(column)) for column in found.header.columns}
    facts = {name.replace(" ", "_"): text for name, text in provenance.facts(found).items()}
    return xarray.Dataset(
        variables, attrs={**facts, "parameters": provenance.as_json(provenance.parameters(found)).decode()}
    )


def _attributes(column: Any) -> dict[str, Any]:
    """As the CF conventions call them: units, long_name, and for flags what their bits mean."""
    found: dict[str, Any] = {"units": column.unit or "1", "long_name": column.label or column.name}
    if column.meaning:
        found["description"] = column.meaning
    if column.name == "status" and column.dtype == "int64":
        flags = [flag for flag in Status if flag]
        found["flag_masks"] = [int(flag) for flag in flags]
        found["flag_meanings"] = " ".join(str(flag.name).lower() for flag in flags)
    return found
