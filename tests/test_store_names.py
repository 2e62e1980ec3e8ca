"""Names of runs, and journals that are no journals: nothing is overwritten or hung on, every refusal is one clear line."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from commandline import labctl
from store_runs import block, header, record, writer

from labctl import store
from labctl.store import NameTaken, RunWriter, StoreError, files, frames, read, recovery


# -- starting ---------------------------------------------------------------------------------------------------------
def test_runs_started_at_the_same_time_number_themselves(tmp_path: Path) -> None:
    together = Barrier(8)

    def start(_: int) -> RunWriter:
        together.wait()
        return RunWriter.create(tmp_path / "run.h5", header(), unique=True)

    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(start, range(8)))
    assert {run.path.name for run in runs} == {"run.h5", *(f"run.{number}.h5" for number in range(2, 9))}
    assert sorted(run.finish("finished") for run in runs) == sorted(run.path for run in runs)


def test_a_run_that_ends_while_another_starts_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = files.hold

    def late(fd: int, wait: bool) -> bool:
        (tmp_path / "run.h5").touch()  # its journal is gone by now
        return hold(fd, wait)

    monkeypatch.setattr(files, "hold", late)
    with pytest.raises(NameTaken, match=r"run\.h5 exists"):
        writer(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["run.h5"]
    assert writer(tmp_path, unique=True).path == tmp_path / "run.2.h5"


@pytest.mark.skipif(sys.platform == "win32", reason="an open journal can't be removed there")
@pytest.mark.parametrize("taken_by_another", [False, True])
def test_a_journal_removed_as_empty_before_it_was_held_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken_by_another: bool
) -> None:
    hold, journal = files.hold, tmp_path / "run.jrn"

    def late(fd: int, wait: bool) -> bool:
        if journal.stat().st_size == 0:
            with monkeypatch.context() as patch:
                patch.setattr(files, "hold", hold)
                with pytest.raises(store.EmptyJournal):
                    store.recover(journal)
            if taken_by_another:
                journal.write_text("another's")
        return hold(fd, wait)

    monkeypatch.setattr(files, "hold", late)
    with pytest.raises(NameTaken, match="removed by a recovery"):
        writer(tmp_path)
    assert [item.read_text() for item in tmp_path.iterdir()] == (["another's"] if taken_by_another else [])


@pytest.mark.parametrize("letter", ["x", "ü"])
def test_the_longest_name_can_be_packed_numbered_and_kept_as_damaged(tmp_path: Path, letter: str) -> None:
    longest = 230 // len(letter.encode())
    with pytest.raises(StoreError, match=r"bytes is too long, 230 are allowed"):
        writer(tmp_path, letter * (longest + 1) + ".h5")
    for number in range(2):
        run = writer(tmp_path, letter * longest + ".h5", unique=True)
        record(run)
        run.close()
        journal = run.path.with_suffix(".jrn")
        journal.write_bytes(journal.read_bytes() + b"torn")
        assert read(store.recover(journal)).ending.lost_bytes == 4
        assert len(list(tmp_path.glob("*.damaged"))) == number + 1


def test_a_folder_is_made_and_its_name_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(files, "sync_folder", synced.append)
    writer(tmp_path / "a" / "b").close()
    assert synced == [tmp_path, tmp_path / "a", tmp_path / "a" / "b"]
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"folder .*file can't be made"):
        writer(tmp_path / "file")


# -- putting the run file in place ------------------------------------------------------------------------------------
def _no_links(*_: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False])
def test_renaming_never_replaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(os, "link", _no_links)
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "theirs").write_text("theirs")
    with pytest.raises(FileExistsError):
        files.rename_new(tmp_path / "mine", tmp_path / "theirs")
    assert (tmp_path / "theirs").read_text() == "theirs"
    files.rename_new(tmp_path / "mine", tmp_path / "free")
    assert {item.name: item.read_text() for item in tmp_path.iterdir()} == {"theirs": "theirs", "free": "mine"}


@pytest.mark.skipif(sys.platform == "win32", reason="there a rename is one step anyway")
def test_without_links_a_name_taken_at_the_last_moment_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").write_text("mine")

    def link(*_: object) -> None:
        (tmp_path / "run.h5").write_text("theirs")
        _no_links()

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(Path, "exists", lambda path: False)  # they came after everybody had looked
    with pytest.raises(FileExistsError):
        files.rename_new(tmp_path / "mine", tmp_path / "run.h5")
    assert (tmp_path / "run.h5").read_text() == "theirs"


@pytest.mark.skipif(sys.platform == "win32", reason="there a rename is one step anyway")
def test_without_links_a_failed_rename_leaves_no_empty_run_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = writer(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", _no_links)
        patch.setattr(os, "replace", _raise(OSError(errno.EIO, "Input/output error")))
        with pytest.raises(StoreError, match="Input/output error"):
            run.finish("finished")
    assert [item.name for item in tmp_path.iterdir()] == ["run.jrn"]


def _raise(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.skipif(sys.platform == "win32", reason="needs hard links")
def test_a_crash_between_naming_and_tidying_up_does_not_spoil_the_run_file(tmp_path: Path) -> None:
    """The file then has two names; packing again must not write into it under the other one."""
    run = writer(tmp_path)
    record(run)
    run.close()
    journal = (tmp_path / "run.jrn").read_bytes()
    store.recover(tmp_path / "run.jrn")
    whole = (tmp_path / "run.h5").read_bytes()
    os.link(tmp_path / "run.h5", tmp_path / "run.h5~")
    (tmp_path / "run.jrn").write_bytes(journal[:-30])  # another run's, as far as anybody can tell
    assert store.recover(tmp_path / "run.jrn") == tmp_path / "run.1.h5"
    assert (tmp_path / "run.h5").read_bytes() == whole


def test_a_name_reserved_by_a_run_under_way_is_not_taken(tmp_path: Path) -> None:
    first, second = writer(tmp_path), writer(tmp_path, "run.1.h5")
    (tmp_path / "run.h5").write_text("mine")
    assert first.finish("finished") == first.path == tmp_path / "run.2.h5"
    assert second.finish("finished") == tmp_path / "run.1.h5"


def test_a_damaged_journal_does_not_replace_an_earlier_one(tmp_path: Path) -> None:
    for number in range(3):
        writer(tmp_path).close()
        journal = tmp_path / "run.jrn"
        journal.write_bytes(journal.read_bytes() + b"torn" * (number + 1))
        store.recover(journal)
        (tmp_path / "run.h5").unlink()
    assert {item.name for item in tmp_path.iterdir()} == {f"run.jrn.damaged{end}" for end in ("", ".1", ".2")}


# -- what is no journal, or an odd one --------------------------------------------------------------------------------
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    for name in ("run.jrn", "run.h5"):
        os.mkfifo(tmp_path / name)
        for use in (read, store.recover):
            with pytest.raises(StoreError, match="it is not a regular file"):
                use(tmp_path / name)
    assert store.orphans(tmp_path) == []


def test_what_may_not_be_opened_is_named_and_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.h5", "b.h5"):
        writer(tmp_path, name).close()
    held = files.is_held

    def refuse(path: Path) -> bool:
        if path.name == "a.jrn":
            raise PermissionError(errno.EACCES, "Permission denied")
        return held(path)

    monkeypatch.setattr(files, "is_held", refuse)
    assert [path.name for path in store.orphans(tmp_path)] == ["a.jrn", "b.jrn"]
    with pytest.raises(StoreError, match=r"a\.jrn can't be (opened|read): Permission denied"):
        store.recover(tmp_path / "a.jrn")
    with pytest.raises(StoreError, match=r"a\.jrn can't be (opened|read): Permission denied"):
        read(tmp_path / "a.jrn")


def test_a_folder_that_may_not_be_read_is_not_taken_for_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "scandir", _raise(PermissionError(errno.EACCES, "Permission denied")))
    with pytest.raises(StoreError, match="can't be read: Permission denied"):
        store.orphans(tmp_path)


@pytest.mark.parametrize(
    ("tag", "payload"),
    [
        (frames.STIMULUS, '{"id":"1","kind":"x","row":0,"details":{}}'),
        (frames.STIMULUS, '{"id":true,"kind":"x","row":0,"details":{}}'),
        (frames.STIMULUS, '{"id":1,"kind":"x","row":1e400,"details":{}}'),
        (frames.STIMULUS, '{"id":1,"kind":"x","row":99999999999999999999,"details":{}}'),
        (frames.STIMULUS, '{"id":1,"kind":"x","row":0,"details":[]}'),
        (frames.STIMULUS, '{"id":1,"kind":"x","row":0}'),
        (frames.OUTCOME, '{"id":1,"outcome":"done","row":0,"details":null}'),
        (frames.OUTCOME, '{"id":1,"outcome":"perhaps","row":0,"details":null}'),
        (frames.EVENT, '{"kind":null,"row":0,"details":{}}'),
        (frames.EVENT, "[]"),
        (frames.EVENT, "[" * 100_000),
        (frames.EVENT, "\xff"),
        (frames.END, '{"state":"running","reason":"","traceback":"","end_time":""}'),
        (frames.END, '{"state":["finished"],"reason":"","traceback":"","end_time":""}'),
    ],
)
def test_an_odd_note_is_one_clear_error(tmp_path: Path, tag: bytes, payload: str) -> None:
    writer(tmp_path).close()
    with (tmp_path / "run.jrn").open("ab") as file:
        file.write(frames.encode(tag, 1.0, payload.encode("latin-1")))
    for use in (read, store.recover):
        with pytest.raises(StoreError, match=r"run\.jrn holds a note that can't be understood") as caught:
            use(tmp_path / "run.jrn")
        assert "\n" not in str(caught.value)
    assert [item.name for item in tmp_path.iterdir()] == ["run.jrn"]


def test_odd_times_and_texts_that_say_something_are_kept(tmp_path: Path) -> None:
    writer(tmp_path).close()
    with (tmp_path / "run.jrn").open("ab") as file:
        file.write(frames.encode(frames.EVENT, float("nan"), b'{"kind":"a\\u0000b","row":0,"details":{}}'))
    found = read(store.recover(tmp_path / "run.jrn"))
    assert (found.events[0].kind, found.end_time, found.state) == ("a\\x00b", "", "died")


def test_an_empty_file_with_a_journal_beside_it_points_there(tmp_path: Path) -> None:
    run = writer(tmp_path)
    (tmp_path / "run.h5").touch()
    with pytest.raises(StoreError, match=r"run\.h5 is empty; its journal run\.jrn is there: recover it"):
        read(tmp_path / "run.h5")
    run.close()


def test_recover_packs_the_good_ones_whatever_the_others_are(tmp_path: Path) -> None:
    for name in ("a/good.h5", "c/good.h5"):
        run = writer(tmp_path, name)
        run.append(block(0, 3))
        run.close()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "empty.jrn").touch()
    (tmp_path / "b" / "odd.jrn").write_text("no journal")
    done = labctl("recover", str(tmp_path), folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "odd.jrn is not a journal of labctl" in done.stderr
    assert "empty.jrn held nothing" in done.stdout
    assert len(read(tmp_path / "a/good.h5")) == len(read(tmp_path / "c/good.h5")) == 3
    assert [path.name for path in tmp_path.rglob("*.jrn")] == ["odd.jrn"]
    (tmp_path / "b" / "odd.jrn").unlink()
    done = labctl("recover", str(tmp_path), folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "no journals here: nothing to recover\n")


def test_names_to_fall_back_on_are_finite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "_NAMES", 2)
    run = writer(tmp_path)
    for name in ("run.h5", "run.1.h5"):
        (tmp_path / name).write_text("mine")
    with pytest.raises(StoreError, match=r"no free name.*labctl recover"):
        run.finish("finished")
    assert len(list(tmp_path.iterdir())) == 3
