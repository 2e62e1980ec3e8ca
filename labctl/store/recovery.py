"""Make a run file of a journal, at the end of a run or after its death, and put it in place without overwriting anything."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import BinaryIO, NoReturn

from labctl.store import files, reader
from labctl.store.errors import EmptyJournal, StoreError
from labctl.store.journal import being_written, journal_of
from labctl.store.model import Ending
from labctl.store.replay import Replay
from labctl.store.shield import shielded

_log = logging.getLogger("labctl.store")
#: Names tried (run.h5, run.1.h5, ...) before giving up; a guess: more means that something else is wrong.
_NAMES = 100


def orphans(folder: Path) -> list[Path]:
    """The journals in `folder` and below that no process is writing, sorted; also what can't be opened: `recover` says why.

    Raises StoreError if there is no folder, or it can't be read.
    """
    return [path for path in _journals(folder) if not _is_alive(path)]


def under_way(folder: Path) -> list[Path]:
    """The journals in `folder` and below that a process is writing now, sorted. Raises StoreError as `orphans` does."""
    return [path for path in _journals(folder) if _is_alive(path) and path.exists()]  # one may just have been packed


def _journals(folder: Path) -> list[Path]:
    folder = Path(folder)
    try:
        os.scandir(folder).close()
    except (FileNotFoundError, NotADirectoryError):
        raise StoreError(f"{folder} is not a folder") from None
    except OSError as error:
        raise StoreError(f"{folder} can't be read: {error.strerror}") from error
    return sorted(path for path in folder.rglob("*.jrn") if path.is_file())


def _is_alive(journal: Path) -> bool:
    try:
        return files.is_held(journal)
    except FileNotFoundError:  # its run ended and was packed while we looked
        return True
    except OSError:
        return False


def recover(journal: Path) -> Path:
    """Pack the journal of a run that died and return the run file.

    Its state is "died" unless the journal holds the run's end. A torn or damaged frame and what follows are left out,
    counted in `lost_bytes`, and the journal is then kept as ``run.jrn.damaged``; else it is removed.
    Raises StoreError if the journal is being written, holds no header, or can't be packed; EmptyJournal, when it has removed
    one without a byte, or with nothing but a part of an earlier run.
    """
    journal = Path(journal)
    try:
        return shielded(lambda stop: _recover(journal, stop))
    except KeyboardInterrupt as error:
        error.add_note(rescue(journal))
        raise


def _recover(journal: Path, stop: Event) -> Path:
    try:
        files.check_regular(journal)
        held = files.is_held(journal)
        source = journal.open("rb")
    except OSError as error:
        raise StoreError(f"{journal} can't be opened: {error.strerror}") from error
    with source:
        if held or not files.hold(source.fileno(), wait=False):
            raise StoreError(f"{being_written(journal)}; end that run first")
        if os.fstat(source.fileno()).st_size == 0:
            _remove(journal, source.close, "held nothing (the program ended before anything was recorded)")
        if _has_nothing_of_its_own(journal):
            _remove(
                journal, source.close, "held nothing of its own (the program ended while it took over an earlier run)"
            )
        return pack_in_place(source, journal, journal.with_suffix(".h5"), source.close, stop)


def _has_nothing_of_its_own(journal: Path) -> bool:
    """Whether the run was to continue another and died before it had taken everything over: a part of the other's notes.

    Whoever took that for a run would send the other's stimuli again. A damaged journal may have had more.
    """
    with journal.open("rb") as file:
        replay = Replay(file, str(journal))
        if not replay.header.resumes:
            return False
        rows = sum(words.shape[1] for words in replay.tables())
        if replay.ending(held=False).lost_bytes:
            return False
        return not replay.header.has_taken_over(rows, len(replay.stimuli), len(replay.events))


def _remove(journal: Path, release: Callable[[], None], why: str) -> NoReturn:
    """Remove a journal in which nothing was recorded: it would block its name, and there is nothing to look at."""
    if os.name == "nt":  # no open file is removed there; elsewhere it goes while it is held (Journal.claim looks)
        release()
    try:
        journal.unlink()
    except OSError as error:
        raise StoreError(f"{journal} {why}, but can't be removed: {error.strerror}") from error
    raise EmptyJournal(f"{journal} {why}; removed")


def rescue(journal: Path) -> str:
    """What to tell whoever has a journal that could not be packed."""
    name = f'"{journal}"' if " " in str(journal) else str(journal)
    return f"the run is safe in {journal}; pack it with: labctl recover {name}"


def pack_in_place(source: BinaryIO, journal: Path, target: Path, release: Callable[[], None], stop: Event) -> Path:
    """Pack the open `journal`, name the result `target` or the next free name, then remove the journal; returns the name.

    release: closes the caller's descriptors of the journal, which Windows wants before it can be removed; stop: once set,
    packing is given up. Raises StoreError, Stopped; the journal is then as it was. To be called through `shielded`.
    """
    try:
        placed, ending = _pack(source, journal, target, stop)
    except (OSError, RuntimeError) as error:  # h5py raises either when the disk is full
        raise StoreError(f"{target} can't be written ({_line(error)}); {rescue(journal)}") from error
    release()
    _retire(journal, ending)
    return placed


def pack_nameless(source: BinaryIO, journal: Path, target: Path, stop: Event) -> Path:
    """Pack an open journal that is not at `journal` any more (deleted, moved, replaced) into `target` or the next free name.

    The folder is made again if it is gone; a file that has the journal's name now is left alone. If that can't be done, the
    journal is copied to where there is room, since closing it may be the end of it: StoreError says where, and why.
    """
    try:
        files.make_folder(target.parent)
        if os.path.lexists(journal):  # another run's, perhaps: then the run file of that name is its
            target = next(name for name in _candidates(target) if name != target and not os.path.lexists(name))
        return _pack(source, journal, target, stop)[0]
    except Exception as error:  # whatever it was, the rows come first
        why = _line(error) or type(error).__name__
        raise StoreError(f"{target} can't be written ({why}); {rescue(_copied(source, journal))}") from error


def _pack(source: BinaryIO, journal: Path, target: Path, stop: Event) -> tuple[Path, Ending]:
    from labctl.store import pack  # here, so that h5py loads when it is needed

    temporary = target.with_suffix(".h5~")  # no longer than the journal's own name
    try:
        uuid, ending = pack.pack(source, journal, temporary, stop)
        placed = _place(temporary, target, uuid, ending)
    finally:
        temporary.unlink(missing_ok=True)
    files.sync_folder(target.parent)
    return placed, ending


def _copied(source: BinaryIO, journal: Path) -> Path:
    """A new file with all of `source`: beside where the journal was, or in the folder for temporary files."""
    refusal: OSError | None = None
    for folder in (journal.parent, Path(tempfile.gettempdir())):
        for run_file in _candidates(folder / journal.with_suffix(".h5").name):
            copy = journal_of(run_file)
            try:
                _copy(source, copy)
            except FileExistsError:
                continue
            except OSError as error:
                refusal = error
                break
            return copy
    raise StoreError(
        f"{journal} lost its name and can't be copied to another ({refusal}); its rows are lost"
    ) from refusal


def _copy(source: BinaryIO, path: Path) -> None:
    source.seek(0)
    with path.open("xb") as target:
        try:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        except BaseException:
            path.unlink()
            raise


def _place(temporary: Path, target: Path, uuid: str, ending: Ending) -> Path:
    """Rename to the first free name; a name already held by this very run (a crash before tidying up) is taken as done."""
    refusal: OSError | None = None
    for candidate in _candidates(target):
        try:
            files.rename_new(temporary, candidate)
        except FileExistsError:
            if _is_same(candidate, uuid, ending):
                return candidate
            continue
        except PermissionError as error:  # Windows: a viewer holds that name
            refusal = error
            continue
        if candidate != target:
            _log.warning("%s is taken; the run was stored as %s", target, candidate)
        return candidate
    raise refusal or FileExistsError(f"no free name from {target.name} to {_NAMES - 1}")


def _candidates(target: Path) -> Iterator[Path]:
    """The name asked for, then numbered ones that no other run has reserved by its journal."""
    yield target
    for number in range(1, _NAMES):
        candidate = target.with_name(f"{target.stem}.{number}{target.suffix}")
        if not journal_of(candidate).exists():
            yield candidate


def _is_same(path: Path, uuid: str, ending: Ending) -> bool:
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
            _keep_damaged(journal)
        else:
            journal.unlink()
    except OSError as error:  # the run file is whole and in place; the next recovery tidies up
        _log.warning("%s is packed but can't be removed: %s", journal, error)


def _keep_damaged(journal: Path) -> None:
    for number in range(_NAMES):
        with contextlib.suppress(FileExistsError):  # of an earlier run that had the name
            files.rename_new(journal, journal.with_name(f"{journal.name}.damaged{f'.{number}' if number else ''}"))
            return
    raise FileExistsError(f"{_NAMES} damaged journals of that name are there")
