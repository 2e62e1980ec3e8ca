"""Measured values and who writes them down: readings, blocks of rows, extracted numbers, the recorder."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Status(enum.IntFlag):
    """What an instrument says about one reading; stored as an integer in the column ``status``."""

    NORMAL = 0
    COMPLIANCE = 1  #: the current was limited, by this channel or, with OTHER_COMPLIANCE, by another
    OTHER_COMPLIANCE = 2  #: another channel of the test was at its compliance
    OSCILLATION = 4
    OVERFLOW = 8  #: the A/D converter was saturated
    TOO_FAST = 16  #: the measurement did not fit into the interval
    PROVISIONAL = 32  #: read live; the instrument's own status was never fetched (the run ended before)
    LOAD_LINE = 128  #: the pulse card could not correct the voltage for what its output resistance takes
    THRESHOLD = 256  #: the pulse card stopped at a threshold of current, voltage or power
    SKIPPED = 512  #: the pulse was not applied
    INVALID = 64  #: no number (unmapped channel, sentinel value), or the output was not where it was told to be


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured value, SI, with the instrument's verdict on it."""

    value: float
    status: Status = Status.NORMAL


@dataclass(frozen=True)
class Block:
    """Rows that belong together: equally long 1-D arrays by column name (n >= 1 rows).

    A provisional block holds rows read live, before the instrument has given its status. The next block of the same test
    that is not provisional *replaces* them; if none comes before the test's note is closed or the next one is written (the
    test failed, the run died), they are kept with `Status.PROVISIONAL`.
    """

    columns: Mapping[str, NDArray[Any]]
    provisional: bool = False

    def __post_init__(self) -> None:
        try:
            shapes = {column.shape for column in self.columns.values()}
        except AttributeError:
            kinds = {name: type(column).__name__ for name, column in self.columns.items()}
            raise ValueError(f"the columns of a block must be NumPy arrays, not {kinds}") from None
        if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
            found = {name: column.shape for name, column in self.columns.items()}
            raise ValueError(f"the columns of a block must be 1-D and equally long, not {found}")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def with_columns(self, **values: Any) -> Block:
        """The same rows with further columns; a scalar is repeated for every row."""
        rows = len(self)
        extra = {name: np.full(rows, value) for name, value in values.items()}
        return Block({**self.columns, **extra}, self.provisional)


@dataclass(frozen=True)
class Extracted:
    """A number drawn from rows, with its definition.

    uncertainty: standard uncertainty in the unit of the value, NaN where none can be given; rows: those it rests on, places in
    the arrays given (a range where they are many); interval: ends of the 95 % confidence interval, NaN where none is stated
    (an end may be infinite: a bound on one side); excluded: rows left out because their status is not normal; method: which
    definition in which version, as "V_set/steepest@1" (see `labctl.analysis.methods`).
    """

    name: str
    value: float
    unit: str
    uncertainty: float
    definition: str
    rows: Sequence[int] = ()
    interval: tuple[float, float] = (math.nan, math.nan)
    excluded: int = 0
    method: str = ""


@dataclass(frozen=True)
class Series:
    """One quantity over the cycles (or cells) of a run: what a distribution is made of.

    cycles: shape (n,), the number of each; values: shape (n,), in `unit`, NaN where the cycle shows none; censored: shape (n,),
    True where the value is only a bound (the quantity is beyond it, away from 0: the cell did not switch up to there);
    definition, method, excluded: as of `Extracted`. lower, upper: shape (n,), the ends of what each value may be, where it is
    known to a step only (the two levels between which a cell switched; both equal the value where it is not, or is a bound);
    None: each is what it is.
    """

    name: str
    unit: str
    cycles: NDArray[np.int64]
    values: FloatArray
    censored: NDArray[np.bool_]
    definition: str
    method: str = ""
    excluded: int = 0
    lower: FloatArray | None = None
    upper: FloatArray | None = None

    def __post_init__(self) -> None:
        if not self.cycles.shape == self.values.shape == self.censored.shape or self.values.ndim != 1:
            shapes = (self.cycles.shape, self.values.shape, self.censored.shape)
            raise ValueError(f"cycles, values and censored of a series must be 1-D and equally long, not {shapes}")
        if any(end is not None and end.shape != self.values.shape for end in (self.lower, self.upper)):
            raise ValueError("lower and upper of a series must be as long as its values")
        if (self.lower is None) != (self.upper is None):
            raise ValueError("a series has both lower and upper ends of its values, or neither")


class Recorder(Protocol):
    """Where stimuli are written down *before* they are sent (the run's journal)."""

    def stimulus(self, kind: str, details: Mapping[str, Any]) -> int:
        """Note what is about to be applied; returns the note's number.

        It is on the disk when this returns; on a simulated bench it has left this process.
        """
        ...

    def outcome(self, note: int, outcome: str, details: Mapping[str, Any] | None = None) -> None:
        """Close note `note`: "done", "aborted" or "failed"; a note never closed means "unknown whether applied"."""
        ...

    def event(self, kind: str, details: Mapping[str, Any]) -> None:
        """Anything else worth keeping with the run (forming detected, instrument warning)."""
        ...


class NoRecorder:
    """A recorder for scripts and tests that keep no journal."""

    def stimulus(self, kind: str, details: Mapping[str, Any]) -> int:
        return 0

    def outcome(self, note: int, outcome: str, details: Mapping[str, Any] | None = None) -> None:
        return None

    def event(self, kind: str, details: Mapping[str, Any]) -> None:
        return None
