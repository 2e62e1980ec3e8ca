"""The recipes with pulses, on fakes: known answers of cells with exact rules."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pulse_fakes import Plain, PulseStation, collect, figures, kind_of, per_pulse, station_of


def test_a_cell_of_equal_steps_is_perfectly_linear() -> None:
    procedure = kind_of("potentiation-depression")(prepare="none", scheme="constant", pulses=10, cycles=3, wait=0.01)
    rows = collect(procedure, PulseStation(Plain(1e-6, per_pulse(1e-7))))
    reads = rows["kind"] == 0
    up, down = (rows["conductance"][reads & (rows["segment"] == sign) & (rows["cycle"] == 2)] for sign in (1, -1))
    np.testing.assert_allclose(up, 1e-6 + 1e-7 * np.arange(1, 11))
    np.testing.assert_allclose(down, 2e-6 - 1e-7 * np.arange(1, 11))
    found = figures(procedure, rows)
    for branch, span in (("potentiation", 2.0 / 1.1), ("depression", 1.9)):
        assert found[f"linearity of {branch}"].value == pytest.approx(1)
        assert found[f"nonlinearity of {branch}"].value == pytest.approx(0, abs=1e-9)
        assert found[f"dynamic range of {branch}"].value == pytest.approx(span)
        assert found[f"levels of {branch}"].value == 10
    assert found["asymmetry"].value == pytest.approx(0, abs=1e-9)
    assert {"incomplete branches", "reads left out"}.isdisjoint(found)
    assert (rows["applied"][-1], rows["reads"][-1]) == (60, 61)


def test_a_cell_that_jumps_at_once_is_not_called_linear() -> None:
    def jump(cell: Plain, voltage: float, duration: float) -> None:
        if abs(voltage) >= 1.5:
            cell.conductance = 1e-5 if voltage > 0 else 1e-7

    procedure = kind_of("potentiation-depression")(prepare="none", wait=0.01)
    found = figures(procedure, collect(procedure, PulseStation(Plain(1e-7, jump))))
    for branch in ("potentiation", "depression"):
        assert found[f"linearity of {branch}"].value < 0.3
        assert found[f"nonlinearity of {branch}"].value > 0.5


@pytest.mark.parametrize("read_with", ["smu", "pulse"])
def test_stepped_amplitudes_make_a_synapse_more_linear_than_constant_ones(read_with: str) -> None:
    """As the paper has it, for potentiation; see the paper's rows syn-pot and syn-constant."""
    linear = {}
    for scheme in ("amplitude", "constant"):
        procedure = kind_of("potentiation-depression")(scheme=scheme, read_with=read_with)
        linear[scheme] = figures(procedure, collect(procedure, station_of("synapse")))
    name = "linearity of potentiation"
    assert linear["amplitude"][name].value > 0.95
    assert linear["constant"][name].value < linear["amplitude"][name].value - 0.1
    assert linear["amplitude"]["linearity of depression"].value > 0.95


def test_pulses_applied_and_reads_are_counted_apart() -> None:
    procedure = kind_of("potentiation-depression")(
        prepare="none", pulses=2, repeats=3, disturb="half", disturb_pulses=5, wait=0.01
    )
    rows = collect(procedure, PulseStation(Plain(1e-6, per_pulse(1e-7))))
    assert rows["applied"][-1] == 2 * 4 + 4 * 5
    assert rows["reads"][-1] == np.count_nonzero(rows["kind"] == 0) == 1 + 2 * 4 * 3 + 4
    disturbed = np.abs(rows["segment"]) == 3
    assert rows["amplitude"][disturbed].tolist() == [1.25, -1.3, 1.25, -1.3]
    found = figures(procedure, rows)
    assert found["disturb by +1.25 V after potentiation"].value == pytest.approx(0, abs=1e-9)


def test_half_select_pulses_that_move_a_cell_are_seen() -> None:
    procedure = kind_of("potentiation-depression")(
        prepare="none", pulses=3, scheme="constant", disturb="half", disturb_pulses=4, wait=0.01
    )
    rows = collect(procedure, PulseStation(Plain(10e-6, per_pulse(1e-7, least=1.1))))
    found = figures(procedure, rows)
    before = 10e-6 + 3e-7
    assert found["disturb by +1.15 V after potentiation"].value == pytest.approx(4e-7 / before)
    assert found["disturb by -1.2 V after potentiation"].value == pytest.approx(-4e-7 / (before + 4e-7))


@pytest.mark.parametrize(("scheme", "levels", "width"), [
    ("amplitude", [1.25, -1.3], 20e-6),
    ("width", [1.15, -1.2], 100e-6),
    ("constant", [1.15, -1.2], 20e-6),
])  # fmt: skip
def test_half_select_pulses_follow_what_is_applied(scheme: str, levels: list[float], width: float) -> None:
    procedure = kind_of("potentiation-depression")(scheme=scheme, disturb="half", pulses=5)
    trains = procedure.half_selected()
    assert [float(train.amplitudes[0]) for train in trains] == pytest.approx(levels)
    assert [train.width for train in trains] == pytest.approx([width, width])


def test_widths_are_stepped_at_the_mean_amplitude() -> None:
    procedure = kind_of("potentiation-depression")(scheme="width", pulses=5, width=20e-6, width_last=100e-6)
    trains = procedure.branch(-1)
    assert [train.width for train in trains] == pytest.approx([20e-6, 40e-6, 60e-6, 80e-6, 100e-6])
    assert [float(train.amplitudes[0]) for train in trains] == pytest.approx([-2.4] * 5)


def test_keeping_a_level_shows_its_drift() -> None:
    def forget(cell: Plain, voltage: float, duration: float) -> None:
        cell.conductance *= math.exp(-duration / 1e4)

    procedure = kind_of("potentiation-depression")(prepare="none", pulses=3, keep=1000)
    rows = collect(procedure, PulseStation(Plain(1e-6, forget)))
    assert np.count_nonzero(rows["segment"] == 2) == 4
    assert figures(procedure, rows)["drift after potentiation"].value == pytest.approx(math.exp(-0.1) - 1, rel=1e-3)


@pytest.mark.parametrize("tau", [3e-5, 1e-3])
def test_an_exponential_decay_gives_its_time(tau: float) -> None:
    def decay(cell: Plain, voltage: float, duration: float) -> None:
        rest = 1e-8
        high = abs(voltage) > 0.5
        cell.conductance = 1e-4 if high else rest + (cell.conductance - rest) * math.exp(-duration / tau)

    procedure = kind_of("transient-relaxation")()
    rows = collect(procedure, PulseStation(Plain(1e-8, decay)))
    found = figures(procedure, rows)
    assert found["tau"].value == pytest.approx(tau, rel=0.01)
    assert found["t_half"].value == pytest.approx(tau * math.log(2), rel=0.1)
    assert rows["applied"][-1] == rows["reads"][-1] == len(procedure.delays())


def test_a_cell_that_does_not_decay_has_no_relaxation_time() -> None:
    procedure = kind_of("transient-relaxation")()
    assert figures(procedure, collect(procedure, PulseStation(Plain(1e-5)))) == {}


def moved(tau: float, ends: dict[int, float]) -> Any:
    """Above 1.5 V the conductance goes exponentially to the end of the voltage's sign; exact for any steps."""

    def rule(cell: Plain, voltage: float, duration: float) -> None:
        if abs(voltage) > 1.5:
            end = ends[1 if voltage > 0 else -1]
            cell.conductance = end + (cell.conductance - end) * math.exp(-duration / tau)

    return rule


def test_half_of_an_exponential_change_is_found_where_it_is() -> None:
    tau, width, on = 40e-6, 135e-6, 0.3e-6
    procedure = kind_of("switching-time")(prepare="none", series=0)
    rows = collect(procedure, PulseStation(Plain(1e-7, moved(tau, {1: 1e-6, -1: 1e-7}))))
    middle = 0.5 * (math.exp(-on / tau) + math.exp(-width / tau))
    found = figures(procedure, rows)
    for name in ("t_set", "t_reset"):
        assert found[name].value == pytest.approx(-tau * math.log(middle), abs=2e-7)
        assert 0 < found[name].uncertainty < 1e-7
    assert found["I after +2 V"].value > found["I after -2 V"].value > found["I before"].value


def test_a_pulse_that_changes_nothing_has_no_switching_time() -> None:
    procedure = kind_of("switching-time")(prepare="none")
    found = figures(procedure, collect(procedure, PulseStation(Plain(1e-6))))
    assert set(found) == {"I before", "I after +2 V", "I after -2 V"}


def verified(station: PulseStation, **settings: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    procedure = kind_of("pulse-verify")(prepare="none", wait=0.01, **settings)
    rows = collect(procedure, station)
    assert np.count_nonzero(rows["verdict"]) == procedure.targets
    yield from station.events


def test_targets_are_reached_up_and_down_with_the_pulses_it_takes() -> None:
    settings = {"target": 2e-6, "target_last": 1.5e-6, "targets": 2, "tolerance": 0.01}
    up, down = verified(PulseStation(Plain(1e-6, per_pulse(1e-7))), **settings)
    assert (up[0], up[1]["pulses"]) == ("reached", 10)
    assert (down[0], down[1]["pulses"]) == ("reached", 5)
    assert down[1]["conductance"] == pytest.approx(1.5e-6)


def test_a_target_out_of_reach_is_given_up_with_the_reason() -> None:
    ((stairs, _),) = verified(PulseStation(Plain(1e-6)), target=2e-6, up_first=2, up_last=2.1, pulse_step=0.05)
    assert stairs == "not reached: at the end of the staircase"
    ((pulses, details),) = verified(PulseStation(Plain(1e-6)), target=2e-6, max_pulses=4)
    assert (pulses, details["pulses"]) == ("not reached: 4 pulses used up", 4)


def test_a_jumpy_cell_is_approached_from_lower_amplitudes() -> None:
    procedure = kind_of("pulse-verify")(backoff=0.1, up_first=2.0, up_last=2.6, pulse_step=0.1)
    assert procedure.staircase(1, 0)[0] == 2.0
    assert procedure.staircase(1, 3)[0] == pytest.approx(1.7)
    assert procedure.staircase(-1, 99)[[0, -1]].tolist() == [-1.0, -2.7]
