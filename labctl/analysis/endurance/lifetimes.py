"""How many cycles cells live: each life lies between the last sound and the first failing check, or outlives the test.

Lives go into a Weibull distribution as what they are: intervals and survivors. Taking survivors for failures, or the
first failing check for the moment of death, makes the answer wrong and its error too small.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.methods import method
from labctl.analysis.statistics import intervals
from labctl.analysis.statistics.families import Fit, fit
from labctl.analysis.statistics.samples import Sample, between
from labctl.contracts import Extracted, FloatArray

#: shares of cells that have failed, of which the life is stated: the 10 % of reliability work ("B10"), and half
SHARES = (0.1, 0.5)


@dataclass(frozen=True)
class Life:
    """The life of one cell, in cycles: more than `survived` (the last sound check, 0 for none), at most `failed` (inf:
    not yet).
    """

    survived: float
    failed: float

    @property
    def ended(self) -> bool:
        """Whether the cell failed within the test."""
        return math.isfinite(self.failed)


def life(cycles: FloatArray, sound: NDArray[np.bool_], confirm: int = 1) -> Life:
    """The life of a cell from its checks, shape (n,), cycles rising: up to the first `confirm` failing checks in a row.

    Fewer failing checks at the very end are no failure yet: the life is censored at the last sound one. No check: (0,
    inf).
    """
    failing = 0
    for place, good in enumerate(np.asarray(sound, dtype=bool)):
        failing = 0 if good else failing + 1
        if failing == confirm:
            first = place - confirm + 1
            return Life(float(cycles[first - 1]) if first else 0.0, float(cycles[first]))
    seen = np.flatnonzero(sound)
    return Life(float(cycles[seen[-1]]) if seen.size else 0.0, math.inf)


def lives(found: Iterable[Life]) -> Sample:
    """The lives of many cells as a sample; a cell that survived no check and did not fail says nothing, and is left out."""
    telling = [item for item in found if item.survived > 0 or item.ended]
    return between([item.survived for item in telling], [item.failed for item in telling], "life", "")


@method("life/interval-censored")
def failure(found: Life) -> Extracted:
    """The cycle of failure: the middle between last sound and first failing check, in logarithm where it can be.

    NaN for a survivor.

    uncertainty: their distance / sqrt(12). interval: both checks, which hold the failure with certainty; (last sound,
    inf) of a survivor.
    """
    ends = (found.survived, found.failed)
    if not found.ended:
        words = f"not reached: alive at the last sound check, cycle {found.survived:g} (censored)"
        return Extracted("failure cycle", math.nan, "", math.nan, words, interval=ends)
    middle = math.sqrt(found.survived * found.failed) if found.survived > 0 else 0.5 * found.failed
    words = f"between the last sound check, cycle {found.survived:g}, and the first failing one, cycle {found.failed:g}"
    return Extracted(
        "failure cycle", middle, "", (found.failed - found.survived) / math.sqrt(12.0), words, interval=ends
    )


@method("life/weibull-interval-censored")
def weibull(found: Sample) -> list[Extracted]:
    """Weibull scale (63.2 % have failed), shape, and the lives of 10 % and 50 % of the cells, from censored lives.

    Likelihood intervals from 5 failures on; [] below 3 cells or 2 failures. What lies beyond the longest life seen is
    named as extrapolated.
    """
    result = fit(found, "weibull")
    if result is None:
        return []
    failed = int(np.count_nonzero(np.isfinite(found.upper)))
    words = f"Weibull by maximum likelihood, lives between checks and survivors censored; {failed} of {len(found)} cells failed"
    if not result.region.size:
        words += f"; fewer than {intervals.LEAST_EVENTS} failures: no interval"
    shape = 1.0 / result.scale
    low, high = result.scale_interval()
    return [
        _at(result, 1.0 - math.exp(-1.0), "characteristic life", f"63.2 % have failed; {words}"),
        Extracted("Weibull shape", shape, "", shape * result.errors[1], words, interval=(1.0 / high, 1.0 / low)),
        *(_at(result, share, f"B{100 * share:.0f} life", f"{share:.0%} have failed; {words}") for share in SHARES),
    ]


def _at(result: Fit, share: float, name: str, words: str) -> Extracted:
    value = float(result.quantile(np.asarray(share)))
    sample = result.sample
    longest = float(np.max(np.where(np.isfinite(sample.upper), sample.upper, sample.lower)))
    if value > longest:
        words += f"; beyond the data by {math.log10(value / longest):.2g} decades"
    interval = result.quantile_interval(share)
    error = (
        (math.log(interval[1]) - math.log(interval[0])) / (2 * 1.96) * value
        if 0 < interval[0] < interval[1]
        else math.nan
    )
    return Extracted(name, value, "", error, words, range(len(sample)), interval)
