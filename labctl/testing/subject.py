"""What a conformance check of a source meter is given, and what it does with it again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from labctl.contracts import Block, NoRecorder, Sampling, SourceMeter, Sweep
from labctl.errors import LabctlError, LimitError


@dataclass
class Subject:
    """A connected source meter with `resistance` (ohm, 1 kohm to 1 Gohm) between "top" and "bottom".

    sent: messages written to the instrument so far; again: lets the connection of `meter` die, as with its process, and
    connects anew; tolerance: relative, of a current at a few uA to mA.
    """

    meter: SourceMeter
    resistance: float
    sent: Callable[[], int]
    again: Callable[[], SourceMeter]
    tolerance: float = 0.01


class Notes(NoRecorder):
    """A recorder that keeps how many messages had been sent when it was told."""

    def __init__(self, sent: Callable[[], int]) -> None:
        self._sent = sent
        self.sent_when_noted: list[int] = []
        self.outcomes: list[str] = []

    def stimulus(self, kind: str, details: Mapping[str, Any]) -> int:
        self.sent_when_noted.append(self._sent())
        return len(self.sent_when_noted)

    def outcome(self, note: int, outcome: str, details: Mapping[str, Any] | None = None) -> None:
        self.outcomes.append(outcome)


def ample(subject: Subject) -> float:
    """A compliance in A that the checks without a limit never reach."""
    return 10.0 / subject.resistance


def slow_sweep(subject: Subject) -> Sweep:
    """A sweep that takes long enough to be left in the middle."""
    return Sweep(np.linspace(0.0, 1.0, 60), ample(subject))


def some_sampling(subject: Subject) -> Sampling:
    """Twelve readings at 0.5 V."""
    return Sampling({"top": 0.5, "bottom": 0.0}, ample(subject), count=12, interval=0.1)


def kept_blocks(blocks: list[Block]) -> list[Block]:
    """The blocks a store would keep: a final block replaces the provisional ones before it."""
    finals = [block for block in blocks if not block.provisional]
    return finals or blocks


def last_block(blocks: Iterator[Block]) -> Block:
    """The final block of a test that runs to its end."""
    return list(blocks)[-1]


def assert_current(subject: Subject, block: Block, expected: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    """The block's currents are `expected` (A) within the subject's tolerance."""
    floor = 0.01 * 0.25 / subject.resistance  # a hundredth of the least current asked for, where that is not zero
    message = "the current is not voltage / resistance"
    np.testing.assert_allclose(block["current"], expected, rtol=subject.tolerance, atol=floor, err_msg=message)


def assert_refused(call: Callable[[], Iterator[Block]], what: str) -> None:
    """`call` raises LimitError."""
    try:
        list(call())
    except LimitError:
        return
    except LabctlError as error:
        raise AssertionError(f"{what} must raise LimitError, not {type(error).__name__}") from error
    raise AssertionError(f"{what} was not refused")


def is_json(value: object) -> bool:
    """Whether `value` is made of JSON types only."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and is_json(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(is_json, value))
    return value is None or isinstance(value, (str, int, float, bool))
