"""A sign of life in the journal: the time of day, every few seconds, from a thread that asks nothing of the run."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from io import FileIO
from threading import Event, Lock, Thread
from weakref import ref

from labctl.store import files, frames

_log = logging.getLogger("labctl.store")


class Heartbeat:
    """Writes what `clock` says (s since 1970-01-01 UTC) into the preamble of a journal at once, then every `interval` s.

    It holds no run alive: neither the process, nor a file that its owner dropped without closing it.
    """

    def __init__(self, file: FileIO, interval: float, clock: Callable[[], float]) -> None:
        self._file = ref(file)
        self._interval, self._clock = interval, clock
        self._lock = Lock()  # held while writing: the descriptor must not be closed then, and be another file's
        self._stopped = Event()

    def start(self) -> None:
        """Begin; with an infinite interval nothing happens. Raises RuntimeError if the system gives no thread."""
        if self._interval < math.inf:
            self.beat()
            Thread(target=self._run, name="labctl-heartbeat", daemon=True).start()

    def beat(self) -> bool:
        """Write the time of day once; False if there is nothing to write to any more."""
        with self._lock:
            file = self._file()
            if self._stopped.is_set() or file is None or file.closed:
                return False
            try:
                files.stamp(file, frames.heartbeat(self._clock()), frames.HEARTBEAT_AT)
            except OSError as error:  # the run's own writes tell whoever measures; this one is no reason to end it
                _log.warning("no sign of life could be written to %s: %s", file.name, error)
        return True

    def stop(self) -> None:
        """End it; nothing is written once this has returned. Harmless if that was done before."""
        with self._lock:
            self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            if not self.beat():
                return
