"""The simulated 4225-PMU cards with their RPMs: their set-up, their test, their data."""

from __future__ import annotations

from collections.abc import Iterable

from labctl.kxci.replies import Option

from .circuit import Circuit
from .pulse_data import PulseData
from .pulse_line import Line
from .pulse_meter import Converter
from .pulse_rules import check_power
from .pulse_running import Course, PulseRun
from .pulse_setup import OFFSET, SEGMENT_ARB, SHORT, SPOT_MEAN, SPOT_MEAN_AVERAGE, STANDARD, Channel, PulseSetup
from .refusal import NO_PULSE_CARD, OVERHEATED, PULSE_MODE, PULSE_SETUP, Refused
from .routing import Routing
from .segment_course import SegmentCourse
from .segment_rules import check_segments
from .settings import Settings
from .standard_course import StandardCourse
from .standard_rules import check_standard


class PulseCard:
    """All pulse channels of the instrument; `pulse_commands` acts on it."""

    def __init__(
        self, options: list[Option], routing: Routing, circuit: Circuit, settings: Settings, seed: int | None
    ) -> None:
        self._options, self._routing, self._circuit, self._settings = options, routing, circuit, settings
        seeds = {n: f"{seed}/pulse/{n}" if seed is not None else None for n in routing.channels}
        self._converters = {n: Converter(seeds[n], settings) for n in routing.channels}
        self._measured: set[tuple[int, int]] = set()  # compensations that were acquired: card, kind
        self._used: set[tuple[int, int]] = set()  # … and that are applied
        self.run: PulseRun | None = None
        self.initialise(STANDARD)

    @property
    def installed(self) -> bool:
        """Whether there is any pulse card."""
        return bool(self._routing.channels)

    @property
    def outputs(self) -> tuple[int, ...]:
        """The channels whose outputs are on."""
        return tuple(number for number, end in self._routing.channels.items() if end.output)

    def channel(self, number: int, mode: int | None = None) -> Channel:
        """The set-up of a channel; mode: the pulse mode this is for. Raises Refused."""
        if mode is not None and self.setup.mode != mode:
            raise Refused(PULSE_MODE)
        if number not in self.setup.channels:
            raise Refused(NO_PULSE_CARD)
        return self.setup.channels[number]

    def data(self, number: int) -> PulseData:
        """The points of a channel. Raises Refused where there is no such channel."""
        self.channel(number)
        return self._data[number]

    # -- set-up; time must have passed into the circuit before --------------------------------------------------------
    def initialise(self, mode: int) -> None:
        """Choose the mode and forget everything else: set-up, data, sequences; outputs off (D 7-9)."""
        self.setup = PulseSetup({n: Channel() for n in self._routing.channels}, mode, rate=self._settings.pulse_rate)
        self._data = {n: PulseData() for n in self._routing.channels}
        self._all_off()

    def reset(self) -> None:
        """As at power-on: standard mode, routing and compensation gone (D 4-5, 4-6)."""
        self.run = None
        self._used.clear()
        self._routing.reset()
        self.initialise(STANDARD)

    def switch(self, number: int, on: bool) -> None:
        """Ask for an output from the next test on, or switch it off now (D 7-16)."""
        self.channel(number).on = on
        if not on:
            self._routing.channels[number].off()
            self._circuit.changed()

    def acquire(self, number: int, kind: int) -> None:
        """Measure a compensation on the card of a channel; the result is on the console only (D 7-12)."""
        self._measured.add((_card_of(number), kind))

    def compensate(self, number: int, kind: int, on: bool) -> None:
        """Apply a compensation from the next test on, or not; one that was never measured changes nothing (guess)."""
        (self._used.add if on else self._used.discard)((_card_of(number), kind))

    # -- tests --------------------------------------------------------------------------------------------------------
    def start(self, setup: PulseSetup | None = None) -> None:
        """Check the set-up, clear the data and begin now. setup: another than that of ``:PMU:``.

        Raises Refused, changing nothing.
        """
        chosen = setup or self.setup
        if self._settings.pulse_overheated:
            raise Refused(OVERHEATED)
        lines = [self._line(number, channel) for number, channel in chosen.active.items()]
        if not lines:
            raise Refused(PULSE_SETUP)
        data = {number: _empty(chosen, channel) for number, channel in chosen.channels.items()}
        course = self._course(chosen, lines, data)
        check_power(lines, self._options)
        self._data = data
        self._compensate(lines)
        self.run = PulseRun(course, lines, self._circuit, self._settings)

    def _course(self, setup: PulseSetup, lines: list[Line], data: dict[int, PulseData]) -> Course:
        settings = self._settings
        if setup.mode == SEGMENT_ARB:
            entries, rate = check_segments(setup, lines, settings)
            return SegmentCourse(entries, lines, rate, data, settings)
        return StandardCourse(setup, lines, check_standard(setup, lines, settings), data, settings)

    def _line(self, number: int, channel: Channel) -> Line:
        end, rpm = self._routing.channels[number], self._routing.rpm(number)
        return Line(number, channel, end, rpm, self._converters[number], self._settings)

    def _compensate(self, lines: Iterable[Line]) -> None:
        """Let the meters use what was measured: no current offset, and half of the cables' resistance at each end."""
        ready = self._measured & self._used
        for line in lines:
            card = _card_of(line.number)
            self._converters[line.number].zeroed = (card, OFFSET) in ready
            line.shorted = self._settings.series_resistance / 2 if (card, SHORT) in ready else 0.0

    def advance_to(self, now: float) -> bool:
        """Play a running test up to clock time `now`; returns whether that ended it."""
        if self.run is None:
            return False
        self.run.advance_to(now)
        if self.run.active:
            return False
        self.run = None
        for channel in self.setup.channels.values():
            if not channel.retains:
                channel.forget()
        return True

    def abort(self, now: float) -> bool:
        """Stop a running test and switch all outputs off; the data stay (D 7-4). Returns whether one ran."""
        run, self.run = self.run, None
        if run is not None:
            run.abort(now)
        else:
            self._circuit.pass_to(now)
        self._all_off()
        for channel in self.setup.channels.values():
            channel.on = False
        return run is not None

    def _all_off(self) -> None:
        for end in self._routing.channels.values():
            end.off()
        self._circuit.changed()


def _card_of(channel: int) -> int:
    return (channel + 1) // 2


def _empty(setup: PulseSetup, channel: Channel) -> PulseData:
    spot = setup.mode == STANDARD and setup.measure in (SPOT_MEAN, SPOT_MEAN_AVERAGE)
    return PulseData.of_means(*channel.acquired) if spot else PulseData()
