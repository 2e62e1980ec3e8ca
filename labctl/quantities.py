"""Values with units at the edges, plain SI floats inside: columns, limits, and SI text <-> float.

Imports nothing heavy, so that ``labctl --help`` stays fast.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from labctl.errors import LimitError, UsageError

#: Powers of ten by SI prefix; "u" and both micro signs mean 1e-6. BIPM SI brochure, 9th edition, table 7.
PREFIXES: dict[str, int] = {
    "f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12,
}  # fmt: skip
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*")
_SPELLED = {"Ω": "ohm", "Ohm": "ohm", "ohms": "ohm", "sec": "s"}


def parse(text: str | float | int, unit: str = "") -> float:
    """Turn ``"100u"``, ``"100 uA"``, ``"1e-4"`` or a number into an SI float.

    unit: the unit expected, e.g. ``"A"``; it may be left out of the text, another unit is refused.
    Raises UsageError for text that is not a finite number with an optional SI prefix and this unit.
    """
    match = None if isinstance(text, bool) else _NUMBER.fullmatch(str(text))
    if match is None and str(text).strip().lstrip("+-").lower() in ("nan", "inf", "infinity"):
        raise UsageError(f"{text!r} is not a finite number")
    if match is None:
        raise UsageError(f"{text!r} is not a number; write e.g. {_example(unit)}")
    number, suffix = match.groups()
    try:  # decimal, so that "100u" is the float nearest to 1e-4 and not 100 * 1e-6 = 9.999999999999999e-05
        exact = Decimal(number).scaleb(_power(suffix, unit, text))
        value = float(exact)
    except ArithmeticError:
        raise UsageError(f"{text!r} is not a number a computer can hold") from None
    if not math.isfinite(value) or (value == 0 and exact != 0):
        raise UsageError(f"{text!r} is too large or too small for a floating-point number")
    return value


def _power(suffix: str, unit: str, text: object) -> int:
    for spelling, symbol in _SPELLED.items():
        suffix = suffix.removesuffix(spelling) + symbol if suffix.endswith(spelling) else suffix
    if suffix == "m" and unit == "s":
        raise UsageError(f"{text!r} may mean minutes or milliseconds; write 'ms', or the seconds")
    if suffix == unit:  # "m" alone is a metre where metres are asked for
        return 0
    prefix = suffix.removesuffix(unit) if unit else suffix
    if prefix not in PREFIXES:
        raise UsageError(f"{text!r} has no unit or prefix known here; write e.g. {_example(unit)}")
    return PREFIXES[prefix]


def _example(unit: str) -> str:
    return f"'1.5', '100u' or '100u{unit}'"


def show(value: float, unit: str = "", digits: int = 6) -> str:
    """Write an SI float for people: ``show(1e-6, "A")`` is ``"1 uA"``; units without a prefix stay as they are."""
    if not math.isfinite(value) or value == 0 or not takes_prefix(unit):
        return f"{value:.{digits}g} {unit}".rstrip()
    rounded = float(f"{value:.{digits}g}")  # first, so that 0.99999999 V is "1 V" and not "1000 mV"
    if not 1e-15 <= abs(rounded) < 1e15:  # beyond the prefixes
        return f"{rounded:.{digits}g} {unit}"
    power, prefix = prefix_of(rounded)
    return f"{float(Decimal(repr(rounded)).scaleb(-power)):.{digits}g} {prefix}{unit}"


def takes_prefix(unit: str) -> bool:
    """Whether an SI prefix before `unit` says what it should: not for counts, K, %, and powers ("cm^2", "V^-1/2")."""
    return bool(unit) and unit not in ("%", "points", "K") and "^" not in unit and not unit.startswith("1/")


def prefix_of(value: float) -> tuple[int, str]:
    """The power of ten and the prefix that leave 1 to 1000 before it, for a number that is not 0."""
    power = min(max(int(f"{value:e}".partition("e")[2]) // 3 * 3, -15), 12)
    return power, next(symbol for symbol, of in PREFIXES.items() if of == power)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a run's table.

    name: identifier; unit: a symbol that pint and UDUNITS both read ("V", "A", "s", "ohm", "S"), "" for counts and flags;
    dtype: NumPy name of the stored type; label: what axes call it, if the name is too short for that.
    """

    name: str
    unit: str = ""
    dtype: Literal["float64", "int64"] = "float64"
    meaning: str = ""
    label: str = ""

    @property
    def caption(self) -> str:
        """The column as axes of plots name it: its label, or else its name, with the unit."""
        return f"{self.label or self.name} ({self.unit})" if self.unit else self.label or self.name

    @property
    def heading(self) -> str:
        """The column as PyMeasure heads it: ``current (A)``."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


@dataclass(frozen=True, slots=True)
class Limit:
    """Greatest magnitude allowed for one quantity, and who says so.

    quantity: "voltage", "current", "power", "points"; value: SI, > 0; owner: e.g. "sample W12/D3-4/C5".
    """

    quantity: str
    value: float
    unit: str
    owner: str

    def check(self, value: float, what: str) -> None:
        """Raise LimitError when |value| is above the limit or not a finite number."""
        if not math.isfinite(value):
            raise LimitError(f"{what} = {value} {self.unit} is not a finite number ({self._words()})")
        if abs(value) > self.value * (1 + 1e-12):  # one part in 1e12: float noise of a sum, not a margin
            digits = 6 if show(abs(value), self.unit) != show(self.value, self.unit) else 15
            raise LimitError(f"{what} = {show(value, self.unit, digits)} exceeds the {self._words()}")

    def _words(self) -> str:
        return f"{self.quantity} limit {show(self.value, self.unit)} of {self.owner}"


@dataclass(frozen=True, slots=True)
class Limits:
    """A set of limits; ``a & b`` holds both, so the tightest decides. Limits raise, they never clip."""

    items: tuple[Limit, ...] = ()

    def __and__(self, other: Limits) -> Limits:
        return Limits(self.items + other.items)

    def check(self, quantity: str, value: float, what: str) -> None:
        """Raise LimitError if any limit on `quantity` forbids `value`; `what` names the value for people."""
        for limit in sorted(self.items, key=lambda item: item.value):
            if limit.quantity == quantity:
                limit.check(value, what)

    def summary(self) -> str:
        """The tightest limit of each quantity with its owner, for people."""
        tightest: dict[str, Limit] = {}
        for item in sorted(self.items, key=lambda limit: limit.value):
            tightest.setdefault(item.quantity, item)
        return ", ".join(f"{show(item.value, item.unit)} ({item.owner})" for item in tightest.values())
