"""The resistor: Ohm's law through series resistance and compliance, exactly."""

from __future__ import annotations

import math

import pytest

from labctl import cards, plugins
from labctl.contracts import Card, CardField, Drive, Response
from labctl.errors import UsageError


def test_ohms_law_of_both_signs() -> None:
    cell = cards.build("ohmic", None)
    assert cell.advance(Drive(2.0), 1.0) == Response(2e-6, 2.0)
    assert cell.advance(Drive(-2.0), 1.0) == Response(-2e-6, -2.0)
    assert cell.current(0.5) == 5e-7
    assert cell.state() == {"resistance": 1e6}


def test_series_resistance_shares_the_voltage() -> None:
    found = cards.build("short", None).advance(Drive(1.0, resistance=49.0), 0.0)
    assert found == Response(0.02, 1.0)


def test_compliance_holds_the_current_and_drops_the_voltage() -> None:
    found = cards.build("short", None).advance(Drive(-1.0, 1e-3, 9.0), 1.0)
    assert found.in_compliance
    assert found.current == -1e-3
    assert found.voltage == pytest.approx(-1e-2, rel=1e-12)


def test_exactly_at_the_compliance_the_source_still_keeps_its_voltage() -> None:
    assert cards.build("short", None).advance(Drive(1.0, 1.0), 1.0) == Response(1.0, 1.0)


def test_open_circuit_draws_next_to_nothing() -> None:
    assert cards.build("open", 1).advance(Drive(200.0), 1.0).current == pytest.approx(2e-13)


@pytest.mark.parametrize("resistance", [0.0, -1.0, math.inf, math.nan])
def test_a_resistance_that_is_none_is_refused(resistance: float) -> None:
    model = plugins.module("sim_backends", "ohmic").Ohmic
    card = Card("x", "ohmic", "", {"resistance": CardField(resistance, "ohm", "", "")})
    with pytest.raises(UsageError, match="ohm"):
        model.from_card(card, None)


def test_a_card_in_another_unit_is_refused() -> None:
    model = plugins.module("sim_backends", "ohmic").Ohmic
    with pytest.raises(UsageError, match="must be in 'ohm'"):
        model.from_card(Card("x", "ohmic", "", {"resistance": CardField(1.0, "kohm", "", "")}), None)
