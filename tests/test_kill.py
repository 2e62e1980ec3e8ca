"""SIGKILL at any moment of a run: no acknowledged row is lost, none is there twice, no pulse is applied twice, and it goes on.

The recipe runs in a process of its own and the simulated 4200 in this one, so that the cell outlives the program as a real one
does, and its own record tells what it got.
"""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from pulse_chain import Chain

from labctl import store
from labctl.bench import TcpDoor
from labctl.contracts import Status

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")

SEED = 1
MESSAGE_TIME = 0.05  #: s a message costs on the instrument's clock: the client's waits pass at once


@dataclass(frozen=True)
class Way:
    """A recipe to kill. least: V, excursions of the cell beyond it are counted; times: most of each that a whole run makes."""

    recipe: str
    settings: dict[str, Any]
    device: str
    least: float
    cell: str = "formed"


WAYS = {
    "pulses": Way(
        "potentiation-depression",
        {"pulses": 3, "prepare": "none", "read_with": "pulse", "wait": 0, "v_read": 0.5},
        "synapse", 1.0,
    ),
    "sweeps": Way(
        "iv-sweep",
        {"v_max": 1.2, "step": 0.2, "cycles": 3, "compliance": 1e-4, "v_read": 0.2, "integration": "quiet"},
        "memory", 1.1,
    ),
}  # fmt: skip


class Nursery:
    """A process that forks children; see kill_nursery."""

    def __init__(self, locks: Path) -> None:
        program = [sys.executable, str(Path(__file__).with_name("kill_nursery.py"))]
        pipe = subprocess.PIPE
        environment = {**os.environ, "LABCTL_LOCKS": str(locks)}  # a port may have been somebody's before
        self.process = subprocess.Popen(
            program, stdin=pipe, stdout=pipe, stderr=pipe, text=True, bufsize=1, env=environment
        )

    def warm(self, **task: Any) -> None:
        """Have it do a task itself."""
        self._tell(task)
        assert self._answer() == {"ready": True}

    def _tell(self, task: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"resume": "", "die": 0, "unsafe": False, **task}) + "\n")

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else ""
        found: dict[str, Any] = json.loads(line)
        return found

    def child(self, after: float | None = None, **task: Any) -> int:
        """Run a child and kill it `after` s unless it ended before; its status as os.waitpid says it."""
        self._tell(task)
        pid = self._answer()["pid"]
        if after is not None:
            time.sleep(after)
            with suppress(ProcessLookupError):  # it may have ended
                os.kill(pid, signal.SIGKILL)
        return int(self._answer()["status"])

    def close(self) -> str:
        """End it; what it and its children said."""
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        self.process.stdin.close()
        said = self.process.stderr.read()
        self.process.wait()
        return said


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    for way in WAYS.values():  # compiles what simulates the cells: over TCP nobody waits as long as that may take
        chain = Chain(way.device, seed=SEED)
        assert chain.run(way.recipe, tmp_path_factory.mktemp("compiled"), dict(way.settings))[0].state == "finished"
    made = Nursery(tmp_path_factory.mktemp("locks"))
    victim = Victim(WAYS["pulses"], made, tmp_path_factory.mktemp("nursery") / "first")
    made.warm(**victim.task("run.h5"), warm=True)
    victim.close()
    yield made
    assert made.close() == ""


@dataclass
class Count:
    """What the kills of a test met."""

    kills: int = 0
    died: int = 0
    finished: int = 0
    nothing: int = 0
    open_notes: int = 0
    resumed_twice: int = 0
    rows: list[int] = field(default_factory=list)


class Victim:
    """One cell on one instrument, and the run on it that is killed and resumed."""

    def __init__(self, way: Way, nursery: Nursery, folder: Path) -> None:
        self.way, self.nursery, self.folder = way, nursery, folder
        folder.mkdir()
        self.chain = Chain(way.device, seed=SEED, message_time=MESSAGE_TIME)
        self.chain.bench.device.prepare(way.cell)
        self.acks = folder / "acks"
        self.acks.write_bytes(bytes(16))
        self.door = TcpDoor(self.chain.bench.instrument).start()

    def run(self, path: str = "run.h5", **task: Any) -> int:
        """Run or resume; see Nursery.child."""
        return self.nursery.child(**self.task(path), **task)

    def task(self, path: str) -> dict[str, Any]:
        """What a child is told."""
        about = {"recipe": self.way.recipe, "settings": self.way.settings, "port": self.door.port}
        return {"path": str(self.folder / path), "acks": str(self.acks), **about}

    def acknowledged(self) -> int:
        """Rows whose storing had returned."""
        return int(struct.unpack("<qq", self.acks.read_bytes())[0])

    def calls(self) -> int:
        """How many times a whole run syncs, renames, removes or writes a file."""
        return int(struct.unpack("<qq", self.acks.read_bytes())[1])

    def peaks(self) -> list[float]:
        """What the cell got, of either sign, from the instrument's own record."""
        return [*self.chain.peaks(self.way.least), *self.chain.peaks(-self.way.least)]

    def recovered(self) -> store.Run | None:
        """The newest run after recovery; None where the program was killed before it had recorded anything."""
        for journal in store.orphans(self.folder):
            try:
                store.recover(journal)
            except store.EmptyJournal:
                continue
            except store.StoreError as error:
                if "header" not in str(error):
                    raise
                journal.unlink()
        found = sorted(self.folder.glob("run*.h5"), key=lambda path: path.stat().st_mtime_ns)
        self.path = found[-1] if found else self.folder / "run.h5"
        return store.read(found[-1]) if found else None

    def close(self) -> None:
        self.door.stop()


class Whole(NamedTuple):
    """An undisturbed run: its rows, what the cell got (V), how long it took (s), how many calls to be killed at it made."""

    run: store.Run
    everything: list[float]
    took: float
    calls: int


@pytest.fixture(scope="module")
def whole(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Whole]:
    """An undisturbed run of each way."""
    known = {}
    for name, way in WAYS.items():
        victim = Victim(way, nursery, tmp_path_factory.mktemp(name) / "whole")
        began = time.monotonic()
        assert victim.run() == 0
        took = time.monotonic() - began
        victim.close()
        run = victim.recovered()
        assert run is not None
        assert run.state == "finished"
        known[name] = Whole(run, victim.peaks(), took, victim.calls())
    return known


def check_rows(run: store.Run, whole: store.Run) -> None:
    """Assert that what is there is, test by test, of what a whole run has: no row twice, none out of place.

    Where every stimulus was answered nothing is left out of it; the rows of one that was not may be missing.
    """
    key = ("cycle", "segment", "pulse") if "pulse" in run.columns else ("cycle", "segment")
    ours, all_ = (_by_test(item, key) for item in (run, whole))
    answered = all(note.outcome == "done" for note in run.stimuli)
    assert set(ours) <= set(all_)
    for name, levels in ours.items():
        assert _is_within(levels, all_[name]), f"{name}: {levels} are not of {all_[name]}"
        if answered and name != list(ours)[-1]:
            assert levels == all_[name]


def _is_within(some: list[float], all_: list[float]) -> bool:
    """Whether `some` is `all_` with items left out."""
    rest = iter(all_)
    return all(item in rest for item in some)


def _by_test(run: store.Run, key: tuple[str, ...]) -> dict[tuple[int, ...], list[float]]:
    tests: dict[tuple[int, ...], list[float]] = {}
    for row in range(len(run)):
        if abs(run["segment"][row]) == 2 and run["status"][row] & int(Status.PROVISIONAL):
            continue  # the live row of a read whose answer was lost: it may have been asked again, as another stimulus
        tests.setdefault(tuple(int(run[name][row]) for name in key), []).append(float(run["level"][row]))
    return tests


def check_died(victim: Victim, run: store.Run, whole: store.Run, everything: list[float]) -> None:
    assert len(run) >= victim.acknowledged(), "an acknowledged row is lost"
    check_rows(run, whole)
    if not run.header.resumes:  # what a resumed run recalls may hold the live rows of a test that was cut short
        assert not np.any(run["status"][: victim.acknowledged()] & int(Status.PROVISIONAL))
    assert run.state in ("died", "finished")
    assert run.ending.lost_bytes == 0
    got, noted = victim.peaks(), [note for note in run.stimuli if not note.details["reads"]]
    assert len(got) <= len(noted), "applied, but not noted"
    assert len([note for note in noted if not note.outcome]) <= 1 + len(run.header.resumes), "one for each death"
    assert sum(got.count(level) > everything.count(level) for level in got) == 0


def kill_and_resume(victim: Victim, whole: Whole, chance: random.Random, count: Count, unsafe: bool = False) -> None:
    """Kill one run, look at what is left, resume it (killing that, too, now and then), and look at what the cell got."""
    undisturbed, everything, took, calls = whole
    count.kills += 1
    by_call = chance.random() < 0.4
    how = {"die": chance.randrange(1, calls + 1)} if by_call else {"after": chance.uniform(0.1, 1.0) * took}
    victim.run(**how, unsafe=unsafe)
    run = victim.recovered()
    if run is None:
        assert victim.peaks() == []
        count.nothing += 1
        return
    check_died(victim, run, undisturbed, everything)
    if run.state == "died" and chance.random() < 0.2:
        victim.acks.write_bytes(bytes(16))
        victim.run(resume=str(victim.path), after=chance.uniform(0.0, took))
        again = victim.recovered()
        assert again is not None
        count.resumed_twice += 1
        check_died(victim, again, undisturbed, everything)
        run = again
    count.rows.append(len(run))
    count.open_notes += any(not note.outcome for note in run.stimuli)
    if run.state == "finished":
        count.finished += 1
        check_applied(victim, run, everything)
        return
    count.died += 1
    assert victim.run(resume=str(victim.path)) == 0
    done = victim.recovered()
    assert done is not None
    check_resumed(victim, run, done, undisturbed, everything)


def check_resumed(
    victim: Victim, run: store.Run, done: store.Run, undisturbed: store.Run, everything: list[float]
) -> None:
    assert done.state == "finished"
    assert done.header.resumes[-1]["uuid"] == run.header.uuid
    for name in run.columns:
        np.testing.assert_array_equal(done[name][: len(run)], run[name], err_msg=name)
    check_rows(done, undisturbed)
    assert [note.id for note in done.stimuli][: len(run.stimuli)] == [note.id for note in run.stimuli]
    check_applied(victim, done, everything)
    assert victim.chain.is_off()


def check_applied(victim: Victim, done: store.Run, everything: list[float]) -> None:
    """Assert that the cell got everything once, but for stimuli that the file says may never have reached it."""
    got = victim.peaks()
    assert all(got.count(level) <= everything.count(level) for level in got), "a pulse was repeated"
    never = len([note for note in done.stimuli if not note.outcome and not note.details["reads"]])
    assert len(everything) - never <= len(got) <= len(everything)


def kill(way: str, kills: int, nursery: Nursery, whole: dict[str, Whole], folder: Path, seed: int) -> Count:
    """Kill that many runs, each with a cell of its own."""
    count, chance = Count(), random.Random(f"{way} {seed}")
    for number in range(kills):
        victim = Victim(WAYS[way], nursery, folder / str(number))
        try:
            kill_and_resume(victim, whole[way], chance, count)
        finally:
            victim.close()
    return count


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
def test_a_run_killed_anywhere_is_whole_and_goes_on(
    way: str, nursery: Nursery, whole: dict[str, Whole], tmp_path: Path
) -> None:
    count = kill(way, 100, nursery, whole, tmp_path, 0)
    print(count)
    assert count.died >= 25
    assert count.open_notes >= 5
    assert count.resumed_twice >= 3
    assert len(set(count.rows)) >= 10


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("way", WAYS)
def test_a_thousand_kills(way: str, nursery: Nursery, whole: dict[str, Whole], tmp_path: Path) -> None:
    count = kill(way, 500, nursery, whole, tmp_path, 1)
    print(count)
    assert count.died >= 125


def test_a_writer_that_buffers_in_the_process_is_found_out(
    nursery: Nursery, whole: dict[str, Whole], tmp_path: Path
) -> None:
    """The negative control: the same kills and checks."""
    found, chance = 0, random.Random(0)
    for number in range(12):
        victim = Victim(WAYS["pulses"], nursery, tmp_path / str(number))
        try:
            kill_and_resume(victim, whole["pulses"], chance, Count(), unsafe=True)
        except AssertionError as error:
            found += "an acknowledged row is lost" in str(error)
        finally:
            victim.close()
    assert found >= 4
