"""Cells that are cycled: the verdict on each check, windows over cycles, lives of many cells."""

from labctl.analysis.endurance.verdict import (
    CLOSING,
    CRITERIA,
    LEAST_SWITCH,
    LEAST_VOLTAGE,
    NEAR,
    WORDS,
    Check,
    Verdict,
    counts,
    end,
    flagged,
    judge,
    judged,
    window,
)

__all__ = [
    "CLOSING",
    "CRITERIA",
    "LEAST_SWITCH",
    "LEAST_VOLTAGE",
    "NEAR",
    "WORDS",
    "Check",
    "Verdict",
    "counts",
    "end",
    "flagged",
    "judge",
    "judged",
    "window",
]
