"""A line of a log: what is said, as text that any terminal takes and a program can read back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from labctl.quantities import show

#: What the numbers in the details of requests (labctl.contracts), outcomes and events are in, by name; others have no unit.
UNITS: dict[str, str] = {
    "levels": "V", "amplitudes": "V", "base": "V", "constants": "V", "voltages": "V", "voltage_range": "V",
    "compliance": "A", "current_range": "A", "range_floor": "A",
    "durations": "s", "width": "s", "period": "s", "rise": "s", "fall": "s", "delay": "s", "interval": "s", "wait": "s",
    "hold": "s",
    "sample_rate": "1/s", "series": "ohm",
    "voltage": "V", "v_max": "V", "v_measured": "V", "reached": "V", "current": "A", "i_measured": "A",
    "gap": "s", "compliance_time": "s", "from": "s", "to": "s", "energy": "J", "conductance": "S", "target": "S",
}  # fmt: skip
_FEW = 3  #: items of a list that are all written
_LONGEST = 300  #: characters of one detail


class Entry(NamedTuple):
    """One line of a wire log.

    seconds: since the start of the run, negative before it; day: time of day as ``09:30:01.250``; name: the instrument;
    direction: ">" sent, "<" received, "!" reopened or failed; text: escaped as in the file.
    """

    seconds: float
    day: str
    name: str
    direction: str
    text: str

    def line(self) -> str:
        """The entry as a line of the file."""
        return f"{self.seconds:.6f} {self.day} {self.name} {self.direction} {self.text}\n"


_ENTRY = re.compile(r"(-?\d+\.\d{6}) (\S+) (\S+) ([<>!]) (.*)")


def parse(line: str) -> Entry | None:
    """The entry of a line without its line feed; None if it is none (a comment, a line cut by a power failure)."""
    found = _ENTRY.fullmatch(line)
    if found is None:
        return None
    seconds, day, name, direction, text = found.groups()
    return Entry(float(seconds), day, name, direction, text)


def escape(text: str) -> str:
    r"""Any text as one line of printable ASCII (``\n``, ``\x00``, ``\\``); Python's codec unicode_escape undoes it."""
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return text.encode("unicode_escape").decode("ascii")


@lru_cache(16)
def word(name: str) -> str:
    """A name without blanks, so that it is one field of a line."""
    return escape(name).replace(" ", "\\x20") or "-"


def visible(text: str) -> str:
    """Text for people: letters of any script stay, what moves a cursor or hides is escaped."""
    return "".join(letter if letter.isprintable() else escape(letter) for letter in text)


def details(values: Mapping[str, Any]) -> str:
    """Details of a request or event in words: ``levels 201 from 0 V to 2 V, compliance 1 uA``; what is off is left out."""
    items = ((name, _value(value, UNITS.get(name, ""))) for name, value in values.items())
    return ", ".join(f"{visible(str(name))} {text}" for name, text in items if text)


def _value(value: Any, unit: str) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, (int, float)):
        return show(float(value), unit) if unit or isinstance(value, float) else str(value)
    if isinstance(value, Mapping):
        inner = (
            f"{name} {_value(item, unit or UNITS.get(str(name), ''))}"
            for name, item in value.items()
            if item is not None
        )
        return f"({', '.join(inner)})"
    return _many(value, unit)


def _many(value: Any, unit: str) -> str:
    items = value.tolist() if hasattr(value, "tolist") else value  # an array
    if not isinstance(items, Sequence) or isinstance(items, (str, bytes)):
        return _value(items, unit) if isinstance(items, (int, float)) else visible(str(items))[:_LONGEST]
    if len(items) > _FEW and all(isinstance(item, (int, float)) for item in items):
        return f"{len(items)} from {_value(float(min(items)), unit)} to {_value(float(max(items)), unit)}"
    return " ".join(_value(item, unit) for item in items[:_FEW]) + (" ..." if len(items) > _FEW else "")
