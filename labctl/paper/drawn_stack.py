"""The figures of memory, selector and stack: I-V with cycles, distributions, retention, endurance, pulses, trains, levels."""

from __future__ import annotations

from typing import Any

import numpy as np

from labctl.analysis.statistics import samples
from labctl.contracts import Status
from labctl.errors import UsageError
from labctl.paper import curves, stack
from labctl.paper.drawn_iv import draw_loops, finish_iv, first
from labctl.paper.plan import LEVELS
from labctl.paper.pulsed import STACK
from labctl.paper.taken import Cell, Taken
from labctl.recipe_parts import Kind
from labctl.report.plots import style
from labctl.report.plots.kinds import endurance, iv, retention, staircase, waveform
from labctl.report.plots.kinds.cdf import draw_steps
from labctl.report.plots.style import Picture


def parts(picture: Picture, taken: Taken) -> None:
    """I-V of memory and selector alone."""
    for (device, compliance), axes in zip((("memory", "1 mA"), ("selector", "10 µA")), picture.panels(2), strict=True):
        run = first(taken, device, device).run("loops")
        halves = [curves.halves(run, segment) for segment in (1, -1)]
        for number, loops in enumerate(halves):
            draw_loops(axes, loops, "positive" if number == 0 else "negative", number)
        finish_iv(axes, f"{device}, {compliance}", picture, [*halves[0], *halves[1]])
    picture.note("Every loop thin, their median bold, first drawn cell of each")


def f4b(picture: Picture, taken: Taken) -> None:
    """I-V of the stack, all cycles of one cell."""
    (axes,) = picture.panels(1)
    iv.draw_run(first(taken, "stack", STACK).run("cycles"), axes, picture, bar=True)
    style.legend(axes, "", picture)


def f4c(picture: Picture, taken: Taken) -> None:
    """Distributions of the switching voltages over the cycles of each cell."""
    at, cells = stack.between_states(taken), taken.cells("stack", STACK)
    for (name, segment), axes in zip((("V_set", 1), ("|V_reset|", -1)), picture.panels(2), strict=True):
        for number, cell in enumerate(cells):
            values = np.abs(stack.voltages(cell, segment, at))
            draw_steps(axes, samples.sample(values, name=name, unit="V"), f"cell {cell.number}", number)
        style.label(axes.xaxis, name, "V")
        style.label(axes.yaxis, "cumulative probability")
        style.legend(axes, "", picture)
    picture.note(
        f"50 cycles of each of {len(cells)} drawn cells, with pointwise 95 % bands; a cycle that was reset as soon as the"
        " selector turned on stands at that level"
    )


def f4d(picture: Picture, taken: Taken) -> None:
    """Both states against time."""
    (axes,) = picture.panels(1)
    retention.draw_run(first(taken, "retention", STACK).run("kept"), axes, picture)
    style.legend(axes, "", picture)


def f4e(picture: Picture, taken: Taken) -> None:
    """Both states against cycles."""
    (axes,) = picture.panels(1)
    endurance.draw_run(first(taken, "endurance", STACK).run("cycles"), axes, picture)
    style.legend(axes, "", picture)


def trained(taken: Taken) -> Cell:
    """The nominal cell. Raises UsageError where it was not measured."""
    found = taken.nominal("pulses", STACK)
    if found is None or not found.has("constant"):
        raise UsageError("the nominal cell has no trains: its pulses did not switch it")
    return found


def s13(picture: Picture, taken: Taken) -> None:
    """Current during a set and a reset pulse."""
    run = trained(taken).run("pulses")
    found = waveform.pulses(run)
    panels = picture.panels(2 * len(found), rows=2, aspect=0.5, sharex="col")
    for number, part in enumerate(found):
        above, below = panels[number], panels[number + len(found)]
        waveform.draw_pulse(run, part, above, below, picture)
        style.legend(above, f"{run['amplitude'][part.start]:+g} V pulse".replace("-", "−"), picture)
        style.legend(below, "", picture)
    picture.note("The nominal cell; times of the drawn cells that one pulse switches are in the table")


def s14(picture: Picture, taken: Taken) -> None:
    """Trains with stepped and with constant amplitude."""
    for scheme, axes in zip(("stepped", "constant"), picture.panels(2), strict=True):
        staircase.draw_run(trained(taken).run(scheme), axes, picture)
        style.legend(axes, f"{scheme} amplitude", picture)
    picture.note("The nominal cell; of drawn cells the table has median and spread")


def s15(picture: Picture, taken: Taken) -> None:
    """Levels kept after trains of different lengths."""
    (axes,) = picture.panels(1)
    cell = trained(taken)
    for number, count in enumerate(LEVELS):
        _level(axes, cell, count, number)
    axes.set_xscale("log")
    style.label(axes.xaxis, "time after the last pulse", "s", log=True)
    style.label(axes.yaxis, "conductance", "S")
    style.legend(axes, "", picture)
    picture.note("The nominal cell; the first point of each is the read after the last pulse. Each read adds a little")


def _level(axes: Any, cell: Cell, count: int, number: int) -> None:
    run = cell.run(f"kept-{count}")
    sound = (run["kind"] == Kind.READ) & ((run["status"] & ~int(Status.LOAD_LINE)) == 0)
    last = np.flatnonzero(sound & (run["segment"] == 1))[-1:]
    rows = np.concatenate([last, np.flatnonzero(sound & (run["segment"] == 2))])
    pulsed = run["elapsed"][np.flatnonzero((run["kind"] == Kind.PULSE) & (run["segment"] == 1))[-1]]
    look = {"marker": style.marker(number), "color": style.colour(number), "label": f"after {count} pulses"}
    axes.plot(run["elapsed"][rows] - pulsed, run["conductance"][rows], **look)


DRAWINGS = (
    ("S8-S9", "S8, S9", "I-V of memory and selector alone", ("mem-lrs",), parts),
    ("F4b", "F4b, S12", "I-V of the synapse over 50 cycles", ("syn-bipolar", "syn-set-cv", "syn-reset-cv"), f4b),
    ("F4c", "F4c, S11", "Switching voltages of eight cells", ("syn-set-cv", "syn-reset-cv", "syn-cells"), f4c),
    ("F4d", "F4d", "Retention", ("syn-retention", "syn-lrs", "syn-onoff", "syn-select"), f4d),
    ("F4e", "F4e", "Endurance", ("syn-endurance",), f4e),
    ("S13", "S13", "Current during a set and a reset pulse", ("syn-t-set", "syn-t-reset"), s13),
    ("S14", "S14", "Potentiation and depression, stepped and constant", ("syn-pot", "syn-dep", "syn-constant"), s14),
    ("S15", "S15", "Levels kept", ("syn-levels",), s15),
)
