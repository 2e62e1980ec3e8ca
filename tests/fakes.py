"""A source meter and a station without any instrument, for tests of recipes and runner."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from labctl.clocks import VirtualClock
from labctl.contracts import Block, NoRecorder, PulseSource, Recorder, Sampling, SourceMeter, Status, Sweep
from labctl.errors import UsageError
from labctl.quantities import Limit, Limits


class FakeMeter(SourceMeter):
    """Answers from a function current(voltage); sends nothing. Every call is kept in `calls`."""

    def __init__(self, current: Callable[[float], float] = lambda v: v / 1e3, live: int = 0) -> None:
        self.current = current
        self.live = live  # rows to give as a provisional block first
        self.calls: list[str] = []
        self.limits = Limits((Limit("points", 4096, "points", "fake meter"), Limit("voltage", 210, "V", "fake meter")))

    @classmethod
    def terminators(cls, resource: str) -> tuple[str, str]:
        return "\n", "\n"

    @classmethod
    def connect(cls, link: Any, terminals: Any, clock: Any, options: Any) -> "FakeMeter":
        return cls()

    def _sweep(self, sweep: Sweep) -> Iterator[Block]:
        self.calls.append("sweep")
        rows = [self._row(k, float(v), sweep.compliance) for k, v in enumerate(sweep.levels)]
        if sweep.stop_on_compliance:
            hits = [k for k, row in enumerate(rows) if row[-1]]
            rows = rows[: hits[0] + 1] if hits else rows
        names = ("time", "level", "voltage", "current", "status")
        table = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
        if self.live:
            yield Block({name: column[: self.live] for name, column in table.items()}, provisional=True)
            if self.should_stop():
                table = {name: column[: self.live] for name, column in table.items()}
        yield Block(table)

    def _row(self, k: int, v: float, compliance: float) -> tuple[float, float, float, float, int]:
        i = self.current(v)
        limited = abs(i) >= compliance
        return 0.02 * k, v, v, float(np.copysign(compliance, i)) if limited else i, int(Status.COMPLIANCE) * limited

    def _sample(self, sampling: Sampling) -> Iterator[Block]:
        self.calls.append("sample")
        v = sampling.voltages[sampling.terminal]
        rows = [self._row(k, v, sampling.compliance) for k in range(sampling.count)]
        names = ("time", "level", "voltage", "current", "status")
        yield Block(dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True)))

    def make_safe(self) -> None:
        self.calls.append("make_safe")

    def identity(self) -> Mapping[str, str]:
        return {"manufacturer": "none", "model": "fake", "serial": "0", "firmware": "0", "resource": "none"}

    def settings(self) -> Mapping[str, Any]:
        return {}

    def close(self) -> None:
        self.calls.append("close")


class FakeStation:
    """What a recipe needs of a station."""

    def __init__(self, meter: SourceMeter | None = None) -> None:
        self.source_meter = meter or FakeMeter()
        self.clock = VirtualClock()
        self.recorder = NoRecorder()

    @property
    def pulse_source(self) -> PulseSource:
        raise UsageError("a fake station has no pulse source")

    def make_safe(self) -> None:
        self.source_meter.make_safe()

    def check(self, request: Any) -> None:
        self.source_meter.check(request)

    def record_to(self, recorder: Recorder) -> None:
        self.recorder = self.source_meter.recorder = recorder

    def stop_when(self, should_stop: Callable[[], bool]) -> None:
        self.source_meter.should_stop = should_stop

    def settle(self) -> None:
        self.source_meter.settle()
