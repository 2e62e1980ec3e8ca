"""What is kept beside the run files: everything measured and judged as JSON, the table as CSV; and reading it back."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import labctl
from labctl import outputs, provenance
from labctl.errors import UsageError
from labctl.paper import table
from labctl.paper.judge import Verdict
from labctl.paper.plan import EXPERIMENTS, Job
from labctl.paper.targets import Paper
from labctl.paper.work import Done
from labctl.store import digest

JSON, CSV = "paper.json", "paper.csv"
MOST = 2**26  #: bytes of a record that are read: guess, far above what one takes


@dataclass(frozen=True)
class About:
    """How a reproduction was made: seed, drawn cells asked for, rows asked for, when and by which command, how long it took."""

    seed: int
    cells: int
    rows: tuple[str, ...]
    started: str
    command: str
    seconds: float = 0.0
    software: str = labctl.__version__


def about(seed: int, cells: int, rows: Sequence[str]) -> About:
    """What is known before anything is measured."""
    return About(seed, cells, tuple(rows), provenance.now(), provenance.command())


def write_json(folder: Path, made: About, done: Sequence[Done], paper: Paper, verdicts: Sequence[Verdict]) -> Path:
    """Keep all numbers, what became of each row, and every run file with its SHA-256. Raises OSError."""
    data = {
        "about": asdict(made),
        "paper": {"title": paper.title, "source": paper.source},
        "rows": [_row(verdict) for verdict in verdicts],
        "runs": [_job(item, folder) for item in done],
    }
    text = json.dumps(_plain(data), indent=1, allow_nan=False)
    return outputs.write_whole(folder / JSON, text.encode())


def write_csv(folder: Path, verdicts: Sequence[Verdict]) -> Path:
    """Keep the table, one line a check. Raises OSError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.HEAD)
    writer.writerows(line for verdict in verdicts for line in table.lines(verdict))
    return outputs.write_whole(folder / CSV, text.getvalue().encode())


def _row(verdict: Verdict) -> dict[str, Any]:
    target = {"quantity": verdict.target.quantity, "paper": verdict.target.paper, "kind": verdict.target.kind}
    return {
        "id": verdict.target.id, "outcome": verdict.outcome, **target, "note": verdict.target.note,
        "checks": [asdict(finding) for finding in verdict.findings], "measured": asdict(verdict.measurement),
    }  # fmt: skip


def _job(item: Done, folder: Path) -> dict[str, Any]:
    files = {step: {"file": file, "sha256": digest.of_file(folder / file)} for step, file in item.files.items()}
    return {**asdict(item.job), "problem": item.problem, "seconds": round(item.seconds, 3), "files": files}


def _plain(value: Any) -> Any:
    """What JSON can hold: None for NaN, "inf" and "-inf" for infinities."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


# -- read back ----------------------------------------------------------------------------------------------------------
def read(folder: Path) -> tuple[About, list[Done]]:
    """What was measured in `folder`. Raises UsageError where there is no record of it, or none that can be used."""
    path = folder / JSON
    try:
        if path.stat().st_size > MOST:
            raise ValueError("it is too large")
        data = json.loads(path.read_text(encoding="utf-8"))
        made = About(**{**data["about"], "rows": tuple(map(str, data["about"]["rows"]))})
        return made, [_done(item) for item in data["runs"]]
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageError(f"{path} is no record of 'labctl paper' ({error})") from None


def _done(item: dict[str, Any]) -> Done:
    job = Job(str(item["experiment"]), str(item["device"]), int(item["number"]))
    if job.experiment not in EXPERIMENTS:
        raise ValueError(f"there is no experiment {job.experiment!r}")
    files = {str(step): _inside(str(about["file"])) for step, about in item["files"].items()}
    return Done(job, files, str(item["problem"]), float(item["seconds"]))


def _inside(file: str) -> str:
    """A file's name, if it lies inside the folder: a record from elsewhere names no other."""
    path = Path(file)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"the run file {file!r} lies outside the folder")
    return file
