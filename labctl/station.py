"""A station: ``station.yaml`` (or a simulated bench) -> opened instruments, limits, clock.

::

    name: bench-1
    instruments:
      smu:
        driver: keithley4200
        resource: TCPIP0::192.168.0.10::1225::SOCKET
        visa_library: "@py"            # "" lets PyVISA choose (a vendor's VISA first)
        timeout: 20 s
        terminals: {top: 1, bottom: 2} # the instrument's channels; "ground" for its ground terminal
    limits: {voltage: 10 V, current: 10 mA}
    samples:
      W12: {voltage: 5 V, current: 1 mA}
      W12/D3-4/C5: {voltage: 2 V}      # the limits of every part of a sample's path hold
      "*": {voltage: 1 V}              # for samples not named here; without it they are refused
    sync_interval: 1 s                 # most of a run that a power cut may take; stimuli are on the disk before they are sent
    rules: {formed_first: [endurance], pulses: 1M}   # on the history of a cell; samples may have more (rules: ... in theirs)
    ledger: /data/cells.sqlite         # where that history is kept; without rules by default in the folder of the run files

With ``simulate: {device: device-2}`` beside ``instruments`` the same station runs on a simulated cell: nothing real is opened.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from labctl import cards, locks, plugins, provenance, yaml
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
)
from labctl.contracts import Request as AnyRequest
from labctl.errors import UsageError
from labctl.ledger import NAME, Rules, RulesConfig, figures
from labctl.quantities import Limit, Limits, parse

if TYPE_CHECKING:
    from labctl.bench import SimBench
    from labctl.link import Line

    WireSink = Callable[[str, Line], None]  # name of the instrument, what was said

_log = logging.getLogger("labctl.station")
_NONE = Rules()
_UNHEARD = 200  #: messages kept for a log that begins later: who was asked for its name and settings; a guess


# -- the file ---------------------------------------------------------------------------------------------------------
def _si(unit: str) -> BeforeValidator:
    def convert(value: Any) -> float:
        try:
            return parse(value, unit)
        except UsageError as error:
            raise ValueError(str(error)) from None

    return BeforeValidator(convert)


Volts = Annotated[float, _si("V"), Field(gt=0)]
Amperes = Annotated[float, _si("A"), Field(gt=0)]
Watts = Annotated[float, _si("W"), Field(gt=0)]
Seconds = Annotated[float, _si("s"), Field(gt=0)]


def _channel(value: Any) -> Any:
    return None if value == "ground" else value


ANY = "*"  #: the name under ``samples:`` whose limits hold for samples that no other name fits
P = TypeVar("P", SourceMeter, PulseSource)
Channel = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_channel)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitsConfig(_Model):
    """Greatest magnitudes; what is left out is not limited here."""

    voltage: Volts | None = None
    current: Amperes | None = None
    power: Watts | None = None

    def of(self, owner: str) -> Limits:
        """The same as Limits of `owner`."""
        units = {"voltage": "V", "current": "A", "power": "W"}
        values = {name: getattr(self, name) for name in units}
        return Limits(tuple(Limit(n, v, units[n], owner) for n, v in values.items() if v is not None))


class SampleConfig(LimitsConfig):
    """Limits and rules of a sample."""

    rules: RulesConfig = RulesConfig()


class InstrumentConfig(_Model):
    """One instrument: its driver, where it is, and how it is wired."""

    driver: str
    resource: str
    visa_library: str = ""
    timeout: Seconds = 20.0
    terminals: dict[str, Channel] = {"top": 1, "bottom": 2}
    options: dict[str, Any] = {}


class SimulationConfig(_Model):
    """The simulated far side: device card, simulated instrument and its settings; faults: on its wire, in words."""

    device: str
    instrument: str = "keithley4200"
    settings: dict[str, Any] = {}
    transport: Literal["tcp", "gpib"] = "tcp"
    faults: str = ""

    @field_validator("faults")
    @classmethod
    def _known_faults(cls, faults: str) -> str:
        if faults:
            from labctl.bench import fault_plan  # with the bench comes pyvisa

            _as_value_error(lambda text: str(fault_plan.parse(text)), faults)
        return faults


class StationConfig(_Model):
    """A station file."""

    name: str
    instruments: dict[str, InstrumentConfig] = Field(min_length=1)
    limits: LimitsConfig = LimitsConfig()
    samples: dict[str, SampleConfig] = {}
    rules: RulesConfig = RulesConfig()
    ledger: Path | None = None
    simulate: SimulationConfig | None = None
    operator: str = ""
    sync_interval: Seconds = (
        1.0  #: most of a run that a power cut may take; stimuli are always on the disk before they are sent
    )

    @field_validator("samples")
    @classmethod
    def _normal_paths(cls, samples: dict[str, SampleConfig]) -> dict[str, SampleConfig]:
        named: dict[str, SampleConfig] = {}
        for text, config in samples.items():
            name = ANY if text == ANY else _as_value_error(sample_path, text)
            if name in named:
                raise ValueError(f"sample {name!r} is named twice")
            named[name] = config
        return named

    @field_validator("instruments")
    @classmethod
    def _own_names(cls, instruments: dict[str, InstrumentConfig]) -> dict[str, InstrumentConfig]:
        if taken := [name for name in instruments if name.startswith("simulated_")]:
            raise ValueError(f"instrument name {taken[0]!r}: names that begin with 'simulated_' are labctl's own")
        return instruments


def sample_path(text: str) -> str:
    """The one spelling of a sample's path: parts joined by ``/``, no blanks around them. Raises UsageError."""
    parts = [part.strip() for part in text.split("/") if part.strip()]
    strange = [part for part in parts if part in (".", "..") or "\\" in part or not part.isprintable()]
    if strange or (text and not parts):
        raise UsageError(f"sample path {text!r}: write parts joined by '/', e.g. W12/D3-4/C5")
    return "/".join(parts)


def _as_value_error(function: Callable[[str], str], text: str) -> str:
    try:
        return function(text)
    except UsageError as error:
        raise ValueError(str(error)) from None


def read(path: Path) -> StationConfig:
    """Read a station file; a relative ledger is one beside it. Raises UsageError with the place of each mistake."""
    config = yaml.load(path, StationConfig)
    return config if config.ledger is None else config.model_copy(update={"ledger": Path(path).parent / config.ledger})


def from_record(config: Any) -> StationConfig:
    """The station of a simulated run, from what its run file says of it; the ledger is the one beside the run.

    Raises UsageError for anything but a simulated station: a file is no authority on a bench.
    """
    if not isinstance(config, Mapping):
        raise UsageError(
            "the run file does not say how its simulated bench was built, or its cell had a history before the run"
        )
    try:
        found = StationConfig.model_validate(config)
    except ValidationError as error:
        raise UsageError(f"the station in the run file can't be used: {' '.join(str(error).split())[:300]}") from None
    if found.simulate is None:
        raise UsageError("the run file names a real station; give --station FILE")
    return found.model_copy(update={"ledger": None})  # a path in a file from elsewhere is not written to


def simulated(device: str, transport: Literal["tcp", "gpib"] = "tcp") -> StationConfig:
    """The station ``--sim DEVICE`` means: a simulated 4200 with this device between SMU1 and SMU2, no limits but its own."""
    smu = InstrumentConfig(driver="keithley4200", resource="simulated")
    return StationConfig(
        name=f"simulated {device}",
        instruments={"smu": smu},
        simulate=SimulationConfig(device=device, transport=transport),
    )


# -- the opened station -----------------------------------------------------------------------------------------------
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
        self.rules = (
            rules(config, sample) if sample is not None else Rules()
        )  # held by the runner, which keeps the ledger
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


def limits(config: StationConfig, sample: str) -> Limits:
    """The limits of the station and of every prefix of the sample's path that the file names.

    Where the file names samples, one of them must fit (or "*" be there), so that a misspelt path can't lose its limits.
    Raises UsageError.
    """
    fitting = _fitting(config, sample)
    if config.samples and not fitting:
        which = f"sample {sample!r} is not one of" if sample else "give --sample: this station knows"
        hint = plugins.suggestion(sample_path(sample).partition("/")[0], list(config.samples))
        raise UsageError(f"{which} {', '.join(config.samples)}{hint}; '*' in the station file stands for any other")
    joined = config.limits.of(f"station {config.name}")
    for name in fitting:
        joined = joined & config.samples[name].of(f"sample {name}")
    return joined


def rules(config: StationConfig, sample: str) -> Rules:
    """The rules of the station and of every prefix of the sample's path that the file names; they hold in `runner.run`."""
    joined = config.rules.of(f"station {config.name}")
    for name in _fitting(config, sample):
        joined = joined & config.samples[name].rules.of(f"sample {name}")
    return joined


def ledger_file(config: StationConfig, run_file: Path, ruled: Rules = _NONE) -> Path:
    """Where the cells' history is kept: the station's ledger, or one in the folder of the run files.

    Rules on a real cell need the first, since every other folder would be a fresh history: UsageError where `ruled` holds some.
    """
    if ruled and config.ledger is None and config.simulate is None:
        raise UsageError(
            "the station has rules, and they need all that was ever done to a cell: say in the station file where that is kept"
            " (ledger: /data/cells.sqlite), or give --ledger FILE"
        )
    return config.ledger or run_file.parent / NAME


def _fitting(config: StationConfig, sample: str) -> list[str]:
    """The names under ``samples:`` that hold for a sample, the widest first."""
    parts = sample_path(sample).split("/")
    prefixes = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    fitting = [name for name in prefixes if name in config.samples]
    return [ANY] if not fitting and ANY in config.samples else fitting


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
