"""The meters of the simulated 4225-PMU: ranges, settling, noise, compensation, interlock."""

from typing import Any

import numpy as np
import pytest
from pulse_helpers import drives, play, points, pulser
from sim_helpers import Resistor

from labctl.kxci.points import SPOT_MEANS
from labctl.kxci.pulse_status import PulseFlag, status_of

TIMES = ":PMU:PULSE:TIMES 1, 1e-4, 2e-5, 1e-7, 1e-7, 1e-6"


def test_beyond_a_range_the_reading_stays_and_the_word_says_so() -> None:
    talker = pulser(Resistor(1e4))
    talker.say(":PMU:MEASURE:RANGE 1, 2, 1e-5", ":PMU:PULSE:TRAIN 1, 0, -2", TIMES)
    play(talker)
    found = points(talker, columns=SPOT_MEANS)
    assert found.number("IH")[0] == pytest.approx(-1.05e-5)
    assert status_of(int(found.word("SH")[0])).flags == PulseFlag.CURRENT_UNDERFLOW
    assert status_of(int(found.word("SL")[0])).flags == PulseFlag(0)


def test_a_small_range_settles_slowly() -> None:
    def early(settling: float) -> float:
        talker = pulser(Resistor(1e6), settings={"pulse_settling": settling})
        talker.say(":PMU:MEASURE:RANGE 1, 2, 1e-6", ":PMU:PULSE:TIMES 1, 1e-4, 1e-5, 1e-7, 1e-7")
        talker.say(":PMU:PULSE:TRAIN 1, 0, 1")
        play(talker)
        return float(points(talker, columns=SPOT_MEANS).number("IH")[0])

    assert early(0.0) == pytest.approx(1e-6, rel=1e-4)
    tau = 15e-6 / np.log(200)  # 15 us to 0.5 %
    window = np.linspace(0.75, 0.9, 2001) * 9.9e-6 + 5e-8
    assert early(1.0) == pytest.approx(1e-6 * np.mean(1 - np.exp(-window / tau)), rel=2e-3)


def test_noise_and_errors_come_from_the_seed_and_average_out() -> None:
    def currents(seed: int | None, **settings: float) -> list[float]:
        talker = pulser(Resistor(1e4), seed=seed, settings={"quantisation": True, **settings})
        talker.say(":PMU:MEASURE:RANGE 1, 2, 1e-3", ":PMU:PULSE:TRAIN 1, 0, 1", TIMES, ":PMU:PULSE:BURST:COUNT 50")
        play(talker)
        return points(talker, columns=SPOT_MEANS).number("IH").tolist()

    assert currents(3) == currents(3) != currents(4)
    assert len(set(currents(None))) == len(set(currents(3, noise=0.0))) == 1
    noisy = np.array(currents(3, offset=0.0))
    assert 0 < noisy.std() < 300e-9 / 10  # some 600 samples each
    assert abs(noisy.mean() - 1e-4) < 2e-8 < abs(currents(3, noise=0.0)[0] - 1e-4)


def test_offset_compensation_takes_the_offset_away_and_short_compensation_the_cables() -> None:
    def reading(*compensation: str, ohm: float = 1e12, **choices: Any) -> tuple[float, float]:
        talker = pulser(Resistor(ohm), settings=choices, seed=3)
        talker.say(*compensation, ":PMU:PULSE:TRAIN 1, 0, 1", TIMES)
        play(talker)
        found = points(talker, columns=SPOT_MEANS)
        return float(found.number("VH")[0]), float(found.number("IL")[0])

    measured = (":PMU:MEASURE:CONNECTION:COMP 1, 3", ":PMU:CONNECTION:COMP 1, 3, 1")
    assert reading(noise=0.0)[1] == reading(measured[1], noise=0.0)[1] != 0.0
    assert abs(reading(*measured, noise=0.0)[1]) < 1e-14  # what the source's own offset drives through the cell is left
    short = (":PMU:MEASURE:CONNECTION:COMP 1, 1", ":PMU:CONNECTION:COMP 1, 1, 1")
    cables = {"series_resistance": 20.0, "noise": 0.0, "offset": 0.0}
    assert reading(ohm=1e3, **cables)[0] - reading(*short, ohm=1e3, **cables)[0] == pytest.approx(1e-2, rel=0.05)


def test_an_open_interlock_reads_zero_and_energises_nothing() -> None:
    talker = pulser(settings={"interlock_closed": False})
    talker.say(":PMU:PULSE:TRAIN 1, 0, 2", TIMES)
    play(talker)
    assert points(talker, columns=SPOT_MEANS).values.tolist()[0][:2] == [0.0, 0.0]
    assert drives(talker) == []
