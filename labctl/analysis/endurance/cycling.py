"""Endurance from plain arrays: the window against cycles, its trend, and when it closes.

A check is one resistance of each state after a cycle. On every figure stands how many cycles were applied and after how
many of them the states were read: 10^6 cycles of which 50 were looked at are not 10^6 cycles seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from labctl.analysis.endurance import lifetimes
from labctl.analysis.endurance.lifetimes import Life
from labctl.analysis.methods import method
from labctl.analysis.retention import trends
from labctl.analysis.statistics import intervals, residuals
from labctl.contracts import Extracted, FloatArray

QUANTILES = (0.05, 0.5, 0.95)
LEAST_CHECKS = 20  #: for a trend with an interval; of fewer, slow noise can't be told from a trend (tested)


@dataclass(frozen=True)
class Checks:
    """What was read of a cell that is cycled: cycle numbers, rising, and R (ohm) of the on and the off state, shape (n,) each.

    applied: cycles applied in all; excluded: checks left out for their status.
    """

    cycles: FloatArray
    low: FloatArray
    high: FloatArray
    applied: float
    excluded: int = 0

    @property
    def ratio(self) -> FloatArray:
        """R_off over R_on, shape (n,)."""
        return self.high / self.low

    @property
    def words(self) -> str:
        """Applied and actually read, for every figure."""
        return f"{self.applied:g} cycles applied, {self.cycles.size} actually read"


def checks(cycles: FloatArray, low: FloatArray, high: FloatArray, applied: float | None = None) -> Checks:
    """Checks in the order of their cycles; those with a resistance that is no number, or not above 0, are left out and counted.

    low, high: R (ohm) of the on and the off state; applied: cycles applied, by default the last one given.
    """
    cycles, low, high = (np.asarray(item, dtype=np.float64) for item in (cycles, low, high))
    last = float(cycles.max()) if cycles.size else 0.0
    kept = np.isfinite(low) & np.isfinite(high) & (low > 0) & (high > 0)
    order = np.argsort(cycles[kept], kind="stable")
    left = int(np.count_nonzero(~kept))
    return Checks(cycles[kept][order], low[kept][order], high[kept][order], last if applied is None else applied, left)


@method("window/single-check")
def window_at(found: Checks, cycle: float) -> Extracted | None:
    """R_off over R_on of the check nearest to a cycle (in its logarithm), one read of each state; None without checks.

    One check says how that cycle came out, not where the cell is; see `window_near`.
    """
    if not found.cycles.size:
        return None
    place = int(np.argmin(np.abs(np.log(np.maximum(found.cycles, 1e-9) / max(cycle, 1e-9)))))
    words = f"R_off / R_on of the single check at cycle {found.cycles[place]:g}, one read of each state; {found.words}"
    name = f"window at cycle {found.cycles[place]:g}"
    return Extracted(name, float(found.ratio[place]), "", math.nan, words, (place,), excluded=found.excluded)


@method("window/median-of-neighbours", version=2)
def window_near(found: Checks, cycle: float, count: int = 101) -> Extracted | None:
    """The median R_off over R_on of the `count` checks around a cycle, with the interval of order statistics; None for none.

    The checks are those next to it in their order; near an end they lie on one side. The interval is that of as many
    checks as are independent.
    """
    if not found.cycles.size:
        return None
    middle = int(np.searchsorted(found.cycles, cycle))
    first = int(np.clip(middle - count // 2, 0, max(0, found.cycles.size - count)))
    rows = range(first, min(first + count, found.cycles.size))
    part = found.ratio[rows.start : rows.stop]
    worth = residuals.effective(part)
    words = (
        f"median R_off / R_on of {len(rows)} checks from cycle {found.cycles[rows.start]:g} to"
        f" {found.cycles[rows.stop - 1]:g}; {_order_statistics(worth, part.size)}; {found.words}"
    )
    return Extracted(
        f"window around cycle {cycle:g}", float(np.median(part)), "", math.nan, words, rows,
        intervals.quantile(part, worth=worth), found.excluded,
    )  # fmt: skip


def _order_statistics(worth: float, checks: int) -> str:
    """How the interval of a quantile was found, in words."""
    if worth >= checks:
        return "order statistics"
    return f"order statistics of {int(worth)} independent checks, as successive ones are alike (autocorrelation of their ranks)"


@method("window/per-decade", version=2)
def per_decade(found: Checks) -> list[Extracted]:
    """For each decade of cycles the 5 %, 50 % and 95 % quantile of R_off over R_on, with intervals of order statistics.

    Successive checks are alike in a cell: the intervals are those of as many checks as are independent, by the
    autocorrelation, and without an end where these are too few. A window that closes within the decade counts as alike.
    """
    said = []
    decade = np.floor(np.log10(np.maximum(found.cycles, 1.0)) + 1e-12)
    for number in np.unique(decade):
        rows = np.flatnonzero(decade == number)
        part = found.ratio[rows]
        worth = residuals.effective(part)
        for share in QUANTILES:
            words = (
                f"{share:.0%} quantile of R_off / R_on of {rows.size} checks from cycle {found.cycles[rows[0]]:g} to"
                f" {found.cycles[rows[-1]]:g}; {_order_statistics(worth, rows.size)}; {found.words}"
            )
            name = f"window, {share:.0%} quantile, 1e{int(number)}-1e{int(number) + 1} cycles"
            ends = intervals.quantile(part, share, worth)
            value = float(np.quantile(part, share))
            rows_of = range(int(rows[0]), int(rows[-1]) + 1)
            said.append(Extracted(name, value, "", math.nan, words, rows_of, ends, found.excluded))
    return said


@method("window trend/power-law")
def trend(found: Checks) -> Extracted | None:
    """The exponent p of R_off / R_on = c * cycle^p over all checks, its interval for correlated noise; negative: it closes.

    None for fewer than 20 checks. One power law over all decades is an assumption: `per_decade` shows whether it holds.
    """
    if found.cycles.size < LEAST_CHECKS or found.cycles[0] <= 0:
        return None
    line = trends.trend(found.cycles, np.log(found.ratio))
    if line is None:
        return None
    slope, error, interval = line.slope
    words = (
        f"line of ln(R_off / R_on) against ln cycle, {trends.WORDS}; {found.cycles.size} checks from cycle"
        f" {found.cycles[0]:g} to {found.cycles[-1]:g}; {found.words}"
    )
    return Extracted("window exponent", slope, "", error, words, range(found.cycles.size), interval, found.excluded)


def cell_life(found: Checks, window: float, confirm: int = 3) -> Life:
    """The life of the cell until R_off / R_on stays below `window` for `confirm` checks in a row."""
    return lifetimes.life(found.cycles, found.ratio >= window, confirm)


@method("failure cycle/window")
def failure(found: Checks, window: float, confirm: int = 3) -> Extracted | None:
    """The cycle at which R_off / R_on fell below `window` and stayed so for `confirm` checks, between two checks.

    None for none.

    Without a failure the value is NaN and the interval (last sound check, inf).
    """
    if not found.cycles.size:
        return None
    item = lifetimes.failure(cell_life(found, window, confirm))
    words = f"R_off / R_on below {window:g} in {confirm} checks in a row: {item.definition}; {found.words}"
    return Extracted(
        item.name, item.value, "", item.uncertainty, words, interval=item.interval, excluded=found.excluded
    )


@method("checks below the window/share")
def share_below(found: Checks, window: float) -> Extracted | None:
    """The share of checks whose R_off / R_on is below `window`, with Clopper and Pearson's interval; None without checks."""
    count = found.cycles.size
    if not count:
        return None
    hits = int(np.count_nonzero(found.ratio < window))
    words = f"{hits} of {count} checks have R_off / R_on below {window:g}, taken as independent; {found.words}"
    value, ends = hits / count, intervals.share(hits, count)
    return Extracted(f"checks below {window:g}", value, "", math.nan, words, range(count), ends, found.excluded)
