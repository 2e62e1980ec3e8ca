"""The figures of vertical and lateral devices: I-V, holding voltages, distributions, on/off ratios, Fowler-Nordheim."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from labctl.analysis.statistics import samples
from labctl.contracts import FloatArray
from labctl.paper import curves, iv, lateral, tunnelling
from labctl.paper.plan import COMPLIANCES, LATERAL, VERTICAL
from labctl.paper.results import Quantity, Steps
from labctl.paper.taken import Cell, Taken
from labctl.quantities import show
from labctl.report.plots import style
from labctl.report.plots.kinds.cdf import draw_steps
from labctl.report.plots.style import Picture

NOISE = 1e-14  #: A; currents below are drawn there, so that a reading of 0 has a place on a logarithmic axis


def first(taken: Taken, experiment: str, device: str) -> Cell:
    """The first drawn cell of a device."""
    return taken.cells(experiment, device)[0]


def draw_loops(axes: Any, loops: Sequence[curves.Loop], label: str, number: int) -> None:
    """Draw loops of one condition: every one thin, their median bold."""
    colour, levels = style.colour(number), loops[0]["level"]
    amperes = np.array([np.maximum(np.abs(loop["current"]), NOISE) for loop in loops])
    for row in amperes:
        axes.plot(levels, row, color=colour, lw=0.4, alpha=0.35, rasterized=amperes.size > style.RASTERED)
    axes.plot(levels, np.median(amperes, axis=0), color=colour, lw=1.1, label=label)


def finish_iv(axes: Any, title: str, picture: Picture, loops: Sequence[curves.Loop]) -> None:
    """Label axes of an I-V curve."""
    style.decades(axes, np.abs(np.concatenate([loop["current"] for loop in loops])))
    style.label(axes.xaxis, "voltage", "V")
    style.label(axes.yaxis, "|current|", "A", log=True)
    style.legend(axes, title, picture)


def f2b(picture: Picture, taken: Taken) -> None:
    """I-V of devices 1 to 4 at three compliances."""
    for device, axes in zip(VERTICAL, picture.panels(4), strict=True):
        run = first(taken, "volatility", device).run("loops")
        for number, compliance in enumerate(COMPLIANCES):
            draw_loops(axes, iv.at(run, compliance), _micro(show(compliance, "A")), number)
        finish_iv(axes, device, picture, curves.halves(run))
    picture.note("Five loops at each compliance of the first drawn cell of each device, thin; their median, bold")


def _micro(text: str) -> str:
    return text.replace(" u", " µ")


def draw_each(axes: Any, x: FloatArray, found: Sequence[Quantity], label: str, number: int) -> None:
    """Draw quantities: every cell a small point, the medians with their standard errors joined."""
    colour = style.colour(number)
    for place, quantity in zip(x, found, strict=True):
        axes.plot(np.full(len(quantity.each), place), quantity.each, ".", ms=2, color=colour, alpha=0.5)
    medians, errors = ([getattr(item, name) for item in found] for name in ("value", "uncertainty"))
    axes.errorbar(x, medians, errors, color=colour, lw=1.0, marker=style.marker(number), ms=4, capsize=2, label=label)


def vhold_cc(picture: Picture, taken: Taken) -> None:
    """V_hold against the compliance."""
    (axes,) = picture.panels(1)
    for number, (device, steps) in enumerate(iv.vhold_cc(taken).steps.items()):
        draw_each(axes, np.array(COMPLIANCES), [quantity for _, quantity in steps], device, number)
    axes.set_xscale("log")
    style.label(axes.xaxis, "compliance", "A", log=True)
    style.label(axes.yaxis, "V_hold", "V")
    style.legend(axes, "", picture)
    picture.note("Points: mean of the loops of each drawn cell; lines: median over cells, with its standard error")


def f2cd(picture: Picture, taken: Taken) -> None:
    """Distributions of V_th and V_hold over the cycles of one cell each."""
    figures: tuple[tuple[str, Callable[[curves.Loop], float]], ...] = (
        ("V_th", curves.threshold),
        ("V_hold", curves.hold),
    )
    for (name, figure), axes in zip(figures, picture.panels(2), strict=True):
        for number, device in enumerate(VERTICAL[:3]):
            loops = curves.halves(first(taken, "cycles", device).run("loops"))
            draw_steps(axes, samples.sample([figure(loop) for loop in loops], name=name, unit="V"), device, number)
        style.label(axes.xaxis, name, "V")
        style.label(axes.yaxis, "cumulative probability")
        style.legend(axes, "", picture)
    picture.note("50 cycles at 1 µA of the first drawn cell of each device, with pointwise 95 % bands")


def _against_device(picture: Picture, steps: Steps, name: str, unit: str = "", log: bool = True) -> None:
    (axes,) = picture.panels(1)
    draw_each(axes, np.arange(1.0, len(steps) + 1), [quantity for _, quantity in steps], "median of the cells", 0)
    axes.set_xticks(np.arange(1, len(steps) + 1), [device for device, _ in steps])
    if log:
        style.decades(axes, np.concatenate([np.array(quantity.each) for _, quantity in steps]), low_share=0.0)
    style.label(axes.yaxis, name, unit, log=log)
    style.legend(axes, "", picture)
    picture.note("Points: the drawn cells; line: their median with its standard error")


def f2e(picture: Picture, taken: Taken) -> None:
    """On/off ratio of the four devices."""
    _against_device(picture, iv.onoff_size(taken).steps["particle size"], "on/off ratio")


# -- lateral ------------------------------------------------------------------------------------------------------------
def s6(picture: Picture, taken: Taken) -> None:
    """I-V of the lateral devices."""
    for number, (device, axes) in enumerate(zip(LATERAL, picture.panels(4), strict=True)):
        loops = curves.halves(first(taken, "lateral", device).run("loops"))
        draw_loops(axes, loops, "median of 3 loops", number)
        finish_iv(axes, device, picture, loops)
    picture.note("Loops at 1 µA of the first drawn cell of each device")


def _plane(axes: Any, loop: curves.Loop, number: int) -> None:
    """Draw a returning branch in the plane of Fowler and Nordheim, with the fitted line."""
    found = tunnelling.fit(loop)
    if found is None:
        return
    rows = np.asarray(found.rows) + int(np.argmax(np.abs(loop["level"])))
    volts, amperes = np.abs(loop["voltage"][rows]), np.abs(loop["current"][rows])
    x, y = 1 / volts, np.log(amperes / volts**2)
    text = f"slope {found.value:.3g} V".replace("-", "−")
    axes.plot(x, y, ls="none", marker=style.marker(number), ms=2.0, mfc="none", color=style.colour(number), label=text)
    ends = np.array([x.min(), x.max()])
    axes.plot(ends, y.mean() + found.value * (ends - x.mean()), color="black", lw=0.8)


def _straight(cells: Sequence[Cell], step: str) -> curves.Loop:
    """The first loop of the first cell that has a slope; that of the first cell where none has."""
    loops = [curves.halves(cell.run(step))[0] for cell in cells]
    return next((loop for loop in loops if tunnelling.fit(loop) is not None), loops[0])


def f3b(picture: Picture, taken: Taken) -> None:
    """ln(I/V^2) against 1/V of lateral and vertical devices, with the fitted lines."""
    found = [("lateral", device, "loops") for device in lateral.SWITCHING]
    found += [("cycles", device, "fine") for device in VERTICAL[:3]]
    found = [item for item in found if taken.has(item[0])]  # with a few rows only not all of them are measured
    for number, ((experiment, device, step), axes) in enumerate(zip(found, picture.panels(len(found)), strict=True)):
        _plane(axes, _straight(taken.cells(experiment, device), step), number)
        axes.set_xlabel("1/V (1/V)")
        axes.set_ylabel("ln(I/V²), I in A")
        style.legend(axes, device, picture)
    picture.note(
        "Way back of one loop at 1 µA of the first drawn cell with a slope; rows in compliance and near V_hold left out"
    )
    picture.note(
        "Line: least squares; over the small range of voltages of a vertical device other laws are as straight"
    )


def s7(picture: Picture, taken: Taken) -> None:
    """The magnitude of the slope of the vertical devices."""
    _against_device(picture, lateral.fn_vertical(taken).steps["particle size"], "|slope|", "V")


DRAWINGS = (
    ("F2b", "F2b, S4", "I-V of devices 1 to 4 at three compliances", tuple(f"volatile-{n}" for n in range(1, 5)), f2b),
    ("F2b-vhold", "F2b", "Holding voltage against compliance", ("vhold-cc",), vhold_cc),
    ("F2cd", "F2c, F2d", "Threshold and holding voltage over cycles", ("vth-dist", "vhold-dist"), f2cd),
    ("F2e", "F2e", "On/off ratio against particle size", ("onoff-size",), f2e),
    ("S6", "S6", "I-V of the lateral devices", ("l1-none", "l2-self-cc", "l-order"), s6),
    (
        "F3b",
        "F3b, S7",
        "Fowler-Nordheim plots with fits",
        ("fn-linear", "fn-slope-2", "fn-slope-4", "fn-vertical"),
        f3b,
    ),
    ("S7", "S7", "Fowler-Nordheim slope of the vertical devices", ("fn-vertical",), s7),
)
