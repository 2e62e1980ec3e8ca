"""Whether what a fit leaves over is scatter, or hangs together because the fit's assumption fails.

Residuals are taken in the order of the abscissa, shape (n,).
"""

from __future__ import annotations

import math

import numpy as np

from labctl.contracts import FloatArray

EXACT = 1e-9  #: rms of residuals, in units where the data are about 1, that counts as none: rounding
LEAST_ORDERED = 8  #: values whose autocorrelation says something: guess
MOST = 0.99  #: correlation above which more says nothing: guess


def correlation(residuals: FloatArray) -> float:
    """Correlation of neighbouring residuals; 0 where there is nothing left over."""
    square = float(residuals @ residuals)
    if square <= residuals.size * EXACT**2:
        return 0.0
    return float(residuals[1:] @ residuals[:-1]) / square


def inflated(r: float, rows: int) -> float:
    """By how much more rows are needed for the same knowledge where neighbours are alike; 1 where chance explains it.

    r: correlation of neighbouring residuals; chance gives up to 2 / sqrt(rows). It comes out too small by (1 + 3 r) / rows
    about a mean (M. G. Kendall, Biometrika 41, 403, 1954), about a line by (2 + 4 r) / rows.
    """
    if r <= 2.0 / math.sqrt(rows):
        return 1.0
    true = min(r + (2.0 + 4.0 * r) / rows, MOST)
    return (1.0 + true) / (1.0 - true)


def independent(residuals: FloatArray) -> int:
    """How many rows count as independent: all, or where neighbouring residuals are alike twice the stretches of one sign.

    Scatter changes its sign at every second row; what a wrong law leaves over does so a few times (Wald and Wolfowitz, Ann.
    Math. Stat. 11, 147 (1940), test for that).
    """
    rows = residuals.size
    if inflated(correlation(residuals), rows) == 1.0:
        return rows
    changes = np.count_nonzero(np.diff(np.signbit(residuals)))
    return min(rows, 2 * (int(changes) + 1))


def effective(values: FloatArray) -> float:
    """How many independent values know as much as these of their middle, from the autocorrelation of their ranks.

    values: shape (n,), in the order measured. n over 1 + 2 times the sum of the correlations, summed as far as pairs of
    them are positive (C. J. Geyer, Stat. Sci. 7, 473, 1992), each raised by what it comes out too small about a mean; or
    by that of neighbours alone where that is fewer. All n where neighbours are no more alike than by chance.
    """
    rows = values.size
    if rows < LEAST_ORDERED or np.ptp(values) == 0:
        return float(rows)
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(np.float64)
    off = ranks - ranks.mean()
    lines = np.abs(np.fft.rfft(off, 2 * rows)) ** 2
    r = np.fft.irfft(lines)[: rows // 2 * 2]
    r /= r[0]
    chance = 2.0 / math.sqrt(rows)
    pairs = r[0::2] + r[1::2]
    if r[1] <= chance:
        return float(rows)
    end = int(np.argmax(pairs <= chance)) if np.any(pairs <= chance) else pairs.size
    summed = 2.0 * float(pairs[:end].sum()) - 1.0
    summed /= max(1.0 - 2.0 * summed / rows, 0.1)  # about their mean they come out too small: a tenth at most, guess
    return rows / max(summed, inflated(float(r[1]), rows), 1.0)
