"""Which SMU sits on which terminal of the cell, and the options a station file may set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from labctl import plugins
from labctl.errors import LimitError, UsageError
from labctl.kxci.ranges import SmuKind
from labctl.kxci.replies import Option
from labctl.quantities import parse, show


@dataclass(frozen=True)
class Wiring:
    """The SMU number by terminal (None: the instrument's ground), what each SMU is, and the VS and VM channels there are."""

    terminals: Mapping[str, int | None]
    smus: Mapping[int, SmuKind]
    sources: tuple[int, ...] = ()
    voltmeters: tuple[int, ...] = ()

    @classmethod
    def of(cls, terminals: Mapping[str, int | None], cards: list[Option]) -> Wiring:
        """Join the station's terminals with what ``*OPT?`` reports. Raises UsageError for an SMU that is not there."""
        smus = {card.number: SmuKind.of(card) for card in cards if card.kind == "SMU" and card.number}
        for terminal, channel in terminals.items():
            if channel is not None and channel not in smus:
                raise UsageError(f"terminal {terminal!r} is on SMU{channel}, but the instrument has {_smus(smus)}")
        used = [channel for channel in terminals.values() if channel is not None]
        if len(set(used)) != len(used):
            raise UsageError(f"two terminals are on one SMU: {dict(terminals)}")
        numbers = {k: tuple(c.number for c in cards if c.kind == k and c.number) for k in ("VS", "VM")}
        return cls(dict(terminals), smus, numbers["VS"], numbers["VM"])

    def channel(self, terminal: str) -> int | None:
        """The SMU of `terminal`, None for ground. Raises LimitError for a terminal that is not wired."""
        if terminal not in self.terminals:
            known = ", ".join(self.terminals) or "none"
            raise LimitError(f"terminal {terminal!r} is not wired at this station; there is {known}")
        return self.terminals[terminal]

    def driven(self, terminal: str) -> int:
        """The SMU of a terminal that is to be driven. Raises LimitError where there is none."""
        channel = self.channel(terminal)
        if channel is None:
            raise LimitError(f"terminal {terminal!r} is grounded, it can't be driven or measured")
        return channel


def _smus(smus: Mapping[int, SmuKind]) -> str:
    return ", ".join(f"SMU{number}" for number in smus) or "no SMU"


def _option(default: Any, unit: str, least: float, greatest: float, meaning: str, kind: type | None = None) -> Any:
    """An option; kind: of its values, where that of its default does not say it."""
    bounds = {"unit": unit, "least": least, "greatest": greatest, "meaning": meaning}
    return field(default=default, metadata={**bounds, "kind": kind or type(default)})


@dataclass(frozen=True)
class Settings:
    """The ``options:`` of this instrument in a station file; every one has a default."""

    timeout: float | None = _option(None, "s", 0.05, 3600, "for one reply; the link's own where not given")
    poll_interval: float = _option(0.2, "s", 0.1, 60, "between two looks at a running test")
    live: bool = _option(True, "", 0, 1, "read points while the test runs")
    digits: int = _option(7, "", 3, 7, "of a reading (RS, D 5-42)")
    delay_factor: float = _option(1.0, "", 0, 100, "for an integration given in power-line cycles (IT4, D 5-39)")
    filter_factor: float = _option(1.0, "", 0, 100, "likewise")
    patience: float = _option(5.0, "", 1, 1000, "a test may take this many times what is expected")
    margin: float = _option(10.0, "s", 0, 3600, "and this much longer")
    read_twice: bool | None = _option(
        None, "", 0, 1, "ask for data twice, both must agree; where not given, on a line without checksums (GPIB)", bool
    )

    @classmethod
    def read(cls, options: Mapping[str, Any], others: Iterable[str] = ()) -> Settings:
        """Check the options of a station file; others: names of options that are read elsewhere.

        Raises UsageError naming what is unknown or out of bounds.
        """
        known = {item.name: item for item in fields(cls)}
        values: dict[str, Any] = {}
        for name in options:
            if name not in (everything := [*known, *others]):
                near = plugins.suggestion(name, everything)
                raise UsageError(f"unknown option {name!r} of keithley4200{near}; known: {', '.join(everything)}")
        for name, value in ((name, value) for name, value in options.items() if name in known):
            values[name] = _value(name, value, known[name].metadata, known[name].metadata["kind"])
        return cls(**values)

    def on_line(self, checked: bool) -> Settings:
        """The same with what was left to the line; checked: whether that has checksums, as TCP has and GPIB has not."""
        return self if self.read_twice is not None else replace(self, read_twice=not checked)

    def as_dict(self) -> dict[str, Any]:
        """The settings as JSON types."""
        return asdict(self)


def _value(name: str, value: Any, bounds: Mapping[str, Any], kind: Callable[[Any], Any]) -> Any:
    if kind is bool:
        if not isinstance(value, bool):
            raise UsageError(f"option {name} must be true or false, not {value!r}")
        return value
    number = parse(value, bounds["unit"])
    if not bounds["least"] <= number <= bounds["greatest"] or (kind is int and number != int(number)):
        span = f"{show(bounds['least'], bounds['unit'])} to {show(bounds['greatest'], bounds['unit'])}"
        raise UsageError(f"option {name} = {value!r} must be {'a whole number, ' * (kind is int)}{span}")
    return int(number) if kind is int else number
