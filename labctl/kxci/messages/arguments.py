"""What the arguments of commands may be: types with their bounds, shared by all pages of the language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from labctl.kxci.spec import Between, Like, OneOf, Word

frozen = dataclass(frozen=True, slots=True)

Channel = Annotated[int, Between(1, 9)]
Voltage = Annotated[float, Between(-210, 210)]  # D 5-15 … 5-21
Current = Annotated[float, Between(-1.05, 1.05)]  # 4210/4211; the simulator narrows it for a 4200/4201
Level = Annotated[float, Between(-210, 210)]  # volts or amperes, by the command's twin
Switch = Annotated[int, Between(0, 1)]
Function = Annotated[int, Between(1, 4)]  # 1 VAR1, 2 VAR2, 3 constant, 4 VAR1' (D 5-7)
Name = Annotated[str, Like(r".{1,6}", "a name of 1 to 6 characters")]  # D 5-7; that it can't be empty: guess
#: what an RPM connects (D 7-22)
RpmHardware = Annotated[Word, Like(r"SMU[1-9]|PMU[1-9]-[12]|CV[HL][1-9]", "an instrument such as SMU1 or PMU1-1")]
Mapped = Annotated[Word, Like(r"(SMU|VS|VM)[1-9]", "an instrument such as SMU2, VS1 or VM1")]  # D 5-30

PulseChannel = Annotated[int, Between(1, 8)]  # counted through the cards: PMU1 has 1 and 2, PMU2 has 3 and 4 (D 7-5)
PulseVoltage = Annotated[float, Between(-40, 40)]  # D 7-21; a step, too: guess
MeasureMode = Annotated[int, Between(0, 4)]  # 0 none, 1 spot mean, 2 waveform, 3 and 4 these averaged (D 7-13)
Compensation = Annotated[int, OneOf(1, 3)]  # 1 short, 3 offset (D 7-5, 7-12)
PointColumn = Annotated[Word, Like(r"[VITS][HL]?", "a column such as V, I, T, S, VH or SL")]  # D 7-8
LibraryName = Annotated[Word, Like(r"[A-Za-z][A-Za-z0-9_]*", "a name of letters, digits and '_'")]  # names in C
