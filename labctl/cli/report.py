"""``labctl report``: runs as one self-contained HTML file or PDF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from labctl.errors import UsageError

ENDINGS = {".html", ".pdf"}


@click.command(epilog="Example: labctl report runs/*.h5 --out W12.html --title 'Wafer 12, first look'")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    multiple=True,
    type=click.Path(path_type=Path),
    help="An .html or .pdf file; may be given twice [report.html].",
)
@click.option("--title", default="", help="Title of the report.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def command(files: tuple[Path, ...], out: tuple[Path, ...], title: str, force: bool, quiet: bool) -> int:
    """Report on FILES (.h5, or .jrn): what was run on what, end states, numbers with definition and uncertainty, pictures,
    provenance and hashes, and for every picture the command that draws it again.

    The HTML file needs nothing beside it and fetches nothing.
    """
    from labctl import outputs, store
    from labctl.report import build, html, pdf

    paths = out or (Path("report.html"),)
    for path in paths:
        if path.suffix.lower() not in ENDINGS:
            raise UsageError(f"--out {path}: a report ends in {' or '.join(sorted(ENDINGS))}")
        outputs.check_free(path, force, files)
    runs = [(path, store.read(path)) for path in files]
    made = build.document([(run.path or path, run) for path, run in runs], title, _progress(quiet, len(files)))
    for path in paths:
        writer = html if path.suffix.lower() == ".html" else pdf
        click.echo(f"report: {writer.write(made, path)}")
    return 0


def _progress(quiet: bool, files: int) -> Callable[[str], None]:
    """What says what is being done: a line a step, nothing for one file or where it is not wanted."""
    if quiet or files < 2:
        return lambda what: None
    return lambda what: click.echo(f"  {what}", err=True)
