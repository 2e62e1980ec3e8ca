"""A simulated instrument with faults on its wire, as a plan in words (`fault_plan`) has them; the same for the same seed.

What the instrument does and knows is untouched: its own record of what the cell got stays the truth. Faults hit messages and
their replies; what a bus carries beside them (a serial poll, a device clear) passes, but for a stuck busy bit.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from labctl.bench.fault_plan import Fault
from labctl.contracts import Clock, FarSide, HungUp, SimulatedInstrument
from labctl.errors import UsageError

_SEPARATORS = (b";", b",", b"\n", b"\x0e")  # between values, the coarsest first
_OTHERS = bytes(range(33, 127))  # printable characters a reply may be garbled with
_DIGITS = b"0123456789"
_SHARE = 8  # one character in so many is garbled, at least one: guess


class Happening(NamedTuple):
    """A fault that struck. number: of the message, from 1; message: its text; words: the fault's, as in the plan."""

    number: int
    message: str
    words: str


class _Trigger:
    """Decides for one fault which messages it hits."""

    def __init__(self, fault: Fault, chances: random.Random) -> None:
        self.fault = fault
        self._chances = chances
        self._seen = 0
        self.struck = False

    def fires(self, number: int, text: str) -> bool:
        """Whether it hits this message; asked once for every message."""
        fires = self._hits(number, text)
        self.struck |= fires
        return fires

    def _hits(self, number: int, text: str) -> bool:
        fault = self.fault
        if fault.chance:
            return self._chances.random() < fault.chance
        if fault.number:
            return number == fault.number
        if not text.startswith(fault.start):
            return False
        self._seen += 1
        return fault.nth in (0, self._seen)


class FaultyInstrument(FarSide):
    """`inner` behind a wire with `faults`; clock: times delays; seed: of chances and of what is garbled, None for a fixed one.

    happened: every fault that struck, oldest first; missed: those that never did. Raises UsageError where `inner` can't do
    what a fault needs.
    """

    def __init__(self, inner: SimulatedInstrument, faults: Sequence[Fault], clock: Clock, seed: int | None) -> None:
        _check_able(inner, faults)
        self.inner = inner
        self.message_end = inner.message_end
        self.accepts_second_client = inner.accepts_second_client
        self.happened: list[Happening] = []
        self._clock = clock
        self._chances = random.Random(f"{seed}/faults")
        self._triggers = [_Trigger(fault, random.Random(f"{seed}/faults/{n}")) for n, fault in enumerate(faults)]
        self._number = 0
        self._received = bytearray()
        self._replies: deque[tuple[float, bytes]] = deque()  # clock time from which each is there, ascending

    @property
    def missed(self) -> list[str]:
        """The faults that never struck, as they were written."""
        return [trigger.fault.words for trigger in self._triggers if not trigger.struck]

    # -- what every far side does -------------------------------------------------------------------------------------
    def feed(self, data: bytes) -> bytes:
        """Take bytes of a client and return the replies that are there by now. Raises HungUp."""
        self._received += data
        while (at := self._received.find(self.message_end)) >= 0:
            stop = at + len(self.message_end)
            message = bytes(self._received[:stop])
            del self._received[:stop]
            self._take(message)
        return b"".join(iter(self.late_reply, b""))

    def serial_poll(self) -> int:
        return self.inner.serial_poll()

    def disconnect(self) -> None:
        self._forget()
        self.inner.disconnect()

    def device_clear(self) -> None:
        self._forget()
        self.inner.device_clear()

    def reply_due(self) -> float | None:
        return self._replies[0][0] if self._replies else None

    def late_reply(self) -> bytes:
        if self._replies and self._replies[0][0] <= self._clock.now():
            return self._replies.popleft()[1]
        return b""

    # -- one message --------------------------------------------------------------------------------------------------
    def _take(self, message: bytes) -> None:
        self._number += 1
        text = message.removesuffix(self.message_end).decode("latin-1")
        faults = [trigger.fault for trigger in self._triggers if trigger.fires(self._number, text)]
        self.happened += [Happening(self._number, text, fault.words) for fault in faults]
        kinds = {(fault.kind, fault.variant) for fault in faults}
        self._strike(faults)
        if kinds & {("reboot", ""), ("drop", "before")}:
            self._hang_up()
        if ("unheard", "") in kinds:
            return
        reply = self.inner.feed(message)
        if ("drop", "") in kinds:
            self._hang_up()
        for fault in faults:
            if reply and (change := _CHANGES.get((fault.kind, fault.variant))):
                reply = change(reply, self.message_end, self._chances)
        if reply and ("lost", "") not in kinds:
            self._keep(reply, sum(fault.seconds for fault in faults if fault.kind == "delayed"))

    def _strike(self, faults: list[Fault]) -> None:
        """Do to the instrument itself what the faults do to it, before it hears the message."""
        for fault in faults:
            if fault.kind == "reboot":
                self.inner.reboot()
            elif fault.kind == "busy":
                self.inner.stick_busy(fault.seconds)

    def _keep(self, reply: bytes, delay: float) -> None:
        """Have a reply there after `delay` s, and after those before it: a wire keeps their order."""
        before = self._replies[-1][0] if self._replies else 0.0
        self._replies.append((max(before, self._clock.now() + delay), reply))

    def _hang_up(self) -> None:
        self.disconnect()
        raise HungUp("the instrument closed the connection")

    def _forget(self) -> None:
        self._received.clear()
        self._replies.clear()


def _check_able(inner: SimulatedInstrument, faults: Sequence[Fault]) -> None:
    kinds = {fault.kind for fault in faults}
    for kind, method in (("reboot", "reboot"), ("busy", "stick_busy")):
        if kind in kinds and getattr(type(inner), method) is getattr(SimulatedInstrument, method):
            raise UsageError(f"the simulated {inner.name} does not know the fault {kind!r}")


# -- replies ----------------------------------------------------------------------------------------------------------
def _truncated(reply: bytes, end: bytes, chances: random.Random) -> bytes:
    return _unended(reply, end, chances) + (end if reply.endswith(end) else b"")


def _unended(reply: bytes, end: bytes, chances: random.Random) -> bytes:
    body = reply.removesuffix(end)
    return body[: chances.randrange(len(body))] if body else b""


def _duplicated(reply: bytes, end: bytes, chances: random.Random) -> bytes:
    return reply * 2


def _garbled(reply: bytes, end: bytes, chances: random.Random) -> bytes:
    body = bytearray(reply.removesuffix(end))
    for place in chances.sample(range(len(body)), -(-len(body) // _SHARE)):
        body[place] = chances.choice([other for other in _OTHERS if other != body[place]])
    return bytes(body) + reply[len(body) :]


def _other_digit(reply: bytes, end: bytes, chances: random.Random) -> bytes:
    changed = bytearray(reply)
    if places := [place for place, byte in enumerate(reply) if byte in _DIGITS]:
        place = chances.choice(places)
        changed[place] = chances.choice([digit for digit in _DIGITS if digit != reply[place]])
    return bytes(changed)


def _missing(reply: bytes, end: bytes, chances: random.Random) -> bytes:
    values, separator, rest = _values(reply, end)
    del values[chances.randrange(len(values))]
    return separator.join(values) + rest


def _surplus(reply: bytes, end: bytes, chances: random.Random) -> bytes:
    values, separator, rest = _values(reply, end)
    place = chances.randrange(len(values))
    values.insert(place, values[place])
    return separator.join(values) + rest


def _values(reply: bytes, end: bytes) -> tuple[list[bytes], bytes, bytes]:
    """The values of a reply, what stands between them, and what follows the last."""
    body = reply.removesuffix(end)
    separator = next((one for one in _SEPARATORS if one in body), b",")
    return body.split(separator), separator, reply[len(body) :]


_CHANGES: dict[tuple[str, str], Callable[[bytes, bytes, random.Random], bytes]] = {
    ("truncated", ""): _truncated,
    ("truncated", "open"): _unended,
    ("duplicated", ""): _duplicated,
    ("garbled", ""): _garbled,
    ("garbled", "digits"): _other_digit,
    ("count", ""): _missing,
    ("count", "more"): _surplus,
}
