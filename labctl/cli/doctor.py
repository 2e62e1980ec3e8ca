"""``labctl doctor``: is this machine fit, and does the bench answer?"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from labctl.errors import LabctlError

Check = Callable[[], str]  # returns what was found; raises LabctlError where it is bad


@click.command(epilog="Example: labctl doctor --station bench.yaml")
@click.option(
    "--station",
    type=click.Path(path_type=Path),
    help="Also open this station, ask who is there, and switch its outputs off.",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder to check for dead runs.",
)
def command(station: Path | None, runs: Path) -> int:
    """Check this machine, and with --station whether the bench can be reached and is safe; exit code 1 if anything is bad."""
    checks: list[tuple[str, Check]] = [
        ("software", _software),
        ("qt", _qt),
        ("visa", _visa),
        ("plug-ins", _plugins),
        ("simulation", _simulation),
        ("dead runs", lambda: _dead_runs(runs)),
    ]
    if station is not None:
        checks.append(("bench", lambda: _bench(station)))
    return 1 if sum(not _passes(name, check) for name, check in checks) else 0


def _passes(name: str, check: Check) -> bool:
    try:
        click.echo(f"ok   {name:<11} {check()}")
    except LabctlError as error:
        click.echo(f"BAD  {name:<11} {error}")
        return False
    return True


def _software() -> str:
    from labctl import provenance

    return ", ".join(f"{name} {version}" for name, version in provenance.software().items() if name != "platform")


def _qt() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("PySide6-Essentials")
    except PackageNotFoundError:
        return "not installed (only the window needs it)"
    if found.startswith("6.12.") and sys.version_info < (3, 12):
        raise LabctlError(
            f"PySide6 {found} crashes Python {sys.version.split()[0]}: pip install 'PySide6-Essentials<6.11'"
        )
    return f"PySide6 {found}"


def _visa() -> str:
    from labctl.link import visa_libraries

    return "; ".join(f"{name} {found}" for name, found in visa_libraries().items())


def _plugins() -> str:
    from labctl import cards, plugins
    from labctl.contracts import SourceMeter
    from labctl.procedure import Procedure

    surveyed = [
        *plugins.survey("procedures", Procedure),  # type: ignore[type-abstract]
        *plugins.survey("instruments", SourceMeter),  # type: ignore[type-abstract]
    ]
    wrong = [*plugins.warnings(), *(str(item) for _, item in surveyed if isinstance(item, Exception)), *_wrong_cards()]
    if wrong:
        raise LabctlError("; ".join(wrong))
    return f"{len(surveyed)} load, {len(cards.paths())} device cards fit their models"


def _wrong_cards() -> list[str]:
    from labctl import cards

    wrong = []
    for name in cards.paths():
        try:
            cards.build(name, None)
        except LabctlError as error:
            wrong.append(str(error))
    return wrong


def _simulation() -> str:
    from labctl.station import Station, simulated

    with Station(simulated("ohmic"), seed=0) as station:
        return f"answers as {station.source_meter.identity()['model']}"


def _dead_runs(folder: Path) -> str:
    from labctl import store

    orphans = store.orphans(folder) if folder.is_dir() else []
    if orphans:
        raise LabctlError(f"{len(orphans)} in {folder}; pack them with 'labctl recover {folder}'")
    return f"none in {folder}"


def _bench(path: Path) -> str:
    from labctl.station import Station, read

    config = read(path)
    with Station(config, sample=None) as station:
        station.make_safe()
        who = [
            f"{name} is {' '.join(str(meter.identity().get(key, '')) for key in ('manufacturer', 'model', 'serial'))}"
            for name, meter in station.instruments.items()
        ]
    limits = station.limits.summary()
    if not limits:
        raise LabctlError(
            f"{'; '.join(who)}; outputs off, but {path} sets no limits: only the instrument's own would hold"
        )
    return f"{'; '.join(who)}; outputs off; limits {limits}; {len(config.samples)} samples with limits of their own"
