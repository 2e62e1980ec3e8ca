"""A Keithley 4200 with a pulse card that is only a script: it takes every message and answers with the points it was given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from labctl import plugins
from labctl.clocks import VirtualClock
from labctl.contracts import PulseSource, SourceMeter
from labctl.errors import ConnectionLost, LinkTimeout
from labctl.kxci import errors

DRIVER = plugins.load("instruments", "keithley4200", SourceMeter)
RPM_WORDS = {1: "01010051", 2: "01010052"}  #: spot means on the 10 mA and 10 V ranges, by channel
MESSAGE_TIME = 1e-3  #: s


@dataclass
class ScriptedCard:
    """A link to a mainframe with a pulse card. points: "v,i,t,s" by channel; busy: polls that say a test runs, after a start.

    refused: messages that start so leave this error number; fails: messages that start so are answered with this exception or
    text; speaks: whether it knows ``:PMU:``; shows_busy: whether the status byte tells of a pulse test; truncated: GET never
    gives more points than this.
    """

    clock: VirtualClock = field(default_factory=VirtualClock)
    options: str = "SMUPA1,SMUPA2,PMU1RPM1-2"
    points: dict[int, list[str]] = field(default_factory=dict)
    busy: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    fails: dict[str, str | Exception] = field(default_factory=dict)
    speaks: bool = True
    shows_busy: bool = False
    truncated: int = 2048
    replies: dict[str, str] = field(default_factory=dict)
    resource: str = "TCPIP0::script::1225::SOCKET"
    poisoned: bool = False
    sent: list[str] = field(default_factory=list)
    left: int = 0
    started: float = 0.0
    error: str = ""
    reopened: int = 0

    def write(self, message: str) -> None:
        if self.poisoned:
            raise ConnectionLost("the link broke before")
        self.sent.append(message)
        self.clock.sleep(MESSAGE_TIME)
        code = next((code for start, code in self.refused.items() if message.startswith(start)), 0)
        if message.startswith(":PMU:") and not self.speaks:
            code = -992
        if code:
            self.error = errors.report(code)

    def read(self, timeout: float | None = None) -> str:
        message = self.sent[-1]
        failure = next((what for start, what in self.fails.items() if message.startswith(start)), None)
        if isinstance(failure, Exception):
            self.poisoned = True
            raise failure
        return failure if failure is not None else self._answer(message)

    def _answer(self, message: str) -> str:
        fixed = {
            "ID": "KI4200A V1.13",
            "*IDN?": "KEITHLEY INSTRUMENTS,KI4200A,1442736,V1.13.0",
            "*OPT?": self.options,
            "SP": "16" if self.shows_busy and self.left > 0 else "0",
            ":ERROR:LAST:GET": self.error,
            **self.replies,
        }
        if message in fixed:
            return fixed[message]
        if message == ":ERROR:LAST:CLEAR":
            self.error = ""
        if self.speaks and message.startswith(":PMU:"):
            return self._card(message)
        return "ACK"

    def _card(self, message: str) -> str:
        command, _, rest = message.partition(" ")
        numbers = rest.split(", ")
        if command == ":PMU:EXECUTE":
            self.left, self.started = self.busy, self.clock.now()
        if command == ":PMU:ABORT":
            self.left = 0
        if command == ":PMU:TEST:STATUS?":
            self.left -= 1
            return "1" if self.left >= 0 else "0"
        if command == ":PMU:DATA:COUNT?":
            return str(len(self.points.get(int(numbers[0]), [])))
        if command == ":PMU:DATA:GET":
            start, count = int(numbers[1]), min(int(numbers[2]), self.truncated)
            return ";".join(self.points.get(int(numbers[0]), [])[start : start + count])
        return "ACK"

    def query(self, message: str, timeout: float | None = None) -> str:
        self.write(message)
        return self.read(timeout)

    def read_status_byte(self) -> int:
        return 0

    def reopen(self) -> None:
        self.reopened += 1
        self.poisoned = False

    def close(self) -> None:
        self.poisoned = True

    # -- what the tests say to it -------------------------------------------------------------------------------------
    def measure(
        self, channel: int, volts: Sequence[float], amps: Sequence[float], times: Sequence[float], word: str = ""
    ) -> None:
        """Have these points on a channel."""
        mark = word or RPM_WORDS[2 - channel % 2]
        self.points[channel] = [f"{v:g},{i:g},{t:g},{mark}" for v, i, t in zip(volts, amps, times, strict=True)]

    def ohmic(self, volts: Sequence[float], times: Sequence[float], resistance: float = 1e4) -> None:
        """Points of both channels as a resistor between them would give."""
        level = np.asarray(volts, dtype=float)
        self.measure(1, level.tolist(), (level / resistance).tolist(), times)
        self.measure(2, [0.0] * level.size, (-level / resistance).tolist(), times)

    def since(self, message: str) -> list[str]:
        """What was sent after the last `message`."""
        at = len(self.sent) - 1 - self.sent[::-1].index(message)
        return self.sent[at + 1 :]


def connect(card: ScriptedCard, **options: Any) -> tuple[SourceMeter, PulseSource]:
    """Connect the driver and return its two parts; `card.sent` is empty afterwards."""
    meter = DRIVER.connect(card, {"top": 1, "bottom": 2}, card.clock, options)
    pulses = next(part for part in meter.parts() if isinstance(part, PulseSource))
    card.sent.clear()
    return meter, pulses


TIMEOUT = LinkTimeout("no answer within 5 s")
