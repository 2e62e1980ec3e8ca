"""Every definition a number can have, by name and version, so that a run can be analysed again by the rule of its day.

A function that extracts is marked with `method`; what it returns carries the mark, as "V_set/steepest@1". When a definition
changes, the new function gets the next version and the old one stays: `get("V_set/steepest@1")` finds it for ever.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ParamSpec, TypeVar, cast

from labctl.contracts import Extracted
from labctl.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Method:
    """One definition in one version: what it extracts, by which rule, and the function that does it."""

    name: str
    version: int
    function: Callable[..., Any]

    @property
    def mark(self) -> str:
        """As results carry it: "V_set/steepest@1"."""
        return f"{self.name}@{self.version}"

    @property
    def words(self) -> str:
        """What its documentation says, from the first line on."""
        return inspect.cleandoc(self.function.__doc__ or "")


_METHODS: dict[str, Method] = {}


def method(name: str, version: int = 1) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a function that extracts: every `Extracted` it returns (one, a list, or None) says by which method it was found.

    name: "quantity/definition", the same for all versions. What it returns with a mark already (from a function it called)
    keeps that. Raises ValueError where another function has the mark.
    """

    def mark(function: Callable[P, R]) -> Callable[P, R]:
        own = Method(name, version, function)
        known = _METHODS.get(own.mark)
        if known is not None and _place(known.function) != _place(function):
            raise ValueError(
                f"{own.mark} is the mark of {_place(known.function)}, too; give {_place(function)} its own"
            )

        @functools.wraps(function)
        def marked(*args: P.args, **kwargs: P.kwargs) -> R:
            return cast(R, _marked(function(*args, **kwargs), own.mark))

        _METHODS[own.mark] = Method(name, version, marked)
        return marked

    return mark


def every() -> list[Method]:
    """All methods of `labctl.analysis`, and of recipes loaded so far, by name and version."""
    _load()
    return [_METHODS[mark] for mark in sorted(_METHODS)]


def get(mark: str) -> Method:
    """The method with this mark; without a version the newest. Raises UsageError for one there is not."""
    name, at, version = mark.partition("@")
    versions = [item for item in every() if item.name == name]
    if at:
        versions = [item for item in versions if str(item.version) == version]
    if not versions:
        raise UsageError(f"there is no method {mark!r}; there are {', '.join(_METHODS) or 'none'}")
    return max(versions, key=lambda item: item.version)


@functools.cache
def _load() -> None:
    """Load all of `labctl.analysis`, once: a method is known from when its module is."""
    from labctl import analysis

    for module in pkgutil.walk_packages(analysis.__path__, f"{analysis.__name__}."):
        importlib.import_module(module.name)


def _place(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _marked(found: Any, mark: str) -> Any:
    if isinstance(found, Extracted):
        return found if found.method else replace(found, method=mark)
    if isinstance(found, list):
        return [_marked(item, mark) for item in found]
    return found
