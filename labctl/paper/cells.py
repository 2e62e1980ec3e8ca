"""Which cells are measured: drawn ones, each with a seed that follows from the run's, and the nominal one.

A drawn cell is one of a batch: its particle size, barriers and speeds differ from the card's. The nominal cell has the card's
own numbers and sits on an instrument without noise; it is measured beside the others. Rows of pulse trains are judged on it and
say so; nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

from labctl.station import Station, StationConfig, simulated

NOMINAL = 0  #: the number of the nominal cell; drawn ones count from 1
CELLS = 8  #: drawn cells of every device: as many as Kim 2022 compares (figure S11)


def seed_of(seed: int, device: str, number: int) -> int | None:
    """The seed of a cell: of a hash of `seed`, the device's name and the cell's number; None for the nominal cell.

    The same on every machine, whatever else is measured. Cell 3 of a device is the same cell in every experiment.
    """
    from numpy.random import SeedSequence

    if number == NOMINAL:
        return None
    return int(SeedSequence([seed, crc32(device.encode()), number]).generate_state(1)[0])


def named(number: int) -> str:
    """A cell's name: "nominal", "cell-3"."""
    return "nominal" if number == NOMINAL else f"cell-{number}"


@contextmanager
def on_bench(device: str, number: int, seed: int) -> Iterator[Station]:
    """A station with a pristine cell of `device` on a simulated 4200, outputs off at the end; `seed`: of the whole run."""
    with Station(unwatched(simulated(device)), seed=seed_of(seed, device, number)) as station:
        station.prepare("pristine")
        yield station


def unwatched(config: StationConfig) -> StationConfig:
    """The same station, without reading points while a sweep runs: nobody watches, and all are fetched at its end."""
    meters = {
        name: meter.model_copy(update={"options": {**meter.options, "live": False}})
        for name, meter in config.instruments.items()
    }
    return config.model_copy(update={"instruments": meters})
