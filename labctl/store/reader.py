"""Read a run file, or the journal of a run that lives or died, as one and the same Run.

Both are data of unknown origin: nothing in them is imported or executed, and what can't be is refused before it is read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from labctl.store import files, frames, heaps, values
from labctl.store.errors import StoreError
from labctl.store.header import RunHeader, parse_time
from labctl.store.model import CLOSED, OUTCOMES, Ending, Event, Run, Stimulus
from labctl.store.replay import Replay, columns_of

_HDF5 = b"\x89HDF\r\n\x1a\n"  # HDF5 file format specification, section II.A
#: What h5py and the checks raise for a file that is damaged inside, or was made to mislead.
_DAMAGE = (OSError, LookupError, ValueError, RuntimeError, TypeError, AttributeError, ArithmeticError, MemoryError)
_WHY = 300  #: characters of what is wrong with a file
T = TypeVar("T")


def read_as_named(path: Path) -> Run:
    """Read the run file or journal at `path` itself. Raises StoreError."""
    run = _from_hdf5(path, _whole) if is_hdf5(path) else _from_journal(path)
    return dataclasses.replace(run, path=path)


@contextmanager
def table_as_named(path: Path) -> Iterator[tuple[RunHeader, Ending, dict[str, Any], int]]:
    """Header, ending, datasets by column and number of rows of the run file at `path`, open meanwhile. Raises StoreError."""
    import h5py

    with ExitStack() as open_files:
        try:
            heaps.check(path)
            file = open_files.enter_context(h5py.File(path, "r"))
            _check_version(path, file)
            found = _sources(file)
        except StoreError:
            raise
        except _DAMAGE as error:
            raise _damaged(path, error) from error
        yield found


def _sources(file: Any) -> tuple[RunHeader, Ending, dict[str, Any], int]:
    from labctl.store import guard

    header = _header(file)
    entry = guard.group(file, "entry")
    data = guard.group(entry, "data")
    rows = guard.length(data, header.columns[0].name)
    return header, _ending(entry), {c.name: guard.source(data, c.name, c.dtype, rows) for c in header.columns}, rows


def _damaged(path: Path, error: Exception) -> StoreError:
    why = " ".join(str(error).split())[:_WHY] or type(error).__name__
    return StoreError(f"{path} is damaged, not written by labctl, or held by another program ({why})")


def header_as_named(path: Path) -> RunHeader:
    """Only the header of the run file or journal at `path` itself. Raises StoreError."""
    if is_hdf5(path):
        return _from_hdf5(path, _header)
    try:
        with path.open("rb") as file:
            return Replay(file, str(path)).header
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}") from error


def identify(path: Path) -> tuple[str, int]:
    """The run's uuid and the journal's bytes packed into the run file `path`. Raises StoreError."""
    if _first_bytes(path) != _HDF5:
        raise StoreError(f"{path} is not an HDF5 file")
    return _from_hdf5(path, _identity)


def is_hdf5(path: Path) -> bool:
    """Whether `path` is an HDF5 file, and not a journal. Raises StoreError for anything else."""
    start = _first_bytes(path)
    if start == _HDF5:
        return True
    if start and frames.MAGIC.startswith(start[: len(frames.MAGIC)]):
        return False
    if not start:
        raise StoreError(f"{path} is empty{_hint(path)}")
    raise StoreError(f"{path} is neither an HDF5 file nor a journal of labctl")


def _first_bytes(path: Path) -> bytes:
    try:
        files.check_regular(path)
        with path.open("rb") as file:
            return file.read(len(_HDF5))
    except FileNotFoundError:
        raise StoreError(f"{path} does not exist") from None
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}") from error


def _hint(path: Path) -> str:
    journal = path.with_suffix(".jrn")
    return f"; its journal {journal.name} is there: recover it" if journal != path and journal.exists() else ""


# -- a journal ------------------------------------------------------------------------------------------------------------
def _from_journal(path: Path) -> Run:
    try:
        with path.open("rb") as file:
            replay = Replay(file, str(path))
            tables = list(replay.tables())
        held = files.is_held(path)  # after closing it: to Windows our own reading would look like a run under way
    except FileNotFoundError:
        raise StoreError(f"{path} was packed just now; read {path.with_suffix('.h5').name}") from None
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}") from error
    words = np.concatenate([np.empty((len(replay.header.columns), 0), np.int64), *tables], axis=1)
    columns = columns_of(words, replay.header.columns)
    return Run(replay.header, columns, list(replay.stimuli.values()), replay.events, replay.ending(held))


# -- a run file -----------------------------------------------------------------------------------------------------------
def _from_hdf5(path: Path, take: Callable[[Any], T]) -> T:
    import h5py  # here, so that listing and journals need no h5py

    try:
        heaps.check(path)
        with h5py.File(path, "r") as file:
            _check_version(path, file)
            return take(file)
    except StoreError:
        raise
    except _DAMAGE as error:
        raise _damaged(path, error) from error


def _check_version(path: Path, file: Any) -> None:
    from labctl.store import guard
    from labctl.store.pack import FORMAT_VERSION

    if "labctl_format_version" not in file.attrs:
        raise StoreError(f"{path} is an HDF5 file, but not a run file of labctl")
    version = guard.attribute(file, "labctl_format_version", int)
    if not 1 <= version <= FORMAT_VERSION:
        raise StoreError(
            f"{path} has run-file format {version}, this labctl reads up to {FORMAT_VERSION}; update labctl"
        )


def _header(file: Any) -> RunHeader:
    from labctl.store import guard

    process = guard.group(guard.group(file, "entry"), "process")
    return RunHeader.from_json(guard.text(process, "header"), str(file.filename))


def _identity(file: Any) -> tuple[str, int]:
    from labctl.store import guard

    entry = guard.group(file, "entry")
    return guard.text(entry, "experiment_identifier"), guard.attribute(entry, "recovered_bytes", int)


def _whole(file: Any) -> Run:
    from labctl.store import guard

    header = _header(file)
    entry = guard.group(file, "entry")
    data = guard.group(entry, "data")
    rows = guard.length(data, header.columns[0].name)
    columns = {column.name: guard.numbers(data, column.name, column.dtype, rows) for column in header.columns}
    return Run(header, columns, _stimuli(entry), _events(entry), _ending(entry))


def _ending(entry: Any) -> Ending:
    import h5py

    from labctl.store import guard

    heaps.check_attributes(Path(entry.file.filename), h5py.h5o.get_info(entry.id).addr)
    state, end_time = guard.attribute(entry, "end_state", str), guard.text(entry, "end_time")
    if state not in (*CLOSED, "died"):
        raise ValueError(f"a run can't have ended as {state!r}")
    _check_time(end_time)
    return Ending(
        state=state,
        reason=guard.attribute(entry, "end_reason", str),
        traceback=guard.attribute(entry, "traceback", str),
        end_time=end_time,
        duration=guard.attribute(entry, "run_duration", float),
        recovered_bytes=guard.attribute(entry, "recovered_bytes", int),
        lost_bytes=guard.attribute(entry, "lost_bytes", int),
        heartbeat=guard.attribute(entry, "last_heartbeat", str) if "last_heartbeat" in entry.attrs else "",
    )


def _check_time(text: str) -> None:
    try:
        if text:
            parse_time(text, "end_time")
    except StoreError as error:  # which does not name the file
        raise ValueError(str(error)) from None


def _stimuli(entry: Any) -> list[Stimulus]:
    names = [field.name for field in dataclasses.fields(Stimulus)]
    return [_stimulus(dict(zip(names, row, strict=True))) for row in _rows(entry, "stimuli", names)]


def _stimulus(row: dict[str, Any]) -> Stimulus:
    details, others = _mapping(row["details"]), values.loads(row["outcome_details"])
    if row["outcome"] not in ("", *OUTCOMES) or not (others is None or isinstance(others, dict)):
        raise ValueError(f"stimulus {row['id']} has an outcome there is not: {row['outcome']!r}")
    if row["id"] < 1 or row["row"] < 0 or row["outcome_row"] < -1:
        raise ValueError(f"stimulus {row['id']} has a number below what there can be")
    return Stimulus(**{**row, "details": details, "outcome_details": others})


def _events(entry: Any) -> list[Event]:
    rows = _rows(entry, "events", ["kind", "time", "row", "details"])
    return [Event(kind, time, row, _mapping(details)) for kind, time, row, details in rows]


def _mapping(text: str) -> dict[str, Any]:
    found = values.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"details of a note are a {type(found).__name__}, not a mapping")
    return found


_INTEGERS, _TIMES = ("id", "row", "outcome_row"), ("time", "outcome_time")  #: arrays of the notes; the others are texts


def _rows(entry: Any, name: str, names: list[str]) -> Iterator[tuple[Any, ...]]:
    """The arrays of the notes `name`, side by side."""
    from labctl.store import guard

    group = guard.group(entry, name)
    count = guard.length(group, names[0])
    return zip(*(_array(group, item, count) for item in names), strict=True)


def _array(group: Any, name: str, count: int) -> list[Any]:
    from labctl.store import guard

    if name in _INTEGERS + _TIMES:
        return list(guard.numbers(group, name, "int64" if name in _INTEGERS else "float64", count).tolist())
    return guard.texts(group, name, count)
