"""Whole pulse tests as the manual and the vendor's scripts send them, line by line: text and what it means.

D p-q: KXCI manual 4200A-KXCI-907-01 Rev. D; Tek as in `kxci_table`. Numbers are spelled as there; blanks are not part of a
number. Polling and fetching stand once.
"""

from __future__ import annotations

from labctl.kxci import Command, Word
from labctl.kxci import messages as m
from labctl.kxci.messages import Play

PMU11, PMU12 = Word("PMU1-1"), Word("PMU1-2")

_POLLS: list[tuple[str, Command]] = [(":PMU:EXECUTE", m.ExecutePulse()), (":PMU:TEST:STATUS?", m.PollPulse())]

# A two-level pulse train with waveform capture, line by line (D 7-37, Tek "1 chan pulse train.py").
TRAIN: list[tuple[str, Command]] = [
    (":PMU:INIT 0", m.InitializePulse(0)),
    (":PMU:RPM:CONFIGURE PMU1-1, 0", m.ConfigureRpm(PMU11, 0)),
    (":PMU:MEASURE:RANGE 1, 2, 10e-6", m.PulseMeasureRange(1, 2, 1e-5)),
    (":PMU:PULSE:TRAIN 1, 0.0, 5.0", m.PulseTrain(1, 0.0, 5.0)),
    (":PMU:MEASURE:MODE 2", m.PulseMeasureMode(2)),
    (":PMU:PULSE:TIMES 1, 100e-6, 50e-6, 5e-6, 5e-6", m.PulseTimes(1, 1e-4, 5e-5, 5e-6, 5e-6)),
    (":PMU:PULSE:BURST:COUNT 1", m.BurstCount(1)),
    (":PMU:OUTPUT:STATE 1, 1", m.PulseOutput(1, 1)),
    *_POLLS,
    (":PMU:DATA:COUNT? 1", m.CountPoints(1)),
    (":PMU:DATA:GET 1, 0, 2048", m.GetPoints(1, 0, 2048)),
    (":PMU:DATA:GET 1, 2048, 2048", m.GetPoints(1, 2048, 2048)),
    (":PMU:OUTPUT:STATE 1, 0", m.PulseOutput(1, 0)),
]

# An amplitude sweep with spot means (D 7-30, Tek "1 chan sweep.py"), and the family of curves (D 7-35).
SWEEP: list[tuple[str, Command]] = [
    (":PMU:INIT 0", m.InitializePulse(0)),
    (":PMU:RPM:CONFIGURE PMU1-1, 0", m.ConfigureRpm(PMU11, 0)),
    (":PMU:CONNECTION:COMP 1, 1, 0", m.UseCompensation(1, 1, 0)),
    (":PMU:LOAD 1, 1e3", m.PulseLoad(1, 1000.0)),
    (":PMU:MEASURE:MODE 3", m.PulseMeasureMode(3)),
    (":PMU:LLEC:CONFIGURE 1, 1", m.LoadLineCorrection(1, 1)),
    (":PMU:SWEEP:PULSE:AMPLITUDE 1, 0, 5, 0.1, 0, 0", m.SweepAmplitude(1, 0.0, 5.0, 0.1, 0.0, 0)),
    (":PMU:PULSE:TIMES 1, 1e-5, 500e-9, 2e-8, 2e-8, 0", m.PulseTimes(1, 1e-5, 5e-7, 2e-8, 2e-8, 0.0)),
    (":PMU:PULSE:TRAIN 2, 0, 0", m.PulseTrain(2, 0.0, 0.0)),
    (":PMU:MEASURE:RANGE 1, 2, 0.01", m.PulseMeasureRange(1, 2, 0.01)),
    (":PMU:PULSE:BURST:COUNT 1", m.BurstCount(1)),
    (":PMU:OUTPUT:STATE 1, 1", m.PulseOutput(1, 1)),
    *_POLLS,
    (":PMU:DATA:COUNT? 1", m.CountPoints(1)),
    (":PMU:DATA:GET 1", m.GetPoints(1)),
    (":PMU:OUTPUT:STATE 1, 0", m.PulseOutput(1, 0)),
    (":PMU:STEP:PULSE:AMPLITUDE 1, 2, 4, 0.5, 0", m.StepAmplitude(1, 2.0, 4.0, 0.5, 0.0)),
    (":PMU:SWEEP:PULSE:AMPLITUDE 2, 0, 5, 0.2, 0, 0", m.SweepAmplitude(2, 0.0, 5.0, 0.2, 0.0, 0)),
]

# Segment Arb with two sequences (Tek "pmu segarb complete.py"): a staircase of 82 segments, and a pulse.
_UP = [step / 10 for step in range(21)]
_LEVELS = [*_UP, *_UP[-2::-1]]
_STAIRS = tuple(level for level in _LEVELS for _ in (0, 1))
_TIME, _TIMES = ", ".join(["1E-05, 2E-07"] * 41), (1e-5, 2e-7) * 41
_PULSE, _PULSES = "1e-5, 1e-6, 1e-5, 1e-6, 1e-6", (1e-5, 1e-6, 1e-5, 1e-6, 1e-6)
_PLAYS = (Play(1), Play(2), Play(1), Play(2, 2), Play(1), Play(2, 3))
SEGMENTS: list[tuple[str, Command]] = [
    (":PMU:INIT 1", m.InitializePulse(1)),
    (":PMU:RPM:CONFIGURE PMU1-1, 0", m.ConfigureRpm(PMU11, 0)),
    (":PMU:RPM:CONFIGURE PMU1-2, 0", m.ConfigureRpm(PMU12, 0)),
    (":PMU:MEASURE:RANGE 1, 2, 1e-3", m.PulseMeasureRange(1, 2, 1e-3)),
    (":PMU:MEASURE:RANGE 2, 2, 1e-3", m.PulseMeasureRange(2, 2, 1e-3)),
    (f":PMU:SARB:SEQ:TIME   1, 1, {_TIME}", m.SegmentTimes(1, 1, _TIMES)),
    (f":PMU:SARB:SEQ:STARTV 1, 1, {', '.join(map(str, _STAIRS))}", m.SegmentStarts(1, 1, _STAIRS)),
    (f":PMU:SARB:SEQ:STOPV  1, 1, {', '.join(map(str, _STAIRS[1:]))}, 0.0", m.SegmentStops(1, 1, (*_STAIRS[1:], 0.0))),
    (f":PMU:SARB:SEQ:MEAS:TYPE 1, 1, {', '.join(['2, 0'] * 41)}", m.SegmentModes(1, 1, (2, 0) * 41)),
    (f":PMU:SARB:SEQ:MEAS:START 1, 1, {', '.join(['0'] * 82)}", m.WindowStarts(1, 1, (0.0,) * 82)),
    (f":PMU:SARB:SEQ:MEAS:STOP 1, 1, {_TIME}", m.WindowStops(1, 1, _TIMES)),
    (f":PMU:SARB:SEQ:TIME   1, 2, {_PULSE}", m.SegmentTimes(1, 2, _PULSES)),
    (":PMU:SARB:SEQ:STARTV 1, 2, 0, 0, 2.5, 2.5, 0", m.SegmentStarts(1, 2, (0.0, 0.0, 2.5, 2.5, 0.0))),
    (":PMU:SARB:SEQ:STOPV  1, 2, 0, 2.5, 2.5, 0, 0", m.SegmentStops(1, 2, (0.0, 2.5, 2.5, 0.0, 0.0))),
    (":PMU:SARB:SEQ:MEAS:TYPE 1, 2, 2, 0, 2, 0, 0", m.SegmentModes(1, 2, (2, 0, 2, 0, 0))),
    (":PMU:SARB:SEQ:MEAS:START 1, 2, 0, 0, 0, 0, 0", m.WindowStarts(1, 2, (0.0,) * 5)),
    (f":PMU:SARB:SEQ:MEAS:STOP 1, 2, {_PULSE}", m.WindowStops(1, 2, _PULSES)),
    (":PMU:SARB:WFM:SEQ:LIST 1, 1, 1, 2, 1, 1, 1, 2, 2, 1, 1, 2, 3", m.PlaySequences(1, _PLAYS)),
    (":PMU:SARB:WFM:SEQ:LIST 2, 1, 1, 2, 1, 1, 1, 2, 2, 1, 1, 2, 3", m.PlaySequences(2, _PLAYS)),
    (":PMU:OUTPUT:STATE 1, 1", m.PulseOutput(1, 1)),
    (":PMU:OUTPUT:STATE 2, 1", m.PulseOutput(2, 1)),
    *_POLLS,
    (":PMU:DATA:COUNT? 2", m.CountPoints(2)),
    (":PMU:DATA:GET 2, 0, 2048", m.GetPoints(2, 0, 2048)),
    (":PMU:OUTPUT:STATE 1, 0", m.PulseOutput(1, 0)),
    (":PMU:OUTPUT:STATE 2, 0", m.PulseOutput(2, 0)),
    # one sequence with two spot means (D 7-57)
    (
        ":PMU:SARB:SEQ:TIME 1, 1, 50e-9, 100e-9, 20e-9, 150e-9, 50e-9, 500e-9, 130e-9",
        m.SegmentTimes(1, 1, (5e-8, 1e-7, 2e-8, 1.5e-7, 5e-8, 5e-7, 1.3e-7)),
    ),
    (":PMU:SARB:SEQ:STARTV 1, 1, 0, 1, 1, 1.5, 1.5, 0, 0", m.SegmentStarts(1, 1, (0.0, 1.0, 1.0, 1.5, 1.5, 0.0, 0.0))),
    (":PMU:SARB:SEQ:STOPV 1, 1, 1, 1, 1.5, 1.5, 0, 0, 0", m.SegmentStops(1, 1, (1.0, 1.0, 1.5, 1.5, 0.0, 0.0, 0.0))),
    (":PMU:SARB:SEQ:MEAS:TYPE 1, 1, 0, 1, 0, 1, 0, 0, 0", m.SegmentModes(1, 1, (0, 1, 0, 1, 0, 0, 0))),
    (
        ":PMU:SARB:SEQ:MEAS:START 1, 1, 0, 25e-9, 0, 50e-9, 0, 0, 0",
        m.WindowStarts(1, 1, (0.0, 2.5e-8, 0.0, 5e-8, 0.0, 0.0, 0.0)),
    ),
    (
        ":PMU:SARB:SEQ:MEAS:STOP 1, 1, 0, 75e-9, 0, 100e-9, 0, 0, 0",
        m.WindowStops(1, 1, (0.0, 7.5e-8, 0.0, 1e-7, 0.0, 0.0, 0.0)),
    ),
    (":PMU:SARB:WFM:SEQ:LIST 1, 1, 1", m.PlaySequences(1, (Play(1, 1),))),
]
