"""Carries a pulse test out: set up, start, look at it while it runs, fetch the points; or stop it, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from labctl.contracts import Block, Status
from labctl.errors import InstrumentError
from labctl.kxci import messages as m
from labctl.kxci import replies

from .driver import Keithley4200
from .pulse_fetch import Collector
from .pulse_plan import PulseTest, outputs
from .pulse_status import hint
from .safety import left_safe, make_safe
from .wiring import Settings

RACE = 0.1  #: s after the start within which a running test may not show yet (as for ME1: vendor examples)
_LOOK = 0.2  # s that a wish to stop may wait, stimulus on: guess
_SELDOM, _LOOKS = 5.0, 20  # s, and looks in the course of one test, that are enough for long ones: guess
_WHOLE = 0.99  # of its duration, from which on a test may be over: two clocks differ by less. Guess
_FIRST = 1e-3  # s; a look that comes too early costs a message, one too late time: guess


def carry_out_pulses(
    driver: Keithley4200, test: PulseTest, settings: Settings, from_held: bool, should_stop: Callable[[], bool]
) -> Iterator[Block]:
    """Run `test`; yields provisional blocks while it runs, then the final one; none where nothing is measured.

    from_held: take the current of the held channel. If the caller closes the generator, or anything goes wrong, the test is
    stopped and all outputs are switched off; the original error is kept, with a note should that fail. Raises
    InstrumentError, TransportError, RemoteProtocolError.
    """
    if should_stop():
        return
    with left_safe(driver):
        _set_up(driver, test)
        yield from _PulseRun(driver, test, settings, Collector(driver, test, from_held), should_stop).blocks()


def raise_error(driver: Keithley4200, doing: str) -> None:
    """Raise InstrumentError if there is a last error, with what can be done about it."""
    if (report := driver.last_error()) is not None:
        raise InstrumentError(f"the instrument reports {report} after {doing}{hint(report.code)}", report.code)


def _set_up(driver: Keithley4200, test: PulseTest) -> None:
    driver.clear_error()
    driver.pulse.leaving_smu(test.pair.channels)
    for message in test.messages:
        driver.send(message)
    raise_error(driver, "the pulse test was set up")
    driver.confirm()  # the last chance to find that this answer, and with it the set-up, was another's


class _PulseRun:
    """One pulse test under way."""

    def __init__(
        self,
        driver: Keithley4200,
        test: PulseTest,
        settings: Settings,
        points: Collector,
        should_stop: Callable[[], bool],
    ) -> None:
        self.driver, self.test, self.settings = driver, test, settings
        self.points, self.should_stop = points, should_stop
        self.clock = driver.clock
        self.started = 0.0
        self.seen_running = False

    def blocks(self) -> Iterator[Block]:
        """Start and follow the test to its end."""
        self.driver.pulse.running = True
        self.started = self.clock.now()
        self.driver.send(m.ExecutePulse())
        raise_error(self.driver, "the pulse test was started")
        self._pause(max(min(self.test.duration, self.settings.poll_interval), _FIRST))
        while not self._ended():
            if self.should_stop():
                yield from self._stopped()
                return
            if (block := self._look()) is not None:
                yield block
            self._check_deadline()
            self._pause(self._next_look())
        self.driver.pulse.running = False
        final = self.points.read_all()
        try:
            self._finish()
        except InstrumentError:
            if len(self.points):  # what was applied and measured is kept, marked as what nobody vouches for
                yield self.points.block(0, len(self.points), Status.PROVISIONAL)
            raise
        if final is not None:
            yield final

    def _finish(self) -> None:
        """Outputs off, which the card leaves on (D 7-2), and a last look whether all went well."""
        for command in outputs(self.test.pair.channels, 0):
            self.driver.send(command)
        raise_error(self.driver, "the pulse test was run")
        self.driver.confirm()  # a reply too many would have shifted one channel into the other, unnoticed

    def _next_look(self) -> float:
        """Seconds to the next look: seldom in a long test, and not beyond the moment at which a short one must be over."""
        elapsed = self.clock.now() - self.started
        left, shortest = self.test.duration - elapsed, self.settings.poll_interval
        if not self.seen_running:
            shortest = min(shortest, max(left + RACE, _FIRST))
        return max(shortest, min(left, _SELDOM, self.test.duration / _LOOKS))

    def _pause(self, seconds: float) -> None:
        until = self.clock.now() + seconds
        while (left := until - self.clock.now()) > 0 and not self.should_stop():
            self.clock.sleep(min(left, _LOOK))

    # -- is it still running? -----------------------------------------------------------------------------------------
    def _ended(self) -> bool:
        """Whether it is over. "Not running" may also come before the test shows: then its points, or its time, must tell."""
        if self._runs() or (self._is_early() and self._runs()):
            self.seen_running = True
            return False
        if self.seen_running and self._is_early():
            self._check_end()
        elapsed = self.clock.now() - self.started
        return self.seen_running or elapsed >= self.test.duration + RACE or self._is_complete()

    def _runs(self) -> bool:
        return self.driver.inquire(replies.read_running, m.PollPulse())

    def _is_early(self) -> bool:
        """Whether a test of which nothing is measured, so that no points tell, can't be over yet."""
        return not self.test.windows.kinds.size and self.clock.now() - self.started < _WHOLE * self.test.duration

    def _check_end(self) -> None:
        """Raise InstrumentError for a test that ended too early: over GPIB a restart breaks no connection."""
        raise_error(self.driver, "the pulse test was run")
        if not self.driver.acknowledges:
            raise InstrumentError(
                f"the pulse card says that its test of {self.test.duration:.3g} s is over after "
                f"{self.clock.now() - self.started:.3g} s; was the instrument restarted?"
            )

    def _is_complete(self) -> bool:
        windows = self.test.windows
        return bool(windows.kinds.size) and self.points.count() >= int(windows.rows(self.test.rate).sum())

    def _check_deadline(self) -> None:
        elapsed = self.clock.now() - self.started
        if elapsed > RACE + self.settings.patience * self.test.duration + self.settings.margin:
            raise InstrumentError(
                f"the pulse card is still busy after {elapsed:.3g} s with a test of {self.test.duration:.3g} s; raise the "
                "options patience or margin if it is only slow"
            )

    # -- live ---------------------------------------------------------------------------------------------------------
    def _look(self) -> Block | None:
        if not (self.settings.live and self.test.windows.kinds.size):
            return None
        return self._new_rows(Status.PROVISIONAL, provisional=True)

    def _new_rows(self, mark: Status, provisional: bool) -> Block | None:
        """The rows that came since the last look."""
        before, until = len(self.points), self.points.count()
        if until <= before:
            return None
        self.points.read(until)
        return self.points.block(before, until, mark, provisional)

    # -- a wish to stop -----------------------------------------------------------------------------------------------
    def _stopped(self) -> Iterator[Block]:
        if self.test.windows.kinds.size:
            self.points.read(self.points.count())
        make_safe(self.driver)
        if len(self.points):
            yield self.points.block(0, len(self.points), Status.PROVISIONAL)
