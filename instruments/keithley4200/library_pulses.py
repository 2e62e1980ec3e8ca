"""Pulses on old software, without ``:PMU:``: a module of the vendor's user library is run by ``EX``, its arrays are fetched.

Nothing can be read before a module has ended. It leaves its relays closed and the RPMs on the pulse card, so the card is reset
after each test. Newer versions give no status any more, and a newer `PMU_SegArb_Example` gives no data to KXCI at all: that is
told as an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from labctl.contracts import Block, FloatArray, Measure
from labctl.errors import InstrumentError, RemoteProtocolError
from labctl.kxci import library_replies
from labctl.kxci import messages as m
from labctl.kxci.replies import StatusByte
from labctl.quantities import show

from .driver import Keithley4200
from .library_calls import LibraryTest
from .pulse_fetch import TELLING
from .pulse_program import TICK, IntArray, Windows
from .pulse_status import hint, row_status
from .safety import left_safe, make_safe
from .wiring import Settings

_POLL = 0.1  # s between two looks at a module that runs (vendor's CVIV examples)


def carry_out_call(
    driver: Keithley4200, test: LibraryTest, settings: Settings, from_held: bool, should_stop: Callable[[], bool]
) -> Iterator[Block]:
    """Run the module and yield the final block; nothing can be read before it has ended. Errors as `carry_out_pulses`."""
    if should_stop():
        return
    with left_safe(driver):
        driver.clear_error()
        driver.pulse.leaving_smu(driver.pulse.channels)
        driver.send(m.LibraryMode())
        driver.pulse.running = driver.pulse.energised = True
        if not _run(driver, test, settings, should_stop):
            make_safe(driver)
            return
        driver.pulse.running = False
        samples = _fetch(driver, test, from_held) if test.windows.kinds.size else None
        driver.reset()
        if samples is not None:
            yield _block(test.windows, samples)


def _run(driver: Keithley4200, test: LibraryTest, settings: Settings, should_stop: Callable[[], bool]) -> bool:
    """Run the module to its end; False where it is to be stopped: it gives no data before it has ended."""
    longest = settings.patience * test.duration + settings.margin
    with driver.longer_patience(longest):
        returned = driver.inquire(library_replies.read_return, test.call)
    until = driver.clock.now() + longest
    while returned.pending and StatusByte.BUSY in driver.status:
        if should_stop():
            return False
        if driver.clock.now() > until:
            raise InstrumentError(
                f"the module {test.call.module} is still busy after {longest:.3g} s; raise patience or margin"
            )
        driver.clock.sleep(_POLL)
    if returned.error:
        raise InstrumentError(f"the instrument did not run {test.call.module}: {returned.error}")
    if returned.value:
        raise InstrumentError(f"{test.call.module} returned {returned.value}{hint(returned.value)}", returned.value)
    driver.raise_error(f"{test.call.module} was run")
    return True


# -- arrays -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Samples:
    """What the module measured, shape (n,) each: V across the cell, A into it, status flags; time: s, None for means."""

    voltage: FloatArray
    current: FloatArray
    status: IntArray
    time: FloatArray | None


def _fetch(driver: Keithley4200, test: LibraryTest, from_held: bool) -> _Samples:
    time = None if test.time is None else _array(driver, test, test.time)
    count = test.windows.kinds.size if time is None else int(np.flatnonzero(time)[-1]) + 1 if time.any() else 0
    channels = [[_array(driver, test, place) for place in places] for places in test.channels]
    if not any(array.any() for channel in channels for array in channel):
        raise InstrumentError(
            f"{test.call.module} gave no data: its newer versions give them to Clarius only (pulse_measrt), not to KXCI"
        )
    driven, *others = (_channel(test, arrays, count) for arrays in channels)
    voltage, current, status = driven
    for volts, amps, flags in others:
        voltage, current, status = voltage - volts, 0.0 - amps if from_held else current, status | flags
    return _Samples(voltage, current, status, None if time is None else time[:count])


def _array(driver: Keithley4200, test: LibraryTest, place: int) -> FloatArray:
    return driver.fetch(library_replies.read_parameter_numbers, m.GetParameter(place, test.count))


def _channel(test: LibraryTest, arrays: list[FloatArray], count: int) -> tuple[FloatArray, FloatArray, IntArray]:
    """Voltage, current and flags of one channel, without the places of the arrays that were not written."""
    voltage, current, words = arrays
    if not count or min(voltage.size, current.size) < count or (words.size and words.size < count):
        found = ", ".join(str(array.size) for array in arrays)
        raise RemoteProtocolError(f"{count} readings of {test.call.module} were expected, its arrays hold {found}")
    given = words[:count] if words.size else np.zeros(count)
    return voltage[:count], current[:count], row_status(given.astype(np.uint32))


# -- rows -------------------------------------------------------------------------------------------------------------
def _block(windows: Windows, samples: _Samples) -> Block:
    which, rows = _in_windows(windows, samples)
    if (telling := windows.telling(TELLING)[which]).any() and not (
        rows.voltage[telling].any() or rows.current[telling].any()
    ):
        raise InstrumentError("0 V and 0 A were read of every pulse: the outputs were not on; is the interlock closed?")
    time = np.asarray(rows.time, dtype=np.float64)
    readings = {"voltage": rows.voltage, "current": rows.current, "status": rows.status}
    return Block({"time": time, "level": windows.levels_at(which, time), **readings, "segment": windows.owners[which]})


def _in_windows(windows: Windows, samples: _Samples) -> tuple[IntArray, _Samples]:
    """The window of each row, and the rows: samples as they are, of means one for each window.

    Raises RemoteProtocolError for a window without a sample.
    """
    middle = 0.5 * (windows.starts + windows.stops)
    if samples.time is None:
        return np.arange(middle.size), _Samples(samples.voltage, samples.current, samples.status, middle)
    slack = 0.01 * TICK
    first = np.searchsorted(samples.time, windows.starts - slack)
    last = np.searchsorted(samples.time, windows.stops - slack)
    if (empty := last <= first).any():
        at = float(windows.starts[np.argmax(empty)])
        raise RemoteProtocolError(
            f"no sample lies in the window at {show(at, 's')}, although the module samples everything"
        )
    parts = [slice(*ends) for ends in zip(first.tolist(), last.tolist(), strict=True)]
    rows = [_rows(samples, part, windows, k, middle[k]) for k, part in enumerate(parts)]
    which = np.repeat(np.arange(len(rows)), [row.voltage.size for row in rows])
    columns = (
        np.concatenate([getattr(row, name) for row in rows]) for name in ("voltage", "current", "status", "time")
    )
    return which, _Samples(*columns)


def _rows(samples: _Samples, part: slice, windows: Windows, k: int, middle: float) -> _Samples:
    """What window `k` gives of the samples in `part`: their mean, with every flag one of them has, or they themselves."""
    assert samples.time is not None
    voltage, current, status = samples.voltage[part], samples.current[part], samples.status[part]
    if windows.kinds[k] != Measure.MEAN:
        return _Samples(voltage, current, status, samples.time[part])
    flags = np.array([np.bitwise_or.reduce(status)])
    return _Samples(np.array([voltage.mean()]), np.array([current.mean()]), flags, np.array([middle]))
