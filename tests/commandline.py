"""Runs the command line in this process, as its entry point does: fast, with the same exit codes and texts."""

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from labctl.cli import main


class Done(NamedTuple):
    """What a command left: exit code and texts."""

    returncode: int
    stdout: str
    stderr: str


def labctl(*arguments: str, folder: Path, **environment: str) -> Done:
    """Run ``labctl arguments`` in `folder`."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["labctl", *arguments]),
        mock.patch.dict(os.environ, environment),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
            code: object = 0
        except SystemExit as stop:
            code = stop.code
    return Done(code if isinstance(code, int) else 1, out.getvalue(), err.getvalue())
