"""Conformance suites: what a plug-in promises, as checks it can be run against (``check_device_model`` …).

Each check raises AssertionError with a message that names the promise that was broken.
"""

from labctl.testing.device_model import check_device_model as check_device_model
from labctl.testing.source_meter import SOURCE_METER_CHECKS as SOURCE_METER_CHECKS
from labctl.testing.source_meter import check_source_meter as check_source_meter
from labctl.testing.subject import Subject as Subject
