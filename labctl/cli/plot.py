"""``labctl plot``: pictures of run files, ready to print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.errors import UsageError

if TYPE_CHECKING:
    from labctl.store import Run


@click.command(epilog="Example: labctl plot runs/my-run.h5 --kind iv --out figure-1.pdf")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--kind", default="", help="What to draw [the first of --list that all FILES can give].")
@click.option(
    "--out", type=click.Path(path_type=Path), help="A .png, .svg or .pdf file [RUN.KIND.png beside the first of FILES]."
)
@click.option(
    "--list", "listing", is_flag=True, help="Only say what can be drawn of FILES; without FILES, all there is."
)
@click.option(
    "--size", type=click.Choice(["single", "double"]), help="Width: one or two columns of a journal [as fits]."
)
@click.option("--title/--no-title", default=True, help="With a title above [yes].")
@click.option("--scale", default="linear", help="Of kind cdf: linear, normal, lognormal or weibull [linear].")
@click.option(
    "--quantity", multiple=True, metavar="NAME", help="Of kinds cdf and cycles: only this; may be given more than once."
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def command(
    files: tuple[Path, ...],
    kind: str,
    out: Path | None,
    listing: bool,
    size: str | None,
    title: bool,
    scale: str,
    quantity: tuple[str, ...],
    force: bool,
) -> int:
    """Draw FILES (.h5, or the .jrn of a run that is on or died) as one picture for print: fonts, widths and units are set.
    Of several FILES those that can't give the picture are left out, and named.

    Several FILES share the axes where that makes sense, and have a panel each elsewhere. What a caption must say (how many,
    what was left out, by which definition) is printed. The picture carries the run's identifier and this command.
    """
    from labctl import outputs, store
    from labctl.report import plots

    if listing:
        _print(_listed([store.read(path) for path in files]))
        return 0
    if not files:
        raise UsageError(
            "give the run files to draw, e.g. labctl plot runs/my-run.h5; labctl plot --list says what there is"
        )
    runs, left_out = plots.able([store.read(path) for path in files], kind)
    chosen = kind or plots.best(runs)
    path = out or _beside(files[0], chosen)
    outputs.check_free(path, force, files)
    options = plots.Options(scale, quantity)
    saved = plots.save(runs, path, chosen, size=size, title=title, options=options)  # type: ignore[arg-type]
    _print([f"picture: {saved.path}", saved.caption, *left_out])
    return 0


def _beside(file: Path, kind: str) -> Path:
    """The picture's name where none is given."""
    return file.with_name(f"{file.stem}.{kind}.png")


def _listed(runs: Sequence[Run]) -> Iterator[str]:
    """What each run can give, or every kind there is."""
    from labctl.report import plots

    known = plots.every()
    wide = max(map(len, known)) + 2
    if not runs:
        yield from (f"{name:<{wide}}{kind.words}" for name, kind in known.items())
    for run in runs:
        yield f"{run.path}: {run.header.procedure}, {len(run)} rows, {run.state}"
        able = plots.kinds_for(run)
        yield from (f"  {name:<{wide}}{known[name].words}" for name in able)
        yield from (f"  {name:<{wide}}no: {plots.lacks(known[name], run)}" for name in known if name not in able)


def _print(lines: Sequence[str] | Iterator[str]) -> None:
    """Print what may come from a file of anybody: its letters, but nothing that moves a cursor."""
    from labctl.logs.lines import visible

    for line in lines:
        click.echo(visible(line))
