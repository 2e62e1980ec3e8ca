"""Current laws: which one a branch follows, its slope, where it is a straight line, what can't be decided."""

from pathlib import Path

import numpy as np
import pytest

from labctl.analysis import conduction, methods
from labctl.analysis.conduction.laws import BOLTZMANN, CHARGE, VACUUM
from labctl.contracts import Status

V = np.linspace(0.3, 1.5, 60)
#: currents (A) at V (V) of every law, with the slope to be found
TRUE = {
    "ohmic": (1e-6 * V, 1.0),
    "SCLC (Child)": (3e-7 * V**2, 2.0),
    "SCLC (traps)": (1e-6 * V**5, 5.0),
    "Schottky": (1e-9 * np.exp(4 * np.sqrt(V)), 4.0),
    "Poole-Frenkel": (1e-9 * V * np.exp(5 * np.sqrt(V)), 5.0),
    "Fowler-Nordheim": (1e-6 * V**2 * np.exp(-3 / V), -3.0),
    "trap-assisted tunnelling": (1e-6 * np.exp(-2 / V), -2.0),
    "direct tunnelling": (1e-6 * V * np.exp(-9 * (2.0**1.5 - (2.0 - V) ** 1.5) / V), -9.0),
}
DATA = Path("../shared/data")


def noisy(current: np.ndarray, seed: int, share: float = 0.03) -> np.ndarray:
    return current * np.exp(share * np.random.default_rng(seed).standard_normal(current.size))


@pytest.mark.parametrize("law", TRUE)
def test_each_law_is_recognised_under_noise_and_in_either_polarity(law: str) -> None:
    current, slope = TRUE[law]
    for seed, sign in ((1, 1), (2, -1), (3, 1)):
        fits = conduction.rank(sign * V, sign * noisy(current, seed))
        assert fits[0].law == law
        assert sum(fit.weight for fit in fits) == pytest.approx(1.0)
        assert fits[0].valid == pytest.approx((0.3, 1.5), abs=0.1)
        if fits[0].law == "direct tunnelling":  # its barrier height is fitted, too, and the slope goes with it
            assert fits[0].slope == pytest.approx(slope, rel=0.2)
        else:
            assert abs(fits[0].slope - slope) <= max(4 * fits[0].error, 1e-12)


def test_noiseless_laws_are_exact() -> None:
    for law, (current, slope) in TRUE.items():
        best = conduction.rank(V, current)[0]
        assert (best.law, best.slope) == (law, pytest.approx(slope, rel=1e-3))
        assert best.rms < 1e-4


@pytest.mark.parametrize(("limits", "spread"), [({}, 0.05), ({"v_min": 0.5, "v_max": 1.3}, 0.2)])
def test_the_fn_slope_is_covered_by_its_interval(limits: dict[str, float], spread: float) -> None:
    current, slope = TRUE["Fowler-Nordheim"]
    hits = 0
    for seed in range(200):
        found = conduction.fowler_nordheim(V, noisy(current, seed, spread), **limits)
        assert found is not None
        hits += found.interval[0] <= slope <= found.interval[1]
    assert hits >= 186  # 93 %
    assert hits < 200  # and no wider than it says


def test_scatter_that_hangs_together_widens_the_interval() -> None:
    rng = np.random.default_rng(5)
    current, slope = TRUE["Fowler-Nordheim"]
    hits = 0
    for _ in range(200):
        white = rng.standard_normal(V.size)
        for k in range(1, V.size):
            white[k] = 0.5 * white[k - 1] + np.sqrt(0.75) * white[k]
        found = conduction.fowler_nordheim(V, current * np.exp(0.05 * white), v_min=0.3)
        assert found is not None
        hits += found.interval[0] <= slope <= found.interval[1]
    assert hits >= 180  # 90 %; taken as independent it would be about 75 %


def test_slopes_of_all_laws_come_with_intervals_and_methods() -> None:
    found = {item.name: item for item in conduction.slopes(V, noisy(TRUE["Poole-Frenkel"][0], 1))}
    slope = found["slope of Poole-Frenkel"]
    assert slope.interval[0] < 5.0 < slope.interval[1]
    assert slope.unit == "V^-1/2"
    assert slope.method == "conduction/slopes@1"
    assert methods.get("FN slope/line").mark == "FN slope/line@1"
    listed = conduction.weights(V, noisy(TRUE["Poole-Frenkel"][0], 1))
    assert listed[0].name == "weight of Poole-Frenkel"
    assert "constant share of the current" in listed[0].definition


def test_rows_in_compliance_are_left_out_and_counted() -> None:
    current, slope = TRUE["Fowler-Nordheim"]
    held = np.minimum(current, 1e-7)
    status = np.where(current > 1e-7, int(Status.COMPLIANCE), int(Status.NORMAL))
    found = conduction.fowler_nordheim(V, held, status)
    assert found is not None
    assert found.value == pytest.approx(slope)
    assert found.excluded == np.count_nonzero(status)
    assert np.all(current[list(found.rows)] <= 1e-7)
    assert conduction.rank(V, held, status)[0].law == "Fowler-Nordheim"
    assert conduction.rank(V, held)[0].law != "Fowler-Nordheim"


def test_the_range_where_each_law_holds_ends_where_the_curve_bends() -> None:
    bend = np.where(V < 0.8, V, 0.8 * (V / 0.8) ** 6) * 1e-6
    fits = {fit.law: fit for fit in conduction.rank(V, noisy(bend, 7, 0.01))}
    assert fits["ohmic"].valid == pytest.approx((0.3, 0.8), abs=0.06)
    assert fits["SCLC (traps)"].valid == pytest.approx((0.8, 1.5), abs=0.06)
    fn = 1e-6 * V**2 * np.exp(-3 / V) + 2e-9 * V  # a leak takes over below
    found = conduction.fowler_nordheim(V, noisy(fn, 7, 0.01))
    assert found is not None
    assert np.min(V[list(found.rows)]) > 0.5


def test_laws_that_cannot_be_told_apart_are_named() -> None:
    narrow = np.linspace(1.0, 1.6, 12)
    best, second = conduction.rank(narrow, noisy(1e-6 * narrow**2.6, 3, 0.1))[:2]
    assert second.delta < 4.0
    assert any(second.law in remark for remark in best.remarks)
    assert any("not told apart" in remark for remark in second.remarks)


def test_it_is_said_when_the_kind_of_scatter_decides() -> None:
    v = np.linspace(0.05, 1.0, 80)
    current = 1e-6 * v**3 + 1e-9  # with an offset, which at small currents is all there is
    best = conduction.rank(v, noisy(current, 4))[0]
    assert best.law != "SCLC (traps)"
    assert any("the kind of scatter decides" in remark and "SCLC (traps)" in remark for remark in best.remarks)


def test_a_curve_that_no_law_follows_is_called_so() -> None:
    fits = conduction.rank(V, 1e-6 * np.sinh(3 * V))
    assert any("no law follows the curve" in remark for remark in fits[0].remarks)


def test_too_little_to_say_anything_says_nothing() -> None:
    assert conduction.rank(V[:7], V[:7]) == []
    assert conduction.rank(np.linspace(1, 1.2, 50), np.linspace(1, 2, 50)) == []  # less than a factor 1.5 of voltage
    assert conduction.rank(V, np.full(V.size, 1e-6)) == []  # a constant current
    assert conduction.rank(np.empty(0), np.empty(0)) == []
    assert conduction.fowler_nordheim(V, 1e-6 * V**2 * np.exp(2 / V)) is None  # the slope is positive
    assert conduction.fowler_nordheim(V, TRUE["Fowler-Nordheim"][0], v_min=1.4) is None  # 5 rows


def test_rows_without_a_usable_current_are_passed_over() -> None:
    current = TRUE["Fowler-Nordheim"][0].copy()
    current[:3] = (np.nan, 0.0, -1e-12)
    found = conduction.fowler_nordheim(V, current)
    assert found is not None
    assert found.value == pytest.approx(-3.0, rel=1e-4)
    assert min(found.rows) == 2 + (found.excluded == 3)
    assert found.excluded in (2, 3)


WIDE = np.linspace(0.1, 2.0, 60)


@pytest.mark.parametrize(("share", "amperes"), [(0.0, 2e-9), (0.02, 5e-9)])
def test_the_fn_slope_is_covered_above_a_noise_floor(share: float, amperes: float) -> None:
    rng, hits = np.random.default_rng(9), 0
    for _ in range(200):
        clean = 1e-5 * WIDE**2 * np.exp(-4 / WIDE) * np.exp(share * rng.standard_normal(60))
        found = conduction.fowler_nordheim(WIDE, clean + amperes * rng.standard_normal(60))
        assert found is not None
        hits += found.interval[0] <= -4 <= found.interval[1]
    assert hits >= 186
    assert found.excluded >= 5
    assert "above a noise of" in found.definition


@pytest.mark.long
def test_a_resistor_in_noise_is_not_ruled_out() -> None:
    rng, out = np.random.default_rng(9), 0
    for _ in range(50):
        fits = {fit.law: fit for fit in conduction.rank(WIDE, 1e-8 * WIDE + 5e-9 * rng.standard_normal(60))}
        out += not fits or fits["ohmic"].delta > 4.0
    assert out <= 6  # by the rows along the voltage alone it would be half of them


def test_a_stray_row_against_the_voltage_is_no_noise() -> None:
    current = TRUE["Fowler-Nordheim"][0].copy()
    current[40] = -1e-7
    found = conduction.fowler_nordheim(V, current)
    assert found is not None
    assert (found.value, found.excluded) == (pytest.approx(-3.0), 1)
    assert "noise" not in found.definition


def slope_of(permittivity: float, thickness: float, pole: float) -> float:
    return CHARGE / (BOLTZMANN * 300) * np.sqrt(CHARGE / (pole * np.pi * VACUUM * permittivity * thickness))


def test_what_a_slope_implies_is_held_against_the_film() -> None:
    layer = conduction.Layer(thickness=200e-9, permittivity=3.9)
    good = 1e-12 * V * np.exp(slope_of(2.1, 200e-9, 1.0) * np.sqrt(V))
    fit = conduction.rank(V, good, layer=layer)[0]
    assert fit.law == "Poole-Frenkel"
    assert fit.implied[0].value == pytest.approx(2.1)
    assert not any("implausible" in remark for remark in fit.remarks)
    bad = 1e-12 * np.exp(slope_of(0.2, 200e-9, 4.0) * np.sqrt(V))
    fit = conduction.rank(V, bad, layer=layer)[0]
    assert (fit.law, fit.implied[0].value) == ("Schottky", pytest.approx(0.2))
    assert any("implausible" in remark for remark in fit.remarks)


def test_a_tunnelling_slope_implies_a_barrier() -> None:
    current = 1e-6 * V**2 * np.exp(-6.8309 * 1.0**1.5 * 2.0 / V)  # 1 eV, 2 nm
    fit = conduction.rank(V, current, layer=conduction.Layer(thickness=2e-9))[0]
    assert fit.implied[0].value == pytest.approx(1.0, rel=1e-3)
    thick = conduction.rank(V, current, layer=conduction.Layer(thickness=200e-9))[0]
    assert any("implausible" in remark for remark in thick.remarks)


def test_the_returning_branch_ends_where_the_cell_lets_go() -> None:
    level = np.concatenate([np.linspace(0, 1, 51), np.linspace(0.98, 0, 50)])
    on = 1e-6 * level**2 * np.exp(-1 / np.maximum(level, 1e-3))
    current = np.where((np.arange(101) > 40) & (level > 0.29), on, 1e-12 * level)
    status = np.where(current > 3e-7, int(Status.COMPLIANCE), 0)
    rows = conduction.returning(level, level, current, status)
    assert level[rows].min() == pytest.approx(0.30, abs=0.011)
    assert np.all(status[rows] == 0)
    assert np.all(rows > 50)
    found = conduction.fowler_nordheim(level[rows], current[rows])
    assert found is not None
    assert found.value == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("name", "loops", "straight"),
    [("iv_loops_2.5V_5x_VIT.txt", 5, "Poole-Frenkel"), ("iv_loops_3.0V_10x_VIT.txt", 10, "ohmic")],
)
def test_real_loops_have_no_fowler_nordheim_and_say_what_is_left_open(name: str, loops: int, straight: str) -> None:
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not here")
    table = np.loadtxt(DATA / name, skiprows=1)
    for loop in np.array_split(table, loops):
        back = loop[np.argmax(loop[:, 0]) : np.argmin(loop[:, 0])]
        back = back[back[:, 0] > 0.05]
        fits = conduction.rank(back[:, 0], back[:, 1])
        assert {"Fowler-Nordheim", "trap-assisted tunnelling"}.isdisjoint(fit.law for fit in fits[:2])
        by_law = {fit.law: fit for fit in fits}
        assert by_law[straight].valid_rows > 0.7 * len(back)
        assert by_law[straight].rms < 0.15
        assert fits[0].remarks
