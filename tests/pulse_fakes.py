"""A pulse source and a source meter, ideal and without a language, on one device model and one virtual clock."""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from fakes import FakeMeter

from labctl import cards, plugins
from labctl.clocks import VirtualClock
from labctl.contracts import (
    OUTPUT_RESISTANCE,
    Block,
    Card,
    CardField,
    DeviceModel,
    Drive,
    Measure,
    NoRecorder,
    PulseSource,
    PulseTrain,
    Recorder,
    Response,
    Sampling,
    Status,
    Sweep,
    Waveform,
)
from labctl.procedure import Procedure
from labctl.quantities import Limit, Limits

DWELL = 0.02  #: s a point of a sweep takes
PARTS = 4  #: steps an edge, or a measured window, is played in
NAMES = ("time", "level", "voltage", "current", "status")


class Cell:
    """A device that ages with the clock: whoever uses it first lets the time since the last use pass at 0 V."""

    def __init__(self, device: DeviceModel, clock: VirtualClock) -> None:
        self.device, self.clock = device, clock
        self.seen = clock.now()
        self.drives = 0  # how often anything but 0 V was applied

    def catch_up(self) -> None:
        """Let what has passed on the clock pass for the device."""
        passed = self.clock.now() - self.seen
        if passed > 0:
            self.device.advance(Drive(0.0), passed)
        self.seen = self.clock.now()

    def apply(self, drive: Drive, seconds: float) -> Response:
        """Apply `drive` for `seconds`; the clock moves with it."""
        self.drives += drive.voltage != 0
        found = self.device.advance(drive, seconds)
        self.clock.sleep(seconds)
        self.seen = self.clock.now()
        return found


class CellMeter(FakeMeter):
    """An ideal source meter on a `Cell`."""

    def __init__(self, cell: Cell, live: int = 0) -> None:
        super().__init__(live=live)
        self.cell = cell

    def _sweep(self, sweep: Sweep) -> Iterator[Block]:
        self.calls.append("sweep")
        done = self._table(sweep.levels, DWELL, sweep.compliance, sweep.stop_on_compliance)
        if self.live:
            yield Block({name: column[: self.live] for name, column in done.columns.items()}, provisional=True)
        yield done

    def _sample(self, sampling: Sampling) -> Iterator[Block]:
        self.calls.append("sample")
        levels = np.full(sampling.count, sampling.voltages[sampling.terminal])
        yield self._table(levels, sampling.interval, sampling.compliance, False)

    def _table(self, levels: Any, dwell: float, compliance: float, stop: bool) -> Block:
        self.cell.catch_up()
        rows: list[tuple[float, float, float, float, int]] = []
        for level in levels:
            if self.should_stop() and rows:
                break
            found = self.cell.apply(Drive(float(level), compliance), dwell)
            status = int(Status.COMPLIANCE) * found.in_compliance
            rows.append((dwell * (len(rows) + 1), float(level), found.voltage, found.current, status))
            if stop and found.in_compliance:
                break
        return Block(dict(zip(NAMES, map(np.array, zip(*rows, strict=True)), strict=True)))


class FakePulseSource(PulseSource):
    """Plays waveforms on a `Cell` through 50 ohm; meters are ideal. Every request is kept in `played`."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.played: list[Waveform | PulseTrain] = []
        self.limits = Limits((Limit("voltage", 40, "V", "fake pulse source"),))
        self.safe = 0

    def _play(self, waveform: Waveform) -> Iterator[Block]:
        self.played.append(waveform)
        self.cell.catch_up()
        rows: list[tuple[float, ...]] = []
        time = 0.0
        for repeat in range(waveform.repeats):
            if self.should_stop():
                break
            for k, duration in enumerate(waveform.durations):
                number = repeat * len(waveform.durations) + k
                rows += [(*row, number) for row in self._segment(waveform, k, time)]
                time += float(duration)
        if rows:
            yield self._block(rows)

    def _segment(self, wave: Waveform, k: int, start: float) -> list[tuple[float, ...]]:
        """Play one segment and return its rows."""
        begin, end = wave.window(k)
        duration, measure = float(wave.durations[k]), Measure(int(wave.measure[k]))
        edges, measured = self._edges(wave, k, begin, end)
        samples = []
        for left, right in pairwise(edges):
            middle = 0.5 * (left + right) / duration
            level = float(wave.levels[k] + middle * (wave.levels[k + 1] - wave.levels[k]))
            found = self.cell.apply(Drive(level, resistance=OUTPUT_RESISTANCE + wave.series), float(right - left))
            if measured and begin - 1e-15 <= left and right <= end + 1e-15:
                samples.append((start + float(right), level, found.voltage, found.current))
        if measure == Measure.SAMPLES:
            return [(*sample, 0) for sample in samples]
        if measure == Measure.MEAN:
            return [(start + 0.5 * (begin + end), *np.mean(np.array(samples)[:, 1:], axis=0), 0)]
        return []

    @staticmethod
    def _edges(wave: Waveform, k: int, begin: float, end: float) -> tuple[Any, bool]:
        """Where the steps of a segment begin and end, and whether any is measured."""
        duration, measure = float(wave.durations[k]), wave.measure[k]
        flat = wave.levels[k] == wave.levels[k + 1]
        steps = np.linspace(0, duration, 2 if flat else PARTS + 1)
        if measure == Measure.NOTHING:
            return steps, False
        rate = wave.sample_rate or 1e7
        inside = PARTS if measure == Measure.MEAN else max(1, round((end - begin) * rate))
        return np.unique(np.concatenate([[0.0], np.linspace(begin, end, inside + 1), [duration]])), True

    def _train(self, train: PulseTrain) -> Iterator[Block]:
        self.played.append(train)
        self.cell.catch_up()
        rows: list[tuple[float, ...]] = []
        for number, level in enumerate(np.repeat(train.amplitudes, train.count)):
            if self.should_stop():
                break
            rows += [(number * train.period + row[0], *row[1:], number) for row in self._pulse(train, float(level))]
        if rows:
            yield self._block(rows)

    def _pulse(self, train: PulseTrain, level: float) -> list[tuple[float, ...]]:
        """One pulse of a train, as a waveform of five segments."""
        top = train.width - 0.5 * (train.rise + train.fall)
        rest = train.period - train.delay - train.rise - top - train.fall
        durations = [part for part in (train.delay, train.rise, top, train.fall, rest) if part > 0]
        levels = [train.base] * (2 if train.delay > 0 else 1) + [level, level, train.base, train.base]
        at = 2 if train.delay > 0 else 1
        windows, measure = np.zeros((len(durations), 2)), np.zeros(len(durations), dtype=np.int64)
        windows[at], measure[at] = (train.window[0] * top, train.window[1] * top), train.measure
        wave = Waveform(np.array(durations), np.array(levels), measure, windows, series=train.series)
        rows: list[tuple[float, ...]] = []
        for k, start in enumerate(wave.starts):
            rows += self._segment(wave, k, float(start))
        return rows

    @staticmethod
    def _block(rows: list[tuple[float, ...]]) -> Block:
        table = dict(zip((*NAMES, "segment"), np.array(rows).T, strict=True))
        return Block({**table, **{name: table[name].astype(np.int64) for name in ("status", "segment")}})

    def make_safe(self) -> None:
        self.safe += 1

    def identity(self) -> Mapping[str, str]:
        return {"manufacturer": "none", "model": "fake", "serial": "0", "firmware": "0", "resource": "none"}

    def settings(self) -> Mapping[str, Any]:
        return {}

    def close(self) -> None: ...


class Events(NoRecorder):
    """A recorder that keeps the events and counts the stimuli."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.stimuli = 0

    def stimulus(self, kind: str, details: Any) -> int:
        self.stimuli += 1
        return self.stimuli

    def event(self, kind: str, details: Any) -> None:
        self.events.append((kind, dict(details)))


class PulseStation:
    """A source meter and a pulse source on one cell."""

    def __init__(self, device: DeviceModel, live: int = 0) -> None:
        self.clock = VirtualClock()
        self.cell = Cell(device, self.clock)
        self.source_meter = CellMeter(self.cell, live)
        self.pulse_source = FakePulseSource(self.cell)
        self.recorder: Recorder = NoRecorder()
        self.record_to(Events())

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        assert isinstance(self.recorder, Events)
        return self.recorder.events

    def check(self, request: Any) -> None:
        part = self.pulse_source if isinstance(request, (Waveform, PulseTrain)) else self.source_meter
        part.check(request)

    def record_to(self, recorder: Recorder) -> None:
        self.recorder = self.source_meter.recorder = self.pulse_source.recorder = recorder

    def stop_when(self, should_stop: Callable[[], bool]) -> None:
        self.source_meter.should_stop = self.pulse_source.should_stop = should_stop

    def settle(self) -> None:
        self.source_meter.settle()
        self.pulse_source.settle()

    def make_safe(self) -> None:
        self.source_meter.make_safe()
        self.pulse_source.make_safe()


def station_of(card: str, seed: int | None = None, state: str = "formed", **fields: float) -> PulseStation:
    """A station with a cell of a card, some of its fields changed ("n_wear", or "memory.n_wear" in a stack)."""
    found = cards.read(card)
    changed = {name: CardField(value, found.fields[name].unit, "", "test") for name, value in fields.items()}
    edited = Card(found.name, found.model, found.title, {**found.fields, **changed})
    model = plugins.load("sim_backends", edited.model, DeviceModel)  # type: ignore[type-abstract]
    device = model.from_card(edited, seed)
    device.prepare(state)
    return PulseStation(device)


class Plain(DeviceModel):
    """A conductance that a rule moves; rules get the drive's voltage and the time passed. Exactly known answers."""

    name = "plain"

    def __init__(self, conductance: float, rule: Callable[["Plain", float, float], None] = lambda *_: None) -> None:
        self.conductance = conductance
        self.rule = rule
        self.memory: dict[str, float] = {}

    @classmethod
    def from_card(cls, card: Card, seed: int | None) -> "Plain":
        return cls(1e-6)

    def advance(self, drive: Drive, duration: float) -> Response:
        self.rule(self, drive.voltage, duration)
        current = drive.voltage / (1 / self.conductance + drive.resistance)
        if abs(current) > drive.compliance:
            limited = float(np.copysign(drive.compliance, current))
            return Response(limited, limited * (1 / self.conductance + drive.resistance), True)
        return Response(current, drive.voltage)

    def current(self, voltage: float) -> float:
        return voltage * self.conductance

    def state(self) -> Mapping[str, float]:
        return {"conductance": self.conductance}


def collect(procedure: Any, station: PulseStation) -> dict[str, np.ndarray]:
    """Run a recipe's points through its start-up checks and return the final rows."""
    procedure.station, procedure.should_stop = station, lambda: False
    procedure.startup()
    kept = [block for block in procedure.points(station) if not block.provisional]
    return {name: np.concatenate([block[name] for block in kept]) for name in kept[0].columns}


def figures(procedure: Any, rows: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What a recipe extracts, by name."""
    return {item.name: item for item in type(procedure).extract(rows)}


def kind_of(name: str) -> Any:
    """The recipe of that name."""
    return plugins.load("procedures", name, Procedure)  # type: ignore[type-abstract]


def per_pulse(step: float, least: float = 1.5) -> Any:
    """Every pulse above `least` V adds `step` S in the sign of its voltage, however long; a pulse ends at 0 V."""

    def rule(cell: Plain, voltage: float, duration: float) -> None:
        if abs(voltage) >= least and not cell.memory.get("high"):
            cell.conductance += math.copysign(step, voltage)
        cell.memory["high"] = abs(voltage) >= least

    return rule


def power_law(exponent: float) -> Any:
    """Writing at 1.5 V or more starts a decay of the conductance by (1 + t/1 ms)^-exponent; the sign chooses the state."""

    def rule(cell: Plain, voltage: float, duration: float) -> None:
        if abs(voltage) >= 1.5:
            cell.memory.update(age=0.0, start=1e-5 if voltage > 0 else 1e-8)
        age = cell.memory["age"] = cell.memory.get("age", 0.0) + (duration if abs(voltage) < 1.5 else 0.0)
        fall = exponent if cell.memory.get("start", 1e-5) > 1e-6 else 0.0
        cell.conductance = cell.memory.get("start", 1e-5) * (1 + age / 1e-3) ** -fall

    return rule
