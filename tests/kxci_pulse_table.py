"""The pulse card's and the user libraries' commands as tables, written down as in `kxci_table` and read by the same tests.

D, E p-q: KXCI manual 4200A-KXCI-907-01 Rev. D and Rev. E; Tek, lab client as in `kxci_table`.
"""

from __future__ import annotations

from kxci_sequences import SEGMENTS, SWEEP, TRAIN
from kxci_table import Row

from labctl.kxci import Command, Word
from labctl.kxci import messages as m
from labctl.kxci.messages import Play, place

SARB = "D 7-40 … 7-57"
PMU11 = Word("PMU1-1")


def columns(*names: str) -> tuple[Word, ...]:
    return tuple(map(Word, names))


PULSE_ROWS = [
    # control
    Row(m.InitializePulse(0), ":PMU:INIT 0", "D 7-9", "ANY"),
    Row(m.InitializePulse(1), ":PMU:INIT 1", "D 7-9", "ANY"),
    Row(m.ExecutePulse(), ":PMU:EXECUTE", "D 7-9", "ANY"),
    Row(m.PollPulse(), ":PMU:TEST:STATUS?", "D 7-32", "ANY"),
    Row(m.AbortPulse(), ":PMU:ABORT", "D 7-4", "ANY"),
    Row(m.PulseOutput(1, 1), ":PMU:OUTPUT:STATE 1, 1", "D 7-16", "ANY"),
    Row(m.PulseOutput(8, 0), ":PMU:OUTPUT:STATE 8, 0", "D 7-16", "ANY"),
    Row(m.RetainSetup(2, 1), ":PMU:RETAIN:CONFIG 2, 1", "D 7-21", "ANY"),
    Row(m.ConfigureRpm(PMU11, 0), ":PMU:RPM:CONFIGURE PMU1-1, 0", "D 7-22", "ANY"),
    Row(m.ConfigureRpm(Word("SMU2"), 2), ":PMU:RPM:CONFIGURE SMU2, 2", "D 7-22", "ANY"),
    Row(m.ConfigureRpm(Word("CVL1"), 3), ":PMU:RPM:CONFIGURE CVL1, 3", "D 7-22", "ANY"),
    # data
    Row(m.CountPoints(1), ":PMU:DATA:COUNT? 1", "D 7-6", "ANY"),
    Row(m.GetPoints(1), ":PMU:DATA:GET 1", "D 7-7", "ANY"),
    Row(m.GetPoints(1, 2048), ":PMU:DATA:GET 1, 2048", "D 7-7", "ANY"),
    Row(m.GetPoints(2, 0, 2048), ":PMU:DATA:GET 2, 0, 2048", "D 7-7", "ANY"),
    Row(m.GetPoints(1, 0, 100, columns("V", "I", "T", "S")), ":PMU:DATA:GET 1, 0, 100, V, I, T, S", "D 7-7", "ANY"),
    Row(m.GetPoints(1, 0, 100, columns("IH")), ":PMU:DATA:GET 1, 0, 100, IH", "D 7-7", "ANY"),
    # measurement
    Row(m.PulseMeasureMode(4), ":PMU:MEASURE:MODE 4", "D 7-13", "ANY"),
    Row(m.AcquireLevels(1, 1, 0), ":PMU:MEASURE:PIV 1, 1, 0", "D 7-14", "ANY"),
    Row(m.PulseMeasureRange(1, 0), ":PMU:MEASURE:RANGE 1, 0", "D 7-15", "ANY"),
    Row(m.PulseMeasureRange(1, 1, 1e-6), ":PMU:MEASURE:RANGE 1, 1, 1e-6", "D 7-15", "ANY"),
    Row(m.PulseMeasureRange(2, 2, 0.01), ":PMU:MEASURE:RANGE 2, 2, 0.01", "D 7-15", "ANY"),
    Row(m.SpotMeanWindow(1, 0.75, 0.9), ":PMU:TIMES:PIV 1, 0.75, 0.9", "D 7-32", "ANY"),
    Row(m.WaveformMargins(1, 0.2, 0.2), ":PMU:TIMES:WAVEFORM 1, 0.2, 0.2", "D 7-34", "ANY"),
    Row(m.SampleRate(200_000_000), ":PMU:SAMPLE:RATE 200000000", "D 7-23", "ANY"),
    Row(m.UseCompensation(1, 1, 0), ":PMU:CONNECTION:COMP 1, 1, 0", "D 7-5", "ANY"),
    Row(m.MeasureCompensation(1, 3), ":PMU:MEASURE:CONNECTION:COMP 1, 3", "D 7-12", "ANY"),
    # source and load
    Row(m.PulseSourceRange(1, 40.0), ":PMU:SOURCE:RANGE 1, 40", "D 7-24", "ANY"),
    Row(m.PulseLoad(1, 1e6), ":PMU:LOAD 1, 1000000", "D 7-11", "ANY"),
    Row(m.LoadLineCorrection(1, 1), ":PMU:LLEC:CONFIGURE 1, 1", "D 7-10", "ANY"),
    # standard pulses
    Row(m.BurstCount(10_000), ":PMU:PULSE:BURST:COUNT 10000", "D 7-17", "ANY"),
    Row(m.PulseTimes(1, 1e-6, 5e-7, 1e-7, 1e-7), ":PMU:PULSE:TIMES 1, 1e-6, 5e-7, 1e-7, 1e-7", "D 7-18", "ANY"),
    Row(m.PulseTimes(1, 1e-6, 5e-7, 1e-7, 1e-7, 2e-8), ":PMU:PULSE:TIMES 1, 1e-6, 5e-7, 1e-7, 1e-7, 2e-8", "D 7-18", "ANY"),
    Row(m.PulseTrain(1, -5.0, 5.0), ":PMU:PULSE:TRAIN 1, -5, 5", "D 7-21", "ANY"),
    Row(m.SweepAmplitude(1, 0.0, 5.0, 0.1, 0.0, 0), ":PMU:SWEEP:PULSE:AMPLITUDE 1, 0, 5, 0.1, 0, 0", "D 7-29", "ANY"),
    Row(m.SweepBase(1, 0.0, -1.0, -0.1, 2.0, 1), ":PMU:SWEEP:PULSE:BASE 1, 0, -1, -0.1, 2, 1", "D 7-31", "ANY"),
    Row(m.SweepDC(2, 0.0, 1.0, 0.5, 1), ":PMU:SWEEP:DC 2, 0, 1, 0.5, 1", "D 7-28", "ANY"),
    Row(m.StepAmplitude(1, 2.0, 4.0, 0.5, 0.0), ":PMU:STEP:PULSE:AMPLITUDE 1, 2, 4, 0.5, 0", "D 7-26", "ANY"),
    Row(m.StepBase(1, 0.0, 1.0, 0.5, 2.0), ":PMU:STEP:PULSE:BASE 1, 0, 1, 0.5, 2", "D 7-27", "ANY"),
    Row(m.StepDC(1, 0.0, 1.0, 0.5), ":PMU:STEP:DC 1, 0, 1, 0.5", "D 7-25", "ANY"),
    # Segment Arb
    Row(m.SegmentTimes(1, 1, (1e-6, 1.0)), ":PMU:SARB:SEQ:TIME 1, 1, 1e-6, 1", SARB, "ANY"),
    Row(m.AddSegmentTimes(1, 512, (2e-8,)), ":PMU:SARB:SEQ:TIME:ADD 1, 512, 2e-8", SARB, "ANY"),
    Row(m.SegmentStarts(1, 1, (0.0, 2.5)), ":PMU:SARB:SEQ:STARTV 1, 1, 0, 2.5", SARB, "ANY"),
    Row(m.AddSegmentStarts(1, 1, (-40.0,)), ":PMU:SARB:SEQ:STARTV:ADD 1, 1, -40", SARB, "ANY"),
    Row(m.SegmentStops(1, 1, (2.5, 2.5)), ":PMU:SARB:SEQ:STOPV 1, 1, 2.5, 2.5", SARB, "ANY"),
    Row(m.AddSegmentStops(1, 1, (0.1,)), ":PMU:SARB:SEQ:STOPV:ADD 1, 1, 0.1", SARB, "ANY"),
    Row(m.SegmentModes(1, 1, (2, 0, 4)), ":PMU:SARB:SEQ:MEAS:TYPE 1, 1, 2, 0, 4", SARB, "ANY"),
    Row(m.AddSegmentModes(1, 1, (1,)), ":PMU:SARB:SEQ:MEAS:TYPE:ADD 1, 1, 1", SARB, "ANY"),
    Row(m.WindowStarts(1, 1, (0.0, 2.5e-8)), ":PMU:SARB:SEQ:MEAS:START 1, 1, 0, 2.5e-8", SARB, "ANY"),
    Row(m.AddWindowStarts(1, 1, (0.0,)), ":PMU:SARB:SEQ:MEAS:START:ADD 1, 1, 0", SARB, "ANY"),
    Row(m.WindowStops(1, 1, (0.0, 7.5e-8)), ":PMU:SARB:SEQ:MEAS:STOP 1, 1, 0, 7.5e-8", SARB, "ANY"),
    Row(m.AddWindowStops(1, 1, (1.0,)), ":PMU:SARB:SEQ:MEAS:STOP:ADD 1, 1, 1", SARB, "ANY"),
    Row(m.SegmentRelays(1, 1, (1, 0)), ":PMU:SARB:SEQ:SSR 1, 1, 1, 0", SARB, "ANY"),
    Row(m.AddSegmentRelays(1, 1, (1,)), ":PMU:SARB:SEQ:SSR:ADD 1, 1, 1", SARB, "ANY"),
    Row(m.SegmentTriggers(1, 1, (0, 1)), ":PMU:SARB:SEQ:TRIG 1, 1, 0, 1", SARB, "ANY"),
    Row(m.AddSegmentTriggers(1, 1, (0,)), ":PMU:SARB:SEQ:TRIG:ADD 1, 1, 0", SARB, "ANY"),
    Row(m.PlaySequences(1, (Play(1, 10),)), ":PMU:SARB:WFM:SEQ:LIST 1, 1, 10", SARB, "ANY"),
    Row(m.PlaySequences(2, (Play(1), Play(512, 10**12))), ":PMU:SARB:WFM:SEQ:LIST 2, 1, 1, 512, 1000000000000", SARB, "ANY"),
    Row(m.AddPlaySequences(1, (Play(2, 3), Play(1))), ":PMU:SARB:WFM:SEQ:LIST:ADD 1, 2, 3, 1, 1", SARB, "ANY"),
    # user libraries
    Row(m.Execute(Word("nvm"), Word("init")), "EX nvm init()", "D 4-7", "UL"),
    Row(
        m.Execute(Word("lib_1"), Word("mod"), (place(1e-6), place([0, 0.5, 1]), place(), place("PMU1"), place())),
        "EX lib_1 mod(1e-6,0;0.5;1,,PMU1,)",
        "D 4-7",
        "UL",
    ),
    Row(m.GetParameterByName(Word("V_Ampl")), "GN V_Ampl", "D 4-9", "UL"),
    Row(m.GetParameterByName(Word("V_Ampl"), 15_999), "GN V_Ampl 15999", "D 4-9", "UL"),
    Row(m.GetParameter(20), "GP 20", "D 4-10", "UL"),
    Row(m.GetParameter(20, 100), "GP 20 100", "D 4-10", "UL"),
    Row(m.DescribeModule(Word("nvm"), Word("dcSweep")), "GD nvm dcSweep", "D 4-9", "UL"),
    Row(m.AbortModule(), "AB", "D 4-7", "UL"),
    Row(m.ShowReturnValue(), "GR", "E 4-12", "UL"),
]  # fmt: skip

#: Commands that answer with data (D 7-6, 7-7, 7-32, 4-7 … 4-10); the answers to EX and GD are not in the manual.
PULSE_QUERIES = {":PMU:TEST:STATUS?", ":PMU:DATA:COUNT?", ":PMU:DATA:GET", "EX", "GN", "GP"}

# Further spellings: text, what it means, who writes so.
PULSE_LENIENT: list[tuple[str, tuple[Command, ...], str]] = [
    *[(text, (item,), "D 7-37, Tek") for text, item in TRAIN],
    *[(text, (item,), "D 7-30, 7-35, Tek") for text, item in SWEEP],
    *[(text, (item,), "D 7-57, Tek") for text, item in SEGMENTS],
    (":PMU:DATA:GET 1, 0, 2048, VH, IH", (m.GetPoints(1, 0, 2048, columns("VH", "IH")),), "D 7-38"),
    (":PMU:DATA:GET 1,0,2048,V,I", (m.GetPoints(1, 0, 2048, columns("V", "I")),), "blanks are optional"),
    (":PMU:EXECUTE:STATE 1, 1", (m.RetainSetup(1, 1),), "D 7-21, the misprinted usage line"),
    (":PMU:PIV:TIMES 1, 0.75, 0.9", (m.SpotMeanWindow(1, 0.75, 0.9),), "D 7-32, the misprinted usage line"),
    (":PMU:MEASURE:RANGE 1, 0, 1e-3", (m.PulseMeasureRange(1, 0, 1e-3),), "a range that auto ranging ignores"),
    (":PMU:SAMPLE:RATE 200e6", (m.SampleRate(200_000_000),), "D 7-23"),
    (":PMU:SARB:WFM:SEQ:LIST 1, 1, 1e12", (m.PlaySequences(1, (Play(1, 10**12),)),), "D 7-40 … 7-57"),
    # clients send what Python prints: the 12 characters of D 5-6 are not asked of the pulse card
    (":PMU:PULSE:TRAIN 1, 0, 0.30000000000000004", (m.PulseTrain(1, 0.0, 0.1 + 0.2),), "lab client"),
    ("US;:PMU:ABORT;BC", (m.UserMode(), m.AbortPulse(), m.ClearBuffer()), "several in one message"),
    ("SS RP PMU1-1, 0 :PMU:INIT 1", (m.SourcePage(), m.RoutePreamp(PMU11, 0), m.InitializePulse(1)), "as above"),
    # user libraries
    (
        "EX cvivulib cviv_configure (CVIV1, 1, 3, 0, 0, 0, , , , , CV, )",
        (m.Execute(Word("cvivulib"), Word("cviv_configure"), tuple(
            map(place, ("CVIV1", "1", "3", "0", "0", "0", None, None, None, None, "CV", None)))),),
        "D 4-11, Tek",
    ),
    ("EX nvm dcSweep(1,2, 0;0.5;1 ,3,)",
     (m.Execute(Word("nvm"), Word("dcSweep"), tuple(map(place, ("1", "2", "0;0.5;1", "3", None)))),), "lab client"),
    ("UL;EX a b( );AB", (m.LibraryMode(), m.Execute(Word("a"), Word("b")), m.AbortModule()), "blanks in the brackets"),
    ("EX a b(C:\\data\\one file.txt,1)DE",
     (m.Execute(Word("a"), Word("b"), (place("C:\\data\\one file.txt"), place(1))), m.DefinitionPage()), "D 4-7"),
    ("GP 20 10 GN V 5;GP 1", (m.GetParameter(20, 10), m.GetParameterByName(Word("V"), 5), m.GetParameter(1)), "lab client"),
    ("GN V DE", (m.GetParameterByName(Word("V")), m.DefinitionPage()), "a word ends it"),
]  # fmt: skip

# Wrong texts, as in `kxci_table.WRONG`; -969 is the pulse card's argument error (D 2-12).
PULSE_WRONG: list[tuple[str, tuple[int | Command, ...]]] = [
    # -992: no such command; upper case only
    (":PMU:INITIALIZE 0", (-992,)), (":pmu:INIT 0", (-992,)), (":PMU:EXECUTE?", (-992,)), (":PMU:TEST:STATUS", (-992,)),
    (":PMU", (-992,)), (":PMU:SARB:WFM:SEQ:LIST:ADD:ADD 1, 1, 1", (-992,)), ("ex a b()", (-992,) * 4),
    # number of arguments
    (":PMU:INIT", (-969,)), (":PMU:INIT 0, 1", (-969,)), (":PMU:EXECUTE 1", (-969,)), (":PMU:DATA:COUNT?", (-969,)),
    (":PMU:DATA:GET", (-969,)), (":PMU:DATA:GET 1, 0, 1" + ", V" * 9, (-969,)), (":PMU:PULSE:TIMES 1, 1, 1, 0", (-969,)),
    (":PMU:MEASURE:RANGE 1", (-969,)), (":PMU:SARB:SEQ:TIME 1, 1", (-969,)), (":PMU:SARB:SEQ:TIME 1, 1" + ", 1" * 129, (-969,)),
    (":PMU:SARB:WFM:SEQ:LIST 1, 1", (-969,)), (":PMU:SARB:WFM:SEQ:LIST 1, 1, 1, 2", (-969,)),
    (":PMU:SARB:WFM:SEQ:LIST 1" + ", 1, 1" * 513, (-969,)),
    # kind of argument
    (":PMU:INIT 0.5", (-969,)), (":PMU:INIT '0'", (-969,)), (":PMU:RPM:CONFIGURE 1, 0", (-969,)),
    (":PMU:RPM:CONFIGURE PMU1, 0", (-969,)), (":PMU:RPM:CONFIGURE PMU1-3, 0", (-969,)), (":PMU:DATA:GET 1, 0, 1, X", (-969,)),
    (":PMU:DATA:GET 1, V", (-969,)), (":PMU:DATA:GET 1, 0, 1, 'V'", (-969,)), (":PMU:DATA:GET 1, , 1", (-969,)),
    (":PMU:SARB:SEQ:MEAS:TYPE 1, 1, 0.5", (-969,)), (":PMU:SARB:SEQ:TIME 1, 1, 1e-6,", (-969,)),
    (":PMU:SARB:SEQ:TIME 1, 1, nan", (-969,)), (":PMU:PULSE:TRAIN 1, 0, 1e400", (-969,)),
    (":PMU:PULSE:TRAIN 1, 0, 1_0", (-969,)),
    (":PMU:CONNECTION:COMP 1, 2, 0", (-969,)),
    # combinations
    (":PMU:SWEEP:PULSE:AMPLITUDE 1, 0, 1, 0, 0, 0", (-969,)), (":PMU:SWEEP:PULSE:BASE 1, 0, 1, 0, 0, 0", (-969,)),
    (":PMU:SWEEP:DC 1, 0, 1, 0, 0", (-969,)), (":PMU:STEP:DC 1, 0, 1, 0", (-969,)),
    (":PMU:STEP:PULSE:AMPLITUDE 1, 0, 1, 0, 0", (-969,)), (":PMU:STEP:PULSE:BASE 1, 0, 1, 0, 0", (-969,)),
    (":PMU:MEASURE:RANGE 1, 1", (-969,)), (":PMU:MEASURE:RANGE 1, 2", (-969,)),
    # user libraries: a call without brackets takes the message with it
    ("EX", (-993,)), ("EX lib", (-993,)), ("EX lib mod", (-993,)), ("EX lib mod(1,2", (-993,)), ("EX lib mod;DE", (-993,)),
    ("EX 1 mod()", (-993,)), ("EX lib mod('a')", (-993,)), ("EX l mod(\xb5)", (-993,)), ("EX l mod(1)2", (m.Execute(
        Word("l"), Word("mod"), (place(1),)), -992)),
    ("EX l mod(" + "0;" * 15_999 + "0)", (-993,)), ("EX l mod(" + "," * 200 + ")", (-993,)),
    ("GN", (-993,)), ("GN 5", (-993,)), ("GP V", (-993, -992)), ("GD lib", (-993,)), ("AB 1", (-993,)), ("GR 1", (-993,)),
]  # fmt: skip

# Bounds, as in `kxci_table.BOUNDS`.
_SARB_BOUNDS = [
    ("TIME", "1e-8", "1", "9e-9", "1.1"), ("STARTV", "-40", "40", "-40.1", "40.1"), ("STOPV", "-40", "40", "-40.1", "40.1"),
    ("MEAS:TYPE", "0", "4", "-1", "5"), ("MEAS:START", "0", "1", "-1e-8", "1.1"), ("MEAS:STOP", "0", "1", "-1e-8", "1.1"),
    ("SSR", "0", "1", "-1", "2"), ("TRIG", "0", "1", "-1", "2"),
]  # fmt: skip
_FIRST_CHANNELS = [
    ":PMU:OUTPUT:STATE {},1", ":PMU:RETAIN:CONFIG {},1", ":PMU:DATA:COUNT? {}", ":PMU:DATA:GET {}", ":PMU:MEASURE:PIV {},1,1",
    ":PMU:MEASURE:RANGE {},0", ":PMU:TIMES:PIV {},0,1", ":PMU:TIMES:WAVEFORM {},0,0", ":PMU:CONNECTION:COMP {},1,1",
    ":PMU:MEASURE:CONNECTION:COMP {},1", ":PMU:SOURCE:RANGE {},10", ":PMU:LOAD {},50", ":PMU:LLEC:CONFIGURE {},1",
    ":PMU:PULSE:TIMES {},1,0.1,1e-3,1e-3", ":PMU:PULSE:TRAIN {},0,1", ":PMU:SWEEP:PULSE:AMPLITUDE {},0,1,1,0,0",
    ":PMU:SWEEP:PULSE:BASE {},0,1,1,0,0", ":PMU:SWEEP:DC {},0,1,1,0", ":PMU:STEP:PULSE:AMPLITUDE {},0,1,1,0",
    ":PMU:STEP:PULSE:BASE {},0,1,1,0", ":PMU:STEP:DC {},0,1,1", ":PMU:SARB:WFM:SEQ:LIST {},1,1",
    ":PMU:SARB:WFM:SEQ:LIST:ADD {},1,1",
]  # fmt: skip
_LEVELS_AT = [
    ":PMU:PULSE:TRAIN 1,{},0", ":PMU:PULSE:TRAIN 1,0,{}",
    *[f":PMU:{head} 1,{rest}" for head, tail in (
        ("SWEEP:PULSE:AMPLITUDE", ",0,0"), ("SWEEP:PULSE:BASE", ",0,0"), ("SWEEP:DC", ",0"), ("STEP:PULSE:AMPLITUDE", ",0"),
        ("STEP:PULSE:BASE", ",0"), ("STEP:DC", ""),
    ) for rest in ("{},0,1" + tail, "0,{},1" + tail, "0,1,{}" + tail)],
    ":PMU:SWEEP:PULSE:AMPLITUDE 1,0,1,1,{},0", ":PMU:SWEEP:PULSE:BASE 1,0,1,1,{},0", ":PMU:STEP:PULSE:AMPLITUDE 1,0,1,1,{}",
    ":PMU:STEP:PULSE:BASE 1,0,1,1,{}",
]  # fmt: skip
_SWITCHES = [
    ":PMU:INIT {}", ":PMU:OUTPUT:STATE 1,{}", ":PMU:RETAIN:CONFIG 1,{}", ":PMU:MEASURE:PIV 1,{},1", ":PMU:MEASURE:PIV 1,1,{}",
    ":PMU:CONNECTION:COMP 1,1,{}", ":PMU:LLEC:CONFIGURE 1,{}", ":PMU:SWEEP:PULSE:AMPLITUDE 1,0,1,1,0,{}",
    ":PMU:SWEEP:PULSE:BASE 1,0,1,1,0,{}", ":PMU:SWEEP:DC 1,0,1,1,{}",
]  # fmt: skip
PULSE_BOUNDS: list[tuple[str, str, str, str, str]] = [
    *[(text, "1", "8", "0", "9") for text in _FIRST_CHANNELS],  # D 7-5
    *[(text, "-40", "40", "-40.1", "40.1") for text in _LEVELS_AT],  # D 7-21; a step of 40 V: guess
    *[(text, "0", "1", "-1", "2") for text in _SWITCHES],
    *[(f":PMU:SARB:SEQ:{name}{add} 1,1,{{}}", *bounds) for name, *bounds in _SARB_BOUNDS for add in ("", ":ADD")],  # D 7-40 …
    *[(f":PMU:SARB:SEQ:{name}{add} {{}},1,1", "1", "8", "0", "9") for name, *_ in _SARB_BOUNDS for add in ("", ":ADD")],
    *[(f":PMU:SARB:SEQ:{name}{add} 1,{{}},1", "1", "512", "0", "513") for name, *_ in _SARB_BOUNDS for add in ("", ":ADD")],
    *[(f":PMU:SARB:WFM:SEQ:LIST{add} 1,{{}},1", "1", "512", "0", "513") for add in ("", ":ADD")],
    *[(f":PMU:SARB:WFM:SEQ:LIST{add} 1,1,{{}}", "1", "1e12", "0", "1000000000001") for add in ("", ":ADD")],
    (":PMU:RPM:CONFIGURE PMU1-1,{}", "0", "3", "-1", "4"), (":PMU:MEASURE:MODE {}", "0", "4", "-1", "5"),  # D 7-22, 7-13
    (":PMU:DATA:GET 1,{}", "0", "65535", "-1", "65536"), (":PMU:DATA:GET 1,0,{}", "1", "2048", "0", "2049"),  # D 7-7
    (":PMU:MEASURE:RANGE 1,{},1e-3", "0", "2", "-1", "3"),  # D 7-15
    (":PMU:MEASURE:RANGE 1,2,{}", "1e-7", "0.8", "9e-8", "0.9"),
    (":PMU:TIMES:PIV 1,{},1", "0", "1", "-0.1", "1.1"), (":PMU:TIMES:PIV 1,0,{}", "0", "1", "-0.1", "1.1"),  # D 7-32
    (":PMU:TIMES:WAVEFORM 1,{},1", "0", "1", "-0.1", "1.1"), (":PMU:TIMES:WAVEFORM 1,0,{}", "0", "1", "-0.1", "1.1"),  # D 7-34
    (":PMU:SAMPLE:RATE {}", "1000", "200000000", "999", "200000001"), (":PMU:SOURCE:RANGE 1,{}", "10", "40", "9.9", "41"),
    (":PMU:LOAD 1,{}", "1", "1e7", "0.9", "10000001"), (":PMU:CONNECTION:COMP 1,{},0", "1", "3", "0", "2"),  # D 7-11, 7-5
    (":PMU:MEASURE:CONNECTION:COMP 1,{}", "1", "3", "2", "4"), (":PMU:PULSE:BURST:COUNT {}", "1", "10000", "0", "10001"),
    (":PMU:PULSE:TIMES 1,{},0.1,1e-3,1e-3", "2e-8", "1", "1e-8", "1.1"),  # D 7-18
    (":PMU:PULSE:TIMES 1,1,{},1e-3,1e-3", "1e-8", "1", "9e-9", "2"),
    (":PMU:PULSE:TIMES 1,1,0.1,{},1e-3", "1e-8", "0.033", "9e-9", "0.034"),
    (":PMU:PULSE:TIMES 1,1,0.1,1e-3,{},0", "1e-8", "0.033", "0", "0.034"),
    (":PMU:PULSE:TIMES 1,1,0.1,1e-3,1e-3,{}", "0", "1", "-1e-8", "1.1"),
    ("GP {}", "1", "200", "0", "201"), ("GP 1 {}", "1", "15999", "0", "16000"),  # D 4-10
    ("GN V {}", "1", "15999", "0", "16000"),  # D 4-9
]  # fmt: skip
