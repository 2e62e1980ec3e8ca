"""Distributions within and among cells: cumulative probability, plain or on a scale on which a distribution is a line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from labctl.analysis.statistics import distributions, families, samples
from labctl.analysis.statistics.samples import Sample
from labctl.contracts import Series
from labctl.errors import UsageError
from labctl.report.plots import curves, rows, style
from labctl.report.plots.curves import Curve, Panel
from labctl.report.plots.style import Picture
from labctl.report.plots.table import Kind, Options
from labctl.store import Run

SCALES = ("linear", *families.FAMILIES)
#: probabilities at which an axis of a probability scale is labelled
TICKS = (0.5, 0.01, 0.99, 0.1, 0.9, 1e-3, 0.999, 1e-4, 0.9999, 0.05, 0.2, 0.8, 0.95)  # the most wanted first
CLOSE = 0.055  #: of the axis; of two ticks that are closer the less wanted is left out
NAMES = {"weibull": "Weibull"}
NAMED = len(style.PALETTE)  #: runs that have a colour of their own
LEAST = 3  #: known values of a distribution: what a fit needs
MARKED = 80  #: values; with more, smaller points
GRID = 80  #: points of a fitted line


def draw(picture: Picture, runs: Sequence[Run], options: Options) -> None:
    """Each panel of quantities side by side. Raises UsageError for a scale there is not."""
    if options.scale not in SCALES:
        raise UsageError(f"there is no scale {options.scale!r}; there are {', '.join(SCALES)}")
    every = curves.panels(runs, options)
    kept = [_with_enough(panel, picture) if len(runs) == 1 else _of_cells(panel, picture) for panel in every]
    found = curves.first([panel for panel in kept if panel.curves], picture)
    if not found:
        raise UsageError(f"none of the quantities asked for is known {LEAST} times, the least for a distribution")
    for panel, axes in zip(found, picture.panels(len(found)), strict=True):
        draw_panel(panel, axes, options.scale, picture)
        if not panel.says_all or options.scale != "linear":
            style.legend(axes, "", picture)


def lacks(run: Run) -> str:
    """A quantity known in at least three cycles."""
    found, reason = rows.series(run)
    if reason or any(enough(series) for series in found):
        return reason
    return f"no quantity is known in {LEAST} cycles, the least for a distribution"


def together(runs: Sequence[Run]) -> str:
    """A quantity known three times in all runs: in one cell each, where a cell gives one number."""
    found = [rows.series(run) for run in runs]
    counts: dict[str, int] = {}
    for series in (item for some, _ in found for item in some):
        counts[series.name] = counts.get(series.name, 0) + int(np.count_nonzero(curves.known(series)))
    if any(count >= LEAST for count in counts.values()):
        return ""
    return next((reason for _, reason in found if reason), f"no quantity is known {LEAST} times in all of them")


def _with_enough(panel: Panel, picture: Picture) -> Panel:
    """The panel without curves that are too few values for a distribution."""
    for curve in panel.curves:
        if not enough(curve.series):
            count = np.count_nonzero(curves.known(curve.series))
            total = curve.series.values.size
            picture.note(f"{curve.words}: not drawn, {count} of {total} values are known, the least is {LEAST}")
    kept = [curve for curve in panel.curves if enough(curve.series)]
    alone = len(kept) == 1 and kept[0].label == kept[0].series.name
    return replace(panel, curves=kept, name=kept[0].label if alone else panel.name)


def _of_cells(panel: Panel, picture: Picture) -> Panel:
    """The panel of several runs: a curve each; where a run is too few values, or the runs are many, all of them together."""
    whole = curves.pooled(panel.curves, f"{len(panel.curves)} runs together")
    if not any(enough(curve.series) for curve in panel.curves):
        return _with_enough(replace(panel, curves=[whole]), picture)
    kept = _with_enough(panel, picture)
    if len(kept.curves) <= NAMED:
        return kept
    picture.note(
        "Thin: each run; the other curve: all values of all runs together, its band as if those of one cell were independent"
    )
    return replace(panel, curves=[whole], thin=kept.curves)


def enough(series: Series) -> bool:
    """Whether so many values are known that they make a distribution."""
    return bool(np.count_nonzero(curves.known(series)) >= LEAST)


def draw_panel(panel: Panel, axes: Any, scale: str = "linear", picture: Picture | None = None) -> None:
    """Draw the distributions of one panel; scale: "linear", "normal", "lognormal" or "weibull"."""
    found = [samples.of_series(curve.series) for curve in panel.curves]
    for curve in panel.thin:
        _draw_thin(axes, samples.of_series(curve.series), scale)
    for number, (curve, sample) in enumerate(zip(panel.curves, found, strict=True)):
        if scale == "linear":
            draw_steps(axes, sample, style.quantity(curve.label), number)
        else:
            draw_probability(axes, sample, scale, style.quantity(curve.label), number)
        if picture is not None:
            _note(picture, curve, sample, scale)
    log = (scale in ("lognormal", "weibull") or panel.spans_decades()) and all(sample.positive for sample in found)
    if log:
        axes.set_xscale("log")
    mirrored = any(sample.mirrored for sample in found)
    style.label(axes.xaxis, f"|{panel.name}|" if mirrored else panel.name, panel.unit, log)
    _label_probability(axes, scale, max(len(sample) for sample in found))
    if picture is not None:
        picture.note(curves.left_out(panel))


def _draw_thin(axes: Any, sample: Sample, scale: str) -> None:
    """Draw one of many distributions, not named."""
    if scale == "linear":
        found = distributions.empirical(sample)
        if found is not None:
            axes.step(found.values, found.shares, where="post", color=style.GREY, lw=0.4, alpha=0.5, zorder=1)
        return
    x, p = distributions.plotting_positions(sample)
    usable = x > 0 if families.FAMILIES[scale].logarithmic else np.ones(x.size, bool)
    axes.plot(x[usable], families.FAMILIES[scale].quantile(p[usable]), color=style.GREY, lw=0.4, alpha=0.5, zorder=1)


def draw_steps(axes: Any, sample: Sample, label: str, number: int) -> None:
    """Draw the distribution as steps with its band; an open triangle where values are only known to lie beyond."""
    found, colour = distributions.empirical(sample), style.colour(number)
    bounds = sample.lower[np.isinf(sample.upper) & np.isfinite(sample.lower)]
    if found is not None:
        x, p = found.values, found.shares
        end = bounds.max(initial=x[-1])  # up to there the share is known
        line = np.concatenate([x[:1], x, [end]]), np.concatenate([[0.0], p, p[-1:]])
        mark = {"marker": style.marker(number), "markevery": slice(1, -1)} if x.size <= MARKED else {}
        axes.step(*line, where="post", color=colour, lw=0.9, ms=2.2, label=label, **mark)
        axes.fill_between(x, found.lower, found.upper, step="post", color=colour, alpha=0.15, lw=0, zorder=1)
    if bounds.size:
        at = np.zeros(bounds.size) if found is None else np.interp(bounds, found.values, found.shares, left=0.0)
        label_it = label if found is None else None
        axes.plot(bounds, at, ls="none", marker=">", ms=4, mfc="none", color=colour, label=label_it)


def draw_probability(axes: Any, sample: Sample, scale: str, label: str, number: int) -> None:
    """Draw points on a probability scale, with the fitted line and its 95 % band."""
    family, colour = families.FAMILIES[scale], style.colour(number)
    x, p = distributions.plotting_positions(sample)
    if family.logarithmic:
        x, p = x[x > 0], p[x > 0]
    size = 2.4 if x.size <= MARKED else 1.2
    fit = families.fit(sample, scale)
    name = label if fit is None else f"{label}, {_fitted(fit)}"
    axes.plot(x, family.quantile(p), ls="none", marker=style.marker(number), ms=size, color=colour, label=name)
    if fit is None:
        return
    z = np.linspace(*_reach(family, len(sample)), GRID)
    line = fit.quantile(family.cdf(z))
    axes.plot(line, z, color=colour, lw=0.9, zorder=2)
    low, high = fit.band(line)
    if np.isfinite(low).all():
        ends = [family.quantile(np.clip(end, 1e-9, 1 - 1e-9)) for end in (low, high)]
        axes.fill_between(line, *ends, color=colour, alpha=0.18, lw=0, zorder=1)


def _fitted(fit: families.Fit) -> str:
    """The parameters of a fit in the words of its family, without units: those are on the axis."""
    if fit.family.name == "weibull":
        return f"shape {1 / fit.scale:.3g}"
    spread = "σ(ln)" if fit.family.logarithmic else "σ/µ"
    value = fit.scale if fit.family.logarithmic else fit.scale / fit.location if fit.location else math.nan
    return f"{spread} = {value:.2g}"


def _reach(family: families.Family, count: int) -> tuple[float, float]:
    """The part of a probability scale that so many values fill."""
    edge = 0.3 / max(count, 3)
    low, high = family.quantile(np.array([edge, 1.0 - edge]))
    return float(low), float(high)


def _label_probability(axes: Any, scale: str, count: int) -> None:
    if scale == "linear":
        axes.set_ylim(-0.02, 1.02)
        style.label(axes.yaxis, "cumulative probability")
        return
    family = families.FAMILIES[scale]
    low, high = _reach(family, count)
    ticks: dict[float, float] = {}
    for p in TICKS:
        place = float(family.quantile(np.asarray(p)))
        if low <= place <= high and all(abs(place - other) > CLOSE * (high - low) for other in ticks.values()):
            ticks[p] = place
    axes.set_ylim(low, high)
    axes.set_yticks(list(ticks.values()), [f"{100 * p:g}" for p in ticks])
    axes.tick_params(axis="y", which="minor", left=False, right=False)
    style.label(axes.yaxis, f"probability (%), {NAMES.get(scale, scale)} scale")


def _note(picture: Picture, curve: Curve, sample: Sample, scale: str) -> None:
    picture.note(f"{curve.words}: {sample.words()}")
    if np.any(~sample.known):
        picture.note("Open triangles: values known only to lie beyond; the steps are Kaplan and Meier's estimate")
    if scale == "linear":
        picture.note("Bands: 95 %, pointwise")
    else:
        picture.note(f"Lines: {NAMES.get(scale, scale)} distributions of greatest likelihood with pointwise 95 % bands")


KIND = Kind("distributions over cycles or cells", lacks, draw, together=together)
