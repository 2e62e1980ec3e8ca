"""What plug-ins promise: time, links, source meters, pulse sources, simulated instruments and device models.

The core talks to instruments, simulations and physics only through the types of this folder. Everything is SI and float.
"""

from labctl.contracts.instrument import Instrument, Request
from labctl.contracts.links import Clock, Link
from labctl.contracts.pulse_source import PulseSource
from labctl.contracts.pulses import OUTPUT_RESISTANCE, PULSE_COLUMNS, Measure, PulseTrain, Waveform
from labctl.contracts.requests import READING_COLUMNS, Acquisition, Sampling, Sweep, check_request
from labctl.contracts.simulation import (
    Card,
    CardField,
    DeviceModel,
    Drive,
    FarSide,
    HungUp,
    Response,
    SimulatedInstrument,
)
from labctl.contracts.source_meter import SourceMeter
from labctl.contracts.values import Block, Extracted, FloatArray, NoRecorder, Reading, Recorder, Series, Status

__all__ = [
    "OUTPUT_RESISTANCE",
    "PULSE_COLUMNS",
    "READING_COLUMNS",
    "Acquisition",
    "Block",
    "Card",
    "CardField",
    "Clock",
    "DeviceModel",
    "Drive",
    "Extracted",
    "FarSide",
    "FloatArray",
    "HungUp",
    "Instrument",
    "Link",
    "Measure",
    "NoRecorder",
    "PulseSource",
    "PulseTrain",
    "Reading",
    "Recorder",
    "Request",
    "Response",
    "Sampling",
    "Series",
    "SimulatedInstrument",
    "SourceMeter",
    "Status",
    "Sweep",
    "Waveform",
    "check_request",
]
