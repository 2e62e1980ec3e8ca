"""Replies: readings, sweep data, the status byte, identity and options; written by the simulator, read by the driver."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from labctl.contracts import Reading, Status
from labctl.errors import LocalProtocolError, RemoteProtocolError
from labctl.kxci.numbers import NUMBER, engineering

ACK = "ACK"  #: the whole reply to a command without data, over Ethernet (D 2-9)
INVALID_FROM = 1e36  #: readings at or above are "no number": unmapped VM 9.000e+37 (D 5-8); labs cut at 1e36 to 1e37
SEPARATORS = re.compile(r"[,\r\n\x0e]+")  #: between readings, by the instrument's settings (D 2-4, 2-5); 0x0E: lab code

#: Status letters, in the order of their priority (manual Rev. B 3-1); Rev. D knows only C and N (D 3-1).
LETTERS: dict[str, Status] = {
    "L": Status.TOO_FAST, "V": Status.OVERFLOW, "X": Status.OSCILLATION,
    "C": Status.COMPLIANCE, "T": Status.OTHER_COMPLIANCE, "N": Status.NORMAL,
}  # fmt: skip

_VOLTAGE_LETTERS = (
    "ABCDEFGHIJKLMNOP"  # A-D SMU1-4, E/F VM1/2, G-J SMU5-8, K-P VM3-8 (D 3-2): in the order of the TV codes
)
_CURRENT_LETTERS = "ABCDEFGH"  # SMU1-8
_MISSING = re.compile(r"(?:^|,)[\s\x0e]*,")  # a comma too many: the readings after it would move up by one
_COUNT = re.compile(r"[0-9]{1,9}")
_READING = re.compile(rf"(?:([A-Za-z])\s*)?({NUMBER.pattern})")
_MEASUREMENT = re.compile(rf"([A-Za-z])(?:([A-P])(V)|([A-H])(I))\s*({NUMBER.pattern})")


class StatusByte(enum.IntFlag):
    """The status byte of a serial poll or ``SP`` (D 3-3, 3-4)."""

    DATA_READY = 1
    SYNTAX_ERROR = 2
    BUSY = 16
    SERVICE_REQUEST = 64


@dataclass(frozen=True, slots=True)
class Measurement:
    """A user-mode reading; kind "V" or "I"; channel: the TV code or SMU number it came from."""

    reading: Reading
    kind: str
    channel: int


@dataclass(frozen=True, slots=True)
class Option:
    """One installed card: kind "SMU", "CVU", "VPU", "PMU", "VS" or "VM"; number: its channel, None where not given."""

    kind: str
    number: int | None
    preamp: bool = False
    high_power: bool = False
    rpm: str = ""


# -- readings ---------------------------------------------------------------------------------------------------------
def letter(status: Status, known: str = "LVXCTN") -> str:
    """The status letter of highest priority among `known` that `status` calls for."""
    return next((key for key, flag in LETTERS.items() if key in known and flag and flag in status), "N")


def write_reading(reading: Reading, digits: int = 5, letters: str = "CN", plain: bool = False) -> str:
    """One reading of a ``DO`` reply: letter, blank or minus, engineering notation (D 2-10); plain: ``N 1.0000e-09``.

    Raises LocalProtocolError for NaN and infinities.
    """
    if not math.isfinite(reading.value):
        raise LocalProtocolError(f"{reading.value} is not a reading the instrument can answer")
    number = f"{reading.value: .{digits - 1}e}" if plain else engineering(reading.value, digits)
    return letter(reading.status, letters) + number


def read_readings(text: str) -> list[Reading]:
    """Read a ``DO`` reply with any separator; letters are optional (time stamps have none).

    Raises RemoteProtocolError naming the piece that is no reading, or where one is missing between two commas. Unknown
    letters and sentinels become Status.INVALID.
    """
    stripped = text.strip(" \r\n\x0e")
    if match := _MISSING.search(stripped):
        raise RemoteProtocolError(f"a reading is missing after {stripped[: match.start()][-40:]!r}")
    return [_reading(piece) for piece in SEPARATORS.split(stripped) if piece.strip()]


def _reading(piece: str) -> Reading:
    match = _READING.fullmatch(piece.strip())
    if match is None:
        raise RemoteProtocolError(f"{piece[:40]!r} is not a reading")
    return _checked(float(match[2]), LETTERS.get(match[1].upper(), Status.INVALID) if match[1] else Status.NORMAL)


def _checked(value: float, status: Status) -> Reading:
    return Reading(value, status | Status.INVALID if abs(value) >= INVALID_FROM else status)


def write_measurement(measurement: Measurement, digits: int = 5, letters: str = "CN") -> str:
    """A ``TI``/``TV`` reply, e.g. ``NAI 22.329E-09`` (D 3-2, 3-7). Raises LocalProtocolError for a channel without letter."""
    places = _CURRENT_LETTERS if measurement.kind == "I" else _VOLTAGE_LETTERS
    if measurement.kind not in ("I", "V") or not 1 <= measurement.channel <= len(places):
        raise LocalProtocolError(f"{measurement} has no channel letter")
    head = letter(measurement.reading.status, letters) + places[measurement.channel - 1] + measurement.kind
    return head + engineering(measurement.reading.value, digits)


def read_measurement(text: str) -> Measurement:
    """Read a ``TI``/``TV`` reply. Raises RemoteProtocolError."""
    match = _MEASUREMENT.fullmatch(text.strip())
    if match is None:
        raise RemoteProtocolError(f"{text[:40]!r} is not a measurement such as 'NAI 22.329E-09'")
    place = match[2] or match[4]
    reading = _checked(float(match[6]), LETTERS.get(match[1].upper(), Status.INVALID))
    return Measurement(reading, match[3] or match[5], _VOLTAGE_LETTERS.index(place) + 1)


def write_point(value: float, digits: int = 5) -> str:
    """An ``RD`` reply for a measured value: a number without letter; never the bare ``0`` of "not measured" (D 5-40)."""
    return engineering(value, digits).strip()


def read_point(text: str) -> float | None:
    """Read an ``RD`` reply; None for exactly ``0``, "not measured yet". Raises RemoteProtocolError."""
    stripped = text.strip()
    if stripped == "0":
        return None
    return _reading(stripped).value


# -- status byte ------------------------------------------------------------------------------------------------------
def read_status(text: str) -> StatusByte:
    """Read an ``SP`` reply (``16``, also ``16.0``). Raises RemoteProtocolError."""
    stripped = text.strip()
    value = float(stripped) if NUMBER.fullmatch(stripped) else -1
    if not (0 <= value <= 255 and value == int(value)):
        raise RemoteProtocolError(f"{text[:40]!r} is not a status byte")
    return StatusByte(int(value))


# -- pulse tests ------------------------------------------------------------------------------------------------------
def read_running(text: str) -> bool:
    """Read a ``:PMU:TEST:STATUS?`` reply, ``1`` running and ``0`` not (D 7-32). Raises RemoteProtocolError."""
    stripped = text.strip()
    if stripped not in ("0", "1"):
        raise RemoteProtocolError(f"{text[:40]!r} does not say whether a pulse test runs (0 or 1)")
    return stripped == "1"


def read_count(text: str) -> int:
    """Read a ``:PMU:DATA:COUNT?`` reply, a number of points (D 7-6). Raises RemoteProtocolError."""
    stripped = text.strip()
    if _COUNT.fullmatch(stripped) is None:
        raise RemoteProtocolError(f"{text[:40]!r} is not a number of points")
    return int(stripped)


# -- identity and options ---------------------------------------------------------------------------------------------
def read_identity(text: str) -> dict[str, str]:
    """Read an ``*IDN?`` reply: manufacturer, model, serial, firmware. Raises RemoteProtocolError."""
    parts = [part.strip() for part in text.strip().split(",")]
    if len(parts) != 4 or not all(part.isprintable() for part in parts) or "" in parts[:2]:
        raise RemoteProtocolError(f"{text[:60]!r} is not an identity of four comma fields")
    return dict(zip(("manufacturer", "model", "serial", "firmware"), parts, strict=True))


_OPTION = re.compile(r"(HP)?(SMU|CVU|VPU|PMU|VS|VM)(PA)?([1-9]?)(RPM(?:[12](?:-[12])?)?)?")


def write_options(options: Iterable[Option]) -> str:
    """Write an ``*OPT?`` reply, one field per slot (D 4-4)."""
    return ",".join(
        f"{'HP' * item.high_power}{item.kind}{'PA' * item.preamp}{item.number or ''}{item.rpm}" for item in options
    )


def read_options(text: str) -> list[Option]:
    """Read an ``*OPT?`` reply; empty slots (``""``) are left out. Raises RemoteProtocolError for what is no option."""
    parts = (piece.strip().strip('"') for piece in text.strip().split(","))
    return [_option(part) for part in parts if part]


def _option(part: str) -> Option:
    match = _OPTION.fullmatch(part)
    power, kind, preamp, number, rpm = match.groups() if match else (None, "", None, None, None)
    if not kind or ((power or preamp) and kind != "SMU") or (kind != "PMU" and (rpm or not number)):
        raise RemoteProtocolError(f"{part[:40]!r} is not an option such as 'SMUPA1'")
    return Option(kind, int(number) if number else None, bool(preamp), bool(power), rpm or "")
