"""Faults on the wire in words: what goes wrong, at which message, for how long; ``labctl run`` and ``serve`` take them.

``lost@25; garbled/digits@DO#2; delayed@p=0.01:30s; drop@RD; busy@SP#3:600s``: faults joined by ``;``, each
``KIND[/VARIANT]@WHEN[:SECONDS]``. WHEN is the number of a message, from 1, counted since the instrument was built; or the text
messages start with (``DO``: every such; ``DO#2``: the second such); or ``p=0.01``, the chance of every message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from labctl.errors import UsageError
from labctl.plugins import suggestion
from labctl.quantities import parse as parse_quantity
from labctl.quantities import show


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault. variants: meaning by name, the first is taken where none is given; timed: it needs SECONDS."""

    variants: dict[str, str]
    timed: bool = False


KINDS = {
    "delayed": Kind({"": "the reply comes SECONDS later"}, timed=True),
    "lost": Kind({"": "the reply never comes"}),
    "unheard": Kind({"": "the message never arrives, so nothing answers it"}),
    "truncated": Kind({"": "the reply is cut short, its end intact", "open": "cut short, without its end"}),
    "duplicated": Kind({"": "the reply comes twice"}),
    "garbled": Kind({"": "characters of the reply are replaced by others", "digits": "one digit is, by another digit"}),
    "drop": Kind({"": "the connection closes instead of the reply", "before": "before the message takes effect"}),
    "reboot": Kind({
        "": "the instrument restarts: outputs off, test and settings gone, connection closed",
        "silent": "likewise, but the connection stays, as a bus does",
    }),
    "busy": Kind({"": "the status says busy for SECONDS, whatever is true"}, timed=True),
    "count": Kind({"": "a value is missing in the reply", "more": "a value comes twice in it"}),
}  # fmt: skip

_WORD = re.compile(r"([A-Za-z]+)(?:/([A-Za-z]*))?")
_NTH = re.compile(r"(.+)#([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. number: of the message it hits; start, nth: what the message starts with, and the how manyth such (0: every);
    chance: of every message, 0 to 1; exactly one of the three is set. seconds: s; words: as it was written."""

    kind: str
    variant: str
    words: str
    number: int = 0
    start: str = ""
    nth: int = 0
    chance: float = 0.0
    seconds: float = 0.0


def parse(text: str) -> tuple[Fault, ...]:
    """Read faults in words; none for a blank text. Raises UsageError naming the wrong one, and what would be right."""
    return tuple(_fault(piece.strip()) for piece in text.split(";") if piece.strip())


def table() -> str:
    """Every kind with its variants and their meanings, one a line, for help texts."""
    lines = []
    for name, kind in KINDS.items():
        for variant, meaning in kind.variants.items():
            spelt = f"{name}/{variant}" if variant else name
            lines.append(f"  {spelt}@WHEN{':SECONDS' * kind.timed}".ljust(24) + meaning)
    return "\n".join(lines)


def _fault(words: str) -> Fault:
    what, at, when = (part.strip() for part in words.partition("@"))
    name, variant = _named(what, words)
    kind, seconds = KINDS[name], 0.0
    if kind.timed:
        when, colon, length = (part.strip() for part in when.rpartition(":"))
        seconds = _seconds(length if colon else "", words)
    elif _ends_in_time(when):
        raise UsageError(f"fault {words!r}: {what} takes no time; leave out :{when.rpartition(':')[2].strip()}")
    if not at or not when:
        example = f"{name}@25{':30s' * kind.timed}"
        raise UsageError(f"fault {words!r} does not say when: write {example}, a text or p=0.01 in place of 25")
    return Fault(name, variant, words, seconds=seconds, **_moment(when, words))  # type: ignore[arg-type]


def _named(what: str, words: str) -> tuple[str, str]:
    match = _WORD.fullmatch(what)
    name, variant = (match[1], match[2] or "") if match else (what, "")
    if name not in KINDS:
        raise UsageError(f"fault {words!r}: {name!r} is not one of {', '.join(KINDS)}{suggestion(name, list(KINDS))}")
    if variant not in KINDS[name].variants:
        known = ", ".join(f"{name}/{other}" for other in KINDS[name].variants if other) or "none"
        raise UsageError(f"fault {words!r}: {name} has no variant {variant!r}; there is {known}")
    return name, variant


def _seconds(text: str, words: str) -> float:
    try:
        seconds = parse_quantity(text, "s")
    except UsageError as error:
        raise UsageError(f"fault {words!r} needs a time at its end, e.g. :30s ({error})") from None
    if not 0 < seconds <= 1e9:
        raise UsageError(f"fault {words!r}: {show(seconds, 's')} must be greater than 0 s, and at most 1e9 s")
    return seconds


def _ends_in_time(when: str) -> bool:
    """Whether a time follows a colon; messages have colons of their own (``:PMU:EXECUTE``)."""
    before, _, length = when.rpartition(":")
    try:
        parse_quantity(length.strip(), "s")
    except UsageError:
        return False
    return bool(before)


def _moment(when: str, words: str) -> dict[str, int | float | str]:
    if when.isdecimal():
        if int(when) == 0:
            raise UsageError(f"fault {words!r}: messages are counted from 1")
        return {"number": int(when)}
    if when.startswith("p="):
        return {"chance": _chance(when[2:], words)}
    if match := _NTH.fullmatch(when):
        if int(match[2]) == 0:
            raise UsageError(f"fault {words!r}: messages that start with {match[1].strip()!r} are counted from 1")
        return {"start": match[1].strip(), "nth": int(match[2])}
    return {"start": when}


def _chance(text: str, words: str) -> float:
    try:
        chance = float(text)
    except ValueError:
        chance = -1.0
    if not 0 < chance <= 1:
        raise UsageError(f"fault {words!r}: p={text} must be a probability, greater than 0 and at most 1")
    return chance
