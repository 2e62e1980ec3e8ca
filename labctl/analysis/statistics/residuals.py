"""Whether what a fit leaves over is scatter, or hangs together because the fit's assumption fails.

Residuals are taken in the order of the abscissa, shape (n,).
"""

from __future__ import annotations

import math

import numpy as np

from labctl.contracts import FloatArray

EXACT = 1e-9  #: rms of residuals, in units where the data are about 1, that counts as none: rounding
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
