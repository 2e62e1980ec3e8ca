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
DRIVER = plugins.load("instruments", "keithley4200", SourceMeter)
EXACT: Mapping[str, Any] = {"noise": 0.0, "offset": 0.0}

Meddle = Callable[[str, str], str | BaseException]


def honest(message: str, reply: str) -> str | BaseException:
    """Leave the reply as it is."""
    return reply


class Stutter:
    """Answers one message twice, after `skip` others that start so: every later question gets the reply to the one before."""

    def __init__(self, start: str, skip: int = 0) -> None:
        self.start = start
        self.skip = skip
        self.under_way: list[str] = []

    def __call__(self, message: str, reply: str) -> str:
        self.under_way.append(reply)
        if message.startswith(self.start):
            self.skip -= 1
            self.under_way += [reply] * (self.skip == -1)
        return self.under_way.pop(0)


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
        if isinstance(self.meddle, Stutter):
            self.meddle.under_way.clear()
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
    wish: "Wish"

    @property
    def sent(self) -> list[str]:
        """Messages sent so far; may be cleared."""
        return self.link.sent

    def subject(self) -> Subject:
        """The same for the conformance suite."""
        return Subject(self.meter, RESISTANCE, lambda: len(self.link.sent), self.again)

    def again(self) -> SourceMeter:
        """Let the client die without another word, and connect a new one."""
        self.link.dead = True
        self.link = link_to(self.bench)
        self.meter = connect(self.link, self.bench, self.wish)
        return self.meter

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
    bench = bench_of(wish)
    link = link_to(bench)
    return Rig(connect(link, bench, wish), link, bench, wish)


def bench_of(wish: Wish) -> SimBench:
    """The bench of a rig, without anybody connected."""
    settings = {**EXACT, **wish.settings}
    wiring = {terminal: wish.terminals[terminal] for terminal in ("top", "bottom")}
    return SimBench(ohmic(wish.resistance), wiring=wiring, settings=settings, transport=wish.transport)


def link_to(bench: SimBench) -> MeddledLink:
    """A link to a bench in this process."""
    write, read = DRIVER.terminators(bench.resource)
    ends = {"write_termination": write, "read_termination": read}
    return MeddledLink(VisaLink(bench.resource, visa_library=bench.library, timeout=5.0, clock=bench.clock, **ends))


def connect(link: MeddledLink, bench: SimBench, wish: Wish) -> SourceMeter:
    """Connect the driver."""
    return DRIVER.connect(link, wish.terminals, bench.clock, wish.options)
