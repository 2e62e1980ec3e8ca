"""The command line. Commands are imported only when they are called, so that ``labctl --help`` stays fast."""

from __future__ import annotations

import importlib
import io
import os
import sys

import click

import labctl
from labctl.errors import LabctlError, LimitError, LocalProtocolError, UsageError

#: command -> (module under labctl.cli, one line of help)
_COMMANDS = {
    "demo": ("demo", "Form and sweep a simulated device: HDF5 files and a picture, no hardware."),
    "run": ("run", "Run a procedure on a station or on a simulated device."),
    "list": ("listing", "List procedures, instruments and simulated devices."),
    "analyze": ("analyze", "Every number of run files, definition beside definition, with uncertainty."),
    "report": ("report", "One HTML file or PDF on runs: what was done, numbers, pictures, provenance."),
    "plot": ("plot", "Pictures of run files, ready to print: PNG, SVG, PDF."),
    "paper": ("paper", "Measure a paper again, on simulated cells: paper against measured, figures, report."),
    "show": ("show", "Show a run file, a device card or a procedure."),
    "serve": ("serve", "Let any KXCI program talk to a simulated 4200 over TCP."),
    "doctor": ("doctor", "Check this machine, and whether a bench answers and is safe."),
    "resume": ("resume", "Continue a run that died, failed or was stopped; nothing is sent twice."),
    "export": ("export", "Write runs as CSV, Parquet, MATLAB, or for simulators of neural networks."),
    "wire": ("wire", "Print what was said to the instruments during a run, and what they answered."),
    "ledger": ("ledger", "Show what was done to every cell so far."),
    "recover": ("recover", "Pack the journals of runs that died into HDF5 files."),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"labctl.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: labctl run iv-sweep --sim device-2 --set compliance=1u --set cycles=5 --seed 1",
)
@click.version_option(labctl.__version__, prog_name="labctl")
def cli() -> None:
    """Memristor characterisation on a Keithley 4200-SCS, on the bench and on a simulated one."""


def main() -> None:
    """Run the command line; errors become one line and an exit code, with the traceback only under LABCTL_DEBUG."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a Windows pipe can't write every character
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        _say("stopped", *getattr(error.__cause__ or error, "__notes__", []))
        sys.exit(130)
    except Exception as error:
        if os.environ.get("LABCTL_DEBUG"):
            raise
        known = isinstance(error, (LabctlError, OSError))
        what = f"{error}" if known else f"internal error, please report it: {type(error).__name__}: {error}"
        _say(what, *getattr(error, "__notes__", []))
        sys.exit(2 if isinstance(error, (UsageError, LimitError, LocalProtocolError)) else 1)
    sys.exit(code if isinstance(code, int) else 0)


def _say(*lines: str) -> None:
    click.echo("\n".join(f"labctl: {line}" for line in lines), err=True)
