"""Which quantities of which runs share a panel: of one run all of one unit, of several runs each quantity by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import FloatArray, Series
from labctl.errors import UsageError
from labctl.report.plots import rows, style
from labctl.report.plots.style import Picture
from labctl.report.plots.table import Options
from labctl.store import Run

MOST_PANELS = 6
LOG_FROM = 30.0  #: greatest over smallest magnitude from which on a logarithmic axis shows more: guess
_WORDS = {"V": "voltage", "ohm": "resistance", "A": "current", "S": "conductance", "s": "time", "J": "energy"}


@dataclass(frozen=True)
class Curve:
    """One series of one run, and what the legend calls it."""

    label: str
    series: Series

    @property
    def words(self) -> str:
        """The quantity, with the run where that is what the legend says."""
        return self.series.name if self.label == self.series.name else f"{self.series.name}, {self.label}"


@dataclass(frozen=True)
class Panel:
    """Curves on one pair of axes. name, unit: of their quantity; thin: further ones, not named."""

    name: str
    unit: str
    curves: list[Curve]
    thin: list[Curve] = field(default_factory=list)

    @property
    def says_all(self) -> bool:
        """Whether the name of the axis is all there is to say: one curve, called so."""
        return [curve.label for curve in self.curves] == [self.name]

    def values(self) -> FloatArray:
        """All numbers of all curves."""
        return np.concatenate([style.finite(curve.series.values) for curve in self.curves])

    def spans_decades(self) -> bool:
        """Whether the magnitudes differ so much that a logarithmic axis shows more; never where something is 0."""
        sizes = np.abs(self.values())
        sizes = sizes[np.isfinite(sizes)]
        return bool(sizes.size and sizes.min() > 0 and sizes.max() > LOG_FROM * sizes.min())


def panels(runs: Sequence[Run], options: Options) -> list[Panel]:
    """The panels of a picture of these runs. Raises UsageError where the quantities asked for are not there."""
    found = [rows.series(run)[0] for run in runs]
    there = list(dict.fromkeys(item.name for series in found for item in series))
    if unknown := [name for name in options.quantities if name not in there]:
        raise UsageError(f"there is no quantity {', '.join(unknown)} in these runs; there are {', '.join(there)}")
    wanted = list(options.quantities) or there
    if len(runs) == 1:
        chosen = [item for item in found[0] if item.name in wanted]
        return _by_unit(sorted(chosen, key=lambda item: wanted.index(item.name)))
    return _by_name(found, rows.names(runs), wanted)


def first(every: Sequence[Panel], picture: Picture) -> list[Panel]:
    """The panels that one picture has room for; the note says which quantities it has not."""
    if rest := [curve.series.name for panel in every[MOST_PANELS:] for curve in panel.curves]:
        picture.note(f"Not drawn, ask for them by name: {', '.join(dict.fromkeys(rest))}")
    return list(every[:MOST_PANELS])


def _by_unit(series: Sequence[Series]) -> list[Panel]:
    units = list(dict.fromkeys((item.unit, item.unit or item.name) for item in series))
    groups = [
        (unit, [item for item in series if (item.unit, item.unit or item.name) == (unit, key)]) for unit, key in units
    ]
    return [
        Panel(items[0].name if len(items) == 1 else _WORDS.get(unit, "value"), unit, [Curve(s.name, s) for s in items])
        for unit, items in groups
    ]


def _by_name(found: Sequence[Sequence[Series]], names: Sequence[str], wanted: Sequence[str]) -> list[Panel]:
    made = []
    for name in wanted:
        curves = [Curve(label, s) for label, series in zip(names, found, strict=True) for s in series if s.name == name]
        made.append(Panel(name, curves[0].series.unit, curves))
    return made


def pooled(curves: Sequence[Curve], label: str) -> Curve:
    """All values of some curves as one, bounds as bounds."""
    parts = [curve.series for curve in curves]
    count = sum(part.values.size for part in parts)
    return Curve(
        label,
        Series(
            parts[0].name,
            parts[0].unit,
            np.arange(1, count + 1),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.censored for part in parts]),
            parts[0].definition,
            parts[0].method,
            sum(part.excluded for part in parts),
        ),
    )


def left_out(panel: Panel) -> str:
    """How many rows all curves leave out for their status, "" for none."""
    count = sum(curve.series.excluded for curve in panel.curves)
    return f"{count} rows left out of {panel.name} by status" if count else ""


def known(series: Series) -> NDArray[np.bool_]:
    """Where a series has a number that is not only a bound, shape (n,)."""
    return np.asarray(np.isfinite(style.finite(series.values)) & ~series.censored)
