"""The paper's figures, drawn again from our run files: which there are, and the blocks of a report they make.

Drawn cells are shown where the paper shows a distribution, the first of them where it shows one device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl import outputs
from labctl.errors import LabctlError
from labctl.paper import drawn_iv, drawn_stack
from labctl.paper.taken import Taken
from labctl.report import plots
from labctl.report.document import Figure, Words
from labctl.report.plots.style import Picture, applied

FOLDER = "figures"


@dataclass(frozen=True)
class Drawing:
    """One figure. of: what it is called in the paper; rows: those it belongs to; draw: draws it from what was measured."""

    id: str
    of: str
    title: str
    rows: tuple[str, ...]
    draw: Callable[[Picture, Taken], None]


DRAWINGS: tuple[Drawing, ...] = tuple(
    Drawing(*about) for about in (*drawn_iv.DRAWINGS, *drawn_stack.DRAWINGS)
)  # fmt: skip


def of_rows(rows: Sequence[str]) -> list[Drawing]:
    """The figures of which at least one row was asked for, in the paper's order."""
    return [drawing for drawing in DRAWINGS if set(drawing.rows) & set(rows)]


def make(taken: Taken, rows: Sequence[str]) -> Iterator[Figure | Words]:
    """Draw the figures that belong to `rows`; in place of one whose runs are not there, a sentence that says why."""
    for drawing in of_rows(rows):
        heading = f"{drawing.title} ({drawing.of})"
        mine = taken.afresh()
        try:
            made = _drawn(drawing, mine)
        except LabctlError as error:
            yield Words(f"{heading} is not drawn: {error}")
            continue
        command = f"labctl paper --from {taken.folder.as_posix()}"
        made.note(f"From {len(mine.used)} run file{'s' if len(mine.used) != 1 else ''}")
        yield plots.block(made, heading, command)


def _drawn(drawing: Drawing, taken: Taken) -> Picture:
    with applied():
        picture = Picture(title=False)
        drawing.draw(picture, taken)
    return picture


def save(folder: Path, figures: Sequence[Figure | Words], rows: Sequence[str]) -> list[Path]:
    """Keep the pictures as SVG in ``folder/figures``, named after the paper's; replaces those that are there."""
    names = [drawing.id for drawing in of_rows(rows)]
    return [
        outputs.write_whole(folder / FOLDER / f"{name}.svg", figure.svg)
        for name, figure in zip(names, figures, strict=True)
        if isinstance(figure, Figure)
    ]
