"""Command <-> text, written once for every command: `encode` checks and writes, `decode` reads and checks.

Both apply the same rules, so that what one of them lets through the other does too.
"""

from __future__ import annotations

import operator
import re
from dataclasses import fields
from numbers import Real
from typing import Any

from labctl.errors import LocalProtocolError
from labctl.kxci import grammar
from labctl.kxci.numbers import LONGEST, to_float, to_int, wire
from labctl.kxci.spec import Command, Field, Invalid, Place, Spec, Word, by_mnemonic, shapes, spec

_NAME = re.compile(r"[ -&(-~]*")  # printable ASCII but the quote: the language knows no escape for it
_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_PLACE = re.compile(r"(?:[!-&*+\--~](?:[ -&*+\--~]*[!-&*+\--~])?)?")  # printable ASCII but quotes, brackets and commas


def encode(*items: Command) -> str:
    """Write commands as one message, joined by ``;``. Raises LocalProtocolError for what the language does not allow."""
    return ";".join(map(_write, items))


def decode(message: str, longest_number: int | None = LONGEST) -> list[Command | Invalid]:
    """Read a message; never raises.

    longest_number: characters allowed in a number, which also allows two exponent digits only (D 5-6: 12); None for no
    limit. It is a rule of the SMU commands: working clients send ``:PMU:`` whatever digits Python gives them.
    """
    return [_read(raw, longest_number) for raw in grammar.split(message, shapes())]


# -- writing ----------------------------------------------------------------------------------------------------------
def _write(item: Command) -> str:
    known = spec(item)
    values = _values(item)
    if problem := known.count_problem(len(values)):
        raise LocalProtocolError(f"{known.mnemonic} {problem}: {item} ({known.page})")
    try:
        texts = [_text(value, field) for value, field in zip(values, known.spread(len(values)), strict=True)]
    except ValueError as error:
        raise LocalProtocolError(f"{known.mnemonic}: {error} ({known.page})") from None
    if problem := item.problem():
        raise LocalProtocolError(f"{known.mnemonic}: {problem} ({known.page})")
    return known.mnemonic + _arguments(known, texts)


def _arguments(known: Spec, texts: list[str]) -> str:
    if known.separator == "(":
        return f" {texts[0]} {texts[1]}({','.join(texts[2:])})"
    if known.separator == " ":
        return " " + " ".join(texts)
    if known.is_pulse:
        return " " + ", ".join(texts) if texts else ""  # as the manual and every known client write them
    return _joint(known, texts) + ",".join(texts)


def _joint(known: Spec, texts: list[str]) -> str:
    # "CH1", "VR1,..." and "DO 'I1'" are the manual's own spellings; a blank is needed only before words and quotes
    return " " if texts and (not texts[0][0].isdigit() or known.mnemonic[0] in ":*") else ""


def _values(item: Command) -> list[Any]:
    values: list[Any] = []
    for one in fields(item):  # type: ignore[arg-type]
        values += _flat(getattr(item, one.name))
    while values and values[-1] is None:
        values.pop()
    if None in values:
        raise LocalProtocolError(f"{spec(item).mnemonic}: an argument is missing in the middle: {item}")
    return values


def _flat(value: Any) -> list[Any]:
    return [one for part in value for one in _flat(part)] if isinstance(value, tuple) else [value]


def _text(value: Any, field: Field) -> str:
    kind, rule, _ = field
    checked: Any = _real(value) if kind is float else _whole(value) if kind is int else _string(value, kind)
    if rule is not None and (problem := rule.problem(checked)):
        raise ValueError(problem)
    if kind is float:
        return wire(checked)
    return f"'{checked}'" if kind is str else str(checked)


def _real(value: Any) -> float:
    if not isinstance(value, (float, int, Real)):  # the first two only because asking Real takes long
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _whole(value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"{value!r} is not a whole number") from None


def _string(value: Any, kind: type) -> str:
    if not isinstance(value, kind):
        raise ValueError(f"{value!r} is not a {kind.__name__}")
    return _proper(str(value), kind)


def _proper(text: str, kind: type) -> str:
    if kind is Word:
        if _BARE.fullmatch(text) is None:
            raise ValueError(f"{text[:40]!r} is not a word of letters, digits, '-' and '_'")
    elif kind is Place:
        if _PLACE.fullmatch(text) is None:
            raise ValueError(
                f"{text[:40]!r} can't be an argument (printable ASCII without quotes, brackets and commas)"
            )
    elif _NAME.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} can't stand in single quotes (printable ASCII without quotes)")
    return text


# -- reading ----------------------------------------------------------------------------------------------------------
def _read(raw: grammar.RawCommand, longest_number: int | None) -> Command | Invalid:
    cls = by_mnemonic(raw.mnemonic)
    if cls is None:
        return Invalid(raw.text, -992, f"unknown command {(raw.mnemonic or raw.text)[:40]!r}")
    known = spec(cls)
    count = len(raw.arguments)
    if problem := known.count_problem(count):
        return Invalid(raw.text, known.argument_error, f"{raw.mnemonic} {problem}")
    longest = None if known.is_pulse else longest_number
    try:
        pairs = zip(raw.arguments, known.spread(count), strict=True)
        values = [_value(argument, field, longest) for argument, field in pairs]
    except ValueError as error:
        return Invalid(raw.text, known.argument_error, str(error))
    item = _build(cls, known, values)
    return Invalid(raw.text, known.argument_error, problem) if (problem := item.problem()) else item


def _build(cls: type[Command], known: Spec, values: list[Any]) -> Command:
    fixed = known.fixed
    if fixed == len(known.kinds):
        return cls(*values)
    first = [*values[:fixed], *[None] * (fixed - len(values))]  # what may be left out before a rest is None
    rest = _grouped(values[fixed:], known.group, len(known.kinds) - fixed)
    return cls(*[*first, rest])


def _grouped(rest: list[Any], group: type[tuple[Any, ...]] | None, size: int) -> tuple[Any, ...]:
    if group is None:
        return tuple(rest)
    return tuple(group(*rest[n : n + size]) for n in range(0, len(rest), size))


def _value(text: str, field: Field, longest_number: int | None) -> Any:
    kind, rule, _ = field
    if (text[:1] == "'") != (kind is str):
        raise ValueError(f"{text[:40]} must {'stand' if kind is str else 'not stand'} in single quotes")
    value: Any
    if kind is float:
        value = to_float(text, longest_number)
    elif kind is int:
        value = to_int(text, longest_number)
    else:
        value = kind(_proper(text.strip("'"), kind))
    if rule is not None and (problem := rule.problem(value)):
        raise ValueError(problem)
    return value
