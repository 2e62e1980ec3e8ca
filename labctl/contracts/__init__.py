"""What plug-ins promise: time, links, source meters, simulated instruments and device models.

The core talks to instruments, simulations and physics only through the types of this folder. Everything is SI and float.
"""

from labctl.contracts.links import Clock, Link
from labctl.contracts.requests import READING_COLUMNS, Acquisition, Sampling, Sweep, check_request
from labctl.contracts.simulation import Card, CardField, DeviceModel, Drive, Response, SimulatedInstrument
from labctl.contracts.source_meter import SourceMeter
from labctl.contracts.values import Block, Extracted, FloatArray, NoRecorder, Reading, Recorder, Status

__all__ = [
    "READING_COLUMNS",
    "Acquisition",
    "Block",
    "Card",
    "CardField",
    "Clock",
    "DeviceModel",
    "Drive",
    "Extracted",
    "FloatArray",
    "Link",
    "NoRecorder",
    "Reading",
    "Recorder",
    "Response",
    "Sampling",
    "SimulatedInstrument",
    "SourceMeter",
    "Status",
    "Sweep",
    "check_request",
]
