"""Work that Ctrl-C must not cut in half: it is done in a thread, because Python raises KeyboardInterrupt in the main one.

HDF5 writes through callbacks into Python (sink.py); an exception raised in one of them, as Ctrl-C would at any moment, leaves
the library with objects it can't close, and the process can end with a segmentation fault.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def shielded(work: Callable[[], T]) -> T:
    """Do `work` to its end and return or raise what it does; Ctrl-C meanwhile makes it neither shorter nor fail."""
    outcome = Future[T]()
    Thread(target=_do, args=(work, outcome), name="labctl-store").start()
    while not outcome.done():
        try:
            wait([outcome])
        except KeyboardInterrupt:  # the run is being closed, which is what whoever presses it wants
            continue
    return outcome.result()


def _do(work: Callable[[], T], outcome: Future[T]) -> None:
    try:
        outcome.set_result(work())
    except BaseException as error:  # noqa: BLE001 - raised again where the result is waited for
        outcome.set_exception(error)
