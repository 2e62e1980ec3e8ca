"""The ledger's file: an SQLite database with one row for every run of a named cell."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any

from labctl.ledger.errors import ContinuedAlready, DamagedLedger, LedgerError
from labctl.ledger.use import Use, total

VERSION = 2  #: of the schema, SQLite's user_version; 1 had no column `continues`
APPLICATION = 0x6C61624C  #: SQLite's application_id, "labL": an SQLite file without it is none of ours
#: s to wait for another process; our own transactions take milliseconds, so whoever holds it longer is something else: guess
BUSY = 5.0
UNDER_WAY = ("starting", "running")  #: states of a line whose run has not ended, as far as the ledger knows
MISSING = "missing"  #: state of a line whose run file and journal are gone

_TYPES = {"int": "INTEGER", "float": "REAL", "str": "TEXT", "bool": "INTEGER", "float | None": "REAL"}
_KINDS: dict[str, Any] = {
    "int": int,
    "float": (float, int),
    "str": str,
    "bool": int,
    "float | None": (float, int, type(None)),
}
NOTHING = Use()
_USE = {item.name: str(item.type) for item in fields(Use)}


@dataclass(frozen=True)
class Line:
    """One run. file: its run file, relative to the ledger's folder, with ``/``; began: when it started to add, Unix time in s;
    simulated: it is no real cell; state: of the run, or "starting", "running", "missing", where `use` is what was planned;
    holder: the process that measures, "" once it has ended; continues: uuids of the runs it continues, oldest first, with
    blanks between; none if it ended before it had taken them over."""

    uuid: str
    file: str
    start: str
    began: float
    procedure: str
    cell: str
    simulated: bool
    state: str
    holder: str = ""
    use: Use = NOTHING
    continues: str = ""


_OWN = {item.name: str(item.type) for item in fields(Line) if item.name != "use"}
_COLUMNS = {**_OWN, **_USE}
#: result codes of a file or folder that can't be used, which is no damage
_REFUSED = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
)


class Ledger:
    """The lines of a ledger at `path`; every call opens and closes the file, and is one transaction.

    With a rollback journal (not WAL, which network drives don't have) it survives a kill or power cut at any time. busy: s to
    wait for another process. Every method raises LedgerError.
    """

    def __init__(self, path: Path, busy: float = BUSY) -> None:
        self.path = Path(os.path.abspath(path))
        self.busy = busy

    def lines(self, cell: str | None = None, simulated: bool | None = None) -> list[Line]:
        """The lines of one cell, or of all, in the order in which the runs were begun; none where there is no ledger yet."""
        return self._select(_wanted(cell, simulated))

    def unsettled(self) -> list[Line]:
        """The lines of runs that are under way or missing, as far as the ledger knows."""
        return self._select({"state": (*UNDER_WAY, MISSING)})

    def total(self, cell: str, simulated: bool, without: str = "") -> Use:
        """What all runs did to a cell, those under way and missing as planned; without: uuid of a run to leave out."""
        return total(line.use for line in self.lines(cell, simulated) if line.uuid != without)

    def put(self, *lines: Line) -> None:
        """Enter lines, each in place of the one with its uuid; all or none."""
        with self._writing() as connection:
            connection.executemany(_PUT, map(_row, lines))

    def admit(self, line: Line, allow: Callable[[Use], None]) -> Use:
        """Enter the line of a run that is about to begin unless `allow`, told the total of its cell, raises; returns the total.

        It is one transaction: of two runs that ask at once the second sees the first with all it plans. Raises also
        ContinuedAlready if the run that this one continues is continued by another.
        """
        with self._writing() as connection:
            others = [
                other for other in self._read(connection, _wanted(line.cell, line.simulated)) if other.uuid != line.uuid
            ]
            for earlier in line.continues.split()[-1:]:
                self._check_first(earlier, others)
            found = total(other.use for other in others)
            allow(found)
            connection.execute(_PUT, _row(line))
        return found

    def remove(self, uuid: str) -> None:
        """Take a line out: of a run that never began."""
        with self._writing() as connection:
            connection.execute("DELETE FROM runs WHERE uuid = ?", [uuid])

    def relative(self, file: Path) -> str:
        """How the ledger names a run file."""
        try:
            return Path(os.path.relpath(os.path.abspath(file), self.path.parent)).as_posix()
        except ValueError:  # another drive of Windows
            return Path(os.path.abspath(file)).as_posix()

    def locate(self, line: Line) -> Path:
        """Where the run file of a line should be."""
        return self.path.parent / line.file

    # -- how -----------------------------------------------------------------------------------------------------------
    def _select(self, wanted: Mapping[str, Sequence[Any]]) -> list[Line]:
        if not self.path.exists():
            return []
        with self._open("rw") as connection:
            return self._read(connection, wanted) if self._is_ledger(connection) else []

    def _read(self, connection: sqlite3.Connection, wanted: Mapping[str, Sequence[Any]]) -> list[Line]:
        """The lines in whose columns stands one of the values wanted there."""
        tests = " AND ".join(f"{name} IN ({', '.join('?' * len(values))})" for name, values in wanted.items())
        where = f" WHERE {tests}" if tests else ""
        order = f"SELECT {', '.join(_COLUMNS)} FROM runs{where} ORDER BY began, uuid"
        return [self._line(row) for row in connection.execute(order, list(chain.from_iterable(wanted.values())))]

    def _check_first(self, earlier: str, others: list[Line]) -> None:
        for other in others:
            if earlier in other.continues.split():
                file = self.locate(other)
                advice = f"continue that one: labctl resume {file}"
                if other.state == MISSING:
                    advice = "it is missing, so that nobody knows what it sent; nothing was sent now"
                raise ContinuedAlready(f"{file} continues this run already, says the ledger {self.path}; {advice}")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._open("rwc") as connection:
            connection.execute("BEGIN IMMEDIATE")
            if not self._is_ledger(connection):
                _create(connection)
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _open(self, mode: str) -> Iterator[sqlite3.Connection]:
        try:
            if mode == "rwc":
                self.path.parent.mkdir(parents=True, exist_ok=True)
            uri = f"{self.path.as_uri()}?mode={mode}"
            with contextlib.closing(
                sqlite3.connect(uri, uri=True, timeout=self.busy, isolation_level=None)
            ) as connection:
                yield connection  # closing rolls back what was not committed
        except sqlite3.Error as error:
            raise self._told(error) from error
        except OSError as error:
            raise LedgerError(f"the ledger {self.path} can't be opened: {error.strerror}") from error

    def _is_ledger(self, connection: sqlite3.Connection) -> bool:
        """Whether the tables are there; False for a file without any. Raises LedgerError if they are not ours, or newer."""
        version, application = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")
        )
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application != APPLICATION:
            if tables or application or version:
                raise LedgerError(f"{self.path} is an SQLite file, but no ledger of labctl; name another with --ledger")
            return False
        if not 1 <= version <= VERSION:
            raise LedgerError(
                f"the ledger {self.path} has version {version}, this labctl knows {VERSION}; update labctl"
            )
        if version < VERSION:
            _upgrade(connection)
        return True

    def _line(self, row: tuple[Any, ...]) -> Line:
        values = dict(zip(_COLUMNS, row, strict=True))
        for name, kind in _COLUMNS.items():
            value = values[name]
            if not isinstance(value, _KINDS[kind]) or (isinstance(value, float) and not math.isfinite(value)):
                raise DamagedLedger(f"{self._damaged()} (a {name} of {str(value)[:40]!r})")
        use = Use(**{name: values.pop(name) for name in _USE})
        return Line(**{**values, "simulated": bool(values["simulated"])}, use=use)

    def _damaged(self) -> str:
        return f"the ledger {self.path} is damaged; make it anew from the run files: labctl ledger rebuild FOLDER"

    def _told(self, error: sqlite3.Error) -> LedgerError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary result code (sqlite.org/rescode.html)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            waited = f"is locked by another process for more than {self.busy:g} s"
            return LedgerError(f"the ledger {self.path} {waited}{self._who()}; try again")
        if code in _REFUSED:
            return LedgerError(f"the ledger {self.path} can't be opened or written: {error}")
        return DamagedLedger(f"{self._damaged()} ({error})")

    def _who(self) -> str:
        """Whoever measures with it, as far as it can be read: one of them may hold it."""
        with contextlib.suppress(sqlite3.Error):
            uri = f"{self.path.as_uri()}?mode=ro"
            with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=0)) as connection:
                names = connection.execute("SELECT DISTINCT holder FROM runs WHERE holder != ''").fetchall()
                return f"; runs under way: {', '.join(str(name) for (name,) in names)}" if names else ""
        return ""


def _wanted(cell: str | None, simulated: bool | None) -> dict[str, Sequence[Any]]:
    found: dict[str, Sequence[Any]] = {} if cell is None else {"cell": (cell,)}
    return found if simulated is None else {**found, "simulated": (int(simulated),)}


_PUT = f"INSERT OR REPLACE INTO runs ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


def _upgrade(connection: sqlite3.Connection) -> None:
    """Make a ledger of version 1 one of this version, once, whoever else is about to."""
    own = not connection.in_transaction
    if own:
        connection.execute("BEGIN IMMEDIATE")
    if connection.execute("PRAGMA user_version").fetchone()[0] < VERSION:
        connection.execute("ALTER TABLE runs ADD COLUMN continues TEXT NOT NULL DEFAULT ''")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    if own:
        connection.execute("COMMIT")


def _create(connection: sqlite3.Connection) -> None:
    columns = ", ".join(
        f"{name} {_TYPES[kind]}{'' if 'None' in kind else ' NOT NULL'}{' PRIMARY KEY' if name == 'uuid' else ''}"
        for name, kind in _COLUMNS.items()
    )
    connection.execute(f"CREATE TABLE runs ({columns})")
    connection.execute("CREATE INDEX of_cell ON runs (cell, simulated)")
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _row(line: Line) -> list[Any]:
    values = [getattr(line, name) for name in _OWN] + [getattr(line.use, name) for name in _USE]
    return [int(value) if isinstance(value, bool) else value for value in values]


def check(line: Line) -> None:
    """Raise LedgerError for a line no database can hold: figures that are not finite or beyond 64 bits, text that is none."""
    for value in _row(line):
        odd = isinstance(value, float) and not math.isfinite(value)
        odd = odd or (isinstance(value, int) and not -(2**63) <= value < 2**63)
        if odd or (isinstance(value, str) and value != value.encode("utf-8", "replace").decode("utf-8")):
            raise LedgerError(
                f"run {line.uuid!a} can't be entered in the ledger: {value!a:.60} is no figure or text to keep"
            )


def cells(lines: Iterable[Line]) -> dict[tuple[str, bool], list[Line]]:
    """The lines of each cell, (path, simulated), sorted; real cells before simulated ones of the same name."""
    found: dict[tuple[str, bool], list[Line]] = {}
    for line in lines:
        found.setdefault((line.cell, line.simulated), []).append(line)
    return dict(sorted(found.items()))
