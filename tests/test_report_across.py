"""What many runs say together: each cell once, bounds as bounds, lives in the order they were lived."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from labctl.contracts import Extracted, Series
from labctl.report import across
from labctl.report.document import Table
from labctl.report.numbers import Numbers

NAN, INF = math.nan, math.inf


def run(
    cell: str,
    uuid: str = "",
    start: str = "2026-11-24T10:00:00+01:00",
    resumes: tuple[str, ...] = (),
    **parameters: Any,
) -> Any:
    head = SimpleNamespace(
        sample=cell, uuid=uuid or cell, start_time=start, resumes=[{"uuid": item} for item in resumes], parameters=parameters,
        procedure="iv-sweep", simulated=False, device="", station="bench",
    )  # fmt: skip
    return SimpleNamespace(header=head)


def number(
    value: float, interval: tuple[float, float] = (NAN, NAN), name: str = "x", method: str = "x/y@1"
) -> Extracted:
    return Extracted(name, value, "V", NAN, "words", (), interval, 0, method)


def series(values: list[float], censored: list[bool] | None = None) -> Series:
    known = np.array(values)
    flags = np.zeros(known.size, bool) if censored is None else np.array(censored)
    return Series("V_set", "V", np.arange(known.size), known, flags, "words", "V_set/x@1")


def rows(pairs: list[tuple[Any, Numbers]], caption: str) -> list[list[str]]:
    (section,) = across.sections(pairs, lambda what: None) or [None]
    if section is None:
        return []
    return [
        list(row)
        for block in section.blocks
        if isinstance(block, Table) and caption in block.caption
        for row in block.rows
    ]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(across, "_drawn", lambda pool: [])


def test_runs_with_other_parameters_are_not_put_together() -> None:
    pairs = [(run("A", v=1), Numbers()), (run("B", v=1), Numbers()), (run("C", v=2), Numbers())]
    (pool,) = across.pools(pairs)
    assert pool.places == (1, 2)


def test_a_copy_and_a_run_that_another_continues_count_once() -> None:
    pairs = [
        (run("A"), Numbers()),
        (run("A"), Numbers()),
        (run("B", "b1"), Numbers()),
        (run("B", "b2", resumes=("b1",)), Numbers()),
    ]
    (pool,) = across.pools(pairs)
    assert pool.places == (1, 4)
    assert across.uncounted([item for item, _ in pairs]) == [1, 2]


def test_survivors_are_in_the_median_over_cells() -> None:
    failed = [(run(f"f{n}"), Numbers((number(1e3 + n, (900.0, 1100.0)),))) for n in range(2)]
    alive = [(run(f"s{n}"), Numbers((number(NAN, (1e6, INF)),))) for n in range(8)]
    ((_, cells, bounds, median, interval, least, greatest, _),) = rows(failed + alive, "One number a cell")
    assert (cells, bounds, median, interval) == ("10", "8", "not reached", "")
    assert (least, greatest) == ("1 kV", "1 MV")


def test_floors_open_the_interval_of_the_median() -> None:
    known = [(run(f"k{n}"), Numbers((number(10.0 + n),))) for n in range(5)]
    floor = [(run(f"b{n}"), Numbers((number(1e3, (1e3, INF)),))) for n in range(4)]
    ((_, cells, bounds, median, interval, *_),) = rows(known + floor, "One number a cell")
    assert (cells, bounds, median) == ("9", "4", "14 V")
    assert interval.startswith("at least")


def test_a_cell_counts_once_with_the_mean_of_its_runs() -> None:
    pairs = [
        (run("A", "1"), Numbers((number(1.0),))),
        (run("A", "2"), Numbers((number(3.0),))),
        (run("B"), Numbers((number(4.0),))),
    ]
    ((_, cells, _, median, *_),) = rows(pairs, "One number a cell")
    assert (cells, median) == ("2", "3 V")


def test_negative_numbers_keep_their_sign() -> None:
    pairs = [(run(f"c{n}"), Numbers((number(-1.0 - 0.1 * n),))) for n in range(9)]
    ((_, _, _, median, interval, least, greatest, _),) = rows(pairs, "One number a cell")
    assert (median, least, greatest) == ("-1.4 V", "-1.8 V", "-1 V")
    assert interval == "-1.7 V to -1.1 V"


def test_cells_without_a_value_are_named_and_take_the_interval_away() -> None:
    rng = np.random.default_rng(1)
    pairs = [(run(f"c{n}"), Numbers(series=(series(list(rng.normal(0.9, 0.05, 6))),))) for n in range(4)]
    whole = rows(pairs, "cycle to cycle")
    assert all(row[2] for row in whole)
    dead = [(run("d"), Numbers(series=(series([1.0] * 6, [True] * 6),))), (run("e"), Numbers())]
    found = rows(pairs + dead, "cycle to cycle")
    assert [row[0] for row in found] == [row[0] for row in whole]
    assert not any(row[2] for row in found)
    assert all("6 values that are only bounds and 2 cells that give no value" in row[4] for row in found)


def test_what_is_spread_over_decades_is_taken_by_its_logarithm() -> None:
    rng = np.random.default_rng(2)
    pairs = [(run(f"c{n}"), Numbers(series=(series(list(np.exp(rng.normal(9 + n, 0.3, 5)))),))) for n in range(4)]
    found = {row[0]: row for row in rows(pairs, "cycle to cycle")}
    assert "sigma_C2C of ln V_set" in found
    mean = next(row for name, row in found.items() if "mean over cells" in name)
    assert mean[4].startswith("geometric mean")


def life(survived: float, failed: float, applied: float) -> Numbers:
    ended = number(NAN, (survived, failed), "failure cycle", "life/interval-censored@1")
    return Numbers((ended, number(applied, name="cycles applied", method="cycles/applied-and-read@1")))


def test_lives_add_up_until_the_first_failure_whatever_the_order_of_the_files() -> None:
    first, second = life(1000, INF, 1000), life(400, 500, 600)
    assert across._life([first, second]) == across.Life(1400, 1500)
    assert across._life([second, first]) == across.Life(400, 500)
    assert across._life([Numbers()]) is None
    early, late = "2026-11-24T10:00:00+01:00", "2026-11-25T10:00:00+01:00"
    made = []
    for n in range(8):
        made += [
            (run(f"c{n}", f"{n}b", late), life(10, 20, 30)),
            (run(f"c{n}", f"{n}a", early), life(900 + 90 * n, 1000 + 90 * n, 2000)),
        ]
    scale = next(row for row in rows(made, "Lives of 8 cells") if row[0] == "characteristic life")
    again = next(row for row in rows(made[::-1], "Lives of 8 cells") if row[0] == "characteristic life")
    assert scale == again
    assert 1200 < float(scale[1].split()[0]) < 1600
