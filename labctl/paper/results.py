"""What is measured: numbers with an uncertainty that says what it is of, and counts. No number of the paper is known here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from labctl.analysis.statistics import intervals
from labctl.contracts import FloatArray

NAN = math.nan
EFFICIENCY = math.sqrt(math.pi / 2)  #: standard error of a median over that of a mean, for normal values


@dataclass(frozen=True)
class Quantity:
    """One number: value and standard uncertainty in `unit`, NaN where there is none.

    of: what the uncertainty is of; interval: 95 %; each: the values it is made of, one a cell, NaN for a cell without one;
    nominal: the same of the nominal cell, NaN where it was not measured or shows none; cell: what the value is of where it is
    not the drawn cells ("nominal cell").
    """

    value: float
    unit: str = ""
    uncertainty: float = NAN
    of: str = ""
    interval: tuple[float, float] = (NAN, NAN)
    each: tuple[float, ...] = ()
    nominal: float = NAN
    cell: str = ""

    @property
    def found(self) -> int:
        """How many cells have a value."""
        return sum(math.isfinite(value) for value in self.each)


@dataclass(frozen=True)
class Count:
    """How many of how many; of: what is counted ("cells", "cycles of 8 cells")."""

    hits: int
    total: int
    of: str

    @property
    def share(self) -> float:
        """Hits over total, NaN for none of none."""
        return self.hits / self.total if self.total else NAN


Steps = tuple[tuple[str, Quantity], ...]  #: quantities in the order of what was changed, each with its name


@dataclass(frozen=True)
class Measurement:
    """What was found for one row of the paper.

    words: what was done and how the numbers are defined; quantities, steps and counts by name; files: the run files they come
    from, relative to the folder of the run; method: marks of the definitions; problem: why there are no numbers, "" where
    there are.
    """

    id: str
    words: str
    quantities: Mapping[str, Quantity] = field(default_factory=dict)
    steps: Mapping[str, Steps] = field(default_factory=dict)
    counts: Mapping[str, Count] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    method: str = ""
    problem: str = ""


def median(each: Sequence[float], unit: str = "", nominal: float = NAN, of: str = "cells") -> Quantity:
    """The median of one value a cell, with the standard error of a median of normal values and its 95 % interval.

    The interval is that of order statistics, right whatever the distribution. Cells without a value are left out; they are in
    `each`, so that their number shows.
    """
    values: FloatArray = np.array([value for value in each if math.isfinite(value)])
    kept = tuple(float(value) for value in each)
    if not values.size:
        return Quantity(NAN, unit, of=f"no {of} with a value, of {len(kept)}", each=kept, nominal=nominal)
    error = EFFICIENCY * float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else NAN
    words = f"standard error of the median of {values.size} {of}" if values.size > 1 else "one value, no uncertainty"
    if values.size < len(kept):
        words += f" of {len(kept)}, the others show none"
    return Quantity(float(np.median(values)), unit, error, words, intervals.quantile(values), kept, nominal)


def mean_of(found: Sequence[float]) -> float:
    """The mean of the finite ones of some numbers, NaN for none."""
    values = [value for value in found if math.isfinite(value)]
    return float(np.mean(values)) if values else NAN


def geometric(found: Sequence[float]) -> float:
    """The geometric mean of the finite positive ones of some numbers, NaN for none."""
    return math.exp(mean_of([math.log(value) for value in found if math.isfinite(value) and value > 0]))


def counted(flags: Sequence[bool], of: str) -> Count:
    """How many of some flags are true."""
    return Count(sum(map(bool, flags)), len(flags), of)


def on_nominal(rounds: Sequence[float], each: Sequence[float], unit: str = "", log: bool = False) -> Quantity:
    """A quantity of the nominal cell: mean over its rounds and their standard deviation; each: the same of the drawn cells.

    log: the geometric mean, without an uncertainty, of a ratio that spans decades.
    """
    values = [value for value in rounds if math.isfinite(value) and not (log and value <= 0)]
    value = geometric(values) if log else mean_of(values)
    error = float(np.std(values, ddof=1)) if len(values) > 1 and not log else NAN
    of = "nominal cell" if math.isnan(error) else f"nominal cell, standard deviation of its {len(values)} rounds"
    drawn = [item for item in each if math.isfinite(item)]
    if drawn:
        of += f"; {len(drawn)} drawn cells: median {np.median(drawn):.3g}, {min(drawn):.3g} to {max(drawn):.3g}"
    return Quantity(value, unit, error, of, each=tuple(float(item) for item in each), cell="nominal cell")
