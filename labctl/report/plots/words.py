"""What stands at axes and in legends: text of files made harmless, names of quantities, units with prefixes, tick labels."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from matplotlib.ticker import Formatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from labctl.logs.lines import visible
from labctl.quantities import PREFIXES

FEW = 5.0  #: greatest over smallest number up to which a logarithmic axis has a tick for every digit: guess
_SYMBOLS = {"ohm": "Ω"}


def plain(text: object, most: int = 80) -> str:
    """Text of a file for a picture: one line of visible letters, no mathematics in it, at most `most` letters."""
    shown = visible(str(text))
    return (shown if len(shown) <= most else shown[: most - 3] + "...").replace("$", r"\$")


def quantity(name: str) -> str:
    """The name of a quantity as it is printed: "V_th" with its index below, "uA" as "µA"; any other text as it is."""
    found = re.fullmatch(r"([A-Za-z])_([A-Za-z]{1,12})(\W.*)?", name)
    if not found:
        return micro(plain(name))
    return rf"$\mathit{{{found[1]}}}_\mathrm{{{found[2]}}}$" + micro(plain(found[3] or ""))


def micro(text: str) -> str:
    """Numbers with units as `labctl.quantities.show` writes them, as they are printed: "1 uA" is "1 µA"."""
    return re.sub(r"(?<=\d )u(?=[A-Za-z])", "µ", text)


def symbol(unit: str) -> str:
    """A unit as it is printed: "ohm" is "Ω"."""
    return _SYMBOLS.get(unit, unit)


class Prefixed(Formatter):
    """Tick labels in a unit with prefix: the number over `scale`, all with the same number of decimals."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.places: int | None = 0

    def set_locs(self, locs: Any) -> None:
        """Choose as many decimals as the ticks need; None where fixed decimals would not do."""
        super().set_locs(locs)
        ticks = np.asarray(locs, dtype=float) / self.scale
        step = float(np.min(np.diff(np.sort(ticks)))) if ticks.size > 1 else float(np.abs(ticks).max(initial=1.0))
        fits = [p for p in range(7) if np.all(np.abs(ticks - np.round(ticks, p)) <= 1e-3 * abs(step))]
        self.places = fits[0] if fits and np.abs(ticks).max(initial=0.0) < 1e5 else None

    def __call__(self, x: float, pos: int | None = None) -> str:
        value = x / self.scale
        text = f"{value:.{self.places}f}" if self.places is not None else f"{value:.6g}"
        return str(self.fix_minus("0" if value == 0 and not self.places else text))


def label(axis: Any, name: str, unit: str = "", log: bool = False) -> None:
    """Name an axis with its unit in parentheses; the SI prefix that keeps its numbers short, decades where it spans some.

    axis: ``axes.xaxis`` or ``axes.yaxis``, after everything was drawn on it; log: it is logarithmic.
    """
    low, high = sorted(np.abs(axis.get_view_interval()))
    few = log and _few_decades(axis, float(low), float(high))
    prefix = _prefix(float(high), unit) if few or not log else ""
    if few or (unit and not log):
        axis.set_major_formatter(Prefixed(10.0 ** PREFIXES[prefix]))
    shown = f"{prefix.replace('u', 'µ')}{symbol(unit)}" if unit else ""
    text = f"|{quantity(name[1:-1])}|" if name[:1] == name[-1:] == "|" else quantity(name)
    axis.set_label_text(f"{text} ({plain(shown)})" if unit else text)


def _few_decades(axis: Any, low: float, high: float) -> bool:
    """Whether a logarithmic axis spans too little for powers of ten; it then gets plain ticks."""
    if not 0 < low < high or high > 10 * FEW * low:
        return False
    steps = (1, 2, 5) if high > FEW * low else tuple(range(1, 10))
    narrow = high < 2.5 * low
    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]) if narrow else LogLocator(subs=steps))
    axis.set_minor_formatter(NullFormatter())
    if narrow:
        axis.set_minor_locator(NullLocator())
    return True


def _prefix(reach: float, unit: str) -> str:
    """The SI prefix for an axis that reaches to `reach`; none for a plain number between 0.1 and 1e4, or where none fits."""
    if not unit or not unit.isalpha() or not math.isfinite(reach) or 0.1 <= reach < 1e4 or not 1e-16 < reach < 1e15:
        return ""
    power = min(max(math.floor(math.log10(reach) / 3) * 3, -15), 12)
    return next(symbol for symbol, of in PREFIXES.items() if of == power)
