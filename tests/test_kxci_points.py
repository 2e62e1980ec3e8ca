"""Blocks of pulse points as text: read, refused, written, and read back; the numbers in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from kxci_pulse_replies import BLOCKS, NO_BLOCKS, SHORT

from labctl.errors import LocalProtocolError, RemoteProtocolError
from labctl.kxci import points, short_engineering
from labctl.kxci.points import Points

examples = settings(derandomize=True, deadline=None, max_examples=100, database=None)


# -- blocks of points -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("text", "names", "numbers", "words"), BLOCKS, ids=[repr(row[0]) for row in BLOCKS])
def test_block_read(text: str, names: str, numbers: list[list[float]], words: list[list[int]]) -> None:
    columns = tuple(names.split())
    got = points.read_points(text, columns)
    assert (got.columns, len(got)) == (columns, len(numbers))
    assert got.values.tolist() == numbers
    assert got.words.tolist() == words
    assert (got.values.dtype, got.words.dtype) == (np.float64, np.uint32)
    number, word = [n for n in columns if n[0] != "S"], [n for n in columns if n[0] == "S"]
    assert [got.number(name).tolist() for name in number] == [[row[at] for row in numbers] for at in range(len(number))]
    assert [got.word(name).tolist() for name in word] == [[row[at] for row in words] for at in range(len(word))]


@pytest.mark.parametrize(("text", "names", "named"), NO_BLOCKS, ids=[repr(row[0]) for row in NO_BLOCKS])
def test_block_refused(text: str, names: str, named: str) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        points.read_points(text, names.split())
    assert named in str(error.value)


def test_the_manuals_sample_is_written_as_it_stands() -> None:
    text = "0.00788628,-21.7246e-9,0,01020021"  # D 7-38
    assert points.write_points(points.read_points(text)) == text
    assert points.write_points(points.read_points(f"{text};{text}")) == f"{text};{text}"
    assert points.write_points(points.read_points("")) == ""


def test_numbers_in_another_style() -> None:
    block = points.read_points("0.00788628,-21.7246e-9,0,01020021")
    assert points.write_points(block, "{:.5e}".format) == "7.88628e-03,-2.17246e-08,0.00000e+00,01020021"


def test_points_must_fit_their_columns() -> None:
    with pytest.raises(LocalProtocolError, match=r"no points of V,S"):
        Points(("V", "S"), np.zeros((3, 2)), np.zeros((3, 0), dtype=np.uint32))
    with pytest.raises(LocalProtocolError, match=r"no points of V,S"):
        Points(("V", "S"), np.zeros((3, 1)), np.zeros((2, 1), dtype=np.uint32))
    block = Points(("V",), np.array([[1.0], [np.nan]]), np.zeros((2, 0), dtype=np.uint32))
    with pytest.raises(LocalProtocolError, match="nan is not a reading"):
        points.write_points(block)
    with pytest.raises(ValueError, match="'I' is not in list"):
        block.number("I")
    with pytest.raises(ValueError, match="'S' is not in list"):
        block.word("S")


@st.composite
def blocks(draw: st.DrawFn) -> Points:
    """Points of any subset of the columns, numbers having six digits."""
    columns = tuple(draw(st.lists(st.sampled_from(points.WAVEFORM + points.SPOT_MEANS), min_size=1, unique=True)))
    count = draw(st.integers(0, 30))
    value = st.floats(-1e30, 1e30).map(lambda x: float(f"{x:.6g}"))
    word = st.integers(0, 2**32 - 1)
    k, s = [sum(points.is_status(name) == kind for name in columns) for kind in (False, True)]
    numbers = draw(st.lists(value, min_size=k * count, max_size=k * count))
    words = draw(st.lists(word, min_size=s * count, max_size=s * count))
    return Points(columns, np.array(numbers).reshape(count, k), np.array(words, dtype=np.uint32).reshape(count, s))


STYLES: list[Callable[[float], str]] = [short_engineering, "{:.6g}".format, "{:+.5E}".format, repr]


@given(block=blocks(), style=st.sampled_from(STYLES), end=st.sampled_from(["", ";", "\r\n", ";\n", " "]))
@settings(examples)
def test_block_round_trip(block: Points, style: Callable[[float], str], end: str) -> None:
    got = points.read_points(points.write_points(block, style) + end, block.columns)
    assert got.columns == block.columns
    np.testing.assert_array_equal(got.values, block.values)
    np.testing.assert_array_equal(got.words, block.words)


@given(block=blocks(), data=st.data())
@settings(examples)
def test_blanks_around_fields_change_nothing(block: Points, data: st.DataObject) -> None:
    blanks = st.sampled_from(["", " ", "\t", "  "])
    pieces = points.write_points(block).replace(";", ",;,").split(",")
    text = ",".join(data.draw(blanks) + piece + data.draw(blanks) for piece in pieces)
    for before in ("", " ", "\t", "  "):
        for after in ("", " ", "\t", "  "):
            text = text.replace(f",{before};{after},", ";")
    got = points.read_points(text, block.columns)
    np.testing.assert_array_equal(got.values, block.values)
    np.testing.assert_array_equal(got.words, block.words)


@given(st.text("0123456789abcdef+-. ,;eE\n", max_size=40), st.sampled_from(["V", "V S", "S", "V I T S"]))
@settings(examples, max_examples=500)
def test_a_block_is_read_as_field_by_field(text: str, names: str) -> None:
    columns = names.split()
    try:
        expected = plainly(text, columns)
    except ValueError:
        with pytest.raises(RemoteProtocolError):
            points.read_points(text, columns)
    else:
        got = points.read_points(text, columns)
        assert [[*got.values[n], *got.words[n]] for n in range(len(got))] == expected


def plainly(text: str, columns: list[str]) -> list[list[float]]:
    """Read a block the slow way: numbers, then status words, of each point. Raises ValueError."""
    body = text.strip().removesuffix(";").rstrip()
    rows = []
    for point in body.split(";") if body else []:
        pairs = list(zip(columns, point.split(","), strict=True))
        words = [field.strip() for name, field in pairs if name == "S"]
        if any(not 0 < len(word) <= 8 or not word.isalnum() for word in words):
            raise ValueError
        rows.append([*[float(field) for name, field in pairs if name != "S"], *[int(word, 16) for word in words]])
    if not np.isfinite([value for row in rows for value in row]).all():
        raise ValueError
    return rows


def test_a_full_block() -> None:
    time = np.arange(2048) * 5e-9
    values = np.column_stack([np.sin(time), np.cos(time) * 1e-6, time])
    block = Points(points.WAVEFORM, values, np.full((2048, 1), 0x01020021, dtype=np.uint32))
    got = points.read_points(points.write_points(block))
    np.testing.assert_allclose(got.values, values, rtol=5e-6)
    assert set(got.word("S").tolist()) == {0x01020021}


# -- numbers ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("value", "digits", "text"), SHORT)
def test_short_engineering_examples(value: float, digits: int, text: str) -> None:
    assert short_engineering(value, digits) == text


@given(value=st.floats(allow_nan=False, allow_infinity=False), digits=st.integers(1, 15))
@settings(examples, max_examples=300)
def test_short_engineering_notation(value: float, digits: int) -> None:
    assume(np.isfinite(float(f"{value:.{digits}g}")))  # the greatest floats round up to infinity
    text = short_engineering(value, digits)
    mantissa, e, exponent = text.partition("e")
    assert float(text) == float(f"{value:.{digits}g}")
    assert not e or int(exponent) % 3 == 0
    assert not e or 1 <= abs(float(mantissa)) < 1000
    assert not ("." in mantissa and mantissa.endswith("0"))
    assert len(text) <= digits + 10


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_no_short_text_for_what_is_no_number(value: float) -> None:
    with pytest.raises(LocalProtocolError, match="is not a reading"):
        short_engineering(value)
