"""The readings of a finished test as the final block: counted, told apart, flagged, and compared with what was asked for.

Which of two SMUs in series limits, when both have the same compliance, is open, and a held one reports it only by its own
letter. So the held terminals are fetched, too: theirs at compliance means that the current of the test is limited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import Block, FloatArray, Status
from labctl.errors import InstrumentError, RemoteProtocolError
from labctl.kxci import messages as m
from labctl.kxci import replies
from labctl.kxci.replies import StatusByte
from labctl.quantities import show

from .driver import Keithley4200
from .system_mode import Test, readings_of

_OFF, _OFF_VOLTS = 0.01, 0.01  # part of the level, and V, by which a source that holds it may be read off: guess, wide
_LIMITED_ELSEWHERE = Status.COMPLIANCE | Status.OTHER_COMPLIANCE


@dataclass(frozen=True)
class _Column:
    """The readings of one name; lettered: how many of them carry a status letter."""

    values: FloatArray
    flags: NDArray[np.int64]
    lettered: int

    @classmethod
    def read(cls, text: str) -> _Column:
        """Read a ``DO`` reply. Raises RemoteProtocolError."""
        readings = replies.read_readings(text)
        letters = sum(piece.strip()[:1].isalpha() for piece in replies.SEPARATORS.split(text))
        flags = np.array([int(reading.status) for reading in readings], dtype=np.int64)
        return cls(np.array([reading.value for reading in readings], dtype=np.float64), flags, letters)


def fetch(driver: Keithley4200, test: Test) -> Block:
    """Fetch everything `test` has stored and return the final block.

    Raises InstrumentError for an error of the instrument's, or when the outputs did not follow the levels; RemoteProtocolError
    for replies that are not what was asked for.
    """
    driver.raise_error("the test was run")
    names = [*test.names, *(name for channel in test.held for name in readings_of(channel))]
    columns = {name: driver.fetch(_Column.read, m.GetData(name)) for name in names}
    _check_counts(driver, test, columns)
    _check_letters(columns, test.names[0])
    driver.confirm()  # a reply too many would have shifted voltage into current, unnoticed
    return _block(test, columns)


# -- are these the answers? -------------------------------------------------------------------------------------------
def _check_counts(driver: Keithley4200, test: Test, columns: Mapping[str, _Column]) -> None:
    counts = {name: column.values.size for name, column in columns.items()}
    got, expected = counts[test.names[0]], test.levels.size
    whole = got == expected or (test.open_ended and 0 < got < expected and _no_more(driver, test, got))
    if len(set(counts.values())) > 1 or not whole:
        found = ", ".join(f"{n} of {name}" for name, n in counts.items())
        hint = "" if driver.acknowledges else "; over GPIB the Reading Delimiter in KCon must be Comma"
        raise RemoteProtocolError(f"{expected} readings were expected, the instrument gave {found}{hint}")


def _no_more(driver: Keithley4200, test: Test, count: int) -> bool:
    """Whether a test that may end early has: there is no further reading, and none is being taken."""
    further = driver.fetch(replies.read_point, m.GetReading(test.names[0], count + 1))
    return further is None and StatusByte.BUSY not in driver.status


def _check_letters(columns: Mapping[str, _Column], times: str) -> None:
    """Status letters stand before all voltages and currents, or, in some variant, before none; never before times."""
    rows = columns[times].values.size
    found = {name: column.lettered for name, column in columns.items()}
    if found.pop(times) or set(found.values()) not in ({0}, {rows}):
        raise RemoteProtocolError(f"status letters stand where they do not belong: {found} of {rows} readings have one")


# -- what they say ----------------------------------------------------------------------------------------------------
def _block(test: Test, columns: Mapping[str, _Column]) -> Block:
    time, voltage, current = (columns[name] for name in test.names)
    status = (time.flags & int(Status.INVALID)) | voltage.flags | current.flags
    for channel in test.held:
        limited = (columns[readings_of(channel)[1]].flags & int(Status.COMPLIANCE)) != 0
        status |= np.where(limited, int(_LIMITED_ELSEWHERE), 0)
    levels = test.levels[: time.values.size]
    status |= _check_followed(levels, voltage.values, current.values, status)
    volts = voltage.values - _given_way(test, columns)
    return Block({"time": time.values, "level": levels, "voltage": volts, "current": current.values, "status": status})


def _given_way(test: Test, columns: Mapping[str, _Column]) -> FloatArray | float:
    """How far, in V, the only held terminal was pushed off its level when it was the one that limited; 0 elsewhere.

    Taken off the driven terminal's voltage it leaves what the cell really had. With several held terminals it is open where
    the current went, so their rows keep the flag alone.
    """
    if len(test.held) != 1:
        return 0.0
    ((channel, level),) = test.held.items()
    voltage, current = (columns[name] for name in readings_of(channel))
    limited = (current.flags & int(Status.COMPLIANCE)) != 0
    return np.where(limited, voltage.values - level, 0.0)


def dead(levels: FloatArray, voltage: FloatArray, current: FloatArray) -> NDArray[np.bool_]:
    """Rows of exactly 0 V and 0 A at a level that is not 0: what an open interlock gives (D 3-7)."""
    nothing: NDArray[np.bool_] = (np.abs(levels) > _OFF_VOLTS) & (voltage == 0) & (current == 0)
    return nothing


def _check_followed(
    levels: FloatArray, voltage: FloatArray, current: FloatArray, status: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Status.INVALID where an unflagged voltage is not at its level; raises InstrumentError when the outputs were not on.

    So it does when not one level that says anything was followed: it was another test, or other channels.
    """
    if (nothing := dead(levels, voltage, current)).any():
        level = show(float(levels[np.argmax(nothing)]), "V")
        raise InstrumentError(f"0 V and 0 A were read at {level}: the outputs were not on; is the interlock closed?")
    missed = (status == 0) & (np.abs(voltage - levels) > _OFF * np.abs(levels) + _OFF_VOLTS)
    telling = (status == 0) & (np.abs(levels) > _OFF_VOLTS)
    if missed.any() and missed[telling].all():
        at = int(np.argmax(missed))
        told, read = show(float(levels[at]), "V"), show(float(voltage[at]), "V")
        raise InstrumentError(f"the voltage does not follow its levels: {read} were read at {told}; check the wiring")
    return np.where(missed, int(Status.INVALID), 0)
