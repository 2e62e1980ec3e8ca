"""A cell's conductance as simulators of neural networks step it: the mean step at every conductance, and its scatter.

The mean curve of each branch is NeuroSim's exponential, in which a step is linear in the conductance reached; its scatter
has two parts, one that stays in the cell (of the step) and one that is gone at the next read (of the read).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labctl.analysis.plasticity import curves as plasticity_curves
from labctl.contracts import Extracted, FloatArray


@dataclass(frozen=True)
class Way:
    """One branch. first, last: conductance (S) before the first and after the last of `pulses`, of the fitted curve.

    bend: the curve's number, positive where it saturates; rms: of the mean curve about it, S; step_scatter, read_scatter:
    standard deviations, S; label: NeuroSim's.
    """

    first: float
    last: float
    bend: float
    pulses: int
    rms: float
    step_scatter: float
    read_scatter: float
    label: Extracted

    @property
    def share(self) -> float:
        """By how much of the conductance a step changes with it: d(step)/dG = -share."""
        return -math.expm1(-self.bend / self.pulses)

    def step(self, conductance: FloatArray) -> FloatArray:
        """The mean change (S) by one pulse at `conductance` (S)."""
        at_first = (self.last - self.first) * float(
            plasticity_curves.exponential(np.array([1.0 / self.pulses]), self.bend)[0]
        )
        return np.asarray(at_first - self.share * (conductance - self.first))

    def curve(self) -> FloatArray:
        """The conductance (S) before the first and after each pulse, shape (pulses + 1,)."""
        u = np.linspace(0.0, 1.0, self.pulses + 1)
        return np.asarray(self.first + (self.last - self.first) * plasticity_curves.exponential(u, self.bend))


@dataclass(frozen=True)
class UpdateModel:
    """Both branches, and the range both have: low, high in S."""

    up: Way
    down: Way

    @property
    def low(self) -> float:
        """The greater of the two lower ends, S."""
        return max(self.up.first, self.down.last)

    @property
    def high(self) -> float:
        """The smaller of the two upper ends, S."""
        return min(self.up.last, self.down.first)

    @property
    def mismatch(self) -> float:
        """How far apart the ends of the branches are, over the range they share."""
        apart = max(abs(self.up.first - self.down.last), abs(self.up.last - self.down.first))
        return apart / (self.high - self.low) if self.high > self.low else math.inf


def model(up: Sequence[FloatArray], down: Sequence[FloatArray]) -> UpdateModel | None:
    """The model behind the branches of one or more cycles; None where one can't be fitted, or they share no range.

    up, down: for each cycle the conductances (S) before the first and after each pulse, equally long, NaN where not read.
    """
    ways = [_way(up, "potentiation"), _way(down, "depression")]
    if ways[0] is None or ways[1] is None or not ways[0].last > ways[0].first or not ways[1].last < ways[1].first:
        return None
    found = UpdateModel(ways[0], ways[1])
    return found if found.high > found.low else None


def _way(cycles: Sequence[FloatArray], name: str) -> Way | None:
    table = np.stack([values for values in cycles if values.size])
    known = np.isfinite(table)
    counts = known.sum(axis=0)
    total = np.where(known, table, 0.0).sum(axis=0)
    mean = np.where(counts > 0, total / np.maximum(counts, 1), np.nan)
    curve, label = plasticity_curves.fit(mean, plasticity_curves.exponential), plasticity_curves.label(mean, name)
    if curve is None or label is None:
        return None
    pulses = mean.size - 1
    smooth = Way(curve.first, curve.last, curve.number, pulses, curve.rms, 0.0, 0.0, label)
    step, read = scatter(np.diff(table, axis=1) - np.diff(smooth.curve()))
    return Way(curve.first, curve.last, curve.number, pulses, curve.rms, step, read, label)


def scatter(off: FloatArray) -> tuple[float, float]:
    """Scatter (S) of steps that stays, and of reads that does not, from deviations of steps, shape (cycles, steps).

    A misread level makes a step too large and the next as much too small: the covariance of neighbouring steps is minus the
    variance of the reads, and what is left of the steps' variance their own. NaN (a level not read) is passed over.
    """
    pairs = off[:, 1:] * off[:, :-1]
    reads = max(-float(np.nanmean(pairs)), 0.0) if np.isfinite(pairs).any() else 0.0
    steps = max(float(np.nanmean(off**2)) - 2.0 * reads, 0.0) if np.isfinite(off).any() else 0.0
    return math.sqrt(steps), math.sqrt(reads)
