"""User mode, ``US`` (D 5-31 … 5-35)."""

from __future__ import annotations

from typing import Annotated

from labctl.kxci.messages.arguments import Channel, Current, Voltage, frozen
from labctl.kxci.spec import Between, Command, command


@command("DV", "D 5-33", "US", counts=(1, 4))
@frozen
class ForceVoltage(Command):
    """Force a voltage on SMU n: range code 0 auto, 1 20 V, 2 and 3 200 V, 4 200 mV, 5 2 V. With n alone: off."""

    channel: Channel
    range_code: Annotated[int, Between(0, 5)] | None = None
    value: Voltage | None = None
    compliance: Current | None = None


@command("DI", "D 5-31", "US", counts=(1, 4))
@frozen
class ForceCurrent(Command):
    """Force a current on SMU n: range code 0 auto, 1 … 13 see `ranges`. With n alone: off."""

    channel: Channel
    range_code: Annotated[int, Between(0, 13)] | None = None
    value: Current | None = None
    compliance: Voltage | None = None


@command("DS", "D 5-32", "US", counts=(1, 2))
@frozen
class ForceVoltageSource(Command):
    """Force a voltage on VSn. With n alone: off."""

    channel: Channel
    value: Annotated[float, Between(-200, 200)] | None = None


@command("TI", "D 5-34", "US", query=True)
@frozen
class TakeCurrent(Command):
    """Measure the current of SMU n, 1 to 8."""

    channel: Annotated[int, Between(1, 8)]


@command("TV", "D 5-35", "US", query=True)
@frozen
class TakeVoltage(Command):
    """Measure a voltage by code: 1-4 SMU1-4, 5-6 VM1-2, 7-10 SMU5-8, 11-16 VM3-8."""

    code: Annotated[int, Between(1, 16)]
