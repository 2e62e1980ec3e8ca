"""A station that is open: its instruments behind their links, locked, with every limit that holds here."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from labctl import cards, locks, plugins, provenance
from labctl.clocks import WallClock
from labctl.contracts import (
    Block,
    Clock,
    Instrument,
    NoRecorder,
    PulseSource,
    PulseTrain,
    Recorder,
    Sampling,
    SourceMeter,
    Waveform,
)  # fmt: skip
from labctl.contracts import Request as AnyRequest
from labctl.errors import UsageError
from labctl.ledger import Rules, figures
from labctl.station.config import InstrumentConfig, StationConfig, limits, rules, sample_path

if TYPE_CHECKING:
    from labctl.bench import SimBench
    from labctl.link import Line

    WireSink = Callable[[str, Line], None]  # name of the instrument, what was said

_log = logging.getLogger("labctl.station")
_UNHEARD = 200  #: messages kept for a log that begins later: who was asked for its name and settings; a guess
P = TypeVar("P", SourceMeter, PulseSource)


class Station:
    """Opened instruments with every limit that holds here; a context manager that leaves the outputs off.

    sample: path of the sample ("W12/D3-4/C5"), whose limits are joined, None where nothing will be measured;
    seed: of a simulated cell and its instrument's noise; bench: an already built simulated bench to use again (the same
    cell, with its history); clock: instead of the bench's own.
    Raises locks.InUse, saying who has it, if an instrument is in use by another program or Station; never for a simulated one.
    """

    def __init__(
        self,
        config: StationConfig,
        sample: str | None = "",
        seed: int | None = None,
        bench: SimBench | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.config = config
        self.sample = sample_path(sample or "")
        self.card = cards.read(config.simulate.device) if config.simulate else None
        self.recorder: Recorder = NoRecorder()
        self.prepared: str | None = (
            None if bench is not None else ""
        )  # what a simulated cell was; None once it has a history
        self.bench = bench or (_build_bench(config, seed) if config.simulate else None)
        self.clock: Clock = clock or (self.bench.clock if self.bench else WallClock())
        self.limits = limits(config, sample) if sample is not None else config.limits.of(f"station {config.name}")
        #: held by the runner, which keeps the ledger
        self.rules = rules(config, sample) if sample is not None else Rules()
        self.instruments: dict[str, SourceMeter] = {}
        self._locks: list[locks.Lock] = []
        self._wire: WireSink | None = None
        self._unheard: deque[tuple[str, Line]] = deque(maxlen=_UNHEARD)
        try:
            for name, instrument in config.instruments.items():
                self.instruments[name] = self._open(name, instrument)
        except BaseException:
            self.close()
            raise

    @property
    def parts(self) -> Iterator[Instrument]:
        """Every instrument, and every card in one that is an instrument of its own."""
        for instrument in self.instruments.values():
            yield from instrument.parts()

    @property
    def source_meter(self) -> SourceMeter:
        """The first source meter of the station. Raises UsageError if there is none."""
        return self._first(SourceMeter, "source meter")  # type: ignore[type-abstract]

    @property
    def pulse_source(self) -> PulseSource:
        """The first pulse source of the station. Raises UsageError if there is none."""
        return self._first(PulseSource, "pulse source")  # type: ignore[type-abstract]

    def _first(self, role: type[P], words: str) -> P:
        for part in self.parts:
            if isinstance(part, role):
                return part
        raise UsageError(f"station {self.config.name!r} has no {words}")

    def check(self, request: AnyRequest) -> None:
        """Raise LimitError unless the instrument that would get `request` may apply it; sends nothing."""
        if isinstance(request, (Waveform, PulseTrain)):
            self.pulse_source.check(request)
        else:
            self.source_meter.check(request)  # type: ignore[arg-type]  # what is no pulse is a source meter's

    def apply(self, request: AnyRequest) -> Iterator[Block]:
        """Have the instrument that takes `request` apply it; its blocks. Raises LimitError."""
        if isinstance(request, PulseTrain):
            return self.pulse_source.train(request)
        if isinstance(request, Waveform):
            return self.pulse_source.play(request)
        return self.source_meter.sample(request) if isinstance(request, Sampling) else self.source_meter.sweep(request)  # type: ignore[arg-type]

    def prepare(self, state: str) -> None:
        """Put the simulated cell into a state, "pristine" or "formed". Raises UsageError on a real bench."""
        if self.bench is None:
            raise UsageError("only a simulated cell can be prepared")
        self.bench.device.prepare(state)
        self.prepared = state

    def stop_when(self, should_stop: Callable[[], bool]) -> None:
        """Have every instrument ask `should_stop` between readings."""
        for part in self.parts:
            part.should_stop = should_stop

    def settle(self) -> None:
        """End every test whose blocks nobody read to the end."""
        for part in self.parts:
            part.settle()

    def record_to(self, recorder: Recorder) -> None:
        """Have every stimulus from now on noted in `recorder` before it is sent."""
        self.recorder = recorder
        for part in self.parts:
            part.recorder = recorder

    def make_safe(self) -> None:
        """Switch every output off. Tries all instruments; raises the first error afterwards."""
        errors: list[Exception] = []
        for instrument in self.instruments.values():
            try:
                instrument.make_safe()
            except Exception as error:  # noqa: BLE001 - the next instrument must be made safe too
                errors.append(error)
        if errors:
            raise errors[0]

    def log_wire_to(self, sink: WireSink | None) -> None:
        """Have `sink` told every message from now on, and first the last ones nobody was told; None: nobody is."""
        self._wire = sink
        while sink is not None and self._unheard:
            sink(*self._unheard.popleft())

    def close(self) -> None:
        """Release the links, then the locks; does not touch the outputs (see `make_safe`)."""
        with ExitStack() as stack:  # all of it, whatever one of them raises
            for lock in self._locks:
                stack.callback(lock.release)
            for instrument in reversed(self.instruments.values()):
                stack.callback(instrument.close)

    def __enter__(self) -> Station:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.make_safe()
        finally:
            self.close()

    def _say(self, name: str, line: Line) -> None:
        if self._wire is None:
            self._unheard.append((name, line))
        else:
            self._wire(name, line)

    def _lock(self, resource: str) -> None:
        from labctl.link import canonical

        holder = {**provenance.holder(), "since": provenance.now(), "command": provenance.command()}
        lock = locks.take(canonical(resource), holder)
        self._locks.append(lock)
        if lock.inherited:
            _log.warning("%s was left by %s: that program died; outputs go off now", resource, lock.inherited)

    def _open(self, name: str, config: InstrumentConfig) -> SourceMeter:
        from labctl.link import VisaLink  # pyvisa is needed only once something is opened

        driver = plugins.load("instruments", config.driver, SourceMeter)  # type: ignore[type-abstract]
        resource = self.bench.resource if self.bench else config.resource
        library = self.bench.library if self.bench else config.visa_library
        write, read = driver.terminators(resource)
        if self.bench is None:  # a bench in this process is nobody else's
            self._lock(resource)
        link = VisaLink(
            resource,
            visa_library=library,
            write_termination=write,
            read_termination=read,
            timeout=config.timeout,
            clock=self.clock,
            sink=partial(self._say, name),
        )
        try:
            meter = driver.connect(link, config.terminals, self.clock, config.options)
        except BaseException:
            link.close()
            raise
        for part in meter.parts():
            part.limits = part.limits & self.limits
            part.figures = figures
        return meter


def _build_bench(config: StationConfig, seed: int | None) -> SimBench:
    from labctl.bench import SimBench

    simulation = config.simulate
    assert simulation is not None
    wiring: Mapping[str, int | None] = next(iter(config.instruments.values())).terminals
    return SimBench(
        cards.build(simulation.device, seed),
        instrument=simulation.instrument,
        wiring=wiring,
        settings=simulation.settings,
        seed=seed,
        transport=simulation.transport,
        faults=simulation.faults,
    )
