"""Retention, endurance, read disturb and volatility, on fakes: known answers, deaths told apart, no hammering."""

import math
from typing import Any

import numpy as np
import pytest
from pulse_fakes import Plain, PulseStation, collect, figures, kind_of, power_law, station_of

CALM = {"n_wear": 1e9, "n_low": 1e9, "n_high": 1e9, "j_burn": 1e9, "temperature": 300.0}  # an ageing cell that does not
MEMORY = {"set_compliance": 1e-3, "read_compliance": 1e-2, "step": 0.1}


# -- retention --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("write", "late"), [("sweep", 0.3), ("pulse", 0.0)])
def test_a_power_law_gives_its_exponent_and_the_time_it_fails(write: str, late: float) -> None:
    """late: s that the way back of a sweep takes after the state was written; the reads are 12 % of a time apart."""
    procedure = kind_of("retention")(
        write_with=write, step=0.1, per_decade=20, read_compliance=1e-2, set_compliance=1e-3
    )
    station = PulseStation(Plain(1e-5, power_law(0.1)))
    found = figures(procedure, collect(procedure, station))
    assert found["drift exponent on"].value == pytest.approx(0.1, abs=3e-3)
    assert found["drift exponent off"].value == pytest.approx(0, abs=1e-9)
    assert 1 <= found["time to failure on"].value / (2**10 * (1 + late)) < 1.13
    assert math.isnan(found["time to failure off"].value)
    assert "not reached within the 1e+04 s of data" in found["time to failure off"].definition
    lost = ((1e4 + late) / (1 + late)) ** -0.1
    assert found["on/off at the end"].value == pytest.approx(found["on/off at the start"].value * lost, rel=0.01)
    assert found["selectivity at the end"].value == pytest.approx(2, rel=1e-4)


def test_reads_come_at_their_times_and_are_counted() -> None:
    procedure = kind_of("retention")(states="on", grid="linear", count=5, first=10, duration=50, selectivity=False)
    rows = collect(procedure, PulseStation(Plain(1e-6)))
    reads = rows["kind"] == 0
    np.testing.assert_allclose(rows["age"][reads], [10, 20, 30, 40, 50], atol=0.05)
    assert rows["reads"][reads].tolist() == [1, 2, 3, 4, 5]


def test_a_synapse_keeps_both_states() -> None:
    procedure = kind_of("retention")()
    station = station_of("synapse")
    found = figures(procedure, collect(procedure, station))
    assert station.clock.now() > 2e4
    assert found["on/off at the end"].value > 1e4
    assert all(math.isnan(found[f"time to failure {state}"].value) for state in ("on", "off"))


def test_a_warm_memory_forgets() -> None:
    procedure = kind_of("retention")(states="on", step=0.1, set_compliance=1e-3, read_compliance=1e-2, v_read=0.1)
    found = figures(procedure, collect(procedure, station_of("ageing")))
    assert 1 < found["time to failure on"].value < 1e4


# -- endurance --------------------------------------------------------------------------------------------------------
DEATHS = [("n_wear", 15.0, "window collapse"), ("n_low", 30.0, "stuck low"), ("n_high", 30.0, "stuck high")]


def aged(field: str, life: float) -> PulseStation:
    shape = {field.replace("n_", "b_"): 1.0} if field != "n_wear" else {}
    return station_of("ageing", **{**CALM, field: life, **shape})


@pytest.mark.parametrize(("field", "life", "reason"), DEATHS)
@pytest.mark.parametrize("stress", ["sweep", "pulse"])
def test_a_death_is_named_within_one_check_interval_and_not_hammered(
    field: str, life: float, reason: str, stress: str
) -> None:
    settings = {"width_set": 1e-4, "series": 1e3} if stress == "pulse" else {}
    procedure = kind_of("endurance")(cycles=300, stress=stress, check_every=8, curves=0, **MEMORY, **settings)
    station = aged(field, life)
    rows = collect(procedure, station)
    found = figures(procedure, rows)
    ((event, details),) = station.events
    assert event == reason
    assert f"end: {reason}" in found
    died = station.cell.device.state()["ruptures"] if field != "n_wear" else found[f"end: {reason}"].value
    assert 0 <= details["cycle"] - died <= 8
    assert details["cycle"] < 200
    assert rows["verdict"][-1] != 0, "nothing is applied after the verdict"
    sweeps = station.source_meter.calls.count("sweep") - int(rows["reads"][-1])
    pulses = int(rows["applied"][-1])
    assert (sweeps, pulses) == ((2 * details["cycle"], 0) if stress == "sweep" else (0, 2 * details["cycle"]))


def test_cycles_applied_and_cycles_read_are_told_apart() -> None:
    procedure = kind_of("endurance")(cycles=100, check_every=100, per_decade=3, curves=0, **MEMORY)
    station = station_of("ageing", **CALM)
    rows = collect(procedure, station)
    found = figures(procedure, rows)
    assert sorted(set(rows["cycle"])) == [1, 2, 5, 10, 20, 50, 98, 100]
    assert (found["cycles applied"].value, found["cycles read"].value) == (100, 8)
    assert found["cycles survived"].value == 100
    assert station.events[0][0] == "window held"
    assert station.source_meter.calls.count("sweep") == 2 * 100 + 2 * 8


def test_whole_curves_are_kept_at_chosen_cycles_only() -> None:
    procedure = kind_of("endurance")(cycles=20, **MEMORY)
    rows = collect(procedure, station_of("ageing", **CALM))
    assert sorted(set(rows["cycle"][rows["kind"] == 2])) == [1, 2, 5, 10, 20]
    assert len(rows["cycle"]) <= procedure.expected_rows()


def failing_at(cycles: set[int]) -> Any:
    """A cell that switches, but for the sets of some cycles."""

    def rule(cell: Plain, voltage: float, duration: float) -> None:
        high = abs(voltage) >= 1.5
        if high and not cell.memory.get("high"):
            cell.memory["cycle"] = cell.memory.get("cycle", 0) + (voltage > 0)
            cell.conductance = 1e-5 if voltage > 0 and cell.memory["cycle"] not in cycles else 1e-8
        cell.memory["high"] = high

    return rule


@pytest.mark.parametrize(("bad", "confirm", "event", "cycle"), [
    ({8}, 1, "stuck high", 8),
    ({8}, 3, "window held", 30),
    ({8, 9}, 3, "window held", 30),
    ({8, 9, 10}, 3, "stuck high", 10),
    (set(range(1, 99)), 3, "no window from the start", 3),
    ({1}, 3, "window held", 30),
])  # fmt: skip
def test_one_bad_cycle_is_no_death(bad: set[int], confirm: int, event: str, cycle: int) -> None:
    settings = {"cycles": 30, "confirm": confirm, "check_every": 7 + confirm, "step": 0.5, "set_compliance": 1e-3}
    procedure = kind_of("endurance")(**settings)
    station = PulseStation(Plain(1e-8, failing_at(bad)))
    rows = collect(procedure, station)
    assert (station.events[0][0], station.events[0][1]["cycle"]) == (event, cycle)
    if event == "window held":
        assert figures(procedure, rows)["passing failures"].value == len(bad)


@pytest.mark.parametrize(
    ("bad", "event"), [({30}, "unconfirmed"), ({29, 30}, "unconfirmed"), ({28, 29, 30}, "stuck high")]
)
def test_failing_checks_on_the_last_cycles_are_a_death_only_when_confirmed(bad: set[int], event: str) -> None:
    procedure = kind_of("endurance")(cycles=30, check_every=3, step=0.5, set_compliance=1e-3)
    station = PulseStation(Plain(1e-8, failing_at(bad)))
    found = figures(procedure, collect(procedure, station))
    assert station.events[0][0] == event
    ends = {name for name in found if name.startswith("end")}
    assert ends == {f"end: {event}"}
    if event == "unconfirmed":
        assert station.events[0][1]["looks_like"].startswith(f"stuck high, in {len(bad)} of the 3")
        assert found["cycles survived"].value == min(bad) - 1


# -- read disturb -----------------------------------------------------------------------------------------------------
def test_reads_that_eat_a_state_are_counted() -> None:
    """Every pulse takes a ten-thousandth; reads by the source meter do too: they are part of what the cell sees."""

    def eaten(cell: Plain, voltage: float, duration: float) -> None:
        high = 0.65 < abs(voltage) < 0.75
        if high and not cell.memory.get("high"):
            cell.conductance *= 1 - 1e-4
        cell.memory["high"] = high

    procedure = kind_of("read-disturb")(states="present", count=5000, burst=1000)
    station = PulseStation(Plain(1e-5, eaten))
    rows = collect(procedure, station)
    found = figures(procedure, rows)
    reads = int(rows["reads"][-1])
    assert rows["applied"][-1] == 5000
    assert max(train.pulses for train in station.pulse_source.played) == 1000
    assert found["disturb of the present state"].value == pytest.approx((1 - 1e-4) ** (5000 + reads - 1) - 1, rel=1e-6)
    assert found["pulses to disturb the present state"].value == 2000


def test_a_resistor_is_not_disturbed() -> None:
    procedure = kind_of("read-disturb")(states="present")
    found = figures(procedure, collect(procedure, station_of("ohmic")))
    assert found["disturb of the present state"].value == pytest.approx(0, abs=1e-12)
    assert math.isnan(found["pulses to disturb the present state"].value)


# -- volatility -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("device", "volatile"), [
    ("device-1", (True, True, True)),
    ("device-2", (True, True, True)),
    ("device-3", (True, False, False)),
    ("device-4", (False, False, False)),
])  # fmt: skip
@pytest.mark.parametrize("state", ["pristine", "formed"])
def test_the_papers_classes(device: str, volatile: tuple[bool, ...], state: str) -> None:
    procedure, station = kind_of("volatility")(), station_of(device, 1, state)
    rows = collect(procedure, station)
    words = [event for event, _ in station.events]
    assert words == ["conducts", *("volatile" if is_volatile else "nonvolatile" for is_volatile in volatile)]
    found = [(item.name.split(" at ")[0], item.value) for item in type(procedure).extract(rows)]
    assert found == [("volatile", 1.0) if is_volatile else ("nonvolatile", 0.0) for is_volatile in volatile]
    assert (np.count_nonzero(rows["segment"] == -1) > 0) == (False in volatile), "only what stays on is reset"


@pytest.mark.parametrize(("device", "verdict"), [
    ("ohmic", "conducts, never seen to switch"),
    ("short", "conducts, never seen to switch"),
    ("open", "does not switch"),
])  # fmt: skip
def test_what_never_switched_is_neither(device: str, verdict: str) -> None:
    station = station_of(device, None, "pristine")
    collect(kind_of("volatility")(), station)
    assert [event for event, _ in station.events][1:] == [verdict] * 3
