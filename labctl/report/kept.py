"""The numbers of a run kept beside its file as JSON, and what a later analysis gives otherwise."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import labctl
from labctl.contracts import Extracted
from labctl.errors import UsageError
from labctl.quantities import show
from labctl.report.numbers import Numbers
from labctl.store import Run, SlicedRun, digest

T = TypeVar("T")
ENDING = ".analysis.json"  #: of the file beside a run file that keeps its numbers
MOST = 2**24  #: bytes of such a file that are read: guess, far above what an analysis takes
ALIKE = 1e-9  #: relative; numbers that differ by less are the same


def kept_path(run_file: Path) -> Path:
    """Where the numbers of a run file are kept: ``run.analysis.json`` beside ``run.h5``."""
    return run_file.with_name(run_file.stem + ENDING)


def to_json(run: Run | SlicedRun, numbers: Numbers, statistics: Sequence[Extracted] = ()) -> str:
    """The numbers of a run with what they are of: uuid and hash of its data, the version of labctl.

    statistics: what is said of distributions over cycles, kept in a list of its own. No NaN and no infinity are in it.
    """
    about = {
        "labctl": labctl.__version__, "run": run.header.uuid, "procedure": run.header.procedure,
        "sample": run.header.sample, "state": run.state, "data_sha256": digest.of_data(run), "problem": numbers.problem,
    }  # fmt: skip
    lists = {"numbers": [_plain(item) for item in numbers.found]}
    if statistics:
        lists["statistics"] = [_plain(item) for item in statistics]
    return json.dumps({**about, **lists}, indent=1, allow_nan=False)


def _plain(item: Extracted) -> dict[str, Any]:
    """What JSON can hold: no NaN and no infinity, so None where there is no number, and "inf" or "-inf"."""
    low, high = item.interval
    return {
        "name": item.name, "value": _number(item.value), "unit": item.unit, "uncertainty": _number(item.uncertainty),
        "interval_95": [_number(low), _number(high)], "method": item.method, "definition": item.definition,
        "rows_used": len(item.rows) or None, "rows_excluded": item.excluded,
    }  # fmt: skip


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return float(value) if math.isfinite(value) else str(float(value))


def earlier(path: Path) -> list[dict[str, Any]]:
    """The numbers of an analysis kept at `path`. Raises UsageError for a file that is none."""
    try:
        if path.stat().st_size > MOST:
            raise ValueError("it is too large")
        data = json.loads(path.read_text(encoding="utf-8"))
        numbers = data["numbers"]
        for item in numbers:
            if not all(isinstance(item[key], str) for key in ("name", "method", "unit")):
                raise ValueError("a number without name, method and unit")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageError(f"{path} is no analysis of labctl ({error})") from None
    return list(numbers)


def changes(before: Sequence[dict[str, Any]], now: Sequence[Extracted]) -> list[str]:
    """One line for every number that an earlier analysis gave otherwise, did not have, or had and has no more.

    A change of the uncertainty, of the interval or of the method's version is one, too. Of numbers that share name, method and
    unit the first is held against the first, and so on.
    """
    old = _numbered([(item["name"], _rule(item["method"]), item["unit"]) for item in before], before)
    new = _numbered([(item.name, _rule(item.method), item.unit) for item in now], now)
    lines = []
    for key, item in new.items():
        was = old.pop(key, None)
        if was is None:
            lines.append(f"new: {_named(item.name, item.method)} = {_said(_plain(item))}")
        elif what := _differs(was, _plain(item)):
            lines.append(f"changed: {_named(item.name, item.method)}: {what}")
    return lines + [f"gone: {_named(item['name'], item['method'])}" for item in old.values()]


def _numbered(keys: Sequence[tuple[str, str, str]], items: Sequence[T]) -> dict[tuple[str, str, str, int], T]:
    """The items by their key and how many of that key came before."""
    seen: Counter[tuple[str, str, str]] = Counter()
    found = {}
    for key, item in zip(keys, items, strict=True):
        found[(*key, seen[key])] = item
        seen[key] += 1
    return found


def _differs(was: dict[str, Any], item: dict[str, Any]) -> str:
    """What an earlier analysis gave otherwise, "" for nothing; both as they are kept."""
    if not _same(was.get("value"), item["value"]):
        return f"{_said(item)}, was {_said(was)} by {was['method']}"
    ends, before = item["interval_95"], was.get("interval_95")
    if not (isinstance(before, list) and len(before) == 2 and all(map(_same, before, ends))):
        return f"interval {ends}, was {before} by {was['method']}"
    if not _same(was.get("uncertainty"), item["uncertainty"]):
        return f"uncertainty {item['uncertainty']}, was {was.get('uncertainty')} by {was['method']}"
    return f"the same by another version, was {was['method']}" if was["method"] != item["method"] else ""


def _said(item: dict[str, Any]) -> str:
    value = item.get("value")
    return show(float(value), item["unit"], 5) if isinstance(value, int | float) else str(value)


def _named(name: str, method: str) -> str:
    return f"{name} ({method})" if method else name


def _rule(method: str) -> str:
    """A method without its version: the same quantity by the same idea."""
    return method.partition("@")[0]


def _same(was: Any, now: Any) -> bool:
    """Whether two numbers as they are kept are the same; None and "inf" are themselves."""
    if isinstance(was, int | float) and isinstance(now, int | float):
        return math.isclose(was, now, rel_tol=ALIKE)
    return bool(was == now)
