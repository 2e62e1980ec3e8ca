"""What holds for every command, number, reply and text, and not only for those of the tables."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from labctl.contracts import Reading, Status
from labctl.errors import LocalProtocolError, RemoteProtocolError
from labctl.kxci import (
    Command,
    Framer,
    Invalid,
    Like,
    OneOf,
    Place,
    Word,
    commands,
    decode,
    encode,
    engineering,
    errors,
    library_replies,
    points,
    replies,
    spec,
    wire,
    wire_value,
)

examples = settings(derandomize=True, deadline=None, max_examples=50, database=None)
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e-?[0-9]{1,2})?")
PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="'")


# -- strategies -------------------------------------------------------------------------------------------------------
def numbers(low: float = -9e99, high: float = 9e99) -> st.SearchStrategy[float]:
    """Floats the language can hold: 0, or 1e-99 and more in magnitude; many with few digits."""
    anything = st.floats(low, high, allow_subnormal=False)
    short = anything.map(lambda x: float(f"{x:.3g}")).filter(lambda x: low <= x <= high)
    everyday = st.floats(max(low, -10), min(high, 10)).map(lambda x: round(x, 4)) if low < 10 and high > -10 else short
    return st.one_of(anything, short, everyday).filter(lambda x: low <= x <= high and (x == 0 or abs(x) >= 1e-99))


def argument(kind: type, rule: Any) -> st.SearchStrategy[Any]:
    if isinstance(rule, Like):
        return st.from_regex(re.compile(rule.pattern, re.ASCII), fullmatch=True, alphabet=PRINTABLE).map(kind)
    if kind is Word:
        return st.from_regex(r"[A-Z][A-Z0-9-]{0,7}", fullmatch=True).map(Word)
    if kind is Place:
        inside = st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="'(),")
        return st.text(inside, max_size=12).map(str.strip).map(Place)
    if isinstance(rule, OneOf):
        return st.sampled_from(rule.values).map(kind)
    if kind is str:
        return st.text(PRINTABLE, max_size=12)
    low, high = (rule.low, rule.high) if rule else (-9e99, 9e99)
    return st.integers(int(low), int(high)) if kind is int else numbers(low, high).map(wire_value)


@st.composite
def instances(draw: st.DrawFn, cls: type[Command]) -> Command:
    """Any valid command of a class, from nothing but what its spec says; lists up to 40 values."""
    known = spec(cls)
    count = draw(st.sampled_from([n for n in known.counts if n <= 40]))
    values = [draw(argument(kind, rule)) for kind, rule, _ in known.spread(count)]
    fixed = known.fixed
    if fixed < len(known.kinds):
        rest, size = values[fixed:], len(known.kinds) - fixed
        if known.group:
            rest = [known.group(*rest[n : n + size]) for n in range(0, len(rest), size)]
        values = [*values[:fixed], *[None] * (fixed - len(values)), tuple(rest)]
    item = cls(*values)
    assume(not item.problem())
    return item


anything = st.sampled_from(commands()).flatmap(instances)
almost = st.one_of(
    st.text("CHVRDELIT019.,;' +-eE*:?\n", max_size=60),
    st.lists(
        st.sampled_from([":PMU:", "DATA:GET", "INIT", "EX ", "GN ", "GP", "a", " ", "(", ")", ",", ";", "1", "'"])
    ).map("".join),
)
binary = st.binary(max_size=200).map(lambda data: data.decode("latin-1"))
texts = st.one_of(st.text(max_size=100), almost, binary)


# -- commands ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("cls", commands(), ids=lambda cls: cls.__name__)
@given(data=st.data())
@settings(examples, max_examples=15)
def test_round_trip_of_every_command(cls: type[Command], data: st.DataObject) -> None:
    item = data.draw(instances(cls))
    text = encode(item)
    assert decode(text) == [item]
    assert encode(*decode(text)) == text  # type: ignore[arg-type]
    assert text.isascii()
    assert text.isprintable()


@given(items=st.lists(anything, max_size=6), data=st.data())
@settings(examples)
def test_several_commands_in_a_message(items: list[Command], data: st.DataObject) -> None:
    assert decode(encode(*items)) == items
    gaps = st.sampled_from([";", " ", "; ", " ;", ";;", "\t", "\r\n"])
    assert decode("".join(encode(item) + data.draw(gaps) for item in items)) == items


@given(item=anything, data=st.data())
@settings(examples)
def test_blanks_around_commas_change_nothing(item: Command, data: st.DataObject) -> None:
    blanks = st.sampled_from(["", " ", "   "])
    pieces = encode(item).split("'")
    pieces[::2] = [
        "".join(data.draw(blanks) + c + data.draw(blanks) if c == "," else c for c in p) for p in pieces[::2]
    ]
    assert decode("'".join(pieces)) == [item]


@given(text=texts)
@settings(examples, max_examples=200)
def test_any_text_is_read(text: str) -> None:
    for longest in (12, None):
        items = decode(text, longest)
        assert all(isinstance(item, (Command, Invalid)) for item in items)
        assert all(item.code in (-992, -993, -969) and item.text for item in items if isinstance(item, Invalid))
    assert bool(decode(text)) == bool(text.strip("; \t\n\r\f\v"))


@given(text=almost)
@settings(examples, max_examples=200)
def test_what_is_read_can_be_written(text: str) -> None:
    assume(re.search("[eE]-[0-9]{2}", text) is None)  # 0.1e-99 can be read, but 12 characters of ours can't hold it
    items = [item for item in decode(text) if isinstance(item, Command)]
    again = encode(*items)
    assert encode(*decode(again)) == again  # type: ignore[arg-type]
    assert [type(item) for item in decode(again)] == [type(item) for item in items]


# -- numbers ----------------------------------------------------------------------------------------------------------
def bound(value: float) -> float:
    """Greatest relative error of a number on the wire: half a unit of the last digit that 12 characters leave.

    Sign, point and exponent cost digits. From 1e-3 to 1e10 no exponent is needed: 11 digits, less a leading zero, less
    the zeros after the point; otherwise 8 without point beside "e-NN", 9 beside "eNN"; below 1e-91 the point has to stay.
    """
    magnitude = abs(value)
    if 1e-3 <= magnitude < 1e10:
        digits = 11 + min(math.floor(math.log10(magnitude)), 0)
    else:
        digits = 9 if magnitude >= 1e10 else 8 if magnitude >= 1e-91 else 7
    return 0.5 * 10.0 ** (1 - digits + (value < 0))


@given(value=numbers())
@settings(examples, max_examples=500)
def test_wire(value: float) -> None:
    text = wire(value)
    assert len(text) <= 12
    assert NUMBER.fullmatch(text)
    sent = wire_value(value)
    assert sent == float(text)
    assert abs(sent - value) <= bound(value) * abs(value) * (1 + 1e-9)
    assert (sent < 0) == (value < 0)
    assert wire_value(sent) == sent
    if len(repr(value)) <= 12:
        assert sent == value


@pytest.mark.parametrize("decade", [-99, -98, -92, -91, -10, -9, -5, -4, -3, -2, -1, 0, 1, 8, 9, 10, 11, 12, 20, 99])
@pytest.mark.parametrize("sign", [1, -1])
def test_wire_beside_powers_of_ten(decade: int, sign: int) -> None:
    for mantissa in ("1", "0.99999999999999989", "1.0000000000000002", "9.9999951", "9.876543210987654", "1.234567891"):
        value = sign * float(f"{mantissa}e{decade}")
        if not 1e-99 <= abs(value) <= 9.999999e99:
            continue
        assert len(wire(value)) <= 12
        assert NUMBER.fullmatch(wire(value))
        assert wire_value(value) == pytest.approx(value, rel=bound(value) * (1 + 1e-9), abs=0)
        assert wire_value(wire_value(value)) == wire_value(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (-0.0, "0"), (1.0, "1"), (100e-9, "1e-7"), (1.23456789e-3, "0.0012345679"), (0.1, "0.1"), (-210.0, "-210"),
        (1e-12, "1e-12"), (1.5e-7, "1.5e-7"), (1.2345678e-20, "12345678e-27"), (-1.23456789e-13, "-1234568e-19"),
        (0.1 + 0.2, "0.3"), (2 / 3, "0.6666666667"), (-2 / 3, "-0.666666667"), (1e22, "1e22"), (123456789012.0, "123456789012"),
        (0.0001, "0.0001"), (1e-5, "1e-5"), (1e16, "1e16"), (1e10, "10000000000"),
    ],
)  # fmt: skip
def test_wire_examples(value: float, text: str) -> None:
    assert wire(value) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e100, -1e100, 9.9999999999e99, 9.9e-100, 5e-324])
def test_wire_refuses(value: float) -> None:
    with pytest.raises(LocalProtocolError):
        wire(value)


@given(value=st.floats(allow_nan=False, allow_infinity=False), digits=st.integers(1, 15))
@settings(examples, max_examples=300)
def test_engineering_notation(value: float, digits: int) -> None:
    assume(math.isfinite(float(f"{value:.{digits - 1}e}")))  # the greatest floats round up to infinity
    text = engineering(value, digits)
    match = re.fullmatch(r"([ -])([0-9]{1,3})(?:\.([0-9]+))?E([+-][0-9]{2,3})", text)
    assert match is not None
    sign, whole, fraction, exponent = match.groups()
    assert (sign == "-") == (value < 0)
    assert int(exponent) % 3 == 0
    assert whole == "0" if value == 0 else whole[0] != "0"
    assert len(whole + (fraction or "")) == max(digits, len(whole))
    assert float(text) == float(f"{value:.{digits - 1}e}")


# -- replies ----------------------------------------------------------------------------------------------------------
statuses = st.sampled_from(list(replies.LETTERS.values()))
readings = st.builds(Reading, st.floats(-1e30, 1e30), statuses)


@given(
    items=st.lists(readings, max_size=20),
    separator=st.sampled_from([",", "\n", "\r\n", "\x0e", ", "]),
    plain=st.booleans(),
)
@settings(examples)
def test_readings_round_trip(items: list[Reading], separator: str, plain: bool) -> None:
    text = separator.join(replies.write_reading(item, 7, "LVXCTN", plain) for item in items)
    got = replies.read_readings(text)
    assert [item.status for item in got] == [item.status for item in items]
    assert [item.value for item in got] == [float(f"{item.value:.6e}") for item in items]


@given(reading=readings, kind=st.sampled_from("IV"), data=st.data())
@settings(examples)
def test_measurement_round_trip(reading: Reading, kind: str, data: st.DataObject) -> None:
    channel = data.draw(st.integers(1, 8 if kind == "I" else 16))
    got = replies.read_measurement(replies.write_measurement(replies.Measurement(reading, kind, channel), 5, "LVXCTN"))
    assert got == replies.Measurement(Reading(float(f"{reading.value:.4e}"), reading.status), kind, channel)


@given(value=st.floats(-1e30, 1e30), digits=st.integers(1, 7))
@settings(examples)
def test_a_measured_point_never_looks_unmeasured(value: float, digits: int) -> None:
    assert replies.read_point(replies.write_point(value, digits)) == float(f"{value:.{digits - 1}e}")


READERS = [
    replies.read_readings, replies.read_measurement, replies.read_point, replies.read_status, replies.read_identity,
    replies.read_options, replies.read_running, replies.read_count, points.read_points, library_replies.read_return,
    library_replies.read_parameter_numbers,
]  # fmt: skip


def refusal(read: Any, text: str) -> str:
    """Why `read` refuses a text, "" where it does not; any other exception passes through."""
    try:
        read(text)
    except RemoteProtocolError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@given(text=st.one_of(texts, st.text("NLVXCT019.,+-eE \r\n\x0eAISMUPRH()", max_size=40)))
@settings(examples, max_examples=200)
def test_any_reply_is_read_or_refused(read: Any, text: str) -> None:
    assert len(refusal(read, text)) < 400


@given(text=st.one_of(texts, st.text("NOERo .()-0129", max_size=30)))
@settings(examples, max_examples=200)
def test_any_error_report_is_read(text: str) -> None:
    got = errors.parse_report(text)
    assert got is None or got.code != 0


# -- long inputs ------------------------------------------------------------------------------------------------------
# Each takes minutes if a pattern looks at the same text again and again; the time-out of the test run is the judge.
PIECES = [
    "'",
    ",",
    " ",
    ";",
    "A",
    "1",
    "1,",
    "A,",
    "A ",
    "A1 ",
    "A1,",
    "A1,'",
    "A1, ",
    "'A ",
    ":",
    "*",
    ".",
    "(",
    "\r",
    "\x0e",
    "é",
]
HEADS = (
    "A", "A1", "A1,", "RP", "N1,", "", "EX", "EX a", "EX a b", "EX a b(", "GN", "GN a", ":PMU:DATA:GET",
    "EX ERROR", "RETURN", "1,2,3",
)  # fmt: skip
LONG = [
    *(piece * (100_000 // len(piece)) for piece in PIECES),
    *(head + " " * 100_000 + tail for head in HEADS for tail in ("!", "'", ",", "(1) !")),
    "VL1,1,0.1" + ",0" * 50_000,
    "VC1," + "1" * 100_000 + "x,1",
    "N" + "1" * 100_000 + "x",
    "CH1,'" + "x" * 100_000 + "','I',1,3",
    "SV 'P " + " " * 100_000 + "'",
    "DO '" + "a" * 100_000,
    "(" * 50_000 + "1" * 50_000 + ")",
    "SMU" + "1" * 100_000,
    "EX ERROR" + " " * 100_000 + "\0",
    "EX a b(" + "1;" * 50_000,
    "1,2,3,4;" * 20_000 + "x",
    "1e" + "9" * 100_000,
]


@pytest.mark.timeout(30)
def test_long_messages_end() -> None:
    for text in LONG:
        for longest in (12, None):
            assert all(len(item.reason) < 200 for item in decode(text, longest) if isinstance(item, Invalid))


@pytest.mark.timeout(30)
def test_long_replies_end() -> None:
    for text in LONG:
        errors.parse_report(text)
        for read in READERS:
            assert len(refusal(read, text)) < 400


@given(
    items=st.lists(st.binary(max_size=20)),
    sizes=st.lists(st.integers(1, 7), min_size=1),
    terminator=st.sampled_from([b"\0", b"\r\n"]),
)
@settings(examples)
def test_framer_gives_the_same_however_it_is_fed(items: list[bytes], sizes: list[int], terminator: bytes) -> None:
    stream = b"".join(item + terminator for item in items)
    whole = Framer(terminator, limit=10).feed(stream)
    framer, got, at = Framer(terminator, limit=10), [], 0
    while at < len(stream):
        for size in sizes:
            got += framer.feed(stream[at : at + size])
            at += size
    assert got == whole
    assert whole == [part if len(part) <= 10 else None for part in stream.split(terminator)[:-1]]


def test_unknown_status_letter_is_no_valid_number() -> None:
    assert replies.read_readings("Z 1")[0].status == Status.INVALID
