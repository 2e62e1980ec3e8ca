"""A run's rows as the bytes of a journal: column after column, 8 bytes a value, nothing lost by the cast."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import Block
from labctl.quantities import Column
from labctl.store.errors import StoreError

_WORD = 8  # bytes a value takes
#: What a row may hold without a second look: `struct` would take anything that has __float__, and drop an imaginary part.
PLAIN = frozenset({float, int, bool, np.float64, np.float32, np.int64, np.int32, np.bool_})
_bytes = np.ndarray.tobytes  #: as a function: what a subclass makes of it (masked arrays fill in values) is not asked


class Table:
    """The columns of a run as they are written.

    wire: their names and types in the header's order; row: bytes of one row; kinds: struct's letter for each column; values:
    takes the values of all columns out of a mapping, as a tuple (KeyError if one is missing).
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.wire = {column.name: np.dtype(column.dtype).newbyteorder("<") for column in columns}
        self.row = _WORD * len(self.wire)
        self.kinds = "".join("q" if wire.kind == "i" else "d" for wire in self.wire.values())
        self.values = _getter(list(self.wire))
        # NumPy has one object for each native dtype: a column with that very object needs no cast (unless big-endian)
        self._dtypes = [(name, np.dtype(wire.name) if wire.isnative else None) for name, wire in self.wire.items()]

    def payload(self, columns: Mapping[str, NDArray[Any]]) -> bytes:
        """The bytes of equally long columns. Raises StoreError as RunWriter.append says."""
        cast = self._cast
        if len(columns) != len(self.wire):
            raise StoreError(self.misfit(columns))
        try:
            return b"".join([_bytes(c) if (c := columns[n]).dtype is t else cast(c, n) for n, t in self._dtypes])
        except KeyError:
            raise StoreError(self.misfit(columns)) from None

    def misfit(self, given: Mapping[str, Any]) -> str:
        """Say which columns are missing or too many."""
        missing, unknown = self.wire.keys() - given.keys(), given.keys() - self.wire.keys()
        parts = [f"lacks column {', '.join(map(repr, sorted(missing)))}"] if missing else []
        parts += [f"has column {', '.join(map(repr, sorted(unknown)))} unknown to the run"] if unknown else []
        return f"a block {' and '.join(parts)}"

    def _cast(self, given: NDArray[Any], name: str) -> bytes:
        """The values of column `name` as bytes of its 8-byte type."""
        array, wire = np.asarray(given), self.wire[name]
        if array.dtype == wire:
            return array.tobytes()
        if array.dtype.kind not in "iufb":
            raise StoreError(f"column {name!r} must be {wire.name}; {array.dtype} can't be cast to it")
        with np.errstate(invalid="ignore"):  # NaN to an integer is found by the comparison
            cast = array.astype(wire)
        if wire.kind == "i" and not np.array_equal(cast, array):
            raise StoreError(f"column {name!r} must be int64, but holds values that are no 64-bit integers")
        return cast.tobytes()


def block_of(values: Mapping[str, Any]) -> Block:
    """One row as a block."""
    return Block({name: np.array([value]) for name, value in values.items()})


def _getter(names: list[str]) -> Callable[[Mapping[str, float]], tuple[float, ...]]:
    if len(names) == 1:
        return lambda values: (values[names[0]],)
    return itemgetter(*names)
