"""Continue a run that ended before its time, without sending anything a second time.

The recipe is run again from its beginning, but what it asks for is answered from the record as long as the record lasts: a
recipe decides by what it reads, so with the same answers it asks the same questions. Where the record ends the instruments
take over. Nothing that was noted is ever sent again, whether it was answered or not, but for a read whose answer was lost.

On a simulated bench in this process the cell died with its program: it is built anew and lives through the record again.
"""

from labctl.resume.earlier import check, check_cell, check_first, check_station, continued, since
from labctl.resume.recall import Recall
from labctl.resume.record import AFTER_GAP, Answer, ResumeError, answers, unknown

__all__ = [
    "AFTER_GAP", "Answer", "Recall", "ResumeError", "answers", "check", "check_cell", "check_first", "check_station",
    "continued", "since", "unknown",
]  # fmt: skip
