"""Conductance against pulse number: potentiation, then depression; every cycle thin, the mean over cycles bold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl.analysis import loops, reads
from labctl.contracts import FloatArray
from labctl.report.plots import rows, style
from labctl.report.plots.style import Picture
from labctl.report.plots.table import Kind, Options
from labctl.store import Run

BRANCHES = {1: "potentiation", -1: "depression"}
LEAST_BAND = 3  #: cycles for a standard deviation that means something
MARKED = 60  #: pulses of a branch up to which each mean is a marker


@dataclass(frozen=True)
class Branch:
    """One branch over all cycles. pulses: shape (p,), from 0 (before the first); values: shape (cycles, p), S, NaN unread."""

    sign: int
    pulses: FloatArray
    values: FloatArray


def lacks(run: Run) -> str:
    """A usable read after a pulse of a branch."""
    if reason := rows.missing(run, "cycle", "segment", "pulse", "conductance"):
        return reason
    return "" if any(branch.values.size for branch in branches(run)) else "it has no usable read after a pulse"


def branches(run: Run) -> list[Branch]:
    """Potentiation and depression of a run, with the read directly before each branch as pulse 0; [] of what was not begun."""
    read = np.flatnonzero(rows.is_read(run))
    table = {name: run.columns[name][read] for name in ("cycle", "segment", "pulse")}
    usable = reads.usable(rows.status(run)[read])
    conductance = np.where(usable, rows.numbers(run, "conductance")[read], np.nan)
    parts = loops.stretches(table)
    found = [_branch(sign, table, conductance, parts) for sign in BRANCHES]
    return [branch for branch in found if branch is not None and np.isfinite(branch.values).any()]


def _branch(sign: int, table: loops.Table, conductance: FloatArray, parts: Sequence[slice]) -> Branch | None:
    mine = [part for part in parts if table["segment"][part.start] == sign]
    if not mine:
        return None
    numbers = np.unique(np.concatenate([[0], *(table["pulse"][part] for part in mine)]))
    values = np.full((len(mine), numbers.size), np.nan)
    for row, part in zip(values, mine, strict=True):
        at = np.searchsorted(numbers, table["pulse"][part])
        known = np.isfinite(conductance[part])
        count = np.bincount(at[known], minlength=numbers.size)
        total = np.bincount(at[known], conductance[part][known], minlength=numbers.size)
        np.divide(total, count, out=row, where=count > 0)
        if part.start and np.isnan(row[0]):
            row[0] = conductance[part.start - 1]
    return Branch(sign, numbers.astype(np.float64), values)


def draw(picture: Picture, runs: Sequence[Run], options: Options) -> None:
    """Every run in a panel of its own."""
    for run, axes in zip(runs, picture.panels(len(runs)), strict=True):
        draw_run(run, axes, picture)
        style.legend(axes, rows.who(run) if len(runs) > 1 else "", picture)


def draw_run(run: Run, axes: Any, picture: Picture | None = None) -> None:
    """Draw both branches of one run, depression after potentiation; `picture` takes the notes for a caption."""
    found = branches(run)
    offset = 0.0
    for number, branch in enumerate(found):
        _draw_branch(axes, branch, offset, number)
        offset += float(branch.pulses.max())
    if len(found) > 1:
        axes.axvline(float(found[0].pulses.max()), color=style.GREY, lw=0.5, ls=":", zorder=1)
    style.label(axes.xaxis, "pulse number in the cycle")
    style.label(axes.yaxis, "conductance", rows.column(run, "conductance").unit)
    if picture is not None:
        _note(picture, run, found)


def _draw_branch(axes: Any, branch: Branch, offset: float, number: int) -> None:
    from matplotlib.collections import LineCollection

    x, colour, cycles = branch.pulses + offset, style.colour(number), branch.values.shape[0]
    if cycles > 1:
        lines = [np.column_stack([x, row]) for row in branch.values]
        raster = branch.values.size > style.RASTERED
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=0.4, alpha=0.4, rasterized=raster))
    known = np.isfinite(branch.values).any(axis=0)
    mean = np.nanmean(branch.values[:, known], axis=0)
    mark = style.marker(number) if x.size <= MARKED else ""
    name = BRANCHES[branch.sign] + (f", mean of {cycles} cycles" if cycles > 1 else "")
    axes.plot(x[known], mean, color=colour, lw=1.2, marker=mark, label=name, zorder=3)
    if cycles >= LEAST_BAND:
        spread = np.nanstd(branch.values[:, known], axis=0)
        axes.fill_between(x[known], mean - spread, mean + spread, color=colour, alpha=0.2, lw=0, zorder=1)


def _note(picture: Picture, run: Run, found: Sequence[Branch]) -> None:
    sizes = ", ".join(f"{BRANCHES[b.sign]} {int(b.pulses.max())} pulses in {b.values.shape[0]} cycles" for b in found)
    picture.note(f"{rows.who(run)}: {sizes}; pulse 0 is the read before the branch")
    if any(branch.values.shape[0] >= LEAST_BAND for branch in found):
        picture.note("Thin: every cycle; bold: the mean over cycles; band: one standard deviation of the cycles")
    spoilt = rows.is_read(run) & ~reads.usable(rows.status(run))
    picture.note(rows.left_out(run, spoilt, "reads"))


KIND = Kind("conductance against pulse number, potentiation and depression", lacks, draw)
