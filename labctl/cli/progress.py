"""Live progress with the time left: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

import click

from labctl.contracts import Block
from labctl.quantities import show

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_EVERY = 10.0  #: s between lines where there is no terminal


class Progress:
    """A listener of the runner. total: rows expected, None where unknown; quiet: show nothing."""

    def __init__(self, name: str, total: int | None, quiet: bool = False) -> None:
        self.name = name
        self.total = total
        self.quiet = quiet
        self.done = 0
        self.live = 0
        self._recalled = 0  # rows that were not measured now: they say nothing about how long others take
        self._recalling = False
        self._bar: Bar | None = None
        self._started = self._said = time.monotonic()

    def __enter__(self) -> Progress:
        if not self.quiet and sys.stderr.isatty():
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task(self.name, total=self.total, last="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, block: Block) -> None:
        if self._recalling:
            self._begin()
        self._count(block)
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done + self.live, last=_last(block))
        elif not self.quiet and time.monotonic() - self._said > _EVERY:
            self._said = time.monotonic()
            click.echo(f"{self.name}: {self.done + self.live} of {self.total or '?'} rows{self._left()}", err=True)

    def recalled(self, block: Block) -> None:
        """Count rows of the run that is continued; the time that others take is counted from the last of them on."""
        self._count(block)
        self._recalling, self._started = True, time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, last=_last(block))

    def _begin(self) -> None:
        """Forget how fast the recalled rows came."""
        self._recalling, self._recalled = False, self.done
        if self._bar is not None:
            self._bar.reset(self._task, completed=self.done)

    def _count(self, block: Block) -> None:
        self.live = self.live + len(block) if block.provisional else 0
        self.done += 0 if block.provisional else len(block)

    def _left(self) -> str:
        rows = self.done + self.live
        measured = rows - self._recalled
        if not self.total or not measured:
            return ""
        left = (time.monotonic() - self._started) / measured * max(self.total - rows, 0)
        return f", about {left:.0f} s left"


def _bar() -> Bar:
    from rich import progress
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("rows,"),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[last]}"),
        console=Console(stderr=True),
    )


def _last(block: Block) -> str:
    units = {"level": "V", "current": "A"}
    return "  ".join(show(float(block[name][-1]), unit, 4) for name, unit in units.items() if name in block.columns)
