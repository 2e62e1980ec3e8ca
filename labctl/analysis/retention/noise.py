"""The noise of many reads of one state: how large, how slow, and whether it jumps between levels that can be told apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.methods import method
from labctl.contracts import Extracted, FloatArray

LEAST_READS = 50  #: for any of it: guess
MOST_LEVELS = 3  #: looked for
STEPS = 300  #: most, of the expectation-maximisation
SETTLED = 1e-9  #: change of the mean logarithm of the likelihood at which it ends
#: distance of two levels over their root-mean-square width from which a mixture has two peaks (Ashman, Bird and Zepf,
#: Astron. J. 108, 2348, 1994)
SEPARATE = 2.0
VISITS = (
    3  #: to each level, from which jumps to and fro are telegraph noise and not a drift from one to the other: guess
)
STAY = 2.0  #: mean reads in a row in each level, from which jumps are telegraph noise and not single stray reads: guess


@method("read noise/second-differences")
def read_noise(current: FloatArray, name: str) -> list[Extracted]:
    """The relative noise from read to read, and the whole relative spread of the reads; [] below 50.

    current: A, shape (n,), reads at even distances, finite. The first is from second differences, so that drift and
    slow noise do not count; the second is of ln|I|, so everything counts. Their ratio says how much of the noise is
    slow.
    """
    if current.size < LEAST_READS or np.any(current == 0):
        return []
    y = np.log(np.abs(current))
    fast = float(np.std(np.diff(y, 2))) / math.sqrt(6.0)
    whole = float(np.std(y, ddof=1))
    count = f"{current.size} reads"
    said = f"standard deviation of second differences of ln|I| / sqrt(6); {count}"
    return [
        Extracted(f"{name}: noise from read to read", fast, "", fast / math.sqrt(current.size), said),
        Extracted(f"{name}: spread of all reads", whole, "", math.nan, f"standard deviation of ln|I|; {count}"),
    ]


@dataclass(frozen=True)
class Mixture:
    """Normal levels: their centres, widths and shares, shape (k,) each; bic: Schwarz's criterion, the less the better."""

    centres: FloatArray
    widths: FloatArray
    shares: FloatArray
    bic: float


@method("telegraph levels/mixture")
def levels(current: FloatArray, name: str) -> Extracted | None:
    """How many levels of the current can be told apart: 1 where none jumps; None below 50 reads.

    Levels count where a mixture of normal distributions with so many has the least Schwarz criterion, its neighbours
    are separate by Ashman's D > 2, and the current stays in each for 2 reads or more on average. The definition has the
    centres (A).
    """
    if current.size < LEAST_READS or np.ptp(current) == 0:
        return None
    mixtures = [mixture(current, count) for count in range(1, MOST_LEVELS + 1)]
    best = min(mixtures, key=lambda item: item.bic)
    chosen = int(best.centres.size)
    apart = _separation(best)
    stay, visits = _stay(current, best)
    found = chosen if chosen == 1 or (apart > SEPARATE and stay >= STAY and visits >= VISITS) else 1
    words = f"levels of a mixture of normal distributions, up to {MOST_LEVELS}, {current.size} reads"
    if found > 1:
        centres = ", ".join(f"{value:.4g}" for value in best.centres)
        words += f"; at {centres} A, Ashman's D {apart:.2g}, {stay:.3g} reads in a row and {visits} visits at least"
    elif chosen > 1:
        words += (
            f"; {chosen} fit best, but do not count: Ashman's D {apart:.2g} ({SEPARATE:g} needed), {stay:.2g} reads in a"
            f" row ({STAY:g}), {visits} visits ({VISITS}); the shape of the noise or a drift, no levels"
        )
    return Extracted(f"{name}: levels", float(found), "", math.nan, words, range(current.size))


def mixture(values: FloatArray, count: int) -> Mixture:
    """`count` normal levels fitted by expectation-maximisation from evenly spaced quantiles; deterministic."""
    centre, spread = float(values.mean()), float(values.std())
    x = (values - centre) / spread
    mu = np.quantile(x, (np.arange(count) + 0.5) / count)
    width, share = np.full(count, 1.0 / count), np.full(count, 1.0 / count)
    before = -math.inf
    for _ in range(STEPS):
        logs = np.log(share) - np.log(width) - 0.5 * ((x[:, None] - mu) / width) ** 2 - 0.5 * math.log(2 * math.pi)
        total = np.logaddexp.reduce(logs, axis=1)
        if abs(float(total.mean()) - before) < SETTLED:
            break
        before = float(total.mean())
        weight = np.exp(logs - total[:, None])
        mass = weight.sum(axis=0)
        mu = (weight.T @ x) / mass
        width = np.sqrt(np.maximum(np.sum(weight * (x[:, None] - mu) ** 2, axis=0) / mass, 1e-6))
        share = np.maximum(mass / x.size, 1e-12)
    order = np.argsort(mu)
    bic = (3 * count - 1) * math.log(x.size) - 2 * float(total.sum())
    return Mixture(centre + spread * mu[order], spread * width[order], share[order], bic)


def _separation(found: Mixture) -> float:
    """Ashman's D of the two nearest levels; inf for one."""
    if found.centres.size < 2:
        return math.inf
    widths = np.sqrt(0.5 * (found.widths[1:] ** 2 + found.widths[:-1] ** 2))
    return float(np.min(np.diff(found.centres) / widths))


def _visits(place: NDArray[np.int64], level: int) -> tuple[int, int]:
    """How many reads are in a level, and how often it is entered."""
    mine = place == level
    entered = np.append(mine[:1], mine[1:] & ~mine[:-1])
    return int(np.count_nonzero(mine)), int(np.count_nonzero(entered))


def _stay(values: FloatArray, found: Mixture) -> tuple[float, int]:
    """Mean reads in a row of the level with the shortest stay, and visits to the level with the fewest."""
    z = (values[:, None] - found.centres) / found.widths
    place = np.argmax(np.log(found.shares / found.widths) - 0.5 * z**2, axis=1)
    visits = [_visits(place, level) for level in range(found.centres.size)]
    return min(count / max(1, entered) for count, entered in visits), min(entered for _, entered in visits)
