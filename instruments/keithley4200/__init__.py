"""The Keithley 4200-SCS and 4200A-SCS over KXCI: a PyMeasure driver, and the source meter labctl measures with.

`talk`, `connection` and `reports` exchange messages, find the instrument and ask what went wrong; `driver` and `smu` add cards
and user mode. `system_mode` turns a request into a test, `timing` says how long it may take, `rules` refuses what the
instrument would silently change, `run` carries a test out, `fetch` reads and judges its result, `safety` switches off,
`source_meter` joins them.
"""

from .driver import Keithley4200
from .source_meter import Keithley4200SourceMeter

__all__ = ["Keithley4200", "Keithley4200SourceMeter"]
