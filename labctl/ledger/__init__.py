"""The cell ledger: what was done to every cell, for ever, and rules on how much may be.

Run files are the truth; the ledger adds them up (`tally`), one line for each run of a named cell, in one SQLite file that can
be made anew from them (`rebuild`). `enter` checks the rules of station and sample before a run begins and holds them while
it goes. `data/ledger.md` says what is counted, and how.
"""

from labctl.ledger.book import MISSING, UNDER_WAY, Ledger, Line, cells
from labctl.ledger.config import RulesConfig
from labctl.ledger.entry import NAME, Entry, check, enter
from labctl.ledger.errors import ContinuedAlready, DamagedLedger, LedgerError
from labctl.ledger.measured import figures
from labctl.ledger.rules import Budget, Rules
from labctl.ledger.settle import Rebuilt, rebuild, settle
from labctl.ledger.tally import tally
from labctl.ledger.use import Use

__all__ = [
    "MISSING", "NAME", "UNDER_WAY", "Budget", "ContinuedAlready", "DamagedLedger", "Entry", "Ledger", "LedgerError", "Line",
    "Rebuilt", "Rules", "RulesConfig", "Use", "cells", "check", "enter", "figures", "rebuild", "settle", "tally",
]  # fmt: skip
