"""``labctl analyze``: every number of run files, one definition beside the other."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labctl.errors import UsageError

if TYPE_CHECKING:
    from labctl.contracts import Extracted
    from labctl.report.numbers import Numbers
    from labctl.store import SlicedRun

LONG = 200_000  #: rows that take more than a moment


@click.command(epilog="Example: labctl analyze runs/my-run.h5 --only 'V_*' --save")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--only", default="*", metavar="PATTERN", help="Quantities to show, e.g. 'V_*' [all].")
@click.option("--definitions", is_flag=True, help="With the definition of every number.")
@click.option("--statistics", is_flag=True, help="With the distributions over cycles: fits, intervals, goodness.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON instead of a table: an object, of several files a list of them."
)
@click.option("--save", is_flag=True, help="Keep the numbers beside each run file, as NAME.analysis.json.")
@click.option("--methods", is_flag=True, help="List every definition there is, with its version.")
def command(files: tuple[Path, ...], methods: bool, **wanted: Any) -> int:
    """Analyse FILES by today's definitions, and say what an analysis kept beside a file gave otherwise.

    A number is marked with the definition it was found by and the version of that, e.g. V_set/current-threshold@1; what rows
    with a flag (compliance, overflow, load line) would say is left out and counted.
    """
    if methods:
        click.echo("\n".join(_methods()))
        return 0
    if not files:
        raise UsageError(
            "name run files to analyse, e.g. labctl analyze runs/*.h5 (or --methods, to list the definitions)"
        )
    as_json, failed = wanted["as_json"] and len(files) > 1, 0
    for number, path in enumerate(files):
        if number or as_json:
            click.echo(("[" if not number else ",") if as_json else "")
        failed += _file(path, **wanted)
    if as_json:
        click.echo("]")
    return 1 if failed else 0


def _file(path: Path, only: str, definitions: bool, statistics: bool, as_json: bool, save: bool) -> bool:
    """Say the numbers of one file; returns whether there were none because something is wrong."""
    from labctl import store
    from labctl.report import kept, numbers, spread

    with store.open_sliced(path) as run:
        with _progress(path.name, len(run)) as passed:
            found = numbers.of(run, passed)
        more = spread.statistics(found.series) if statistics else []
        text, beside, title = kept.to_json(run, found, more), kept.kept_path(run.path), _title(run)
    if as_json:
        click.echo(text)
    else:
        _say([f"{path}: {title}", *_table(replace(found, found=(*found.found, *more)), only, definitions)])
    if beside.exists():
        lines = kept.changes(kept.earlier(beside), found.found)
        said = (
            [f"{beside.name} says the same"]
            if not lines
            else [f"{beside.name} said otherwise:", *(f"  {x}" for x in lines)]
        )
        _say(said, err=as_json)
    if save and not found.problem:
        from labctl.outputs import write_whole

        _say([f"kept in {write_whole(beside, text.encode())}"], err=as_json)
    return bool(found.problem)


@contextmanager
def _progress(name: str, rows: int) -> Iterator[Callable[[int], None]]:
    """A bar with the time left, where the run is long and somebody looks."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=rows < LONG) as bar:
        task = bar.add_task(f"analysing {name}", total=rows)
        yield lambda passed: bar.advance(task, passed)


def _title(run: SlicedRun) -> str:
    head = run.header
    what = head.sample or (f"simulated {head.device}" if head.simulated else head.station)
    return f"{head.procedure}, {what}, {run.state}, {len(run)} rows"


def _table(found: Numbers, only: str, definitions: bool) -> Iterator[str]:
    from labctl.report import numbers, text

    items = [item for item in found.found if fnmatch.fnmatchcase(item.name, only)]
    rows = [(item.name, text.value(item), numbers.interval(item), item.method, _left_out(item)) for item in items]
    yield from (
        f"  {line}" for line in _aligned([("quantity", "value", "95 %", "method", ""), *rows], items, definitions)
    )
    if found.problem:
        yield f"  {found.problem}"
    elif not items:
        yield f"  nothing is called {only!r}" if only != "*" else "  this recipe extracts nothing"


def _aligned(rows: Sequence[Sequence[str]], items: Sequence[Extracted], definitions: bool) -> Iterator[str]:
    if len(rows) == 1:
        return
    wide = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for number, row in enumerate(rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip()
        if definitions and number:
            yield f"    {items[number - 1].definition}"


def _left_out(item: Extracted) -> str:
    return f"{item.excluded} rows left out" if item.excluded else ""


def _methods() -> Iterator[str]:
    """The mark of every method, and the first line of what it does."""
    from labctl.analysis.methods import every

    wide = max((len(item.mark) for item in every()), default=0)
    for item in every():
        yield f"{item.mark:<{wide}}  {item.words.partition(chr(10))[0]}"


def _say(lines: Sequence[str], err: bool = False) -> None:
    """Print what comes from a file of anybody's: nothing in it moves a cursor."""
    from labctl.logs.lines import visible

    click.echo("\n".join(map(visible, lines)), err=err)
