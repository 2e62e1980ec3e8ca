"""What a person is told when a run did not go to its end, and what is said of stimuli, faults and journals."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commandline import labctl
from store_runs import writer
from test_resume import dead_after

from labctl import store
from labctl.bench import TcpDoor
from labctl.cli.advice import how_to_continue
from labctl.cli.show import _stimuli
from labctl.report import text
from labctl.store import Event, RunWriter, StoreError, files

SHORT = {"v_max": 0.4, "step": 0.1, "cycles": 2, "v_read": 0.1}


@pytest.fixture(scope="module")
def died(tmp_path_factory: pytest.TempPathFactory) -> store.Run:
    """A run of sweeps and reads that died after its sixth block."""
    return dead_after("iv-sweep", SHORT, tmp_path_factory.mktemp("died"), 6)


def full_disk(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


# -- stimuli ------------------------------------------------------------------------------------------------------------
def opened(run: store.Run, *numbers: int, rows: int = 0) -> store.Run:
    """The same run, the outcomes of these stimuli never noted, and but `rows` rows of the last of all stimuli there."""
    gone = {"outcome": "", "outcome_row": -1, "outcome_time": float("nan"), "outcome_details": None}
    notes = [replace(note, **gone) if note.id in numbers else note for note in run.stimuli]
    end = notes[-1].row + rows
    return replace(run, stimuli=notes, columns={name: column[:end] for name, column in run.columns.items()})


def up_to(run: store.Run, number: int) -> store.Run:
    """The same run, ended with this stimulus."""
    return replace(run, stimuli=[note for note in run.stimuli if note.id <= number])


def test_every_stimulus_is_named_for_what_is_known_of_it(died: store.Run) -> None:
    sweep, read = (next(n.id for n in died.stimuli if n.details["reads"] is reads) for reads in (False, True))
    assert list(_stimuli(up_to(died, sweep))) == [f"{sweep} sent"]
    cut = opened(up_to(died, sweep), sweep)
    assert list(_stimuli(cut)) == [f"{sweep} sent", f"1 unknown whether applied (no. {sweep})"]
    assert list(_stimuli(opened(up_to(died, read), read))) == [
        f"{read} sent",
        f"1 read without an answer (no. {read})",
    ]
    both = opened(up_to(died, read), sweep, read)
    both = replace(both, columns={name: column[:0] for name, column in both.columns.items()})
    assert list(_stimuli(both))[1:] == [
        f"1 unknown whether applied (no. {sweep})",
        f"1 read without an answer (no. {read})",
    ]
    running = replace(cut, ending=replace(cut.ending, state="running"))
    assert list(_stimuli(running)) == [f"{sweep} sent", f"1 under way (no. {sweep})"]


def test_a_read_whose_rows_are_there_has_its_answer(died: store.Run) -> None:
    read = next(note for note in died.stimuli if note.details["reads"])
    assert list(_stimuli(opened(up_to(died, read.id), read.id, rows=1))) == [f"{read.id} sent"]


def test_notes_that_make_no_sense_are_all_unknown(died: store.Run) -> None:
    notes = [replace(note, outcome="", details={}) for note in died.stimuli]
    numbers = ", ".join(str(note.id) for note in notes)
    assert list(_stimuli(replace(died, stimuli=notes)))[1:] == [f"{len(notes)} unknown whether applied (no. {numbers})"]


def test_events_have_units() -> None:
    found = {
        "gap": 4.07, "voltage": 1.25, "current": 2e-6, "energy": 1e-9, "reached": 0.5, "v_max": 3.0, "loops": 3,
        "cycle": 100_000, "ratio": 2.5, "how": "ramp",
    }  # fmt: skip
    assert text.event(Event("e", 0.0, 0, found)) == (
        "  e: gap = 4.07 s, voltage = 1.25 V, current = 2 uA, energy = 1 nJ, reached = 500 mV, v_max = 3 V, loops = 3,"
        " cycle = 100000, ratio = 2.5, how: ramp"
    )


# -- how a run is continued -----------------------------------------------------------------------------------------------
def test_a_run_that_ended_before_its_time_says_how_it_is_continued(died: store.Run) -> None:
    header, ending = died.header, died.ending
    real = replace(died, header=replace(header, simulated=False, setup={}))
    cases: list[tuple[store.Run, Path | None, str]] = [
        (died, None, "labctl resume runs/a.h5"),
        (replace(died, ending=replace(ending, state="aborted")), Path("b.yaml"), "labctl resume runs/a.h5"),
        (replace(died, ending=replace(ending, state="failed")), None, "labctl resume runs/a.h5"),
        (real, None, "labctl resume runs/a.h5 --station FILE"),
        (real, Path("my bench.yaml"), 'labctl resume runs/a.h5 --station "my bench.yaml"'),
    ]
    for run, station, command in cases:
        assert list(how_to_continue(run, Path("runs/a.h5"), station)) == [f"continue it with: {command}"]
    assert list(how_to_continue(died, Path("my runs/a.h5"))) == ['continue it with: labctl resume "my runs/a.h5"']


@pytest.mark.parametrize(
    "change",
    [
        lambda run: replace(run, ending=replace(run.ending, state="finished")),
        lambda run: replace(run, ending=replace(run.ending, state="running")),
        lambda run: replace(run, ending=replace(run.ending, lost_bytes=3)),
        lambda run: replace(run, header=replace(run.header, setup={})),
        lambda run: replace(run, header=replace(run.header, procedure="of somebody else")),
        lambda run: replace(run, stimuli=[], columns={name: column[:0] for name, column in run.columns.items()}),
    ],
    ids=["finished", "running", "damaged", "a cell with a history", "a procedure that is not here", "nothing done"],
)
def test_one_that_cant_or_need_not_be_continued_does_not(
    change: Callable[[store.Run], store.Run], died: store.Run
) -> None:
    assert list(how_to_continue(change(died), Path("a.h5"))) == []


def test_run_recover_and_the_next_run_say_it(died: store.Run, tmp_path: Path) -> None:
    failed = labctl(
        "run", "iv-sweep", "--sim", "device-2", "--seed", "1", "--out", "f.h5", "--set", "step=0.1",
        "--faults", "reboot@DO#3; lost@NOSUCH", "-q", folder=tmp_path,
    )  # fmt: skip
    assert failed.returncode == 1
    assert "continue it with: labctl resume f.h5\n" in failed.stderr
    assert failed.stderr.endswith("fault lost@NOSUCH never happened\n")
    assert "reboot@DO#3 never" not in failed.stderr
    for command in ("recover", "run"):
        run = RunWriter.create(tmp_path / "d.h5", died.header)
        run.adopt(died)
        run.close()
        arguments = {"recover": ["recover", "."], "run": ["run", "iv-sweep", "--sim", "ohmic", "--out", "x.h5", "-q"]}
        done = labctl(*arguments[command], folder=tmp_path)
        assert done.returncode == 0, done.stderr
        said = done.stdout if command == "recover" else done.stderr
        assert "continue it with: labctl resume d.h5\n" in said
        assert "d.jrn -> d.h5" in said
        (tmp_path / "d.h5").unlink()


def test_a_run_that_finished_says_nothing_of_that(tmp_path: Path) -> None:
    done = labctl("run", "iv-sweep", "--sim", "ohmic", "--set", "step=0.5", "--faults", "lost@p=1e-9", folder=tmp_path)
    assert done.returncode == 0
    assert "resume" not in done.stdout + done.stderr
    assert done.stderr.endswith("fault lost@p=1e-9 never happened\n")


def test_serve_names_faults_that_never_happened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(door: TcpDoor, ready: object) -> None:
        door.instrument.feed(b"ID\0")
        raise KeyboardInterrupt

    monkeypatch.setattr(TcpDoor, "serve_forever", ended)
    done = labctl("serve", "--sim", "ohmic", "--faults", "lost@1; lost@DO#2", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "closed\nfault lost@DO#2 never happened\n")


def test_touchdowns_need_a_cell(tmp_path: Path) -> None:
    done = labctl("run", "iv-sweep", "--sim", "ohmic", "--touchdown", folder=tmp_path)
    assert done.returncode == 2
    assert "--touchdown is counted for a cell: name it with --sample" in done.stderr
    assert list(tmp_path.iterdir()) == []


# -- journals -------------------------------------------------------------------------------------------------------------
def test_recover_names_a_run_that_is_under_way(tmp_path: Path) -> None:
    run = writer(tmp_path, "iv.h5")
    done = labctl("recover", ".", folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("iv.jrn is still being written by ")
    assert "no journals here" not in done.stdout
    named = labctl("recover", "iv.jrn", folder=tmp_path)
    assert named.returncode == 1
    assert "iv.jrn is still being written by " in named.stderr
    assert "end that run first" in named.stderr
    run.close()
    assert "iv.jrn -> iv.h5" in labctl("recover", ".", folder=tmp_path).stdout


@pytest.mark.parametrize("call", ["write_at", "take_room"])
def test_a_journal_that_could_not_be_begun_holds_nothing(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(files, "keeps_room", lambda fd: True)
        patch.setattr(files, call, full_disk)
        with pytest.raises(StoreError) as refused:
            writer(tmp_path, mapped=False)
    assert str(refused.value) == (
        f"{tmp_path / 'run.jrn'} can't be written: No space left on device; the run was not begun; "
        "free some space on that disk"
    )
    run: Any = writer(tmp_path, mapped=False)
    with monkeypatch.context() as patch:
        patch.setattr(files, "write_at", full_disk)
        with pytest.raises(StoreError, match="what was recorded before is safe in it"):
            run.event("e", {})
    run.close()
