"""What the manuals leave open, and what a user sets in KCon, as named choices; each with its page or the word guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from labctl.errors import UsageError
from labctl.plugins import suggestion

SEPARATORS = {
    "comma": ",",
    "lf": "\n",
    "so": "\x0e",
}  #: between readings; D 2-5, 2-10, and 0x0E seen in one lab's parser
CHARACTERS = {"none": "", "cr": "\r", "lf": "\n", "crlf": "\r\n"}  #: after data; KCon, D 2-5


@dataclass(frozen=True, slots=True)
class Settings:
    """Choices of one simulated instrument; SI units. Unconfirmed behaviour is marked "guess" with what speaks for it."""

    # -- KCon and the installation --
    transport: Literal["tcp", "gpib"] = "tcp"  # D 2-3
    # the *OPT? text (D 4-4): two 4200-SMUs with preamplifiers, and a 4225-PMU with an RPM on each channel (as py4200A saw it)
    options: str = "SMUPA1,SMUPA2,PMU1RPM1-2"
    cables: Literal["SMU", "PMU"] = "SMU"  # which is on the cell where a pulse channel has no RPM
    model: str = "KI4200A"  # D 2-10
    serial: str = "1442736"  # D 2-10, the manual's own example
    version: str = "V1.13.0"  # first Clarius with :ERROR: and :PMU: (D 7-2)
    character: Literal["default", "none", "cr", "lf", "crlf"] = (
        "default"  # D 2-5: none on Ethernet; LF on GPIB (vendor's)
    )
    separator: Literal["comma", "lf", "so"] = "comma"  # KCon's reading delimiter; D 2-10
    line_frequency: float = 60.0  # Hz; the manual's example (D 5-40)
    interlock_closed: bool = True  # open: nothing is energised and results read 0 (D 3-7)

    # -- behaviour no source settles --
    bad_command: Literal["ack", "silent", "text"] = "ack"  # guess: every known client takes errors from elsewhere
    clean_error: str = ""  # guess, as py4200A reads it on a real instrument; alternative "No error. (0)"
    error_query: bool = (
        True  # False: software before 1.13, where :ERROR: and :PMU: are unknown (D 4-2, 7-2 against Rev. B)
    )
    data_ready: Literal["once", "never", "service"] = "once"  # SP after completion: 1 then 0 (seen on LAN); 0; 65
    letters: Literal["CN", "LVXCTN"] = "CN"  # D 3-1; the long list is Rev. B 3-1
    numbers: Literal["engineering", "plain"] = "engineering"  # D 2-10; plain ("N 1e-09") is what mocks write
    digits: int = 5  # of a reading, until RS says otherwise (capture in D 2-10)
    measured_zero: Literal["long", "short"] = "long"  # RD of 0: "0.0000E+00" (guess) or "0"
    reset_clears_channels: bool = (
        True  # *RST removes the start-up channel definitions; guess: vendor scripts rely on it
    )
    second_client: Literal["refuse", "accept"] = "refuse"  # guess: all known clients keep one connection
    abort_discards: bool = False  # ME4 empties the buffer; guess: one lab reads before aborting
    lenient_pages: bool = True  # LI after MD, MP in US: vendor scripts do it and work
    small_compliance: Literal["error", "raise"] = (
        "error"  # below 11 % of a fixed range (RM 3-4): -991, or raised; guess
    )
    longest_number: int = 12  # characters (D 5-6); 0: no limit
    # *OPT? while a test runs: refused (-980), or answered only when the test is over, and nothing else before (py4200A waits
    # for the end of a test that way on a real instrument)
    options_while_busy: Literal["refuse", "wait"] = "refuse"
    # whether RG also ends a fixed current range (RI); if not, it lasts until *RST or a device clear; guess
    range_floor_ends_fixed: bool = True
    # when system mode switches off an output that user mode or ST n,0 left on and that has no part in the test: when the
    # test starts; already when US is left for a system page; or never. No source tells, all three are guesses
    left_on: Literal["until_test", "until_page", "stays"] = "until_test"
    unmapped: Literal["manual", "engineering"] = "manual"  # reading of an unmapped VM: 9.000e+37 (D 5-8), or 90.000E+36

    # -- the pulse card (data/kxci.md 7) --
    rpm_at_reset: Literal["smu", "pulse"] = "smu"  # what RPMs connect at power-on and after *RST; guess
    init_resets_rpm: bool = True  # :PMU:INIT undoes routing, too, as lab clients take it; guess
    pulse_rate: float = 200e6  # Sa/s after INIT (D 7-23); the manual's own 3300 points need 50e6
    dual_points: Literal["2n-1", "2n"] = "2n-1"  # of a dual sweep; py4200A takes 2n-1
    rate_limit: Literal["all", "waveform"] = "all"  # whether spot means count for 65536 samples in D 7-24; guess
    segment_average: Literal["discrete", "loops"] = (
        "discrete"  # Segment Arb types 3 and 4: as 1 and 2, or over loops; guess
    )
    pulse_rests: Literal["last", "zero"] = "last"  # where an output stays after a test, while it is on; guess
    pulse_overheated: bool = False  # True: :PMU:EXECUTE finds the thermal limit (-968)
    least_slew: float = 1e-3  # V/s of a Segment Arb ramp (-959); no number found: guess
    rpm_resistance: float = 2.5  # ohm, on an RPM's own ranges: "2 to 3" (PA-1086)
    pulse_bits: int = 14  # of the pulse card's converters, over -range to range; guess
    pulse_settling: float = 1.0  # factor on the settling of the current ranges (`pulse_meter`); 0: none
    llec_iterations: int = 5  # trial pulses load line correction may take before each burst; guess
    llec_tolerance: float = 0.01  # of the level, where it has succeeded; guess
    ramp_steps: int = 8  # dwells of constant voltage a ramp is made of, at least …
    ramp_volts: float = 0.1  # … and V between them, at most
    mean_parts: int = 16  # moments of a spot mean's window at which the device is looked at, at most

    # -- user libraries --
    library_reply: Literal["value", "ack"] = (
        "value"  # EX answers when the module has ended (labs, GPIB), or at once; guess
    )
    parameter_reply: Literal["label", "plain"] = "label"  # GN, GP: "PARAM VALUE = 1;2" (labs), or "1;2" (D 4-10)

    # -- the analogue side --
    noise: float = 1.0  # factor on the reading noise of `accuracy`; 0: none
    offset: float = 1.0  # factor on gain and offset errors of source and measurement; 0: none
    quantisation: bool = True  # readings and source levels in steps of their ranges' resolution
    # equal parts of the integration time whose ends are averaged into a reading (trapezoids); 0: a reading is the state at
    # the end, as of an infinitely fast converter. More parts follow a device that switches meanwhile better, and cost time
    integration_parts: int = 4
    series_resistance: float = 0.0  # ohm, cables and contacts

    # -- time --
    message_time: float = 0.0  # s of the clock that every message costs (network, parser); guess, decided by the bench
    range_change_time: float = 0.02  # s per decade an autoranging meter moves; guess
    calibration_time: float = 5.0  # s that AC takes; guess
    pulse_setup_time: float = 0.05  # s from :PMU:EXECUTE to the first pulse; guess

    truth_length: int = 20000  #: dwells kept in the ground-truth record; 0: none

    @classmethod
    def of(cls, choices: Mapping[str, Any]) -> Settings:
        """Build from choices by name. Raises UsageError naming an unknown or impossible one."""
        hints = get_type_hints(cls)
        for name, value in choices.items():
            if name not in hints:
                raise UsageError(f"keithley4200 has no setting {name!r}{suggestion(name, list(hints))}")
            _check(name, value, hints[name])
        return cls(**choices)

    @property
    def knows_pulses(self) -> bool:
        """Whether the software has ``:PMU:``: it came with ``:ERROR:`` (D 7-2)."""
        return self.error_query

    @property
    def end(self) -> str:
        """What follows data, before the NUL of Ethernet."""
        default = "lf" if self.transport == "gpib" else "none"
        return CHARACTERS[default if self.character == "default" else self.character]


#: smallest value of the numeric settings that are not merely >= 0, with the greatest
_BOUNDS = {
    "digits": (3, 7), "line_frequency": (1.0, 1000.0), "integration_parts": (0, 1000), "pulse_rate": (1e3, 200e6),
    "pulse_bits": (2, 24), "llec_iterations": (0, 100), "ramp_steps": (1, 1000), "ramp_volts": (1e-6, 100.0),
    "mean_parts": (1, 1000), "rpm_resistance": (0.0, 50.0), "llec_tolerance": (1e-6, 1.0),
}  # fmt: skip


def _check(name: str, value: Any, hint: Any) -> None:
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise UsageError(f"keithley4200: {name} must be one of {', '.join(get_args(hint))}, not {value!r}")
        return
    accepted = (int, float) if hint is float else hint
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise UsageError(f"keithley4200: {name} must be {hint.__name__}, not {value!r}")
    low, high = _BOUNDS.get(name, (0, float("inf")))
    if isinstance(value, (int, float)) and not low <= value < high + 1e-9:
        raise UsageError(f"keithley4200: {name} must be between {low:g} and {high:g}, not {value!r}")
