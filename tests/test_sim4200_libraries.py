"""User libraries of the simulated 4200: the vendor's example modules, which are all the pulses an old 4200-SCS has."""

from __future__ import annotations

from typing import Any

import pytest
from pulse_helpers import EXACT, GROUNDED, plateaus
from sim_helpers import Resistor, Talker

from labctl import plugins
from labctl.kxci.library_replies import read_parameter, read_parameter_numbers, read_return
from labctl.kxci.pulse_status import Acquired, RpmPath, status_of

LIBRARY = "PMU_examples_ulib"
MODULES = plugins.module("sim_backends", "keithley4200", "library_modules")


def old(device: Resistor | None = None, **settings: Any) -> Talker:
    """An old 4200-SCS in user library mode; the cell's other end is ground."""
    talker = Talker(
        device or Resistor(1e4), wiring=settings.pop("wiring", GROUNDED),
        settings={**EXACT, "error_query": False, **settings},
    )  # fmt: skip
    assert talker.ask("UL") == "ACK"
    return talker


def sweep(module: str = "PMU_1Chan_Sweep", size: int = 100, **given: object) -> str:
    """A call: 20 us pulses from 0.5 to 2 V in steps of 0.5 V, but for what is given."""
    values = {
        "PulseWidth": 20e-6, "RiseTime": 1e-7, "FallTime": 1e-7, "Period": 1e-4, "Delay": 1e-6, "SampleRate": 200e6,
        "MeasStartPerc": 0.75, "MeasStopPerc": 0.9, "PulseAverage": 2, "LoadLine": 0, "DUTRes": 1e6, "VRange": 10,
        "IRange": 1e-2, "StartV": 0.5, "StopV": 2, "StepV": 0.5, "BaseV": 0, "PMUMode": 1, "Chan": 1, "PMU_ID": "PMU1",
        **given,
    }  # fmt: skip
    outputs = ["", str(size)] * 6
    return f"EX {LIBRARY} {module}({','.join([*map(str, values.values()), *outputs])})"


def segments(size: int = 2000, bias: str = "0,0.01,0.01,NONE", card: str = "PMU1", **given: object) -> str:
    """A call: 5 us to 1 V, 20 us there, back, on channel 1; channel 2 at 0 V."""
    times, levels = [5e-6, 20e-6, 5e-6, 10e-6], [0, 1, 1, 0, 0]
    head = {"VRangeCh1": 10, "IRangeCh1": 1e-2, "VRangeCh2": 10, "IRangeCh2": 1e-2, "NumWaveforms": 1, "DUTResCh1": 1e6,
            "DUTResCh2": 1e6, "MaxSheetPoints": 400, "NumSegments": 4, **given}  # fmt: skip
    arrays = [times, levels[:-1], levels[1:], [0] * 4, [0] * 4, [1] * 4, [1] * 4, [1] * 4]
    texts = [text for array in arrays for text in (";".join(map(str, array)), "4")]
    call = [*map(str, head.values()), *texts, *bias.split(","), card, *(["", str(size)] * 7)]
    return f"EX {LIBRARY} PMU_SegArb_Example({','.join(call)})"


def numbers(talker: Talker, name: str, count: int) -> list[float]:
    return [float(value) for value in read_parameter_numbers(talker.ask(f"GN {name} {count}"))]


# -- the sweep --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("module", ["PMU_1Chan_Sweep", "PMU_1Chan_Sweep_Example"])
def test_a_sweep_on_one_channel(module: str) -> None:
    talker = old()
    assert talker.ask(sweep(module)) == "RETURN VALUE = 0"
    levels = [0.5, 1.0, 1.5, 2.0]
    assert numbers(talker, "V_Ampl", 4) == pytest.approx(levels, rel=1e-3)
    assert numbers(talker, "I_Ampl", 4) == pytest.approx([level / 1e4 for level in levels], rel=1e-3)
    assert numbers(talker, "V_Base", 4) == pytest.approx([0.0] * 4, abs=1e-9)
    assert [len(plateaus(talker, level)) for level in levels] == [2] * 4
    words = [status_of(int(word)) for word in read_parameter(talker.ask("GN Status 4"))]
    assert {(one.acquired, one.rpm, one.channel) for one in words} == {(Acquired.SPOT_MEAN, RpmPath.RPM, 1)}
    assert talker.instrument.pulse_outputs == ()


def test_parameters_by_name_and_place() -> None:
    talker = old()
    talker.ask(sweep())
    assert talker.ask("GP 21 3") == talker.ask("GN V_Ampl 3")
    assert talker.ask("GP 1") == "PARAM VALUE = 2e-05"
    assert talker.ask("GN PMU_ID") == "PARAM VALUE = PMU1"
    assert numbers(talker, "V_Ampl", 6)[4:] == [0.0, 0.0]  # more than was measured
    talker.ask("SP")
    for wrong in ("GN Nothing", "GP 33"):
        assert talker.ask(wrong) == ""
        assert talker.ask("SP") == "66"
    plain = old(parameter_reply="plain")
    plain.ask(sweep())
    assert plain.ask("GN StartV") == "0.5"


def test_the_rpm_is_left_in_pulse_mode() -> None:
    talker = old()
    talker.say = talker.ask  # type: ignore[assignment, method-assign]  # no error queue here
    talker.ask(sweep())
    talker.ask("US;DV1,0,0.5,1e-3")
    assert float(talker.ask("TI1")[3:]) == 0.0
    talker.ask("SS;RP PMU1-1, 2")
    assert float(talker.ask("US;TI1")[3:]) == pytest.approx(5e-5)


def test_load_line_and_defaults() -> None:
    talker = old(Resistor(50.0))
    assert talker.ask(sweep(IRange=0.2, DUTRes=50, StartV=2, LoadLine=1)) == "RETURN VALUE = 0"
    assert numbers(talker, "V_Ampl", 1) == pytest.approx([2.0], rel=0.01)
    bare = "EX PMU_examples_ulib PMU_1Chan_Sweep(" + "," * 31 + ")"
    assert talker.ask(bare) == "RETURN VALUE = 0"
    assert len(numbers(talker, "V_Ampl", 6)) == 6


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"StepV": 0}, -122), ({"PulseAverage": 0}, -122), ({"StartV": "x"}, -122), ({"VRange": 20}, -122),
        ({"Chan": 3}, -122), ({"StopV": 12}, -829), ({"PulseWidth": 1e-8}, -827), ({"PMU_ID": "PMU2"}, -17001),
        ({"PMU_ID": "CVU1"}, -17001), ({"size": 3}, -17110),
    ],
)  # fmt: skip
def test_a_sweep_that_cannot_be_returns_a_number_and_plays_nothing(given: dict[str, Any], value: int) -> None:
    talker = old()
    assert read_return(talker.ask(sweep(**given))).value == value
    assert all(dwell.drive == 0 for dwell in talker.instrument.truth)


# -- Segment Arb ------------------------------------------------------------------------------------------------------
def test_segments_on_two_channels() -> None:
    talker = old(wiring={"top": 1, "bottom": 2})
    assert talker.ask(segments()) == "RETURN VALUE = 0"
    count = 400
    times, volts, amperes, other = (
        numbers(talker, name, count) for name in ("TimeOutput", "VMeasCh1", "IMeasCh1", "IMeasCh2")
    )
    assert times[-1] == pytest.approx(40e-6, rel=0.01)
    top = [n for n, time in enumerate(times) if 6e-6 < time < 24e-6]
    assert len(top) > 150
    assert [volts[n] for n in top] == pytest.approx([1.0] * len(top), rel=1e-3)
    assert [amperes[n] for n in top] == pytest.approx([1 / 10005] * len(top), rel=1e-3)
    assert other == pytest.approx([-one for one in amperes])
    assert len(plateaus(talker, 1.0)) == 1


def test_waveforms_are_repeated_and_points_thinned() -> None:
    talker = old(wiring={"top": 1, "bottom": 2})
    assert talker.ask(segments(NumWaveforms=5, MaxSheetPoints=12)) == "RETURN VALUE = 0"
    assert len(plateaus(talker, 1.0)) == 5
    times = numbers(talker, "TimeOutput", 13)
    assert times[12] == 0.0
    assert times[:10] == sorted(times[:10])


def test_a_bias_of_an_smu_lasts_as_long_as_the_test() -> None:
    talker = old(wiring={"top": 1, "bottom": 3}, options="SMU1,SMU2,SMU3,PMU1RPM1")
    assert talker.ask(segments(bias="-0.5,0.01,0.01,SMU3")) == "RETURN VALUE = 0"
    assert len(plateaus(talker, 1.5)) == 1
    assert talker.instrument.outputs == ()
    assert talker.ask(segments(bias="1,0.01,0.01,SMU7")) == "RETURN VALUE = -17002"


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"NumSegments": 5}, -122),
        ({"NumSegments": 2}, -122),
        ({"MaxSheetPoints": 5}, -122),
        ({"IRangeCh2": 3e-3}, -827),
    ],
)
def test_segments_that_cannot_be(given: dict[str, Any], value: int) -> None:
    assert read_return(old().ask(segments(**given))).value == value


# -- calls ------------------------------------------------------------------------------------------------------------
def test_a_wrong_number_of_parameters_is_said_in_words() -> None:
    reply = old().ask(f"EX {LIBRARY} PMU_1Chan_Sweep()")
    assert reply == (
        "EX ERROR: invalid number of UTM parameters:"
        "number of parameters in a call 0 number of parameters required: 32"
    )  # fmt: skip
    assert len(MODULES.SEGMENTS) == 44


def test_unknown_modules_and_pages() -> None:
    talker = old()
    assert talker.ask(f"EX {LIBRARY} NoSuchModule(1,2)") == ""
    assert talker.ask("SP") == "66"
    talker.ask("US")
    talker.ask(sweep())
    assert talker.instrument.frame.status.last_error.endswith("(-989)")
    assert old().ask("GN V_Ampl") == ""


def test_the_answer_comes_when_the_module_has_ended() -> None:
    talker = old()
    before = talker.clock.now()
    talker.ask(sweep(Period=0.5))
    assert talker.clock.now() - before > 4 * 2 * 0.5
    assert [talker.ask("SP"), talker.ask("SP")] == ["1", "0"]


def test_or_at_once_and_then_the_values_have_to_wait() -> None:
    talker = old(library_reply="ack", message_time=0.0)
    assert talker.ask(sweep(Period=0.5)) == "ACK"
    assert talker.ask("SP") == "16"
    talker.ask("GN V_Ampl 4")
    assert talker.instrument.frame.status.last_error.endswith("(-980)")
    talker.clock.sleep(5.0)
    talker.ask("SP")
    assert numbers(talker, "V_Ampl", 4) == pytest.approx([0.5, 1.0, 1.5, 2.0], rel=1e-3)


def test_abort_ends_a_module() -> None:
    talker = old(library_reply="ack", message_time=0.0)
    talker.ask(sweep(Period=0.5))
    talker.clock.sleep(1.3)
    assert talker.ask("AB") == "ACK"
    assert talker.instrument.pulse_outputs == ()
    assert numbers(talker, "V_Ampl", 4) == pytest.approx([0.5, 0, 0, 0], rel=1e-3)
    assert sum(len(plateaus(talker, level)) for level in (0.5, 1.0, 1.5, 2.0)) == 3
    assert [talker.ask(message) for message in ("GD lib mod", "GR")] == ["ACK", "ACK"]


@pytest.mark.parametrize(("choice", "reply"), [("value", b"RETURN VALUE = 0\n"), ("ack", b"")])
def test_over_gpib(choice: str, reply: bytes) -> None:
    talker = Talker(
        Resistor(1e4), wiring=GROUNDED, transport="gpib", settings={"error_query": False, "library_reply": choice}
    )
    instrument = talker.instrument
    assert instrument.feed(b"UL\n") == b""
    assert instrument.feed(sweep().encode("ascii") + b"\n") == reply
    talker.clock.sleep(10.0)
    assert instrument.feed(b"GN StopV\n") == b"PARAM VALUE = 2\n"
