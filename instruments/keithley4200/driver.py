"""The instrument as a PyMeasure driver: messages, acknowledgements, identity, status and errors; SMUs in user mode."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pymeasure.instruments import Instrument

from labctl.clocks import WallClock
from labctl.contracts import Clock
from labctl.errors import ConnectionLost, InstrumentError, LinkTimeout, RemoteProtocolError
from labctl.kxci import Command, encode, errors, replies
from labctl.kxci import messages as m
from labctl.kxci.ranges import SmuKind
from labctl.kxci.replies import StatusByte

from .smu import Smu

T = TypeVar("T")
SHORT = 2.0  #: s; a reply that only may come is not waited for longer (guess: KXCI answers in milliseconds)
PAUSE = 0.1  #: s between two looks at an instrument that is busy with something (vendor examples)
_RECONNECTS = 3  # guess
_STALE = 4  # replies of before a broken exchange that a GPIB device may still hold: guess
_KNOWN = re.compile(r"4200|4145")  # ``KI4200A V1.8.1``, ``HP4145B 1.1,1.0`` (D 2-6)


class Keithley4200(Instrument):  # type: ignore[misc]  # pymeasure has no types
    """A Keithley 4200-SCS or 4200A-SCS running KXCI; its SMUs are ``smu1`` … and the dictionary ``smu``.

    acknowledges: True over Ethernet, where every message has exactly one reply; False over GPIB, where only queries have;
    clock: whose time the pauses take, the wall's by default.
    Shakes hands on construction: ``ID``, ``EM 1,0`` (4200A mode for this session), ``*OPT?``.
    Every method raises TransportError, RemoteProtocolError for a reply the language does not know, InstrumentError.
    """

    def __init__(
        self,
        adapter: Any,
        name: str = "Keithley 4200-SCS",
        *,
        acknowledges: bool = True,
        clock: Clock | None = None,
        **kwargs: Any,
    ) -> None:
        ends = {"write_termination": "\0", "read_termination": "\0"}
        super().__init__(adapter, name, includeSCPI=False, tcpip=ends, **kwargs)
        self.acknowledges = acknowledges
        self.clock = clock or WallClock()
        self.in_step = True  #: False once a reply may still be under way, or was not understood
        self.running = False  #: a test was started and its end not yet seen
        self.has_error_queue = False  #: see `detect_error_queue`
        self.smu: dict[int, Smu] = {}
        self.model = self.handshake()
        self.send(m.Emulation(1, 0))
        self.cards = self.options
        for card in self.cards:
            if card.kind == "SMU" and card.number is not None:
                self.add_child(Smu, id=card.number, prefix="smu", collection="smu", kind=SmuKind.of(card))

    # -- messages -----------------------------------------------------------------------------------------------------
    def send(self, *commands: Command) -> None:
        """Send commands without data as one message and, over Ethernet, take its acknowledgement."""
        message = encode(*commands)
        if not self.acknowledges:
            self.write(message)
            return
        try:
            reply = self._exchange(message)
        except LinkTimeout as error:
            raise InstrumentError(f"{_short(message)!r} was not acknowledged ({error})") from error
        if reply.strip() != replies.ACK:
            self._raise_report(reply, message)
            self.in_step = False
            raise RemoteProtocolError(f"{reply[:40]!r} came instead of ACK as the reply to {_short(message)!r}")

    def inquire(self, parse: Callable[[str], T], *commands: Command) -> T:
        """Send one message that ends with a query and return its reply, parsed."""
        message = encode(*commands)
        reply = self._exchange(message)
        if not isinstance(commands[-1], m.GetError):
            self._raise_report(reply, message)
        try:
            return parse(reply)
        except RemoteProtocolError as error:
            self.in_step = False
            raise RemoteProtocolError(f"{error} (the reply to {_short(message)!r})") from error

    def _exchange(self, message: str) -> str:
        self.in_step = False  # until the reply is here; Ctrl-C may come between
        self.write(message)
        reply = str(self.read())
        self.in_step = True
        return reply

    def _raise_report(self, reply: str, message: str) -> None:
        report = errors.parse_report(reply)
        if report is not None and report.code is not None:
            raise InstrumentError(f"the instrument answered {report} to {_short(message)!r}", report.code)

    @contextlib.contextmanager
    def patience(self, seconds: float) -> Iterator[None]:
        """Wait at most `seconds` for each reply inside, where the adapter's time-out can be set."""
        before = getattr(self.adapter, "timeout", None)
        if hasattr(self.adapter, "timeout"):
            self.adapter.timeout = seconds if before is None else min(seconds, before)
        try:
            yield
        finally:
            if hasattr(self.adapter, "timeout"):
                self.adapter.timeout = before

    # -- who is there -------------------------------------------------------------------------------------------------
    def handshake(self) -> str:
        """Ask ``ID`` and return the answer. Raises RemoteProtocolError when it is not a 4200."""
        self.in_step = False
        self.write(encode(m.Model()))
        for _ in range(1 if self.acknowledges else _STALE):
            reply = str(self.read()).strip()
            if _KNOWN.search(reply):
                self.in_step = True
                return reply
        raise RemoteProtocolError(
            f"{reply[:60]!r} is no Keithley 4200; is this the right address, and is KXCI running?"
        )

    def reconnect(self) -> None:
        """Reopen the link, so that no late reply can answer a later question, and shake hands again.

        An instrument that has not yet seen the old connection end may hang up on the new one, so it is tried again.
        """
        for attempt in range(_RECONNECTS):
            self.adapter.connection.reopen()
            try:
                with self.patience(SHORT):
                    self.handshake()
                return
            except ConnectionLost:
                if attempt == _RECONNECTS - 1:
                    raise
            self.clock.sleep(PAUSE)

    @property
    def id(self) -> str:
        """Get the short identity, e.g. ``KI4200A V1.8.1``."""
        return self.inquire(str.strip, m.Model())

    @property
    def options(self) -> list[replies.Option]:
        """Get what is installed."""
        return self.inquire(replies.read_options, m.Options())

    def identity(self) -> dict[str, str]:
        """Ask for manufacturer, model, serial and firmware; what old software can't say is left empty."""
        try:
            with self.patience(SHORT):
                return self.inquire(replies.read_identity, m.Identify())
        except LinkTimeout:
            self.reconnect()
        except (RemoteProtocolError, InstrumentError):
            self.in_step = True  # one message, one reply: it was only not an identity
        model, _, firmware = self.model.removeprefix("ID ").partition(" ")
        return {"manufacturer": "Keithley", "model": model, "serial": "", "firmware": firmware}

    # -- status and errors --------------------------------------------------------------------------------------------
    @property
    def status(self) -> StatusByte:
        """Get the status byte; reading it clears data ready and syntax error."""
        if self.acknowledges:
            return self.inquire(replies.read_status, m.PollStatus())
        connection = self.adapter.connection  # a link of labctl, or PyMeasure's PyVISA resource
        poll = getattr(connection, "read_status_byte", None) or connection.read_stb
        return StatusByte(int(poll()))

    def detect_error_queue(self) -> bool:
        """Find out, once, whether this software knows ``:ERROR:LAST:…`` (Clarius from 1.13 on); see `has_error_queue`."""
        try:
            with self.patience(SHORT):
                self.has_error_queue = self._answers_errors()
        except LinkTimeout:
            self.reconnect()
            self.has_error_queue = False
        return self.has_error_queue

    def _answers_errors(self) -> bool:
        _ = self.status  # an older syntax error is not the answer
        clear = encode(m.ClearError())
        if self.acknowledges and self._exchange(clear).strip() != replies.ACK:
            return False
        if not self.acknowledges:
            self.write(clear)
        if StatusByte.SYNTAX_ERROR in self.status:
            return False
        reply = self._exchange(encode(m.GetError())).strip()
        return reply != replies.ACK and errors.parse_report(reply) is None  # a query is never answered with ACK

    def clear_error(self) -> None:
        """Forget earlier errors."""
        if self.has_error_queue:
            self.send(m.ClearError())
        else:
            _ = self.status

    def last_error(self) -> errors.ErrorReport | None:
        """Ask for the last error since `clear_error`; on old software only that there was one, from the status byte."""
        if self.has_error_queue:
            return self.inquire(errors.parse_report, m.GetError())
        wrong = StatusByte.SYNTAX_ERROR in self.status
        return errors.ErrorReport(None, "syntax error (status byte, bit 1)") if wrong else None

    def raise_error(self, doing: str) -> None:
        """Raise InstrumentError if there is a last error; `doing` says what was asked for."""
        if (report := self.last_error()) is not None:
            raise InstrumentError(f"the instrument reports {report} after {doing}", report.code)

    # -- everything at once -------------------------------------------------------------------------------------------
    def outputs_off(self) -> None:
        """Switch every SMU and voltage source off (user mode)."""
        sources = [m.ForceVoltageSource(card.number) for card in self.cards if card.kind == "VS" and card.number]
        for smu in self.smu.values():
            smu.forget()
        self.send(m.UserMode(), *(m.ForceVoltage(number) for number in self.smu), *sources)

    def clear_buffer(self) -> None:
        """Clear the reading buffer and the data-ready bit."""
        self.send(m.ClearBuffer())

    def abort(self) -> None:
        """Stop a running test."""
        self.send(m.Measure(4))

    def check_errors(self) -> list[errors.ErrorReport]:
        """The last error as a list, as PyMeasure asks for it."""
        report = self.last_error()
        return [] if report is None else [report]

    def shutdown(self) -> None:
        """Switch every output off, as PyMeasure's procedures ask for it."""
        self.outputs_off()
        super().shutdown()


def _short(message: str) -> str:
    return message if len(message) <= 60 else f"{message[:60]}... ({len(message)} characters)"
