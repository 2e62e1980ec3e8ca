"""A run's table as CSV: UTF-8, commas, a line feed each; lines that begin with # say which run it is from.

Floats are written with the fewest digits that read back to the same number.
"""

from __future__ import annotations

import io
import json

import numpy as np
from numpy.typing import NDArray

from labctl.exports import Made, provenance
from labctl.store import Run

CHUNK = 20_000  #: rows turned into text at a time


def make(run: Run) -> Made:
    """One file."""
    text = io.StringIO()
    for name, fact in provenance.facts(run).items():
        text.write(f"# {name}: {provenance.cells(fact)}\n")
    for name, item in provenance.parameters(run).items():
        said = [provenance.line(part) for part in (name, json.dumps(item["value"]), item["unit"])]
        said[1] = said[1] if isinstance(item["value"], list) else provenance.cells(said[1])  # numbers stay numbers
        text.write(f"# parameter {provenance.cells(said[0])}: {said[1]} {provenance.cells(said[2])}".rstrip() + "\n")
    columns = run.header.columns
    text.write(",".join(_quoted(column.heading) for column in columns) + "\n")
    for start in range(0, len(run), CHUNK):
        parts = [_texts(run[column.name][start : start + CHUNK]) for column in columns]
        text.write("\n".join(map(",".join, zip(*parts, strict=True))) + "\n")
    return Made({".csv": text.getvalue().encode()})


def _texts(values: NDArray[np.generic]) -> list[str]:
    return list(map(repr, values.tolist()))


def _quoted(heading: str) -> str:
    """A heading in quotes where it needs them; a unit comes from the file."""
    flat = provenance.cell(heading)
    return '"' + flat.replace('"', '""') + '"' if any(c in flat for c in ',"#') else flat
