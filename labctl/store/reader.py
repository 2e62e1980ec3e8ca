"""Read a run file, or the journal of a run that lives or died, as one and the same Run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.store import files, frames, values
from labctl.store.errors import StoreError
from labctl.store.header import RunHeader
from labctl.store.model import Ending, Event, Run, Stimulus
from labctl.store.replay import Replay, columns_of

_HDF5 = b"\x89HDF\r\n\x1a\n"  # HDF5 file format specification, section II.A
#: What h5py raises for a file that is damaged inside.
_DAMAGE = (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError, IndexError)


def read(path: Path) -> Run:
    """Read the run at `path`, a run file (``.h5``) or a journal (``.jrn``), also while it is being written.

    Raises StoreError if it is missing, neither of the two, damaged, or of a newer format.
    """
    path = Path(path)
    start = _first_bytes(path)
    if start == _HDF5:
        run: Run = _from_hdf5(path, _whole)
        return run
    if start and frames.MAGIC.startswith(start[: len(frames.MAGIC)]):
        return _from_journal(path)
    if not start:
        raise StoreError(f"{path} is empty{_hint(path)}")
    raise StoreError(f"{path} is neither an HDF5 file nor a journal of labctl")


def identify(path: Path) -> tuple[str, int]:
    """The run's uuid and the journal's bytes packed into the run file `path`. Raises StoreError."""
    if _first_bytes(path) != _HDF5:
        raise StoreError(f"{path} is not an HDF5 file")
    found: tuple[str, int] = _from_hdf5(path, _identity)
    return found


def _first_bytes(path: Path) -> bytes:
    try:
        files.check_regular(path)
        with path.open("rb") as file:
            return file.read(len(_HDF5))
    except FileNotFoundError:
        raise StoreError(f"{path} does not exist{_hint(path)}") from None
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}") from error


def _hint(path: Path) -> str:
    journal = path.with_suffix(".jrn")
    return f"; its journal {journal.name} is there: recover it" if journal != path and journal.exists() else ""


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


def _from_hdf5(path: Path, take: Any) -> Any:
    import h5py  # here, so that listing and journals need no h5py

    try:
        with h5py.File(path, "r") as file:
            _check_version(path, file.attrs.get("labctl_format_version"))
            return take(file["entry"])
    except StoreError:
        raise
    except _DAMAGE as error:
        raise StoreError(f"{path} is damaged or held by another program ({' '.join(str(error).split())})") from error


def _check_version(path: Path, version: Any) -> None:
    from labctl.store.pack import FORMAT_VERSION

    if version is None:
        raise StoreError(f"{path} is an HDF5 file, but not a run file of labctl")
    if not 1 <= int(version) <= FORMAT_VERSION:
        raise StoreError(
            f"{path} has run-file format {version}, this labctl reads up to {FORMAT_VERSION}; update labctl"
        )


def _whole(entry: Any) -> Run:
    header = RunHeader.from_json(entry["process/header"][()], entry.file.filename)
    columns = {column.name: _native(entry["data"][column.name], column.dtype) for column in header.columns}
    return Run(header, columns, _stimuli(entry["stimuli"]), _events(entry["events"]), _ending(entry))


def _identity(entry: Any) -> tuple[str, int]:
    return _text(entry["experiment_identifier"][()]), int(entry.attrs["recovered_bytes"])


def _native(dataset: Any, dtype: str) -> NDArray[Any]:
    array: NDArray[Any] = dataset[...].astype(dtype, copy=False)
    return array


def _ending(entry: Any) -> Ending:
    attributes = entry.attrs
    return Ending(
        state=attributes["end_state"],
        reason=attributes["end_reason"],
        traceback=attributes["traceback"],
        end_time=_text(entry["end_time"][()]),
        duration=float(attributes["run_duration"]),
        recovered_bytes=int(attributes["recovered_bytes"]),
        lost_bytes=int(attributes["lost_bytes"]),
    )


def _stimuli(group: Any) -> list[Stimulus]:
    names = [field.name for field in dataclasses.fields(Stimulus)]
    return [_stimulus(dict(zip(names, row, strict=True))) for row in _rows(group, names)]


def _stimulus(row: dict[str, Any]) -> Stimulus:
    decoded = {name: values.loads(row[name]) for name in ("details", "outcome_details")}
    return Stimulus(**{**row, **decoded})


def _events(group: Any) -> list[Event]:
    rows = _rows(group, ["kind", "time", "row", "details"])
    return [Event(kind, time, row, values.loads(details)) for kind, time, row, details in rows]


def _rows(group: Any, names: list[str]) -> Iterator[tuple[Any, ...]]:
    """The arrays of a group, side by side."""
    return zip(*(_list(group[name]) for name in names), strict=True)


def _list(dataset: Any) -> list[Any]:
    return [_text(item) if isinstance(item, bytes) else item for item in dataset[...].tolist()]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8")
