"""The points of a pulse test: paged, counted, told apart, and put into rows with time, level and segment from the plan.

What the instrument's time column tells is settled nowhere: the vendor's own module says that the stamps of standard pulses
start anew in every period (help of PMU_1Chan_Sweep). The card's clock is exact, though, and points come in the order they were
measured. So where as many points came as the plan has, each row's time is the plan's; where more or fewer samples came, the
column must say which window each is from, and rows it puts outside every window are marked as invalid.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import Block, FloatArray, Measure, Status
from labctl.errors import InstrumentError, RemoteProtocolError
from labctl.kxci import messages as m
from labctl.kxci import replies
from labctl.kxci.points import WAVEFORM, Points, read_points

from .driver import Keithley4200
from .pulse_plan import PulseTest
from .pulse_program import IntArray, Windows
from .pulse_status import row_status

BoolArray = NDArray[np.bool_]

PAGE = 2048  #: points of one reply (D 7-7)
TELLING = 0.01  #: V; at levels above, a channel that is on does not read exactly 0 V: guess, wide
_TOLD = 1e-5  # relative, what six digits of a time stamp may be off (D 7-38)


class Collector:
    """The points of one test as they come, by channel."""

    def __init__(self, driver: Keithley4200, test: PulseTest, from_held: bool) -> None:
        self.driver, self.test, self.from_held = driver, test, from_held
        self.columns = test.columns or WAVEFORM
        self._usual = 0  # points of a page that was shorter than asked for, and the same when asked for again
        self._points: dict[int, list[Points]] = {channel: [] for channel in test.pair.channels}

    def __len__(self) -> int:
        """How many rows are complete: points that every channel has given."""
        return min(self._fetched(channel) for channel in self._points)

    def count(self) -> int:
        """Ask how many points there are by now, of the channel that has fewest."""
        return min(self._counts())

    def read(self, until: int) -> None:
        """Fetch points of every channel until there are `until`."""
        for channel in self._points:
            while (have := self._fetched(channel)) < until:
                self._points[channel].append(self._page(channel, have, min(PAGE, until - have)))

    def read_all(self) -> Block | None:
        """Fetch what is left of a finished test and return all of it, None where nothing was to be measured.

        Raises RemoteProtocolError unless the channels gave equally many points, and one for every mean.
        """
        windows = self.test.windows
        if not windows.kinds.size:
            return None
        counts = self._counts(settled=True)
        expected = int(windows.rows(self.test.rate).sum())
        enough = counts[0] > windows.means if windows.sampled else counts[0] == windows.means
        if len(set(counts)) > 1 or not enough:
            found = " and ".join(f"{n} of channel {c}" for c, n in zip(self._points, counts, strict=True))
            raise RemoteProtocolError(f"{expected} points were expected, the instrument has {found}")
        self.read(counts[0])
        return self.block(0, counts[0])

    def block(self, start: int, stop: int, mark: Status = Status.NORMAL, provisional: bool = False) -> Block:
        """Rows `start` to `stop` of what was fetched; mark: flags for all of them. Raises InstrumentError for dead outputs."""
        by_channel = {channel: self._joined(channel) for channel in self._points}
        whole = self._rows(by_channel, mark)
        return Block({name: column[start:stop] for name, column in whole.items()}, provisional)

    # -- pages --------------------------------------------------------------------------------------------------------
    def _counts(self, settled: bool = False) -> list[int]:
        """The points of each channel; settled: they do not become more between two questions."""
        ask = self.driver.fetch if settled else self.driver.inquire
        return [ask(replies.read_count, m.CountPoints(channel)) for channel in self._points]

    def _page(self, channel: int, start: int, count: int) -> Points:
        read = partial(read_points, columns=self.columns)
        question = m.GetPoints(channel, start, count, self.test.columns)
        page = self.driver.fetch(read, question)
        if 0 < len(page) < count and len(page) != self._usual:  # fewer may come (D 7-7); but was a point lost?
            self._check_same(page, self.driver.inquire(read, question), channel)
            self._usual = len(page)
        if not 0 < len(page) <= count:
            raise RemoteProtocolError(
                f"{count} points from {start} of channel {channel} were asked for, {len(page)} came"
            )
        if (wrong := (page.word(self.columns[3]) & 3) != (channel - 1) % 2 + 1).any():
            word = int(page.word(self.columns[3])[np.argmax(wrong)])
            raise RemoteProtocolError(f"a point with status {word:08X} came from another channel than {channel}")
        return page

    def _check_same(self, page: Points, again: Points, channel: int) -> None:
        if not (np.array_equal(page.values, again.values) and np.array_equal(page.words, again.words)):
            raise RemoteProtocolError(f"the same points of channel {channel} were asked for twice, and others came")

    def _fetched(self, channel: int) -> int:
        return sum(map(len, self._points[channel]))

    def _joined(self, channel: int) -> Points:
        rows = len(self)
        values = np.concatenate([page.values for page in self._points[channel]])[:rows]
        return Points(self.columns, values, np.concatenate([page.words for page in self._points[channel]])[:rows])

    # -- rows ---------------------------------------------------------------------------------------------------------
    def _rows(self, by_channel: dict[int, Points], mark: Status) -> dict[str, FloatArray | IntArray]:
        volts, amperes, seconds, words = self.columns
        driven, *others = (by_channel[channel] for channel in self.test.pair.channels)
        status = row_status(driven.word(words))
        voltage, current = driven.number(volts).copy(), driven.number(amperes).copy()
        for held in others:
            status |= row_status(held.word(words))
            voltage -= held.number(volts)
            current = 0.0 - held.number(amperes) if self.from_held else current
        told = driven.number(seconds)
        time, which, outside = place(self.test.windows, self.test.rate, told)
        level, segment = self.test.windows.levels_at(which, time), self.test.windows.owners[which]
        status |= _check_alive(self.test.windows.telling(TELLING)[which], driven.number(volts), driven.number(amperes))
        status |= np.where(outside, int(Status.INVALID), 0)
        return {
            "time": time, "level": level, "voltage": voltage, "current": current,
            "status": status | int(mark), "segment": segment,
        }  # fmt: skip


def place(windows: Windows, rate: float, told: FloatArray) -> tuple[FloatArray, IntArray, BoolArray]:
    """Time (s) and window of each row, and whether it belongs in none; told: s, the instrument's time column.

    Fewer rows than planned are the first ones, of a test that still runs or was stopped.
    """
    rows = windows.rows(rate)
    which = np.repeat(np.arange(rows.size), rows)
    within = np.arange(which.size) - np.repeat(np.cumsum(rows) - rows, rows)
    middle = 0.5 * (windows.starts + windows.stops)
    planned = np.where(
        windows.kinds[which] == Measure.MEAN, middle[which], windows.starts[which] + within / (rate or 1.0)
    )
    outside = np.zeros(told.size, dtype=bool)
    if not windows.sampled or _agree(planned, told, rate):
        if told.size > planned.size:
            raise RemoteProtocolError(f"{told.size} points came where {planned.size} were planned")
        which, time = which[: told.size], planned[: told.size]
    else:
        which, outside = _by_time(windows, rate, told)
        time = np.where(windows.kinds[which] == Measure.MEAN, middle[which], told)
    return time, which, outside


def _agree(planned: FloatArray, told: FloatArray, rate: float) -> bool:
    """Whether rows are where the plan has them: exactly as many, or not more and at the times told."""
    if told.size == planned.size:
        return True
    near = 2.0 / rate + _TOLD * np.abs(told)
    return told.size < planned.size and bool(np.all(np.abs(told - planned[: told.size]) <= near))


def _by_time(windows: Windows, rate: float, told: FloatArray) -> tuple[IntArray, BoolArray]:
    """The window each time told lies in, or one it misses by up to two samples, and whether it lies in none."""
    rounding = _TOLD * np.abs(told)
    near = 2.0 / rate + rounding
    which = np.clip(np.searchsorted(windows.starts, told + rounding, side="right") - 1, 0, None).astype(np.int64)
    behind = np.minimum(which + 1, windows.starts.size - 1)
    late = told > windows.stops[which] + near
    early = late & (behind > which) & (told >= windows.starts[behind] - near)
    which = np.where(early, behind, which)
    return which, (late & ~early) | (told < windows.starts[which] - near)


def _check_alive(telling: BoolArray, voltage: FloatArray, current: FloatArray) -> IntArray:
    """Status.INVALID where exactly 0 V and 0 A were read at a level; raises InstrumentError where that is everywhere.

    An open interlock gives such readings (D 3-7).
    """
    dead = telling & (voltage == 0) & (current == 0)
    if telling.any() and dead[telling].all():
        raise InstrumentError("0 V and 0 A were read of every pulse: the outputs were not on; is the interlock closed?")
    return np.where(dead, int(Status.INVALID), 0)
