"""What the status words of pulse points mean for a row, and what errors of a pulse test call for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import Status
from labctl.kxci.points import WordArray
from labctl.kxci.pulse_status import CURRENT_BEYOND, VOLTAGE_BEYOND, PulseFlag, RpmPath

_THRESHOLDS = PulseFlag.CURRENT_THRESHOLD | PulseFlag.VOLTAGE_THRESHOLD | PulseFlag.POWER_THRESHOLD
#: status of a row by any of these bits (LPT 6-23, 6-24)
_MEANINGS = {
    CURRENT_BEYOND | VOLTAGE_BEYOND: Status.OVERFLOW,
    PulseFlag.SOURCE_COMPLIANCE: Status.COMPLIANCE,
    _THRESHOLDS: Status.THRESHOLD,
    PulseFlag.SKIPPED: Status.SKIPPED,
}
_ELSEWHERE = (RpmPath.BYPASS_SMU, RpmPath.BYPASS_CVU)  # the RPM had another instrument on the cell

#: What to do about an error of a pulse test, by the instrument's number (D 2-12) or the function library's (LPT 1-14).
HINTS = {
    -950: "the pulse cards ask for more power than the mainframe has; use a lower range",
    -951: "no sample rate fits; shorten what is measured, or lengthen the shortest window",
    -952: "no sample rate fits; shorten what is measured, or lengthen the shortest window",
    -955: "take a current range above 10 mA",
    -957: "lengthen the windows",
    -959: "a segment changes its level too slowly; split it into flat segments and steps",
    -964: "the level can't be reached across the load given; lower it, or correct the option load",
    -966: "somebody stopped the test",
    -967: "the times of the pulse do not go together",
    -968: "the pulse card is too hot; wait, and leave more time between pulses",
    -122: "the current range does not go with the voltage range",
    -233: "the module can't drive an SMU that is on an RPM",
    -824: "the times of the pulse are too short for the voltage range",
    -829: "base and amplitude exceed the voltage range",
    -835: "a segment is too short at the sample rate; play the waveform in parts",
    -846: "the level can't be reached across the load given; lower it, or correct the option load",
    -17001: "there is no such pulse card",
    -17002: "there is no such pulse card",
}


def row_status(words: WordArray) -> NDArray[np.int64]:
    """The flags of `labctl.contracts.Status` for each status word."""
    wide = words.astype(np.int64)
    status = np.zeros(wide.shape, dtype=np.int64)
    for bits, meaning in _MEANINGS.items():
        status |= np.where(wide & int(bits), int(meaning), 0)
    tried, done = (wide & int(bit) != 0 for bit in (PulseFlag.LOAD_LINE_ENABLED, PulseFlag.LOAD_LINE_OK))
    status |= np.where(tried & ~done, int(Status.LOAD_LINE), 0)
    elsewhere = np.isin(wide >> 24 & 15, [int(path) for path in _ELSEWHERE])
    return np.asarray(status | np.where(elsewhere, int(Status.INVALID), 0), dtype=np.int64)


def hint(code: int | None) -> str:
    """What to do about error `code`, as the end of a message; "" where nothing is known."""
    known = HINTS.get(code) if code is not None else None
    return f"; {known}" if known else ""
