"""Pulse response for NeuroSim (MLP+NeuroSim V3.0, Cell.cpp, class RealDevice; DNN+NeuroSim V2, command line of train.py).

NeuroSim takes conductances between one least and one greatest value, along G = B (1 - exp(-x/A)) + Gmin with A looked up by a
label in steps of 0.01, up to 9. Its write noise adds up from pulse to pulse, its read noise is a share of the current.
"""

from __future__ import annotations

import math

from labctl.analysis.plasticity.curves import LAST_LABEL
from labctl.analysis.plasticity.model import UpdateModel, Way
from labctl.exports import Made, provenance
from labctl.exports.measured import Measured, measured
from labctl.store import Run

Constant = float | int | bool | str


def make(run: Run) -> Made:
    """A block of C++ for the constructor of RealDevice, and the same in JSON with intervals."""
    found = measured(run)
    every = values(found)
    constants = {name: item for name, item in every.items() if _known(item[0])}
    notes = (*found.notes(), *_beyond(found.model), *_unknown([name for name in every if name not in constants]))
    text = "\n".join(
        [
            "// Constants of RealDevice (Cell.cpp of MLP+NeuroSim V3.0), measured; they go into its constructor.",
            *(provenance.comment(f"// {name}: {fact}") for name, fact in provenance.facts(run).items()),
            *(provenance.comment(f"// note: {note}") for note in notes),
            *(f"{name} = {_written(value)};\t// {words}" for name, (value, words) in constants.items()),
            "// DNN+NeuroSim: " + flags(found.model),
            "",
        ]
    )
    content = {
        **found.facts(),
        "RealDevice": {name: _short(value) for name, (value, _) in constants.items()},
        "label intervals (95 %)": {"NL_LTP": found.model.up.label.interval, "NL_LTD": found.model.down.label.interval},
        "A of the normalised pulses": {"LTP": _a(found.model.up), "LTD": -_a(found.model.down)},
        "B (S)": {"LTP": _b(found.model, found.model.up), "LTD": _b(found.model, found.model.down, -1.0)},
        "DNN+NeuroSim": flags(found.model),
    }
    return Made({".neurosim.cpp": text.encode(), ".neurosim.json": provenance.as_json(content)}, notes)


def values(found: Measured) -> dict[str, tuple[Constant, str]]:
    """Every constant with what it is, in the order of the source file."""
    model, (up, down) = found.model, (found.pulsed[1], found.pulsed[-1])
    middle, spread = 0.5 * (model.low + model.high), model.high - model.low
    reads = math.hypot(model.up.read_scatter, model.down.read_scatter) / math.sqrt(2.0) / middle
    steps = math.hypot(model.up.step_scatter, model.down.step_scatter) / math.sqrt(2.0) / spread
    return {
        "maxConductance": (model.high, "S"),
        "minConductance": (model.low, "S"),
        "readVoltage": (abs(found.read_voltage), "V"),
        "writeVoltageLTP": (float(abs(up.amplitude).mean()), "V, mean of the pulses"),
        "writeVoltageLTD": (float(abs(down.amplitude).mean()), "V, mean of the pulses"),
        "writePulseWidthLTP": (float(up.width.mean()), "s, mean of the pulses"),
        "writePulseWidthLTD": (float(down.width.mean()), "s, mean of the pulses"),
        "maxNumLevelLTP": (model.up.pulses, "pulses of a potentiation"),
        "maxNumLevelLTD": (model.down.pulses, "pulses of a depression"),
        "nonlinearWrite": (True, ""),
        "nonIdenticalPulse": (
            False,
            "" if up.alike and down.alike else "though the pulses were not alike, see the notes",
        ),
        "readNoise": (bool(reads > 0), ""),
        "sigmaReadNoise": (reads, "scatter of reads over the mid conductance"),
        "NL_LTP": (_label(model.up), f"95 % interval {_interval(model.up)}"),
        "NL_LTD": (_label(model.down), f"95 % interval {_interval(model.down)}"),
        "sigmaDtoD": (0.0, "one cell: not known"),
        "sigmaCtoC": (
            f"{steps:.6g} * (maxConductance - minConductance)",
            "scatter of a step that stays, over the range",
        ),
    }


def flags(model: UpdateModel) -> str:
    """Options of DNN+NeuroSim's training script."""
    steps = math.hypot(model.up.step_scatter, model.down.step_scatter) / math.sqrt(2.0) / (model.high - model.low)
    levels = min(model.up.pulses, model.down.pulses)
    on_off = f"{model.high / model.low:.6g}" if model.low > 0 else "undefined"
    return (
        f"--nonlinearityLTP {_label(model.up):.2f} --nonlinearityLTD {_label(model.down):.2f} --max_level {levels}"
        f" --c2cVari {steps:.6g} --d2dVari 0 --onoffratio {on_off}"
    )


def _label(way: Way) -> float:
    """Two decimals, as the table has them, within what it has."""
    return round(min(max(way.label.value, -LAST_LABEL), LAST_LABEL), 2)


def _a(way: Way) -> float:
    """A over the normalised pulses, positive for a saturating branch; infinite for a straight line."""
    return 1.0 / way.bend if way.bend else math.inf


def _b(model: UpdateModel, way: Way, sign: float = 1.0) -> float:
    """B (S) of the law with that A; of depression, played backwards, A is negative and so is B."""
    return (model.high - model.low) / -math.expm1(-sign * way.bend) if way.bend else math.inf


def _interval(way: Way) -> str:
    return f"{way.label.interval[0]:.3g} to {way.label.interval[1]:.3g}"


def _written(value: Constant) -> str:
    return str(value).lower() if isinstance(value, bool) else str(_short(value))


def _short(value: Constant) -> Constant:
    return provenance.short(value) if isinstance(value, float) else value


def _known(value: Constant) -> bool:
    """Whether a constant is one: C++ has no word for a number that is none."""
    return not isinstance(value, float) or math.isfinite(value)


def _unknown(names: list[str]) -> list[str]:
    """What to say of constants that are left out."""
    return (
        [f"the run does not say what {', '.join(names)} is; left out, so the constructor's own value stays"]
        if names
        else []
    )


def _beyond(model: UpdateModel) -> list[str]:
    """What NeuroSim can't take as measured."""
    said = []
    if max(abs(model.up.label.value), abs(model.down.label.value)) > LAST_LABEL:
        said.append(f"a label is beyond NeuroSim's table and cut to {LAST_LABEL:g}")
    if model.low <= 0:
        said.append("the least conductance is not positive, which NeuroSim can't have")
    return said
