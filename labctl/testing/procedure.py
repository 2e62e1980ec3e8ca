"""The promises of a procedure, as checks to run on any of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from labctl.contracts import Block
from labctl.procedure import Procedure, Station


def check_procedure(make: Callable[[], Procedure], station: Station, most_rows: int = 100_000) -> None:
    """Run a procedure with its settings on a station and check what every recipe promises.

    make: gives a fresh procedure whose parameters suit the station and need few rows; station: opened, usually simulated.
    Raises AssertionError naming the broken promise.
    """
    _check_declaration(type(make()))
    notes = _Notes()
    before = len(notes.stimuli)
    station.record_to(notes)
    blocks = _run(make(), station, lambda: False, most_rows)
    assert blocks, "a run yields at least one block"
    assert len(notes.stimuli) > before, "every stimulus is noted in the journal"
    assert len(notes.outcomes) == len(notes.stimuli), "every note is closed"
    ends = set(notes.outcomes.values())
    assert ends <= {"done", "aborted"}, f"every note is closed as done, or aborted where the recipe ended it: {ends}"
    _check_blocks(make(), blocks)
    stopped = _run(make(), station, _after(1), most_rows)
    assert sum(map(len, stopped)) <= sum(map(len, blocks)), "a stop that was asked for is obeyed"


def _check_declaration(kind: type[Procedure]) -> None:
    assert (kind.__doc__ or "").strip(), "the class has a docstring: its first line is the help"
    assert kind.columns, "columns are declared"
    for name, item in kind.declared().items():
        assert item.description, f"parameter {name} has a description"
        assert item.name == name, f"parameter {name} is named {item.name!r}; --set goes by the attribute's name"
    names = [column.name for column in kind.columns]
    assert len(set(names)) == len(names), "column names are unique"
    if kind.plot is not None:
        assert {kind.plot.x, kind.plot.y} <= set(names), "the plot draws declared columns"


def _run(procedure: Procedure, station: Station, should_stop: Callable[[], bool], most_rows: int) -> list[Block]:
    procedure.station = station
    procedure.should_stop = should_stop
    final: list[Block] = []

    def keep(block: Block) -> None:
        if not block.provisional:
            final.append(block)
        assert sum(map(len, final)) <= most_rows, f"more than {most_rows} rows: choose smaller settings for this check"

    procedure.hand_on = keep  # type: ignore[method-assign]
    assert inspect.isgeneratorfunction(type(procedure).points), "points is a generator"
    procedure.startup()
    try:
        procedure.execute()
    finally:
        procedure.shutdown()
    assert procedure.shutdown_error is None, f"the outputs could be switched off: {procedure.shutdown_error}"
    return final


def _check_blocks(procedure: Procedure, blocks: list[Block]) -> None:
    columns = {column.name: column for column in procedure.columns}
    for block in blocks:
        assert set(block.columns) == set(columns), (
            f"a block has exactly the columns {sorted(columns)}: {sorted(block.columns)}"
        )
        for name, column in columns.items():
            assert np.can_cast(block[name].dtype, column.dtype, "same_kind"), f"{name} fits {column.dtype}"
    rows = sum(map(len, blocks))
    expected = procedure.expected_rows()
    assert expected is None or rows <= expected, f"expected_rows ({expected}) covers the {rows} rows that came"


def _after(calls: int) -> Callable[[], bool]:
    left = [calls]

    def stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    return stop


class _Notes:
    """A recorder that remembers."""

    def __init__(self) -> None:
        self.stimuli: list[str] = []
        self.outcomes: dict[int, str] = {}

    def stimulus(self, kind: str, details: Mapping[str, Any]) -> int:
        self.stimuli.append(kind)
        return len(self.stimuli)

    def outcome(self, note: int, outcome: str, details: Mapping[str, Any] | None = None) -> None:
        self.outcomes[note] = outcome

    def event(self, kind: str, details: Mapping[str, Any]) -> None:
        """Events may be anything."""
