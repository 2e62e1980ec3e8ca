"""Half loops made from a known answer: where they switch is given, and hidden from what is tested."""

from __future__ import annotations

import numpy as np

from labctl.analysis.switching import HalfLoop

CLEAN = np.random.default_rng(0)


def levels(peak: float = 1.0, rows: int = 101) -> np.ndarray:
    up = np.linspace(0, peak, rows)
    return np.concatenate([up, up[-2::-1]])


def half_loop(
    level: np.ndarray, siemens: np.ndarray, noise: float = 0.0, rng: np.random.Generator = CLEAN,
    compliance: float = 1e9, offset: float = 1e-13,
) -> HalfLoop:  # fmt: skip
    """A half loop of these conductances (S) with relative and additive (A) noise; rows beyond the compliance are limited."""
    current = level * siemens * (1 + noise * rng.standard_normal(level.size)) + offset * rng.standard_normal(level.size)
    limited = np.abs(current) > compliance
    voltage = np.where(limited, np.sign(level) * compliance / np.maximum(siemens, 1e-30), level)
    current = np.where(limited, np.sign(level) * compliance, current)
    return HalfLoop(level, voltage, current, limited.astype(np.int64))


def rows_of(half: HalfLoop, cycle: int, segment: int) -> dict[str, np.ndarray]:
    """A half loop as the recipe of I-V loops stores it."""
    count = half.level.size
    return {
        "level": half.level, "voltage": half.voltage, "current": half.current, "status": half.status,
        "cycle": np.full(count, cycle), "segment": np.full(count, segment),
    }  # fmt: skip


def threshold(
    on_at: float, off_at: float, on: float = 1e-4, off: float = 1e-9, peak: float = 1.0, rows: int = 101
) -> tuple[np.ndarray, np.ndarray]:
    """Levels and conductances of a jump up at `on_at` and down at `off_at` (V, magnitudes); off_at = 0: it stays on."""
    level = levels(peak, rows)
    back = np.arange(level.size) >= rows
    conducts = np.where(back, np.abs(level) >= off_at, np.abs(level) >= on_at)
    return level, np.where(conducts, on, off)


def reset(
    at: float, on: float = 1e-4, off: float = 1e-6, peak: float = -1.0, rows: int = 101
) -> tuple[np.ndarray, np.ndarray]:
    """Levels and conductances of a jump down at `at` (V, magnitude), which lasts."""
    level = levels(peak, rows)
    gone = (np.arange(level.size) >= rows) | (np.abs(level) >= at)
    return level, np.where(gone, off, on)


def gradual(
    middle: float, width: float = 0.05, decades: float = 1.0, on: float = 1e-4, peak: float = 1.0, rows: int = 101
) -> tuple[np.ndarray, np.ndarray]:
    """Levels and conductances of a cell that goes from off to on around `middle` (V, magnitude) in decades, and stays on.

    decades below 0: from on to off.
    """
    level = levels(peak, rows)
    share = 1 / (1 + np.exp(-(np.abs(level) - middle) / width))
    share[rows:] = 1.0
    return level, on * 10 ** (decades * (share - 1)) if decades > 0 else on * 10 ** (decades * share)
