"""The current laws of thin films, each as a straight line: ln|I| = a + b x(|V|) + g(|V|).

Every law adds a known function of the voltage to a line, so the residuals of its own linearised plot are those of ln|I|: laws
fitted each on its own scale are compared on one. Forms as in the reviews of F.-C. Chiu, Adv. Mater. Sci. Eng. 2014, 578168,
and, for trap-assisted tunnelling, E. W. Lim and R. Ismail, Electronics 4, 586 (2015). Direct tunnelling: WKB through a
trapezoidal barrier higher than the voltage (J. G. Simmons, J. Appl. Phys. 34, 1793, 1963, has the mean barrier instead of
the exact exponent).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labctl.contracts import Extracted, FloatArray

NAN = math.nan
CHARGE = 1.602176634e-19  #: C, exact (SI, 2019)
BOLTZMANN = 1.380649e-23  #: J/K, exact
VACUUM = 8.8541878128e-12  #: F/m, CODATA 2018
#: V^(-1/2) nm^-1: (4/3) sqrt(2 m_e e) / hbar; a barrier of phi (eV) and d (nm) has the tunnelling slope TUNNEL phi^(3/2) d (V)
TUNNEL = 6.8309
BARRIERS = (0.1, 6.0)  #: eV; heights a metal and an oxide can have: guess, the work functions of metals end there
HIGHEST = 20.0  #: barrier of direct tunnelling over the greatest voltage, where its curvature is below 1 %: guess

Scale = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Layer:
    """The film under test, as far as it is known. thickness: m; permittivity: static, relative; temperature: K."""

    thickness: float = NAN
    permittivity: float = NAN
    temperature: float = 300.0


@dataclass(frozen=True)
class Law:
    """One current law. x: abscissa of its straight line, from |V|; g: what is added to the line.

    axes: the plot in which it is a line, in words; unit: of the slope; sign: of a slope that means the law; least: the smallest
    such slope, by magnitude; fixed: the slope, where the law leaves none free; barrier: whether its height is fitted, too.
    """

    name: str
    x: Scale
    g: Scale
    axes: str
    unit: str = ""
    sign: int = 0
    fixed: float | None = None
    least: float = 0.0
    barrier: bool = False

    @property
    def parameters(self) -> int:
        """How many numbers are fitted, without the variance."""
        return 1 if self.fixed is not None else 3 if self.barrier else 2

    def means_it(self, slope: float) -> bool:
        """Whether a line with this slope can be this law."""
        return self.fixed is not None or (slope * self.sign > 0 and abs(slope) > self.least)


def _nothing(v: FloatArray) -> FloatArray:
    return np.zeros_like(v)


def _inverse(v: FloatArray) -> FloatArray:
    return 1.0 / v


def _twice_log(v: FloatArray) -> FloatArray:
    return 2.0 * np.log(v)


LAWS: tuple[Law, ...] = (
    Law("ohmic", np.log, _nothing, "ln I against ln V, slope 1", fixed=1.0),
    Law("SCLC (Child)", np.log, _nothing, "ln I against ln V, slope 2", fixed=2.0),
    Law("SCLC (traps)", np.log, _nothing, "ln I against ln V, slope above 2", sign=1, least=2.0),
    Law("Schottky", np.sqrt, _nothing, "ln I against sqrt(V)", "V^-1/2", sign=1),
    Law("Poole-Frenkel", np.sqrt, np.log, "ln(I/V) against sqrt(V)", "V^-1/2", sign=1),
    Law("Fowler-Nordheim", _inverse, _twice_log, "ln(I/V^2) against 1/V", "V", sign=-1),
    Law("trap-assisted tunnelling", _inverse, _nothing, "ln I against 1/V", "V", sign=-1),
    Law(
        "direct tunnelling",
        _nothing,
        np.log,
        "ln(I/V) against (phi^(3/2) - (phi - V)^(3/2))/V",
        "V^-1/2",
        sign=-1,
        barrier=True,
    ),
)


def with_barrier(law: Law, height: float) -> Law:
    """Direct tunnelling through a barrier of `height` (V): then a straight line, too."""

    def exponent(v: FloatArray) -> FloatArray:
        return np.asarray((height**1.5 - np.maximum(height - v, 0.0) ** 1.5) / v)

    return Law(law.name, exponent, law.g, law.axes, law.unit, law.sign, barrier=True)


def implied(law: Law, slope: float, error: float, layer: Layer) -> list[tuple[Extracted, str]]:
    """What a slope says of the film, each with what is wrong with it ("" for nothing); [] where the film is not known."""
    if not math.isfinite(layer.thickness):
        return []
    if law.name in ("Schottky", "Poole-Frenkel"):
        return [_permittivity(law, slope, error, layer)]
    if law.name in ("Fowler-Nordheim", "trap-assisted tunnelling"):
        return [_height(law, slope, error, layer)]
    return []


def _permittivity(law: Law, slope: float, error: float, layer: Layer) -> tuple[Extracted, str]:
    """Relative permittivity at optical frequencies, between 1 and the static one if the law holds."""
    pole = 4.0 if law.name == "Schottky" else 1.0
    per_root = CHARGE / (BOLTZMANN * layer.temperature)
    value = per_root**2 * CHARGE / (pole * math.pi * VACUUM * layer.thickness) / slope**2
    compensated = " with xi = 1; a quarter of it with xi = 2, where traps compensate" if pole == 1.0 else ""
    words = f"from the slope of {law.axes} at {layer.temperature:g} K and {layer.thickness:g} m{compensated}"
    number = Extracted(f"permittivity by {law.name}", value, "", 2.0 * value * error / abs(slope), words)
    smallest = value if pole == 4.0 else value / 4.0
    greatest = layer.permittivity if math.isfinite(layer.permittivity) else math.inf
    if value < 1.0 or smallest > greatest:
        return number, f"implausible: it asks for a permittivity of {value:.3g}, not between 1 and {greatest:g}"
    return number, ""


def _height(law: Law, slope: float, error: float, layer: Layer) -> tuple[Extracted, str]:
    """Barrier height (eV) if the whole film is the barrier and the electron has its free mass."""
    value = (abs(slope) / (TUNNEL * layer.thickness * 1e9)) ** (2.0 / 3.0)
    words = f"from the slope of {law.axes}, barrier as thick as the film ({layer.thickness:g} m), free electron mass"
    number = Extracted(f"barrier by {law.name}", value, "eV", 2.0 / 3.0 * value * error / abs(slope), words)
    if not BARRIERS[0] <= value <= BARRIERS[1]:
        between = f"{BARRIERS[0]:g} and {BARRIERS[1]:g} eV"
        return (
            number,
            f"implausible: a barrier as thick as the film would be {value:.3g} eV high, not between {between}",
        )
    return number, ""
