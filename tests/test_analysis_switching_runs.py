"""Whole runs: plain lists cut into loops, tables in slices, what the recipes of loops say of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loop_curves import half_loop, levels, reset, rows_of, threshold

from labctl import plugins, runner, store
from labctl.analysis import loops, switching
from labctl.analysis.switching import split
from labctl.contracts import Extracted, Series, Status
from labctl.procedure import Procedure
from labctl.station import Station, simulated

Table = dict[str, np.ndarray]


def kind_of(name: str) -> type[Procedure]:
    return plugins.load("procedures", name, Procedure)


def read_of(siemens: float, cycle: int, segment: int, status: int = 0) -> Table:
    volts = np.array([0.1])
    return {
        "level": volts, "voltage": volts, "current": volts * siemens, "status": np.array([status]),
        "cycle": np.array([cycle]), "segment": np.array([segment]),
    }  # fmt: skip


def joined(parts: list[Table]) -> Table:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def bipolar(cycles: int = 8, seed: int = 1, reads: bool = True) -> tuple[Table, np.ndarray, np.ndarray]:
    """A memory cell: set at about 0.6 V, reset at about -0.5 V, read after either; the table and both voltages."""
    rng = np.random.default_rng(seed)
    on, off, parts = rng.normal(0.6, 0.03, cycles), -rng.normal(0.5, 0.02, cycles), []
    for number in range(cycles):
        up = half_loop(*threshold(on[number], 0.0, off=1e-7), noise=1e-3, rng=rng, compliance=4e-5)
        down = half_loop(*reset(-off[number], off=1e-7), noise=1e-3, rng=rng)
        parts.append(rows_of(up, number + 1, 1))
        parts += [read_of(1e-4, number + 1, 2)] if reads else []
        parts.append(rows_of(down, number + 1, -1))
        parts += [read_of(1e-7, number + 1, -2)] if reads else []
    return joined(parts), on, off


def named(found: list[Any], name: str, method: str = "") -> Any:
    return next(item for item in found if item.name == name and method in item.method)


# -- plain lists ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("zero_twice", [True, False])
def test_a_plain_list_is_cut_at_zero(zero_twice: bool) -> None:
    loop = np.concatenate([levels(1.0), levels(-2.0)[1:]])
    volts = np.tile(loop, 3) if zero_twice else np.concatenate([loop, loop[1:], loop[1:]])
    halves = split.half_loops(volts)
    assert [float(volts[rows][np.argmax(np.abs(volts[rows]))]) for rows in halves] == [1.0, -2.0] * 3
    assert all(volts[rows.start] == volts[rows.stop - 1] == 0 for rows in halves)
    rows, cycle, segment = split.numbered(volts)
    assert cycle.max() == 3
    assert sorted(set(segment.tolist())) == [-1, 1]
    table = split.table(volts, volts * 1e-6)
    assert len(table["level"]) == rows.size == 6 * 201
    assert len(switching.by_cycle(table, 1)) == len(switching.by_cycle(table, -1)) == 3


def test_loops_that_do_not_reach_zero_are_cut_where_they_turn() -> None:
    once = np.concatenate([np.linspace(0.1, 1, 19), np.linspace(0.95, 0.15, 17)])
    halves = split.half_loops(np.concatenate([once, once, once, [0.1]]))
    assert len(halves) == 3
    assert [rows.stop - rows.start for rows in halves] == [37, 37, 37]


def test_measured_voltages_with_noise_are_cut_too() -> None:
    loop = np.concatenate([levels(1.0), levels(-1.0)[1:]])
    volts = np.tile(loop, 4) + np.random.default_rng(1).normal(0, 1e-4, 4 * loop.size)
    assert len(split.half_loops(volts)) == 8


@pytest.mark.parametrize("volts", [[], [0.0], [0.0, 0.0, 0.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
def test_what_is_no_loop_is_none(volts: list[float]) -> None:
    assert split.half_loops(np.array(volts)) == []
    assert split.table(np.array(volts), np.array(volts))["cycle"].size == 0


# -- slices ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [1, 7, 201, 1000, 10_000])
def test_slices_of_any_size_give_the_same(size: int) -> None:
    table, _, _ = bipolar(4)
    count = len(table["level"])
    pieces = ({name: column[a : a + size] for name, column in table.items()} for a in range(0, count, size))
    whole, sliced = switching.of_tables([table], read=0.1), switching.of_tables(pieces, read=0.1)
    assert repr(sliced.found()) == repr(whole.found())
    assert [rows.stop - rows.start for rows in loops.stretches(table)] == [201, 1, 201, 1] * 4


def test_stretches_over_the_edge_of_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    key = np.repeat(np.arange(40), np.arange(1, 41))
    whole = loops.stretches({"cycle": key})
    monkeypatch.setattr(loops, "PIECE", 7)
    assert loops.stretches({"cycle": key}) == whole
    assert [rows.stop - rows.start for rows in whole] == list(range(1, 41))


# -- runs -----------------------------------------------------------------------------------------------------------------
def test_a_bipolar_memory_cell() -> None:
    table, on, off = bipolar()
    found = kind_of("iv-sweep").analyze(table)
    for name, method, truth in (
        ("V_set", "largest-step", on.mean()),
        ("V_set", "half-closing", on.mean()),
        ("V_set", "knee", on.mean()),
        ("V_reset", "max-current", off.mean()),
        ("V_reset", "largest-drop", off.mean()),
    ):
        item = named(found, name, method)
        assert item.value == pytest.approx(truth, abs=0.011)
        assert item.interval[0] <= truth <= item.interval[1]
    assert not any(item.name in ("V_th", "V_hold") for item in found), "it stays on"
    assert named(found, "LRS", "reads").value == pytest.approx(1e4)
    assert named(found, "HRS", "reads").value == pytest.approx(1e7)
    assert named(found, "window", "reads").value == pytest.approx(1e3)
    assert named(found, "on/off, positive half").value == pytest.approx(1e3, rel=0.02)
    assert named(found, "self-limited").value == 0.0
    assert all(item.method and item.definition for item in found)


def test_series_of_a_memory_cell() -> None:
    table, on, off = bipolar()
    series = kind_of("iv-sweep").per_cycle(table)
    assert named(series, "V_set").values == pytest.approx(on, abs=0.011)
    assert named(series, "V_reset").values == pytest.approx(off, abs=0.011)
    assert named(series, "window").values == pytest.approx(np.full(8, 1e3))
    assert named(series, "V_set").cycles.tolist() == list(range(1, 9))
    names = [item.name for item in series]
    assert len(names) == len(set(names)), "one series a quantity"


def test_loops_that_do_not_switch_are_bounds() -> None:
    rng = np.random.default_rng(2)
    sets = [half_loop(*threshold(at, 0.2, off=1e-10), rng=rng) for at in (0.5, 0.6, 0.7)]
    stays = half_loop(*threshold(2.0, 2.0, off=1e-10), rng=rng)
    table = joined([rows_of(half, number, 1) for number, half in enumerate([*sets, stays], 1)])
    series = named(kind_of("iv-sweep").per_cycle(table), "V_th")
    assert series.censored.tolist() == [False, False, False, True]
    assert series.values[3] == 1.0
    assert named(kind_of("iv-sweep").analyze(table), "V_hold", "largest-drop").value == pytest.approx(0.2, abs=0.011)


def test_a_cell_that_is_on_already_is_no_bound() -> None:
    rng = np.random.default_rng(3)
    first = half_loop(*threshold(0.5, 0.0), rng=rng)
    after = [half_loop(levels(), np.full(201, 1e-4), 1e-3, rng) for _ in range(3)]
    table = joined([rows_of(half, number, 1) for number, half in enumerate([first, *after], 1)])
    series = named(kind_of("iv-sweep").per_cycle(table), "V_set")
    assert not series.censored.any()
    assert np.isnan(series.values).tolist() == [False, True, True, True]


def test_loops_cut_short_are_left_out_and_flagged_rows_counted() -> None:
    table, _, _ = bipolar(4)
    cut = {name: column[:-60] for name, column in table.items()}
    run = switching.of_tables([cut])
    assert run.cut_short == 1
    assert run.sides[-1].total == 3
    flagged = {**table, "status": table["status"].copy()}
    flagged["status"][[5, 6, 210]] = Status.OVERFLOW
    item = named(switching.of_tables([flagged]).found(), "V_set", "half-closing")
    assert item.excluded == 2, "of the positive half loops"
    read = read_of(1.0, 9, 2, int(Status.INVALID))
    assert named(switching.of_tables([joined([table, read])]).found(), "LRS", "reads").excluded == 1


def test_a_run_of_nothing() -> None:
    empty = {name: column[:0] for name, column in bipolar(1)[0].items()}
    for kind in (kind_of("iv-sweep"), kind_of("forming")):
        assert kind.analyze(empty) == []
        assert kind.per_cycle(empty) == []


# -- recipes on the simulated bench ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def device_2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("runs")
    procedure = kind_of("iv-sweep")(compliance=1e-6, cycles=3, v_read=0.1)
    with Station(simulated("device-2"), seed=1) as station:
        station.bench.device.prepare("formed")
        yield runner.run("iv-sweep", procedure, station, runner.run_path(folder, "iv-sweep", "device-2"), seed=1).path


def test_analyze_agrees_with_extract(device_2: Path) -> None:
    columns, kind = store.read(device_2).columns, kind_of("iv-sweep")
    found = kind.analyze(columns)
    for item in kind.extract(columns):
        if item.name in ("V_th", "V_hold"):
            same = named(found, item.name, item.method)
            assert (same.value, same.uncertainty) == (pytest.approx(item.value), pytest.approx(item.uncertainty))
    others = [item.value for item in found if item.name == "V_th"]
    assert len(others) >= 6
    assert np.ptp(others) < 0.1, "the definitions agree on a jump"


def test_a_run_file_cycle_by_cycle(device_2: Path) -> None:
    with store.open_sliced(device_2) as sliced:
        run = switching.of_tables(sliced.cycles(), read=0.1)
    whole = kind_of("iv-sweep").analyze(store.read(device_2).columns)
    assert repr(run.found()) == repr(whole)


def ramp(at: float, end: int = 201, compliance: float = 1e-6) -> Table:
    half = half_loop(*(column[:end] for column in threshold(at, 0.1, rows=201)), compliance=compliance)
    table = rows_of(half, 1, 1)
    del table["cycle"]
    return table


def test_forming_by_every_definition() -> None:
    limited = np.flatnonzero(ramp(0.652)["status"])[0]
    table = ramp(0.652, int(limited) + 1)
    read = read_of(1e-5, 1, 0)
    table = joined([table, {name: read[name] for name in table}])
    found = kind_of("forming").analyze(table)
    voltages = [item for item in found if item.name == "V_form"]
    assert {item.method.partition("@")[0] for item in voltages} >= {
        "V_set/largest-step", "V_set/compliance-onset", "V_set/knee", "V_set/current-threshold", "V_set/steepest-log-slope",
    }  # fmt: skip
    assert all(item.interval[0] <= 0.652 <= item.interval[1] for item in voltages)
    assert named(found, "R after forming").value == pytest.approx(1e5)
    (series,) = kind_of("forming").per_cycle(table)
    assert series.values == pytest.approx([0.655])
    assert not series.censored.any()


def test_a_cell_that_did_not_form_is_a_bound() -> None:
    table = ramp(2.0)
    assert [item.name for item in kind_of("forming").analyze(table)] == []
    (series,) = kind_of("forming").per_cycle(table)
    assert series.values.tolist() == [1.0]
    assert series.censored.tolist() == [True]
    conducting = {**table, "current": table["level"] * 1e-5, "status": np.zeros(201, np.int64)}
    assert kind_of("forming").per_cycle(conducting) == [], "it never had to form"


def test_volatility_says_all_of_each_compliance() -> None:
    rng, parts = np.random.default_rng(4), []
    for number in range(1, 7):
        compliance = 1e-6 if number < 4 else 1e-5
        rows = rows_of(half_loop(*threshold(0.5 + 0.01 * number, 0.2), rng=rng, compliance=compliance), number, 1)
        parts.append({**rows, "compliance": np.full(201, compliance)})
    table = joined(parts)
    found, series = kind_of("volatility").analyze(table), kind_of("volatility").per_cycle(table)
    assert repr(found[:2]) == repr(kind_of("volatility").extract(table))
    assert found[0].name == "volatile at 1 uA"
    assert found[0].method == "volatility/share-switching-anew@1"
    for compliance, truth in (("1 uA", 0.52), ("10 uA", 0.55)):
        item: Extracted = named(found, f"V_th at {compliance}", "half-closing")
        assert item.value == pytest.approx(truth, abs=0.011)
        ends: Series = named(series, f"V_th at {compliance}")
        assert ends.values.size == 3
