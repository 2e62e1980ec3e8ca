"""Recipes as generators over blocks, and their parameters."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import FakeMeter, FakeStation
from pymeasure.experiment import Results, Worker

from labctl import plugins
from labctl.errors import LimitError
from labctl.procedure import ParameterError, Procedure

IVSweep = plugins.load("procedures", "iv-sweep", Procedure)  # type: ignore[type-abstract]
Forming = plugins.load("procedures", "forming", Procedure)  # type: ignore[type-abstract]


def final(blocks: Any) -> dict[str, np.ndarray]:
    kept = [block for block in blocks if not block.provisional]
    return {name: np.concatenate([block[name] for block in kept]) for name in kept[0].columns}


# -- parameters -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"v_max": "nan"}, "v_max in V: 'nan' is not a finite number"),
        ({"v_max": math.nan}, "nan is not a finite number"),
        ({"v_max": math.inf}, "inf is not a finite number"),
        ({"v_max": "300"}, "v_max = 300 V is above the greatest allowed, 210 V"),
        ({"v_max": "-1"}, "v_max = -1 V is below the smallest allowed, 0 V"),
        ({"v_min": "1"}, "v_min = 1 V is above the greatest allowed, 0 V"),
        ({"step": "0"}, "step = 0 V must be greater than 0 V"),
        ({"compliance": "0"}, "compliance = 0 A must be greater than 0 A"),
        ({"compliance": "1 V"}, "compliance in A: '1 V'"),
        ({"cycles": "2.5"}, "cycles = 2.5 is not a whole number"),
        ({"cycles": "0"}, "cycles = 0 is below the smallest allowed, 1"),
        ({"spacing": "cubic"}, "spacing = 'cubic' is not one of linear, log"),
        ({"complience": "1u"}, "did you mean 'compliance'"),
        ({"xyzzy": "1u"}, "'xyzzy' is no parameter of this procedure; it has v_max"),
    ],
)
def test_a_bad_parameter_is_named_with_value_unit_and_limit(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        IVSweep(**settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (IVSweep, {"v_max": 0}, "nothing to sweep"),
        (IVSweep, {"step": 2}, "step = 2 V is larger than |v_max| = 1 V"),
        (IVSweep, {"spacing": "log", "v_first": 2}, "v_first = 2 V is larger"),
        (IVSweep, {"v_max": 1, "v_read": 5}, "v_read = 5 V is beyond both peaks"),
        (Forming, {"v_max": 0}, "leaves no ramp"),
        (Forming, {"v_max": 1, "v_read": 5}, "v_read = 5 V is beyond v_max = 1 V"),
        (Forming, {"step": 9}, "step = 9 V is larger"),
        (Forming, {"compliance": "1n"}, "i_formed"),
    ],
)
def test_contradictions_are_refused(kind: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message.replace("|", r"\|")):
        kind(**settings).check()


@pytest.mark.parametrize("step", [1e-9, 1e-300])
@pytest.mark.parametrize("kind", [IVSweep, Forming])
def test_a_mistyped_step_is_refused_before_it_fills_the_memory(kind: Any, step: float) -> None:
    with pytest.raises(ParameterError, match="steps is too long"):
        list(kind(step=step).requests())


def test_attributes_set_past_the_bounds_are_caught_at_the_start() -> None:
    sweep = IVSweep()
    sweep.station, sweep.v_min = FakeStation(), 5
    with pytest.raises(ParameterError, match="v_min = 5 V is above the greatest allowed, 0 V"):
        sweep.startup()


def test_parameters_are_each_procedures_own() -> None:
    assert "cycles" not in Forming()._parameters
    assert IVSweep(cycles=3).cycles == 3
    assert IVSweep().cycles == 1


# -- iv-sweep ---------------------------------------------------------------------------------------------------------
def test_a_bipolar_loop_reaches_both_peaks_and_keeps_both_compliances() -> None:
    sweep = IVSweep(v_max=1, v_min=-0.55, step=0.1, compliance=4e-4, reset_compliance=2e-4, cycles=2, v_read=0.1)
    rows = final(sweep.points(FakeStation()))
    assert len(rows["level"]) == sweep.expected_rows() == 2 * (21 + 1 + 13 + 1)
    assert (rows["level"].max(), rows["level"].min()) == (1.0, -0.55)
    assert (rows["current"].max(), rows["current"].min()) == (4e-4, -2e-4)
    assert sorted(set(rows["segment"])) == [-2, -1, 1, 2]
    assert np.all(rows["level"][np.abs(rows["segment"]) == 2] == 0.1)
    first = rows["level"][(rows["segment"] == -1) & (rows["cycle"] == 1)]
    np.testing.assert_allclose(first, [0, -0.1, -0.2, -0.3, -0.4, -0.5, -0.55, -0.5, -0.4, -0.3, -0.2, -0.1, 0])


def test_unipolar_negative_and_order() -> None:
    rows = final(IVSweep(v_max=0, v_min=-0.2, step=0.1).points(FakeStation()))
    np.testing.assert_allclose(rows["level"], [0, -0.1, -0.2, -0.1, 0])
    both = final(IVSweep(v_max=0.1, v_min=-0.1, step=0.1, first="negative").points(FakeStation()))
    assert list(both["segment"]) == [-1, -1, -1, 1, 1, 1]


def test_log_spacing_is_even_in_decades_and_ends_on_the_peak() -> None:
    levels = IVSweep(v_max=1, spacing="log", v_first=1e-2, per_decade=10).half_loop(1.0)
    up = levels[1 : np.argmax(levels) + 1]
    assert (levels[0], levels[-1], up[0], up[-1]) == (0.0, 0.0, 0.01, 1.0)
    np.testing.assert_allclose(np.diff(np.log10(up)), 0.1)


def test_the_pause_between_cycles_passes_on_the_stations_clock() -> None:
    station = FakeStation()
    final(IVSweep(cycles=3, pause=10, step=0.5).points(station))
    assert station.clock.now() == 20


def test_what_will_be_asked_is_checked_before_anything_is_asked() -> None:
    meter = FakeMeter()
    sweep = IVSweep(v_max=1, v_min=-1, step=1e-4)
    sweep.station = FakeStation(meter)
    sweep.should_stop = lambda: False
    with pytest.raises(LimitError, match="number of sweep points = 20001 points exceeds the points limit 4096 points"):
        sweep.startup()
    assert meter.calls == []


# -- forming ----------------------------------------------------------------------------------------------------------
def forms_at(voltage: float, after: float = 1e-3) -> Any:
    return lambda v: 1e-11 * v if abs(v) < voltage else math.copysign(after, v)


class Events:
    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def stimulus(self, kind: str, details: Any) -> int:
        return 1

    def outcome(self, note: int, outcome: str, details: Any = None) -> None: ...

    def event(self, kind: str, details: Any) -> None:
        self.events.append((kind, details))


@pytest.mark.parametrize(("v_max", "current", "live", "event", "at"), [
    (5, forms_at(3), 0, "formed", 3.0),  # ended by compliance
    (-5, forms_at(3), 0, "formed", -3.0),
    (5, forms_at(3, after=1e-7), 40, "formed", 3.0),  # jump below compliance, seen live
    (2, forms_at(3), 0, "not formed", 2),
    (5, lambda v: v * 1e-3, 0, "conducting from the start", 0.1),
])  # fmt: skip
def test_forming_tells_how_it_ended(v_max: float, current: Any, live: int, event: str, at: float) -> None:
    station = FakeStation(FakeMeter(current, live=live))
    station.recorder = Events()  # type: ignore[assignment]
    rows = final(Forming(v_max=v_max, step=0.1).points(station))
    ((kind, details),) = station.recorder.events  # type: ignore[attr-defined]
    assert kind == event
    assert next(iter(details.values())) == pytest.approx(at)
    ramp = rows["segment"] == 1
    if event == "formed":
        assert abs(rows["level"][ramp]).max() < abs(v_max)
    assert (rows["segment"] == 0).sum() == 1


def test_forming_stops_when_asked_and_does_not_read() -> None:
    meter = FakeMeter(forms_at(3), live=5)
    meter.should_stop = lambda: True
    rows = final(Forming().points(FakeStation(meter)))
    assert len(rows["level"]) == 5
    assert not (rows["segment"] == 0).any()


# -- stock PyMeasure --------------------------------------------------------------------------------------------------
def test_pymeasures_own_worker_runs_a_recipe_to_csv(tmp_path: Path) -> None:
    procedure = IVSweep(cycles=2, step=0.25, compliance=1.23456789e-6)
    procedure.station = FakeStation(FakeMeter(live=2))
    results = Results(procedure, str(tmp_path / "run.csv"))
    worker = Worker(results)
    worker.start()
    worker.join(timeout=20)
    assert procedure.status == Procedure.FINISHED
    assert list(results.data["cycle"]) == [1] * 9 + [2] * 9
    assert results.data["current (A)"].abs().max() == pytest.approx(1.23456789e-6, rel=1e-12)
    assert "1.23456789e-06 A" in (tmp_path / "run.csv").read_text()
    assert procedure.station.source_meter.calls[-1] == "make_safe"


def test_pymeasures_worker_survives_a_failing_shutdown(tmp_path: Path) -> None:
    meter = FakeMeter()
    meter.make_safe = lambda: (_ for _ in ()).throw(RuntimeError("no answer"))  # type: ignore[method-assign]
    procedure = IVSweep(step=0.5)
    procedure.station = FakeStation(meter)
    worker = Worker(Results(procedure, str(tmp_path / "run.csv")))
    worker.start()
    worker.join(timeout=20)
    assert not worker.is_alive()
    assert str(procedure.shutdown_error) == "no answer"
