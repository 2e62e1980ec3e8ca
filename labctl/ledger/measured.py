"""What the rows of a test say of the stress on the cell: greatest voltage and current, time in compliance, energy.

Energy is the integral of V I dt. Of a sweep or sampling: trapezoids between rows, and the first row's power from the start of
the test. Of a pulse: the mean of what was measured on its top, times its width; of samples of a waveform trapezoids between
those that follow each other, of its means the mean times the segment's duration. What has no usable row is not guessed.

An instrument keeps these figures with the outcome of a test (`figures`), so that they are there for rows that no recipe keeps;
`told` reads them back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import FloatArray, Measure, Status
from labctl.ledger.asked import Details, array
from labctl.ledger.use import Use

#: Flags of a row whose numbers are none of the cell's.
USELESS = int(Status.INVALID | Status.OVERFLOW | Status.SKIPPED)
NEEDED = ("time", "voltage", "current", "status")
NOTHING = Use()
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Measured:
    """What rows gave. use: its greatest values, time in compliance and energy; tests: pulses (or tests of a source meter)
    whose energy is in it; skipped: pulses that the instrument says it did not apply."""

    use: Use = NOTHING
    tests: int = 0
    skipped: int = 0


def measured(kind: str, details: Details, columns: Columns) -> Measured:
    """What the rows of one test say; nothing where a column of `NEEDED` is missing. Raises KeyError, TypeError, ValueError."""
    if not all(name in columns for name in NEEDED) or not len(columns["time"]):
        return Measured()
    rows = _Rows(columns)
    if kind == "pulse train":
        return _train(rows, details)
    return _waveform(rows, details) if kind == "waveform" else _source_meter(rows)


def figures(kind: str, details: Details, columns: Columns) -> dict[str, float]:
    """What `measured` says as plain values, for the outcome of a test (labctl.contracts.Instrument.figures)."""
    if not all(name in columns for name in NEEDED):
        return {}
    found = measured(kind, details, columns)
    use = {name: getattr(found.use, name) for name in _TOLD}
    return {**use, "tests": found.tests, "skipped": found.skipped}


def told(outcome: Mapping[str, Any]) -> Measured | None:
    """The figures in the details of an outcome; None where there are none. Raises TypeError, ValueError for others."""
    if not all(name in outcome for name in (*_TOLD, *_COUNTS)):
        return None
    use: dict[str, Any] = {name: float(outcome[name]) for name in _TOLD}
    tests, skipped = (int(outcome[name]) for name in _COUNTS)
    if not all(map(math.isfinite, use.values())) or min(tests, skipped, use["compliance_time"]) < 0:
        raise ValueError(f"figures {dict(outcome)!s:.200} can't be")
    return Measured(Use(**use), tests, skipped)


_TOLD, _COUNTS = ("v_measured", "i_measured", "compliance_time", "energy"), ("tests", "skipped")


class _Rows:
    """The rows of one test; good: what may be believed; power: W, 0 where it may not."""

    def __init__(self, columns: Columns) -> None:
        self.time, voltage, current = (np.asarray(columns[name], dtype=np.float64) for name in NEEDED[:3])
        self.status: NDArray[np.int64] = np.asarray(columns["status"], dtype=np.int64)
        self.limited = (self.status & int(Status.COMPLIANCE)) != 0
        believed = (self.status & USELESS) == 0
        volts, amperes = believed & np.isfinite(voltage), believed & np.isfinite(current)
        self.good = volts & amperes & np.isfinite(self.time)
        self.power = np.where(self.good, voltage * current, 0.0)
        self.peaks = _peak(voltage, volts), _peak(current, amperes)

    def use(self, energy: float, limited: float) -> Use:
        """The figures, with the energy (J) and the time in compliance (s)."""
        voltage, current = self.peaks
        return Use(v_measured=voltage, i_measured=current, energy=energy, compliance_time=limited)


def _peak(values: FloatArray, believed: NDArray[np.bool_]) -> float:
    found = values[believed]
    return float(max(found.max(), -found.min())) if found.size else 0.0


def _source_meter(rows: _Rows) -> Measured:
    # these lines run after every test of a run: written for speed, not with np.diff and the like
    steps = rows.time.copy()
    steps[1:] -= rows.time[:-1]
    known = (steps >= 0) & (steps < math.inf)
    steps[~known] = 0.0
    whole, mean = known & rows.good, rows.power.copy()
    whole[1:] &= rows.good[:-1]
    mean[1:] = 0.5 * (mean[1:] + rows.power[:-1])
    energy = float((mean * steps)[whole].sum())
    return Measured(rows.use(energy, float(steps[rows.limited].sum())), int(whole.all()))


def _train(rows: _Rows, details: Details) -> Measured:
    width, period = float(details["width"]), float(details["period"])
    skipped = int(np.count_nonzero(rows.status & int(Status.SKIPPED)))
    if int(details["measure"]) == Measure.SAMPLES:
        pulse = np.floor(np.where(rows.good, rows.time, 0.0) / period)
        skipped = 0  # a flag on a sample tells nothing of how many pulses
    else:
        pulse = np.arange(len(rows.time), dtype=np.float64)
    means = _means(pulse[rows.good], rows.power[rows.good])
    limited = len(np.unique(pulse[rows.limited]))
    return Measured(rows.use(float(means.sum()) * width, limited * width), len(means), skipped)


def _means(group: FloatArray, values: FloatArray) -> FloatArray:
    """The mean of the values of every group."""
    _, index, count = np.unique(group, return_inverse=True, return_counts=True)
    return np.asarray(np.bincount(index, values, len(count)) / count, dtype=np.float64)


def _waveform(rows: _Rows, details: Details) -> Measured:
    durations, levels = array(details, "durations"), array(details, "levels")
    kinds = np.broadcast_to(array(details, "measure"), durations.shape)
    good = rows.good & (rows.time >= 0)
    time, power = rows.time[good], rows.power[good]
    repeat, within = np.divmod(time, durations.sum())
    segment = np.minimum(np.searchsorted(np.cumsum(durations), within, side="right"), len(durations) - 1)
    mean = kinds[segment] == Measure.MEAN
    energy = float(np.sum((power * durations[segment])[mean]))
    energy += _trapezoids(time[~mean], power[~mean], (repeat * len(durations) + segment)[~mean])
    pulses = _excursion_of(levels)[segment] + repeat * (len(levels) + 1)
    tests = len(np.unique(pulses[_excursion_of(levels)[segment] > 0]))
    return Measured(rows.use(energy, _limited(rows, good, durations, segment)), tests)


def _trapezoids(time: FloatArray, power: FloatArray, segment: FloatArray) -> float:
    """The integral over samples that lie in one segment, or in two that follow each other."""
    joined = (np.diff(segment) <= 1) & (np.diff(time) > 0)
    return float(np.sum((0.5 * (power[1:] + power[:-1]) * np.diff(time))[joined]))


def _excursion_of(levels: FloatArray) -> NDArray[np.int64]:
    """For each segment the number of the excursion from 0 V it belongs to, from 1; 0 at rest."""
    signs = np.sign(levels)
    number = np.cumsum((signs != 0) & (signs != np.concatenate([[0.0], signs[:-1]]))) * (signs != 0)
    return np.asarray(np.where(number[:-1] > 0, number[:-1], number[1:]), dtype=np.int64)


def _limited(rows: _Rows, good: NDArray[np.bool_], durations: FloatArray, segment: NDArray[np.int64]) -> float:
    """Time of the segments a row of which is flagged, s."""
    return float(durations[np.unique(segment[rows.limited[good]])].sum())
