"""A run as a MATLAB file (level 5, which MATLAB, Octave and SciPy read): one struct ``run``.

``run.data.current`` is a column vector, ``run.units.current`` its unit, ``run.parameters.v_max`` a parameter,
``run.parameter_units.v_max`` its unit, ``run.provenance.run`` the run's uuid.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from labctl.exports import Made, provenance
from labctl.store import Run

LONGEST = 31  #: characters of a field's name in a level 5 file: MATLAB, MAT-File Format, "mxSTRUCT_CLASS"


def make(run: Run) -> Made:
    """One file, compressed."""
    from scipy import io as scipy_io

    columns = {column.name: column for column in run.header.columns}
    names = field_names(columns)
    said = run.header.parameters
    fields = field_names(said)
    struct = {
        "data": {names[name]: run[name] for name in columns},
        "units": {names[name]: column.unit for name, column in columns.items()},
        "meanings": {names[name]: column.meaning for name, column in columns.items()},
        "parameters": {fields[name]: _value(item["value"]) for name, item in said.items()},
        "parameter_units": {fields[name]: str(item["unit"]) for name, item in said.items()},
        "provenance": _named(provenance.facts(run)),
    }
    file = io.BytesIO()
    scipy_io.savemat(file, {"run": struct}, do_compression=True, oned_as="column")
    return Made({".mat": file.getvalue()})


def field_names(names: Iterable[str]) -> dict[str, str]:
    """A name MATLAB takes for each: letters, digits and _, a letter first, 31 characters, each another."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
        plain = plain if plain[:1].isalpha() else f"x{plain}"
        number, unique = 1, plain[:LONGEST]
        while unique in found.values():
            number += 1
            unique = f"{plain[: LONGEST - len(str(number)) - 1]}_{number}"
        found[name] = unique
    return found


def _named(texts: Mapping[str, str]) -> dict[str, str]:
    names = field_names(texts)
    return {names[name]: text for name, text in texts.items()}


def _value(value: Any) -> Any:
    """A number, a text or an array of numbers as it is; anything else as JSON."""
    if isinstance(value, (bool, float, str)) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, list) and value and all(isinstance(item, float) for item in value):
        return np.array(value)
    return json.dumps(value)
