"""The instrument's error numbers and texts (manual Rev. D, 2-11 and 2-12), and the error report on the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass

#: text by code, D 2-11/2-12
TEXTS: dict[int, str] = {
    -999: "IEEE32.DLL GPIB driver is not loaded.",
    -998: "Unable to initialize shared memory.",
    -997: "Could not establish communications with console.",
    -996: "GPIB address not sent as argv[1].",
    -995: "GPIB address not in 0<= addr <= 31.",
    -994: "Could not find configuration file.",
    -993: "KXCI argument error.",
    -992: "KXCI command error.",
    -991: "Illegal setup error.",
    -990: "Trigger Master card not found.",
    -989: "Command not valid on this page.",
    -988: "Instrument not mapped.",
    -987: "Skipping instrument.",
    -986: "Unsupported command received.",
    -985: "Unsupported file format error.",
    -984: "Could not open specified file.",
    -980: "Command not valid during test execution.",
    -979: "SMU not present in system.",
    -978: "VPU not present in system.",
    -975: "Command not valid in User Mode",
    -974: "Command not valid in System Mode",
    -973: "Command not valid when CVU test is running.",
    -972: "Could not write log file.",
    -971: "Custom cable compensation failed. HPOT/HCUR magnitude too small.",
    -970: "Custom cable compensation failed. LPOT/LCUR magnitude too small.",
    -969: "Invalid PMU argument.",
    -968: "Pulse Instrument has reached thermal limit.",
    -967: "Invalid pulse parameter configuration.",
    -966: "Execution Aborted.",
    -965: "Command not valid in the present pulse mode.",
    -964: "Maximum Source Voltage Reached: Requested voltage across DUT resistance exceeds max voltage available.",
    -963: "Maximum number of samples per channel exceeded.",
    -962: "Invalid segment",
    -961: "Unknown sequence",
    -960: "Max sequences",
    -959: "Start and stop values for defined segmented arb violate minimum slew rate.",
    -958: "At least 3 segments must be defined per sequence",
    -957: "Sequence time is too short for a measurement",
    -956: "Segment start value does not match previous segment stop value",
    -955: "SSR cannot be opened when using RPM ranges. Change SSR configuration to close relay or select PMU measure range.",
    -954: "Maximum number of segments per PMU channel exceeded",
    -953: "PMU Stepper cannot be used without Sweeper.",
    -952: "Cannot adjust PMU measure sample rate for pulse configuration.",
    -951: "Cannot adjust PMU measure sample rate for SARB configuration.",
    -950: "This test has exceeded the system power limit.",
    -949: "Maximum number of measure points exceeded for Pulse IV configuration.",
    -948: "Sweep step count mismatch for the sweeping channels. All sweeping channels must have same # of steps.",
    -947: "At least one Acquire High or Acquire Low parameter must be set to Enable for Pulse IV measurements.",
}
_CODE = re.compile(r"\((-?[0-9]{1,9})\)$")
_CLEAN = {"", "0", "ACK"}


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """The last error; code: the instrument's number, None where the text carries none."""

    code: int | None
    message: str

    def __str__(self) -> str:
        return f"{self.message} ({self.code})" if self.code is not None else self.message


def report(code: int) -> str:
    """Write the error as ``:ERROR:LAST:GET`` answers it, e.g. ``KXCI command error. (-992)`` (D 4-3)."""
    return f"{TEXTS.get(code, 'Unknown error.')} ({code})"


def parse_report(text: str) -> ErrorReport | None:
    """Read a reply to ``:ERROR:LAST:GET``; None when it says that there is no error.

    No source documents that answer, so all those seen or mocked mean "none": empty, ``0``, ``ACK``, any text with
    ``no error``, and code 0; a code other than 0 is an error whatever the words beside it say.
    """
    stripped = text.strip()
    if match := _CODE.search(stripped):
        code = int(match[1])
        return ErrorReport(code, stripped[: match.start()].rstrip()) if code else None
    if stripped.upper() in _CLEAN or "NO ERROR" in stripped.upper():
        return None
    return ErrorReport(None, stripped)
