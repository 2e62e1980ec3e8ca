"""Numbers on the wire: at most 12 characters, at most two exponent digits (manual Rev. D, 5-6)."""

from __future__ import annotations

import math
import re

from labctl.errors import LocalProtocolError

LONGEST = 12  #: characters in one number sent to the instrument (D 5-6)
SMALLEST, GREATEST = 1e-99, 9.999999e99  #: magnitudes two exponent digits can hold, also after rounding (D 5-6)
_MANTISSA = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
NUMBER = re.compile(_MANTISSA + r"(?:[eE][+-]?[0-9]+)?")
_SHORT = re.compile(_MANTISSA + r"(?:[eE][+-]?[0-9]{1,2})?")


def wire(value: float) -> str:
    """Write `value` with the most digits that fit into 12 characters; short numbers keep every digit.

    ``%f`` or ``%g`` would lose digits (a 100 nA compliance becomes 0, 1.23456789 mV becomes 1.23457 mV). Where not even
    12 characters are exact, at least 8 significant digits are sent for a positive and 7 for a negative value (one
    less below 1e-91), and `wire_value` tells what was really sent. A long mantissa goes without its point
    (``-1234567e-19``), which leaves room for one more digit.
    Raises LocalProtocolError for NaN, infinities and exponents of three digits.
    """
    value = float(value)  # a NumPy scalar's repr is not a number
    magnitude = abs(value)
    if 1e-3 <= magnitude < 1e10:
        return _fixed(value)
    if value == 0:
        return "0"
    if not SMALLEST <= magnitude <= GREATEST:
        raise LocalProtocolError(f"{value} can't be written as a KXCI number (finite, at most two exponent digits)")
    mantissa, e, exponent = repr(value).partition("e")
    text = _trim(mantissa) + (f"e{int(exponent)}" if e else "")
    return text if len(text) <= LONGEST else _exponential(value)


def wire_value(value: float) -> float:
    """The float the instrument gets when `value` is sent: equal to it, or nearest in 12 characters."""
    return float(wire(value))


def to_float(text: str, longest: int | None = None) -> float:
    """Read a number as KXCI does (``+3``, ``.1``, ``0.``, ``1E-6``).

    longest: characters allowed, which also allows two exponent digits only; None for no such limit.
    Raises ValueError, also for a number too great for a float.
    """
    if longest is not None and len(text) > longest:
        raise ValueError(f"{text[:40]!r} has more than {longest} characters")
    if (NUMBER if longest is None else _SHORT).fullmatch(text) is None:
        raise ValueError(
            f"{text[:40]!r} is not a number{'' if longest is None else ' (with up to two exponent digits)'}"
        )
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]!r} is too great")
    return value


def to_int(text: str, longest: int | None = None) -> int:
    """Read a whole number, also written ``1.`` or ``1e0``. longest: as for `to_float`. Raises ValueError."""
    value = to_float(text, longest)
    if not value.is_integer():
        raise ValueError(f"{text[:40]!r} is not a whole number")
    return int(value)


def engineering(value: float, digits: int = 5) -> str:
    """Write `value` as the instrument answers: blank or minus, engineering notation, e.g. ``" 54.978E-15"`` (D 2-10).

    digits: significant digits, >= 1. Raises LocalProtocolError for NaN and infinities: the instrument has no text for them.
    """
    if not math.isfinite(value):
        raise LocalProtocolError(f"{value} is not a reading the instrument can answer")
    if value == 0:
        return f" {0:.{digits - 1}f}E+00"
    mantissa, _, exponent = f"{abs(value):.{digits - 1}e}".partition("e")
    shift = int(exponent) % 3
    figures = mantissa.replace(".", "").ljust(shift + 1, "0")
    point = "." if len(figures) > shift + 1 else ""
    number = figures[: shift + 1] + point + figures[shift + 1 :]
    return f"{'-' if value < 0 else ' '}{number}E{int(exponent) - shift:+03d}"


def short_engineering(value: float, digits: int = 6) -> str:
    """Write `value` as the pulse card does: ``%g`` with exponents that are multiples of three, ``-21.7246e-9`` (D 7-38).

    digits: significant digits, >= 1; zeros at the end are left out. That numbers from 1e-4 up have no exponent is a guess from
    the one sample there is. Raises LocalProtocolError for NaN and infinities.
    """
    if not math.isfinite(value):
        raise LocalProtocolError(f"{value} is not a reading the instrument can answer")
    text = f"{value:.{digits}g}" if value else "0"
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    shift = int(exponent) % 3
    whole, _, fraction = mantissa.partition(".")
    fraction = fraction.ljust(shift, "0")
    return f"{whole}{fraction[:shift]}{'.' * (len(fraction) > shift)}{fraction[shift:]}e{int(exponent) - shift}"


def _fixed(value: float) -> str:
    # no exponent: sign, digits, point and LONGEST in all; a shorter number shows its own digits, for the rest are zeros
    places = LONGEST - 2 - (value < 0) - max(math.floor(math.log10(abs(value))), 0)
    return f"{value:.{places}f}".rstrip("0").rstrip(".") if places > 0 else f"{value:.0f}"


def _exponential(value: float) -> str:
    # "e" and at least one digit follow; a small number needs "e-" and two, its point being left out
    digits = LONGEST - (value < 0) - (4 if abs(value) < 1 else 2)
    while len(text := _with_exponent(value, digits)) > LONGEST:
        digits -= 1
    return text


def _with_exponent(value: float, digits: int) -> str:
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    mantissa = _trim(mantissa)
    power = int(exponent)
    whole = power - len(mantissa.partition(".")[2])  # the exponent when the point is left out
    if whole >= -99:
        mantissa, power = mantissa.replace(".", ""), whole
    return f"{mantissa}e{power}"


def _trim(mantissa: str) -> str:
    return mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
