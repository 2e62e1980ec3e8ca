"""The command language as tables, transcribed from the manual and from clients that are known to work.

Sources: D p-q is the KXCI manual 4200A-KXCI-907-01 Rev. D (May 2024), page p-q; Tek the vendor's example scripts
(tektronix/keithley); PyM the PyMeasure driver of the 4200; "lab client" a published program that runs a real instrument.
Nothing here is computed from the code under test: the texts were written down first.
"""

from __future__ import annotations

from typing import NamedTuple

from labctl.kxci import Command, Word
from labctl.kxci import messages as m


class Row(NamedTuple):
    """One command: its text as `encode` writes it, and where the manual says it belongs."""

    message: Command
    text: str
    page: str
    where: str


ROWS = [
    # common commands
    Row(m.Identify(), "*IDN?", "D 4-4", "ANY"),
    Row(m.Model(), "ID", "D 4-3", "ANY"),
    Row(m.Options(), "*OPT?", "D 4-4", "ANY"),
    Row(m.Reset(), "*RST", "D 4-5", "ANY"),
    Row(m.PollStatus(), "SP", "D 4-6", "ANY"),
    Row(m.ServiceRequest(0), "DR0", "D 4-2", "ANY"),
    Row(m.ServiceRequest(1), "DR1", "D 4-2", "ANY"),
    Row(m.ClearError(), ":ERROR:LAST:CLEAR", "D 4-2", "ANY"),
    Row(m.GetError(), ":ERROR:LAST:GET", "D 4-2", "ANY"),
    Row(m.Emulation(1, 0), "EM1,0", "D 5-39", "ANY"),
    # pages
    Row(m.DefinitionPage(), "DE", "D 5-4", "ANY"),
    Row(m.SourcePage(), "SS", "D 5-4", "ANY"),
    Row(m.MeasurePage(), "SM", "D 5-4", "ANY"),
    Row(m.ControlPage(), "MD", "D 5-4", "ANY"),
    Row(m.UserMode(), "US", "D 5-4", "ANY"),
    Row(m.LibraryMode(), "UL", "D 4-11", "ANY"),
    # channel definition
    Row(m.DefineChannel(1, "VS", "IS", 1, 3), "CH1,'VS','IS',1,3", "D 5-7", "DE"),
    Row(m.DefineChannel(2, "VE", "IE", 3, 3), "CH2,'VE','IE',3,3", "D 5-7", "DE"),
    Row(m.DefineChannel(9, "VOLTS6", "I", 2, 4), "CH9,'VOLTS6','I',2,4", "D 5-7", "DE"),
    Row(m.DefineChannel(4), "CH4", "D 5-7", "DE"),
    Row(m.DefineVoltmeter(1, "VM1"), "VM1,'VM1'", "D 5-8", "DE"),
    Row(m.DefineVoltmeter(2), "VM2", "D 5-8", "DE"),
    Row(m.DefineVoltageSource(1, "VS1", 2), "VS1,'VS1',2", "D 5-9", "DE"),
    Row(m.DefineVoltageSource(2), "VS2", "D 5-9", "DE"),
    # source setup
    Row(m.VoltageSweep(1, 1.0, 5.0, 0.1, 0.01), "VR1,1,5,0.1,0.01", "D 5-19", "SS"),
    Row(m.VoltageSweep(4, 0.01, 1.0), "VR4,0.01,1", "D 5-19", "SS"),
    Row(m.CurrentSweep(1, 0.0, 1e-6, 1e-8, 20.0), "IR1,0,1e-6,1e-8,20", "D 5-19", "SS"),
    Row(m.CurrentSweep(2, 1e-9, 1e-3), "IR2,1e-9,0.001", "D 5-19", "SS"),
    Row(m.VoltageSteps(0.5, 0.5, 4, 0.1), "VP0.5,0.5,4,0.1", "D 5-17", "SS"),
    Row(m.VoltageSteps(-1.0, 0.5, 32, 0.1, 4), "VP -1,0.5,32,0.1,4", "D 5-17", "SS"),
    Row(m.CurrentSteps(2e-5, 2e-5, 5, 2.0), "IP2e-5,2e-5,5,2", "D 5-17", "SS"),
    Row(m.CurrentSteps(2e-5, 2e-5, 5, 2.0, 1), "IP2e-5,2e-5,5,2,1", "D 5-17", "SS"),
    Row(m.ConstantVoltage(1, 0.0, 0.1), "VC1,0,0.1", "D 5-15", "SS"),
    Row(m.ConstantCurrent(3, -1e-7, 10.0), "IC3,-1e-7,10", "D 5-15", "SS"),
    Row(m.VoltageList(1, 1, 0.01, (1.0, 5.0, 2.0)), "VL1,1,0.01,1,5,2", "D 5-16", "SS"),
    Row(m.VoltageList(2, 0, 1e-7, (-0.5,)), "VL2,0,1e-7,-0.5", "D 5-16", "SS"),
    Row(m.CurrentList(1, 1, 5.0, (1e-9, 1e-8)), "IL1,1,5,1e-9,1e-8", "D 5-16", "SS"),
    Row(m.ConstantVoltageSource(1, 20.0), "SC1,20", "D 5-14", "SS"),
    Row(m.ConstantVoltageSource(2), "SC2", "D 5-14", "SS"),
    Row(m.DelayTime(0.2), "DT0.2", "D 5-10", "SS"),
    Row(m.HoldTime(0.0), "HT0", "D 5-12", "SS"),
    Row(m.Offset(-0.7), "FS -0.7", "D 5-11", "SS"),
    Row(m.Offset(2.0, 3), "FS2,3", "D 5-11", "SS"),
    Row(m.Ratio(-2.5), "RT -2.5", "D 5-12", "SS"),
    Row(m.Ratio(3.0, 2), "RT3,2", "D 5-12", "SS"),
    Row(m.Standby(1, 1), "ST1,1", "D 5-14", "SS"),
    Row(m.RoutePreamp(Word("PMU1-1"), 2), "RP PMU1-1,2", "D 7-67", "SS"),
    Row(m.RoutePreamp(Word("SMU2"), 0), "RP SMU2,0", "D 7-67", "SS"),
    Row(m.RoutePreamp(Word("CVH1"), 3), "RP CVH1,3", "D 7-67", "SS"),
    # measurement setup
    Row(m.DisplayMode(1), "DM1", "D 5-22", "SM"),
    Row(m.DisplayMode(2), "DM2", "D 5-22", "SM"),
    Row(m.ListNames(("I1", "I2", "V1", "CH1T")), "LI 'I1','I2','V1','CH1T'", "D 5-23", "SM"),
    Row(m.XAxis("V1", 1, -1.0, 1.0), "XN 'V1',1,-1,1", "D 5-25", "SM"),
    Row(m.TimeAxis(0.0, 20.0), "XT0,20", "D 5-25", "SM"),
    Row(m.Y1Axis("I1", 3, 1e-12, 1e-3), "YA 'I1',3,1e-12,0.001", "D 5-26", "SM"),
    Row(m.Y2Axis("I2", 2, 1e-9, 1.0), "YB 'I2',2,1e-9,1", "D 5-26", "SM"),
    Row(m.ReadingCount(4096), "NR4096", "D 5-24", "SM"),
    Row(m.Interval(0.01), "IN0.01", "D 5-22", "SM"),
    Row(m.WaitTime(100.0), "WT100", "D 5-24", "SM"),
    # measurement control
    Row(m.Measure(1), "ME1", "D 5-27", "MD"),
    Row(m.Measure(4), "ME4", "D 5-27", "MD"),
    Row(m.Measure(), "ME", "D 5-27", "MD"),
    Row(m.LoadFile("P prog1"), "GT 'P prog1'", "D 5-28", "SYSTEM"),
    Row(m.SaveFile("D data1 my note"), "SV 'D data1 my note'", "D 5-29", "SYSTEM"),
    Row(m.SaveFile("P prog1"), "SV 'P prog1'", "D 5-29", "SYSTEM"),
    Row(m.MapChannel(2, Word("VS1")), "MP2,VS1", "D 5-30", "SYSTEM"),
    Row(m.MapChannel(2, Word("SMU1")), "MP2,SMU1", "D 5-30", "SYSTEM"),
    Row(m.MapChannel(5), "MP5", "D 5-30", "SYSTEM"),
    Row(m.SourceRange(1, 0.0), "SR1,0", "D 5-30", "SYSTEM"),
    Row(m.SourceRange(1, 2.0), "SR1,2", "D 5-30", "SYSTEM"),
    Row(m.SourceRange(1, 1e-4), "SR1,0.0001", "D 5-30", "SYSTEM"),
    # modeless
    Row(m.ClearBuffer(), "BC", "D 5-37", "ANY"),
    Row(m.GetData("I1"), "DO 'I1'", "D 5-37", "ANY"),
    Row(m.GetReading("CH1T", 4096), "RD 'CH1T',4096", "D 5-40", "ANY"),
    Row(m.Integration(1), "IT1", "D 5-39", "ANY"),
    Row(m.Integration(4, 0.0, 0.0, 0.01), "IT4,0,0,0.01", "D 5-39", "ANY"),
    Row(m.Resolution(7), "RS7", "D 5-42", "ANY"),
    Row(m.RangeFloor(1, 1e-9), "RG1,1e-9", "D 5-41", "ANY"),
    Row(m.RangeFloor(1, -1e-12), "RG1,-1e-12", "D 5-41", "ANY"),
    Row(m.FixedCurrentRange(1, 1e-5, 1e-6), "RI1,1e-5,1e-6", "D 5-42", "ANY"),
    Row(m.FixedVoltageRange(1, 10.0, 20.0), "RV1,10,20", "D 5-43", "ANY"),
    Row(m.ExitOnCompliance(1), "EC1", "D 5-38", "ANY"),
    Row(m.Autocalibrate(2), "AC2", "D 5-36", "ANY"),
    # user mode
    Row(m.ForceVoltage(1, 0, 3.3, 0.01), "DV1,0,3.3,0.01", "D 5-33", "US"),
    Row(m.ForceVoltage(1), "DV1", "D 5-33", "US"),
    Row(m.ForceCurrent(2, 13, 1e-10, 2.0), "DI2,13,1e-10,2", "D 5-31", "US"),
    Row(m.ForceCurrent(2), "DI2", "D 5-31", "US"),
    Row(m.ForceVoltageSource(1, -200.0), "DS1,-200", "D 5-32", "US"),
    Row(m.ForceVoltageSource(1), "DS1", "D 5-32", "US"),
    Row(m.TakeCurrent(8), "TI8", "D 5-34", "US"),
    Row(m.TakeVoltage(16), "TV16", "D 5-35", "US"),
]

#: Commands that answer with data; all others with ACK (D 2-9, 4-2 … 4-6, 5-34 … 5-40).
QUERIES = {"*IDN?", "ID", "*OPT?", "SP", ":ERROR:LAST:GET", "DO", "RD", "TI", "TV"}

# Spellings clients send that `encode` does not write: text, what it means, who writes so.
LENIENT: list[tuple[str, tuple[Command, ...], str]] = [
    ("CH1, 'VS', 'IS', 1, 3", (m.DefineChannel(1, "VS", "IS", 1, 3),), "D 2-10"),
    ("DE;CH1;CH2", (m.DefinitionPage(), m.DefineChannel(1), m.DefineChannel(2)), "D 2-9"),
    ("CH1; CH2; CH3; CH4", tuple(m.DefineChannel(n) for n in (1, 2, 3, 4)), "D 5-8"),
    (
        "DE CH1 CH2 VM1 VM2 VS1 VS2",
        (m.DefinitionPage(), m.DefineChannel(1), m.DefineChannel(2), m.DefineVoltmeter(1), m.DefineVoltmeter(2),
         m.DefineVoltageSource(1), m.DefineVoltageSource(2)),
        "D 5-5",
    ),
    ("IT1 BC DR1", (m.Integration(1), m.ClearBuffer(), m.ServiceRequest(1)), "D 5-44"),
    ("DE CH1,'VE','IE',3,3", (m.DefinitionPage(), m.DefineChannel(1, "VE", "IE", 3, 3)), "D 5-44"),
    ("SS VR1,0,1,0.1,0.05", (m.SourcePage(), m.VoltageSweep(1, 0.0, 1.0, 0.1, 0.05)), "D 5-44"),
    ("MD ME1", (m.ControlPage(), m.Measure(1)), "D 5-44"),
    ("DV1;DV2", (m.ForceVoltage(1), m.ForceVoltage(2)), "D 5-45"),
    ("RD'V1',3", (m.GetReading("V1", 3),), "D 5-47"),
    ("RT +3,2", (m.Ratio(3.0, 2),), "D 5-12"),
    ("SM DM2", (m.MeasurePage(), m.DisplayMode(2)), "Tek"),
    ("LI 'I1', 'I2','V1','V2'", (m.ListNames(("I1", "I2", "V1", "V2")),), "Tek"),
    ("VR1, 1, 5, 0.1, 0.01", (m.VoltageSweep(1, 1.0, 5.0, 0.1, 0.01),), "Tek"),
    ("VR4, 10e-3, 1", (m.VoltageSweep(4, 0.01, 1.0),), "Tek"),
    ("VC1, 0, 100e-3", (m.ConstantVoltage(1, 0.0, 0.1),), "Tek"),
    ("HT 0", (m.HoldTime(0.0),), "Tek"),
    ("DT 1", (m.DelayTime(1.0),), "Tek"),
    ("ST 1, 1", (m.Standby(1, 1),), "Tek"),
    ("RD 'I2', 1", (m.GetReading("I2", 1),), "Tek"),
    ("RG1, 1e-9", (m.RangeFloor(1, 1e-9),), "Tek"),
    ("SR1,0", (m.SourceRange(1, 0.0),), "Tek"),
    ("RI 1, 1E-3, 1E-3", (m.FixedCurrentRange(1, 1e-3, 1e-3),), "D 5-42: 1 mA range, 1 mA compliance"),
    ("RV 1, 2, 1", (m.FixedVoltageRange(1, 2.0, 1.0),), "D 5-43: 2 V range, 1 V compliance"),
    ("US;DV1,0,3.3,0.01", (m.UserMode(), m.ForceVoltage(1, 0, 3.3, 0.01)), "PyM"),
    ("US;TV1", (m.UserMode(), m.TakeVoltage(1)), "PyM"),
    ("US;DI1,0,1e-06,2.0", (m.UserMode(), m.ForceCurrent(1, 0, 1e-6, 2.0)), "PyM"),
    ("US;DV1", (m.UserMode(), m.ForceVoltage(1)), "PyM"),
    ("US TI2", (m.UserMode(), m.TakeCurrent(2)), "lab client"),
    ("BC;DR1", (m.ClearBuffer(), m.ServiceRequest(1)), "lab client"),
    ("SS RP SMU1, 2", (m.SourcePage(), m.RoutePreamp(Word("SMU1"), 2)), "lab client"),
    ("RP PMU1-1, 2", (m.RoutePreamp(Word("PMU1-1"), 2),), "D 7-67"),
    ("MP 2, SMU1", (m.MapChannel(2, Word("SMU1")),), "Tek"),
    ("EM 1,0", (m.Emulation(1, 0),), "lab client"),
    ("DV2,1,-0.5,1E-3", (m.ForceVoltage(2, 1, -0.5, 1e-3),), "lab client"),
    ("CH 1", (m.DefineChannel(1),), "lab client"),
    ("ME 1", (m.Measure(1),), "lab client"),
    ("VR 1, 0, 1, 0.1, 0.1", (m.VoltageSweep(1, 0.0, 1.0, 0.1, 0.1),), "lab client"),
    ("IT 2", (m.Integration(2),), "lab client"),
    ("DV1,0,.1,0.", (m.ForceVoltage(1, 0, 0.1, 0.0),), "lab client"),
    ("ME", (m.Measure(),), "D 2-10"),
    # numbers: fixed or exponent, up to 12 characters and two exponent digits (D 5-6)
    ("VC1,+.5E-3,1E-03", (m.ConstantVoltage(1, 5e-4, 1e-3),), "D 5-6"),
    ("VC1,-1234567e-19,1e-3", (m.ConstantVoltage(1, -1.234567e-13, 1e-3),), "D 5-6"),
    ("NR 1E+3", (m.ReadingCount(1000),), "D 5-6"),
    ("NR 1.e3", (m.ReadingCount(1000),), "D 5-6"),
    # blanks, line ends and empty commands change nothing
    ("  CH1 , 'V1' ,'I1',  1 ,3  ", (m.DefineChannel(1, "V1", "I1", 1, 3),), "D 2-10"),
    ("FS -1 ;RT\t-2,  3", (m.Offset(-1.0), m.Ratio(-2.0, 3)), "D 2-10"),
    (";;DE; ;CH1;", (m.DefinitionPage(), m.DefineChannel(1)), "D 2-10"),
    ("*RST\r\n", (m.Reset(),), "GPIB terminator"),
    ("", (), "an empty message"),
    (" ;\n", (), "an empty message"),
    # in quotes, separators are text
    ("DO 'a;b, c'", (m.GetData("a;b, c"),), "quotes"),
    ("SV 'P name note  1'DE", (m.SaveFile("P name note  1"), m.DefinitionPage()), "D 5-29"),
]  # fmt: skip

# Wrong texts: what each command in the message comes to; a number is the code of an Invalid (D 2-11).
WRONG: list[tuple[str, tuple[int | Command, ...]]] = [
    # -992: no such command; mnemonics are upper case
    ("ul", (-992,)), ("dv1,0,1,0.1", (-992,)), ("De", (-992,)), ("XYZ", (-992,)), ("XY1,2,3", (-992,)), ("*CLS", (-992,)),
    ("*OPC?", (-992,)), ("*IDN", (-992,)), ("*RST?", (-992,)), (":NO:SUCH:THING 1", (-992,)), ("1,2", (-992,)),
    ("'V1'", (-992,)), (",", (-992,)), ("?", (-992,)), ("\xb5", (-992,)), ("DEF", (-992,)), ("CHn", (-992,)),
    # -993: number of arguments
    ("CH", (-993,)), ("CH1,", (-993,)), ("CH1,'V1'", (-993,)), ("CH1,'V1','I1',1", (-993,)), ("CH1,'V1','I1',1,3,5", (-993,)),
    ("DE1", (-993,)), ("DO", (-993,)), ("DO 'V1',1", (-993,)), ("RD 'V1'", (-993,)), ("VS1,'V1'", (-993,)), ("LI", (-993,)),
    ("LI 'a','b','c','d','e','f','g'", (-993,)), ("VL1,1,0.01", (-993,)), ("DV1,0", (-993,)), ("DV1,0,1", (-993,)),
    ("RP SMU1", (-993,)), ("RP", (-993,)), ("SP1", (-993,)), ("*RST 1", (-993,)), ("EM1", (-993,)),
    # -993: kind of argument
    ("CH1.5", (-993,)), ("CH'1'", (-993,)), ("CH1,V1,I1,1,3", (-993,)), ("CH1,'V1',2,1,3", (-993,)), ("DO 1", (-993,)),
    ("CH1,'V1','I1','1',3", (-993,)), ("RD 'V1',x", (-993,)), ("RD 'V1',1.5", (-993,)), ("RP 'SMU1',2", (-993,)),
    ("MP2,'VS1'", (-993,)), ("CH1,'V\xb5','I1',1,3", (-993,)), ("DO '\x07'", (-993,)),
    ("DO V1", (-993, -992)), ("RD V1,3", (-993, -992)), ("DO 'V1", (-993, -992)), ("DT nan", (-993, -992)),
    # -993: names (D 5-7, 5-28, 5-29) and words (D 5-30, 7-22)
    ("CH1,'TOOLONG','I1',1,3", (-993,)), ("CH1,'V1','TOOLONG',1,3", (-993,)), ("CH1,'','I1',1,3", (-993,)),
    ("VM1,'TOOLONG'", (-993,)), ("VS1,'TOOLONG',1", (-993,)), ("GT 'X name'", (-993,)), ("GT 'Pname'", (-993,)),
    ("GT 'P toolong'", (-993,)), ("GT 'P a b'", (-993,)), ("SV 'P name toolongnote'", (-993,)), ("RP SMU0,2", (-993,)),
    ("RP DE,2", (-993,)), ("RP PMU1,2", (-993,)), ("MP2,SMU", (-993,)), ("MP2,PMU1", (-993,)), ("RP SMU\xb9,2", (-993,)),
    # -993: combinations (D 5-7, 5-19 … 5-21, 5-30, 5-39)
    ("CH1,'VE','IE',3,1", (-993,)), ("VR1,0,1", (-993,)), ("VR1,0,1,0.1", (-993,)), ("VR2,0.1,1,0.1,1", (-993,)),
    ("IR1,0,1e-3", (-993,)), ("IR4,1e-6,1e-3,1e-6,1", (-993,)), ("IT4", (-993,)), ("IT1,0,0,1", (-993,)), ("IT4,1,1", (-993,)),
    ("SR1,1.5", (-993,)),
    # -993: numbers (D 5-6)
    ("VC1,nan,0.1", (-993,)), ("VC1,inf,0.1", (-993,)), ("VC1,-inf,0.1", (-993,)), ("VC1,1_0,0.1", (-993,)),
    ("VC1,--1,0.1", (-993,)), ("VC1,1.2.3,0.1", (-993,)), ("VC1,,0.1", (-993,)), ("VC1,0,", (-993,)), ("VC1,0x1,0.1", (-993,)),
    ("VC1,1e,0.1", (-993,)), ("VC1,.,0.1", (-993,)), ("VC1,e3,0.1", (-993,)), ("VC1,1d3,0.1", (-993,)), ("DT 1e400", (-993,)),
    ("VC1,0.12345678901,0.1", (-993,)), ("VC1,1e-100,0.1", (-993,)), ("VC1,1e-007,0.1", (-993,)),
    ("VC1,\uff11,0.1", (-993,)), ("VC1,\u0663,0.1", (-993,)),
    # a wrong command leaves its neighbours alone
    ("DE;XX;CH1", (m.DefinitionPage(), -992, m.DefineChannel(1))),
    ("DE CH0 CH1", (m.DefinitionPage(), -993, m.DefineChannel(1))),
    ("BC 5 DE", (-993, m.DefinitionPage())),
    ("CH1 5 DE", (m.DefineChannel(1), -992, m.DefinitionPage())),
]  # fmt: skip

# Bounds: text with a gap, lowest and greatest value that fit, a value below and one above that do not.
BOUNDS: list[tuple[str, str, str, str, str]] = [
    ("DR{}", "0", "1", "-1", "2"), ("EM{},0", "0", "1", "-1", "2"), ("EM1,{}", "0", "1", "-1", "2"),  # D 4-2, 5-39
    ("CH{}", "1", "9", "0", "10"), ("CH1,'V','I',{},3", "1", "3", "0", "4"), ("CH1,'V','I',1,{}", "1", "4", "0", "5"),
    ("VM{}", "1", "9", "0", "10"), ("VS{}", "1", "9", "0", "10"), ("VS1,'V',{}", "1", "4", "0", "5"),  # D 5-8, 5-9
    ("VR{},0.1,1", "2", "4", "0", "5"), ("VR1,{},0,0.1,0.1", "-210", "210", "-210.01", "210.01"),  # D 5-19
    ("VR1,0,{},0.1,0.1", "-210", "210", "-210.01", "210.01"), ("VR1,0,1,{},0.1", "-210", "210", "-210.01", "210.01"),
    ("VR1,0,1,0.1,{}", "-1.05", "1.05", "-1.051", "1.051"), ("IR{},1e-9,1", "2", "4", "0", "5"),
    ("IR1,{},0,0.1,1", "-1.05", "1.05", "-1.051", "1.051"), ("IR1,0,{},0.1,1", "-1.05", "1.05", "-1.051", "1.051"),
    ("IR1,0,1,{},1", "-1.05", "1.05", "-1.051", "1.051"), ("IR1,0,1,0.1,{}", "-210", "210", "-210.01", "210.01"),
    ("VP{},1,2,0.1", "-210", "210", "-210.01", "210.01"), ("VP0,{},2,0.1", "-210", "210", "-210.01", "210.01"),  # D 5-17
    ("VP0,1,{},0.1", "1", "32", "0", "33"), ("VP0,1,2,{}", "-1.05", "1.05", "-1.051", "1.051"),
    ("VP0,1,2,0.1,{}", "1", "4", "0", "5"), ("IP{},0,2,1", "-1.05", "1.05", "-1.051", "1.051"),
    ("IP0,0.1,{},1", "1", "32", "0", "33"), ("IP0,0.1,2,{}", "-210", "210", "-210.01", "210.01"),
    ("IP0,0.1,2,1,{}", "1", "4", "0", "5"),
    ("VC{},0,0.1", "1", "9", "0", "10"), ("VC1,{},0.1", "-210", "210", "-210.01", "210.01"),  # D 5-15
    ("VC1,0,{}", "-1.05", "1.05", "-1.051", "1.051"), ("IC1,{},1", "-1.05", "1.05", "-1.051", "1.051"),
    ("IC1,0,{}", "-210", "210", "-210.01", "210.01"),
    ("VL{},1,0.1,0", "1", "9", "0", "10"), ("VL1,{},0.1,0", "0", "1", "-1", "2"),  # D 5-16
    ("VL1,1,{},0", "-1.05", "1.05", "-1.051", "1.051"), ("VL1,1,0.1,0,{},0", "-210", "210", "-210.01", "210.01"),
    ("IL1,1,{},0", "-210", "210", "-210.01", "210.01"), ("IL1,1,1,0,0,{}", "-1.05", "1.05", "-1.051", "1.051"),
    ("SC{}", "1", "9", "0", "10"), ("SC1,{}", "-210", "210", "-210.01", "210.01"),  # D 5-14
    ("DT{}", "0", "6.553", "-0.001", "6.554"), ("HT{}", "0", "655.3", "-0.1", "655.4"),  # D 5-10, 5-12
    ("FS{}", "-210", "210", "-210.01", "210.01"), ("FS0,{}", "1", "9", "0", "10"),  # D 5-11
    ("RT{}", "-10", "10", "-10.01", "10.01"), ("RT1,{}", "1", "9", "0", "10"),  # D 5-12
    ("ST{},1", "1", "9", "0", "10"), ("ST1,{}", "0", "1", "-1", "2"), ("RP SMU1,{}", "0", "3", "-1", "4"),  # D 5-14, 7-67
    ("DM{}", "1", "2", "0", "3"), ("XN 'V',{},0,1", "1", "2", "0", "3"), ("XT{},1", "0", "9999", "-1", "10000"),  # D 5-22, 5-25
    ("YA 'I',{},0,1", "1", "3", "0", "4"), ("YA 'I',1,{},1", "-9999", "9999", "-10000", "10000"),  # D 5-26
    ("YB 'I',{},0,1", "1", "3", "0", "4"), ("YB 'I',1,0,{}", "-9999", "9999", "-10000", "10000"),
    ("NR{}", "1", "4096", "0", "4097"), ("IN{}", "0.01", "10", "0.009", "10.01"), ("WT{}", "0", "100", "-0.1", "100.1"),
    ("ME{}", "1", "4", "0", "5"), ("MP{}", "1", "9", "0", "10"), ("SR{},0", "1", "9", "0", "10"),  # D 5-27, 5-30
    ("SR1,{}", "0", "1", "-0.1", "2.1"), ("RD 'V',{}", "1", "4096", "0", "4097"),  # D 5-30, 5-40
    ("IT{}", "1", "3", "0", "5"), ("IT4,{},1,1", "0", "100", "-0.1", "100.1"), ("IT4,1,{},1", "0", "100", "-0.1", "100.1"),
    ("IT4,1,1,{}", "0.01", "10", "0.009", "10.1"), ("RS{}", "3", "7", "2", "8"), ("RG{},0.1", "1", "9", "0", "10"),  # D 5-39
    ("RG1,{}", "-1", "1", "-1.01", "1.01"), ("RI1,{},1", "-1.05", "1.05", "-1.051", "1.051"),  # D 5-41, 5-42
    ("RI1,0.1,{}", "-1.05", "1.05", "-1.051", "1.051"), ("RV1,{},0.1", "-210", "210", "-210.01", "210.01"),  # D 5-43
    ("RV1,1,{}", "-210", "210", "-210.01", "210.01"), ("EC{}", "0", "1", "-1", "2"), ("AC{}", "1", "9", "0", "10"),
    ("DV{}", "1", "9", "0", "10"), ("DV1,{},0,0.1", "0", "5", "-1", "6"), ("DV1,0,{},0.1", "-210", "210", "-210.01", "210.01"),
    ("DV1,0,0,{}", "-1.05", "1.05", "-1.051", "1.051"), ("DI{}", "1", "9", "0", "10"), ("DI1,{},0,1", "0", "13", "-1", "14"),
    ("DI1,0,{},1", "-1.05", "1.05", "-1.051", "1.051"), ("DI1,0,0,{}", "-210", "210", "-210.01", "210.01"),  # D 5-31
    ("DS{}", "1", "9", "0", "10"), ("DS1,{}", "-200", "200", "-200.1", "200.1"),  # D 5-32
    ("XN 'V',1,{},1", "-9999", "9999", "-10000", "10000"), ("XN 'V',1,0,{}", "-9999", "9999", "-10000", "10000"),  # guess
    ("XT0,{}", "0", "9999", "-1", "10000"), ("YA 'I',1,0,{}", "-9999", "9999", "-10000", "10000"),
    ("YB 'I',1,{},1", "-9999", "9999", "-10000", "10000"), ("IC{},0,1", "1", "9", "0", "10"),
    ("IL{},1,1,0", "1", "9", "0", "10"), ("IL1,{},1,0", "0", "1", "-1", "2"), ("RI{},0.1,1", "1", "9", "0", "10"),
    ("RV{},1,0.1", "1", "9", "0", "10"), ("IP0,{},2,1", "-1.05", "1.05", "-1.051", "1.051"),
    ("TI{}", "1", "8", "0", "9"), ("TV{}", "1", "16", "0", "17"),  # D 5-34, 5-35
]  # fmt: skip
