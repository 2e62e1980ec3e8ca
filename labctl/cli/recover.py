"""``labctl recover``: what runs that died left behind, into HDF5 files."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: labctl recover runs")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(paths: tuple[Path, ...]) -> int:
    """Pack journals into HDF5 run files; PATHS are .jrn files, or folders to look for them in.

    One that can't be packed is reported and the others are packed all the same; the exit code is then 1.
    """
    from labctl import store

    journals = [journal for path in paths for journal in (store.orphans(path) if path.is_dir() else [path])]
    bad = 0
    for journal in journals:
        try:
            click.echo(f"{journal} -> {store.recover(journal)}")
        except store.EmptyJournal as empty:
            click.echo(str(empty))
        except store.StoreError as error:
            bad += 1
            click.echo(f"labctl: {error}", err=True)
    if not journals:
        click.echo("no journals here: nothing to recover")
    return 1 if bad else 0


def recover_dead(folder: Path) -> None:
    """Pack what earlier runs of this machine left in `folder`, one line each; trouble with them is said and no more than that.

    Journals of other machines are left alone: on a network disk nobody here can tell whether they are being written.
    """
    from labctl import store

    for journal in sorted(folder.glob("*.jrn")) if folder.is_dir() else ():
        try:
            if store.is_dead(journal):
                click.echo(f"labctl: an earlier run died: {journal} -> {store.recover(journal)}", err=True)
        except store.StoreError as error:
            click.echo(f"labctl: {error}", err=True)
