"""Ranges of the simulated Keithley 4200 under an output that is on, what ends a fixed one, and noise against resolution."""

import pytest
from sim_helpers import Resistor, Talker, sweeper

from labctl import plugins


def live(resistance: float = 1e3, **choices: object) -> Talker:
    """A talker with 1 V on the cell, at most 10 mA."""
    talker = Talker(Resistor(resistance), settings=choices)
    talker.say("US", "DV1,0,1,1e-2", "DV2,0,0,1e-2")
    assert talker.ask("TI1") == "NAI 1.0000E-03"
    return talker


# -- RI and RV: range and compliance at once (D 5-42, 5-43) -----------------------------------------------------------
def test_a_fixed_current_range_brings_its_compliance_to_a_live_output() -> None:
    talker = live()
    talker.say("RI 1, 1E-3, 2e-4")
    talker.clock.sleep(3.0)
    assert talker.ask("TI1") == "CAI 200.00E-06"
    assert talker.instrument.truth[-1].compliance == 2e-4
    talker.say("RI1,1e-4,5e-2")
    assert talker.ask("TI1") == "CAI 105.00E-06"  # no compliance beyond 105 % of a fixed range (RM 3-4)
    talker.say("RI1,1e-2,1e-2")
    assert talker.ask("TI1") == "NAI 1.0000E-03"


def test_a_fixed_voltage_range_brings_its_compliance_to_a_live_current_source() -> None:
    talker = Talker(Resistor(1e4))
    talker.say("US", "DI1,0,1e-4,20", "DV2,0,0,1e-2")
    assert talker.ask("TV1") == "NAV 1.0000E+00"
    talker.say("RV 1, 2, 0.4")
    assert talker.ask("TV1") == "CAV 400.00E-03"
    talker.say("RV 1, 0.2, 1")
    assert talker.ask("TV1") == "CAV 210.00E-03"  # the manual's own example of the cap (RM 3-4)


def test_a_range_of_the_other_quantity_leaves_the_compliance_alone() -> None:
    talker = live()
    talker.say("RV1,2,0.5")
    assert talker.ask("TI1") == "NAI 1.0000E-03"  # a voltage source has no voltage compliance
    talker.say("DI1,0,1e-3,2", "RI1,1e-3,2e-4")
    assert talker.ask("TV1") == "NAV 1.0000E+00"  # nor a current source one of current


def test_a_refused_range_changes_nothing() -> None:
    talker = live()
    assert talker.fails("RI1,1e-3,1e-5") == -991  # below 11 % of the range (RM 3-4)
    assert talker.fails("RI1,1e-3,0.2") == -993
    assert talker.fails("RV1,0.2,0.2") == -993  # 1 V does not fit
    assert talker.ask("TI1") == "NAI 1.0000E-03"


def test_with_the_output_off_only_the_range_is_kept() -> None:
    talker = Talker(Resistor(1e3))
    talker.say("US", "RI1,1e-2,2e-3", "DV1,0,5,1e-2", "DV2,0,0,1e-2")
    assert talker.ask("TI1") == "NAI 5.0000E-03"


def test_a_range_reaches_an_output_that_a_test_left_on() -> None:
    talker = sweeper("VL1,1,1e-2,1", "ST 1,0", "ST 2,0", device=Resistor(1e3))
    talker.run()
    talker.say("DE", "RI1,1e-3,2e-4")
    talker.clock.sleep(1.0)
    talker.say("US")
    assert talker.ask("TI1") == "CAI 200.00E-06"


# -- what ends a fixed range ------------------------------------------------------------------------------------------
def test_a_floor_ends_a_fixed_range_or_leaves_it_to_the_reset() -> None:
    for ends, limited in ((True, "NAI 1.0000E-03"), (False, "CAI 105.00E-06")):
        talker = live(range_floor_ends_fixed=ends)
        talker.say("RI1,1e-4,1e-2", "RG1,1e-9")
        assert talker.ask("TI1") == limited
        talker.say("DV1,0,1,1e-2")
        assert talker.ask("TI1") == limited
        talker.say("*RST", "US", "DV1,0,1,1e-2", "DV2,0,0,1e-2")
        assert talker.ask("TI1") == "NAI 1.0000E-03"


def test_a_later_autorange_test_stays_clamped_where_the_floor_does_not_end_the_range() -> None:
    talker = sweeper("VL1,1,1e-2,1", "RI1,1e-5,1e-5", device=Resistor(1e3), settings={"range_floor_ends_fixed": False})
    talker.run()
    talker.say("RG1,1e-9")
    talker.run()
    assert talker.numbers("I1") == pytest.approx([1.05e-5])
    assert talker.letters("I1") == "C"


# -- noise and resolution ---------------------------------------------------------------------------------------------
def test_averaging_resolves_more_than_one_step() -> None:
    talker = Talker(Resistor(1e10), seed=3)  # 1 V: 100 pA on the 1 nA range, whose step is 3 fA
    talker.say("US", "IT3", "RS 7", "DV1,0,1,1e-6", "DV2,0,0,1e-3")
    readings = [float(talker.ask("TI1")[3:]) for _ in range(60)]
    mean = sum(readings) / 60
    spread = (sum((one - mean) ** 2 for one in readings) / 60) ** 0.5
    assert len(set(readings)) >= 4
    assert spread == pytest.approx(3e-15 / (3 * 10**0.5), rel=0.3)  # one step, over filter factor 3 and 10 cycles


@pytest.mark.parametrize(("averaging", "step"), [(0.1, 1e-9), (1.0, 1e-9), (10.0, 1e-10)])
def test_the_step_of_a_reading_falls_with_the_noise(averaging: float, step: float) -> None:
    accuracy = plugins.module("sim_backends", "keithley4200", "accuracy")
    ideal = accuracy.Converter(accuracy.CURRENT, None, 1.0, 1.0, True)
    assert ideal.read(0.26 * step, 1e-3, averaging) == 0.0
    assert ideal.read(0.74 * step, 1e-3, averaging) == pytest.approx(step)
