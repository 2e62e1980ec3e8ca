"""Blocks of pulse points, the reply to ``:PMU:DATA:GET`` (D 7-7, 7-8): ``v,i,t,s;v,i,t,s;…``, both ways.

Which columns a point has is not in the reply: it follows from what was asked for and how was measured. Status words are
eight hexadecimal digits, see `pulse_status`; everything else is a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import FloatArray
from labctl.errors import LocalProtocolError, RemoteProtocolError
from labctl.kxci.numbers import NUMBER, short_engineering
from labctl.kxci.spec import Word

WordArray = NDArray[np.uint32]

WAVEFORM = tuple(
    map(Word, ("V", "I", "T", "S"))
)  #: columns of a waveform and of Segment Arb, where none are asked for (D 7-8)
HIGH = tuple(
    map(Word, ("VH", "IH", "TH", "SH"))
)  #: of spot means, where only the top is acquired (inferred from a lab client)
LOW = tuple(map(Word, ("VL", "IL", "TL", "SL")))  #: of spot means, where only the base is acquired
SPOT_MEANS = HIGH + LOW  #: of spot means (D 7-8)

_HEX = 8  # digits of a status word; fewer are read, too
_LENGTHS = set(range(1, _HEX + 1))
_STATUS = re.compile(r"[0-9A-Fa-f]{1,8}")
_IN_FIELDS = b"0123456789abcdefABCDEF+-. \t\r\n"  # what a number or a status word consists of, and blanks


@dataclass(frozen=True)
class Points:
    """Points by columns. values: (n, k), the number columns in order; words: (n, m), the status columns in order.

    Raises LocalProtocolError where the arrays do not fit the columns.
    """

    columns: tuple[str, ...]
    values: FloatArray
    words: WordArray

    def __post_init__(self) -> None:
        numbers, statuses = _split(self.columns)
        wanted = ((len(self.values), len(numbers)), (len(self.values), len(statuses)))
        if (self.values.shape, self.words.shape) != wanted:
            raise LocalProtocolError(
                f"{self.values.shape} numbers and {self.words.shape} status words are no points of {','.join(self.columns)}"
            )

    def __len__(self) -> int:
        return len(self.values)

    def number(self, column: str) -> FloatArray:
        """One number column (n), V, A or s. Raises ValueError for a column there is not."""
        return self.values[:, _split(self.columns)[0].index(column)]

    def word(self, column: str) -> WordArray:
        """One column of status words (n). Raises ValueError for a column there is not."""
        return self.words[:, _split(self.columns)[1].index(column)]


def is_status(column: str) -> bool:
    """Whether a column holds status words (S, SH, SL) and not numbers."""
    return column.startswith("S")


def write_points(points: Points, number: Callable[[float], str] = short_engineering) -> str:
    """Write a block as the instrument answers it; "" for no points.

    number: how a value is written; the manual has one sample only. Raises LocalProtocolError for NaN and infinities.
    """
    texts: list[list[str]] = []
    for column in points.columns:
        if is_status(column):
            words = points.word(column).tolist()
            known = {word: f"{word:0{_HEX}X}" for word in set(words)}  # there are few different ones
            texts.append([known[word] for word in words])
        else:
            texts.append([number(value) for value in points.number(column).tolist()])
    return ";".join(map(",".join, zip(*texts, strict=True)))


def read_points(text: str, columns: Sequence[str] = WAVEFORM) -> Points:
    """Read a block whose points have these columns; an empty text is no points, a ``;`` at the end is allowed.

    Raises RemoteProtocolError that names the first point with a wrong number of fields, or a field that is none.
    """
    block = text.strip().removesuffix(";").rstrip()
    numbers, statuses = _split(columns)
    fields = _fields(block, columns) if block else []
    count = len(fields) // len(columns)
    try:
        values = [_floats(fields[n :: len(columns)]) for n, name in enumerate(columns) if not is_status(name)]
        words = [_words(fields[n :: len(columns)]) for n, name in enumerate(columns) if is_status(name)]
    except ValueError:
        raise RemoteProtocolError(_complaint(block, columns)) from None
    return Points(
        tuple(columns),
        np.array(values, dtype=float).reshape(len(numbers), count).T,
        np.array(words, dtype=np.uint32).reshape(len(statuses), count).T,
    )


def _split(columns: Sequence[str]) -> tuple[list[str], list[str]]:
    return [name for name in columns if not is_status(name)], [name for name in columns if is_status(name)]


def _fields(block: str, columns: Sequence[str]) -> list[str]:
    # all at once: what is left without numbers and blanks must be the separators of that many points, and nothing else
    separators = (b"," * (len(columns) - 1) + b";") * (block.count(";") + 1)
    if block.encode("ascii", "replace").translate(None, _IN_FIELDS) != separators[:-1]:
        raise RemoteProtocolError(_complaint(block, columns))
    fields = block.replace(";", ",").split(",")
    return fields if len(block.split(None, 1)) == 1 else list(map(str.strip, fields))


def _floats(fields: list[str]) -> FloatArray:
    # as fast as NumPy's own reader of texts, and refuses more
    values = np.fromiter(map(float, fields), dtype=np.float64, count=len(fields))
    if not np.isfinite(values).all():
        raise ValueError("a number is too great")
    return values


def _words(fields: list[str]) -> WordArray:
    lengths = set(map(len, fields))
    if not lengths <= _LENGTHS:
        raise ValueError("a status word is missing or too long")
    data = bytes.fromhex("".join(fields if lengths == {_HEX} else [field.zfill(_HEX) for field in fields]))
    if len(data) != 4 * len(fields):
        raise ValueError("a status word has a blank inside")
    return np.frombuffer(data, dtype=">u4").astype(np.uint32)


def _complaint(block: str, columns: Sequence[str]) -> str:
    for number, point in enumerate(block.split(";")):
        fields = [field.strip() for field in point.split(",")]
        if len(fields) != len(columns):
            return f"point {number} ({point[:40]!r}) has {len(fields)} fields, not the {len(columns)} of {','.join(columns)}"
        for name, field in zip(columns, fields, strict=True):
            if not (_STATUS.fullmatch(field) if is_status(name) else _is_number(field)):
                return f"{field[:40]!r} is not a value of {name} (point {number})"
    return f"{block[:40]!r} is no block of points"


def _is_number(field: str) -> bool:
    return NUMBER.fullmatch(field) is not None and math.isfinite(float(field))
