"""Work that Ctrl-C must not cut in half: it is done in a thread, because Python raises KeyboardInterrupt in the main one.

HDF5 writes through callbacks into Python (sink.py); an exception raised in one of them, as Ctrl-C would at any moment, leaves
the library with objects it can't close, and the process can end with a segmentation fault.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Generic, TypeVar

T = TypeVar("T")
_ATTEMPTS = 5  #: to start a thread, when interrupted; a guess


class Stopped(Exception):
    """The work gave up because it was called off."""


def shielded(work: Callable[[Event], T]) -> T:
    """Do `work` out of reach of Ctrl-C, and return or raise what it does.

    The first Ctrl-C meanwhile changes nothing: the run is being closed, which is what whoever presses it wants. The second
    one sets the event `work` was given; if the work then raises Stopped, KeyboardInterrupt is raised here. Should one come in
    the microseconds between two waits, it is raised while the work goes on to its end: what the work needs must be its own.
    """
    job, pressed = _Job(work), 0
    job.begin()
    while not job.has_ended():
        pressed += 1
        if pressed > 1:
            job.stop.set()
    try:
        return job.outcome()
    except Stopped:
        raise KeyboardInterrupt from None


class _Job(Generic[T]):
    """Work in a thread, waited for by a bare lock: an Event or Future fails when its waiting is interrupted twice."""

    def __init__(self, work: Callable[[Event], T]) -> None:
        self.stop = Event()
        self._work = work
        self._results: list[T] = []
        self._errors: list[BaseException] = []
        self._begun, self._running = Lock(), Lock()
        self._running.acquire()

    def begin(self) -> None:
        """Start the work. Raises RuntimeError if the system gives no thread."""
        for left in reversed(range(_ATTEMPTS)):
            try:
                Thread(target=self._do, name="labctl-store").start()
                return
            except (KeyboardInterrupt, RuntimeError):  # it may have started or not; a second one does nothing then
                if left == 0 and not self._begun.locked():
                    raise

    def has_ended(self) -> bool:
        """Wait for the end of the work; False if Ctrl-C came first."""
        try:
            if not self._is_over():
                self._running.acquire()
        except KeyboardInterrupt:
            return self._is_over()  # the lock may be ours by now: it must not be waited for again
        return True

    def outcome(self) -> T:
        """Return or raise what the work did."""
        for error in self._errors:
            raise error
        return self._results[0]

    def _is_over(self) -> bool:
        return bool(self._results or self._errors)

    def _do(self) -> None:
        if not self._begun.acquire(blocking=False):
            return
        try:
            self._results.append(self._work(self.stop))
        except BaseException as error:  # noqa: BLE001 - raised again where the result is waited for
            self._errors.append(error)
        finally:
            self._running.release()
