"""What a run declares as its plot: one column against another, cycle by cycle, or in series of points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labctl.analysis import loops
from labctl.quantities import show
from labctl.report.plots import rows, style
from labctl.report.plots.style import Picture
from labctl.report.plots.table import Kind, Options
from labctl.store import Run

MARKED = 400  #: points; with more a marker each would hide the line
MOST = 500  #: series of points in one picture: guess
NAMED = 7  #: of them up to which each is named; of more the first, the middle and the last, dark to light


def lacks(run: Run) -> str:
    """A row with a number on both axes."""
    spec = run.header.plot
    if not spec.axes:
        return "it declares no abscissa"
    if reason := rows.missing(run, spec.axes[0], spec.signal):
        return reason
    x, y = rows.numbers(run, spec.axes[0]), rows.numbers(run, spec.signal)
    there = np.isfinite(x) & np.isfinite(y)
    if spec.each:
        there &= _chosen(run)
        if np.unique(run.columns[spec.each][there]).size > MOST:
            return f"its column {spec.each} tells more than {MOST} series apart"
    return "" if there.any() else f"no row has a number in both {spec.axes[0]} and {spec.signal}"


def draw(picture: Picture, runs: Sequence[Run], options: Options) -> None:
    """Every run in a panel of its own."""
    for run, axes in zip(runs, picture.panels(len(runs)), strict=True):
        draw_run(run, axes)
        style.legend(axes, rows.who(run) if len(runs) > 1 else "", picture)
        picture.note(f"{rows.who(run)}: {len(run)} rows")
        flagged = rows.left_out(run, rows.flagged(run), "rows with a flag")
        picture.note(flagged.replace("left out by status", "drawn as measured"))


def draw_run(run: Run, axes: Any) -> None:
    """Draw one run into matplotlib `axes`; a logarithmic ordinate shows the magnitude."""
    spec = run.header.plot
    x, y = rows.numbers(run, spec.axes[0]), rows.numbers(run, spec.signal)
    shown = np.abs(y) if spec.log else y
    if spec.each:
        _draw_points(run, axes, x, shown)
    else:
        _draw_lines(run, axes, x, shown)
        _mark_compliance(run, axes, x, shown)
    drawn = np.isfinite(x) & np.isfinite(y) & (_chosen(run) if spec.each else True)
    log_x = spec.log_x and style.decades(axes, x[drawn], "x", 0.0)
    log = spec.log and style.decades(axes, shown[drawn])
    across, up = rows.column(run, spec.axes[0]), rows.column(run, spec.signal)
    style.label(axes.xaxis, across.label or across.name, across.unit, log_x)
    name = f"|{up.label or up.name}|" if spec.log else up.label or up.name
    style.label(axes.yaxis, name, up.unit, log)


def _chosen(run: Run) -> rows.Mask:
    only = run.header.plot.only
    return np.ones(len(run), dtype=bool) if only is None else np.asarray(run.columns[only[0]] == only[1])


def _draw_lines(run: Run, axes: Any, x: Any, y: Any) -> None:
    """Draw every cycle's segment as a line, single reads left out; first and last cycle are named."""
    from matplotlib.collections import LineCollection

    groups = [part for part in loops.stretches(run.columns) if part.stop - part.start > 1]
    groups = groups or [slice(0, len(run))]
    if "cycle" in run.columns and len(groups) > 1:
        for part, share in ((groups[0], 0.0), (groups[-1], 1.0)):
            axes.plot([], [], color=style.shade(share), label=f"cycle {run.columns['cycle'][part.start]}")
    shades = [style.shade(number / max(len(groups) - 1, 1)) for number in range(len(groups))]
    lines = [np.column_stack([x[part], y[part]]) for part in groups]
    axes.add_collection(LineCollection(lines, colors=shades, rasterized=len(run) > style.RASTERED), autolim=True)
    axes.plot(x, y, ls="none", marker="." if len(run) == 1 else "", color=shades[0])  # limits, and a run of one point


def _draw_points(run: Run, axes: Any, x: Any, y: Any) -> None:
    """Draw a series of points along x for every value of the column that tells them apart, rows without a number left out."""
    spec = run.header.plot
    which = run.columns[spec.each]
    there = np.isfinite(x) & np.isfinite(y) & _chosen(run)
    values, names = np.unique(which[there]), dict(spec.names)
    unit = rows.column(run, spec.each).unit
    called = [names.get(float(value), f"{spec.each} {show(float(value), unit, 4)}") for value in values]
    distinct = list(dict.fromkeys(called))
    shown = set(distinct if len(distinct) <= NAMED else [distinct[0], distinct[len(distinct) // 2], distinct[-1]])
    for value, name in zip(values, called, strict=True):
        chosen = np.flatnonzero(there & (which == value))
        chosen = chosen[np.argsort(x[chosen], kind="stable")]
        label = style.plain(name, 40) if name in shown and (values.size > 1 or names) else None
        shown.discard(name)
        look = _look(distinct.index(name), len(distinct), chosen.size)
        axes.plot(*_broken(run, x, y, chosen), lw=0.8, **look, label=label, zorder=2)


def _look(number: int, total: int, points: int) -> dict[str, Any]:
    """Colour and marker of one series of `total`."""
    colour = style.colour(number) if total <= NAMED else style.shade(number / (total - 1))
    return {"marker": style.marker(number) if points <= MARKED else "", "color": colour}


def _broken(run: Run, x: Any, y: Any, chosen: Any) -> tuple[Any, Any]:
    """The points of some rows, with a gap where a branch of one cycle is not to be joined to the next cycle's."""
    cycle = run.columns.get("cycle") if run.header.plot.axes[0] != "cycle" else None
    breaks = np.flatnonzero(np.diff(cycle[chosen]) != 0) + 1 if cycle is not None else np.array([], dtype=np.int64)
    return np.insert(x[chosen], breaks, np.nan), np.insert(y[chosen], breaks, np.nan)


def _mark_compliance(run: Run, axes: Any, x: Any, y: Any) -> None:
    limited = (rows.status(run) & int(rows.LIMITED)) != 0
    if limited.any():
        axes.plot(
            x[limited], y[limited], ".", ms=2, color=style.LIMIT, label="in compliance", zorder=3, rasterized=True
        )


KIND = Kind("what the run declares as its plot", lacks, draw)
