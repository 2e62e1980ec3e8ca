"""User library mode (UL): ``EX`` runs a module, ``GN`` and ``GP`` ask for its parameters (D 4-6 … 4-11, E 4-12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labctl.kxci import messages as m
from labctl.kxci.library_replies import Returned, parameters_error, write_parameter, write_return
from labctl.kxci.spec import Command

from .library_modules import ILLEGAL, MODULES, NO_CARD, NO_CHANNEL, RETURNS, Arguments, Failed, Kind, Plan
from .mainframe import Mainframe
from .refusal import ARGUMENT, Refused

LABEL = "PARAM VALUE = "  #: before values, as labs saw it over GPIB


class ModuleRun:
    """A call of a module: its arguments, what it plays, and what its outputs hold once it has ended."""

    def __init__(self, kind: Kind, texts: tuple[str, ...]) -> None:
        names = [one.name for one in kind.parameters]
        filled = [text or one.default for text, one in zip(texts, kind.parameters, strict=True)]
        self.kind = kind
        self.arguments = Arguments(dict(zip(names, filled, strict=True)), kind.parameters)
        self.value = 0
        self._outputs: dict[str, list[float]] = {}
        self._plan: Plan | None = None

    def start(self, frame: Mainframe) -> None:
        """Set everything up and begin; a mistake gives a return value, and nothing is played."""
        frame.settle()
        try:
            plan = self.kind.plan(self.arguments)
            self._check_hardware(frame, plan)
            for hardware in plan.hardware:  # it leaves the RPM in pulse mode
                frame.routing.route(hardware, 0)
            frame.circuit.changed()
            self._bias(frame, plan)
            frame.pulses.start(plan.setup)
        except Failed as failed:
            self.value = failed.value
        except Refused as refused:
            self.value = RETURNS.get(refused.code, ILLEGAL)
        else:
            self._plan = plan

    def end(self, frame: Mainframe) -> None:
        """Take the results: outputs off, and every n-th point where there are more than were wanted."""
        plan, self._plan = self._plan, None
        if plan is None:
            return
        for number in plan.setup.channels:
            frame.pulses.switch(number, False)
        if plan.bias:
            frame.smus[plan.bias[0]].off()
            frame.circuit.changed()
        for name, (number, column) in plan.outputs.items():
            values = frame.pulses.data(number).column(column)
            self._outputs[name] = values[:: max(1, -(-len(values) // plan.most_points))]

    def values(self, name: str, count: int) -> list[str]:
        """The first `count` values of a parameter; an output holds 0 where nothing was measured."""
        parameter = next(one for one in self.kind.parameters if one.name == name)
        if parameter.kind != "output":
            return self.arguments.texts[name].split(";")[:count]
        size = int(self.arguments.number(f"{name}_size"))
        held = (self._outputs.get(name, []) + [0.0] * size)[: min(count, size)]
        return [str(int(value)) if name.startswith("Status") else f"{value:.7g}" for value in held]

    @staticmethod
    def _check_hardware(frame: Mainframe, plan: Plan) -> None:
        if not set(plan.setup.channels) <= set(frame.routing.channels):
            raise Failed(NO_CARD)
        if plan.bias and plan.bias[0] not in frame.smus:
            raise Failed(NO_CHANNEL)

    @staticmethod
    def _bias(frame: Mainframe, plan: Plan) -> None:
        if plan.bias:
            number, level, compliance = plan.bias
            frame.smus[number].force_voltage(level, compliance)
            frame.circuit.changed()


def _execute(frame: Mainframe, command: m.Execute) -> str | None:
    """Run a module; whether the answer comes at its end or at once is a setting. An unknown one is -993 (guess)."""
    kind = MODULES.get((command.library, command.module))
    if kind is None:
        raise Refused(ARGUMENT)
    if len(command.arguments) != len(kind.parameters):
        return write_return(Returned(error=parameters_error(len(command.arguments), len(kind.parameters))))
    frame.module = module = ModuleRun(kind, command.arguments)
    module.start(frame)
    frame.status.clear_ready()
    if frame.settings.library_reply == "ack":
        return None
    frame.finish()
    return write_return(Returned(module.value))


def _by_name(frame: Mainframe, command: m.GetParameterByName) -> str:
    return _parameter(frame, lambda names: names.index(command.name), command.count)


def _by_position(frame: Mainframe, command: m.GetParameter) -> str:
    return _parameter(frame, lambda names: range(len(names)).index(command.position - 1), command.count)


def _parameter(frame: Mainframe, find: Callable[[list[str]], int], count: int | None) -> str:
    if not isinstance(frame.module, ModuleRun):
        raise Refused(ARGUMENT)
    names = [one.name for one in frame.module.kind.parameters]
    try:
        name = names[find(names)]
    except ValueError:
        raise Refused(ARGUMENT) from None
    values = frame.module.values(name, count or 1)
    return write_parameter(values, LABEL if frame.settings.parameter_reply == "label" else "")


def _abort(frame: Mainframe, _: m.AbortModule) -> None:
    """Stop the module that runs, with its outputs off; what it has measured so far can be asked for (guess)."""
    if frame.module is not None and frame.pulses.run is not None:
        frame.pulses.abort(frame.clock.now())
        frame.end_module()


def _console(_: Mainframe, __: Command) -> None:
    """Shown on the instrument's console, which is not simulated."""


HANDLERS: dict[type[Command], Callable[[Mainframe, Any], str | None]] = {
    m.Execute: _execute, m.GetParameterByName: _by_name, m.GetParameter: _by_position, m.AbortModule: _abort,
    m.DescribeModule: _console, m.ShowReturnValue: _console,
}  # fmt: skip
