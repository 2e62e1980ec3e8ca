"""The moments at which a kept state is looked at, and which of them a continued run leaves out."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.contracts import FloatArray
from labctl.recipe_parts import Work

#: s; a read that comes so much later than it was due waited for its run to be continued: guess, longer than any read takes.
GAP = 10.0


class Visits:
    """Times (s after the last test, shape (n,)) at which `work` reads a cell, one after the other.

    A continued run finds times that passed while nobody was there. One read is done at once, and those that had passed when
    it came are left out, with the event "reads left out": all at once they would disturb the cell, and weigh one age in a fit.
    Without a gap nothing is left out, however late reads are because they take their time.

    What follows is decided by when reads came, which a record tells as well as a clock does: a run that is continued once
    more asks for the same reads again.
    """

    def __init__(self, work: Work, times: FloatArray) -> None:
        self.since = _began(work)  #: s since the start of the run
        self.count = 0  #: reads of these times so far
        self._work, self._times = work, [float(time) for time in times]
        self._at = 0
        self._before = 0.0  # when the last test ended, s after `since`
        self._gap = False

    def __iter__(self) -> Iterator[float]:
        """Yield the times that are read."""
        while self._at < len(self._times):
            yield self._times[self._at]
            self._at += 1

    @property
    def is_last(self) -> bool:
        """Whether no further time will be read."""
        return self._at >= len(self._times) - 1

    def wait(self) -> float:
        """How long it is until the present time, s; negative once it has passed."""
        return self._times[self._at] - (self._work.elapsed() - self.since)

    def seen(self) -> None:
        """Say that the read of the present time is done: what passed before it came is left out if there was a gap."""
        self._came(max(self._before, self._times[self._at]))
        self.count += 1
        if not self._gap:
            return
        self._gap = False
        passed = [time for time in self._times[self._at + 1 :] if time <= self._before]
        if passed:
            self._at += len(passed)
            self._work.event("reads left out", **{"number": len(passed), "from": passed[0], "to": passed[-1]})

    def also(self, wait: float) -> None:
        """Say that another test is done, asked for `wait` s after the one before it."""
        self._came(self._before + wait)

    def _came(self, due: float) -> None:
        self._before = self._work.ended - self.since
        self._gap |= self._before - due > GAP


def _began(work: Work) -> float:
    """When the last test ended: now; but when its last row came, where the run was continued after that."""
    now = work.elapsed()
    return now if now - work.ended <= GAP else work.ended
