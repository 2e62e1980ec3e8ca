"""The vendor's example modules for pulse and measure, which is all an old 4200-SCS has: what ``EX`` can run.

Names and order of the parameters: the modules' own source and lab clients (data/kxci.md 7). They do what the ``:PMU:``
commands do, on the same card. Defaults of parameters left empty, names of sizes, and which mistake gives which return value,
are guesses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from labctl.kxci.messages import Play
from labctl.kxci.numbers import to_float

from .pulse_setup import (
    SEGMENT_ARB,
    SPOT_MEAN_AVERAGE,
    STANDARD,
    WAVEFORM,
    Channel,
    PulseSetup,
    Sequence,
    Source,
    Times,
    count_levels,
)  # fmt: skip

LIBRARY = "PMU_examples_ulib"
ILLEGAL, BEYOND, NO_CARD, NO_CHANNEL, SMALL_ARRAY = -122, -829, -17001, -17002, -17110  #: return values
#: return value by the card's own error; the first are LPT's codes (LPT 1-14, 1-15)
RETURNS = {
    -967: -827, -964: -829, -963: -831, -962: -824, -959: -832, -958: -824, -957: -835, -956: -820, -955: -840, -954: -828,
    -952: -850, -951: -850, -950: -842,
}  # fmt: skip


class Failed(Exception):
    """The module ends before it plays anything, with this return value."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value


class Parameter(NamedTuple):
    """One parameter. kind: an input number, text or array of numbers, an output array, or the size of the one before it."""

    name: str
    kind: Literal["number", "text", "array", "output", "size"]
    default: str = ""


@dataclass(slots=True)
class Plan:
    """What a module plays: the set-up, the channels it routes, a bias on an SMU (V, A), and where each output comes from."""

    setup: PulseSetup
    hardware: tuple[str, ...]
    outputs: Mapping[str, tuple[int, str]]  # by name: channel, column
    most_points: int
    bias: tuple[int, float, float] | None = None


@dataclass(frozen=True)
class Kind:
    """A module: its parameters, and how to plan a call."""

    parameters: tuple[Parameter, ...]
    plan: Callable[[Arguments], Plan]


@dataclass(slots=True)
class Arguments:
    """The arguments of a call by name, as texts."""

    texts: Mapping[str, str]
    parameters: tuple[Parameter, ...] = field(default=())

    def number(self, name: str) -> float:
        """A number. Raises Failed."""
        try:
            return to_float(self.texts[name])
        except ValueError:
            raise Failed(ILLEGAL) from None

    def whole(self, name: str, low: int, high: int) -> int:
        """A whole number within bounds. Raises Failed."""
        value = self.number(name)
        if not (value == int(value) and low <= value <= high):
            raise Failed(ILLEGAL)
        return int(value)

    def array(self, name: str, count: int) -> list[float]:
        """An array of `count` numbers. Raises Failed."""
        try:
            values = [to_float(text.strip()) for text in self.texts[name].split(";")]
        except ValueError:
            raise Failed(ILLEGAL) from None
        if len(values) < count or self.number(f"{name}_size") < count:
            raise Failed(ILLEGAL)
        return values[:count]

    def card(self) -> int:
        """The card of PMU_ID. Raises Failed."""
        name = self.texts["PMU_ID"]
        if not (name.startswith("PMU") and name[3:].isdigit() and len(name) == 4):
            raise Failed(NO_CARD)
        return int(name[3:])


def _inputs(**defaults: str) -> list[Parameter]:
    return [Parameter(name, "text" if name.endswith("ID") else "number", text) for name, text in defaults.items()]


def _arrays(kind: Literal["array", "output"], *names: str) -> list[Parameter]:
    pairs = [(Parameter(name, kind), Parameter(f"{name}_size", "size", "1000")) for name in names]
    return [one for pair in pairs for one in pair]


# -- a sweep on one channel -------------------------------------------------------------------------------------------
SWEEP = (
    *_inputs(
        PulseWidth="500e-9", RiseTime="100e-9", FallTime="100e-9", Period="1e-6", Delay="0", SampleRate="200e6",
        MeasStartPerc="0.75", MeasStopPerc="0.9", PulseAverage="1", LoadLine="0", DUTRes="1e6", VRange="10",
        IRange="0.01", StartV="0", StopV="5", StepV="1", BaseV="0", PMUMode="0", Chan="1", PMU_ID="PMU1",
    ),
    *_arrays("output", "V_Ampl", "I_Ampl", "V_Base", "I_Base", "TimeStamp", "Status"),
)  # fmt: skip


def _plan_sweep(given: Arguments) -> Plan:
    side = given.whole("Chan", 1, 2)
    number = 2 * given.card() - 2 + side
    start, stop, step = (given.number(name) for name in ("StartV", "StopV", "StepV"))
    given.whole("PMUMode", 0, 1)
    if step == 0:
        raise Failed(ILLEGAL)
    count = count_levels(start, stop, step)
    sizes = [given.number(one.name) for one in given.parameters if one.kind == "size"]
    if count > min(sizes):
        raise Failed(SMALL_ARRAY)
    channel = _channel(given.number("VRange"), given.number("IRange"), given.number("DUTRes"))
    channel.corrects_load_line = bool(given.whole("LoadLine", 0, 1))
    channel.window = given.number("MeasStartPerc"), given.number("MeasStopPerc")
    times = (given.number(name) for name in ("Period", "PulseWidth", "RiseTime", "FallTime", "Delay"))
    channel.times = Times(*times)
    if any(abs(level - given.number("BaseV")) > channel.voltage_range for level in (start, stop)):
        raise Failed(BEYOND)
    signed = abs(step) if stop >= start else -abs(step)
    channel.source = Source("sweep", "top", start, given.number("BaseV"), signed, count, count)
    burst, rate = given.whole("PulseAverage", 1, 10_000), given.number("SampleRate")
    setup = PulseSetup({number: channel}, STANDARD, SPOT_MEAN_AVERAGE, burst, rate, by_library=True)
    columns = dict(zip(("V_Ampl", "I_Ampl", "V_Base", "I_Base", "TimeStamp", "Status"),
                       ("VH", "IH", "VL", "IL", "TH", "SH"), strict=True))  # fmt: skip
    outputs = {name: (number, column) for name, column in columns.items()}
    return Plan(setup, (f"PMU{given.card()}-{side}",), outputs, count)


# -- Segment Arb on two channels --------------------------------------------------------------------------------------
SEGMENTS = (
    *_inputs(
        VRangeCh1="10", IRangeCh1="0.01", VRangeCh2="10", IRangeCh2="0.01", NumWaveforms="1", DUTResCh1="1e6",
        DUTResCh2="1e6", MaxSheetPoints="12000", NumSegments="3",
    ),
    *_arrays(
        "array", "SegTime", "StartVCh1", "StopVCh1", "StartVCh2", "StopVCh2", "SSRCtrlCh1", "SSRCtrlCh2", "SegTrigOut"
    ),
    *_inputs(SMU_V="0", SMU_Irange="0.01", SMU_Icomp="0.01", SMU_ID="NONE", PMU_ID="PMU1"),
    *_arrays("output", "VMeasCh1", "IMeasCh1", "VMeasCh2", "IMeasCh2", "TimeOutput", "StatusCh1", "StatusCh2"),
)  # fmt: skip


def _plan_segments(given: Arguments) -> Plan:
    card, count = given.card(), given.whole("NumSegments", 3, 2048)
    loops, most = given.whole("NumWaveforms", 1, 10**9), given.whole("MaxSheetPoints", 12, 30_000)
    times = given.array("SegTime", count)
    given.array("SegTrigOut", count)
    channels = {}
    for side in (1, 2):
        names = ("VRange", "IRange", "DUTRes")
        channel = _channel(*(given.number(f"{name}Ch{side}") for name in names))
        arrays = {"time": times, "kind": [float(WAVEFORM)] * count}
        for name, key in (("StartV", "start"), ("StopV", "stop"), ("SSRCtrl", "relay")):
            arrays[key] = given.array(f"{name}Ch{side}", count)
        channel.sequences, channel.plays = {1: Sequence(arrays)}, [Play(1, loops)]
        channels[2 * card - 2 + side] = channel
    rate = min(200e6, most / (sum(times) * loops))  # no more points than wanted, but one for every segment
    first, second = channels
    outputs = {
        "VMeasCh1": (first, "V"), "IMeasCh1": (first, "I"), "VMeasCh2": (second, "V"), "IMeasCh2": (second, "I"),
        "TimeOutput": (first, "T"), "StatusCh1": (first, "S"), "StatusCh2": (second, "S"),
    }  # fmt: skip
    hardware = (f"PMU{card}-1", f"PMU{card}-2")
    return Plan(PulseSetup(channels, SEGMENT_ARB, rate=rate), hardware, outputs, most, _bias(given))


def _bias(given: Arguments) -> tuple[int, float, float] | None:
    name = given.texts["SMU_ID"]
    if name == "NONE":
        return None
    if not (name.startswith("SMU") and name[3:].isdigit()):
        raise Failed(NO_CHANNEL)
    return int(name[3:]), given.number("SMU_V"), given.number("SMU_Icomp")


def _channel(voltage_range: float, current_range: float, load: float) -> Channel:
    if voltage_range not in (10.0, 40.0) or not 1.0 <= load <= 1e7:
        raise Failed(ILLEGAL)
    return Channel(voltage_range=voltage_range, current_range=current_range, load=load, on=True)


_SWEEP = Kind(SWEEP, _plan_sweep)
MODULES: dict[tuple[str, str], Kind] = {
    (LIBRARY, "PMU_1Chan_Sweep"): _SWEEP,
    (LIBRARY, "PMU_1Chan_Sweep_Example"): _SWEEP,
    (LIBRARY, "PMU_SegArb_Example"): Kind(SEGMENTS, _plan_segments),
}
