"""|I| against |V| on logarithmic axes for a branch that conducts freely, with the current laws that can be told of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labctl.analysis import conduction
from labctl.analysis.conduction import fit as conduction_fit
from labctl.analysis.conduction import laws as conduction_models
from labctl.contracts import FloatArray
from labctl.report.plots import branches, rows, style
from labctl.report.plots.branches import Branch
from labctl.report.plots.style import Picture
from labctl.report.plots.table import Kind, Options
from labctl.store import Run

MOST_LAWS = 3  #: drawn, the likeliest ones
LINES = ("-", "--", ":")


def lacks(run: Run) -> str:
    """A branch to which the laws can be fitted."""
    if reason := branches.lacks(run):
        return reason
    return "" if longest(run) is not None else "no branch has enough rows for the laws to be told apart"


def longest(run: Run) -> tuple[str, Branch] | None:
    """The branch over the most decades of current, of the last cycle where several are alike; None where no law fits one."""
    every = [(name, item) for name, items in branches.of(run).items() for item in items]
    usable = [(name, item) for name, item in every if conduction_fit_possible(item)]
    return max(usable, key=lambda pair: (round(_decades(pair[1]), 1), pair[1].cycle), default=None)


def conduction_fit_possible(item: Branch) -> bool:
    """Whether the rows and what they span are enough."""
    return bool(conduction.rank(item.v, item.i)) if item.v.size else False


def _decades(item: Branch) -> float:
    return float(np.log10(item.i.max() / item.i.min()))


def draw(picture: Picture, runs: Sequence[Run], options: Options) -> None:
    """Every run in a panel of its own."""
    for run, axes in zip(runs, picture.panels(len(runs)), strict=True):
        draw_run(run, axes, picture)
        style.legend(axes, rows.who(run) if len(runs) > 1 else "", picture)


def draw_run(run: Run, axes: Any, picture: Picture | None = None) -> None:
    """Draw the widest branch of one run with the likeliest laws; `picture` takes the notes for a caption."""
    chosen = longest(run)
    if chosen is None:
        return
    name, item = chosen
    ranked = [fit for fit in conduction.rank(item.v, item.i) if fit.possible]
    label = "measured; no law follows it" if any(unfollowed(fit.remarks) for fit in ranked[:1]) else "measured"
    axes.plot(item.v, item.i, "o", ms=2.4, mfc="none", color=style.GREY, label=label, zorder=2)
    for number, fit in enumerate(ranked[:MOST_LAWS]):
        look = {"color": style.colour(number), "ls": LINES[number], "lw": 1.2}
        v, i = law_curve(fit.law, item)
        axes.plot(v, i, **look, label=f"{fit.law}, weight {fit.weight:.2g}", zorder=3)
    style.decades(axes, item.v, "x", 0.0)
    style.decades(axes, item.i, low_share=0.0)
    style.label(axes.xaxis, "|voltage|", "V", log=True)
    style.label(axes.yaxis, "|current|", "A", log=True)
    if picture is not None:
        cycle = f" of cycle {item.cycle}" if item.cycle else ""
        picture.note(f"{rows.who(run)}: returning branch{cycle}, {name}, {item.v.size} rows below compliance")
        picture.note("Weight: how likely a law is the best of those compared, by AICc of ln|I|")
        for fit in ranked[:1]:
            picture.note("; ".join((f"{fit.law}: R² {fit.r_squared:.4f}", *fit.remarks)))


def unfollowed(remarks: Sequence[str]) -> bool:
    """Whether the ranking says of its best law that the curve does not follow it."""
    return any(remark.startswith("no law follows") for remark in remarks)


def law_curve(law: str, item: Branch) -> tuple[FloatArray, FloatArray]:
    """Voltages, rising, and the current a law fitted to a branch gives there; shape (n,), V and A."""
    order = np.argsort(item.v, kind="stable")
    v = item.v[order]
    shape = next(entry for entry in conduction_models.LAWS if entry.name == law)
    fit = conduction_fit.line(shape, v, item.i[order])
    return v, np.exp(fit.intercept + fit.slope * fit.law.x(v) + fit.law.g(v))


KIND = Kind("|I| against |V| with the current laws it may follow", lacks, draw)
