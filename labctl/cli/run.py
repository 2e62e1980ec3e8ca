"""``labctl run PROCEDURE``: one sub-command per procedure file, its help made from its parameters."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from labctl import plugins
from labctl.cli import faults as wire_faults
from labctl.cli.recover import recover_dead
from labctl.errors import UsageError
from labctl.quantities import show

if TYPE_CHECKING:
    from labctl.procedure import Procedure
    from labctl.runner import Result
    from labctl.station import Station, StationConfig

EXIT_CODES = {"finished": 0, "failed": 1, "aborted": 130}


class _Procedures(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return plugins.names("procedures")

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        from labctl.procedure import Procedure

        procedure = plugins.load("procedures", cmd_name, Procedure)  # type: ignore[type-abstract]
        return _command(cmd_name.replace("_", "-"), procedure)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Procedures"):
            formatter.write_text(
                ", ".join(self.list_commands(ctx)) + "; 'labctl run NAME --help' lists the parameters of one"
            )


@click.group(
    cls=_Procedures,
    epilog="Example: labctl run iv-sweep --station bench.yaml --sample W12/D3-4/C5 --set v_max=2.0 --set compliance=1u",
)
def command() -> None:
    """Run a procedure on a station or on a simulated device; the exit code is 0 only if the run finished."""


def _command(name: str, procedure: type[Procedure]) -> click.Command:
    options = _options(procedure.cell)

    def callback(**values: Any) -> int:
        return run_command(name, procedure, **values)

    text = f"{inspect.cleandoc(procedure.__doc__ or name)}\n\n\b\n{parameter_table(procedure)}"
    declared = procedure.declared()
    first = next((own for own in vars(procedure) if own in declared), next(iter(declared), "name"))
    epilog = f"Example: labctl run {name} --sim {procedure.device} --seed 1 --set {first}={_example(procedure, first)}"
    return wire_faults.WithFaults(name, params=options, callback=callback, help=text, epilog=epilog)


def _options(cell: str) -> list[click.Parameter]:
    path = click.Path(path_type=Path)
    cells = click.Choice(["pristine", "formed"])
    seeds = click.IntRange(0, 2**32 - 1)
    return [
        click.Option(["--station", "station_file"], type=path, help="Station file of a bench."),
        click.Option(["--sim"], metavar="DEVICE", help="Simulated device instead; see 'labctl list devices'."),
        click.Option(["--sample"], default="", help="Path of the sample, e.g. W12/D3-4/C5; its limits hold."),
        click.Option(
            ["--set", "settings"], multiple=True, metavar="NAME=VALUE", help="Set a parameter (100u, 2.5, 20ms)."
        ),
        click.Option(["--seed"], type=seeds, help="Seed of the simulation; default: drawn and recorded."),
        click.Option(["--cell"], type=cells, help=f"State of the simulated cell before the run [{cell}]."),
        click.Option(wire_faults.NAMES, default="", metavar=wire_faults.METAVAR, help=wire_faults.HELP),
        click.Option(["--out"], type=path, default=Path("runs"), show_default=True, help="Folder, or a new .h5 file."),
        click.Option(["--operator"], default="", help="Who measures."),
        click.Option(["--notes"], default="", help="Free text kept with the run."),
        *ledger_options(),
        click.Option(
            ["--logs/--no-logs"], default=True, help="Keep logs beside the run file; see 'labctl wire' [yes]."
        ),
        click.Option(["--plot/--no-plot"], default=False, help="Save a picture beside the run file."),
        click.Option(["--quiet", "-q"], is_flag=True, help="No progress and limits, only results."),
    ]


def ledger_options() -> list[click.Parameter]:
    """What a run has to do with the ledger of its cell (see 'labctl ledger')."""
    ledger = click.Path(path_type=Path, dir_okay=False)
    where = "Ledger of the cells; default: the station's, or one beside the run files."
    touched = "The probes were set down on the cell for this run: count it."
    overriding = "Go on against the rules on the cell's history; the reason is kept with the run."
    return [
        click.Option(["--ledger"], type=ledger, help=where),
        click.Option(["--touchdown"], is_flag=True, help=touched),
        click.Option(["--override-rules"], default="", metavar="REASON", help=overriding),
    ]


def parameter_table(procedure: type[Procedure]) -> str:
    """Every parameter with default, unit and meaning, one a line."""
    lines = ["Parameters (--set NAME=VALUE):"]
    wide = max((len(name) for name in procedure.declared()), default=0) + 2
    for name, item in procedure.declared().items():
        choices = getattr(item, "choices", None)
        what = f"{item.description}{f' ({chr(124).join(choices)})' if choices else ''}"
        lines.append(f"  {name:<{wide}}{_default(item):<10}{what}")
    return "\n".join(lines)


def _default(item: Any) -> str:
    return (
        show(item.default, getattr(item, "units", "") or "") if isinstance(item.default, float) else str(item.default)
    )


def _example(procedure: type[Procedure], name: str) -> str:
    item = procedure.declared().get(name)
    return _default(item).replace(" ", "") if item is not None else "1"


def run_command(
    name: str,
    kind: type[Procedure],
    station_file: Path | None,
    sim: str | None,
    sample: str,
    settings: Sequence[str],
    seed: int | None,
    cell: str | None,
    out: Path,
    operator: str,
    notes: str,
    plot: bool,
    quiet: bool,
    faults: str = "",
    logs: bool = True,
    ledger: Path | None = None,
    touchdown: bool = False,
    override_rules: str = "",
) -> int:
    """Run one procedure and say how it ended; returns the exit code."""
    from labctl.runner import run_path
    from labctl.station import Station, limits

    procedure = kind()
    procedure.set(parse_settings(settings))
    config = configured(procedure, choose_station(station_file, sim), faults, ledger)
    joined = limits(config, sample)
    procedure.preflight(joined)  # before anything is opened
    seed = secrets.randbelow(2**32) if config.simulate and seed is None else seed
    recover_dead(out.parent if is_run_file(out) else out)
    path = out if is_run_file(out) else run_path(out, name, sample or (sim or config.name))
    check_rules(config, sample, name, procedure, path, touchdown, override_rules)  # likewise
    with Station(config, sample, seed) as station:
        for request in procedure.requests():
            station.check(request)  # now with the limits of the instruments themselves
        if not quiet:
            click.echo(f"limits: {joined.summary() or 'none but those of the instrument'}", err=True)
        if station.bench is not None:
            station.prepare(cell or kind.cell)
        about = {"seed": seed, "operator": operator, "notes": notes, "unique": path != out, "logs": logs}
        about |= {"touchdown": touchdown, "override_rules": override_rules}
        result = execute(name, procedure, station, path, quiet=quiet, **about)
        report(result, plot=plot, station_file=station_file)
    wire_faults.say_missed(station.bench)  # when the outputs are off and all messages are said
    return EXIT_CODES[result.state]


def is_run_file(out: Path) -> bool:
    """Whether `out` names a run file (it ends in .h5), or else a folder for one. Raises UsageError for another file type."""
    if out.suffix == ".h5":
        return True
    if out.suffix.lower() in (".hdf5", ".hdf", ".h5", ".nxs", ".csv", ".txt", ".jrn") and not out.is_dir():
        raise UsageError(f"--out {out}: a run file ends in .h5; anything else is taken for a folder")
    return False


def choose_station(station_file: Path | None, sim: str | None) -> StationConfig:
    """The station to use; exactly one of both must be given. Raises UsageError."""
    from labctl import station

    if (station_file is None) == (sim is None):
        raise UsageError("say where to run: either --station FILE or --sim DEVICE")
    return station.read(station_file) if station_file else station.simulated(sim or "")


def configured(procedure: Procedure, config: StationConfig, faults: str, ledger: Path | None) -> StationConfig:
    """The station `config` with what the procedure says of its circuit and what options ask for. Raises UsageError."""
    config = with_series(config, float(getattr(procedure, "series", 0.0)))
    return with_ledger(with_faults(config, faults), ledger)


def with_ledger(config: StationConfig, ledger: Path | None) -> StationConfig:
    """The same station with another ledger, if one is given."""
    return config if ledger is None else config.model_copy(update={"ledger": ledger})


def with_series(config: StationConfig, series: float) -> StationConfig:
    """The same station, a simulated cell with the resistance (ohm) in series that the procedure says is there."""
    if config.simulate is None or series == 0:
        return config
    settings = dict(config.simulate.settings)
    settings["series_resistance"] = float(settings.get("series_resistance", 0.0)) + series
    simulate = config.simulate.model_copy(update={"settings": settings})
    return config.model_copy(update={"simulate": simulate})


def check_rules(
    config: StationConfig,
    sample: str,
    name: str,
    procedure: Procedure,
    path: Path,
    touchdown: bool = False,
    override_rules: str = "",
    resumed: bool = False,
) -> None:
    """Raise LimitError unless the rules on the history of `sample` allow the run; opens and sends nothing.

    Where there are rules, raises LedgerError, too, if that history can't be read, and says so if it is but a folder's. resumed:
    the run goes on, and adds an unknown part of the procedure's plan. Raises UsageError for a touchdown on no named cell.
    """
    from labctl import ledger
    from labctl.station import ledger_file, rules, sample_path

    if touchdown and not sample_path(sample):
        raise UsageError("--touchdown is counted for a cell: name it with --sample, e.g. --sample W12/D3-4/C5")
    if not (ruled := rules(config, sample)):
        return
    file = ledger_file(config, path, ruled)
    ledger.check(
        ledger.Ledger(file),
        ruled,
        procedure=name,
        cell=sample_path(sample),
        simulated=config.simulate is not None,
        plan=() if resumed else procedure.plan(),
        touchdown=touchdown,
        override=override_rules,
        also=plugins.names_of("procedures", type(procedure)),
    )
    if config.ledger is None:
        click.echo(
            f"labctl: the rules know only what is in {file}; for one history whatever --out is, write 'ledger: FILE' in the"
            " station file, or give --ledger FILE",
            err=True,
        )


def with_faults(config: StationConfig, faults: str) -> StationConfig:
    """The same simulated station with faults on its wire. Raises UsageError for a real one, and for faults there are not."""
    from labctl.bench import fault_plan

    if not faults:
        return config
    if config.simulate is None:
        raise UsageError("--faults disturbs a simulated wire only; give --sim DEVICE, or a station with 'simulate:'")
    fault_plan.parse(faults)
    simulate = config.simulate.model_copy(update={"faults": faults})
    return config.model_copy(update={"simulate": simulate})


def parse_settings(settings: Sequence[str]) -> dict[str, str]:
    """``["v_max=2", …]`` -> {"v_max": "2"}. Raises UsageError for anything without "=" and for doubles."""
    values: dict[str, str] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set {text!r} is not NAME=VALUE, e.g. --set compliance=1u")
        if key.strip() in values:
            raise UsageError(f"--set {key.strip()} is given twice")
        values[key.strip()] = value.strip()
    return values


def execute(
    name: str, procedure: Procedure, station: Station, path: Path, *, quiet: bool = False, **about: Any
) -> Result:
    """Run with progress and an orderly Ctrl-C. about: seed, operator, notes, unique, logs."""
    from labctl import runner
    from labctl.cli.interrupt import Stop
    from labctl.cli.progress import Progress

    with Stop() as stop, Progress(name, procedure.expected_rows(), quiet) as progress:
        return runner.run(name, procedure, station, path, should_stop=stop, listeners=[progress], **about)


def report(result: Result, *, plot: bool = False, station_file: Path | None = None) -> None:
    """Say how a run ended and where it is, what was extracted, and how it is continued if it ended before its time."""
    from labctl import store
    from labctl.cli.advice import how_to_continue
    from labctl.report import text

    words = f"{result.state}: {result.reason}" if result.reason else result.state
    click.echo(f"{words}; {result.rows} rows in {result.path}", err=result.state != "finished")
    run = store.read(result.path)
    for line in (*text.extracted(run, brief=True), *map(text.event, run.events)):
        click.echo(line)
    for line in how_to_continue(run, result.path, station_file):
        click.echo(line, err=True)
    if plot and len(run):
        from labctl.report.plot import save

        click.echo(f"picture: {save([run], result.path.with_suffix('.png'))}")
