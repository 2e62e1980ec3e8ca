"""What the instrument answers in pulse tests and in user library mode, as tables.

D, E p-q: KXCI manual 4200A-KXCI-907-01 Rev. D and Rev. E; lab client as in `kxci_table`.
"""

from __future__ import annotations

from labctl.kxci.library_replies import Returned

# :PMU:TEST:STATUS? (D 7-32) and :PMU:DATA:COUNT? (D 7-6): text, meaning.
RUNNING: list[tuple[str, bool]] = [("1", True), ("0", False), (" 1\r\n", True), ("0\n", False)]
NO_RUNNING = ["", "ACK", "2", "01", "-1", "1.0", "1,0", "true"]
COUNTS: list[tuple[str, int]] = [("0", 0), ("3300", 3300), (" 65536\r\n", 65536)]
NO_COUNTS = ["", "ACK", "-1", "1.5", "1e3", "1,2", "nan", "1_0", "1 0"]

# The end of a module (E 4-12; RETURN VALUE: lab client over GPIB): returned, text.
RETURNS: list[tuple[Returned, str]] = [
    (Returned(0), "RETURN VALUE = 0"),
    (Returned(-17001), "RETURN VALUE = -17001"),
    (Returned(None), "void"),
    (Returned(pending=True), "ACK"),
    (
        Returned(
            error="invalid number of UTM parameters:number of parameters in a call 0 number of parameters required: 2"
        ),
        "EX ERROR: invalid number of UTM parameters:number of parameters in a call 0 number of parameters required: 2",
    ),
]

# Further spellings of them: text, returned.
RETURNS_TOO: list[tuple[str, Returned]] = [
    ("RETURN VALUE=0", Returned(0)), ("  return  value =  7 \r\n", Returned(7)), ("5", Returned(5)), ("-122\n", Returned(-122)),
    ("+3", Returned(3)), ("RETURN VALUE = void", Returned()), ("VOID", Returned()),
    ("EX ERROR:", Returned(error="no reason given")),
    ("EX ERROR busy", Returned(error="busy")),
]  # fmt: skip
NO_RETURNS = ["", "RETURN VALUE =", "RETURN VALUE = 1.5", "OK", "1 2", "ACK 0", "1" * 20, "\u0663"]

# A parameter of a module (D 4-10; PARAM VALUE: lab client over GPIB): text, values.
PARAMETERS: list[tuple[str, list[str]]] = [
    ("PARAM VALUE = 0;0.5;1", ["0", "0.5", "1"]), ("0; 0.5; 1.0", ["0", "0.5", "1.0"]), ("PARAM VALUE=1E-9\r\n", ["1E-9"]),
    ("PARAM VALUE = 1;2;", ["1", "2"]), ("1,2", ["1", "2"]), ("PARAM VALUE = ", []), ("", []), (" \n", []),
    ("PARAM VALUE = slotno:5,name:PMU1;slotno:6", ["slotno:5,name:PMU1", "slotno:6"]),
]  # fmt: skip
NO_NUMBERS = ["ACK", "PARAM VALUE = a", "1;;2", "nan", "1 2", "PARAM VALUE = 1e999", "1=2"]

# Blocks of points: text, columns, numbers by point, status words by point. The first is the manual's sample (D 7-38).
BLOCKS: list[tuple[str, str, list[list[float]], list[list[int]]]] = [
    ("0.00788628,-21.7246e-9,0,01020021", "V I T S", [[0.00788628, -21.7246e-9, 0.0]], [[0x01020021]]),
    ("", "V I T S", [], []), (" \r\n", "V I T S", [], []), ("\r\n;", "V", [], []),
    ("1,2e-3,3E-9,01020011;-1,+.5,4.,0102001a;", "V I T S", [[1, 2e-3, 3e-9], [-1, 0.5, 4]], [[0x01020011], [0x0102001A]]),
    (" 1 , 2 , 3 , 21 ;\t4,5,6,0 \r\n", "V I T S", [[1, 2, 3], [4, 5, 6]], [[0x21], [0]]),
    ("01020021,1e-9;7102FF76,2", "S I", [[1e-9], [2]], [[0x01020021], [0x7102FF76]]),
    ("1;2;3", "V", [[1], [2], [3]], [[], [], []]), ("AB;00000C", "S", [[], []], [[0xAB], [0xC]]),
    (
        "5,1e-3,1e-6,01010052,0,2e-9,2e-6,01010851",
        "VH IH TH SH VL IL TL SL",
        [[5, 1e-3, 1e-6, 0, 2e-9, 2e-6]],
        [[0x01010052, 0x01010851]],
    ),
    ("1e22,5E+022,1,01020021", "V I T S", [[1e22, 5e22, 1]], [[0x01020021]]),
]  # fmt: skip

# What is none: text, columns, what the message must name.
NO_BLOCKS: list[tuple[str, str, str]] = [
    ("ACK", "V I T S", "point 0"), ("1,2,3", "V I T S", "3 fields, not the 4"), ("1,2,3,0;1,2,3", "V I T S", "point 1"),
    ("1,2,3,0,5;1,2,3", "V I T S", "5 fields"), ("1,2,3,0;;1,2,3,0", "V I T S", "point 1"),
    (";;", "V", "'' is not a value of V"),
    ("1,,3,0", "V I T S", "'' is not a value of I"), ("1,2,3,", "V I T S", "'' is not a value of S"),
    ("1,nan,3,0", "V I T S", "'nan'"), ("1,2,inf,0", "V I T S", "'inf'"), ("1,1_0,3,0", "V I T S", "'1_0'"),
    ("1,1e999,3,0", "V I T S", "'1e999'"), ("1,2 3,3,0", "V I T S", "'2 3'"), ("1,0x1,3,0", "V I T S", "'0x1'"),
    ("1,2,3,010200210", "V I T S", "'010200210'"), ("1,2,3,-1", "V I T S", "'-1'"), ("1,2,3,0102 021", "V I T S", "'0102 021'"),
    ("1,2,3,01 0;1,2,3,02 0", "V I T S", "'01 0'"), ("1,2,3,1.5", "V I T S", "'1.5'"), ("1,2,3,0g", "V I T S", "'0g'"),
    ("1,\u0663,3,0", "V I T S", "is not a value of I"), ("1,1d3,3,0", "V I T S", "'1d3'"),
    ("1,2\n3,4,0", "V I T S", "not a value of I"),
    ("KXCI command error. (-992)", "V", "not a value of V"), ("1,2;3,4", "V", "2 fields, not the 1"),
]  # fmt: skip

# How the pulse card writes numbers, by the manual's only sample (D 7-38): value, digits, text.
SHORT: list[tuple[float, int, str]] = [
    (0.00788628, 6, "0.00788628"), (-21.7246e-9, 6, "-21.7246e-9"), (0.0, 6, "0"), (-0.0, 6, "0"), (1e-7, 6, "100e-9"),
    (5.0, 6, "5"), (1e-5, 6, "10e-6"), (1.23456789e-4, 6, "0.000123457"), (9.9999999e-5, 6, "0.0001"), (-1.5e-6, 6, "-1.5e-6"),
    (1.23456e-8, 6, "12.3456e-9"), (1.2e-10, 6, "120e-12"), (123456.0, 6, "123456"), (1234567.0, 6, "1.23457e6"),
    (1e7, 6, "10e6"), (1e22, 6, "10e21"), (1.26e-8, 2, "13e-9"), (1e-5, 1, "10e-6"),
]  # fmt: skip
