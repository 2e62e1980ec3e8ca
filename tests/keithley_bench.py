"""A driver of the Keithley 4200 on the simulated bench, with a link between them that can be made to fail."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labctl import plugins
from labctl.bench import SimBench
from labctl.contracts import DeviceModel, SourceMeter
from labctl.errors import ConnectionLost
from labctl.link import VisaLink
from labctl.testing import Subject

RESISTANCE = 1e6
EXACT: Mapping[str, Any] = {"noise": 0.0, "offset": 0.0}

Meddle = Callable[[str, str], str | BaseException]


def honest(message: str, reply: str) -> str | BaseException:
    """Leave the reply as it is."""
    return reply


class MeddledLink:
    """A link whose replies go through `meddle(message, reply)`: what it returns is read, or raised if an exception.

    dead: nothing gets through any more, not even a new connection.
    """

    def __init__(self, link: VisaLink) -> None:
        self.link = link
        self.meddle: Meddle = honest
        self.dead = False
        self.sent: list[str] = []
        self.reopened = 0
        self._broken = False

    @property
    def resource(self) -> str:
        return self.link.resource

    @property
    def poisoned(self) -> bool:
        return self._broken or self.link.poisoned

    def write(self, message: str) -> None:
        self._check()
        self.sent.append(message)
        self.link.write(message)

    def read(self, timeout: float | None = None) -> str:
        self._check()
        result = self.meddle(self.sent[-1], self.link.read(timeout))
        if isinstance(result, BaseException):
            self._broken = True
            raise result
        return result

    def query(self, message: str, timeout: float | None = None) -> str:
        self.write(message)
        return self.read(timeout)

    def read_status_byte(self) -> int:
        self._check()
        return self.link.read_status_byte()

    def reopen(self) -> None:
        self.reopened += 1
        self._broken = self.dead
        self._check()
        self.link.reopen()

    def close(self) -> None:
        self.link.close()

    def _check(self) -> None:
        if self.dead or self._broken:
            self._broken = True
            raise ConnectionLost("the peer is gone")


@dataclass
class Rig:
    """A source meter on its bench."""

    meter: SourceMeter
    link: MeddledLink
    bench: SimBench

    @property
    def sent(self) -> list[str]:
        """Messages sent so far; may be cleared."""
        return self.link.sent

    def subject(self) -> Subject:
        """The same for the conformance suite."""
        return Subject(self.meter, RESISTANCE, lambda: len(self.link.sent))

    def outputs_are_off(self) -> bool:
        """What the simulated instrument itself says."""
        return not any(smu.output for smu in self.bench.instrument.frame.smus.values())


@dataclass
class Wish:
    """What a rig should be like."""

    transport: str = "tcp"
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    terminals: Mapping[str, int | None] = field(default_factory=lambda: {"top": 1, "bottom": 2})
    resistance: float = RESISTANCE


def ohmic(resistance: float) -> DeviceModel:
    """A resistor in ohm."""
    return plugins.load("sim_backends", "ohmic", DeviceModel)(resistance)


def rig(wish: Wish | None = None, **more: Any) -> Rig:
    """Build a bench and connect the driver to it."""
    wish = wish or Wish(**more)
    bench = SimBench(
        ohmic(wish.resistance),
        wiring=wish.terminals,
        settings={**EXACT, **wish.settings},
        transport=wish.transport,
    )
    driver = plugins.load("instruments", "keithley4200", SourceMeter)
    write, read = driver.terminators(bench.resource)
    link = MeddledLink(
        VisaLink(
            bench.resource,
            visa_library=bench.library,
            write_termination=write,
            read_termination=read,
            timeout=5.0,
            clock=bench.clock,
        )
    )
    return Rig(driver.connect(link, wish.terminals, bench.clock, wish.options), link, bench)
