"""What is kept beside the run files: everything measured and judged as JSON, the table as CSV; and reading it back."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import labctl
from labctl import outputs, provenance
from labctl.errors import UsageError
from labctl.paper import table
from labctl.paper.cells import seed_of
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


def hashes(folder: Path, done: Sequence[Done]) -> dict[str, str]:
    """The SHA-256 of every run file that is there, by its name in `folder`. Raises OSError."""
    files = [file for item in done for file in item.files.values()]
    return {file: digest.of_file(folder / file) for file in files if (folder / file).is_file()}


def write_json(
    folder: Path,
    made: About,
    done: Sequence[Done],
    paper: Paper,
    verdicts: Sequence[Verdict],
    hashed: Mapping[str, str],
) -> Path:
    """Keep all numbers, what became of each row, and every run file with its SHA-256 (`hashed`). Raises OSError."""
    data = {
        "about": asdict(made),
        "paper": {"title": paper.title, "source": paper.source},
        "rows": [_row(verdict) for verdict in verdicts],
        "runs": [_job(item, made.seed, hashed) for item in done],
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
        "checks": [asdict(finding) for finding in verdict.findings],
        "beside": [finding.measured for finding in verdict.beside], "measured": asdict(verdict.measurement),
    }  # fmt: skip


def _job(item: Done, seed: int, hashed: Mapping[str, str]) -> dict[str, Any]:
    files = {step: {"file": file, "sha256": hashed.get(file, "")} for step, file in item.files.items()}
    of_cell = seed_of(seed, item.job.device, item.job.number)
    return {
        **asdict(item.job),
        "seed": of_cell,
        "problem": item.problem,
        "seconds": round(item.seconds, 3),
        "files": files,
    }


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
    made, done, _ = read_whole(folder)
    return made, done


def read_whole(folder: Path) -> tuple[About, list[Done], dict[str, str]]:
    """What was measured in `folder`, and the SHA-256 that the record has of each run file. Raises UsageError as `read`."""
    path = folder / JSON
    try:
        if path.stat().st_size > MOST:
            raise ValueError("it is too large")
        data = json.loads(path.read_text(encoding="utf-8"))
        made, done = _about(data["about"]), [_done(item) for item in data["runs"]]
        hashed: dict[str, str] = {}
        for item in data["runs"]:
            hashed |= {str(about["file"]): _hash(about["sha256"]) for about in item["files"].values()}
        return made, done, hashed
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise UsageError(f"{path} is no record of 'labctl paper' ({_line(error)})") from None


def _line(error: Exception) -> str:
    """An error in one line of printable signs, not too long."""
    words = (
        f"{type(error).__name__}: {error}"
        if isinstance(error, LookupError | TypeError | AttributeError)
        else str(error)
    )
    return "".join(sign if sign.isprintable() else " " for sign in words)[:200]


def _about(data: dict[str, Any]) -> About:
    made = About(**{**data, "rows": tuple(map(str, data["rows"]))})
    _within("seed", made.seed, 0, 2**32 - 1)
    _within("cells", made.cells, 1, 10**6)
    seconds = made.seconds
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise ValueError(f"seconds is {seconds!r}")
    if not all(isinstance(text, str) for text in (made.started, made.command, made.software)):
        raise ValueError("started, command and software are texts")
    return made


def _within(name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}, not a whole number from {low} to {high}")
    return value


def _done(item: dict[str, Any]) -> Done:
    job = Job(str(item["experiment"]), str(item["device"]), _within("number", item["number"], 0, 10**7))
    if job.experiment not in EXPERIMENTS:
        raise ValueError(f"there is no experiment {job.experiment!r}")
    if job.device not in EXPERIMENTS[job.experiment].steps:
        raise ValueError(f"{job.experiment} is not done on {job.device!r}")
    files = {str(step): _inside(str(about["file"])) for step, about in item["files"].items()}
    return Done(job, files, _line(ValueError(item["problem"])), float(item["seconds"]))


def _inside(file: str) -> str:
    """A file's name, if it lies inside the folder: a record from elsewhere names no other."""
    path = Path(file)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"the run file {file!r} lies outside the folder")
    if not re.fullmatch(r"[A-Za-z0-9_./-]+\.h5", file):
        raise ValueError(f"{file!r} is no name of a run file")
    return file


def _hash(text: Any) -> str:
    """A SHA-256 in hexadecimal digits, or "" of a file that was not there when the record was made."""
    if not isinstance(text, str) or not re.fullmatch(r"([0-9a-f]{64})?", text):
        raise ValueError("a SHA-256 is no such")
    return text
