"""A program that forks children which run a recipe on a simulated 4200 of another process, to be killed from there.

It is told what to do in lines of JSON on its standard input, and answers in lines: {"pid": ...} when a child begins and
{"status": ...} when it has ended (as os.waitpid says it). The first task it does itself, so that everything its children
need is loaded. POSIX only. Settings of a task: see `measure`.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labctl import plugins, runner, store
from labctl.cli import resume as resuming
from labctl.clocks import VirtualClock
from labctl.contracts import Block
from labctl.procedure import Procedure
from labctl.station import InstrumentConfig, Station, StationConfig
from labctl.store import pack

FOREVER = 10**9  #: calls


class Acknowledged:
    """How many rows the run has acknowledged, where the death of the process can't take it back. A listener of the runner."""

    def __init__(self, path: str) -> None:
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 16)
        self._final = 0

    def __call__(self, block: Block) -> None:
        if not block.provisional:
            self._final += len(block)
            struct.pack_into("<q", self._map, 0, self._final)

    def calls(self, number: int) -> None:
        """Say how many calls were counted."""
        struct.pack_into("<q", self._map, 8, number)


def station(port: int) -> Station:
    """A station that knows nothing but a port; waits pass at once."""
    resource = f"TCPIP0::127.0.0.1::{port}::SOCKET"
    smu = InstrumentConfig(driver="keithley4200", resource=resource, visa_library="@py", timeout=10.0)
    return Station(StationConfig(name="kill", instruments={"smu": smu}), clock=VirtualClock())


CALLS = ("fdatasync", "fsync", "write", "pwrite", "link", "unlink", "ftruncate", "rename", "replace", "posix_fallocate")


def die_at(call: int) -> list[int]:
    """Have this process killed at the `call`-th time that it syncs, renames, removes or writes a file: half before, half after.

    Returns a list whose item is what is left of `call`.
    """
    left = [call]

    def watched(real: Callable[..., Any]) -> Callable[..., Any]:
        def do(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and call % 2:
                os.kill(os.getpid(), signal.SIGKILL)
            done = real(*arguments, **named)
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return do

    for name in CALLS:
        setattr(os, name, watched(getattr(os, name)))
    pack.Sink.write = watched(pack.Sink.write)  # type: ignore[method-assign]
    return left


def buffer_rows() -> None:
    """Have rows wait in this process until a lot of them are there, as an unsafe writer would: the negative control."""
    append, waiting = store.RunWriter.append, list[Block]()

    def later(self: store.RunWriter, block: Block) -> None:
        waiting.append(block)
        if len(waiting) > 50:
            flush(self)

    def flush(self: store.RunWriter) -> None:
        while waiting:
            append(self, waiting.pop(0))

    finish = store.RunWriter.finish

    def flushed(self: store.RunWriter, *arguments: Any, **named: Any) -> Path:
        flush(self)
        return finish(self, *arguments, **named)

    store.RunWriter.append, store.RunWriter.finish = later, flushed  # type: ignore[method-assign]


def measure(task: dict[str, Any]) -> int:
    """Run a recipe, or resume one.

    recipe, settings, port, path: of the run file; acks: a file of 16 bytes that gets the number of rows acknowledged and, at
    the end, of calls that `die_at` counts; resume: the run file or ""; die: see `die_at`, 0 for never; unsafe: buffer rows.
    """
    with station(task["port"]) as opened:
        if task["resume"]:
            run = store.read(Path(task["resume"]))
            procedure, earlier = resuming.procedure_of(run), run
        else:
            kind = plugins.load("procedures", task["recipe"], Procedure)  # type: ignore[type-abstract]
            procedure, earlier = kind(**task["settings"]), None
        if task["unsafe"]:
            buffer_rows()
        left = die_at(task["die"] or FOREVER) if "warm" not in task else [0]
        listeners = [Acknowledged(task["acks"])]
        result = runner.run(task["recipe"], procedure, opened, Path(task["path"]), listeners=listeners, earlier=earlier)
    listeners[0].calls(FOREVER - left[0])
    if result.state != "finished":
        print(result.reason, file=sys.stderr)
    return 0 if result.state == "finished" else 1


def main() -> None:
    """Take tasks until the input ends."""
    measure(json.loads(sys.stdin.readline()))
    logging.disable()  # that a lock was left behind is what is to be expected here
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                os._exit(measure(json.loads(line)))
            except BaseException as error:  # noqa: BLE001 - the child must not go on as a second nursery
                print(repr(error), file=sys.stderr, flush=True)
            os._exit(3)
        print(json.dumps({"pid": pid}), flush=True)
        print(json.dumps({"status": os.waitpid(pid, 0)[1]}), flush=True)


if __name__ == "__main__":
    main()
