"""Commands valid anywhere: identity, status, errors, pages, and the modeless ones (D 4-2 … 4-6, 5-4, 5-36)."""

from __future__ import annotations

from typing import Annotated

from labctl.kxci.messages.arguments import Channel, Current, Switch, Voltage, frozen
from labctl.kxci.spec import Between, Command, command


@command("*IDN?", "D 4-4", query=True)
@frozen
class Identify(Command):
    """Ask for maker, model, serial number and version."""


@command("ID", "D 4-3", query=True)
@frozen
class Model(Command):
    """Ask for the short identity, ``KI4200A Vx.x.x``."""


@command("*OPT?", "D 4-4", query=True)
@frozen
class Options(Command):
    """Ask what is installed, one field per slot."""


@command("*RST", "D 4-5")
@frozen
class Reset(Command):
    """Reset every instrument card."""


@command("SP", "D 4-6", query=True)
@frozen
class PollStatus(Command):
    """Ask for the status byte (Ethernet)."""


@command("DR", "D 4-2")
@frozen
class ServiceRequest(Command):
    """Switch the service request on data ready on (1) or off (0)."""

    on: Switch


@command(":ERROR:LAST:CLEAR", "D 4-2")
@frozen
class ClearError(Command):
    """Forget the last error."""


@command(":ERROR:LAST:GET", "D 4-2", query=True)
@frozen
class GetError(Command):
    """Ask for the last error."""


@command("EM", "D 5-39")
@frozen
class Emulation(Command):
    """Choose the command set: 0 4145, 1 4200A; keep: 0 this session, 1 written to KCon."""

    mode: Switch
    keep: Switch


@command("DE", "D 5-4")
@frozen
class DefinitionPage(Command):
    """Go to the channel definition page."""


@command("SS", "D 5-4")
@frozen
class SourcePage(Command):
    """Go to the source setup page."""


@command("SM", "D 5-4")
@frozen
class MeasurePage(Command):
    """Go to the measurement setup page."""


@command("MD", "D 5-4")
@frozen
class ControlPage(Command):
    """Go to the measurement control page."""


@command("US", "D 5-4")
@frozen
class UserMode(Command):
    """Go to user mode."""


@command("UL", "D 4-11")
@frozen
class LibraryMode(Command):
    """Go to user library mode; left by DE or US."""


@command("BC", "D 5-37")
@frozen
class ClearBuffer(Command):
    """Clear the reading buffer and the data-ready bit."""


@command("DO", "D 5-37", query=True)
@frozen
class GetData(Command):
    """Ask for all readings of a name; ``CHnT`` for time stamps."""

    name: str


@command("RD", "D 5-40", query=True)
@frozen
class GetReading(Command):
    """Ask for reading `index`, from 1; ``0`` means not measured yet."""

    name: str
    index: Annotated[int, Between(1, 4096)]


@command("IT", "D 5-39", counts=(1, 4))
@frozen
class Integration(Command):
    """Integration time: 1 fast 0.1 PLC, 2 normal 1 PLC, 3 quiet 10 PLC, 4 custom with delay, filter and PLC."""

    mode: Annotated[int, Between(1, 4)]
    delay_factor: Annotated[float, Between(0, 100)] | None = None
    filter_factor: Annotated[float, Between(0, 100)] | None = None
    cycles: Annotated[float, Between(0.01, 10)] | None = None

    def problem(self) -> str:
        custom = self.cycles is not None
        return (
            "" if custom == (self.mode == 4) else "delay factor, filter factor and PLC belong to mode 4 and only to it"
        )


@command("RS", "D 5-42")
@frozen
class Resolution(Command):
    """Digits of a reading, 3 to 7."""

    digits: Annotated[int, Between(3, 7)]


@command("RG", "D 5-41")
@frozen
class RangeFloor(Command):
    """Lowest range of autorange on channel n, A."""

    channel: Channel
    value: Annotated[float, Between(-1.0, 1.0)]


@command("RI", "D 5-42")
@frozen
class FixedCurrentRange(Command):
    """Go to a fixed current range (A) now, and set the current compliance (A): ``RI 1,1E-3,1E-3`` is 1 mA and 1 mA."""

    channel: Channel
    value: Current
    compliance: Current


@command("RV", "D 5-43")
@frozen
class FixedVoltageRange(Command):
    """Go to a fixed voltage range (V; the nearest that fits) now, and set the voltage compliance (V): ``RV 1,2,1``."""

    channel: Channel
    value: Voltage
    compliance: Voltage


@command("EC", "D 5-38")
@frozen
class ExitOnCompliance(Command):
    """End the test when compliance is reached (1)."""

    on: Switch


@command("AC", "D 5-36")
@frozen
class Autocalibrate(Command):
    """Calibrate channel n; nothing is answered meanwhile."""

    channel: Channel
