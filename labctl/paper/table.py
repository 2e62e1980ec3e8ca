"""The table: paper against measured, one line a check."""

from __future__ import annotations

import math
from collections.abc import Iterator

from labctl.paper.judge import Finding, Verdict

SEP = "; "
SHORT = {"pass": "pass", "fail": "fail", "not measured": "none"}  #: outcomes in a column; the reason stands beside them
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
    """The checks of a row as cells of text, under `HEAD`; then, without an outcome, what no check asks for."""
    target, files = verdict.target, f"{len(verdict.measurement.files)}"
    for item in verdict.findings:
        about = (target.id, item.outcome, target.quantity, target.paper)
        yield (*about, item.measured, deviation(item), item.asked, item.of, item.nominal, files)
    for item in verdict.beside:
        yield (
            target.id,
            "",
            target.quantity,
            target.paper,
            item.measured,
            "",
            "nothing: beside",
            item.of,
            item.nominal,
            files,
        )


def deviation(finding: Finding) -> str:
    """How far from the paper's value, "" where it gives none."""
    return f"{finding.deviation:+.1%}" if math.isfinite(finding.deviation) else ""


def brief(verdict: Verdict) -> Iterator[str]:
    """A row for a terminal: the first check beside its outcome, the others below, then what was measured beside them."""
    for number, finding in enumerate(verdict.findings):
        name = f"{SHORT[verdict.outcome]:<4}  {verdict.target.id:<14}" if number == 0 else " " * 20
        flag = "  <- FAILS" if finding.outcome == "fail" else ""
        beside = [part for part in (deviation(finding), finding.unsure) if part]
        words = f"{finding.measured}{f' ({SEP.join(beside)})' if beside else ''}"
        yield f"{name}  {words} | asked: {finding.asked}{flag}".rstrip()
    if verdict.beside:
        yield f"{'':<20}  beside: {SEP.join(item.measured for item in verdict.beside)}"
    yield f"{'':<20}  paper: {verdict.target.paper}"


def total(verdicts: list[Verdict]) -> str:
    """How many rows passed."""
    passed, missing = (sum(verdict.outcome == what for verdict in verdicts) for what in ("pass", "not measured"))
    less = f", {missing} not measured" if missing else ""
    return f"{passed} of {len(verdicts)} rows within what the paper says{less}"
