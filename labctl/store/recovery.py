"""Make a run file of a journal, at the end of a run or after its death, and put it in place without overwriting anything."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path

from labctl.store import files
from labctl.store.errors import EmptyJournal, StoreError
from labctl.store.model import Ending
from labctl.store.shield import shielded

_log = logging.getLogger("labctl.store")
#: Names tried (run.h5, run.1.h5, ...) before giving up; a guess: more means that something else is wrong.
_NAMES = 100


def journal_of(path_h5: Path) -> Path:
    """Where the journal of a run file lies: beside it, ``.jrn``."""
    return path_h5.with_suffix(".jrn")


def orphans(folder: Path) -> list[Path]:
    """The journals in `folder` and below that no process is writing, sorted. Raises StoreError if there is no folder."""
    if not Path(folder).is_dir():
        raise StoreError(f"{folder} is not a folder")
    return sorted(path for path in Path(folder).rglob("*.jrn") if path.is_file() and not _is_alive(path))


def _is_alive(journal: Path) -> bool:
    try:
        return files.is_held(journal)
    except FileNotFoundError:  # its run ended and was packed while we looked
        return True
    except OSError as error:
        raise StoreError(f"{journal} can't be opened: {error.strerror}") from error


def recover(journal: Path) -> Path:
    """Pack the journal of a run that died and return the run file.

    Its state is "died" unless the journal holds the run's end. A torn or damaged frame and what follows are left out,
    counted in `lost_bytes`, and the journal is then kept as ``run.jrn.damaged``; else it is removed.
    Raises StoreError if the journal is being written, holds no header, or can't be packed.
    """
    journal = Path(journal)
    try:
        if not stat.S_ISREG(journal.stat().st_mode):
            raise StoreError(f"{journal} is not a journal file")
        held = files.is_held(journal)
        source = journal.open("rb")
    except OSError as error:
        raise StoreError(f"{journal} can't be opened: {error.strerror}") from error
    with source:
        if held or not files.hold(source.fileno(), wait=False):
            raise StoreError(f"{journal} is still being written; end that run first")
        if journal.stat().st_size == 0:
            journal.unlink()
            raise EmptyJournal(f"{journal} held nothing (the program ended before anything was recorded); removed")
        return pack_in_place(journal, journal.with_suffix(".h5"), source.close)


def pack_in_place(journal: Path, target: Path, release: Callable[[], None]) -> Path:
    """Pack `journal`, name the result `target` or the next free name, then remove the journal; returns the name.

    release: closes the caller's descriptor of the journal, which Windows wants before it can be removed.
    """
    from labctl.store import pack  # here, so that h5py loads when it is needed

    temporary = target.with_suffix(".tmp")  # no longer than the journal's own name

    def work() -> tuple[Path, Ending]:
        try:
            uuid, ending = pack.pack(journal, temporary)
            placed = _place(temporary, target, uuid, ending)
        finally:
            temporary.unlink(missing_ok=True)
        files.sync_folder(target.parent)
        return placed, ending

    try:
        placed, ending = shielded(work)
    except (OSError, RuntimeError) as error:  # h5py raises either when the disk is full
        what = f"{target} can't be written ({_line(error)})"
        raise StoreError(f"{what}; the run is safe in {journal}: free space, then labctl recover {journal}") from error
    release()
    _retire(journal, ending)
    return placed


def _place(temporary: Path, target: Path, uuid: str, ending: Ending) -> Path:
    """Rename to the first free name; a name already held by this very run (a crash before tidying up) is taken as done."""
    refusal: OSError | None = None
    for number in range(_NAMES):
        candidate = target.with_name(f"{target.stem}.{number}{target.suffix}") if number else target
        try:
            files.rename_new(temporary, candidate)
        except FileExistsError:
            if _is_same(candidate, uuid, ending):
                return candidate
            continue
        except PermissionError as error:  # Windows: a viewer holds that name
            refusal = error
            continue
        if number:
            _log.warning("%s is taken; the run was stored as %s", target, candidate)
        return candidate
    raise refusal or FileExistsError(f"no free name from {target.name} to {_NAMES - 1}")


def _is_same(path: Path, uuid: str, ending: Ending) -> bool:
    from labctl.store import reader

    try:
        found = reader.identify(path)
    except StoreError:  # not a run file of ours: just a name that is taken
        return False
    return found == (uuid, ending.recovered_bytes)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _retire(journal: Path, ending: Ending) -> None:
    """Remove the packed journal; keep one with bytes that could not be read, under a name recovery does not look at."""
    try:
        if ending.lost_bytes:
            os.replace(journal, journal.with_name(journal.name + ".damaged"))
        else:
            journal.unlink()
    except OSError as error:  # the run file is whole and in place; the next recovery tidies up
        _log.warning("%s is packed but can't be removed: %s", journal, error)
