"""What this instrument refuses, or worse: changes without a word. All of it raises LimitError before a byte is sent."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from labctl.contracts import Acquisition, Sampling, Sweep
from labctl.errors import LimitError
from labctl.kxci.ranges import OVER_RANGE, SmuKind
from labctl.quantities import show

from .smu import check_compliance
from .timing import INTEGRATIONS
from .wiring import Wiring

DELAY = (0.0, 6.553)  #: s (DT, D 5-10)
HOLD = (0.0, 655.3)  #: s (HT, D 5-12)
INTERVAL = (0.01, 10.0)  #: s (IN, D 5-22)
WAIT = (0.0, 100.0)  #: s (WT, D 5-24)
CYCLES = (0.01, 10.0)  #: power-line cycles (IT4, D 5-39)
LEAST_OF_RANGE = 0.11  #: a compliance must exceed this part of a fixed measure range (RM 3-4)


def check_sweep(sweep: Sweep, wiring: Wiring) -> None:
    """Raise LimitError for a sweep this instrument would not carry out as it is written."""
    driven = wiring.driven(sweep.terminal)
    for terminal, voltage in sweep.constants.items():
        _check_held(terminal, voltage, sweep.compliance, wiring)
    _check_all_defined({sweep.terminal, *sweep.constants}, wiring)
    _between(sweep.acquisition.delay, DELAY, "delay", "s")
    _between(sweep.acquisition.hold, HOLD, "hold", "s")
    greatest = float(np.max(np.abs(sweep.levels)))
    _check_driven(sweep.terminal, wiring.smus[driven], sweep.acquisition, sweep.compliance, greatest)


def check_sampling(sampling: Sampling, wiring: Wiring) -> None:
    """Raise LimitError for a sampling this instrument would not carry out as it is written."""
    driven = wiring.driven(sampling.terminal)
    for terminal, voltage in sampling.voltages.items():
        if terminal != sampling.terminal:
            _check_held(terminal, voltage, sampling.compliance, wiring)
    _check_all_defined(set(sampling.voltages), wiring)
    if sampling.acquisition.delay or sampling.acquisition.hold:
        raise LimitError("delay and hold belong to sweeps; for sampling set wait, the time before the first reading")
    _between(sampling.interval, INTERVAL, "interval", "s")
    _between(sampling.wait, WAIT, "wait", "s")
    level = abs(sampling.voltages[sampling.terminal])
    _check_driven(sampling.terminal, wiring.smus[driven], sampling.acquisition, sampling.compliance, level)


def _check_all_defined(given: Collection[str], wiring: Wiring) -> None:
    for terminal, channel in wiring.terminals.items():
        if channel is not None and terminal not in given:
            raise LimitError(
                f"terminal {terminal!r} on SMU{channel} would be left floating; give its voltage, e.g. 0 V"
            )


def _check_held(terminal: str, voltage: float, compliance: float, wiring: Wiring) -> None:
    channel = wiring.channel(terminal)
    if channel is not None:
        check_compliance(wiring.smus[channel], compliance, abs(voltage), f"terminal {terminal!r}")
    elif voltage != 0:
        raise LimitError(f"terminal {terminal!r} is grounded, it can't be held at {show(voltage, 'V')}")


def _check_driven(terminal: str, kind: SmuKind, how: Acquisition, compliance: float, voltage: float) -> None:
    check_compliance(kind, compliance, voltage, f"terminal {terminal!r}")
    _check_integration(how.integration)
    if how.current_range is not None and how.range_floor is not None:
        raise LimitError("give either a fixed current range or a floor for autorange, not both")
    for value, what in ((how.current_range, "current range"), (how.range_floor, "autorange floor")):
        if value is not None and not any(math.isclose(value, known, rel_tol=1e-9) for known in kind.current_ranges):
            known = ", ".join(show(item, "A") for item in kind.current_ranges)
            raise LimitError(f"{what} {show(value, 'A')} is none of this SMU; it has {known}")
    if how.current_range is not None:
        _check_fixed_range(how.current_range, compliance)


def _check_fixed_range(fixed: float, compliance: float) -> None:
    low, high = LEAST_OF_RANGE * fixed, OVER_RANGE * fixed
    if not low < compliance <= high * (1 + 1e-12):
        raise LimitError(
            f"compliance {show(compliance, 'A')} does not fit the fixed range {show(fixed, 'A')}: it must be above "
            f"{show(low, 'A')} (11 %) and at most {show(high, 'A')} (105 %)"
        )


def _check_integration(integration: str | float) -> None:
    if isinstance(integration, str):
        if integration not in INTEGRATIONS:
            raise LimitError(f"integration {integration!r} is none of {', '.join(INTEGRATIONS)} or a number of cycles")
    else:
        _between(float(integration), CYCLES, "integration in power-line cycles", "")


def _between(value: float, bounds: tuple[float, float], what: str, unit: str) -> None:
    if not bounds[0] <= value <= bounds[1]:
        raise LimitError(
            f"{what} = {show(value, unit)} is not between {show(bounds[0], unit)} and {show(bounds[1], unit)}"
        )
