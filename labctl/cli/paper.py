"""``labctl paper``: measure again what Kim et al. 2022 measured, and hold it against the paper."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from labctl.paper.plan import Job
    from labctl.paper.session import Outcome
    from labctl.paper.work import Done

EVERY = 10.0  #: s between lines where there is no terminal
FAILED, STOPPED = 1, 130


@click.command(epilog="Example: labctl paper --out kim2022 --jobs 2")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="New folder [runs/TIME_paper].")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Seed of all cells.")
@click.option("--cells", type=click.IntRange(1, 1000), help="Drawn cells of each device [8].")
@click.option(
    "--jobs", type=click.IntRange(1, 256), help="Processes that measure at a time [2, or 1 where there is 1 core]."
)
@click.option("--only", default="", metavar="ID,...", help="Only these rows; see --list.")
@click.option("--list", "listing", is_flag=True, help="Only list the rows.")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, file_okay=False),
    help="Measure nothing: judge and draw the runs in this folder again; with --only, without rewriting its record.",
)
@click.option("--report/--no-report", default=True, help="Draw the figures and write report.html and report.pdf [yes].")
@click.option("--quiet", "-q", is_flag=True, help="No progress, only the table.")
def command(
    out: Path | None, seed: int, cells: int | None, jobs: int | None, only: str, listing: bool, source: Path | None,
    report: bool, quiet: bool,
) -> int:  # fmt: skip
    """Measure every row of Kim et al., Adv. Intell. Syst. 2022, 2200110 that one cell can show, on simulated cells through the
    real driver and the instrument's own language, and print paper against measured.

    The folder gets every run file, paper.json, paper.csv, the paper's figures drawn from our runs, report.html and report.pdf.
    The exit code is 1 if a row is not met or not measured, or a run file is not the one recorded; 130 after Ctrl-C.
    """
    from labctl.paper import session

    rows = tuple(part.strip() for part in only.split(",") if part.strip())
    if listing:
        _list(rows)
        return 0
    if source is not None:
        outcome = session.again(source, rows)
    else:
        about = {"seed": seed, "only": rows, **({"cells": cells} if cells else {})}
        workers = jobs or min(2, os.cpu_count() or 1)
        outcome = _measured(out or Path("runs") / f"{datetime.now():%Y-%m-%dT%H-%M-%S}_paper", workers, quiet, about)
    for line in _printed(outcome):
        click.echo(line)
    if report and not outcome.stopped:
        for path in _reported(outcome, quiet, whole=source is None or not rows):
            click.echo(f"report: {path}")
    return STOPPED if outcome.stopped else FAILED if outcome.failed else 0


def _list(only: Sequence[str]) -> None:
    from labctl.paper import rows, targets

    asked = {target.id: target for target in targets.read().rows}
    for row in rows.chosen(only):
        target = asked[row.id]
        click.echo(f"{row.id:<14}  {target.quantity}: {target.paper}  (runs: {', '.join(row.needs)})")


def _measured(folder: Path, workers: int, quiet: bool, about: dict[str, Any]) -> Outcome:
    """Measure with progress and an orderly Ctrl-C."""
    from labctl.cli.interrupt import Stop
    from labctl.paper import session

    wanted = session.jobs(about["only"], **({"cells": about["cells"]} if "cells" in about else {}))
    with Stop() as stop, _progress(wanted, workers, quiet) as tell:
        return session.reproduce(folder, workers=workers, should_stop=stop, tell=tell, **about)


def _printed(outcome: Outcome) -> Iterator[str]:
    """The table, and where it is kept."""
    from labctl.paper import record, table, work

    for verdict in outcome.verdicts:
        yield from table.brief(verdict)
    yield table.total(outcome.verdicts)
    for file in outcome.changed:
        yield f"not as recorded: {file} differs from its SHA-256 in {record.JSON}"
    runs = sum(len(item.files) for item in outcome.done)
    if lost := sum(item.problem == work.LOST for item in outcome.done):
        yield f"{lost} cells were not measured: {work.LOST}"
    if outcome.stopped:
        yield f"stopped after {len(outcome.done)} cells; what they gave is kept"
    yield f"{runs} run files, {record.JSON} and {record.CSV} in {outcome.folder}"


def _reported(outcome: Outcome, quiet: bool, whole: bool) -> list[Path]:
    """Draw the figures and write both reports; where not the `whole` record is shown again, only the figures of its rows."""
    from labctl.paper import figures
    from labctl.paper import report as reports
    from labctl.report import html, pdf

    if not quiet:
        click.echo("drawing the figures", err=True)
    made = list(figures.make(outcome.taken, outcome.about.rows))
    figures.save(outcome.folder, made, outcome.about.rows)
    if not whole:
        return []
    document = reports.document(outcome, made)
    return [
        writer.write(document, outcome.folder / f"report.{ending}") for writer, ending in ((html, "html"), (pdf, "pdf"))
    ]


# -- progress -------------------------------------------------------------------------------------------------------------
@contextmanager
def _progress(jobs: Sequence[Job], workers: int, quiet: bool) -> Iterator[Callable[[Done], None]]:
    """Tells what is done and about how long the rest takes; the time of a cell is expected as its experiment's cost has it."""
    from labctl.paper.plan import EXPERIMENTS

    total = sum(EXPERIMENTS[job.experiment].cost for job in jobs)
    if quiet:
        yield lambda done: None
    elif sys.stderr.isatty():
        with _bar() as bar:
            task = bar.add_task("paper", total=total, last="", cells=f"0/{len(jobs)}")
            tally = _Tally(len(jobs))
            yield lambda done: bar.update(task, advance=tally.add(done), last=tally.last, cells=tally.cells)
    else:
        yield _Lines(len(jobs), total)


class _Tally:
    """Counts what is done."""

    def __init__(self, jobs: int) -> None:
        self.jobs, self.done, self.last = jobs, 0, ""

    @property
    def cells(self) -> str:
        return f"{self.done}/{self.jobs}"

    def add(self, done: Done) -> float:
        """Count a cell; returns its expected cost."""
        from labctl.paper.plan import EXPERIMENTS

        self.done += 1
        self.last = f"{done.job.experiment}, {done.job.device}"
        return EXPERIMENTS[done.job.experiment].cost


class _Lines:
    """A line now and then, where there is no terminal."""

    def __init__(self, jobs: int, total: float) -> None:
        self.tally, self.total, self.cost = _Tally(jobs), total, 0.0
        self.began = self.said = time.monotonic()

    def __call__(self, done: Done) -> None:
        self.cost += self.tally.add(done)
        now = time.monotonic()
        if now - self.said > EVERY:
            self.said = now
            left = (now - self.began) * (self.total / self.cost - 1)
            click.echo(f"paper: {self.tally.cells} cells, about {left:.0f} s left", err=True)


def _bar() -> Any:
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TextColumn("{task.fields[cells]} cells,"),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[last]}"),
        console=Console(stderr=True),
    )
