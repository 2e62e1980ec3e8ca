"""``labctl export``: run files in the formats of other programs."""

from __future__ import annotations

from pathlib import Path

import click

from labctl.errors import UsageError
from labctl.exports import FORMATS

_LIST = "\n".join(f"  {name:<16}{words}" for name, (_, words) in FORMATS.items())


@click.command(
    epilog="Examples: labctl export runs/my-run.h5 --to csv\n\n  labctl export runs/pd.h5 --to aihwkit --out for-aihwkit",
    help=f"Write run FILES (.h5, or the .jrn of a run that is on or died) in another program's format.\n\n\b\n{_LIST}",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Choice(list(FORMATS)), metavar="FORMAT", help="One of those above.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="A folder, or for a single run a file's name [beside each run file].",
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
def command(files: tuple[Path, ...], to: str, out: Path | None, force: bool) -> int:
    from labctl import exports, store
    from labctl.logs.lines import visible

    if out is not None and out.suffix and not out.is_dir() and len(files) > 1:
        raise UsageError(f"--out {out} names one file, but there are {len(files)} runs; give a folder")
    for done in exports.write_all(map(store.read, files), to, out, force):
        for name in done.paths:
            click.echo(visible(str(name)))
        for note in done.notes:
            click.echo(visible(f"  note: {note}"))
    return 0
