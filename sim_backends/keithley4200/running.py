"""A running test: played point by point, as far as the clock has come, and never further.

A point is applied when the one before it is done, and measured at its due time; both happen only when the clock is known
to have passed it. An abort therefore ends the stimulus where it is: the device never sees a later level.

The range is chosen before the integration begins. A current that grows beyond it meanwhile costs a second integration on
the next range, as an autoranging meter does; any other change meanwhile shows as the mean of the two states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .buffer import UNMAPPED, Buffer, Column
from .circuit import Circuit, Terminal
from .plan import Plan, Program
from .settings import Settings
from .setup import ChannelDefinition, Setup
from .smu import Smu
from .timing import EXTRA_HOLD, Integration

Reader = Callable[[Terminal, int], float]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What besides the setup shapes a test."""

    integration: Integration
    exit_on_compliance: bool
    repeat: bool
    append: bool


class _Channel:
    """One SMU of the running test: its levels, and the columns it fills."""

    def __init__(self, smu: Smu, program: Program) -> None:
        self.smu = smu
        self.program = program
        self.columns: list[tuple[Reader, Column]] = []
        self.measures_current = False
        self._applied: float | None = None

    def apply(self, index: int) -> None:
        """Put the level of point `index` on the output."""
        level = self.program.values[index]
        if level == self._applied:
            return
        self._applied = level
        if self.program.sources == "V":
            self.smu.force_voltage(level, self.program.compliance)
        elif self.program.sources == "I":
            self.smu.force_current(level, self.program.compliance)
        else:
            self.smu.common()

    def columns_for(
        self, definition: ChannelDefinition, wanted: set[str], integration: Integration
    ) -> dict[str, Reader]:
        """How each stored name of this channel is read. Only wanted quantities are measured; what a channel forces can
        be read back as programmed even if not wanted (D 5-38)."""
        readers: dict[str, Reader] = {}
        smu, values = self.smu, self.program.values
        for name, quantity in zip(definition.names, ("V", "I"), strict=True):
            if name in wanted and quantity == "V":
                readers[name] = lambda seen, _: smu.read_voltage(seen.voltage, integration)
            elif name in wanted:
                self.measures_current = True
                readers[name] = lambda seen, _: smu.read_current(seen.current, integration)
            elif self.program.sources == quantity:
                readers[name] = lambda _, index: values[index]
        return readers


#: what each channel sees
Seen = list[tuple[_Channel, Terminal]]


class Run:
    """One test from ME1 to its end."""

    def __init__(
        self, setup: Setup, plan: Plan, conditions: Conditions, smus: Mapping[int, Smu], circuit: Circuit,
        buffer: Buffer, settings: Settings,
    ) -> None:  # fmt: skip
        """Begin now, at the circuit's time; smus: those of the test by channel, everything checked before."""
        self._setup, self._plan, self._conditions = setup, plan, conditions
        self._circuit, self._buffer, self._settings = circuit, buffer, settings
        self._channels = {n: _Channel(smus[n], program) for n, program in plan.programs.items()}
        self._in_turn = tuple(self._channels.values())
        self._point_time = conditions.integration.point_time(settings.line_frequency)
        self._window = conditions.integration.window(settings.line_frequency)
        self.active = True
        self._index = 0
        self._began = self._scheduled = self._due = circuit.time
        self._settled = self._late = False
        if not conditions.append:
            buffer.clear()
        self._make_columns()
        self._start()

    # -- the course of the test ---------------------------------------------------------------------------------------
    def advance_to(self, now: float) -> None:
        """Play every point that is done by `now`."""
        while self.active and self._due <= now:
            self._circuit.pass_to(self._due - self._window)
            if not self._settled and self._rerange(Smu.follow, self._seen(), again=0.0):
                continue
            self._circuit.integrate(self._due, self._settings.integration_parts)
            seen = self._seen()
            if not self._rerange(Smu.widen, seen, again=self._window):
                self._measure(seen)

    @property
    def due(self) -> float:
        """When the next point is done, s of the clock."""
        return self._due

    @property
    def endless(self) -> bool:
        """Whether it runs until it is aborted (ME2)."""
        return self._conditions.repeat

    def abort(self, now: float) -> None:
        """Stop where the clock stands; outputs end as after a whole test."""
        self._circuit.pass_to(now)
        self._finish()

    def _start(self) -> None:
        self._began = self._circuit.time
        self._index = 0
        self._scheduled = self._began + self._setup.wait
        hold = EXTRA_HOLD + (self._setup.wait if self._plan.sampled else self._setup.hold)
        self._apply(hold)

    def _apply(self, before: float) -> None:
        """Put the next levels on the outputs; before: s spent there before delay and measurement."""
        for channel in self._in_turn:
            channel.apply(self._index)
        self._circuit.changed()
        self._settled = False
        self._late = False
        delay = 0.0 if self._plan.sampled else self._setup.delay
        self._due = self._circuit.time + before + delay + self._settling() + self._point_time

    def _settling(self) -> float:
        settling = self._conditions.integration.settling
        return max([settling(c.smu.current_range) for c in self._in_turn if c.measures_current], default=0.0)

    def _seen(self) -> Seen:
        """What every channel sees now."""
        at = self._circuit.at
        return [(channel, at(channel.smu)) for channel in self._in_turn]

    def _rerange(self, move: Callable[[Smu, float], int], seen: Seen, again: float) -> bool:
        """Let the current meters change range; if one does, the point is due later: by its decades, and `again` s."""
        self._settled = True
        moves = max([move(c.smu, terminal.current) for c, terminal in seen if c.measures_current], default=0)
        if moves:
            self._due += moves * self._settings.range_change_time + again
        return moves > 0

    def _measure(self, seen: Seen) -> None:
        limited = sum(terminal.in_compliance for _, terminal in seen)
        self._buffer.times.append(self._due - self._began)
        for channel, terminal in seen:
            letter = self._letter(terminal.in_compliance, limited)
            for read, column in channel.columns:
                column.values.append(read(terminal, self._index))
                column.letters.append(letter)
        for column in self._voltmeters:
            column.values.append(UNMAPPED)
            column.letters.append("N")
        self._next(bool(limited) and self._conditions.exit_on_compliance)

    def _letter(self, own: bool, limited: int) -> str:
        known = self._settings.letters
        if self._late and "L" in known:
            return "L"
        if own:
            return "C"
        return "T" if limited and "T" in known else "N"

    def _next(self, stop: bool) -> None:
        self._index += 1
        if not stop and self._index < self._plan.count:
            if self._plan.sampled:
                self._await_interval()
            else:
                self._apply(0.0)
        elif self._conditions.repeat and not stop:
            self._clear_columns()
            self._start()
        else:
            self._finish()

    def _await_interval(self) -> None:
        """Schedule the next reading of a test against time; levels stay."""
        self._scheduled += self._setup.interval
        settling = self._settling()
        earliest = self._circuit.time + settling + self._point_time
        wanted = self._scheduled + EXTRA_HOLD + settling + self._point_time
        self._late = earliest > wanted + 1e-9  # a float's worth of tolerance on a time in s
        self._settled = False
        self._due = max(earliest, wanted)

    def _finish(self) -> None:
        self.active = False
        for number, channel in self._channels.items():
            if number not in self._setup.energised:
                channel.smu.off()
        self._circuit.changed()

    # -- what is stored -----------------------------------------------------------------------------------------------
    def _make_columns(self) -> None:
        wanted = set(self._setup.names)
        columns = self._buffer.columns
        for number, channel in self._channels.items():
            definition = self._setup.channels[number]
            readers = channel.columns_for(definition, wanted, self._conditions.integration)
            channel.columns = [(read, columns.setdefault(name, Column())) for name, read in readers.items()]
        self._voltmeters = [columns.setdefault(name, Column()) for name in self._setup.voltmeters.values()]

    def _clear_columns(self) -> None:
        self._buffer.times.clear()
        for column in self._buffer.columns.values():
            column.values.clear()
            column.letters.clear()
