"""One picture of one or more runs in a file, the kind chosen by what their recipes declare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labctl.report import plots
from labctl.store import Run


def save(runs: Sequence[Run], path: Path) -> Path:
    """Draw `runs` and save as PNG, SVG or PDF (by the ending of `path`); returns `path`.

    The first kind that all of them can give; raises as `labctl.report.plots.save`.
    """
    return plots.save(runs, path).path
