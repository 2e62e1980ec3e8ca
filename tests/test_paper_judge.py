"""How a measurement is held against the paper: made-up numbers that pass, fail, can't be told apart, or are missing."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from labctl.paper import pulsed, table, tunnelling
from labctl.paper.judge import doubted, judge
from labctl.paper.results import Count, Measurement, Quantity, Steps, median, on_nominal
from labctl.paper.targets import Check, Target


def verdict(check: dict[str, Any], **found: Any) -> Any:
    """What becomes of a row with one check."""
    target = Target(id="row", quantity="a thing", paper="about 3", kind="stated", checks=[Check(**check)])
    return judge(target, Measurement("row", "as made up", **found))


def number(value: float, check: dict[str, Any], interval: tuple[float, float] = (math.nan, math.nan)) -> Any:
    quantities = {"current": Quantity(value, "A", 1e-7, interval=interval)}
    return verdict({"number": "current", **check}, quantities=quantities).findings[0]


ABOUT = {"value": 3e-5, "tolerance": 0.15}
ORDER = {"value": 1e4, "factor": 1.5}


@pytest.mark.parametrize(
    ("value", "check", "outcome"),
    [
        (3e-5, ABOUT, "pass"),
        (3e-5 * 1.149, ABOUT, "pass"),
        (3e-5 * 1.151, ABOUT, "fail"),
        (3e-5 * 0.849, ABOUT, "fail"),
        (1.49e4, ORDER, "pass"),
        (1.51e4, ORDER, "fail"),
        (1e4 / 1.49, ORDER, "pass"),
        (1e4 / 1.51, ORDER, "fail"),
        (math.nan, ABOUT, "fail"),
        (math.inf, {"above": 1}, "fail"),
        (2.0, {"above": 1}, "pass"),
        (1.0, {"above": 1}, "fail"),
        (-1.0, {"below": 0}, "pass"),
        (0.0, {"below": 0}, "fail"),
    ],
)
def test_a_number_passes_within_its_bounds(value: float, check: dict[str, Any], outcome: str) -> None:
    assert number(value, check).outcome == outcome


def test_a_deviation_is_relative_to_the_papers_value() -> None:
    assert number(3.3e-5, ABOUT).deviation == pytest.approx(0.1)
    assert math.isnan(number(2.0, {"above": 1}).deviation)
    assert table.deviation(number(3.3e-5, ABOUT)) == "+10.0%"


def test_a_verdict_that_could_be_chance_says_so() -> None:
    assert number(3e-5, ABOUT, (2.9e-5, 3.1e-5)).unsure == ""
    assert "beyond what passes" in number(3e-5, ABOUT, (2e-5, 3.1e-5)).unsure
    assert "into what passes" in number(4e-5, ABOUT, (3e-5, 5e-5)).unsure
    assert number(4e-5, ABOUT, (3.9e-5, 5e-5)).unsure == ""


def steps(*values: float, error: float = 0.01) -> Steps:
    return tuple((f"step {place}", Quantity(value, "V", error)) for place, value in enumerate(values))


@pytest.mark.parametrize(
    ("values", "go", "outcome"),
    [
        ((3, 2, 1), "down", "pass"),
        ((3, 2, 1), "up", "fail"),
        ((1, 2, 3), "up", "pass"),
        ((1, 3, 2), "up", "fail"),
        ((1, 1, 2), "up", "fail"),
        ((1, 2, 3), "one way", "pass"),
        ((3, 2, 1), "one way", "pass"),
        ((3, 1, 2), "one way", "fail"),
        ((1, 1, 1), "one way", "fail"),
        ((1, math.nan, 3), "up", "fail"),
        ((1,), "up", "fail"),
        ((), "one way", "fail"),
    ],
)
def test_steps_go_the_way_that_is_asked_for(values: tuple[float, ...], go: str, outcome: str) -> None:
    assert verdict({"steps": "order", "go": go}, steps={"order": steps(*values)}).outcome == outcome


def test_steps_within_their_errors_say_so() -> None:
    (finding,) = verdict({"steps": "order", "go": "up"}, steps={"order": steps(1.0, 1.01, 2.0)}).findings
    assert finding.outcome == "pass"
    assert finding.unsure == "step 0 and step 1 differ by less than two standard errors"


@pytest.mark.parametrize(
    ("hits", "total", "check", "outcome"),
    [
        (8, 8, {"at_least": 1}, "pass"),
        (7, 8, {"at_least": 1}, "fail"),
        (5, 8, {"at_least": 0.5}, "pass"),
        (4, 8, {"at_least": 0.5}, "fail"),
        (4, 8, {"at_most": 0.5}, "fail"),
        (3, 8, {"at_most": 0.5}, "pass"),
        (0, 8, {"at_most": 0}, "pass"),
        (1, 8, {"at_most": 0}, "fail"),
        (9, 10, {"at_least": 0.9}, "pass"),
        (0, 0, {"at_most": 0}, "fail"),
        (0, 0, {"at_least": 1}, "fail"),
    ],
)
def test_a_share_of_counted_things(hits: int, total: int, check: dict[str, Any], outcome: str) -> None:
    """Most is more than half; of nothing counted nothing can be said, so the row fails."""
    assert verdict({"share": "cells", **check}, counts={"cells": Count(hits, total, "cells")}).outcome == outcome


def test_what_was_not_measured_fails_with_the_reason() -> None:
    missing = verdict({"number": "voltage", "above": 1})
    assert (missing.outcome, missing.findings[0].measured) == ("fail", "voltage: not measured")


def test_a_row_with_a_problem_is_not_measured_and_does_not_count_as_failing_the_paper() -> None:
    broken = verdict({"number": "voltage", "above": 1}, problem="cell-1: failed: no answer")
    assert broken.outcome == "not measured"
    assert "no answer" in broken.findings[0].measured
    assert table.total([broken]) == "0 of 1 rows within what the paper says, 1 not measured"
    assert not any("fail " in line or "FAILS" in line for line in table.brief(broken))


def test_all_that_was_measured_is_shown_asked_for_or_not() -> None:
    found = verdict(
        {"number": "time", "above": 0},
        quantities={"time": median([1.0, math.nan, 3.0], "s"), "other": Quantity(7.0, "V")},
        steps={"cuts": steps(3, 2)},
        counts={"yield": Count(2, 3, "cells")},
    )
    shown = "\n".join(table.brief(found))
    for words in ("(2 of 3 cells)", "other 7", "cuts: step 0", "yield: 2 of 3 cells"):
        assert words in shown
        assert any(words in cell for line in table.lines(found) for cell in line)
    assert [line[1] for line in table.lines(found)] == ["pass", "", "", ""]


def test_what_is_judged_on_the_nominal_cell_says_so() -> None:
    found = verdict({"number": "r", "above": 0}, quantities={"r": on_nominal([0.9, 1.0], [0.5])})
    assert "r, nominal cell 0.95" in found.findings[0].measured
    in_steps = verdict(
        {"steps": "r", "go": "up"}, steps={"r": (("a", on_nominal([0.5], [])), ("b", on_nominal([0.9], [])))}
    )
    assert in_steps.findings[0].measured == "r (nominal cell): a 0.5, b 0.9"


def test_a_row_of_a_changed_run_file_fails() -> None:
    good = verdict({"number": "r", "above": 0}, quantities={"r": Quantity(1.0)}, files=("runs/a.h5", "runs/b.h5"))
    assert doubted(good, ["runs/c.h5"]).outcome == "pass"
    bad = doubted(good, ["runs/b.h5"])
    assert bad.outcome == "fail"
    assert "runs/b.h5" in bad.findings[-1].measured


@pytest.mark.parametrize(
    ("interval", "wanted"), [((-3.0, -1.0), (1.0, 3.0)), ((1.0, 3.0), (1.0, 3.0)), ((-3.0, 1.0), (0.0, 3.0))]
)
def test_a_magnitude_keeps_an_interval_that_covers(interval: tuple[float, float], wanted: tuple[float, float]) -> None:
    found = tunnelling.magnitude(Quantity(-0.5, "V", interval=interval, each=(-0.5,)))
    assert (found.value, found.interval, found.each) == (0.5, wanted, (0.5,))


def test_cells_slower_than_the_pulse_count_in_the_median_over_all() -> None:
    found = pulsed.survivors([1.0, 2.0, math.nan, 3.0, math.nan], 4.0)
    assert (found.value, found.cell) == (3.0, "Kaplan-Meier, 5 cells")
    few = pulsed.survivors([1.0, math.nan, math.nan], 4.0)
    assert math.isnan(few.value)
    assert "more than half of 3 cells" in few.of


def test_a_row_passes_only_if_all_of_its_checks_do() -> None:
    checks = [Check(number="a", above=0), Check(number="b", above=0)]
    target = Target(id="row", quantity="two things", paper="both", kind="trend", checks=checks)
    for value, outcome in ((1.0, "pass"), (-1.0, "fail")):
        found = Measurement("row", "", {"a": Quantity(1.0), "b": Quantity(value)})
        assert judge(target, found).outcome == outcome
        assert sum("FAILS" in line for line in table.brief(judge(target, found))) == int(outcome == "fail")


@pytest.mark.parametrize(
    "check",
    [
        {},
        {"number": "a"},
        {"number": "a", "value": 1.0},
        {"number": "a", "value": 1.0, "tolerance": 0.1, "factor": 2.0},
        {"steps": "a"},
        {"share": "a"},
        {"number": "a", "steps": "b", "above": 1.0, "go": "up"},
        {"number": "a", "above": 1.0, "nonsense": 1},
    ],
)
def test_a_check_that_asks_for_nothing_is_refused(check: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Check(**check)


def test_a_median_leaves_out_cells_without_a_value_and_counts_them() -> None:
    found = median([1.0, math.nan, 3.0, 2.0], "V", nominal=2.5)
    assert (found.value, found.found, found.nominal) == (2.0, 3, 2.5)
    assert found.uncertainty == pytest.approx(math.sqrt(math.pi / 2) / math.sqrt(3))
    assert found.of == "standard error of the median of 3 cells of 4, the others show none"
    none = median([math.nan, math.nan])
    assert math.isnan(none.value)
    assert none.found == 0


def test_a_quantity_of_the_nominal_cell_has_the_spread_of_its_rounds() -> None:
    found = on_nominal([0.9, 1.0, math.nan], [0.5, 0.7])
    assert found.value == pytest.approx(0.95)
    assert found.uncertainty == pytest.approx(0.1 / math.sqrt(2))
    assert found.each == (0.5, 0.7)
    assert found.of.endswith("2 drawn cells: median 0.6, 0.5 to 0.7")
    assert on_nominal([10.0, 1000.0], [], log=True).value == pytest.approx(100.0)
    assert math.isnan(on_nominal([math.nan], []).value)
