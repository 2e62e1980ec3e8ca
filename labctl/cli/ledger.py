"""``labctl ledger``: what was done to every cell so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from labctl.errors import UsageError
from labctl.quantities import show

if TYPE_CHECKING:
    from labctl.ledger import Ledger, Line, Use

HEADINGS = (
    "cell", "formed", "pulses", "cycles", "sweeps", "reads", "V max", "I max", "in compliance", "energy", "touchdowns",
    "unknown", "runs", "last used",
)  # fmt: skip
DEFAULT = Path("runs/ledger.sqlite")  # where `labctl run` keeps it, unless a station or an option says otherwise
_FILE = click.Path(path_type=Path, dir_okay=False)


class _Cells(click.Group):
    """`rebuild` is a command; any other name is a cell's."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        return rebuild if cmd_name == "rebuild" else _cell(cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return ["rebuild"]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([
                ("CELL", "Show a cell's totals, when and how it was formed, and its runs."),
                ("rebuild FOLDER", "Make the ledger anew from the run files in a folder."),
            ])  # fmt: skip


@click.group(
    cls=_Cells,
    invoke_without_command=True,
    subcommand_metavar="[CELL | rebuild FOLDER]",
    epilog="Example: labctl ledger W12/D3-4/C5 --ledger runs/ledger.sqlite",
)
@click.option("--ledger", type=_FILE, help="The ledger's file; default: the station's, or runs/ledger.sqlite.")
@click.option("--station", type=_FILE, help="Station file that says where the ledger is.")
@click.pass_context
def command(ctx: click.Context, ledger: Path | None, station: Path | None) -> int:
    """List every cell that was ever measured, with what was done to it; CELL: one of them, or all below a wafer or die."""
    ctx.obj = ledger, station
    if ctx.invoked_subcommand is not None:
        return 0
    if _given(ctx) is None and not DEFAULT.exists():
        click.echo(
            f"no cells yet: there is no {DEFAULT}; name a ledger with --ledger, or make one: labctl ledger rebuild FOLDER"
        )
        return 0
    _table(_opened(ctx, None), "")
    return 0


def _cell(name: str) -> click.Command:
    @click.pass_context
    def callback(ctx: click.Context, ledger: Path | None) -> int:
        return _show(_opened(ctx, ledger), name)

    option = click.Option(["--ledger"], type=_FILE, help="The ledger's file.")
    text = f"Show what was done to {name}: totals, when and how it was formed, and its runs."
    return click.Command(name, params=[option], callback=callback, help=text, epilog=f"Example: labctl ledger {name}")


@click.command(epilog="Example: labctl ledger rebuild runs")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--ledger", type=_FILE, help="The ledger's file; default: ledger.sqlite in FOLDER.")
@click.pass_context
def rebuild(ctx: click.Context, folder: Path, ledger: Path | None) -> int:
    """Make the ledger anew from the run files in FOLDER and below; journals of runs that died are recovered first.

    Lines whose run files are not there are kept. A damaged ledger is set aside. The exit code is 1 if something was left out.
    """
    from labctl.ledger import NAME, Ledger
    from labctl.ledger import rebuild as make_anew

    given = ledger or _given(ctx)
    found = make_anew(Ledger(given or folder / NAME), folder)
    if found.damaged is not None:
        click.echo(f"the old ledger was damaged; it is now {found.damaged}")
    for words in found.words:
        click.echo(f"labctl: {words}", err=True)
    kept = f"; {found.kept} lines of the old ledger kept, their files were not found" if found.kept else ""
    click.echo(f"{found.entered} runs entered in {given or folder / NAME}{kept}")
    return 1 if found.words else 0


def _given(ctx: click.Context) -> Path | None:
    """The ledger that the options before the command name."""
    from labctl import station

    ledger, station_file = ctx.obj or (None, None)
    return ledger or (station.read(station_file).ledger if station_file else None)


def _opened(ctx: click.Context, ledger: Path | None) -> Ledger:
    """The ledger asked for, with every run that died settled. Raises UsageError if there is none."""
    from labctl.ledger import Ledger, settle

    path = ledger or _given(ctx) or DEFAULT
    if not path.exists():
        raise UsageError(
            f"there is no ledger {path}; name one with --ledger, or make one: labctl ledger rebuild FOLDER"
        )
    found = Ledger(path)
    for words in settle(found):
        click.echo(f"labctl: {words}", err=True)
    return found


def _table(ledger: Ledger, below: str) -> None:
    """Print a line for each cell, or for each below a part of the path."""
    from labctl.ledger import cells

    found = {
        key: lines for key, lines in cells(ledger.lines()).items() if not below or f"{key[0]}/".startswith(f"{below}/")
    }
    if not found and below:
        known = ", ".join(sorted({name for name, _ in cells(ledger.lines())})[:10]) or "none"
        raise UsageError(f"the ledger {ledger.path} has no cell {below!r}; it has {known}")
    rows = [_row(name, simulated, lines) for (name, simulated), lines in found.items()]
    for line in _aligned([list(HEADINGS), *rows]) if rows else [f"no cells in {ledger.path}"]:
        click.echo(line)


def _row(name: str, simulated: bool, lines: Sequence[Line]) -> list[str]:
    use = _total(lines)
    return [
        _title(name, simulated), use.formed[:10] or "-",
        str(use.pulses), str(use.cycles), str(use.sweeps + use.samplings), str(use.reads),
        show(max(use.v_programmed, use.v_measured), "V", 4), show(use.i_measured, "A", 4), show(use.compliance_time, "s", 4),
        show(use.energy, "J", 4), str(use.touchdowns), str(use.unknown), str(len(lines)), use.last_used[:19] or "-",
    ]  # fmt: skip


def _show(ledger: Ledger, text: str) -> int:
    """Print all about one cell; of a part of a path the table of what is below it."""
    from labctl.ledger import cells
    from labctl.station import sample_path

    name = sample_path(text)
    found = cells(ledger.lines(name))
    if not found:
        _table(ledger, name)
        return 0
    for (_, simulated), lines in found.items():
        click.echo(_title(name, simulated))
        for fact, value in _facts(_total(lines)):
            click.echo(f"  {fact:<22}{value}")
        click.echo("  runs")
        rows = [[line.start[:19], line.procedure, line.state, _added(line.use), line.file] for line in lines]
        for row in _aligned(rows):
            click.echo(f"    {row}")
    return 0


def _facts(use: Use) -> list[tuple[str, str]]:
    voltage = f" at {show(use.formed_voltage, 'V')}" if use.formed_voltage is not None else ""
    lower = f"; {use.unmeasured} pulses or tests not measured, or not all of it" if use.unmeasured else ""
    return [
        ("formed", f"{use.formed}, {use.formed_how}{voltage}" if use.formed else "never seen"),
        ("write pulses", str(use.pulses)),
        ("cycles", str(use.cycles)),
        ("sweeps, samplings", f"{use.sweeps}, {use.samplings}"),
        ("reads", str(use.reads)),
        ("greatest |V|", f"{show(use.v_programmed, 'V')} programmed, {show(use.v_measured, 'V')} measured"),
        ("greatest |I|", f"{show(use.i_measured, 'A')} measured"),
        ("time in compliance", show(use.compliance_time, "s")),
        ("energy", f"{show(use.energy, 'J')}{lower}"),
        ("touchdowns", str(use.touchdowns)),
        ("unknown", f"{use.unknown} writes, counted above as if applied" if use.unknown else "0"),
        ("last used", use.last_used or "-"),
    ]


def _added(use: Use) -> str:
    counts = {"pulse": use.pulses, "sweep": use.sweeps, "sampling": use.samplings, "read": use.reads}
    return (
        ", ".join(f"{count} {name}{'s' * (count != 1)}" for name, count in counts.items() if count) or "nothing applied"
    )


def _total(lines: Iterable[Line]) -> Use:
    from labctl.ledger import Use

    return sum((line.use for line in lines), Use())


def _title(name: str, simulated: bool) -> str:
    return f"{name} (simulated)" if simulated else name


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of words as lines, every column as wide as its widest word."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]
