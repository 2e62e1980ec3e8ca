"""The channel definition page, ``DE`` (D 5-7 … 5-9)."""

from __future__ import annotations

from typing import Annotated

from labctl.kxci.messages.arguments import Channel, Function, Name, frozen
from labctl.kxci.spec import Between, Command, command


@command("CH", "D 5-7", "DE", counts=(1, 5))
@frozen
class DefineChannel(Command):
    """Name channel n's voltage and current; mode 1 V source, 2 I source, 3 common. With n alone: channel off."""

    channel: Channel
    voltage: Name | None = None
    current: Name | None = None
    mode: Annotated[int, Between(1, 3)] | None = None
    function: Function | None = None

    def problem(self) -> str:
        return "common (mode 3) is constant, function 3" if self.mode == 3 and self.function != 3 else ""


@command("VM", "D 5-8", "DE", counts=(1, 2))
@frozen
class DefineVoltmeter(Command):
    """Name voltmeter n. With n alone: off."""

    channel: Channel
    name: Name | None = None


@command("VS", "D 5-9", "DE", counts=(1, 3))
@frozen
class DefineVoltageSource(Command):
    """Name voltage source n and its function. With n alone: off."""

    channel: Channel
    name: Name | None = None
    function: Function | None = None
