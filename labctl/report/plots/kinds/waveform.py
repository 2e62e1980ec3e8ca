"""Voltage and current of captured pulses against time, two panels one above the other, with the time of half the change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labctl.analysis import kinetics, loops, reads
from labctl.contracts import Extracted, Status
from labctl.quantities import show
from labctl.recipe_parts import Kind as RowKind
from labctl.report.plots import rows, style
from labctl.report.plots.style import Picture
from labctl.report.plots.table import Kind, Options
from labctl.store import Run

MOST = 4  #: pulses side by side; the caption counts the others
#: flags of a sample that is no current of the cell
SPOILT = Status.OVERFLOW | Status.THRESHOLD | Status.SKIPPED | Status.INVALID | Status.PROVISIONAL | Status.COMPLIANCE


def lacks(run: Run) -> str:
    """A captured pulse: samples with a time, a voltage and a current."""
    if reason := rows.missing(run, "kind", "voltage", "current", _abscissa(run)):
        return reason
    return "" if pulses(run) else "no pulse was captured in it"


def _abscissa(run: Run) -> str:
    return "pulse_time" if "pulse_time" in run.columns else "time"


def pulses(run: Run) -> list[slice]:
    """The stretches of rows that are the samples of one pulse, with numbers to draw."""
    kind, x = run.columns["kind"], rows.numbers(run, _abscissa(run))
    current = rows.numbers(run, "current")
    parts = loops.stretches(run.columns, ("kind", "applied", "amplitude"))
    return [
        part
        for part in parts
        if kind[part.start] == RowKind.SAMPLE and np.count_nonzero(np.isfinite(x[part] + current[part])) > 1
    ]


def half_change(run: Run, part: slice) -> Extracted | None:
    """The time of half the change of |I| within a pulse, from the samples the recipe marks; None where they show none."""
    if "part" not in run.columns:
        return None
    top = np.flatnonzero(run.columns["part"][part] == 1) + part.start
    if not top.size or reads.marked(rows.status(run)[top], SPOILT).any():
        return None
    return kinetics.half_change(rows.numbers(run, _abscissa(run))[top], rows.numbers(run, "current")[top], "t50")


def draw(picture: Picture, runs: Sequence[Run], options: Options) -> None:
    """One column of two panels for each pulse of each run, at most four."""
    found = [(run, part) for run in runs for part in pulses(run)]
    shown = found[:MOST]
    panels = picture.panels(2 * len(shown), rows=2, aspect=0.42 if len(shown) == 1 else 0.6, sharex="col")
    for number, (run, part) in enumerate(shown):
        above, below = panels[number], panels[number + len(shown)]
        draw_pulse(run, part, above, below, picture)
        style.legend(above, _name(run, part, len(runs) > 1), picture)
        style.legend(below, "", picture)
    if len(found) > len(shown):
        picture.note(f"The first {len(shown)} of {len(found)} captured pulses are drawn")


def draw_pulse(run: Run, part: slice, above: Any, below: Any, picture: Picture | None = None) -> None:
    """Draw the voltage of one pulse into `above` and its current into `below`, t50 marked in both."""
    x = rows.numbers(run, _abscissa(run))[part]
    flagged = reads.marked(rows.status(run)[part], SPOILT)
    raster = x.size > style.RASTERED
    for axes, name, number in ((above, "voltage", 0), (below, "current", 1)):
        y = rows.numbers(run, name)[part]
        axes.plot(x, np.where(flagged, np.nan, y), color=style.colour(number), lw=0.8, rasterized=raster)
        if flagged.any():
            axes.plot(x[flagged], y[flagged], "x", ms=2, color=style.GREY, label="flagged", rasterized=True)
    half = half_change(run, part)
    if half is not None:
        for axes in (above, below):
            axes.axvline(half.value, color="black", lw=0.7, ls="--", zorder=1)
        text = style.micro(f"half of the change at {show(half.value, half.unit, 3)}")
        below.plot([], [], color="black", lw=0.7, ls="--", label=text)
    for axes, name in ((above, "voltage"), (below, "current")):
        style.label(axes.yaxis, name, rows.column(run, name).unit)
    column = rows.column(run, _abscissa(run))
    style.label(below.xaxis, column.label or column.name, column.unit)
    if picture is not None:
        _note(picture, run, part, half)


def _name(run: Run, part: slice, several: bool) -> str:
    level = show(float(run.columns["amplitude"][part.start]), "V", 3) if "amplitude" in run.columns else "captured"
    return f"{level} pulse" + (f", {rows.who(run)}" if several else "")


def _note(picture: Picture, run: Run, part: slice, half: Extracted | None) -> None:
    mask = np.zeros(len(run), dtype=bool)
    mask[part] = reads.marked(rows.status(run)[part], SPOILT)
    name = _name(run, part, False)
    picture.note(f"{name}: {part.stop - part.start} samples")
    picture.note(rows.left_out(run, mask, f"samples of the {name}").replace("left out", "drawn apart"))
    if half is not None:
        picture.note(f"Dashed: {half.definition}")


KIND = Kind("voltage and current of captured pulses against time", lacks, draw)
