"""The whole: measure, make the numbers, hold them against the paper, keep all of it; or the last three with runs there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from labctl.errors import UsageError
from labctl.paper import plan, record, rows, targets, work
from labctl.paper.cells import CELLS
from labctl.paper.judge import Verdict, doubted, judge
from labctl.paper.results import Measurement
from labctl.paper.taken import Taken


@dataclass(frozen=True)
class Outcome:
    """All there is to report on: how it was made, what was measured, and what became of each row.

    hashed: SHA-256 of each run file as the record has it; changed: run files that are not the ones recorded.
    """

    folder: Path
    about: record.About
    paper: targets.Paper
    taken: Taken
    verdicts: list[Verdict]
    stopped: bool = False
    hashed: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[str, ...] = ()

    @property
    def done(self) -> list[work.Done]:
        """What was measured, job by job."""
        return list(self.taken.done.values())

    @property
    def failed(self) -> bool:
        """Whether a row is not met or was not measured, or a run file is not the one recorded."""
        return bool(self.changed) or any(verdict.outcome != "pass" for verdict in self.verdicts)


def jobs(only: Sequence[str] = (), cells: int = CELLS) -> list[plan.Job]:
    """What has to be measured for some rows, all for none. Raises UsageError for a row there is not."""
    return plan.jobs({need for row in rows.chosen(only) for need in row.needs}, cells)


def measurements(taken: Taken, only: Sequence[str] = ()) -> list[Measurement]:
    """What the runs say for some rows, all for none."""
    return [rows.measured(row, taken) for row in rows.chosen(only)]


def reproduce(
    folder: Path,
    *,
    seed: int = 1,
    cells: int = CELLS,
    only: Sequence[str] = (),
    workers: int = 1,
    should_stop: Callable[[], bool] = lambda: False,
    tell: Callable[[work.Done], None] = lambda done: None,
    against: Path | None = None,
) -> Outcome:
    """Measure what the rows `only` need (all for none) into `folder`, which must be new or empty, and judge it.

    seed: of all cells; cells: drawn ones of each device; workers: processes; should_stop, tell: as `work.measure`; against: a
    file of targets, by default the paper's. Raises UsageError.
    """
    wanted = jobs(only, cells)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; give --out a new folder, or --from to judge what is in it again")
    made, began = record.about(seed, cells, [row.id for row in rows.chosen(only)]), time.monotonic()
    done = work.measure(wanted, folder, seed, workers, should_stop, tell)
    made = replace(made, seconds=round(time.monotonic() - began, 1))
    stopped = len(done) < len(wanted) or any(_cut(item) for item in done)
    outcome = replace(_judged(folder, made, done, targets.read(against)), stopped=stopped)
    return _kept(replace(outcome, hashed=record.hashes(folder, done)))


def again(folder: Path, only: Sequence[str] = (), against: Path | None = None) -> Outcome:
    """Make the numbers of the runs in `folder` anew and judge them; measures nothing. Raises UsageError.

    Run files that are not the ones recorded are named, and the rows made of them fail; the record keeps the hashes it has. With
    `only` some rows nothing is written: the record is that of all rows. A run that is missing is "not measured".
    """
    made, done, recorded = record.read_whole(folder)
    if missing := [row for row in only if row not in made.rows]:
        raise UsageError(f"{folder} has no runs for {', '.join(missing)}")
    now = record.hashes(folder, done)
    changed = tuple(file for file, found in now.items() if recorded[file] and recorded[file] != found)
    outcome = _judged(folder, replace(made, rows=tuple(only) or made.rows), done, targets.read(against))
    verdicts = [doubted(verdict, changed) for verdict in outcome.verdicts]
    outcome = replace(outcome, verdicts=verdicts, hashed={**now, **recorded}, changed=changed)
    return outcome if only else _kept(outcome)


def _cut(item: work.Done) -> bool:
    return "aborted" in item.problem or item.problem == "not begun"


def _judged(folder: Path, made: record.About, done: list[work.Done], paper: targets.Paper) -> Outcome:
    taken = Taken(folder, done)
    found = measurements(taken, made.rows)
    asked = {target.id: target for target in paper.rows}
    if unknown := [item.id for item in found if item.id not in asked]:
        raise UsageError(f"the targets have no row {', '.join(unknown)}")
    return Outcome(folder, made, paper, taken, [judge(asked[item.id], item) for item in found])


def _kept(outcome: Outcome) -> Outcome:
    """Write the record of an outcome; returns it."""
    folder, verdicts = outcome.folder, outcome.verdicts
    record.write_json(folder, outcome.about, outcome.done, outcome.paper, verdicts, outcome.hashed)
    record.write_csv(folder, verdicts)
    return outcome
