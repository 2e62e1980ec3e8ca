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
NOT_IN_USER_MODE = -975
NOT_IN_SYSTEM_MODE = -974
