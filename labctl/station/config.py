"""The station file: what may stand in it, and what it says of limits, rules and the ledger of a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from labctl import plugins, yaml
from labctl.errors import UsageError
from labctl.ledger import NAME, Rules, RulesConfig
from labctl.quantities import Limit, Limits, parse

_NONE = Rules()


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
    #: most of a run that a power cut may take; stimuli are always on the disk before they are sent
    sync_interval: Seconds = 1.0

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
