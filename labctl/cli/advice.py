"""What a person can do with a run that ended before its time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from labctl import plugins

if TYPE_CHECKING:
    from labctl.store import Run


def how_to_continue(run: Run, path: Path, station_file: Path | None = None) -> Iterator[str]:
    """Yield the line that says how `run`, stored as `path`, is continued; nothing where it can't be, or need not be.

    station_file: of its station, where that is known.
    """
    if _can_go_on(run):
        station = "" if run.header.simulated else f" --station {quoted(station_file or Path('FILE'))}"
        yield f"continue it with: labctl resume {quoted(path)}{station}"


def quoted(path: Path) -> str:
    """A path as it is written on a command line."""
    return f'"{path}"' if " " in str(path) else str(path)


def _can_go_on(run: Run) -> bool:
    from labctl import resume

    if not len(run) and not run.stimuli:  # nothing was done: it is simply run again
        return False
    if run.header.procedure not in plugins.names("procedures"):
        return False
    if run.header.simulated and not run.header.setup.get("config"):  # its cell had a history, which no file tells
        return False
    try:
        resume.check(run)
    except resume.ResumeError:
        return False
    return True
