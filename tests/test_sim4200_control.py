"""Control of the tests a simulated Keithley 4200 runs: start, abort, busy, append, standby, files, channel mapping."""

import math

import pytest
from sim_helpers import Resistor, Talker, sampler, sweeper

from labctl.contracts import Response


class Rectifier(Resistor):
    """Conducts only one way."""

    def advance(self, drive, duration):  # type: ignore[no-untyped-def]
        response = super().advance(drive, duration)
        return response if response.current > 0 else Response(0.0, drive.voltage)


# -- control ----------------------------------------------------------------------------------------------------------
def test_start_up_definitions_are_live() -> None:
    talker = Talker(settings={"options": "SMUPA1,SMUPA2,SMUPA3,SMUPA4"}, wiring={"top": 3, "bottom": 1})
    talker.say("MD", "ME1")
    talker.clock.sleep(1e4)
    assert talker.ask("SP") == "1"
    assert max(talker.device.levels) == pytest.approx(1.0)  # VAR1 of SMU3 went to 1 V without anybody's wish
    assert len(talker.device.levels) >= 505


def test_channels_nobody_switched_off_take_part() -> None:
    talker = Talker()
    talker.say("DE", "CH1,'V1','I1',1,1", "SS", "VL1,1,1e-3,1")  # SMU2 is still "I VAR2"
    talker.run()
    assert len(talker.numbers("V1")) == 5


def test_abort_stops_the_stimulus_where_it_is() -> None:
    talker = sweeper("VR1,0,5,0.01,0.01", "DT 0.1", message_time=0.0)
    talker.say("MD", "ME1")
    talker.clock.sleep(10.0)
    assert talker.ask("SP") == "16"
    talker.say("ME4")
    assert talker.ask("SP") == "0"
    reached = max(talker.device.levels)
    assert 0 < reached < 1.2
    duration = sum(d for _, d in talker.device.dwells)
    assert duration == pytest.approx(talker.clock.now())  # the last, unfinished point counts up to the abort
    talker.clock.sleep(100.0)
    assert talker.ask("SP") == "0"
    talker.say("US", "DV1,0,0,1e-3")
    assert max(talker.device.levels) == reached
    assert talker.device.levels[-1] == 0.0
    assert len(talker.numbers("V1")) > 50  # what was measured is kept


def test_abort_may_discard() -> None:
    talker = sweeper("VR1,0,5,0.01,0.01", "DT 1", settings={"abort_discards": True})
    talker.say("MD", "ME1")
    talker.clock.sleep(10.0)
    talker.say("ME4")
    assert talker.fails("DO 'V1'") == -993


@pytest.mark.parametrize(
    "message", ["MD", "DE", "BC", "*RST", "DV1,0,1,1e-3", "ME1", "IT1", "DO 'I1'", "CH1", "EM 1,0", "*OPT?"]
)
def test_busy_refuses_all_but_polling_and_abort(message: str) -> None:
    talker = sweeper("VR1,0,1,0.01,0.01")
    talker.say("MD", "ME1")
    for allowed in ("RD 'I1',1", "ID", "*IDN?", ":ERROR:LAST:GET"):
        talker.ask(allowed)
    assert talker.error() == ""
    assert talker.fails(message) == -980
    assert talker.ask("SP") == "16"
    talker.say("ME4")


def test_repeat_runs_until_aborted_and_append_keeps_what_was_there() -> None:
    talker = sweeper("VL1,1,1e-3,1,2")
    talker.run()
    talker.say("ME3")
    talker.clock.sleep(10)
    assert talker.numbers("V1") == [1.0, 2.0, 1.0, 2.0]
    talker.say("ME2")
    talker.clock.sleep(100)
    assert talker.ask("SP") == "16"
    talker.say("ME4")
    assert len(talker.numbers("V1")) <= 2
    assert len(talker.device.levels) > 100


def test_standby_decides_what_stays_on() -> None:
    talker = sweeper("VL1,1,1e-3,0.5", "ST 1,0", "ST 2,0")
    talker.run()
    talker.clock.sleep(5)
    talker.say("US", "DV2,0,0,1e-3")
    assert talker.device.levels[-1] == 0.5
    off = sweeper("VL1,1,1e-3,0.5")
    off.run()
    off.clock.sleep(5)
    off.say("US", "DV2,0,0,1e-3")
    assert off.device.levels[-1] == 0.0


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["DE", "CH1", "CH2"], -991),
        (["DE", "CH2", "CH1,'V1','I1',2,1"], -991),
        (["DE", "CH2,'V2','I2',1,2"], -991),
        (["DE", "CH2,'V2','I2',2,3"], -991),
        (["DE", "CH2,'V1','I2',1,3"], -991),
        (["SS", "VR1,0,1,0.1,0.5"], -993),
        (["SS", "VP 0,1,32,1e-3", "VR1,0,1,0.001,1e-3", "DE", "CH2,'V2','I2',1,2"], -991),
        (["RI1,0.1,0.1"], -991),
    ],
)
def test_setups_that_cannot_run(lines: list[str], code: int) -> None:
    talker = sweeper("VL1,1,1e-3,0.5")
    talker.say(*lines, "MD")
    assert talker.fails("ME1") == code
    assert talker.ask("SP") == "0"
    talker.ask("ME4")
    assert not talker.device.levels or set(talker.device.levels) == {0.0}


def test_append_beyond_the_buffer_is_refused() -> None:
    talker = sampler("NR 4096", "IN 0.01")
    talker.run(1e4)
    assert len(talker.numbers("I1")) == 4096
    assert talker.fails("ME3") == -991


def test_4145_emulation_has_1024_points() -> None:
    talker = sampler("NR 1025", "EM 0,0", "MD")
    assert talker.fails("ME1") == -991


def test_programs_are_saved_and_loaded() -> None:
    talker = sweeper("VL1,1,1e-3,0.5,0.6")
    talker.say("SV 'P iv memo'", "*RST", "MD")
    assert talker.fails("ME1") == -991
    talker.say("GT 'P iv'")
    talker.run()
    assert talker.numbers("V1") == pytest.approx([0.5, 0.6])


def test_two_channels_on_one_smu_cannot_run() -> None:
    talker = sweeper("VL1,1,1e-3,0.5", "MP 1,SMU2", "MD")
    assert talker.fails("ME1") == -991


def test_a_remapped_channel_drives_the_other_smu() -> None:
    talker = Talker(Rectifier(1e4))
    talker.say("US", "MP 1,SMU2", "MP 2,SMU1", "DV1,0,-1,1e-3", "DV2,0,0,1e-3")
    assert float(talker.ask("TI2")[3:]) == pytest.approx(1e-4)
    assert float(talker.ask("TI1")[3:]) == pytest.approx(-1e-4)


def test_unmapped_voltmeters_read_the_sentinel() -> None:
    talker = sweeper("VL1,1,1e-3,0.5", "DE", "VM1,'VM1'")
    talker.run()
    assert talker.numbers("VM1") == [9e37]
    assert talker.ask("DO 'VM1'") == "N 9.000e+37"  # as D 5-8 prints it
    assert talker.ask("US;TV5") == "NEV 9.000e+37"
    other = Talker(settings={"unmapped": "engineering"})
    assert other.ask("US;TV5") == "NEV 90.000E+36"


def test_source_ranges_set_the_resolution_of_current_levels() -> None:
    for choice, expected in (("0", 1.23e-6), ("2", 1.2e-6), ("1e-4", 0.0)):
        talker = Talker(settings={"options": "SMU1,SMU2"})
        talker.say(
            "*RST", "DE", "CH1,'V1','I1',2,1", "CH2,'V2','I2',3,3", "SS", "IL1,1,20,1.23e-6,9e-4", f"SR1,{choice}"
        )
        talker.say("SM", "LI 'I2'")
        talker.run()
        steps = {"0": 5e-10, "2": 5e-8, "1e-4": 5e-9}[choice]
        first = -talker.numbers("I2")[0]
        assert first == pytest.approx(steps * round(1.23e-6 / steps), rel=1e-4), (choice, expected)


def test_a_device_error_is_not_swallowed() -> None:
    class Broken(Resistor):
        def advance(self, drive, duration):  # type: ignore[no-untyped-def]
            raise ArithmeticError("diverged")

    talker = Talker(Broken())
    with pytest.raises(ArithmeticError, match="diverged"):
        talker.ask("US;TI1")


def test_ten_thousand_seconds_take_no_time() -> None:
    talker = sampler("NR 1000", "IN 10")
    talker.run(1.1e4)
    assert talker.numbers("CH1T")[-1] == pytest.approx(9990, rel=1e-3)
    assert math.isclose(talker.numbers("I1")[-1], 5e-5, rel_tol=1e-3)
