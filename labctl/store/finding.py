"""Find the run that a name means, whether it is packed already, died, or is under way."""

from __future__ import annotations

import logging
import platform
from pathlib import Path

from labctl.store import files
from labctl.store.errors import EmptyJournal, StoreError
from labctl.store.header import RunHeader
from labctl.store.journal import journal_of
from labctl.store.model import Run
from labctl.store.reader import header_as_named, read_as_named
from labctl.store.recovery import recover

_log = logging.getLogger("labctl.store")


def read(path: Path) -> Run:
    """Read the run at `path`, a run file (``.h5``) or a journal (``.jrn``), also while it is being written.

    Where only the journal of a run file is there, it is read; if its run died, it is first packed into the run file. Where only
    the run file of a journal is there, that is read.
    Raises StoreError if it is missing, neither of the two, damaged, or of a newer format.
    """
    return read_as_named(standing_in(Path(path), pack=True))


def read_header(path: Path) -> RunHeader:
    """Only the header of the run at `path`, as `read` finds it; nothing is packed. Raises StoreError."""
    return header_as_named(standing_in(Path(path), pack=False))


def is_dead(journal: Path) -> bool:
    """Whether the run of `journal` is over: no process writes it, and it was not begun on another machine.

    Of a journal on a network disk only the machine that writes it knows for sure that it is being written. Raises StoreError.
    """
    try:
        files.check_regular(journal)
        if files.is_held(journal):
            return False
        empty = journal.stat().st_size == 0
    except OSError as error:
        raise StoreError(f"{journal} can't be opened: {error.strerror}") from error
    return empty or header_as_named(journal).holder.get("host", "") in ("", platform.node())


def standing_in(path: Path, pack: bool) -> Path:
    """The file to read for `path`: itself, or its journal, or what that is packed into, where only the journal is there."""
    try:
        there = path.lstat() is not None
    except FileNotFoundError:
        there = False
    except (OSError, ValueError) as error:  # too long, with a zero byte, beyond a file
        raise StoreError(f"{str(path)[:80]!r} can't be read: {getattr(error, 'strerror', None) or error}") from None
    if path.suffix == ".jrn" and not there and (packed := path.with_suffix(".h5")).is_file():
        return packed  # somebody packed it meanwhile
    if path.suffix != ".h5" or there or not (journal := journal_of(path)).is_file():
        return path
    return _packed(path, journal) if pack and is_dead(journal) else journal


def _packed(path: Path, journal: Path) -> Path:
    try:
        made = recover(journal)
    except EmptyJournal:
        return path
    except StoreError as error:  # a folder nobody may write into: the journal says the same as the file would
        _log.warning("%s", error)
        return journal
    _log.warning("%s: its program died; packed as %s", journal, made.name)
    return made
