"""A station: ``station.yaml`` (or a simulated bench) -> opened instruments, limits, clock.

::

    name: bench-1
    instruments:
      smu:
        driver: keithley4200
        resource: TCPIP0::192.168.0.10::1225::SOCKET
        visa_library: "@py"            # "" lets PyVISA choose (a vendor's VISA first)
        timeout: 20 s
        terminals: {top: 1, bottom: 2} # the instrument's channels; "ground" for its ground terminal
    limits: {voltage: 10 V, current: 10 mA}
    samples:
      W12: {voltage: 5 V, current: 1 mA}
      W12/D3-4/C5: {voltage: 2 V}      # the limits of every part of a sample's path hold
      "*": {voltage: 1 V}              # for samples not named here; without it they are refused
    sync_interval: 1 s                 # most of a run that a power cut may take; stimuli are on the disk before they are sent
    rules: {formed_first: [endurance], pulses: 1M}   # on the history of a cell; samples may have more (rules: ... in theirs)
    ledger: /data/cells.sqlite         # where that history is kept; without rules by default in the folder of the run files

With ``simulate: {device: device-2}`` beside ``instruments`` the same station runs on a simulated cell: nothing real is opened.
"""

from labctl.station.config import (
    InstrumentConfig,
    LimitsConfig,
    SampleConfig,
    SimulationConfig,
    StationConfig,
    from_record,
    ledger_file,
    limits,
    read,
    rules,
    sample_path,
    simulated,
)  # fmt: skip
from labctl.station.opened import Station

__all__ = [
    "InstrumentConfig", "LimitsConfig", "SampleConfig", "SimulationConfig", "Station", "StationConfig", "from_record",
    "ledger_file", "limits", "read", "rules", "sample_path", "simulated",
]  # fmt: skip
