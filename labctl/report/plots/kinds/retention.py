"""A kept state against time on logarithmic axes: every read, the drift with its band, and its extrapolation, called so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl.analysis import reads
from labctl.analysis.retention import trends
from labctl.contracts import FloatArray
from labctl.report.plots import rows, style
from labctl.report.plots.style import Picture
from labctl.report.plots.table import Kind, Options
from labctl.store import Run

STATES = {0: "off", 1: "on", 2: "as found"}
BEYOND = 1.0  #: decades beyond the last read to which the drift is drawn, dashed: guess, as far as one may look
GRID = 15  #: points of a fitted line
MARKED = 150  #: reads of a state; with more, smaller points
LEAST_SPAN = 10.0  #: last over first time from which on a drift is drawn: a line in ln t needs a decade: guess


@dataclass(frozen=True)
class Kept:
    """The reads of one state. times: shape (n,), s after writing, rising; values: shape (n,), magnitude, above 0."""

    state: int
    times: FloatArray
    values: FloatArray


def ordinate(run: Run) -> str:
    """The column that is drawn: the conductance, or else the current."""
    return "conductance" if "conductance" in run.columns else "current"


def lacks(run: Run) -> str:
    """A usable read some time after a state was written."""
    if reason := rows.missing(run, "age", "state", ordinate(run)):
        return reason
    return "" if kept(run) else "it has no usable read of a kept state"


def kept(run: Run) -> list[Kept]:
    """The usable reads of every state at the full read voltage, off first."""
    read = rows.is_read(run) & reads.usable(rows.status(run))
    if "segment" in run.columns:
        read &= run.columns["segment"] == 1  # 2 is a read at half the voltage
    times, values = rows.numbers(run, "age"), np.abs(rows.numbers(run, ordinate(run)))
    read &= (times > 0) & (values > 0)
    found = []
    for state in STATES:
        mine = np.flatnonzero(read & (run.columns["state"] == state))
        mine = mine[np.argsort(times[mine], kind="stable")]
        if mine.size:
            found.append(Kept(state, times[mine], values[mine]))
    return found


def draw(picture: Picture, runs: Sequence[Run], options: Options) -> None:
    """Every run in a panel of its own."""
    for run, axes in zip(runs, picture.panels(len(runs)), strict=True):
        draw_run(run, axes, picture)
        style.legend(axes, rows.who(run) if len(runs) > 1 else "", picture)


def draw_run(run: Run, axes: Any, picture: Picture | None = None) -> None:
    """Draw the kept states of one run; `picture` takes the notes for a caption."""
    found = kept(run)
    drawn = [_draw_state(axes, state, number) for number, state in enumerate(found)]
    last = max(float(state.times[-1]) for state in found)
    first = min(float(state.times[0]) for state in found)
    style.decades(axes, np.concatenate([state.values for state in found]), low_share=0.0, margin=3.0)
    axes.set_xscale("log")
    if any(drawn):
        end = last * 10.0**BEYOND
        axes.axvspan(last * 1.05, end * 1.6, color="0.93", lw=0, zorder=0)
        middle = last * math.sqrt(end / last)
        axes.text(
            middle,
            _free(axes, found),
            "beyond\nthe data",
            va="center",
            ha="center",
            color="0.35",
            transform=_mixed(axes),
            zorder=1,
        )
        axes.set_xlim(first / 1.6, end * 1.6)
    else:
        axes.set_xlim(first / 1.6, last * 1.6)
    style.label(axes.xaxis, "time since writing", "s", log=True)
    style.label(axes.yaxis, f"|{ordinate(run)}|", rows.column(run, ordinate(run)).unit, log=True)
    if picture is not None:
        _note(picture, run, found, any(drawn))


def _free(axes: Any, found: Sequence[Kept]) -> float:
    """Where, as a share of the height, no drift runs on beyond the data."""
    low, high = np.log(axes.get_ylim())
    taken = [(np.log(state.values[-1]) - low) / (high - low) for state in found]
    return max((0.5, 0.85, 0.15), key=lambda place: min(abs(place - other) for other in taken))


def _mixed(axes: Any) -> Any:
    """Across in data, upwards in shares of the axes."""
    return axes.get_xaxis_transform()


def _draw_state(axes: Any, state: Kept, number: int) -> bool:
    """Points, and drift with band, if there is one; whether there is."""
    colour = style.colour(number)
    size, raster = (3.0, False) if state.times.size <= MARKED else (1.2, state.times.size > style.RASTERED)
    name = STATES[state.state]
    fit = trends.trend(state.times, np.log(state.values)) if state.times[-1] >= LEAST_SPAN * state.times[0] else None
    if fit is not None:
        slope, _, (low, high) = fit.slope
        name += f", ν = {-slope:.2g} ({-high:.2g} to {-low:.2g})"
        inside = np.geomspace(state.times[0], state.times[-1], GRID)
        beyond = np.geomspace(state.times[-1], state.times[-1] * 10.0**BEYOND, GRID)
        for times, line in ((inside, "-"), (beyond, "--")):
            _draw_fit(axes, fit, times, colour, line)
    look = {"marker": style.marker(number), "ms": size, "color": colour, "ls": "none", "rasterized": raster}
    axes.plot(state.times, state.values, **look, label=name.replace("-", "−"), zorder=3)
    return fit is not None


def _draw_fit(axes: Any, fit: trends.Trend, times: FloatArray, colour: str, line: str) -> None:
    found = [fit.at(float(x)) for x in np.log(times)]
    middle = np.exp([value for value, _, _ in found])
    ends = np.exp(np.clip([interval for _, _, interval in found], -300, 300))
    axes.plot(times, middle, color=colour, lw=0.8, ls=line, zorder=2)
    axes.fill_between(times, ends[:, 0], ends[:, 1], color=colour, alpha=0.25 if line == "-" else 0.12, lw=0, zorder=1)


def _note(picture: Picture, run: Run, found: Sequence[Kept], drift: bool) -> None:
    counts = ", ".join(f"{state.times.size} reads of the {STATES[state.state]} state" for state in found)
    picture.note(f"{rows.who(run)}: {counts}")
    if drift:
        picture.note(
            "Line: drift as t^−ν with its 95 % band (of the line; the reads' noise may be correlated), dashed beyond the data"
        )
    spoilt = rows.is_read(run) & ~reads.usable(rows.status(run))
    picture.note(rows.left_out(run, spoilt, "reads"))


KIND = Kind("kept states against time, with drift", lacks, draw)
