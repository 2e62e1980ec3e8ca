"""Talk to the simulated pulse card: run tests, take points apart, look at what the cell got."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from sim_helpers import Resistor, Talker

from labctl.bench import SimBench, TcpDoor
from labctl.contracts import DeviceModel
from labctl.kxci.points import WAVEFORM, Points, read_points

EXACT = {"quantisation": False, "pulse_settling": 0.0}  #: with no seed: meters that show what is there
GROUNDED = {"top": 1, "bottom": None}


def pulser(device: DeviceModel | None = None, mode: int = 0, channels: Sequence[int] = (1,), **options: Any) -> Talker:
    """A talker in a pulse mode, its RPMs led to the card; with one channel the cell's other end is ground."""
    options.setdefault("wiring", GROUNDED if tuple(channels) == (1,) else {"top": 1, "bottom": 2})
    options["settings"] = {**EXACT, **options.get("settings", {})}
    talker = Talker(device or Resistor(1e4), **options)
    talker.say(f":PMU:INIT {mode}", *(f":PMU:RPM:CONFIGURE PMU1-{n}, 0" for n in channels))
    return talker


def play(talker: Talker, *channels: int) -> None:
    """Switch outputs on, execute and wait for the end; nothing may go wrong."""
    talker.say(*(f":PMU:OUTPUT:STATE {n}, 1" for n in channels or (1,)), ":PMU:EXECUTE")
    await_end(talker)
    assert talker.error() == ""


def await_end(talker: Talker) -> None:
    assert talker.ask(":PMU:TEST:STATUS?") == "1"
    while talker.ask(":PMU:TEST:STATUS?") == "1":
        talker.clock.sleep(0.01)


def points(talker: Talker, channel: int = 1, columns: Sequence[str] = WAVEFORM) -> Points:
    """All points of a channel, block by block, as many as it says there are."""
    count = int(talker.ask(f":PMU:DATA:COUNT? {channel}"))
    starts = range(0, count, 2048)
    blocks = [talker.ask(f":PMU:DATA:GET {channel}, {start}, 2048") for start in starts]
    found = read_points(";".join(blocks), columns)
    assert len(found) == count
    return found


def refuses(talker: Talker, *channels: int) -> int:
    """Switch outputs on and execute, which must be refused; returns the code. Nothing runs then."""
    talker.say(*(f":PMU:OUTPUT:STATE {n}, 1" for n in channels or (1,)))
    code = talker.fails(":PMU:EXECUTE")
    assert talker.ask(":PMU:TEST:STATUS?") == "0"
    return code


def drives(talker: Talker) -> list[tuple[float, float]]:
    """What the cell got so far: open-circuit V and s, without what it spent at 0 V."""
    return [(dwell.drive, dwell.duration) for dwell in talker.instrument.truth if dwell.drive]


def plateaus(talker: Talker, level: float) -> list[float]:
    """How long the cell was at `level` (V open-circuit), each time, s."""
    return [time for drive, time in drives(talker) if abs(drive - level) < 1e-3 * abs(level)]


def arrays(channel: int, sequence: int, **values: list[float]) -> list[str]:
    """The messages of one sequence, 128 values each."""
    names = {"time": "TIME", "start": "STARTV", "stop": "STOPV", "kind": "MEAS:TYPE", "begin": "MEAS:START", "end": "MEAS:STOP",
             "relay": "SSR", "trigger": "TRIG"}  # fmt: skip
    messages = []
    for name, whole in values.items():
        for n in range(0, len(whole), 128):
            texts = ", ".join(f"{value:.10g}" for value in whole[n : n + 128])
            messages.append(f":PMU:SARB:SEQ:{names[name]}{':ADD' if n else ''} {channel}, {sequence}, {texts}")
    return messages


def pulse(channel: int = 1, top: float = 1.0, **more: list[float]) -> list[str]:
    """Sequence 1: a pulse of 20 us with edges of 100 ns, and 10 us at 0 V around it, its top measured as a mean."""
    levels = [0.0, 0.0, top, top, 0.0, 0.0]
    given = {"kind": [0.0, 0.0, 1.0, 0.0, 0.0], **more}
    return arrays(channel, 1, time=[1e-5, 1e-7, 2e-5, 1e-7, 1e-5], start=levels[:-1], stop=levels[1:], **given)


def arb(*messages: str, plays: str = "1, 1", device: DeviceModel | None = None, **options: Any) -> Talker:
    """A talker with channel 1 against ground in Segment Arb, these messages sent."""
    talker = pulser(device, mode=1, **options)
    talker.say(*messages, f":PMU:SARB:WFM:SEQ:LIST 1, {plays}")
    return talker


def over_socket(messages: Sequence[str], **settings: Any) -> dict[str, str]:
    """Send messages by a raw socket client, polling where the status is asked for; the replies that are data."""
    bench = SimBench(Resistor(1e6), wiring=GROUNDED, settings=settings)
    replies: dict[str, str] = {}
    with TcpDoor(bench.instrument) as door, socket.create_connection((door.host, door.port), timeout=10) as client:

        def ask(message: str) -> str:
            client.sendall(message.encode("ascii") + b"\0")
            data = b""
            while not data.endswith(b"\0"):
                data += client.recv(65536)
            assert data.count(b"\0") == 1
            return data[:-1].decode("ascii")

        for message in messages:
            reply = ask(message)
            if message == ":PMU:TEST:STATUS?":
                assert reply == "1"
                while ask(message) == "1":
                    pass
            elif reply != "ACK":
                replies[message] = reply
            assert ask(":ERROR:LAST:GET") == "", message
    return replies
