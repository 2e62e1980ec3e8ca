"""A transparent cell and a talker, for the tests of the simulated instrument and bench."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from labctl.bench import SimBench
from labctl.contracts import Card, DeviceModel, Drive, Response


class Resistor(DeviceModel):
    """An ohmic cell that remembers every dwell it was given."""

    name = "test-resistor"

    def __init__(self, resistance: float = 1e4) -> None:
        self.resistance = resistance
        self.dwells: list[tuple[Drive, float]] = []

    @classmethod
    def from_card(cls, card: Card, seed: int | None) -> Resistor:
        return cls(card.values({"resistance": "ohm"})["resistance"])

    def advance(self, drive: Drive, duration: float) -> Response:
        assert duration >= 0
        self.dwells.append((drive, duration))
        current = drive.voltage / (self.resistance + drive.resistance)
        if abs(current) <= drive.compliance:
            return Response(current, drive.voltage)
        held = math.copysign(drive.compliance, current)
        return Response(held, held * (self.resistance + drive.resistance), True)

    def current(self, voltage: float) -> float:
        return voltage / self.resistance

    def state(self) -> Mapping[str, float]:
        return {"resistance": self.resistance}

    @property
    def levels(self) -> list[float]:
        """The voltages it has seen, in order."""
        return [drive.voltage for drive, _ in self.dwells]


class Talker:
    """A bench spoken to in text, one message and one reply at a time; ideal (no seed) unless told otherwise."""

    def __init__(self, device: DeviceModel | None = None, **options: Any) -> None:
        self.device = device or Resistor()
        self.bench = SimBench(self.device, **options)
        self.instrument = self.bench.instrument
        self.clock = self.bench.clock

    def ask(self, message: str) -> str:
        """Send one message and return its reply without NUL; raises AssertionError unless there is exactly one."""
        reply = self.instrument.feed(message.encode("ascii") + b"\0")
        assert reply.count(b"\0") == 1
        assert reply.endswith(b"\0")
        return reply[:-1].decode("ascii")

    def say(self, *messages: str) -> None:
        """Send messages that must be acknowledged and leave no error."""
        for message in messages:
            assert self.ask(message) == "ACK", message
            assert self.error() == "", message

    def fails(self, message: str) -> int:
        """Send a message that must be refused; returns the instrument's error number and clears it."""
        self.ask(message)
        report = self.error()
        assert report, f"{message} was accepted"
        self.ask(":ERROR:LAST:CLEAR")
        self.ask("SP")
        return int(report.rsplit("(", 1)[1].rstrip(")"))

    def error(self) -> str:
        return self.ask(":ERROR:LAST:GET")

    def numbers(self, name: str) -> list[float]:
        """The values of DO, without letters."""
        return [float(text.lstrip("LVXCTN")) for text in self.ask(f"DO '{name}'").split(",")]

    def letters(self, name: str) -> str:
        """The status letters of DO."""
        return "".join(text[0] for text in self.ask(f"DO '{name}'").split(","))

    def run(self, seconds: float = 1000.0) -> None:
        """Start the test and let it end."""
        self.say("MD", "ME1")
        self.clock.sleep(seconds)
        assert self.ask("SP") in ("0", "1", "65")


#: two channels: CH1 sweeps (VAR1), CH2 is held; what is measured is V1, I1 and I2
SWEEP = (
    "BC",
    "*RST",
    "DE",
    "CH1,'V1','I1',1,1",
    "CH2,'V2','I2',1,3",
    "SS",
    "VC2,0,0.1",
    "IT1",
    "SM",
    "LI 'V1','I1','I2'",
)


def sweeper(*sources: str, **options: Any) -> Talker:
    """A talker with the two channels of SWEEP defined and these commands given on the SS page."""
    talker = Talker(**options)
    talker.say(*SWEEP, "SS", *sources)
    return talker


def sampler(*measure: str, **options: Any) -> Talker:
    """A talker about to sample 0.5 V with 0.01 PLC on fixed ranges; these commands are given on the SM page."""
    talker = Talker(**options)
    talker.say("*RST", "DE", "CH1,'V1','I1',1,3", "CH2,'V2','I2',1,3", "SS", "VC1,0.5,1e-3", "VC2,0,0.1")
    talker.say("IT4,0,0,0.01", "RI1,1e-4,1e-4", "RI2,0.1,0.1", "SM", "LI 'I1'", *measure)
    return talker
