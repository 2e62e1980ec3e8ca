"""The ECM cell's behaviour: volatility, thresholds, forming, memory; and where cells differ.

Kim 2022 is 10.1002/aisy.202200110; the paper has the volatility and the self-compliance as numbers, the voltages here are
assumed (ecm-model.md 9).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from ecm_cells import (
    cell_of,
    filament,
    formed,
    jump,
    pristine,
    ramp_until_compliance,
    sweep,
    there_and_back,
    thresholds,
    values_of,
)

from labctl import plugins
from labctl.contracts import Drive


# -- behaviour --------------------------------------------------------------------------------------------------------
def test_device_2_is_a_volatile_threshold_switch() -> None:
    cell = formed("device-2")
    v_th, v_hold, greatest = thresholds(cell, 1e-6)
    assert v_th == pytest.approx(0.506, abs=0.05)
    assert 0.05 < v_hold < v_th
    assert greatest == 1e-6
    assert cell.state()["filament"] == 0.0
    assert cell.current(0.1) < 1e-10


def test_holding_voltage_falls_with_compliance() -> None:
    _, holds, greatest = zip(*(thresholds(formed("device-2"), cc) for cc in (1e-6, 1e-5, 1e-4)), strict=True)
    assert holds[0] > holds[1] + 0.05 > holds[2] + 0.1
    assert greatest[2] == pytest.approx(8e-5, rel=0.15), "self-compliance (Kim 2022)"


@pytest.mark.parametrize(("number", "volatile"), [(1, "yyy"), (2, "yyy"), (3, "ynn"), (4, "nnn")])
def test_volatility_over_particle_size_and_compliance(number: int, volatile: str) -> None:
    """The table of Kim 2022: volatile (y) or not (n) at compliance 1e-6, 1e-5 and 1e-4 A, looked at after a second at 0 V."""
    for compliance, expected in zip((1e-6, 1e-5, 1e-4), volatile, strict=True):
        cell = formed(f"device-{number}")
        sweep(cell, there_and_back(1.0, 0.01), compliance, 0.01)
        cell.advance(Drive(0.0), 1.0)
        assert ("y" if cell.state()["filament"] == 0.0 else "n") == expected, compliance


@pytest.mark.parametrize(
    ("name", "expected"),
    [("device-1", 4.5), ("device-2", 3.8), ("device-3", 3.2), ("device-4", 2.6), ("memory", 4.1)],
)
def test_a_pristine_cell_must_be_formed(name: str, expected: float) -> None:
    cell = pristine(name)
    assert cell.state()["formed"] == 0.0
    assert max(r.current for r in sweep(cell, there_and_back(1.0, 0.01), 1e-6, 0.01)) < 1e-8
    assert ramp_until_compliance(cell, 1e-6) == pytest.approx(expected, abs=0.5)
    assert cell.state()["formed"] == 1.0


def test_forming_does_not_run_backwards() -> None:
    cell = pristine("device-2")
    cell.advance(Drive(3.0, 1e-6), 0.5)
    advanced = cell.state()
    cell.advance(Drive(-3.0, 1e-6), 10.0)
    cell.advance(Drive(0.0), 1e4)
    assert cell.state() == advanced
    assert 1e-9 < advanced["gap"] < 200e-9


def test_too_few_ions_never_form() -> None:
    cell = cell_of(values_of("device-2", f_res=0.6))
    cell.advance(Drive(20.0, 1e-6), 1e5)
    assert cell.state()["gap"] == pytest.approx(80e-9, rel=0.01), "0.6 of 200 nm is bridged"
    assert cell.state()["formed"] == 0.0


def test_memory_sets_and_resets_and_keeps_both() -> None:
    cell = formed("memory")
    high = cell.current(0.7)
    set_at = there_and_back(2.5, 0.02)
    assert 0.7 < jump(set_at, sweep(cell, set_at, 1e-3, 0.02), 1) < 1.5
    low = cell.current(0.7)
    assert low == pytest.approx(1e-3, rel=0.3)
    cell.advance(Drive(0.0), 1e4)
    assert cell.current(0.7) == pytest.approx(low, rel=0.1)
    sweep(cell, there_and_back(-3.0, 0.02), math.inf, 0.02)
    cell.advance(Drive(0.0), 1e4)
    assert cell.current(0.7) == pytest.approx(high, rel=1e-3)


def test_a_negative_sweep_does_not_set_the_memory() -> None:
    cell = formed("memory")
    sweep(cell, there_and_back(-2.5, 0.02), 1e-3, 0.02)
    assert cell.state()["filament"] == 0.0


def test_both_polarities_where_both_electrodes_feed_ions() -> None:
    unswitched = formed("device-2").current(0.7)
    for bip, expected in ((1.0, 1e-6), (0.0, unswitched)):
        cell = cell_of(values_of("device-2", bip=bip))
        cell.set_formed()
        greatest = max(-r.current for r in sweep(cell, there_and_back(-0.7, 0.01), 1e-6, 0.01))
        assert greatest == pytest.approx(expected, rel=0.01)


# -- variability ------------------------------------------------------------------------------------------------------
def test_seeded_cells_vary_from_cycle_to_cycle_and_repeat() -> None:
    cell, twin = formed("device-2", 11), formed("device-2", 11)
    cycles = [thresholds(cell, 1e-6) for _ in range(12)]
    assert cycles == [thresholds(twin, 1e-6) for _ in range(12)]
    spread = float(np.std([v_th for v_th, _, _ in cycles]))
    assert 0.01 < spread < 0.1  # ecm-model.md 9: 0.044 V over 50 cycles


def test_cells_of_different_seeds_differ_and_unseeded_ones_do_not() -> None:
    gaps = {formed("device-2", seed).state()["gap"] for seed in range(5)}
    assert len(gaps) == 5
    nominal = formed("device-2")
    first = [thresholds(nominal, 1e-6) for _ in range(3)]
    assert max(first) == pytest.approx(min(first), rel=1e-6)
    assert nominal.state()["gap"] == pytest.approx(4e-9, rel=1e-6)


def test_a_failed_attempt_draws_a_new_site() -> None:
    cell = formed("device-2", 3)
    before = filament(cell).cycles.current()
    mean_site = filament(cell)._attempt
    assert mean_site == pytest.approx(0.5, abs=0.06), "this cell's, near the card's V_th"
    sweep(cell, [mean_site - 0.01, 0.0], 1e-6, 1e-9)
    assert filament(cell).cycles.current() == before, "no attempt"
    sweep(cell, [mean_site + 0.01, 0.1], 1e-6, 1e-9)
    assert filament(cell).cycles.current() == before, "not given up yet"
    cell.advance(Drive(0.0), 1e-6)
    assert filament(cell).cycles.current() != before


def test_slow_and_hard_sites_go_together() -> None:
    values = values_of("memory")
    cycles = plugins.module("sim_backends", "ecm", "variability").Cycles(values, np.random.default_rng(5))
    drawn = [cycles.next() for _ in range(200)]
    assert np.corrcoef([c.dg for c in drawn], [math.log(c.forward) for c in drawn])[0, 1] == pytest.approx(-1.0)
    assert min(c.dg for c in drawn) >= values["dg"] - 1.2 * values["s_dg"] - 1e-12, "weakest site"
    assert all(values["x_min"] < c.x0 for c in drawn)


def test_pulses_that_could_not_make_a_filament_draw_no_new_site() -> None:
    """Half-select pulses, too short for the ions to flow, and pulses of the wrong polarity; a slow sweep that fails does."""
    for seed in range(4):
        stack = formed("synapse", seed)
        memory = filament(stack, "memory")
        before = memory.cycles.current()
        for voltage in (1.25, -2.0):
            for _ in range(20):
                stack.advance(Drive(voltage, math.inf, 50.0), 2e-5)
                stack.advance(Drive(0.0), 0.1)
        assert memory.cycles.current() == before
