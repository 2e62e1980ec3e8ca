"""Command text <-> (mnemonic, arguments): the part of the language that knows no command.

A message holds one or more commands separated by ``;`` or blanks (D 2-10, 5-44). A command is a mnemonic in upper case
and a comma list; the blank between them is optional (``CH1`` and ``CH 1``), so after a blank a digit, sign or quote goes
on with the command and a letter begins the next one. The few commands whose first argument is a bare word (``RP SMU1, 2``)
are told to `split` by name.

Every pattern is ASCII and takes time proportional to the text, whatever is in it: no repetition in one can match what
its neighbour matches.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawCommand:
    """A command by its words: each argument as it stood, quotes included; `text` is what was read, for error messages."""

    mnemonic: str
    arguments: tuple[str, ...]
    text: str


_SEPARATORS = re.compile(r"[;\s]+", re.ASCII)
_MNEMONIC = re.compile(r"\*[A-Za-z]+\??|:[A-Za-z:]+\??|[A-Za-z]+")
_FIRST = re.compile(r"\s*('[^']*'|[+\-.0-9][^,;\s']*)", re.ASCII)
_WORD = re.compile(r"\s*('[^']*'|[^,;\s']+)", re.ASCII)
_NEXT = r"\s*,\s*('[^']*'|[^,;\s']*)"
_LIST = re.compile(f"(?:{_NEXT})*", re.ASCII)  # all further arguments at once, …
_ITEM = re.compile(_NEXT, re.ASCII)  # … then each of them
_JUNK = re.compile(r"[^;\s]+", re.ASCII)


def split(message: str, bare_word_first: Container[str] = ()) -> list[RawCommand]:
    """Cut a message into commands; never raises and always ends: what is no command comes out as mnemonic "".

    bare_word_first: mnemonics whose first argument may be a word without quotes.
    """
    commands: list[RawCommand] = []
    at = 0
    while True:
        gap = _SEPARATORS.match(message, at)
        at = gap.end() if gap else at
        if at >= len(message):
            return commands
        command, at = _one(message, at, bare_word_first)
        commands.append(command)


def _one(message: str, start: int, bare_word_first: Container[str]) -> tuple[RawCommand, int]:
    head = _MNEMONIC.match(message, start)
    if head is None:
        junk = _JUNK.match(message, start)
        end = junk.end() if junk else start + 1
        return RawCommand("", (), message[start:end]), end
    arguments: list[str] = []
    at = head.end()
    first = (_WORD if head[0] in bare_word_first else _FIRST).match(message, at)
    if first is not None:
        further = _LIST.match(message, first.end())
        at = further.end() if further else first.end()
        arguments = [first[1], *_ITEM.findall(message, first.end(), at)]
    return RawCommand(head[0], tuple(arguments), message[start:at]), at
