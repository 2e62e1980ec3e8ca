"""The command language against its tables, in both directions; replies, errors and message ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from kxci_pulse_table import PULSE_BOUNDS, PULSE_LENIENT, PULSE_QUERIES, PULSE_ROWS, PULSE_WRONG
from kxci_replies import (
    CLEAN,
    CODES,
    IDENTITIES,
    MEASURED,
    MEASURED_TOO,
    NO_IDENTITIES,
    NO_MEASUREMENTS,
    NO_OPTIONS,
    NO_POINTS,
    NO_READINGS,
    NO_STATUS,
    OPTIONS,
    POINTS,
    POINTS_WRITTEN,
    PRIORITIES,
    READ,
    REPORTS,
    STATUS,
    WRITTEN,
)
from kxci_table import BOUNDS, LENIENT, QUERIES, ROWS, WRONG, Row

from labctl.contracts import Reading, Status
from labctl.errors import LimitError, LocalProtocolError, RemoteProtocolError
from labctl.kxci import Command, Framer, Invalid, Word, command, commands, decode, encode, errors, ranges, replies, spec
from labctl.kxci import messages as m

ALL_ROWS = ROWS + PULSE_ROWS
ALL_BOUNDS = BOUNDS + PULSE_BOUNDS


def outcome(message: str, longest_number: int | None = 12) -> list[Any]:
    """What `decode` makes of a message, an Invalid being told by its code."""
    return [item.code if isinstance(item, Invalid) else item for item in decode(message, longest_number)]


# -- commands ---------------------------------------------------------------------------------------------------------
def test_every_command_has_a_row() -> None:
    ours = {cls for cls in commands() if cls.__module__.startswith(m.__name__ + ".")}
    assert {type(row.message) for row in ALL_ROWS} == ours


@pytest.mark.parametrize("row", ALL_ROWS, ids=lambda row: row.text)
def test_row(row: Row) -> None:
    known = spec(row.message)
    assert encode(row.message) == row.text
    assert decode(row.text) == [row.message]
    assert [type(v) for v in vars_of(decode(row.text)[0])] == [type(v) for v in vars_of(row.message)]
    assert (known.page, known.where, known.query) == (row.page, row.where, known.mnemonic in QUERIES | PULSE_QUERIES)


def vars_of(item: Any) -> list[Any]:
    """The field values, tuples spread out, so that 1 and 1.0 can be told apart."""
    values = [getattr(item, name) for name in type(item).__match_args__]
    while any(isinstance(value, tuple) for value in values):
        values = [one for value in values for one in (value if isinstance(value, tuple) else [value])]
    return values


def test_all_rows_in_one_message() -> None:
    message = encode(*(row.message for row in ALL_ROWS))
    assert message == ";".join(row.text for row in ALL_ROWS)
    assert decode(message) == [row.message for row in ALL_ROWS]


@pytest.mark.parametrize(("text", "items", "source"), LENIENT + PULSE_LENIENT)
def test_lenient_spelling(text: str, items: tuple[Any, ...], source: str) -> None:
    assert decode(text) == list(items), source


@pytest.mark.parametrize(("text", "expected"), WRONG + PULSE_WRONG, ids=[text[:60] for text, _ in WRONG + PULSE_WRONG])
def test_wrong_text(text: str, expected: tuple[Any, ...]) -> None:
    assert outcome(text) == list(expected)


def test_invalid_tells_text_and_reason() -> None:
    wrong, unknown, count = decode("VC1,0,1.2;nope 7;RD 'V1'")
    assert wrong == Invalid("VC1,0,1.2", -993, "1.2 is not between -1.05 and 1.05")
    assert unknown == Invalid("nope 7", -992, "unknown command 'nope'")
    assert count == Invalid("RD 'V1'", -993, "RD takes 2 arguments, not 1")


@pytest.mark.parametrize(("text", "low", "high", "below", "above"), ALL_BOUNDS, ids=[row[0] for row in ALL_BOUNDS])
def test_bounds(text: str, low: str, high: str, below: str, above: str) -> None:
    for value in (low, high):
        [item] = decode(text.format(value))
        assert not isinstance(item, Invalid), item
        assert decode(encode(item)) == [item]
    for value in (below, above):
        assert outcome(text.format(value)) == [-969 if text.startswith(":PMU:") else -993]


def test_every_bounded_field_is_in_the_bounds() -> None:
    tested = set()
    for text, low, *_ in ALL_BOUNDS:
        cls = type(decode(text.format(low))[0])
        before = text.partition("{")[0]
        place = before.count(",") if spec(cls).separator == "," else len(before.split()) - 1
        tested.add((cls, min(place, len(spec(cls).kinds) - 1)))
    numbers = {
        (cls, place)
        for cls in commands() if cls.__module__.startswith(m.__name__ + ".")
        for place, field in enumerate(spec(cls).kinds) if field.kind in (int, float)
    }  # fmt: skip
    assert tested == numbers


@pytest.mark.parametrize("count", [1, 4096])
def test_list_sweep_up_to_4096_values(count: int) -> None:
    sweep = m.VoltageList(1, 1, 0.01, tuple(n / 1024 for n in range(count)))  # D 5-16
    assert decode(encode(sweep)) == [sweep]


def test_list_sweep_of_4097_values() -> None:
    with pytest.raises(LocalProtocolError, match="takes 4 to 4099 arguments, not 4100"):
        encode(m.VoltageList(1, 1, 0.01, (0.0,) * 4097))
    assert outcome("VL1,1,0.01" + ",0" * 4097) == [-993]


def test_numbers_without_the_limit_of_characters() -> None:
    assert outcome("VC1,0.10000000000000001,1e-003", None) == [m.ConstantVoltage(1, 0.1, 0.001)]
    assert outcome("VC1,1e400,0.1", None) == [-993]
    assert outcome("VC1," + "1" * 100_000 + ",0.1", None) == [-993]


ILL_TYPED: list[Any] = [
    m.ConstantVoltage(1.5, 0.0, 0.1),  # type: ignore[arg-type]
    m.ConstantVoltage(1, "0", 0.1),  # type: ignore[arg-type]
    m.ConstantVoltage(1, None, 0.1),  # type: ignore[arg-type]
    m.ConstantVoltage(1, 1j, 0.1),  # type: ignore[arg-type]
    m.VoltageList(1, 1, 0.1, [0.0, 1.0]),  # type: ignore[arg-type]
    m.GetData(5),  # type: ignore[arg-type]
    m.RoutePreamp("SMU1", 2),  # type: ignore[arg-type]
    m.DefineChannel(1, "V1"),
    m.DefineChannel(1, None, "I1", 1, 3),
    m.DefineChannel(1, "V'1", "I1", 1, 3),
    m.DefineChannel(1, "V\n1", "I1", 1, 3),
    m.DefineChannel(1, "Vµ", "I1", 1, 3),
    m.DefineChannel(1, "TOOLONG", "I1", 1, 3),
    m.DefineChannel(1, "V1", "I1", 3, 1),
    m.DefineChannel(0),
    m.RoutePreamp(Word("SMU1;DE"), 2),
    m.MapChannel(1, Word("1")),
    m.VoltageSweep(1, 0.0, 1.0),
    m.VoltageSweep(3, 0.1, 1.0, 0.1, 0.1),
    m.VoltageSweep(1, 0.0, 1.0, 0.1),
    m.SourceRange(1, 1.5),
    m.Integration(4),
    m.Integration(2, 1.0, 1.0, 1.0),
    m.DelayTime(float("nan")),
    m.DelayTime(float("inf")),
    m.ConstantVoltage(1, 1e-200, 0.1),
    m.ListNames(()),
    m.InitializePulse(2),
    m.GetPoints(1, None, 5),
    m.GetPoints(1, None, None, (Word("V"),)),
    m.GetPoints(1, 0, 1, ("V",)),  # type: ignore[arg-type]
    m.GetPoints(1, 0, 1, (Word("X"),)),
    m.PulseMeasureRange(1, 2),
    m.PulseSourceRange(1, 20.0),
    m.SweepDC(1, 0.0, 1.0, 0.0, 0),
    m.SegmentTimes(1, 1, ()),
    m.SegmentTimes(1, 1, (1e-6,) * 129),
    m.SegmentModes(1, 1, (1.5,)),  # type: ignore[arg-type]
    m.PlaySequences(1, ()),
    m.PlaySequences(1, (m.Play(1), m.Play(0))),
    m.PlaySequences(1, ((1,),)),  # type: ignore[arg-type]
    m.PlaySequences(1, (m.Play(1),) * 513),
    m.Execute(Word("lib"), Word("mod"), (m.place(""),)),
    m.Execute(Word("lib"), Word("mod"), ("1",)),  # type: ignore[arg-type]
    m.Execute(Word("lib"), Word("mod"), (m.place("1,2"),)),
    m.Execute(Word("lib"), Word("mod"), (m.place("f(1)"),)),
    m.Execute(Word("lib"), Word("mod"), (m.place(" 1"),)),
    m.Execute(Word("lib"), Word("mod-1")),
    m.Execute(Word("lib"), Word("mod"), (m.place("0;" * 15_999),)),
    m.GetParameterByName(Word("V"), 0),
]


@pytest.mark.parametrize("item", ILL_TYPED, ids=str)
def test_encode_refuses(item: Any) -> None:
    with pytest.raises(LocalProtocolError):
        encode(item)


def test_encode_refuses_the_whole_message() -> None:
    with pytest.raises(LocalProtocolError, match=r"VC: 300.0 is not between -210 and 210 \(D 5-15\)"):
        encode(m.SourcePage(), m.ConstantVoltage(1, 300.0, 0.1))


def test_numpy_scalars_are_numbers() -> None:
    row = m.ConstantVoltage(np.int64(1), np.float64(0.1), np.int32(1))
    assert encode(row) == "VC1,0.1,1"


def test_a_mnemonic_is_taken_once() -> None:
    with pytest.raises(ValueError, match="CH is DefineChannel already"):

        @command("CH", "D 5-7")
        @dataclass(frozen=True)
        class Again(Command):
            pass

    assert decode("CH1") == [m.DefineChannel(1)]


# -- replies ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("reading", "digits", "letters", "text"), WRITTEN, ids=[row[3] for row in WRITTEN])
def test_reading_both_ways(reading: Reading, digits: int, letters: str, text: str) -> None:
    assert replies.write_reading(reading, digits, letters) == text
    assert replies.read_readings(text) == [reading]


def test_plain_readings() -> None:
    assert replies.write_reading(Reading(1e-9), 5, plain=True) == "N 1.0000e-09"
    assert replies.write_reading(Reading(-1e-9, Status.COMPLIANCE), 3, plain=True) == "C-1.00e-09"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_no_text_for_what_is_no_number(value: float) -> None:
    for write in (lambda r: replies.write_reading(r), lambda r: replies.write_reading(r, plain=True)):
        with pytest.raises(LocalProtocolError):
            write(Reading(value))
    with pytest.raises(LocalProtocolError):
        replies.write_point(value)


@pytest.mark.parametrize(("status", "known", "expected"), PRIORITIES)
def test_letter_of_highest_priority(status: Status, known: str, expected: str) -> None:
    assert replies.letter(status, known) == expected


@pytest.mark.parametrize(("text", "readings"), READ, ids=[repr(row[0]) for row in READ])
def test_readings_read(text: str, readings: list[Reading]) -> None:
    assert replies.read_readings(text) == readings


@pytest.mark.parametrize(("measurement", "text"), MEASURED, ids=[row[1] for row in MEASURED])
def test_measurement_both_ways(measurement: replies.Measurement, text: str) -> None:
    assert replies.write_measurement(measurement) == text
    assert replies.read_measurement(text) == measurement


@pytest.mark.parametrize(("text", "measurement"), MEASURED_TOO, ids=[repr(row[0]) for row in MEASURED_TOO])
def test_measurement_read(text: str, measurement: replies.Measurement) -> None:
    assert replies.read_measurement(text) == measurement


@pytest.mark.parametrize(("kind", "channel"), [("I", 0), ("I", 9), ("V", 0), ("V", 17), ("X", 1)])
def test_no_letter_for_a_channel_that_is_none(kind: str, channel: int) -> None:
    with pytest.raises(LocalProtocolError, match="no channel letter"):
        replies.write_measurement(replies.Measurement(Reading(1.0), kind, channel))


@pytest.mark.parametrize(("text", "value"), POINTS)
def test_point_read(text: str, value: float | None) -> None:
    assert replies.read_point(text) == value


@pytest.mark.parametrize(("value", "digits", "text"), POINTS_WRITTEN)
def test_point_written(value: float, digits: int, text: str) -> None:
    assert replies.write_point(value, digits) == text
    assert replies.read_point(text) == value


@pytest.mark.parametrize(("text", "byte"), STATUS)
def test_status_byte(text: str, byte: int) -> None:
    assert replies.read_status(text) == byte


def test_status_bits() -> None:
    byte = replies.read_status("66")
    assert byte == replies.StatusByte.SYNTAX_ERROR | replies.StatusByte.SERVICE_REQUEST  # D 3-3
    assert replies.read_status("16") == replies.StatusByte.BUSY
    assert replies.read_status("65") & replies.StatusByte.DATA_READY


@pytest.mark.parametrize(("text", "parts"), IDENTITIES)
def test_identity(text: str, parts: tuple[str, ...]) -> None:
    assert tuple(replies.read_identity(text).values()) == parts


@pytest.mark.parametrize(("option", "text"), OPTIONS, ids=[row[1] for row in OPTIONS])
def test_option_both_ways(option: replies.Option, text: str) -> None:
    assert replies.write_options([option]) == text
    assert replies.read_options(text) == [option]


def test_all_options_in_one_reply() -> None:
    text = ",".join(row[1] for row in OPTIONS)
    assert replies.write_options(row[0] for row in OPTIONS) == text
    assert replies.read_options(text + "\r\n") == [row[0] for row in OPTIONS]
    assert replies.read_options('SMU1,"",HPSMUPA2,""') == [
        replies.Option("SMU", 1),
        replies.Option("SMU", 2, True, True),
    ]
    assert replies.read_options("") == []


GARBAGE = [
    *[(replies.read_readings, text) for text in NO_READINGS],
    *[(replies.read_measurement, text) for text in NO_MEASUREMENTS],
    *[(replies.read_point, text) for text in NO_POINTS],
    *[(replies.read_status, text) for text in NO_STATUS],
    *[(replies.read_identity, text) for text in NO_IDENTITIES],
    *[(replies.read_options, text) for text in NO_OPTIONS],
    (replies.read_options, "SMU" + "9" * 5000),
]


@pytest.mark.parametrize(("read", "text"), GARBAGE, ids=[f"{read.__name__}-{text[:20]!r}" for read, text in GARBAGE])
def test_garbled_reply(read: Any, text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        read(text)


# -- errors -----------------------------------------------------------------------------------------------------------
def test_code_table() -> None:
    assert sorted(errors.TEXTS.items()) == CODES
    for code, text in CODES:
        assert errors.report(code) == f"{text} ({code})"
        assert errors.parse_report(errors.report(code)) == errors.ErrorReport(code, text)
        assert str(errors.ErrorReport(code, text)) == errors.report(code)


@pytest.mark.parametrize("text", CLEAN)
def test_no_error(text: str) -> None:
    assert errors.parse_report(text) is None


@pytest.mark.parametrize(("text", "code", "message"), REPORTS)
def test_error_report(text: str, code: int | None, message: str) -> None:
    assert errors.parse_report(text) == errors.ErrorReport(code, message)


def test_unknown_code() -> None:
    assert errors.report(-1) == "Unknown error. (-1)"
    assert str(errors.ErrorReport(None, "odd")) == "odd"
    assert errors.parse_report("odd (" + "9" * 5000 + ")").code is None  # type: ignore[union-attr]


# -- message ends -----------------------------------------------------------------------------------------------------
STREAM = b"*IDN?\0DE;CH1\0\0ME1\0"
MESSAGES = [b"*IDN?", b"DE;CH1", b"", b"ME1"]


@pytest.mark.parametrize("at", range(len(STREAM) + 1))
def test_framer_split_anywhere(at: int) -> None:
    framer = Framer()
    assert framer.feed(STREAM[:at]) + framer.feed(STREAM[at:]) == MESSAGES


@pytest.mark.parametrize("terminator", [b"\0", b"\n", b"\r\n", b"\r\r\n"])
def test_framer_byte_by_byte(terminator: bytes) -> None:
    framer = Framer(terminator)
    stream = STREAM.replace(b"\0", terminator)
    assert [got for n in range(len(stream)) for got in framer.feed(stream[n : n + 1])] == MESSAGES


def test_framer_keeps_what_is_unfinished() -> None:
    framer = Framer()
    assert framer.feed(b"ME1\0DE") == [b"ME1"]
    assert framer.feed(b"") == []
    assert framer.feed(b";CH1") == []
    framer.clear()
    assert framer.feed(b"SP\0") == [b"SP"]


@pytest.mark.parametrize("terminator", [b"\0", b"\r\n"])
@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_framer_drops_a_message_that_is_too_long(terminator: bytes, piece: int) -> None:
    framer = Framer(terminator, limit=8)
    stream = terminator.join([b"12345678", b"123456789", b"SP", b"x" * 100, b"ME1", b""])
    pieces = [stream[n : n + piece] for n in range(0, len(stream), piece)]
    assert [got for one in pieces for got in framer.feed(one)] == [b"12345678", None, b"SP", None, b"ME1"]


def test_framer_forgets_an_overflow_when_cleared() -> None:
    framer = Framer(limit=8)
    assert framer.feed(b"x" * 100) == []
    framer.clear()
    assert framer.feed(b"SP\0") == [b"SP"]


def test_framer_holds_no_more_than_the_limit() -> None:
    framer = Framer(b"\r\n", limit=8)
    for _ in range(100):
        framer.feed(b"\r" * 7)
        assert len(framer._held) <= 8 + 1
    assert framer.feed(b"\nSP\r\n") == [None, b"SP"]


def test_framer_needs_a_terminator() -> None:
    with pytest.raises(ValueError, match="terminator"):
        Framer(b"")


# -- ranges (D 5-31 … 5-43; reference manual 3-4, 3-6) ----------------------------------------------------------------
def test_force_codes() -> None:
    assert ranges.FORCE_VOLTAGE_CODES == {1: 20.0, 2: 200.0, 3: 200.0, 4: 0.2, 5: 2.0}  # D 5-33
    codes = ["1n", "10n", "100n", "1u", "10u", "100u", "1m", "10m", "100m", "1", "1p", "10p", "100p"]  # D 5-31
    powers = {"p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3}
    for code, text in enumerate(codes, 1):
        expected = float(text[:-1]) * powers[text[-1]] if text[-1] in powers else float(text)
        assert ranges.FORCE_CURRENT_CODES[code] == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("field", "lowest", "greatest", "floor", "compliance"),
    [
        ("SMU1", 1e-7, 0.1, 1e-7, 1e-7),
        ("SMUPA1", 1e-12, 0.1, 1e-9, 1e-10),
        ("HPSMU1", 1e-7, 1.0, 1e-7, 1e-7),
        ("HPSMUPA1", 1e-12, 1.0, 1e-9, 1e-10),
    ],
)
def test_kinds_of_smu(field: str, lowest: float, greatest: float, floor: float, compliance: float) -> None:
    kind = ranges.SmuKind.of(replies.read_options(field)[0])
    assert (kind.current_ranges[0], kind.current_ranges[-1]) == (lowest, greatest)
    assert list(kind.current_ranges) == sorted(kind.current_ranges)
    assert (kind.default_range_floor, kind.lowest_compliance) == (floor, compliance)
    assert kind.greatest_current(21.0) == pytest.approx(1.05 * greatest)
    assert kind.greatest_current(-21.1) == pytest.approx(0.105 * greatest)


def test_range_for_a_current() -> None:
    kind = ranges.SmuKind(preamp=True)
    assert kind.range_for(0.0) == 1e-12
    assert kind.range_for(-1.05e-6) == 1e-6
    assert kind.range_for(1.06e-6) == 1e-5
    for value in (0.106, float("nan"), float("inf")):
        with pytest.raises(LimitError):
            kind.range_for(value)
