"""Definitions by name and version, and tables cut into stretches."""

import numpy as np
import pytest

from labctl.analysis import currents, loops, methods
from labctl.contracts import Extracted, Series, Status
from labctl.errors import UsageError


@methods.method("test/answer")
def answer(value: float) -> Extracted | None:
    """Say a number."""
    return Extracted("answer", value, "", 0.0, "as given") if value else None


@methods.method("test/answer", version=2)
def answer_anew(value: float) -> list[Extracted]:
    """Say it twice, once as before."""
    found = answer(value)
    return [Extracted("answer", 2 * value, "", 0.0, "twice"), *([found] if found else [])]


def test_what_is_found_says_by_which_method() -> None:
    assert [item.method for item in answer_anew(1.0)] == ["test/answer@2", "test/answer@1"]
    assert answer(0.0) is None
    assert answer.__doc__ == "Say a number."


def test_old_versions_stay() -> None:
    assert methods.get("test/answer").version == 2
    old = methods.get("test/answer@1")
    assert old.function(3.0) == answer(3.0)
    assert (old.mark, old.words) == ("test/answer@1", "Say a number.")
    with pytest.raises(UsageError, match="no method 'test/answer@3'"):
        methods.get("test/answer@3")


def test_a_mark_belongs_to_one_function() -> None:
    with pytest.raises(ValueError, match="its own"):
        methods.method("test/answer")(lambda: None)


def test_stretches_are_where_no_key_changes() -> None:
    table = {"cycle": np.array([1, 1, 1, 2, 2, 1]), "segment": np.array([1, 1, -1, -1, 1, 1]), "x": np.arange(6.0)}
    assert loops.stretches(table) == [slice(0, 2), slice(2, 3), slice(3, 4), slice(4, 5), slice(5, 6)]
    assert list(loops.of_segment(table, -1)) == [slice(2, 3), slice(3, 4)]
    assert loops.part(table, slice(2, 4))["x"].tolist() == [2.0, 3.0]
    assert loops.stretches({"x": np.arange(3.0)}) == [slice(0, 3)]
    assert loops.stretches({"cycle": np.arange(0), "x": np.arange(0.0)}) == []
    assert loops.stretches({}) == []


def test_a_series_has_one_length() -> None:
    with pytest.raises(ValueError, match="equally long"):
        Series("x", "V", np.arange(2), np.arange(3.0), np.zeros(2, bool), "")


def test_methods_are_known_though_nothing_was_analysed() -> None:
    import subprocess
    import sys

    code = "from labctl.analysis import methods as m; print(m.get('asymmetry/labels').mark, m.get('I/last-read').mark)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["asymmetry/labels@1", "I/last-read@1"]


def test_the_last_read_is_a_number_only_where_it_is_one() -> None:
    level, current, status = np.full(3, 0.1), np.array([1e-6, 2e-6, 3e-6]), np.zeros(3, np.int64)
    found = currents.last_read(level, current, status, np.array([True, True, False]), "I before")
    assert found is not None
    assert (found.value, found.method, found.rows) == (2e-6, "I/last-read@1", (1,))
    status[1] = int(Status.OVERFLOW)
    flagged = currents.last_read(level, current, status, np.array([True, True, False]), "I before")
    assert flagged is not None
    assert np.isnan(flagged.value)
    assert "beyond its range" in flagged.definition
    assert currents.last_read(level, current, status, np.zeros(3, bool), "I before") is None
