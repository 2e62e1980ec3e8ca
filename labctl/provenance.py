"""What a run file says about where it came from: software, git state, command, time."""

from __future__ import annotations

import getpass
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import labctl

#: Whose versions shape a result.
_PACKAGES = ("numpy", "h5py", "pymeasure", "PyVISA", "PyVISA-py", "numba")


def software() -> dict[str, str]:
    """Versions of labctl, Python, the platform and the packages that shape a result."""
    found = {"labctl": labctl.__version__, "python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package.lower()] = version(package)
        except PackageNotFoundError:
            found[package.lower()] = "not installed"
    return found


@lru_cache(1)  # one subprocess a process, not two a run
def git() -> dict[str, str | bool]:
    """Commit and whether the tree is changed, if labctl runs from a checkout; else empty."""
    root = Path(labctl.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return {}
    commit, changes = _git(root, "rev-parse", "HEAD"), _git(root, "status", "--porcelain")
    if not commit:
        return {}
    return {"commit": commit} if changes is None else {"commit": commit, "dirty": bool(changes)}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):  # no git here, or it hangs on a network disk: the run goes on without
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def command() -> str:
    """The command line as it was typed, the program by its name only."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def holder() -> dict[str, object]:
    """Who records: this process, this machine, this user."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without a user database
        user = ""
    return {"pid": os.getpid(), "host": platform.node(), "user": user}


def now() -> str:
    """The local time, ISO 8601 with offset, to the millisecond."""
    return datetime.now().astimezone().isoformat(timespec="milliseconds")


def after(start: str) -> Callable[[], str]:
    """What tells the time as `now` does, but never earlier than `start` plus what has passed since this call.

    So a run does not end before it began where the time of day is set back meanwhile. start: as of `now`.
    """
    begun = time.monotonic()

    def told() -> str:
        least = datetime.fromisoformat(start) + timedelta(seconds=time.monotonic() - begun)
        found = now()
        return found if datetime.fromisoformat(found) >= least else least.isoformat(timespec="milliseconds")

    return told
