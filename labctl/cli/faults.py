"""The option ``--faults`` of ``labctl run`` and ``labctl serve``, and the table of faults in their help."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from labctl.bench import SimBench

NAMES = ["--faults"]
METAVAR = "SPEC"
HELP = "Faults on the simulated wire, e.g. 'lost@25; garbled@DO#2'; see below."


class WithFaults(click.Command):
    """A command whose help ends with the kinds of faults; they are looked up only when somebody asks for help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of faults, then the example."""
        from labctl.bench import fault_plan

        with formatter.section("Faults (--faults 'KIND@WHEN; ...')"):
            formatter.write(fault_plan.table() + "\n")
            formatter.write_paragraph()
            formatter.write_text(
                "WHEN: the number of a message, e.g. 25; the text messages start with, e.g. DO, or DO#2 for the second such; "
                "or p=0.01, the chance of every message (of the same seed the same ones)."
            )
        super().format_epilog(ctx, formatter)


def say_missed(bench: SimBench | None) -> None:
    """Name every fault that was asked for and never happened: it may be misspelt."""
    for words in bench.missed_faults if bench is not None else ():
        click.echo(f"fault {words} never happened", err=True)
