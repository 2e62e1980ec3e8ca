"""``labctl list``: what there is."""

from __future__ import annotations

import click

from labctl import plugins


@click.command(epilog="Example: labctl list devices")
@click.argument("what", type=click.Choice(["all", "procedures", "instruments", "devices"]), default="all")
def command(what: str) -> int:
    """List procedures, instruments and simulated devices; a plug-in that can't be loaded is reported."""
    for warning in plugins.warnings():
        click.echo(f"labctl: {warning}", err=True)
    broken = 0
    if what in ("all", "procedures"):
        broken += _procedures()
    if what in ("all", "instruments"):
        broken += _instruments()
    if what in ("all", "devices"):
        broken += _devices()
    return 1 if broken else 0


def _procedures() -> int:
    from labctl.procedure import Procedure

    click.echo("Procedures (labctl run NAME):")
    found = plugins.survey("procedures", Procedure)  # type: ignore[type-abstract]
    return _print([(name, item if isinstance(item, Exception) else _first_line(item)) for name, item in found])


def _instruments() -> int:
    from labctl.contracts import SourceMeter

    click.echo("Instruments (driver: in a station file):")
    found = plugins.survey("instruments", SourceMeter)  # type: ignore[type-abstract]
    return _print([(n, item if isinstance(item, Exception) else item.title or _first_line(item)) for n, item in found])


def _devices() -> int:
    from labctl import cards
    from labctl.errors import UsageError

    click.echo("Simulated devices (--sim NAME):")
    rows: list[tuple[str, str | Exception]] = []
    for name in sorted(cards.paths()):
        try:
            rows.append((name, cards.read(name).title))
        except UsageError as error:
            rows.append((name, error))
    return _print(rows)


def _first_line(item: type) -> str:
    return (item.__doc__ or "").strip().partition("\n")[0]


def _print(rows: list[tuple[str, str | Exception]]) -> int:
    wide = max((len(name) for name, _ in rows), default=0) + 2
    for name, text in rows:
        broken = f"BROKEN: {text}" if isinstance(text, Exception) else text
        click.echo(f"  {name:<{wide}}{broken}")
    return sum(isinstance(text, Exception) for _, text in rows)
