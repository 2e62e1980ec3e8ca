"""Every error the simulated pulse card's set-ups can provoke, −947 … −969; and what a refused set-up leaves undone."""

from __future__ import annotations

from typing import Any

import pytest
from pulse_helpers import arrays, await_end, drives, play, pulse, pulser, refuses
from sim_helpers import Resistor, Talker

LIST = ":PMU:SARB:WFM:SEQ:LIST 1, 1, 1"
SWEEP = ":PMU:SWEEP:PULSE:AMPLITUDE {}, 0, 1, {}, 0, 0"
TRAIN = ":PMU:PULSE:TRAIN 1, 0, 1"


def plain(*values: float, sequence: int = 1, time: float = 1e-6, **more: list[float]) -> list[str]:
    """A sequence through these levels."""
    start, stop = list(values[:-1]), list(values[1:])
    return arrays(1, sequence, time=[time] * len(start), start=start, stop=stop, **more)


# -- at :PMU:EXECUTE, standard pulses -----------------------------------------------------------------------------------
STANDARD = {
    "unequal sweeps": (-948, [SWEEP.format(1, 0.1), SWEEP.format(2, 0.2)], (1, 2)),
    "a sweep of too many points": (-949, [SWEEP.format(1, 1e-5)], (1,)),
    "too many pulses": (-949, [SWEEP.format(1, 0.1), ":PMU:PULSE:BURST:COUNT 6000"], (1,)),
    "long and short windows": (-952, [TRAIN, ":PMU:PULSE:TIMES 1, 1, 50e-9, 20e-9, 20e-9"], (1,)),
    "a waveform of too many s": (
        -952, [SWEEP.format(1, 0.02), ":PMU:PULSE:TIMES 1, 1, 0.9, 0.01, 0.01", ":PMU:PULSE:BURST:COUNT 2",
               ":PMU:MEASURE:MODE 2"], (1,)),
    "steps without a sweep": (-953, [":PMU:STEP:PULSE:AMPLITUDE 1, 0, 1, 0.1, 0"], (1,)),
    "more than the range for the load": (-964, [":PMU:PULSE:TRAIN 1, 0, 9", ":PMU:LOAD 1, 10"], (1,)),
    "more than the range": (-964, [":PMU:PULSE:TRAIN 1, 5, 11"], (1,)),
    "steps of the base in a waveform": (
        -965, [SWEEP.format(2, 0.1), ":PMU:STEP:PULSE:BASE 1, 0, 1, 0.1, 2", ":PMU:MEASURE:MODE 2"], (1, 2)),
    "nothing to play": (-967, [], (1,)),
    "no output": (-967, [TRAIN, ":PMU:OUTPUT:STATE 1, 0"], ()),
    "a span beyond the range": (-967, [":PMU:PULSE:TRAIN 1, -6, 6"], (1,)),
    "no such current range": (-967, [TRAIN, ":PMU:MEASURE:RANGE 1, 2, 0.8"], (1,)),
    "a current range between two": (-967, [TRAIN, ":PMU:MEASURE:RANGE 1, 2, 5e-3"], (1,)),
    "an empty window": (-967, [TRAIN, ":PMU:TIMES:PIV 1, 0.5, 0.5"], (1,)),
}  # fmt: skip


@pytest.mark.parametrize("case", STANDARD)
def test_standard_pulses_that_cannot_be(case: str) -> None:
    code, messages, channels = STANDARD[case]
    talker = pulser(channels=(1, 2))
    talker.say(*messages)
    if channels:
        assert refuses(talker, *channels) == code
    else:
        assert talker.fails(":PMU:EXECUTE") == code
    assert talker.instrument.pulse_outputs == ()
    talker.clock.sleep(1.0)
    talker.ask("SP")
    assert drives(talker) == []


@pytest.mark.parametrize(
    "times",
    [
        "50e-9, 20e-9, 20e-9, 20e-9", "1e-6, 30e-9, 20e-9, 20e-9", "1e-6, 1e-6, 1e-7, 1e-7", "1e-6, 5e-7, 15e-9, 1e-7",
        "1e-6, 5e-7, 1e-7, 15e-9", "1e-6, 5e-7, 1e-7, 1e-7, 10e-9", "1e-6, 1e-7, 1e-7, 1.2e-7", "1e-6, 5e-7, 1e-7, 1e-7, 4e-7",
        "1e-6, 8e-7, 1.6e-7, 1.6e-7", "1e-6, 1e-7, 1.1e-7, 2e-8",
    ],
)  # fmt: skip
def test_times_that_do_not_fit(times: str) -> None:
    talker = pulser()
    talker.say(TRAIN, f":PMU:PULSE:TIMES 1, {times}")
    assert refuses(talker) == -967


@pytest.mark.parametrize("times", ["4e-7, 2.5e-7, 5e-8, 5e-8", "1e-6, 2e-7, 5e-8, 5e-8", "1e-6, 5e-7, 4e-8, 5e-8"])
def test_the_40_v_range_is_slower(times: str) -> None:
    talker = pulser()
    talker.say(TRAIN, f":PMU:PULSE:TIMES 1, {times}", ":PMU:MEASURE:MODE 0")
    play(talker)
    talker.say(":PMU:SOURCE:RANGE 1, 40", TRAIN)
    assert refuses(talker) == -967


def test_the_period_last_sent_is_that_of_all_channels() -> None:
    talker = pulser(channels=(1, 2))
    talker.say(TRAIN, TRAIN.replace("1", "2", 1), ":PMU:PULSE:TIMES 1, 1e-5, 5e-6, 1e-7, 1e-7")
    talker.say(":PMU:PULSE:TIMES 2, 1e-6, 5e-7, 1e-7, 1e-7")
    assert refuses(talker, 1, 2) == -967  # 5 us do not fit into 1 us


def test_acquiring_neither_top_nor_base_is_an_error_and_measures_both() -> None:
    talker = pulser()
    talker.say(TRAIN, ":PMU:MEASURE:PIV 1, 0, 0", ":PMU:OUTPUT:STATE 1, 1")
    assert talker.fails(":PMU:EXECUTE") == -947
    await_end(talker)
    assert talker.ask(":PMU:DATA:GET 1").count(",") == 7


# -- at :PMU:EXECUTE, Segment Arb -----------------------------------------------------------------------------------------
ZIGZAG = [0.0, *[1.0, 0.0] * 1025]
SEGMENTS = {
    "a window too long for the shortest": (
        -951, [*plain(0, 1, 1, 0, time=1, kind=[2, 2, 2], end=[1, 1e-6, 1]), LIST]),
    "too many segments": (-954, [*plain(*ZIGZAG), LIST]),
    "too many segments in all": (-954, [*plain(*ZIGZAG[:1025]), *plain(*ZIGZAG[:1027], sequence=2), LIST]),
    "an open relay on an RPM range": (-955, [*plain(0, 1, 1, 0, relay=[1, 0, 1]), LIST]),
    "a jump": (-956, [*arrays(1, 1, time=[1e-6] * 3, start=[0, 1, 1], stop=[1, 0.5, 0]), LIST]),
    "a jump between sequences": (-956, [*plain(0, 1, 1, 1), *plain(0, 1, 1, 0, sequence=2), f"{LIST}, 2, 1"]),
    "a jump from loop to loop": (-956, [*plain(0, 1, 1, 1), ":PMU:SARB:WFM:SEQ:LIST 1, 1, 2"]),
    "a window without length": (-957, [*plain(0, 1, 1, 0, kind=[0, 1, 0], begin=[0, 0, 0], end=[0, 0, 0]), LIST]),
    "two segments": (-958, [*plain(0, 1, 0), LIST]),
    "a ramp too slow": (-959, [*plain(0, 5e-4, 5e-4, 0, time=1), LIST]),
    "a list too long": (-960, [*plain(0, 1, 1, 0), LIST + ", 1, 1" * 511, ":PMU:SARB:WFM:SEQ:LIST:ADD 1, 1, 1"]),
    "an unknown sequence": (-961, [*plain(0, 1, 1, 0), ":PMU:SARB:WFM:SEQ:LIST 1, 2, 1"]),
    "no list": (-961, plain(0, 1, 1, 0)),
    "arrays of different lengths": (-962, [*plain(0, 1, 1, 0), ":PMU:SARB:SEQ:SSR 1, 1, 1, 1", LIST]),
    "no stop levels": (-962, [*arrays(1, 1, time=[1e-6] * 3, start=[0, 1, 1]), LIST]),
    "a time off the grid": (-962, [*plain(0, 1, 1, 0, time=1.004e-6), LIST]),
    "a time too short": (-962, [*plain(0, 1, 1, 0, time=1e-8), LIST]),
    "a window beyond its segment": (-962, [*plain(0, 1, 1, 0, kind=[0, 1, 0], end=[0, 2e-6, 0]), LIST]),
    "a window backwards": (-962, [*plain(0, 1, 1, 0, kind=[0, 1, 0], begin=[0, 8e-7, 0], end=[0, 5e-7, 0]), LIST]),
    "too many means": (-963, [*plain(0, 1, 1, 0, kind=[0, 1, 0]), ":PMU:SARB:WFM:SEQ:LIST 1, 1, 65537"]),
    "means and samples together": (
        -963, [*plain(0, 1, 1, 0, kind=[1, 0, 2]), ":PMU:SARB:WFM:SEQ:LIST 1, 1, 40000"]),
    "more than the range": (-964, [*plain(0, 11, 11, 0), LIST]),
    "automatic ranges": (-967, [*plain(0, 1, 1, 0), LIST, ":PMU:MEASURE:RANGE 1, 0"]),
}  # fmt: skip


@pytest.mark.parametrize("case", SEGMENTS)
def test_segments_that_cannot_be(case: str) -> None:
    code, messages = SEGMENTS[case]
    talker = pulser(mode=1, settings={"rate_limit": "waveform"} if case == "means and samples together" else {})
    talker.say(*messages)
    assert refuses(talker) == code
    assert talker.instrument.pulse_outputs == ()


def test_the_channels_of_a_card_share_their_times() -> None:
    talker = pulser(mode=1, channels=(1, 2))
    talker.say(
        *pulse(1), *pulse(2), LIST, LIST.replace("1", "2", 1), ":PMU:SARB:SEQ:TIME 2, 1, 1e-5, 1e-7, 2e-5, 2e-7, 1e-5"
    )
    assert refuses(talker, 1, 2) == -962
    talker.say(*pulse(2), LIST.replace("1", "2", 1).replace("1, 1", "1, 2"))
    assert refuses(talker, 1, 2) == -962


# -- at once --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("mode", "message", "code"),
    [
        (0, ":PMU:SARB:SEQ:TIME 1, 1, 1e-6", -965), (0, LIST, -965), (1, TRAIN, -965), (1, ":PMU:MEASURE:MODE 1", -965),
        (1, ":PMU:PULSE:BURST:COUNT 2", -965), (1, ":PMU:LLEC:CONFIGURE 1, 1", -965), (1, ":PMU:TIMES:PIV 1, 0, 1", -965),
        (0, ":PMU:LOAD 1, 0.5", -969), (0, ":PMU:LOAD 1", -969), (0, ":PMU:SOURCE:RANGE 1, 20", -969),
        (0, ":PMU:SWEEP:DC 1, 0, 1, 0, 0", -969), (1, ":PMU:SARB:SEQ:TIME 1, 513, 1e-6", -969), (0, ":PMU:LOAD 3, 50", -978),
        (0, ":PMU:DATA:COUNT? 3", -978), (0, ":PMU:OUTPUT:STATE 3, 0", -978), (0, ":PMU:NONSENSE 1", -992),
    ],
)  # fmt: skip
def test_commands_that_are_refused_at_once(mode: int, message: str, code: int) -> None:
    assert pulser(mode=mode).fails(message) == code


def test_a_hot_card() -> None:
    talker = pulser(settings={"pulse_overheated": True})
    talker.say(TRAIN)
    assert refuses(talker) == -968


def test_an_abort_is_reported() -> None:
    talker = pulser()
    talker.say(TRAIN, ":PMU:OUTPUT:STATE 1, 1", ":PMU:EXECUTE")
    assert talker.fails(":PMU:ABORT") == -966
    talker.say(":PMU:ABORT")  # nothing runs any more


@pytest.mark.parametrize(("span", "code"), [(10, None), (40, -950)])
def test_the_chassis_feeds_only_so_much(span: int, code: int | None) -> None:
    options: dict[str, Any] = {"options": "SMU1,SMU2,PMU1RPM1-2,PMU2RPM1-2,PMU3RPM1-2,PMU4"}
    talker = Talker(Resistor(), settings=options)
    talker.say(":PMU:INIT 0", ":PMU:PULSE:TIMES 1, 1e-5, 5e-6, 1e-7, 1e-7")
    for n in range(1, 9):
        talker.say(f":PMU:SOURCE:RANGE {n}, {span}", f":PMU:PULSE:TIMES {n}, 1e-5, 5e-6, 1e-7, 1e-7")
        talker.say(f":PMU:PULSE:TRAIN {n}, 0, 1")
    if code:
        assert refuses(talker, *range(1, 9)) == code
    else:
        play(talker, *range(1, 9))
        assert talker.ask(":PMU:DATA:COUNT? 8") == "1"
