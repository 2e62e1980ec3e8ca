"""Draw a curve with characters, for a terminal: |y| on a logarithmic axis against x."""

from __future__ import annotations

import numpy as np

from labctl.contracts import FloatArray
from labctl.quantities import show


def sketch(x: FloatArray, y: FloatArray, units: tuple[str, str], width: int = 64, height: int = 16) -> list[str]:
    """Lines of text showing |y| (logarithmic, in units[1]) against x (in units[0]); [] if nothing can be drawn.

    x, y: shape (n,); points where y is 0 or no number are left out.
    """
    usable = np.isfinite(x) & np.isfinite(y) & (y != 0)
    if usable.sum() < 2 or np.ptp(x[usable]) == 0:
        return []
    across, decades = x[usable], np.log10(np.abs(y[usable]))
    low, high = np.floor(decades.min()), np.ceil(decades.max())
    high = max(high, low + 1)
    columns = np.rint((across - across.min()) / np.ptp(across) * (width - 1)).astype(int)
    rows = np.rint((high - decades) / (high - low) * (height - 1)).astype(int)
    canvas = np.full((height, width), " ")
    canvas[rows, columns] = "*"
    labels = {0: show(10.0**high, units[1], 3), height - 1: show(10.0**low, units[1], 3)}
    lines = [f"{labels.get(row, ''):>9} |{''.join(canvas[row])}".rstrip() for row in range(height)]
    left, right = (show(float(edge), units[0], 3) for edge in (across.min(), across.max()))
    return [*lines, f"{'':9} +{'-' * width}", f"{'':11}{left}{right:>{width - len(left)}}"]
