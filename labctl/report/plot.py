"""Draw run files with matplotlib, without a screen: what the recipe declared as its plot, cycle by cycle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from labctl.contracts import Status
from labctl.quantities import show
from labctl.store import Run

#: points; with more a marker each would hide the line
MARKED = 400
#: of an axis; numbers that need no prefix
SHORT = (0.1, 1e5)


def save(runs: Sequence[Run], path: Path) -> Path:
    """Draw runs side by side and save as PNG, SVG or PDF (by the ending of `path`); returns `path`."""
    figure = Figure(figsize=(5.6 * len(runs), 4.4), dpi=150, layout="constrained")
    for run, axes in zip(runs, np.atleast_1d(figure.subplots(1, len(runs))), strict=True):
        draw(run, axes)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def draw(run: Run, axes: Any) -> None:
    """Draw one run into matplotlib `axes`; a logarithmic ordinate shows the magnitude."""
    spec = run.header.plot
    units = {column.name: column for column in run.header.columns}
    x_name = spec.axes[0]
    x, y = run.columns[x_name], run.columns[spec.signal]
    shown = np.abs(y) if spec.log else y
    if spec.each:
        _draw_points(run, axes, x, shown)
    else:
        _draw_lines(run, axes, x, shown)
        _mark_compliance(run, axes, x, shown)
    if spec.log_x:
        axes.set_xscale("log")
    if spec.log:
        axes.set_yscale("log")
        _limit_decades(axes, shown)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8, loc="best")
    signal = units[spec.signal]
    for axis, name, log in ((axes.xaxis, x_name, spec.log_x), (axes.yaxis, spec.signal, spec.log)):
        reach = np.abs(axis.get_view_interval()).max()
        if units[name].unit and not log and not SHORT[0] <= reach <= SHORT[1]:
            axis.set_major_formatter(EngFormatter(sep=""))  # 20µ rather than 0.00002
    axes.set_xlabel(units[x_name].caption)
    axes.set_ylabel(f"|{signal.name}| ({signal.unit})" if spec.log else signal.caption)
    axes.set_title(_title(run), fontsize=9, loc="left")
    axes.grid(True, which="major", lw=0.4, alpha=0.5)
    axes.tick_params(direction="in", which="both", top=True, right=True)


def _draw_lines(run: Run, axes: Any, x: Any, y: Any) -> None:
    """Draw every cycle's segment as a line; first and last cycle are named."""
    groups = _groups(run)
    for number, rows in enumerate(groups):
        label = _label(run, rows) if len(groups) > 1 and number in (0, len(groups) - 1) else None
        axes.plot(x[rows], y[rows], lw=1.0, color=_colour(number, len(groups)), label=label, zorder=2)


def _draw_points(run: Run, axes: Any, x: Any, y: Any) -> None:
    """Draw a series of points along x for every value of the column that tells them apart, rows without a number left out."""
    spec = run.header.plot
    which = run.columns[spec.each]
    there = np.isfinite(x) & np.isfinite(y)
    if spec.only is not None:
        there &= run.columns[spec.only[0]] == spec.only[1]
    values, names = np.unique(which[there]), dict(spec.names)
    cycle = run.columns.get("cycle") if spec.axes[0] != "cycle" else None
    said: set[str] = set()
    for number, value in enumerate(values):
        rows = np.flatnonzero(there & (which == value))
        rows = rows[np.argsort(x[rows], kind="stable")]
        marker = "o" if rows.size <= MARKED else ""
        unit = next(column.unit for column in run.header.columns if column.name == spec.each)
        label = (
            names.get(float(value), f"{spec.each} {show(float(value), unit, 4)}") if values.size > 1 or names else None
        )
        # one branch of a cycle is not joined to the next cycle's
        breaks = np.flatnonzero(np.diff(cycle[rows]) != 0) + 1 if cycle is not None else np.array([], dtype=np.int64)
        shown = np.insert(x[rows].astype(float), breaks, np.nan), np.insert(y[rows].astype(float), breaks, np.nan)
        colour = _colour(number, values.size)
        axes.plot(*shown, lw=0.8, marker=marker, ms=2.8, color=colour, label=None if label in said else label, zorder=2)
        said.add(label or "")


def _groups(run: Run) -> list[Any]:
    """Row numbers of every stretch to draw as one line: a cycle's segment; single reads are left out."""
    count = len(next(iter(run.columns.values())))
    keys = [run.columns[name] for name in ("cycle", "segment") if name in run.columns]
    if not keys:
        return [np.arange(count)]
    changes = np.flatnonzero(np.any([np.diff(key) != 0 for key in keys], axis=0)) + 1
    return [rows for rows in np.split(np.arange(count), changes) if rows.size > 1]


def _label(run: Run, rows: Any) -> str | None:
    return f"cycle {run.columns['cycle'][rows[0]]}" if "cycle" in run.columns else None


def _colour(number: int, total: int) -> Any:
    return colormaps["viridis"](0.1 + 0.75 * number / max(total - 1, 1))


def _mark_compliance(run: Run, axes: Any, x: Any, y: Any) -> None:
    if "status" not in run.columns:
        return
    limited = (run.columns["status"] & int(Status.COMPLIANCE)) != 0
    if limited.any():
        axes.plot(x[limited], y[limited], ".", ms=2.5, color="#d55e00", label="in compliance", zorder=3)


def _limit_decades(axes: Any, magnitude: Any) -> None:
    positive = magnitude[np.isfinite(magnitude) & (magnitude > 0)]
    if positive.size:
        low = max(np.percentile(positive, 1) / 3, positive.max() * 1e-14)
        axes.set_ylim(low, positive.max() * 3)


def _title(run: Run) -> str:
    head = run.header
    shown = [f"{k} {show(float(p['value']), p['unit'], 4)}" for k, p in head.parameters.items() if k in ("compliance",)]
    where = head.sample or (f"simulated {head.device}" if head.simulated else head.station)
    return ", ".join([f"{head.procedure}, {where}", *shown, *([] if run.state == "finished" else [run.state])])
