"""Whole sequences of other clients on the simulated Keithley 4200, in raw bytes; and which outputs they leave on."""

import pytest
from sim_helpers import Resistor, Talker, sweeper

#: the vendor's linear sweep (Tek), every channel cleared first (D 5-5), line by line; every SMU a 4200 may have is switched off
EXAMPLE = """
:ERROR:LAST:CLEAR | BC | *RST | EM 1,0
DE | CH1 | CH2 | CH3 | CH4
CH1, 'V1', 'I1', 1, 3
CH2, 'V2', 'I2', 1, 1
SS | VR1, 1, 5, 0.1, 0.01 | VC1, 0, 100e-3 | HT 0 | DT 0.2 | ST 1, 1 | ST 2, 1 | IT1
SM DM2 | LI 'I1', 'I2','V1','V2'
"""
MESSAGES = [message.strip() for line in EXAMPLE.strip().splitlines() for message in line.split(" | ")]


def raw(talker: Talker, message: str) -> bytes:
    return talker.instrument.feed(message.encode("ascii") + b"\0")


def test_the_worked_example_runs_clean_on_two_smus() -> None:
    talker = Talker(Resistor(1e4))
    for message in MESSAGES:
        assert raw(talker, message) == b"ACK\0", message
        assert raw(talker, ":ERROR:LAST:GET") == b"\0", message
    assert raw(talker, "MD") == raw(talker, "ME1") == b"ACK\0"
    polls = [raw(talker, "SP")]
    while polls[-1] == b"16\0":
        talker.clock.sleep(0.1)
        polls.append(raw(talker, "SP"))
    assert [*polls[-2:], raw(talker, "SP")] == [b"16\0", b"1\0", b"0\0"]
    assert len(polls) > 80  # 41 points of at least 0.2 s
    whole = raw(talker, "DO 'I2'")
    assert whole.startswith(b"N 100.00E-06,N 110.00E-06,")
    assert whole.endswith(b",N 500.00E-06\0")
    assert whole.count(b",") == 40
    one_by_one = []
    while (reading := raw(talker, f"RD 'I2', {len(one_by_one) + 1}")) != b"0\0":
        one_by_one.append(reading[:-1])
    assert b",".join(b"N " + reading for reading in one_by_one) + b"\0" == whole
    assert [raw(talker, message) for message in ("DE", "CH1", "CH2")] == [b"ACK\0"] * 3
    assert raw(talker, ":ERROR:LAST:GET") == b"\0"
    assert talker.instrument.outputs == ()


@pytest.mark.parametrize("options", ["SMUPA1,SMUPA2", "SMUPA1,SMUPA2,VS1,VM1"])
def test_switching_off_what_is_not_there_is_harmless(options: str) -> None:
    talker = Talker(settings={"options": options})
    talker.say("DE CH1 CH2 CH3 CH4 VM1 VM2 VS1 VS2", "DE;CH9;VS9;VM9", "SS;SC9", "US;DS1;DS9", "US;DV1;DI2")
    assert talker.ask("SP") == "0"
    talker.say("DE")
    assert talker.fails("CH3,'V3','I3',1,1") == -979  # to define it is another matter
    assert talker.fails("DE;VS1,'S',1") == -988
    assert talker.fails("US;DS1,0") == -988


def test_a_channel_mapped_away_can_be_switched_off() -> None:
    talker = Talker()
    talker.say("DE", "MP 2,VS1", "CH2")
    assert talker.fails("CH2,'V2','I2',1,3") == -988


# -- outputs ----------------------------------------------------------------------------------------------------------
def energised(**choices: object) -> Talker:
    """A talker with 1 V from SMU3 to ground on the cell; SMU1 and SMU2 are free."""
    talker = Talker(
        Resistor(1e4), wiring={"top": 3, "bottom": None}, settings={"options": "SMUPA1,SMUPA2,SMUPA3", **choices}
    )
    talker.say("US", "DV3,0,1,1e-3")
    return talker


def stressed(talker: Talker, seconds: float = 5.0) -> float:
    """The voltage the cell is under during the next seconds."""
    talker.clock.sleep(seconds)
    talker.ask("US;TI3")
    return talker.instrument.truth[-1].drive


def test_reset_switches_every_output_off_at_once() -> None:
    talker = energised()
    talker.say("DV1,0,2,1e-3")
    assert talker.instrument.outputs == (1, 3)
    talker.say("*RST")
    assert talker.instrument.outputs == ()
    assert stressed(talker) == 0.0
    assert talker.ask("TV1") == "NAV 0.0000E+00"


@pytest.mark.parametrize(
    ("choice", "at_page", "at_test"),
    [("until_test", (3,), (1,)), ("until_page", (), (1,)), ("stays", (3,), (1, 3))],
)
def test_what_user_mode_left_on_ends_as_the_setting_says(
    choice: str, at_page: tuple[int, ...], at_test: tuple[int, ...]
) -> None:
    talker = energised(left_on=choice)
    talker.say("DE")
    assert talker.instrument.outputs == at_page
    talker.say("CH1,'V1','I1',1,3", "CH2", "CH3", "SS", "VC1,0,1e-3", "MD", "ME1")
    assert talker.instrument.outputs == at_test
    talker.clock.sleep(100.0)
    assert talker.ask("SP") == "1"
    assert talker.instrument.outputs == at_test[1:]  # SMU1 went to standby
    assert stressed(talker) == float(3 in at_test)


def test_an_output_left_on_by_a_test_is_left_on_by_the_next_page_but_not_by_user_mode() -> None:
    talker = sweeper("VL1,1,1e-3,0.5", "ST 1,0", settings={"left_on": "until_page"})
    talker.run()
    talker.say("DE", "SS")
    assert talker.instrument.outputs == (1,)
    talker.say("US", "DE")
    assert talker.instrument.outputs == ()


# -- options while a test runs ----------------------------------------------------------------------------------------
def test_options_may_be_answered_only_after_the_test() -> None:
    talker = sweeper("VR1,0,1,0.01,0.01", "DT 0.1", settings={"options_while_busy": "wait"})
    talker.say("MD", "ME1")
    started = talker.clock.now()
    assert talker.ask("SP") == "16"
    assert talker.ask("*OPT?") == "SMUPA1,SMUPA2,PMU1RPM1-2"
    assert talker.clock.now() - started > 101 * 0.1
    assert [talker.ask("SP"), talker.ask("SP")] == ["1", "0"]
    assert len(talker.numbers("V1")) == 101
    talker.say("ME2")
    assert talker.fails("*OPT?") == -980  # a test that repeats is never over
    talker.say("ME4")
