"""Compiles number-crunching functions with numba, or leaves them as plain Python: one decorator, one switch.

A kernel is a function of floats and `Vector`s written so that both ways give the same bits: no ``**`` (Python and numba
round it differently), no integer overflow, no division by zero. It stays uncompiled when the environment variable
``LABCTL_NO_JIT`` is set to anything but "" or "0", or when numba is not installed. This module imports numba only when
the first kernel is decorated, so the command line starts without it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import platformdirs

#: no check for division by zero in the machine code (kernels have none), other threads may run meanwhile, and a kernel
#: is put where it is called: a call hands over seven numbers for each `Vector`, which made ours 1.4 times as slow
OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "forceinline": True}
F = TypeVar("F", bound=Callable[..., Any])


class Vector(Protocol):
    """Numbers that a kernel reads and writes by position: a float64 array when compiled, else a list."""

    def __getitem__(self, index: int, /) -> float: ...

    def __setitem__(self, index: int, value: float, /) -> None: ...


@cache
def enabled() -> bool:
    """Tell whether kernels are compiled in this process; decided once."""
    return os.environ.get("LABCTL_NO_JIT", "") in ("", "0") and importlib.util.find_spec("numba") is not None


def vector(values: Iterable[float]) -> Vector:
    """Pack numbers for a kernel: a float64 array when kernels are compiled, a list of floats when they are not."""
    if not enabled():
        return [float(value) for value in values]
    import numpy as np

    return cast(Vector, np.fromiter(values, dtype=np.float64))


def kernel(function: F) -> F:
    """Compile `function` on its first call and keep the machine code on disk, or return it as it is.

    Call it with floats, booleans and `Vector`s only: another type costs another compilation.
    """
    if not enabled():
        return function
    from numba import config, njit

    # numba's own key for stored code is the text of one file, so a kernel would go on calling the old code of a helper
    # in a neighbour file; hence a folder for each state of the sources. Numba falls back to __pycache__ and to its
    # own user-wide folder where this one can't be written.
    given, config.CACHE_DIR = config.CACHE_DIR, str(_store(config.CACHE_DIR, Path(function.__code__.co_filename)))
    try:
        return cast(F, njit(cache=True, **OPTIONS)(function))
    except RuntimeError:  # numba's word for "no folder can be written": compile in every process instead
        return cast(F, njit(**OPTIONS)(function))
    finally:
        config.CACHE_DIR = given


def _store(chosen: str, source: Path) -> Path:
    """The folder for machine code: below NUMBA_CACHE_DIR if the user has set it, else below the user's cache folder."""
    root = Path(chosen) if chosen else platformdirs.user_cache_path("labctl", appauthor=False) / "kernels"
    return root / _fingerprint(source.parent)


@cache
def _fingerprint(folder: Path) -> str:
    """12 hex digits that change with any Python file of `folder`, and with the way of compiling."""
    digest = hashlib.sha256(repr(OPTIONS).encode())
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
