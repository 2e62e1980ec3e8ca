"""A run's end is the truth: finished, aborted or failed, with every row up to there and the outputs off."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labctl import plugins, runner, store
from labctl.contracts import Block, Sweep
from labctl.errors import ConnectionLost, LimitError, UsageError
from labctl.procedure import ParameterError, Procedure
from labctl.station import Station, StationConfig, simulated

IVSweep = plugins.load("procedures", "iv-sweep", Procedure)  # type: ignore[type-abstract]


@pytest.fixture
def station() -> Iterator[Station]:
    with Station(simulated("ohmic"), seed=0) as opened:
        yield opened


def start(station: Station, folder: Path, procedure: Any = None, **options: Any) -> tuple[runner.Result, store.Run]:
    result = runner.run("iv-sweep", procedure or IVSweep(step=0.25), station, folder / "run.h5", **options)
    return result, store.read(result.path)


def test_a_finished_run_holds_everything(station: Station, tmp_path: Path) -> None:
    seen: list[Block] = []
    result, run = start(station, tmp_path, seed=7, operator="ada", notes="first", listeners=[seen.append])
    assert (result.state, result.rows, result.safe, run.state) == ("finished", 9, True, "finished")
    assert sum(len(b) for b in seen if not b.provisional) == 9
    np.testing.assert_allclose(run["current"], np.minimum(run["level"] / 1e6, 1e-6), rtol=1e-2, atol=1e-10)
    head = run.header
    assert (head.seed, head.operator, head.notes, head.device, head.simulated) == (7, "ada", "first", "ohmic", True)
    assert head.parameters["step"] == {"value": 0.25, "unit": "V"}
    assert set(head.parameters) == set(IVSweep.declared())
    assert "KEITHLEY" in head.instruments["smu"]["identity"]["manufacturer"].upper()
    assert head.instruments["simulated_cell"]["settings"] == {"resistance": "1000000.0 ohm"}
    assert [s.outcome for s in run.stimuli] == ["done"]
    assert not list(tmp_path.glob("*.jrn"))


def test_the_stimulus_is_noted_before_it_is_sent(station: Station, tmp_path: Path) -> None:
    meter = station.source_meter
    inner = meter._sweep
    noted: list[int] = []

    def spy(sweep: Sweep) -> Iterator[Block]:
        noted.append(len(store.read(tmp_path / "run.jrn").stimuli))
        yield from inner(sweep)

    meter._sweep = spy  # type: ignore[method-assign]
    _, run = start(station, tmp_path, IVSweep(step=0.25, cycles=3))
    assert noted == [1, 2, 3]
    assert all(s.outcome == "done" for s in run.stimuli)


@pytest.mark.parametrize(
    "error", [ConnectionLost("the instrument is gone"), RuntimeError("bug"), ZeroDivisionError("x")]
)
def test_a_failing_run_keeps_its_rows_says_why_and_is_made_safe(
    station: Station, tmp_path: Path, error: Exception
) -> None:
    meter = station.source_meter
    inner, safe = meter._sweep, meter.make_safe
    calls: list[str] = []

    def failing(sweep: Sweep) -> Iterator[Block]:
        calls.append("sweep")
        if len(calls) == 2:
            raise error
        yield from inner(sweep)

    meter._sweep = failing  # type: ignore[method-assign]
    meter.make_safe = lambda: (calls.append("safe"), safe())[1]  # type: ignore[method-assign, func-returns-value]
    result, run = start(station, tmp_path, IVSweep(step=0.25, cycles=5))
    assert (result.state, run.state, len(run)) == ("failed", "failed", 9)
    assert str(error) in run.reason
    assert type(error).__name__ in run.traceback
    assert calls[:3] == ["sweep", "sweep", "safe"]
    assert [s.outcome for s in run.stimuli] == ["done", "failed"]


def test_a_stop_is_obeyed_within_the_sweep(station: Station, tmp_path: Path) -> None:
    seen: list[Block] = []
    result, run = start(
        station, tmp_path, IVSweep(step=0.01, cycles=5), should_stop=lambda: len(seen) >= 2, listeners=[seen.append]
    )
    assert (result.state, run.state) == ("aborted", "aborted")
    assert 0 < len(run) < 1000
    assert result.rows == len(run)
    assert [s.outcome for s in run.stimuli] == ["aborted"]
    assert len(set(zip(run["cycle"], run["time"], strict=True))) == len(run)


def test_ctrl_c_at_once(station: Station, tmp_path: Path) -> None:
    def interrupt(block: Block) -> None:
        raise KeyboardInterrupt

    result, run = start(station, tmp_path, listeners=[interrupt])
    assert (result.state, run.state, result.safe) == ("aborted", "aborted", True)
    assert result.rows == len(run) > 0


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_while_switching_off_does_not_leave_the_outputs_on(station: Station, tmp_path: Path, times: int) -> None:
    meter = station.source_meter
    safe = meter.make_safe
    calls: list[str] = []

    def interrupted() -> None:
        calls.append("make_safe")
        if len(calls) <= times:
            raise KeyboardInterrupt
        safe()

    meter.make_safe = interrupted  # type: ignore[method-assign]
    result, run = start(station, tmp_path)
    assert (result.state, result.safe, len(run)) == ("finished", True, 9)
    assert len(calls) > times


def test_outputs_go_off_even_when_the_recipes_own_shutdown_does_nothing_or_fails(
    station: Station, tmp_path: Path
) -> None:
    for shutdown in (lambda self: None, lambda self: 1 / 0):
        kind = type("Careless", (IVSweep,), {"shutdown": shutdown, "__doc__": "Forget the outputs."})
        calls: list[str] = []
        safe = station.source_meter.make_safe
        station.source_meter.make_safe = lambda: (calls.append("safe"), safe())[1]  # type: ignore[method-assign, func-returns-value]  # noqa: B023
        result, _ = start(station, tmp_path, kind(step=0.5))
        station.source_meter.make_safe = safe  # type: ignore[method-assign]
        assert result.safe
        assert calls


def test_a_listener_that_fails_does_not_end_the_measurement(station: Station, tmp_path: Path) -> None:
    seen: list[Block] = []
    result, run = start(station, tmp_path, listeners=[lambda block: 1 / 0, seen.append])
    assert (result.state, len(run)) == ("finished", 9)
    assert len(seen) > 0
    assert [event.kind for event in run.events] == ["listener failed"]


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit()])
def test_another_way_out_still_closes_the_file(station: Station, tmp_path: Path, error: BaseException) -> None:
    def leave(block: Block) -> None:
        raise error

    with pytest.raises(type(error)):
        start(station, tmp_path, listeners=[leave])
    run = store.read(tmp_path / "run.h5")
    assert run.state == "aborted"
    assert not list(tmp_path.glob("*.jrn"))


def test_a_procedure_can_be_run_again_after_a_failure(station: Station, tmp_path: Path) -> None:
    procedure = IVSweep(step=0.5)
    meter = station.source_meter
    safe, stop = meter.make_safe, meter.should_stop
    meter.make_safe = lambda: (_ for _ in ()).throw(ConnectionLost("no answer"))  # type: ignore[method-assign]
    assert start(station, tmp_path, procedure)[0].state == "failed"
    meter.make_safe = safe  # type: ignore[method-assign]
    result, _ = start(station, tmp_path, procedure)
    assert (result.state, result.safe) == ("finished", True)
    assert result.path.name != "run.h5"
    assert meter.should_stop is stop


def test_leaving_a_station_makes_every_instrument_safe(tmp_path: Path) -> None:
    config = simulated("ohmic")
    smu = config.instruments["smu"]
    two = StationConfig.model_validate({**config.model_dump(), "instruments": {"a": smu, "b": smu}})
    calls: list[str] = []
    station = Station(two, seed=0)
    station.instruments["a"].make_safe = lambda: (_ for _ in ()).throw(ConnectionLost("gone"))  # type: ignore[method-assign]
    station.instruments["b"].make_safe = lambda: calls.append("b")  # type: ignore[method-assign]
    with pytest.raises(ConnectionLost, match="gone"):
        station.__exit__(None, None, None)
    assert calls == ["b"]


def test_outputs_that_can_not_be_switched_off_are_said_so(station: Station, tmp_path: Path) -> None:
    meter = station.source_meter
    safe = meter.make_safe
    meter.make_safe = lambda: (_ for _ in ()).throw(ConnectionLost("no answer"))  # type: ignore[method-assign]
    result, run = start(station, tmp_path)
    meter.make_safe = safe  # type: ignore[method-assign]
    assert (result.state, result.safe) == ("failed", False)
    assert run.reason == "outputs may still be on: no answer"
    assert len(run) == 9


def test_what_is_refused_leaves_no_file_and_sends_nothing(tmp_path: Path) -> None:
    limits = {"limits": {"voltage": 2.0}, "samples": {"W1": {"current": "1 uA"}}}
    config = StationConfig.model_validate({**simulated("ohmic").model_dump(), **limits})
    with Station(config, "W1/C1", seed=0) as station:
        sent: list[Any] = []
        station.source_meter._sweep = sent.append  # type: ignore[method-assign, assignment]
        for settings, message in (
            ({"v_max": 2.5}, r"sweep level = 2.5 V exceeds the voltage limit 2 V of station simulated ohmic"),
            ({"compliance": "2u"}, r"compliance = 2 uA exceeds the current limit 1 uA of sample W1"),
            ({"step": 1e-4, "v_max": 1}, r"20001 points exceeds the points limit 4096 points"),
        ):
            with pytest.raises(LimitError, match=message):
                start(station, tmp_path, IVSweep(**settings))
        with pytest.raises(ParameterError):
            start(station, tmp_path, IVSweep(v_max=0))
        assert sent == []
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_can_not_be_made_is_said_with_how_the_run_ended(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.files, "rename_new", full)
    with pytest.raises(store.StoreError, match=r"safe in .*run\.jrn") as caught:
        start(station, tmp_path)
    assert caught.value.__notes__ == ["the run itself ended after 9 rows: finished"]
    monkeypatch.undo()
    assert len(store.read(store.recover(tmp_path / "run.jrn"))) == 9


def test_a_stimulus_after_the_end_is_a_mistake(station: Station, tmp_path: Path) -> None:
    start(station, tmp_path)
    with pytest.raises(UsageError, match="after the run had ended"):
        list(station.source_meter.sweep(Sweep(np.array([0.1]), 1e-6)))


def test_the_station_says_how_much_a_power_cut_may_take() -> None:
    config = StationConfig.model_validate({**simulated("ohmic").model_dump(), "sync_interval": "250 ms"})
    asked: list[dict[str, Any]] = []
    with Station(config, seed=1) as station:
        bench, station.bench = station.bench, None  # as on a real bench
        asked.append(runner._timing(station, None))
        station.bench = bench
        asked.append(runner._timing(station, None))
    assert [timing["sync_interval"] for timing in asked] == [0.25, math.inf]


def test_file_names_do_not_collide(station: Station, tmp_path: Path) -> None:
    first = runner.run_path(tmp_path, "iv-sweep", "W12/D3-4/C5")
    paths = [runner.run("iv-sweep", IVSweep(step=0.5), station, first).path for _ in range(3)]
    assert len(set(paths)) == 3
    with pytest.raises(store.StoreError, match="never overwritten"):
        runner.run("iv-sweep", IVSweep(step=0.5), station, first, unique=False)
    assert "W12-D3-4-C5" in first.name
