"""A request turned into a test of the instrument's system mode: the messages, and what to expect of them. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labctl.contracts import Acquisition, FloatArray, Sampling, Sweep
from labctl.kxci import Command, ranges, wire_value
from labctl.kxci import messages as m

from .wiring import Settings, Wiring

#: Mode of ``IT`` and power-line cycles by name (D 5-39).
INTEGRATIONS = {"fast": (1, 0.1), "normal": (2, 1.0), "quiet": (3, 10.0)}
_PER_CYCLE, _PER_POINT = 0.0671, 0.00675  # s; fit to an old 4200 over LAN, fixed range (reference 7.1)
_SAME = 1e-9  # V; levels this near are one level: the finest range resolves 1 uV (reference 7.1), the factor is a guess
_RETURN = 10.0  # see `_compliance`
_VAR1, _CONSTANT, _VOLTAGE_SOURCE = 1, 3, 1  # D 5-7
_LIST_NAMES = 6  # names one LI takes; several add up (D 5-23)


@dataclass(frozen=True)
class Test:
    """A test ready to be sent.

    messages: one tuple of commands each; channel: the driven SMU, whose readings are wanted; levels: shape (n,), V, as the
    instrument gets them; compliance: A; per_reading, duration: expected, s; open_ended: fewer than n readings are right, too.
    """

    messages: tuple[tuple[Command, ...], ...]
    channel: int
    levels: FloatArray
    compliance: float
    per_reading: float
    duration: float
    open_ended: bool = False

    @property
    def names(self) -> tuple[str, str, str]:
        """What time stamp, voltage and current of the driven channel are called in the instrument."""
        return time_name(self.channel), f"V{self.channel}", f"I{self.channel}"


def time_name(channel: int) -> str:
    """The name of a channel's time stamps (D 5-37)."""
    return f"CH{channel}T"


def sweep_test(sweep: Sweep, wiring: Wiring, settings: Settings) -> Test:
    """Encode a sweep; its levels go as a linear sweep where that is the same, otherwise as a list."""
    driven = wiring.driven(sweep.terminal)
    compliance = wire_value(sweep.compliance)
    held = {c: v for t, v in sweep.constants.items() if (c := wiring.channel(t)) is not None}
    command, levels = _levels(driven, compliance, np.asarray(sweep.levels, dtype=np.float64))
    source: list[Command] = [
        m.SourcePage(),
        m.HoldTime(sweep.acquisition.hold),
        m.DelayTime(sweep.acquisition.delay),
        *_held(held, compliance, wiring),
        *(m.Standby(channel, int(sweep.standby)) for channel in (driven, *held)),
    ]
    per_reading = reading_time(sweep.acquisition) + sweep.acquisition.delay
    return Test(
        messages=(
            (
                *_definitions({driven: _VAR1, **dict.fromkeys(held, _CONSTANT)}, wiring),
                *_acquisition(driven, held, sweep.acquisition, compliance, wiring, settings),
                m.ExitOnCompliance(int(sweep.stop_on_compliance)),
            ),
            # a list is long: it stands alone
            *([tuple(source), (command,)] if isinstance(command, m.VoltageList) else [(*source, command)]),
            _measured(driven),
        ),
        channel=driven,
        levels=levels,
        compliance=compliance,
        per_reading=per_reading,
        duration=sweep.acquisition.hold + levels.size * per_reading,
        open_ended=sweep.stop_on_compliance,
    )


def sampling_test(sampling: Sampling, wiring: Wiring, settings: Settings) -> Test:
    """Encode readings against time at constant voltages."""
    driven = wiring.driven(sampling.terminal)
    compliance = wire_value(sampling.compliance)
    level = sampling.voltages[sampling.terminal]
    others = {t: v for t, v in sampling.voltages.items() if t != sampling.terminal}
    held = {c: v for t, v in others.items() if (c := wiring.channel(t)) is not None}
    source: tuple[Command, ...] = (
        m.SourcePage(),
        m.HoldTime(0.0),
        m.DelayTime(0.0),
        m.ConstantVoltage(driven, level, compliance),
        *_held(held, compliance, wiring),
        *(m.Standby(channel, int(sampling.standby)) for channel in (driven, *held)),
    )
    timing = (m.ReadingCount(sampling.count), m.Interval(sampling.interval), m.WaitTime(sampling.wait))
    per_reading = max(sampling.interval, reading_time(sampling.acquisition))
    return Test(
        messages=(
            (
                *_definitions(dict.fromkeys((driven, *held), _CONSTANT), wiring),
                *_acquisition(driven, held, sampling.acquisition, compliance, wiring, settings),
                m.ExitOnCompliance(0),
            ),
            source,
            (*_measured(driven), *timing),
        ),
        channel=driven,
        levels=np.full(sampling.count, wire_value(level)),
        compliance=compliance,
        per_reading=per_reading,
        duration=sampling.wait + sampling.count * per_reading,
    )


def reading_time(acquisition: Acquisition) -> float:
    """The time in s one point takes, roughly (the reference's fit; autorange at low currents takes longer)."""
    return _PER_CYCLE * cycles(acquisition.integration) + _PER_POINT


def cycles(integration: str | float) -> float:
    """Power-line cycles of an integration; the name is known to be right."""
    return INTEGRATIONS[integration][1] if isinstance(integration, str) else float(integration)


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


def _held(held: Mapping[int, float], compliance: float, wiring: Wiring) -> Iterator[Command]:
    for channel, voltage in held.items():
        limit = _compliance(voltage, compliance, wiring.smus[channel])
        yield m.ConstantVoltage(channel, voltage, limit)


def _compliance(voltage: float, compliance: float, kind: ranges.SmuKind) -> float:
    """The compliance of a held terminal: the test's own, but tenfold for a return path at 0 V.

    Two SMUs in series with one and the same compliance would leave open which of them limits, and with that the flag of the
    reading. The return can't drive a current of its own, so the driven terminal's compliance still holds.
    """
    return min(_RETURN * compliance, kind.greatest_current(voltage)) if voltage == 0 else compliance


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


def _acquisition(
    driven: int,
    held: Mapping[int, float],
    acquisition: Acquisition,
    compliance: float,
    wiring: Wiring,
    settings: Settings,
) -> tuple[Command, ...]:
    """Integration and ranges; before the sources, because a compliance is judged by the range (RM 3-4)."""
    return (
        _integration(acquisition, settings),
        m.Resolution(settings.digits),
        _range(driven, acquisition, compliance, wiring.smus[driven]),
        # an SMU keeps the fixed range of an earlier test until it is told otherwise
        *(m.RangeFloor(channel, wiring.smus[channel].default_range_floor) for channel in held),
    )


def _measured(driven: int) -> tuple[Command, ...]:
    return (m.MeasurePage(), m.DisplayMode(2), *list_names((f"V{driven}", f"I{driven}", time_name(driven))))


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
