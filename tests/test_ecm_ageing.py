"""Noise in the cell, endurance and temperature (ecm-model.md 2.1, 3.7, 7.1): each with its law, off where a card is silent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from ecm_cells import cell_of, filament, formed, plugins_part, sweep, there_and_back, values_of

from labctl.contracts import Drive

NOISE, AGEING = plugins_part("noise"), plugins_part("ageing")
CHANNELS = plugins_part("parameters").G_C
QUIET = {"read_a": 0.0}


def set_memory(cell: Any) -> Any:
    """Form and set a memory at 1 mA, and let it rest."""
    cell.set_formed()
    sweep(cell, there_and_back(2.5, 0.05), 1e-3, 0.02)
    return cell


def seen(cell: Any, count: int, interval: float, parts: int = 1) -> np.ndarray[Any, Any]:
    """Currents at 0.1 V after every `interval` s at 0 V, each in so many parts."""
    found = []
    for _ in range(count):
        for _ in range(parts):
            cell.advance(Drive(0.0), interval / parts)
        found.append(cell.current(0.1))
    return np.array(found)


# -- noise ------------------------------------------------------------------------------------------------------------
def test_telegraph_noise_has_two_levels_as_far_apart_as_the_card_says() -> None:
    cell = set_memory(cell_of(values_of("noisy", **QUIET), seed=5))
    currents = seen(cell, 400, 0.05)
    low = currents < currents.mean()
    assert 0.3 < low.mean() < 0.7, "half of the time occupied"
    assert np.ptp(currents[low]) + np.ptp(currents[~low]) < 0.05 * np.ptp(currents), "two levels"
    part = filament(cell)
    thin = part.values["r_n"] * 1e-9 / cell.state()["radius"]
    for share, level in ((0.0, currents[~low].mean()), (0.2 * thin**2, currents[low].mean())):
        part.seen[CHANNELS] = part.packed[CHANNELS] * (1.0 - share)
        assert cell.current(0.1) == pytest.approx(level, rel=0.005), "but for a little drift"


def test_noise_does_not_depend_on_how_the_time_is_split() -> None:
    once, often, looked = (set_memory(cell_of(values_of("noisy"), seed=3)) for _ in range(3))
    for _ in range(50):
        looked.current(0.2)
    first = seen(once, 60, 0.02)
    assert np.ptp(first) > 0.01 * first.mean()
    assert seen(often, 60, 0.02, parts=7) == pytest.approx(first, rel=1e-6)
    assert seen(looked, 60, 0.02).tolist() == first.tolist()


def test_noise_is_of_the_cell_and_moves_nothing() -> None:
    """Another seed, other noise; no seed, none; and the state goes the way it goes without noise."""
    cells = [set_memory(cell_of(values_of("noisy"), seed)) for seed in (1, 2, None)]
    one, two, none = (seen(cell, 40, 0.05) for cell in cells)
    assert np.corrcoef(one, two)[0, 1] < 0.8
    assert np.ptp(none) < 1e-4 * none.mean()
    with_noise, without = cell_of(values_of("noisy"), 1), cell_of(values_of("memory"), 1)
    for cell in (with_noise, without):
        set_memory(cell)
    assert with_noise.state() == without.state()


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_fluctuator_is_a_two_state_markov_process(share: float) -> None:
    """Its mean is the share; its correlation over a time t is exp(-t/time)."""
    trap = NOISE.Fluctuator(12345, 0.01, share)
    states = np.array([trap.occupied(0.001 * k) for k in range(20_000)], dtype=float)
    assert states.mean() == pytest.approx(share, abs=0.04)
    for lag in (5, 10, 20):
        assert np.corrcoef(states[:-lag], states[lag:])[0, 1] == pytest.approx(math.exp(-0.1 * lag), abs=0.06)


def test_the_small_traps_add_up_to_one_over_f() -> None:
    """Power falls with about the first power of the frequency over two decades."""
    values = values_of("noisy", rtn_a=0.0, read_n=24.0, read_fast=1e-3, read_slow=1e3)
    spectra = []
    for key in range(12):
        noise = NOISE.Noise(values, key)
        series = np.log([noise.factor(0.01 * k, values["r_n"]) for k in range(512)])
        spectra.append(np.abs(np.fft.rfft((series - series.mean()) * np.hanning(512))) ** 2)
    power = np.mean(spectra, axis=0)
    places = np.unique(np.geomspace(3, 200, 12).astype(int))
    slope = np.polyfit(np.log(places), np.log([power[max(p * 3 // 4, 1) : p * 4 // 3 + 1].mean() for p in places]), 1)[
        0
    ]
    assert -1.3 < slope < -0.7


# -- endurance --------------------------------------------------------------------------------------------------------
def cycle(cell: Any) -> None:
    sweep(cell, there_and_back(2.5, 0.1), 1e-3, 0.02)
    sweep(cell, there_and_back(-3.0, 0.1), math.inf, 0.02)


def test_the_window_narrows_from_cycle_to_cycle() -> None:
    cell = cell_of(values_of("memory", n_wear=20.0))
    cell.set_formed()
    gaps = []
    for _ in range(8):
        cycle(cell)
        gaps.append(cell.state()["gap"] * 1e9)
    ruptures = np.arange(1, 9)
    assert cell.state()["ruptures"] == 8.0
    values = values_of("memory")
    assert gaps == pytest.approx(
        list(values["x_min"] + (values["x0"] - values["x_min"]) * np.exp(-ruptures / 20.0)), rel=0.02
    )


@pytest.mark.parametrize(("field", "end", "conducts"), [("n_low", 3.0, True), ("n_high", 4.0, False)])
def test_a_life_ends_stuck(field: str, end: float, conducts: bool) -> None:
    """Nominal: after the median life, here five ruptures; nothing moves the cell any more."""
    cell = cell_of(values_of("memory", j_burn=math.inf, **{field: 4.6 / math.log(2.0), field.replace("n_", "b_"): 1.0}))
    cell.set_formed()
    for _ in range(7):
        cycle(cell)
    assert (cell.state()["broken"], cell.state()["ruptures"]) == (end, 5.0)
    assert (cell.current(0.7) > 1e-4) == conducts
    assert (cell.current(0.7) < 1e-8) != conducts


def test_lives_are_weibull_distributed() -> None:
    values = values_of("memory", n_low=1000.0, b_low=2.0)
    lives = sorted(AGEING.Age(values, np.random.default_rng(seed))._low for seed in range(400))
    assert lives[200] == pytest.approx(1000.0 * math.log(2.0) ** 0.5, rel=0.1)
    assert lives[int(400 * (1.0 - math.exp(-1.0)))] == pytest.approx(1000.0, rel=0.1)
    assert lives[40] == pytest.approx(1000.0 * (-math.log(0.9)) ** 0.5, rel=0.25)


def test_a_collapsed_window_is_stuck_on() -> None:
    cell = cell_of(values_of("memory", n_wear=3.0, j_burn=math.inf))
    cell.set_formed()
    for _ in range(12):
        cycle(cell)
    assert cell.state()["broken"] == 3.0
    assert cell.state()["gap"] == pytest.approx(values_of("memory")["x_min"] * 1e-9)


def test_ageing_leaves_the_other_draws_alone() -> None:
    aged, young = cell_of(values_of("memory", n_low=1e6, b_low=2.0), 9), cell_of(values_of("memory"), 9)
    for cell in (aged, young):
        cell.set_formed()
        cycle(cell)
    assert aged.state() == young.state()


# -- temperature ------------------------------------------------------------------------------------------------------
def time_to_lose(temperature: float) -> float:
    """The time (s) at 0 V after which a set memory's current at 0.1 V has halved."""
    cell = set_memory(cell_of(values_of("memory", temperature=temperature, e_sd=1.0)))
    first, passed, step = cell.current(0.1), 0.0, 1.0
    while cell.current(0.1) > 0.5 * first:
        cell.advance(Drive(0.0), step)
        passed, step = passed + step, 1.05 * step
        assert passed < 1e9
    return passed


def test_retention_follows_arrhenius() -> None:
    hot, warm = time_to_lose(380.0), time_to_lose(350.0)
    expected = math.exp(1.0 / 8.617333e-5 * (1.0 / 350.0 - 1.0 / 380.0))
    assert warm / hot == pytest.approx(expected, rel=0.15)


def test_the_ageing_card_forgets_when_it_is_warm_and_the_memory_does_not() -> None:
    warm, cool = (set_memory(formed(name)) for name in ("ageing", "memory"))
    for cell in (warm, cool):
        first = cell.current(0.1)
        cell.advance(Drive(0.0), 1e4)
        assert (cell.current(0.1) < 0.5 * first) == (cell is warm)
