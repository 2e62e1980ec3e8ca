"""Extraction from measurements of others: an array of RRAM cells, cycled, baked and read, and one cell read 10 000 times."""

import math
from pathlib import Path

import numpy as np
import pytest

from labctl.analysis import retention
from labctl.analysis.endurance import cycling
from labctl.analysis.retention import noise
from labctl.analysis.statistics import distributions, variation

DATA = Path(__file__).parents[1].parent / "shared" / "data"


def load(name: str, delimiter: str | None = None) -> np.ndarray:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not there: measured by others, not part of this project")
    return np.loadtxt(path, delimiter=delimiter)


def test_endurance_of_a_million_cycles() -> None:
    rows = load("rram_array_endurance_1us.tsv")
    found = cycling.checks(rows[:, 3], rows[:, 1], rows[:, 2])
    first, last = cycling.window_at(found, 100), cycling.window_at(found, 1_005_000)
    assert first is not None
    assert last is not None
    assert (first.value, last.value) == (pytest.approx(31.73, abs=0.01), pytest.approx(7.207, abs=0.001))
    assert "1.005e+06 cycles applied, 10050 actually read" in first.definition
    medians = {item.name: item for item in cycling.per_decade(found) if "50%" in item.name}
    fresh, late = (medians[f"window, 50% quantile, {name} cycles"] for name in ("1e4-1e5", "1e5-1e6"))
    assert fresh.value == pytest.approx(12.4, abs=0.1)
    assert late.value == pytest.approx(7.75, abs=0.05)
    assert late.value < fresh.interval[0]  # it did close
    assert "62 independent checks" in late.definition  # of 9000: the window wanders
    assert late.interval == (pytest.approx(6.1, abs=0.1), pytest.approx(10.05, abs=0.1))
    below = cycling.share_below(found, 2.0)
    assert below is not None
    assert below.value == pytest.approx(160 / 10_050)
    died = cycling.failure(found, 2.0)
    assert died is not None
    assert died.interval == (379_600.0, 379_700.0)


def test_a_state_read_ten_thousand_times() -> None:
    """Least squares finds a drift to fifty standard errors; the noise is slow, and there is none that could be told."""
    rows = load("rram_cell_retention_timeseries.csv", ",")
    times = rows[:, 1] - rows[0, 1] + float(np.median(np.diff(rows[:, 1])))
    current = rows[:, 4]
    naive, honest = retention.drift_exponent(times, current, "nu"), retention.drift(times, current, "nu")
    assert naive is not None
    assert honest is not None
    assert naive.value == pytest.approx(0.0071, abs=1e-4)
    assert naive.value > 40 * naive.uncertainty
    assert honest.interval[0] < 0 < honest.value < honest.interval[1] < 0.01
    failure = retention.failure_by_drift(times, current, "t")
    assert failure is not None
    assert math.isnan(failure.value)
    assert failure.interval == (pytest.approx(1e3 * times[-1]), math.inf)
    assert "more is not claimed" in failure.definition
    fast, whole = noise.read_noise(current, "cell")
    assert (fast.value, whole.value) == (pytest.approx(0.0116, abs=1e-4), pytest.approx(0.0161, abs=1e-4))
    levels = noise.levels(current, "cell")
    assert levels is not None
    assert levels.value == 1


def test_a_bake_of_a_thousand_cells() -> None:
    before, after = load("rram_array_prebake.tsv"), load("rram_array_postbake.tsv")
    common, first, second = np.intersect1d(before[:, 0], after[:, 0], return_indices=True)
    factor, spread, correlation = retention.changed(before[first, 1], after[second, 1], "bake")
    assert common.size == 1024
    assert correlation.value == pytest.approx(0.8166, abs=1e-3)
    assert factor.interval[0] < 1.0 < factor.interval[1]
    assert spread.value == pytest.approx(0.741, abs=1e-3)


def test_twenty_thousand_fresh_cells() -> None:
    rows = load("rram_array_fresh_read_map_C2.tsv")
    found = distributions.sample(rows[:, 1], name="R", unit="ohm")
    assert len(found) == 20_074
    median, related = distributions.median(found), distributions.correlation(found)
    assert median is not None
    assert median.value == pytest.approx(60_761, abs=1)
    ranked = distributions.compare(found, families=("normal", "lognormal"))
    assert [item.name for item in ranked] == ["lognormal", "normal"]
    assert ranked[0].fit.scale == pytest.approx(0.1204, abs=1e-4)
    assert ranked[0].p < 0.05  # so many cells tell that it is no lognormal distribution either
    assert related is not None
    assert related.value == pytest.approx(0.737, abs=1e-3)  # neighbours are alike: position on the wafer, not chance


def test_cycles_apart_from_devices_in_a_thousand_cells() -> None:
    rows = load("rram_array_100cyc.tsv")
    cells = rows[:, 0].astype(int)
    low = variation.variation(rows[:, 1], cells, "LRS", logarithmic=True)
    high = variation.variation(rows[:, 2], cells, "HRS", logarithmic=True)
    assert [item.value for item in low] == pytest.approx([0.0429, 0.0617, 0.674], abs=2e-3)
    assert [item.value for item in high] == pytest.approx([1.149, 0.784, 0.318], abs=2e-3)
    assert low[2].interval[0] > 0.6 > 0.4 > high[2].interval[1]  # low states differ by cell, high ones by cycle
