"""``labctl recover``: what runs that died left behind, into HDF5 files."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: labctl recover runs")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(paths: tuple[Path, ...]) -> int:
    """Pack journals into HDF5 run files; PATHS are .jrn files, or folders to look for them in."""
    from labctl import store

    journals = [journal for path in paths for journal in (store.orphans(path) if path.is_dir() else [path])]
    for journal in journals:
        click.echo(f"{journal} -> {store.recover(journal)}")
    if not journals:
        click.echo("no journals here: nothing to recover")
    return 0
