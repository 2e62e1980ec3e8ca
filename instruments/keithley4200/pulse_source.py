"""The 4225-PMU in a Keithley 4200 as the pulse source labctl measures with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from labctl.contracts import OUTPUT_RESISTANCE, Block, PulseSource, PulseTrain, Waveform
from labctl.errors import LimitError, UsageError
from labctl.quantities import Limit, Limits

from . import library_calls as library
from . import pulse_rules as rules
from .driver import Keithley4200
from .library_pulses import carry_out_call
from .pulse_plan import Pair, PulseTest, segment_test, waveform_ranges
from .pulse_run import carry_out_pulses
from .pulse_settings import PulseSettings
from .safety import make_safe
from .segments import compile_train, compile_waveform
from .trains import train_test
from .wiring import Settings

GREATEST_CURRENT = 0.8  #: A, 40 V over the card's own 50 ohm (PMU manual 4-19)


class Keithley4225(PulseSource):
    """A 4225-PMU, with or without RPMs, over the connection of its mainframe.

    Waveforms are compiled to Segment Arb; trains of equal or evenly rising amplitudes measured by means are standard pulses,
    others are compiled, too. Both channels play on one clock, the held one at 0 V. A terminal is switched between SMU and
    pulse card by its RPM; where there is none nothing is sent, and the cables decide what is connected.

    `voltage` is the difference of both channels' readings. `current` is by default that of the held channel, its sign turned
    round, and so what flows through the cell; option current_from: driven takes the driven channel's, which charges the cables,
    too. The card has no current compliance. Levels are those of an open circuit unless the option load tells the resistance.

    On old software, without ``:PMU:``, modules of a user library do it, see `library_calls`. Options: see `PulseSettings`.
    """

    title: ClassVar[str] = "Keithley 4225-PMU in a 4200-SCS / 4200A-SCS"

    def __init__(
        self,
        driver: Keithley4200,
        settings: Settings,
        pulses: PulseSettings,
        owner: Mapping[str, str],
        settle_others: Callable[[], None],
    ) -> None:
        self.driver, self.pulses = driver, pulses
        self._settings, self._owner, self._settle_others = settings, dict(owner), settle_others
        self._check_wiring()
        self.limits = self._own_limits()

    def _check_wiring(self) -> None:
        wired = [channel for channel in self.pulses.pulse_terminals.values() if channel is not None]
        if missing := [channel for channel in wired if channel not in self.driver.pulse.channels]:
            known = ", ".join(map(str, self.driver.pulse.channels))
            raise UsageError(f"option pulse_terminals names pulse channel {missing[0]}, but the instrument has {known}")
        if self.pulses.current_from == "held" and len(wired) < 2:
            raise UsageError("option current_from: held needs two pulse channels in pulse_terminals")

    def _own_limits(self) -> Limits:
        points = library.MOST if self._by_library else rules.POINTS
        return Limits(
            (
                Limit("voltage", rules.SOURCE_RANGES[-1], "V", self._model),
                Limit("current", GREATEST_CURRENT, "A", self._model),
                Limit("points", points, "points", self._model),
            )
        )

    # -- what is asked for --------------------------------------------------------------------------------------------
    def _check(self, request: Waveform | PulseTrain) -> None:
        self._check_cables("pulse")
        if isinstance(request, PulseTrain):
            rules.check_base(request)
        self._call(request) if self._by_library else self._test(request)
        rules.check_worst(self.limits, request, self.pulses.load, self._lowest_resistance(request))

    def _check_cables(self, wanted: str) -> None:
        """Raise LimitError where a terminal has no RPM and its cable is not in the card that is `wanted`."""
        wired = [channel for channel in self.pulses.pulse_terminals.values() if channel is not None]
        without = [channel for channel in wired if channel not in self.driver.pulse.rpms]
        if without and self.pulses.cables != wanted:
            raise LimitError(
                f"pulse channel {without[0]} has no RPM, and by the option cables its terminal is plugged into "
                f"{'the SMU' if self.pulses.cables == 'smu' else 'the pulse card'}: plug it over and set cables: {wanted}; "
                "without RPMs one run can't use both"
            )

    def check_smu(self) -> None:
        """Raise LimitError where an SMU test would not reach the cell, because the cables are in the pulse card."""
        self._check_cables("smu")

    def _lowest_resistance(self, request: Waveform | PulseTrain) -> float:
        """The ohm there are at least between source and cell: an RPM corrects its own away on its own ranges (PA-1086)."""
        pair = self._pair(request.terminal)
        on_rpm = request.current_range <= rules.RPM_RANGES
        each = [rules.RPM_RESISTANCE if rpm and on_rpm else OUTPUT_RESISTANCE for _, rpm in pair.kinds]
        return min(each)

    def _play(self, waveform: Waveform) -> Iterator[Block]:
        return self._run(waveform)

    def _train(self, train: PulseTrain) -> Iterator[Block]:
        return self._run(train)

    def _run(self, request: Waveform | PulseTrain) -> Iterator[Block]:
        self._settle_others()
        held, stop = self._takes_held(request.terminal), lambda: self.should_stop()
        if self._by_library:
            return carry_out_call(self.driver, self._call(request), self._settings, held, stop)
        return carry_out_pulses(self.driver, self._test(request), self._settings, held, stop)

    def _test(self, request: Waveform | PulseTrain) -> PulseTest:
        pair, load = self._pair(request.terminal), self.pulses.load
        if isinstance(request, PulseTrain):
            return train_test(request, pair, load)
        ranges = waveform_ranges(request, load)
        program = compile_waveform(request, rules.SHORTEST[ranges.voltage])
        return segment_test(program, pair, ranges, request.sample_rate)

    def _call(self, request: Waveform | PulseTrain) -> library.LibraryTest:
        pair, load = self._pair(request.terminal), self.pulses.load
        if isinstance(request, PulseTrain) and pair.held is None:
            return library.sweep_call(request, pair, load)
        library.check_call(request)
        if isinstance(request, PulseTrain):
            return library.segment_call(compile_train(request), pair, library.train_ranges(request, load))
        ranges = waveform_ranges(request, load)
        return library.segment_call(compile_waveform(request, rules.SHORTEST[ranges.voltage]), pair, ranges)

    def _pair(self, terminal: str) -> Pair:
        driven, held = self.pulses.driven(terminal), self.pulses.held(terminal)
        return Pair(driven, held, self.driver.pulse.rpms)

    def _takes_held(self, terminal: str) -> bool:
        return self.pulses.current_from != "driven" and self.pulses.held(terminal) is not None

    # -- what every instrument has ------------------------------------------------------------------------------------
    def make_safe(self) -> None:
        """Stop whatever runs and switch every output off, the SMUs', too: the two share one connection and one cell."""
        make_safe(self.driver)

    def identity(self) -> Mapping[str, str]:
        """The mainframe's identity, with the pulse card as its model; KXCI tells no serial number of a card."""
        return {**self._owner, "model": self._model, "serial": ""}

    @property
    def _model(self) -> str:
        return f"4225-PMU in {self._owner['model'] or self.driver.model}"

    @property
    def _by_library(self) -> bool:
        return self.driver.pulse.language == "library"

    def settings(self) -> Mapping[str, Any]:
        """The pulse card's options, its RPMs, and how it is spoken to."""
        return {
            **self.pulses.as_dict(),
            "rpms": {str(channel): str(name) for channel, name in self.driver.pulse.rpms.items()},
            "language": self.driver.pulse.language,
        }

    def close(self) -> None:
        """Nothing: the link is the mainframe's."""
