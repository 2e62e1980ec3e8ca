"""The pulse card's driver and the points it gets: pages, counts, rows and their flags, live rows, errors and stopping."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pulse_bench import TIMEOUT, ScriptedCard, connect

from labctl import plugins
from labctl.contracts import PULSE_COLUMNS, Block, Measure, PulseTrain, Status, Waveform
from labctl.errors import InstrumentError, LimitError, RemoteProtocolError

fetching = plugins.module("instruments", "keithley4200", "pulse_fetch")
statuses = plugins.module("instruments", "keithley4200", "pulse_status")
programs = plugins.module("instruments", "keithley4200", "pulse_program")
rules = plugins.module("instruments", "keithley4200", "pulse_rules")
segments = plugins.module("instruments", "keithley4200", "segments")

MEAN, SAMPLES, NOTHING = Measure.MEAN, Measure.SAMPLES, Measure.NOTHING
EDGED = Waveform([1e-6, 2e-5, 1e-6], [0.0, 1.0, 1.0, 0.0], [NOTHING, MEAN, NOTHING])
SAMPLED = replace(EDGED, measure=np.full(3, SAMPLES), sample_rate=1e6)
TRAIN = PulseTrain([1.0, 2.0], width=2e-5, period=1e-4, count=2)


def play(card: ScriptedCard, request: Waveform | PulseTrain, **options: Any) -> list[Block]:
    _, pulses = connect(card, **options)
    return list(pulses.play(request) if isinstance(request, Waveform) else pulses.train(request))


# -- rows -------------------------------------------------------------------------------------------------------------
def test_means_of_a_waveform_have_the_time_of_their_windows() -> None:
    card = ScriptedCard()
    card.ohmic([1.0, 1.01, 1.02], [0.0, 0.0, 0.0])  # whatever the instrument's time column says
    final = play(card, replace(EDGED, repeats=3))[-1]
    np.testing.assert_allclose(final["time"], [11e-6, 33e-6, 55e-6], atol=1e-15)
    assert final["segment"].tolist() == [1, 4, 7]
    np.testing.assert_allclose(final["level"], 1.0)
    np.testing.assert_allclose(final["voltage"], [1.0, 1.01, 1.02])
    np.testing.assert_allclose(final["current"], [1e-4, 1.01e-4, 1.02e-4])
    assert final["status"].tolist() == [0, 0, 0]
    assert {name: final[name].dtype for name in final.columns} == {c.name: np.dtype(c.dtype) for c in PULSE_COLUMNS}


def test_means_of_a_train() -> None:
    card = ScriptedCard()
    card.ohmic([1.0, 1.0, 2.0, 2.0], [1.6e-5] * 4)
    final = play(card, replace(TRAIN, delay=1e-6, window=(0.5, 0.7)))[-1]
    middle = 1e-6 + 1e-7 + 0.6 * 19.9e-6
    np.testing.assert_allclose(final["time"], middle + np.arange(4) * 1e-4, atol=1e-14)
    assert final["level"].tolist() == [1.0, 1.0, 2.0, 2.0]
    assert final["segment"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("choice", "sign"), [("driven", 1.0), ("held", -1.0), (None, -1.0)])
def test_which_current_is_taken(choice: str | None, sign: float) -> None:
    card = ScriptedCard()
    card.measure(1, [1.0], [3e-4], [1e-5])
    card.measure(2, [0.02], [-1e-4], [1e-5])
    options = {} if choice is None else {"current_from": choice}
    final = play(card, EDGED, **options)[-1]
    assert final["current"].tolist() == [3e-4 if sign > 0 else 1e-4]
    assert final["voltage"].tolist() == [0.98]


def test_with_a_grounded_terminal_there_is_only_the_driven_current() -> None:
    card = ScriptedCard()
    card.measure(1, [1.0], [3e-4], [1e-5])
    final = play(card, EDGED, pulse_terminals={"top": 1, "bottom": "ground"})[-1]
    assert (final["current"].tolist(), final["voltage"].tolist()) == ([3e-4], [1.0])
    assert not any(" 2, " in message for message in card.sent if message.startswith(":PMU:SARB"))


def test_samples_go_by_the_plan_where_as_many_come() -> None:
    card = ScriptedCard()
    card.ohmic([0.0] + [1.0] * 20 + [0.5], np.linspace(0, 1, 22).tolist())
    final = play(card, SAMPLED)[-1]
    np.testing.assert_allclose(final["time"], np.arange(22) * 1e-6, atol=1e-14)
    np.testing.assert_allclose(final["level"], SAMPLED.level_at(final["time"]), atol=1e-12)
    assert final["segment"].tolist() == [0, *[1] * 20, 2]


def test_samples_go_by_their_time_stamps_where_more_come() -> None:
    card = ScriptedCard()
    times = np.arange(25) * 0.9e-6
    card.ohmic([0.5] * 25, times.tolist())
    final = play(card, SAMPLED)[-1]
    np.testing.assert_allclose(final["time"], times, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(final["level"], SAMPLED.level_at(times), atol=1e-5)
    assert set(final["status"]) == {0}


def test_samples_outside_every_window_are_marked() -> None:
    card = ScriptedCard()
    card.ohmic([0.5] * 23, [*(np.arange(22) * 1e-6), 1.0])
    final = play(card, SAMPLED)[-1]
    assert final["status"].tolist() == [*[0] * 22, int(Status.INVALID)]


def test_means_and_samples_in_one_waveform() -> None:
    card = ScriptedCard()
    card.ohmic([0.5, 1.0, 0.5], [0.0, 1e-5, 2.1e-5])
    final = play(card, replace(SAMPLED, measure=np.array([SAMPLES, MEAN, SAMPLES])))[-1]
    np.testing.assert_allclose(final["time"], [0.0, 11e-6, 21e-6], atol=1e-14)
    assert final["segment"].tolist() == [0, 1, 2]


# -- the sample rate --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("asked", [None, 200e6, 200e6 / 3, 50e6, 1e6, 200e6 / 65])
def test_every_rate_is_one_of_the_card(asked: float | None) -> None:
    wave = replace(SAMPLED, sample_rate=asked)
    windows = segments.compile_waveform(wave, 2).windows()
    rate = rules.sample_rate(windows, asked)
    assert 200e6 / rate == pytest.approx(round(200e6 / rate))
    assert windows.rows(rate).sum() <= 65_536
    sent = rules.wire_rate(rate)
    higher = [200e6 / n for n in range(1, 200_001) if 200e6 / n >= sent - 1e-6]
    assert min(higher) == pytest.approx(rate)  # what the card makes of the number (LPT 6-44)


@pytest.mark.parametrize("length", [1e-6, 3e-4, 1e-3, 0.5, 60.0])
def test_the_rate_chosen_fills_the_memory_but_no_more(length: float) -> None:
    wave = replace(EDGED, durations=np.array([1e-6, length, 1e-6]), measure=np.array([0, SAMPLES, 0]))
    windows = segments.compile_waveform(wave, 2).windows()
    rate = rules.sample_rate(windows, None)
    divider = round(200e6 / rate)
    assert int(windows.rows(rate).sum()) <= 65_536
    assert divider == 1 or 200e6 / (divider - 1) * length > 65_000


def test_a_capture_too_long_for_the_slowest_rate_is_refused() -> None:
    wave = replace(EDGED, durations=np.array([1e-6, 70.0, 1e-6]), measure=np.array([0, SAMPLES, 0]))
    windows = segments.compile_waveform(wave, 2).windows()
    with pytest.raises(LimitError, match="points"):
        rules.sample_rate(windows, None)


# -- pages and counts -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("truncated", [2048, 1000, 7])
@pytest.mark.parametrize("count", [2047, 2048, 2049, 5000])
def test_any_number_of_points_is_fetched(count: int, truncated: int) -> None:
    card = ScriptedCard(truncated=truncated)
    volts = np.round(np.sin(np.arange(count)) + 1.5, 4)
    card.ohmic(volts.tolist(), np.arange(count).tolist())
    final = play(card, replace(EDGED, repeats=count))[-1]
    np.testing.assert_allclose(final["voltage"], volts)
    np.testing.assert_allclose(final["current"], volts / 1e4, rtol=1e-5)
    pages = [message for message in card.sent if message.startswith(":PMU:DATA:GET 1")]
    again = truncated < 2048  # the first page that is shorter than asked for
    assert len(pages) == -(-count // min(truncated, 2048)) + again
    assert pages[0] == f":PMU:DATA:GET 1, 0, {min(count, 2048)}"


@pytest.mark.parametrize(("first", "second"), [(3, 3), (2, 2), (1, 2), (2, 1), (0, 0)])
def test_a_wrong_number_of_means_is_no_result(first: int, second: int) -> None:
    card = ScriptedCard()
    card.measure(1, [1.0] * first, [1e-4] * first, [0.0] * first)
    card.measure(2, [0.0] * second, [-1e-4] * second, [0.0] * second)
    right = first == second == 1
    with pytest.raises(RemoteProtocolError, match=f"1 points were expected, the instrument has {first} of channel 1"):
        play(card, EDGED)
    assert not right
    assert card.sent[-2] == "US;DV1;DV2"


def test_no_samples_at_all_are_no_result() -> None:
    with pytest.raises(RemoteProtocolError, match="22 points were expected"):
        play(ScriptedCard(), SAMPLED)


def test_points_that_do_not_come_are_missed() -> None:
    card = ScriptedCard(fails={":PMU:DATA:GET 2": ""})
    card.ohmic([1.0], [1e-5])
    with pytest.raises(RemoteProtocolError, match="1 points from 0 of channel 2 were asked for, 0 came"):
        play(card, EDGED)


def test_points_of_the_other_channel_are_noticed() -> None:
    card = ScriptedCard()
    card.ohmic([1.0], [1e-5])
    card.points[1] = card.points[2]
    with pytest.raises(RemoteProtocolError, match="another channel than 1"):
        play(card, EDGED)


@pytest.mark.parametrize("reply", ["1.0,2e-4,0", "a,b,c,01010051", "1,2,3,01010051,5", "ACK"])
def test_a_garbled_block_is_no_result(reply: str) -> None:
    card = ScriptedCard(fails={":PMU:DATA:GET 1": reply})
    card.ohmic([1.0], [1e-5])
    with pytest.raises(RemoteProtocolError):
        play(card, EDGED)


# -- status -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("01010051", Status.NORMAL),
        ("00010051", Status.NORMAL),
        ("02010061", Status.NORMAL),
        ("31010051", Status.NORMAL),  # load line corrected
        ("11010051", Status.LOAD_LINE),
        ("51010051", Status.SKIPPED | Status.LOAD_LINE),
        ("41010051", Status.SKIPPED),
        ("01011051", Status.COMPLIANCE),
        ("01012051", Status.THRESHOLD),
        ("01018051", Status.THRESHOLD),
        ("01010451", Status.OVERFLOW),
        ("01010851", Status.OVERFLOW),
        ("01010151", Status.OVERFLOW),
        ("01010251", Status.OVERFLOW),
        ("03010051", Status.INVALID),
        ("0401D951", Status.INVALID | Status.OVERFLOW | Status.COMPLIANCE | Status.THRESHOLD),
    ],
)
@pytest.mark.parametrize("channel", [1, 2])
def test_the_flags_of_both_channels_reach_the_row(word: str, status: Status, channel: int) -> None:
    card = ScriptedCard()
    card.ohmic([1.0], [1e-5])
    card.points[channel] = [f"{card.points[channel][0].rsplit(',', 1)[0]},{word[:-1]}{channel}"]
    assert play(card, EDGED)[-1]["status"].tolist() == [int(status)]


def test_dead_outputs_are_an_error_and_a_dead_row_is_marked() -> None:
    card = ScriptedCard()
    card.ohmic([0.0, 0.0], [1e-5, 2e-5])
    with pytest.raises(InstrumentError, match="interlock"):
        play(card, replace(EDGED, repeats=2))
    card = ScriptedCard()
    card.ohmic([0.0, 1.0], [1e-5, 2e-5])
    assert play(card, replace(EDGED, repeats=2))[-1]["status"].tolist() == [int(Status.INVALID), 0]


# -- errors -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("moment", "code", "words"),
    [
        (":PMU:SARB", -969, "set up"),
        (":PMU:EXECUTE", -964, "started; the level can't be reached"),
        (":PMU:EXECUTE", -959, "split it"),
        (":PMU:OUTPUT:STATE 1, 0", -968, "was run; the pulse card is too hot"),
    ],
)
def test_an_error_of_the_instrument_is_told_with_a_hint(moment: str, code: int, words: str) -> None:
    card = ScriptedCard()
    card.ohmic([1.0], [1e-5])
    _, pulses = connect(card)
    card.refused = {moment: code}
    with pytest.raises(InstrumentError) as caught:
        list(pulses.play(EDGED))
    assert caught.value.code == code
    assert str(code) in str(caught.value)
    assert words in str(caught.value)
    assert (":PMU:EXECUTE" in card.sent) == (moment != ":PMU:SARB")


def test_a_test_that_never_ends() -> None:
    card = ScriptedCard(busy=10**9)
    with pytest.raises(InstrumentError, match="still busy after"):
        play(card, EDGED, live=False)
    assert ":PMU:ABORT" in card.sent
    assert 10.0 < card.clock.now() < 12.5


def test_a_reply_that_never_comes() -> None:
    for moment in (":PMU:INIT", ":PMU:EXECUTE", ":PMU:TEST:STATUS?", ":PMU:DATA:COUNT?", ":PMU:DATA:GET"):
        _, pulses = connect(card := ScriptedCard())
        card.ohmic([1.0], [1e-5])
        waiting = {moment: TIMEOUT}
        card.fails = waiting
        reopen = card.reopen

        def again(reopen: Any = reopen, waiting: Any = waiting) -> None:
            waiting.clear()
            reopen()

        card.reopen = again  # type: ignore[method-assign]
        with pytest.raises(Exception, match="no answer"):
            list(pulses.play(EDGED))
        assert card.reopened == 1
        assert card.sent[-2] == "US;DV1;DV2"
        assert len(list(pulses.play(EDGED))) == 1


# -- while it runs ----------------------------------------------------------------------------------------------------
LONG = Waveform(
    [1e-6, 1.0, 1e-6], [0.0, 1.0, 1.0, 0.0], [NOTHING, MEAN, NOTHING], [[0, 0], [0.9, 0.91], [0, 0]], repeats=20
)


class Growing(dict[int, list[str]]):
    """Points of which there is one more every second."""

    def __init__(self, card: ScriptedCard) -> None:
        self.card, self.whole = card, card.points

    def get(self, channel: int, default: Any = None) -> list[str]:  # type: ignore[override]
        return self.whole[channel][: int(self.card.clock.now() - self.card.started)]


def growing() -> ScriptedCard:
    card = ScriptedCard()
    card.ohmic(np.linspace(0.9, 1.1, 20).tolist(), [0.0] * 20)
    card.points = Growing(card)
    return card


def test_rows_are_told_while_it_runs_and_once_more_at_the_end() -> None:
    card = growing()
    card.busy = 30
    *live, final = play(card, LONG)
    assert len(live) > 5
    assert all(block.provisional and np.all(block["status"] == int(Status.PROVISIONAL)) for block in live)
    assert sum(map(len, live)) <= len(final) == 20
    joined = np.concatenate([block["voltage"] for block in live])
    np.testing.assert_allclose(joined, final["voltage"][: joined.size])
    assert not final.provisional
    fetched = [message for message in card.sent if message.startswith(":PMU:DATA:GET 1")]
    assert sum(int(message.split(", ")[2]) for message in fetched) == 20, "points were fetched twice"


def test_a_wish_to_stop_aborts_and_keeps_what_was_measured() -> None:
    card = growing()
    card.busy = 10**6
    _, pulses = connect(card)
    pulses.should_stop = lambda: card.clock.now() > 8.0
    blocks = list(pulses.play(LONG))
    final = blocks[-1]
    assert not final.provisional
    assert 3 < len(final) < 10
    assert np.all(final["status"] == int(Status.PROVISIONAL))
    assert card.sent.index(":PMU:ABORT") < card.sent.index("US;DV1;DV2")
    assert card.clock.now() < 9.0


def test_a_caller_who_walks_away_leaves_it_stopped() -> None:
    card = growing()
    card.busy = 10**6
    _, pulses = connect(card)
    blocks = pulses.play(LONG)
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    assert ":PMU:ABORT" in card.sent
    assert card.sent[-2] == "US;DV1;DV2"


def test_nothing_is_sent_when_it_is_stopped_before_it_began() -> None:
    _, pulses = connect(card := ScriptedCard())
    pulses.should_stop = lambda: True
    assert list(pulses.play(EDGED)) == list(pulses.train(TRAIN)) == []
    assert card.sent == []


def test_a_start_that_does_not_show_at_once_is_waited_for() -> None:
    card = growing()
    (final,) = play(card, replace(LONG, repeats=1), live=False)
    assert len(final) == 1
    assert 1.0 < card.clock.now() - card.started < 1.5


def test_a_test_that_was_seen_to_run_and_to_end_is_not_waited_for() -> None:
    card = ScriptedCard(busy=2)
    card.ohmic([0.5] * 21, (np.arange(21) * 1e-6).tolist())
    long = replace(SAMPLED, durations=np.array([1e-6, 20.0, 1e-6]), measure=np.array([0, SAMPLES, 0]), sample_rate=1e3)
    (final,) = play(card, long, live=False)
    assert len(final) == 21  # fewer than the plan has
    assert card.clock.now() - card.started < 5.0


# -- numbers ----------------------------------------------------------------------------------------------------------
def test_times_are_exact_on_the_grid() -> None:
    counts = np.array([2, 3, 7, 12_345_678, 99_999_999])
    assert programs.ticks(counts * 1e-8, "x").tolist() == counts.tolist()
    with pytest.raises(LimitError, match=r"x = 1\.005e-06 s"):
        programs.ticks(np.array([1e-6, 1.005e-6]), "x")


def test_levels_between_are_those_of_the_waveform() -> None:
    wave = Waveform([1e-6, 2e-6, 3e-6, 1e-6], [0.0, 2.0, -1.0, -1.0, 0.0], SAMPLES, repeats=2)
    windows = segments.compile_waveform(wave, 2).windows()
    which = np.repeat(np.arange(windows.kinds.size), 50)
    times = windows.starts[which] + np.tile(np.linspace(0, 0.99, 50), windows.kinds.size) * windows.lengths[which]
    np.testing.assert_allclose(windows.levels_at(which, times), wave.level_at(times), atol=1e-9)
