"""What a request asks of a cell, from its note alone: counts, polarities and levels, all of it taken as applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.contracts import FloatArray, PulseTrain, Request, Sampling, Sweep, Waveform
from labctl.ledger.errors import LedgerError
from labctl.ledger.use import Use, total

Details = Mapping[str, Any]
#: kind of a note -> class of the request (labctl.contracts.SourceMeter and PulseSource write them)
KINDS: dict[str, type] = {"sweep": Sweep, "sampling": Sampling, "pulse train": PulseTrain, "waveform": Waveform}


def asked(kind: str, details: Details) -> Use:
    """What the request noted as `kind` with `details` does to the cell if it is applied whole.

    A kind that is not known here counts as unmeasured, no more. Raises LedgerError for details that can't be understood.
    """
    if kind not in _ASKED:
        return Use(unmeasured=1)
    try:
        return _ASKED[kind](details, bool(details.get("reads", False)))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise LedgerError(f"a note of a {kind} can't be understood ({type(error).__name__}: {error})") from error


def planned(plan: Iterable[tuple[int, Sequence[Request]]]) -> Use:
    """What groups of requests do, each as often as it says, one after the other."""
    return total(total(map(_of_request, requests)).times(count) for count, requests in plan)


def _of_request(request: Request) -> Use:
    kind = next((kind for kind, known in KINDS.items() if isinstance(request, known)), "")
    return asked(kind, request.details())


def array(details: Details, name: str) -> FloatArray:
    """A list of a note as an array of at least one dimension."""
    return np.atleast_1d(np.asarray(details[name], dtype=np.float64))


def excursions(levels: FloatArray) -> NDArray[np.float64]:
    """The polarity (1, -1) of every excursion from 0 V: each stretch of levels of one sign, in order."""
    signs = np.sign(levels)
    before = np.concatenate([[0.0], signs[:-1]])
    return np.asarray(signs[(signs != 0) & (signs != before)], dtype=np.float64)


def _polarity(signs: FloatArray, details: Details) -> dict[str, Any]:
    """First and last polarity and the reversals between writes of these signs, as seen by the cell's top."""
    signs = signs[signs != 0] * (-1.0 if details.get("terminal") == "bottom" else 1.0)
    if not signs.size:
        return {}
    turns = int(np.count_nonzero(signs[1:] != signs[:-1]))
    return {"first_sign": int(signs[0]), "last_sign": int(signs[-1]), "reversals": turns}


def _greatest(levels: FloatArray) -> float:
    found = np.abs(levels[np.isfinite(levels)])
    return float(found.max()) if found.size else 0.0


def _sweep(details: Details, reads: bool) -> Use:
    return _source_meter(array(details, "levels"), details["constants"], details, reads, "sweeps")


def _sampling(details: Details, reads: bool) -> Use:
    voltages = dict(details["voltages"])
    driven = np.array([float(voltages.pop(details["terminal"]))])
    return _source_meter(driven, voltages, details, reads, "samplings")


def _source_meter(levels: FloatArray, others: Mapping[str, Any], details: Details, reads: bool, counted: str) -> Use:
    held = [float(voltage) for voltage in others.values()] or [0.0]
    peak = max(_greatest(levels - voltage) for voltage in held)
    if reads:
        return Use(reads=1, v_programmed=peak)
    one: dict[str, Any] = {counted: 1}
    return Use(**one, **_polarity(excursions(levels - held[0]), details), v_programmed=peak)


def _train(details: Details, reads: bool) -> Use:
    amplitudes, count = array(details, "amplitudes"), int(details["count"])
    peak = _greatest(np.append(amplitudes, float(details.get("base", 0.0))))
    if reads:
        return Use(reads=len(amplitudes) * count, v_programmed=peak)
    return Use(pulses=len(amplitudes) * count, **_polarity(np.sign(amplitudes), details), v_programmed=peak)


def _waveform(details: Details, reads: bool) -> Use:
    levels, repeats = array(details, "levels"), int(details["repeats"])
    signs = excursions(levels)
    joined = int(levels.size > 1 and levels[0] * levels[-1] > 0)  # one excursion from the end of a repeat to the next
    count = len(signs) * repeats - joined * (repeats - 1)
    if reads:
        return Use(reads=count, v_programmed=_greatest(levels))
    once = Use(**_polarity(signs, details), v_programmed=_greatest(levels))
    return once.times(repeats) + Use(pulses=count)


_ASKED: dict[str, Callable[[Details, bool], Use]] = {
    "sweep": _sweep,
    "sampling": _sampling,
    "pulse train": _train,
    "waveform": _waveform,
}
