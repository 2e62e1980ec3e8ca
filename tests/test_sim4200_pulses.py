"""Standard pulses of the simulated 4225-PMU: worked sequences over a socket, levels, means, sweeps, load line."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from kxci_sequences import SWEEP, TRAIN
from pulse_helpers import await_end, drives, over_socket, plateaus, play, points, pulser
from sim_helpers import Resistor, Talker

from labctl.contracts import Drive, Response
from labctl.kxci.points import HIGH, LOW, SPOT_MEANS, read_points
from labctl.kxci.pulse_status import Acquired, PulseFlag, RpmPath, status_of

TIMES = ":PMU:PULSE:TIMES 1, 1e-4, 2e-5, 1e-7, 1e-7, 1e-6"


# -- worked sequences -------------------------------------------------------------------------------------------------
def test_a_pulse_train_with_its_waveform() -> None:
    replies = over_socket([text for text, _ in TRAIN], pulse_rate=50e6)
    assert replies[":PMU:DATA:COUNT? 1"] == "3300"
    first, rest = replies[":PMU:DATA:GET 1, 0, 2048"], replies[":PMU:DATA:GET 1, 2048, 2048"]
    assert (first.count(";"), rest.count(";")) == (2047, 1251)
    assert first.split(";")[0] == "0,0,0,01020021"
    found = read_points(f"{first};{rest}")
    assert found.number("T") == pytest.approx(np.arange(3300) * 20e-9, rel=1e-5, abs=1e-15)
    shape = np.interp(found.number("T"), [0, 5e-6, 50e-6, 55e-6, 66e-6], [0, 5, 5, 0, 0])
    assert found.number("V") == pytest.approx(shape, abs=1e-3)  # a step of the converter is 1.2 mV
    assert set(found.word("S").tolist()) == {0x01020021}


def test_the_documented_default_rate_gives_four_times_as_many() -> None:
    assert over_socket([text for text, _ in TRAIN])[":PMU:DATA:COUNT? 1"] == "13200"


def test_an_amplitude_sweep_with_spot_means() -> None:
    replies = over_socket([text for text, _ in SWEEP[:-2]])
    assert replies[":PMU:DATA:COUNT? 1"] == "51"
    found = read_points(replies[":PMU:DATA:GET 1"], SPOT_MEANS)
    assert len(found) == 51
    levels = np.arange(51) / 10 * (1 + 2.5 / 1e3) * 1e6 / (1e6 + 2.5)  # it was told the load has 1 kohm
    assert found.number("VH") == pytest.approx(levels, abs=1e-3)
    assert found.number("VL") == pytest.approx(np.zeros(51), abs=1e-9)
    assert found.number("TH")[1] - found.number("TH")[0] == pytest.approx(1e-5)
    assert set(found.word("SH").tolist()) == set(found.word("SL").tolist()) == {0x31010051}


def test_a_family_of_curves_is_blocks_of_the_sweep() -> None:
    talker = pulser(Resistor(1e4), channels=(1, 2))
    talker.say(*(f":PMU:PULSE:TIMES {n}, 1e-5, 5e-6, 1e-7, 1e-7" for n in (1, 2)), *(text for text, _ in SWEEP[-2:]))
    play(talker, 1, 2)
    steps, sweep = (points(talker, n, SPOT_MEANS).number("VH") for n in (1, 2))
    assert steps == pytest.approx(np.repeat([2, 2.5, 3, 3.5, 4], 26), abs=2e-3)  # 2.5 ohm at each end
    assert sweep == pytest.approx(np.tile(np.arange(26) * 0.2, 5), abs=2e-3)


# -- data -------------------------------------------------------------------------------------------------------------
def test_columns_as_asked_for() -> None:
    talker = pulser()
    talker.say(TIMES, ":PMU:PULSE:TRAIN 1, 0, 1", ":PMU:PULSE:BURST:COUNT 3")
    play(talker)
    assert talker.ask(":PMU:DATA:GET 1, 1, 1, SH, IH") == talker.ask(":PMU:DATA:GET 1, 1, 1, S, I")
    assert talker.ask(":PMU:DATA:GET 1, 1, 2, VL").count(",") == 0
    assert talker.ask(":PMU:DATA:GET 1, 2, 1, SH") == "01010051"
    assert talker.ask(":PMU:DATA:GET 1, 3, 5") == ""
    assert talker.ask(":PMU:DATA:GET 1") == talker.ask(":PMU:DATA:GET 1, 0")  # they stay
    assert talker.fails(":PMU:DATA:GET 1, 0, 1, VX") == -969
    talker.say(":PMU:MEASURE:MODE 2", ":PMU:PULSE:TRAIN 1, 0, 1")
    play(talker)
    assert talker.ask(":PMU:DATA:GET 1, 100, 1, VH, IH") == talker.ask(":PMU:DATA:GET 1, 100, 1, V, I")
    assert talker.fails(":PMU:DATA:GET 1, 0, 1, VL") == -969


@pytest.mark.parametrize(("acquired", "columns"), [("1, 0", HIGH), ("0, 1", LOW), ("1, 1", SPOT_MEANS)])
def test_only_what_is_acquired_has_columns(acquired: str, columns: Sequence[str]) -> None:
    talker = pulser()
    talker.say(TIMES, ":PMU:PULSE:TRAIN 1, -0.5, 1", f":PMU:MEASURE:PIV 1, {acquired}")
    play(talker)
    found = points(talker, columns=columns)
    for column in (name for name in columns if name.startswith("V")):
        assert found.number(column)[0] == pytest.approx(1.0 if "H" in column else -0.5, rel=1e-3)


def test_points_come_while_it_runs() -> None:
    talker = pulser(message_time=0.0)
    talker.say(":PMU:PULSE:TIMES 1, 0.1, 2e-5, 1e-7, 1e-7", ":PMU:MEASURE:PIV 1, 1, 0", ":PMU:PULSE:TRAIN 1, 0, 1")
    talker.say(":PMU:PULSE:BURST:COUNT 10", ":PMU:OUTPUT:STATE 1, 1", ":PMU:EXECUTE")
    assert talker.ask(":PMU:DATA:COUNT? 1") == "0"
    talker.clock.sleep(0.05 + 0.35)
    assert talker.ask(":PMU:DATA:COUNT? 1") == "3"
    assert talker.ask(":PMU:DATA:GET 1, 0, 2048").count(";") == 2
    await_end(talker)
    assert talker.ask(":PMU:DATA:COUNT? 1") == "10"


@pytest.mark.parametrize(("mode", "count"), [(0, 0), (1, 4 * 3), (2, 4 * 3 * 50), (3, 3), (4, 3 * 50)])
def test_how_many_points_a_mode_gives(mode: int, count: int) -> None:
    talker = pulser()
    talker.say(":PMU:PULSE:TIMES 1, 1e-4, 4e-5, 1e-6, 1e-6", ":PMU:TIMES:WAVEFORM 1, 0, 0.21951219512195122")
    talker.say(":PMU:PULSE:BURST:COUNT 4", ":PMU:SWEEP:PULSE:AMPLITUDE 1, 1, 3, 1, 0, 0", f":PMU:MEASURE:MODE {mode}")
    talker.say(":PMU:SAMPLE:RATE 1000000")
    play(talker)
    assert talker.ask(":PMU:DATA:COUNT? 1") == str(count)
    assert len(plateaus(talker, 2.0 * (1 + 2.5e-6))) == 4


# -- levels and readings ----------------------------------------------------------------------------------------------
def test_means_of_two_channels_on_a_resistor() -> None:
    talker = pulser(Resistor(1e4), channels=(1, 2))
    talker.say(TIMES, TIMES.replace("1,", "2,", 1), ":PMU:PULSE:TRAIN 1, 0, 2", ":PMU:PULSE:TRAIN 2, 0, -1")
    talker.say(":PMU:MEASURE:RANGE 2, 2, 1e-3", ":PMU:LOAD 1, 1e7", ":PMU:LOAD 2, 1e7")
    play(talker, 1, 2)
    first, second = (points(talker, n, SPOT_MEANS) for n in (1, 2))
    current = 3 * (1 + 2.5e-7) / (1e4 + 5)
    assert first.number("IH")[0] == pytest.approx(current, rel=2e-6)
    assert second.number("IH")[0] == pytest.approx(-current, rel=2e-6)
    assert first.number("VH")[0] == pytest.approx(2 * (1 + 2.5e-7) - 2.5 * current, rel=2e-6)
    assert second.number("VH")[0] == pytest.approx(-1 * (1 + 2.5e-7) + 2.5 * current, rel=2e-6)
    assert first.number("TH")[0] == pytest.approx(1.1e-6 + 0.825 * 19.9e-6, rel=1e-5)
    assert (status_of(int(second.word("SH")[0])).current_range, status_of(int(second.word("SH")[0])).channel) == (
        1e-3,
        2,
    )


def test_the_cell_gets_the_area_of_the_pulse_and_long_flats_in_one_piece() -> None:
    talker = pulser(settings={"ramp_steps": 8})
    talker.say(":PMU:PULSE:TIMES 1, 1e-2, 2e-5, 1e-7, 3e-7", ":PMU:PULSE:TRAIN 1, 0, 0.5", ":PMU:MEASURE:MODE 0")
    play(talker)
    got = drives(talker)
    assert len(got) == 8 + 1 + 8
    assert sum(level * time for level, time in got) == pytest.approx(0.5 * 2e-5, rel=1e-5)
    assert max(time for _, time in got) == pytest.approx(2e-5 - 2e-7)
    assert len(talker.device.dwells) < 8 + 8 + 40  # type: ignore[attr-defined]


def test_a_mean_follows_a_cell_that_changes_meanwhile() -> None:
    class Falling(Resistor):
        """A resistance that falls by 1 ohm each ns under voltage."""

        def advance(self, drive: Drive, duration: float) -> Response:
            if drive.voltage:
                self.resistance -= duration * 1e9
            return super().advance(drive, duration)

    talker = pulser(Falling(1e5), settings={"mean_parts": 64})
    talker.say(":PMU:PULSE:TIMES 1, 1e-4, 2e-5, 2e-8, 2e-8", ":PMU:PULSE:TRAIN 1, 0, 1", ":PMU:MEASURE:PIV 1, 1, 0")
    play(talker)
    begin, end = 0.75 * 19.98e-6, 0.9 * 19.98e-6
    wanted = np.mean(1 / (1e5 - 20 - np.linspace(begin, end, 4001) * 1e9))
    assert points(talker, columns=HIGH).number("IH")[0] == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(
    ("device", "span", "current_range", "load", "level", "volts"),
    [
        (50.0, 10, 0.2, None, 4.0, 2.0),  # D 7-11: 1 Mohm is assumed, half of it is left
        (50.0, 10, 0.2, 50.0, 4.0, 4.0),
        (5.0, 10, 0.2, None, 10.0, 10 * 5 / 55),  # PMU manual 4-19: 0.182 A
        (250.0, 40, 0.8, None, 40.0, 40 * 250 / 300),  # 33.3 V, 0.133 A
        (50.0, 10, 1e-2, None, 0.5, 0.5 * 50 / 52.5),  # an RPM's own range
    ],
)
def test_load_line(
    device: float, span: int, current_range: float, load: float | None, level: float, volts: float
) -> None:
    talker = pulser(Resistor(device))
    talker.say(f":PMU:SOURCE:RANGE 1, {span}", f":PMU:MEASURE:RANGE 1, 2, {current_range}", TIMES)
    talker.say(f":PMU:PULSE:TRAIN 1, 0, {level}", *([f":PMU:LOAD 1, {load}"] if load else []))
    play(talker)
    found = points(talker, columns=SPOT_MEANS)
    assert found.number("VH")[0] == pytest.approx(volts, rel=1e-4)
    assert found.number("IH")[0] == pytest.approx(volts / device, rel=1e-4)
    status = status_of(int(found.word("SH")[0]))
    assert status.rpm is (RpmPath.RPM if current_range == 1e-2 else RpmPath.BYPASS_PMU)
    assert (status.voltage_range, status.current_range, status.acquired) == (span, current_range, Acquired.SPOT_MEAN)


def test_load_line_correction_takes_trial_pulses_that_the_cell_gets() -> None:
    talker = pulser(Resistor(100.0))
    talker.say(":PMU:MEASURE:RANGE 1, 2, 0.2", ":PMU:PULSE:TRAIN 1, 0, 2", TIMES, ":PMU:LLEC:CONFIGURE 1, 1")
    play(talker)
    found = points(talker, columns=SPOT_MEANS)
    assert found.number("VH")[0] == pytest.approx(2.0, rel=0.01)
    assert status_of(int(found.word("SH")[0])).flags == PulseFlag.LOAD_LINE_ENABLED | PulseFlag.LOAD_LINE_OK
    assert len(plateaus(talker, 2.0)) == 1  # the first trial, not corrected yet
    assert len(plateaus(talker, 3.0)) == 2  # the second, which was right, and the pulse itself
    assert talker.ask(":PMU:DATA:COUNT? 1") == "1"


def test_load_line_correction_that_fails_says_so() -> None:
    talker = pulser(Resistor(10.0), settings={"llec_iterations": 3})
    talker.say(":PMU:MEASURE:RANGE 1, 2, 0.2", ":PMU:PULSE:TRAIN 1, 0, 5", TIMES, ":PMU:LLEC:CONFIGURE 1, 1")
    play(talker)
    found = points(talker, columns=SPOT_MEANS)
    assert status_of(int(found.word("SH")[0])).load_line_failed
    assert len(plateaus(talker, 5.0)) + len(plateaus(talker, 10.0)) == 4
    assert found.number("VH")[0] == pytest.approx(10 / 6, rel=1e-5)


@pytest.mark.parametrize(("kind", "span", "bursts"), [("0", 1e-6, 2), ("1, 1e-5", 1e-5, 1), ("2, 1e-3", 1e-3, 1)])
def test_automatic_ranges_repeat_the_burst(kind: str, span: float, bursts: int) -> None:
    talker = pulser(Resistor(1e6))
    talker.say(f":PMU:MEASURE:RANGE 1, {kind}", ":PMU:PULSE:TRAIN 1, 0, 0.5", TIMES, ":PMU:PULSE:BURST:COUNT 3")
    play(talker)
    found = points(talker, columns=SPOT_MEANS)
    assert [status_of(word).current_range for word in found.word("SH").tolist()] == [span] * 3
    assert len(plateaus(talker, 0.5)) == 3 * bursts


def test_sweeps_and_ways_back() -> None:
    def tops(command: str, **settings: Any) -> list[float]:
        talker = pulser(settings=settings)
        talker.say(TIMES, command)
        play(talker)
        found = points(talker, columns=SPOT_MEANS)
        return [round(float(v), 2) for pair in zip(found.number("VL"), found.number("VH"), strict=True) for v in pair]

    assert tops(":PMU:SWEEP:PULSE:AMPLITUDE 1, 1, 2, 0.5, 0, 1") == [0, 1, 0, 1.5, 0, 2, 0, 1.5, 0, 1]
    assert tops(":PMU:SWEEP:PULSE:AMPLITUDE 1, 1, 2, 0.5, 0, 1", dual_points="2n")[4:8] == [0, 2, 0, 2]
    assert tops(":PMU:SWEEP:PULSE:BASE 1, 1, -1, 1, 2, 0") == [1, 2, 0, 2, -1, 2]
    assert tops(":PMU:SWEEP:DC 1, 0, -2, -1, 0") == [0, 0, -1, -1, -2, -2]


def test_an_average_is_of_the_whole_burst() -> None:
    class Alternating(Resistor):
        """Twice the resistance in every other pulse: it changes at rest."""

        def advance(self, drive: Drive, duration: float) -> Response:
            if not drive.voltage and duration > 5e-5:
                self.resistance = 3e4 - self.resistance
            return super().advance(drive, duration)

    talker = pulser(Alternating(1e4))
    talker.say(":PMU:PULSE:TIMES 1, 1e-4, 1e-5, 1e-7, 1e-7", ":PMU:PULSE:TRAIN 1, 0, 1", ":PMU:PULSE:BURST:COUNT 4")
    talker.say(":PMU:MEASURE:MODE 3", ":PMU:MEASURE:PIV 1, 1, 0")
    play(talker)
    assert points(talker, columns=HIGH).number("IH") == pytest.approx([0.75e-4], rel=1e-3)


def test_a_channel_that_is_not_on_floats() -> None:
    talker = pulser(channels=(1, 2))
    talker.say(":PMU:PULSE:TRAIN 1, 0, 2", TIMES)
    play(talker, 1)
    found = points(talker, columns=SPOT_MEANS)
    assert found.number("VH")[0] == pytest.approx(2.0, rel=1e-5)
    assert found.number("IH")[0] == 0.0
    assert drives(talker) == []
    assert talker.ask(":PMU:DATA:COUNT? 2") == "0"


def test_after_a_test_an_output_stays_where_it_was_until_it_is_switched_off() -> None:
    for choice, level in (("last", 0.3), ("zero", 0.0)):
        talker: Talker = pulser(settings={"pulse_rests": choice})
        talker.say(":PMU:PULSE:TRAIN 1, 0.3, 1", TIMES)
        play(talker)
        assert talker.instrument.pulse_outputs == (1,)
        talker.clock.sleep(5.0)
        talker.say(":PMU:OUTPUT:STATE 1, 0")
        assert talker.instrument.pulse_outputs == ()
        assert talker.instrument.truth[-1].drive == pytest.approx(level, rel=1e-4)
        assert talker.instrument.truth[-1].duration > 5.0
