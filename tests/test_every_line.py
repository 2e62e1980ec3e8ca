"""An exception at any line of any recipe, at any block, in start-up and in shutdown: outputs off, true state, file whole."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from pulse_chain import SMALL, Chain, same_rows
from pulse_fakes import kind_of

from labctl import plugins, runner, store
from labctl.contracts import Block
from labctl.errors import LabctlError

WAYS: dict[str, tuple[dict[str, Any], str]] = {
    **{name: (values, "selector" if name == "transient-relaxation" else "synapse") for name, values in SMALL.items()},
    "iv-sweep": ({"v_max": 0.4, "step": 0.2, "v_min": -0.2, "cycles": 2, "v_read": 0.1, "pause": 1}, "ohmic"),
    "forming": ({"v_max": 0.5, "step": 0.1}, "ohmic"),
    "volatility": ({"step": 0.5, "form_step": 0.5, "loops": 2}, "device-2"),
}
QUICK = ("iv-sweep", "forming")
Line = tuple[str, int]


class Injected(Exception):
    """What the tests throw into a recipe."""


@contextmanager
def tracing(file: Path, seen: Callable[[FrameType], None]) -> Iterator[None]:
    """Have `seen` called before each line of `file` is executed, outside of class bodies."""

    def enter(frame: FrameType, event: str, argument: object) -> Any:
        return line if frame.f_code.co_filename == str(file) else None

    def line(frame: FrameType, event: str, argument: object) -> Any:
        if event == "line":
            seen(frame)
        return line

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(before)


def source_of(name: str) -> Path:
    """The file of a recipe."""
    return Path(sys.modules[kind_of(name).__module__].__file__ or "")


def run(name: str, folder: Path, chain: Chain, **options: Any) -> tuple[runner.Result, store.Run]:
    """Run a recipe on a chain of its own."""
    return chain.run(name, folder, dict(WAYS[name][0]), **options)


@cache
def lines_of(name: str) -> tuple[tuple[Line, ...], store.Run]:
    """Every line of the recipe's file that a run goes through between its first stimulus and its end, and that run."""
    import tempfile

    found: dict[Line, None] = {}
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(WAYS[name][1])
        with tracing(source_of(name), lambda frame: found.setdefault((frame.f_code.co_name, frame.f_lineno))):
            result, whole = run(name, Path(folder), chain)
    assert result.state == "finished", result.reason
    return tuple(found), whole


def check_failed(chain: Chain, result: runner.Result, found: store.Run, whole: store.Run) -> None:
    """Assert the true state with its reason and traceback, outputs off, every note closed, rows as they would have been."""
    assert (result.state, found.state, result.safe) == ("failed", "failed", True), result.reason
    assert "Injected: here" in found.reason
    assert "Injected: here" in found.traceback
    assert all(note.outcome for note in found.stimuli)
    assert chain.is_off()
    assert len(found) <= len(whole)
    settled = found["status"] & 32 == 0
    for column in ("level", "current"):
        np.testing.assert_array_equal(found[column][settled], whole[column][: len(found)][settled], err_msg=column)
    assert [path.name for path in result.path.parent.iterdir() if path.suffix in (".jrn", ".h5~")] == []


def throw_at(name: str, folder: Path, line: Line) -> None:
    """Throw before `line` is executed for the first time."""
    _, whole = lines_of(name)
    chain, thrown = Chain(WAYS[name][1]), list[bool]()

    def throw(frame: FrameType) -> None:
        if (frame.f_code.co_name, frame.f_lineno) == line and not thrown:
            thrown.append(True)
            raise Injected("here")

    with tracing(source_of(name), throw):
        try:
            result, found = run(name, folder, chain)
        except Injected:  # in check or requests: before anything was opened
            assert not list(folder.iterdir()), "refused before the start: no file"
            assert chain.is_off()
            return
    if not thrown:
        pytest.fail(f"line {line} was not reached again")
    check_failed(chain, result, found, whole)


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in WAYS])
def test_an_exception_at_every_line_of_a_recipe(name: str, tmp_path: Path) -> None:
    lines, _ = lines_of(name)
    assert len(lines) > 10
    for number, line in enumerate(lines):
        (folder := tmp_path / str(number)).mkdir()
        throw_at(name, folder, line)


def test_every_recipe_is_among_them() -> None:
    assert set(WAYS) == set(plugins.names("procedures"))


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in WAYS])
def test_an_exception_at_every_yield(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thrown into the recipe's generator where it stands, as each block is handed on."""
    _, whole = lines_of(name)
    kind, number = kind_of(name), 0
    points = kind.points
    while True:
        number += 1
        reached = list[bool]()

        def broken(self: Any, station: Any, last: int = number, reached: list[bool] = reached) -> Iterator[Block]:
            blocks = points(self, station)
            for count, block in enumerate(blocks, 1):
                yield block
                if count == last:
                    reached.append(True)
                    blocks.throw(Injected("here"))  # type: ignore[attr-defined]

        (folder := tmp_path / str(number)).mkdir()
        chain = Chain(WAYS[name][1])
        with monkeypatch.context() as patch:
            patch.setattr(kind, "points", broken)
            result, found = run(name, folder, chain)
        if not reached:
            break
        check_failed(chain, result, found, whole)
    assert number > 4
    same_rows(found, whole)


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("error", [Injected("here"), LabctlError("Injected: here"), KeyboardInterrupt()])
def test_an_exception_in_shutdown(
    name: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe's own shutdown fails: the outputs go off all the same, and the run says how it ended before."""
    _, whole = lines_of(name)

    def shutdown(self: Any) -> None:
        raise error

    monkeypatch.setattr(kind_of(name), "shutdown", shutdown)
    chain = Chain(WAYS[name][1])
    result, found = run(name, tmp_path, chain)
    assert chain.is_off()
    same_rows(found, whole)
    assert result.safe
    assert found.state == "failed" or isinstance(error, KeyboardInterrupt)
    assert "shutdown" in found.reason or isinstance(error, KeyboardInterrupt)


@pytest.mark.parametrize("name", QUICK)
def test_an_exception_in_start_up(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first byte: it is raised, there is no file, and nothing was sent."""

    def startup(self: Any) -> None:
        raise Injected("here")

    monkeypatch.setattr(kind_of(name), "startup", startup)
    chain = Chain(WAYS[name][1])
    with chain.station() as station:
        heard = len(chain.gate.heard)
        with pytest.raises(Injected):
            chain.run(name, tmp_path, dict(WAYS[name][0]), station)
        assert len(chain.gate.heard) == heard
    assert not list(tmp_path.iterdir())
