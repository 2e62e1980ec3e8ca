"""Segment Arb of the simulated 4225-PMU: the worked sequence over a socket, windows, loops, relays, a cell that switches."""

import numpy as np
import pytest
from ecm_cells import pristine
from kxci_sequences import SEGMENTS
from pulse_helpers import EXACT, arb, arrays, await_end, drives, over_socket, plateaus, play, points, pulse, pulser
from sim_helpers import Resistor

from labctl.contracts import Drive
from labctl.kxci.pulse_status import Acquired, status_of

#: open-circuit voltage over the programmed one: both channels correct for 2.5 ohm before 1 Mohm
OPEN = 1 + 2.5e-6


# -- worked sequences -------------------------------------------------------------------------------------------------
def test_several_sequences_on_two_channels() -> None:
    lines = [text for text, _ in SEGMENTS[:25]]
    at = next(n for n, line in enumerate(lines) if "LIST" in line)
    held = [line.replace(" 1, ", " 2, ", 1) for line in lines[:at] if ":SARB:" in line]
    flat = [_zeroed(line) if "STARTV" in line or "STOPV" in line else line for line in held]
    replies = over_socket([*lines[:at], *flat, *lines[at:]])
    # 3 x 41 segments of 10 us, 6 x 2 of 10 us: at most 65536 samples, so the next slower of the rates 200e6/n
    rate = 200e6 / 5
    expected = (3 * 41 + 6 * 2) * round(1e-5 * rate)
    assert replies[":PMU:DATA:COUNT? 2"] == str(expected)
    block = replies[":PMU:DATA:GET 2, 0, 2048"]
    assert block.count(";") == 2047
    assert block.split(";")[0] == "0,0,0,01020042"
    assert {point.count(",") for point in block.split(";")} == {3}


def _zeroed(line: str) -> str:
    head, sep, values = line.partition(", ")
    first, *rest = values.split(", ")
    return f"{head}{sep}{first}, " + ", ".join("0" for _ in rest)


def test_one_sequence_with_two_spot_means() -> None:
    talker = pulser(Resistor(1e3), mode=1)
    talker.say(":PMU:MEASURE:RANGE 1, 2, 0.2", *(text for text, _ in SEGMENTS[-7:]))
    play(talker)
    found = points(talker)
    assert len(found) == 2
    assert found.number("V") == pytest.approx(np.array([1.0, 1.5]) * 1e3 / 1050 * (1 + 5e-5), rel=1e-5)
    assert found.number("I") == pytest.approx(found.number("V") / 1e3, rel=1e-5)
    assert found.number("T") == pytest.approx([100e-9, 245e-9])
    assert set(found.word("S").tolist()) == {0x02010061}


# -- windows, loops, times --------------------------------------------------------------------------------------------
def test_samples_of_ramps_and_plateaus_lie_on_the_waveform() -> None:
    times, levels = [5e-6, 2e-6, 1e-6, 3e-6], [0.0, 1.0, 1.0, -0.5, 0.0]
    talker = arb(
        *arrays(1, 1, time=times, start=levels[:-1], stop=levels[1:], kind=[2.0] * 4), ":PMU:SAMPLE:RATE 20000000"
    )
    play(talker)
    found = points(talker)
    assert len(found) == 11e-6 * 20e6
    where = found.number("T")
    assert where == pytest.approx(np.arange(220) * 50e-9, rel=1e-5, abs=1e-15)
    programmed = np.interp(where, np.cumsum([0.0, *times]), levels)
    across = programmed * OPEN * 1e4 / (1e4 + 2.5)
    assert found.number("V") == pytest.approx(across, rel=1e-5, abs=2e-6)
    assert found.number("I") == pytest.approx(across / 1e4, rel=1e-5, abs=2e-10)
    assert {status_of(word).acquired for word in found.word("S").tolist()} == {Acquired.WAVEFORM}


def test_windows_loops_and_the_tail() -> None:
    talker = arb(*pulse(begin=[0, 0, 5e-6, 0, 0], end=[1e-5, 1e-7, 1.5e-5, 1e-7, 1e-5]), plays="1, 3", message_time=0.0)
    play(talker)
    found = points(talker)
    assert found.number("T") == pytest.approx([20.1e-6, 60.3e-6, 100.5e-6])
    assert found.number("I") == pytest.approx([OPEN / (1e4 + 2.5)] * 3, rel=1e-5)
    assert plateaus(talker, 1.0) == pytest.approx([2e-5] * 3)
    tail = arb(*arrays(1, 1, time=[1e-6] * 3, start=[0, 1, 1], stop=[1, 1, 1]))
    play(tail)
    assert sum(plateaus(tail, 1.0)) == pytest.approx(2.01e-6, rel=1e-6)  # 10 ns more than programmed


def test_arrays_go_on_and_are_replaced() -> None:
    talker = arb(
        *arrays(1, 1, time=[1e-6] * 5, start=[0, 1, 1, 0, 0]),
        ":PMU:SARB:SEQ:STOPV 1, 1, 7, 7",
        ":PMU:SARB:SEQ:STOPV 1, 1, 1, 1",
        ":PMU:SARB:SEQ:STOPV:ADD 1, 1, 0, 0, 0",
    )
    talker.say(":PMU:SARB:WFM:SEQ:LIST:ADD 1, 1, 2")
    play(talker)
    assert len(plateaus(talker, 1.0)) == 3


def test_many_segments_in_several_messages() -> None:
    levels = [0.0, *[0.5, -0.5] * 400, 0.0]
    talker = arb(*arrays(1, 1, time=[1e-6] * 801, start=levels[:-1], stop=levels[1:], kind=[0.0, *[1.0] * 800]))
    play(talker)
    assert len(points(talker)) == 800


@pytest.mark.parametrize(("choice", "count"), [("discrete", 4), ("loops", 1)])
def test_what_averages_do_over_loops_is_a_setting(choice: str, count: int) -> None:
    device = Resistor(1e4)
    talker = arb(*pulse(kind=[0, 0, 3, 0, 0]), plays="1, 4", device=device, settings={"segment_average": choice})
    play(talker)
    assert points(talker).number("I") == pytest.approx([OPEN / (1e4 + 2.5)] * count, rel=1e-5)
    waves = arb(
        *pulse(kind=[0, 0, 4, 0, 0]), ":PMU:SAMPLE:RATE 1000000", plays="1, 4", settings={"segment_average": choice}
    )
    play(waves)
    assert len(points(waves)) == 20 * count


def test_an_open_relay_leaves_the_cell_alone() -> None:
    talker = arb(":PMU:MEASURE:RANGE 1, 2, 0.2", *pulse(relay=[1, 1, 0, 1, 1], trigger=[1, 0, 1, 0, 1]))
    play(talker)
    assert plateaus(talker, 1.0) == []
    assert len(drives(talker)) == 2 * 10  # the edges alone: 0.1 V between two steps
    assert points(talker).number("I").tolist() == [0.0]


def test_both_channels_act_on_the_cell_together() -> None:
    talker = pulser(Resistor(1e4), mode=1, channels=(1, 2))
    for channel, top in ((1, 1.0), (2, -0.5)):
        talker.say(*pulse(channel, top), f":PMU:SARB:WFM:SEQ:LIST {channel}, 1, 1")
    play(talker, 1, 2)
    assert len(plateaus(talker, 1.5)) == 1
    first, second = points(talker, 1), points(talker, 2)
    assert first.number("I") == pytest.approx(-second.number("I"))
    assert first.number("V") - second.number("V") == pytest.approx(first.number("I") * 1e4, rel=1e-5)


def test_points_come_segment_by_segment() -> None:
    talker = arb(*arrays(1, 1, time=[0.1] * 4, start=[0, 1, 2, 1], stop=[1, 2, 1, 0], kind=[1] * 4), message_time=0.0)
    talker.say(":PMU:OUTPUT:STATE 1, 1", ":PMU:EXECUTE")
    talker.clock.sleep(0.05 + 0.25)
    assert talker.ask(":PMU:DATA:COUNT? 1") == "2"
    await_end(talker)
    assert talker.ask(":PMU:DATA:COUNT? 1") == "4"


@pytest.mark.parametrize(
    ("wanted", "rate"), [(200_000_000, 200e6), (30_000_000, 200e6 / 6), (66_666_667, 100e6), (1000, 5e4)]
)
def test_the_rate_is_the_next_higher_and_at_least_one_sample_a_window(wanted: int, rate: float) -> None:
    talker = arb(*pulse(kind=[0, 0, 2, 0, 0]), f":PMU:SAMPLE:RATE {wanted}")
    play(talker)
    found = points(talker)
    assert len(found) == int(2e-5 * rate + 1e-6)
    if len(found) > 1:
        assert found.number("T")[1] - found.number("T")[0] == pytest.approx(1 / rate, rel=1e-3)


def test_a_full_buffer_of_samples() -> None:
    talker = arb(*arrays(1, 1, time=[1e-3] * 3, start=[0, 1, 1], stop=[1, 1, 0], kind=[2] * 3))
    play(talker)
    found = points(talker)
    assert 65_536 * 0.85 < len(found) <= 65_536
    assert found.number("V").max() == pytest.approx(1.0, rel=1e-3)


# -- a cell that moves ------------------------------------------------------------------------------------------------
def test_a_pulse_moves_a_synapse_as_the_same_dwells_do() -> None:
    device, twin = pristine("synapse"), pristine("synapse")
    for cell in (device, twin):
        cell.set_formed()
    before = device.state()["memory.gap"]
    talker = pulser(device, mode=1, channels=(1, 2), message_time=0.0)
    for channel, top in ((1, 2.1), (2, 0.0)):
        talker.say(*pulse(channel, top, kind=[0] * 5), f":PMU:SARB:WFM:SEQ:LIST {channel}, 1, 1")
    play(talker, 1, 2)
    source = 2.1 * OPEN
    twin.advance(Drive(0.0, resistance=5.0), 1e-5)
    _ramp(twin, 0.0, source)
    twin.advance(Drive(source, resistance=5.0), 2e-5)
    _ramp(twin, source, 0.0)
    assert max(dwell.duration for dwell in talker.instrument.truth if dwell.drive) == pytest.approx(2e-5)
    moved = device.state()
    for name, value in twin.state().items():
        if name.startswith("memory"):  # the selector forgets while the test's end is waited for
            assert moved[name] == pytest.approx(value, rel=0.02), name
    assert moved["memory.gap"] < 0.95 * before


def _ramp(cell: object, start: float, stop: float, steps: int = 200) -> None:
    for k in range(steps):
        level = start + (stop - start) * (k + 0.5) / steps
        cell.advance(Drive(level, resistance=5.0), 1e-7 / steps)  # type: ignore[attr-defined]


def test_repeated_pulses_write_more() -> None:
    def memory(pulses: int) -> float:
        device = pristine("synapse")
        device.set_formed()
        talker = arb(*pulse(top=2.1, kind=[0] * 5), plays=f"1, {pulses}", device=device, settings=EXACT)
        play(talker)
        assert len(plateaus(talker, 2.1)) == pulses
        return float(device.state()["memory.gap"])

    gaps = [memory(count) for count in (1, 5, 20)]
    assert gaps[0] > gaps[1] > gaps[2]
