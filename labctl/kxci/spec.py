"""What a command of the language is: a frozen dataclass with a mnemonic, a place where it is valid and a manual page.

A command class declares these with `command`; its fields, in order, are the comma list, and their annotations carry the
bounds. `codec` does the rest, so a new command is one dataclass (and one row of the test table).
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

#: Where a command is valid: a page, "SYSTEM" (any of DE SS SM MD), or "ANY" (D 5-4, 5-36).
Where = Literal["DE", "SS", "SM", "MD", "US", "UL", "SYSTEM", "ANY"]


@typing.dataclass_transform(frozen_default=True)  # says to type checkers what `messages.frozen` does
class Command:
    """Base of every command; equality, hashing and repr come from the frozen dataclasses."""

    __slots__ = ()

    def problem(self) -> str:
        """Say in words what forbids this combination of arguments, each of which is allowed by itself; "" for nothing."""
        return ""


@dataclass(frozen=True, slots=True)
class Invalid:
    """What stands in a message where no valid command could be read.

    code: the instrument's error for it (-992 unknown mnemonic, -993 bad argument); reason: in words, for people.
    """

    text: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Between:
    """Bounds of a number, both included; use as ``Annotated[int, Between(1, 9)]``."""

    low: float
    high: float

    def problem(self, value: float) -> str:
        """Say what is wrong with `value`, NaN included; "" for nothing."""
        return "" if self.low <= value <= self.high else f"{value} is not between {self.low:g} and {self.high:g}"


@dataclass(frozen=True, slots=True)
class Like:
    """The shape of a text: a regular expression for all of it, and the same in words."""

    pattern: str
    words: str

    def problem(self, value: str) -> str:
        """Say what is wrong with `value`; "" for nothing."""
        return "" if _compiled(self.pattern).fullmatch(value) else f"{value[:40]!r} is not {self.words}"


class Word(str):
    """An argument written without quotes (``SMU1``)."""

    __slots__ = ()


class Field(NamedTuple):
    """One argument. kind: str, Word, int or float; rule: what it must keep; rest: it takes all arguments that are left."""

    kind: type
    rule: Between | Like | None
    rest: bool


@dataclass(frozen=True, slots=True)
class Spec:
    """What `command` said about a class. counts: allowed numbers of arguments; query: the reply is data, not ACK."""

    mnemonic: str
    page: str
    where: Where
    query: bool
    counts: range | tuple[int, ...]
    kinds: tuple[Field, ...]

    def spread(self, count: int) -> list[Field]:
        """The field each of `count` arguments belongs to."""
        first = list(self.kinds[:count])
        return first + [self.kinds[-1]] * (count - len(first)) if self.kinds else first

    def count_problem(self, count: int) -> str:
        """Say what is wrong with `count` arguments; "" for nothing."""
        if count in self.counts:
            return ""
        allowed = self.counts
        words = f"{allowed[0]} to {allowed[-1]}" if isinstance(allowed, range) else " or ".join(map(str, allowed))
        return f"takes {words} arguments, not {count}"


_BY_MNEMONIC: dict[str, type[Command]] = {}
_SPECS: dict[type[Command], Spec] = {}
_BARE_WORD_FIRST: set[str] = set()
C = TypeVar("C", bound=Command)


def command(
    mnemonic: str, page: str, where: Where = "ANY", counts: range | tuple[int, ...] | None = None, query: bool = False
) -> Callable[[type[C]], type[C]]:
    """Register a dataclass as a command. counts: allowed numbers of arguments, by default exactly one per field.

    Raises ValueError for a mnemonic that is taken: two meanings of one word would depend on the order of imports.
    """

    def register(cls: type[C]) -> type[C]:
        if mnemonic in _BY_MNEMONIC:
            raise ValueError(f"{mnemonic} is {_BY_MNEMONIC[mnemonic].__name__} already")
        hints = get_type_hints(cls, include_extras=True)
        kinds = tuple(_field(hints[item.name]) for item in fields(cls))  # type: ignore[arg-type]
        _BY_MNEMONIC[mnemonic] = cls
        _SPECS[cls] = Spec(mnemonic, page, where, query, (len(kinds),) if counts is None else counts, kinds)
        if kinds and kinds[0].kind is Word:
            _BARE_WORD_FIRST.add(mnemonic)
        return cls

    return register


def spec(command: Command | type[Command]) -> Spec:
    """What is known about a command or its class."""
    return _SPECS[command if isinstance(command, type) else type(command)]


def commands() -> list[type[Command]]:
    """Every command class, in the order of definition."""
    return list(_SPECS)


def by_mnemonic(mnemonic: str) -> type[Command] | None:
    """The class of a mnemonic, upper case (the instrument answers -992 to ``ul``); None where there is none."""
    return _BY_MNEMONIC.get(mnemonic)


def bare_word_first() -> set[str]:
    """The mnemonics whose first argument is a word without quotes."""
    return _BARE_WORD_FIRST


def _field(hint: Any) -> Field:
    rule = None
    rest = False
    while True:
        origin = get_origin(hint)
        if origin is Annotated:
            rule = next((extra for extra in get_args(hint)[1:] if isinstance(extra, (Between, Like))), rule)
            hint = get_args(hint)[0]
        elif origin in (types.UnionType, typing.Union):
            hint = next(arg for arg in get_args(hint) if arg is not type(None))
        elif origin is tuple:
            rest, hint = True, get_args(hint)[0]
        else:
            return Field(hint, rule, rest)


@lru_cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)
