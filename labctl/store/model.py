"""A run as read back: its header, table, stimuli, events and end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from labctl.store.header import RunHeader

#: "running" only for a journal that some process still holds open; "died" for one that was never closed.
State = Literal["finished", "aborted", "failed", "died", "running"]
#: What a run can be closed as.
CLOSED: tuple[str, ...] = ("finished", "aborted", "failed")
#: What a stimulus can be closed as (labctl.contracts.Recorder.outcome).
OUTCOMES: tuple[str, ...] = ("done", "aborted", "failed")


@dataclass(frozen=True)
class Stimulus:
    """One stimulus, noted before it was sent.

    id: from 1; time: s since the start of the run; row: rows in the table when it was noted (provisional ones too);
    outcome: "done", "aborted", "failed", or "" for unknown whether applied; outcome_time: s, NaN if there is none;
    outcome_row: rows when it was closed, -1 if it never was.
    """

    id: int
    kind: str
    time: float
    row: int
    details: Mapping[str, Any]
    outcome: str = ""
    outcome_time: float = float("nan")
    outcome_row: int = -1
    outcome_details: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Event:
    """Anything else noted with the run. time: s since the start; row: rows in the table when it was noted."""

    kind: str
    time: float
    row: int
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    end_time: ISO 8601; of a run that died, the time of its last frame or of its heartbeat, whichever is later; "" while it
    runs. duration: s, to the last frame, by the run's own clock: simulated time on a simulated bench, whatever start and end
    say. recovered_bytes: of the journal that were good; lost_bytes: after them, 0 unless the journal was damaged.
    heartbeat: ISO 8601, when the program last said that it lives; "" if it never did, or the run was closed.
    """

    state: State
    reason: str
    traceback: str
    end_time: str
    duration: float
    recovered_bytes: int
    lost_bytes: int
    heartbeat: str = ""


@dataclass(frozen=True)
class Run:
    """A run file or journal, read whole. columns: 1-D arrays, equally long, in the header's order and dtype."""

    header: RunHeader
    columns: dict[str, NDArray[Any]]
    stimuli: list[Stimulus]
    events: list[Event]
    ending: Ending
    path: Path | None = field(default=None, compare=False)  #: where it was read

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    @property
    def state(self) -> State:
        """ "finished", "aborted", "failed", "died" or "running"."""
        return self.ending.state

    @property
    def reason(self) -> str:
        """Why the run ended, one line, "" if there is nothing to say."""
        return self.ending.reason

    @property
    def traceback(self) -> str:
        """The traceback of a failed run, or ""."""
        return self.ending.traceback

    @property
    def end_time(self) -> str:
        """ISO 8601 with offset, "" while it runs."""
        return self.ending.end_time
