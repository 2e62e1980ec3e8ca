"""|I| against V on a logarithmic axis: every cycle thin, the median cycle bold, with the direction of the sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl.contracts import FloatArray
from labctl.quantities import show
from labctl.report.plots import rows, style
from labctl.report.plots.style import Picture
from labctl.report.plots.table import Kind, Options
from labctl.store import Run

LEAST_CYCLES = 3  #: for a median that is more than one of them
MOST_POINTS = 2_000_000  #: of thin lines; of more cycles an evenly spaced part is drawn, and the caption says so
BAR = 4  #: cycles from which on a colour bar names them
ARROWS = (0.2, 0.72)  #: where on a loop its direction is shown, shares of its points: guess, on the way out and back


@dataclass(frozen=True)
class Family:
    """Sweeps of the same levels under the same conditions: one a cycle.

    levels: shape (n,), V; currents: shape (cycles, n), |I| in A, NaN where flagged; limited: alike, True in compliance;
    cycles: number of each.
    """

    levels: FloatArray
    currents: FloatArray
    limited: rows.Mask
    cycles: list[int]
    key: tuple[float, ...]

    def middle(self) -> FloatArray:
        """The median |I| at each level over the cycles, NaN where no cycle has a number."""
        known = np.isfinite(self.currents).any(axis=0)
        found = np.full(self.levels.size, np.nan)
        found[known] = np.nanmedian(self.currents[:, known], axis=0)
        return found


def abscissa(run: Run) -> str:
    """The column of voltages: what was asked for, or else what was measured."""
    return "level" if "level" in run.columns else "voltage"


def lacks(run: Run) -> str:
    """A sweep with a current that is not 0."""
    if reason := rows.missing(run, abscissa(run), "current"):
        return reason
    current = np.abs(rows.numbers(run, "current"))
    current[rows.flagged(run)] = np.nan
    parts = rows.sweeps(run, abscissa(run))
    if not parts:
        return "there is no sweep in it"
    return "" if any(np.any(current[part] > 0) for part in parts) else "no sweep in it has a current other than 0"


def families(run: Run) -> list[Family]:
    """The sweeps of a run, put together by levels, segment, state and compliance, in the order measured."""
    x, current = rows.numbers(run, abscissa(run)), np.abs(rows.numbers(run, "current"))
    current[rows.flagged(run)] = np.nan
    limited = (rows.status(run) & int(rows.LIMITED)) != 0
    keys = [run.columns[name] for name in ("segment", "state", "compliance") if name in run.columns]
    groups: dict[tuple[Any, ...], list[slice]] = {}
    for part in rows.sweeps(run, abscissa(run)):
        if not np.isfinite(current[part]).any():
            continue  # every row of it is flagged
        key = (*(float(values[part.start]) for values in keys), x[part].tobytes())
        groups.setdefault(key, []).append(part)
    cycle = run.columns.get("cycle", np.zeros(len(run), dtype=np.int64))
    return [
        Family(
            x[parts[0]],
            np.stack([current[part] for part in parts]),
            np.stack([limited[part] for part in parts]),
            [int(cycle[part.start]) for part in parts],
            key[:-1],
        )
        for key, parts in groups.items()
    ]


def draw(picture: Picture, runs: Sequence[Run], options: Options) -> None:
    """Every run in a panel of its own."""
    for run, axes in zip(runs, picture.panels(len(runs)), strict=True):
        draw_run(run, axes, picture, bar=len(runs) == 1)
        style.legend(axes, rows.who(run) if len(runs) > 1 else "", picture)


def draw_run(run: Run, axes: Any, picture: Picture | None = None, bar: bool = False) -> None:
    """Draw the sweeps of one run into `axes`, their legend left to the caller.

    picture: takes the notes for a caption; bar: many cycles are named by a bar of colours, else the first and the last.
    """
    found = families(run)
    several = _compliances(run, found)
    points = sum(family.currents.size for family in found)
    step = max(1, -(-points // MOST_POINTS))
    spread = sorted({cycle for family in found for cycle in family.cycles})
    for family in found:
        colour = style.colour(several.index(family.key[-1])) if len(several) > 1 else ""
        _draw_family(axes, family, colour, spread, points > style.RASTERED, step)
    bar = bar and len(several) <= 1 and len(spread) >= BAR
    _label(axes, found, several, [] if bar else spread)
    magnitudes = np.concatenate([family.currents.ravel() for family in found])
    style.decades(axes, magnitudes)
    for family in found:
        style.arrows(axes, family.levels, family.middle(), ARROWS, "black")
    column = rows.column(run, abscissa(run))
    style.label(axes.xaxis, column.label or column.name, column.unit)
    style.label(axes.yaxis, "|current|", rows.column(run, "current").unit, log=True)
    if bar:
        style.colour_bar(axes, spread[0], spread[-1], "cycle")
    if picture is not None:
        _note(picture, run, found, len(spread), step)


def _compliances(run: Run, found: Sequence[Family]) -> list[float]:
    """The compliances that tell families apart, in the order used; [] where the run has no such column."""
    return sorted({family.key[-1] for family in found}) if "compliance" in run.columns else []


def _draw_family(axes: Any, family: Family, colour: str, spread: list[int], raster: bool, step: int) -> None:
    """Thin lines of every cycle, and the median or only one bold; points in compliance are marked on that."""
    from matplotlib.collections import LineCollection

    several = family.currents.shape[0] >= LEAST_CYCLES
    share = np.searchsorted(spread, family.cycles) / max(len(spread) - 1, 1)
    if several or family.currents.shape[0] > 1:
        lines = [np.column_stack([family.levels, current]) for current in family.currents[::step]]
        colours = colour or [style.shade(value) for value in share[::step]]
        fade = min(0.6, max(0.15, 30 / len(lines))) if several else 1.0  # the last of many must not hide the others
        look = {"linewidths": 0.5, "alpha": fade, "rasterized": raster, "zorder": 2}
        axes.add_collection(LineCollection(lines, colors=colours, **look))
    middle, limited = family.middle(), family.limited.mean(axis=0) > 0.5
    if several or family.currents.shape[0] == 1:
        axes.plot(family.levels, middle, color=colour or "black", lw=1.2, zorder=3)
    axes.plot(family.levels[limited], middle[limited], ".", ms=2.5, color=style.LIMIT, zorder=4)


def _label(axes: Any, found: Sequence[Family], several: list[float], spread: list[int]) -> None:
    """Entries of the legend, without data; spread: numbers of the cycles to name, [] where a bar does it."""
    if len(several) > 1:
        for number, value in enumerate(several):
            text = style.micro(show(value, "A", 3))
            axes.plot([], [], color=style.colour(number), lw=1.2, label=f"compliance {text}")
    most = max(family.currents.shape[0] for family in found)
    if most > 1:
        _label_cycles(axes, spread, len(several) > 1)
    if most >= LEAST_CYCLES:
        axes.plot([], [], color=style.GREY if len(several) > 1 else "black", lw=1.2, label=f"median of {most}")
    if any(family.limited.any() for family in found):
        axes.plot([], [], ".", ms=4, color=style.LIMIT, label="in compliance")


def _label_cycles(axes: Any, spread: list[int], grey: bool) -> None:
    if grey or len(spread) < 2:
        axes.plot([], [], color=style.GREY if grey else style.shade(0.5), lw=0.5, label="every cycle")
        return
    for share, cycle in ((0.0, spread[0]), (1.0, spread[-1])):
        axes.plot([], [], color=style.shade(share), lw=0.8, label=f"cycle {cycle}")


def _note(picture: Picture, run: Run, found: Sequence[Family], cycles: int, step: int) -> None:
    sweeps = sum(family.currents.shape[0] for family in found)
    count = f"{sweeps} sweep{'s' if sweeps != 1 else ''}" + (f" in {cycles} cycles" if cycles > 1 else "")
    picture.note(f"{rows.who(run)}: {count}, {sum(family.currents.size for family in found)} points")
    if step > 1:
        picture.note(f"One cycle of {step} is drawn, the median is of all")
    if any(family.currents.shape[0] >= LEAST_CYCLES for family in found):
        picture.note("Bold: the median of |I| at each level over the cycles of the same levels")
    limited = int(sum(family.limited.sum() for family in found))
    if limited:
        picture.note(f"{limited} points in compliance, marked on the bold line where more than half of the cycles are")
    picture.note(rows.left_out(run, rows.flagged(run)))
    picture.note("Arrows: the direction of the sweep")


KIND = Kind("|I| against V, every cycle and the median", lacks, draw)
