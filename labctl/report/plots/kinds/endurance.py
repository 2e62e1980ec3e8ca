"""Resistance of both states against the cycles applied, with how many of them were looked at, and the checks that failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import endurance, reads
from labctl.analysis.endurance import WORDS, Verdict
from labctl.contracts import FloatArray, Status
from labctl.report.plots import rows, style
from labctl.report.plots.style import Picture
from labctl.report.plots.table import Kind, Options
from labctl.store import Run

STATES = {1: "LRS (after set)", -1: "HRS (after reset)"}
MARKED = 150  #: reads of a state; with more, smaller points and the median
BINS = 10  #: a decade of cycles, for the median


@dataclass(frozen=True)
class State:
    """The reads of one state. cycles: shape (n,); resistance: shape (n,), ohm, NaN where a read says nothing of the cell."""

    cycles: NDArray[np.int64]
    resistance: FloatArray


def lacks(run: Run) -> str:
    """A usable read of a state after a set or a reset, with its cycle."""
    if reason := rows.missing(run, "cycle", "segment", "conductance"):
        return reason
    if "pulse" in run.columns:
        return "its segments are branches of pulses, not set and reset"
    if run.columns["cycle"].min() < 0:
        return "it has cycles of negative number"
    found = states(run)
    if not any(np.isfinite(state.resistance).any() for state in found.values()):
        return "it has no usable read of a state"
    return ""


def states(run: Run) -> dict[int, State]:
    """The reads after set (1) and after reset (-1)."""
    read, usable = rows.is_read(run), reads.usable(rows.status(run))
    conductance = np.abs(rows.numbers(run, "conductance"))
    known = usable & np.isfinite(conductance) & (conductance > 0)
    resistance = np.where(known, 1.0, np.nan) / np.where(known, conductance, 1.0)
    masks = {sign: read & (run.columns["segment"] == sign) for sign in STATES}
    return {sign: State(run.columns["cycle"][mask], resistance[mask]) for sign, mask in masks.items()}


def applied_and_read(run: Run) -> tuple[int, int]:
    """How many cycles were applied, and after how many of them both states were read."""
    read = rows.is_read(run)
    seen = ~reads.marked(rows.status(run), Status.PROVISIONAL)
    finished = (run.columns["segment"] == -1) & (read | seen)
    if "verdict" in run.columns:
        checked = run.columns["cycle"][read & (run.columns["verdict"] != Verdict.NONE)]
    else:
        both = [run.columns["cycle"][read & (run.columns["segment"] == sign)] for sign in STATES]
        checked = np.intersect1d(*both)
    counts = endurance.counts(run.columns["cycle"], run.columns["cycle"][finished], checked)
    return int(counts[0].value), int(counts[1].value)


def draw(picture: Picture, runs: Sequence[Run], options: Options) -> None:
    """Every run in a panel of its own."""
    for run, axes in zip(runs, picture.panels(len(runs)), strict=True):
        draw_run(run, axes, picture)
        applied, read = applied_and_read(run)
        name = f"{rows.who(run)}: " if len(runs) > 1 else ""
        style.legend(axes, f"{name}{applied} cycles applied, {read} read", picture)


def draw_run(run: Run, axes: Any, picture: Picture | None = None) -> None:
    """Draw both states of one run, `picture` takes the notes for a caption."""
    found = states(run)
    for number, (sign, state) in enumerate(found.items()):
        known = np.isfinite(state.resistance)
        size = 3.0 if known.sum() <= MARKED else 1.5
        look = {"marker": style.marker(number), "ms": size, "color": style.colour(number), "ls": "none"}
        raster = known.sum() > style.RASTERED
        many = bool(known.sum() > MARKED)
        look |= {"label": STATES[sign], "rasterized": raster, "alpha": 0.3 if many else 1.0, "zorder": 2}
        axes.plot(state.cycles[known], state.resistance[known], **look)
        if many:
            x, y = medians(state.cycles[known].astype(np.float64), state.resistance[known])
            axes.plot(x, y, color="black", lw=1.2, label="median" if number else None, zorder=3)
    failing = _mark_failing(run, axes, found)
    everything = np.concatenate([state.resistance for state in found.values()])
    style.decades(axes, everything, low_share=0.0)
    cycles = np.concatenate([state.cycles[np.isfinite(state.resistance)] for state in found.values()])
    style.decades(axes, cycles.astype(np.float64), "x", 0.0)
    style.label(axes.xaxis, "cycles applied", log=True)
    style.label(axes.yaxis, "resistance", "ohm", log=True)
    if picture is not None:
        _note(picture, run, failing)


def medians(cycles: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Medians of the values, and of their cycles, in ten bins a decade of cycles; cycles: shape (n,), above 0."""
    place = np.floor(BINS * np.log10(np.maximum(cycles, 1.0))).astype(np.int64)
    bins = [np.flatnonzero(place == one) for one in np.unique(place)]
    return np.array([np.median(cycles[b]) for b in bins]), np.array([np.median(values[b]) for b in bins])


def _mark_failing(run: Run, axes: Any, found: dict[int, State]) -> dict[str, int]:
    """Mark the reads of checks that failed; how many of each verdict."""
    if "verdict" not in run.columns:
        return {}
    verdict = run.columns["verdict"]
    failed = rows.is_read(run) & (verdict != Verdict.NONE) & (verdict != Verdict.SOUND)
    if not failed.any():
        return {}
    cycles = run.columns["cycle"][failed]
    for label, state in zip(("check failed", None), found.values(), strict=True):
        mine = np.isin(state.cycles, cycles) & np.isfinite(state.resistance)
        axes.plot(state.cycles[mine], state.resistance[mine], "x", ms=6, color="black", label=label, zorder=4)
    words = [
        WORDS.get(Verdict(int(v)), "unknown verdict") if v in list(Verdict) else "unknown verdict"
        for v in verdict[failed]
    ]
    return {word: words.count(word) for word in dict.fromkeys(words)}


def _note(picture: Picture, run: Run, failing: dict[str, int]) -> None:
    applied, read = applied_and_read(run)
    picture.note(f"{rows.who(run)}: {applied} cycles applied, both states actually read after {read} of them")
    if any(np.isfinite(state.resistance).sum() > MARKED for state in states(run).values()):
        picture.note(f"Lines: medians of {BINS} bins a decade of cycles")
    if failing:
        said = ", ".join(f"{count} {word}" for word, count in failing.items())
        picture.note(f"Crosses: checks that failed ({said})")
    spoilt = rows.is_read(run) & ~reads.usable(rows.status(run))
    picture.note(rows.left_out(run, spoilt, "reads"))


KIND = Kind("resistance of both states against cycles, applied and read", lacks, draw)
