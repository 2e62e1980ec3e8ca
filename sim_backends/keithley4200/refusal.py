"""How a command is turned down inside the simulated instrument."""

from __future__ import annotations


class Refused(Exception):
    """The command is not carried out; code: the instrument's error (manual D 2-11/2-12)."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


COMMAND = -992  #: unknown mnemonic
ARGUMENT = -993  #: bad number, arity or range
ILLEGAL_SETUP = -991
WRONG_PAGE = -989
NOT_MAPPED = -988
UNSUPPORTED = -986
NO_FILE = -984
BUSY = -980
NO_SMU = -979
NO_PULSE_CARD = -978  #: "VPU not present in system.": the nearest text; guess
NOT_IN_USER_MODE = -975
NOT_IN_SYSTEM_MODE = -974

# -- the pulse card (D 2-12); which of them when is mostly inferred from the texts --
PULSE_ARGUMENT = -969
OVERHEATED = -968
PULSE_SETUP = -967
ABORTED = -966
PULSE_MODE = -965
SOURCE_VOLTAGE = -964
SAMPLES = -963
SEGMENT = -962
SEQUENCE = -961
SEQUENCES = -960
SLEW = -959
FEW_SEGMENTS = -958
SHORT_SEQUENCE = -957
JUMP = -956
RELAY = -955
SEGMENTS = -954
NO_SWEEPER = -953
PULSE_RATE = -952
SEGMENT_RATE = -951
POWER = -950
POINTS = -949
STEP_COUNT = -948
NOTHING_ACQUIRED = -947
