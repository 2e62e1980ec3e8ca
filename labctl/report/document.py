"""What a report is made of: sections of words, facts, tables and figures; written as HTML and as PDF elsewhere.

Nothing here draws or measures. A figure carries its picture and the command that draws it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Words:
    """A paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Names and what they are, one a line."""

    items: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """Rows of text under a head, one cell a column.

    marks: for each row "", "pass", "fail" or "warn", to show it by (shown in words, too, so not by colour alone); numbers:
    places of the columns that hold numbers, set right-aligned.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    marks: Sequence[str] = ()
    numbers: Sequence[int] = ()


@dataclass(frozen=True)
class Figure:
    """A picture. svg, png: the same drawing (png for PDF); command: what draws it again; alt: in words, for who can't see."""

    title: str
    svg: bytes
    png: bytes
    command: str
    caption: str = ""
    alt: str = ""


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Words | Facts | Table | Figure]


@dataclass(frozen=True)
class Document:
    """A whole report. subtitle: one line under the title; sections in order."""

    title: str
    subtitle: str = ""
    sections: Sequence[Section] = field(default_factory=tuple)
