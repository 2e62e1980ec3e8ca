"""Energies of pulses and sweeps: known integrals, noise, and samples that can't be summed."""

import math

import numpy as np
import pytest

from labctl import plugins
from labctl.analysis import energy
from labctl.contracts import Extracted, Status
from labctl.procedure import Procedure

TIME = np.linspace(0.0, 1e-6, 1001)


def pulse(height: float = 2.0) -> np.ndarray:
    """0 to `height` and back, edges of 100 ns."""
    return height * np.interp(TIME, [0, 1e-7, 9e-7, 1e-6], [0, 1, 1, 0])


def test_a_resistor_takes_what_is_known() -> None:
    """V^2 / R over 800 ns and a third of it over each edge."""
    found = energy.of_pulse(TIME, pulse(), pulse() / 1e4)
    assert found is not None
    assert found.value == pytest.approx(4.0 / 1e4 * (8e-7 + 2e-7 / 3), rel=1e-4, abs=0)
    negative = energy.of_pulse(TIME, pulse(-2.0), pulse(-2.0) / 1e4)
    assert negative is not None
    assert negative.value == pytest.approx(found.value, rel=1e-9, abs=0)
    assert found.unit == "J"


def test_a_capacitor_gives_back_what_it_took() -> None:
    current = 1e-12 * np.gradient(pulse(), TIME)
    found = energy.of_pulse(TIME, pulse(), current)
    assert found is not None
    assert abs(found.value) < 1e-3 * 0.5 * 1e-12 * 4.0


def test_a_resistor_in_series_can_be_left_out() -> None:
    current = pulse() / 3e4  # 10 kohm of it in series
    found = energy.of_pulse(TIME, pulse(), current, series=1e4)
    whole = energy.of_pulse(TIME, pulse(), current)
    assert found is not None
    assert whole is not None
    assert found.value == pytest.approx(whole.value * 2 / 3, rel=1e-9, abs=0)
    assert "less what 10000 ohm" in found.definition
    assert "all between the driven terminals" in whole.definition


def test_the_uncertainty_is_what_noise_makes_of_it() -> None:
    rng, truth = np.random.default_rng(1), float(np.trapezoid(pulse() ** 2 / 1e4, TIME))
    found = [energy.of_pulse(TIME, pulse(), pulse() / 1e4 + rng.normal(0, 1e-6, TIME.size)) for _ in range(200)]
    values = np.array([item.value for item in found if item is not None])
    stated = np.array([item.uncertainty for item in found if item is not None])
    assert values.mean() == pytest.approx(truth, abs=4 * values.std() / math.sqrt(200))
    assert np.median(stated) == pytest.approx(values.std(), rel=0.25, abs=0)


def test_what_cannot_be_summed_is_no_number() -> None:
    status = np.zeros(TIME.size, dtype=np.int64)
    status[5] = int(Status.OVERFLOW)
    found = energy.of_pulse(TIME, pulse(), pulse() / 1e4, status)
    assert found is not None
    assert math.isnan(found.value)
    assert "beyond its range" in found.definition
    assert found.excluded == 1
    status[5] = int(Status.COMPLIANCE)
    limited = energy.of_pulse(TIME, pulse(), pulse() / 1e4, status)
    assert limited is not None
    assert math.isfinite(limited.value)
    assert energy.of_pulse(TIME[:2], pulse()[:2], pulse()[:2]) is None
    assert energy.of_pulse(TIME[::-1], pulse(), pulse()) is None
    few = energy.of_pulse(TIME[::250], pulse()[::250], pulse()[::250])
    assert few is not None
    assert math.isnan(few.uncertainty)


def test_bits_and_medians() -> None:
    one = Extracted("e", 3e-12, "J", 3e-13, "d", interval=(2e-12, 4e-12))
    four = energy.per_bit(one, levels=8)
    assert [four.value, four.uncertainty, *four.interval] == pytest.approx(
        [1e-12, 1e-13, 2e-12 / 3, 4e-12 / 3], rel=1e-9, abs=0
    )
    lost = Extracted("e", math.nan, "J", math.nan, "d")
    found = energy.median([one, one, lost])
    assert found is not None
    assert (found.value, found.excluded) == (3e-12, 1)
    assert energy.median([lost]) is None


def test_a_captured_pulse_has_its_energy() -> None:
    recipe = plugins.load("procedures", "switching-time", Procedure)
    count = TIME.size
    columns = {
        "kind": np.full(count, 3),
        "applied": np.ones(count, dtype=np.int64),
        "amplitude": np.full(count, 2.0),
        "part": ((TIME > 1e-7) & (TIME < 9e-7)).astype(np.int64),
        "pulse_time": TIME - 5e-8,
        "time": TIME,
        "level": pulse(),
        "voltage": pulse(),
        "current": pulse() / 1e4,
        "status": np.zeros(count, dtype=np.int64),
    }
    found = {item.name: item for item in recipe.analyze(columns)}
    assert found["energy of the pulse of +2 V"].value == pytest.approx(3.467e-10, rel=1e-3, abs=0)
    assert "energy of the pulse of +2 V per bit" in found
