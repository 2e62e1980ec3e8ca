"""A program that forks children which record rows as fast as they can, kills each at a random instant and checks what is left.

Arguments: a folder, "honest" or "buffered" (the negative control: rows wait in the process), the number of kills, a seed. It
prints one line of JSON: a list with what is wrong for each child, "" for nothing, and how far each had come. POSIX only.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import struct
import sys
import time
from pathlib import Path

import h5py  # noqa: F401 - loaded before the fork, so that a child is quick
from store_runs import block, writer

from labctl import store
from labctl.store import files, pack  # noqa: F401

ROWS = 2000  #: of one child, before it closes its file
CLOSING = 0.03  #: s that closing takes, about: the longest wait before a child is killed that has recorded them all
BEGINNING = 0.005  #: s that beginning takes, about
_row = {"time": 0.0, "level": 0.5, "voltage": 0.25, "current": 1e-6, "status": 0}
_acknowledged = mmap.mmap(-1, 8)  # outlives the child; -1: it has not begun, ROWS + 1: its file is closed


def _say(number: int) -> None:
    struct.pack_into("<q", _acknowledged, 0, number)


def _said() -> int:
    return int(struct.unpack_from("<q", _acknowledged)[0])


def _record(folder: Path, mode: str) -> None:
    """Add rows one at a time, in blocks, with notes between, each acknowledged once it is recorded; then close the file."""
    run = writer(folder, sync_interval=float("inf"))
    if mode == "buffered":
        _buffer(run)
    rows = 0
    _say(rows)
    while rows < ROWS:
        for _ in range(40):
            run.row({**_row, "time": float(rows)})
            rows += 1
            _say(rows)
        run.append(block(rows, 60))  # one frame of more than 2048 bytes
        rows += 60
        _say(rows)
        run.event("mark", {"rows": rows})
    run.finish("finished")
    _say(ROWS + 1)


def _buffer(run: store.RunWriter) -> None:
    """Let frames wait in the process until there are 100, as a buffered file would."""
    waiting: list[tuple[str, tuple[object, ...]]] = []
    real = {"row": run._out.row, "frame": run._out.frame}

    def later(kind: str, *arguments: object) -> None:
        waiting.append((kind, arguments))
        if len(waiting) == 100:
            for name, given in waiting:
                real[name](*given)  # type: ignore[operator]
            waiting.clear()

    run._out.row = lambda *given: later("row", *given)  # type: ignore[method-assign]
    run._out.frame = lambda *given: later("frame", *given)  # type: ignore[method-assign]


def _killed(folder: Path, mode: str, rows: int, delay: float) -> int:
    """Kill a child `delay` s after it acknowledged `rows` rows; returns how many it acknowledged in the end."""
    _say(-1)
    pid = os.fork()
    if pid == 0:
        try:
            _record(folder, mode)
        finally:
            os._exit(0)
    end = None
    while end is None or time.perf_counter() < end:
        time.sleep(0)
        if end is None and _said() >= rows:
            end = time.perf_counter() + delay
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return _said()


def _wrong(folder: Path, acknowledged: int, recover: bool) -> str:
    """What is wrong with the run in `folder`: every acknowledged row must be there, none twice, nothing between missing."""
    journals = store.orphans(folder) if folder.exists() else []
    if acknowledged < 0 and (not journals or journals[0].stat().st_size == 0):
        return ""  # it had not begun
    if recover and journals:
        store.recover(journals[0])
        journals = []
    found = store.read(journals[0] if journals else folder / "run.h5")
    if len(found) < min(acknowledged, ROWS):
        return f"{acknowledged} rows were acknowledged, {len(found)} are there"
    if found["time"].tolist() != [float(number) for number in range(len(found))]:
        return "rows are missing between others, or there twice"
    if found.state not in ("died", "finished") or found.ending.lost_bytes:
        return f"it says {found.state}, {found.ending.lost_bytes} bytes lost"
    if acknowledged > ROWS and found.state != "finished":
        return f"its file was closed, but it says {found.state}"
    return ""


def main() -> None:
    """Do as the arguments say."""
    folder, mode, kills, chance = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), random.Random(int(sys.argv[4]))
    files.sync_data = files.sync_folder = lambda target: None  # type: ignore[assignment] # for power cuts, and slow
    os.fsync = lambda fd: None
    results = []
    for number in range(kills):
        rows, longest = chance.choice([(-1, BEGINNING), (ROWS, CLOSING)] + [(chance.randrange(ROWS), 0.0)] * 3)
        acknowledged = _killed(folder / str(number), mode, rows, chance.uniform(0, longest))
        results.append((_wrong(folder / str(number), acknowledged, recover=number % 4 == 0), acknowledged))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
