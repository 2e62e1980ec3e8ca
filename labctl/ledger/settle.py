"""Bring a ledger and the run files together: runs that ended without saying so, and a ledger made anew."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labctl import store
from labctl.errors import LabctlError
from labctl.ledger.book import MISSING, UNDER_WAY, Ledger, Line, check
from labctl.ledger.errors import DamagedLedger, LedgerError
from labctl.ledger.holders import lives, named
from labctl.ledger.tally import tally
from labctl.store import Run, StoreError
from labctl.store.files import is_held
from labctl.store.header import parse_time
from labctl.store.journal import journal_of


def line_of(ledger: Ledger, run: Run, file: Path, taken: Mapping[str, Any] | None = None) -> Line:
    """The line of a run that has ended; taken: see `tally`. Raises LedgerError for a run file whose notes are no notes."""
    try:
        line = replace(begun(ledger, run.header, file), state=run.state, holder="", use=tally(run, taken))
        if not run.header.has_taken_over(len(run), len(run.stimuli), len(run.events)):
            line = replace(line, continues="")  # it has a part of them and nothing of its own
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise LedgerError(f"{file}: its header can't be understood ({type(error).__name__}: {error})") from error
    check(line)
    return line


def begun(ledger: Ledger, header: store.RunHeader, file: Path) -> Line:
    """The line of a run that begins. A resumed run has the start of its first part, but adds only from its own beginning."""
    skipped = float(header.resumes[-1].get("time", 0.0)) if header.resumes else 0.0
    began = parse_time(header.start_time, "start_time").timestamp() + skipped
    who = f"{named(header.holder)}, {header.procedure} since {header.start_time}"
    return Line(
        header.uuid, ledger.relative(file), header.start_time, began, header.procedure, header.sample, header.simulated,
        "starting", who, continues=" ".join(str(resume.get("uuid", "")) for resume in header.resumes),
    )  # fmt: skip


def settle(ledger: Ledger) -> list[str]:
    """Enter what became of runs that the ledger has as under way or missing; returns what a user should know, a line each.

    A run whose journal nobody writes any more died: it is recovered. One whose file is gone is kept, with what was planned.
    """
    return [words for line in ledger.unsettled() for words in _settled(ledger, line)]


def _settled(ledger: Ledger, line: Line) -> Iterator[str]:
    file = ledger.locate(line)
    try:
        if _is_alive(journal_of(file)):
            return
        found = _find(file, line.uuid)
        if found is not None:
            ledger.put(line_of(ledger, found[1], found[0]))
        elif line.state == "starting":
            if not lives(line.holder):
                ledger.remove(line.uuid)  # its program ended before the run's journal was there: nothing was sent
        else:
            yield f"{line.cell}: the run file {line.file} of {line.procedure} ({line.start}) is missing; all it planned counts"
            if line.state != MISSING:
                ledger.put(replace(line, state=MISSING, holder=""))
    except (StoreError, LedgerError, OSError) as error:
        yield f"{line.cell}: {error}; until it can be read all that {line.procedure} planned counts"


def _is_alive(journal: Path) -> bool:
    try:
        return is_held(journal)
    except FileNotFoundError:
        return False


def _find(file: Path, uuid: str) -> tuple[Path, Run] | None:
    """The run with this uuid: its file, what its journal is packed into, or the file under a number it got then."""
    journal = journal_of(file)
    if journal.exists():
        try:
            file = store.recover(journal)
        except store.EmptyJournal:
            return None
    numbered = sorted(file.parent.glob(f"{glob.escape(file.stem)}.*.h5"))
    for candidate in (file, *numbered):
        if candidate.is_file() and (run := store.read(candidate)).header.uuid == uuid:
            return candidate, run
    return None


# -- a ledger made anew -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did. entered: runs found; kept: lines of the old ledger whose files were not found; words: what went
    wrong, or was left out, a line each; damaged: where the old, unreadable ledger is now."""

    entered: int
    kept: int
    words: list[str]
    damaged: Path | None = None


def rebuild(ledger: Ledger, folder: Path) -> Rebuilt:
    """Enter every run file in `folder` and below, each in place of what the ledger says of it. Raises LedgerError, StoreError.

    Journals of runs that died are recovered first. Runs under way, and lines whose files are not found there, stay as they
    are; a damaged ledger is set aside, and the new one holds what the files say.
    """
    words = _recovered(folder)
    lines = _entered(ledger, folder, words)
    damaged = None
    try:
        old = ledger.lines()
    except DamagedLedger:
        damaged, old = _set_aside(ledger.path), []
    ledger.put(*lines)
    words += settle(ledger)
    kept = {line.uuid for line in old if line.state not in UNDER_WAY} - {line.uuid for line in lines}
    return Rebuilt(len(lines), len(kept), words, damaged)


def _recovered(folder: Path) -> list[str]:
    words = []
    for journal in store.orphans(folder):
        try:
            words.append(f"{journal} -> {store.recover(journal)}")
        except StoreError as error:
            words.append(str(error))
    return words


def _entered(ledger: Ledger, folder: Path, words: list[str]) -> list[Line]:
    """The lines of all runs of named cells; those that were resumed last, when it is known what they took over from others."""
    seen: dict[str, _Found] = {}
    for file in sorted(folder.rglob("*.h5")):
        run = _read(file, words)
        if run is None or not run.header.sample:
            continue
        found = _Found(file, (len(run.stimuli), len(run)))
        if (other := seen.get(run.header.uuid)) is not None:
            more, less = (found, other) if found.size > other.size else (other, found)
            words.append(f"{less.file} is the same run as {more.file}, which has {_than(more, less)}; that one counts")
            if more is other:
                continue
        if not run.header.resumes:
            found.line = _line_or_word(ledger, file, run, {}, words)
        found.resumed = bool(run.header.resumes)
        seen[run.header.uuid] = found
    for found in seen.values():
        if found.resumed and (run := _read(found.file, words)) is not None:
            found.line = _line_or_word(ledger, found.file, run, _taken(run, seen), words)
    return [found.line for found in seen.values() if found.line is not None]


@dataclass
class _Found:
    """A run file of a rebuild. size: how many stimuli and rows it has; resumed: its line is made last."""

    file: Path
    size: tuple[int, int]
    resumed: bool = False
    line: Line | None = None


def _than(more: _Found, less: _Found) -> str:
    if more.size == less.size:
        return "as much in it"
    what, number = ("stimuli", 0) if more.size[0] != less.size[0] else ("rows", 1)
    return f"{more.size[number]} {what} to its {less.size[number]}"


def _taken(run: Run, seen: Mapping[str, _Found]) -> Mapping[str, Any]:
    """What a resumed run took over from the last of its parts that has a line of its own."""
    resumes = [resume for resume in run.header.resumes if isinstance(resume, Mapping)]
    return next((resume for resume in reversed(resumes) if str(resume.get("uuid")) in seen), {})


def _read(file: Path, words: list[str]) -> Run | None:
    try:
        return store.read(file)
    except LabctlError as error:
        words.append(str(error))
        return None


def _line_or_word(ledger: Ledger, file: Path, run: Run, taken: Mapping[str, Any], words: list[str]) -> Line | None:
    try:
        return line_of(ledger, run, file, taken)
    except LedgerError as error:
        words.append(f"{file}: {error}")
        return None


def _set_aside(path: Path) -> Path:
    """Rename a damaged ledger, and the rollback journal that belongs to it."""
    number = next(n for n in range(1, 10_000) if not path.with_name(f"{path.name}.damaged.{n}").exists())
    target = path.with_name(f"{path.name}.damaged.{number}")
    for end in ("-journal", ""):
        source = path.with_name(f"{path.name}{end}")
        if source.exists():
            source.rename(target.with_name(f"{target.name}{end}"))
    return target
