"""One half loop, 0 V to a peak and back, made ready once for every question that is asked of it.

What counts as switching is decided here, the same for all definitions: a step of the current, or a loop that is open. It is
open where the way back carries more current than the way out (the cell was set) or less (it was reset), by more than the noise.
Nonlinear conduction without memory is neither, however coarse its levels: a step counts where the other way makes none between
the same levels. (A cell that falls back within the step it switched on in is not told from one without memory.) The charging
current of a capacitance opens a loop, too, and looks like a reset in both polarities; sweep more slowly to tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import reads
from labctl.analysis.switching import steps
from labctl.contracts import FloatArray

Rows = NDArray[np.int64]
NEAR_COMPLIANCE = 0.95  #: share of the compliance from which a row without status counts as limited: guess
LEAST_OPENING = 0.02  #: decades, mean over the voltages of a half loop, from which it is open (5 %): guess
SIGNIFICANT = 4.0  #: standard errors of that mean: guess, one false loop in 10 000 for normal noise
QUIET = (
    0.1  #: share of the rows of a way, those at the smallest voltages, whose scatter is the floor; at least 8: guess
)
SHARE_OF_STEP = (
    0.5  #: of a step, by how much both ways come together or apart at it: guess; 1 at a switch, 0 without memory
)
_NORMAL = 1.4826  #: standard deviation over median magnitude of a normal distribution
_SECOND = math.sqrt(6.0)  #: what a second difference multiplies white noise by
_SMOOTH = 0.05  #: of the rows of the way out that a curve without a jump is averaged over: guess


@dataclass(frozen=True, eq=False)
class HalfLoop:
    """The rows of one half loop in the order measured; a ramp without a way back is one, too.

    level: shape (n,), V, programmed; voltage, current: V and A, measured; status: flags; compliance: A, NaN where unknown
    (needed only where there is no status); flagged: whether the status tells which rows the compliance made. Rows that say
    nothing of the cell (`reads.usable`) count nowhere. Currents below `floor` (A) count as `floor`: 3 standard deviations of
    the scatter at small voltage, at least `steps.FLOOR`.
    """

    level: FloatArray
    voltage: FloatArray
    current: FloatArray
    status: NDArray[np.int64]
    compliance: float = math.nan
    flagged: bool = True

    @classmethod
    def of(cls, columns: Mapping[str, NDArray[Any]], compliance: float = math.nan) -> HalfLoop:
        """Take the columns level, voltage, current and status of a table; without a status every row counts as normal."""
        level, voltage, flagged = columns["level"], columns.get("voltage", columns["level"]), "status" in columns
        status = columns["status"] if flagged else np.zeros(len(level), np.int64)
        return cls(level, voltage, columns["current"], status, compliance, flagged)

    @property
    def tells_compliance(self) -> bool:
        """Whether it is known which rows the compliance made: by their status, or by the compliance."""
        return self.flagged or math.isfinite(self.compliance)

    @cached_property
    def sound(self) -> NDArray[np.bool_]:
        """Which rows say something of the cell, shape (n,); limited ones do."""
        return np.isfinite(self.current) & reads.usable(self.status)

    @cached_property
    def limited(self) -> NDArray[np.bool_]:
        """Which rows the compliance made, shape (n,): by their flag, and near the compliance where that is known."""
        flagged = reads.marked(self.status, reads.LIMITED)
        return flagged | (np.abs(self.current) >= NEAR_COMPLIANCE * self.compliance)

    @property
    def excluded(self) -> int:
        """Rows left out of everything."""
        return int(np.count_nonzero(~self.sound))

    @cached_property
    def clean(self) -> FloatArray:
        """The currents (A), NaN where a row is not sound, shape (n,)."""
        return np.where(self.sound, self.current, math.nan)

    @cached_property
    def turn(self) -> int:
        """The row of the greatest |level|; -1 for no rows."""
        return int(np.argmax(np.abs(self.level))) if self.level.size else -1

    @property
    def peak(self) -> float:
        """The programmed voltage (V) of the turn, with its sign; NaN for no rows."""
        return float(self.level[self.turn]) if self.turn >= 0 else math.nan

    @cached_property
    def out(self) -> Rows:
        """The sound rows on the way from 0 V (without it) to the turn."""
        return np.flatnonzero((self.level != 0) & self.sound & (np.arange(self.level.size) <= self.turn))

    @cached_property
    def back(self) -> Rows:
        """The sound rows on the way from the turn to 0 V (without it)."""
        return np.flatnonzero((self.level != 0) & self.sound & (np.arange(self.level.size) >= self.turn))

    @cached_property
    def free(self) -> Rows:
        """The rows of the way out that the compliance did not make."""
        return self.out[~self.limited[self.out]]

    @property
    def until_limited(self) -> Rows:
        """The rows of the way out up to the first that the compliance made, that one included."""
        limited = self.limited[self.out]
        return self.out[: int(np.argmax(limited)) + 1] if limited.any() else self.out

    @cached_property
    def rows(self) -> Rows:
        """The sound rows of both ways, 0 V left out."""
        return np.flatnonzero((self.level != 0) & self.sound)

    @cached_property
    def floor(self) -> float:
        """The least current (A) that is told from nothing: 3 standard deviations of the scatter at small voltage.

        Of the way that carries less there, for an on state scatters with its own current. A current that grows from row to
        row is above its scatter, however few rows bend how much.
        """
        few = max(8, int(QUIET * self.out.size))
        ways = [np.abs(self.current[way]) for way in (self.out[:few], self.back[::-1][:few]) if way.size >= few]
        if not ways:
            return steps.FLOOR
        least = min(ways, key=lambda amperes: float(np.median(amperes)))
        return steps.FLOOR if bool(np.all(least[1:] > least[:-1])) else max(steps.FLOOR, 3.0 * scatter(least))

    @cached_property
    def decades(self) -> FloatArray:
        """log10 of |I| in A, shape (n,), NaN where a row is not sound."""
        return np.log10(np.maximum(np.abs(self.clean), self.floor))

    @cached_property
    def ways(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Rising |level| (V), log10 of |I| (A) on the way out and on the way back there, shape (m,).

        Empty without a way back; the voltages are those of the way out that the way back passes, too.
        """
        away, amperes = _rising(np.abs(self.level[self.out]), self.decades[self.out])
        home, returned = _rising(np.abs(self.level[self.back[::-1]]), self.decades[self.back[::-1]])
        if away.size < 3 or home.size < 3:
            return np.empty(0), np.empty(0), np.empty(0)
        first = int(np.searchsorted(away, home[0]))
        return away[first:], amperes[first:], np.interp(away[first:], home, returned)

    @cached_property
    def opening(self) -> tuple[FloatArray, FloatArray]:
        """Rising |level| (V) and log10 of |I| on the way back over |I| on the way out there, shape (m,); above 0: set."""
        volts, out, back = self.ways
        return volts, back - out

    @cached_property
    def openness(self) -> float:
        """Mean of the opening over the voltages (decades, signed); 0 where it is within the noise or no more than a guess."""
        ratio = self.opening[1]
        if ratio.size < 3:
            return 0.0
        mean = float(ratio.mean())
        error = math.sqrt(float(np.mean(np.diff(ratio) ** 2)) / (2 * ratio.size))
        return mean if abs(mean) >= max(LEAST_OPENING, SIGNIFICANT * error) else 0.0

    @cached_property
    def rise(self) -> tuple[int, float]:
        """Place among `out` and size (decades) of the largest step up that is no trend; (0, 0) for none."""
        return self._largest(self.out, self.back[::-1])

    @cached_property
    def fall(self) -> tuple[int, float]:
        """Place among `back` and size (decades) of the largest step down that is no trend; (0, 0) for none."""
        return self._largest(self.back, self.out, down=True)

    def _largest(self, rows: Rows, others: Rows, down: bool = False) -> tuple[int, float]:
        sizes = steps.sizes(self.level, self.current, rows, self.floor, down)
        if sizes.size == 0 or sizes.max() < steps.LEAST_STEP:  # most loops, most ways: nothing to doubt
            return steps.greatest(sizes)
        return steps.greatest(np.where(self._sudden(sizes, rows, others), sizes, 0.0))

    def _sudden(self, sizes: FloatArray, rows: Rows, others: Rows) -> NDArray[np.bool_]:
        """Which steps between neighbours of one way (`rows`) are no trend of the curve, shape (n - 1,).

        sizes: decades, above 0 in the direction looked for. Where the other way is (`others`, by rising |level|) the two must
        come together or apart there by this way's step, or half of it; elsewhere, and where the other way is at the floor, it
        must stand out from the steps beside it.
        """
        apart = sizes - steps.trend(sizes) >= steps.LEAST_STEP
        volts, amperes = _rising(np.abs(self.level[others]), self.decades[others])
        if volts.size < 3:
            return apart
        level, mine = np.abs(self.level[rows]), self.decades[rows]
        change = np.abs(np.diff(mine)) - np.abs(np.diff(np.interp(level, volts, amperes)))
        there = np.interp(level, volts, amperes, left=-math.inf, right=-math.inf)
        told = np.isfinite(there[1:]) & np.isfinite(there[:-1])
        floor = np.maximum(there[1:], there[:-1]) <= math.log10(self.floor)
        return np.where(told, (change >= SHARE_OF_STEP * sizes) & (apart | ~floor), apart)

    @property
    def risen(self) -> Rows:
        """The rows before and after the largest step up."""
        return self.out[self.rise[0] :][:2]

    @property
    def fallen(self) -> Rows:
        """The rows before and after the largest step down of the way back."""
        return self.back[self.fall[0] :][:2]

    @cached_property
    def sets(self) -> bool:
        """Whether the cell switches on, on the way out: by a step of at least `steps.LEAST_STEP`, or the way back is above.

        A ramp without a way back switches gradually where it ends in compliance and |I/V| has risen by as much before.
        """
        return self.rise[1] >= steps.LEAST_STEP or self.openness > 0 or self._ramped

    @cached_property
    def _ramped(self) -> bool:
        if self.back.size > 1 or self.out.size < 3 or not self.limited[self.out].any():
            return False
        rows = self.until_limited
        siemens = self.decades[rows] - np.log10(np.abs(self.level[rows]))
        return float(siemens[-1] - siemens.min()) >= steps.LEAST_STEP

    @cached_property
    def resets(self) -> bool:
        """Whether the cell switches off, on the way out: the way back is below.

        It may switch on before, in the same half loop, where a threshold switch (a selector) is in series with a memory.
        """
        return self.openness < 0

    @cached_property
    def width(self) -> int:
        """Rows a curve without a jump is averaged over (odd), few enough to leave its shape."""
        return int(_SMOOTH * self.out.size) // 2 * 2 + 1


def scatter(values: FloatArray) -> float:
    """The standard deviation of white noise on a smooth curve, shape (n,), from second differences; 0 for fewer than 8 rows.

    A median, so that a few jumps don't count.
    """
    if values.size < 8:
        return 0.0
    return float(_NORMAL * np.median(np.abs(np.diff(values, 2))) / _SECOND)


def smooth(values: FloatArray, width: int) -> FloatArray:
    """The moving mean over `width` rows (odd), shape (n,); the ends are averaged over what there is, symmetrically."""
    if width <= 1:
        return values
    reach = width // 2
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(values.size)
    half = np.minimum(np.minimum(at, values.size - 1 - at), reach)
    return np.asarray((sums[at + half + 1] - sums[at - half]) / (2 * half + 1))


def _rising(volts: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both in the order of rising volts, one value each; as they are where they rise already."""
    if volts.size < 2 or bool(np.all(volts[1:] > volts[:-1])):
        return volts, values
    unique, places = np.unique(volts, return_index=True)
    return unique, values[places]
