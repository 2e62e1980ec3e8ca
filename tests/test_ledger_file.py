"""The ledger's file: damaged, locked, another's; two processes at once; run files that are no honest ones."""

import os
import select
import signal
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ledger_bench import CELL, book, config, go
from store_runs import header

from labctl import ledger, store
from labctl.ledger import Ledger, LedgerError, Line, Use
from labctl.station import Station


@pytest.fixture
def station() -> Iterator[Station]:
    with Station(config(), CELL, seed=0) as opened:
        yield opened


# -- a ledger that can't be used ----------------------------------------------------------------------------------------
def make_damaged(path: Path) -> None:
    path.write_bytes(b"this is no database, whatever its name says" * 200)


def make_newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA application_id = {ledger.book.APPLICATION}")
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def make_foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE sheep (name TEXT)")
    connection.close()


def make_strange(path: Path) -> None:
    Ledger(path).put(Line("u", "a.h5", "s", 0.0, "iv-sweep", CELL, True, "finished"))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET pulses = 'many'")
    connection.close()


TROUBLE = [
    (make_damaged, "damaged"), (make_newer, "update labctl"), (make_foreign, "no ledger of labctl"), (make_strange, "damaged"),
    (Path.mkdir, "can't be opened"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "words"), TROUBLE)
def test_without_rules_a_run_goes_on_and_says_so_once_with_rules_it_is_refused(
    tmp_path: Path, make: Any, words: str
) -> None:
    make(book(tmp_path).path)
    with Station(config(), CELL, seed=0) as station:
        done = go(station, tmp_path)
    events = [event for event in store.read(done.path).events if event.kind == "not in the ledger"]
    assert done.state == "finished"
    assert len(events) == 1
    assert words in events[0].details["reason"]
    with Station(config(pulses=1e6), CELL, seed=0) as station, pytest.raises(LedgerError, match=words):
        go(station, tmp_path)
    assert len(list(tmp_path.glob("*.h5"))) == 1


def test_a_damaged_ledger_is_set_aside_and_made_anew(tmp_path: Path, station: Station) -> None:
    go(station, tmp_path)
    lines = book(tmp_path).lines()
    make_damaged(book(tmp_path).path)
    with pytest.raises(LedgerError, match=r"labctl ledger rebuild"):
        book(tmp_path).lines()
    found = ledger.rebuild(book(tmp_path), tmp_path)
    assert found.damaged is not None
    assert found.damaged.exists()
    assert book(tmp_path).lines() == lines
    make = tmp_path / "other" / ledger.NAME
    make.parent.mkdir()
    make_foreign(make)
    with pytest.raises(LedgerError, match="no ledger of labctl"):
        ledger.rebuild(Ledger(make), tmp_path)


def test_a_locked_ledger_says_who_measures_with_it(tmp_path: Path) -> None:
    line = Line("u", "a.h5", "s", 0.0, "iv-sweep", CELL, False, "running", "pid 4711 on bench-2, iv-sweep since 9:30")
    book(tmp_path).put(line)
    with sqlite3.connect(book(tmp_path).path) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(
            LedgerError, match=r"locked by another process for more than 0.05 s; runs under way: pid 4711"
        ):
            book(tmp_path).put(line)
    other.close()


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_two_processes_write_at_once_and_a_kill_loses_nothing_acknowledged(tmp_path: Path) -> None:
    readers = []
    for number in range(2):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            _write_for_ever(tmp_path, f"{number}", writer)
        os.close(writer)
        readers.append((child, reader))
    acknowledged = b""
    for child, reader in readers:
        while acknowledged.count(b"%d." % readers.index((child, reader))) < 3:
            assert select.select([reader], [], [], 20)[0]
            acknowledged += os.read(reader, 100)
    for child, _ in readers:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    for _, reader in readers:
        while more := os.read(reader, 4096):
            acknowledged += more
        os.close(reader)
    found = {line.uuid for line in Ledger(tmp_path / ledger.NAME).lines()}
    assert {word.decode() for word in acknowledged.split()} <= found
    assert len(found) >= 6


def _write_for_ever(folder: Path, name: str, pipe: int) -> None:
    try:
        for number in range(100_000):
            Ledger(folder / ledger.NAME).put(Line(f"{name}.{number}", "a", "s", 0.0, "p", CELL, False, "finished"))
            os.write(pipe, f"{name}.{number} ".encode())
            for _ in range(20):  # leaves room for the other
                Ledger(folder / ledger.NAME).total(CELL, False)
    finally:
        os._exit(1)


def test_the_header_of_a_line_survives_the_file(tmp_path: Path) -> None:
    line = Line(
        "u", "a.h5", "2026", 3.5, "p", CELL, True, "finished", "", Use(pulses=3, formed_voltage=None, energy=1e-9)
    )
    book(tmp_path).put(line, replace(line, uuid="v", began=1.0, use=Use(formed="x", formed_voltage=2.5)))
    first, second = book(tmp_path).lines()
    assert (first.use.formed_voltage, second) == (2.5, line)


@pytest.mark.parametrize(
    ("changes", "details"),
    [
        ({}, {"amplitudes": [1.0], "count": 10**30, "width": 1.0, "period": 2.0, "measure": 0}),
        ({}, {"amplitudes": [1.0], "count": "many", "width": 1.0, "period": 2.0, "measure": 0}),
        ({"resumes": [{"uuid": "x", "last": "y", "time": []}]}, {}),
        ({"sample": "W12/\udc80"}, {}),
    ],
)
def test_a_hostile_run_file_is_reported_and_left_out(
    tmp_path: Path, changes: Any, details: Any, station: Station
) -> None:
    writer = store.RunWriter.create(tmp_path / "bad.h5", header(**{"sample": CELL, **changes}))
    if details:
        writer.stimulus("pulse train", details)
    writer.finish("finished")
    go(station, tmp_path)
    found = ledger.rebuild(book(tmp_path), tmp_path)
    assert (found.entered, len(found.words)) == (1, 1)
    assert "bad.h5" in found.words[0] or "0b9c52d2" in found.words[0]
