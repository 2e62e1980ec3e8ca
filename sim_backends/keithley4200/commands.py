"""What each command does. `execute` is the whole door: it checks, finds the handler by the command's class, and calls it.

A handler returns the data of a query, None otherwise, and raises Refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labctl.kxci import messages as m
from labctl.kxci.spec import Command, spec

from . import library_commands, pages, pulse_commands, system_commands, user_commands
from .mainframe import Mainframe
from .refusal import ARGUMENT, COMMAND, NO_PULSE_CARD, UNSUPPORTED, Refused
from .setup import Setup
from .timing import PRESETS, Integration

Handler = Callable[[Mainframe, Any], str | None]


def execute(frame: Mainframe, command: Command) -> str | None:
    """Carry out one command; returns the data of a query. Raises Refused."""
    handler = HANDLERS.get(type(command))
    if handler is None:
        raise Refused(UNSUPPORTED)
    if spec(command).is_pulse and not frame.pulses.installed:
        raise Refused(NO_PULSE_CARD)
    if isinstance(command, m.Options) and frame.settings.options_while_busy == "wait":
        frame.finish()
    pages.check(command, spec(command).where, frame.page, frame.busy, frame.settings.lenient_pages)
    return handler(frame, command)


# -- identity and status ----------------------------------------------------------------------------------------------
def _identify(frame: Mainframe, _: m.Identify) -> str:
    choice = frame.settings
    return f"KEITHLEY INSTRUMENTS,{choice.model},{choice.serial},{choice.version}"


def _model(frame: Mainframe, _: m.Model) -> str:
    return "HP4145B 1.1,1.0" if frame.emulates_4145 else f"{frame.settings.model} {frame.settings.version}"  # D 2-6


def _options(frame: Mainframe, _: m.Options) -> str:
    if frame.emulates_4145:  # D 2-6: exists only in 4200A mode
        raise Refused(COMMAND)
    return frame.settings.options


def _poll(frame: Mainframe, _: m.PollStatus) -> str:
    if frame.settings.transport == "gpib":  # Ethernet only (D 4-6); the code is a guess
        raise Refused(UNSUPPORTED)
    return str(frame.status.poll(frame.says_busy))


def _service(frame: Mainframe, command: m.ServiceRequest) -> None:
    frame.status.service_on_ready = bool(command.on)


def _get_error(frame: Mainframe, _: m.GetError) -> str:
    if not frame.settings.error_query:
        raise Refused(COMMAND)
    return frame.status.last_error or frame.settings.clean_error


def _clear_error(frame: Mainframe, _: m.ClearError) -> None:
    if not frame.settings.error_query:
        raise Refused(COMMAND)
    frame.status.last_error = ""


def _reset(frame: Mainframe, _: m.Reset) -> None:
    """Every card as at power-on (D 4-5, 4-6): all outputs off at once, ranges and mapping gone; the page stays (guess)."""
    frame.power_on()
    frame.buffer.clear()
    if frame.settings.reset_clears_channels:
        frame.setup = Setup()


def _emulate(frame: Mainframe, command: m.Emulation) -> None:
    frame.emulates_4145 = command.mode == 0


def _page(frame: Mainframe, command: Command) -> None:
    frame.turn_to(pages.PAGES[type(command)])


# -- modeless ---------------------------------------------------------------------------------------------------------
def _clear_buffer(frame: Mainframe, _: m.ClearBuffer) -> None:
    frame.buffer.clear()
    frame.status.clear_ready()


def _integrate(frame: Mainframe, command: m.Integration) -> None:
    if command.mode != 4:
        frame.integration = PRESETS[command.mode]
        return
    if frame.emulates_4145:  # IT4 is 4200A mode only (D 5-39)
        raise Refused(COMMAND)
    frame.integration = Integration(
        command.cycles or 1.0, command.delay_factor or 0.0, command.filter_factor or 0.0, filter_costs=True
    )


def _resolution(frame: Mainframe, command: m.Resolution) -> None:
    if frame.emulates_4145 and command.digits > 5:  # D 5-42
        raise Refused(ARGUMENT)
    frame.digits = command.digits


def _exit(frame: Mainframe, command: m.ExitOnCompliance) -> None:
    frame.exit_on_compliance = bool(command.on)


def _calibrate(frame: Mainframe, command: m.Autocalibrate) -> None:
    frame.smu(command.channel)
    frame.clock.sleep(frame.settings.calibration_time)  # nothing is answered meanwhile (D 5-36)


HANDLERS: dict[type[Command], Handler] = {
    m.Identify: _identify, m.Model: _model, m.Options: _options, m.PollStatus: _poll, m.ServiceRequest: _service,
    m.GetError: _get_error, m.ClearError: _clear_error, m.Reset: _reset, m.Emulation: _emulate,
    **dict.fromkeys(pages.PAGES, _page),
    m.ClearBuffer: _clear_buffer, m.Integration: _integrate, m.Resolution: _resolution, m.ExitOnCompliance: _exit,
    m.Autocalibrate: _calibrate,
    **system_commands.HANDLERS, **user_commands.HANDLERS, **pulse_commands.HANDLERS, **library_commands.HANDLERS,
}  # fmt: skip
