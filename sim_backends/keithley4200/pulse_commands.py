"""The pulse card's commands, ``:PMU:`` (D section 7), and the routing of RPMs.

Almost everything is only written down; ``:PMU:EXECUTE`` checks it (D 7-9, 7-19, 7-24). A command of the other pulse mode is
refused at once (-965; when: guess).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from labctl.kxci import messages as m
from labctl.kxci.spec import Command

from .mainframe import Mainframe
from .pulse_data import BLOCK
from .pulse_setup import (
    SEGMENT_ARB,
    SPOT_MEAN,
    SPOT_MEAN_AVERAGE,
    STANDARD,
    Sequence,
    Source,
    Times,
    count_levels,
)  # fmt: skip
from .refusal import ABORTED, NOTHING_ACQUIRED, PULSE_MODE, Refused

#: the array that each Segment Arb command sends, and whether it goes on with it
ARRAYS: dict[type[Command], tuple[str, bool]] = {
    m.SegmentTimes: ("time", False), m.AddSegmentTimes: ("time", True),
    m.SegmentStarts: ("start", False), m.AddSegmentStarts: ("start", True),
    m.SegmentStops: ("stop", False), m.AddSegmentStops: ("stop", True),
    m.SegmentModes: ("kind", False), m.AddSegmentModes: ("kind", True),
    m.WindowStarts: ("begin", False), m.AddWindowStarts: ("begin", True),
    m.WindowStops: ("end", False), m.AddWindowStops: ("end", True),
    m.SegmentRelays: ("relay", False), m.AddSegmentRelays: ("relay", True),
    m.SegmentTriggers: ("trigger", False), m.AddSegmentTriggers: ("trigger", True),
}  # fmt: skip


# -- control ----------------------------------------------------------------------------------------------------------
def _initialise(frame: Mainframe, command: m.InitializePulse) -> None:
    frame.settle()
    if frame.settings.init_resets_rpm:
        frame.routing.reset()
    frame.pulses.initialise(command.mode)


def _execute(frame: Mainframe, _: m.ExecutePulse) -> None:
    """Start; a set-up that acquires neither top nor base is an error, and measures both (D 7-14)."""
    frame.settle()
    setup = frame.pulses.setup
    careless = setup.mode == STANDARD and setup.measure in (SPOT_MEAN, SPOT_MEAN_AVERAGE)
    careless = careless and any(not (channel.high or channel.low) for channel in setup.active.values())
    frame.pulses.start()
    frame.status.clear_ready()
    if careless:
        raise Refused(NOTHING_ACQUIRED)


def _poll(frame: Mainframe, _: m.PollPulse) -> str:
    return "1" if frame.pulses.run is not None or frame.stuck else "0"


def _abort(frame: Mainframe, _: m.AbortPulse) -> None:
    """Stop; that a test which ran leaves -966 is a guess."""
    if frame.run is None and frame.pulses.abort(frame.clock.now()):
        raise Refused(ABORTED)


def _output(frame: Mainframe, command: m.PulseOutput) -> None:
    frame.settle()
    frame.pulses.switch(command.channel, bool(command.on))


def _retain(frame: Mainframe, command: m.RetainSetup) -> None:
    frame.pulses.channel(command.channel).retains = bool(command.on)


def route(frame: Mainframe, command: m.ConfigureRpm | m.RoutePreamp) -> None:
    """Let an RPM connect its SMU, its pulse channel or neither; without one that is not an error (D 7-67)."""
    frame.settle()
    frame.routing.route(command.hardware, command.mode)
    frame.circuit.changed()


# -- data -------------------------------------------------------------------------------------------------------------
def _count(frame: Mainframe, command: m.CountPoints) -> str:
    return str(len(frame.pulses.data(command.channel)))


def _points(frame: Mainframe, command: m.GetPoints) -> str:
    frame.status.taken()
    data = frame.pulses.data(command.channel)
    return data.block(command.start or 0, command.count or BLOCK, command.columns)


# -- measurement ------------------------------------------------------------------------------------------------------
def _measure(frame: Mainframe, command: m.PulseMeasureMode) -> None:
    _standard(frame)
    frame.pulses.setup.measure = command.mode


def _acquire(frame: Mainframe, command: m.AcquireLevels) -> None:
    channel = frame.pulses.channel(command.channel, STANDARD)
    channel.high, channel.low = bool(command.high), bool(command.low)


def _range(frame: Mainframe, command: m.PulseMeasureRange) -> None:
    channel = frame.pulses.channel(command.channel)
    channel.ranging = command.kind
    if command.value is not None:
        channel.current_range = command.value


def _window(frame: Mainframe, command: m.SpotMeanWindow) -> None:
    frame.pulses.channel(command.channel, STANDARD).window = command.start, command.stop


def _margins(frame: Mainframe, command: m.WaveformMargins) -> None:
    frame.pulses.channel(command.channel, STANDARD).margins = command.pre, command.post


def _rate(frame: Mainframe, command: m.SampleRate) -> None:
    frame.pulses.setup.rate = float(command.rate)


def _compensate(frame: Mainframe, command: m.UseCompensation) -> None:
    frame.pulses.channel(command.channel)
    frame.pulses.compensate(command.channel, command.kind, bool(command.on))


def _measure_compensation(frame: Mainframe, command: m.MeasureCompensation) -> None:
    """The cables are taken to be shorted or open while it is measured; it takes as long as an autocalibration (guess)."""
    frame.pulses.channel(command.channel)
    frame.clock.sleep(frame.settings.calibration_time)
    frame.pulses.acquire(command.channel, command.kind)


# -- source and standard pulses ---------------------------------------------------------------------------------------
def _voltage_range(frame: Mainframe, command: m.PulseSourceRange) -> None:
    frame.pulses.channel(command.channel).voltage_range = float(command.value)


def _load(frame: Mainframe, command: m.PulseLoad) -> None:
    frame.pulses.channel(command.channel).load = command.resistance


def _load_line(frame: Mainframe, command: m.LoadLineCorrection) -> None:
    frame.pulses.channel(command.channel, STANDARD).corrects_load_line = bool(command.on)


def _burst(frame: Mainframe, command: m.BurstCount) -> None:
    _standard(frame)
    frame.pulses.setup.burst = command.count


def _times(frame: Mainframe, command: m.PulseTimes) -> None:
    """The last period sent is that of all channels (D 7-19)."""
    channel = frame.pulses.channel(command.channel, STANDARD)
    delay = command.delay or 0.0
    channel.times = Times(command.period, command.width, command.rise, command.fall, delay)
    for other in frame.pulses.setup.channels.values():
        other.times = replace(other.times, period=command.period)


def _train(frame: Mainframe, command: m.PulseTrain) -> None:
    channel = frame.pulses.channel(command.channel, STANDARD)
    channel.source = Source("train", "top", command.amplitude, command.base)


def _amplitudes(frame: Mainframe, command: m.SweepAmplitude | m.StepAmplitude) -> None:
    _moving(frame, command, "top", command.base)


def _bases(frame: Mainframe, command: m.SweepBase | m.StepBase) -> None:
    _moving(frame, command, "base", command.amplitude)


def _constants(frame: Mainframe, command: m.SweepDC | m.StepDC) -> None:
    _moving(frame, command, "both", 0.0)


def _moving(frame: Mainframe, command: Any, moves: Any, fixed: float) -> None:
    """A sweep or steps; the sign of the step is that of stop - start, whatever was sent (guess)."""
    channel = frame.pulses.channel(command.channel, STANDARD)
    steps = isinstance(command, (m.StepAmplitude, m.StepBase, m.StepDC))
    count = count_levels(command.start, command.stop, command.step)
    points = count
    if not steps and command.dual:
        points = 2 * count - (1 if frame.settings.dual_points == "2n-1" else 0)
    step = abs(command.step) if command.stop >= command.start else -abs(command.step)
    channel.source = Source("step" if steps else "sweep", moves, command.start, fixed, step, count, points)


# -- Segment Arb ------------------------------------------------------------------------------------------------------
def _array(frame: Mainframe, command: Any) -> None:
    channel = frame.pulses.channel(command.channel, SEGMENT_ARB)
    name, goes_on = ARRAYS[type(command)]
    arrays = channel.sequences.setdefault(command.sequence, Sequence()).arrays
    arrays[name] = (arrays.get(name, []) if goes_on else []) + list(map(float, command.values))


def _plays(frame: Mainframe, command: m.PlaySequences) -> None:
    frame.pulses.channel(command.channel, SEGMENT_ARB).plays = list(command.plays)


def _add_plays(frame: Mainframe, command: m.AddPlaySequences) -> None:
    frame.pulses.channel(command.channel, SEGMENT_ARB).plays += command.plays


def _standard(frame: Mainframe) -> None:
    if frame.pulses.setup.mode != STANDARD:
        raise Refused(PULSE_MODE)


HANDLERS: dict[type[Command], Callable[[Mainframe, Any], str | None]] = {
    m.InitializePulse: _initialise, m.ExecutePulse: _execute, m.PollPulse: _poll, m.AbortPulse: _abort,
    m.PulseOutput: _output, m.RetainSetup: _retain, m.ConfigureRpm: route, m.RoutePreamp: route,
    m.CountPoints: _count, m.GetPoints: _points,
    m.PulseMeasureMode: _measure, m.AcquireLevels: _acquire, m.PulseMeasureRange: _range, m.SpotMeanWindow: _window,
    m.WaveformMargins: _margins, m.SampleRate: _rate, m.UseCompensation: _compensate,
    m.MeasureCompensation: _measure_compensation,
    m.PulseSourceRange: _voltage_range, m.PulseLoad: _load, m.LoadLineCorrection: _load_line, m.BurstCount: _burst,
    m.PulseTimes: _times, m.PulseTrain: _train, m.SweepAmplitude: _amplitudes, m.StepAmplitude: _amplitudes,
    m.SweepBase: _bases, m.StepBase: _bases, m.SweepDC: _constants, m.StepDC: _constants,
    **dict.fromkeys(ARRAYS, _array), m.PlaySequences: _plays, m.AddPlaySequences: _add_plays,
}  # fmt: skip
