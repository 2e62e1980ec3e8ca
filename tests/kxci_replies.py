"""What the instrument answers, as tables: readings, points, status bytes, identities, options and errors.

D p-q: KXCI manual 4200A-KXCI-907-01 Rev. D; B p-q: its Rev. B; Tek, PyM and lab clients as in `kxci_table`.
"""

from __future__ import annotations

from labctl.contracts import Reading, Status
from labctl.kxci.replies import Measurement, Option

N, C, T, X, V, L, BAD = (
    Status.NORMAL, Status.COMPLIANCE, Status.OTHER_COMPLIANCE, Status.OSCILLATION, Status.OVERFLOW, Status.TOO_FAST,
    Status.INVALID,
)  # fmt: skip

# Readings both ways: reading, digits, letters known, text (D 2-10, 3-1; letters L V X T: B 3-1).
WRITTEN: list[tuple[Reading, int, str, str]] = [
    (Reading(4.3555e-15), 5, "CN", "N 4.3555E-15"),
    (Reading(54.978e-15), 5, "CN", "N 54.978E-15"),
    (Reading(449.83e-15), 5, "CN", "N 449.83E-15"),
    (Reading(-22.329e-9), 5, "CN", "N-22.329E-09"),
    (Reading(1e-3, C), 5, "CN", "C 1.0000E-03"),
    (Reading(0.0), 5, "CN", "N 0.0000E+00"),
    (Reading(1.234567), 7, "CN", "N 1.234567E+00"),
    (Reading(-123.4567e-6), 7, "CN", "N-123.4567E-06"),
    (Reading(210.0), 3, "CN", "N 210E+00"),
    (Reading(1.0, T), 5, "LVXCTN", "T 1.0000E+00"),
    (Reading(1.0, X), 5, "LVXCTN", "X 1.0000E+00"),
    (Reading(1.0, V), 5, "LVXCTN", "V 1.0000E+00"),
    (Reading(1.0, L), 5, "LVXCTN", "L 1.0000E+00"),
]

# The letter of highest priority wins, L > V > X > C > T > N (B 3-1); software that knows only C and N says N for the rest.
PRIORITIES: list[tuple[Status, str, str]] = [
    (N, "LVXCTN", "N"), (C | T, "LVXCTN", "C"), (X | C, "LVXCTN", "X"), (V | X | C | T, "LVXCTN", "V"),
    (L | V | X | C | T, "LVXCTN", "L"), (L | C, "CN", "C"), (X, "CN", "N"), (BAD, "LVXCTN", "N"),
    (Status.PROVISIONAL | T, "LVXCTN", "T"),
]  # fmt: skip

# Sweep data as read: text, readings.
READ: list[tuple[str, list[Reading]]] = [
    (
        "N 4.3555E-15,N 54.978E-15,N 449.83E-15\r",  # D 2-10
        [Reading(4.3555e-15), Reading(54.978e-15), Reading(449.83e-15)],
    ),
    ("N 1e-9", [Reading(1e-9)]),
    ("N1e-9", [Reading(1e-9)]),
    ("N0", [Reading(0.0)]),
    ("N-1.5E-06", [Reading(-1.5e-6)]),
    ("N+1.5000E-06", [Reading(1.5e-6)]),  # the manual's template X±N.NNNNE±NN
    ("N -1.5E-06", [Reading(-1.5e-6)]),
    ("C 100.00E-06,T 1.0E-06", [Reading(1e-4, C), Reading(1e-6, T)]),
    ("X 1,V 2,L 3", [Reading(1.0, X), Reading(2.0, V), Reading(3.0, L)]),
    ("c 1", [Reading(1.0, C)]),
    ("Q 1", [Reading(1.0, BAD)]),  # no source knows such a letter
    ("N 1,N 2", [Reading(1.0), Reading(2.0)]),
    ("N 1\r\nN 2\r\n", [Reading(1.0), Reading(2.0)]),
    ("N 1\nN 2", [Reading(1.0), Reading(2.0)]),
    ("N 1\rN 2\r", [Reading(1.0), Reading(2.0)]),
    ("N 1\x0eN 2\x0e", [Reading(1.0), Reading(2.0)]),
    ("N 1,\r\nN 2", [Reading(1.0), Reading(2.0)]),
    (" N 1 , N 2 ", [Reading(1.0), Reading(2.0)]),
    ("N 1,N 2,", [Reading(1.0), Reading(2.0)]),
    ("0.00000,0.12000,.24,1.", [Reading(0.0), Reading(0.12), Reading(0.24), Reading(1.0)]),  # time stamps have no letter
    ("9.000e+37", [Reading(9e37, BAD)]),  # unmapped voltmeter, D 5-8
    ("N 9.000e+37,C-1E36", [Reading(9e37, BAD), Reading(-1e36, C | BAD)]),
    ("N 9.99E35", [Reading(9.99e35)]),
    ("N 1E999", [Reading(float("inf"), BAD)]),
    ("", []), ("\r\n", []), ("  ", []),
]  # fmt: skip

NO_READINGS = [
    "N", "ACK", "N nan", "nan", "inf", "N inf", "NN 1", "N 1 2", "N 1;N 2", "N 1,,N 2", ",N 1", "N 1, ,N 2", "N 1,,", ",",
    "N 1,\r\n,N 2", "1_0", "N --1", "N 1.2.3", "N 1E", "0x10", "N \u0663", "N 1\0", "NAI 1E-9", "KXCI command error. (-992)",
]  # fmt: skip

# User-mode replies both ways (D 3-2, 3-7): measurement, text.
MEASURED: list[tuple[Measurement, str]] = [
    (Measurement(Reading(22.329e-9), "I", 1), "NAI 22.329E-09"),
    *[(Measurement(Reading(1.0), "V", code + 1), f"N{place}V 1.0000E+00") for code, place in enumerate("ABCDEFGHIJKLMNOP")],
    *[(Measurement(Reading(-1e-9), "I", smu + 1), f"N{place}I-1.0000E-09") for smu, place in enumerate("ABCDEFGH")],
    (Measurement(Reading(10.0, C), "V", 1), "CAV 10.000E+00"),
    (Measurement(Reading(1e-3, C), "I", 2), "CBI 1.0000E-03"),
]  # fmt: skip

# Further spellings of them: text, measurement.
MEASURED_TOO: list[tuple[str, Measurement]] = [
    ("NAI 22.329E-09\r\n", Measurement(Reading(22.329e-9), "I", 1)),
    ("NAI1e-9", Measurement(Reading(1e-9), "I", 1)),
    ("VAI 1", Measurement(Reading(1.0, V), "I", 1)),  # V is a status here, not the kind
    ("LCV-1.5", Measurement(Reading(-1.5, L), "V", 3)),
    ("NEV 9.000e+37", Measurement(Reading(9e37, BAD), "V", 5)),
]

NO_MEASUREMENTS = [
    "",
    "ACK",
    "NAI",
    "NAI nan",
    "NAX 1",
    "NQV 1",
    "NII 1",
    "NPI 1E-9",
    "AI 1",
    "NNAI 1",
    "N 1",
    "NAI 1,NAI 2",
    "nai 1",
]

# RD: text, value; None is "not measured yet", exactly 0 (D 5-40).
POINTS: list[tuple[str, float | None]] = [
    ("0", None), (" 0\r\n", None), ("0.0000E+00", 0.0), ("0.0", 0.0), ("-0.0000E+00", 0.0), ("1.2345E-06", 1.2345e-6),
    ("-1e-9\n", -1e-9), ("N 1.5", 1.5),
]  # fmt: skip
NO_POINTS = ["", "ACK", "nan", "1,2", "00 1", "N"]

# RD as written: value, digits, text; a measured zero must not look like "not measured".
POINTS_WRITTEN: list[tuple[float, int, str]] = [
    (0.0, 5, "0.0000E+00"), (-0.0, 5, "0.0000E+00"), (0.0, 1, "0E+00"), (1.2345e-6, 5, "1.2345E-06"),
    (-2.5, 7, "-2.500000E+00"),
]  # fmt: skip

# SP (D 3-3, 3-4): text, byte.
STATUS: list[tuple[str, int]] = [
    ("0", 0), ("1", 1), ("2", 2), ("16", 16), ("64", 64), ("65", 65), ("66", 66), (" 16\r\n", 16), ("16.0", 16),
    ("1.6E1", 16), ("255", 255),
]  # fmt: skip
NO_STATUS = ["", "ACK", "-1", "256", "1.5", "nan", "inf", "1_6", "1e999", "0x10", "16,16"]

# *IDN? (D 2-10, 4-4): text, (manufacturer, model, serial, firmware).
IDENTITIES: list[tuple[str, tuple[str, str, str, str]]] = [
    ("KEITHLEY INSTRUMENTS,KI4200A,1442736,V1.8.1\r", ("KEITHLEY INSTRUMENTS", "KI4200A", "1442736", "V1.8.1")),
    ("KEITHLEY INSTRUMENTS, MODEL 4200, , V9.1", ("KEITHLEY INSTRUMENTS", "MODEL 4200", "", "V9.1")),
]
NO_IDENTITIES = ["", "ACK", "a,b,c", "a,b,c,d,e", ",,,", "a,,c,d", "a,b,c\x07,d"]

# *OPT? both ways (D 4-4, 4-5): option, field. The last PMU field as a real instrument spelled it (lab client).
OPTIONS: list[tuple[Option, str]] = [
    (Option("SMU", 1), "SMU1"),
    (Option("SMU", 2, high_power=True), "HPSMU2"),
    (Option("SMU", 3, preamp=True), "SMUPA3"),
    (Option("SMU", 9, preamp=True, high_power=True), "HPSMUPA9"),
    (Option("CVU", 1), "CVU1"),
    (Option("VPU", 1), "VPU1"),
    (Option("PMU", 1), "PMU1"),
    (Option("PMU", None, rpm="RPM"), "PMURPM"),
    (Option("PMU", 1, rpm="RPM1"), "PMU1RPM1"),
    (Option("PMU", 2, rpm="RPM2"), "PMU2RPM2"),
    (Option("VS", 1), "VS1"),
    (Option("VM", 8), "VM8"),
    (Option("PMU", 1, rpm="RPM1-2"), "PMU1RPM1-2"),
]
NO_OPTIONS = [
    "ACK",
    "SMU1;SMU2",
    "SMUPA",
    "HPCVU1",
    "CVUPA1",
    "SMU1RPM1",
    "SMU0",
    "SMU12",
    "SMU\xb9",
    "PMU1RPM3",
    "PA1",
    "smu1",
]

# :ERROR:LAST:GET without an error: no source documents it, these were seen or are what clients expect.
CLEAN = [
    "",
    "\n",
    " \r\n",
    "0",
    "ACK",
    "No error. (0)",
    "NO ERROR",
    "no error",
    "0 No error",
    "anything (0)",
    "(0)",
    "(-0)",
]

# … and with one: text, code, message.
REPORTS: list[tuple[str, int | None, str]] = [
    ("KXCI command error. (-992)", -992, "KXCI command error."),
    ("KXCI argument error. (-993)\r\n", -993, "KXCI argument error."),
    ("KXCI argument error.(-993)", -993, "KXCI argument error."),
    ("Custom (2) failure (-971)", -971, "Custom (2) failure"),
    ("(-989)", -989, ""),
    ("something odd", None, "something odd"),
    ("No error log (-972)", -972, "No error log"),  # the number decides
    ("1", None, "1"),
]

# The codes (D 2-11, 2-12).
CODES: list[tuple[int, str]] = [
    (-999, "IEEE32.DLL GPIB driver is not loaded."),
    (-998, "Unable to initialize shared memory."),
    (-997, "Could not establish communications with console."),
    (-996, "GPIB address not sent as argv[1]."),
    (-995, "GPIB address not in 0<= addr <= 31."),
    (-994, "Could not find configuration file."),
    (-993, "KXCI argument error."),
    (-992, "KXCI command error."),
    (-991, "Illegal setup error."),
    (-990, "Trigger Master card not found."),
    (-989, "Command not valid on this page."),
    (-988, "Instrument not mapped."),
    (-987, "Skipping instrument."),
    (-986, "Unsupported command received."),
    (-985, "Unsupported file format error."),
    (-984, "Could not open specified file."),
    (-980, "Command not valid during test execution."),
    (-979, "SMU not present in system."),
    (-978, "VPU not present in system."),
    (-975, "Command not valid in User Mode"),
    (-974, "Command not valid in System Mode"),
    (-973, "Command not valid when CVU test is running."),
    (-972, "Could not write log file."),
    (-971, "Custom cable compensation failed. HPOT/HCUR magnitude too small."),
    (-970, "Custom cable compensation failed. LPOT/LCUR magnitude too small."),
    (-969, "Invalid PMU argument."),
    (-968, "Pulse Instrument has reached thermal limit."),
    (-967, "Invalid pulse parameter configuration."),
    (-966, "Execution Aborted."),
    (-965, "Command not valid in the present pulse mode."),
    (-964, "Maximum Source Voltage Reached: Requested voltage across DUT resistance exceeds max voltage available."),
    (-963, "Maximum number of samples per channel exceeded."),
    (-962, "Invalid segment"),
    (-961, "Unknown sequence"),
    (-960, "Max sequences"),
    (-959, "Start and stop values for defined segmented arb violate minimum slew rate."),
    (-958, "At least 3 segments must be defined per sequence"),
    (-957, "Sequence time is too short for a measurement"),
    (-956, "Segment start value does not match previous segment stop value"),
    (
        -955,
        "SSR cannot be opened when using RPM ranges. Change SSR configuration to close relay or select PMU measure range.",
    ),
    (-954, "Maximum number of segments per PMU channel exceeded"),
    (-953, "PMU Stepper cannot be used without Sweeper."),
    (-952, "Cannot adjust PMU measure sample rate for pulse configuration."),
    (-951, "Cannot adjust PMU measure sample rate for SARB configuration."),
    (-950, "This test has exceeded the system power limit."),
    (-949, "Maximum number of measure points exceeded for Pulse IV configuration."),
    (-948, "Sweep step count mismatch for the sweeping channels. All sweeping channels must have same # of steps."),
    (-947, "At least one Acquire High or Acquire Low parameter must be set to Enable for Pulse IV measurements."),
]
