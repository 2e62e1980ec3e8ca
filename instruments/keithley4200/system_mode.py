"""A request turned into a test of the instrument's system mode: the messages, and what to expect of them. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labctl.contracts import Acquisition, FloatArray, Sampling, Sweep
from labctl.kxci import Command, ranges, wire_value
from labctl.kxci import messages as m

from .timing import INTEGRATIONS, reading_time
from .wiring import Settings, Wiring

_SAME = 1e-9  # V; levels this near are one level: the finest range resolves 1 uV (data/kxci.md 5); guess
_VAR1, _CONSTANT, _VOLTAGE_SOURCE = 1, 3, 1  # D 5-7
_LIST_NAMES = 6  # names one LI takes; several add up (D 5-23)


@dataclass(frozen=True)
class Test:
    """A test ready to be sent.

    messages: one tuple of commands each; ranges: the range command by SMU, to be sent before them; channel: the driven SMU,
    whose readings are wanted; held: V by SMU of the other terminals; levels: shape (n,), V, as the instrument gets them;
    compliance: A; standby: outputs off at the end; per_reading, duration: expected, s; open_ended: fewer than n readings are
    right, too; live: read rows while it runs.
    """

    messages: tuple[tuple[Command, ...], ...]
    ranges: dict[int, Command]
    channel: int
    held: Mapping[int, float]
    levels: FloatArray
    compliance: float
    standby: bool
    per_reading: float
    duration: float
    open_ended: bool = False
    live: bool = True

    @property
    def names(self) -> tuple[str, str, str]:
        """What time stamp, voltage and current of the driven channel are called in the instrument."""
        return time_name(self.channel), *readings_of(self.channel)


def time_name(channel: int) -> str:
    """The name of a channel's time stamps (D 5-37)."""
    return f"CH{channel}T"


def readings_of(channel: int) -> tuple[str, str]:
    """The names we give to a channel's voltage and current."""
    return f"V{channel}", f"I{channel}"


def sweep_test(sweep: Sweep, wiring: Wiring, settings: Settings) -> Test:
    """Encode a sweep; its levels go as a linear sweep where that is the same, otherwise as a list."""
    driven = wiring.driven(sweep.terminal)
    compliance = wire_value(sweep.compliance)
    held = _by_channel(sweep.constants, wiring)
    command, levels = _levels(driven, compliance, np.asarray(sweep.levels, dtype=np.float64))
    times = (m.HoldTime(sweep.acquisition.hold), m.DelayTime(sweep.acquisition.delay))
    source = (m.SourcePage(), *times, *_held(held, compliance), *_standby((driven, *held), sweep.standby))
    per_reading = reading_time(sweep.acquisition, settings, wiring.smus[driven]) + sweep.acquisition.delay
    return Test(
        messages=(
            (
                *_definitions({driven: _VAR1, **dict.fromkeys(held, _CONSTANT)}, wiring),
                *_acquisition(sweep.acquisition, settings),
                m.ExitOnCompliance(int(sweep.stop_on_compliance)),
            ),
            # a list is long: it stands alone
            *([source, (command,)] if isinstance(command, m.VoltageList) else [(*source, command)]),
            _measured(driven, held),
        ),
        ranges=_ranges((driven, *held), sweep.acquisition, compliance, wiring),
        channel=driven,
        held=held,
        levels=levels,
        compliance=compliance,
        standby=sweep.standby,
        per_reading=per_reading,
        duration=sweep.acquisition.hold + levels.size * per_reading,
        open_ended=sweep.stop_on_compliance,
        live=settings.live and sweep.acquisition.live,
    )


def sampling_test(sampling: Sampling, wiring: Wiring, settings: Settings) -> Test:
    """Encode readings against time at constant voltages."""
    driven = wiring.driven(sampling.terminal)
    compliance = wire_value(sampling.compliance)
    level = sampling.voltages[sampling.terminal]
    held = _by_channel({t: v for t, v in sampling.voltages.items() if t != sampling.terminal}, wiring)
    times = (m.HoldTime(0.0), m.DelayTime(0.0))
    sources = (m.ConstantVoltage(driven, level, compliance), *_held(held, compliance))
    timing = (m.ReadingCount(sampling.count), m.Interval(sampling.interval), m.WaitTime(sampling.wait))
    per_reading = max(sampling.interval, reading_time(sampling.acquisition, settings, wiring.smus[driven]))
    return Test(
        messages=(
            (
                *_definitions(dict.fromkeys((driven, *held), _CONSTANT), wiring),
                *_acquisition(sampling.acquisition, settings),
                m.ExitOnCompliance(0),
            ),
            (m.SourcePage(), *times, *sources, *_standby((driven, *held), sampling.standby)),
            (*_measured(driven, held), *timing),
        ),
        ranges=_ranges((driven, *held), sampling.acquisition, compliance, wiring),
        channel=driven,
        held=held,
        levels=np.full(sampling.count, wire_value(level)),
        compliance=compliance,
        standby=sampling.standby,
        per_reading=per_reading,
        duration=sampling.wait + sampling.count * per_reading,
        live=settings.live and sampling.acquisition.live,
    )


# -- the pieces -------------------------------------------------------------------------------------------------------
def _definitions(functions: Mapping[int, int], wiring: Wiring) -> tuple[Command, ...]:
    """Switch off every channel there is (the start-up defaults would take part, D 5-5), then define those of the test."""
    return (
        m.DefinitionPage(),
        *(m.DefineChannel(number) for number in wiring.smus),
        *(m.DefineVoltageSource(number) for number in wiring.sources),
        *(m.DefineVoltmeter(number) for number in wiring.voltmeters),
        *(m.DefineChannel(n, f"V{n}", f"I{n}", _VOLTAGE_SOURCE, function) for n, function in functions.items()),
    )


def _by_channel(voltages: Mapping[str, float], wiring: Wiring) -> dict[int, float]:
    return {channel: v for terminal, v in voltages.items() if (channel := wiring.channel(terminal)) is not None}


def _held(held: Mapping[int, float], compliance: float) -> Iterator[Command]:
    """The held terminals with the test's own compliance: more would let a limit of sample or station be passed."""
    return (m.ConstantVoltage(channel, voltage, compliance) for channel, voltage in held.items())


def _standby(channels: Iterable[int], off_at_the_end: bool) -> Iterator[Command]:
    return (m.Standby(channel, int(off_at_the_end)) for channel in channels)


def _levels(channel: int, compliance: float, wanted: FloatArray) -> tuple[Command, FloatArray]:
    sent = np.array([wire_value(float(level)) for level in wanted])
    ramp = _ramp(sent)
    if ramp is None:
        return m.VoltageList(channel, 1, compliance, tuple(float(level) for level in sent)), sent
    start, stop, step = ramp
    applied: FloatArray = start + step * np.arange(sent.size, dtype=np.float64)
    return m.VoltageSweep(1, start, stop, step, compliance), applied


def _ramp(levels: FloatArray) -> tuple[float, float, float] | None:
    """(start, stop, step) of a linear sweep that applies these levels, None where there is none.

    Only rising ramps: which sign a falling step has is not documented. Start and step below 1 mV are forced to 0 (D 5-21).
    """
    if not 3 <= levels.size <= ranges.LINEAR_POINTS:
        return None
    start, stop = float(levels[0]), float(levels[-1])
    step = wire_value((stop - start) / (levels.size - 1)) if stop > start + ranges.SMALLEST_STEP else 0.0
    if step < ranges.SMALLEST_STEP or 0 < abs(start) < ranges.SMALLEST_STEP:
        return None
    counted = int(abs((stop - start) / step) + 1.5)  # the instrument's own rule (D 5-19)
    apart = np.max(np.abs(start + step * np.arange(levels.size) - levels))
    return (start, stop, step) if counted == levels.size and apart <= _SAME else None


def _acquisition(acquisition: Acquisition, settings: Settings) -> tuple[Command, ...]:
    return _integration(acquisition, settings), m.Resolution(settings.digits)


def _ranges(channels: Iterable[int], acquisition: Acquisition, compliance: float, wiring: Wiring) -> dict[int, Command]:
    """By channel, the driven one first; the held ones range as it does, where they can: their currents are measured, too."""
    first, *others = channels
    chosen = {first: _range(first, acquisition, compliance, wiring.smus[first])}
    for channel in others:
        kind = wiring.smus[channel]
        fixed = acquisition.current_range if acquisition.current_range in kind.current_ranges else None
        chosen[channel] = _range(channel, Acquisition(current_range=fixed), compliance, kind)
    return chosen


def _measured(driven: int, held: Iterable[int]) -> tuple[Command, ...]:
    names = [*readings_of(driven), time_name(driven), *(name for channel in held for name in readings_of(channel))]
    return (m.MeasurePage(), m.DisplayMode(2), *list_names(names))


def list_names(names: Sequence[str]) -> list[Command]:
    """The ``LI`` commands for any number of names: six in each, they add up."""
    return [m.ListNames(tuple(names[at : at + _LIST_NAMES])) for at in range(0, len(names), _LIST_NAMES)]


def _integration(acquisition: Acquisition, settings: Settings) -> Command:
    if isinstance(acquisition.integration, str):
        return m.Integration(INTEGRATIONS[acquisition.integration][0])
    return m.Integration(4, settings.delay_factor, settings.filter_factor, float(acquisition.integration))


def _range(channel: int, acquisition: Acquisition, compliance: float, kind: ranges.SmuKind) -> Command:
    if acquisition.current_range is not None:
        return m.FixedCurrentRange(channel, acquisition.current_range, compliance)
    floor = acquisition.range_floor
    return m.RangeFloor(channel, kind.default_range_floor if floor is None else floor)
