"""Where exported numbers come from, in a form every format can carry."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import labctl
from labctl.logs.lines import visible
from labctl.store import Run, digest

LONGEST = 300  #: characters of one fact; a file from elsewhere may say it at length

FORMULA = ("=", "+", "-", "@")  #: what spreadsheets take for the beginning of a formula


def facts(run: Run) -> dict[str, str]:
    """What, from which run, made by which program: texts of one line each; the SHA-256 of the file, where there is one."""
    head = run.header
    simulated = f"{head.device}, seed {head.seed}" if head.simulated else "no"
    found = {
        "exported by": f"labctl {labctl.__version__}",
        "run": head.uuid,
        "title": head.title,
        "file": run.path.name if run.path else "",
        "file sha256": digest.of_file(run.path) if run.path and run.path.is_file() else "",
        "data sha256": digest.of_data(run),
        "procedure": head.procedure,
        "sample": head.sample,
        "operator": head.operator,
        "started": head.start_time,
        "state": f"{run.state}: {run.reason}" if run.reason else run.state,
        "station": head.station,
        "simulated": simulated,
        "measured by": ", ".join(f"{name} {version}" for name, version in head.software.items()),
    }
    return {name: line(text) for name, text in found.items() if text}


def line(text: str) -> str:
    """A text in one line, without anything that controls a screen; cut where it is long."""
    flat = visible(" ".join(str(text).split()))
    return flat if len(flat) <= LONGEST else f"{flat[:LONGEST]} ..."


def cell(text: str) -> str:
    """A text as the cell of a table: in one line, and with ' before it where a spreadsheet would take it for a formula."""
    flat = line(text)
    return f"'{flat}" if flat.startswith(FORMULA) else flat


def cells(text: str) -> str:
    """A text of one line that may stand beside others in a table's comment: no part of it after a separator is a formula."""
    return re.sub(r"([,;])(\s*)([=+@-])", r"\1\2'\3", text)


def comment(text: str) -> str:
    """A text of one line for a // comment: no backslash (or its trigraph) at its end, which takes the next line in."""
    return re.sub(r"(\\|\?\?/)\s*$", r"\1 .", text)


def short(value: float) -> float:
    """The number with the fewest digits that is the same to 12 significant digits: 2.4 for 2.4000000000000004."""
    return float(f"{value:.12g}")


def parameters(run: Run) -> dict[str, dict[str, Any]]:
    """Every parameter of the run with its value and unit."""
    return {name: {"value": item["value"], "unit": item["unit"]} for name, item in run.header.parameters.items()}


def as_json(content: Any) -> bytes:
    """JSON for people and programs, lists of numbers in one line; what JSON lacks (NaN, infinity) is null."""
    text = json.dumps(_plain(content), indent=2, ensure_ascii=True, allow_nan=False)
    return (re.sub(r"\[\n[-+\d.eE,\s]*\]", lambda found: _one_line(found.group()), text) + "\n").encode()


def _one_line(numbers: str) -> str:
    return " ".join(numbers.split()).replace("[ ", "[").replace(" ]", "]")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
