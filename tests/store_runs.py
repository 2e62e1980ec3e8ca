"""Runs to store: a header that fills every field, blocks, and a clock that counts its readings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl.contracts import READING_COLUMNS, Block
from labctl.store import PlotSpec, Run, RunHeader, RunWriter, files

START = "2026-11-24T09:30:00+01:00"
END = "2026-11-24T09:31:00+01:00"


class Ticks:
    """A virtual clock: every reading is `step` seconds after the one before."""

    def __init__(self, step: float = 0.25) -> None:
        self.now, self.step = 100.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def header(**changes: Any) -> RunHeader:
    fields: dict[str, Any] = {
        "procedure": "iv-sweep",
        "title": "IV sweep of W12/D3-4/C5",
        "parameters": {
            "v_max": {"value": 2.0, "unit": "V"},
            "mode": {"value": "dc", "unit": ""},
            "cycles": {"value": 3, "unit": ""},
            "guard": {"value": True, "unit": ""},
            "levels": {"value": [0.0, 1.5], "unit": "V"},
            "names": {"value": ["a", "b"], "unit": ""},
            "nothing": {"value": None, "unit": ""},
            "mixed list": {"value": [1, "a"], "unit": ""},
            "huge": {"value": 2**70, "unit": ""},
        },
        "columns": READING_COLUMNS,
        "plot": PlotSpec("current", ("voltage", "time"), ("level",), log=True),
        "sample": "W12/D3-4/C5",
        "operator": "Zoë µΩ",
        "station": "bench 1",
        "instruments": {
            "smu/1": {
                "identity": {"manufacturer": "Keithley", "model": "4200-SCS"},
                "settings": {"plc": 1.0, "ranges": [1e-9, 1e-6], "nested": {"x": [1, None]}},
            }
        },
        "limits": [{"quantity": "voltage", "value": 2.5, "unit": "V", "owner": "sample W12/D3-4/C5"}],
        "seed": 7,
        "simulated": True,
        "device": "device-2",
        "software": {"labctl": "0.1.0", "python": "3.11.7"},
        "git": {"commit": "c0ffee", "dirty": True},
        "logs": {"run": "run.log", "wire": "run.wire"},
        "command": "labctl run iv-sweep --seed 7",
        "start_time": START,
        "uuid": "0b9c52d2-6d2e-4a3c-9d6f-3a5f4f3f6d11",
        "notes": "first line\nsecond line",
    }
    return RunHeader(**{**fields, **changes})


def block(first: int, count: int, provisional: bool = False) -> Block:
    """Rows whose `time` is first, first + 1, ...; the current changes sign."""
    time = np.arange(first, first + count, dtype=np.float64)
    status = np.zeros(count, np.int64)
    return Block(
        {"time": time, "level": time / 7, "voltage": time / 9, "current": np.sin(time), "status": status}, provisional
    )


#: The ways a journal is written: (space can be taken ahead, rows go through mapped memory).
WAYS = {"mapped": (True, True), "ahead": (True, False), "plain": (False, False)}
FIT = hasattr(os, "posix_fallocate")  #: whether the first two can be tried here


def ways(**options: Any) -> dict[str, Any]:
    """For pytest.fixture: the ways that can be tried on this system, as its `params`."""
    return {"params": list(WAYS) if FIT else ["plain"], **options}


def use(way: str, patch: pytest.MonkeyPatch) -> None:
    """Let every journal be written in this way."""
    ahead, mapped = WAYS[way]
    patch.setattr(files, "keeps_room", lambda fd: ahead)
    patch.setattr(
        RunWriter.create.__func__, "__kwdefaults__", {**RunWriter.create.__func__.__kwdefaults__, "mapped": mapped}
    )  # type: ignore[attr-defined]


def size(run: RunWriter) -> int:
    """Bytes of the journal that are frames, whatever space it takes."""
    return run._out.size


START_1970 = 1795509000.0  #: s since 1970 of the header's start_time


def writer(folder: Path, name: str = "run.h5", **options: Any) -> RunWriter:
    """A run whose signs of life all say the moment it was started."""
    return RunWriter.create(folder / name, header(), **{"clock": Ticks(), "time_of_day": lambda: START_1970, **options})


def record(run: RunWriter) -> None:
    """A run with everything in it: 2 stimuli (one never closed), an event, 9 final and 4 provisional rows."""
    note = run.stimulus("sweep", {"levels": np.linspace(0, 1, 3), "compliance": 1e-4, "hold": float("nan")})
    run.append(block(0, 2, provisional=True))
    run.append(block(2, 3, provisional=True))
    run.append(block(0, 9))
    run.outcome(note, "done")
    run.event("forming", {"voltage": 1.25, "text": "über"})
    run.stimulus("sampling", {"count": 4})
    run.append(block(9, 4, provisional=True))


def same(left: Run, right: Run) -> bool:
    """Whether two runs are equal to the last bit (NaN included)."""
    tables = [{name: (str(a.dtype), a.tobytes()) for name, a in run.columns.items()} for run in (left, right)]
    rest = [repr((run.header, run.stimuli, run.events, run.ending)) for run in (left, right)]
    return tables[0] == tables[1] and list(tables[0]) == list(tables[1]) and rest[0] == rest[1]
