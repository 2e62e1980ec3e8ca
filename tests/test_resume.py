"""A run that was stopped, failed or died goes on where it ended; see test_kill for SIGKILL with the cell living on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commandline import labctl as command
from pulse_chain import WAYS, Chain, same_rows
from pulse_fakes import kind_of

from labctl import resume, runner, store
from labctl.contracts import READING_COLUMNS, Block, PulseTrain
from labctl.procedure import Count, Procedure
from labctl.quantities import Column
from labctl.station import Station, simulated

SEED = 1
ALL = {
    **WAYS,
    "iv-sweep": (
        "iv-sweep",
        {"v_max": 1.2, "v_min": -1.0, "v_read": 0.1, "cycles": 3, "compliance": 1e-4, "step": 0.1},
    ),
    "forming": ("forming", {"v_max": 6, "step": 0.1}),
}


class _Dies(BaseException):
    """Ends the process, as far as a run can be ended in a test's own: what comes after it writes nothing."""


def run(name: str, values: dict[str, Any], folder: Path, **options: Any) -> tuple[runner.Result, store.Run]:
    """Run a recipe on a new simulated bench, as `labctl run` does."""
    kind = kind_of(name)
    with Station(simulated(kind.device), seed=SEED) as station:
        station.prepare(kind.cell)
        result = runner.run(name, kind(**values), station, folder / "run.h5", seed=SEED, **options)
    return result, store.read(result.path)


def dead_after(name: str, values: dict[str, Any], folder: Path, blocks: int) -> store.Run:
    """The run file, recovered, of a run whose program ended when this many blocks had been handed on."""
    kind, seen = kind_of(name), list[Block]()
    writers: list[store.RunWriter] = []
    create = store.RunWriter.create

    def die(block: Block) -> None:
        seen.append(block)
        if len(seen) == blocks:
            journal = writers[0].path.with_suffix(".jrn")
            kept.append(journal.read_bytes())

    kept: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch, Station(simulated(kind.device), seed=SEED) as station:
        patch.setattr(runner.RunWriter, "create", lambda *a, **k: writers.append(create(*a, **k)) or writers[0])
        station.prepare(kind.cell)
        runner.run(name, kind(**values), station, folder / "run.h5", seed=SEED, listeners=[die])
    (folder / "run.h5").unlink()
    (folder / "run.jrn").write_bytes(kept[0])
    return store.read(store.recover(folder / "run.jrn"))


def goes_on(run_: store.Run, folder: Path, **options: Any) -> store.Run:
    """Resume a simulated run."""
    kind = kind_of(run_.header.procedure)
    with Station(simulated(kind.device), seed=SEED) as station:
        station.prepare(kind.cell)
        values = {key: item["value"] for key, item in run_.header.parameters.items()}
        result = runner.run(
            run_.header.procedure, kind(**values), station, folder / "run.h5", seed=SEED, earlier=run_, **options
        )
    return store.read(result.path)


@pytest.mark.parametrize("way", ALL)
def test_a_run_that_died_between_two_tests_ends_as_if_nothing_had_happened(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit by bit: the cell lives through the record again, and everything after it is the same.

    But for the read after the gap, which draws from the noise, too: it is left out here.
    """
    name, values = ALL[way]
    monkeypatch.setattr(kind_of(name), "state_read", lambda self: None)
    finals: list[int] = []
    blocks: list[Block] = []

    def count(block: Block) -> None:
        blocks.append(block)
        if not block.provisional:
            finals.append(len(blocks))

    _, whole = run(name, values, tmp_path / "whole", listeners=[count])
    died = dead_after(name, values, tmp_path / "died", finals[len(finals) // 2 - (len(finals) > 1)])
    assert died.state == "died"
    assert 0 < len(died) < len(whole)
    done = goes_on(died, tmp_path / "died")
    assert done.state == "finished", done.reason
    if (
        way == "switching-time"
    ):  # how many samples a waveform gives is not known before: its test was taken for cut short,
        for run_ in (done, whole):  # and closing it took some messages more
            del run_.columns["elapsed"]
    same_rows(done, whole)
    again, then = (
        [(n.kind, n.outcome) for n in r.stimuli if not n.details.get(resume.AFTER_GAP)] for r in (done, whole)
    )
    assert len(again) == len(then)
    resumed = next(event for event in done.events if event.kind == "resumed")
    assert resumed.details["run"] == died.header.uuid
    assert "simulated_differently" not in resumed.details


@pytest.mark.parametrize("way", ["iv-sweep", "potentiation-depression", "retention by pulses", "endurance", "forming"])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.85])
def test_a_test_cut_in_the_middle_is_not_begun_again(way: str, share: float, tmp_path: Path) -> None:
    name, values = ALL[way]
    blocks: list[Block] = []
    _, whole = run(name, values, tmp_path / "whole", listeners=[blocks.append])
    at = next((n for n in range(int(share * len(blocks)), len(blocks)) if blocks[n].provisional), None)
    if at is None:
        pytest.skip("no live rows there")
    died = dead_after(name, values, tmp_path / "died", at + 1)
    done = goes_on(died, tmp_path / "died")
    assert done.state == "finished", done.reason
    for column in died.columns:
        np.testing.assert_array_equal(done[column][: len(died)], died[column], err_msg=column)
    assert [n.id for n in done.stimuli if not n.outcome] == [n.id for n in died.stimuli if not n.outcome]
    asked = [(n.kind, n.details["reads"]) for n in done.stimuli if not n.details.get(resume.AFTER_GAP)]
    last = died.stimuli[-1]
    lost_read = last.details["reads"] and not last.outcome and resume.unknown(died) == []
    if name in ("iv-sweep", "potentiation-depression", "retention", "forming"):  # others decide by what they read
        assert len(asked) <= len(whole.stimuli) + lost_read
    event = next(event for event in done.events if event.kind == "resumed")
    assert event.details["unknown"] == resume.unknown(died)


def test_a_forming_ramp_cut_short_is_no_verdict(tmp_path: Path) -> None:
    name, values = ALL["forming"]
    died = dead_after(name, values, tmp_path, 5)
    done = goes_on(died, tmp_path)
    said = {event.kind: event.details for event in done.events}
    assert "not formed" not in said
    assert said["forming cut short"]["reached"] == pytest.approx(float(died["level"][-1]))
    assert said["resumed"]["unknown"] == [1]


def test_a_stopped_run_goes_on_and_can_be_stopped_again(tmp_path: Path) -> None:
    name, values = ALL["potentiation-depression"]
    seen: list[Block] = []

    def after(number: int) -> Callable[[], bool]:
        return lambda: sum(not block.provisional for block in seen) >= number

    _, whole = run(name, values, tmp_path / "whole")
    _, part = run(name, values, tmp_path, listeners=[seen.append], should_stop=after(4))
    assert (part.state, part.reason) == ("aborted", "stopped in order by the program that ran it")
    seen.clear()
    part2 = goes_on(part, tmp_path, listeners=[seen.append], should_stop=after(9))
    assert part2.state == "aborted"
    assert len(part) < len(part2) < len(whole)
    done = goes_on(part2, tmp_path)
    assert done.state == "finished"
    assert [resumed["rows"] for resumed in done.header.resumes] == [len(part), len(part2)]
    assert len(done) == len(whole)
    np.testing.assert_array_equal(done["level"], whole["level"])
    assert done.header.start_time == part.header.start_time
    assert np.all(np.diff([note.time for note in done.stimuli]) >= 0)


def test_only_what_ended_before_its_time_goes_on(tmp_path: Path) -> None:
    _, whole = run("iv-sweep", {"v_max": 0.2}, tmp_path)
    with pytest.raises(resume.ResumeError, match="has finished"):
        goes_on(whole, tmp_path)
    assert [path.suffix for path in tmp_path.iterdir() if path.suffix in (".h5", ".jrn")] == [".h5"]


def test_another_procedure_or_parameter_is_refused(tmp_path: Path) -> None:
    _, part = run("iv-sweep", {"v_max": 0.4, "step": 0.1}, tmp_path, should_stop=lambda: True)
    kind = kind_of("iv-sweep")
    with Station(simulated(kind.device), seed=SEED) as station, pytest.raises(resume.ResumeError, match="v_max"):
        runner.run("iv-sweep", kind(v_max=0.5, step=0.1), station, tmp_path / "run.h5", earlier=part)
    with Station(simulated("ohmic"), seed=SEED) as station, pytest.raises(resume.ResumeError, match="station"):
        runner.run("iv-sweep", kind(v_max=0.4, step=0.1), station, tmp_path / "run.h5", earlier=part)


def test_a_procedure_that_asks_for_something_else_now_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Block] = []
    settings = {"v_max": 0.4, "step": 0.1, "cycles": 3}
    _, part = run("iv-sweep", settings, tmp_path, listeners=[seen.append], should_stop=lambda: len(seen) > 5)
    kind = kind_of("iv-sweep")
    half_loop = kind.half_loop
    monkeypatch.setattr(kind, "half_loop", lambda self, peak: 0.9 * half_loop(self, peak))
    done = goes_on(part, tmp_path)
    assert done.state == "failed"
    assert "stimulus 1" in done.reason
    assert "levels" in done.reason
    assert "nothing was sent" in done.reason
    assert len(done.stimuli) == len(part.stimuli)


def test_a_run_is_continued_once(tmp_path: Path) -> None:
    """A second time would send again what the first one sent."""
    died = dead_after("iv-sweep", {"v_max": 0.4, "step": 0.1, "cycles": 9}, tmp_path, 6)
    seen: list[Block] = []
    part = goes_on(died, tmp_path, listeners=[seen.append], should_stop=lambda: len(seen) > 5)
    assert part.state == "aborted"
    with pytest.raises(resume.ResumeError, match=r"run\.2\.h5 continues this run already"):
        goes_on(died, tmp_path)
    assert goes_on(part, tmp_path).state == "finished"


@pytest.mark.parametrize("frames", range(0, 9, 2))
def test_a_run_that_died_while_it_took_another_over_is_no_run(
    frames: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    died = dead_after("iv-sweep", {"v_max": 0.4, "step": 0.1, "cycles": 3, "v_read": 0.1}, tmp_path, 16)
    assert len(died.stimuli) > 4
    write, left = store.RunWriter._write, [frames]

    def fails(self: store.RunWriter, *arguments: Any, **named: Any) -> float:
        if left[0] == 0:
            raise _Dies
        left[0] -= 1
        return write(self, *arguments, **named)

    begun = resume.continued(died.header, died)
    for number, end in enumerate(("dies", "fails"), 2):
        writer, left[0] = store.RunWriter.create(tmp_path / f"run.{number}.h5", begun), frames
        with monkeypatch.context() as patch:
            patch.setattr(store.RunWriter, "_write", fails)
            with pytest.raises(_Dies):
                writer.adopt(died)
        if end == "dies":
            writer.close()
            with pytest.raises(store.EmptyJournal, match="nothing of its own"):
                store.recover(tmp_path / "run.2.jrn")
            assert not (tmp_path / "run.2.jrn").exists()
            assert goes_on(died, tmp_path).state == "finished"
            (tmp_path / "run.2.h5").unlink()
        else:
            half = store.read(writer.finish("failed", "the disk was full"))
            with pytest.raises(resume.ResumeError, match=f"run {died.header.uuid}, of which it has a part only"):
                goes_on(half, tmp_path)


# -- on a bench, where the cell lived on --------------------------------------------------------------------------------
def test_waits_go_on_by_the_time_of_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads of a retention run whose time passed meanwhile come late, the others when they are due."""
    from labctl.bench import TcpDoor

    kind = kind_of("retention")
    values = {"duration": 1000, "per_decade": 1, "write_with": "pulse", "read_with": "pulse"}
    chain, seen = Chain("synapse", seed=SEED, message_time=0.05), list[Block]()
    chain.bench.device.prepare("formed")
    with TcpDoor(chain.bench.instrument) as door:
        with chain.station(door.port) as station:
            result = runner.run(
                "retention", kind(**values), station, tmp_path / "run.h5", listeners=[seen.append],
                should_stop=lambda: len(seen) > 3,
            )  # fmt: skip
        part = store.read(result.path)
        assert part.state == "aborted"
        before = float(part["age"][-1])
        clock = chain.bench.clock
        began = clock.now()
        monkeypatch.setattr(resume, "since", lambda run: lambda: part.ending.duration + 300.0 + clock.now() - began)
        with chain.station(door.port) as station:
            result = runner.run("retention", kind(**values), station, tmp_path / "run.h5", earlier=part)
    done = store.read(result.path)
    assert done.state == "finished", done.reason
    ages = done["age"][done["state"] == done["state"][0]]
    late = ages[len(part)]
    assert before < 100 < late
    assert late == pytest.approx(before + 300, rel=0.2)
    assert ages[-1] == pytest.approx(1000, rel=0.05)
    gap = next(event for event in done.events if event.kind == "resumed").details["gap"]
    assert gap == pytest.approx(300, abs=20)


# -- as a command -------------------------------------------------------------------------------------------------------
def test_the_command(tmp_path: Path) -> None:
    died = dead_after("iv-sweep", {"v_max": 0.4, "step": 0.1, "cycles": 2}, tmp_path, 6)
    done = command("resume", "run.h5", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout
    assert "run.2.h5" in done.stdout
    assert f"continuing after {len(died)} rows" in done.stderr
    shown = command("show", "run.2.h5", folder=tmp_path)
    assert "continues" in shown.stdout
    assert died.header.uuid in shown.stdout
    again = command("resume", "run.2.h5", folder=tmp_path)
    assert again.returncode == 2
    assert "has finished" in again.stderr


def test_the_command_asks_for_the_station_of_a_real_run(tmp_path: Path) -> None:
    from dataclasses import replace

    died = dead_after("iv-sweep", {"v_max": 0.4, "step": 0.1}, tmp_path / "sim", 3)
    writer = store.RunWriter.create(tmp_path / "real.h5", replace(died.header, simulated=False, setup={}))
    writer.adopt(died)
    writer.finish("failed", "the link was lost")
    done = command("resume", "real.h5", folder=tmp_path)
    assert done.returncode == 2
    assert "give --station FILE" in done.stderr


# -- recipes of others ----------------------------------------------------------------------------------------------------
class Others(Procedure):
    """Pulses of rising amplitude, as somebody may write it."""

    number = Count("number", default=6, description="pulses")
    columns = READING_COLUMNS
    less = False

    def train(self, pulse: int) -> PulseTrain:
        """One pulse."""
        return PulseTrain(np.array([1.5 + 0.1 * pulse]), 1e-4, 1e-3, series=1e3)

    def finals(self, station: Any, pulse: int) -> Iterator[Block]:
        """Its final block."""
        for block in station.pulse_source.train(self.train(pulse)):
            if not block.provisional:
                yield Block({column.name: block[column.name] for column in READING_COLUMNS})

    def points(self, station: Any) -> Iterator[Block]:
        """Yield a row for each pulse."""
        for pulse in range(self.number):
            yield from self.finals(station, pulse)


class Leaves(Others):
    """Leaves a test after its final block."""

    def points(self, station: Any) -> Iterator[Block]:
        """Yield a row for each pulse."""
        for pulse in range(self.number):
            for block in station.pulse_source.train(self.train(pulse)):
                if not block.provisional:
                    yield Block({column.name: block[column.name] for column in READING_COLUMNS})
                    break


class Late(Others):
    """Hands on the rows of a test after the next one."""

    def points(self, station: Any) -> Iterator[Block]:
        """Yield a row for each pulse."""
        before: list[Block] = []
        for pulse in range(self.number):
            for block in self.finals(station, pulse):
                yield from before
                before = [block]
        yield from before


class Changes(Others):
    """Stores something else than it was given."""

    def points(self, station: Any) -> Iterator[Block]:
        """Yield a row for each pulse."""
        for block in super().points(station):
            yield block.with_columns(current=1000 * block["current"])


class Fewer(Others):
    """Asks for less when it is continued."""

    def points(self, station: Any) -> Iterator[Block]:
        """Yield a row for each pulse."""
        for pulse in range(1 if Fewer.less else self.number):
            yield from self.finals(station, pulse)


class ReadsWithPulses(Others):
    """Looks at the cell's state with what it does not call a read."""

    def state_read(self) -> PulseTrain:
        """A pulse."""
        return self.train(0)


class Own(Others):
    """Has none of the instruments' columns."""

    columns = (Column("resistance", "ohm"),)

    def points(self, station: Any) -> Iterator[Block]:
        """Yield a row for each pulse."""
        for block in super().points(station):
            yield Block({"resistance": block["voltage"] / block["current"]})


class OneColumnMore(Others):
    """Adds to what it was given."""

    columns = (*READING_COLUMNS, Column("resistance", "ohm"))

    def points(self, station: Any) -> Iterator[Block]:
        """Yield a row for each pulse."""
        for block in super().points(station):
            yield block.with_columns(resistance=block["voltage"] / block["current"])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Others, ""),
        (Leaves, ""),
        (OneColumnMore, ""),
        (Late, "does not hand on the rows of a test as it gets them"),
        (Changes, "does not hand on the rows of a test as it gets them"),
        (Fewer, "asked for less than was recorded"),
        (ReadsWithPulses, "not declared a read"),
        (Own, "has no time, level"),
    ],
)
def test_recipes_of_others_go_on_or_are_refused_before_anything_is_sent(
    kind: type[Others], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labctl.bench import TcpDoor

    chain, seen = Chain("synapse", seed=SEED, message_time=0.05), list[Block]()
    chain.bench.device.prepare("formed")
    with TcpDoor(chain.bench.instrument) as door:
        with chain.station(door.port) as station:
            stop = lambda: len(seen) > 2  # noqa: E731
            first = runner.run("others", kind(), station, tmp_path / "a.h5", listeners=[seen.append], should_stop=stop)
        part, before = store.read(first.path), chain.peaks(1.45)
        assert part.state == "aborted"
        assert 3 <= len(before) < 6
        monkeypatch.setattr(Fewer, "less", True)
        with chain.station(door.port) as station:
            try:
                result = runner.run("others", kind(), station, tmp_path / "b.h5", earlier=part)
                why = result.reason
            except resume.ResumeError as error:
                why = str(error)
    assert (reason in why) if reason else not why
    after = chain.peaks(1.45)
    assert after == sorted(set(after)), "a pulse was repeated"
    assert after == before if reason else len(after) == 6


@pytest.mark.parametrize("key", ["terminals", "pulse_terminals", "current_from", "read_twice"])
def test_another_wiring_is_refused(key: str, tmp_path: Path) -> None:
    """A sweep on the other terminal is another stimulus; how often data are fetched is nobody's matter but the driver's."""
    from dataclasses import replace

    seen: list[Block] = []
    settings = {"v_max": 0.4, "step": 0.1, "cycles": 3}
    _, part = run("iv-sweep", settings, tmp_path, listeners=[seen.append], should_stop=lambda: len(seen) > 5)
    smu = dict(part.header.instruments["smu"])
    smu["settings"] = {**smu["settings"], key: "another"}
    changed = replace(part, header=replace(part.header, instruments={**part.header.instruments, "smu": smu}))
    if key == "read_twice":
        assert goes_on(changed, tmp_path).state == "finished"
    else:
        with pytest.raises(resume.ResumeError, match=f"{key} of smu was 'another'"):
            goes_on(changed, tmp_path)


def test_a_damaged_record_is_not_gone_on_with(tmp_path: Path) -> None:
    """Nobody knows what was sent in the part that is lost."""
    dead_after("iv-sweep", {"v_max": 0.4, "step": 0.1, "cycles": 4}, tmp_path, 12)
    died = store.read(tmp_path / "run.h5")
    (tmp_path / "run.h5").unlink()
    writer = store.RunWriter.create(tmp_path / "run.h5", died.header)
    writer.adopt(died)
    writer.close()
    data = bytearray((tmp_path / "run.jrn").read_bytes())
    data[data.index(b"STIM", len(data) // 2) + 40] ^= 1
    (tmp_path / "run.jrn").write_bytes(data)
    damaged = store.read(store.recover(tmp_path / "run.jrn"))
    assert damaged.ending.lost_bytes > 0
    with pytest.raises(resume.ResumeError, match=r"bytes of this run's journal are lost"):
        goes_on(damaged, tmp_path)


def test_a_cell_that_lives_is_not_taken_through_the_record_again(tmp_path: Path) -> None:
    kind, seen = kind_of("iv-sweep"), list[Block]()
    with Station(simulated(kind.device), seed=SEED) as station:
        station.prepare(kind.cell)
        procedure = kind(v_max=0.4, step=0.1, cycles=3)
        stop = lambda: len(seen) > 5  # noqa: E731
        runner.run("iv-sweep", procedure, station, tmp_path / "run.h5", listeners=[seen.append], should_stop=stop)
        part = store.read(tmp_path / "run.h5")
        with pytest.raises(resume.ResumeError, match="has a history; open a new station"):
            runner.run("iv-sweep", kind(v_max=0.4, step=0.1, cycles=3), station, tmp_path / "run.h5", earlier=part)


@pytest.mark.parametrize("where", ["beside the new one", "beside the old one", "unreadable"])
def test_a_continuation_is_found(where: str, tmp_path: Path) -> None:
    died = dead_after("iv-sweep", {"v_max": 0.4, "step": 0.1, "cycles": 3}, tmp_path / "old", 6)
    (tmp_path / "new").mkdir()
    folder = {"beside the new one": "new", "beside the old one": "old", "unreadable": "new"}[where]
    kind = kind_of("iv-sweep")

    def start(path: Path) -> runner.Result:
        with Station(simulated(kind.device), seed=SEED) as station:
            station.prepare(kind.cell)
            return runner.run("iv-sweep", kind(v_max=0.4, step=0.1, cycles=3), station, path, earlier=died)

    if where == "unreadable":
        (tmp_path / "new" / "x.3.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    else:
        assert start(tmp_path / folder / "other-name.h5").state == "finished"
    with pytest.raises(
        resume.ResumeError, match="may continue this run" if where == "unreadable" else "continues this run"
    ):
        start(tmp_path / "new" / "x.h5")


@pytest.mark.parametrize(
    "change",
    [
        {"details": {"reads": False}},
        {"details": {"reads": False, "levels": 3.0}},
        {"details": {"reads": False, "levels": None}},
        {"kind": "pulse train", "details": {"reads": False, "amplitudes": 1.0, "count": 1, "measure": 1}},
        {"kind": "waveform", "details": {"reads": False, "measure": None}},
    ],
)
def test_notes_that_make_no_sense_are_refused(change: dict[str, Any], tmp_path: Path) -> None:
    from dataclasses import replace

    died = dead_after("iv-sweep", {"v_max": 0.4, "step": 0.1, "cycles": 3}, tmp_path, 6)
    last = replace(died.stimuli[-1], outcome="", outcome_row=-1, outcome_time=float("nan"), **change)
    with pytest.raises(resume.ResumeError):
        resume.check(replace(died, stimuli=[*died.stimuli[:-1], last]))


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="forks")
def test_a_forked_child_does_not_keep_a_dead_run_alive(tmp_path: Path) -> None:
    import os
    import signal

    died = dead_after("iv-sweep", {"v_max": 0.4, "step": 0.1}, tmp_path / "a", 3)
    writer = store.RunWriter.create(tmp_path / "run.h5", died.header)
    writer.event("a small frame", {})  # goes into mapped memory, which has a descriptor of its own
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(read, 1)
        os._exit(0)
    try:
        writer.close()  # as if this process had died
        assert store.read(tmp_path / "run.jrn").state == "died"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(read)
        os.close(write)
