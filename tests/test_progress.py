"""The time left, of a run from its beginning and of one that is continued."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_resume import dead_after, goes_on

from labctl.cli import progress
from labctl.cli.progress import Progress
from labctl.contracts import Block


class Time:
    """A clock of the wall's that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def rows(count: int, provisional: bool = False) -> Block:
    return Block({"level": np.zeros(count), "current": np.zeros(count)}, provisional)


def test_the_time_left_is_that_of_the_rows_so_far(time: Time, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Progress("iv", 100)
    time.now += 20
    shown(rows(5, provisional=True))
    assert capsys.readouterr().err == "iv: 5 of 100 rows, about 380 s left\n"
    shown(rows(20))
    time.now += 20
    shown(rows(20))
    assert capsys.readouterr().err == "iv: 40 of 100 rows, about 60 s left\n"


def test_recalled_rows_say_nothing_about_the_time_left(time: Time, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Progress("iv", 100)
    for _ in range(4):
        shown.recalled(rows(20))
        time.now += 1
    assert capsys.readouterr().err == ""
    time.now += 11
    shown(rows(4))
    assert capsys.readouterr().err == "iv: 84 of 100 rows, about 48 s left\n"


def test_on_a_terminal_likewise(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    bar = progress._bar()
    bar.disable = True
    monkeypatch.setattr(bar, "get_time", time.monotonic)
    monkeypatch.setattr(progress, "_bar", lambda: bar)
    with Progress("iv", 100) as shown:
        for _ in range(8):
            shown.recalled(rows(10))
            time.now += 0.1
        for _ in range(3):
            time.now += 10
            shown(rows(2))
    (task,) = bar.tasks
    assert (task.completed, task.total) == (86, 100)
    assert task.speed == pytest.approx(0.2, rel=0.01)


def test_the_runner_tells_recalled_rows_from_new_ones(tmp_path: Path) -> None:
    died = dead_after("iv-sweep", {"v_max": 0.4, "step": 0.1, "cycles": 3}, tmp_path, 6)

    class Listener:
        def __init__(self) -> None:
            self.old: list[Block] = []
            self.new: list[Block] = []
            self.recalled: Any = self.old.append

        def __call__(self, block: Block) -> None:
            self.new.append(block)

    told, plain = Listener(), list[Block]()
    done = goes_on(died, tmp_path, listeners=[told, plain.append])
    assert sum(len(block) for block in told.old) == len(died) > 0
    assert len(died) + sum(len(block) for block in told.new if not block.provisional) == len(done)
    assert len(plain) == len(told.old) + len(told.new), "who makes no difference is told of all"
