"""The reading buffer: what a test stored, by name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from labctl.kxci.numbers import engineering

from .settings import SEPARATORS, Settings

_CHANNEL_TIME = re.compile(r"CH\d+T")
UNMAPPED = 9.0e37  #: what a voltmeter that is not mapped measures (D 5-8)
LETTER_NUMBERS = {
    "N": 0,
    "C": 1,
    "T": 2,
    "X": 4,
    "V": 8,
    "L": 16,
}  #: how ``DO 'nameS'`` answers; no sample known: guess


@dataclass(slots=True)
class Column:
    """Readings of one name with their status letters."""

    values: list[float] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Buffer:
    """Up to 4096 readings per name (D 5-27), and the time of each point since the start of its test, s."""

    columns: dict[str, Column] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)

    def clear(self) -> None:
        """Forget everything (BC, ME1)."""
        self.columns.clear()
        self.times.clear()

    def find(self, name: str) -> tuple[list[float], list[str] | None] | None:
        """Values and letters of a name, also ``CH1T``, ``<name>T`` (times) and ``<name>S`` (status); None if unknown."""
        if column := self.columns.get(name):
            return column.values, column.letters
        if _CHANNEL_TIME.fullmatch(name) or (name.endswith("T") and name[:-1] in self.columns):
            return self.times, None
        if name.endswith("S") and (column := self.columns.get(name[:-1])):
            return [float(LETTER_NUMBERS[letter]) for letter in column.letters], None
        return None


def number(value: float, digits: int, settings: Settings) -> str:
    """One number as the instrument writes it: blank or minus and engineering notation (D 2-10), or plain."""
    if value == UNMAPPED and settings.unmapped == "manual":
        return " 9.000e+37"  # as D 5-8 prints it, whatever the digits
    return f"{value: .{digits - 1}e}" if settings.numbers == "plain" else engineering(value, digits)


def whole(found: tuple[list[float], list[str] | None], digits: int, settings: Settings) -> str:
    """The reply to DO: letters before readings, none before times (D 2-10; data/kxci.md 4)."""
    values, letters = found
    if letters is None:
        texts = [number(value, digits, settings).strip() for value in values]
    else:
        texts = [letter + number(value, digits, settings) for value, letter in zip(values, letters, strict=True)]
    return SEPARATORS[settings.separator].join(texts)


def single(found: tuple[list[float], list[str] | None], index: int, digits: int, settings: Settings) -> str:
    """The reply to RD: a number without letter, exactly ``0`` when it is not measured yet (D 5-40)."""
    values = found[0]
    if index > len(values):
        return "0"
    value = values[index - 1]
    if value == 0 and settings.measured_zero == "short":
        return "0"
    return number(value, digits, settings).strip()
