"""Every current law fitted to one branch of an I-V curve, and how likely each is the best of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.conduction import floor as floors
from labctl.analysis.conduction.fit import LEAST_ROWS, LEAST_SPAN, Line, line, longest
from labctl.analysis.conduction.floor import Floor
from labctl.analysis.conduction.laws import HIGHEST, LAWS, NAN, Layer, implied
from labctl.analysis.statistics.residuals import EXACT, independent
from labctl.contracts import Extracted, FloatArray, Status

Rows = NDArray[np.int64]
#: difference of AICc up to which two laws are as good as each other, and up to which the worse is not ruled out:
#: K. P. Burnham and D. R. Anderson, Model Selection and Multimodel Inference, 2nd ed. (2002), 2.6
ALIKE, POSSIBLE = 2.0, 4.0
STRAY = 5.0  #: standard deviations of the noise against the voltage, from which a row is not of it: guess


@dataclass(frozen=True)
class Fit:
    """One current law, fitted to all usable rows of a branch.

    law: its name; axes: the plot in which it is a line; slope, error, interval, unit: of that line (error 0 where the law fixes
    the slope); r_squared: on that plot; rms: of ln|I|; correlation: of neighbouring residuals; aicc, delta, weight: Akaike's
    criterion for few rows, its distance from the best law, the law's weight among all; rows: usable rows (places in the
    arrays given); valid: smallest and greatest |V| (V) of the longest straight stretch, NaN for none; valid_rows: how many rows
    of it; implied: what the slope says of the film; remarks: what speaks against the law, or can't be decided.
    """

    law: str
    axes: str
    slope: float
    error: float
    interval: tuple[float, float]
    unit: str
    r_squared: float
    rms: float
    correlation: float
    aicc: float
    delta: float
    weight: float
    rows: Sequence[int]
    excluded: int
    valid: tuple[float, float]
    valid_rows: int
    implied: tuple[Extracted, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def possible(self) -> bool:
        """Whether the slope has the sign and size the law asks for."""
        return math.isfinite(self.aicc)


def rank(
    voltage: FloatArray,
    current: FloatArray,
    status: NDArray[np.int64] | None = None,
    layer: Layer | None = None,
) -> list[Fit]:
    """Every current law fitted to a branch, the likeliest first; [] for too few rows.

    layer: the film, for what the slopes imply of it. At least 8 usable rows which span a factor 1.5 in |V| and in |I|.
    Laws whose slope has the wrong sign or is too small come last, with weight 0.
    """
    found = usable(voltage, current, status)
    if not enough(found.v, found.i):
        return []
    lines = [line(law, found.v, found.i, floor=found.floor) for law in LAWS]
    aicc = _criteria(lines, None)
    order = sorted(range(len(lines)), key=lambda k: (aicc[k], lines[k].rms))
    likely = _akaike(aicc)
    best = float(aicc[order[0]])
    scores = [(float(aicc[k]), float(aicc[k]) - best, float(likely[k])) for k in order]
    fits = [_fit(lines[k], found, score, layer or Layer()) for k, score in zip(order, scores, strict=True)]
    other = _other_noise(found.v, found.i) if found.floor.sigma == 0 else fits[0].law
    return _remarked(fits, other, independent(lines[order[0]].residuals))


@dataclass(frozen=True)
class Usable:
    """The rows of a branch that count, by ascending |V|. v: |V| (V); i: current along the voltage (A), above 0 but where
    there is a floor; rows: their places; excluded: rows left out (not those at 0 V); floor: the noise of the ammeter, if any.
    """

    rows: Rows
    v: FloatArray
    i: FloatArray
    excluded: int
    floor: Floor

    def part(self, chosen: NDArray[np.bool_]) -> Usable:
        """Some of the rows."""
        return replace(self, rows=self.rows[chosen], v=self.v[chosen], i=self.i[chosen])


def usable(voltage: FloatArray, current: FloatArray, status: NDArray[np.int64] | None) -> Usable:
    """Rows that count: of normal status, and along the voltage; where the smallest are noise, those above it, as they are."""
    normal = np.ones(voltage.size, bool) if status is None else np.asarray(status == int(Status.NORMAL))
    rows = np.flatnonzero(normal & np.isfinite(voltage) & np.isfinite(current) & (voltage != 0))
    rows = rows[np.argsort(np.abs(voltage[rows]), kind="stable")]
    i = current[rows] * np.sign(voltage[rows])
    floor = floors.found(i)
    kept = np.arange(i.size) >= floors.first_above(i, floor)
    kept &= (i != 0) & (i > (0.0 if floor.sigma == 0 else -STRAY * floor.sigma))
    rows = rows[kept]
    return Usable(rows, np.abs(voltage[rows]), i[kept], int(np.count_nonzero(voltage != 0)) - rows.size, floor)


def enough(v: FloatArray, i: FloatArray, span: float = LEAST_SPAN) -> bool:
    """Whether |V| and |I|, by ascending |V|, are at least 8 rows that span this factor each."""
    return bool(v.size >= LEAST_ROWS and v[-1] >= span * v[0] and i.max() >= span * i.min())


def _criteria(lines: Sequence[Line], noise: FloatArray | None) -> FloatArray:
    """Akaike's criterion of each law; noise: inverse variances of ln|I|, all alike by default; inf for laws ruled out.

    Where neighbouring residuals of the best law are alike, the likelihood counts for as many rows as are independent, much as
    QAICc treats overdispersed data (Burnham and Anderson, 2.5).
    """
    w = np.ones(lines[0].residuals.size) if noise is None else noise / noise.mean()
    left = np.array([max(float(np.mean(w * item.residuals**2)), EXACT**2) for item in lines])
    means_it = np.array([item.law.means_it(item.slope) for item in lines])
    k = np.array([item.law.parameters + 1 for item in lines], dtype=np.float64)
    best = lines[int(np.argmin(np.where(means_it, left, np.inf)))]
    criteria = independent(best.residuals) * np.log(left) + 2.0 * k + 2.0 * k * (k + 1.0) / (w.size - k - 1.0)
    return np.where(means_it, criteria, np.inf)


def _akaike(aicc: FloatArray) -> FloatArray:
    """How likely each is the best, by exp(-delta / 2), all together 1."""
    likelihood = np.exp(-0.5 * (aicc - aicc.min()))
    return np.asarray(likelihood / likelihood.sum())


def _other_noise(v: FloatArray, i: FloatArray) -> str:
    """The best law if the scatter of the current were the same for all currents: weights I^2 of ln|I|."""
    lines = [line(law, v, i, i**2) for law in LAWS]
    return lines[int(np.argmin(_criteria(lines, i**2)))].law.name


def _fit(found: Line, of: Usable, score: tuple[float, float, float], layer: Layer) -> Fit:
    """score: AICc, its distance from the best law, the weight."""
    v = of.v
    part = longest(found.law, v, of.i, floor=of.floor)
    valid = (NAN, NAN) if part is None else (float(v[part][0]), float(v[part][-1]))
    means_it = found.law.means_it(found.slope)
    about = implied(found.law, found.slope, found.error, layer) if means_it else []
    remarks = (
        [remark for _, remark in about if remark] if means_it else ["the slope has the wrong sign, or is too small"]
    )
    if of.floor.sigma > 0:
        remarks.append(f"fitted to the current above a noise of {of.floor.sigma:.2g} A, weighted by it")
    if math.isfinite(found.height):
        remarks.append(_barrier(found.height, float(v[-1])))
    return Fit(
        found.law.name, found.law.axes, found.slope, found.error, found.interval, found.law.unit, found.r_squared, found.rms,
        found.correlation, *score, tuple(of.rows.tolist()), of.excluded, valid,
        0 if part is None else part.stop - part.start, tuple(number for number, _ in about), tuple(remarks),
    )  # fmt: skip


def _barrier(height: float, top: float) -> str:
    if height >= 0.95 * HIGHEST * top:
        return "the barrier is too high above the voltages to be determined; the curve is as good as ohmic"
    if height <= 1.02 * top:
        return f"the barrier would be as high as the greatest voltage ({top:.3g} V): the law may end there"
    return f"barrier of {height:.3g} V (that of all junctions in series)"


def _remarked(fits: list[Fit], other: str, count: int) -> list[Fit]:
    """Say which laws can't be told apart, whether the kind of scatter decides, whether no law describes the curve."""
    best = fits[0]
    rivals = [fit for fit in fits[1:] if fit.delta < POSSIBLE]
    said = [_rivalry(fit) for fit in rivals]
    if other != best.law:
        said.append(
            f"the kind of scatter decides: with one that is the same for all currents {other} would be the best"
        )
    if count < len(best.rows):
        said.append(
            "no law follows the curve to within its scatter: neighbouring residuals are alike (correlation"
            f" {best.correlation:.2f}), {count} of {len(best.rows)} rows count as independent"
        )
    marked = [replace(best, remarks=(*best.remarks, *said))]
    for fit in fits[1:]:
        words = (f"not told apart from {best.law} (delta AICc {fit.delta:.2g})",) if fit in rivals else ()
        marked.append(replace(fit, remarks=(*fit.remarks, *words)))
    return marked


def _rivalry(fit: Fit) -> str:
    how = "as good as this" if fit.delta < ALIKE else "not ruled out"
    return f"{fit.law} is {how} (delta AICc {fit.delta:.2g})"
