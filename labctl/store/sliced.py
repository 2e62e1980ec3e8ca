"""Read the table of a run a part at a time: a file of any length in the memory of its longest cycle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.store import reader
from labctl.store.errors import StoreError
from labctl.store.finding import standing_in
from labctl.store.header import RunHeader
from labctl.store.model import Ending, State
from labctl.store.replay import CHUNK

Table = dict[str, NDArray[Any]]
AT_ONCE = 8 * CHUNK  #: rows read in one go: whole chunks of the file


class SlicedRun:
    """The header of a run and its table, of which only what is asked for is read."""

    def __init__(self, header: RunHeader, ending: Ending, sources: dict[str, Any], rows: int, path: Path) -> None:
        self.header = header
        self.ending = ending
        self.path = path
        self._sources = sources
        self._rows = rows

    def __len__(self) -> int:
        return self._rows

    @property
    def state(self) -> State:
        """ "finished", "aborted", "failed", "died" or "running"."""
        return self.ending.state

    def part(self, start: int, stop: int, names: Sequence[str] | None = None) -> Table:
        """Rows `start` to `stop` of the columns `names`, all by default. Raises StoreError for damage, KeyError for a name."""
        wanted = [column.name for column in self.header.columns] if names is None else names
        try:
            return {name: np.asarray(self._sources[name][start:stop]) for name in wanted}
        except OSError as error:  # a checksum of a chunk that is wrong
            raise StoreError(f"rows {start} to {stop} of the run are damaged ({error})") from error

    def cycles(self, names: Sequence[str] | None = None, key: str = "cycle") -> Iterator[Table]:
        """The table cut where column `key` changes, in order: one cycle at a time, whole; all at once without such a column."""
        rest: Table = {}
        if key not in self._sources:
            if len(self):
                yield self.part(0, len(self), names)
            return
        wanted = None if names is None else list(dict.fromkeys([*names, key]))
        for start in range(0, len(self), AT_ONCE):
            part = self.part(start, min(start + AT_ONCE, len(self)), wanted)
            table = {name: np.concatenate([rest[name], column]) for name, column in part.items()} if rest else part
            cuts = [0, *(np.flatnonzero(np.diff(table[key])) + 1).tolist()]
            for a, b in pairwise(cuts):
                yield {name: column[a:b] for name, column in table.items()}
            rest = {name: column[cuts[-1] :].copy() for name, column in table.items()}  # a copy: the part can be let go
        if rest:
            yield rest


@contextmanager
def open_sliced(path: Path) -> Iterator[SlicedRun]:
    """Open the run at `path` as `store.read` finds it; a journal is read whole. Raises StoreError."""
    found = standing_in(Path(path), pack=True)
    if not reader.is_hdf5(found):
        run = reader.read_as_named(found)
        yield SlicedRun(run.header, run.ending, dict(run.columns), len(run), found)
        return
    with reader.table_as_named(found) as (header, ending, datasets, rows):
        yield SlicedRun(header, ending, datasets, rows, found)
