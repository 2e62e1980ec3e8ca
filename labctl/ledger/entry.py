"""One run in the ledger: the rules looked at before it begins, its line, and the rules held while it goes."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from labctl import store
from labctl.contracts import Recorder, Request
from labctl.errors import LabctlError, UsageError
from labctl.ledger.asked import asked, planned
from labctl.ledger.book import Ledger, Line
from labctl.ledger.errors import LedgerError
from labctl.ledger.measured import told
from labctl.ledger.rules import Rules
from labctl.ledger.settle import begun, line_of, settle
from labctl.ledger.tally import TOUCHDOWN
from labctl.ledger.use import Use
from labctl.store import RunHeader

log = logging.getLogger("labctl.ledger")
NAME = "ledger.sqlite"  #: of the ledger in the folder of the run files, where the station file names none
Plan = Iterable[tuple[int, Sequence[Request]]]


def check(
    ledger: Ledger,
    rules: Rules,
    *,
    procedure: str,
    cell: str,
    simulated: bool,
    plan: Plan = (),
    touchdown: bool = False,
    override: str = "",
    also: Collection[str] = (),
) -> Use:
    """Raise LimitError unless `rules` allow a run on `cell` that adds what `plan` says; returns the cell's total so far.

    Runs that died are settled first. procedure: its name; cell: path of the sample; with none there is no history, and no
    rule can hold: UsageError; touchdown: the probes were set down for it; override: a reason to go on whatever the rules say;
    also: the plug-ins that the procedure is, whatever its run is called. Raises LedgerError if the ledger can't be read.
    """
    rules = Rules() if override else rules
    if not _has_history(cell, rules):
        return Use()
    _settle(ledger)
    so_far = ledger.total(cell, simulated)
    rules.check_start(cell, procedure, so_far, planned(plan) + Use(touchdowns=int(touchdown)), also)
    return so_far


def _has_history(cell: str, rules: Rules) -> bool:
    if rules and not cell:
        raise UsageError("give --sample: the station has rules, and they need to know the cell's history")
    return bool(cell)


def _settle(ledger: Ledger) -> None:
    for words in settle(ledger):
        log.warning("%s", words)


@contextmanager
def enter(
    path: Path,
    rules: Rules,
    header: RunHeader,
    run_file: Path,
    *,
    plan: Plan = (),
    worst: Iterable[Request] = (),
    touchdown: bool = False,
    override: str = "",
    also: Collection[str] = (),
) -> Iterator[Entry]:
    """Check the rules and enter a run in the ledger at `path`, before its file is made; its line goes again if it never begins.

    plan, also: see `check`; worst: the requests of a recipe without a plan, each counted once where its run file gets lost. A
    ledger that can't be kept refuses a run under rules (LedgerError); any other goes on and says so. Raises LimitError,
    UsageError; ContinuedAlready if the run that this one continues is continued by another that the ledger knows.
    """
    entry = Entry(Ledger(path), Rules() if override else rules, header, touchdown, override)
    groups = [] if header.resumes else list(plan)  # of a resumed run an unknown part was applied before
    entry.open(run_file, groups, groups or [(1, list(worst))], also)
    try:
        yield entry
    except BaseException:
        entry.withdraw()
        raise


class Entry:
    """A run's line in the ledger and the rules on its cell; made by `enter`."""

    def __init__(self, ledger: Ledger, rules: Rules, header: RunHeader, touchdown: bool, override: str) -> None:
        self.ledger, self.rules, self.header = ledger, rules, header
        self.touchdown, self.override = touchdown, override
        self.trouble = ""  #: why the ledger is not kept
        self.line: Line | None = None
        self._begun = False
        self._so_far = Use()

    def open(self, run_file: Path, plan: Plan, worst: Plan, also: Collection[str] = ()) -> None:
        """Check the rules and enter the line, in one transaction of the ledger."""
        head, touched = self.header, Use(touchdowns=int(self.touchdown))
        if not _has_history(head.sample, self.rules):
            return

        def allow(so_far: Use) -> None:
            self.rules.check_start(head.sample, head.procedure, so_far, planned(plan) + touched, also)

        try:
            _settle(self.ledger)
            line = replace(begun(self.ledger, head, run_file), use=planned(worst) + touched)
            self._so_far = self.ledger.admit(line, allow) + touched
            self.line = line
        except LedgerError as error:
            if self.rules:
                raise
            self.trouble = str(error)

    def begin(self, run_file: Path, recorder: Recorder) -> Recorder:
        """Say that the run is being recorded as `run_file`; returns `recorder`, holding the rules.

        One that continues another is "starting" until `say`: before it has taken that over, nothing of its own can be lost.
        """
        self._begun = True
        self._keep(state="starting" if self.header.resumes else "running", file=self.ledger.relative(run_file))
        return _Ruled(recorder, self) if self.rules.budgets else recorder

    def _keep(self, **changes: Any) -> None:
        if self.line is None or all(getattr(self.line, name) == value for name, value in changes.items()):
            return
        self.line = replace(self.line, **changes)
        try:
            self.ledger.put(self.line)
        except LedgerError as error:
            self.trouble = str(error)

    def say(self, recorder: Recorder) -> None:
        """Note with the run what belongs to the ledger: probes set down, rules not held, a ledger that can't be kept.

        To be called when it has taken over what it continues, and before its first stimulus.
        """
        self._keep(state="running")
        if self.override:
            recorder.event("rules overridden", {"reason": self.override})
        if self.touchdown:
            recorder.event(TOUCHDOWN, {})
        if self.trouble:
            recorder.event("not in the ledger", {"reason": self.trouble})

    def look(self, outcome: Mapping[str, Any]) -> None:
        """Take in the figures of a test's outcome: its energy and time in compliance count from the next stimulus on."""
        if (found := told(outcome)) is not None:
            self._so_far += Use(energy=found.use.energy, compliance_time=found.use.compliance_time)

    def ended(self, run_file: Path) -> None:
        """Put what the run did in place of its plan; failing that it is done when the ledger is next asked."""
        if self.line is None:
            return
        try:
            self.ledger.put(line_of(self.ledger, store.read(run_file), run_file))
        except LabctlError as error:
            log.warning("the run is not in the ledger yet: %s", error)

    def withdraw(self) -> None:
        """Take the line out again if the run never began."""
        if self.line is None or self._begun:
            return
        try:
            self.ledger.remove(self.line.uuid)
        except LedgerError as error:
            log.warning("%s", error)

    def allow(self, kind: str, details: Mapping[str, Any]) -> None:
        """Count a stimulus that is about to be noted. Raises LimitError if it would go beyond a budget; it is not sent then."""
        adds = asked(kind, details)
        self.rules.check_stimulus(self.header.sample, self._so_far, adds)
        self._so_far += adds


class _Ruled:
    """The run's recorder; a stimulus that breaks a rule is neither noted nor sent."""

    def __init__(self, writer: Recorder, entry: Entry) -> None:
        self._writer, self._entry = writer, entry

    def stimulus(self, kind: str, details: Mapping[str, Any]) -> int:
        self._entry.allow(kind, details)
        return self._writer.stimulus(kind, details)

    def outcome(self, note: int, outcome: str, details: Mapping[str, Any] | None = None) -> None:
        self._writer.outcome(note, outcome, details)
        self._entry.look(details or {})

    def event(self, kind: str, details: Mapping[str, Any]) -> None:
        self._writer.event(kind, details)
