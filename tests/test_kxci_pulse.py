"""The pulse card and the user libraries: arrays of segments, status words, replies of modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kxci_pulse_replies import (
    COUNTS,
    NO_COUNTS,
    NO_NUMBERS,
    NO_RETURNS,
    NO_RUNNING,
    PARAMETERS,
    RETURNS,
    RETURNS_TOO,
    RUNNING,
)
from kxci_sequences import SEGMENTS, SWEEP, TRAIN

from labctl.errors import LocalProtocolError, RemoteProtocolError
from labctl.kxci import Invalid, decode, encode, library_replies, points, replies, spec, wire_value
from labctl.kxci import messages as m
from labctl.kxci.library_replies import Returned
from labctl.kxci.pulse_status import (
    CURRENT_BEYOND,
    CURRENT_RANGES,
    VOLTAGE_BEYOND,
    VOLTAGE_RANGES,
    Acquired,
    PulseFlag,
    PulseStatus,
    RpmPath,
    status_of,
    word_of,
)

examples = settings(derandomize=True, deadline=None, max_examples=100, database=None)


# -- commands ---------------------------------------------------------------------------------------------------------
FLOATS = [
    (m.SegmentTimes, 1e-8, 1.0), (m.AddSegmentTimes, 1e-8, 1.0), (m.SegmentStarts, -40.0, 40.0), (m.SegmentStops, -40.0, 40.0),
    (m.AddSegmentStarts, -40.0, 40.0), (m.AddSegmentStops, -40.0, 40.0), (m.WindowStarts, 0.0, 1.0), (m.WindowStops, 0.0, 1.0),
    (m.AddWindowStarts, 0.0, 1.0), (m.AddWindowStops, 0.0, 1.0),
]  # fmt: skip
INTEGERS = [
    (m.SegmentModes, 4), (m.AddSegmentModes, 4), (m.SegmentRelays, 1), (m.AddSegmentRelays, 1), (m.SegmentTriggers, 1),
    (m.AddSegmentTriggers, 1),
]  # fmt: skip


@pytest.mark.parametrize(("cls", "low", "high"), FLOATS, ids=lambda x: getattr(x, "__name__", ""))
@given(data=st.data())
@settings(examples, max_examples=10)
def test_arrays_of_1_to_128_numbers(cls: Any, low: float, high: float, data: st.DataObject) -> None:
    value = st.floats(low, high, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-99).map(wire_value)
    size = data.draw(st.sampled_from([1, 2, 127, 128]))
    item = cls(data.draw(st.integers(1, 8)), data.draw(st.integers(1, 512)), (data.draw(value),) * size)
    assert decode(encode(item)) == [item]


@pytest.mark.parametrize(("cls", "high"), INTEGERS, ids=lambda x: getattr(x, "__name__", ""))
@given(data=st.data())
@settings(examples, max_examples=10)
def test_arrays_of_1_to_128_choices(cls: Any, high: int, data: st.DataObject) -> None:
    item = cls(1, 1, tuple(data.draw(st.lists(st.integers(0, high), min_size=1, max_size=128))))
    assert decode(encode(item)) == [item]


@pytest.mark.parametrize("cls", [row[0] for row in [*FLOATS, *INTEGERS]], ids=lambda cls: cls.__name__)
def test_arrays_end_at_128(cls: Any) -> None:
    with pytest.raises(LocalProtocolError, match="takes 3 to 130 arguments, not 131"):
        encode(cls(1, 1, (1,) * 129))
    [read] = decode(f"{spec(cls).mnemonic} 1, 1" + ", 1" * 129)
    assert isinstance(read, Invalid)
    assert read.code == -969
    assert decode(f"{spec(cls).mnemonic} 1, 1" + ", 1" * 128) == [cls(1, 1, (1,) * 128)]


@given(
    st.lists(st.builds(m.Play, st.integers(1, 512), st.integers(1, 10**12)), min_size=1, max_size=512),
    st.sampled_from([m.PlaySequences, m.AddPlaySequences]),
)
@settings(examples, max_examples=30)
def test_play_lists(plays: list[m.Play], cls: Any) -> None:
    [read] = decode(encode(cls(3, tuple(plays))))
    assert read == cls(3, tuple(plays))
    assert all(isinstance(play, m.Play) for play in read.plays)  # type: ignore[union-attr]


@given(start=st.none() | st.integers(0, 65535), count=st.none() | st.integers(1, 2048), names=st.integers(0, 8))
@settings(examples)
def test_points_are_asked_for_in_steps(start: int | None, count: int | None, names: int) -> None:
    item = m.GetPoints(1, start, count, points.SPOT_MEANS[:names])
    if (start is None and (count is not None or names)) or (count is None and names):
        with pytest.raises(LocalProtocolError, match="missing in the middle"):
            encode(item)
    else:
        assert decode(encode(item)) == [item]


@pytest.mark.parametrize("sequence", [TRAIN, SWEEP, SEGMENTS])
def test_what_we_write_of_a_sequence_means_the_same(sequence: list[tuple[str, Any]]) -> None:
    for text, item in sequence:
        assert decode(encode(item)) == [item] == decode(text)


def test_the_manuals_numbers_of_segments() -> None:
    lengths = [len(item.values) for _, item in SEGMENTS if isinstance(item, m.SegmentTimes)]
    assert lengths == [82, 5, 7]  # D 7-57, Tek


def test_arguments_of_a_module() -> None:
    values = ["0", "1e-6", "0.5;1;2", "", "PMU1", "-1e-9"]
    assert [m.place(0), m.place(1e-6), m.place([0.5, 1, 2]), m.place(), m.place("PMU1"), m.place(-1e-9)] == values
    assert m.place(np.array([1e-7, 2.0])) == "1e-7;2"
    assert m.place(()) == ""
    with pytest.raises(LocalProtocolError):
        m.place([1.0, float("nan")])


# -- status words -----------------------------------------------------------------------------------------------------
PARTS: list[tuple[int, PulseStatus]] = [  # LPT 6-23, 6-24
    (0x01020021, PulseStatus(1, 1e-5, 10.0, Acquired.WAVEFORM, RpmPath.RPM)),
    (0x00010052, PulseStatus(2, 1e-2, 10.0, Acquired.SPOT_MEAN)),
    (0x02020076, PulseStatus(2, 0.8, 40.0, Acquired.WAVEFORM, RpmPath.BYPASS_PMU)),
    (0x03020065, PulseStatus(1, 0.2, 40.0, Acquired.WAVEFORM, RpmPath.BYPASS_SMU)),
    (0x04020001, PulseStatus(1, 1e-7, 10.0, Acquired.WAVEFORM, RpmPath.BYPASS_CVU)),
    (0x10010051, PulseStatus(1, 1e-2, 10.0, Acquired.SPOT_MEAN, flags=PulseFlag.LOAD_LINE_ENABLED)),
    (0x30010051, PulseStatus(1, 1e-2, 10.0, Acquired.SPOT_MEAN, flags=PulseFlag.LOAD_LINE_ENABLED | PulseFlag.LOAD_LINE_OK)),
    (0x40010051, PulseStatus(1, 1e-2, 10.0, Acquired.SPOT_MEAN, flags=PulseFlag.SKIPPED)),
    (0x00011051, PulseStatus(1, 1e-2, 10.0, Acquired.SPOT_MEAN, flags=PulseFlag.SOURCE_COMPLIANCE)),
    (0x00012051, PulseStatus(1, 1e-2, 10.0, Acquired.SPOT_MEAN, flags=PulseFlag.CURRENT_THRESHOLD)),
    (0x00014051, PulseStatus(1, 1e-2, 10.0, Acquired.SPOT_MEAN, flags=PulseFlag.VOLTAGE_THRESHOLD)),
    (0x00018051, PulseStatus(1, 1e-2, 10.0, Acquired.SPOT_MEAN, flags=PulseFlag.POWER_THRESHOLD)),
    (0x00010151, PulseStatus(1, 1e-2, 10.0, Acquired.SPOT_MEAN, flags=PulseFlag.VOLTAGE_UNDERFLOW)),
    (0x00010251, PulseStatus(1, 1e-2, 10.0, Acquired.SPOT_MEAN, flags=PulseFlag.VOLTAGE_OVERFLOW)),
    (0x00010451, PulseStatus(1, 1e-2, 10.0, Acquired.SPOT_MEAN, flags=PulseFlag.CURRENT_UNDERFLOW)),
    (0x00010851, PulseStatus(1, 1e-2, 10.0, Acquired.SPOT_MEAN, flags=PulseFlag.CURRENT_OVERFLOW)),
]  # fmt: skip
NO_WORDS = [
    0,
    0x01020020,
    0x01020023,
    0x01020029,
    0x01000021,
    0x01030021,
    0x05020021,
    0x01120021,
    0x01020081,
    0x81020021,
    -1,
    2**32,
]


@pytest.mark.parametrize(("word", "status"), PARTS, ids=[f"{row[0]:08X}" for row in PARTS])
def test_status_word_both_ways(word: int, status: PulseStatus) -> None:
    assert status_of(word) == status
    assert word_of(status) == word


@pytest.mark.parametrize("word", NO_WORDS)
def test_no_status_word(word: int) -> None:
    with pytest.raises(RemoteProtocolError, match="is not the status word"):
        status_of(word)


@pytest.mark.parametrize("part", [{"channel": 3}, {"current_range": 2e-5}, {"voltage_range": 20.0}])
def test_no_word_for_a_status_that_is_none(part: dict[str, Any]) -> None:
    whole: dict[str, Any] = {"channel": 1, "current_range": 1e-5, "voltage_range": 10.0, "acquired": Acquired.WAVEFORM}
    with pytest.raises(LocalProtocolError, match="no pulse card has"):
        word_of(PulseStatus(**whole | part))


statuses = st.builds(
    PulseStatus,
    st.sampled_from([1, 2]),
    st.sampled_from(CURRENT_RANGES),
    st.sampled_from(VOLTAGE_RANGES),
    st.sampled_from(list(Acquired)),
    st.sampled_from(list(RpmPath)),
    st.lists(st.sampled_from(list(PulseFlag))).map(lambda flags: PulseFlag(sum(set(flags)))),
)


@given(status=statuses)
@settings(examples, max_examples=300)
def test_status_round_trip(status: PulseStatus) -> None:
    word = word_of(status)
    assert status_of(word) == status
    assert 0 < word < 2**32
    assert PulseFlag.CURRENT_OVERFLOW & word == status.flags & PulseFlag.CURRENT_OVERFLOW  # a mask of the word itself


@given(word=st.integers(0, 2**32 - 1) | st.integers(0, 2**32 - 1).map(lambda word: word & 0x7F03FFFF | 0x00010001))
@settings(examples, max_examples=500)
def test_any_word_comes_back_or_is_refused(word: int) -> None:
    try:
        status = status_of(word)
    except RemoteProtocolError:
        return
    assert word_of(status) == word


def test_flags_are_masks_of_arrays_of_words() -> None:
    words = np.array([0x01020821, 0x01020421, 0x01020021, 0x41020221], dtype=np.uint32)
    assert ((words & CURRENT_BEYOND) != 0).tolist() == [True, True, False, False]
    assert ((words & VOLTAGE_BEYOND) != 0).tolist() == [False, False, False, True]
    assert ((words & PulseFlag.SKIPPED) != 0).tolist() == [False, False, False, True]


def test_load_line_failed() -> None:
    failed, corrected, off = (status_of(word).load_line_failed for word in (0x10010051, 0x30010051, 0x20010051))
    assert (failed, corrected, off) == (True, False, False)  # LPT 6-24: "ok" says nothing unless it was enabled


# -- short replies ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "running"), RUNNING)
def test_running(text: str, running: bool) -> None:
    assert replies.read_running(text) is running


@pytest.mark.parametrize(("text", "count"), COUNTS)
def test_count(text: str, count: int) -> None:
    assert replies.read_count(text) == count


@pytest.mark.parametrize(("returned", "text"), RETURNS, ids=[row[1][:30] for row in RETURNS])
def test_return_both_ways(returned: Returned, text: str) -> None:
    assert library_replies.write_return(returned) == text
    assert library_replies.read_return(text) == returned


@pytest.mark.parametrize(("text", "returned"), RETURNS_TOO)
def test_return_read(text: str, returned: Returned) -> None:
    assert library_replies.read_return(text) == returned


def test_the_instruments_words_for_a_wrong_number_of_parameters() -> None:
    assert Returned(error=library_replies.parameters_error(0, 2)) == RETURNS[-1][0]  # E 4-12


@pytest.mark.parametrize(("text", "values"), PARAMETERS)
def test_parameter_read(text: str, values: list[str]) -> None:
    assert library_replies.read_parameter(text) == values


def test_parameter_written() -> None:
    assert library_replies.write_parameter(["0", "0.5", "1"]) == "PARAM VALUE = 0;0.5;1"
    assert library_replies.write_parameter(["0", "0.5"], label="") == "0;0.5"


@given(st.lists(st.floats(-1e30, 1e30), max_size=20), st.sampled_from(["", "PARAM VALUE = "]))
@settings(examples)
def test_parameter_round_trip(values: list[float], label: str) -> None:
    text = library_replies.write_parameter(map(repr, values), label)
    assert library_replies.read_parameter_numbers(text).tolist() == values


GARBAGE = [
    *[(replies.read_running, text) for text in NO_RUNNING],
    *[(replies.read_count, text) for text in NO_COUNTS],
    *[(library_replies.read_return, text) for text in NO_RETURNS],
    *[(library_replies.read_parameter_numbers, text) for text in NO_NUMBERS],
]


@pytest.mark.parametrize(("read", "text"), GARBAGE, ids=[f"{read.__name__}-{text[:20]!r}" for read, text in GARBAGE])
def test_garbled_reply(read: Any, text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        read(text)
