"""The two logs of a run, beside its run file: what happened in words (``.log``), and every message on the wire (``.wire``).

A line is with the operating system when the call that writes it returns, so the death of the program loses none. Trouble
with a log never ends a run: it is told once, and the run goes on without that log.
"""

from labctl.logs.lines import Entry
from labctl.logs.pair import RunLogs
from labctl.logs.reading import entries, parts, raw_lines

__all__ = ["Entry", "RunLogs", "entries", "parts", "raw_lines"]
