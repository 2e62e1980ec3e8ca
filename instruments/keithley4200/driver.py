"""The instrument as a PyMeasure driver: its identity and cards, its SMUs in user mode, and what it was left in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labctl.contracts import Clock
from labctl.errors import InstrumentError, LinkTimeout, RemoteProtocolError
from labctl.kxci import Command, replies
from labctl.kxci import messages as m
from labctl.kxci.ranges import SmuKind

from .pulse_card import PulseCard
from .reports import Reports
from .smu import Smu
from .talk import SHORT


class Keithley4200(Reports):
    """A Keithley 4200-SCS or 4200A-SCS running KXCI; its SMUs are ``smu1`` … and the dictionary ``smu``.

    acknowledges: True over Ethernet, where every message has exactly one reply; False over GPIB, where only queries have;
    clock: whose time the pauses take, the wall's by default; take_over: `take_over` at once, otherwise there are no SMUs yet.
    Shakes hands on construction (``ID``); raises RemoteProtocolError for anything that is no 4200.
    Every method raises TransportError, RemoteProtocolError for a reply the language does not know, InstrumentError.
    """

    def __init__(
        self,
        adapter: Any,
        name: str = "Keithley 4200-SCS",
        *,
        acknowledges: bool = True,
        clock: Clock | None = None,
        take_over: bool = True,
        **kwargs: Any,
    ) -> None:
        self.pulse = PulseCard(self)  #: the pulse cards' side of the connection
        super().__init__(adapter, name, acknowledges, clock, **kwargs)
        self.cards: list[replies.Option] = []
        self.smu: dict[int, Smu] = {}
        self.energised: set[int] = set()  #: SMUs that we left with their output on
        self.ranges: dict[int, Command] = {}  #: the range command that holds, by SMU, as far as we have sent one
        self.has_mapping = False  #: see `detect_mapping`
        if take_over:
            self.take_over()

    # -- what is there ------------------------------------------------------------------------------------------------
    def take_over(self) -> None:
        """Stop a test that an earlier client left running, choose 4200A mode, and find the cards (``EM 1,0``, ``*OPT?``).

        While a test runs the instrument takes nothing but polls and ``ME4``, so stopping comes first.
        """
        if not self._stop_leftover():
            raise InstrumentError("the instrument is busy with a test of an earlier client and does not stop it")
        self.choose_mode()
        self.cards = self.options
        if not self.cards:
            raise RemoteProtocolError(
                "'*OPT?' was answered with nothing: an instrument without any card is not possible"
            )
        for card in self.cards:
            if card.kind == "SMU" and card.number is not None:
                self.add_child(Smu, id=card.number, prefix="smu", collection="smu", kind=SmuKind.of(card))

    def _stop_leftover(self) -> bool:
        """Stop what an earlier client left running: by ``ME4``, or by ``:PMU:ABORT`` where that does not reach a pulse test."""
        try:
            with self.patience(SHORT):
                if self.stop():
                    return True
        except InstrumentError as error:
            if not isinstance(error.__cause__, LinkTimeout):
                raise
            self.find_again()  # it may be silent on what it refuses
        self.pulse.abort()
        return self.stop()

    def reconnect(self) -> None:
        """Reopen the link, as `Connection` does; where the RPMs lead is not known any more."""
        self.pulse.forget_routing()
        super().reconnect()

    def stop(self) -> bool:
        """Stop a running test, also one of the pulse card; False: the instrument is still busy 2 s later."""
        if self.pulse.running:
            self.pulse.stop()
        return super().stop()

    @property
    def options(self) -> list[replies.Option]:
        """Get what is installed."""
        return self.fetch(replies.read_options, m.Options())

    def identity(self) -> dict[str, str]:
        """Ask for manufacturer, model, serial and firmware; what old software can't say is left empty."""
        try:
            with self.patience(SHORT):
                return self.fetch(replies.read_identity, m.Identify())
        except LinkTimeout:
            self.reconnect()
        except (RemoteProtocolError, InstrumentError):
            self.in_step = True  # one message, one reply: it was only not an identity
        model, _, firmware = self.model.removeprefix("ID ").partition(" ")
        return {"manufacturer": "Keithley", "model": model, "serial": "", "firmware": firmware}

    # -- what earlier clients and tests leave behind --------------------------------------------------------------------
    def reset(self) -> None:
        """Reset every card (``*RST``: outputs off, ranges automatic, RPM routing undone) and choose 4200A mode again."""
        self.energised.clear()
        self.ranges.clear()
        self.pulse.forget()
        for smu in self.smu.values():
            smu.forget()
        self.send(m.Reset())
        self.choose_mode()
        self.model = self.handshake()  # the mode changes the name; a device on GPIB that answers *RST is heard out, too

    def expect_restart(self) -> None:
        """Over GPIB, where a restart breaks no connection, choose again what lasts from test to test: mode, way of the RPMs."""
        if not self.acknowledges:
            self.choose_mode()
            self.pulse.forget_routing()

    def detect_mapping(self, channels: Iterable[int]) -> None:
        """Find out, once, whether this software knows ``MP`` and ``SR``, which no source has for the oldest ones."""
        commands = _own_mapping(channels)
        self.has_mapping = self.accepts(*commands) or self.accepts(*commands)  # a reply may have been lost

    def restore_mapping(self, channels: Iterable[int]) -> None:
        """Give each channel its own SMU and automatic source ranges, whatever an earlier client chose; see `has_mapping`."""
        if self.has_mapping:
            self.send(*_own_mapping(channels))

    def set_ranges(self, wanted: dict[int, Command]) -> None:
        """Send range commands by channel, and see to it that they meet no live output and no older fixed range.

        A fixed range set by ``RI`` ends with a reset: that ``RG`` ends it is nowhere said. A live output whose range is to
        change, or that is not wanted, goes off before; one whose range stays is left alone.
        """
        if any(self.is_fixed(n) and not isinstance(new, m.FixedCurrentRange) for n, new in wanted.items()):
            self.reset()
        self.off(*(n for n in sorted(self.energised) if n not in wanted or self.ranges.get(n) != wanted[n]))
        if new := {n: command for n, command in wanted.items() if n not in self.energised}:
            self.send(*new.values())
            self.ranges.update(new)

    def is_fixed(self, channel: int) -> bool:
        """Whether we have put this SMU on a fixed current range that nothing has ended yet."""
        return isinstance(self.ranges.get(channel), m.FixedCurrentRange)

    # -- outputs ------------------------------------------------------------------------------------------------------
    def off(self, *channels: int) -> None:
        """Switch the outputs of these SMUs off (user mode)."""
        for channel in channels:
            self.smu[channel].forget()
        if channels:
            self.send(m.UserMode(), *(m.ForceVoltage(channel) for channel in channels))
            self.energised -= set(channels)

    def outputs_off(self) -> None:
        """Switch every SMU and voltage source off (user mode)."""
        sources = [m.ForceVoltageSource(card.number) for card in self.cards if card.kind == "VS" and card.number]
        for smu in self.smu.values():
            smu.forget()
        self.send(m.UserMode(), *(m.ForceVoltage(number) for number in self.smu), *sources)
        self.energised.clear()

    def clear_buffer(self) -> None:
        """Clear the reading buffer and the data-ready bit."""
        self.send(m.ClearBuffer())

    def shutdown(self) -> None:
        """Switch every output off, as PyMeasure's procedures ask for it."""
        self.outputs_off()
        super().shutdown()


def _own_mapping(channels: Iterable[int]) -> list[Command]:
    each = [(m.MapChannel(channel), m.SourceRange(channel, 0.0)) for channel in channels]
    return [m.DefinitionPage(), *(command for pair in each for command in pair)]
