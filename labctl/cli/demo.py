"""``labctl demo``: the whole way, without hardware."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(epilog="Example: labctl demo --out my-first-run")
@click.option("--sim", default="device-2", show_default=True, help="Simulated device.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Seed of the simulation.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Folder for the files."
)
def command(sim: str, seed: int, out: Path) -> int:
    """Form a simulated memristor and sweep it ten times, through the real driver and the instrument's own language.

    Leaves two HDF5 run files and a picture.
    """
    from labctl import cards, plugins, store
    from labctl.cli.run import EXIT_CODES, execute, report
    from labctl.procedure import Procedure
    from labctl.report.plot import save
    from labctl.runner import Result, run_path
    from labctl.station import Station, simulated

    config = simulated(sim)
    cards.read(sim)  # an unknown device is refused before anything is said
    click.echo(f"A pristine simulated {sim} between SMU1 and SMU2 of a simulated Keithley 4200 (seed {seed}).")
    results: list[Result] = []
    with Station(config, seed=seed) as station:
        for name, settings in (("forming", {"compliance": 1e-6}), ("iv-sweep", {"compliance": 1e-6, "cycles": 10})):
            kind = plugins.load("procedures", name, Procedure)  # type: ignore[type-abstract]
            procedure = kind(**settings)
            click.echo(f"\n{name}: {(kind.__doc__ or '').splitlines()[0]}")
            result = execute(name, procedure, station, run_path(out, name, sim), seed=seed)
            report(result)
            results.append(result)
            if result.state != "finished":
                return EXIT_CODES[result.state]
    picture = save([store.read(result.path) for result in results], results[-1].path.with_suffix(".png"))
    click.echo(f"\npicture: {picture}\nLook into a file with: labctl show {results[-1].path}")
    return 0
