"""What the two terminals are connected to, and the device between them: time passes into the device only here.

Idle time is not handed over bit by bit: it accrues until something changes or is measured, then the device gets it as one
dwell, so how often a client asks has no influence on the physics.

A reading is a mean over the converter's integration time, so what the terminals show after `integrate` is that mean: a device
that switches meanwhile reads an intermediate value. The device itself lives through the same drive either way.

A pulse test hands its time over in dwells of its own (`live`); the card's resistance is in series with the device then.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from labctl.contracts import DeviceModel, Drive, Response

from .routing import End, PulseEnd, Routing
from .settings import Settings
from .smu import Smu


class Dwell(NamedTuple):
    """One entry of the ground truth: what the device really got, SI, voltages top against bottom.

    start: clock time; drive: open voltage of the sources; compliance: what limited the current; voltage and current: the
    device's answer at the end; mean: the current averaged over the integration time that ended the dwell, which is what a
    meter was given; equal to `current` where nothing was measured.
    """

    start: float
    duration: float
    drive: float
    compliance: float
    voltage: float
    current: float
    mean: float


class Terminal(NamedTuple):
    """What one SMU sees: V on its output, A out of it, and whether it is in compliance."""

    voltage: float
    current: float
    in_compliance: bool


FLOATING = Drive(0.0)  #: an open cell: no current; taken as 0 V, the cells here have no voltage of their own


class Circuit:
    """The connections and the device's time."""

    def __init__(self, device: DeviceModel, routing: Routing, settings: Settings, now: float) -> None:
        self._device = device
        self._routing = routing
        self._live = settings.interlock_closed
        self._resistance = settings.series_resistance
        self._time = now
        self.truth: deque[Dwell] = deque(maxlen=settings.truth_length)
        self._response = Response(0.0, 0.0)
        self._noted: Drive | None = None  # that of the last truth entry, while a pulse test may go on with it
        self.changed()

    def changed(self) -> None:
        """Take routing and outputs as they are now; let time pass *before* changing them, with `pass_to`."""
        top, bottom = self._top, self._bottom = self._routing.connected
        self._top_limits = _limits_first(top, bottom)
        limit = min(top.current_limit, bottom.current_limit)
        self._floating = not (self._live and top.output and bottom.output) or limit == 0.0
        if self._floating:
            self._drive = FLOATING
        else:
            resistance = self._resistance + top.resistance + bottom.resistance
            self._drive = Drive(top.open_voltage - bottom.open_voltage, limit, resistance)
        self._answered = False

    def pass_to(self, now: float) -> None:
        """Let the device live until clock time `now` under what the outputs apply."""
        duration = now - self._time
        if duration <= 0.0:
            return
        self._response = response = self._device.advance(self._drive, duration)
        self._answered = True
        self._note(self._time, duration, response, response.current)
        self._time = now

    def integrate(self, now: float, parts: int) -> None:
        """Let the device live until `now` in `parts` equal dwells; the terminals then show the mean (trapezoids) over them.

        Whether the current was limited is as at the end (guess: a comparator is read with the converter). parts 0: no mean.
        In the truth it is one entry with the dwell before it, if that was under the same drive.
        """
        duration = now - self._time
        if duration <= 0.0:
            return
        if not parts:
            self.pass_to(now)
            return
        drive, advance = self._drive, self._device.advance
        follows = self._answered
        seen = [self._response if follows else advance(drive, 0.0)]
        part = duration / parts
        seen += [advance(drive, part) for _ in range(parts)]
        self._response = _mean(seen)
        self._answered = True
        start = self._time
        if follows and self.truth:
            start = self.truth.pop().start
        self._note(start, now - start, seen[-1], self._response.current)
        self._time = now

    def live(self, duration: float, until: float) -> None:
        """Let the device live `duration` s (> 0) under the present outputs, up to clock time `until`: a piece of a pulse test.

        In the truth it is one entry with the piece before it, if that was under the same drive.
        """
        self._response = end = self._device.advance(self._drive, duration)
        self._answered = True
        start = self._time
        if self._noted == self._drive and self.truth:
            before = self.truth.pop()
            start, duration = before.start, before.duration + duration
        self._note(start, duration, end, end.current)
        self._noted = self._drive
        self._time = until

    def out_of(self, end: PulseEnd) -> float:
        """The current out of a pulse channel now, A; 0 where it is not connected."""
        if self._floating or (end is not self._top and end is not self._bottom):
            return 0.0
        if not self._answered:
            self._response, self._answered = self._device.advance(self._drive, 0.0), True
        return self._response.current if end is self._top else -self._response.current

    def _note(self, start: float, duration: float, end: Response, mean: float) -> None:
        self._noted = None
        if self.truth.maxlen:
            drive = self._drive
            self.truth.append(Dwell(start, duration, drive.voltage, drive.compliance, end.voltage, end.current, mean))

    @property
    def time(self) -> float:
        """Clock time up to which the device has lived, s."""
        return self._time

    def at(self, smu: Smu) -> Terminal:
        """What `smu` sees after the last `pass_to`."""
        if not self._live:
            return Terminal(0.0, 0.0, False)
        top, bottom = self._top, self._bottom
        if smu is top and smu.output and bottom.output:
            return self._wired(smu, bottom, 1.0, self._top_limits)
        if smu is bottom and smu.output and top.output:
            return self._wired(smu, top, -1.0, not self._top_limits)
        return _open(smu)

    def limits_anywhere(self) -> bool:
        """Whether either end of the device is an SMU in compliance."""
        return any(isinstance(end, Smu) and self.at(end).in_compliance for end in (self._top, self._bottom))

    def _wired(self, smu: Smu, other: End, sign: float, limiting: bool) -> Terminal:
        if self._floating:  # a source of exactly 0 A on one end: no current, no voltage across the cell
            if limiting:
                return Terminal(other.open_voltage, 0.0, False)
            return Terminal(smu.open_voltage, 0.0, smu.sources_current)
        response = self._response
        held = response.in_compliance and limiting
        gave_way = limiting and response.voltage != self._drive.voltage  # at the end, or during a part of the mean
        voltage = other.open_voltage + sign * response.voltage if gave_way else smu.open_voltage
        return Terminal(voltage, sign * response.current, held != smu.sources_current)


def _mean(seen: list[Response]) -> Response:
    """The trapezoidal mean of equally spaced responses, exact where they are all equal; limited as the last one is."""
    first, last, parts = seen[0], seen[-1], len(seen) - 1
    i, v = first.current, first.voltage
    current = (sum([one.current - i for one in seen[1:-1]]) + (last.current - i) / 2) / parts
    voltage = (sum([one.voltage - v for one in seen[1:-1]]) + (last.voltage - v) / 2) / parts
    return Response(i + current, v + voltage, last.in_compliance)


def _limits_first(top: End, bottom: End) -> bool:
    # with equal limits the end that is further from 0 V is taken to give way: the driven one
    if top.current_limit == bottom.current_limit:
        return abs(top.open_voltage) >= abs(bottom.open_voltage)
    return top.current_limit < bottom.current_limit


def _open(smu: Smu) -> Terminal:
    """An SMU with nothing on it: a voltage source shows its level, a current source runs to its compliance."""
    if not smu.output:
        return Terminal(0.0, 0.0, False)
    return Terminal(smu.open_voltage, 0.0, smu.sources_current and smu.current_limit > 0.0)
