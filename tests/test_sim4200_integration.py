"""A reading of the simulated Keithley 4200 is a mean over its integration time, not the state at one moment."""

import itertools

import pytest
from sim_helpers import Resistor, Talker, sampler, sweeper

from labctl.contracts import Drive, Response

CYCLE = 1 / 60  # s; the integration time at 1 PLC (D 5-40)


class Switch(Resistor):
    """A resistor that becomes another one after `at` seconds under voltage."""

    def __init__(self, before: float, after: float, at: float) -> None:
        super().__init__(before)
        self._after, self._left = after, at

    def advance(self, drive: Drive, duration: float) -> Response:
        if drive.voltage:
            self._left -= duration
        if self._left <= 0:
            self.resistance = self._after
        return super().advance(drive, duration)


def second_reading(switch_before_end: float, before: float, after: float, **choices: object) -> Talker:
    """Three readings at 0.5 V and 1 PLC, 1 s apart; the cell switches `switch_before_end` s before the second is done."""
    done = 0.0195 + 0.0671 + 0.00675 + 1.0  # the timing model's first reading, and an interval
    talker = sampler(
        "NR 3", "IN 1", device=Switch(before, after, done - switch_before_end), settings=choices, message_time=0.0
    )
    talker.say("IT4,0,0,1", "RI1,1e-3,1e-3", "SS", "VC1,0.5,1e-3")
    return talker


# -- the mean ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("parts", "share"), [(0, 1.0), (1, 0.5), (2, 0.25), (4, 0.375), (100, 0.395)])
def test_a_device_that_switches_meanwhile_reads_an_intermediate_value(parts: int, share: float) -> None:
    talker = second_reading(0.4 * CYCLE, 1e4, 1e3, integration_parts=parts)
    talker.run()
    low, high = 0.5 / 1e4, 0.5 / 1e3
    assert talker.numbers("I1") == pytest.approx([low, low + share * (high - low), high], rel=1e-3)
    assert talker.letters("I1") == "NNN"


@pytest.mark.parametrize("before_end", [-0.001, 1.001 * CYCLE])
def test_outside_the_integration_time_nothing_is_averaged(before_end: float) -> None:
    talker = second_reading(before_end, 1e4, 1e3)
    talker.run()
    assert talker.numbers("I1")[1] == pytest.approx(0.5 / 1e4 if before_end < 0 else 0.5 / 1e3)


def test_voltage_and_letter_of_a_cell_that_reaches_compliance_meanwhile() -> None:
    talker = second_reading(0.4 * CYCLE, 1e4, 1e2)
    talker.say("SM", "LI 'V1'")
    talker.run()
    volts = talker.numbers("V1")
    assert volts == pytest.approx([0.5, 0.5 - 0.375 * 0.4, 0.1], rel=1e-3)
    assert talker.letters("V1") == "NCC"
    assert talker.numbers("I1") == pytest.approx([5e-5, 5e-5 + 0.375 * 9.5e-4, 1e-3], rel=1e-3)


def test_user_mode_averages_too() -> None:
    wait = 0.0671 + 0.00675
    talker = Talker(Switch(1e4, 1e3, wait - 0.4 * CYCLE), message_time=0.0)
    talker.say("US", "IT4,0,0,1", "RI1,1e-3,1e-3", "DV2,0,0,1e-2", "DV1,0,0.5,1e-3")
    assert float(talker.ask("TI1")[3:]) == pytest.approx(5e-5 + 0.375 * 4.5e-4, rel=1e-3)
    assert float(talker.ask("TI1")[3:]) == pytest.approx(5e-4)


def test_the_integration_time_is_the_cycles_of_the_line() -> None:
    for line, setting, window in ((60.0, "IT1", 0.1 / 60), (50.0, "IT2", 1 / 50), (50.0, "IT4,0,2,3", 3 * 4 / 50)):
        talker = sweeper("VL1,1,1e-3,0.5", setting, settings={"line_frequency": line})
        talker.run()
        parts = [duration for _, duration in talker.device.dwells[-4:]]
        assert parts == pytest.approx([window / 4] * 4)


# -- autorange --------------------------------------------------------------------------------------------------------
def test_a_current_that_outgrows_its_range_is_measured_again_on_the_next() -> None:
    talker = second_reading(0.4 * CYCLE, 1e6, 1e3, range_change_time=0.02)
    talker.say("RG1,1e-9")
    talker.run()
    assert talker.numbers("I1") == pytest.approx([5e-7, 5e-4, 5e-4])
    times = talker.numbers("CH1T")
    assert times[1] - times[0] == pytest.approx(
        1.0 + CYCLE, abs=1e-4
    )  # three decades down for the first, up for the second


def test_a_current_that_falls_stays_on_its_range_for_this_reading() -> None:
    talker = second_reading(0.4 * CYCLE, 1e3, 1e6)
    talker.say("RG1,1e-9")
    talker.run()
    assert talker.numbers("I1") == pytest.approx([5e-4, 5e-4 - 0.375 * (5e-4 - 5e-7), 5e-7], rel=1e-3)


# -- the truth --------------------------------------------------------------------------------------------------------
def test_the_truth_has_one_entry_a_reading_with_what_the_meter_was_given() -> None:
    talker = second_reading(0.4 * CYCLE, 1e4, 1e3)
    talker.run()
    truth = [dwell for dwell in talker.instrument.truth if dwell.drive]
    assert [dwell.mean for dwell in truth] == pytest.approx(talker.numbers("I1"), rel=1e-4)
    assert [dwell.current for dwell in truth] == pytest.approx([5e-5, 5e-4, 5e-4])  # the device's own state, at the end
    whole = talker.instrument.truth
    assert all(b.start == pytest.approx(a.start + a.duration) for a, b in itertools.pairwise(whole))
    assert sum(dwell.duration for dwell in whole) == pytest.approx(
        sum(duration for _, duration in talker.device.dwells)
    )


def test_the_physics_does_not_depend_on_how_often_one_asks() -> None:
    readings = []
    for steps in (1, 977):
        talker = second_reading(0.4 * CYCLE, 1e4, 1e3)
        talker.say("MD", "ME1")
        for _ in range(steps):
            talker.clock.sleep(5.0 / steps)
            talker.ask("SP")
        readings.append((talker.ask("DO 'I1'"), [round(duration, 9) for _, duration in talker.device.dwells]))
    assert readings[0] == readings[1]


def test_a_reading_of_nothing_yet_asks_the_device_how_it_is() -> None:
    talker = Talker(Resistor(1e4))
    circuit = talker.instrument.frame.circuit
    talker.say("US", "DV1,0,1,1e-3", "DV2,0,0,1e-3")
    circuit.integrate(circuit.time + 0.5, 2)  # the drive has just changed: its answer is not known from before
    assert circuit.truth[-1].mean == circuit.truth[-1].current == 1e-4
    assert circuit.truth[-1].duration == 0.5
