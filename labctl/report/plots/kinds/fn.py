"""ln(I/V²) against 1/V of branches that conduct freely: a line with a negative slope is Fowler and Nordheim's tunnelling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl.analysis import conduction
from labctl.contracts import Extracted, FloatArray
from labctl.report.plots import branches, rows, style
from labctl.report.plots.branches import Branch
from labctl.report.plots.style import Picture
from labctl.report.plots.table import Kind, Options
from labctl.store import Run

LINES = ("-", "--")
BEYOND = 0.6  #: of the line's length in 1/V, that is drawn beyond it: guess


@dataclass(frozen=True)
class Slope:
    """The branch whose slope is the median of its kind, with its slope, and how many branches had one, their extremes in V."""

    branch: Branch
    found: Extracted
    count: int
    ends: tuple[float, float]


def lacks(run: Run) -> str:
    """A branch with a straight stretch that falls."""
    if reason := branches.lacks(run):
        return reason
    for items in branches.of(run).values():
        if any(conduction.fowler_nordheim(item.v, item.i) is not None for item in items):
            return ""
    return "no branch is a falling line in ln(I/V²) against 1/V"


def median_slope(items: Sequence[Branch]) -> Slope | None:
    """The branch with the median slope among those that have one, None where none has."""
    found = [(item, conduction.fowler_nordheim(item.v, item.i)) for item in items]
    known = sorted(((x.value, n) for n, (_, x) in enumerate(found) if x is not None))
    if not known:
        return None
    item, slope = found[known[len(known) // 2][1]]
    assert slope is not None
    return Slope(item, slope, len(known), (known[0][0], known[-1][0]))


def draw(picture: Picture, runs: Sequence[Run], options: Options) -> None:
    """Every run in a panel of its own."""
    for run, axes in zip(runs, picture.panels(len(runs)), strict=True):
        draw_run(run, axes, picture)
        style.legend(axes, rows.who(run) if len(runs) > 1 else "", picture)


def draw_run(run: Run, axes: Any, picture: Picture | None = None) -> None:
    """Draw every kind of branch of one run with the slope of the median one; `picture` takes the notes for a caption."""
    for number, (name, items) in enumerate(branches.of(run).items()):
        slope = median_slope(items)
        if slope is None:
            if picture is not None:
                picture.note(f"{name}: {len(items)} branches, none a falling line")
            continue
        end = reach(slope)
        for item in items:
            x, y = plane(item.v, item.i)
            look = {"color": style.colour(number), "alpha": 0.25, "rasterized": len(items) > 10}
            axes.plot(x[x <= end], y[x <= end], ".", ms=1, **look)
        draw_slope(axes, slope, f"{name}: " if name else "", number)
        if picture is not None:
            _note(picture, name, len(items), slope)
    axes.set_xlabel("1/|V| (1/V)")
    axes.set_ylabel("ln(|I|/V²), I in A, V in V")


def reach(slope: Slope) -> float:
    """How far 1/V is drawn: somewhat beyond the line; towards 0 V it grows without end, and the current there is noise."""
    x, _ = plane(slope.branch.v, slope.branch.i)
    used = x[np.asarray(slope.found.rows, dtype=np.int64)]
    return float(used.max() + BEYOND * np.ptp(used))


def plane(v: FloatArray, i: FloatArray) -> tuple[FloatArray, FloatArray]:
    """1/V and ln(I/V²) of magnitudes above 0, shape (n,)."""
    return 1.0 / v, np.log(i) - 2.0 * np.log(v)


def doubt(slope: Slope) -> str:
    """Why the branch is no straight line that falls, "" where it is one."""
    x, y = (values[np.asarray(slope.found.rows, dtype=np.int64)] for values in plane(slope.branch.v, slope.branch.i))
    share = float(np.corrcoef(x, y)[0, 1]) ** 2
    if not share >= conduction.STRAIGHT_LINE:
        return f"no straight line, R² {share:.2f}"
    return "" if slope.found.interval[1] < 0 else "a slope of 0 is not ruled out"


def draw_slope(axes: Any, slope: Slope, name: str, number: int) -> None:
    """Draw the branch of the median slope, and its line over the rows it rests on; no line where the branch is none."""
    x, y = plane(slope.branch.v, slope.branch.i)
    used = np.asarray(slope.found.rows, dtype=np.int64)
    offset = float(np.mean(y[used] - slope.found.value * x[used]))
    near, doubtful = x <= reach(slope), doubt(slope)
    look = {"ls": "none", "marker": style.marker(number), "ms": 2.4, "mfc": "none", "color": style.colour(number)}
    axes.plot(x[near], y[near], **look, label=f"{name}{doubtful}" if doubtful else None)
    if doubtful:
        return
    ends = np.array([x[used].min(), x[used].max()])
    text = f"{name}slope {slope.found.value:.3g} V".replace("-", "−")
    axes.plot(
        ends, slope.found.value * ends + offset, color="black", ls=LINES[number % 2], lw=1.0, label=text, zorder=5
    )


def _note(picture: Picture, name: str, total: int, slope: Slope) -> None:
    low, high = slope.found.interval
    text = f"{name}: slope {slope.found.value:.3g} V (95 % interval {low:.3g} to {high:.3g} V)"
    if slope.count > 1:
        ends = f"{slope.ends[0]:.3g} to {slope.ends[1]:.3g} V"
        text += f" in cycle {slope.branch.cycle}, the median of {slope.count} branches from {ends}"
    if doubtful := doubt(slope):
        text += f"; {doubtful}: no line is drawn"
    if slope.count < total:
        text += f"; {total - slope.count} of {total} branches have no falling line"
    picture.note(text)
    picture.note(f"Line: {slope.found.definition}")


KIND = Kind("ln(I/V²) against 1/V with the Fowler-Nordheim slope", lacks, draw)
