"""What a pulse source can be asked for: waveforms of straight segments, and trains of equal pulses."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labctl.contracts.values import FloatArray, Status
from labctl.errors import LimitError
from labctl.quantities import Column, Limits

#: ohm; what pulse generators have between source and cell, and all that limits their current (PMU manual 4-19)
OUTPUT_RESISTANCE = 50.0


class Measure(enum.IntEnum):
    """What is measured in a segment or of a pulse."""

    NOTHING = 0
    MEAN = 1  #: one row: the mean over the window
    SAMPLES = 2  #: one row for every sample in the window


@dataclass(frozen=True)
class Waveform:
    """A voltage against time on one terminal, the others held at 0 V: straight segments, joined end to end.

    durations: shape (n,), s, > 0; levels: shape (n + 1,), V: segment k goes from levels[k] to levels[k + 1]; measure: shape
    (n,), `Measure`, or one for all; windows: shape (n, 2), s from the segment's start, where it is measured, None for the whole
    of it; repeats: times the whole is played, without a gap; current_range: A, fixed; voltage_range: V, None for the smallest
    that holds; sample_rate: samples per s, None for the instrument's choice; series: ohm, declared to be in series with the
    cell; reads: see `Request`.

    A pulse source has no current compliance: a cell that becomes a short carries level/(50 ohm + series), and limits on
    current and power are held against that.
    """

    durations: FloatArray
    levels: FloatArray
    measure: NDArray[np.int64] | Measure = Measure.NOTHING
    windows: FloatArray | None = None
    repeats: int = 1
    current_range: float = 1e-2
    voltage_range: float | None = None
    sample_rate: float | None = None
    series: float = 0.0
    terminal: str = "top"
    reads: bool = False

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "durations", _frozen(self.durations))
        set_(self, "levels", _frozen(self.levels))
        kinds = np.array(np.broadcast_to(np.asarray(self.measure, dtype=np.int64), self.durations.shape))
        kinds.setflags(write=False)
        set_(self, "measure", kinds)
        if self.windows is not None:
            set_(self, "windows", _frozen(self.windows))

    @property
    def starts(self) -> FloatArray:
        """When each segment of the first repeat starts, shape (n,), s."""
        return np.concatenate([[0.0], np.cumsum(self.durations)[:-1]])

    @property
    def duration(self) -> float:
        """How long it is played in all, s."""
        return float(self.durations.sum()) * self.repeats

    def level_at(self, times: ArrayLike) -> FloatArray:
        """The programmed level (V) at `times` (s from the start, any shape, repeats included)."""
        ends = np.concatenate([[0.0], np.cumsum(self.durations)])
        within = np.mod(np.asarray(times, dtype=np.float64), ends[-1])
        return np.asarray(np.interp(within, ends, self.levels), dtype=np.float64)

    def window(self, segment: int) -> tuple[float, float]:
        """Where segment `segment` is measured, s from its start."""
        if self.windows is None:
            return 0.0, float(self.durations[segment])
        return float(self.windows[segment, 0]), float(self.windows[segment, 1])

    def details(self) -> dict[str, Any]:
        """The request as plain values, for the journal."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def is_complete(self, rows: int, status: Status) -> bool:
        """Whether there is a row for every mean; of samples there must be some."""
        means = int(np.count_nonzero(self.measure == Measure.MEAN)) * self.repeats
        sampled = bool(np.any(self.measure == Measure.SAMPLES))
        return rows > means if sampled else rows == means

    def check(self, limits: Limits) -> None:
        """Raise LimitError unless the waveform is one, and `limits` allow its levels and what a short would carry."""
        count = len(self.durations)
        if self.durations.ndim != 1 or count == 0 or self.levels.shape != (count + 1,):
            raise LimitError(
                f"a waveform of {self.durations.shape} durations needs one level more, not {self.levels.shape}"
            )
        if not np.all(np.isfinite(self.durations) & (self.durations > 0)):
            raise LimitError(f"segment of {self.durations.min()} s: every segment needs a duration above 0 s")
        if self.repeats < 1:
            raise LimitError(f"repeats = {self.repeats} must be at least 1")
        self._check_windows(count)
        _check_levels(limits, self.levels, self.series, self.current_range)

    def _check_windows(self, count: int) -> None:
        if not np.all(np.isin(self.measure, list(Measure))):
            raise LimitError(f"measure = {np.unique(np.asarray(self.measure)).tolist()} holds what is no Measure")
        if self.windows is None:
            return
        if self.windows.shape != (count, 2):
            raise LimitError(f"{count} segments need windows of shape ({count}, 2), not {self.windows.shape}")
        begins, ends = self.windows[:, 0], self.windows[:, 1]
        wrong = (self.measure != Measure.NOTHING) & ~((begins >= 0) & (begins < ends) & (ends <= self.durations))
        if np.any(wrong):
            k = int(np.argmax(wrong))
            raise LimitError(f"window {begins[k]} to {ends[k]} s of segment {k} lies outside its {self.durations[k]} s")


@dataclass(frozen=True)
class PulseTrain:
    """Equal pulses, `count` of them at every amplitude, on one terminal, the others held at 0 V.

    amplitudes: shape (n,), V, the levels of the tops; base: V between pulses; width: s at half height; rise, fall: s;
    period: s; delay: s before each pulse; measure: `Measure` of every pulse's top; window: shares of the flat top, which
    lasts width - (rise + fall)/2, where it is measured; the rest as for `Waveform`.
    """

    amplitudes: FloatArray
    width: float
    period: float
    base: float = 0.0
    rise: float = 1e-7
    fall: float = 1e-7
    delay: float = 0.0
    count: int = 1
    measure: Measure = Measure.MEAN
    window: tuple[float, float] = (0.75, 0.9)
    current_range: float = 1e-2
    voltage_range: float | None = None
    sample_rate: float | None = None
    series: float = 0.0
    terminal: str = "top"
    reads: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "amplitudes", _frozen(self.amplitudes))

    def details(self) -> dict[str, Any]:
        """The request as plain values, for the journal."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def pulses(self) -> int:
        """How many pulses are applied."""
        return len(self.amplitudes) * self.count

    @property
    def duration(self) -> float:
        """How long it takes, s."""
        return self.pulses * self.period

    def is_complete(self, rows: int, status: Status) -> bool:
        """Whether there is a row for every mean; of samples there must be some."""
        if self.measure == Measure.MEAN:
            return rows == self.pulses
        return rows > 0 or self.measure == Measure.NOTHING

    def check(self, limits: Limits) -> None:
        """Raise LimitError unless the train is one, and `limits` allow its levels and what a short would carry."""
        if self.amplitudes.ndim != 1 or self.amplitudes.size == 0 or self.count < 1:
            raise LimitError(f"a train of {self.amplitudes.shape} amplitudes, {self.count} pulses each, is none")
        edges = 0.5 * (self.rise + self.fall)
        times = {"width": self.width, "period": self.period, "rise": self.rise, "fall": self.fall}
        for name, value in times.items():
            if not 0 < value < math.inf:
                raise LimitError(f"{name} = {value} s must be above 0 s")
        if not (0 <= self.delay < math.inf and self.delay + self.width + edges < self.period and edges < self.width):
            raise LimitError(
                f"pulses of {self.width} s with edges of {self.rise} and {self.fall} s, {self.delay} s late, don't fit"
                f" into a period of {self.period} s"
            )
        if not 0 <= self.window[0] < self.window[1] <= 1:
            raise LimitError(f"window {self.window} must be two shares of the top, from 0 to 1, in this order")
        _check_levels(limits, np.append(self.amplitudes, self.base), self.series, self.current_range)


#: Columns of every block a PulseSource yields.
PULSE_COLUMNS: tuple[Column, ...] = (
    Column("time", "s", meaning="since the start of this test in the instrument; of a mean the middle of its window"),
    Column("level", "V", meaning="programmed voltage of the driven terminal then", label="applied voltage"),
    Column("voltage", "V", meaning="measured voltage of the driven terminal against the held one"),
    Column("current", "A", meaning="measured current into the driven terminal"),
    Column("status", "", "int64", meaning="bit flags, labctl.contracts.Status"),
    Column(
        "segment", "", "int64", meaning="segment of the waveform, or pulse of the train, from 0, repeats counted on"
    ),
)


def _frozen(values: ArrayLike) -> FloatArray:
    array = np.array(values, dtype=np.float64)  # a copy: what was checked is what is sent
    array.setflags(write=False)
    return array


def _check_levels(limits: Limits, levels: FloatArray, series: float, current_range: float) -> None:
    strange = levels[~np.isfinite(levels)]
    peak = float(strange[0] if strange.size else levels[np.argmax(np.abs(levels))])
    limits.check("voltage", peak, "pulse level")
    if not math.isfinite(peak):
        raise LimitError(f"pulse level = {peak} V is not a finite number")
    if not 0 <= series < math.inf:
        raise LimitError(f"series = {series} ohm must be at least 0 ohm")
    if not 0 < current_range < math.inf:
        raise LimitError(f"current_range = {current_range} A must be above 0 A")
    resistance = OUTPUT_RESISTANCE + series
    hint = f" (a pulse source has no compliance: {abs(peak):g} V over {resistance:g} ohm; declare a series resistance)"
    limits.check("current", peak / resistance, f"greatest current{hint}")
    limits.check("power", peak * peak / (4.0 * resistance), f"greatest power{hint}")
