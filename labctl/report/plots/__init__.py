"""Pictures of runs, ready to print: ``picture(runs, kind)`` draws, ``render`` gives bytes, ``figure`` a block of a report.

``style`` has what others need for pictures of their own: sizes, colours, axes with units, legends that cover no data.
"""

from labctl.report.plots import style as style
from labctl.report.plots.make import (
    CannotDraw,
    able,
    best,
    block,
    command,
    figure,
    kinds_for,
    lacks,
    picture,
    render,
    save,
    shown_for,
)
from labctl.report.plots.style import Picture
from labctl.report.plots.table import Kind, Options, every

__all__ = [
    "CannotDraw",
    "Kind",
    "Options",
    "Picture",
    "able",
    "best",
    "block",
    "command",
    "every",
    "figure",
    "kinds_for",
    "lacks",
    "picture",
    "render",
    "save",
    "shown_for",
    "style",
]
