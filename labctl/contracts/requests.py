"""What a source meter can be asked for, and whether limits allow it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any

import numpy as np

from labctl.contracts.values import FloatArray, Status
from labctl.errors import LimitError
from labctl.quantities import Column, Limits


@dataclass(frozen=True, slots=True)
class Acquisition:
    """How a source meter measures.

    integration: "fast" (0.1 PLC), "normal" (1 PLC), "quiet" (10 PLC), or a number of power-line cycles (0.01 to 10);
    current_range: fixed measure range in A, None for autorange; range_floor: lowest autorange in A, None for the
    instrument's default; hold: s at the first level before the sweep; delay: s between setting a level and measuring;
    live: read rows while the test runs, so that they are kept if it dies; what nobody keeps or watches is quicker without.
    """

    integration: str | float = "normal"
    current_range: float | None = None
    range_floor: float | None = None
    hold: float = 0.0
    delay: float = 0.0
    live: bool = True


@dataclass(frozen=True)
class Sweep:
    """A voltage sweep of terminal `terminal`, done by the instrument itself.

    levels: shape (n,), V, in the order applied; compliance: A, > 0, for both signs, of every terminal of the test, so that
    none carries more; which one limits is open, and any of them sets Status.COMPLIANCE; constants: V held on other terminals;
    stop_on_compliance: the instrument ends the sweep at the first point in compliance; standby: output off at the end;
    reads: see `Request`.
    """

    levels: FloatArray
    compliance: float
    terminal: str = "top"
    constants: Mapping[str, float] = field(default_factory=lambda: {"bottom": 0.0})
    acquisition: Acquisition = Acquisition()
    stop_on_compliance: bool = False
    standby: bool = True
    reads: bool = False

    def __post_init__(self) -> None:
        levels = np.array(self.levels, dtype=np.float64)  # a copy: what was checked is what is sent
        levels.setflags(write=False)
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "constants", MappingProxyType(dict(self.constants)))

    def details(self) -> dict[str, Any]:
        """The request as plain values, for the journal."""
        return _plain(self)

    def check(self, limits: Limits) -> None:
        """Raise LimitError unless `limits` allow every level, the compliance, and both together."""
        check_request(limits, self)

    def is_complete(self, rows: int, status: Status) -> bool:
        """Whether the test gave all its rows, or ended itself in compliance as it was asked to."""
        return rows == len(self.levels) or (self.stop_on_compliance and Status.COMPLIANCE in status)


@dataclass(frozen=True)
class Sampling:
    """Readings against time at constant voltages.

    voltages: V by terminal, the driven one among them; compliance: A, > 0, of every terminal as for `Sweep`; count: readings;
    interval: s between them; wait: s from applying the voltages to the first reading; reads: see `Request`.
    """

    voltages: Mapping[str, float]
    compliance: float
    count: int
    interval: float
    wait: float = 0.0
    terminal: str = "top"
    acquisition: Acquisition = Acquisition()
    standby: bool = True
    reads: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "voltages", MappingProxyType(dict(self.voltages)))

    def details(self) -> dict[str, Any]:
        """The request as plain values, for the journal."""
        return _plain(self)

    def check(self, limits: Limits) -> None:
        """Raise LimitError unless `limits` allow the voltages, the compliance, and both together."""
        check_request(limits, self)

    def is_complete(self, rows: int, status: Status) -> bool:
        """Whether the test gave all its rows."""
        return rows == self.count


def _plain(request: Sweep | Sampling) -> dict[str, Any]:
    values = {item.name: getattr(request, item.name) for item in fields(request)}
    values["acquisition"] = asdict(request.acquisition)
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}


#: Columns of every block a SourceMeter yields.
READING_COLUMNS: tuple[Column, ...] = (
    Column("time", "s", meaning="since the start of this test in the instrument"),
    Column("level", "V", meaning="programmed voltage of the driven terminal, as it was sent", label="applied voltage"),
    Column("voltage", "V", meaning="measured voltage of the driven terminal, less what a limiting held one gave way"),
    Column("current", "A", meaning="measured current into the driven terminal"),
    Column("status", "", "int64", meaning="bit flags, labctl.contracts.Status"),
)


def check_request(limits: Limits, request: Sweep | Sampling) -> None:
    """Raise LimitError unless `limits` allow the request; needs no instrument.

    Checked are the number of points, every level, the voltage between any two terminals, the compliance, and the greatest
    voltage times the compliance as power.
    """
    low, high, held = _check_sweep(limits, request) if isinstance(request, Sweep) else _check_sampling(limits, request)
    for terminal, voltage in held.items():
        _check_voltage(limits, voltage, f"voltage of {terminal}")
    others = list(held.values()) or [0.0]
    between = max(high - min(others), max(others) - low, max(others) - min(others), key=abs)
    limits.check("voltage", between, "greatest voltage between two terminals")
    _check_compliance(limits, request.compliance, max(abs(between), abs(low), abs(high)))


def _check_sweep(limits: Limits, sweep: Sweep) -> tuple[float, float, dict[str, float]]:
    """Lowest and highest level of the driven terminal, V, and the voltages of the held ones."""
    levels = sweep.levels
    if levels.ndim != 1 or levels.size == 0:
        raise LimitError(f"a sweep needs a 1-D list of at least one level, not shape {levels.shape}")
    limits.check("points", levels.size, "number of sweep points")
    strange = levels[~np.isfinite(levels)]
    _check_voltage(limits, float(strange[0] if strange.size else levels[np.argmax(np.abs(levels))]), "sweep level")
    if sweep.terminal in sweep.constants:
        raise LimitError(f"terminal {sweep.terminal!r} can't be swept and held at {sweep.constants[sweep.terminal]} V")
    return float(levels.min()), float(levels.max()), dict(sweep.constants)


def _check_sampling(limits: Limits, sampling: Sampling) -> tuple[float, float, dict[str, float]]:
    limits.check("points", sampling.count, "number of readings")
    if sampling.count < 1 or not 0 < sampling.interval < math.inf:
        raise LimitError(
            f"sampling needs count >= 1 and interval > 0 s, not {sampling.count} and {sampling.interval} s"
        )
    if sampling.terminal not in sampling.voltages:
        raise LimitError(f"sampling drives {sampling.terminal!r}, but voltages names only {sorted(sampling.voltages)}")
    held = dict(sampling.voltages)
    driven = held.pop(sampling.terminal)
    _check_voltage(limits, driven, f"voltage of {sampling.terminal}")
    return driven, driven, held


def _check_voltage(limits: Limits, voltage: float, what: str) -> None:
    _finite(voltage, what, "V")
    limits.check("voltage", voltage, what)


def _check_compliance(limits: Limits, compliance: float, voltage: float) -> None:
    _finite(compliance, "compliance", "A")
    if compliance <= 0:
        raise LimitError(f"compliance = {compliance} A must be greater than 0 A")
    limits.check("current", compliance, "compliance")
    limits.check("power", voltage * compliance, "greatest voltage x compliance")


def _finite(value: float, what: str, unit: str) -> None:
    if not math.isfinite(value):
        raise LimitError(f"{what} = {value} {unit} is not a finite number")
