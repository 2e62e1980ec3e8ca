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
            _recover(journal)
        except store.EmptyJournal as empty:
            click.echo(str(empty))
        except store.StoreError as error:
            bad += 1
            click.echo(f"labctl: {error}", err=True)
    written = [journal for path in paths if path.is_dir() for journal in store.under_way(path)]
    for journal in written:
        click.echo(store.being_written(journal))
    if not journals and not written:
        click.echo("no journals here: nothing to recover")
    return 1 if bad else 0


def recover_dead(folder: Path) -> None:
    """Pack what earlier runs of this machine left in `folder`, a line or two each; trouble with them is said and no more.

    Journals of other machines are left alone: on a network disk nobody here can tell whether they are being written.
    """
    from labctl import store

    for journal in sorted(folder.glob("*.jrn")) if folder.is_dir() else ():
        try:
            if store.is_dead(journal):
                _recover(journal, "labctl: an earlier run died: ", err=True)
        except store.StoreError as error:
            click.echo(f"labctl: {error}", err=True)


def _recover(journal: Path, prefix: str = "", err: bool = False) -> None:
    """Pack one journal, and say where it is now and how its run is continued. Raises StoreError."""
    from labctl import store
    from labctl.cli.advice import how_to_continue

    path = store.recover(journal)
    click.echo(f"{prefix}{journal} -> {path}", err=err)
    for line in how_to_continue(store.read(path), path):
        click.echo(f"labctl: {line}" if err else line, err=err)
