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

With ``simulate: {device: device-2}`` beside ``instruments`` the same station runs on a simulated cell: nothing real is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from labctl import cards, plugins, yaml
from labctl.clocks import WallClock
from labctl.contracts import Clock, Instrument, NoRecorder, PulseSource, PulseTrain, Recorder, SourceMeter, Waveform
from labctl.contracts import Request as AnyRequest
from labctl.errors import UsageError
from labctl.quantities import Limit, Limits, parse

if TYPE_CHECKING:
    from labctl.bench import SimBench


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


class InstrumentConfig(_Model):
    """One instrument: its driver, where it is, and how it is wired."""

    driver: str
    resource: str
    visa_library: str = ""
    timeout: Seconds = 20.0
    terminals: dict[str, Channel] = {"top": 1, "bottom": 2}
    options: dict[str, Any] = {}


class SimulationConfig(_Model):
    """The simulated far side: device card, simulated instrument and its settings."""

    device: str
    instrument: str = "keithley4200"
    settings: dict[str, Any] = {}
    transport: Literal["tcp", "gpib"] = "tcp"


class StationConfig(_Model):
    """A station file."""

    name: str
    instruments: dict[str, InstrumentConfig] = Field(min_length=1)
    limits: LimitsConfig = LimitsConfig()
    samples: dict[str, LimitsConfig] = {}
    simulate: SimulationConfig | None = None
    operator: str = ""

    @field_validator("samples")
    @classmethod
    def _normal_paths(cls, samples: dict[str, LimitsConfig]) -> dict[str, LimitsConfig]:
        named: dict[str, LimitsConfig] = {}
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
    """Read a station file. Raises UsageError with file, line and column for each mistake."""
    return yaml.load(path, StationConfig)


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
        self.bench = bench or (_build_bench(config, seed) if config.simulate else None)
        self.clock: Clock = clock or (self.bench.clock if self.bench else WallClock())
        self.limits = limits(config, sample) if sample is not None else config.limits.of(f"station {config.name}")
        self.instruments: dict[str, SourceMeter] = {}
        try:
            for name, instrument in config.instruments.items():
                self.instruments[name] = self._open(instrument)
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

    def close(self) -> None:
        """Release the links; does not touch the outputs (see `make_safe`)."""
        for instrument in self.instruments.values():
            instrument.close()

    def __enter__(self) -> Station:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self.make_safe()
        finally:
            self.close()

    def _open(self, config: InstrumentConfig) -> SourceMeter:
        from labctl.link import VisaLink  # pyvisa is needed only once something is opened

        driver = plugins.load("instruments", config.driver, SourceMeter)  # type: ignore[type-abstract]
        resource = self.bench.resource if self.bench else config.resource
        library = self.bench.library if self.bench else config.visa_library
        write, read = driver.terminators(resource)
        link = VisaLink(
            resource, visa_library=library, write_termination=write, read_termination=read, timeout=config.timeout
        )
        try:
            meter = driver.connect(link, config.terminals, self.clock, config.options)
        except BaseException:
            link.close()
            raise
        for part in meter.parts():
            part.limits = part.limits & self.limits
        return meter


def limits(config: StationConfig, sample: str) -> Limits:
    """The limits of the station and of every prefix of the sample's path that the file names.

    Where the file names samples, one of them must fit (or "*" be there), so that a misspelt path can't lose its limits.
    Raises UsageError.
    """
    parts = sample_path(sample).split("/")
    prefixes = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    fitting = [name for name in prefixes if name in config.samples]
    if not fitting and ANY in config.samples:
        fitting = [ANY]
    if config.samples and not fitting:
        which = f"sample {sample!r} is not one of" if sample else "give --sample: this station knows"
        hint = plugins.suggestion(prefixes[0], list(config.samples))
        raise UsageError(f"{which} {', '.join(config.samples)}{hint}; '*' in the station file stands for any other")
    joined = config.limits.of(f"station {config.name}")
    for name in fitting:
        joined = joined & config.samples[name].of(f"sample {name}")
    return joined


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
    )
