"""The pulse card at its worst: what a cell may get that is open, short or not there, and an instrument that won't stop."""

from dataclasses import replace

import numpy as np
import pytest
from pulse_bench import connect
from test_keithley4225 import PULSE, SMU_SWEEP, TRAIN, measuring

from labctl.errors import InstrumentError, LimitError
from labctl.quantities import Limit, Limits


def limited(quantity: str, value: float, unit: str) -> Limits:
    return Limits((Limit(quantity, value, unit, "sample W12"),))


def test_an_open_cell_gets_what_a_load_is_corrected_for() -> None:
    _, pulses = connect(card := measuring(), load="50 ohm")
    pulses.limits &= limited("voltage", 1.5, "V")
    with pytest.raises(LimitError, match=r"2 V exceeds the voltage limit 1.5 V of sample W12"):
        pulses.play(PULSE)
    assert card.sent == []


def test_an_rpm_corrects_its_resistance_away_and_a_short_gets_more() -> None:
    _, pulses = connect(card := measuring())
    pulses.limits &= limited("current", 0.05, "A")
    with pytest.raises(LimitError, match="bypasses the RPM"):
        pulses.play(replace(PULSE, current_range=1e-2))
    assert card.sent == []
    pulses.check(replace(PULSE, current_range=0.2))  # 1 V over 50 ohm: 20 mA
    pulses.check(replace(PULSE, current_range=1e-2, series=1e3))


def test_without_rpms_the_cables_decide_and_the_other_kind_of_test_is_refused() -> None:
    meter, pulses = connect(card := measuring(options="SMU1,SMU2,PMU1"))
    with pytest.raises(LimitError, match=r"no RPM.*cables: pulse"):
        pulses.train(TRAIN)
    meter.check(SMU_SWEEP)
    meter, pulses = connect(card := measuring(options="SMU1,SMU2,PMU1"), cables="pulse")
    with pytest.raises(LimitError, match=r"no RPM.*cables: smu"):
        meter.check(SMU_SWEEP)
    pulses.check(TRAIN)
    assert card.sent == []


def test_a_card_that_never_stops_does_not_keep_the_outputs_from_being_told() -> None:
    meter, _ = connect(card := measuring())
    card.sent.clear()
    card.replies[":PMU:TEST:STATUS?"] = "1"
    with pytest.raises(InstrumentError, match="does not stop"):
        meter.make_safe()
    assert {":PMU:OUTPUT:STATE 1, 0", ":PMU:OUTPUT:STATE 2, 0"} <= set(card.sent)
    assert any(message.startswith("US;DV1") for message in card.sent)


def test_what_was_measured_is_kept_when_the_outputs_refuse_to_go_off() -> None:
    _, pulses = connect(card := measuring())
    blocks, caught = [], None
    card.refused = {":PMU:OUTPUT:STATE 1, 0": -968}
    try:
        blocks.extend(pulses.play(PULSE))
    except InstrumentError as error:
        caught = error
    assert caught is not None
    assert sum(len(block) for block in blocks) >= 1


def test_a_base_and_a_segment_of_more_than_a_second_are_refused_before_anything_is_sent() -> None:
    _, pulses = connect(card := measuring())
    with pytest.raises(LimitError, match="base = 500 mV"):
        pulses.train(replace(TRAIN, base=0.5))
    with pytest.raises(LimitError, match="longest"):
        pulses.train(replace(TRAIN, amplitudes=np.array([2.0, 1.0, 1.5]), period=5.0))
    assert card.sent == []


def test_a_stopped_test_is_never_noted_as_done() -> None:
    notes: list[str] = []

    class Recorder:
        def stimulus(self, kind: str, details: object) -> int:
            return 1

        def outcome(self, note: int, outcome: str, details: object = None) -> None:
            notes.append(outcome)

        def event(self, kind: str, details: object) -> None:
            raise AssertionError(kind)

    card = measuring(busy=1000)
    _, pulses = connect(card)
    pulses.recorder = Recorder()
    waits = iter([False] * 5)
    pulses.should_stop = lambda: next(waits, True)
    list(pulses.play(PULSE))
    assert notes == ["aborted"]
