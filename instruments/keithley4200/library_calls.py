"""What old software, which has no ``:PMU:``, can be asked for: calls of two modules of the vendor's user library. No I/O.

By their published sources: `PMU_SegArb_Example` plays one sequence on both channels and samples all of it at a rate of its own;
means are taken from the samples in their windows. `PMU_1Chan_Sweep` measures one mean of each amplitude of a sweep, on one
channel: what is there for a cell whose other terminal is grounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labctl.contracts import FloatArray, Measure, PulseTrain, Waveform
from labctl.errors import LimitError
from labctl.kxci import Word
from labctl.kxci import messages as m
from labctl.quantities import show

from . import pulse_rules as rules
from .pulse_plan import Pair, Ranges
from .pulse_program import IntArray, Program, Windows
from .segments import FEWEST
from .trains import evenly, train_windows

LIBRARY = Word("PMU_examples_ulib")
SEGMENT_MODULE, SWEEP_MODULE = Word("PMU_SegArb_Example"), Word("PMU_1Chan_Sweep")
MOST = 15_000  #: points of one test: below the 16 000 elements of an array (D 4-9), and the module's own 30 000
LEAST = 100  #: elements of an output array at least (help of the module)
SWEEP_POINTS = 10_000  #: of a sweep (help of the module)
_CHANNEL_OUTPUTS = {1: (31, 33, 41), 2: (35, 37, 43)}  # positions of V, I and status by channel of the card (D 4-10) …
_TIME_OUTPUT = 39  # … and of the time
_SWEEP_OUTPUTS = (21, 23, 31)  # of V and I at the top, and of the status
_ANY_STEP = 0.1  # V, of a sweep of one amplitude, whose step the module only divides by
_AT_ONCE = 1e6  # samples of the module from which its source lowers the rate once more
_LOAD = 1e6  # ohm, the modules' default and greatest
_WIDTH, _PERIOD, _EDGE = 60e-9, {10.0: 120e-9, 40.0: 280e-9}, {10.0: 20e-9, 40.0: 100e-9}  # s (help of PMU_1Chan_Sweep)


@dataclass(frozen=True)
class LibraryTest:
    """A call of a module.

    call: the command; channels: positions (from 1; names differ between versions) of the arrays of voltage, current and status,
    of the driven channel and, where there is one, of the held; time: that of the time stamps, None where the arrays hold one
    mean each for the windows, not samples; count: elements to ask for; windows, duration (s): as of a `PulseTest`.
    """

    call: m.Execute
    channels: tuple[tuple[int, int, int], ...]
    time: int | None
    count: int
    windows: Windows
    duration: float


def segment_call(program: Program, pair: Pair, ranges: Ranges) -> LibraryTest:
    """Encode a program for `PMU_SegArb_Example`. Raises LimitError for what it can't play or measure."""
    if pair.held is None:
        raise LimitError("on this software waveforms need a second pulse channel on the other terminal, not ground")
    rules.check_program(program, ranges.voltage)
    rules.check_current_range(ranges.current, ranges.voltage, pair.kinds)
    levels, times, duration = *_written_out(program), program.duration
    windows = program.windows()
    _check_samples(windows, times)
    by_channel = [levels, np.zeros_like(levels)]
    if pair.driven % 2 == 0:
        by_channel.reverse()
    count, most = times.size, _points(times)
    flags = np.ones(count, dtype=int).tolist()  # relays closed; the first trigger must be 1
    arrays = [
        times.tolist(),
        *(part for one in by_channel for part in (one[:-1].tolist(), one[1:].tolist())),
        *[flags] * 3,
    ]
    both = [ranges.voltage, ranges.current] * 2
    load = [min(ranges.load or _LOAD, _LOAD), _LOAD]
    values: list[object] = [*both, 1, *(load if pair.driven % 2 else load[::-1]), most, count]
    for array in arrays:
        values += [array, count]
    values += [0.0, 0.01, 0.01, "NONE", _card(pair), *[None, most] * 7]
    sides = (1, 2) if pair.driven % 2 else (2, 1)
    outputs = tuple(_CHANNEL_OUTPUTS[side] for side in sides)
    return LibraryTest(_call(SEGMENT_MODULE, values), outputs, _TIME_OUTPUT, most, windows, duration)


def sweep_call(train: PulseTrain, pair: Pair, load: float | None) -> LibraryTest:
    """Encode a train for `PMU_1Chan_Sweep`. Raises LimitError for what it can't apply or measure."""
    ranges = Ranges(rules.source_range(train, load), train.current_range, load)
    rules.check_current_range(ranges.current, ranges.voltage, pair.kinds)
    rules.check_pulse(train, ranges.voltage)
    _check_stricter(train, ranges.voltage)
    ramp = evenly(train, falling=True)
    if train.measure != Measure.MEAN or ramp is None or train.count > 1 or (ramp.step == 0 and train.pulses > 1):
        raise LimitError(
            "on this software, with the other terminal grounded, there is only one pulse, or a sweep of evenly spaced "
            "amplitudes, one pulse each, measured by means"
        )
    if train.pulses > SWEEP_POINTS:
        raise LimitError(f"{train.pulses} amplitudes exceed {SWEEP_POINTS}, the most of {SWEEP_MODULE}")
    windows = train_windows(train)
    rate = rules.wire_rate(rules.sample_rate(windows, train.sample_rate))
    times = [train.width, train.rise, train.fall, train.period, train.delay, float(rate), *train.window]
    source = [ranges.voltage, ranges.current, ramp.start, ramp.stop, ramp.step or _ANY_STEP, train.base]
    side = 2 - pair.driven % 2
    load_given = min(load or _LOAD, _LOAD)
    values: list[object] = [*times, 1, 0, load_given, *source, 0, side, _card(pair), *[None, train.pulses] * 6]
    return LibraryTest(_call(SWEEP_MODULE, values), (_SWEEP_OUTPUTS,), None, train.pulses, windows, train.duration)


def train_ranges(train: PulseTrain, load: float | None) -> Ranges:
    """The ranges of a train that is played as segments. Raises LimitError."""
    return Ranges(rules.source_range(train, load), train.current_range, load)


def _check_stricter(train: PulseTrain, span: float) -> None:
    for name, value, least in (
        ("width", train.width, _WIDTH),
        ("period", train.period, _PERIOD[span]),
        ("rise", train.rise, _EDGE[span]),
        ("fall", train.fall, _EDGE[span]),
    ):
        if value < least * (1 - 1e-9):
            raise LimitError(f"{name} = {show(value, 's')} is below {show(least, 's')}, the least of {SWEEP_MODULE}")


def _written_out(program: Program) -> tuple[FloatArray, FloatArray]:
    """Levels and times (s) of all segments with every loop written out. Raises LimitError where these are too many."""
    count = sum(len(program.sequences[place]) * loops for place, loops in program.plays)
    if not FEWEST <= count <= rules.SEGMENTS:
        raise LimitError(
            f"{count} segments, repeats written out, exceed {rules.SEGMENTS}, the most of {SEGMENT_MODULE}"
        )
    whole = [program.sequences[place].times(loops) for place, loops in program.plays]
    levels = np.append(np.concatenate([one.levels[:-1] for one in whole]), whole[-1].levels[-1])
    steps: IntArray = np.concatenate([one.ticks for one in whole])
    return levels, np.array([float(f"{step}e-8") for step in steps.tolist()])


def _check_samples(windows: Windows, times: FloatArray) -> None:
    """Raise LimitError unless every segment, which the module measures whether wanted or not, and every window has a sample."""
    rate = module_rate(times)
    shortest = min(float(times.min()), float(windows.lengths.min(initial=np.inf)))
    if rate * shortest < 1.0:
        raise LimitError(
            f"segment or window of {show(shortest, 's')} is too short: {SEGMENT_MODULE} spreads {MOST} samples at most over "
            f"all {show(float(times.sum()), 's')}, one every {show(1.0 / rate, 's')}; play it in parts, or lengthen it"
        )


def _points(times: FloatArray) -> int:
    """How many points the module may give: all samples of a short waveform at its fastest rate, never more than `MOST`."""
    return min(MOST, LEAST + round(float(times.sum()) * rules.FASTEST))


def module_rate(times: FloatArray) -> float:
    """The samples per s that `PMU_SegArb_Example` takes for segments of `times` (s), as its source works them out."""
    samples = float(times[1:].sum()) * rules.FASTEST  # its sum begins with the second segment
    rate = rules.FASTEST
    for most in (_AT_ONCE, float(MOST)):
        if samples > most:
            rate /= math.floor(samples / most + 1)
    return rate


def _card(pair: Pair) -> str:
    return f"PMU{(pair.driven + 1) // 2}"


def _call(module: Word, values: Sequence[object]) -> m.Execute:
    return m.Execute(LIBRARY, module, tuple(m.place(value) for value in values))  # type: ignore[arg-type]


def check_call(request: Waveform | PulseTrain) -> None:
    """Raise LimitError for a rate asked for: the segment module has its own."""
    if request.sample_rate is not None:
        raise LimitError(
            f"sample_rate = {request.sample_rate:g} per s: on this software {SEGMENT_MODULE} chooses the rate"
        )
