"""``labctl paper`` where things go wrong: records from elsewhere, cells that do not switch, workers that are killed."""

import dataclasses
import json
import math
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl.errors import UsageError
from labctl.paper import curves, plan, record, session, stack, targets, work
from labctl.paper.judge import judge
from labctl.paper.taken import Taken


# -- a record from elsewhere --------------------------------------------------------------------------------------------
def sound(folder: Path) -> Any:
    """Write the record of one run into `folder`; returns what is in it."""
    done = [work.Done(plan.Job("lateral", "l-device-4", 1), {"loops": "runs/loops.h5"})]
    record.write_json(folder, record.about(1, 1, ["l1-none"]), done, targets.read(), [], {"runs/loops.h5": "0" * 64})
    made, found, hashed = record.read_whole(folder)
    assert (made.seed, found, hashed) == (1, done, {"runs/loops.h5": "0" * 64})
    return json.loads((folder / record.JSON).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("about", "seed"), "x"),
        (("about", "seed"), -3),
        (("about", "seed"), math.inf),
        (("about", "cells"), 0),
        (("about", "seconds"), "long"),
        (("about",), 7),
        (("runs",), 7),
        (("runs", 0), "x"),
        (("runs", 0, "number"), 1.5),
        (("runs", 0, "number"), -1),
        (("runs", 0, "seconds"), [1]),
        (("runs", 0, "device"), "l-device-9"),
        (("runs", 0, "files"), []),
        (("runs", 0, "files", "loops", "file"), "runs/a\0b.h5"),
        (("runs", 0, "files", "loops", "file"), "C:x.h5"),
        (("runs", 0, "files", "loops", "sha256"), "00"),
    ],
)
def test_a_hostile_record_is_refused_in_one_line(tmp_path: Path, place: Any, value: Any) -> None:
    data = sound(tmp_path)
    inner = data
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (tmp_path / record.JSON).write_text(json.dumps(data).replace("Infinity", "1e999"), encoding="utf-8")
    with pytest.raises(UsageError, match="no record") as caught:
        record.read(tmp_path)
    assert str(caught.value).isprintable()


def test_a_folder_in_place_of_a_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / record.JSON).mkdir()
    with pytest.raises(UsageError, match="no record"):
        record.read(tmp_path)


# -- what a row counts ----------------------------------------------------------------------------------------------------
def test_a_cell_that_never_switches_is_not_nonvolatile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = plan.Step("loops", "volatility", {"loops": 2, "v_max": 0.02, "step": 0.002, "v_form": 0.0})
    whole = plan.EXPERIMENTS["volatility"]
    still = dataclasses.replace(whole, steps={**whole.steps, "device-4": [step]}, nominal=False)
    monkeypatch.setitem(plan.EXPERIMENTS, "volatility", still)
    (tmp_path / work.RUNS).mkdir()
    job = plan.Job("volatility", "device-4", 1)
    (found,) = session.measurements(Taken(tmp_path, [work.do(job, tmp_path, 1)]), ["volatile-4"])
    (target,) = [target for target in targets.read().rows if target.id == "volatile-4"]
    assert judge(target, found).outcome == "fail"
    assert (found.counts["1 uA"].hits, found.counts["1 uA neither"].hits) == (0, 1)


def _loop(on: float, off_from: int | None) -> dict[str, np.ndarray]:
    """A negative half loop of a stack: the selector turns on at -0.5 V, the memory goes off at a row after that, or at once."""
    out = -np.arange(0.0, 3.01, 0.1)
    level = np.concatenate([out, out[-2::-1]])
    holds = np.where(np.arange(level.size) < out.size, 0.45, 0.25)
    conductance = np.where(np.abs(level) < holds, 1e-12, 1e-8)
    if off_from is not None:
        rows = np.arange(level.size)
        conductance = np.where((rows >= 5) & (rows < off_from), on, conductance)
    return {
        "level": level, "voltage": level, "current": conductance * level, "status": np.zeros(level.size, np.int64)
    }  # fmt: skip


def test_a_cycle_that_reset_as_the_selector_turned_on_counts_at_that_level(monkeypatch: pytest.MonkeyPatch) -> None:
    loops = [_loop(1e-5, 10), _loop(1e-5, None), _loop(1e-5, None), _loop(1e-5, None)]
    assert curves.reset_voltage(loops[0]) == pytest.approx(-1.0)
    assert math.isnan(curves.reset_voltage(loops[1]))
    assert curves.selector_on(loops[1]) == pytest.approx(-0.5)
    monkeypatch.setattr(curves, "halves", lambda run, segment=1: loops)
    monkeypatch.setattr(
        stack, "_bipolar", lambda cell: [True, True, False]
    )  # the third did not set; the last is not known
    cell: Any = type("Cell", (), {"run": lambda self, step: None})()
    values, bounds = stack.resets(cell)
    assert values == pytest.approx([-1.0, -0.5])
    assert bounds.tolist() == [False, True]
    assert stack.voltages(cell, -1, math.nan) == pytest.approx([-1.0, -0.5])


# -- a worker that is killed
class _Broken:
    """A pool of workers of which one is killed after the first job."""

    def __init__(self) -> None:
        self.given = 0

    def submit(self, do: Any, job: plan.Job, *rest: Any) -> "Future[work.Done]":
        future: Future[work.Done] = Future()
        self.given += 1
        if self.given == 1:
            future.set_result(work.Done(job, {}))
        else:
            future.set_exception(BrokenProcessPool("a process was ended"))
        return future


def test_a_killed_worker_costs_its_cells_and_not_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def broken(workers: int) -> Iterator[tuple[_Broken, threading.Event]]:
        yield _Broken(), threading.Event()

    monkeypatch.setattr(work, "_pool", broken)
    outcome = session.reproduce(tmp_path / "kim", cells=1, only=["l1-none"], workers=2)
    assert sorted(item.problem for item in outcome.done) == ["", *[work.LOST] * (len(outcome.done) - 1)]
    assert [item.outcome for item in outcome.verdicts] == ["not measured"]
    assert outcome.failed
    assert not outcome.stopped
    assert (outcome.folder / record.JSON).is_file()
