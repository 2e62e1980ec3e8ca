"""From a setup to the levels of every point: checks what ME1 checks. Raises Refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from labctl.kxci.ranges import LINEAR_POINTS, LIST_POINTS, SMALLEST_STEP, linear_count

from .refusal import ARGUMENT, ILLEGAL_SETUP, Refused
from .setup import CONSTANT, VAR1, VAR1_PRIME, VAR2, Levels, Quantity, Setup

POINTS_PER_DECADE = {2: 10, 3: 25, 4: 50}  #: log10, log25, log50; the manual says only "log": guess, as on the 4145


@dataclass(frozen=True, slots=True)
class Program:
    """What one channel sources during a test; sources None: common."""

    sources: Quantity | None
    values: tuple[float, ...]
    compliance: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A test ready to run: programs by channel, all of `count` values; sampled: readings against time at constant levels."""

    programs: Mapping[int, Program]
    count: int
    sampled: bool


def linear(start: float, stop: float, step: float, is_voltage: bool) -> tuple[float, ...]:
    """Levels of a linear VAR1 sweep, at most 1024; the last may be half a step beyond `stop` (`ranges.linear_count`)."""
    if is_voltage:  # the manual forces small starts and steps to zero (D 5-21)
        start, step = (0.0 if abs(value) < SMALLEST_STEP else value for value in (start, step))
    if start == stop:
        return (start,)
    if step == 0.0:
        raise Refused(ARGUMENT)
    count = linear_count(start, stop, step)
    if count > LINEAR_POINTS:
        raise Refused(ARGUMENT)
    signed = math.copysign(step, stop - start)
    return tuple(start + signed * k for k in range(count))


def logarithmic(start: float, stop: float, kind: int) -> tuple[float, ...]:
    """Levels of a logarithmic VAR1 sweep; start and stop must have one sign and not be zero."""
    if start * stop <= 0.0:
        raise Refused(ARGUMENT)
    decades = math.log10(stop / start)
    count = int(abs(decades) * POINTS_PER_DECADE[kind] + 1.5)
    if count > LINEAR_POINTS:
        raise Refused(ARGUMENT)
    signed = math.copysign(1.0 / POINTS_PER_DECADE[kind], decades)
    return tuple(start * 10.0 ** (signed * k) for k in range(count))


def build(setup: Setup) -> Plan:
    """Check `setup` and lay out every level. Raises Refused: -991 where parts are missing or do not fit together."""
    names = [name for channel in setup.channels.values() for name in channel.names] + list(setup.voltmeters.values())
    if not setup.channels or len(set(names)) < len(names):  # two quantities of one name can't be told apart; guess
        raise Refused(ILLEGAL_SETUP)
    sweeps = _sweeps(setup)
    steps = _steps(setup)
    if steps and not sweeps:
        raise Refused(ILLEGAL_SETUP)
    inner = len(next(iter(sweeps.values())).values) if sweeps else setup.count
    count = inner * math.prod(len(levels.values) for levels in steps.values())
    if count > LIST_POINTS:
        raise Refused(ILLEGAL_SETUP)
    return Plan(_spread(setup, sweeps, steps, inner, count), count, sampled=not sweeps)


def _of(setup: Setup, function: int) -> list[int]:
    return sorted(n for n, channel in setup.channels.items() if channel.function == function)


def _sweeps(setup: Setup) -> dict[int, Levels]:
    """VAR1 levels by channel: lists, or the one VR/IR sweep."""
    channels = _of(setup, VAR1)
    if not channels:
        return {}
    if setup.lists:
        sweeps = {n: setup.lists[n] for n in channels if n in setup.lists}
        lengths = {len(levels.values) for levels in sweeps.values()}
        if len(sweeps) != len(channels) or len(lengths) != 1:
            raise Refused(ILLEGAL_SETUP)
    elif setup.var1 is None or len(channels) != 1:
        raise Refused(ILLEGAL_SETUP)
    else:
        sweeps = {channels[0]: setup.var1}
    _agree(setup, sweeps)
    return sweeps


def _steps(setup: Setup) -> dict[int, Levels]:
    """VAR2 levels by channel; the first defined takes index 1, and so on (D 5-18)."""
    channels = _of(setup, VAR2)
    if any(index not in setup.var2 for index in range(1, len(channels) + 1)):
        raise Refused(ILLEGAL_SETUP)
    steps = {n: setup.var2[index] for index, n in enumerate(channels, 1)}
    _agree(setup, steps)
    return steps


def _agree(setup: Setup, levels: Mapping[int, Levels]) -> None:
    for channel, one in levels.items():
        if setup.channels[channel].sources != one.sources:
            raise Refused(ILLEGAL_SETUP)


def _spread(
    setup: Setup, sweeps: Mapping[int, Levels], steps: Mapping[int, Levels], inner: int, count: int
) -> dict[int, Program]:
    """Programs of all channels: VAR1 innermost, then the steppers by index."""
    outer = count // inner
    programs = {n: Program(s.sources, s.values * outer, s.compliance) for n, s in sweeps.items()}
    block = inner
    for n, step in steps.items():
        once = tuple(value for value in step.values for _ in range(block))
        block = len(once)
        programs[n] = Program(step.sources, once * (count // block), step.compliance)
    for n in _of(setup, VAR1_PRIME):
        programs[n] = _prime(setup, n, sweeps, outer)
    for n in _of(setup, CONSTANT):
        programs[n] = _constant(setup, n, count)
    return programs


def _prime(setup: Setup, channel: int, sweeps: Mapping[int, Levels], outer: int) -> Program:
    """VAR1' = VAR1 x ratio + offset; its compliance is VAR1's (guess: it has no command of its own)."""
    if not sweeps:
        raise Refused(ILLEGAL_SETUP)
    lead = sweeps.get(setup.master or 0) or next(iter(sweeps.values()))
    ratio = setup.ratios.get(channel, setup.ratios.get(0, 1.0))
    offset = setup.offsets.get(channel, setup.offsets.get(0, 0.0))
    sources = setup.channels[channel].sources
    if sources != lead.sources:
        raise Refused(ILLEGAL_SETUP)
    return Program(sources, tuple(value * ratio + offset for value in lead.values) * outer, lead.compliance)


def _constant(setup: Setup, channel: int, count: int) -> Program:
    sources = setup.channels[channel].sources
    if sources is None:
        return Program(None, (0.0,) * count, 0.0)
    level = setup.constants.get(channel)
    if level is None or level.sources != sources:
        raise Refused(ILLEGAL_SETUP)
    return Program(sources, level.values * count, level.compliance)
