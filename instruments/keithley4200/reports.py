"""The instrument's last error, by the error queue where the software has one, else by the status byte."""

from __future__ import annotations

from typing import Any

from labctl.contracts import Clock
from labctl.errors import InstrumentError, LinkTimeout, RemoteProtocolError
from labctl.kxci import Command, encode, errors, replies
from labctl.kxci import messages as m
from labctl.kxci.numbers import NUMBER
from labctl.kxci.replies import StatusByte

from .connection import Connection
from .talk import SHORT


class Reports(Connection):
    """A 4200 that is asked what went wrong."""

    def __init__(self, adapter: Any, name: str, acknowledges: bool, clock: Clock | None, **kwargs: Any) -> None:
        super().__init__(adapter, name, acknowledges, clock, **kwargs)
        self.has_error_queue = False  #: see `detect_error_queue`
        self._clean = ""  # what this instrument answers when there is no error: seen when the queue was detected

    def detect_error_queue(self) -> bool:
        """Find out, once, whether this software knows ``:ERROR:LAST:…`` (Clarius from 1.13 on); see `has_error_queue`.

        "No" is believed the second time: the first may be a reply that was lost, or garbled.
        """
        self.has_error_queue = self._knows_errors() or self._knows_errors()
        return self.has_error_queue

    def _knows_errors(self) -> bool:
        try:
            with self.patience(SHORT):
                return self._answers_errors()
        except LinkTimeout:
            self.reconnect()
            return False

    def _answers_errors(self) -> bool:
        _ = self.status  # an older syntax error is not the answer
        clear = encode(m.ClearError())
        if self.acknowledges and self._exchange(clear).strip() != replies.ACK:
            return False
        if not self.acknowledges:
            self.write(clear)
        if StatusByte.SYNTAX_ERROR in self.status:
            return False
        self._clean = self._exchange(encode(m.GetError())).strip()
        return self._clean != replies.ACK and errors.parse_report(self._clean) is None  # ACK never answers a query

    def clear_error(self) -> None:
        """Forget earlier errors."""
        if self.has_error_queue:
            self.send(m.ClearError())
        else:
            _ = self.status

    def last_error(self) -> errors.ErrorReport | None:
        """Ask for the last error since `clear_error`; on old software only that there was one, from the status byte."""
        if self.has_error_queue:
            return self.inquire(self._report, m.GetError())
        wrong = StatusByte.SYNTAX_ERROR in self.status
        return errors.ErrorReport(None, "syntax error (status byte, bit 1)") if wrong else None

    def _report(self, reply: str) -> errors.ErrorReport | None:
        text = reply.strip()
        if text == self._clean:
            return None
        if text == replies.ACK or NUMBER.fullmatch(text):  # the answer to another question
            raise RemoteProtocolError(f"{text[:40]!r} is no error report; replies and questions are out of step")
        report = errors.parse_report(text)
        if report is not None and report.code is None:
            self.in_step = False  # perhaps it is no error text at all
        return report

    def raise_error(self, doing: str) -> None:
        """Raise InstrumentError if there is a last error; `doing` says what was asked for."""
        if (report := self.last_error()) is not None:
            raise InstrumentError(f"the instrument reports {report} after {doing}", report.code)

    def accepts(self, *commands: Command) -> bool:
        """Try commands that not every software knows; False when they are refused. Errors of before are forgotten."""
        self.clear_error()
        try:
            with self.patience(SHORT):
                self.send(*commands)
        except InstrumentError as error:
            if isinstance(error.__cause__, LinkTimeout):  # it may be silent on what it does not know
                self.reconnect()
            self.clear_error()
            return False
        refused = self.last_error() is not None
        self.clear_error()
        return not refused

    def check_errors(self) -> list[errors.ErrorReport]:
        """The last error as a list, as PyMeasure asks for it."""
        report = self.last_error()
        return [] if report is None else [report]
