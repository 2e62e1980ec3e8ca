"""What every `SourceMeter` promises, as checks a plug-in can be run against with a known resistor between its terminals.

::

    def make() -> Subject:                       # a fresh one for every check
        meter, link = open_mine()
        return Subject(meter, resistance=1e6, sent=lambda: link.messages_written, again=lambda: open_mine()[0])

    check_source_meter(make)                     # all of it, or parametrise a test over SOURCE_METER_CHECKS
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from labctl.contracts import READING_COLUMNS, Sampling, Status, Sweep
from labctl.errors import LabctlError
from labctl.quantities import Limit, Limits
from labctl.testing.subject import (
    Notes,
    Subject,
    ample,
    assert_current,
    assert_refused,
    is_json,
    kept_blocks,
    last_block,
    slow_sweep,
    some_sampling,
)

Make = Callable[[], Subject]
Check = Callable[[Subject], None]


def check_source_meter(make: Make) -> None:
    """Run every check, each on a fresh subject, and leave it safe. Raises AssertionError naming the broken promise."""
    for check in SOURCE_METER_CHECKS:
        subject = make()
        try:
            check(subject)
        finally:
            subject.meter.make_safe()
            subject.meter.close()


# -- the checks -------------------------------------------------------------------------------------------------------
def sweep_measures_ohms_law(subject: Subject) -> None:
    """Levels come back in order and in number, and current = voltage / resistance, without a flag."""
    levels = np.array([0.0, 0.5, 1.0, 0.25, -0.75, -1.0, 0.0, 1.0])
    final = last_block(subject.meter.sweep(Sweep(levels, ample(subject))))
    assert len(final) == levels.size, f"{levels.size} levels gave {len(final)} rows"
    np.testing.assert_allclose(final["level"], levels, atol=1e-9, err_msg="level is not what was asked for")
    np.testing.assert_allclose(final["voltage"], levels, atol=0.01, err_msg="the voltage did not follow the level")
    assert_current(subject, final, levels / subject.resistance)
    assert np.all(final["status"] == int(Status.NORMAL)), f"unexpected flags {set(final['status'])}"
    assert np.all(np.diff(final["time"]) > 0), "time does not increase from row to row"


def ramp_keeps_every_level(subject: Subject) -> None:
    """An even ramp, which an instrument may step by itself, gives the same levels as a list would."""
    levels = np.linspace(-0.5, 1.0, 31)
    final = last_block(subject.meter.sweep(Sweep(levels, ample(subject))))
    assert len(final) == levels.size, f"{levels.size} levels gave {len(final)} rows"
    np.testing.assert_allclose(final["level"], levels, atol=1e-9, err_msg="the ramp is not the one asked for")
    assert_current(subject, final, levels / subject.resistance)


def one_level_is_a_sweep(subject: Subject) -> None:
    """A sweep of a single level gives a single row."""
    assert len(last_block(subject.meter.sweep(Sweep(np.array([0.5]), ample(subject))))) == 1


def compliance_is_flagged(subject: Subject) -> None:
    """The current is held at the compliance, of both signs, and just those rows say so."""
    limit = 0.55 / subject.resistance
    levels = np.array([0.25, 0.5, 1.0, -0.25, -1.0])
    final = last_block(subject.meter.sweep(Sweep(levels, limit)))
    flagged = (final["status"] & int(Status.COMPLIANCE)) != 0
    assert flagged.tolist() == [False, False, True, False, True], f"compliance flags {flagged.tolist()} at {levels} V"
    assert_current(subject, final, np.clip(levels / subject.resistance, -limit, limit))


def compliance_is_flagged_whoever_limits(subject: Subject) -> None:
    """The same with the other terminal off 0 V, where that may be the one which limits; `voltage` still tells the cell's."""
    limit, held = 0.55 / subject.resistance, -1.0
    levels = np.array([-0.9, -0.5, 0.0, 0.5, -2.0])
    final = last_block(subject.meter.sweep(Sweep(levels, limit, constants={"bottom": held})))
    flagged = (final["status"] & int(Status.COMPLIANCE)) != 0
    assert flagged.tolist() == [False, False, True, True, True], f"compliance flags {flagged.tolist()} at {levels} V"
    expected = np.clip((levels - held) / subject.resistance, -limit, limit)
    assert_current(subject, final, expected)
    message = "voltage less the held voltage is not what the cell has"
    np.testing.assert_allclose(final["voltage"] - held, expected * subject.resistance, atol=0.02, err_msg=message)
    final = last_block(subject.meter.sample(Sampling({"top": 0.0, "bottom": 1.0}, limit, count=3, interval=0.1)))
    assert np.all(final["status"] & int(Status.COMPLIANCE)), "a sampling limited at its held terminal is not flagged"
    assert_current(subject, final, np.full(3, -limit))


def sweep_stops_on_compliance(subject: Subject) -> None:
    """With stop_on_compliance the sweep ends at the first limited point."""
    levels = np.linspace(0.1, 2.0, 20)
    final = last_block(subject.meter.sweep(Sweep(levels, 0.55 / subject.resistance, stop_on_compliance=True)))
    assert 5 <= len(final) <= 7, f"a sweep limited from 0.6 V on gave {len(final)} of 20 rows at 0.1 V steps"
    assert int(final["status"][-1]) & int(Status.COMPLIANCE), "the last row is not flagged"
    np.testing.assert_allclose(final["level"], levels[: len(final)], atol=1e-9)


def limits_refuse_before_a_byte(subject: Subject) -> None:
    """What a limit forbids raises LimitError, and nothing was sent."""
    meter, good = subject.meter, Sweep(np.array([0.1, 0.2]), ample(subject))
    meter.limits = meter.limits & Limits((Limit("voltage", 2.0, "V", "sample under test"),))
    forbidden = [
        replace(good, levels=np.array([0.0, 2.1])),
        replace(good, levels=np.array([0.0, np.nan])),
        replace(good, levels=np.array([])),
        replace(good, compliance=0.0),
        replace(good, compliance=1e3),
        replace(good, constants={"bottom": -2.1}),
        replace(good, terminal="nowhere"),
    ]
    before = subject.sent()
    for sweep in forbidden:
        assert_refused(partial(meter.sweep, sweep), str(sweep))
    for change in ({"voltages": {"top": 2.1, "bottom": 0.0}}, {"count": 0}, {"interval": 0.0}, {"compliance": 1e3}):
        sampling = replace(some_sampling(subject), **change)
        assert_refused(partial(meter.sample, sampling), str(sampling))
    assert subject.sent() == before, "something was sent although the request was refused"


def sampling_measures_against_time(subject: Subject) -> None:
    """`count` readings at constant voltage, their times rising by at least roughly the interval."""
    final = last_block(subject.meter.sample(some_sampling(subject)))
    assert len(final) == 12, f"12 readings were asked for, {len(final)} came"
    np.testing.assert_allclose(final["level"], 0.5, atol=1e-9)
    assert_current(subject, final, np.full(12, 0.5 / subject.resistance))
    assert np.all(np.diff(final["time"]) > 0.05), "readings come faster than the interval of 0.1 s allows"


def stop_ends_the_test_in_the_instrument(subject: Subject) -> None:
    """should_stop ends a running sweep early with the rows read so far, marked provisional; the next sweep works."""
    meter, asked = subject.meter, iter(range(10_000))
    meter.should_stop = lambda: next(asked) >= 3
    blocks = list(meter.sweep(slow_sweep(subject)))
    rows = sum(len(block) for block in kept_blocks(blocks))
    assert rows < 60, "the sweep ran to its end although it was asked to stop"
    for block in kept_blocks(blocks):
        assert np.all(block["status"] & int(Status.PROVISIONAL)), "rows of a stopped sweep are not marked provisional"
    meter.should_stop = lambda: False
    one_level_is_a_sweep(subject)


def closing_the_generator_stops_the_test(subject: Subject) -> None:
    """A caller that walks away from a running sweep leaves an instrument that can be used at once."""
    blocks = subject.meter.sweep(slow_sweep(subject))
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    one_level_is_a_sweep(subject)


def a_test_left_running_is_taken_over(subject: Subject) -> None:
    """An instrument whose client died in mid-sweep can be connected to, is stopped by that, and can be used at once."""
    blocks = subject.meter.sweep(slow_sweep(subject))
    next(blocks)
    subject.meter = subject.again()
    sweep_measures_ohms_law(subject)
    with contextlib.suppress(LabctlError):  # the dead client's last try to stop what is no longer its test
        blocks.close()  # type: ignore[attr-defined]


def make_safe_can_be_repeated(subject: Subject) -> None:
    """make_safe works when nothing runs, twice, and after a sweep that was left energised."""
    subject.meter.make_safe()
    subject.meter.make_safe()
    last_block(subject.meter.sweep(Sweep(np.array([0.5]), ample(subject), standby=False)))
    subject.meter.make_safe()
    one_level_is_a_sweep(subject)


def blocks_keep_the_rules(subject: Subject) -> None:
    """Every block has READING_COLUMNS with their types; provisional rows say so and come before the one final block."""
    blocks = list(subject.meter.sweep(slow_sweep(subject)))
    assert not blocks[-1].provisional, "the last block must be the final one"
    assert all(block.provisional for block in blocks[:-1]), "there may be only one final block, the last"
    for block in blocks:
        assert len(block) > 0, "a block without rows"
        assert set(block.columns) == {column.name for column in READING_COLUMNS}, f"columns {set(block.columns)}"
        for column in READING_COLUMNS:
            kind = block[column.name].dtype
            assert kind == np.dtype(column.dtype), f"{column.name} is {kind}, not {column.dtype}"
        marked = (block["status"] & int(Status.PROVISIONAL)) != 0
        assert np.all(marked == block.provisional), "Status.PROVISIONAL and Block.provisional contradict each other"
    live = sum(len(block) for block in blocks[:-1])
    assert live <= len(blocks[-1]), f"{live} provisional rows for {len(blocks[-1])} final ones"


def stimulus_is_noted_before_it_is_sent(subject: Subject) -> None:
    """The recorder hears of a stimulus before a byte is sent for it, and of its outcome at the end."""
    meter, recorder = subject.meter, Notes(subject.sent)
    meter.recorder = recorder
    for start in (
        partial(meter.sweep, Sweep(np.array([0.5]), ample(subject))),
        partial(meter.sample, some_sampling(subject)),
    ):
        before = subject.sent()
        list(start())
        assert recorder.sent_when_noted[-1] == before, "something was sent before the stimulus was noted"
        assert subject.sent() > before, "nothing was sent at all"
    assert recorder.outcomes == ["done", "done"], f"outcomes {recorder.outcomes}"


def it_says_who_it_is(subject: Subject) -> None:
    """identity() and settings() have what provenance needs, in JSON types."""
    identity = subject.meter.identity()
    missing = {"manufacturer", "model", "serial", "firmware", "resource"} - set(identity)
    assert not missing, f"identity lacks {missing}"
    assert all(isinstance(value, str) for value in identity.values()), "identity values must be text"
    assert subject.meter.title, "a source meter needs a title for 'labctl list'"
    assert is_json(dict(subject.meter.settings())), "settings() holds something JSON does not know"


SOURCE_METER_CHECKS: tuple[Check, ...] = (
    sweep_measures_ohms_law,
    ramp_keeps_every_level,
    one_level_is_a_sweep,
    compliance_is_flagged,
    compliance_is_flagged_whoever_limits,
    sweep_stops_on_compliance,
    limits_refuse_before_a_byte,
    sampling_measures_against_time,
    stop_ends_the_test_in_the_instrument,
    closing_the_generator_stops_the_test,
    a_test_left_running_is_taken_over,
    make_safe_can_be_repeated,
    blocks_keep_the_rules,
    stimulus_is_noted_before_it_is_sent,
    it_says_who_it_is,
)
