"""Nonlinearity, asymmetry and variation of conductance by the definitions in use: known answers, coverage, real data."""

from pathlib import Path

import numpy as np
import pytest

from labctl.analysis import plasticity
from labctl.analysis.plasticity import curves
from labctl.analysis.plasticity import run as plasticity_run
from labctl.analysis.plasticity import targets as plasticity_targets
from labctl.contracts import Status
from labctl.recipe_parts import Kind

U = np.linspace(0, 1, 31)
SMALL, LARGE = 1e-6, 6e-6  # S
DATA = Path("../shared/data/pd_up_down_gong_et_al.csv")


@pytest.mark.parametrize(
    ("a", "label"),
    [(126.268958, 0.01), (25.253264, 0.05), (2.519877, 0.5), (1.251653, 1.0), (0.024129, 8.95), (0.022810, 9.0)],
)
def test_the_label_is_that_of_neurosims_table(a: float, label: float) -> None:
    assert curves.label_of(1 / a) == pytest.approx(label, rel=2e-5)  # as far as the table is printed
    assert curves.label_of(-1 / a) == pytest.approx(-label, rel=2e-5)


def branch(law: str, number: float, up: bool) -> np.ndarray:
    first, last = (SMALL, LARGE) if up else (LARGE, SMALL)
    if law == "alpha":
        return curves.power(U, number, first, last)
    return first + (last - first) * getattr(curves, law)(U, number)


def neurosim_a(conductances: np.ndarray, name: str) -> curves.Extracted | None:
    return curves.neurosim_a(curves.label(conductances, name), name)


LAWS = [
    (curves.label, "exponential", 2.5, curves.label_of(2.5)),
    (neurosim_a, "exponential", 2.5, 0.4),
    (curves.querlioz_beta, "logarithmic", 1.5, 1.5),
    pytest.param(curves.alpha, "alpha", 2.5, 2.5, marks=pytest.mark.long),
    (curves.alpha, "alpha", -0.7, -0.7),
]


@pytest.mark.parametrize(("figure", "law", "number", "answer"), LAWS)
@pytest.mark.parametrize("up", [True, False])
def test_the_number_behind_a_curve_is_found(figure: object, law: str, number: float, answer: float, up: bool) -> None:
    signed = answer if up or law in ("logarithmic", "alpha") else -answer  # NeuroSim's are negative for depression
    found = figure(branch(law, number, up), "x")  # type: ignore[operator]
    assert found.value == pytest.approx(signed, rel=1e-4)
    assert found.method.startswith("nonlinearity/")
    assert "31 of 31 levels" in found.definition


@pytest.mark.parametrize(("figure", "law", "number", "answer"), LAWS[:4])
def test_intervals_cover(figure: object, law: str, number: float, answer: float) -> None:
    rng = np.random.default_rng(2)
    clean, hits = branch(law, number, True), 0
    for _ in range(200):
        found = figure(clean + 0.02 * (LARGE - SMALL) * rng.standard_normal(U.size), "x")  # type: ignore[operator]
        hits += found.interval[0] <= answer <= found.interval[1]
    assert hits >= (186 if figure is curves.alpha else 190)  # those of noise of either kind are wider for reads alone


def test_a_straight_line_has_label_0_alpha_1_and_no_finite_a() -> None:
    rng = np.random.default_rng(3)
    values = branch("exponential", 0.0, True) + 1e-8 * rng.standard_normal(U.size)
    label, power = curves.label(values, "x"), curves.alpha(values, "x")
    assert label is not None
    assert label.interval[0] < 0 < label.interval[1]
    assert power is not None
    assert power.interval[0] < 1 < power.interval[1]
    a = neurosim_a(values, "x")
    assert a is None or np.isnan(a.interval).all()


@pytest.mark.parametrize("figure", [curves.label, neurosim_a, curves.querlioz_beta, curves.alpha])
@pytest.mark.parametrize(
    "values",
    [
        np.array([1.0, 2, 3, 4]),
        np.full(20, 1e-6),
        np.random.default_rng(1).standard_normal(200) * 1e-7 + 1e-6,
        np.full(9, np.nan),
        np.empty(0),
    ],
    ids=["few", "constant", "noise", "unread", "nothing"],
)
def test_what_is_no_branch_has_no_number(figure: object, values: np.ndarray) -> None:
    assert figure(values, "x") is None  # type: ignore[operator]


def test_a_jump_is_called_one_and_alpha_needs_positive_conductances() -> None:
    jump = np.where(U > 0, LARGE, SMALL)
    found = curves.label(jump, "x")
    assert found is not None
    assert "single jump" in found.definition
    assert found.value > 8
    assert curves.alpha(branch("exponential", 2.0, True) - 2e-6, "x") is None


def test_a_law_that_does_not_hold_says_so_and_widens() -> None:
    wavy = branch("exponential", 1.0, True) + 0.1 * (LARGE - SMALL) * np.sin(2 * np.pi * U)
    found = curves.label(wavy, "x")
    assert found is not None
    assert "not quite this law" in found.definition
    assert found.interval[1] - found.interval[0] > 2


def test_lost_reads_keep_their_place() -> None:
    values = branch("exponential", 2.5, True)
    values[[0, 7, 20]] = np.nan
    found = curves.label(values, "x")
    assert found is not None
    assert found.value == pytest.approx(curves.label_of(2.5), rel=1e-4)
    assert "28 of 31 levels" in found.definition


def test_cycle_variation_is_that_of_the_steps_and_its_interval_covers() -> None:
    rng = np.random.default_rng(4)
    hits, seen = 0, []
    for _ in range(200):
        steps = 1.0 / 30 + 0.02 * rng.standard_normal((5, 30))
        found = plasticity.cycle_variation([np.concatenate([[0], np.cumsum(item)]) for item in steps], "x")
        assert found is not None
        true = 0.02 / np.ptp(np.concatenate([np.zeros((5, 1)), np.cumsum(steps, axis=1)], axis=1).mean(axis=0))
        hits += found.interval[0] <= true <= found.interval[1]
        seen.append(found.value)
    assert np.mean(seen) == pytest.approx(0.02, rel=0.05)
    assert hits >= 186


def test_scatter_of_reads_is_covered_too_though_it_couples_neighbouring_steps() -> None:
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(200):
        table = np.linspace(0, 1, 31) + 0.02 * rng.standard_normal((5, 31))
        found = plasticity.cycle_variation(list(table), "x")
        assert found is not None
        true = 0.02 * np.sqrt(2) / np.ptp(table.mean(axis=0))
        hits += found.interval[0] <= true <= found.interval[1]
    assert hits >= 186


def test_cycle_variation_covers_where_whole_cycles_scale() -> None:
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(200):
        steps = (1.0 + 0.2 * rng.standard_normal((8, 1))) * np.full((8, 30), 1.0 / 30)
        table = np.concatenate([np.zeros((8, 1)), np.cumsum(steps, axis=1)], axis=1)
        found = plasticity.cycle_variation(list(table), "x")
        assert found is not None
        hits += found.interval[0] <= 0.2 / 30 / np.ptp(table.mean(axis=0)) <= found.interval[1]
    assert hits >= 186
    few = plasticity.cycle_variation(list(table[:4]), "x")
    assert few is not None
    assert np.isnan(few.interval).all()
    assert "fewer than 5 cycles" in few.definition


@pytest.mark.parametrize(
    ("read", "step"),
    [pytest.param(0.01, 0.0035, marks=pytest.mark.long), pytest.param(0.0, 0.004, marks=pytest.mark.long)],
)
def test_the_label_of_one_branch_is_covered_where_steps_scatter_too(read: float, step: float) -> None:
    rng, u, hits = np.random.default_rng(9), np.linspace(0, 1, 61), 0
    for _ in range(200):
        kept = np.concatenate([[0.0], np.cumsum(step * rng.standard_normal(60))])
        values = 0.1 + curves.exponential(u, 3.0) + kept + read * rng.standard_normal(61)
        found = curves.label(values, "x")
        assert found is not None
        hits += found.interval[0] <= curves.label_of(3.0) <= found.interval[1]
    assert hits >= 186


def test_cycle_variation_needs_two_cycles_of_equal_branches() -> None:
    assert plasticity.cycle_variation([np.arange(5.0)], "x") is None
    assert plasticity.cycle_variation([np.arange(5.0), np.arange(6.0)], "x") is None
    assert plasticity.cycle_variation([], "x") is None
    assert plasticity.cycle_variation([np.ones(5), np.ones(5)], "x") is None


def test_the_mean_over_cycles_has_an_interval_that_covers() -> None:
    rng = np.random.default_rng(6)
    hits = 0
    for _ in range(200):
        numbers = 2.0 + 0.3 * rng.standard_normal(5)
        found = plasticity.over_cycles([curves.Extracted("x", number, "", 0.0, "d") for number in numbers])
        assert found is not None
        hits += found.interval[0] <= 2.0 <= found.interval[1]
    assert hits >= 186


def test_asymmetry_by_three_definitions() -> None:
    up, down = branch("exponential", 2.5, True), branch("exponential", 2.5, False)
    ratio = plasticity.asymmetric_ratio(up, down)
    assert ratio is not None
    assert ratio.value == pytest.approx(np.max(np.abs(up - down[::-1])) / (LARGE - SMALL))
    difference = plasticity.label_difference(curves.label(up, "p"), curves.label(down, "d"))
    assert difference is not None
    assert difference.value == pytest.approx(2 * curves.label_of(2.5), rel=1e-4)
    assert difference.method == "asymmetry/labels@1"
    even = plasticity.asymmetric_ratio(up, up[::-1])
    assert even is not None
    assert even.value == pytest.approx(0)
    assert plasticity.label_difference(None, difference) is None
    assert plasticity.asymmetric_ratio(up, down[:5]) is None


def table(cycles: int, a: float = 2.0, repeats: int = 1, seed: int = 1) -> dict[str, np.ndarray]:
    """Reads of a run, as `potentiation-depression` stores them."""
    rng = np.random.default_rng(seed)
    parts = [(1, 0, 0, [SMALL])]
    for cycle in range(1, cycles + 1):
        for sign in (1, -1):
            values = branch("exponential", a, sign > 0)[1:]
            parts += [(cycle, sign, pulse, [values[pulse - 1]] * repeats) for pulse in range(1, U.size)]
    rows = [(c, s, p, g) for c, s, p, gs in parts for g in gs]
    cycle, segment, pulse, conductance = (np.array(item) for item in zip(*rows, strict=True))
    noisy = conductance + 0.01 * (LARGE - SMALL) * rng.standard_normal(conductance.size)
    status = np.zeros(cycle.size, dtype=np.int64)
    columns = {"cycle": cycle, "segment": segment, "pulse": pulse, "conductance": noisy, "status": status}
    return {**columns, "kind": np.zeros(cycle.size, np.int64), "elapsed": np.arange(float(cycle.size))}


def test_a_whole_run_is_analysed_by_every_definition() -> None:
    found = {item.name: item for item in plasticity_run.analyze(table(cycles=4, seed=2))}
    label = curves.label_of(2.0)
    assert found["nonlinearity label of potentiation"].value == pytest.approx(label, abs=0.3)
    assert found["nonlinearity label of depression"].value == pytest.approx(-label, abs=0.3)
    low, high = found["nonlinearity label of potentiation"].interval
    assert low < label < high
    assert found["cycle variation of depression"].value == pytest.approx(0.01 * np.sqrt(2), rel=0.3)
    assert found["asymmetry of the labels"].value == pytest.approx(2 * label, abs=0.5)
    wanted = (
        "alpha of",
        "beta of",
        "NeuroSim A of",
        "linearity of",
        "nonlinearity of",
        "dynamic range of",
        "levels of",
    )
    for name in wanted:
        assert any(key.startswith(name) for key in found), name
    assert all(item.method for item in found.values())


def test_intervals_of_means_stay_where_the_quantity_can_be() -> None:
    found = {item.name: item for item in plasticity_run.analyze(table(cycles=2, a=0.3, seed=3))}
    assert found["linearity of potentiation"].interval[1] == 1.0
    assert found["nonlinearity of potentiation"].interval[0] >= 0.0
    assert found["dynamic range of depression"].interval[0] >= 1.0


def test_a_is_that_of_the_mean_label() -> None:
    found = {item.name: item for item in plasticity_run.analyze(table(cycles=4, seed=2))}
    a, label = found["NeuroSim A of depression"], found["nonlinearity label of depression"]
    assert curves.label_of(1 / a.value) == pytest.approx(label.value)
    assert curves.label_of(1 / a.interval[0]) == pytest.approx(label.interval[1])
    assert a.method == "nonlinearity/NeuroSim-A@2"
    assert curves.number_of(11.0) == np.inf
    assert curves.number_of(-0.5) == pytest.approx(-1 / 2.519877)


def test_a_run_gives_series_over_its_cycles() -> None:
    series = {item.name: item for item in plasticity_run.per_cycle(table(cycles=3, repeats=2))}
    assert series["G after potentiation"].values == pytest.approx([LARGE] * 3, rel=0.03)
    assert series["nonlinearity label of depression"].cycles.tolist() == [1, 2, 3]
    assert series["nonlinearity label of depression"].method == "nonlinearity/NeuroSim-label@2"


def test_flagged_reads_are_left_out_and_counted() -> None:
    columns = table(cycles=2)
    columns["conductance"][5] = 1.0
    columns["status"][5] = int(Status.OVERFLOW)
    found = {item.name: item for item in plasticity_run.analyze(columns)}
    assert found["nonlinearity label of potentiation"].excluded == 1
    assert found["dynamic range of potentiation"].value < 10


def test_a_branch_that_was_cut_short_has_no_figures() -> None:
    columns = {name: column[:-3] for name, column in table(cycles=2).items()}
    series = {item.name: item for item in plasticity_run.per_cycle(columns)}
    assert np.isfinite(series["G after depression"].values).tolist() == [True, False]
    assert plasticity_run.per_cycle({name: column[:1] for name, column in columns.items()}) == []
    assert plasticity_run.analyze({name: column[:0] for name, column in columns.items()}) == []


def test_a_pulse_number_beyond_all_reason_costs_nothing() -> None:
    columns = table(cycles=1)
    columns["pulse"] = columns["pulse"].astype(np.int64)
    columns["pulse"][columns["segment"] == 1] = 2**62
    assert {item.name for item in plasticity_run.analyze(columns)} == {"incomplete branches"}


def test_words_for_kinds_of_rows_agree_with_the_recipes() -> None:
    assert Kind.READ == plasticity_run.READ == plasticity_targets.READ


def test_targets_reached_have_a_share_with_an_interval_and_pulses_as_bounds() -> None:
    columns = {
        "kind": np.array([0, 1, 0, 0, 0]),
        "verdict": np.array([0, 0, 1, 2, 1]),
        "attempt": np.array([0, 1, 1, 9, 3]),
        "target": np.full(5, 2e-6),
        "conductance": np.array([1e-6, np.nan, 2.02e-6, 3e-6, 1.98e-6]),
    }
    found = {item.name: item for item in plasticity_targets.extract(columns)}
    assert found["targets reached"].value == pytest.approx(2 / 3)
    assert found["targets reached"].interval == pytest.approx((0.094, 0.992), abs=1e-3)
    assert found["error"].value == pytest.approx(0.01)
    assert found["pulses"].value == 2
    series = {item.name: item for item in plasticity_targets.per_target(columns)}
    assert series["pulses"].censored.tolist() == [False, True, False]
    assert series["pulses"].values.tolist() == [1, 9, 3]
    assert plasticity_targets.extract({name: column[:1] for name, column in columns.items()}) == []


def test_the_real_pulse_response_is_nearly_linear_up_and_saturates_down() -> None:
    if not DATA.exists():
        pytest.skip(f"{DATA} is not here")
    up, down = np.loadtxt(DATA, delimiter=",", encoding="utf-8-sig").T
    labels = [curves.label(np.concatenate([[np.nan], values]), "x") for values in (up, down)]
    assert labels[0] is not None
    assert labels[1] is not None
    assert labels[0].value == pytest.approx(0.07, abs=0.02)
    assert np.isnan(labels[0].interval).all()  # its scatter is slow: one cycle bounds nothing
    assert "one cycle bounds nothing" in labels[1].definition
    assert labels[1].value == pytest.approx(-3.06, abs=0.02)
    beta = curves.querlioz_beta(np.concatenate([[np.nan], down]), "x")
    assert beta is not None
    assert beta.value == pytest.approx(2.87, abs=0.02)
    straight = plasticity.linearity(np.concatenate([[np.nan], up]), "x")
    assert straight is not None
    assert straight.value == pytest.approx(0.91, abs=0.01)
    assert curves.alpha(up, "x") is None, "conductances normalised to -1 .. 1 have no alpha"


# -- targets ------------------------------------------------------------------------------------------------------------
def test_targets_reached_are_counted_and_what_it_took_is_averaged_over_them() -> None:
    columns = {
        "kind": np.array([0, 0, 1, 0, 0, 0, 0]),
        "verdict": np.array([0, 1, 0, 0, 2, 1, 0]),  # reached, given up, reached, cut short
        "attempt": np.array([1, 2, 0, 5, 9, 4, 1]),
        "target": np.array([2.0, 2.0, np.nan, 4.0, 4.0, 5.0, 6.0]),
        "conductance": np.array([1.0, 2.2, np.nan, 1.0, 3.0, 4.5, 1.0]),
    }
    shared, error, pulses = plasticity_targets.extract(columns)
    assert shared.value == pytest.approx(2 / 3)
    assert shared.interval == pytest.approx((0.0943, 0.9916), abs=1e-3)  # Clopper and Pearson, 2 of 3
    assert error.value == pytest.approx(0.1)
    assert (pulses.value, pulses.uncertainty) == (3.0, pytest.approx(2**0.5))
    assert pulses.interval == pytest.approx((3 - 12.706, 3 + 12.706), abs=1e-2)  # Student, one degree of freedom
    series = {item.name: item for item in plasticity_targets.per_target(columns)}
    assert series["pulses"].values.tolist() == [2, 9, 4]
    assert series["pulses"].censored.tolist() == [False, True, False]


def test_the_interval_of_a_mean_over_targets_covers_it() -> None:
    rng = np.random.default_rng(3)
    found = [plasticity_targets.over_reached(rng.normal(7, 2, 6), "x", "x") for _ in range(200)]
    assert sum(item.interval[0] <= 7 <= item.interval[1] for item in found if item is not None) >= 186
