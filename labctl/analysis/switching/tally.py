"""One quantity by one definition over many loops: a few numbers a loop are kept, the loops are not."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.statistics import intervals
from labctl.contracts import Extracted, FloatArray, Series

LEAST_MEDIAN = 6  #: loops from which order statistics bound a median on both sides at 95 %
LEAST_DECADES = 3  #: values from which a mean in decades has an interval; of two it spans all there is
SELECTED = 0.05  #: share of loops that switched without a value by the definition, from which the others are a selection: guess
WIDEST = 1.5  #: steps of the levels that an interval may span to be one of them: guess
Ends = tuple[float, float]


@dataclass(frozen=True)
class _Kept:
    """What the loops gave, in decades where the tally is logarithmic.

    values: shape (n,), those that are values; errors, down, up: standard uncertainty of each, and how far its interval reaches
    to either side, NaN where it states none; bounds: shape (m,), those that are bounds.
    """

    values: FloatArray
    errors: FloatArray
    down: FloatArray
    up: FloatArray
    bounds: FloatArray

    def opens(self, reach: FloatArray) -> float:
        """What single loops leave open to one side, on average: as stated, else sqrt(3) of the uncertainty (half a step)."""
        stated = np.where(np.isfinite(reach), reach, math.sqrt(3) * self.errors)
        return float(np.nanmean(stated)) if np.isfinite(stated).any() else 0.0


class Tally:
    """Takes what single loops gave, in any number, and says mean, median, spread and series.

    log: average in decades, for what spreads over some (resistances, ratios). stepped: the interval of each loop is the step
    of the levels it lies in, and the series says so. bounded: whether a mean has an interval, where all loops gave a value.
    Kept for a loop: its number, value, uncertainty and the ends of its interval; 41 bytes.
    """

    def __init__(self, log: bool = False, stepped: bool = False, bounded: bool = True) -> None:
        self.log, self.stepped, self.bounded = log, stepped, bounded
        self.first: Extracted | None = None
        self.excluded = 0
        self.lost = 0  #: loops of which the definition should have said something, and does not
        self.newest = False  #: whether the loop taken last gave a value
        self._cycles = array("q")
        self._values, self._errors, self._low, self._high = (array("d") for _ in range(4))
        self._bounds = array("b")

    def add(self, cycle: int, found: Extracted | None, bound: float = math.nan) -> None:
        """Take what the loop `cycle` gave; bound: where it gave None, how far it did not happen (the peak), NaN for no news."""
        if found is None:
            self._put(cycle, bound, math.nan, (math.nan, math.nan), not math.isnan(bound))
            return
        self.first = self.first or found
        self.excluded += found.excluded
        self._put(cycle, found.value, found.uncertainty, found.interval, math.isinf(found.interval[1]))

    def beyond(self, place: int, bound: float) -> None:
        """Say afterwards that it did not happen up to `bound` in the loop taken at `place`, from 0; NaN: no news of it."""
        self._values[place], self._bounds[place] = bound, not math.isnan(bound)

    def _put(self, cycle: int, value: float, error: float, ends: Ends, bound: bool) -> None:
        for column, number in (
            (self._values, value),
            (self._errors, error),
            (self._low, ends[0]),
            (self._high, ends[1]),
        ):
            column.append(number)
        self.newest = not bound and math.isfinite(value)
        self._cycles.append(cycle)
        self._bounds.append(bound)

    @property
    def total(self) -> int:
        """Loops taken."""
        return len(self._values)

    @property
    def count(self) -> int:
        """Loops that gave a value."""
        values, bounds = self._arrays()
        return int(np.count_nonzero(np.isfinite(values) & ~bounds))

    def mean(self) -> Extracted | None:
        """Mean of the loops that gave a value (the geometric one where `log`), None for none.

        uncertainty: standard deviation of a single loop among them (n - 1), with what a single loop leaves open in quadrature.
        interval: of the mean, Student's t, widened by what the levels leave open, which no number of loops averages out; for
        one loop its own; none where loops gave only a bound or were lost, for those that gave a value are then no fair sample.
        Where every loop gave a bound, the mean of the bounds, without an upper end.
        """
        kept = self._kept()
        if self.first is None or kept.values.size == 0:
            return self._bound(kept.bounds)
        count, value = kept.values.size, float(kept.values.mean())
        partial = kept.bounds.size > 0 or self._selected() or not self.bounded
        single = math.sqrt(float(np.nanmean(kept.errors**2))) if np.isfinite(kept.errors).any() else 0.0
        if count == 1:
            error = single if math.isfinite(kept.errors[0]) else math.nan
            ends = (value - kept.down[0], value + kept.up[0])
            return self._said("mean", value, error, intervals.UNKNOWN if partial else ends, count)
        partial = partial or (self.log and count < LEAST_DECADES)
        spread = float(kept.values.std(ddof=1))
        reach = intervals.student(count - 1) * spread / math.sqrt(count)
        ends = (value - reach - kept.opens(kept.down), value + reach + kept.opens(kept.up))
        return self._said("mean", value, math.hypot(spread, single), intervals.UNKNOWN if partial else ends, count)

    def median(self) -> Extracted | None:
        """Median of all loops, those that gave a bound counting as beyond it; None where it is such, or for fewer than 6 loops.

        uncertainty: of the median, a quarter of the interval, NaN where that has no end. interval: of the median, from order
        statistics, widened by what the levels leave open.
        """
        kept = self._kept()
        if self.first is None or kept.values.size + kept.bounds.size < LEAST_MEDIAN:
            return None
        sign = math.copysign(1.0, self.first.value) if not self.log else 1.0
        beyond = np.append(sign * kept.values, np.full(kept.bounds.size, math.inf))
        value = float(np.median(beyond))
        if math.isinf(value):
            return None
        low, high = sorted(sign * end for end in intervals.quantile(beyond))
        ends = (low - kept.opens(kept.down), high + kept.opens(kept.up))
        error = (ends[1] - ends[0]) / 4
        return self._said("median", sign * value, error if math.isfinite(error) else math.nan, ends, beyond.size)

    def share(self) -> Extracted | None:
        """The share of the loops with 1, where each gave 0 or 1; interval after Clopper and Pearson."""
        values = self._kept().values
        if self.first is None:
            return None
        ends = intervals.share(int(values.sum()), values.size)
        return self._said("share", float(values.mean()), math.nan, ends, values.size)

    def series(self, name: str) -> Series | None:
        """The values loop by loop, None where no loop gave anything."""
        if self.first is None:
            return None
        values, bounds = self._arrays()
        cycles = np.frombuffer(self._cycles, dtype=np.int64).copy()
        first = self.first
        lower, upper = self._steps(values, bounds) if self.stepped else (None, None)
        words = first.definition
        return Series(name, first.unit, cycles, values.copy(), bounds, words, first.method, self.excluded, lower, upper)

    def by_cycle(self) -> dict[int, float]:
        """Values by the number of their loop, those that are bounds left out."""
        values, bounds = self._arrays()
        return {
            cycle: float(value) for cycle, value, bound in zip(self._cycles, values, bounds, strict=True) if not bound
        }

    def _steps(self, values: FloatArray, bounds: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
        """Both ends of the step that each value lies in, shape (n,) each; the value itself where that is not known.

        So, too, where measured voltages lie farther apart than levels: in compliance they are not the ends of a step.
        """
        low, high, errors = (np.frombuffer(column) for column in (self._low, self._high, self._errors))
        known = ~bounds & (high - low <= WIDEST * math.sqrt(12) * errors)  # False for NaN
        return np.where(known, low, values), np.where(known, high, values)

    def _arrays(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        if not self.total:
            return np.empty(0), np.empty(0, np.bool_)
        return np.frombuffer(self._values), np.frombuffer(self._bounds, dtype=np.int8) != 0

    def _kept(self) -> _Kept:
        values, bounds = self._arrays()
        if not self.total:
            return _Kept(values, values, values, values, values)
        low, high, errors = (np.frombuffer(column) for column in (self._low, self._high, self._errors))
        known = np.isfinite(values) & ((values > 0) | (not self.log))
        if self.log:
            with np.errstate(divide="ignore", invalid="ignore"):
                errors = errors / (values * math.log(10))
                values, low, high = np.log10(values), np.log10(low), np.log10(high)
        at = known & ~bounds
        return _Kept(values[at], errors[at], (values - low)[at], (high - values)[at], values[known & bounds])

    def _bound(self, bounds: FloatArray) -> Extracted | None:
        if self.first is None or bounds.size == 0:
            return None
        value = float(bounds.mean())
        return self._said("mean of the bounds", value, math.nan, (value, math.inf), bounds.size)

    def _partial(self, kind: str) -> str:
        """What is to be said of loops that gave no value."""
        bounds = int(np.count_nonzero(self._arrays()[1]))
        if kind == "median":
            return f", {bounds} of which gave only a bound" if bounds else ""
        if "bounds" in kind:
            return ""
        words = f"; {bounds} more gave only a bound" if bounds else ""
        words += f"; {self.lost} more switched, but not by this definition" if self._selected() else ""
        if words and kind != "share":
            return f"{words}; no interval: those that gave a value are no fair sample"
        return words + ("" if self.bounded else "; no interval: an optimum need not be where the cell switches")

    def _selected(self) -> bool:
        return self.lost > SELECTED * (self.count + self.lost)

    def _said(self, kind: str, value: float, error: float, ends: Ends, count: int) -> Extracted:
        """A number over the loops, back from decades where the tally is logarithmic."""
        first = self.first
        assert first is not None
        if self.log:
            kind, value, ends = (
                f"geometric {kind}" if "mean" in kind else kind,
                10**value,
                (10 ** ends[0], 10 ** ends[1]),
            )
            error *= value * math.log(10)
        words = f"{first.definition}; {kind} of {count} of {self.total} loops{self._partial(kind)}"
        return Extracted(first.name, value, first.unit, error, words, (), ends, self.excluded, first.method)
