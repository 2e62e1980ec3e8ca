"""A source meter: limits checked and stimuli noted once, for every vendor."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from labctl.contracts.instrument import Instrument
from labctl.contracts.links import Clock, Link
from labctl.contracts.requests import Sampling, Sweep
from labctl.contracts.values import Block


class SourceMeter(Instrument):
    """A source-measure instrument connected to the terminals of one cell.

    The public methods check the limits (instrument, station and sample), note the stimulus, and only then let the
    vendor's part (the methods with an underscore) speak. They are written once, here, for every vendor.
    """

    @classmethod
    @abstractmethod
    def terminators(cls, resource: str) -> tuple[str, str]:
        """(write, read) terminators this instrument uses on a VISA resource of this kind."""

    @classmethod
    @abstractmethod
    def connect(
        cls, link: Link, terminals: Mapping[str, int | None], clock: Clock, options: Mapping[str, Any]
    ) -> SourceMeter:
        """Shake hands over `link` and return the instrument, outputs off; a test left running there is stopped.

        terminals: the instrument's channel by terminal of the cell ("top", "bottom"), None for its ground; options: vendor
        settings from the station file. Raises UsageError for unknown options, TransportError, RemoteProtocolError.
        """

    def sweep(self, sweep: Sweep) -> Iterator[Block]:
        """Run `sweep`; yields provisional blocks while it runs, then one final block of READING_COLUMNS.

        Raises LimitError before anything is sent, InstrumentError, TransportError, RemoteProtocolError.
        """
        self.check(sweep)
        return self._start("sweep", sweep, self._sweep)

    def sample(self, sampling: Sampling) -> Iterator[Block]:
        """Run `sampling`; blocks and errors as for `sweep`."""
        self.check(sampling)
        return self._start("sampling", sampling, self._sample)

    def check(self, request: Sweep | Sampling) -> None:
        """Raise LimitError unless everything in the request is allowed here; sends nothing."""
        request.check(self.limits)
        self._check(request)

    @abstractmethod
    def _sweep(self, sweep: Sweep) -> Iterator[Block]:
        """The vendor's part of `sweep`: everything was checked; close() on the generator must stop the instrument."""

    @abstractmethod
    def _sample(self, sampling: Sampling) -> Iterator[Block]:
        """The vendor's part of `sample`."""

    def _check(self, request: Sweep | Sampling) -> None:
        """Further rules of this instrument (ranges, times); raise LimitError naming value, unit and rule."""
