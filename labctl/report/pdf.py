"""Write a report as PDF: the same sections, tables and pictures, on A4 pages with numbers."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fpdf import FPDF
from fpdf.enums import MethodReturnValue, TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace

from labctl.logs.lines import visible
from labctl.outputs import write_whole
from labctl.report import document as doc

FONT, MARGIN, LEADING = (
    "DejaVu",
    18.0,
    4.6,
)  #: mm; the fonts come with matplotlib and have every letter of units and names
FACTS = (1.0, 5.0)  #: shares of the page's width: name, fact
SIZES = {"title": 17, "section": 12, "text": 9, "small": 7.5}  #: points
INK, SOFT = (27, 31, 36), (87, 96, 106)
SHADES = {"fail": (253, 236, 234), "warn": (255, 248, 229)}
DPI = 300.0  #: of pictures that don't say
HIGHEST = 0.6  #: share of the page a picture may take
LINES, HEAD_LINES = 40, 8  #: of a cell of a table, and of its head; what is longer is cut, as both must fit on a page
LETTERS = 300  #: more than any line of a page holds
PADDING, ROW = 0.8, LEADING * 0.85  #: mm; of a cell, of a line in it
NARROWEST = 0.05  #: share of the page's width that a column has at least; below, no letter may fit


class _Pages(FPDF):  # type: ignore[misc]
    """A4 pages with the report's name and the number of the page at their foot."""

    def __init__(self, title: str) -> None:
        super().__init__(format="A4")
        self.foot = title
        self.set_margin(MARGIN)
        self.set_auto_page_break(True, MARGIN)
        self.set_title(title)
        self.set_creator("labctl")
        for style, name in (("", "DejaVuSans"), ("B", "DejaVuSans-Bold")):
            self.add_font(FONT, style, str(_fonts() / f"{name}.ttf"))
        self.add_font("Mono", "", str(_fonts() / "DejaVuSansMono.ttf"))

    def footer(self) -> None:
        """Called by FPDF for every page."""
        self.set_y(-12)
        self.set_font(FONT, "", SIZES["small"])
        self.set_text_color(*SOFT)
        self.cell(0, 4, f"{self.foot[:100]}    {self.page_no()}/{{nb}}", align="R")
        self.set_text_color(*INK)


def write(document: doc.Document, path: Path) -> Path:
    """Write `document` to `path` (whole or not at all); returns `path`. Raises OSError."""
    return write_whole(path, data(document))


def data(document: doc.Document) -> bytes:
    """The PDF file."""
    pages = _Pages(visible(document.title))
    pages.add_page()
    _line(pages, document.title, "title", "B")
    if document.subtitle:
        pages.set_text_color(*SOFT)
        _line(pages, document.subtitle, "text")
        pages.set_text_color(*INK)
    for section in document.sections:
        _room(pages, 14 + (_first(pages, section.blocks[0]) if section.blocks else 0))
        pages.ln(5)
        pages.start_section(visible(section.title)[:200])
        _line(pages, section.title, "section", "B")
        for block in section.blocks:
            _WRITERS[type(block)](pages, block)
    return bytes(pages.output())


def _words(pages: _Pages, block: doc.Words) -> None:
    _line(pages, block.text, "text")
    pages.ln(1)


def _facts(pages: _Pages, block: doc.Facts) -> None:
    _grid(pages, [], block.items, FACTS, (), ())


def _table(pages: _Pages, block: doc.Table) -> None:
    _room(pages, _first(pages, block))
    if block.caption:
        pages.set_text_color(*SOFT)
        _line(pages, block.caption, "small")
        pages.set_text_color(*INK)
    _grid(pages, block.head, block.rows, _widths(block), block.marks, block.numbers)


def _figure(pages: _Pages, block: doc.Figure) -> None:
    wide, high = _size(pages, block)
    _room(pages, high + 16)
    pages.image(
        io.BytesIO(block.png),
        x=pages.l_margin + (pages.epw - wide) / 2,
        w=wide,
        alt_text=visible(block.alt or block.title),
    )
    pages.ln(1)
    _line(pages, f"{block.title}  {block.caption}", "small")
    if block.command:
        pages.set_font("Mono", "", SIZES["small"])
        pages.multi_cell(0, LEADING * 0.9, visible(block.command), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    pages.ln(3)


def _size(pages: _Pages, block: doc.Figure) -> tuple[float, float]:
    """Width and height (mm) of a picture: its own, or what the page has room for."""
    from PIL import Image

    with Image.open(io.BytesIO(block.png)) as image:
        shape = image.height / image.width
        own = image.width / float(image.info.get("dpi", (DPI, DPI))[0]) * 25.4
    wide = min(own, pages.epw, HIGHEST * pages.eph / shape)
    return wide, wide * shape


def _first(pages: _Pages, block: doc.Words | doc.Facts | doc.Table | doc.Figure) -> float:
    """Height (mm) of what must stand together at the beginning of a block: head and first row, or a few lines of words."""
    if isinstance(block, doc.Figure):
        return _size(pages, block)[1] + 16
    if isinstance(block, doc.Words):
        return 3 * LEADING
    rows = block.items[:1] if isinstance(block, doc.Facts) else [block.head, *block.rows[:1]]
    wide = _columns(pages, FACTS if isinstance(block, doc.Facts) else _widths(block))
    pages.set_font(FONT, "", SIZES["small"])
    high = [
        max(len(_lines(pages, _cell(pages, *pair), pair[1])) for pair in zip(row, wide, strict=True)) for row in rows
    ]
    return sum(min(lines, LINES) * ROW + 2 * PADDING for lines in high) + LEADING


_WRITERS: dict[type, Any] = {doc.Words: _words, doc.Facts: _facts, doc.Table: _table, doc.Figure: _figure}


def _grid(
    pages: _Pages,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[float],
    marks: Sequence[str],
    numbers: Sequence[int],
) -> None:
    if not rows:
        return
    pages.set_font(FONT, "", SIZES["small"])
    pages.set_line_width(0.1)
    pages.set_draw_color(*SOFT)
    align = tuple("RIGHT" if place in numbers else "LEFT" for place in range(len(widths)))
    layout = TableBordersLayout.HORIZONTAL_LINES if head else TableBordersLayout.NONE
    wide = _columns(pages, widths)
    with pages.table(
        col_widths=tuple(wide), text_align=align, line_height=ROW, borders_layout=layout, padding=PADDING,
        first_row_as_headings=bool(head), headings_style=FontFace(emphasis="BOLD"),
    ) as table:  # fmt: skip
        if head:
            table.row([_cell(pages, *pair, HEAD_LINES) for pair in zip(head, wide, strict=True)])
        for number, row in enumerate(rows):
            mark = marks[number] if marks else ""
            style = FontFace(fill_color=SHADES[mark]) if mark in SHADES else None
            table.row([_cell(pages, *pair) for pair in zip(row, wide, strict=True)], style=style)
    pages.ln(2)


def _columns(pages: _Pages, shares: Sequence[float]) -> list[float]:
    """Widths (mm) of columns by their shares, none so narrow that no letter fits."""
    least = min(NARROWEST, 1.0 / len(shares)) * sum(shares)
    wide = [max(share, least) for share in shares]
    return [share * pages.epw / sum(wide) for share in wide]


def _cell(pages: _Pages, text: str, width: float, most: int = LINES) -> str:
    """A text for a column of this width (mm): long words parted where they have joints, cut after so many lines."""
    shown = visible(text)
    begin = shown[: most * LETTERS]
    fitted = " ".join(_parted(pages, word, width) for word in begin.split(" "))
    if len(shown) <= most:
        return fitted
    lines = _lines(pages, fitted, width)
    if len(lines) <= most and begin == shown:
        return fitted
    kept = "\n".join(lines[: most - 2])
    return f"{kept}\n... and {_letters(shown) - _letters(kept)} letters more"


def _letters(text: str) -> int:
    """How many there are, without the spaces, some of which go where a line ends."""
    return len("".join(text.split()))


def _lines(pages: _Pages, text: str, width: float) -> list[str]:
    """The lines of a text in a column of this width (mm)."""
    found: list[str] = pages.multi_cell(
        width - 2 * PADDING, ROW, text, align="L", dry_run=True, output=MethodReturnValue.LINES
    )
    return found


def _parted(pages: _Pages, word: str, width: float) -> str:
    """A word in lines, parted after / - _ or @ where it is too long for a column of this width (mm)."""
    room = width - 2 * PADDING - 2 * pages.c_margin
    if len(word) * pages.font_size <= room or pages.get_string_width(word) <= room:
        return word
    lines = [""]
    for piece in re.findall(r"[^/@_-]*[/@_-]?", word):
        if lines[-1] and pages.get_string_width(lines[-1] + piece) > room:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)


def _widths(block: doc.Table) -> list[float]:
    """Shares of the page's width by what the columns hold: numbers don't wrap where there is room, long texts do."""
    columns = list(zip(block.head, *block.rows, strict=True))
    longest = [max((len(word) for cell in column for word in cell.split() or [""]), default=1) for column in columns]
    whole = [max(map(len, column)) for column in columns]
    usual = [sorted(map(len, column))[len(column) * 3 // 4] for column in columns]
    return [
        float(
            max(5, min(whole[at], 24))
            if at in block.numbers
            else max(5, min(longest[at], 22), min(usual[at], 70) ** 0.85)
        )
        for at in range(len(columns))
    ]


def _line(pages: _Pages, text: str, size: str, style: str = "") -> None:
    pages.set_font(FONT, style, SIZES[size])
    height = LEADING * SIZES[size] / SIZES["text"]
    pages.multi_cell(0, height, visible(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _room(pages: _Pages, height: float) -> None:
    """Begin a new page where less than `height` (mm) is left on this one."""
    if pages.get_y() + height > pages.h - MARGIN:
        pages.add_page()


def _fonts() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"
