"""Where and how a cell switches, from I-V loops: every definition in use, side by side.

`HalfLoop` is one way from 0 V to a peak and back; the functions of `onset`, `offset`, `branches` and `limiting` ask it one
question each, `HalfLoops` asks them of every half loop of a run, stretch by stretch, so that a file needs not be in memory as a
whole. The functions of `steps` take plain arrays. `split` cuts a plain list of voltages into half loops.
"""

from labctl.analysis.switching.half import HalfLoop
from labctl.analysis.switching.many import HalfLoops, forming, forming_series, switching_off, switching_on
from labctl.analysis.switching.onset import largest_step
from labctl.analysis.switching.run import LoopRun, of_tables
from labctl.analysis.switching.steps import (
    FLOOR,
    LEAST_RESET,
    LEAST_STEP,
    by_cycle,
    complete,
    hold_voltage,
    over_cycles,
    read_resistance,
    reset_voltage,
    threshold_voltage,
)

__all__ = [
    "FLOOR",
    "LEAST_RESET",
    "LEAST_STEP",
    "HalfLoop",
    "HalfLoops",
    "LoopRun",
    "by_cycle",
    "complete",
    "forming",
    "forming_series",
    "hold_voltage",
    "largest_step",
    "of_tables",
    "over_cycles",
    "read_resistance",
    "reset_voltage",
    "switching_off",
    "switching_on",
    "threshold_voltage",
]
