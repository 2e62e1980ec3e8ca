"""The pulse card's driver on old software, which has no ``:PMU:``: pulses through the vendor's user library."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from keithley_bench import Rig, rig
from pulse_bench import DRIVER, TIMEOUT, ScriptedCard, connect

from labctl import plugins
from labctl.contracts import Measure, PulseSource, PulseTrain, Status, Sweep, Waveform
from labctl.errors import InstrumentError, LabctlError, LimitError, RemoteProtocolError
from labctl.testing import LIVE_PULSE_CHECKS, PULSE_SOURCE_CHECKS, PulseSubject
from labctl.testing.pulse_source import means_keep_ohms_law
from labctl.testing.subject import Notes

library = plugins.module("instruments", "keithley4200", "library_calls")

RESISTANCE, CURRENT_RANGE = 1e4, 1e-3
OLD = {"error_query": False, "letters": "LVXCTN", "version": "V4.6.0", "model": "KI4200", "pulse_settling": 0.0}
VARIANTS: dict[str, dict[str, Any]] = {
    "values": {},
    "EX is acknowledged at once": {"library_reply": "ack"},
    "parameters without label": {"parameter_reply": "plain"},
    "bad commands are not answered": {"bad_command": "silent"},
    "bad commands are answered with text": {"bad_command": "text"},
    "RPMs lead to the card at reset": {"rpm_at_reset": "pulse"},
}
NOTHING, MEAN, SAMPLES = Measure.NOTHING, Measure.MEAN, Measure.SAMPLES
PULSE = Waveform([1e-6, 2e-5, 1e-6], [0.0, 1.0, 1.0, 0.0], [NOTHING, MEAN, NOTHING], current_range=CURRENT_RANGE)
TRAIN = PulseTrain([0.5, 1.0, 1.5], width=2e-5, period=1e-4, current_range=CURRENT_RANGE)
GROUNDED = {"pulse_terminals": {"top": 1, "bottom": "ground"}}


def pulses_of(one: Rig) -> PulseSource:
    return next(part for part in one.meter.parts() if isinstance(part, PulseSource))


def old_rig(**wish: Any) -> Rig:
    return rig(**{"resistance": RESISTANCE, **wish, "settings": {**OLD, **wish.get("settings", {})}})


def subject(**wish: Any) -> PulseSubject:
    one = old_rig(**wish)

    def again() -> PulseSource:
        one.again()
        return pulses_of(one)

    choices = {"error": 0.02, "sample_rate": None, "slow": 0.06}
    return PulseSubject(pulses_of(one), RESISTANCE, lambda: len(one.sent), again, CURRENT_RANGE, **choices)  # type: ignore[arg-type]


# -- against the simulated instrument ---------------------------------------------------------------------------------
CHECKS = [check for check in PULSE_SOURCE_CHECKS if check not in LIVE_PULSE_CHECKS]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_keeps_what_can_be_kept_without_live_rows(check: Any) -> None:
    check(subject())


@pytest.mark.parametrize(
    ("variant", "transport"),
    # GPIB has no acknowledgement: there EX answers at its end, as labs saw it, or the call can't be told from a lost one
    [(v, t) for v in VARIANTS for t in ("tcp", "gpib") if (v, t) != ("EX is acknowledged at once", "gpib")],
)
def test_it_measures_on_every_variant_of_the_instrument(variant: str, transport: str) -> None:
    means_keep_ohms_law(subject(transport=transport, settings=VARIANTS[variant]))


def test_it_says_that_it_goes_through_the_library() -> None:
    assert pulses_of(old_rig()).settings()["language"] == "library"


def test_sweeps_and_pulses_take_turns() -> None:
    one = old_rig()
    for _ in range(2):
        final = list(one.meter.sweep(Sweep(np.array([0.5, 1.0]), 1e-3)))[-1]
        np.testing.assert_allclose(final["current"], final["level"] / RESISTANCE, rtol=0.01)
        final = list(pulses_of(one).play(PULSE))[-1]
        np.testing.assert_allclose(final["current"], [1e-4], rtol=0.01)
        assert one.outputs_are_off()


def test_a_sweep_of_the_card_serves_a_grounded_cell() -> None:
    one = old_rig(terminals={"top": 1, "bottom": None}, options=GROUNDED)
    for amplitudes in ([0.5, 1.0, 1.5], [1.5, 1.0], [-1.0, -1.2, -1.4], [1.25]):
        final = list(pulses_of(one).train(replace(TRAIN, amplitudes=np.array(amplitudes))))[-1]
        np.testing.assert_allclose(final["level"], amplitudes)
        np.testing.assert_allclose(final["current"], np.array(amplitudes) / RESISTANCE, rtol=0.01, atol=1e-7)
        assert final["segment"].tolist() == list(range(len(amplitudes)))


def test_a_wish_to_stop_ends_a_module_that_was_acknowledged_at_once() -> None:
    one = old_rig(settings={"library_reply": "ack"})
    pulses, asked = pulses_of(one), iter(range(10_000))
    pulses.should_stop = lambda: next(asked) >= 3
    slow = replace(PULSE, durations=np.array([0.1, 0.3, 0.1]), measure=np.zeros(3, dtype=int))
    begun = one.bench.clock.now()
    notes = pulses.recorder = Notes(lambda: len(one.sent))
    assert list(pulses.play(slow)) == []
    assert notes.outcomes == ["aborted"]
    assert one.bench.clock.now() - begun < 0.49
    pulses.should_stop = lambda: False
    np.testing.assert_allclose(list(pulses.play(PULSE))[-1]["current"], [1e-4], rtol=0.01)


# -- what is sent -----------------------------------------------------------------------------------------------------
def scripted(reply: str = "RETURN VALUE = 0", **replies: str) -> ScriptedCard:
    """A card on old software, of which every array holds 22 samples of a pulse of 1 V and 100 uA."""
    card = ScriptedCard(speaks=False, replies={":ERROR:LAST:GET": "ACK"})
    times = np.arange(22) * 1e-6
    arrays = {31: [1.0] * 22, 33: [1e-4] * 22, 35: [0.0] * 22, 37: [-1e-4] * 22, 39: times, 41: [0] * 22, 43: [0] * 22}
    card.fails = {"EX": reply} | {f"GP {at}": parameter(values) for at, values in arrays.items()} | replies
    return card


def scripted_sweep() -> ScriptedCard:
    """The same with three means of a sweep, the second with an overflow."""
    means = {21: [0.5, 1.0, 1.5], 23: [5e-5, 1e-4, 1.5e-4], 31: [0x01010051, 0x01010851, 0x01010051]}
    return scripted(**{f"GP {at}": parameter(values) for at, values in means.items()})


def parameter(values: Any) -> str:
    return "PARAM VALUE = " + ";".join(map(str, values))


def test_the_call_of_a_waveform() -> None:
    _, pulses = connect(card := scripted())
    list(pulses.play(PULSE))
    call = next(message for message in card.sent if message.startswith("EX"))
    places = call.split("(")[1].rstrip(")").split(",")
    assert call.startswith("EX PMU_examples_ulib PMU_SegArb_Example(10,0.001,10,0.001,1,1000000,1000000,4500,3,")
    assert len(places) == 44
    assert places[9:25] == [
        "1e-6;2e-5;1e-6", "3", "0;1;1", "3", "1;1;0", "3", "0;0;0", "3", "0;0;0", "3", *["1;1;1", "3"] * 3,
    ]  # fmt: skip
    assert places[25:] == ["0", "0.01", "0.01", "NONE", "PMU1", *["", "4500"] * 7]
    assert card.sent[card.sent.index(call) + 2 :][:5] == [f"GP {at} 4500" for at in (39, 31, 33, 41, 35)]
    assert "UL" in card.sent
    assert "*RST" in card.sent


def test_the_second_channel_can_be_driven() -> None:
    _, pulses = connect(card := scripted())
    final = list(pulses.play(replace(PULSE, terminal="bottom")))[-1]
    places = next(message for message in card.sent if message.startswith("EX")).split(",")
    assert (places[11], places[15]) == ("0;0;0", "0;1;1")
    assert final["voltage"].tolist() == [-1.0]  # the script's channel 1 is the held one now


def test_the_call_of_a_sweep() -> None:
    _, pulses = connect(card := scripted_sweep(), **GROUNDED)
    final = list(pulses.train(TRAIN))[-1]
    assert card.sent[card.sent.index("UL") + 1] == (
        "EX PMU_examples_ulib PMU_1Chan_Sweep(2e-5,1e-7,1e-7,0.0001,0,200000000,0.75,0.9,1,0,1000000,10,0.001,"
        "0.5,1.5,0.5,0,0,1,PMU1,,3,,3,,3,,3,,3,,3)"
    )
    np.testing.assert_allclose(final["current"], [5e-5, 1e-4, 1.5e-4])
    np.testing.assert_allclose(np.diff(final["time"]), 1e-4)
    assert final["status"].tolist() == [0, int(Status.OVERFLOW), 0]


# -- what is refused --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_rate": 1e6}, "chooses the rate"),
        ({"repeats": 700}, "2100 segments, repeats written out, exceed 2048"),
        ({"durations": np.array([1e-6, 0.9, 1e-6]), "windows": np.array([[0, 0], [0, 1e-3], [0, 0]])}, "too short"),
        ({"durations": np.array([1e-7, 0.1, 1e-7])}, "segment or window of 100 ns is too short"),
        ({"levels": np.array([0.5, 1.0, 1.0, 0.0])}, "start"),
        ({"current_range": 0.1}, "none of pulse channel 1"),
    ],
)
def test_a_waveform_the_module_can_not_play(change: Mapping[str, Any], message: str) -> None:
    _, pulses = connect(card := scripted())
    with pytest.raises(LimitError, match=message):
        pulses.play(replace(PULSE, **change))
    assert card.sent == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 2}, "only one pulse, or a sweep"),
        ({"amplitudes": np.array([1.0, 3.0, 2.0])}, "only one pulse, or a sweep"),
        ({"amplitudes": np.array([1.0, 1.0])}, "only one pulse, or a sweep"),
        ({"measure": SAMPLES}, "only one pulse, or a sweep"),
        ({"measure": NOTHING}, "only one pulse, or a sweep"),
        ({"width": 5e-8, "rise": 2e-8, "fall": 2e-8}, "width = 50 ns is below 60 ns"),
        ({"amplitudes": np.linspace(0, 1, 10_001)}, "10001 amplitudes exceed 10000"),
    ],
)
def test_a_train_the_sweep_module_can_not_apply(change: Mapping[str, Any], message: str) -> None:
    _, pulses = connect(card := scripted(), **GROUNDED)
    with pytest.raises(LimitError, match=message):
        pulses.train(replace(TRAIN, **change))
    assert card.sent == []


def test_a_waveform_on_a_grounded_cell_is_refused() -> None:
    _, pulses = connect(card := scripted(), **GROUNDED)
    with pytest.raises(LimitError, match="second pulse channel"):
        pulses.play(PULSE)
    assert card.sent == []


# -- choosing it ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("listed", "speaks", "option", "language"),
    [
        ("SMU1,SMU2", False, None, None),
        ("SMU1,SMU2", False, True, "library"),
        ("SMU1,SMU2,PMU1", False, None, "library"),
        ("SMU1,SMU2,PMU1", False, False, None),
        ("SMU1,SMU2,PMU1", True, None, "commands"),
        ("SMU1,SMU2,PMU1", True, True, "library"),
        ("SMU1,SMU2,PMU1", True, False, None),
    ],
)
def test_how_pulses_are_asked_for(listed: str, speaks: bool, option: bool | None, language: str | None) -> None:
    card = ScriptedCard(options=listed, speaks=speaks)
    if not speaks:
        card.replies = {":ERROR:LAST:GET": "ACK"}
    given = {} if option is None else {"pulse_library": option}
    meter = DRIVER.connect(card, {"top": 1, "bottom": 2}, card.clock, given)
    found = [part.settings()["language"] for part in meter.parts() if isinstance(part, PulseSource)]
    assert found == ([] if language is None else [language])


def test_old_software_routes_by_the_old_command() -> None:
    meter, pulses = connect(card := scripted())
    list(pulses.play(PULSE))
    card.sent.clear()
    meter.driver.smu1.force_voltage(0.5, 1e-5)
    assert card.sent[:2] == ["SS;RP PMU1-1,2", "SS;RP PMU1-2,2"]
    assert not any(message.startswith(":PMU:") for message in card.sent)


# -- what may go wrong ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("RETURN VALUE = -835", "returned -835; a segment is too short"),
        ("RETURN VALUE = -17001", "no such pulse card"),
        ("RETURN VALUE = -4711", "returned -4711"),
        ("EX ERROR: invalid number of UTM parameters", "did not run PMU_SegArb_Example: invalid number"),
    ],
)
def test_a_module_that_fails_is_told(reply: str, words: str) -> None:
    _, pulses = connect(card := scripted(reply))
    with pytest.raises(InstrumentError, match=words):
        list(pulses.play(PULSE))
    assert "*RST" in card.sent


@pytest.mark.parametrize("reply", ["what?", "16"])
def test_a_strange_answer_is_no_result(reply: str) -> None:
    _, pulses = connect(card := scripted(reply))
    with pytest.raises(LabctlError):
        list(pulses.play(PULSE))
    assert "*RST" in card.sent


@pytest.mark.parametrize(
    ("replies", "words"),
    [
        ({f"GP {at}": parameter([0] * 22) for at in (31, 33, 35, 37, 39)}, "gave no data"),
        ({f"GP {at}": "" for at in (31, 33, 35, 37, 39, 41, 43)}, "gave no data"),
        ({"GP 39": parameter([0] * 22)}, "0 readings .* were expected"),
        ({"GP 33": "1e-4;1e-4"}, "22 readings .* were expected, its arrays hold 22, 2, 22"),
        ({"GP 43": "0"}, "22 readings .* were expected, its arrays hold 22, 22, 1"),
        ({"GP 31": "a;b"}, "no list of numbers"),
        ({"GP 39": parameter(5e-3 + k * 1e-6 for k in range(22))}, "no sample lies in the window"),
        ({f"GP {at}": parameter([0] * 22) for at in (31, 33)} | {"GP 37": parameter([0] * 21 + [1])}, "interlock"),
    ],
)
def test_arrays_that_are_no_result(replies: dict[str, str], words: str) -> None:
    _, pulses = connect(scripted(**replies))
    with pytest.raises((InstrumentError, RemoteProtocolError), match=words):
        list(pulses.play(PULSE))


def test_an_answer_that_never_comes_ends_in_an_abort_and_a_reset() -> None:
    _, pulses = connect(card := scripted())
    card.fails["EX"] = TIMEOUT
    with pytest.raises(LabctlError, match="no answer"):
        list(pulses.play(PULSE))
    assert card.sent.index("UL;AB") < len(card.sent) - 1 - card.sent[::-1].index("*RST")


# -- rates and rows ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("times", "rate"),
    [
        ([1e-6, 2e-5, 1e-6], 200e6),
        ([1e-6, 1e-4, 1e-6], 200e6 / 2),  # 20 200 samples do not fit into 15 000
        ([1e-6, 4e-3, 1e-6], 200e6 / 54),
        ([1e-6, 0.5, 1e-6], 200e6 / 101 / 6667),  # more than a million: its source divides twice
    ],
)
def test_the_rate_is_that_of_the_modules_source(times: list[float], rate: float) -> None:
    assert library.module_rate(np.array(times)) == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize("missing", [parameter([0] * 22), ""])
def test_rows_are_complete_where_the_module_gives_no_status(missing: str) -> None:
    _, pulses = connect(scripted(**{"GP 41": missing, "GP 43": missing}))
    final = list(pulses.play(replace(PULSE, measure=np.array([SAMPLES, MEAN, NOTHING]))))[-1]
    assert final["segment"].tolist() == [0, 1]
    assert set(final["status"]) == {int(Status.NORMAL)}
    np.testing.assert_allclose(final["time"], [0.0, 11e-6])


@pytest.mark.parametrize("place", [41, 43])
def test_a_mean_has_every_flag_of_its_samples(place: int) -> None:
    words = [0x01020051] * 22
    words[0], words[5], words[21] = 0x01020151, 0x01020851, 0x01021051  # before, in and behind the window of the mean
    _, pulses = connect(scripted(**{f"GP {place}": parameter(words)}))
    assert list(pulses.play(PULSE))[-1]["status"].tolist() == [int(Status.OVERFLOW)]
    words[5] = 0x01020051
    _, pulses = connect(scripted(**{f"GP {place}": parameter(words)}))
    assert list(pulses.play(PULSE))[-1]["status"].tolist() == [int(Status.NORMAL)]
