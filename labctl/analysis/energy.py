"""Energy of a pulse or a sweep: the integral of V I over time, by the trapezoid rule over the samples.

What V is measured at decides what the energy is of: everything between the driven terminals, so a resistor or a
selector in series with the cell, too. Charge that goes into stray capacitance at one edge comes back at the other, as
far as both are sampled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import reads
from labctl.analysis.methods import method
from labctl.analysis.statistics import intervals
from labctl.contracts import Extracted, FloatArray, Status

#: flags of samples that carry no power that could be summed; a limited current is a current all the same
SPOILING = Status.OVERFLOW | Status.INVALID | Status.SKIPPED | Status.PROVISIONAL
FLAT = 0.9  #: share of the greatest |V| from which a sample belongs to the flat part: guess
LEAST_FLAT = 8  #: samples of a flat part that give its noise: guess
ROBUST = 0.6745 * math.sqrt(6.0)  #: of the median of |second differences| of normal noise


@method("energy/trapezoid")
def of_pulse(
    time: FloatArray,
    voltage: FloatArray,
    current: FloatArray,
    status: NDArray[np.int64] | None = None,
    name: str = "energy",
    series: float = 0.0,
) -> Extracted | None:
    """The energy (J) that goes in between the first and the last sample; None below 3 samples or without rising times.

    time: s; voltage: V, measured; current: A; shape (n,) each, the same sign where power goes in. series: ohm, a
    resistance whose share V - R I leaves out. NaN with the reason where a sample is saturated, no number or not
    applied: the sum would lack its part. uncertainty: from the noise of V I in the flat part (median of second
    differences; white noise), NaN where there is none; errors of gain and offset are not in it.
    """
    if time.size < 3 or not np.all(np.diff(time) > 0):
        return None
    spoiled = 0 if status is None else int(np.count_nonzero(reads.marked(status, SPOILING)))
    if spoiled or not (np.all(np.isfinite(voltage)) and np.all(np.isfinite(current))):
        why = reads.reasons(status) if status is not None and spoiled else "samples that are no numbers"
        return Extracted(name, math.nan, "J", math.nan, f"no energy: {why}", (), excluded=spoiled)
    power = (voltage - series * current) * current
    weights = np.zeros(time.size)
    steps = np.diff(time)
    weights[1:] += 0.5 * steps
    weights[:-1] += 0.5 * steps
    noise = _noise(voltage, power)
    share = f"less what {series:g} ohm in series take" if series else "of all between the driven terminals"
    span = f"{time.size} samples, {time[0]:.3g} to {time[-1]:.3g} s"
    words = f"trapezoid rule of V I over {span}, {share}; net of what comes back"
    error = noise * float(np.sqrt(np.sum(weights**2)))
    if math.isfinite(error):
        words += "; uncertainty: noise of the flat part only"
    return Extracted(name, float(weights @ power), "J", error, words, range(time.size))


def _noise(voltage: FloatArray, power: FloatArray) -> float:
    """The noise (W) of one sample in the longest stretch at the top, NaN where that is too short."""
    flat = np.abs(voltage) >= FLAT * np.max(np.abs(voltage))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flat, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    part = power[starts[longest] : ends[longest]]
    if part.size < LEAST_FLAT:
        return math.nan
    return float(np.median(np.abs(np.diff(part, 2)))) / ROBUST


@method("energy per bit/log2")
def per_bit(found: Extracted, levels: int = 2) -> Extracted:
    """The energy of one write over the bits it stores, log2(levels); levels: states that are told apart, 2 or more."""
    bits = math.log2(levels)
    words = f"{found.definition}; over {bits:g} bit{'' if bits == 1 else 's'} of {levels} states"
    low, high = found.interval
    return Extracted(
        f"{found.name} per bit", found.value / bits, found.unit, found.uncertainty / bits, words, found.rows,
        (low / bits, high / bits), found.excluded,
    )  # fmt: skip


@method("energy/median")
def median(found: Sequence[Extracted]) -> Extracted | None:
    """The median of some energies (J) with the interval of order statistics; those without a number counted as left out.

    Or None.

    Named as the first one.
    """
    values = np.array([item.value for item in found if math.isfinite(item.value)])
    if not values.size:
        return None
    lost = len(found) - values.size
    words = f"median of {values.size}; order statistics; each: {found[0].definition}"
    value, ends = float(np.median(values)), intervals.quantile(values)
    return Extracted(found[0].name, value, "J", math.nan, words, range(values.size), ends, lost)
