"""``labctl resume``: continue a run that died, failed or was stopped, and send nothing a second time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.cli.run import ledger_options
from labctl.errors import UsageError

if TYPE_CHECKING:
    from labctl.procedure import Procedure
    from labctl.station import StationConfig
    from labctl.store import Run


@click.command(
    params=ledger_options(),
    epilog="Example: labctl resume runs/2026-11-24T22-10-03_endurance_W12-D3-4-C5.jrn --station bench.yaml",
)
@click.argument("path", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--station", "station_file", type=click.Path(path_type=Path), help="Station file; not for a simulated run."
)
@click.option("--operator", default="", help="Who measures.")
@click.option("--notes", default="", help="Free text kept with the new run file.")
@click.option("--plot/--no-plot", default=False, help="Save a picture beside the run file.")
@click.option("--quiet", "-q", is_flag=True, help="No progress and limits, only results.")
def command(
    path: Path,
    station_file: Path | None,
    operator: str,
    notes: str,
    plot: bool,
    quiet: bool,
    ledger: Path | None,
    touchdown: bool,
    override_rules: str,
) -> int:
    """Continue RUN (the .h5 or .jrn of a run that died, failed or was stopped) at its next step.

    A new file is written, with everything of RUN in it and the rest after it; RUN itself stays as it is. What was noted as
    sent is never sent again, whether it was answered or not; only a read whose answer was lost is asked again. Where the
    procedure reads the cell (v_read), it is read before anything else is applied. A simulated run goes on with its cell as it
    was.
    """
    from labctl import resume, store
    from labctl.cli.recover import recover_dead
    from labctl.cli.run import EXIT_CODES, check_rules, execute, report, with_ledger
    from labctl.station import Station

    if path.suffix == ".jrn":
        packed = path.with_suffix(".h5")  # somebody may have packed it meanwhile
        path = store.recover(path) if path.exists() else packed
    recover_dead(path.parent)  # a resumed run of this one may have died, too
    run = store.read(path)
    procedure = procedure_of(run)
    config = with_ledger(station_of(run, station_file), ledger)
    resume.check(run)
    resume.check_station(run, config.name)
    head = run.header
    check_rules(config, head.sample, head.procedure, procedure, path, touchdown, override_rules, resumed=True)
    with Station(config, run.header.sample, run.header.seed) as station:
        if station.bench is not None and run.header.setup.get("cell"):
            station.prepare(str(run.header.setup["cell"]))
        for request in procedure.requests():
            station.check(request)
        if not quiet:
            click.echo(
                f"continuing after {len(run)} rows and {len(run.stimuli)} stimuli ({run.state}: {run.reason})", err=True
            )
        about = {"operator": operator, "notes": notes, "earlier": run}
        about |= {"touchdown": touchdown, "override_rules": override_rules}
        result = execute(run.header.procedure, procedure, station, numbered(path), quiet=quiet, **about)
        report(result, plot=plot)
    return EXIT_CODES[result.state]


def procedure_of(run: Run) -> Procedure:
    """The procedure of `run` with its parameters; it must be one that is installed here. Raises UsageError."""
    from labctl import plugins
    from labctl.procedure import Procedure

    name = run.header.procedure
    if name not in plugins.names("procedures"):
        raise UsageError(f"the run's procedure {name!r} is not installed here; see 'labctl list procedures'")
    procedure = plugins.load("procedures", name, Procedure)()  # type: ignore[type-abstract]
    procedure.set({key: item["value"] for key, item in run.header.parameters.items()})
    return procedure


def station_of(run: Run, station_file: Path | None) -> StationConfig:
    """The station to go on with: the file given, or for a simulated run what its header says. Raises UsageError."""
    from labctl import station

    if not run.header.simulated:
        if station_file is None:
            raise UsageError(f"the run was measured on station {run.header.station!r}: give --station FILE")
        return station.read(station_file)
    if station_file is not None:
        config = station.read(station_file)
        if config.simulate is None:
            raise UsageError("the run was simulated; a simulated run can't go on with a real cell")
        return config
    return station.from_record(run.header.setup.get("config"))


def numbered(path: Path) -> Path:
    """The name from which numbers are counted: ``run.h5`` for ``run.h5`` and for ``run.2.h5``."""
    return path.with_name(f"{re.sub(r'[.][0-9]+$', '', path.stem)}.h5")
