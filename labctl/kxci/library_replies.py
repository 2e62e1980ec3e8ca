"""What ``EX``, ``GN`` and ``GP`` answer in user library mode, both ways (D 4-7 … 4-11, E 4-12).

The manuals leave the texts open; those here are what lab programs got over GPIB. Over Ethernet the answer to ``EX`` may be
an ``ACK`` only, then the value is not known yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from labctl.contracts import FloatArray
from labctl.errors import RemoteProtocolError
from labctl.kxci.numbers import to_float
from labctl.kxci.replies import ACK

VOID = "void"  #: what stands for the value of a module that returns none (E 4-12)

_RETURN = re.compile(r"(?:RETURN\s+VALUE\s*=\s*)?(?:([+-]?[0-9]{1,12})|void)", re.ASCII | re.IGNORECASE)
_ERROR = "EX ERROR"
_LABEL = re.compile(r"[A-Za-z][A-Za-z ]{0,40}=")


@dataclass(frozen=True, slots=True)
class Returned:
    """How a module's call ended. value: what it returned, None for nothing.

    error: why it was not run, in the instrument's words; pending: the call was taken, nothing is known of its end yet.
    """

    value: int | None = None
    error: str = ""
    pending: bool = False


def parameters_error(given: int, required: int) -> str:
    """The instrument's words for a wrong number of arguments (E 4-12)."""
    return f"invalid number of UTM parameters:number of parameters in a call {given} number of parameters required: {required}"


def write_return(returned: Returned) -> str:
    """Write the reply to ``EX``: ``RETURN VALUE = 0``, ``void``, ``EX ERROR: …`` or ``ACK``."""
    if returned.pending:
        return ACK
    if returned.error:
        return f"{_ERROR}: {returned.error}"
    return VOID if returned.value is None else f"RETURN VALUE = {returned.value}"


def read_return(text: str) -> Returned:
    """Read the reply to ``EX``; a bare number is a value, too. Raises RemoteProtocolError."""
    stripped = text.strip()
    if stripped == ACK:
        return Returned(pending=True)
    if stripped.upper().startswith(_ERROR):
        return Returned(error=stripped[len(_ERROR) :].lstrip(": ") or "no reason given")
    match = _RETURN.fullmatch(stripped)
    if match is None:
        raise RemoteProtocolError(f"{text[:60]!r} is not the end of a module, such as 'RETURN VALUE = 0'")
    return Returned(int(match[1]) if match[1] else None)


def write_parameter(values: Iterable[str], label: str = "PARAM VALUE = ") -> str:
    """Write the reply to ``GN`` or ``GP``: ``PARAM VALUE = v1;v2``; label "" as D 4-10 prints it."""
    return label + ";".join(values)


def read_parameter(text: str) -> list[str]:
    """Read the reply to ``GN`` or ``GP`` as texts; none for an empty reply. Values are apart by ``;``, or else by ``,``."""
    label = _LABEL.match(text.lstrip())
    stripped = text.lstrip()[label.end() if label else 0 :].strip()
    values = [value.strip() for value in stripped.split(";" if ";" in stripped else ",")]
    return values[:-1] if values[-1] == "" else values  # nothing, or a separator at the end


def read_parameter_numbers(text: str) -> FloatArray:
    """Read the reply to ``GN`` or ``GP`` as numbers (n). Raises RemoteProtocolError for what is none."""
    try:
        return np.array([to_float(value) for value in read_parameter(text)], dtype=float)
    except ValueError as error:
        raise RemoteProtocolError(f"no list of numbers: {error}") from None
