"""The whole chain under a recipe: runner, station, driver, wire language, simulated 4200 with its 4225-PMU, and a cell."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pulse_fakes import kind_of

from labctl import cards, plugins, runner, store
from labctl.bench import SimBench, SimVisaLibrary
from labctl.clocks import VirtualClock
from labctl.contracts import Card, DeviceModel, FarSide
from labctl.station import InstrumentConfig, Station, StationConfig

#: few rows each, for every recipe with pulses or waits; done within seconds, or minutes, of simulated time
SMALL: dict[str, dict[str, Any]] = {
    "potentiation-depression": {"pulses": 3, "step": 0.25, "keep": 10, "disturb": "third", "disturb_pulses": 3},
    "switching-time": {"step": 0.25, "width": 20e-6},
    "retention": {"duration": 100, "per_decade": 2, "step": 0.25},
    "endurance": {"cycles": 4, "check_every": 3, "step": 0.25, "set_compliance": 1e-4},
    "pulse-verify": {"target": 4e-6, "max_pulses": 4, "step": 0.25},
    "read-disturb": {"count": 20, "step": 0.25, "burst": 7},
    "transient-relaxation": {"per_decade": 1, "averages": 2},
    "volatility": {"step": 0.05, "form_step": 0.25, "loops": 2},
}
#: a second way through a recipe: pulses where the first has sweeps
BY_PULSES: dict[str, dict[str, Any]] = {
    "potentiation-depression": {"pulses": 3, "prepare": "none", "read_with": "pulse", "scheme": "width"},
    "retention": {"duration": 100, "per_decade": 2, "write_with": "pulse", "read_with": "pulse"},
    "endurance": {"cycles": 30, "check_every": 14, "per_decade": 1, "stress": "pulse", "confirm": 1},
}
#: every recipe with its settings, by a name for the test
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, values) for name, values in SMALL.items()},
    **{f"{name} by pulses": (name, values) for name, values in BY_PULSES.items()},
}

_card = cache(cards.read)


@cache
def _model(name: str) -> type[DeviceModel]:
    return plugins.load("sim_backends", name, DeviceModel)  # type: ignore[type-abstract]


def cell_of(device: str | Card, seed: int | None) -> DeviceModel:
    """A pristine cell of a card; seed None: the nominal one."""
    card = device if isinstance(device, Card) else _card(device)
    return _model(card.model).from_card(card, seed)


class Gate(FarSide):
    """Stands before a simulated instrument: `meddle(number, message, feed)` answers every message, by default with the truth.

    feed() hands the message on and returns the reply.
    """

    def __init__(self, inner: FarSide) -> None:
        self.inner = inner
        self.heard: list[bytes] = []
        self.meddle: Callable[[int, bytes, Callable[[], bytes]], bytes] = lambda number, message, feed: feed()

    def feed(self, data: bytes) -> bytes:
        self.heard.append(data)
        return self.meddle(len(self.heard), data, lambda: self.inner.feed(data))

    def serial_poll(self) -> int:
        return self.inner.serial_poll()

    def disconnect(self) -> None:
        self.inner.disconnect()


class Chain:
    """A bench with a cell on it. seed None: the nominal cell on an instrument without noise; settings: the instrument's."""

    def __init__(self, device: str | Card = "synapse", seed: int | None = None, **settings: Any) -> None:
        kept = {"truth_length": 1_000_000, **settings}
        self.bench = SimBench(cell_of(device, seed), seed=seed, settings=kept, clock=VirtualClock())
        self.gate = Gate(self.bench.instrument)
        self.bench.library = SimVisaLibrary.over({self.bench.resource: self.gate}, self.bench.clock)

    @contextmanager
    def station(self, port: int = 0) -> Iterator[Station]:
        """A station in this process, or one that knows nothing but a `port` of this machine."""
        resource = f"TCPIP0::127.0.0.1::{port}::SOCKET"  # of the bench in this process its own is taken
        smu = InstrumentConfig(driver="keithley4200", resource=resource, visa_library="@py", timeout=10.0)
        config = StationConfig(name="chain", instruments={"smu": smu})
        opened = Station(config, clock=self.bench.clock, bench=None if port else self.bench)
        try:
            yield opened
        finally:
            opened.close()

    def run(
        self, name: str, folder: Path, values: dict[str, Any], station: Station | None = None, **options: Any
    ) -> tuple[runner.Result, store.Run]:
        """Prepare the cell as the recipe wants it and run the recipe, on a station of its own; options: of the runner."""
        if station is None:
            with self.station() as opened:
                return self.run(name, folder, values, opened, **options)
        kind = kind_of(name)
        self.bench.device.prepare(kind.cell)
        result = runner.run(name, kind(**values), station, folder / f"{name}.h5", **options)
        return result, store.read(result.path)

    # -- what is true -------------------------------------------------------------------------------------------------
    def is_off(self) -> bool:
        """Whether every output is off, and the cell has 0 V for as long as one waits."""
        instrument = self.bench.instrument
        now = self.bench.clock.now()
        self.bench.clock.sleep(10.0)
        instrument.feed(b"SP\0")
        return instrument.outputs == instrument.pulse_outputs == () and not self.driven_after(now)

    def driven_after(self, time: float) -> bool:
        """Whether the cell had anything but 0 V after this clock time."""
        return any(d.start + d.duration > time and d.drive != 0 for d in self.bench.instrument.truth)

    def last_drive(self) -> float:
        """The last voltage but 0 V that the cell got, V."""
        return next(float(dwell.drive) for dwell in reversed(self.bench.instrument.truth) if dwell.drive != 0)

    def peaks(self, least: float) -> list[float]:
        """The greatest drive of each excursion beyond `least` (V, its sign included), in order, V to the centivolt."""
        sign = float(np.sign(least))
        drives = sign * np.array([dwell.drive for dwell in self.bench.instrument.truth])
        beyond = np.concatenate([[False], drives >= abs(least), [False]])
        edges = np.flatnonzero(np.diff(beyond))
        return [round(sign * float(drives[begin:end].max()), 2) for begin, end in edges.reshape(-1, 2)]


def figures(name: str, run: store.Run) -> dict[str, Any]:
    """What the recipe extracts, by name."""
    return {item.name: item for item in kind_of(name).extract(run.columns)}


def same_rows(one: store.Run, other: store.Run) -> None:
    """Assert that two runs have the same rows, bit by bit."""
    assert list(one.columns) == list(other.columns)
    for name in one.columns:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
