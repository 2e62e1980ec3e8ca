"""``labctl wire``: the conversation with the instruments during a run."""

from __future__ import annotations

import os
import sys
from pathlib import Path, PurePosixPath, PureWindowsPath

import click

from labctl.errors import UsageError
from labctl.quantities import parse


@click.command(epilog="Example: labctl wire runs/my-run.h5 --since 12.5 --grep DO")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--since", metavar="S", help="Only from this many seconds after the start of the run on.")
@click.option("--grep", "text", default="", metavar="TEXT", help="Only messages that contain this text.")
@click.option("--raw", is_flag=True, help="The lines as they are in the file, with the time of day.")
def command(run: Path, since: str | None, text: str, raw: bool) -> int:
    """Print what was said on the wire during RUN: a run file, the journal of a run that is on or died, or a .wire file.

    Each line is the time in seconds since the start of the run (negative before it), the instrument, > for sent, < for
    received, ! for trouble, and the message; what is no printable character is escaped.
    """
    from labctl.logs import entries

    path = run if run.suffix == ".wire" else _wire_of(run)
    start = float("-inf") if since is None else parse(since, "s")
    try:
        for entry in entries(path):
            if not entry.seconds < start and text in entry.text:
                click.echo(entry.line().removesuffix("\n") if raw else _pretty(entry.seconds, *entry[2:]))
    except BrokenPipeError:  # `labctl wire RUN | head`: nobody reads on, and Python shall not flush into it at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _pretty(seconds: float, name: str, direction: str, text: str) -> str:
    return f"{seconds:12.6f} {name} {direction} {text}"


def _wire_of(run: Path) -> Path:
    """The wire log that the run names: a file beside it, whatever else the name in the file says. Raises UsageError."""
    from labctl import store

    name = store.read_header(run).logs.get("wire", "")
    if not name:
        raise UsageError(f"{run} was recorded without a wire log")
    if not is_plain_name(name):
        raise UsageError(f"{run} names {name!r} as its wire log, which is no plain file name; it is not opened")
    return run.with_name(name)


def is_plain_name(name: str) -> bool:
    """Whether `name` is a file's in the same folder, on any system: no folder, drive, stream or device in it."""
    return (
        name.isprintable() and all(_alone(kind, name) for kind in (PurePosixPath, PureWindowsPath)) and ":" not in name
    )


def _alone(kind: type[PurePosixPath] | type[PureWindowsPath], name: str) -> bool:
    return kind(name).name == name and name not in (".", "..")
