"""A simulated bench, put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from labctl import plugins
from labctl.bench import fault_plan
from labctl.bench.faults import FaultyInstrument
from labctl.bench.visa import SimVisaLibrary
from labctl.clocks import VirtualClock
from labctl.contracts import Clock, DeviceModel, FarSide, SimulatedInstrument
from labctl.errors import UsageError

RESOURCES = {"tcp": "TCPIP0::sim::1225::SOCKET", "gpib": "GPIB0::17::INSTR"}
WIRING: Mapping[str, int | None] = {"top": 1, "bottom": 2}
MESSAGE_TIME = (
    1e-3  #: s that a message costs on a virtual clock, so that a client which only asks sees time pass; guess
)


class SimBench:
    """One cell on one simulated instrument, with the clock both live by.

    device: the cell; instrument: name of the simulated instrument; wiring: its channel by terminal of the cell ("top",
    "bottom"), None for ground; settings: the instrument's choices by name; seed: of its noise and errors, None for none;
    transport: "tcp" or "gpib"; clock: by default a virtual one, on which a message costs `message_time` seconds unless
    settings say otherwise; faults: on the wire, in words (see `labctl.bench.fault_plan`).
    Attributes: clock, instrument, device, resource (VISA name), library (give it to ``pyvisa.ResourceManager``), far_side (what
    a client talks to: the instrument, or the faults before it).
    Raises UsageError for unknown names, settings, channels or faults.
    """

    def __init__(
        self,
        device: DeviceModel,
        *,
        instrument: str = "keithley4200",
        wiring: Mapping[str, int | None] = WIRING,
        settings: Mapping[str, Any] | None = None,
        seed: int | None = None,
        transport: Literal["tcp", "gpib"] = "tcp",
        clock: Clock | None = None,
        message_time: float = MESSAGE_TIME,
        faults: str = "",
    ) -> None:
        if transport not in RESOURCES:
            raise UsageError(f"transport must be 'tcp' or 'gpib', not {transport!r}")
        self.device = device
        self.clock: Clock = VirtualClock() if clock is None else clock
        defaults: dict[str, Any] = {"transport": transport}
        if isinstance(self.clock, VirtualClock):
            defaults["message_time"] = message_time
        backend = plugins.load("sim_backends", instrument, SimulatedInstrument)  # type: ignore[type-abstract]
        self.instrument = backend.build(device, self.clock, wiring, {**defaults, **(settings or {})}, seed)
        planned = fault_plan.parse(faults)
        self.far_side: FarSide = self.instrument
        if planned:
            self.far_side = FaultyInstrument(self.instrument, planned, self.clock, seed)
        self.resource = RESOURCES[transport]
        self.library = SimVisaLibrary.over({self.resource: self.far_side}, self.clock)

    @property
    def missed_faults(self) -> list[str]:
        """The faults that were planned and did not happen so far, as they were written."""
        return self.far_side.missed if isinstance(self.far_side, FaultyInstrument) else []
