"""Transient relaxation: how a cell falls back after a pulse, read once after each of many equal pulses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import kinetics, reads, retention
from labctl.contracts import Block, Extracted, FloatArray, Status, Waveform
from labctl.procedure import Count, Number, ParameterError, Plot, Station
from labctl.pulses import log_times, ticks
from labctl.quantities import Column
from labctl.recipe_parts import WORK_COLUMNS, Kind, PulseParameters, Work, conductance, longest


class TransientRelaxation(PulseParameters):
    """Pulse the cell and read it at a small voltage a delay later; a fresh pulse for every delay of a logarithmic grid.

    Each delay has its own pulse, so that no read disturbs a later one; `recovery` in between lets the cell relax in full. One
    range holds for pulse and read: what the read can resolve is set by the pulse's current. Pulses have no compliance.
    """

    amplitude = Number("amplitude", "V", default=1.0, minimum=-40, maximum=40, description="level of the pulse")
    width = Number(
        "width", "s", default=1e-4, minimum=6e-8, maximum=0.4, description="width of the pulse at half height"
    )
    v_read = Number(
        "v_read", "V", default=0.1, minimum=-40, maximum=40, description="read level, too small to keep the cell on"
    )
    read_width = Number(
        "read_width", "s", default=1e-6, minimum=1e-7, maximum=0.1, description="width of the read's top"
    )
    first_delay = Number(
        "first_delay",
        "s",
        default=2e-6,
        minimum=1e-7,
        maximum=1,
        description="first delay, pulse's end to the read's mean",
    )
    last_delay = Number(
        "last_delay", "s", default=0.1, minimum=1e-7, maximum=1, description="last delay; all else is gone by it"
    )
    per_decade = Count("per_decade", default=6, minimum=1, maximum=1000, description="delays a decade")
    averages = Count("averages", default=1, minimum=1, maximum=10_000, description="pulses and reads of each delay")
    recovery = Number(
        "recovery", "s", default=1.0, minimum=0, maximum=1e5, description="wait with nothing applied before each pulse"
    )
    pulse_range = Number(
        "pulse_range",
        "A",
        default=1e-3,
        above=0,
        maximum=1,
        description="current range of pulse and read (1 mA needs the RPM); must hold the pulse's current, limits none",
    )

    columns = (
        *WORK_COLUMNS,
        Column("delay", "s", meaning="from the end of the pulse to the middle of what is measured of the read"),
    )
    device = "selector"
    plot = Plot("delay", "conductance", log=True, log_x=True, each="kind", names=((0, "read"),))

    def check(self) -> None:
        """Refuse pulses and reads at 0 V, and delays that are too short for the read."""
        self.shape(self.width).check()
        longest(self.last_delay, "last_delay")
        for name in ("amplitude", "v_read"):
            if getattr(self, name) == 0:
                raise ParameterError(f"{name} = 0 V shows nothing")
        if self.v_read == self.amplitude:
            raise ParameterError(f"v_read = amplitude = {self.v_read:g} V is no read after a pulse, but a second pulse")
        if self.first_delay > self.last_delay:
            raise ParameterError(
                f"first_delay = {self.first_delay:g} s is later than last_delay = {self.last_delay:g} s"
            )
        self.waveform(float(self.delays()[0]))

    def delays(self) -> FloatArray:
        """The delays, s, shape (n,)."""
        times = log_times(self.first_delay, self.last_delay, self.per_decade)
        return np.array([ticks(float(time)) for time in times])

    def waveform(self, delay: float) -> Waveform:
        """The pulse and the read `delay` s after it. Raises ParameterError for a delay too short for the read."""
        return self.shape(self.width).followed(self.amplitude, delay, self.v_read, self.read_width)

    def expected_rows(self) -> int:
        """A mean of the pulse and one of the read for each delay and repetition."""
        return 2 * len(self.delays()) * self.averages

    def requests(self) -> list[Waveform]:
        """A waveform for each delay."""
        return [self.waveform(float(delay)) for delay in self.delays()]

    def plan(self) -> list[tuple[int, Sequence[Waveform]]]:
        """Every delay, `averages` times; the read in a waveform counts as a pulse."""
        return [(int(self.averages), [request]) for request in self.requests()]

    def points(self, station: Station) -> Iterator[Block]:
        """Yield the mean of each pulse, and of the read after it."""
        work = Work(station)
        for delay in self.delays():
            for _ in range(self.averages):
                if work.stopped():
                    return
                for block in work.pulse(self.waveform(float(delay)), 1, self.recovery, delay=float(delay)):
                    yield self._told_apart(work, block)

    def _told_apart(self, work: Work, block: Block) -> Block:
        """The rows of a waveform: those at the read level are reads, and count as such."""
        reads = np.abs(block["level"] - self.v_read) < np.abs(block["level"] - self.amplitude)
        if not block.provisional:
            work.reads += int(np.count_nonzero(reads))
        kinds = np.where(reads, int(Kind.READ), int(Kind.PULSE))
        return block.with_columns(kind=kinds, reads=work.reads, conductance=np.where(reads, conductance(block), np.nan))

    @classmethod
    def extract(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """The half-life of the current after the pulse, and a time constant where the decay is one exponential."""
        times, means, left = _decay(columns)
        found = [kinetics.half_life(times, means), kinetics.relaxation_time(times, means)]
        found.append(reads.left_out(left))
        return [item for item in found if item is not None]

    @classmethod
    def analyze(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """Beside `extract`: the exponent of a decay as a power of time, for one that is no exponential."""
        times, means, left = _decay(columns)
        power = retention.drift(times, means, "decay exponent", left.size)
        return [*cls.extract(columns), *([power] if power is not None else [])]


def _decay(columns: Mapping[str, NDArray[Any]]) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    """Delays (s), the mean current (A) read after each, and the status of the reads left out."""
    read = columns["kind"] == Kind.READ
    harmless = (columns["status"] & ~int(Status.LOAD_LINE)) == 0  # its resistance takes nothing from a small read
    usable = read & harmless
    delays, current = columns["delay"][usable], columns["current"][usable]
    times = np.unique(delays)
    means = np.array([float(current[delays == time].mean()) for time in times])
    return times, means, columns["status"][read & ~harmless]
