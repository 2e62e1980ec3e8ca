"""The instrument behind the language: its SMUs, its page, its setup, its buffer and the test that may be running."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Protocol

from labctl.contracts import Clock, DeviceModel
from labctl.errors import RemoteProtocolError, UsageError
from labctl.kxci.ranges import SmuKind
from labctl.kxci.replies import Option, read_options

from . import plan as planning
from .buffer import Buffer
from .circuit import Circuit, Terminal
from .pulse_card import PulseCard
from .refusal import ILLEGAL_SETUP, NO_SMU, NOT_MAPPED, Refused
from .routing import Routing
from .running import Conditions, Run
from .settings import Settings
from .setup import Setup, at_start
from .smu import Smu
from .status import StatusRegister
from .timing import PRESETS, Integration

BUFFER_READINGS = 4096  #: D 5-27, 5-37
BUFFER_READINGS_4145 = 1024  #: in 4145 emulation (D 2-6)
USER_PAGES = ("US", "UL")  #: where user mode's outputs belong
PULSE_LOOK = 1e-3  #: s between looks at a pulse test that is waited for; its steps are far shorter
NORMAL = 2  #: IT2, the integration time at start; guess


class Module(Protocol):
    """A module of a user library that was run."""

    def end(self, frame: Mainframe) -> None:
        """Take the results; called when the test it started is over."""
        ...


class Mainframe:
    """State and time of one simulated 4200; `commands` acts on it."""

    def __init__(
        self, device: DeviceModel, clock: Clock, wiring: Mapping[str, int | None], settings: Settings, seed: int | None
    ) -> None:
        self.settings = settings
        self.clock = clock
        options = _installed(settings.options)
        self.smus = {n: Smu(n, kind, settings, seed) for n, kind in _smu_kinds(options, settings.options).items()}
        self.routing = Routing(options, self.smus, wiring, settings)
        self.circuit = Circuit(device, self.routing, settings, clock.now())
        self.pulses = PulseCard(options, self.routing, self.circuit, settings, seed)
        self.status = StatusRegister(settings)
        self.buffer = Buffer()
        self.saved: dict[str, Setup] = {}
        self.run: Run | None = None
        self.module: Module | None = None  # the one that ran last (UL)
        self.stuck_until = -math.inf  # clock time up to which the status says busy, whatever is true
        self._start_up()

    def _start_up(self) -> None:
        self.page = "DE"
        self.emulates_4145 = False
        self.setup = at_start(self.smus)
        self.power_on()

    def restart(self) -> None:
        """Start anew as after a power failure: a test ends where it is, nothing but files on the disk is left (guess)."""
        now = self.clock.now()
        self.catch_up()
        if self.run is not None:
            self.run.abort(now)
            self.run = None
        self.pulses.abort(now)
        self.module = None
        self.status = StatusRegister(self.settings)
        self.buffer.clear()
        self.stuck_until = -math.inf
        self._start_up()

    def power_on(self) -> None:
        """Settings of a device clear (D 5-4): outputs off, 100 uA range, normal integration, no delays."""
        self.stop()
        self.pulses.abort(self.clock.now())
        for smu in self.smus.values():
            smu.reset()
        self.pulses.reset()
        self.mapping: dict[int, str] = {n: f"SMU{n}" for n in self.smus}
        self.integration: Integration = PRESETS[NORMAL]
        self.digits = self.settings.digits
        self.exit_on_compliance = False

    def smu(self, channel: int) -> Smu:
        """The SMU on a channel. Raises Refused where there is none."""
        target = self.mapping.get(channel)
        if target is None:
            raise Refused(NO_SMU)
        if not target.startswith("SMU"):
            raise Refused(NOT_MAPPED)
        return self.smus[int(target[3:])]

    # -- time ---------------------------------------------------------------------------------------------------------
    @property
    def busy(self) -> bool:
        """A test is running, as far as the clock was looked at."""
        return self.run is not None or self.pulses.run is not None

    @property
    def says_busy(self) -> bool:
        """What the status says: the same, unless its bit is stuck."""
        return self.busy or self.stuck

    @property
    def stuck(self) -> bool:
        """Whether the status says busy whatever is true."""
        return self.clock.now() < self.stuck_until

    def catch_up(self) -> None:
        """Play a running test up to now."""
        if self.pulses.advance_to(self.clock.now()):
            self.status.ready()
            self.end_module()
        if self.run is None:
            return
        self.run.advance_to(self.clock.now())
        if not self.run.active:
            self.run = None
            self.status.ready()

    def end_module(self) -> None:
        """Let a module of a user library take what the pulse test it ran has left."""
        if self.module is not None:
            self.module.end(self)

    def finish(self) -> None:
        """Let a running test come to its end, and the clock with it; one that repeats has none and runs on."""
        while self.run is not None and not self.run.endless:
            self.clock.sleep(max(self.run.due - self.clock.now(), 0.0))
            self.catch_up()
        while self.pulses.run is not None:
            self.clock.sleep(max(self.pulses.run.due - self.clock.now(), PULSE_LOOK))
            self.catch_up()

    def settle(self) -> None:
        """Let the device live up to now under the present outputs, before they change; not while a pulse test runs."""
        self.circuit.pass_to(self.clock.now())

    def look(self, smu: Smu, current: bool) -> Terminal:
        """Take one user-mode measurement: the clock pays for it, then the terminal is looked at."""
        settling = self.integration.settling(smu.current_range) if current else 0.0
        window = self.integration.window(self.settings.line_frequency)
        self.clock.sleep(self.integration.point_time(self.settings.line_frequency) + settling)
        self.circuit.pass_to(self.clock.now() - window)
        if current and (moves := smu.follow(self.circuit.at(smu).current)):
            self.clock.sleep(moves * self.settings.range_change_time)
        self._integrate(window)
        while current and (moves := smu.widen(self.circuit.at(smu).current)):  # grew out of the range meanwhile: again
            self.clock.sleep(moves * self.settings.range_change_time + window)
            self._integrate(window)
        self.status.ready()
        return self.circuit.at(smu)

    def _integrate(self, window: float) -> None:
        """Take the mean over the last `window` seconds of the clock."""
        now = self.clock.now()
        self.circuit.pass_to(now - window)
        self.circuit.integrate(now, self.settings.integration_parts)

    # -- tests --------------------------------------------------------------------------------------------------------
    def start(self, repeat: bool = False, append: bool = False) -> None:
        """Begin the test of the pages. Raises Refused when it can't be run."""
        smus = {n: self.smu(n) for n in self.setup.channels}
        if len(set(map(id, smus.values()))) < len(smus):  # two channels mapped to one SMU (MP)
            raise Refused(ILLEGAL_SETUP)
        plan = planning.build(self.setup)
        before = len(self.buffer.times) if append else 0
        if before + plan.count > (BUFFER_READINGS_4145 if self.emulates_4145 else BUFFER_READINGS):
            raise Refused(ILLEGAL_SETUP)
        self._set_source_ranges(plan)
        for n, program in plan.programs.items():
            smus[n].rehearse(program.sources, program.values, program.compliance)
        self.settle()
        self.status.clear_ready()
        if self.settings.left_on != "stays":
            self._switch_off(smu for smu in self.smus.values() if smu not in smus.values())
        conditions = Conditions(self.integration, self.exit_on_compliance, repeat, append)
        self.run = Run(self.setup.copy(), plan, conditions, smus, self.circuit, self.buffer, self.settings)

    def turn_to(self, page: str) -> None:
        """Go to a page; what outputs left on in user mode do then is a setting."""
        if self.settings.left_on == "until_page" and self.page in USER_PAGES and page not in USER_PAGES:
            self.settle()
            self._switch_off(self.smus.values())
        self.page = page

    def _switch_off(self, smus: Iterable[Smu]) -> None:
        for smu in smus:
            smu.off()
        self.circuit.changed()

    def _set_source_ranges(self, plan: planning.Plan) -> None:
        """SR: 0 auto, 2 best fixed (the one that holds the largest level), otherwise that range (D 5-30)."""
        for n, program in plan.programs.items():
            choice = self.setup.source_ranges.get(n, 0.0)
            if choice == 2.0 and program.sources == "I":
                choice = max(map(abs, program.values))
            self.smu(n).source_range = 0.0 if choice > 1.05 else choice

    def stop(self) -> None:
        """Abort a running test of the SMUs now (ME4)."""
        if self.run is None:
            if self.pulses.run is None:
                self.settle()
            return
        self.run.abort(self.clock.now())
        self.run = None
        if self.settings.abort_discards:
            self.buffer.clear()


def _installed(options: str) -> list[Option]:
    try:
        return read_options(options)
    except RemoteProtocolError as error:
        raise UsageError(f"keithley4200: options: {error}") from None


def _smu_kinds(found: list[Option], options: str) -> dict[int, SmuKind]:
    smus = {item.number: SmuKind.of(item) for item in found if item.kind == "SMU" and item.number}
    if not smus:
        raise UsageError(f"keithley4200: options {options!r} hold no SMU")
    return smus
