"""Parts that recipes with pulses and waits share: their parameters, the columns of their rows, and the hands that do the work.

`PulseParameters`, `ReadParameters` and `StateParameters` are bases of recipes, one group of parameters each; `Work` applies
what a recipe asks for, counts what was applied and what was read, and does nothing more once a stop was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import IntEnum
from typing import Any

import numpy as np

from labctl.contracts import READING_COLUMNS, Acquisition, Block, FloatArray, PulseTrain, Status, Sweep, Waveform
from labctl.procedure import Choice, Number, ParameterError, Procedure, Station, levels_between
from labctl.pulses import LONGEST, Shape
from labctl.quantities import Column


class Kind(IntEnum):
    """What a row is, stored in the column ``kind``."""

    READ = 0
    PULSE = 1  #: the mean over a pulse's top
    SWEEP = 2  #: a point of a sweep
    SAMPLE = 3  #: a sample of a pulse


#: Columns of every recipe built on `Work`.
WORK_COLUMNS: tuple[Column, ...] = (
    *READING_COLUMNS,
    Column("elapsed", "s", meaning="since the start of the run, on the station's clock"),
    Column("conductance", "S", meaning="current over voltage of a read; no number where the row is no read"),
    Column("kind", "", "int64", "0 read, 1 pulse, 2 point of a sweep, 3 sample of a pulse"),
    Column(
        "applied",
        "",
        "int64",
        "pulses applied to the cell so far in this run, sweeps and reads not counted",
        label="pulses applied",
    ),
    Column("reads", "", "int64", "reads of the cell so far in this run, this one included"),
)
_COMMON = tuple(column.name for column in READING_COLUMNS)
#: flags of a reading that is no measurement of the cell: no number, saturated, ended at a threshold, or never applied
USELESS = Status.INVALID | Status.OVERFLOW | Status.THRESHOLD | Status.SKIPPED


class SeriesParameters(Procedure):
    """What stands in series with the cell, for pulses that stress it and pulses that read it."""

    device = "synapse"
    series = Number(
        "series",
        "ohm",
        default=0.0,
        minimum=0,
        maximum=1e9,
        description="resistance you put in series with the cell; pulses have no compliance, nothing else limits their current",
    )


class PulseParameters(SeriesParameters):
    """How every pulse of a recipe is shaped, but for its width and level."""

    rise = Number("rise", "s", default=1e-7, minimum=2e-8, maximum=0.033, description="rise time of a pulse")
    fall = Number("fall", "s", default=1e-7, minimum=2e-8, maximum=0.033, description="fall time of a pulse")
    pulse_range = Number(
        "pulse_range",
        "A",
        default=1e-2,
        above=0,
        maximum=1,
        description="current range of the pulse card; must hold a pulse's current, and limits no current",
    )

    def shape(self, width: float) -> Shape:
        """A pulse of `width` (s)."""
        return Shape(width, self.rise, self.fall, self.pulse_range, self.series)


class ReadParameters(SeriesParameters):
    """How the cell is read: by the source meter, or by a pulse of the pulse card."""

    v_read = Number("v_read", "V", default=0.7, minimum=-40, maximum=40, description="read voltage")
    wait = Number(
        "wait",
        "s",
        default=0.1,
        minimum=0,
        maximum=1e4,
        description="wait with nothing applied before a read, so that a volatile selector has relaxed",
    )
    read_with = Choice("read_with", ("smu", "pulse"), default="smu", description="what reads the cell")
    read_compliance = Number(
        "read_compliance", "A", default=1e-4, above=0, maximum=0.1, description="compliance of a read by the smu"
    )
    integration = Choice(
        "integration",
        ("fast", "normal", "quiet"),
        default="fast",
        description="0.1, 1 or 10 power-line cycles, of reads and sweeps by the smu",
    )
    read_width = Number(
        "read_width", "s", default=1e-3, minimum=1e-7, maximum=0.4, description="width of a read by the pulse card"
    )
    read_range = Number(
        "read_range",
        "A",
        default=0.0,
        minimum=0,
        maximum=1,
        description="current range of a read; 0: autorange (smu), 100 uA (pulse card, which has no autorange here)",
    )

    def check_reads(self) -> None:
        """Refuse a read at 0 V."""
        if self.v_read == 0:
            raise ParameterError("v_read = 0 V reads nothing; give a read voltage, e.g. v_read=0.1")

    def state_read(self) -> Sweep | PulseTrain:
        """One read at v_read."""
        return self.read_request()

    def read_request(self, voltage: float | None = None) -> Sweep | PulseTrain:
        """One read at `voltage` (V), by default v_read."""
        level = self.v_read if voltage is None else voltage
        if self.read_with == "pulse":
            shape = Shape(self.read_width, current_range=self.read_range or 1e-4, series=self.series)
            return replace(shape.train([level]), reads=True)
        acquisition = Acquisition(self.integration, current_range=self.read_range or None, live=False)  # one row only
        return Sweep(np.array([level]), self.read_compliance, acquisition=acquisition, reads=True)


class StateParameters(Procedure):
    """How sweeps of the source meter write a state: half loops 0 -> peak -> 0, each with its compliance."""

    v_set = Number("v_set", "V", default=2.5, minimum=-210, maximum=210, description="peak of the sweep that sets")
    set_compliance = Number(
        "set_compliance", "A", default=1e-5, above=0, maximum=0.1, description="compliance of the sweep that sets"
    )
    v_reset = Number(
        "v_reset", "V", default=-3.0, minimum=-210, maximum=210, description="peak of the sweep that resets"
    )
    reset_compliance = Number(
        "reset_compliance", "A", default=1e-2, above=0, maximum=0.1, description="compliance of the sweep that resets"
    )
    step = Number("step", "V", default=0.02, above=0, maximum=10, description="voltage step of both sweeps")
    sweep_integration = Choice(
        "sweep_integration", ("fast", "normal", "quiet"), default="fast", description="integration of both sweeps"
    )

    def check_states(self) -> None:
        """Refuse sweeps without points."""
        for name, peak in (("v_set", self.v_set), ("v_reset", self.v_reset)):
            if abs(peak) < self.step:
                raise ParameterError(f"{name} = {peak:g} V is smaller than step = {self.step:g} V")

    def state_sweep(self, state: str) -> Sweep:
        """The half loop that writes `state`: "set" or "reset"."""
        peak, compliance = (
            (self.v_set, self.set_compliance) if state == "set" else (self.v_reset, self.reset_compliance)
        )
        return Sweep(half_loop(peak, self.step), compliance, acquisition=Acquisition(self.sweep_integration))


class PreparedParameters(StateParameters):
    """A state written by a sweep before a recipe begins."""

    prepare = Choice(
        "prepare",
        ("reset", "set", "none"),
        default="reset",
        description="sweep that writes the state to begin with",
    )

    def preparing(self) -> list[Sweep]:
        """The sweep that prepares, if any."""
        return [] if self.prepare == "none" else [self.state_sweep(self.prepare)]


def half_loop(peak: float, step: float) -> FloatArray:
    """Levels 0 -> `peak` -> 0 in steps of `step` (V), the peak once; the last step up may be shorter. Shape (n,)."""
    up = np.minimum(np.arange(levels_between(abs(peak) / step) + 1) * step, abs(peak))
    return np.asarray(np.copysign(1.0, peak) * np.concatenate([up, up[-2::-1]]), dtype=np.float64)


class Work:
    """What one run does to one cell, counted.

    applied: pulses (of a recipe that counts cycles: cycles) so far; reads: reads so far; last: the rows of the last read,
    None before the first; conductance: S, its mean, NaN where it is no measurement; ended: s since the run began, when the
    last row came. Once a stop was asked for, nothing more
    is applied: the generators yield nothing.
    """

    def __init__(self, station: Station) -> None:
        self.station = station
        self.applied = 0
        self.reads = 0
        self.last: Block | None = None
        self.conductance = float("nan")
        self.started = station.clock.now()
        self.ended = 0.0

    def stopped(self) -> bool:
        """Whether a stop was asked for."""
        return bool(self.station.source_meter.should_stop())

    def elapsed(self) -> float:
        """Seconds since the run began, on the station's clock."""
        return self.station.clock.now() - self.started

    def wait(self, seconds: float) -> None:
        """Let `seconds` pass with nothing applied, or less when a stop is asked for."""
        if seconds > 0:
            self.station.clock.wait(seconds, self.stopped)

    def event(self, kind: str, **details: Any) -> None:
        """Note a verdict with the run."""
        self.station.recorder.event(kind, details)

    def read(self, request: Sweep | PulseTrain, wait: float = 0.0, **columns: Any) -> Iterator[Block]:
        """Wait, then read the cell once; `columns` are the recipe's own, and may replace any but those of a reading."""
        self.wait(wait)
        if self.stopped():
            return
        self.reads += 1
        for block in self._blocks(request):
            done = self._filled(block, Kind.READ, columns)
            if len(done) and not block.provisional:
                self.last = done
                self.conductance = float(np.mean(done["conductance"]))
            yield done

    def pulse(
        self, request: PulseTrain | Waveform, pulses: int, wait: float = 0.0, kind: Kind = Kind.PULSE, **columns: Any
    ) -> Iterator[Block]:
        """Wait, then apply `pulses` pulses as one request; its rows, if any is measured, count them up or stand at the end."""
        self.wait(wait)
        if self.stopped():
            return
        before = self.applied
        self.applied += pulses
        for block in self._blocks(request):
            if not len(block):
                continue
            single = isinstance(request, PulseTrain) and kind == Kind.PULSE
            count = before + 1 + np.arange(len(block)) if single and len(block) <= pulses else self.applied
            yield self._filled(block, kind, {"applied": count, **columns})

    def sweep(self, request: Sweep, keep: bool = True, **columns: Any) -> Iterator[Block]:
        """Sweep; keep: yield its rows, else none: it is applied, and nothing of it is claimed to have been looked at."""
        if self.stopped():
            return
        if not keep:
            request = replace(request, acquisition=replace(request.acquisition, live=False))
        for block in self._blocks(request):
            if keep:
                yield self._filled(block, Kind.SWEEP, columns)

    def _blocks(self, request: Sweep | PulseTrain | Waveform) -> Iterator[Block]:
        if isinstance(request, Sweep):
            return self.station.source_meter.sweep(request)
        source = self.station.pulse_source
        return source.train(request) if isinstance(request, PulseTrain) else source.play(request)

    def _filled(self, block: Block, kind: Kind, columns: dict[str, Any]) -> Block:
        self.ended = self.elapsed()
        common = {name: block[name] for name in _COMMON}
        ours = {
            "elapsed": self._began(block) + block["time"],
            "conductance": conductance(block) if kind == Kind.READ else np.full(len(block), np.nan),
            "kind": int(kind),
            "applied": self.applied,
            "reads": self.reads,
        }
        return Block(common, block.provisional).with_columns(**{**ours, **columns})

    def _began(self, block: Block) -> float:
        """When the test of `block` began, as well as the clock knows now that its last row is here."""
        return self.elapsed() - float(block["time"][-1]) if len(block) else self.elapsed()


def conductance(block: Block) -> FloatArray:
    """Current over measured voltage, S; NaN where the voltage is 0 or the reading is no measurement of the cell.

    A current that a compliance limits is one: the voltage measured with it is what the cell had.
    """
    voltage, current = block["voltage"], block["current"]
    usable = (voltage != 0) & np.isfinite(current) & ((block["status"] & int(USELESS)) == 0)
    return np.where(usable, current, np.nan) / np.where(usable, voltage, 1.0)


def longest(seconds: float, name: str) -> None:
    """Raise ParameterError where `seconds` is more than the pulse card can hold in one segment."""
    if seconds > LONGEST:
        raise ParameterError(f"{name} = {seconds:g} s is longer than the {LONGEST:g} s a segment may last")
