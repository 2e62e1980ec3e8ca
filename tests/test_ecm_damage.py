"""What breaks an ECM cell for good, and that limits protect it (ecm-model.md 7)."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from ecm_cells import EcmCell, cell_of, formed, pristine, read, sweep, there_and_back, thresholds, values_of

from labctl.contracts import Drive
from labctl.errors import UsageError

SOUND, SHORT, OPEN = 0.0, 1.0, 2.0


def test_a_compliance_protects_the_sample_while_it_forms() -> None:
    """The same 5 V, with 0.1 mA and without a limit."""
    protected, lost = pristine("device-2"), pristine("device-2")
    protected.advance(Drive(5.0, 1e-4), 1.0)
    lost.advance(Drive(5.0), 1.0)
    assert (protected.state()["broken"], lost.state()["broken"]) == (SOUND, OPEN)
    assert thresholds(protected, 1e-6)[0] == pytest.approx(0.5, abs=0.05)
    assert max(r.current for r in sweep(lost, there_and_back(2.0, 0.02), 1e-3, 0.02)) < 1e-7


def test_a_voltage_limit_protects_the_oxide() -> None:
    """With too little silver to form: a sweep to 20 V leaves the cell whole, one to 60 V breaks it down."""
    values = values_of("device-2", f_res=0.1, j_burn=math.inf, g_l=1e-15)
    for top, broken in ((20.0, SOUND), (60.0, SHORT)):
        cell = cell_of(values)
        sweep(cell, [top * k / 60 for k in range(61)], 1e-3, 0.1)
        assert cell.state()["broken"] == broken
    assert cell.current(0.1) == pytest.approx(0.1 / (500.0 + 200.0 + 5000.0 / values["r_res"] ** 2), rel=1e-6)


def test_the_time_to_breakdown_falls_exponentially_with_the_voltage() -> None:
    values = values_of("device-2", f_res=0.1, j_burn=math.inf, g_l=1e-15, r_s=0.0, rho_k=0.0)
    for volts, expected in ((40.0, 1.0), (44.0, math.exp(-2.0)), (30.0, math.exp(5.0))):
        before, after = cell_of(values), cell_of(values)
        before.advance(Drive(volts), 0.99 * expected)
        after.advance(Drive(volts), 1.01 * expected)
        assert (before.state()["broken"], after.state()["broken"]) == (SOUND, SHORT)


@pytest.mark.parametrize("parts", [1, 7])
def test_the_time_to_burn_out_falls_with_a_power_of_the_current(parts: int) -> None:
    """A thick filament without growth, held at a current: t_burn at j_burn, 2^12 times less at twice as much."""
    values = values_of("device-4", lam=0.0, v0=1e-6, x_min=0.5)
    area = math.pi * values["r_n"] ** 2
    for share, expected in ((1.0, 1e-3), (2.0, 1e-3 / 2**12)):
        for factor, broken in ((0.98, SOUND), (1.02, OPEN)):
            cell = cell_of(values)
            cell.set_formed()
            cell._filaments[""].state[0] = 0.5
            limit = share * values["j_burn"] * area
            for _ in range(parts):
                found = cell.advance(Drive(30.0, limit), factor * expected / parts)
            assert cell.state()["broken"] == broken
            assert found.in_compliance == (broken == SOUND)


def test_broken_is_for_good() -> None:
    lost = formed("device-2")
    lost.advance(Drive(6.0), 1.0)
    for drive in (Drive(0.0), Drive(-6.0, 1e-4), Drive(6.0, 1e-4)):
        lost.advance(drive, 1e3)
        lost.prepare("formed")
        assert lost.state()["broken"] == OPEN


def test_each_cell_of_a_stack_breaks_by_itself() -> None:
    """Twenty volts without a limit: the selector's thin filament burns, the memory's stays."""
    stack = formed("synapse")
    stack.advance(Drive(2.5, 1e-4), 1.0)
    assert (stack.state()["selector.broken"], stack.state()["memory.broken"]) == (SOUND, SOUND)
    stack.advance(Drive(20.0), 1.0)
    assert (stack.state()["selector.broken"], stack.state()["memory.broken"]) == (OPEN, SOUND)
    assert abs(stack.advance(Drive(2.5), 1.0).current) < 1e-7


@pytest.mark.parametrize("seed", [0, 15])
def test_resets_without_a_compliance_spare_the_synapse(seed: int) -> None:
    """The protocol of Kim 2022; these two have late resets, at three times the usual current, among their first cycles."""
    stack = formed("synapse", seed)
    for _ in range(34):
        sweep(stack, there_and_back(2.5, 0.02), 1e-5, 0.02)
        sweep(stack, there_and_back(-3.0, 0.02), math.inf, 0.02)
    assert (stack.state()["selector.broken"], stack.state()["memory.broken"]) == (SOUND, SOUND)


def test_a_damaged_cell_is_a_short_and_a_leaky_one_hides_its_off_state() -> None:
    damaged, leaky, sound = pristine("damaged"), pristine("leaky"), pristine("device-2")
    assert damaged.current(0.1) > 5e-5
    assert leaky.current(0.1) == pytest.approx(1e-7, rel=0.01)
    assert sound.current(0.1) < 1e-10
    for cell in (damaged, leaky):
        cell.prepare("formed")
    currents = [r.current for r in sweep(damaged, there_and_back(0.3, 0.01), 1e-3, 0.01)]
    assert currents == pytest.approx([k * currents[1] for k in [*range(31), *range(29, -1, -1)]], rel=1e-6), "ohmic"
    assert thresholds(leaky, 1e-4)[2] > 5e-5
    assert leaky.current(0.3) > 100 * 1e-10


def test_a_card_without_damage_never_breaks() -> None:
    card = read("device-2")
    some = {key: field for key, field in card.fields.items() if key not in ("v_bd", "j_burn")}
    with pytest.raises(UsageError, match="damage needs v_bd, j_burn too"):
        EcmCell.from_card(replace(card, fields=some), None)
    none = {
        k: f
        for k, f in card.fields.items()
        if k not in ("v_bd", "dv_bd", "r_bd", "j_burn", "m_burn", "t_burn", "broken")
    }
    cell = EcmCell.from_card(replace(card, fields=none), None)
    cell.advance(Drive(1000.0), 1e5)
    assert cell.state()["broken"] == SOUND


@pytest.mark.parametrize(("field", "value"), [("v_bd", 0.0), ("j_burn", -1.0), ("broken", 0.5)])
def test_impossible_damage_is_refused(field: str, value: float) -> None:
    card = read("device-2")
    fields = {**card.fields, field: replace(card.fields[field], value=value)}
    with pytest.raises(UsageError, match=field):
        EcmCell.from_card(replace(card, fields=fields), None)
