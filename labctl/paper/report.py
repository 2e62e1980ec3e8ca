"""The report: what was run, the table, the figures, where every number comes from."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping, Sequence

from labctl import provenance
from labctl.paper import record, table
from labctl.paper.cells import NOMINAL, named
from labctl.paper.judge import Finding, Verdict
from labctl.paper.plan import EXPERIMENTS
from labctl.paper.session import Outcome
from labctl.paper.work import Done
from labctl.report.document import Document, Facts, Figure, Section, Table, Words

MARKS = {"pass": "pass", "fail": "fail", "not measured": "warn"}  #: how a row is shown by its outcome
RULES = (
    "Every number comes from run files: recipes ran through the driver and the wire language on a simulated Keithley 4200 with"
    " a 4225-PMU, a simulated cell between its terminals. What measures reads no number of the paper.",
    "Cells: unless a row says otherwise its value is the median over drawn cells, which differ as the cells of a batch do; the"
    " uncertainty is the standard error of that median. Cells that do not switch are counted and say so. The nominal cell, with"
    " the card's own numbers on an instrument without noise, is beside it for comparison. Trains of pulses are judged on the"
    " nominal cell, since their amplitudes were chosen by the authors for their own device.",
    "Tolerances: 15 % where the paper says 'about'; a factor 1.5 for currents given to an order of magnitude and for ratios of"
    " them; orders and classes as stated. Where the paper gives a word and no number, the note of the row says what we took.",
)


def document(outcome: Outcome, figures: Sequence[Figure | Words]) -> Document:
    """The report of a reproduction with its figures."""
    title = f"{outcome.paper.title.partition(',')[0]}, measured again"
    sections = [
        Section("What was run", [_facts(outcome), *_changed(outcome), *map(Words, RULES), _experiments(outcome.done)]),
        Section("Paper against measured", list(_tables(outcome))),
        Section("Figures", list(figures) or [Words("No figure belongs to these rows.")]),
        Section("How each number is defined", [_definitions(outcome.verdicts)]),
        Section("Provenance", [_provenance(outcome), *_files(outcome)]),
    ]
    return Document(title, f"{table.total(outcome.verdicts)}; {outcome.paper.source}", sections)


def _facts(outcome: Outcome) -> Facts:
    about = outcome.about
    runs = sum(len(item.files) for item in outcome.done)
    return Facts([
        ("paper", f"{outcome.paper.title}. {outcome.paper.source}"),
        ("result", table.total(outcome.verdicts)),
        ("seed", f"{about.seed}; the seed of every cell follows from it"),
        ("drawn cells", f"{about.cells} of each device, more or fewer where an experiment says so"),
        ("measured", f"{len(outcome.done)} cells, {runs} runs, in {about.seconds:g} s"),
        ("started", about.started),
    ])  # fmt: skip


def _changed(outcome: Outcome) -> list[Words]:
    if not outcome.changed:
        return []
    files = ", ".join(outcome.changed)
    return [Words(f"NOT AS RECORDED: {len(outcome.changed)} run files differ from their recorded SHA-256: {files}.")]


def _experiments(done: Sequence[Done]) -> Table:
    rows = []
    for name, experiment in EXPERIMENTS.items():
        mine = [item for item in done if item.job.experiment == name]
        devices = [device for device in experiment.steps if any(item.job.device == device for item in mine)]
        if mine:
            steps = {step.name: step.recipe for device in devices for step in experiment.steps[device]}
            runs = ", ".join(f"{step} ({recipe})" if step != recipe else step for step, recipe in steps.items())
            drawn = {item.job.number for item in mine} - {NOMINAL}
            problems = [f"{item.job.device} {named(item.job.number)}: {item.problem}" for item in mine if item.problem]
            cells = f"{len(drawn)} drawn{' and the nominal one' if experiment.nominal else ''}"
            rows.append((name, ", ".join(devices), cells, runs, "; ".join(problems) or "none"))
    head = ("experiment", "devices", "cells of each", "runs on each, in this order", "problems")
    return Table(head, rows, "What was done.")


def _tables(outcome: Outcome) -> Iterator[Table]:
    """A table for each section of the paper."""
    by_id = {verdict.target.id: verdict for verdict in outcome.verdicts}
    for section in outcome.paper.sections:
        verdicts = [by_id[target.id] for target in section.rows if target.id in by_id]
        if verdicts:
            head = ("row", "paper", "measured", "asked", "remarks", "outcome")
            yield Table(
                head, list(map(_line, verdicts)), section.title, marks=[MARKS[item.outcome] for item in verdicts]
            )


def _line(verdict: Verdict) -> tuple[str, ...]:
    target, found = verdict.target, verdict.findings
    measured = "; ".join(_measured(item, len(found) > 1) for item in found)
    if verdict.beside:
        measured += f"; beside: {'; '.join(item.measured for item in verdict.beside)}"
    asked = "; ".join(dict.fromkeys(item.asked for item in found))
    nominal = ", ".join(item.nominal for item in found if item.nominal)
    remarks = [*(item.of for item in found), f"nominal cell {nominal}" if nominal else ""]
    remarks += [*(item.unsure for item in found), target.note]
    said = "; ".join(dict.fromkeys(filter(None, remarks)))
    return (f"{target.id}: {target.quantity}", target.paper, measured, asked, said, verdict.outcome)


def _measured(finding: Finding, several: bool) -> str:
    beside = f" ({table.deviation(finding)})" if table.deviation(finding) else ""
    return f"{finding.measured}{beside}{' FAILS' if several and finding.outcome == 'fail' else ''}"


def _definitions(verdicts: Sequence[Verdict]) -> Table:
    rows = [
        (item.target.id, item.measurement.words or item.measurement.problem, item.measurement.method, _where(item))
        for item in verdicts
    ]
    return Table(("row", "how it was measured", "method", "runs"), rows)


def _where(verdict: Verdict) -> str:
    """The run files of a row, as patterns of the folder."""
    kinds = dict.fromkeys(
        file.rpartition("/")[2].removesuffix(".h5").split("_")[0] for file in verdict.measurement.files
    )
    return (
        f"{len(verdict.measurement.files)} files: {', '.join(f'runs/{kind}_*' for kind in kinds)}" if kinds else "none"
    )


def _provenance(outcome: Outcome) -> Facts:
    about = outcome.about
    software = ", ".join(f"{name} {version}" for name, version in provenance.software().items())
    again = f"labctl paper --seed {about.seed} --cells {about.cells}"
    everything = len(about.rows) == len(outcome.paper.rows)
    return Facts([
        ("command", about.command),
        ("again", again if everything else f"{again} --only {','.join(about.rows)}"),
        ("folder", outcome.folder.as_posix()),
        ("software", software),
        ("machine", f"{platform.system()}, {platform.machine()}, Python {platform.python_version()}"),
    ])  # fmt: skip


def listing(hashed: Mapping[str, str]) -> str:
    """All run files with their SHA-256, one a line, sorted by name, as ``sha256sum`` writes them."""
    return "".join(f"{text}  {file}\n" for file, text in sorted(hashed.items()))


def _files(outcome: Outcome) -> list[Facts | Words]:
    whole = hashlib.sha256(listing(outcome.hashed).encode()).hexdigest()
    words = (
        f"The SHA-256 and the seed of the cell of each of the {len(outcome.hashed)} run files are in {record.JSON}. The SHA-256"
        " below is that of the list of all of them: a line each, the hash, two spaces, the file's name, sorted by name."
    )
    return [Words(words), Facts([("all run files", whole)])]
