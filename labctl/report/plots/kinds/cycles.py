"""Quantities against the number of the cycle: what drifts, what jumps, what was only a bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labctl.contracts import FloatArray
from labctl.report.plots import curves, rows, style
from labctl.report.plots.curves import Panel
from labctl.report.plots.style import Picture
from labctl.report.plots.table import Kind, Options
from labctl.store import Run

LEAST_SMOOTH = 20  #: values from which on a running median is drawn: guess
WINDOW = 0.1  #: of them, in one median: guess
MARKED = 150  #: values; with more, smaller points


def draw(picture: Picture, runs: Sequence[Run], options: Options) -> None:
    """Each panel of quantities one above the other."""
    found = curves.first(curves.panels(runs, options), picture)
    for panel, axes in zip(found, picture.panels(len(found), rows=len(found), aspect=0.5, sharex=True), strict=True):
        draw_panel(panel, axes, picture)
        if not panel.says_all:
            style.legend(axes, panel.name if len(runs) > 1 else "", picture)
        if panel is found[-1]:
            style.label(axes.xaxis, "cycle")


def lacks(run: Run) -> str:
    """A quantity with a value or a bound in two cycles."""
    found, reason = rows.series(run)
    several = any(np.unique(item.cycles[np.isfinite(style.finite(item.values))]).size > 1 for item in found)
    return reason if reason or several else "it has one cycle only"


def draw_panel(panel: Panel, axes: Any, picture: Picture | None = None) -> None:
    """Draw one panel's curves, their median bold where there are many; `picture` takes the notes for a caption."""
    for number, curve in enumerate(panel.curves):
        series, values = curve.series, style.finite(curve.series.values)
        known = np.isfinite(values) & ~series.censored
        colour, name = style.colour(number), style.quantity(curve.label)
        small, raster = values.size > MARKED, values.size > style.RASTERED
        look = {"marker": style.marker(number), "ls": "none", "ms": 1.2 if small else 3, "alpha": 0.7, "color": colour}
        if known.any():
            axes.plot(series.cycles[known], values[known], **look, label=name, rasterized=raster)
        bounds = np.isfinite(values) & series.censored
        label = None if known.any() else name  # all of it are bounds
        axes.plot(
            series.cycles[bounds], values[bounds], "^", ms=3 if small else 4, mfc="none", color=colour, label=label
        )
        if known.sum() >= LEAST_SMOOTH:
            x, y = running_median(series.cycles[known].astype(np.float64), values[known])
            axes.plot(x, y, color=colour, lw=1.2, zorder=3)
        if picture is not None:
            _note(picture, curve.words, known, bounds, values.size)
    log = panel.spans_decades() and bool(np.nanmin(panel.values()) > 0)
    if log:
        axes.set_yscale("log")
    style.label(axes.yaxis, panel.name, panel.unit, log)
    if picture is not None:
        picture.note(curves.left_out(panel))


def running_median(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Medians of neighbouring values, a tenth of all in each; x, y: shape (n,), in the order of x."""
    order = np.argsort(x, kind="stable")
    width = max(3, int(WINDOW * x.size)) | 1
    windows = [np.lib.stride_tricks.sliding_window_view(values[order], width) for values in (x, y)]
    return np.median(windows[0], axis=1), np.median(windows[1], axis=1)


def _note(picture: Picture, name: str, known: Any, bounds: Any, total: int) -> None:
    text = f"{name}: {np.count_nonzero(known)} of {total} cycles"
    if bounds.any():
        text += f", {np.count_nonzero(bounds)} more are bounds (open triangles: it lies beyond)"
    picture.note(text)
    if np.count_nonzero(known) >= LEAST_SMOOTH:
        picture.note("Lines: the running median over a tenth of the values")


KIND = Kind("quantities against cycle number", lacks, draw)
