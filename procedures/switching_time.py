"""Switching time: the current during one pulse, sample by sample, and the state read before and after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labctl.analysis import currents, energy, kinetics, reads
from labctl.contracts import Block, Extracted, PulseTrain, Status, Sweep, Waveform
from labctl.procedure import Number, ParameterError, Plot, Station
from labctl.pulses import ticks
from labctl.quantities import Column, show
from labctl.recipe_parts import WORK_COLUMNS, Kind, PreparedParameters, PulseParameters, ReadParameters, Work

LEAD = 1e-6  #: s at 0 V before and after the pulse, so that its edges are captured; above the 100 ns of the manual (D 7-19)

#: flags of samples that are not the cell's current, and what to do about them
SPOILS = (
    (Status.OVERFLOW, "beyond pulse_range; take a larger one"),
    (Status.THRESHOLD | Status.COMPLIANCE, "limited by the pulse card; take a lower amplitude or a larger pulse_range"),
    (Status.SKIPPED, "not applied"),
    (Status.INVALID, "no measurement of the cell"),
)


class SwitchingTime(PulseParameters, ReadParameters, PreparedParameters):
    """Capture the current of a pulse that sets and of one that resets; the time is that of half the change of |I|.

    The change counted is from `selector_on` after half of the rising edge (a selector in series conducts by then) to the end
    of the top; it follows any change, so look at the states read before and after, too. Pulses have no current compliance.
    """

    amplitude = Number("amplitude", "V", default=2.0, minimum=-40, maximum=40, description="level of the first pulse")
    second = Number(
        "second", "V", default=-2.0, minimum=-40, maximum=40, description="level of the second pulse; 0 for none"
    )
    width = Number("width", "s", default=135e-6, minimum=1e-7, maximum=0.4, description="width of both at half height")
    selector_on = Number(
        "selector_on", "s", default=0.3e-6, minimum=0, maximum=0.1, description="where the change is counted from"
    )
    sample_rate = Number(
        "sample_rate",
        "",
        default=1e7,
        minimum=0,
        maximum=2e8,
        description="samples a second (the card takes 200e6/n); 0: the instrument's choice, as old software wants it",
    )
    pulse_range = Number(
        "pulse_range",
        "A",
        default=1e-3,
        above=0,
        maximum=1,
        description="current range of the pulse card (1 mA needs the RPM); must hold the current, and limits no current",
    )

    columns = (
        *WORK_COLUMNS,
        Column("amplitude", "V", meaning="level of the last pulse, 0 before the first", label="pulse amplitude"),
        Column(
            "pulse_time",
            "s",
            meaning="of a sample: since half of the rising edge; no number elsewhere",
            label="time in the pulse",
        ),
        Column("part", "", "int64", "1 a sample the switching time is drawn from, else 0"),
    )
    pictures = ("waveform",)
    plot = Plot("pulse_time", "current", each="amplitude")

    def check(self) -> None:
        """Refuse reads and pulses at 0 V, and a pulse that ends before `selector_on`."""
        self.check_reads()
        self.check_states()
        self.shape(self.width).check()
        if self.amplitude == 0:
            raise ParameterError("amplitude = 0 V is no pulse")
        if self.selector_on + self.rise >= self.width:
            raise ParameterError(
                f"selector_on = {show(self.selector_on, 's')} leaves nothing of width = {show(self.width, 's')}"
            )

    def waveforms(self) -> list[Waveform]:
        """The pulses, in the order applied."""
        shape = self.shape(self.width)
        levels = [level for level in (self.amplitude, self.second) if level != 0]
        return [shape.captured(level, ticks(LEAD), self.sample_rate or None) for level in levels]

    def requests(self) -> list[Sweep | PulseTrain | Waveform]:
        """The preparing sweep, the read, the pulses."""
        return [*self.preparing(), self.read_request(), *self.waveforms()]

    def plan(self) -> list[tuple[int, Sequence[Sweep | PulseTrain | Waveform]]]:
        """The preparing sweep, the pulses, and a read before and after each."""
        return [(1, [*self.preparing(), *self.waveforms()]), (1 + len(self.waveforms()), [self.read_request()])]

    def points(self, station: Station) -> Iterator[Block]:
        """Yield the preparing sweep, a read, then the samples of each pulse and the read after it."""
        work = Work(station)
        mark: dict[str, Any] = {"amplitude": 0.0, "pulse_time": float("nan"), "part": 0}
        for sweep in self.preparing():
            yield from work.sweep(sweep, **mark)
        yield from work.read(self.read_request(), self.wait, **mark)
        for waveform in self.waveforms():
            level = float(waveform.levels[2])
            for block in work.pulse(waveform, 1, self.wait, Kind.SAMPLE, amplitude=level):
                yield self._placed(block)
            yield from work.read(self.read_request(), self.wait, **{**mark, "amplitude": level})

    def _placed(self, block: Block) -> Block:
        """The samples with their time in the pulse, and which of them count."""
        half = 0.5 * float(self.rise)
        since = block["time"] - ticks(LEAD) - half
        begin, end = max(float(self.selector_on), half), half + self.shape(self.width).top
        slack = 1e-12  # float noise of a sum of times, not a margin
        return block.with_columns(
            pulse_time=since, part=((since >= begin - slack) & (since <= end + slack)).astype(np.int64)
        )

    @classmethod
    def extract(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """The switching time of each pulse, and the current read before and after; no time where too little changed.

        No number, with the reason, where samples are beyond the range, a stop cut the pulse short, or a read is flagged.
        """
        found: list[Extracted | None] = []
        read = columns["kind"] == Kind.READ
        found.append(_state(columns, read & (columns["applied"] == 0), "I before"))
        for number in np.unique(columns["applied"][columns["kind"] == Kind.SAMPLE]):
            mine = columns["applied"] == number
            level = float(columns["amplitude"][mine][0])
            samples = mine & (columns["kind"] == Kind.SAMPLE)
            found.append(_time(columns, samples, "t_set" if level > 0 else "t_reset"))
            found.append(_state(columns, read & mine, f"I after {level:+.3g} V"))
        return [item for item in found if item is not None]

    @classmethod
    def analyze(cls, columns: Mapping[str, NDArray[Any]]) -> list[Extracted]:
        """Beside `extract`: the energy of each captured pulse, edges included, and per bit of a cell with two states."""
        found = list(cls.extract(columns))
        for number in np.unique(columns["applied"][columns["kind"] == Kind.SAMPLE]):
            rows = (columns["applied"] == number) & (columns["kind"] == Kind.SAMPLE)
            name = f"energy of the pulse of {float(columns['amplitude'][rows][0]):+.3g} V"
            time, voltage, current, status = (columns[key][rows] for key in ("time", "voltage", "current", "status"))
            pulse = energy.of_pulse(time, voltage, current, status, name)
            if pulse is not None:
                found += [pulse, energy.per_bit(pulse)]
        return found


def _time(columns: Mapping[str, NDArray[Any]], samples: NDArray[np.bool_], name: str) -> Extracted | None:
    """The switching time of the pulse with these samples; NaN with the reason where they do not show it."""
    top = samples & (columns["part"] == 1)
    reason = _no_time(columns["status"][samples], columns["status"][top])
    if reason:
        return Extracted(name, float("nan"), "s", float("nan"), f"no time: {reason}")
    return kinetics.half_change(columns["pulse_time"][top], columns["current"][top], name)


def _no_time(status: NDArray[np.int64], top: NDArray[np.int64]) -> str:
    """Why samples give no time, "" where they do; status, top: of all samples, of those it is drawn from."""
    if reads.marked(status, Status.PROVISIONAL).any():
        return "a stop cut the pulse short"
    for flags, words in SPOILS:
        count = int(np.count_nonzero(reads.marked(top, flags)))
        if count:
            return f"{count} of {top.size} samples {words}"
    return ""


def _state(columns: Mapping[str, NDArray[Any]], rows: NDArray[np.bool_], name: str) -> Extracted | None:
    """The current of the last of some reads."""
    return currents.last_read(columns["level"], columns["current"], columns["status"], rows, name)
