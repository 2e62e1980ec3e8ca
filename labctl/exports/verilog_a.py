"""Pulse response as a behavioural model in Verilog-A (Accellera, LRM 2.4), for simulators with an OSDI or ADMS compiler.

One state, the conductance: while the voltage is beyond a threshold it goes to the branch's asymptote at the rate that the
measured pulses had, so that as many pulses of the measured width give the measured curve. How the rate depends on the voltage
the pulses don't tell: beyond the threshold it is constant. Read scatter and cycle variation are not in it.
"""

from __future__ import annotations

import math
import re

from labctl.analysis.plasticity.model import UpdateModel, Way
from labctl.errors import UsageError
from labctl.exports import Made, provenance
from labctl.exports.measured import Measured, Pulsed, measured
from labctl.store import Run

THRESHOLD = 0.75  #: of the smallest amplitude used, from which on a voltage counts as a pulse: guess
STRAIGHT = 1e-3  #: bend from which on a branch is told by its asymptote; below, the straight line is as good

_TEXT = """\
{origin}
`include "constants.vams"
`include "disciplines.vams"

module {name}(p, n);
    inout p, n;
    electrical p, n;
    electrical g;                       // conductance of the cell in g_unit: the state
    parameter real g_unit  = {unit!r} from (0:inf);   // S
    parameter real g_low   = {low!r};   // S, least conductance
    parameter real g_high  = {high!r};   // S, greatest conductance
    (* type="instance" *) parameter real g_start = {low!r} from [g_low:g_high];   // S, at the beginning
    parameter real v_up    = {v_up!r};  // V, a voltage beyond it potentiates ({up_words})
    parameter real v_down  = {v_down!r};  // V, a voltage beyond it depresses ({down_words})
    parameter real r_up    = {r_up!r};  // 1/s, potentiation: dG/dt = r_up (aim_up - G)
    parameter real aim_up  = {aim_up!r};   // S
    parameter real r_down  = {r_down!r};  // 1/s, depression: dG/dt = r_down (aim_down - G)
    parameter real aim_down = {aim_down!r};   // S
    real now, speed;

    analog begin
        now = V(g) * g_unit;
        if (V(p, n) {beyond_up} v_up)
            speed = r_up * (aim_up - now);
        else if (V(p, n) {beyond_down} v_down)
            speed = r_down * (aim_down - now);
        else
            speed = 0.0;
        if (now >= g_high && speed > 0.0)
            speed = 0.0;
        if (now <= g_low && speed < 0.0)
            speed = 0.0;
        if (analysis("static"))
            V(g) <+ g_start / g_unit;
        else
            I(g) <+ ddt(V(g)) - speed / g_unit;
        I(p, n) <+ now * V(p, n);
    end
endmodule
"""


def make(run: Run) -> Made:
    """One file. Raises UsageError for pulses of both branches that have one sign."""
    found = measured(run)
    up, down = found.pulsed[1], found.pulsed[-1]
    if up.amplitude[0] * down.amplitude[0] >= 0:
        raise UsageError("both branches have pulses of one sign; a model with two thresholds can't tell them apart")
    return Made({".va": _TEXT.format(**_fields(found, up, down)).encode()}, (*found.notes(), _WIDTH))


_WIDTH = "the rate is that of the measured amplitudes; the model knows no other dependence on the voltage than its thresholds"


def _fields(found: Measured, up: Pulsed, down: Pulsed) -> dict[str, object]:
    model = found.model
    r_up, aim_up = rate(model, model.up, up)
    r_down, aim_down = rate(model, model.down, down)
    rising = up.amplitude[0] > 0
    lines = [*(f"{name}: {fact}" for name, fact in provenance.facts(found.run).items()), *found.notes(), _WIDTH]
    fields = {
        "origin": "\n".join(provenance.comment(f"// {line}") for line in lines),
        "name": "labctl_" + re.sub(r"[^A-Za-z0-9_]", "_", provenance.facts(found.run)["run"]),
        "unit": _unit(model), "low": model.low, "high": model.high,
        "v_up": _threshold(up), "v_down": _threshold(down), "up_words": _words(up), "down_words": _words(down),
        "beyond_up": ">" if rising else "<", "beyond_down": "<" if rising else ">",
        "r_up": r_up, "aim_up": aim_up, "r_down": r_down, "aim_down": aim_down,
    }  # fmt: skip
    return {name: provenance.short(value) if isinstance(value, float) else value for name, value in fields.items()}


def rate(model: UpdateModel, way: Way, pulsed: Pulsed) -> tuple[float, float]:
    """Rate (1/s, below 0 for a convex branch) and asymptote (S) of dG/dt = rate (asymptote - G), from the branch's curve.

    Over `pulses` pulses of a width w the curve is 1 - exp(-bend u), so the rate is bend / (pulses w).
    """
    bend = way.bend if abs(way.bend) >= STRAIGHT else math.copysign(STRAIGHT, way.bend or 1.0)
    whole = way.last - way.first
    asymptote = way.first + whole / -math.expm1(-bend)
    return bend / (way.pulses * float(pulsed.width.mean())), asymptote


def _unit(model: UpdateModel) -> float:
    """A round number near the conductances, so that the state is about 1."""
    return float(f"1e{int(f'{model.high:e}'.partition('e')[2])}")


def _threshold(pulsed: Pulsed) -> float:
    return THRESHOLD * float(min(pulsed.amplitude, key=abs))


def _words(pulsed: Pulsed) -> str:
    first, last = float(pulsed.amplitude[0]), float(pulsed.amplitude[-1])
    width = f"{float(pulsed.width.mean()):g} s"
    return (
        f"pulses of {first:g} V, {width}" if pulsed.alike else f"pulses of {first:g} to {last:g} V, {width} in the mean"
    )
