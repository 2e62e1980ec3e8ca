"""The status word of a pulse point, eight hexadecimal digits, by its parts and back.

Pages: LPT is the 4200A-SCS LPT Library Programming manual, 4200A-LPT-907-01 Rev. D, 6-23 and 6-24; the Reference Manual
(RM 6-78) says the same digit by digit. ``01020021`` is an RPM, a waveform, the 10 uA range, the 10 V range, channel 1.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from labctl.errors import LocalProtocolError, RemoteProtocolError

CURRENT_RANGES = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.2, 0.8)  #: A, by bits 7-4
VOLTAGE_RANGES = (10.0, 40.0)  #: V, by bits 3-2
CHANNELS = (1, 2)  #: of the card, in bits 1-0


class PulseFlag(enum.IntFlag):
    """The single bits of a status word, at their places in it: usable as masks of whole arrays of words."""

    LOAD_LINE_ENABLED = 1 << 28  #: load line effect compensation was asked for
    LOAD_LINE_OK = 1 << 29  #: … and reached its aim; says nothing unless it was enabled
    SKIPPED = 1 << 30  #: the rest of the sweep was left out
    SOURCE_COMPLIANCE = 1 << 12  #: the source could not reach its level
    CURRENT_THRESHOLD = 1 << 13
    VOLTAGE_THRESHOLD = 1 << 14
    POWER_THRESHOLD = 1 << 15
    VOLTAGE_UNDERFLOW = 1 << 8  #: beyond the range on its negative side
    VOLTAGE_OVERFLOW = 1 << 9
    CURRENT_UNDERFLOW = 1 << 10
    CURRENT_OVERFLOW = 1 << 11


_FLAGS = sum(PulseFlag)
_KNOWN = _FLAGS | 0x0F0F00FF  # and the digits that hold a number: RPM, kind, current range, voltage range with channel
NO_FLAGS = PulseFlag(0)
VOLTAGE_BEYOND = PulseFlag.VOLTAGE_UNDERFLOW | PulseFlag.VOLTAGE_OVERFLOW  #: beyond the voltage range on either side
CURRENT_BEYOND = PulseFlag.CURRENT_UNDERFLOW | PulseFlag.CURRENT_OVERFLOW  #: beyond the current range on either side


class RpmPath(enum.IntEnum):
    """What an RPM connects to the device, bits 27-24."""

    NONE = 0  #: there is no RPM
    RPM = 1
    BYPASS_PMU = 2
    BYPASS_SMU = 3
    BYPASS_CVU = 4


class Acquired(enum.IntEnum):
    """How the point was measured, bits 19-16."""

    SPOT_MEAN = 1
    WAVEFORM = 2


@dataclass(frozen=True, slots=True)
class PulseStatus:
    """A status word by its parts. current_range: A; voltage_range: V; channel: that of the card, 1 or 2."""

    channel: int
    current_range: float
    voltage_range: float
    acquired: Acquired
    rpm: RpmPath = RpmPath.NONE
    flags: PulseFlag = NO_FLAGS

    @property
    def load_line_failed(self) -> bool:
        """Whether load line compensation was enabled and did not reach its aim."""
        return PulseFlag.LOAD_LINE_ENABLED in self.flags and PulseFlag.LOAD_LINE_OK not in self.flags


def word_of(status: PulseStatus) -> int:
    """Put the parts of a status together. Raises LocalProtocolError for a range or a channel there is not."""
    try:
        place = CHANNELS.index(status.channel)
        ranges = CURRENT_RANGES.index(status.current_range) << 4 | VOLTAGE_RANGES.index(status.voltage_range) << 2
    except ValueError:
        raise LocalProtocolError(f"{status} has a range or a channel that no pulse card has") from None
    return int(status.flags) | status.rpm << 24 | status.acquired << 16 | ranges | CHANNELS[place]


def status_of(word: int) -> PulseStatus:
    """Take a status word apart. Raises RemoteProtocolError for one that has a part no manual knows."""
    try:
        if word & ~_KNOWN or word & 3 not in CHANNELS:
            raise ValueError("reserved bits, or no channel")
        return PulseStatus(
            word & 3,
            CURRENT_RANGES[word >> 4 & 15],
            VOLTAGE_RANGES[word >> 2 & 3],
            Acquired(word >> 16 & 15),
            RpmPath(word >> 24 & 15),
            PulseFlag(word & _FLAGS),
        )
    except (IndexError, ValueError):
        raise RemoteProtocolError(f"{word:08X} is not the status word of a pulse point") from None
