"""What a run did to its cell, from notes and rows alone, and the rules on it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from store_runs import header

from labctl import station
from labctl.contracts import Measure, PulseTrain, Request, Sampling, Status, Sweep, Waveform
from labctl.errors import LimitError, UsageError
from labctl.ledger import Budget, LedgerError, Rules, RulesConfig, Use, tally
from labctl.ledger.asked import KINDS, asked, planned
from labctl.ledger.tally import of_test
from labctl.store import Ending, Event, Run, Stimulus, values

NAMES = ("time", "level", "voltage", "current")


def of(request: Request) -> Use:
    kind = next(kind for kind, known in KINDS.items() if isinstance(request, known))
    plain = values.loads(values.dumps(request.details()))  # as a run file has it
    assert asked(kind, plain) == asked(kind, request.details())
    return asked(kind, plain)


def rows(time: Any, voltage: Any, current: Any, status: Any = 0) -> dict[str, Any]:
    time = np.asarray(time, dtype=float)
    found = {"time": time, "voltage": voltage, "current": current}
    columns: dict[str, Any] = {name: np.broadcast_to(np.asarray(v, float), time.shape) for name, v in found.items()}
    return {**columns, "level": columns["voltage"], "status": np.broadcast_to(np.asarray(status, np.int64), time.shape)}


def run_of(
    stimuli: list[Stimulus], columns: Mapping[str, Any] | None = None, events: list[Event] | None = None, **head: Any
) -> Run:
    table = dict(columns or rows([], [], []))
    return Run(header(**head), table, stimuli, events or [], Ending("finished", "", "", "", 10.0, 0, 0))


def note(number: int, request: Request, first: int = 0, last: int = 0, outcome: str = "done") -> Stimulus:
    kind = next(kind for kind, known in KINDS.items() if isinstance(request, known))
    end = (float("nan"), -1) if not outcome else (float(number) + 0.5, last)
    return Stimulus(number, kind, float(number), first, request.details(), outcome, *end, {"rows": last - first})


UP, DOWN = Sweep(np.array([0.0, 1.0, 2.0, 0.0]), 1e-3), Sweep(np.array([0.0, -1.5, 0.0]), 1e-3)
LOOP = Sweep(np.array([0.0, 2.0, 0.0, -1.5, 0.0]), 1e-3)
READ = Sweep(np.array([0.1]), 1e-3, reads=True)


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (UP, {"sweeps": 1, "cycles": 0, "v_programmed": 2.0, "last_sign": 1}),
        (LOOP, {"sweeps": 1, "cycles": 1, "v_programmed": 2.0}),
        (replace(UP, constants={"bottom": -1.0}), {"v_programmed": 3.0, "first_sign": 1}),
        (replace(UP, terminal="bottom", constants={"top": 0.0}), {"first_sign": -1}),
        (READ, {"reads": 1, "sweeps": 0, "first_sign": 0, "v_programmed": 0.1}),
        (Sampling({"top": -0.5, "bottom": 0.5}, 1e-3, 3, 0.1), {"samplings": 1, "v_programmed": 1.0, "last_sign": -1}),
        (PulseTrain(np.array([1.0, -2.0]), 1e-6, 1e-5, count=3), {"pulses": 6, "cycles": 1, "v_programmed": 2.0}),
        (PulseTrain(np.array([1.0]), 1e-6, 1e-5, count=5, reads=True), {"pulses": 0, "reads": 5, "cycles": 0}),
        (Waveform(np.ones(4), np.array([0, 1, 0, -1, 0.0]), repeats=7), {"pulses": 14, "cycles": 7}),
        (Waveform(np.ones(2), np.array([0, 1, 0.0]), repeats=7), {"pulses": 7, "cycles": 0}),
        (Waveform(np.ones(3), np.array([0, 1, -1, 0.0])), {"pulses": 2, "cycles": 1}),
        (Waveform(np.ones(2), np.array([1, 0, 1.0]), repeats=4), {"pulses": 5}),
        (Waveform(np.ones(2), np.array([0, 1, 0.0]), repeats=3, reads=True), {"pulses": 0, "reads": 3}),
    ],
)
def test_what_a_request_asks(request_: Request, wanted: dict[str, float]) -> None:
    use = of(request_)
    assert {name: getattr(use, name) for name in wanted} == wanted


def test_cycles_are_pairs_of_polarities_also_across_tests_and_reads() -> None:
    assert sum(map(of, [UP, READ, UP, DOWN]), Use()).cycles == 1
    assert sum(map(of, [UP, DOWN, UP]), Use()).cycles == 1
    assert sum(map(of, [UP, DOWN, READ, UP, DOWN, DOWN]), Use()).cycles == 2


def test_a_plan_is_its_requests_one_by_one() -> None:
    rng = np.random.default_rng(3)
    requests: list[Request] = [UP, DOWN, LOOP, READ, PulseTrain(np.array([1.0, -2.0]), 1e-6, 1e-5, count=3)]
    for _ in range(50):
        groups = [(int(rng.integers(0, 4)), list(rng.choice(len(requests), 3))) for _ in range(3)]
        apart = [of(requests[k]) for count, group in groups for _ in range(count) for k in group]
        assert planned([(count, [requests[k] for k in group]) for count, group in groups]) == sum(apart, Use())
        cut = int(rng.integers(0, len(apart) + 1))
        assert sum(apart[:cut], Use()) + sum(apart[cut:], Use()) == sum(apart, Use())


def test_energy_and_time_in_compliance_of_a_sampling() -> None:
    limited = [0, 0, int(Status.COMPLIANCE), int(Status.COMPLIANCE)]
    use = of_test(
        "sampling", Sampling({"top": 2.0}, 1e-3, 4, 0.5).details(), rows([0.5, 1, 1.5, 2], 2.0, 1e-3, limited)
    )
    assert use.energy == pytest.approx(2.0 * 1e-3 * 2.0)
    assert (use.compliance_time, use.v_measured, use.i_measured, use.unmeasured) == (1.0, 2.0, 1e-3, 0)


def test_flagged_rows_are_no_measurement() -> None:
    bad = [0, int(Status.INVALID), 0, int(Status.OVERFLOW)]
    table = rows([0, 1, 2, 3], [1, 50, 1, 1], [1e-3, 1, 1e-3, 7], bad)
    use = of_test("sampling", Sampling({"top": 1.0}, 1e-3, 4, 1.0).details(), table)
    assert (use.v_measured, use.i_measured, use.energy, use.unmeasured) == (1.0, 1e-3, 0.0, 1)


def test_a_ramp_is_integrated_between_its_rows() -> None:
    time = np.linspace(0, 2, 201)
    use = of_test("sweep", Sweep(time, 1e-2).details(), rows(time, time, time / 1e3))
    assert use.energy == pytest.approx(2.0**3 / 3 / 1e3, rel=1e-4)


def test_pulses_have_the_energy_of_their_mean() -> None:
    train = PulseTrain(np.array([2.0, -3.0]), 1e-3, 1e-2, count=2)
    table = rows([1, 2, 3, 4], [2, 2, -3, -3], [1e-3, 1e-3, -2e-3, np.nan])
    use = of_test("pulse train", train.details(), table)
    assert use.energy == pytest.approx(1e-3 * (2 * 2e-3 + 6e-3))
    assert (use.pulses, use.unmeasured) == (4, 1)
    use = of_test("pulse train", train.details(), rows([1, 2, 3, 4], 2, 1e-3, [0, 0, 0, int(Status.SKIPPED)]))
    assert (use.pulses, use.unmeasured) == (3, 0), "a pulse that was skipped did nothing"
    assert of_test("pulse train", train.details(), rows([], [], [])).unmeasured == 4


def test_samples_and_means_of_a_waveform() -> None:
    kinds = np.array([Measure.SAMPLES, Measure.SAMPLES, Measure.SAMPLES, Measure.NOTHING, Measure.MEAN])
    levels = np.array([0, 1, 1, 0, 0.5, 0.5])
    waveform = Waveform(np.ones(5) * 1e-3, levels, measure=kinds)
    time = np.append(np.linspace(0, 3e-3, 301), 4.5e-3)
    volts = np.interp(time, np.arange(6) * 1e-3, levels)
    use = of_test("waveform", waveform.details(), rows(time, volts, volts / 1e3))
    assert use.energy == pytest.approx(1e-6 * (1 / 3 + 1 + 1 / 3 + 0.25), rel=1e-3), "nothing across the gap"
    assert (use.pulses, use.unmeasured) == (2, 0)
    train = PulseTrain(np.array([1.0]), 1e-3, 1e-2, count=2, measure=Measure.SAMPLES)
    sampled = of_test(
        "pulse train", train.details(), rows([4e-4, 5e-4, 1.04e-2, 1.05e-2], 1.0, [1e-3, 3e-3, 1e-3, 1e-3])
    )
    assert sampled.energy == pytest.approx(1e-3 * (2e-3 + 1e-3))


def test_a_tally_takes_each_test_by_its_rows() -> None:
    table = rows([0, 1, 2, 3, 0, 1, 0], [0, 1, 2, 0, 0, -1.5, 0.1], [0, 1e-3, 2e-3, 0, 0, -1e-3, 1e-4])
    notes = [note(1, UP, 0, 4), note(2, DOWN, 4, 6, ""), note(3, READ, 6, 7)]
    use = tally(run_of(notes, table, [Event("formed", 2.0, 4, {"voltage": 1.9})]))
    assert (use.sweeps, use.reads, use.cycles, use.unknown, use.unmeasured) == (2, 1, 1, 1, 1)
    assert (use.v_measured, use.i_measured) == (2.0, 2e-3)
    assert (use.formed_how, use.formed_voltage) == ("iv-sweep: formed", 1.9)
    assert use.formed.startswith("2026-11-24T09:30:02")
    assert use.last_used.startswith("2026-11-24T09:30:03.5")


def test_a_sweep_that_ended_itself_did_not_get_to_its_end_but_one_nobody_knows_of_counts_whole() -> None:
    early = replace(LOOP, stop_on_compliance=True)
    table = rows([0, 1], [0, 2], [0, 1e-3])
    ended = tally(run_of([note(1, early, 0, 2)], table))
    unknown = tally(run_of([note(1, early, 0, 2, "")], table))
    assert (ended.cycles, unknown.cycles, unknown.unknown) == (0, 1, 1)


def test_a_resumed_run_counts_only_what_is_new() -> None:
    table = rows([0, 1, 2, 3] * 2, [0, 1, 2, 0] * 2, 1e-3)
    events = [Event("touchdown", 0.0, 0, {}), Event("touchdown", 9.0, 4, {})]
    notes = [note(1, UP, 0, 4), note(2, DOWN, 4, 4, ""), note(3, UP, 4, 8)]
    resumes = [{"uuid": "x", "rows": 4, "stimuli": 2, "last": 2, "time": 5.0}]
    before = tally(run_of(notes[:2], {k: v[:4] for k, v in table.items()}, events[:1]))
    whole = run_of(notes, table, events, resumes=resumes)
    assert before + tally(whole) == tally(whole, {})
    assert (before.sweeps, tally(whole).sweeps, tally(whole).touchdowns) == (2, 1, 1)


@pytest.mark.parametrize("details", [{}, {"levels": "x", "constants": {}}, {"levels": [1.0], "constants": 3}])
def test_a_note_that_is_none_is_said_to_be(details: dict[str, Any]) -> None:
    with pytest.raises(LedgerError, match="understood"):
        tally(run_of([Stimulus(1, "sweep", 0.0, 0, details)]))


def test_an_unknown_kind_counts_as_unmeasured() -> None:
    assert tally(run_of([Stimulus(1, "laser", 0.0, 0, {}, "done", 1.0, 0)])).unmeasured == 1


# -- rules ----------------------------------------------------------------------------------------------------------
def test_rules_are_read_with_units_and_mistakes_are_told(tmp_path: Path) -> None:
    text = """\
name: bench
ledger: cells/all.sqlite
instruments: {smu: {driver: keithley4200, resource: simulated}}
simulate: {device: ohmic}
rules: {formed_first: [endurance, iv_sweep], pulses: 1M, energy: 1 mJ}
samples:
  W12: {voltage: 5 V, rules: {cycles: 100k, compliance_time: 10 s}}
  "*": {rules: {touchdowns: 20}}
"""
    path = tmp_path / "station.yaml"
    path.write_text(text)
    config = station.read(path)
    assert config.ledger == tmp_path / "cells/all.sqlite"
    found = {b.quantity: (b.value, b.owner) for b in station.rules(config, "W12/D3").budgets}
    of_station = {"pulses": (1e6, "station bench"), "energy": (1e-3, "station bench")}
    assert found == {**of_station, "cycles": (1e5, "sample W12"), "compliance_time": (10.0, "sample W12")}
    assert {b.quantity for b in station.rules(config, "W9").budgets} == {"pulses", "energy", "touchdowns"}
    assert station.rules(config, "W9").formed_first == (("endurance", "station bench"), ("iv-sweep", "station bench"))
    for wrong, word in (("endurence", "did you mean"), ("1", "valid string")):
        path.write_text(text.replace("[endurance, iv_sweep]", f"[{wrong}]"))
        with pytest.raises(UsageError, match=word):
            station.read(path)
    path.write_text(text.replace("1 mJ", "1 mV"))
    with pytest.raises(UsageError, match=r"station.yaml:5:.*rules.energy"):
        station.read(path)


def test_budgets_say_total_budget_and_what_to_do() -> None:
    rules = RulesConfig(pulses=100.0, energy=1e-3).of("sample W12")
    rules.check_start("W12/C1", "iv-sweep", Use(pulses=60), Use(pulses=40))
    with pytest.raises(
        LimitError, match=r"pulses of W12/C1: 60 so far and the run would add 41, the budget of 100 of sample W12"
    ):
        rules.check_start("W12/C1", "iv-sweep", Use(pulses=60), Use(pulses=41))
    with pytest.raises(LimitError, match=r"energy of W12/C1: 1 mJ so far, the budget of 1 mJ.*--override-rules"):
        rules.check_stimulus("W12/C1", Use(energy=1e-3), Use(reads=1))
    rules.check_stimulus("W12/C1", Use(pulses=200), Use(reads=1))  # what adds no pulse is not refused for them
    first = Rules((), (("endurance", "station b"),)) & Rules((Budget("pulses", 1, "x"),))
    first.check_start("c", "iv-sweep", Use(), Use())
    first.check_start("c", "endurance", Use(formed="2026-11-24"), Use())
    with pytest.raises(LimitError, match="run forming on it first"):
        first.check_start("c", "endurance", Use(), Use())
