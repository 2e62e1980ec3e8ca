"""The whole: measure, make the numbers, hold them against the paper, keep all of it; or the last three with runs there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labctl.errors import UsageError
from labctl.paper import plan, record, rows, targets, work
from labctl.paper.cells import CELLS
from labctl.paper.judge import Verdict, judge
from labctl.paper.results import Measurement
from labctl.paper.taken import Taken


@dataclass(frozen=True)
class Outcome:
    """All there is to report on: how it was made, what was measured, and what became of each row."""

    folder: Path
    about: record.About
    paper: targets.Paper
    taken: Taken
    verdicts: list[Verdict]
    stopped: bool = False

    @property
    def done(self) -> list[work.Done]:
        """What was measured, job by job."""
        return list(self.taken.done.values())

    @property
    def failed(self) -> bool:
        """Whether a row is not met, or was not measured."""
        return any(verdict.outcome == "fail" for verdict in self.verdicts)


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
    return _kept(
        folder, made, done, targets.read(against), stopped=len(done) < len(wanted) or any(_cut(item) for item in done)
    )


def again(folder: Path, only: Sequence[str] = (), against: Path | None = None) -> Outcome:
    """Make the numbers of the runs in `folder` anew and judge them; measures nothing. Raises UsageError."""
    made, done = record.read(folder)
    if missing := [row for row in only if row not in made.rows]:
        raise UsageError(f"{folder} has no runs for {', '.join(missing)}")
    return _kept(folder, replace(made, rows=tuple(only) or made.rows), done, targets.read(against))


def _cut(item: work.Done) -> bool:
    return "aborted" in item.problem or item.problem == "not begun"


def _kept(
    folder: Path, made: record.About, done: list[work.Done], paper: targets.Paper, stopped: bool = False
) -> Outcome:
    taken = Taken(folder, done)
    found = measurements(taken, made.rows)
    asked = {target.id: target for target in paper.rows}
    if unknown := [item.id for item in found if item.id not in asked]:
        raise UsageError(f"the targets have no row {', '.join(unknown)}")
    verdicts = [judge(asked[item.id], item) for item in found]
    record.write_json(folder, made, done, paper, verdicts)
    record.write_csv(folder, verdicts)
    return Outcome(folder, made, paper, taken, verdicts, stopped)
