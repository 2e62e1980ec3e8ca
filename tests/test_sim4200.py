"""The simulated Keithley 4200 in user mode: sources, the two ends of the cell, ranges, resolution and noise."""

import pytest
from sim_helpers import Resistor, Talker, sweeper


# -- user mode --------------------------------------------------------------------------------------------------------
def test_a_voltage_is_forced_and_both_ends_agree_on_the_current() -> None:
    talker = Talker(Resistor(1e4))
    talker.say("US", "DV1,0,0.5,1e-3", "DV2,0,0,1e-3")
    assert talker.ask("TI1") == "NAI 50.000E-06"
    assert talker.ask("TI2") == "NBI-50.000E-06"
    assert talker.ask("TV1") == "NAV 500.00E-03"


def test_the_bottom_terminal_counts_too() -> None:
    talker = Talker(Resistor(1e4))
    talker.say("US", "DV1,0,0.5,1e-3", "DV2,0,-0.5,1e-3")
    assert talker.ask("TI1") == "NAI 100.00E-06"
    assert talker.device.levels[-1] == pytest.approx(1.0)


@pytest.mark.parametrize(("limiting", "letters"), [(1, "CN"), (2, "NC")])
def test_the_channel_whose_compliance_limits_says_so_and_gives_way(limiting: int, letters: str) -> None:
    talker = Talker(Resistor(1e4))
    small = {1: "1e-3", 2: "1e-3"} | {limiting: "1e-5"}
    talker.say("US", f"DV1,0,1,{small[1]}", f"DV2,0,0,{small[2]}")
    assert talker.ask("TI1") == f"{letters[0]}AI 10.000E-06"
    assert talker.ask("TI2") == f"{letters[1]}BI-10.000E-06"
    volts = {1: float(talker.ask("TV1")[3:]), 2: float(talker.ask("TV2")[3:])}
    assert volts[1] - volts[2] == pytest.approx(0.1)
    assert volts[3 - limiting] == pytest.approx({1: 1.0, 2: 0.0}[3 - limiting])


def test_the_old_letters_tell_the_other_channel() -> None:
    talker = Talker(Resistor(1e4), settings={"letters": "LVXCTN"})
    talker.say("US", "DV1,0,1,1e-5", "DV2,0,0,1e-3")
    assert (talker.ask("TI1")[0], talker.ask("TI2")[0]) == ("C", "T")


def test_a_current_source_is_normal_until_its_voltage_compliance() -> None:
    talker = Talker(Resistor(1e4))
    talker.say("US", "DI1,0,1e-5,2", "DV2,0,0,1e-3")
    assert talker.ask("TV1") == "NAV 100.00E-03"
    talker.say("DI1,0,1e-3,2")
    assert talker.ask("TV1") == "CAV 2.0000E+00"
    assert talker.ask("TI1") == "CAI 200.00E-06"


def test_an_open_end_leaves_the_device_floating() -> None:
    talker = Talker(Resistor(1e4))
    talker.say("US", "DV1,0,2,1e-3")  # SMU2 is off
    assert talker.ask("TI1") == "NAI 0.0000E+00"
    assert talker.ask("TV1") == "NAV 2.0000E+00"
    talker.say("DI1,0,1e-3,1.5")
    assert talker.ask("TV1") == "CAV 1.5000E+00"
    assert set(talker.device.levels) == {0.0}


def test_ground_is_an_end() -> None:
    talker = Talker(Resistor(1e4), wiring={"top": 2, "bottom": None})
    talker.say("US", "DV2,0,-1,1e-2")
    assert talker.ask("TI2") == "NBI-100.00E-06"


def test_bare_dv_switches_off_and_time_passes_at_what_was_applied() -> None:
    talker = Talker(Resistor(1e4))
    talker.say("US", "DV1,0,1,1e-3", "DV2,0,0,1e-3")
    talker.clock.sleep(7.0)
    talker.say("DV1")
    talker.clock.sleep(3.0)
    talker.say("DV1,0,1,1e-3")
    by_level: dict[float, float] = {}
    for drive, duration in talker.device.dwells:
        by_level[drive.voltage] = by_level.get(drive.voltage, 0.0) + duration
    assert by_level[1.0] == pytest.approx(7.0, abs=0.01)
    assert by_level[0.0] == pytest.approx(3.0, abs=0.05)


def test_the_physics_does_not_depend_on_how_often_one_asks() -> None:
    busy, calm = (sweeper("VL1,1,1e-3,0,0.5,0.2", message_time=0.0) for _ in range(2))
    for talker, steps in ((busy, 400), (calm, 1)):
        talker.say("MD", "ME1")
        for _ in range(steps):
            talker.clock.sleep(2.0 / steps)
            talker.ask("SP")
    assert [d for d, _ in busy.device.dwells] == [d for d, _ in calm.device.dwells]
    assert [t for _, t in busy.device.dwells] == pytest.approx([t for _, t in calm.device.dwells])


def test_measuring_costs_the_documented_time() -> None:
    talker = Talker(Resistor(1e4), message_time=0.0)
    talker.say("US", "IT4,0,0,1", "RI1,1e-4,1e-4", "DV1,0,0.5,1e-4", "DV2,0,0,1e-3")
    before = talker.clock.now()
    talker.ask("TI1")
    assert talker.clock.now() - before == pytest.approx(0.0671 + 0.00675)


def test_a_slower_line_and_a_calibration_take_their_time() -> None:
    talker = Talker(message_time=0.0, settings={"line_frequency": 50.0, "calibration_time": 12.0})
    talker.say("US", "IT4,0,0,10")
    talker.ask("TV1")
    assert talker.clock.now() == pytest.approx(0.0671 * 10 * 60 / 50 + 0.00675)
    before = talker.clock.now()
    talker.say("AC1")
    assert talker.clock.now() - before == pytest.approx(12.0)


# -- ranges, resolution, noise ----------------------------------------------------------------------------------------
def test_a_fixed_range_caps_the_compliance_at_105_percent() -> None:
    talker = Talker(Resistor(1e3))
    talker.say("US", "RI1,1e-5,1e-5", "DV1,0,1,5e-5", "DV2,0,0,1e-2")
    assert talker.ask("TI1") == "CAI 10.500E-06"
    talker.say("RG1,1e-9")  # autorange again, and at once the compliance that was asked for
    assert talker.ask("TI1") == "CAI 50.000E-06"


def test_a_compliance_below_11_percent_of_a_fixed_range_is_refused_or_raised() -> None:
    talker = Talker(Resistor(1e3))
    talker.say("US")
    assert talker.fails("RI1,1e-4,1e-5") == -991
    talker.say("DV1,0,1,1e-5", "RI1,1e-4,1e-4")  # the refused range is not in force, the next one is
    assert talker.fails("DV1,0,1,1e-5") == -991
    raising = Talker(Resistor(1e3), settings={"small_compliance": "raise"})
    raising.say("US", "RI1,1e-4,1e-4", "DV1,0,1,1e-5", "DV2,0,0,1e-2")
    assert raising.ask("TI1") == "CAI 11.000E-06"


@pytest.mark.parametrize(("options", "lowest"), [("SMUPA1,SMUPA2", "100.00E-12"), ("SMU1,SMU2", "100.00E-09")])
def test_a_compliance_below_the_minimum_is_raised(options: str, lowest: str) -> None:
    talker = Talker(Resistor(1e3), settings={"options": options})
    talker.say("US", "RG1,1e-12" if "PA" in options else "RG1,1e-7", "DV1,0,1,1e-13", "DV2,0,0,1e-2")
    assert talker.ask("TI1") == f"CAI {lowest}"


def test_autorange_resolves_small_currents_down_to_its_floor() -> None:
    talker = Talker(Resistor(3e10))  # 1 V: 33.333 pA
    talker.say("US", "IT1", "RS 7", "DV1,0,1,1e-6", "DV2,0,0,1e-3")
    assert talker.ask("TI1") == "NAI 33.33300E-12"  # floor 1 nA: steps of 3 fA
    talker.say("RG1,1e-10")
    assert talker.ask("TI1") == "NAI 33.33300E-12"  # 100 pA: steps of 1 fA
    talker.say("RG1,1e-6")
    assert talker.ask("TI1") == "NAI 33.00000E-12"  # 1 uA: steps of 1 pA


def test_quantisation_can_be_switched_off() -> None:
    talker = Talker(Resistor(3e10), settings={"quantisation": False})
    talker.say("US", "RS 7", "RG1,1e-6", "DV1,0,1,1e-6", "DV2,0,0,1e-3")
    assert talker.ask("TI1") == "NAI 33.33333E-12"


def test_source_levels_have_the_resolution_of_their_range() -> None:
    talker = Talker(Resistor(1e4), settings={"options": "SMU1,SMU2"})  # without preamplifier: 20 V range, 500 uV
    talker.say("US", "DV1,0,0.0007,1e-3", "DV2,0,0,1e-3", "DV1")
    assert 0.0005 in [round(level, 9) for level in talker.device.levels]


def test_range_moves_take_time() -> None:
    talker = Talker(Resistor(1e9), message_time=0.0, settings={"range_change_time": 0.5})
    talker.say("US", "IT4,0,0,0.01", "DV1,0,1,1e-6", "DV2,0,0,1e-3")
    start = talker.clock.now()
    talker.ask("TI1")  # from 100 uA to 1 nA: five decades
    first = talker.clock.now() - start
    talker.ask("TI1")
    assert first - (talker.clock.now() - start - first) == pytest.approx(2.5)


def test_noise_and_errors_come_from_the_seed_and_average_out() -> None:
    def read(seed: int | None, integration: str, count: int = 30, **choices: float) -> list[float]:
        talker = Talker(Resistor(1e6), seed=seed, settings=choices)
        talker.say("US", integration, "RS 7", "RG1,1e-6", "DV1,0,0.5,1e-3", "DV2,0,0,1e-3")
        return [float(talker.ask("TI1")[3:]) for _ in range(count)]

    def spread(values: list[float]) -> float:
        mean = sum(values) / len(values)
        return (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5

    assert read(1, "IT1") == read(1, "IT1")
    assert read(1, "IT1") != read(2, "IT1")
    assert set(read(None, "IT1")) == {5e-7}
    assert spread(read(1, "IT1")) > 4 * spread(read(1, "IT3"))
    assert len(set(read(1, "IT1", noise=0.0))) == 1
    assert abs(sum(read(5, "IT3", offset=0.0)) / 30 - 5e-7) < 2e-12 < abs(sum(read(5, "IT3")) / 30 - 5e-7)


def test_series_resistance_is_in_the_circuit() -> None:
    talker = Talker(Resistor(1e3), settings={"series_resistance": 1e3})
    talker.say("US", "DV1,0,1,1e-2", "DV2,0,0,1e-2")
    assert talker.ask("TI1") == "NAI 500.00E-06"


@pytest.mark.parametrize(
    "message",
    [
        "DV1,0,211,1e-3", "DV1,0,30,0.1", "DV1,0,1,0.2", "DV1,1,30,1e-3", "DV1,4,1,1e-3", "DI1,10,0.5,1", "DI1,3,1e-6,1",
        "DI1,0,0.05,100", "RI1,0.5,0.1", "RI1,1e-3,0.2", "RI1,1e-3,1.2", "RV1,2,300", "DV1,0,1", "DV1,0,1,nonsense",
    ],
)  # fmt: skip
def test_levels_out_of_range_are_argument_errors(message: str) -> None:
    talker = Talker()
    talker.say("US")
    assert talker.fails(message) == -993
    assert talker.ask("TV1") == "NAV 0.0000E+00"  # nothing was applied


def test_ranges_that_need_a_preamplifier_or_a_big_smu_are_told_apart() -> None:
    plain = Talker(settings={"options": "SMU1,HPSMU2"})
    plain.say("US")
    assert plain.fails("DV1,5,1,1e-3") == -993
    assert plain.fails("DI1,1,1e-10,1") == -993
    assert plain.fails("DI1,0,0.5,1") == -993
    plain.say("DI2,10,0.5,1", "DI2")
