"""SI text and floats, limits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import LimitError, UsageError
from labctl.quantities import Limit, Limits, parse, show


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("100u", "A", 1e-4), ("100 uA", "A", 1e-4), ("100µA", "A", 1e-4), ("1e-4", "A", 1e-4), ("-2.5", "V", -2.5),
        ("20 mV", "V", 0.02), ("1M", "ohm", 1e6), ("1 MΩ", "ohm", 1e6), ("5", "s", 5.0), ("3 ms", "s", 3e-3),
        ("10k", "", 1e4), (2, "V", 2.0), (".1", "V", 0.1), ("0", "A", 0.0), ("1p", "A", 1e-12),
    ],
)  # fmt: skip
def test_parse(text: object, unit: str, value: float) -> None:
    assert parse(text, unit) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("", "A"),
        ("fast", "A"),
        ("1 V", "A"),
        ("1x", "A"),
        ("nan", "V"),
        ("inf", "V"),
        ("1e999", "V"),
        (math.nan, "V"),
        ("1,5", "V"),
        ("--1", "V"),
        (True, "V"),
        ("1e99999999999999999999", "A"),
        ("1e-400", "V"),
        (10**400, "V"),
        ("5m", "s"),
    ],
)
def test_parse_refuses(text: object, unit: str) -> None:
    with pytest.raises(UsageError):
        parse(text, unit)  # type: ignore[arg-type]


@given(st.floats(1e-14, 1e13), st.sampled_from(["V", "A", "s", "ohm"]))
def test_shown_text_reads_back(value: float, unit: str) -> None:
    assert parse(show(value, unit, 17), unit) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-6, "1 uA"), (0.999999999, "1 A"), (-12.5e-9, "-12.5 nA"), (0.0, "0 A"), (1234.0, "1.234 kA")],
)
def test_show(value: float, text: str) -> None:
    assert show(value, "A") == text


def test_the_tightest_limit_decides_and_is_named() -> None:
    station = Limits((Limit("voltage", 10.0, "V", "station bench"),))
    sample = Limits((Limit("voltage", 2.0, "V", "sample W12/D3-4/C5"),))
    both = station & sample
    both.check("voltage", -2.0, "sweep level")
    both.check("current", 1e9, "not limited")
    with pytest.raises(LimitError, match=r"sweep level = 2\.5 V exceeds the voltage limit 2 V of sample W12/D3-4/C5"):
        both.check("voltage", 2.5, "sweep level")
    with pytest.raises(LimitError, match=r"2\.0000004"):
        both.check("voltage", 2.0000004, "sweep level")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_limit_refuses_what_is_no_number(value: float) -> None:
    with pytest.raises(LimitError):
        Limits((Limit("voltage", 2.0, "V", "x"),)).check("voltage", value, "level")
