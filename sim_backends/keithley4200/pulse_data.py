"""What a pulse test has measured, channel by channel, and how ``:PMU:DATA:GET`` answers it (D 7-6 … 7-8)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labctl.kxci.points import HIGH, LOW, SPOT_MEANS, WAVEFORM, Points, is_status, write_points

from .refusal import PULSE_ARGUMENT, Refused

BLOCK = 2048  #: points of one reply (D 7-7)
CAPACITY = 65_536  #: points of one channel (D 7-2, 7-7)


class PulseData:
    """The points of one channel: equally long lists by column."""

    def __init__(self, columns: Sequence[str] = WAVEFORM) -> None:
        self._values: dict[str, list[float]] = {str(name): [] for name in columns}

    @classmethod
    def of_means(cls, high: bool, low: bool) -> PulseData:
        """Spot means of the top, of the base, or of both."""
        return cls(SPOT_MEANS if high and low else HIGH if high else LOW)

    def __len__(self) -> int:
        return len(next(iter(self._values.values())))

    def add(self, *point: float) -> None:
        """Append one point, its values in the order of the columns."""
        for column, value in zip(self._values.values(), point, strict=True):
            column.append(value)

    def column(self, name: str) -> list[float]:
        """The values of one column. Raises KeyError."""
        return self._values[name]

    def block(self, start: int, count: int, wanted: Sequence[str]) -> str:
        """The reply for `count` points from number `start`; without wanted columns all. Raises Refused for an unknown one."""
        names = [self._known(name) for name in wanted] or list(self._values)
        stop = start + min(count, BLOCK)
        columns = {name: self._values[name][start:stop] for name in dict.fromkeys(names)}
        numbers = [columns[name] for name in names if not is_status(name)]
        words = [columns[name] for name in names if is_status(name)]
        rows = max(min(stop, len(self)) - start, 0)
        return write_points(
            Points(
                tuple(names),
                np.array(numbers, dtype=np.float64).reshape(len(numbers), rows).T,
                np.array(words, dtype=np.uint32).reshape(len(words), rows).T,
            )
        )

    def _known(self, name: str) -> str:
        """The column asked for; VH is V in a waveform, as the vendor's pulse train asks (D 7-38), and V is VH of spot means."""
        for candidate in (name,) if name.endswith("L") else (name, name[0], f"{name[0]}H"):
            if candidate in self._values:
                return candidate
        raise Refused(PULSE_ARGUMENT)
