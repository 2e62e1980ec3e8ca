"""``labctl show``: a run file, a device card or a procedure."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl import plugins
from labctl.errors import UsageError
from labctl.quantities import show

if TYPE_CHECKING:
    from labctl.store import Run


@click.command(epilog="Example: labctl show runs/my-run.h5 --plot my-run.png")
@click.argument("target")
@click.option("--plot", type=click.Path(path_type=Path), help="Also draw the run into this PNG, SVG or PDF file.")
@click.option("--parameters/--no-parameters", default=True, help="With the parameters [yes].")
def command(target: str, plot: Path | None, parameters: bool) -> int:
    """Show TARGET: a run file (.h5, or the .jrn of a run that is on or died), a device card, or a procedure."""
    from labctl import cards

    if Path(target).suffix in (".h5", ".jrn") or Path(target).exists():
        return _run(Path(target), plot, parameters)
    if target in cards.paths():
        return _device(target, plot)
    if target in plugins.names("procedures"):
        return _procedure(target)
    known = [*cards.paths(), *plugins.names("procedures")]
    raise UsageError(f"{target!r} is no run file, device or procedure{plugins.suggestion(target, known)}")


def _run(path: Path, plot: Path | None, parameters: bool) -> int:
    from labctl import store
    from labctl.report import text

    run = store.read(path)
    for name, fact in _facts(run):
        _say(f"{name:<12}{fact}")
    if parameters:
        _say("parameters")
        wide = max(map(len, run.header.parameters), default=0) + 2
        for name, item in run.header.parameters.items():
            value = item["value"]
            _say(f"  {name:<{wide}}{show(value, item['unit']) if isinstance(value, float) else value}")
    if lines := list(text.extracted(run)):
        _say("\n".join(["extracted", *lines]))
    if run.events:
        _say("\n".join(["events", *map(text.event, run.events)]))
    if plot is not None:
        from labctl.report.plot import save

        click.echo(f"picture     {save([run], plot)}")
    return 0


def _say(text: str) -> None:
    """Print what is in a file that may come from anybody: its letters, but nothing that moves a cursor."""
    from labctl.logs.lines import visible

    click.echo("\n".join(map(visible, text.split("\n"))))


def _facts(run: Run) -> list[tuple[str, str]]:
    head = run.header
    said = [item.get("identity", {}) for item in head.instruments.values()]
    identities = [who for who in said if isinstance(who, dict) and "manufacturer" in who]
    instruments = [" ".join(str(who.get(key, "")) for key in ("manufacturer", "model", "serial")) for who in identities]
    facts = [
        ("run", f"{head.title} ({head.uuid})"),
        ("state", f"{run.state}: {run.reason}" if run.reason else run.state),
        ("time", f"{head.start_time} to {run.end_time or '?'}"),
        ("rows", f"{len(run)} of {', '.join(column.heading for column in head.columns)}"),
        ("sample", head.sample or "-"),
        ("operator", head.operator or "-"),
        ("station", f"{head.station}{f' (simulated {head.device}, seed {head.seed})' if head.simulated else ''}"),
        ("instrument", "; ".join(instruments)),
        ("software", ", ".join(f"{k} {v}" for k, v in head.software.items() if k in ("labctl", "python", "pymeasure"))),
        (
            "git",
            f"{str(head.git.get('commit', '?'))[:12]}{' (changed)' if head.git.get('dirty') else ''}"
            if head.git
            else "-",
        ),
        ("command", head.command),
        ("stimuli", "; ".join(_stimuli(run))),
    ]
    facts += [("continues", f"{item['uuid']} after its {item['rows']} rows") for item in head.resumes]
    return [*facts, ("notes", head.notes)] if head.notes else facts


def _stimuli(run: Run) -> Iterator[str]:
    """How many were sent, and those without an outcome."""
    yield f"{len(run.stimuli)} sent"
    open_ = [note.id for note in run.stimuli if not note.outcome]
    if run.state == "running" and open_ and run.stimuli[-1].id == open_[-1]:
        yield f"1 under way (no. {open_.pop()})"
    unknown, reads = _unanswered(run, open_)
    if unknown:
        yield f"{len(unknown)} unknown whether applied (no. {', '.join(map(str, unknown))})"
    if reads:
        words = "reads" if len(reads) > 1 else "read"
        yield f"{len(reads)} {words} without an answer (no. {', '.join(map(str, reads))})"


def _unanswered(run: Run, open_: list[int]) -> tuple[list[int], list[int]]:
    """Of the stimuli `open_`, whose end was not noted, those that may have been applied or not, and reads; without those
    whose rows are all there. Where the notes make no sense all of them are unknown.
    """
    from labctl import resume

    try:
        unknown = set(resume.unknown(run))
        answered = {item.note.id for item in resume.answers(run) if item.complete}
        reads = {note.id for note in run.stimuli if note.details.get("reads", False)}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):  # a file from elsewhere
        return open_, []
    return [n for n in open_ if n in unknown], [n for n in open_ if n in reads - answered]


def _device(name: str, plot: Path | None) -> int:
    from labctl import cards
    from labctl.report.sketch import sketch

    card = cards.read(name)
    cards.build(name, None)  # a card that fits no model is said to be wrong, not shown as if it were right
    click.echo(f"{card.name}: {card.title}\nmodel {card.model}\n")
    wide = max(map(len, card.fields)) + 2
    for field, item in card.fields.items():
        click.echo(f"  {field:<{wide}}{item.value:<12g}{item.unit:<9}{item.meaning}  [{item.source}]")
    run = _typical(name, dict(card.sweep))
    settings = ", ".join(f"{key}={value:g}" for key, value in card.sweep.items())
    click.echo(f"\n|I| against the applied voltage, formed cell, iv-sweep {settings}:")
    click.echo("\n".join(sketch(run["level"], run["current"], ("V", "A"))))
    if plot is not None:
        from labctl.report.plot import save

        click.echo(f"picture     {save([run], plot)}")
    return 0


def _typical(name: str, settings: dict[str, float]) -> Run:
    """An I-V loop of the nominal cell, measured through the simulated instrument."""
    import tempfile

    from labctl import runner, store
    from labctl.procedure import Procedure
    from labctl.station import Station, simulated

    kind = plugins.load("procedures", "iv-sweep", Procedure)  # type: ignore[type-abstract]
    with tempfile.TemporaryDirectory() as folder, Station(simulated(name)) as station:
        assert station.bench is not None
        station.bench.device.prepare("formed")
        result = runner.run("iv-sweep", kind(**settings), station, Path(folder) / "typical.h5")
        return store.read(result.path)


def _procedure(name: str) -> int:
    from labctl.cli.run import parameter_table
    from labctl.procedure import Procedure

    kind = plugins.load("procedures", name, Procedure)  # type: ignore[type-abstract]
    click.echo(f"{name}: {inspect.cleandoc(kind.__doc__ or '')}\n\n{parameter_table(kind)}\n\nColumns:")
    wide = max(len(column.heading) for column in kind.columns) + 2
    for column in kind.columns:
        click.echo(f"  {column.heading:<{wide}}{column.meaning}")
    return 0
