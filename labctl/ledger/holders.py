"""Who a line of the ledger says that measures, and whether that process still lives."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Mapping
from typing import Any

_NAMED = re.compile(r"pid ([0-9]{1,9}) on (.*?), ")


def named(holder: Mapping[str, Any]) -> str:
    """The process of a run header's `holder` as a line has it: ``pid 4711 on bench-2``."""
    return f"pid {holder.get('pid', '?')} on {holder.get('host', '?')}"


def lives(holder: str) -> bool:
    """Whether the process that a line's `holder` names lives on this machine; False for one of another machine."""
    found = _NAMED.match(holder)
    return found is not None and found[2] == platform.node() and int(found[1]) > 0 and _lives(int(found[1]))


if sys.platform == "win32":
    import ctypes

    #: OpenProcess: PROCESS_QUERY_LIMITED_INFORMATION; GetExitCodeProcess: STILL_ACTIVE (Windows API, winnt.h, minwinbase.h)
    _QUERY, _STILL_ACTIVE = 0x1000, 259

    def _lives(pid: int) -> bool:
        kernel = ctypes.windll.kernel32
        process = kernel.OpenProcess(_QUERY, False, pid)
        if not process:
            return False
        try:
            code = ctypes.c_ulong()
            return bool(kernel.GetExitCodeProcess(process, ctypes.byref(code))) and code.value == _STILL_ACTIVE
        finally:
            kernel.CloseHandle(process)

else:

    def _lives(pid: int) -> bool:
        try:
            os.kill(pid, 0)
        except PermissionError:  # another user's
            return True
        except (ProcessLookupError, OverflowError):
            return False
        return True
