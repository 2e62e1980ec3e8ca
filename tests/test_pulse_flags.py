"""Reads and samples that are flagged, and runs that a stop cut short: nothing is claimed of them, and the reason is said."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pulse_fakes import Plain, PulseStation, collect, figures, kind_of, per_pulse, power_law

from labctl.analysis import endurance, reads
from labctl.contracts import Block, PulseTrain, Status
from labctl.recipe_parts import conductance


def test_flags_are_said_once_a_read_the_worst_first() -> None:
    status = np.array([0, int(Status.OVERFLOW | Status.COMPLIANCE), int(Status.COMPLIANCE), int(Status.COMPLIANCE)])
    assert reads.reasons(status) == "1 beyond its range: raise read_range, 2 limited: raise read_compliance"
    assert reads.usable(status).tolist() == [True, False, True, True]
    assert reads.reasons(np.zeros(3, dtype=np.int64)) == ""
    assert reads.left_out(status[:0]) is None


@pytest.mark.parametrize("flag", [flag for flag in Status if flag])
def test_every_flag_has_words(flag: Status) -> None:
    assert reads.reasons(np.array([int(flag)])).startswith("1 ")


def test_reads_are_judged_by_what_flows_and_limited_ones_by_their_voltage() -> None:
    """A cell of 1 mS, free and limited to 100 uA; saturated, no number, a short of no volts."""
    voltage = np.array([0.7, 0.1, 0.7, 0.7, 0.0])
    current = np.array([7e-4, -1e-4, 1e-4, np.nan, 1e-4])
    limited = int(Status.COMPLIANCE)
    found = endurance.judged(
        np.full(5, 0.7), voltage, current, np.array([0, limited, int(Status.OVERFLOW), 0, limited])
    )
    assert found == pytest.approx([7e-4, 7e-4, np.nan, np.nan, 0.1], nan_ok=True)


def test_unread_checks_have_no_window() -> None:
    on, off = np.array([np.nan, 1e-5]), np.array([1e-7, 1e-7])
    found = {item.name: item for item in endurance.window(on, off, np.array([False, True]))}
    assert found["smallest on/off"].value == pytest.approx(100)
    assert "of 1 read of 2 checks" in found["smallest on/off"].definition


def test_a_conductance_of_no_number_is_no_number() -> None:
    useless = [Status.INVALID, Status.OVERFLOW, Status.THRESHOLD, Status.SKIPPED, Status.OVERFLOW | Status.COMPLIANCE]
    status = np.array([0, int(Status.COMPLIANCE), 0, 0, *map(int, useless)])
    voltage, current = np.full(status.size, 0.5), np.full(status.size, 1e-6)
    voltage[2], current[3] = 0.0, np.nan
    found = conductance(Block({"voltage": voltage, "current": current, "status": status}))
    assert found[:2] == pytest.approx([2e-6, 2e-6])
    assert np.isnan(found[2:]).all()


def moved(tau: float, ends: dict[int, float]) -> Any:
    """Above 1.5 V the conductance goes exponentially to the end of the voltage's sign; exact for any steps."""

    def rule(cell: Plain, voltage: float, duration: float) -> None:
        if abs(voltage) > 1.5:
            end = ends[1 if voltage > 0 else -1]
            cell.conductance = end + (cell.conductance - end) * math.exp(-duration / tau)

    return rule


def flag(rows: dict[str, np.ndarray], at: Any, status: Status) -> None:
    """Give rows a flag, and no conductance where it takes that away."""
    rows["status"][at] = int(status)
    block = Block({name: rows[name] for name in ("voltage", "current", "status")})
    rows["conductance"] = np.where(rows["kind"] == 0, conductance(block), np.nan)


def test_a_flagged_read_keeps_its_place_and_none_takes_it() -> None:
    procedure = kind_of("potentiation-depression")(
        prepare="none", pulses=3, scheme="constant", disturb="half", disturb_pulses=4, wait=0.01, keep=10
    )
    rows = collect(procedure, PulseStation(Plain(10e-6, per_pulse(1e-7))))
    names = [
        "drift after potentiation",
        "disturb by +1.15 V after potentiation",
        "disturb by -1.2 V after potentiation",
    ]
    assert set(names) <= set(figures(procedure, rows))
    last = [
        np.flatnonzero((rows["segment"] == 1) & (rows["cycle"] == cycle) & (rows["kind"] == 0))[-1] for cycle in (1, 2)
    ]
    flag(rows, last, Status.OVERFLOW)
    found = figures(procedure, rows)
    assert set(names) & set(found) == {names[2]}, "only the second lot still has the read before it"
    assert found["reads left out"].value == 2
    assert "2 beyond its range: raise read_range" in found["reads left out"].definition
    assert "3 of 4 levels" in found["linearity of potentiation"].definition


def test_a_branch_whose_first_level_was_not_read_says_that_its_jump_is_not_seen() -> None:
    procedure = kind_of("potentiation-depression")(prepare="none", pulses=5, wait=0.01)
    rows = collect(procedure, PulseStation(Plain(1e-6, per_pulse(1e-7))))
    flag(rows, 0, Status.INVALID)
    found = figures(procedure, rows)
    assert "not read, so its jump is not seen" in found["linearity of potentiation"].definition
    assert "before the first included" in found["linearity of depression"].definition


def test_a_read_that_compliance_limits_still_has_its_conductance() -> None:
    procedure = kind_of("potentiation-depression")(
        prepare="none", scheme="constant", pulses=10, wait=0.01, read_compliance=1e-6
    )
    rows = collect(procedure, PulseStation(Plain(1e-6, per_pulse(1e-7))))
    assert np.any(rows["status"] & int(Status.COMPLIANCE))
    found = figures(procedure, rows)
    assert found["dynamic range of potentiation"].value == pytest.approx(2.0 / 1.1)
    assert "reads left out" not in found


def first(rows: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
    return {name: column[:count] for name, column in rows.items()}


def test_branches_cut_short_are_left_out_and_counted() -> None:
    """Two whole cycles of ten pulses, then a stop after the third pulse of a branch of the third."""
    procedure = kind_of("potentiation-depression")(prepare="none", scheme="constant", pulses=10, cycles=3, wait=0.01)
    rows = collect(procedure, PulseStation(Plain(1e-6, per_pulse(1e-7))))
    whole = figures(procedure, rows)
    for sign, cut, name in ((1, 2, "potentiation"), (-1, 1, "depression")):
        stop = np.flatnonzero((rows["cycle"] == 3) & (rows["segment"] == sign) & (rows["pulse"] == 3))[-1] + 1
        found = figures(procedure, first(rows, stop))
        assert found["incomplete branches"].value == cut
        assert found[f"dynamic range of {name}"].value == pytest.approx(whole[f"dynamic range of {name}"].value)
        assert found["asymmetry"].value == pytest.approx(0, abs=1e-9)
        assert "2 of 3 cycles" in found["asymmetry"].definition
    early = np.flatnonzero((rows["cycle"] == 1) & (rows["segment"] == 1) & (rows["pulse"] == 5))[-1] + 1
    assert set(figures(procedure, first(rows, early))) == {"incomplete branches"}


FLAGS = [
    (Status.OVERFLOW, "beyond pulse_range; take a larger one"),
    (Status.THRESHOLD, "limited by the pulse card"),
    (Status.SKIPPED, "not applied"),
    (Status.INVALID, "no measurement"),
]


@pytest.mark.parametrize(("status", "words"), FLAGS)
def test_samples_that_are_not_the_cells_give_no_time_and_the_reason(status: Status, words: str) -> None:
    procedure = kind_of("switching-time")(prepare="none")
    rows = collect(procedure, PulseStation(Plain(1e-7, moved(40e-6, {1: 1e-6, -1: 1e-7}))))
    top = np.flatnonzero((rows["part"] == 1) & (rows["amplitude"] > 0))
    rows["status"][top[:7]] = int(status)
    found = figures(procedure, rows)
    assert math.isnan(found["t_set"].value)
    assert f"7 of {top.size} samples {words}" in found["t_set"].definition
    assert found["t_reset"].value > 0, "the other pulse is untouched"
    assert found["I after +2 V"].value > 0


def test_edges_beyond_the_range_spoil_no_time() -> None:
    procedure = kind_of("switching-time")(prepare="none")
    rows = collect(procedure, PulseStation(Plain(1e-7, moved(40e-6, {1: 1e-6, -1: 1e-7}))))
    rows["status"][(rows["kind"] == 3) & (rows["part"] == 0)] = int(Status.OVERFLOW)
    assert figures(procedure, rows)["t_set"].value > 0


def test_a_pulse_cut_short_gives_no_time() -> None:
    procedure = kind_of("switching-time")(prepare="none")
    rows = collect(procedure, PulseStation(Plain(1e-7, moved(40e-6, {1: 1e-6, -1: 1e-7}))))
    cut = np.flatnonzero((rows["part"] == 1) & (rows["amplitude"] > 0))[600] + 1
    rows = first(rows, int(cut))
    rows["status"][rows["kind"] == 3] |= int(Status.PROVISIONAL)
    found = figures(procedure, rows)
    assert math.isnan(found["t_set"].value)
    assert "a stop cut the pulse short" in found["t_set"].definition


def test_a_state_whose_read_is_limited_says_so() -> None:
    procedure = kind_of("switching-time")(prepare="none", read_compliance=1e-7)
    found = figures(procedure, collect(procedure, PulseStation(Plain(1e-6))))
    assert math.isnan(found["I before"].value)
    assert "limited: raise read_compliance" in found["I before"].definition


def clip(station: PulseStation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the card's meter saturate, with its flag, at 105 uA: 5 % above a range of 100 uA."""
    play = station.pulse_source._train

    def clipped(train: PulseTrain) -> Iterator[Block]:
        for block in play(train):
            status = np.where(np.abs(block["current"]) > 1.05e-4, int(Status.OVERFLOW), 0)
            yield block.with_columns(current=np.clip(block["current"], -1.05e-4, 1.05e-4), status=status)

    monkeypatch.setattr(station.pulse_source, "_train", clipped)


def test_a_saturated_read_reaches_no_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cell has 1 mS; the read of 0.7 mA clips at 105 uA, as if it had the target's 150 uS."""
    station = PulseStation(Plain(1e-3))
    clip(station, monkeypatch)
    procedure = kind_of("pulse-verify")(prepare="none", target=1.5e-4, read_with="pulse")
    assert collect(procedure, station)["verdict"].tolist() == [2]
    ((reason, details),) = station.events
    assert reason == "not reached: the read is no number (1 beyond its range: raise read_range)"
    assert math.isnan(details["conductance"])


def test_on_and_off_are_of_one_age_whatever_reads_are_flagged() -> None:
    """The on state falls to a half each decade; its first read, and the last of the off state, are flagged."""
    procedure = kind_of("retention")(
        step=0.1, per_decade=1, read_compliance=1e-2, set_compliance=1e-3, write_with="pulse", duration=1e3
    )
    rows = collect(procedure, PulseStation(Plain(1e-5, power_law(math.log10(2)))))
    whole = figures(procedure, rows)
    full = (rows["kind"] == 0) & (rows["segment"] == 1)
    on, off = (np.flatnonzero(full & (rows["state"] == state)) for state in (1, 0))
    rows["status"][[on[0], off[-1]]] = int(Status.OVERFLOW)
    found = figures(procedure, rows)
    assert found["on/off at the start"].value == pytest.approx(whole["on/off at the start"].value / 2, rel=0.02)
    assert found["on/off at the end"].value == pytest.approx(whole["on/off at the end"].value * 2, rel=0.02)
    assert "read 10 s (on) and 10 s (off)" in found["on/off at the start"].definition
    assert "selectivity at the start" not in found, "the full read beside the half one is flagged"
    assert found["selectivity at the end"].value == pytest.approx(2, rel=1e-3)
    assert found["reads left out"].value == 2


def bistable(on: float, off: float) -> Any:
    """Set and reset by the sign of 1.5 V or more."""

    def rule(cell: Plain, voltage: float, duration: float) -> None:
        if abs(voltage) >= 1.5:
            cell.conductance = on if voltage > 0 else off

    return rule


def test_a_conductive_cell_is_judged_by_its_conductance() -> None:
    """1 mS and 20 uS at 0.7 V: the on read is limited to 100 uA, 7 times the off one; the cell has a window of 50."""
    procedure = kind_of("endurance")(cycles=50, step=0.25)
    station = PulseStation(Plain(1e-8, bistable(1e-3, 2e-5)))
    found = figures(procedure, collect(procedure, station))
    ((event, details),) = station.events
    assert (event, details["cycle"]) == ("window held", 50)
    assert "limited: raise read_compliance" in details["flagged"]
    assert found["smallest on/off"].value == pytest.approx(50)
    assert "limited: raise read_compliance" in found["flagged reads"].definition


def test_a_saturated_read_is_no_death(monkeypatch: pytest.MonkeyPatch) -> None:
    procedure = kind_of("endurance")(cycles=50, step=0.25, read_with="pulse")
    station = PulseStation(Plain(1e-8, bistable(1e-3, 2e-5)))
    clip(station, monkeypatch)
    found = figures(procedure, collect(procedure, station))
    ((event, details),) = station.events
    assert (event, details["flagged"]) == ("no reading", "1 beyond its range: raise read_range")
    assert "end: no reading" in found
    assert "smallest on/off" not in found


@pytest.mark.parametrize("stress", ["sweep", "pulse"])
def test_a_stop_in_the_middle_of_a_cycle_claims_no_whole_one(stress: str) -> None:
    """The stop comes with the read of the on state of cycle 10, so that 9 resets were applied."""
    procedure = kind_of("endurance")(cycles=100, stress=stress, curves=0)
    station = PulseStation(Plain(1e-8, bistable(1e-5, 1e-8)))
    kept: list[Block] = []
    names = ("cycle", "segment", "kind")
    station.stop_when(lambda: bool(kept) and [kept[-1][name][-1] for name in names] == [10, 1, 0])
    for block in procedure.points(station):
        kept.append(block)
    found = figures(procedure, {name: np.concatenate([block[name] for block in kept]) for name in kept[0].columns})
    assert found["cycles applied"].value == 9
    assert "of cycle 10 the first half" in found["cycles applied"].definition
