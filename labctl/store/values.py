"""Turn details and headers into JSON text and back, with every float exact.

Strict JSON (RFC 8259) in ASCII, so that any parser reads it and no text is refused by HDF5. What JSON lacks:

=================================  ==============================================
Python                             JSON
=================================  ==============================================
NaN, infinities                    ``{"$float": "nan"}``, ``"inf"``, ``"-inf"``
NumPy array, tuple                 list (floats by their shortest exact repr)
NumPy scalar, enum                 its plain value
dataclass                          object of its fields
path                               text
key that begins with ``$``         the same with one ``$`` more
=================================  ==============================================

Anything else raises StoreError: a value that can't be read back is not written.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from labctl.store.errors import StoreError


def dumps(value: Any) -> str:
    """Encode `value` as JSON text of one line. Raises StoreError naming the type that has no encoding."""
    return json.dumps(_plain(value), allow_nan=False, separators=(",", ":"))


def loads(text: str | bytes) -> Any:
    """Decode what `dumps` wrote: dicts, lists, text, numbers (NaN and inf too), bools and None. Raises ValueError."""
    return json.loads(text, object_hook=_object)


def clean(text: str) -> str:
    r"""Make any text fit for HDF5: NUL and lone surrogates become visible escapes (``\x00``, ``\udc80``)."""
    return str(text).replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def _object(pairs: dict[str, Any]) -> Any:
    if pairs.keys() == {"$float"}:
        return float(pairs["$float"])
    return {key[1:] if key.startswith("$$") else key: item for key, item in pairs.items()}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, np.bool_)):
        return None if value is None else bool(value)
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return _number(float(value))
    if isinstance(value, (str, PurePath)):
        return str(value)
    return _compound(value)


def _number(value: float) -> Any:
    return value if math.isfinite(value) else {"$float": repr(value)}


def _compound(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, Mapping):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    raise StoreError(
        f"a {type(value).__name__} can't be stored with a run; pass numbers, text, lists, arrays or mappings"
    )


def _array(value: np.ndarray[Any, Any]) -> Any:
    if value.dtype.kind in "iub" or (
        value.dtype.kind == "f" and value.dtype.itemsize <= 8 and np.isfinite(value).all()
    ):
        return value.tolist()  # nothing in it needs a second look; long waveforms stay quick
    return _plain(value.tolist())


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise StoreError(f"a mapping stored with a run needs text as keys, not {key!r}")
    return f"${key}" if key.startswith("$") else key
