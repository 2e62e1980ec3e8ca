"""What the pulse card would refuse at ``:PMU:EXECUTE``, or change: all of it raises LimitError before a byte is sent.

Not here: the least slope of a segment (error -959), for which no source has a number; the instrument reports it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from labctl.contracts import OUTPUT_RESISTANCE, Measure, PulseTrain, Waveform
from labctl.errors import LimitError
from labctl.quantities import Limits, show

from .pulse_program import TICK, Program, Windows
from .segments import LONGEST, pulse_ticks

POINTS = 65_536  #: of a channel in one test (D 7-2)
SEGMENTS = 2048  #: of a channel (LPT 6-69, error -954)
SEQUENCES = 512  #: D 7-40, error -960
FASTEST, SLOWEST = 200e6, 1e3  #: samples per s; rates are 200e6/n (LPT 6-44)
BURST = 10_000  #: pulses of a burst (D 7-17)
LONGEST_REST = 10.0  #: s at 0 V that the card is to play; longer ones are waited for: guess
LONGEST_TEST = 1000.0  #: s of one test: guess, the card is deaf to everything else meanwhile
RPM_RANGES = 0.01  #: A; above it the RPM is bypassed (PA-1086)
RPM_RESISTANCE = 2.0  #: ohm, of the RPM on its own ranges, about 2 to 3 (PA-1086): the lower
SOURCE_RANGES = (10.0, 40.0)  #: V (D 7-24)
SHORTEST = {10.0: 2, 40.0: 5}  #: ticks of a segment by source range: 20 ns and 50 ns (D 7-40)
_STEEPEST, _LONG = 160e6, 10.0  # V/s on the 40 V range, where the test takes more than so many s (PMU manual 3-20)

#: current ranges (A) by (with RPM, source range) (D 7-15, RM 6-73)
CURRENT_RANGES = {
    (False, 10.0): (0.01, 0.2),
    (False, 40.0): (1e-4, 0.01, 0.8),
    (True, 10.0): (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.2),
    (True, 40.0): (1e-4, 0.01, 0.8),
}


@dataclass(frozen=True)
class Timing:
    """The limits of a standard pulse in s, by source range (D 7-18, 7-19)."""

    period: float
    width: float
    edge: float


TIMINGS = {10.0: Timing(60e-9, 40e-9, 20e-9), 40.0: Timing(500e-9, 250e-9, 50e-9)}
LONGEST_PERIOD, LONGEST_EDGE, OFF_TIME = 1.0, 33e-3, 40e-9  #: s (D 7-18, 7-19)


# -- ranges -----------------------------------------------------------------------------------------------------------
def source_range(request: Waveform | PulseTrain, load: float | None) -> float:
    """The source range in V: the one asked for, or the smallest that holds the levels. Raises LimitError."""
    levels = request.levels if isinstance(request, Waveform) else np.append(request.amplitudes, request.base)
    peak = float(np.max(np.abs(levels)))
    asked, needed = request.voltage_range, peak * _divider(load)
    if asked is not None and asked not in SOURCE_RANGES:
        raise LimitError(f"voltage_range = {show(asked, 'V')} is none of the pulse card; it has 10 V and 40 V")
    chosen = asked or next((span for span in SOURCE_RANGES if needed <= span), SOURCE_RANGES[-1])
    if needed > chosen:
        why = f" ({show(needed, 'V')} behind 50 ohm, for a load of {show(load, 'ohm')})" if load else ""
        raise LimitError(
            f"pulse level = {show(peak, 'V')}{why} exceeds the {show(chosen, 'V')} range of the pulse card"
        )
    return chosen


def _divider(load: float | None) -> float:
    return 1.0 if load is None else (load + 50.0) / load  # D 7-11, 7-24, error -964


def check_current_range(value: float, span: float, rpms: Iterable[tuple[int, bool]]) -> None:
    """Raise LimitError unless every channel, given with whether it has an RPM, has this current range."""
    for channel, rpm in rpms:
        known = CURRENT_RANGES[rpm, span]
        if not any(math.isclose(value, one, rel_tol=1e-9) for one in known):
            which = f"pulse channel {channel} {'with' if rpm else 'without'} RPM at {show(span, 'V')}"
            listed = ", ".join(show(one, "A") for one in known)
            raise LimitError(f"current_range {show(value, 'A')} is none of {which}; it has {listed}")


def check_worst(limits: Limits, request: Waveform | PulseTrain, load: float | None, resistance: float) -> None:
    """Raise LimitError unless `limits` allow what a cell gets at worst, open or short; resistance: ohm before the cell.

    With the option load the card puts out more than the level, and a cell that is not that load gets all of it. On the RPM's
    own ranges its resistance is corrected away, up to what the card can drive: its range over its own 50 ohm.
    """
    levels = request.levels if isinstance(request, Waveform) else np.append(request.amplitudes, request.base)
    peak = float(np.max(np.abs(levels))) * _divider(load)
    if load is not None:
        limits.check(
            "voltage", peak, f"pulse level behind 50 ohm for a load of {show(load, 'ohm')}, which an open cell gets"
        )
    most = source_range(request, load) / (OUTPUT_RESISTANCE + request.series)
    worst = min(peak / (resistance + request.series), most)
    hint = (
        f" ({peak:g} V over {resistance + request.series:g} ohm, at most {show(most, 'A')}; declare a series resistance"
    )
    hint += ", or take a current range above 10 mA, which bypasses the RPM)" if resistance < OUTPUT_RESISTANCE else ")"
    limits.check("current", worst, f"greatest current of a pulse into a short{hint}")
    limits.check(
        "power", min(peak * worst, peak * peak / (4.0 * (resistance + request.series))), f"greatest power{hint}"
    )


# -- segments ---------------------------------------------------------------------------------------------------------
def check_ends(waveform: Waveform) -> None:
    """Raise LimitError unless a waveform starts and ends at 0 V, and what rests there is not better waited for."""
    for level, where in ((waveform.levels[0], "start"), (waveform.levels[-1], "end")):
        if level != 0:
            raise LimitError(
                f"the waveform's {where} is at {show(float(level), 'V')}: outputs are switched on and off at 0 V, so it must "
                "start and end there; add a segment from or to 0 V"
            )
    at_rest = (waveform.levels[:-1] == 0) & (waveform.levels[1:] == 0) & (waveform.measure == Measure.NOTHING)
    if (long := at_rest & (waveform.durations > LONGEST_REST)).any():
        k = int(np.argmax(long))
        raise LimitError(
            f"segment {k} rests at 0 V for {show(float(waveform.durations[k]), 's')}, more than {show(LONGEST_REST, 's')}: end "
            "the waveform there, wait by the clock, and play another"
        )


def check_duration(duration: float) -> None:
    """Raise LimitError for a test that keeps the card busy too long."""
    if duration > LONGEST_TEST:
        raise LimitError(
            f"the test takes {show(duration, 's')}, more than {show(LONGEST_TEST, 's')}; play it in parts and wait by the clock"
        )


def check_program(program: Program, span: float) -> None:
    """Raise LimitError unless the card can hold and play `program` on this source range."""
    check_duration(program.duration)
    if len(program.sequences) > SEQUENCES:
        raise LimitError(f"{len(program.sequences)} sequences exceed {SEQUENCES}, the most of the pulse card")
    if program.segments > SEGMENTS:
        raise LimitError(f"{program.segments} segments exceed {SEGMENTS}, the most of a pulse channel; use repeats")
    if program.row_count > POINTS:
        raise LimitError(f"{program.row_count} measured segments exceed {POINTS} points, the most of a channel")
    for sequence in program.sequences:
        if int(sequence.ticks.max()) > LONGEST:
            raise LimitError(
                f"segment of {show(int(sequence.ticks.max()) * TICK, 's')} exceeds {show(LONGEST * TICK, 's')}, the longest"
            )
        shortest = int(sequence.ticks.min())
        if shortest < SHORTEST[span]:
            least = show(SHORTEST[span] * TICK, "s")
            raise LimitError(
                f"segment of {show(shortest * TICK, 's')} is shorter than {least}, the least at {show(span, 'V')}"
            )
        steepest = float(np.max(np.abs(np.diff(sequence.levels)) / (sequence.ticks * TICK)))
        if span == SOURCE_RANGES[-1] and program.duration > _LONG and steepest > _STEEPEST:
            raise LimitError(
                f"slope of {show(steepest, 'V')}/s exceeds {show(_STEEPEST, 'V')}/s, the most on the 40 V range in a test "
                f"of more than {show(_LONG, 's')}"
            )


# -- standard pulses --------------------------------------------------------------------------------------------------
def check_base(train: PulseTrain) -> None:
    """Raise LimitError for a base that is not 0 V: the output would rest there until it is switched off."""
    if train.base != 0:
        raise LimitError(
            f"base = {show(train.base, 'V')}: the cell would stay at it before and after the pulses; play a Waveform that "
            "starts and ends at 0 V"
        )


def check_pulse(train: PulseTrain, span: float) -> None:
    """Raise LimitError unless the times of a standard pulse are what the card can do on this source range."""
    limits = TIMINGS[span]
    _between("period", train.period, limits.period, LONGEST_PERIOD)
    _between("width", train.width, limits.width, train.period - TICK)
    _between("rise", train.rise, limits.edge, LONGEST_EDGE)
    _between("fall", train.fall, limits.edge, LONGEST_EDGE)
    if train.delay:
        _between("delay", train.delay, limits.edge, LONGEST_PERIOD)
    if train.rise > train.width * (1 + 1e-9):
        raise LimitError(f"rise = {show(train.rise, 's')} exceeds the width {show(train.width, 's')}")
    rest = pulse_ticks(train)[-1] * TICK
    if not rest > OFF_TIME * (1 + 1e-9):
        raise LimitError(
            f"time between pulses = {show(rest, 's')} must be above {show(OFF_TIME, 's')}; lengthen the period"
        )
    check_duration(train.duration)


def _between(what: str, value: float, low: float, high: float) -> None:
    slack = 1e-12  # s; sums of floats
    if not low - slack <= value <= high + slack:
        raise LimitError(f"{what} = {show(value, 's')} is not between {show(low, 's')} and {show(high, 's')}")


# -- samples ----------------------------------------------------------------------------------------------------------
def sample_rate(windows: Windows, asked: float | None) -> float:
    """The sample rate, 200e6/n per s, at which every window has a sample and all of them fit. Raises LimitError.

    A rate asked for is used as it is or refused. By itself it is the fastest at which all samples, those that go into means
    too, stay within 65 536: the instrument would lower a faster one to that, and raise one too slow for the shortest window
    (D 7-24); where both happen it refuses (error -951).
    """
    total, shortest = float(windows.lengths.sum()), float(windows.lengths.min())
    if asked is not None:
        divider = _divider_of(asked)
        if float(windows.rows(FASTEST / divider).sum()) > POINTS:
            raise LimitError(
                f"{asked:g} samples per s for {show(total, 's')} exceed {POINTS} points, the most of a channel"
            )
    else:
        room = max(POINTS - windows.kinds.size, 1)  # a window may give one more than what fits, rounded down
        divider = max(1, math.ceil(FASTEST * total / room - 1e-9))
        divider = min(divider, max(1, math.floor(FASTEST * shortest + 1e-6)), round(FASTEST / SLOWEST))
    rate = FASTEST / divider
    if rate * shortest < 1 - 1e-9:
        raise LimitError(f"window of {show(shortest, 's')} has no sample at {rate:g} samples per s")
    if rate * total > POINTS * (1 + 1e-9):
        raise LimitError(
            f"{show(total, 's')} measured at {rate:g} samples per s, the least for a window of {show(shortest, 's')}, exceed "
            f"{POINTS} points, the most of a channel; shorten the windows, or play it in parts"
        )
    return rate


def _divider_of(asked: float) -> int:
    divider = max(round(FASTEST / asked), 1) if asked > 0 else 1
    if not SLOWEST <= asked <= FASTEST or abs(FASTEST / divider - asked) > 1e-6 * asked:
        near = FASTEST / min(max(divider, 1), round(FASTEST / SLOWEST))
        raise LimitError(f"sample_rate = {asked:g} per s is not 200e6/n from 1e3 to 200e6; the nearest is {near:g}")
    return divider


def wire_rate(rate: float) -> int:
    """The whole number to send for `rate`: of a rate between two the card takes the next higher (LPT 6-44)."""
    return math.floor(rate + 1e-6)
