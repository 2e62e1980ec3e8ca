"""``labctl serve``: a simulated 4200 behind TCP, for any KXCI program."""

from __future__ import annotations

import math
import secrets
from pathlib import Path

import click

from labctl.cli import faults as wire_faults
from labctl.errors import UsageError


@click.command(cls=wire_faults.WithFaults, epilog="Example: labctl serve --sim device-2 --port 1225 --seed 1")
@click.option("--sim", required=True, metavar="DEVICE", help="Simulated device between SMU1 and SMU2.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=1225, show_default=True, help="TCP port; 0 takes a free one."
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to bind; others can reach what is not loopback."
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of cell and noise; default: drawn and printed.")
@click.option(
    "--cell",
    type=click.Choice(["pristine", "formed"]),
    default="pristine",
    show_default=True,
    help="State of the cell.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Simulated seconds per second.",
)
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting of the simulated instrument.")
@click.option(*wire_faults.NAMES, default="", metavar=wire_faults.METAVAR, help=wire_faults.HELP)
@click.option("--port-file", type=click.Path(path_type=Path), help="Write the port here once clients may connect.")
def command(
    sim: str,
    port: int,
    host: str,
    seed: int | None,
    cell: str,
    speed: float,
    settings: tuple[str, ...],
    faults: str,
    port_file: Path | None,
) -> int:
    """Let any KXCI program talk to a simulated Keithley 4200 over TCP (messages end with NUL) until Ctrl-C."""
    from labctl import cards, yaml
    from labctl.bench import SimBench, TcpDoor
    from labctl.cli.run import parse_settings
    from labctl.clocks import WallClock

    if not math.isfinite(speed):
        raise UsageError(f"--speed {speed} is not a finite number")
    seed = secrets.randbelow(2**32) if seed is None else seed
    choices = {name: yaml.scalar(value) for name, value in parse_settings(settings).items()}
    device = cards.build(sim, seed)
    device.prepare(cell)
    bench = SimBench(device, seed=seed, settings=choices, clock=WallClock(speed), faults=faults)
    door = TcpDoor(bench.far_side, host=host, port=port)

    def ready(bound: int) -> None:
        click.echo(f"simulated 4200 with a {cell} {sim} (seed {seed}): TCPIP0::{host}::{bound}::SOCKET, Ctrl-C ends it")
        if port_file is not None:
            port_file.write_text(f"{bound}\n", encoding="ascii")

    try:
        door.serve_forever(ready)
    except KeyboardInterrupt:
        click.echo("closed", err=True)
        wire_faults.say_missed(bench)
    return 0
