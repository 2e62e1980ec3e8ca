"""Measures what Kim et al., Adv. Intell. Syst. 2022, 2200110 did with pulses and with time, on a device model driven directly.

No instrument stands between: every number comes out of `advance(Drive(voltage, compliance, resistance), duration)` of a
formed device, and nothing here looks into it. The paper gives amplitudes, the width of 20 us, 0.7 V for reads and its results;
all other numbers of the protocols are ours, and are called assumed where they stand. Run as a program it prints one line a row:
``python tests/paper_kinetics.py synapse nominal``, or with a seed for the word nominal.
"""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
from paper_states import (
    IDLE,
    READ,
    REST,
    SOURCE,
    V_READ,
    Array,
    Spread,
    cv,
    cycle,
    device_of,
    off,
    on,
    pulse,
    read,
    train,
)

from labctl.contracts import DeviceModel, Drive

__all__ = [
    "EDGE", "Array", "Edge", "Levels", "Loops", "Retention", "Spread", "Times", "constant", "constant_depression",
    "constant_potentiation", "cv", "cycle", "depression", "device_of", "disturb", "dynamic_range", "levels", "linearity",
    "loops", "off", "on", "potentiation", "pulse", "pulse_edge", "read", "retention", "switching_times", "train",
]  # fmt: skip

EDGE = 135e-6  #: s; width of the pulses that show a switching time: assumed, five times the set time and twice the reset time
SELECTOR_ON = 0.3e-6  #: s; the selector conducts by then and the memory has hardly moved: assumed
LEAST_CHANGE = 0.01  #: of the current; an edge that changes less has no switching time: guess


# -- switching times ----------------------------------------------------------------------------------------------------
class Edge(NamedTuple):
    """A pulse that was watched: times since its start (s), currents (A), and t50 (s, NaN where nothing switched)."""

    times: Array
    currents: Array
    t50: float


class Times(NamedTuple):
    """Switching times (s) of a set and a reset pulse, and what the device reads (A) after each."""

    set: float
    after_set: float
    reset: float
    after_reset: float


@cache
def _grid(width: float) -> Array:
    """Times (s): 12 a decade up to 1 us, then steps of 0.5 us at most up to `width`; 0.3 us is one of them."""
    early, late = np.geomspace(1e-8, SELECTOR_ON, 18), np.geomspace(SELECTOR_ON, 1e-6, 8)
    grid = np.concatenate([early, late[1:], np.linspace(1e-6, width, int(np.ceil((width - 1e-6) / 0.5e-6)) + 1)[1:]])
    grid.flags.writeable = False  # every edge of this width gets this very array
    return grid


def pulse_edge(device: DeviceModel, voltage: float, width: float = EDGE, resistance: float = SOURCE) -> Edge:
    """Watch the current during one pulse (V, s > 1 us, ohm), 0.1 s at 0 V before it.

    t50: when |I| has covered half of its change between 0.3 us and the end of the pulse, interpolated. The paper doesn't say
    how it found its times: the definition and the width are assumed. It follows any change, so look at the state left, too.
    """
    times, drive = _grid(width), Drive(voltage, float("inf"), resistance)
    device.advance(IDLE, REST)
    currents = np.array([device.advance(drive, float(dt)).current for dt in np.diff(times, prepend=0.0)])
    return Edge(times, currents, _half_way(times, np.abs(currents)))


def _half_way(times: Array, amperes: Array) -> float:
    start = int(np.searchsorted(times, SELECTOR_ON * (1 - 1e-9)))
    change = amperes[-1] - amperes[start]
    if abs(change) < LEAST_CHANGE * amperes[start]:
        return float("nan")
    share = (amperes[start:] - amperes[start]) / change
    at = int(np.argmax(share >= 0.5))
    return float(np.interp(0.5, share[at - 1 : at + 1], times[start + at - 1 : start + at + 1]))


def switching_times(device: DeviceModel, width: float = EDGE) -> Times:
    """Set the device with one +2 V pulse from the off state, then reset it with one -2 V pulse; read after each."""
    off(device)
    t_set, after_set = pulse_edge(device, 2.0, width).t50, read(device)
    return Times(t_set, after_set, pulse_edge(device, -2.0, width).t50, read(device))


# -- trains of pulses ---------------------------------------------------------------------------------------------------
def potentiation(device: DeviceModel, n: int = 21) -> Array:
    """Give `n` pulses from 2.1 to 2.5 V from the present state; conductances (S) as `train`. 21 is assumed."""
    return train(device, np.linspace(2.1, 2.5, n))


def depression(device: DeviceModel, n: int = 21) -> Array:
    """Give `n` pulses from -2.2 to -2.6 V from the present state; conductances (S) as `train`. 21 is assumed."""
    return train(device, np.linspace(-2.2, -2.6, n))


def constant_potentiation(device: DeviceModel, n: int = 21) -> Array:
    """Give `n` pulses of 2.3 V from the present state, the mean of the steps; conductances (S) as `train`."""
    return train(device, np.full(n, 2.3))


def constant_depression(device: DeviceModel, n: int = 21) -> Array:
    """Give `n` pulses of -2.4 V from the present state, the mean of the steps; conductances (S) as `train`."""
    return train(device, np.full(n, -2.4))


class Loops(NamedTuple):
    """Conductances (S) of potentiation, depression, and both again, each as `train`."""

    up: Array
    down: Array
    up_again: Array
    down_again: Array

    def closure(self) -> tuple[float, float]:
        """First and last level of the second potentiation over those of the first: (1, 1) is a closed loop."""
        return float(self.up_again[1] / self.up[1]), float(self.up_again[-1] / self.up[-1])


def loops(device: DeviceModel, n: int = 21) -> Loops:
    """Step the device up, down, up and down from the off state."""
    off(device)
    return Loops(potentiation(device, n), depression(device, n), potentiation(device, n), depression(device, n))


def constant(device: DeviceModel, n: int = 21) -> tuple[Array, Array]:
    """Drive the device up from the off state, then down, with constant amplitudes; conductances (S) as `train`."""
    off(device)
    return constant_potentiation(device, n), constant_depression(device, n)


def linearity(conductances: Array) -> float:
    """R squared of a straight line through the conductances against the number of pulses applied, from none on."""
    return float(np.corrcoef(np.arange(conductances.size), conductances)[0, 1] ** 2)


def dynamic_range(conductances: Array) -> float:
    """Largest over smallest conductance of a train, that before its first pulse included."""
    return float(conductances.max() / conductances.min())


class Levels(NamedTuple):
    """Conductances (S), shape (levels, reads): just after the pulse and at the decades; drifts and spacing are relative.

    drifts: last read of each level over its first, - 1. spacing: least first read over the one of the level below, - 1.
    """

    conductances: Array
    drifts: Array
    spacing: float


def levels(device: DeviceModel, n: int = 21, keep: float = 1e3) -> Levels:
    """Keep each level of a potentiation from the off state at 0 V for `keep` s, reads at 0, 1, 10, ... s; 1e3 s is assumed."""
    off(device)
    times = [0.0, *np.geomspace(1.0, keep, round(np.log10(keep)) + 1)]
    rows = []
    for amplitude in np.linspace(2.1, 2.5, n):
        pulse(device, float(amplitude))
        rows.append([read(device), *(_read_after(device, float(wait)) for wait in np.diff(times))])
    found = np.array(rows) / V_READ
    return Levels(found, found[:, -1] / found[:, 0] - 1, float(np.min(found[1:, 0] / found[:-1, 0]) - 1))


def _read_after(device: DeviceModel, wait: float) -> float:
    """The current (A) of a read that ends `wait` s (> 0.11 s) after the one before, at 0 V in between."""
    device.advance(IDLE, wait - REST - READ)
    return read(device)


# -- what time and neighbours do ----------------------------------------------------------------------------------------
class Retention(NamedTuple):
    """Times (s) and currents (A) of both states, and the on state's I(0.7 V) / I(0.35 V) before and after."""

    times: Array
    off: Array
    on: Array
    selectivity: tuple[float, float]


def retention(device: DeviceModel, seconds: float = 1e4) -> Retention:
    """Keep the off state and then the on state at 0 V for `seconds` (>= 100), with 41 reads from 1 s on, evenly in log time.

    The paper gives 1e4 s and 0.7 V. That it sampled with reads of 10 ms is assumed: 0.7 V for 1e4 s would set an off state.
    """
    times = np.geomspace(1.0, seconds, 41)
    off(device)
    kept_off = _kept(device, times)
    on(device)
    before = read(device) / read(device, V_READ / 2)
    kept_on = _kept(device, times)
    return Retention(times, kept_off, kept_on, (before, read(device) / read(device, V_READ / 2)))


def _kept(device: DeviceModel, times: Array) -> Array:
    return np.array([_read_after(device, float(wait)) for wait in np.diff(times, prepend=0.0)])


#: V; half and a third of the greatest programming amplitudes, 2.5 and -2.6 V, rounded
HALF_SELECTED = (1.25, -1.30, 0.85, -0.85)


def disturb(device: DeviceModel, pulses: int = 100, gap: float = REST) -> dict[tuple[str, float], float]:
    """Relative change of the read by `pulses` of 20 us, for every ("LRS" or "HRS", amplitude in V), each from a fresh state.

    `gap` s at 0 V between the pulses. Number, gap and the schemes V/2 and V/3 are assumed; the paper shows no disturbed cell.
    """
    found = {}
    for state in ("LRS", "HRS"):
        for amplitude in HALF_SELECTED:
            off(device)
            if state == "LRS":
                on(device)
            before = read(device)
            for _ in range(pulses):
                pulse(device, amplitude, gap=gap)
            found[state, amplitude] = read(device) / before - 1
    return found


# -- the table ----------------------------------------------------------------------------------------------------------
def _line(row: str, ours: float, stated: float, unit: str = "", more: str = "") -> str:
    """One row of the table with a number of the paper's."""
    words = f"{ours:.3g} {unit}, paper {stated:g}".replace(" ,", ",")
    return f"{row:<13} {words}, {ours / stated - 1:+.1%}" + (f" ({more})" if more else "")


def report(device: DeviceModel) -> Iterator[str]:
    """The table, one line a row."""
    yield from _report_pulses(device)
    yield from _report_time(device)
    spread = cv(device)
    means = f"mean {spread.v_set.mean():.2f} V", f"mean {spread.v_reset.mean():.2f} V"
    yield _line("syn-set-cv", spread.set_cv, 0.26, more=means[0])
    yield _line("syn-reset-cv", spread.reset_cv, 0.35, more=means[1])
    yield f"syn-endurance {spread.narrow} of {spread.v_set.size} cycles with on/off below 10, paper 0 of 500"


def _report_pulses(device: DeviceModel) -> Iterator[str]:
    times = switching_times(device)
    yield _line("syn-t-set", times.set * 1e6, 27, "us", f"reads {times.after_set:.2e} A then")
    yield _line("syn-t-reset", times.reset * 1e6, 72, "us", f"reads {times.after_reset:.2e} A then")
    stepped, (up, down) = loops(device), constant(device)
    for row, conductances in (("syn-pot", stepped.up), ("syn-dep", stepped.down)):
        yield f"{row:<13} {_train(conductances)}, paper near-linear"
    yield f"loop          second over first potentiation: {', '.join(f'{ratio:.3f}' for ratio in stepped.closure())}"
    for row, conductances in (("syn-constant", up), ("", down)):
        yield f"{row:<13} {_train(conductances)}, paper abrupt, less linear"
    found = levels(device)
    worst = found.drifts[np.argmax(np.abs(found.drifts))]
    yield f"syn-levels    drift {worst:+.2%} at most in 1e3 s, least spacing {found.spacing:.1%}, paper stable"


def _train(conductances: Array) -> str:
    ends = f"{conductances[1] * 1e6:.3g} -> {conductances[-1] * 1e6:.3g} uS"
    return f"{ends}, R2 {linearity(conductances):.3f}, range {dynamic_range(conductances):.3g}"


def _report_time(device: DeviceModel) -> Iterator[str]:
    kept = retention(device)
    yield _line("syn-lrs", kept.on[0], 1e-5, "A")
    yield _line("syn-onoff", kept.on[0] / kept.off[0], 1e4)
    yield _line("syn-select", kept.selectivity[0], 1e5, more=f"{kept.selectivity[1]:.3g} after 1e4 s")
    drift = [f"{state} {amperes[-1] / amperes[0] - 1:+.2%}" for state, amperes in (("on", kept.on), ("off", kept.off))]
    yield f"syn-retention {', '.join(drift)} in 1e4 s, paper kept"
    for (state, amplitude), change in disturb(device).items():
        yield f"disturb       {state} {change:+.1%} by 100 pulses of {amplitude:+.2f} V, 20 us"


if __name__ == "__main__":
    import sys

    given = dict(enumerate(sys.argv))
    name, which = given.get(1, "synapse"), given.get(2, "nominal")
    for line in report(device_of(name, None if which == "nominal" else int(which))):
        sys.stdout.write(line + "\n")
