"""A pulse source: limits checked and stimuli noted once, for every vendor."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from labctl.contracts.instrument import Instrument
from labctl.contracts.pulses import PulseTrain, Waveform
from labctl.contracts.values import Block


class PulseSource(Instrument):
    """A pulse generator with a fast meter on the terminals of one cell; it has no current compliance.

    As for `SourceMeter`: limits are checked and the stimulus is noted here, once, before the vendor's part speaks. Where the
    cell's terminals are switched between source meter and pulse source, each of the two takes them when it starts a test.
    """

    def play(self, waveform: Waveform) -> Iterator[Block]:
        """Play `waveform` once; yields blocks of PULSE_COLUMNS, provisional ones while it runs and one final block.

        Raises LimitError before anything is sent, InstrumentError, TransportError, RemoteProtocolError.
        """
        self.check(waveform)
        return self._start("waveform", waveform, self._play)

    def train(self, train: PulseTrain) -> Iterator[Block]:
        """Apply `train`; blocks and errors as for `play`."""
        self.check(train)
        return self._start("pulse train", train, self._train)

    def check(self, request: Waveform | PulseTrain) -> None:
        """Raise LimitError unless everything in the request is allowed here; sends nothing."""
        request.check(self.limits)
        self._check(request)

    @abstractmethod
    def _play(self, waveform: Waveform) -> Iterator[Block]:
        """The vendor's part of `play`: everything was checked; close() on the generator must stop the instrument."""

    @abstractmethod
    def _train(self, train: PulseTrain) -> Iterator[Block]:
        """The vendor's part of `train`."""

    def _check(self, request: Waveform | PulseTrain) -> None:
        """Further rules of this instrument (times, slopes, ranges); raise LimitError naming value, unit and rule."""
