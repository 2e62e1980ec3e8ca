"""(i) Waveform points per second, from the text of ``:PMU:DATA:GET`` to disk, beside NumPy's own parsing and PyVISA's."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa
from pulse_bench import ScriptedCard, connect
from store_runs import writer

from labctl.bench import SimVisaLibrary
from labctl.clocks import VirtualClock
from labctl.contracts import READING_COLUMNS, Block, FloatArray, Measure, SimulatedInstrument, Waveform
from labctl.kxci import NUL
from labctl.kxci.points import WAVEFORM, Points, read_points, write_points
from labctl.link import VisaLink

Compare = Callable[..., dict[str, float]]
Job = Callable[[], object]

_number = count()


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


PAGE, PAGES = 2048, 10  # points of a reply (D 7-7), and different replies
PASSES = 10  # of them, in the benchmarks to disk: a run file costs something at its beginning and end
MANY = PAGE * PAGES
WORD = (
    0x01020061  # an RPM, a waveform, the 10 mA and 10 V ranges, channel 1: without letters, which PyVISA could not read
)


def page(number: int) -> str:
    """A reply to ``:PMU:DATA:GET``, as the simulated card writes it: noisy volts and amperes, six digits."""
    rng = np.random.default_rng(number)
    volts, time = 1.0 + 1e-3 * rng.standard_normal(PAGE), (number * PAGE + np.arange(PAGE)) * 5e-9
    values = np.column_stack([volts, 1e-4 * volts + 1e-7 * rng.standard_normal(PAGE), time])
    return write_points(Points(WAVEFORM, values, np.full((PAGE, 1), WORD, dtype=np.uint32)))


TEXTS = [page(number) for number in range(PAGES)]


class Reciter(SimulatedInstrument):
    """Answers every message with the next page, so that only the client's side costs anything."""

    name = "reciter"

    def __init__(self) -> None:
        self.replies = [text.encode("ascii") + NUL for text in TEXTS]
        self.turn = count()

    @classmethod
    def build(cls, *arguments: object) -> Reciter:
        return cls()

    def feed(self, data: bytes) -> bytes:
        return self.replies[next(self.turn) % PAGES]

    def serial_poll(self) -> int:
        return 0

    def disconnect(self) -> None:
        """Nothing was kept."""


def with_loadtxt(text: str) -> FloatArray:
    """(n, 4); words in hexadecimal."""
    return np.loadtxt(text.split(";"), delimiter=",", converters={3: lambda word: float(int(word, 16))})


def with_fromstring(text: str) -> FloatArray:
    """(n, 4); the words read as decimal numbers, their digits then taken as hexadecimal: right for words without letters."""
    values = np.fromstring(text.replace(";", ","), sep=",").reshape(-1, 4)
    digits, word = values[:, 3].astype(np.int64), np.zeros(len(values), dtype=np.int64)
    for place in range(8):
        word |= digits // 10**place % 10 << 4 * place
    values[:, 3] = word
    return values


def repeat(times: int, query: Job) -> Job:
    def job() -> None:
        for _ in range(times):
            query()

    return job


def each(read: Callable[[str], object]) -> Job:
    def job() -> None:
        for text in TEXTS:
            read(text)

    return job


def same(values: FloatArray, points: Points) -> None:
    np.testing.assert_array_equal(values, np.column_stack([points.values, points.words]))


def test_points_of_a_text(compare: Compare) -> None:
    for text in TEXTS:
        same(with_loadtxt(text), read_points(text))
        same(with_fromstring(text), read_points(text))
    ratios = compare(
        "points, text to arrays",
        MANY,
        numpy_loadtxt=each(with_loadtxt),
        numpy_fromstring=each(with_fromstring),
        read_points=each(read_points),
    )
    assert ratios["read_points"] > 0.5
    assert ratios["read_points"] > 0.5 * ratios["numpy_fromstring"]


def fields(text: str) -> list[str]:
    return text.replace(";", ",").split(",")


def to_disk(blocks: Iterator[Block], folder: Path, total: int) -> None:
    run = writer(folder, f"{next(_number)}.h5", clock=time.monotonic)
    try:
        for block in blocks:
            run.append(block)
        run.finish("finished")
        assert run.rows == total
    finally:
        run.close()


def readings(block: Block) -> Block:
    return Block({column.name: block[column.name] for column in READING_COLUMNS})


def rows(points: Points) -> Block:
    volts, amperes, seconds = points.values.T
    status = np.zeros(len(points), np.int64)
    columns = {"time": seconds, "level": volts, "voltage": volts, "current": amperes, "status": status}
    return Block({name: np.ascontiguousarray(column) for name, column in columns.items()})


def test_points_from_the_wire_to_disk(folder: Path, compare: Compare) -> None:
    resource, clock = "TCPIP0::sim::1225::SOCKET", VirtualClock()
    library = SimVisaLibrary.over({resource: Reciter()}, clock)
    session: Any = pyvisa.ResourceManager(library).open_resource(resource)
    session.read_termination = session.write_termination = "\0"
    session.chunk_size = 1 << 20  # by default it reads in pieces of 20 kB
    link = VisaLink(resource, visa_library=library, write_termination="\0", read_termination="\0", clock=clock)
    ask = f":PMU:DATA:GET 1, 0, {PAGE}"

    def blocks() -> Iterator[Block]:
        return (rows(read_points(link.query(ask))) for _ in range(PAGES * PASSES))

    assert session.query_ascii_values(ask, separator=fields) == [float(field) for field in fields(TEXTS[0])]
    ratios = compare(
        "points, from the wire",
        {
            **dict.fromkeys(("query_ascii_values", "bare_query", "our_link", "link_and_read_points"), MANY),
            "to_run_file": MANY * PASSES,
        },
        query_ascii_values=repeat(PAGES, lambda: session.query_ascii_values(ask, separator=fields, container=np.array)),
        bare_query=repeat(PAGES, lambda: session.query(ask)),
        our_link=repeat(PAGES, lambda: link.query(ask)),
        link_and_read_points=repeat(PAGES, lambda: read_points(link.query(ask))),
        to_run_file=lambda: to_disk(blocks(), folder, MANY * PASSES),
    )
    link.close()
    assert ratios["link_and_read_points"] > 0.6
    assert ratios["to_run_file"] > 0.2


def test_points_through_the_driver_to_disk(folder: Path, compare: Compare) -> None:
    """A waveform of the driver, both channels, beside the reading of as many points' text and no more."""
    card = ScriptedCard()
    card.points = {
        channel: ";".join(TEXTS).replace(f"{WORD:08X}", f"{WORD - 1 + channel:08X}").split(";") for channel in (1, 2)
    }
    _, pulses = connect(card)
    kinds = np.array([Measure.NOTHING, Measure.SAMPLES, Measure.NOTHING])
    wave = Waveform(
        np.array([1e-6, MANY / 2e8, 1e-6]), np.array([0.0, 1.0, 1.0, 0.0]), kinds, current_range=1e-2, sample_rate=2e8
    )
    ratios = compare(
        "points of both channels, through the driver",
        2 * MANY,
        read_points=repeat(2, each(read_points)),
        driver=lambda: list(pulses.play(wave)),
        driver_to_run_file=lambda: to_disk(map(readings, pulses.play(wave)), folder, MANY),
    )
    assert ratios["driver"] > 0.3
    assert ratios["driver_to_run_file"] > 0.1
