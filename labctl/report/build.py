"""Make a report of run files: what was run on what, how it ended, numbers, pictures, where everything comes from."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labctl import provenance
from labctl.contracts import Extracted
from labctl.quantities import show
from labctl.report import across, numbers, spread, text
from labctl.report.document import Document, Facts, Figure, Section, Table, Words
from labctl.store import Run, digest

LONGEST = 60  #: events of a run that a report lists


@dataclass(frozen=True)
class Source:
    """A run, the file it is in, and its numbers."""

    run: Run
    path: Path
    numbers: numbers.Numbers

    @property
    def title(self) -> str:
        """What was run on what, in a few words."""
        head = self.run.header
        return f"{head.procedure}, {head.sample or (f'simulated {head.device}' if head.simulated else head.station)}"


def document(
    runs: Sequence[tuple[Path, Run]], title: str = "", progress: Callable[[str], None] = lambda what: None
) -> Document:
    """The report of some runs, in the order given; progress is told what is being done."""
    sources = []
    for path, run in runs:
        progress(f"numbers of {path.name}")
        sources.append(Source(run, path, numbers.of(run)))
    sections = [Section("What was run", [_summary(sources), *_warnings(sources)])]
    sections += across.sections([(source.run, source.numbers) for source in sources], progress)
    for number, source in enumerate(sources, 1):
        progress(f"pictures of {source.path.name}")
        sections.append(
            Section(f"{number}. {source.title}" if len(sources) > 1 else source.title, list(_of_run(source)))
        )
    sections.append(Section("Provenance", list(_provenance(sources))))
    named = title or (sources[0].title if len(sources) == 1 else f"{len(sources)} runs")
    return Document(named, f"Made {provenance.now()} by {provenance.command()}", sections)


# -- all runs -----------------------------------------------------------------------------------------------------------
def _summary(sources: Sequence[Source]) -> Table:
    head = ["", "procedure", "sample", "instrument", "started", "duration", "rows", "end state"]
    rows = [_one_line(number, source.run) for number, source in enumerate(sources, 1)]
    marks = ["" if source.run.state == "finished" else "warn" for source in sources]
    return Table(head, rows, marks=marks, numbers=[5, 6])


def _one_line(number: int, run: Run) -> list[str]:
    head = run.header
    began, lasted = head.start_time[:19].replace("T", " "), show(run.ending.duration, "s", 3)
    return [str(number), head.procedure, head.sample or "-", _where(run), began, lasted, str(len(run)), run.state]


def _where(run: Run) -> str:
    """The bench; a simulated one is called so."""
    head = run.header
    return f"simulated {head.device}, seed {head.seed}" if head.simulated else head.station


def _warnings(sources: Sequence[Source]) -> Iterator[Words]:
    for number, source in enumerate(sources, 1):
        run = source.run
        if run.state != "finished":
            why = f" ({run.reason})" if run.reason else ""
            yield Words(f"Run {number} is {run.state}{why}: its numbers rest on the rows it has.")
        if run.ending.lost_bytes:
            yield Words(f"Run {number}: {run.ending.lost_bytes} bytes of its journal were damaged and are left out.")
        if source.numbers.problem:
            yield Words(f"Run {number}: {source.numbers.problem}.")
    for place in across.uncounted([source.run for source in sources]):
        yield Words(f"Run {place + 1} is a copy of another run here, or is continued by one: together they count once.")
    if any(source.run.header.simulated for source in sources):
        yield Words("Runs on a simulated instrument are measurements of a model, not of a sample.")


# -- one run ------------------------------------------------------------------------------------------------------------
def _of_run(source: Source) -> Iterator[Words | Facts | Table | Figure]:
    run = source.run
    yield Facts(_facts(run, source.path))
    if source.numbers.found:
        yield table(source.numbers.found)
    yield from spread.tables(source.numbers.series)
    yield from _figures(source)
    if run.header.parameters:
        yield Facts(_parameters(run))
    if run.events:
        lines = [text.event(item).strip() for item in run.events]
        rest = [f"and {len(lines) - LONGEST} more"] if len(lines) > LONGEST else []
        yield Table(["event"], [[line] for line in lines[:LONGEST] + rest])


def table(found: Sequence[Extracted], caption: str = "") -> Table:
    """Numbers with uncertainty, interval, definition, and what was left out of each."""
    head = ["quantity", "value", "95 % interval", "left out", "method", "definition"]
    rows = [
        [
            item.name, text.value(item), numbers.interval(item), str(item.excluded) if item.excluded else "",
            item.method, item.definition,
        ]
        for item in found
    ]  # fmt: skip
    return Table(head, rows, caption or "± is the standard uncertainty as the definition says.", numbers=[1, 2, 3])


def _facts(run: Run, path: Path) -> list[tuple[str, str]]:
    head = run.header
    said = [item.get("identity", {}) for item in head.instruments.values()]
    names = [
        " ".join(str(who.get(k, "")) for k in ("manufacturer", "model", "serial"))
        for who in said
        if isinstance(who, dict)
    ]
    unknown = sum(not note.outcome for note in run.stimuli)
    open_ = f", {unknown} unknown whether applied" if unknown else ""
    facts = [
        ("file", path.name),
        ("end state", f"{run.state}: {run.reason}" if run.reason else run.state),
        ("sample", head.sample or "-"),
        ("bench", _where(run)),
        ("instrument", "; ".join(name.strip() for name in names if name.strip())),
        ("operator", head.operator),
        ("stimuli", f"{len(run.stimuli)} sent{open_}"),
        ("notes", head.notes),
    ]
    return [(name, fact) for name, fact in facts if fact]


def _parameters(run: Run) -> list[tuple[str, str]]:
    items = run.header.parameters.items()
    return [(k, show(p["value"], p["unit"]) if isinstance(p["value"], float) else str(p["value"])) for k, p in items]


def _figures(source: Source) -> Iterator[Figure | Words]:
    """The pictures its recipe declares, as far as the run can give them."""
    from labctl.report import plots

    for kind in plots.shown_for(source.run) if len(source.run) else []:
        try:
            yield plots.figure([source.run], kind)
        except plots.CannotDraw as error:
            yield Words(f"No picture of kind {kind}: {error}.")


# -- where it comes from --------------------------------------------------------------------------------------------------
def _provenance(sources: Sequence[Source]) -> Iterator[Facts | Table | Words]:
    yield Facts(
        [
            ("this report", provenance.command()),
            ("software", ", ".join(f"{name} {version}" for name, version in provenance.software().items())),
            ("the same again", shlex.join(["labctl", "report", *(str(source.path) for source in sources)])),
        ]
    )
    for number, source in enumerate(sources, 1):
        head = source.run.header
        git = f"{head.git.get('commit', '?')}{' (changed)' if head.git.get('dirty') else ''}" if head.git else ""
        facts = [
            (f"run {number}", head.title or head.procedure),
            ("file", str(source.path)),
            ("uuid", head.uuid),
            ("SHA-256 of the file", digest.of_file(source.path)),
            ("SHA-256 of its numbers", digest.of_data(source.run)),
            ("measured by", head.command),
            ("with", ", ".join(f"{name} {version}" for name, version in head.software.items())),
            ("git", git),
        ]
        yield Facts([(name, fact) for name, fact in facts if fact])
    yield Words(
        "The hash of a run's numbers is over its columns in order: name, NUL, dtype, NUL, values (little-endian)."
    )
