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
    options: str = "SMUPA1,SMUPA2"  # the *OPT? text (D 4-4): two 4200-SMUs with preamplifiers
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
    error_query: bool = True  # False: software before 1.13, where :ERROR: is unknown (D 4-2 against Rev. B)
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
    def end(self) -> str:
        """What follows data, before the NUL of Ethernet."""
        default = "lf" if self.transport == "gpib" else "none"
        return CHARACTERS[default if self.character == "default" else self.character]


#: smallest value of the numeric settings that are not merely >= 0, with the greatest
_BOUNDS = {"digits": (3, 7), "line_frequency": (1.0, 1000.0), "integration_parts": (0, 1000)}


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
