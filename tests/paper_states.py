"""States, sweeps, reads and pulses of a device model driven directly, for the measurements of paper_kinetics.py.

What the paper doesn't give of a protocol is ours, and is called assumed where it stands.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from paper_rows import current_at, largest_step

from labctl import cards, plugins
from labctl.contracts import DeviceModel, Drive

Array = NDArray[np.float64]

V_READ = 0.7  #: V; Kim 2022
REST, READ = 0.1, 0.01  #: s at 0 V before every read and pulse, s of a read: assumed; the selector must have relaxed
SOURCE = 50.0  #: ohm, the pulse source's own: Keithley 4225-PMU
PULSE = 20e-6  #: s; Kim 2022
DWELL = 0.02  #: s per point of a sweep: assumed

IDLE = Drive(0.0)


def _half_loop(top: float, compliance: float) -> tuple[Array, list[Drive]]:
    steps = round(abs(top) / 0.02)
    levels = top * np.concatenate([np.arange(steps + 1), np.arange(steps - 1, -1, -1)]) / steps
    return levels, [Drive(float(level), compliance) for level in levels]


SET_LEVELS, _SET = _half_loop(2.5, 1e-5)
RESET_LEVELS, _RESET = _half_loop(-3.0, float("inf"))


def _sweep(device: DeviceModel, drives: Sequence[Drive]) -> Array:
    return np.array([device.advance(drive, DWELL).current for drive in drives])


def cycle(device: DeviceModel) -> tuple[Array, Array]:
    """Sweep 0 -> 2.5 -> 0 V at 1e-5 A, then 0 -> -3 -> 0 V without limit; return both currents (A), at the levels above.

    Steps of 20 mV and 20 ms: assumed, as the tops and the compliance, which is the paper's on current.
    """
    return _sweep(device, _SET), _sweep(device, _RESET)


def off(device: DeviceModel) -> None:
    """Leave the device in the state that one set sweep and one reset sweep make."""
    cycle(device)


def on(device: DeviceModel) -> None:
    """Leave the device in the state that one set sweep makes."""
    _sweep(device, _SET)


def read(device: DeviceModel, voltage: float = V_READ) -> float:
    """Wait 0.1 s at 0 V and return the current (A) after 10 ms at `voltage` (V) without compliance."""
    device.advance(IDLE, REST)
    return device.advance(Drive(voltage), READ).current


def pulse(device: DeviceModel, voltage: float, width: float = PULSE, gap: float = REST) -> None:
    """Wait `gap` s at 0 V and give one pulse of `voltage` V for `width` s through 50 ohm."""
    device.advance(IDLE, gap)
    device.advance(Drive(voltage, float("inf"), SOURCE), width)


def train(device: DeviceModel, amplitudes: Array, width: float = PULSE) -> Array:
    """Give one pulse an amplitude (V); return the conductances (S) read before the first and after each, shape (n + 1,).

    Through 50 ohm, 0.1 s at 0 V before every pulse and every read: assumed. Conductance: read current over 0.7 V.
    """
    found = [read(device)]
    for amplitude in amplitudes:
        pulse(device, float(amplitude), width)
        found.append(read(device))
    return np.array(found) / V_READ


# -- cycle to cycle -----------------------------------------------------------------------------------------------------
class Spread(NamedTuple):
    """Switching voltages (V) of every cycle, their sigma / |mu|, and how many cycles have on/off below 10 at 0.7 V."""

    v_set: Array
    v_reset: Array
    set_cv: float
    reset_cv: float
    narrow: int


def cv(device: DeviceModel, cycles: int = 50) -> Spread:
    """Cycle the device (once more before it counts) and return how its switching voltages scatter.

    V_set: level after the largest step up of ln I above 0.62 V; V_reset: largest step down of ln|I| beyond 0.54 V, both on the
    way out; nearer 0 V the selector switches (assumed). sigma with n - 1. on/off: 0.7 V on the way back over the way out.
    """
    off(device)
    runs = [cycle(device) for _ in range(cycles)]
    up = [{"level": SET_LEVELS, "current": currents} for currents, _ in runs]
    down = [{"level": RESET_LEVELS, "current": currents} for _, currents in runs]
    v_set = np.array([largest_step(loop, 0.62, True) for loop in up])
    v_reset = np.array([largest_step(loop, 0.54, False) for loop in down])
    narrow = sum(current_at(loop, V_READ, rising=False) < 10 * current_at(loop, V_READ) for loop in up)
    return Spread(v_set, v_reset, _relative(v_set), _relative(v_reset), narrow)


def _relative(values: Array) -> float:
    return float(values.std(ddof=1) / abs(values.mean()))


def device_of(card: str, seed: int | None = None) -> DeviceModel:
    """Build a formed device of a card; seed None: nominal."""
    found = cards.read(card)
    device = plugins.load("sim_backends", found.model, DeviceModel).from_card(found, seed)  # type: ignore[type-abstract]
    device.prepare("formed")
    return device
