"""The simulated Keithley 4200: its language: pages, errors, status, and the choices the manuals leave open."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_helpers import SWEEP, Resistor, Talker, sweeper

from labctl import plugins
from labctl.clocks import VirtualClock
from labctl.contracts import SimulatedInstrument
from labctl.errors import UsageError


# -- pages and errors -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("page", "message", "code"),
    [
        ("DE", "VR1,0,1,0.1,1e-3", -989), ("SS", "CH1,'V','I',1,1", -989), ("SM", "ME1", -989), ("MD", "DT 1", -989),
        ("DE", "DV1,0,1,1e-3", -974), ("MD", "TI1", -974), ("US", "CH1", -975), ("US", "SR1,0", -975),
        ("DE", "CH5,'V','I',1,1", -979), ("US", "DV3,0,1,1e-3", -979), ("US", "TI8", -979),
        ("DE", "FOO", -992), ("DE", "sp", -992), ("US", "DV1,0", -993), ("DE", "CH1,'TOOLONG','I',1,1", -993),
        ("DE", "CH1,'V','I',3,1", -993), ("DE", "VS1,'S',1", -988), ("US", "DS1,1", -988), ("SS", "SC1,3", -988),
        ("UL", "SS", -989), ("UL", "CH1", -989), ("SM", "GT 'P none'", -984), ("SM", "MP 1,SMU7", -979),
        ("SS", "VR1,0,1,1e-5,1e-3", -993), ("SS", "VR2,0,1", -993), ("SS", "RD 'nobody',1", -993), ("SS", "EX lib mod()", -989),
    ],
)  # fmt: skip
def test_refusals_have_the_documented_number(page: str, message: str, code: int) -> None:
    talker = Talker()
    talker.say(page)
    assert talker.fails(message) == code


def test_leniencies_of_the_vendors_scripts() -> None:
    talker = Talker()
    talker.say("MD", "LI 'I1'", "US", "MP 1,SMU2", "MP 1")
    strict = Talker(settings={"lenient_pages": False})
    strict.say("MD")
    assert strict.fails("LI 'I1'") == -989


def test_only_the_last_error_is_kept_and_reading_keeps_it() -> None:
    talker = Talker()
    talker.ask("FOO")
    talker.ask("DE;DV1,0,1,1")
    assert talker.error() == talker.error() == "Command not valid in System Mode (-974)"
    talker.ask(":ERROR:LAST:CLEAR")
    assert talker.error() == ""


def test_a_message_of_several_commands_has_one_reply_the_last_ones() -> None:
    talker = Talker()
    assert talker.ask("DE CH1;CH2 SM DM2") == "ACK"
    assert talker.ask("US;TV1").startswith("NAV")
    assert talker.ask("US TV1 BC") == "ACK"


def test_identity_and_options() -> None:
    talker = Talker(settings={"serial": "77", "version": "V1.2", "options": "SMU1,HPSMUPA2,PMU1RPM1-2"})
    assert talker.ask("*IDN?") == "KEITHLEY INSTRUMENTS,KI4200A,77,V1.2"
    assert talker.ask("ID") == "KI4200A V1.2"
    assert talker.ask("*OPT?") == "SMU1,HPSMUPA2,PMU1RPM1-2"
    talker.say("EM 0,0")
    assert talker.ask("ID") == "HP4145B 1.1,1.0"
    assert talker.fails("*OPT?") == -992
    assert talker.fails("IT4,1,1,1") == -992


# -- the status byte --------------------------------------------------------------------------------------------------
def test_data_ready_is_shown_once_after_a_measurement() -> None:
    talker = Talker()
    talker.say("BC")
    assert talker.ask("SP") == "0"
    talker.say("US;DV1,0,1,1e-3")
    assert talker.ask("SP") == "0"
    talker.ask("TV1")
    assert [talker.ask("SP"), talker.ask("SP")] == ["1", "0"]
    talker.ask("TV1")
    talker.say("BC")
    assert talker.ask("SP") == "0"


def test_a_syntax_error_asks_for_service() -> None:
    talker = Talker()
    talker.ask("FOO")
    assert [talker.ask("SP"), talker.ask("SP")] == ["66", "0"]


@pytest.mark.parametrize(("choice", "shown"), [("once", "1"), ("never", "0"), ("service", "65")])
def test_data_ready_setting(choice: str, shown: str) -> None:
    talker = Talker(settings={"data_ready": choice})
    talker.ask("US TV1")
    assert [talker.ask("SP"), talker.ask("SP")] == [shown, "0"]


def test_gpib_has_no_ack_and_a_serial_poll() -> None:
    talker = Talker(transport="gpib")
    feed = talker.instrument.feed
    assert feed(b"BC;DR1\n") == b""
    assert feed(b"US;TV1\n") == b"NAV 0.0000E+00\n"
    assert [talker.instrument.serial_poll(), talker.instrument.serial_poll()] == [65, 0]
    assert feed(b"TV1;BC\n") == b"NAV 0.0000E+00\n"
    assert feed(b"FOO\n") == b""
    assert talker.instrument.serial_poll() == 66
    assert feed(b"SP\n") == b"\n"  # Ethernet only
    assert feed(b":ERROR:LAST:GET\r\n") == b"Unsupported command received. (-986)\n"


def test_device_clear_is_power_on_user_mode() -> None:
    talker = Talker(Resistor(1e4))
    talker.say("US", "DV1,0,1,1e-3", "DV2,0,0,1e-3", "RS 7")
    talker.instrument.device_clear()
    assert talker.ask("TV1") == "NAV 0.0000E+00"  # user mode, output off, digits as at power-on


# -- choices ----------------------------------------------------------------------------------------------------------
def test_bad_command_replies() -> None:
    assert Talker().ask("FOO") == "ACK"
    assert Talker(settings={"bad_command": "text"}).ask("FOO") == "KXCI command error. (-992)"
    assert Talker(settings={"bad_command": "silent"}).instrument.feed(b"FOO\0ID\0") == b"KI4200A V1.13.0\0"
    assert Talker().ask("DO 'nobody'") == ""  # a query that fails: empty data


def test_clean_error_and_old_software() -> None:
    assert Talker(settings={"clean_error": "No error. (0)"}).error() == "No error. (0)"
    old = Talker(settings={"error_query": False})
    assert old.ask(":ERROR:LAST:GET") == ""
    assert old.ask("SP") == "66"


@pytest.mark.parametrize(("choice", "end"), [("none", ""), ("cr", "\r"), ("lf", "\n"), ("crlf", "\r\n")])
def test_kcon_character_follows_data_and_not_ack(choice: str, end: str) -> None:
    talker = Talker(settings={"character": choice})
    assert talker.ask("ID") == "KI4200A V1.13.0" + end
    assert talker.ask("BC") == "ACK"


@pytest.mark.parametrize(("choice", "between"), [("comma", ","), ("lf", "\n"), ("so", "\x0e")])
def test_reading_separator(choice: str, between: str) -> None:
    talker = sweeper("VL1,1,1e-3,1,-1", settings={"separator": choice})
    talker.run()
    assert talker.ask("DO 'I1'") == f"N 100.00E-06{between}N-100.00E-06"


def test_number_formats() -> None:
    talker = sweeper("VL1,1,1e-3,1,0", settings={"numbers": "plain", "digits": 3})
    talker.run()
    assert talker.ask("DO 'I1'") == "N 1.00e-04,N 0.00e+00"
    talker.say("RS 7")
    assert talker.ask("RD 'I1',1") == "1.000000e-04"


@pytest.mark.parametrize(("choice", "zero"), [("long", "0.0000E+00"), ("short", "0")])
def test_measured_zero(choice: str, zero: str) -> None:
    talker = sweeper("VL1,1,1e-3,0,1", settings={"measured_zero": choice})
    talker.run()
    assert talker.ask("RD 'I1',1") == zero
    assert talker.ask("RD 'I1',2") == "100.00E-06"
    assert talker.ask("RD 'I1',3") == "0"  # beyond the end


def test_reset_and_the_channel_definitions() -> None:
    kept = Talker(settings={"reset_clears_channels": False})
    kept.say("*RST", "MD")
    assert kept.fails("ME1") == -991  # SMU1 common, SMU2 I VAR2: live, and no VAR1
    four = Talker(settings={"options": "SMU1,SMU2,SMU3,SMU4", "reset_clears_channels": False})
    four.say("*RST", "MD", "ME1")
    assert four.ask("SP") == "16"


def test_long_numbers() -> None:
    number = "0.00000000000100"
    assert Talker().ask(f"US;DV1,0,{number},1e-3") == "ACK"
    talker = Talker()
    talker.say("US")
    assert talker.fails(f"DV1,0,{number},1e-3") == -993
    free = Talker(settings={"longest_number": 0})
    free.say("US", f"DV1,0,{number},1e-3")


def test_interlock_open_reads_zero_and_energises_nothing() -> None:
    talker = Talker(Resistor(1e3), seed=1, settings={"interlock_closed": False})
    talker.say("US", "DV1,0,1,1e-3", "DV2,0,0,1e-3")
    assert talker.ask("TI1") == "NAI 0.0000E+00"
    assert talker.ask("TV1") == "NAV 0.0000E+00"
    assert set(talker.device.levels) == {0.0}


@pytest.mark.parametrize(
    "choices",
    [
        {"nois": 1.0}, {"noise": "loud"}, {"noise": -1.0}, {"noise": float("nan")}, {"transport": "usb"}, {"digits": 9},
        {"digits": True}, {"options": "nothing"}, {"options": "PMU1"}, {"quantisation": 1},
    ],
)  # fmt: skip
def test_impossible_settings_are_named(choices: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(choices))):
        Talker(settings=choices)


@pytest.mark.parametrize("wiring", [{"top": 7, "bottom": None}, {"top": 1, "bottom": 1}])
def test_impossible_wiring_is_named(wiring: dict[str, int | None]) -> None:
    with pytest.raises(UsageError, match="wiring"):
        Talker(wiring=wiring)


# -- whatever arrives -------------------------------------------------------------------------------------------------
FRAGMENTS = st.sampled_from(
    [
        b"DV1,0,1,1e-3", b"US", b"DE", b"TI1", b"TV5", b"ME1", b"ME2", b"ME4", b"SP", b"DO 'I1'", b"RD 'I1',1",
        b"VL1,1,1e-3,1,2", b"CH1,'V1','I1',1,1", b"SS", b"SM", b"MD", b"*RST", b",", b";", b" ", b"'", b"1e999",
        b"VR2,1e-30,1", b"NR 4096", b"\0", b"EM 0,0", b"GT 'P a'", b"SV 'P a b'", b"MP 1,VS1", b"MP 1",
        b"DI1,0,1e-9,1", b"IC1,1e-3,1", b"AC1", b"RI1,1e-9,1e-9", b"RV1,1,1", b"RI2,1,1", b"RG1,1e-9",
    ]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=20), FRAGMENTS), max_size=40))
def test_no_bytes_crash_it_and_every_message_has_one_reply(pieces: list[bytes]) -> None:
    talker = Talker(seed=1)
    sent = received = 0
    for piece in pieces:
        sent += piece.count(b"\0")
        received += talker.instrument.feed(piece).count(b"\0")
        talker.clock.sleep(0.1)
    assert received == sent
    talker.instrument.feed(b"\0")
    talker.ask("MD")
    talker.ask("ME4")
    assert talker.ask("ID").startswith(("KI4200A", "HP4145B"))


def test_half_messages_are_completed_and_forgotten_at_disconnect() -> None:
    talker = Talker()
    assert talker.instrument.feed(b"I") == b""
    assert talker.instrument.feed(b"D\0") == b"KI4200A V1.13.0\0"
    talker.instrument.feed(b"DE;CH")
    talker.instrument.disconnect()
    assert talker.ask("ID") == "KI4200A V1.13.0"


def test_a_message_that_never_ends_is_refused_in_bounded_memory() -> None:
    talker = Talker()
    for _ in range(40):
        assert talker.instrument.feed(b"x" * 65536) == b""
    assert talker.instrument.feed(b"\0") == b"ACK\0"
    assert talker.ask("SP") == "66"


def test_it_is_found_by_name_and_remembers_the_truth_in_bounds() -> None:
    backend = plugins.load("sim_backends", "keithley4200", SimulatedInstrument)
    one = backend.build(Resistor(), VirtualClock(), {"top": 1, "bottom": 2}, {"truth_length": 5}, None)
    for _ in range(20):
        one.feed(b"US;DV1,0,1,1e-3;DV2,0,0,1e-3;TI1\0")
    truth = one.truth
    assert len(truth) == 5
    assert truth[-1].voltage == 1.0
    assert truth[-1].current == pytest.approx(1e-4)
    assert truth[-1].start + truth[-1].duration == pytest.approx(one.frame.clock.now())


def test_sweep_preamble_is_accepted() -> None:
    Talker().say(*SWEEP)
