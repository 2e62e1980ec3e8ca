"""The two clocks: the wall's, and a virtual one that only moves when somebody waits on it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class WallClock:
    """Real time, optionally run faster: with speed 100 a second here takes 10 ms of the wall's (simulated instruments)."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed

    def now(self) -> float:
        """Seconds since an arbitrary origin."""
        return time.monotonic() * self.speed

    def sleep(self, seconds: float) -> None:
        """Block this thread for `seconds`; Ctrl-C interrupts it."""
        if seconds > 0:
            time.sleep(seconds / self.speed)

    def wait(self, seconds: float, should_stop: Callable[[], bool]) -> None:
        """Sleep `seconds`, or until `should_stop` says so (looked at ten times a second of real time)."""
        end = self.now() + seconds
        while (left := end - self.now()) > 0 and not should_stop():
            self.sleep(min(left, 0.1 * self.speed))


class VirtualClock:
    """Simulated time: `sleep` advances it at once, nothing waits. Shared by the bench and whoever measures on it."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds since the start of the simulation."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Advance by `seconds`. Raises ValueError when negative or NaN."""
        if not seconds >= 0:
            raise ValueError(f"can't sleep {seconds} s")
        with self._lock:
            self._now += seconds

    def wait(self, seconds: float, should_stop: Callable[[], bool]) -> None:
        """Advance by `seconds` unless `should_stop` already says so: nothing can happen in between."""
        if not should_stop():
            self.sleep(seconds)
