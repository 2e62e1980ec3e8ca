"""The Keithley 4200 as the source meter labctl measures with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from labctl.contracts import Block, Clock, Instrument, Link, Sampling, SourceMeter, Sweep
from labctl.errors import LabctlError, UsageError
from labctl.kxci.ranges import LIST_POINTS, OVER_RANGE, VOLTAGE_RANGES
from labctl.link_adapter import LinkAdapter
from labctl.quantities import Limit, Limits

from . import rules
from .driver import Keithley4200
from .pulse_settings import OPTIONS, PulseSettings
from .pulse_source import Keithley4225
from .run import carry_out
from .safety import make_safe, switch_off_blindly
from .system_mode import Test, sampling_test, sweep_test
from .wiring import Settings, Wiring


class Keithley4200SourceMeter(SourceMeter):
    """A Keithley 4200-SCS or 4200A-SCS over KXCI: sweeps and samplings run in the instrument (system mode).

    Options of the station file: see `Settings`, and `PulseSettings` for the pulse card, which is a part of its own. The held
    terminals get the compliance of the test, too. Which of two SMUs in series then limits is open, so both are asked: see
    `fetch`.
    """

    title: ClassVar[str] = "Keithley 4200-SCS / 4200A-SCS over KXCI (Ethernet or GPIB)"

    def __init__(
        self, driver: Keithley4200, link: Link, wiring: Wiring, settings: Settings, pulses: PulseSettings
    ) -> None:
        self.driver, self.link, self.wiring = driver, link, wiring
        self._settings = settings
        self._identity = driver.identity()
        self.limits = self._own_limits()
        self.pulse: Keithley4225 | None = None
        if driver.pulse.language != "none":
            self.pulse = Keithley4225(driver, settings, pulses, self.identity(), self.settle)

    @classmethod
    def terminators(cls, resource: str) -> tuple[str, str]:
        """(write, read) terminators: NUL over a socket (D 2-9), LF over GPIB (vendor examples). Raises UsageError."""
        name = resource.upper()
        if name.endswith("SOCKET"):
            return "\0", "\0"
        if name.startswith("GPIB"):
            return "\n", "\n"
        raise UsageError(f"{resource}: a 4200 is reached as TCPIP0::<address>::1225::SOCKET or GPIB0::<address>::INSTR")

    @classmethod
    def connect(
        cls, link: Link, terminals: Mapping[str, int | None], clock: Clock, options: Mapping[str, Any]
    ) -> Keithley4200SourceMeter:
        """Shake hands, stop what an earlier client left running, find the SMUs, switch every output off, reset.

        Raises UsageError for unknown options or SMUs, RemoteProtocolError where no 4200 answers, InstrumentError,
        TransportError. Once a 4200 has answered, whatever goes wrong, stopping and switching off what is known of it is
        tried; a note on the error says if that failed.
        """
        over_ethernet = cls.terminators(link.resource) == ("\0", "\0")
        settings, pulses = Settings.read(options, OPTIONS).on_line(checked=over_ethernet), PulseSettings.read(options)
        adapter = LinkAdapter(link, settings.timeout)
        driver = Keithley4200(adapter, acknowledges=over_ethernet, clock=clock, take_over=False)
        driver.read_twice = bool(settings.read_twice)
        wired = [channel for channel in terminals.values() if channel is not None]
        try:
            driver.take_over()
            wiring = Wiring.of(terminals, driver.cards)
            _prepare(driver, wired, pulses)
            return cls(driver, link, wiring, settings, pulses)
        except BaseException as error:
            try:
                switch_off_blindly(driver, list(driver.smu) or wired)
            except LabctlError as failure:
                error.add_note(f"can't know whether the outputs are off; switch them off at the instrument ({failure})")
            raise

    def _own_limits(self) -> Limits:
        owner = f"{self._identity['model'] or self.driver.model}"
        wired = [self.wiring.smus[channel] for channel in self.wiring.terminals.values() if channel is not None]
        current = max((kind.greatest_current(0.0) for kind in wired), default=0.105)
        return Limits(
            (
                Limit("voltage", VOLTAGE_RANGES[-1] * OVER_RANGE, "V", owner),
                Limit("current", current, "A", owner),
                Limit("points", LIST_POINTS, "points", owner),
            )
        )

    def _check(self, request: Sweep | Sampling) -> None:
        if self.pulse is not None:
            self.pulse.check_smu()
        if isinstance(request, Sweep):
            rules.check_sweep(request, self.wiring)
        else:
            rules.check_sampling(request, self.wiring)

    def _sweep(self, sweep: Sweep) -> Iterator[Block]:
        return self._run(sweep_test(sweep, self.wiring, self._settings))

    def _sample(self, sampling: Sampling) -> Iterator[Block]:
        return self._run(sampling_test(sampling, self.wiring, self._settings))

    def _run(self, test: Test) -> Iterator[Block]:
        if self.pulse is not None:
            self.pulse.settle()
        return carry_out(self.driver, test, self._settings, lambda: self.should_stop())

    def parts(self) -> Iterable[Instrument]:
        """The source meter, and the pulse card where there is one."""
        return (self,) if self.pulse is None else (self, self.pulse)

    def make_safe(self) -> None:
        """Stop the test, a pulse test too, and switch every output off, on a new connection where the old one can't be trusted.

        Raises TransportError when it can't be known whether they are off, InstrumentError when the instrument refuses.
        """
        make_safe(self.driver)

    def identity(self) -> Mapping[str, str]:
        """Manufacturer, model, serial, firmware and resource, as read when connecting."""
        return {**self._identity, "resource": self.link.resource}

    def settings(self) -> Mapping[str, Any]:
        """Options, wiring, cards, and which of the language's variants this instrument speaks."""
        cards = [
            f"{c.kind}{c.number or ''}{' preamp' * c.preamp}{' high power' * c.high_power}" for c in self.driver.cards
        ]
        return {
            **self._settings.as_dict(),
            "terminals": dict(self.wiring.terminals),
            "cards": cards,
            "acknowledges": self.driver.acknowledges,
            "error_queue": self.driver.has_error_queue,
            "mapping": self.driver.has_mapping,
        }

    def close(self) -> None:
        """Release the link; the outputs stay as they are."""
        self.link.close()


def _prepare(driver: Keithley4200, wired: list[int], pulses: PulseSettings) -> None:
    driver.detect_error_queue()
    driver.pulse.detect(pulses.pulse_library)
    make_safe(driver)
    driver.reset()
    driver.pulse.to_smu()
    driver.detect_mapping(wired)
    driver.clear_buffer()
