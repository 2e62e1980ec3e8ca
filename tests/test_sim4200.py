"""The simulated Keithley 4200: user mode, pages, errors, status and the choices the manuals leave open."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sim_helpers import SWEEP, Resistor, Talker, sweeper

from labctl import plugins
from labctl.clocks import VirtualClock
from labctl.contracts import SimulatedInstrument
from labctl.errors import UsageError


def settings_of(choices: dict[str, object]) -> object:
    return plugins.module("sim_backends", "keithley4200", "settings").Settings.of(choices)


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
    talker.say("US", "IT4,0,0,1", "RI1,1e-4,1", "DV1,0,0.5,1e-4", "DV2,0,0,1e-3")
    before = talker.clock.now()
    talker.ask("TI1")
    assert talker.clock.now() - before == pytest.approx(0.0671 + 0.00675)


# -- ranges, resolution, noise ----------------------------------------------------------------------------------------
def test_a_fixed_range_caps_the_compliance_at_105_percent() -> None:
    talker = Talker(Resistor(1e3))
    talker.say("US", "RI1,1e-5,1", "DV1,0,1,5e-5", "DV2,0,0,1e-2")
    assert talker.ask("TI1") == "CAI 10.500E-06"
    talker.say("RG1,1e-9")  # autorange again
    talker.say("DV1,0,1,5e-5")
    assert talker.ask("TI1") == "CAI 50.000E-06"


def test_a_compliance_below_11_percent_of_a_fixed_range_is_refused_or_raised() -> None:
    talker = Talker(Resistor(1e3))
    talker.say("US", "RI1,1e-4,1")
    assert talker.fails("DV1,0,1,1e-5") == -991
    raising = Talker(Resistor(1e3), settings={"small_compliance": "raise"})
    raising.say("US", "RI1,1e-4,1", "DV1,0,1,1e-5", "DV2,0,0,1e-2")
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
        "DI1,0,0.05,100", "RI1,0.5,1", "RI1,1e-3,300", "DV1,0,1", "DV1,0,1,nonsense",
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
        ("SS", "VR1,0,1,1e-5,1e-3", -993), ("SS", "VR2,0,1", -993), ("SS", "RD 'nobody',1", -993), ("SS", "EX lib mod()", -992),
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
        b"DI1,0,1e-9,1", b"IC1,1e-3,1", b"AC1", b"RI1,1e-9,1", b"RV1,1,1e-3",
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
