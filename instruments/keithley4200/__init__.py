"""The Keithley 4200-SCS and 4200A-SCS over KXCI: a PyMeasure driver, and the source meter labctl measures with.

`talk`, `connection` and `reports` exchange messages, find the instrument and ask what went wrong; `driver` and `smu` add cards
and user mode. `system_mode` turns a request into a test, `timing` says how long it may take, `rules` refuses what the
instrument would silently change, `run` carries a test out, `fetch` reads and judges its result, `safety` switches off,
`source_meter` joins them.

Pulses: `pulse_program` says what is to be played, `segments` and `trains` write it as a `pulse_plan`, `pulse_rules` refuses
what the card would, `pulse_run` carries it out, `pulse_fetch` and `pulse_status` read the result, `library_calls` and
`library_pulses` do all that on old software; `pulse_card` keeps the card's side of the connection, `pulse_settings` its
options, `pulse_source` joins them.
"""

from .driver import Keithley4200
from .pulse_source import Keithley4225
from .source_meter import Keithley4200SourceMeter

__all__ = ["Keithley4200", "Keithley4200SourceMeter", "Keithley4225"]
