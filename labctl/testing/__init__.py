"""Conformance suites: what a plug-in promises, as checks it can be run against (``check_device_model`` …).

Each check raises AssertionError with a message that names the promise that was broken.
"""

from labctl.testing.device_model import check_device_model as check_device_model
from labctl.testing.pulse_source import LIVE_PULSE_CHECKS as LIVE_PULSE_CHECKS
from labctl.testing.pulse_source import PULSE_SOURCE_CHECKS as PULSE_SOURCE_CHECKS
from labctl.testing.pulse_source import check_pulse_source as check_pulse_source
from labctl.testing.pulse_subject import PulseSubject as PulseSubject
from labctl.testing.source_meter import SOURCE_METER_CHECKS as SOURCE_METER_CHECKS
from labctl.testing.source_meter import check_source_meter as check_source_meter
from labctl.testing.subject import Subject as Subject
