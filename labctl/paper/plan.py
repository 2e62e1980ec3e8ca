"""What is measured on which cells: experiments, each a list of recipes run one after the other on one cell.

Amplitudes, widths, compliances, read voltage, cycles and times are the paper's where it gives them (Kim et al., Adv. Intell.
Syst. 2022, 2200110); what it does not give is ours, and called so where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labctl.paper.cells import CELLS, NOMINAL

VERTICAL = ("device-1", "device-2", "device-3", "device-4")
LATERAL = ("l-device-1", "l-device-2", "l-device-3", "l-device-4")
COMPLIANCES = (1e-6, 1e-5, 1e-4)  #: A; Kim 2022
V_READ = 0.7  #: V; Kim 2022
PEAKS = {"l-device-1": 100.0, "l-device-2": 80.0, "l-device-3": 20.0, "l-device-4": 4.0}  #: V; peaks of the loops: ours
FAST = {"integration": "fast"}
RAMP = {
    **FAST,
    "v_max": 8.0,
    "compliance": 1e-6,
}  #: forming ramp of a vertical cell: ours; it ends itself in compliance
STACK_RAMP = {**FAST, "v_max": 12.0, "compliance": 1e-5, "v_read": 0.0}  #: the same of memory and stack: ours
SLOW = {**FAST, "delay": 0.036, "step": 0.05}  #: 50 mV every 50 ms or so, 1 V/s: ours
HALVES = {"v_max": 2.5, "v_min": -3.0, "reset_compliance": 0.05}  #: set and reset sweep of memory and stack: ours
LEVELS = (7, 14, 21)  #: pulses of the trains whose last level is kept: ours
KEPT = 1e3  #: s for which a level is kept: ours
ROUNDS = 2  #: times both branches of a train are run: ours
TRAINED = 16  #: drawn cells that get trains, if pulses switch them: ours
ALL = 1_000_000  #: more cells than anybody asks for
POT_FIRST, POT_LAST, PULSES = 2.1, 2.5, 21  #: V, V; Kim 2022; the number of pulses is ours


@dataclass(frozen=True)
class Step:
    """One run of a recipe with its settings; name: what the run is for.

    once: left out, with all steps after it, unless the run of that step shows that one pulse set the cell and one reset it;
    most: left out on drawn cells with a greater number.
    """

    name: str
    recipe: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    once: str = ""
    most: int = ALL


@dataclass(frozen=True)
class Experiment:
    """Steps for each device it is done on.

    most: of the drawn cells asked for, how many are used; times: more of them by this factor; nominal: the nominal cell too;
    cost: how long it takes on a cell against others, to begin with the long ones: measured, in s.
    """

    steps: Mapping[str, Sequence[Step]]
    cost: float
    nominal: bool = True
    most: int = ALL
    times: int = 1

    def numbers(self, cells: int) -> list[int]:
        """The cells it is done on, where `cells` drawn ones of each device are asked for."""
        drawn = range(1, min(cells * self.times, self.most) + 1)
        return [NOMINAL, *drawn] if self.nominal else list(drawn)


@dataclass(frozen=True, order=True)
class Job:
    """One experiment on one cell."""

    experiment: str
    device: str
    number: int

    @property
    def steps(self) -> Sequence[Step]:
        """What is run, in order."""
        return [step for step in EXPERIMENTS[self.experiment].steps[self.device] if self.number <= step.most]


def _volatility() -> list[Step]:
    return [Step("loops", "volatility", {"loops": 5})]


def _cycles(device: str) -> list[Step]:
    """A loop before forming, forming, 50 loops at 1e-6 A and a fine one, and loops with a reset for the on/off ratio."""
    loop = {**FAST, "compliance": 1e-6}
    steps = [Step("pristine", "iv-sweep", loop), Step("forming", "forming", RAMP)]
    if device != "device-4":  # it stays on
        steps.append(Step("loops", "iv-sweep", {**loop, "cycles": 50, "step": 0.02}))
        steps.append(Step("fine", "iv-sweep", {**loop, "step": 0.0025}))
    window = {**FAST, "v_min": -1.0, "first": "negative", "compliance": 1e-4, "reset_compliance": 1e-2, "cycles": 3}
    return [*steps, Step("window", "iv-sweep", window)]


def _lateral(device: str) -> list[Step]:
    peak = PEAKS[device]
    loop = {**FAST, "v_max": peak, "step": peak / 200, "compliance": 1e-6}
    ramp = {**FAST, "v_max": 200.0, "step": 0.5, "compliance": 1e-6, "v_read": 0.0}
    return [
        Step("forming", "forming", ramp),
        Step("loops", "iv-sweep", {**loop, "cycles": 3}),
    ]


def _stack_cycles() -> list[Step]:
    loop = {**SLOW, **HALVES, "compliance": 1e-5, "cycles": 50}
    return [Step("forming", "forming", STACK_RAMP), Step("cycles", "iv-sweep", loop)]


def _pulses() -> list[Step]:
    """A set and a reset pulse; of a cell that they switch the trains, then trains that end early, their last level kept.

    Every train begins in the off state that a reset sweep leaves.
    """

    def train(label: str, once: str = "", **settings: Any) -> Step:
        return Step(label, "potentiation-depression", {**trains, **settings}, once, TRAINED)

    volts = (POT_LAST - POT_FIRST) / (PULSES - 1)
    trains: dict[str, Any] = {"pulses": PULSES, "pot_first": POT_FIRST, "pot_last": POT_LAST, "v_read": V_READ}
    trains |= {"dep_first": -2.2, "dep_last": -2.6, "width": 20e-6}
    ends = {count: POT_FIRST + volts * (count - 1) for count in LEVELS}
    kept = [train(f"kept-{count}", pulses=count, pot_last=level, keep=KEPT) for count, level in ends.items()]
    return [
        Step("forming", "forming", STACK_RAMP),
        Step("pulses", "switching-time", {"amplitude": 2.0, "second": -2.0, "v_read": V_READ}),
        train("stepped", "pulses", scheme="amplitude", cycles=ROUNDS),
        train("constant", scheme="constant", cycles=ROUNDS),
        *kept,
    ]


def _memory() -> list[Step]:
    """Cycles, then a set sweep and a sweep to the read voltage that no compliance limits."""
    loop = {**SLOW, **HALVES, "compliance": 1e-3}
    read = {**SLOW, "v_max": V_READ, "compliance": 0.05}
    return [
        Step("forming", "forming", STACK_RAMP),
        Step("loops", "iv-sweep", {**loop, "cycles": 5}),
        Step("set", "iv-sweep", {**loop, "v_min": 0.0}),
        Step("on", "iv-sweep", read),
    ]


def _selector() -> list[Step]:
    loop = {**FAST, "v_max": 1.0, "v_min": -1.0, "compliance": 1e-5, "cycles": 10}
    return [Step("forming", "forming", {**RAMP, "compliance": 1e-5}), Step("loops", "iv-sweep", loop)]


def _formed(name: str, recipe: str, **settings: Any) -> dict[str, list[Step]]:
    return {"synapse": [Step("forming", "forming", STACK_RAMP), Step(name, recipe, settings)]}


EXPERIMENTS: dict[str, Experiment] = {
    "volatility": Experiment({device: _volatility() for device in VERTICAL}, cost=0.5),
    "cycles": Experiment({device: _cycles(device) for device in VERTICAL}, cost=1.0),
    "lateral": Experiment({device: _lateral(device) for device in LATERAL}, cost=0.4),
    "selector": Experiment({"selector": _selector()}, cost=0.6, most=1),
    "memory": Experiment({"memory": _memory()}, cost=0.4),
    "stack": Experiment({"synapse": _stack_cycles()}, cost=2.0),
    "pulses": Experiment({"synapse": _pulses()}, cost=1.3, times=3),
    "retention": Experiment(_formed("kept", "retention", duration=1e4, v_read=V_READ), cost=0.6, times=2),
    "endurance": Experiment(
        _formed("cycles", "endurance", cycles=500, step=0.25, v_read=V_READ), cost=5.0, nominal=False, most=1
    ),
}  #: by name; pulses have three times the cells, as one pulse does not switch each of them


def jobs(experiments: Iterable[str], cells: int = CELLS) -> list[Job]:
    """All jobs of some experiments with `cells` drawn cells of each device, the longest first."""
    wanted = sorted(set(experiments), key=lambda name: -EXPERIMENTS[name].cost)
    return [
        Job(name, device, number)
        for name in wanted
        for device in EXPERIMENTS[name].steps
        for number in EXPERIMENTS[name].numbers(cells)
    ]
