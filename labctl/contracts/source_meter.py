"""A source meter: limits checked and stimuli noted once, for every vendor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from typing import Any, ClassVar, TypeVar

from labctl.contracts.links import Clock, Link
from labctl.contracts.requests import Sampling, Sweep, check_request, is_complete
from labctl.contracts.values import Block, NoRecorder, Recorder, Status
from labctl.quantities import Limits

R = TypeVar("R", Sweep, Sampling)


class SourceMeter(ABC):
    """A source-measure instrument connected to the terminals of one cell.

    The public methods check the limits (instrument, station and sample), note the stimulus, and only then let the
    vendor's part (the methods with an underscore) speak. They are written once, here, for every vendor.
    """

    #: instrument limits joined with those of station and sample by whoever opened it
    limits: Limits = Limits()
    recorder: Recorder = NoRecorder()
    #: the class of this instrument in `labctl list`
    title: ClassVar[str] = ""
    #: asked between readings; True makes the running test stop in the instrument
    should_stop: Callable[[], bool] = staticmethod(lambda: False)
    _running: Generator[Block, None, None] | None = None

    @classmethod
    @abstractmethod
    def terminators(cls, resource: str) -> tuple[str, str]:
        """(write, read) terminators this instrument uses on a VISA resource of this kind."""

    @classmethod
    @abstractmethod
    def connect(
        cls, link: Link, terminals: Mapping[str, int | None], clock: Clock, options: Mapping[str, Any]
    ) -> SourceMeter:
        """Shake hands over `link` and return the instrument, outputs off; a test left running there is stopped.

        terminals: the instrument's channel by terminal of the cell ("top", "bottom"), None for its ground; options: vendor
        settings from the station file. Raises UsageError for unknown options, TransportError, RemoteProtocolError.
        """

    def sweep(self, sweep: Sweep) -> Iterator[Block]:
        """Run `sweep`; yields provisional blocks while it runs, then one final block of READING_COLUMNS.

        Raises LimitError before anything is sent, InstrumentError, TransportError, RemoteProtocolError.
        """
        return self._start("sweep", sweep, self._sweep)

    def sample(self, sampling: Sampling) -> Iterator[Block]:
        """Run `sampling`; blocks and errors as for `sweep`."""
        return self._start("sampling", sampling, self._sample)

    def check(self, request: Sweep | Sampling) -> None:
        """Raise LimitError unless everything in the request is allowed here; sends nothing."""
        check_request(self.limits, request)
        self._check(request)

    def settle(self) -> None:
        """End a test whose blocks nobody read to the end: the instrument stops it. What that raises is raised here."""
        running, self._running = self._running, None
        if running is not None:
            running.close()

    def _start(self, kind: str, request: R, run: Callable[[R], Iterator[Block]]) -> Iterator[Block]:
        self.settle()
        self.check(request)
        self._running = self._noted(kind, request, run)
        return self._running

    def _noted(self, kind: str, request: R, run: Callable[[R], Iterator[Block]]) -> Generator[Block, None, None]:
        note = self.recorder.stimulus(kind, request.details())
        rows, status = 0, Status.NORMAL
        try:
            with closing(run(request)) as blocks:  # type: ignore[type-var]  # every vendor's part is a generator
                for block in blocks:
                    if len(block) and not block.provisional:
                        rows, status = rows + len(block), Status(int(block["status"][-1]))
                    yield block
        except BaseException as error:
            stopped = isinstance(error, (GeneratorExit, KeyboardInterrupt))
            self._close_note(note, "aborted" if stopped else "failed", rows, error)
            raise
        self.recorder.outcome(note, "done" if is_complete(request, rows, status) else "aborted", {"rows": rows})

    def _close_note(self, note: int, outcome: str, rows: int, error: BaseException) -> None:
        try:
            self.recorder.outcome(note, outcome, {"rows": rows})
        except Exception as second:  # noqa: BLE001 - the first error is the one to report
            error.add_note(f"and the outcome could not be noted: {second}")

    @abstractmethod
    def _sweep(self, sweep: Sweep) -> Iterator[Block]:
        """The vendor's part of `sweep`: everything was checked; close() on the generator must stop the instrument."""

    @abstractmethod
    def _sample(self, sampling: Sampling) -> Iterator[Block]:
        """The vendor's part of `sample`."""

    def _check(self, request: Sweep | Sampling) -> None:  # noqa: B027 - an instrument need not have rules of its own
        """Further rules of this instrument (ranges, times); raise LimitError naming value, unit and rule."""

    @abstractmethod
    def make_safe(self) -> None:
        """Stop whatever runs and switch every output off, whatever state the link is in; raises if it can't be known."""

    @abstractmethod
    def identity(self) -> Mapping[str, str]:
        """Who answers: at least "manufacturer", "model", "serial", "firmware", "resource"."""

    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """The settings that shape a measurement, for provenance; JSON types only."""

    @abstractmethod
    def close(self) -> None:
        """Release the link; make_safe comes first and is the caller's duty."""
