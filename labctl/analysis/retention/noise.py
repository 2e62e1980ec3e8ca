"""The noise of many reads of one state: how large, how slow, and whether it jumps between levels that can be told apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from labctl.analysis.methods import method
from labctl.analysis.retention import trends
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
HIGH = 4.0  #: standard deviations of the noise from read to read that levels are apart: guess
#: standard deviations of the noise from read to read that a level is wide at most, unless others are far from it: guess
WIDE = 1.5
NEAR = 0.25  #: share of the distance of two levels within which a read is in one of them: guess
SUDDEN = 0.5  #: share of the changes that are jumps, from which it is telegraph noise: guess
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


@method("telegraph levels/mixture", version=2)
def levels(current: FloatArray, name: str) -> Extracted | None:
    """How many levels of the current can be told apart: 1 where none jumps; None below 50 reads.

    Of the current less its trend (`flattened`). Levels count where a mixture of normal distributions with so many has a
    lesser Schwarz criterion than one with one, its neighbours are separate by Ashman's D > 2 and by more than 4
    standard deviations of the noise from read to read and no wider than that noise, the current goes to each 3 times or
    more and stays for 2 reads or more on average, and most changes are jumps: at most one read lies on the way. A
    drift, a random walk and flicker noise pass through all values and have no levels. The definition has the centres
    (A).
    """
    if current.size < LEAST_READS or np.ptp(current) == 0:
        return None
    best, jumps, against = min((_judged(level) for level in flattened(current)), key=lambda item: item[0].bic)
    chosen = int(best.centres.size)
    words = f"levels of a mixture of normal distributions, up to {MOST_LEVELS}, less the trend; {current.size} reads"
    if chosen > 1 and not against:
        centres = ", ".join(f"{value:.4g}" for value in best.centres)
        words += (
            f"; at {centres} A, Ashman's D {_separation(best):.2g}, {jumps.stay:.3g} reads in a row and {jumps.visits} visits"
            f" at least, {jumps.sudden:.0%} of the changes are jumps"
        )
    elif chosen > 1:
        words += (
            f"; {chosen} fit best, but do not count: {', '.join(against)}; the shape of the noise or a drift, no levels"
        )
    found = 1 if against else chosen
    return Extracted(f"{name}: levels", float(found), "", math.nan, words, range(current.size))


def flattened(current: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The current (A) less its trend, about the same mean: a line in the number of the read and in its logarithm.

    Fitted to the current, and to the current without its jumps, which bend the line of the first where they are large.
    Jumps are steps of more than 4 standard deviations, at least half of which is left between the medians of three reads
    before and behind, so that stray reads are none.
    """
    steps = np.diff(current)
    padded = np.concatenate([np.repeat(current[:1], 2), current, np.repeat(current[-1:], 2)])
    medians = np.median(np.lib.stride_tricks.sliding_window_view(padded, 3), axis=1)  # of reads k - 2 to k
    apart = np.abs(medians[3:] - medians[:-3])
    jump = (np.abs(steps) > HIGH * math.sqrt(2.0) * trends.scatter(current)) & (2.0 * apart >= np.abs(steps))
    path = np.concatenate([[0.0], np.cumsum(np.where(jump, 0.0, steps))])
    return current - _trend(current), current - _trend(path)


def _trend(values: FloatArray) -> FloatArray:
    """The least-squares line of values in their number and its logarithm, about 0, shape (n,)."""
    number = np.arange(1, values.size + 1, dtype=np.float64)
    design = np.column_stack([np.ones(number.size), number / number.size, np.log(number)])
    scale = float(np.ptp(values)) or 1.0
    line = scale * (design @ np.linalg.lstsq(design, (values - values.mean()) / scale, rcond=None)[0])
    return np.asarray(line - line.mean())


def _judged(level: FloatArray) -> tuple[Mixture, Jumps, list[str]]:
    """The mixture with the least criterion among those that nothing speaks against, else among all; and what does."""
    noise = trends.scatter(level)
    one, *more = [mixture(level, count) for count in range(1, MOST_LEVELS + 1)]
    several = [(item, jumps := _jumps(level, item.centres), _against(item, jumps, noise)) for item in more]
    better = sorted((item for item in several if item[0].bic < one.bic), key=lambda item: item[0].bic)
    return min(better, key=lambda item: bool(item[2]), default=(one, ONE, []))


@dataclass(frozen=True)
class Jumps:
    """How the current goes between levels. stay: mean reads in a row of the level with the shortest stay; visits: to the
    level with the fewest; sudden: share of the changes with at most one read on the way, 0 without a change.
    """

    stay: float
    visits: int
    sudden: float


ONE = Jumps(math.inf, 1, 0.0)  #: of one level


def _against(found: Mixture, jumps: Jumps, noise: float) -> list[str]:
    """What speaks against levels, in words; noise: standard deviation from read to read (A)."""
    apart = _separation(found)
    high = float(np.diff(found.centres).min()) / noise if noise > 0 else math.inf
    said = [f"Ashman's D {apart:.2g} ({SEPARATE:g} needed)"] if apart <= SEPARATE else []
    said += [f"{high:.2g} standard deviations of the noise apart ({HIGH:g})"] if high <= HIGH else []
    wide, most = float(found.widths.max()), max(WIDE * noise, high * noise / 8.0)  # an eighth of their distance: guess
    said += (
        [f"a level {wide / noise:.2g} standard deviations of the noise wide ({most / noise:.2g})"]
        if wide > most
        else []
    )
    said += [f"{jumps.stay:.2g} reads in a row ({STAY:g})"] if jumps.stay < STAY else []
    said += [f"{jumps.visits} visits ({VISITS})"] if jumps.visits < VISITS else []
    said += [f"{jumps.sudden:.0%} of the changes are jumps ({SUDDEN:.0%})"] if jumps.sudden < SUDDEN else []
    return said


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


def _jumps(values: FloatArray, centres: FloatArray) -> Jumps:
    """How the current goes between levels; a read is in one within a quarter of the distance to the next, else on the way.

    On the way it counts as where it was, so that noise between two levels makes no visits.
    """
    if centres.size < 2:
        return Jumps(float(values.size), 1, 0.0)
    near = NEAR * float(np.diff(centres).min())
    place = np.argmin(np.abs(values[:, None] - centres), axis=1)
    inside = np.flatnonzero(np.abs(values - centres[place]) <= near)
    change = np.flatnonzero(np.diff(place[inside]))  # the places before one
    between = inside[change + 1] - inside[change] - 1
    sudden = float(np.mean(between <= 1)) if change.size else 0.0
    starts = np.concatenate([inside[:1], inside[change + 1]])
    stays = np.diff(np.append(starts, values.size))
    of = place[starts]
    each = [stays[of == level] for level in range(centres.size)]
    return Jumps(
        min(float(part.mean()) if part.size else 0.0 for part in each), min(part.size for part in each), sudden
    )
