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
from itertools import cycle, islice
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from labctl.kxci.grammar import Separator, Shape

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

    code: the instrument's error for it (-992 unknown mnemonic, -993 bad argument, -969 bad argument of ``:PMU:``); reason:
    in words, for people.
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


@dataclass(frozen=True, slots=True, init=False)
class OneOf:
    """The few numbers there are; use as ``Annotated[float, OneOf(10, 40)]``."""

    values: tuple[float, ...]

    def __init__(self, *values: float) -> None:
        object.__setattr__(self, "values", values)

    def problem(self, value: float) -> str:
        """Say what is wrong with `value`; "" for nothing."""
        return "" if value in self.values else f"{value} is not {' or '.join(f'{one:g}' for one in self.values)}"


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


class Place(str):
    """An argument of a user library's module, as it stands between two commas: perhaps empty, or an array with ``;``."""

    __slots__ = ()


class Field(NamedTuple):
    """One argument. kind: str, Word, Place, int or float; rule: what it must keep.

    rest: it takes all arguments that are left; where several fields say so, they take them in turn.
    """

    kind: type
    rule: Between | OneOf | Like | None
    rest: bool


@dataclass(frozen=True, slots=True)
class Spec:
    """What `command` said about a class. counts: allowed numbers of arguments; query: the reply is data, not ACK.

    separator: what stands between the arguments; group: the tuple type that the fields of a rest fill in turn, if any.
    """

    mnemonic: str
    page: str
    where: Where
    query: bool
    counts: range | tuple[int, ...]
    kinds: tuple[Field, ...]
    separator: Separator = ","
    group: type[tuple[Any, ...]] | None = None

    @property
    def fixed(self) -> int:
        """How many fields take one argument each; those behind them take the rest."""
        return sum(not field.rest for field in self.kinds)

    @property
    def is_pulse(self) -> bool:
        """Whether the command is one of the pulse card's, which have an error and rules for numbers of their own."""
        return self.mnemonic.startswith(":PMU:")

    @property
    def argument_error(self) -> int:
        """The instrument's code for a bad argument (D 2-11, 2-12; which of them when: guess)."""
        return -969 if self.is_pulse else -993

    @property
    def shape(self) -> Shape:
        """What `grammar` must know to read the arguments."""
        return Shape(self.separator, tuple(field.kind is Word for field in self.kinds))

    def spread(self, count: int) -> list[Field]:
        """The field each of `count` arguments belongs to; no more fields than there are unless there is a rest."""
        first, rest = list(self.kinds[: min(count, self.fixed)]), self.kinds[self.fixed :]
        return first + list(islice(cycle(rest), count - len(first)))

    def count_problem(self, count: int) -> str:
        """Say what is wrong with `count` arguments; "" for nothing."""
        if count in self.counts:
            return ""
        allowed = self.counts
        if not isinstance(allowed, range):
            words = " or ".join(map(str, allowed))
        elif allowed.step == 1:
            words = f"{allowed[0]} to {allowed[-1]}"
        else:
            words = f"{allowed[0]}, {allowed[1]} … {allowed[-1]}"
        return f"takes {words} arguments, not {count}"


_BY_MNEMONIC: dict[str, type[Command]] = {}
_SPECS: dict[type[Command], Spec] = {}
_SHAPES: dict[str, Shape] = {}
C = TypeVar("C", bound=Command)


def command(
    mnemonic: str,
    page: str,
    where: Where = "ANY",
    counts: range | tuple[int, ...] | None = None,
    query: bool = False,
    separator: Separator = ",",
    also: tuple[str, ...] = (),
) -> Callable[[type[C]], type[C]]:
    """Register a dataclass as a command. counts: allowed numbers of arguments, by default exactly one per field.

    also: further mnemonics that are read as this command, but never written.
    Raises ValueError for a mnemonic that is taken: two meanings of one word would depend on the order of imports.
    """

    def register(cls: type[C]) -> type[C]:
        for name in (mnemonic, *also):
            if name in _BY_MNEMONIC:
                raise ValueError(f"{name} is {_BY_MNEMONIC[name].__name__} already")
        kinds, group = _arguments(cls)
        known = Spec(mnemonic, page, where, query, counts or (len(kinds),), kinds, separator, group)
        _SPECS[cls] = known
        for name in (mnemonic, *also):
            _BY_MNEMONIC[name], _SHAPES[name] = cls, known.shape
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


def shapes() -> dict[str, Shape]:
    """How the arguments of each mnemonic stand."""
    return _SHAPES


def _arguments(cls: type) -> tuple[tuple[Field, ...], type[tuple[Any, ...]] | None]:
    hints = get_type_hints(cls, include_extras=True)
    kinds: list[Field] = []
    group = None
    for item in fields(cls):
        members = get_args(hints[item.name])
        if get_origin(hints[item.name]) is tuple and hasattr(members[0], "_fields"):  # a tuple of NamedTuples
            group = members[0]
            inner = get_type_hints(group, include_extras=True)
            kinds += [_field(inner[name])._replace(rest=True) for name in group._fields]
        else:
            kinds.append(_field(hints[item.name]))
    return tuple(kinds), group


def _field(hint: Any) -> Field:
    rule = None
    rest = False
    while True:
        origin = get_origin(hint)
        if origin is Annotated:
            rule = next((extra for extra in get_args(hint)[1:] if isinstance(extra, (Between, OneOf, Like))), rule)
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
