"""What every `PulseSource` promises, as checks a plug-in can be run against with a known resistor between its terminals.

::

    def make() -> PulseSubject:                  # a fresh one for every check
        pulses, link = open_mine()
        return PulseSubject(pulses, resistance=1e4, sent=lambda: link.messages_written, again=lambda: open_mine()[0])

    check_pulse_source(make)                     # all of it, or parametrise a test over PULSE_SOURCE_CHECKS
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from labctl.contracts import PULSE_COLUMNS, Block, Measure, Status
from labctl.errors import LabctlError
from labctl.quantities import Limit, Limits
from labctl.testing.pulse_subject import PulseSubject, assert_resistor, pulses_of, slow_wave
from labctl.testing.subject import Notes, assert_refused, is_json, kept_blocks, last_block

NOTHING, MEAN, SAMPLES = Measure.NOTHING, Measure.MEAN, Measure.SAMPLES


Make = Callable[[], PulseSubject]
Check = Callable[[PulseSubject], None]


def check_pulse_source(make: Make) -> None:
    """Run every check, each on a fresh subject, and leave it safe. Raises AssertionError naming the broken promise."""
    for check in PULSE_SOURCE_CHECKS:
        subject = make()
        try:
            check(subject)
        finally:
            subject.pulses.make_safe()
            subject.pulses.close()


# -- what is measured -------------------------------------------------------------------------------------------------
def means_keep_ohms_law(subject: PulseSubject) -> None:
    """One row for every mean, in order, with its segment, the middle of its time, its level and current = level/resistance."""
    tops = np.array([1.0, -1.0, 0.5, 2.0])
    wave = pulses_of(subject, tops, repeats=2)
    final = last_block(subject.pulses.play(wave))
    segments = np.flatnonzero(wave.measure == MEAN)
    assert final["segment"].tolist() == [*segments, *(segments + len(wave.durations))], "segment numbers"
    middles = wave.starts[segments] + 0.5 * wave.durations[segments]
    expected = np.concatenate([middles, middles + wave.durations.sum()])
    np.testing.assert_allclose(final["time"], expected, rtol=1e-6, err_msg="time is not the middle of the windows")
    assert_resistor(subject, final, np.tile(tops, 2))
    assert np.all(final["status"] == int(Status.NORMAL)), f"unexpected flags {set(final['status'])}"


def windows_say_where_is_measured(subject: PulseSubject) -> None:
    """A mean over the lower half of a ramp, up or down, is a quarter of its height."""
    windows = np.array([[0.0, 5e-4], [0.0, 0.0], [5e-4, 1e-3]])
    wave = subject.wave([1e-3, 1e-3, 1e-3], [0.0, 2.0, 2.0, 0.0], [MEAN, NOTHING, MEAN], windows=windows)
    final = last_block(subject.pulses.play(wave))
    np.testing.assert_allclose(final["time"], [0.25e-3, 2.75e-3], rtol=1e-6)
    assert_resistor(subject, final, np.array([0.5, 0.5]), slack=0.05)


def samples_follow_the_waveform(subject: PulseSubject) -> None:
    """Samples have rising times inside their segments, the levels programmed there, and currents to match."""
    wave = subject.wave([1e-3, 1e-3, 1e-3], [0.0, 1.0, 1.0, 0.0], SAMPLES, sample_rate=subject.sample_rate)
    final = last_block(subject.pulses.play(wave))
    expected = wave.duration * (subject.sample_rate or 1e4)
    assert 0.9 * expected < len(final), f"{wave.duration} s gave {len(final)} samples"
    assert subject.sample_rate is None or len(final) < 1.1 * expected, f"{len(final)} samples are too many"
    assert np.all(np.diff(final["time"]) > 0), "time does not rise from sample to sample"
    assert final["time"][-1] < wave.duration, "a sample comes after the end"
    assert np.all(np.diff(final["segment"]) >= 0), "segments are out of order"
    np.testing.assert_allclose(
        final["level"], wave.level_at(final["time"]), atol=1e-6, err_msg="level is not the programmed"
    )
    assert_resistor(subject, final, final["level"], slack=0.03)


def nothing_measured_is_still_played(subject: PulseSubject) -> None:
    """A waveform without measurement gives no rows, and counts as done."""
    notes = subject.pulses.recorder = Notes(subject.sent)
    blocks = list(subject.pulses.play(subject.wave([1e-3, 1e-3, 1e-3], [0.0, 1.0, 1.0, 0.0])))
    assert sum(map(len, blocks)) == 0, "rows came although nothing was to be measured"
    assert notes.outcomes == ["done"], f"outcomes {notes.outcomes}"


def trains_of_all_kinds_keep_ohms_law(subject: PulseSubject) -> None:
    """Equal, rising, falling and uneven amplitudes, once and repeated: a row a pulse, in order."""
    kinds: list[tuple[list[float], int]] = [
        ([1.0], 5), ([0.5, 1.0, 1.5], 1), ([0.5, 1.0, 1.5], 2), ([-0.5, -1.0], 2), ([1.0, 0.25, -2.0], 2),
    ]  # fmt: skip
    for amplitudes, count in kinds:
        final = last_block(subject.pulses.train(subject.train(amplitudes, count=count)))
        wanted = np.repeat(amplitudes, count)
        assert len(final) == wanted.size, f"{wanted.size} pulses of {amplitudes} V gave {len(final)} rows"
        assert final["segment"].tolist() == list(range(wanted.size)), "pulses are not numbered from 0"
        np.testing.assert_allclose(final["level"], wanted, atol=1e-6)
        assert_resistor(subject, final, wanted)
        spacing = np.diff(final["time"])
        np.testing.assert_allclose(spacing, 1e-3, rtol=1e-3, err_msg="pulses do not come once a period")


def a_train_can_be_sampled(subject: PulseSubject) -> None:
    """Samples of a train lie on the tops of their pulses."""
    train = subject.train([1.0, 2.0], measure=SAMPLES, window=(0.25, 0.75), sample_rate=subject.sample_rate)
    final = last_block(subject.pulses.train(train))
    assert set(final["segment"]) == {0, 1}, f"samples of pulses {set(final['segment'])}"
    assert_resistor(subject, final, np.where(final["segment"] == 0, 1.0, 2.0))
    within = np.mod(final["time"], train.period)
    assert np.all((within > 0.2 * train.width) & (within < train.width)), "samples outside the tops of the pulses"


# -- what is refused --------------------------------------------------------------------------------------------------
def limits_refuse_before_a_byte(subject: PulseSubject) -> None:
    """What a limit forbids raises LimitError, and nothing was sent."""
    pulses, train = subject.pulses, subject.train([1.0])
    sample = (Limit("voltage", 2.0, "V", "sample under test"), Limit("current", 0.05, "A", "sample under test"))
    pulses.limits = pulses.limits & Limits(sample)
    good = subject.wave([1e-3, 1e-3, 1e-3], [0.0, 1.0, 1.0, 0.0], MEAN, series=1e4)
    waves = [
        replace(good, levels=np.array([0.0, 2.1, 2.1, 0.0])),
        replace(good, levels=np.array([0.0, np.nan, 1.0, 0.0])),
        replace(good, levels=np.array([0.0, 1.0, 0.0])),
        replace(good, durations=np.array([1e-3, 0.0, 1e-3])),
        replace(good, repeats=0),
        replace(good, windows=np.array([[0.0, 2e-3]] * 3)),
        replace(good, terminal="nowhere"),
        replace(good, levels=np.array([0.0, 2.0, 2.0, 0.0]), series=-10.0),
    ]
    trains = [
        replace(train, amplitudes=np.array([2.1])),
        replace(train, amplitudes=np.array([])),
        replace(train, count=0),
        replace(train, width=2e-3),
        replace(train, window=(0.9, 0.5)),
        replace(train, terminal="nowhere"),
    ]
    before = subject.sent()
    for wave in waves:
        assert_refused(partial(pulses.play, wave), str(wave))
    for refused in trains:
        assert_refused(partial(pulses.train, refused), str(refused))
    pulses.limits = pulses.limits & Limits((Limit("current", 1e-3, "A", "sample under test"),))
    assert_refused(partial(pulses.play, replace(good, series=0.0)), "a current that a short would carry")
    assert subject.sent() == before, "something was sent although the request was refused"


# -- ends of all kinds ------------------------------------------------------------------------------------------------
def stop_ends_the_test_in_the_instrument(subject: PulseSubject) -> None:
    """should_stop ends a running test early with the rows read so far, marked provisional; the next test works."""
    pulses, asked = subject.pulses, iter(range(10_000))
    pulses.should_stop = lambda: next(asked) >= 8
    blocks = list(pulses.play(slow_wave(subject)))
    rows = sum(len(block) for block in kept_blocks(blocks))
    assert rows < 60, "the test ran to its end although it was asked to stop"
    for block in kept_blocks(blocks):
        assert np.all(block["status"] & int(Status.PROVISIONAL)), "rows of a stopped test are not marked provisional"
    asked, notes = iter(range(10_000)), Notes(subject.sent)
    pulses.recorder = notes
    unmeasured = replace(slow_wave(subject), measure=np.zeros(3, dtype=np.int64))
    assert sum(map(len, pulses.play(unmeasured))) == 0, "rows of a test that measures nothing"
    assert notes.outcomes == ["aborted"], f"a stopped test without rows counts as {notes.outcomes}"
    pulses.should_stop = lambda: False
    means_keep_ohms_law(subject)


def closing_the_generator_stops_the_test(subject: PulseSubject) -> None:
    """A caller that walks away from a running test leaves an instrument that can be used at once."""
    blocks = subject.pulses.play(slow_wave(subject))
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    means_keep_ohms_law(subject)


def a_test_left_running_is_taken_over(subject: PulseSubject) -> None:
    """An instrument whose client died in mid-test can be connected to, is stopped by that, and can be used at once."""
    blocks = subject.pulses.play(slow_wave(subject))
    next(blocks)
    subject.pulses = subject.again()
    means_keep_ohms_law(subject)
    with contextlib.suppress(LabctlError):  # the dead client's last try to stop what is no longer its test
        blocks.close()  # type: ignore[attr-defined]


def make_safe_can_be_repeated(subject: PulseSubject) -> None:
    """make_safe works when nothing runs, twice, and after a test."""
    subject.pulses.make_safe()
    subject.pulses.make_safe()
    means_keep_ohms_law(subject)
    subject.pulses.make_safe()
    means_keep_ohms_law(subject)


def blocks_keep_the_rules(subject: PulseSubject) -> None:
    """Every block has PULSE_COLUMNS with their types; provisional rows say so and come before the one final block."""
    blocks = list(subject.pulses.play(slow_wave(subject)))
    assert not blocks[-1].provisional, "the last block must be the final one"
    assert all(block.provisional for block in blocks[:-1]), "there may be only one final block, the last"
    for block in blocks:
        assert len(block) > 0, "a block without rows"
        assert set(block.columns) == {column.name for column in PULSE_COLUMNS}, f"columns {set(block.columns)}"
        for column in PULSE_COLUMNS:
            kind = block[column.name].dtype
            assert kind == np.dtype(column.dtype), f"{column.name} is {kind}, not {column.dtype}"
        marked = (block["status"] & int(Status.PROVISIONAL)) != 0
        assert np.all(marked == block.provisional), "Status.PROVISIONAL and Block.provisional contradict each other"
    assert len(blocks[-1]) == 60, f"60 means were asked for, {len(blocks[-1])} came"
    assert sum(len(block) for block in blocks[:-1]) <= 60, "more provisional rows than final ones"


def stimulus_is_noted_before_it_is_sent(subject: PulseSubject) -> None:
    """The recorder hears of a stimulus before a byte is sent for it, and of its outcome at the end."""
    pulses, recorder = subject.pulses, Notes(subject.sent)
    pulses.recorder = recorder
    starts: list[Callable[[], Iterator[Block]]] = [
        partial(pulses.play, pulses_of(subject, np.array([1.0]))),
        partial(pulses.train, subject.train([1.0])),
    ]
    for start in starts:
        before = subject.sent()
        list(start())
        assert recorder.sent_when_noted[-1] == before, "something was sent before the stimulus was noted"
        assert subject.sent() > before, "nothing was sent at all"
    assert recorder.outcomes == ["done", "done"], f"outcomes {recorder.outcomes}"


def it_says_who_it_is(subject: PulseSubject) -> None:
    """identity() and settings() have what provenance needs, in JSON types."""
    identity = subject.pulses.identity()
    missing = {"manufacturer", "model", "serial", "firmware", "resource"} - set(identity)
    assert not missing, f"identity lacks {missing}"
    assert all(isinstance(value, str) for value in identity.values()), "identity values must be text"
    assert subject.pulses.title, "a pulse source needs a title for 'labctl list'"
    assert is_json(dict(subject.pulses.settings())), "settings() holds something JSON does not know"


#: what needs a test that can be followed and stopped while it runs
LIVE_PULSE_CHECKS: tuple[Check, ...] = (
    stop_ends_the_test_in_the_instrument,
    closing_the_generator_stops_the_test,
    a_test_left_running_is_taken_over,
)
PULSE_SOURCE_CHECKS: tuple[Check, ...] = (
    means_keep_ohms_law,
    windows_say_where_is_measured,
    samples_follow_the_waveform,
    nothing_measured_is_still_played,
    trains_of_all_kinds_keep_ohms_law,
    a_train_can_be_sampled,
    limits_refuse_before_a_byte,
    *LIVE_PULSE_CHECKS,
    make_safe_can_be_repeated,
    blocks_keep_the_rules,
    stimulus_is_noted_before_it_is_sent,
    it_says_who_it_is,
)
