"""Which current law a branch follows: fits on their own scale, ranked on one."""

from labctl.analysis.conduction.mechanisms import (
    STRAIGHT_LINE,
    Fit,
    Layer,
    fowler_nordheim,
    rank,
    returning,
    slopes,
    weights,
)

__all__ = ["STRAIGHT_LINE", "Fit", "Layer", "fowler_nordheim", "rank", "returning", "slopes", "weights"]
