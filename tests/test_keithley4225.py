"""The pulse card's driver: what it sends, what it refuses before a byte, routing, and becoming safe; against a script."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pulse_bench import DRIVER, TIMEOUT, ScriptedCard, connect

from labctl import plugins
from labctl.contracts import Measure, PulseTrain, Sweep, Waveform
from labctl.errors import InstrumentError, LabctlError, LimitError, TransportError, UsageError
from labctl.quantities import Limit, Limits

segments = plugins.module("instruments", "keithley4200", "segments")

MEAN, SAMPLES, NOTHING = Measure.MEAN, Measure.SAMPLES, Measure.NOTHING
#: a pulse of 20 us at 1 V, its top measured by one mean
PULSE = Waveform([1e-6, 2e-5, 1e-6], [0.0, 1.0, 1.0, 0.0], [NOTHING, MEAN, NOTHING])
TRAIN = PulseTrain([1.0], width=2e-5, period=1e-4)
SMU_SWEEP = Sweep(np.array([0.5]), 1e-5)


def measuring(count: int = 1, **more: Any) -> ScriptedCard:
    card = ScriptedCard(**more)
    card.ohmic([1.0] * count, [1e-5] * count)
    return card


def set_up_of(card: ScriptedCard, request: Waveform | PulseTrain, **options: Any) -> list[str]:
    """The messages from INIT to EXECUTE."""
    _, pulses = connect(card, **options)
    list(pulses.play(request) if isinstance(request, Waveform) else pulses.train(request))
    begin = next(k for k, message in enumerate(card.sent) if message.startswith(":PMU:INIT"))
    return card.sent[begin : card.sent.index(":PMU:EXECUTE")]


# -- what is sent -----------------------------------------------------------------------------------------------------
START = [
    ":PMU:INIT {mode}",
    ":PMU:RPM:CONFIGURE PMU1-1, 0",
    ":PMU:RPM:CONFIGURE PMU1-2, 0",
    ":PMU:SOURCE:RANGE 1, 10",
    ":PMU:MEASURE:RANGE 1, 2, 0.01",
    ":PMU:SOURCE:RANGE 2, 10",
    ":PMU:MEASURE:RANGE 2, 2, 0.01",
    ":PMU:SAMPLE:RATE 200000000",
]
ON = [":PMU:OUTPUT:STATE 1, 1", ":PMU:OUTPUT:STATE 2, 1", ":ERROR:LAST:GET", "ID"]


def test_the_messages_of_a_waveform() -> None:
    expected = [
        *START,
        ":PMU:SARB:SEQ:TIME 1, 1, 1e-6, 2e-5, 1e-6",
        ":PMU:SARB:SEQ:STARTV 1, 1, 0, 1, 1",
        ":PMU:SARB:SEQ:STOPV 1, 1, 1, 1, 0",
        ":PMU:SARB:SEQ:MEAS:TYPE 1, 1, 0, 1, 0",
        ":PMU:SARB:SEQ:MEAS:START 1, 1, 0, 5e-6, 0",
        ":PMU:SARB:SEQ:MEAS:STOP 1, 1, 0, 15e-6, 0",
        ":PMU:SARB:SEQ:TIME 2, 1, 1e-6, 2e-5, 1e-6",
        ":PMU:SARB:SEQ:STARTV 2, 1, 0, 0, 0",
        ":PMU:SARB:SEQ:STOPV 2, 1, 0, 0, 0",
        ":PMU:SARB:SEQ:MEAS:TYPE 2, 1, 0, 1, 0",
        ":PMU:SARB:SEQ:MEAS:START 2, 1, 0, 5e-6, 0",
        ":PMU:SARB:SEQ:MEAS:STOP 2, 1, 0, 15e-6, 0",
        ":PMU:SARB:WFM:SEQ:LIST 1, 1, 3",
        ":PMU:SARB:WFM:SEQ:LIST 2, 1, 3",
        *ON,
    ]
    windows = np.array([[0, 0], [5e-6, 1.5e-5], [0, 0]])
    got = set_up_of(measuring(3), replace(PULSE, windows=windows, repeats=3))
    assert got == [message.format(mode=1).replace("15e-6", "1.5e-5") for message in expected]


def test_the_messages_of_a_burst() -> None:
    pulse = ["1, 1, 0", "1, 0.75, 0.9", "1, 0.0001, 2e-5, 1e-7, 1e-7, 0"]
    commands = [":PMU:MEASURE:PIV ", ":PMU:TIMES:PIV ", ":PMU:PULSE:TIMES "]
    both = [
        command + "".join([channel, text[1:]])
        for channel in "12"
        for command, text in zip(commands, pulse, strict=True)
    ]
    amplitudes = [":PMU:PULSE:TRAIN 1, 0, 1", ":PMU:PULSE:TRAIN 2, 0, 0", ":PMU:PULSE:BURST:COUNT 5"]
    got = set_up_of(measuring(5), replace(TRAIN, count=5))
    assert got == [text.format(mode=0) for text in [*START, ":PMU:MEASURE:MODE 1", *both, *amplitudes, *ON]]


@pytest.mark.parametrize(
    ("amplitudes", "count", "expected"),
    [
        ([2.1, 2.12, 2.14, 2.16], 1, ":PMU:SWEEP:PULSE:AMPLITUDE 1, 2.1, 2.16, 0.02, 0, 0"),
        ([-1.0, 0.0, 1.0], 2, ":PMU:SWEEP:PULSE:AMPLITUDE 1, -1, 1, 1, 0, 0"),
        ([1.5, 1.5], 3, ":PMU:PULSE:BURST:COUNT 6"),
        ([-2.2, -2.4, -2.6], 1, ":PMU:SARB:WFM:SEQ:LIST 1, 1, 1"),  # falling: as segments
        ([1.0, 2.0, 4.0], 1, ":PMU:SARB:WFM:SEQ:LIST 1, 1, 1"),
        ([1.0, 2.0, 4.0], 7, ":PMU:SARB:WFM:SEQ:LIST 1, 1, 7, 2, 7, 3, 7"),
        ([1.0], 20_000, ":PMU:SARB:WFM:SEQ:LIST 1, 1, 20000"),
    ],
)
def test_how_a_train_is_asked_for(amplitudes: list[float], count: int, expected: str) -> None:
    train = replace(TRAIN, amplitudes=np.array(amplitudes), count=count, period=4e-5)
    assert expected in set_up_of(measuring(train.pulses), train)


def test_a_falling_train_becomes_segments_without_a_jump() -> None:
    train = PulseTrain([-2.2, -2.4], width=2e-6, period=1e-5, rise=2e-7, fall=4e-7, delay=1e-6, measure=MEAN)
    got = set_up_of(measuring(2), train)
    assert ":PMU:SARB:SEQ:TIME 1, 1, 1e-6, 2e-7, 1.7e-6, 4e-7, 6.7e-6, 1e-6, 2e-7, 1.7e-6, 4e-7, 6.7e-6" in got
    assert ":PMU:SARB:SEQ:STARTV 1, 1, 0, 0, -2.2, -2.2, 0, 0, 0, -2.4, -2.4, 0" in got
    assert ":PMU:SARB:SEQ:STOPV 1, 1, 0, -2.2, -2.2, 0, 0, 0, -2.4, -2.4, 0, 0" in got
    assert ":PMU:SARB:SEQ:MEAS:START 1, 1, 0, 0, 1.28e-6, 0, 0, 0, 0, 1.28e-6, 0, 0" in got


def test_long_arrays_go_in_pieces() -> None:
    count = 300
    levels = np.append(np.tile([0.0, 0.5], count // 2), 0.0)
    got = set_up_of(measuring(count), Waveform(np.full(count, 1e-6), levels, MEAN))
    times = [message for message in got if message.startswith(":PMU:SARB:SEQ:TIME")]
    sizes = [(message.split(" ")[0], message.count(",") - 1) for message in times if message.split(" ")[1] == "1,"]
    assert sizes == [(":PMU:SARB:SEQ:TIME", 128), (":PMU:SARB:SEQ:TIME:ADD", 128), (":PMU:SARB:SEQ:TIME:ADD", 44)]


def test_what_is_not_measured_is_not_asked_for() -> None:
    _, pulses = connect(card := ScriptedCard())
    assert list(pulses.play(replace(PULSE, measure=np.zeros(3, dtype=int)))) == []
    assert list(pulses.train(replace(TRAIN, measure=NOTHING))) == []
    assert not any(":MEAS:" in message or ":DATA:" in message or "RATE" in message for message in card.sent)
    assert card.sent.count(":PMU:EXECUTE") == 2


def test_a_load_and_ranges() -> None:
    got = set_up_of(measuring(), replace(PULSE, voltage_range=40.0, current_range=1e-4), load="10 kohm")
    assert {":PMU:LOAD 1, 10000", ":PMU:SOURCE:RANGE 2, 40", ":PMU:MEASURE:RANGE 2, 2, 0.0001"} <= set(got)
    assert not any(message.startswith(":PMU:LOAD") for message in set_up_of(measuring(), PULSE))


def test_without_rpms_nothing_is_routed() -> None:
    got = set_up_of(measuring(options="SMU1,SMU2,PMU1"), PULSE, cables="pulse")
    assert not any("RPM" in message for message in got)


def test_the_other_terminal_can_be_driven_and_a_card_be_the_second() -> None:
    card = ScriptedCard(options="SMU1,SMU2,PMU1,PMU2RPM1-2")
    card.measure(3, [0.0], [-1e-4], [1e-5])
    card.measure(4, [1.0], [1e-4], [1e-5])
    _, pulses = connect(card, pulse_terminals={"top": 3, "bottom": 4})
    final = list(pulses.play(replace(PULSE, terminal="bottom")))[-1]
    assert final["voltage"].tolist() == [1.0]
    assert ":PMU:SARB:SEQ:STARTV 4, 1, 0, 1, 1" in card.sent
    assert ":PMU:RPM:CONFIGURE PMU2-2, 0" in card.sent


# -- programs ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("count", "repeats", "plays"),
    [
        (1, 1, [(3, 1)]),
        (2, 1, [(3, 1)]),
        (2, 2, [(4, 1)]),
        (2, 7, [(4, 3), (3, 1)]),
        (5, 9, [(5, 9)]),
        (1, 2, [(3, 1)]),
    ],
)
def test_short_waveforms_are_written_out_or_rest_at_the_end(
    count: int, repeats: int, plays: list[tuple[int, int]]
) -> None:
    levels = np.zeros(count + 1)
    levels[1:-1] = 1.0
    made = segments.compile_waveform(Waveform(np.full(count, 1e-6), levels, MEAN, repeats=repeats), 2)
    assert [(len(made.sequences[place]), loops) for place, loops in made.plays] == plays
    windows = made.windows()
    assert windows.owners.tolist() == list(range(count * repeats))
    np.testing.assert_allclose(windows.starts, np.arange(count * repeats) * 1e-6, atol=1e-15)


@pytest.mark.parametrize("window", [None, [0.0, 0.5], [1.2, 1.9], [4.99999990, 4.99999999], [1e-8, 0.9]])
def test_long_segments_are_cut_without_a_trace(window: list[float] | None) -> None:
    kinds = [NOTHING, NOTHING if window is None else MEAN, NOTHING]
    windows = None if window is None else np.array([[0, 0], window, [0, 0]])
    whole = Waveform([1e-6, 5.0, 2.5], [0.0, 1.0, 2.0, 0.0], kinds, windows)
    made = segments.compile_waveform(whole, 2)
    (once,) = made.sequences
    assert once.ticks.max() <= 100_000_000
    assert once.ticks.min() >= 2
    assert once.ticks.sum() * 1e-8 == pytest.approx(whole.duration, abs=1e-12)
    corners = np.concatenate([[0.0], np.cumsum(once.ticks) * 1e-8])
    np.testing.assert_allclose(once.levels[:-1], whole.level_at(corners[:-1]), atol=1e-8)
    if window is not None:
        found = made.windows()
        np.testing.assert_allclose([found.starts[0], found.stops[0]], np.array(window) + 1e-6, atol=1e-12)
        assert found.owners.tolist() == [1]


def test_samples_of_a_long_segment_join() -> None:
    whole = Waveform([2.5, 1e-3, 1e-3], [0.0, 1.0, 1.0, 0.0], [SAMPLES, NOTHING, NOTHING])
    windows = segments.compile_waveform(whole, 2).windows()
    np.testing.assert_allclose(windows.starts[1:], windows.stops[:-1], atol=1e-12)
    assert (windows.starts[0], windows.stops[-1]) == (0.0, pytest.approx(2.5, abs=1e-12))


# -- what is refused --------------------------------------------------------------------------------------------------
def bent(durations: Any = (1e-6, 2e-5, 1e-6), levels: Any = (0.0, 1.0, 1.0, 0.0), **more: Any) -> Waveform:
    return Waveform(np.asarray(durations), np.asarray(levels), **{"measure": PULSE.measure, **more})


REFUSED_WAVEFORMS: list[tuple[Waveform, str]] = [
    (bent((1e-6, 2.0005e-5, 1e-6)), "2.0005e-05 s is not a multiple of 10 ns"),
    (bent((1e-6, 2e-5 + 2e-12, 1e-6)), "10 ns"),
    (bent((1e-8, 2e-5, 1e-6)), "segment of 10 ns is shorter than 20 ns"),
    (bent((4e-8, 2e-5, 1e-6), (0.0, 12.0, 12.0, 0.0)), "segment of 40 ns is shorter than 50 ns, the least at 40 V"),
    (bent(levels=(0.5, 1.0, 1.0, 0.0)), "start is at 500 mV"),
    (bent(levels=(0.0, 1.0, 1.0, -0.5)), "end is at -500 mV"),
    (bent(levels=(0.0, 11.0, 11.0, 0.0), voltage_range=10.0), "11 V exceeds the 10 V range"),
    (bent(levels=(0.0, 41.0, 41.0, 0.0)), "exceeds the voltage limit 40 V"),
    (bent(voltage_range=20.0), "20 V is none of the pulse card"),
    (bent(current_range=0.1), "100 mA is none of pulse channel 1 with RPM at 10 V"),
    (bent(current_range=1e-3, voltage_range=40.0), "1 mA is none of pulse channel 1 with RPM at 40 V"),
    (bent(sample_rate=150e6), "not 200e6/n"),
    (bent(sample_rate=500.0), "not 200e6/n"),
    (bent(sample_rate=1e4), "window of 20 us has no sample at 10000 samples"),
    (bent((1e-6, 1.0, 1e-6), measure=SAMPLES, sample_rate=1e5), "points"),
    (bent((1e-6, 0.9, 1e-6), measure=MEAN), "shorten the windows"),
    (bent((1e-6, 3.0, 1e-6)), "one segment of the pulse card lasts 1 s"),
    (bent((1e-6, 11.0, 1e-6), (0.0, 0.0, 0.0, 0.0), measure=NOTHING), "wait by the clock"),
    (bent((1e-6, 2e-5, 1e-6), repeats=100_000_000, measure=NOTHING), "the test takes"),
    (bent(repeats=70_000), "70000 measured segments exceed 65536"),
    (bent(np.full(2050, 1e-6), np.zeros(2051), measure=NOTHING), "2050 segments exceed 2048"),
    (bent(windows=np.array([[0, 0], [5e-9, 1e-5], [0, 0]])), "window start = 5e-09 s"),
    (bent(windows=np.array([[0, 0], [0, 1.0001e-5 + 3e-9], [0, 0]])), "window stop"),
    (bent(terminal="gate"), "'gate' is on no pulse channel"),
    (bent((2e-7, 1.0, 2e-7), (0.0, 36.0, 36.0, 0.0), repeats=11, measure=NOTHING), "slope of 180 MV/s"),
]


@pytest.mark.parametrize(("request_", "message"), REFUSED_WAVEFORMS, ids=[text for _, text in REFUSED_WAVEFORMS])
def test_a_waveform_the_card_would_refuse_or_change(request_: Waveform, message: str) -> None:
    _, pulses = connect(card := ScriptedCard())
    with pytest.raises(LimitError) as caught:
        pulses.play(request_)
    assert message in str(caught.value)
    assert card.sent == []


REFUSED_TRAINS: list[tuple[Mapping[str, Any], str]] = [
    ({"period": 5e-8, "width": 4e-8, "rise": 2e-8, "fall": 2e-8}, "don't fit"),
    ({"width": 3e-8, "rise": 2e-8, "fall": 2e-8}, "width = 30 ns is not between 40 ns"),
    ({"rise": 1e-8, "fall": 1e-8}, "rise = 10 ns is not between 20 ns"),
    ({"fall": 0.04, "width": 0.5, "period": 0.9}, "fall = 40 ms is not between 20 ns and 33 ms"),
    ({"delay": 1e-8}, "delay = 10 ns is not between 20 ns"),
    ({"period": 2.0}, "period = 2 s is not between"),
    ({"width": 1e-6, "rise": 1.2e-6, "fall": 2e-7}, "rise = 1.2 us exceeds the width"),
    ({"period": 2.012e-5}, "time between pulses = 20 ns"),
    ({"amplitudes": [15.0], "width": 2e-7}, "width = 200 ns is not between 250 ns"),
    ({"amplitudes": [8.0], "base": -4.0, "voltage_range": 10.0}, "base = -4 V: the cell would stay at it"),
    ({"rise": 3e-8, "fall": 2e-8}, "multiple of 20 ns"),
    ({"width": 2.0005e-5}, "width"),
    ({"measure": SAMPLES, "base": 0.1}, "base = 100 mV"),
    ({"amplitudes": [1.0, 4.0, 2.0], "base": 0.1}, "base = 100 mV"),
    ({"measure": SAMPLES, "count": 1000, "sample_rate": 200e6}, "points"),
    ({"measure": SAMPLES, "window": (0.0, 1e-4), "width": 2e-6}, "top"),
    ({"count": 20_000, "period": 0.1}, "the test takes"),
    ({"amplitudes": np.linspace(1, 2, 700) ** 2, "measure": MEAN}, "2800 segments exceed 2048"),
    ({"amplitudes": np.linspace(1, 2, 600) ** 2, "count": 2}, "600 sequences exceed 512"),
    ({"current_range": 0.8}, "800 mA is none of pulse channel 1"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED_TRAINS, ids=[text for _, text in REFUSED_TRAINS])
def test_a_train_the_card_would_refuse_or_change(change: Mapping[str, Any], message: str) -> None:
    _, pulses = connect(card := ScriptedCard())
    given = {**change, "amplitudes": np.asarray(change.get("amplitudes", [1.0]))}
    with pytest.raises(LimitError) as caught:
        pulses.train(replace(TRAIN, **given))
    assert message in str(caught.value)
    assert card.sent == []


def test_a_load_that_needs_more_than_the_range_is_refused() -> None:
    _, pulses = connect(card := ScriptedCard(), load=100)
    with pytest.raises(LimitError, match=r"10.5 V behind 50 ohm.* exceeds the 10 V range"):
        pulses.play(bent(levels=(0.0, 7.0, 7.0, 0.0), voltage_range=10.0))
    assert card.sent == []


def test_limits_of_the_sample_hold_for_a_short() -> None:
    _, pulses = connect(card := ScriptedCard())
    pulses.limits = pulses.limits & Limits((Limit("current", 1e-3, "A", "sample W12"),))
    with pytest.raises(LimitError, match="no compliance"):
        pulses.play(PULSE)
    assert card.sent == []
    list(pulses.play(replace(PULSE, series=1e4, measure=np.zeros(3, dtype=int))))


# -- options ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pulse_terminal": {}}, "did you mean 'pulse_terminals'"),
        ({"pulse_terminals": {"top": 0}}, "1 to 8"),
        ({"pulse_terminals": {"top": 1, "bottom": 1}}, "different channels"),
        ({"pulse_terminals": {"top": 1, "bottom": 3}}, "one card"),
        ({"pulse_terminals": {"top": "ground"}}, "pulse channels"),
        ({"pulse_terminals": {"top": 3, "bottom": 4}}, "pulse channel 3, but the instrument has 1, 2"),
        ({"pulse_library": "yes"}, "true or false"),
        ({"current_from": "both"}, "driven or held"),
        ({"current_from": "held", "pulse_terminals": {"top": 1, "bottom": "ground"}}, "two pulse channels"),
        ({"load": "0.5 ohm"}, "1 ohm"),
    ],
)
def test_wrong_options_are_refused(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        connect(ScriptedCard(), **options)


@pytest.mark.parametrize(
    ("text", "rpms"),
    [
        ("SMU1,PMU1", {}),
        ("SMU1,PMU1RPM1-2", {1: "PMU1-1", 2: "PMU1-2"}),
        ("SMU1,PMURPM", {1: "PMU1-1", 2: "PMU1-2"}),
        ('SMU1,"",PMURPM1,""', {1: "PMU1-1", 2: "PMU1-2"}),
        ("SMU1,PMU1RPM1", {1: "PMU1-1"}),
        ("SMU1,PMU1RPM2", {2: "PMU1-2"}),
        ("SMU1,PMURPM2", {3: "PMU2-1", 4: "PMU2-2"}),
        ("SMU1,PMU1RPM1,PMU2RPM1-2", {1: "PMU1-1", 3: "PMU2-1", 4: "PMU2-2"}),
    ],
)
def test_the_cards_are_found_in_every_spelling(text: str, rpms: dict[int, str]) -> None:
    card = ScriptedCard(options=text)
    wired = {"pulse_terminals": {"top": next(iter(rpms), 1)}}
    meter = DRIVER.connect(card, {"top": 1}, card.clock, wired)
    assert meter.driver.pulse.rpms == rpms
    assert len(meter.parts()) == 2


def test_without_a_card_there_is_one_part_and_no_pulse_command() -> None:
    card = ScriptedCard(options="SMU1,SMU2")
    meter = DRIVER.connect(card, {"top": 1, "bottom": 2}, card.clock, {})
    assert len(meter.parts()) == 1
    assert not any(message.startswith(":PMU:") for message in card.sent)


# -- routing ----------------------------------------------------------------------------------------------------------
def test_the_rpms_lead_to_whoever_measures_and_only_change_when_they_must() -> None:
    meter, pulses = connect(card := measuring())
    smu = meter.driver.smu1
    smu.force_voltage(0.5, 1e-5)
    assert card.sent == ["US;DV1,0,0.5,1e-5"]  # connecting has led them to the SMUs
    card.sent.clear()
    list(pulses.play(PULSE))
    assert card.sent.index("US;DV1;DV2") < card.sent.index(":PMU:RPM:CONFIGURE PMU1-1, 0")
    off = card.since(":PMU:EXECUTE")
    assert {":PMU:OUTPUT:STATE 1, 0", ":PMU:OUTPUT:STATE 2, 0"} <= set(off)
    card.sent.clear()
    smu.force_voltage(0.5, 1e-5)
    assert card.sent == [
        ":PMU:RPM:CONFIGURE PMU1-1, 2",
        ":PMU:RPM:CONFIGURE PMU1-2, 2",
        ":ERROR:LAST:GET",
        "US;DV1,0,0.5,1e-5",
    ]


def test_connecting_leads_the_rpms_to_the_smus_after_the_reset() -> None:
    card = ScriptedCard()
    DRIVER.connect(card, {"top": 1, "bottom": 2}, card.clock, {})
    assert card.sent.index("*RST") < card.sent.index(":PMU:RPM:CONFIGURE PMU1-1, 2")


def test_a_reset_and_a_lost_link_undo_the_routing() -> None:
    meter, _ = connect(card := ScriptedCard())
    for undo in (meter.driver.reset, meter.driver.reconnect):
        meter.driver.pulse.to_smu()
        undo()
        card.sent.clear()
        meter.driver.pulse.to_smu()
        assert card.sent[:2] == [":PMU:RPM:CONFIGURE PMU1-1, 2", ":PMU:RPM:CONFIGURE PMU1-2, 2"]


def test_routing_that_is_refused_is_said() -> None:
    meter, _ = connect(card := ScriptedCard())
    meter.driver.pulse.forget_routing()
    card.refused = {":PMU:RPM": -969}
    with pytest.raises(InstrumentError, match="-969"):
        meter.driver.smu1.force_voltage(0.5, 1e-5)
    assert not any("DV1," in message for message in card.sent)


# -- becoming safe ----------------------------------------------------------------------------------------------------
SAFE = [
    "SP",
    ":PMU:TEST:STATUS?",
    ":ERROR:LAST:CLEAR",
    ":PMU:OUTPUT:STATE 1, 0",
    ":PMU:OUTPUT:STATE 2, 0",
    "US;DV1;DV2",
]


@pytest.mark.parametrize("which", [0, 1])
def test_both_parts_make_everything_safe(which: int) -> None:
    parts = connect(card := ScriptedCard())
    parts[which].make_safe()
    assert card.sent == [*SAFE, ":ERROR:LAST:GET"]
    parts[which].close()


def test_a_test_that_runs_is_aborted_first() -> None:
    _, pulses = connect(card := ScriptedCard())
    card.left = 5
    pulses.make_safe()
    assert card.sent[:4] == ["SP", ":PMU:TEST:STATUS?", ":PMU:ABORT", ":PMU:TEST:STATUS?"]
    assert card.sent[4:] == [*SAFE[2:], ":ERROR:LAST:GET"]


def test_connecting_aborts_what_an_earlier_client_left_running() -> None:
    card = ScriptedCard(left=10**6)
    DRIVER.connect(card, {"top": 1, "bottom": 2}, card.clock, {})
    assert card.sent.index(":PMU:ABORT") < card.sent.index(":PMU:OUTPUT:STATE 1, 0") < card.sent.index("*RST")


def test_connecting_aborts_a_pulse_test_that_shows_as_busy() -> None:
    card = ScriptedCard(left=10**6, shows_busy=True)
    DRIVER.connect(card, {"top": 1, "bottom": 2}, card.clock, {})
    assert card.sent.index("ME4") < card.sent.index(":PMU:ABORT") < card.sent.index("EM1,0")


def test_a_card_that_does_not_stop_is_said() -> None:
    _, pulses = connect(card := ScriptedCard())
    card.fails[":PMU:TEST:STATUS?"] = "1"
    with pytest.raises(InstrumentError, match="does not stop"):
        pulses.make_safe()


def test_outputs_go_off_on_a_new_connection() -> None:
    _, pulses = connect(card := measuring())
    card.fails[":PMU:DATA:GET"] = TIMEOUT
    with pytest.raises(TransportError, match="no answer"):
        list(pulses.play(PULSE))
    assert card.reopened == 1
    assert card.sent[-5:] == [*SAFE[2:], ":ERROR:LAST:GET"]


def test_that_it_can_not_be_made_safe_is_noted() -> None:
    _, pulses = connect(card := measuring())
    card.fails = {":PMU:DATA:GET": TIMEOUT, ":PMU:OUTPUT:STATE 1, 0": TIMEOUT}
    with pytest.raises(LabctlError) as caught:
        list(pulses.play(PULSE))
    assert any("can't know whether the outputs are off" in note for note in caught.value.__notes__)


def test_a_failed_connection_tries_to_abort() -> None:
    card = ScriptedCard(left=10**6, fails={"*RST": TIMEOUT})
    with pytest.raises(LabctlError):
        DRIVER.connect(card, {"top": 1, "bottom": 2}, card.clock, {})
    assert card.sent[-4:] == [":PMU:ABORT", "SP", "US;DV1;DV2", "SP"]


def test_the_two_parts_end_each_others_tests() -> None:
    meter, pulses = connect(card := measuring(busy=100))
    running = pulses.play(PULSE)
    assert len(next(running)) == 1
    with pytest.raises(LabctlError):  # the script knows no sweeps
        list(meter.sweep(SMU_SWEEP))
    assert ":PMU:ABORT" in card.sent
    assert card.sent.index(":PMU:ABORT") < card.sent.index("MD;ME1")
    assert list(running) == []
