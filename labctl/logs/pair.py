"""The logs of one run: opened beside its run file, fed by its station, its recorder and Python's logging."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.contracts import Recorder
from labctl.logs.appender import PART, Log
from labctl.logs.lines import Entry, details, escape, visible, word

if TYPE_CHECKING:
    from labctl.link import Line

_INDENT = "    "  #: of the further lines of one entry: a traceback


class RunLogs:
    """Both logs of a run, from `open` to `close`; one that was never opened takes everything and writes nothing.

    clock: s by the station's clock; offset: what it lacks of the seconds since the start of the run; now: the time of day,
    ISO 8601; trouble: told a log's name and its first error.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        now: Callable[[], str],
        trouble: Callable[[str, Exception], None],
        offset: float = 0.0,
    ) -> None:
        self._clock, self._now = clock, now
        self._start = clock() - offset
        self._words, self._wire = Log("run", trouble), Log("wire", trouble)
        self._handler = _Handler(self)
        self._level = logging.NOTSET
        self._due, self._stamp = -math.inf, ""

    def open(
        self, folder: Path, names: Mapping[str, str], about: str, part: int = PART, keep: int | None = None
    ) -> None:
        """Begin the logs in `folder`: names gives their file names, "run" and "wire"; about: first words of both."""
        if "run" in names:
            self._words.open(folder / names["run"], f"# labctl log of {visible(about)}\n", part, keep)
        if "wire" in names:
            fields = "seconds since the start, time of day, instrument, > sent < received ! trouble, text"
            self._wire.open(folder / names["wire"], f"# labctl wire log of {visible(about)}: {fields}\n", part, keep)
        root = logging.getLogger("labctl")
        self._level = root.level
        root.addHandler(self._handler)
        root.setLevel(min(root.getEffectiveLevel(), logging.INFO))

    def close(self) -> None:
        """Close both; harmless if they were never opened, or are closed already."""
        root = logging.getLogger("labctl")
        if self._handler in root.handlers:
            root.removeHandler(self._handler)
            root.setLevel(self._level)
        self._words.close()
        self._wire.close()

    def wire(self, name: str, line: Line) -> None:
        """Write what was said to or by the instrument `name`."""
        since = line.time - self._start
        self._wire.put(Entry(since, self._day(), word(name), line.direction, escape(line.text)).line())

    def say(self, text: str, level: str = "info") -> None:
        """Write `text` into the log for people, with the time; further lines of it are indented."""
        self._words.write(lambda: self._stamped(text, level))

    def say_all(self, lines: Iterable[str]) -> None:
        """Write several lines."""
        for line in lines:
            self.say(line)

    def recorder(self, inner: Recorder) -> Recorder:
        """A recorder that hands everything to `inner`, then writes a line of it."""
        return _Told(inner, self)

    def told(self, make: Callable[[], str]) -> None:
        """Write the line that `make` returns; what it raises is trouble with the log."""
        self._words.write(lambda: self._stamped(make(), "info"))

    def _day(self) -> str:
        """The time of day to the millisecond, asked for no more often: it costs as much as writing the line."""
        if (now := time.monotonic()) >= self._due:
            self._due, self._stamp = now + 1e-3, self._now()[11:23]
        return self._stamp

    def _stamped(self, text: str, level: str) -> str:
        first, *others = text.splitlines() or [""]
        head = f"{self._now()} {self._clock() - self._start:12.3f} s  {level:<7} {visible(first)}\n"
        return head + "".join(f"{_INDENT}{visible(line)}\n" for line in others)


class _Told:
    """A recorder that is also told in words."""

    def __init__(self, inner: Recorder, logs: RunLogs) -> None:
        self._inner, self._logs = inner, logs

    def stimulus(self, kind: str, details_: Mapping[str, Any]) -> int:
        """Note what is about to be applied."""
        number = self._inner.stimulus(kind, details_)
        self._logs.told(lambda: f"stimulus {number}: {kind}, {details(details_)}")
        return number

    def outcome(self, note: int, outcome: str, details_: Mapping[str, Any] | None = None) -> None:
        """Close note `note`."""
        self._inner.outcome(note, outcome, details_)
        self._logs.told(lambda: f"stimulus {note}: {outcome}{f', {details(details_)}' if details_ else ''}")

    def event(self, kind: str, details_: Mapping[str, Any]) -> None:
        """Note anything else."""
        self._inner.event(kind, details_)
        self._logs.told(lambda: f"{kind}: {details(details_)}" if details_ else kind)


class _Handler(logging.Handler):
    """Takes what is logged under "labctl" from INFO on."""

    def __init__(self, logs: RunLogs) -> None:
        super().__init__(logging.INFO)
        self._logs = logs
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, with its traceback."""
        self._logs.say(self.format(record), record.levelname.lower())
