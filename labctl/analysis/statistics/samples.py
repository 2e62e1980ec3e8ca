"""Values of which some are only bounded: the cell that did not switch up to the peak, the cell that outlived the test.

What a distribution is fitted to. Values that are all negative (reset voltages) are taken as magnitudes, and say so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labctl.analysis.statistics import intervals
from labctl.contracts import FloatArray, Series

#: of the standard deviation, up to which a step is fine: grouping adds a 12th of its square to the variance (W. F. Sheppard,
#: Proc. Lond. Math. Soc. 29, 353 (1898)), to sigma then 1 %
FINE = 0.5


@dataclass(frozen=True)
class Sample:
    """Each value lies between `lower` and `upper`, shape (n,): equal where it is known, -inf or inf where there is no bound.

    mirrored: values were negative, these are their magnitudes; excluded: rows left out for their status; missing:
    values that are no numbers, left out, too; name, unit: of the quantity.
    """

    lower: FloatArray
    upper: FloatArray
    name: str = ""
    unit: str = ""
    mirrored: bool = False
    excluded: int = 0
    missing: int = 0

    def __post_init__(self) -> None:
        if self.lower.shape != self.upper.shape or self.lower.ndim != 1:
            raise ValueError(
                f"lower and upper must be 1-D and equally long, not {self.lower.shape}, {self.upper.shape}"
            )
        if not np.all(self.lower <= self.upper):
            raise ValueError("a lower bound is above its upper one, or no number")

    def __len__(self) -> int:
        return int(self.lower.size)

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Which values are known exactly, shape (n,)."""
        return np.asarray(self.lower == self.upper)

    @property
    def events(self) -> int:
        """How many values are bounded on both sides: known, or known to lie between two checks."""
        return int(np.count_nonzero(np.isfinite(self.lower) & np.isfinite(self.upper)))

    @property
    def positive(self) -> bool:
        """Whether nothing is at or below 0, so that logarithms can be taken.

        A value bounded from above only counts as above 0.
        """
        bounds = np.where(np.isfinite(self.lower), self.lower, self.upper)
        between = np.isfinite(self.upper) & (self.lower < self.upper)  # from 0 to a bound is as good as from nowhere
        return bool(np.all((bounds > 0) | (between & (self.lower == 0) & (self.upper > 0))))

    def logarithms(self) -> tuple[FloatArray, FloatArray]:
        """ln of both bounds, shape (n,) each; for a sample that is `positive`."""
        low = np.where(self.lower > 0, self.lower, 1.0)
        high = np.where(np.isfinite(self.upper), self.upper, 1.0)
        return (
            np.where(self.lower > 0, np.log(low), -math.inf),
            np.where(np.isfinite(self.upper), np.log(high), math.inf),
        )

    def words(self) -> str:
        """How many values, what is censored or left out, for a definition: "50 values, 3 of them only bounds"."""
        parts = [f"{len(self)} value{'' if len(self) == 1 else 's'}"]
        steps = int(np.count_nonzero(~self.known & np.isfinite(self.lower) & np.isfinite(self.upper)))
        bounds = int(np.count_nonzero(~self.known)) - steps
        if bounds:
            parts.append(f"{bounds} of them only bounds")
        if steps:
            parts.append(f"{steps} of them known to a step only")
        if self.missing:
            parts.append(f"{self.missing} more are no numbers")
        if self.mirrored:
            parts.append("all negative, taken as magnitudes")
        return ", ".join(parts)


def sample(
    values: ArrayLike, censored: ArrayLike | None = None, below: ArrayLike | None = None, name: str = "", unit: str = ""
) -> Sample:
    """A sample from values, shape (n,); what is no number is left out.

    censored: True where the true value is beyond the one given, away from 0; below: True where it is nearer to 0 (the
    current under the noise floor). Where all values are negative they are mirrored; where some are, a bound is one
    upwards for a positive value and downwards for a negative one.
    """
    array = np.asarray(values, dtype=np.float64)
    beyond, nearer = (
        np.zeros(array.shape, bool) if flag is None else np.asarray(flag, bool) for flag in (censored, below)
    )
    kept = np.isfinite(array)
    missing = int(np.count_nonzero(~kept))
    array, beyond, nearer = array[kept], beyond[kept], nearer[kept]
    mirrored = bool(array.size and np.all(array <= 0) and np.any(array < 0))
    array = -array if mirrored else array
    upwards = np.where(array >= 0, beyond, nearer)
    downwards = np.where(array >= 0, nearer, beyond)
    lower, upper = np.where(downwards, -math.inf, array), np.where(upwards, math.inf, array)
    return Sample(lower, upper, name, unit, mirrored, missing=missing)


def of_series(series: Series) -> Sample:
    """The values of a series over the cycles or cells of a run, censored ones as bounds.

    Values known to a step only are taken in its middle where the steps are fine (`FINE`), so that they count as known, and
    where they are too few for a fit to state intervals; else as lying anywhere in it.
    """
    low, high = _ends(series)
    below, above = (sample(end, series.censored, name=series.name, unit=series.unit) for end in (low, high))
    lower, upper = np.minimum(below.lower, above.lower), np.maximum(below.upper, above.upper)
    return Sample(lower, upper, series.name, series.unit, below.mirrored, series.excluded, below.missing)


def _ends(series: Series) -> tuple[FloatArray, FloatArray]:
    """Both ends of what each value is taken for, shape (n,) each; equal for one that counts as known."""
    if series.lower is None or series.upper is None:
        return series.values, series.values
    middle, width = 0.5 * (series.lower + series.upper), series.upper - series.lower
    known = np.isfinite(middle) & ~series.censored
    few = np.count_nonzero(known) < intervals.LEAST_EVENTS
    if few or width[known].max() <= FINE * float(np.std(middle[known])):
        return middle, middle
    return series.lower, series.upper


def between(lower: ArrayLike, upper: ArrayLike, name: str = "", unit: str = "") -> Sample:
    """A sample of values that lie between two bounds each, shape (n,); upper: inf where none is known."""
    return Sample(np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64), name, unit)


def named(found: Sample, words: str) -> str:
    """What a figure of a sample is called: "V_set: median"."""
    return f"{found.name}: {words}" if found.name else words
