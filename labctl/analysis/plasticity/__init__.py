"""How conductance follows pulses: linearity, asymmetry, levels, fitted curves, and a model for exports."""

from labctl.analysis.plasticity.figures import (
    APART,
    LEAST_POINTS,
    LEAST_READS,
    NAN,
    asymmetric_ratio,
    asymmetry,
    change,
    cycle_variation,
    dynamic_range,
    label_difference,
    levels_apart,
    linearity,
    nonlinearity,
    over_cycles,
)

__all__ = [
    "APART",
    "LEAST_POINTS",
    "LEAST_READS",
    "NAN",
    "asymmetric_ratio",
    "asymmetry",
    "change",
    "cycle_variation",
    "dynamic_range",
    "label_difference",
    "levels_apart",
    "linearity",
    "nonlinearity",
    "over_cycles",
]
