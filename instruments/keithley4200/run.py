"""Carries a test out: set up, start, look at it while it runs, fetch the readings; or stop it, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from labctl.contracts import Block, Status
from labctl.errors import InstrumentError
from labctl.kxci import messages as m
from labctl.kxci import replies
from labctl.kxci.replies import StatusByte

from .driver import Keithley4200
from .fetch import dead, fetch
from .safety import left_safe, make_safe
from .system_mode import Test
from .wiring import Settings

RACE = 0.1  #: s after ME1 before busy shows (vendor examples)
_SELDOM = 5.0  # s; a test is looked at at least so often, so that its end is not missed for long: guess
_UNSEEN = 3  # polls that say neither busy nor ready until a test counts as over before it was first looked at: guess
_LOOK = 0.2  # s of reading rows at one look, and before an abort: so long may a wish to stop wait, stimulus on. Guess
_AT_COMPLIANCE = (
    0.999  # part of the compliance from which a live current, which has no letter, counts as limited: guess
)


def carry_out(driver: Keithley4200, test: Test, settings: Settings, should_stop: Callable[[], bool]) -> Iterator[Block]:
    """Run `test`; yields provisional blocks while it runs, then the final one.

    If the caller closes the generator, or anything goes wrong, the test is stopped and the outputs are switched off; the
    original error is kept, with a note should that fail. Raises InstrumentError, TransportError, RemoteProtocolError.
    """
    if should_stop():
        return
    with left_safe(driver):
        _set_up(driver, test)
        yield from _Run(driver, test, settings, should_stop).blocks()


def _set_up(driver: Keithley4200, test: Test) -> None:
    driver.clear_error()
    driver.expect_restart()
    driver.restore_mapping(test.ranges)
    driver.set_ranges(test.ranges)
    driver.pulse.to_smu()
    driver.clear_buffer()
    for smu in driver.smu.values():
        smu.forget()
    for message in test.messages:
        driver.send(*message)
    driver.raise_error("the test was set up")
    driver.confirm()  # the last chance to find that this answer, and with it the set-up, was another's


class _Run:
    """One test under way and the rows read so far."""

    def __init__(self, driver: Keithley4200, test: Test, settings: Settings, should_stop: Callable[[], bool]) -> None:
        self.driver, self.test, self.settings, self.should_stop = driver, test, settings, should_stop
        self.clock = driver.clock
        self.rows: list[tuple[float, float, float]] = []  # time, voltage, current, read live
        self.measured = 0  # readings known to be there when they are not read live
        self.stride = 1  # how far ahead of them the next is looked for
        self.seen_busy = False
        self.unseen = 0
        self.deadline = 0.0
        self.expected = 0.0  # when it should be over

    def blocks(self) -> Iterator[Block]:
        """Start and follow the test to its end."""
        self.driver.running = True
        self.driver.energised |= set(self.test.ranges)
        self.driver.send(m.ControlPage(), m.Measure(1))
        self._allow(self.test.duration)
        self.expected = self.clock.now() + self.test.duration
        self.clock.sleep(RACE)
        while not self._ended():
            if self.should_stop():
                yield from self._stopped()
                return
            if rows := self._look():
                yield self._live_block(rows, len(self.rows) - len(rows), provisional=True)
            self._check_deadline()
            self._pause()
        self.driver.running = False
        if self.test.standby:
            self.driver.energised -= set(self.test.ranges)
        yield fetch(self.driver, self.test)

    def _pause(self) -> None:
        """Wait for the next look: twice per reading, no oftener than poll_interval; a wish to stop cuts it short.

        Where nothing is read live there is nothing to see before the expected end, and after it a tenth of the test is soon
        enough.
        """
        shortest = self.settings.poll_interval
        left = self.expected - self.clock.now()
        wanted = self.test.per_reading / 2 if self.test.live else max(left, self.test.duration / 10)
        until = self.clock.now() + min(max(shortest, wanted), max(shortest, _SELDOM))
        while (left := until - self.clock.now()) > 0 and not self.should_stop():
            self.clock.sleep(min(left, _LOOK))

    # -- is it still running? -----------------------------------------------------------------------------------------
    def _ended(self) -> bool:
        # the ready bit shows once, or not at all, or with the service bit (data/kxci.md 3): what counts is that busy is over
        status = self.driver.status
        if StatusByte.SYNTAX_ERROR in status:
            self._raise_error(status)
        if StatusByte.BUSY in status:
            self.seen_busy = True
            return False
        self.unseen += 1
        return self.seen_busy or StatusByte.DATA_READY in status or self.unseen >= _UNSEEN

    def _raise_error(self, status: StatusByte) -> None:
        if self.driver.has_error_queue:  # its word counts: the bit may be older
            self.driver.raise_error("the test was started")
        else:
            raise InstrumentError(f"the instrument reports a syntax error (status byte {int(status)}) during the test")

    def _allow(self, expected: float) -> None:
        until = self.clock.now() + RACE + self.settings.patience * expected + self.settings.margin
        self.deadline = max(self.deadline, until)

    def _check_deadline(self) -> None:
        if self.clock.now() > self.deadline:
            seen = max(len(self.rows), self.measured)
            raise InstrumentError(
                f"the test does not end: {seen} of {self.test.levels.size} readings seen, expected to take "
                f"{self.test.duration:.3g} s; raise the options patience or margin if it is only slow"
            )

    # -- live ---------------------------------------------------------------------------------------------------------
    def _look(self) -> list[tuple[float, float, float]]:
        if self.test.live:
            return self._read_new()
        if self._progressed():
            self._allow(self.test.per_reading)
        return []

    def _progressed(self) -> bool:
        """Whether there are more readings than before, by one time stamp: ever further ahead while it is there, else nearer."""
        index = min(self.measured + self.stride, self.test.levels.size)
        if index == self.measured or self._point(self.test.names[0], index) is None:
            self.stride = max(1, self.stride // 2)
            return False
        self.measured, self.stride = index, 2 * self.stride
        return True

    def _read_new(self) -> list[tuple[float, float, float]]:
        until = self.clock.now() + _LOOK
        new: list[tuple[float, float, float]] = []
        while len(self.rows) < self.test.levels.size and self.clock.now() < until:
            row = self._read_row(len(self.rows) + 1)
            if row is None:
                break
            new.append(row)
            self.rows.append(row)
        if new:
            self._allow(self.test.per_reading)
            self.driver.confirm()  # a reply too many would have shifted voltage into current, and these rows may be kept
        return new

    def _read_row(self, index: int) -> tuple[float, float, float] | None:
        times, voltages, currents = self.test.names
        time = self._point(times, index)
        if time is None and index == 1 and self._point(times, 2) is not None:
            time = 0.0  # a first time stamp of zero looks like "not measured"
        if time is None:
            return None
        # "0" means "not measured" (D 5-40), but some software writes a measured zero so; the time stamp has decided
        return time, self._point(voltages, index) or 0.0, self._point(currents, index) or 0.0

    def _point(self, name: str, index: int) -> float | None:
        """One reading, None where it is not there yet: that is asked once, for it may come between two questions."""
        question = m.GetReading(name, index)
        may_come = self.driver.read_twice and name == self.test.names[0]
        if may_come and self.driver.inquire(replies.read_point, question) is None:
            return None
        return self.driver.fetch(replies.read_point, question)

    def _live_block(self, rows: list[tuple[float, float, float]], start: int, provisional: bool) -> Block:
        time, voltage, current = np.array(rows).T
        levels = self.test.levels[start : start + len(rows)]
        limited = np.abs(current) >= _AT_COMPLIANCE * self.test.compliance
        status = np.where(limited, int(Status.COMPLIANCE), 0) | int(Status.PROVISIONAL)
        status |= np.where(dead(levels, voltage, current), int(Status.INVALID), 0)
        columns = {"time": time, "level": levels, "voltage": voltage, "current": current}
        return Block({**columns, "status": status.astype(np.int64)}, provisional)

    # -- a wish to stop -----------------------------------------------------------------------------------------------
    def _stopped(self) -> Iterator[Block]:
        self._read_new()  # stopping may clear the instrument's data
        make_safe(self.driver)
        if self.rows:
            yield self._live_block(self.rows, 0, provisional=False)
