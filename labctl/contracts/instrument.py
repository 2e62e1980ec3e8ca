"""What every instrument promises: limits, a recorder that notes each stimulus before it is sent, and a way to become safe."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from labctl.contracts.values import Block, NoRecorder, Recorder, Status
from labctl.quantities import Limits


class Request(Protocol):
    """Something an instrument can be asked to apply to a cell.

    reads: declared by whoever asks to leave the cell's state as it is. A read whose answer was lost may be asked again, by a
    person or by a resumed run; anything else is never sent a second time.
    """

    @property
    def reads(self) -> bool: ...

    def details(self) -> dict[str, Any]:
        """The request as plain values, for the journal."""
        ...

    def check(self, limits: Limits) -> None:
        """Raise LimitError unless `limits` allow all of it; needs no instrument."""
        ...

    def is_complete(self, rows: int, status: Status) -> bool:
        """Whether a test that gave `rows` rows, the last with `status`, is all that was asked for."""
        ...


R = TypeVar("R", bound=Request)
#: What the final rows of a test say in short, as plain values: of its kind, the details of its note, and the rows by column.
Figures = Callable[[str, Mapping[str, Any], Mapping[str, NDArray[Any]]], Mapping[str, Any]]


class Recall(Protocol):
    """What a resumed run knows already (labctl.resume): it answers in the instruments' place while its record lasts."""

    def begin(self, request: Request) -> None:
        """A test is about to be begun."""
        ...

    def answer(self, kind: str, request: R, run: Callable[[R], Iterator[Block]]) -> Iterator[Block] | None:
        """The recorded blocks of `request`, None if it was never sent."""
        ...


class Instrument(ABC):
    """An instrument on the terminals of one cell: one test at a time, noted before it is sent and closed by its outcome."""

    #: instrument limits joined with those of station and sample by whoever opened it
    limits: Limits = Limits()
    recorder: Recorder = NoRecorder()
    #: the class of this instrument in `labctl list`
    title: ClassVar[str] = ""
    #: asked between readings; True makes the running test stop in the instrument
    should_stop: Callable[[], bool] = staticmethod(lambda: False)
    #: of a run that is continued; None when everything asked for is to be applied
    recall: Recall | None = None
    #: kept with the outcome of each test that gave final rows, whether or not the recipe keeps these; by default nothing
    figures: Figures = staticmethod(lambda kind, details, columns: {})
    _running: Generator[Block, None, None] | None = None

    def settle(self) -> None:
        """End a test whose blocks nobody read to the end: the instrument stops it. What that raises is raised here."""
        running, self._running = self._running, None
        if running is not None:
            running.close()

    def _start(self, kind: str, request: R, run: Callable[[R], Iterator[Block]]) -> Iterator[Block]:
        """Begin a test that was checked: its note is written when its first block is asked for."""
        self.settle()
        if self.recall is not None:
            self.recall.begin(request)
        self._running = self._noted(kind, request, run)
        return self._running

    def _noted(self, kind: str, request: R, run: Callable[[R], Iterator[Block]]) -> Generator[Block, None, None]:
        recalled = self.recall.answer(kind, request, run) if self.recall is not None else None
        if recalled is not None:
            yield from recalled
            return
        details, final = request.details(), list[Block]()
        note = self.recorder.stimulus(kind, details)
        try:
            with closing(run(request)) as blocks:  # type: ignore[type-var]  # every vendor's part is a generator
                for block in blocks:
                    if len(block) and not block.provisional:
                        final.append(block)
                    yield block
        except BaseException as error:
            stopped = isinstance(error, (GeneratorExit, KeyboardInterrupt))
            self._close_note(note, "aborted" if stopped else "failed", (kind, details, final), error)
            raise
        rows, status = sum(map(len, final)), Status(int(final[-1]["status"][-1]) if final else 0)
        cut_short = rows == 0 and self.should_stop()  # of a test that gives no rows nothing else tells
        done = request.is_complete(rows, status) and not cut_short and Status.PROVISIONAL not in status
        self.recorder.outcome(note, "done" if done else "aborted", self._told(kind, details, final))

    def _close_note(
        self, note: int, outcome: str, test: tuple[str, Mapping[str, Any], Sequence[Block]], error: BaseException
    ) -> None:
        try:
            self.recorder.outcome(note, outcome, self._told(*test))
        except Exception as second:  # noqa: BLE001 - the first error is the one to report
            error.add_note(f"and the outcome could not be noted: {second}")

    def _told(self, kind: str, details: Mapping[str, Any], final: Sequence[Block]) -> dict[str, Any]:
        """What is kept with an outcome: how many final rows there were, and the figures of them."""
        if not final:
            return {"rows": 0}
        if len(final) == 1:
            columns = final[0].columns
        else:
            columns = {name: np.concatenate([block[name] for block in final]) for name in final[0].columns}
        return {"rows": sum(map(len, final)), **self.figures(kind, details, columns)}

    def parts(self) -> Iterable[Instrument]:
        """This instrument and the cards in it that are instruments of their own (a pulse card beside the source meters)."""
        return (self,)

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
