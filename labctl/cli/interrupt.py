"""Ctrl-C: once stops in order, twice at once."""

from __future__ import annotations

import contextlib
import signal
from types import FrameType, TracebackType

import click

from labctl import provenance

#: what asks a program to stop: Ctrl-C, kill, a closed terminal or dropped ssh, Ctrl-Break on Windows
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
#: who is behind a signal, as far as a program can know
_WHO = {
    "SIGTERM": "whoever sent SIGTERM (kill, a shutdown, a job queue)",
    "SIGHUP": "the end of its terminal (SIGHUP)",
    "SIGBREAK": "{user} (Ctrl-Break)",
    "SIGINT": "{user} (Ctrl-C)",
}


class Stop:
    """Within ``with Stop() as stop``, the first Ctrl-C (or kill, or hang-up) makes `stop()` true, the second raises.

    who: who asked, for the run file; "" before anybody did.
    """

    def __init__(self) -> None:
        self.asked = False
        self.who = ""
        self._before: dict[signal.Signals, object] = {}

    def __call__(self) -> bool:
        return self.asked

    def __enter__(self) -> Stop:
        for kind in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
            self._before[kind] = signal.signal(kind, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.who = _WHO[signal.Signals(number).name].format(user=provenance.holder()["user"] or "the user")
        if self.asked:
            raise KeyboardInterrupt(self.who)
        self.asked = True
        with contextlib.suppress(OSError):  # after a hang-up there is no terminal to write to
            click.echo("\nlabctl: stopping in order, outputs off; Ctrl-C again stops at once", err=True)
