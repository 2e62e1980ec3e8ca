"""How every picture looks: sizes of a journal's columns, fonts, colours that everybody can tell apart, axes with units.

Draw inside ``with applied():``; fonts and lines take their sizes when they are made. Nothing here knows a run.
"""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from labctl.contracts import FloatArray
from labctl.report.plots.words import label as label
from labctl.report.plots.words import micro as micro
from labctl.report.plots.words import plain as plain
from labctl.report.plots.words import quantity as quantity
from labctl.report.plots.words import symbol as symbol

Size = Literal["single", "double"]
MM = 1 / 25.4  #: inch
#: width of one and of two columns, mm, and the greatest height: Nature research figure guide, "Building and exporting figure
#: panels", https://research-figure-guide.nature.com/figures/building-and-exporting-figure-panels
WIDTHS: dict[str, float] = {"single": 89.0, "double": 183.0}
HIGHEST = 170.0
ASPECT = 0.74  #: height over width of a panel: guess, about 3 to 4
FONT = 7.0  #: pt; the guide above asks for 5 to 7
LETTER = 0.56  #: width of a letter of DejaVu Sans over its size, on average: measured on legends of this module
DPI = 300  #: of PNG; the same guide asks for at least 300
RASTER_DPI = 600  #: of what is rasterised inside SVG and PDF: lines, so more than a photograph needs
RASTERED = 20_000  #: points of thin lines from which on they are rasterised in SVG and PDF, which would grow beyond use
WIDE = 1e30  #: numbers beyond this, or below its inverse, are no measurement of anything; axes can't place them either

#: Okabe and Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color/; yellow left out, it vanishes on white
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#6b6b6b"
LIMIT = "#E69F00"  #: what is in compliance

RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine, and it has Ω, µ and −
    "font.size": FONT,
    "axes.titlesize": FONT,
    "axes.labelsize": FONT,
    "xtick.labelsize": FONT,
    "ytick.labelsize": FONT,
    "legend.fontsize": FONT,
    "legend.title_fontsize": FONT,
    "legend.frameon": False,
    "legend.borderaxespad": 0.3,
    "legend.borderpad": 0.1,
    "legend.handlelength": 1.6,
    "legend.columnspacing": 1.2,
    "legend.labelspacing": 0.3,
    "figure.titlesize": FONT + 1,
    "figure.dpi": DPI,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "axes.linewidth": 0.6,
    "axes.titlelocation": "left",
    "axes.titlepad": 3.0,
    "axes.labelpad": 2.0,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.0,
    "lines.markeredgewidth": 0.6,
    "patch.linewidth": 0.6,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.minor.size": 1.6,
    "ytick.minor.size": 1.6,
    "mathtext.default": "regular",
    "agg.path.chunksize": 20_000,  # a path of a million points is more than Agg takes in one piece
    "pdf.fonttype": 42,  # TrueType: text stays text, and journals refuse type 3
    "svg.fonttype": "path",  # letters as outlines: a browser without the font shows the same; who edits text takes the PDF
    "svg.hashsalt": "labctl",  # the same picture is the same file
}


@contextmanager
def applied() -> Iterator[None]:
    """Apply this style to all that is drawn inside, whatever the user's own matplotlib settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        yield


class Picture(Figure):
    """A figure of one or two columns' width, with what its caption must say.

    notes: sentences of the caption (how many, what is left out, by which definition); about: title, source and command, which
    the file carries. size None: two columns if it has more than one panel side by side.
    """

    def __init__(self, size: Size | None = None, title: bool = True) -> None:
        super().__init__(layout="constrained")
        self.size = size
        self.titled = title
        self.across = 1
        self.notes: list[str] = []
        self.about: dict[str, str] = {}

    def panels(self, count: int = 1, *, rows: int = 0, aspect: float = ASPECT, **share: Any) -> list[Any]:
        """Make `count` axes in reading order, in `rows` (0: as fits), each with height over width `aspect`."""
        size = self.size or ("single" if count == 1 or rows == count else "double")
        self.across = math.ceil(count / rows) if rows else min(count, 1 if size == "single" and count <= 2 else 3)
        if not rows and size == "single" and count > 2:
            self.across = 2
        if not rows and count == 4 and size == "double":
            self.across = 2
        down = math.ceil(count / self.across)
        width = WIDTHS[size]
        height = min(width / self.across * aspect * down, HIGHEST if down <= 3 else math.inf)
        self.set_size_inches(width * MM, height * MM)
        grid = self.subplots(down, self.across, squeeze=False, **share).ravel()
        for spare in grid[count:]:
            spare.remove()
        if self.across >= 3:
            for axes in grid[:count]:
                axes.locator_params(nbins=4)  # a narrow panel has no room for more numbers
        return list(grid[:count])

    def head(self, text: str) -> None:
        """Write the title above everything, if the picture is to have one."""
        if self.titled and text:
            letters = int(self.get_figwidth() * 72 / ((FONT + 1) * LETTER))
            lines = textwrap.wrap(text, letters, max_lines=2, placeholder=" ...")
            self.suptitle("\n".join(map(plain, lines)), x=0.01, ha="left")

    def note(self, text: str) -> None:
        """Add a sentence to the caption, once."""
        if text and text not in self.notes:
            self.notes.append(text)

    @property
    def caption(self) -> str:
        """All notes as one text."""
        return " ".join(note if note.endswith(".") else f"{note}." for note in self.notes)


def finite(values: Any) -> FloatArray:
    """Values as floats, with NaN for whatever an axis can't place: infinities, and magnitudes no measurement has."""
    found = np.array(values, dtype=np.float64)
    size = np.abs(found)
    found[~((size == 0) | ((size > 1 / WIDE) & (size < WIDE)))] = np.nan
    return found


def colour(number: int) -> str:
    """The colour of curve `number`, from 0; it repeats after seven, so that markers must differ, too."""
    return PALETTE[number % len(PALETTE)]


def marker(number: int) -> str:
    """The marker of curve `number`, from 0."""
    return MARKERS[number % len(MARKERS)]


def shade(share: float) -> Any:
    """The colour of a place from first (0) to last (1) in a series of many; dark to light, its ends left out."""
    return colormaps["viridis"](0.02 + 0.86 * share)


def decades(axes: Any, values: FloatArray, axis: str = "y", low_share: float = 1.0, margin: float = 1.8) -> bool:
    """Make an axis logarithmic and fit it to the positive `values`; False, and linear as it was, where there is none.

    low_share: per cent of the values that may lie below the axis, so that a few readings near zero do not take all the room;
    margin: factor left free at either end.
    """
    positive = values[np.isfinite(values) & (values > 0)]
    if not positive.size:
        return False
    low = max(float(np.percentile(positive, low_share)), float(positive.max()) * 1e-14)
    getattr(axes, f"set_{axis}scale")("log")
    getattr(axes, f"set_{axis}lim")(low / margin, float(positive.max()) * margin)
    return True


def legend(axes: Any, title: str = "", picture: Picture | None = None) -> None:
    """Put the legend above the axes, where it covers no data, under `title`; only the title where nothing has a label."""
    handles, labels = axes.get_legend_handles_labels()
    title = plain(title)
    if not handles:
        axes.set_title(title)
        return
    figure = axes.figure
    across = getattr(picture or figure, "across", 1)
    room = figure.get_figwidth() * 72 / across * 0.86
    entry = max(len(re.sub(r"\\math\w+|[{}$]", "", text)) for text in labels) * FONT * LETTER + 3.2 * FONT
    axes.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=max(1, min(len(labels), int(room // entry))),
        title=title or None,
        alignment="left",
    )


def colour_bar(axes: Any, first: float, last: float, name: str) -> None:
    """A bar beside the axes that says which colour of `shade` is which number, from `first` to `last`."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    cut = ListedColormap([shade(share) for share in np.linspace(0, 1, 256)])
    bar = axes.figure.colorbar(ScalarMappable(Normalize(first, last), cut), ax=axes, pad=0.02, aspect=30)
    bar.outline.set_linewidth(0.4)
    bar.set_label(plain(name))
    bar.locator = MaxNLocator(5, integer=True)
    bar.update_ticks()


def arrows(axes: Any, x: FloatArray, y: FloatArray, at: Sequence[float], colour: str) -> None:
    """Small arrow heads along a curve, at shares `at` of its points, that say in which direction it was measured."""
    for share in at:
        tail = int(share * (x.size - 1))
        tip = min(tail + max(1, x.size // 40), x.size - 1)
        there = np.isfinite([x[tail], y[tail], x[tip], y[tip]]).all()
        if tip > tail and there and (x[tail], y[tail]) != (x[tip], y[tip]) and min(y[tail], y[tip]) > 0:
            style = {"arrowstyle": "-|>", "color": colour, "lw": 0, "mutation_scale": 7, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", (x[tip], y[tip]), (x[tail], y[tail]), arrowprops=style, zorder=5)
