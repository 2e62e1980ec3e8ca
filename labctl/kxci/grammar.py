"""Command text <-> (mnemonic, arguments): the part of the language that knows no command.

A message holds one or more commands separated by ``;`` or blanks (D 2-10, 5-44). A command is a mnemonic in upper case
and a comma list; the blank between them is optional (``CH1`` and ``CH 1``), so after a blank a digit, sign or quote goes
on with the command and a letter begins the next one. A few commands differ, and `split` is told their `Shape` by name: the
first argument may be a bare word (``RP SMU1, 2``), blanks may stand for the commas (``GN Vforce 20``), and a call of a user
library's module has its arguments in brackets, where ``;`` and blanks are part of them (``EX lib module(1;2;3,,PMU1)``).

Every pattern is ASCII and takes time proportional to the text, whatever is in it: no repetition in one can match what
its neighbour matches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple


@dataclass(frozen=True, slots=True)
class RawCommand:
    """A command by its words: each argument as it stood, quotes included; `text` is what was read, for error messages."""

    mnemonic: str
    arguments: tuple[str, ...]
    text: str


#: what stands between arguments: commas, blanks, or the commas in the brackets of a call
Separator = Literal[",", " ", "("]


class Shape(NamedTuple):
    """How the arguments of a command stand. words: for each of the first ones, whether it may be a word without quotes."""

    separator: Separator = ","
    words: tuple[bool, ...] = ()


_SEPARATORS = re.compile(r"[;\s]+", re.ASCII)
_MNEMONIC = re.compile(r"\*[A-Za-z]+\??|:[A-Za-z:]+\??|[A-Za-z]+")
_FIRST = re.compile(r"\s*('[^']*'|[+\-.0-9][^,;\s']*)", re.ASCII)
_WORD = re.compile(r"\s*('[^']*'|[^,;\s']+)", re.ASCII)
_NEXT = r"\s*,\s*('[^']*'|[^,;\s']*)"
_LIST = re.compile(f"(?:{_NEXT})*", re.ASCII)  # all further arguments at once, …
_ITEM = re.compile(_NEXT, re.ASCII)  # … then each of them
_JUNK = re.compile(r"[^;\s]+", re.ASCII)
_CALL = re.compile(r"\s+([^,;\s'()]+)\s+([^,;\s'()]+)\s*\(([^()]*)\)", re.ASCII)
_PLAIN = Shape()


def split(message: str, shapes: Mapping[str, Shape] | None = None) -> list[RawCommand]:
    """Cut a message into commands; never raises and always ends: what is no command comes out as mnemonic "".

    shapes: how the arguments of a mnemonic stand; a comma list without bare word for those that are not in it.
    """
    commands: list[RawCommand] = []
    at = 0
    while True:
        gap = _SEPARATORS.match(message, at)
        at = gap.end() if gap else at
        if at >= len(message):
            return commands
        command, at = _one(message, at, shapes or {})
        commands.append(command)


def _one(message: str, start: int, shapes: Mapping[str, Shape]) -> tuple[RawCommand, int]:
    head = _MNEMONIC.match(message, start)
    if head is None:
        junk = _JUNK.match(message, start)
        end = junk.end() if junk else start + 1
        return RawCommand("", (), message[start:end]), end
    shape = shapes.get(head[0], _PLAIN)
    if shape.separator == "(":
        arguments, end = _called(message, head.end())
    elif shape.separator == " ":
        arguments, end = _apart(message, head.end(), shape.words)
    else:
        arguments, end = _listed(message, head.end(), shape.words[:1] == (True,))
    return RawCommand(head[0], tuple(arguments), message[start:end]), end


def _listed(message: str, at: int, word_first: bool) -> tuple[list[str], int]:
    first = (_WORD if word_first else _FIRST).match(message, at)
    if first is None:
        return [], at
    further = _LIST.match(message, first.end())
    end = further.end() if further else first.end()
    return [first[1], *_ITEM.findall(message, first.end(), end)], end


def _apart(message: str, at: int, words: tuple[bool, ...]) -> tuple[list[str], int]:
    arguments: list[str] = []
    for is_word in words:
        item = (_WORD if is_word else _FIRST).match(message, at)
        if item is None:
            break
        arguments.append(item[1])
        at = item.end()
    return arguments, at


def _called(message: str, at: int) -> tuple[list[str], int]:
    call = _CALL.match(message, at)
    if call is None:  # without brackets nobody can say where it was meant to end
        return [], len(message)
    inside = [text.strip() for text in call[3].split(",")]
    return [call[1], call[2], *(inside if inside != [""] else [])], call.end()
