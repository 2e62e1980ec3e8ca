"""The kinds of picture there are: one file in ``kinds/`` each, found by its name; a new file adds a kind, nothing else.

Such a file has one `KIND`.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labctl.errors import UsageError
from labctl.report.plots.style import Picture
from labctl.store import Run


@dataclass(frozen=True)
class Options:
    """What may be asked of a picture beside its kind.

    scale: of a distribution: "linear", "normal", "lognormal" or "weibull"; quantities: names of the series to draw, all if
    there is none.
    """

    scale: str = "linear"
    quantities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """One kind of picture.

    words: what it shows, for lists; lacks: what a run lacks for it, "" if it can be drawn; draw: draws runs that lack nothing;
    together: what several runs lack to be drawn together, where that is not what each of them lacks.
    """

    words: str
    lacks: Callable[[Run], str]
    draw: Callable[[Picture, Sequence[Run], Options], None]
    name: str = ""
    together: Callable[[Sequence[Run]], str] | None = None


@functools.cache
def every() -> dict[str, Kind]:
    """All kinds by name."""
    from dataclasses import replace

    from labctl.report.plots import kinds as folder

    names = sorted(item.name for item in pkgutil.iter_modules(folder.__path__))
    found = {name: importlib.import_module(f"{folder.__name__}.{name}").KIND for name in names}
    return {name: replace(kind, name=name) for name, kind in found.items()}


def kind_named(name: str) -> Kind:
    """The kind `name`. Raises UsageError for one there is not."""
    from labctl.plugins import suggestion

    known = every()
    if name not in known:
        raise UsageError(
            f"there is no picture {name!r}{suggestion(name, list(known)) or '; there are ' + ', '.join(known)}"
        )
    return known[name]
