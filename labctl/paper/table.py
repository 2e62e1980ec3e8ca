"""The table: paper against measured, one line a check."""

from __future__ import annotations

import math
from collections.abc import Iterator

from labctl.paper.judge import Finding, Verdict

SEP = "; "
HEAD = (
    "row",
    "outcome",
    "quantity",
    "paper",
    "measured",
    "deviation",
    "asked",
    "uncertainty of",
    "nominal cell",
    "runs",
)


def lines(verdict: Verdict) -> Iterator[tuple[str, ...]]:
    """The checks of a row as cells of text, under `HEAD`."""
    target, files = verdict.target, f"{len(verdict.measurement.files)}"
    for item in verdict.findings:
        about = (target.id, item.outcome, target.quantity, target.paper)
        yield (*about, item.measured, deviation(item), item.asked, item.of, item.nominal, files)


def deviation(finding: Finding) -> str:
    """How far from the paper's value, "" where it gives none."""
    return f"{finding.deviation:+.1%}" if math.isfinite(finding.deviation) else ""


def brief(verdict: Verdict) -> Iterator[str]:
    """A row for a terminal: the first check beside its outcome, the others below."""
    for number, finding in enumerate(verdict.findings):
        name = f"{verdict.outcome:<4}  {verdict.target.id:<14}" if number == 0 else " " * 20
        flag = "" if finding.outcome == "pass" else "  <- FAILS"
        beside = [part for part in (deviation(finding), finding.unsure) if part]
        words = f"{finding.measured}{f' ({SEP.join(beside)})' if beside else ''}"
        yield f"{name}  {words} | asked: {finding.asked}{flag}".rstrip()
    yield f"{'':<20}  paper: {verdict.target.paper}"


def total(verdicts: list[Verdict]) -> str:
    """How many rows passed."""
    passed = sum(verdict.outcome == "pass" for verdict in verdicts)
    return f"{passed} of {len(verdicts)} rows within what the paper says"
