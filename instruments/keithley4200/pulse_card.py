"""The pulse card's side of the connection: which language it is reached in, where its RPMs lead, and how it is stopped.

An RPM leads the cell's terminal to its pulse channel or to its SMU. Without RPMs nothing is sent for that: the cables decide,
and both can't be on one terminal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from labctl.errors import InstrumentError, LinkTimeout, RemoteProtocolError, TransportError
from labctl.kxci import Command, Word, replies
from labctl.kxci import messages as m

from .connection import PAUSE
from .pulse_plan import PULSE, SMU, outputs
from .talk import SHORT

if TYPE_CHECKING:
    from .driver import Keithley4200

#: How pulses are asked for: not at all, by ``:PMU:`` (Clarius from 1.13 on, D 7-2), or by modules of a user library.
Language = Literal["none", "commands", "library"]
_POLLS = 20  # after an abort; with the pause 2 s: guess
_SIDES = {"": (), "RPM": (1, 2), "RPM1": (1,), "RPM2": (2,), "RPM1-2": (1, 2)}  # with an RPM, by *OPT? (D 4-4)


class PulseCard:
    """What is known of the pulse cards of one instrument.

    channels: the pulse channels there are; rpms: the name of the RPM by channel; running: a test was started and its end not
    yet seen; energised: a module of old software may have left the outputs on.
    """

    def __init__(self, driver: Keithley4200) -> None:
        self.driver = driver
        self.language: Language = "none"
        self.channels: tuple[int, ...] = ()
        self.rpms: dict[int, Word] = {}
        self.running = False
        self.energised = False
        self._routed: dict[int, int] = {}  # what each RPM leads to, as far as we have said it

    # -- what is there ------------------------------------------------------------------------------------------------
    def detect(self, library: bool | None) -> None:
        """Find the cards in what ``*OPT?`` said, and out how they are reached; library: the option `pulse_library`."""
        sides = dict(_sides(card) for card in self.driver.cards if card.kind == "PMU")
        self.channels = tuple(2 * number - 1 + side for number in sorted(sides) for side in (0, 1))
        self.rpms = {
            2 * (number - 1) + side: Word(f"PMU{number}-{side}") for number, found in sides.items() for side in found
        }
        self.language = self._found(bool(sides), library)
        if library and not sides:
            self.channels = (1, 2)

    def _found(self, listed: bool, library: bool | None) -> Language:
        if library is False or not (listed or library):
            return "none"
        may_know = listed and not library and self.driver.has_error_queue  # both came with Clarius 1.13
        if may_know and (self._answers() or self._answers()):  # the first reply may have been lost, or garbled
            return "commands"
        return "library"

    def _answers(self) -> bool:
        """Whether this software knows ``:PMU:``."""
        try:
            with self.driver.patience(SHORT):
                self.running = self.driver.inquire(replies.read_running, m.PollPulse())
        except LinkTimeout:
            self.driver.reconnect()
            return False
        except (RemoteProtocolError, InstrumentError):
            self.driver.in_step = True  # one message, one reply: it was only not an answer
            self.driver.clear_error()
            return False
        return True

    # -- routing ------------------------------------------------------------------------------------------------------
    def to_smu(self) -> None:
        """Lead every RPM to its SMU, if it is not known to lead there; the pulse outputs are off by then.

        Raises InstrumentError when the instrument refuses.
        """
        wrong = [channel for channel in self.rpms if self._routed.get(channel) != SMU]
        for channel in wrong:
            self.driver.send(*self._route(self.rpms[channel], SMU))
        if wrong:
            self.driver.raise_error("the RPMs were led to the SMUs")
            self._routed |= dict.fromkeys(wrong, SMU)

    def _route(self, rpm: Word, mode: int) -> tuple[Command, ...]:
        if self.language == "commands":
            return (m.ConfigureRpm(rpm, mode),)
        return m.SourcePage(), m.RoutePreamp(rpm, mode)  # D 7-67; not to be mixed with :PMU: (D 7-2)

    def leaving_smu(self, channels: Iterable[int]) -> None:
        """SMU outputs off before a pulse test, whose own commands lead these channels' RPMs to the pulse card."""
        if self.driver.energised:
            self.driver.outputs_off()
        for smu in self.driver.smu.values():
            smu.forget()
        self._routed |= {channel: PULSE for channel in channels if channel in self.rpms}

    def forget(self) -> None:
        """A reset switched everything off and undid the routing (D 4-5)."""
        self.forget_routing()
        self.energised = False

    def forget_routing(self) -> None:
        """Know nothing any more of where the RPMs lead."""
        self._routed.clear()

    # -- becoming safe ------------------------------------------------------------------------------------------------
    def stop(self) -> None:
        """Stop a test that runs, whoever started it, and wait up to 2 s for its end. Raises InstrumentError."""
        if self.language == "library":
            self._abort_module()
        if self.language != "commands":
            return
        was_running, self.running = self.running, False
        for attempt in range(_POLLS):
            if not self.driver.inquire(replies.read_running, m.PollPulse()):
                return
            if attempt == 0:
                self.abort()
            self.driver.clock.sleep(PAUSE)
        self.running = was_running
        raise InstrumentError("the pulse card does not stop its test")

    def _abort_module(self) -> None:
        """``AB``, once; a module that has just ended refuses it, and the reset that follows is what counts."""
        if self.running:
            self.running = False
            self._send_leniently(m.LibraryMode(), m.AbortModule())

    def abort(self) -> None:
        """Send ``:PMU:ABORT``, also to an instrument of which only is known that something runs.

        It may be refused, by software that does not know it, or be answered with the error that a test was aborted (-966).
        """
        self._send_leniently(m.AbortPulse())

    def _send_leniently(self, *commands: Command) -> None:
        try:
            self.driver.send(*commands)
        except InstrumentError as error:
            if isinstance(error.__cause__, LinkTimeout):  # it may be silent on what it takes for an error
                self.driver.find_again()
            elif isinstance(error.__cause__, TransportError):
                raise

    def off(self) -> None:
        """Switch every pulse output off. For modules of old software a reset is the only documented way."""
        for command in self.switching_off():
            self.driver.send(command)
        if self.language != "commands" and self.energised:
            self.driver.reset()

    def stopping(self) -> tuple[Command, ...]:
        """What aborts a pulse test, one message each; nothing where there is no such command."""
        return (m.AbortPulse(),) if self.language == "commands" else ()

    def switching_off(self) -> tuple[Command, ...]:
        """What switches the pulse outputs off, one message each; nothing where there is no such command."""
        return tuple(outputs(self.channels, 0)) if self.language == "commands" else ()


def _sides(card: replies.Option) -> tuple[int, tuple[int, ...]]:
    """Number of a pulse card and its channels with an RPM.

    ``PMURPM``, and with a number ``PMURPM1``, are read as a card with both (guess): routing one there is not is no error.
    """
    if card.number is None:
        return int(card.rpm[3:4] or 1), (1, 2)
    return card.number, _SIDES[card.rpm]
