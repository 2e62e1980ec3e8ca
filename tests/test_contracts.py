"""What every source meter does for every vendor: limits before anything is sent, notes that tell the truth."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from fakes import FakeMeter

from labctl.contracts import Block, Sampling, Sweep, check_request
from labctl.errors import InstrumentError, LimitError
from labctl.quantities import Limit, Limits

LIMITS = Limits(
    (
        Limit("voltage", 2.0, "V", "sample W1"),
        Limit("current", 1e-3, "A", "sample W1"),
        Limit("power", 1e-3, "W", "sample W1"),
        Limit("points", 100, "points", "meter"),
    )
)


def sweep(*levels: float, compliance: float = 1e-6, **options: Any) -> Sweep:
    return Sweep(np.array(levels), compliance, **options)


def sampling(top: float, compliance: float = 1e-6, count: int = 3, interval: float = 0.1, **held: float) -> Sampling:
    return Sampling({"top": top, **held}, compliance, count, interval)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (sweep(0, 2.1), "sweep level = 2.1 V exceeds the voltage limit 2 V of sample W1"),
        (sweep(0, -2.1), "sweep level = -2.1 V exceeds"),
        (sweep(0, np.nan), "sweep level = nan V is not a finite number"),
        (sweep(np.inf, 0), "sweep level = inf V is not a finite number"),
        (sweep(0, 1, constants={"bottom": -2.5}), "voltage of bottom = -2.5 V exceeds"),
        (sweep(0, 1.5, constants={"bottom": -1.5}), "greatest voltage between two terminals = 3 V exceeds"),
        (sweep(0, 1.5, constants={"bottom": 0, "gate": -1}), "greatest voltage between two terminals = 2.5 V"),
        (sweep(0, 0.1, constants={"bottom": 1.5, "gate": -1.5}), "greatest voltage between two terminals"),
        (sweep(0, 1, constants={"bottom": np.nan}), "voltage of bottom = nan V is not a finite number"),
        (sweep(0, 1, constants={"top": 0}), "terminal 'top' can't be swept and held"),
        (sweep(0, 1, compliance=2e-3), "compliance = 2 mA exceeds the current limit 1 mA of sample W1"),
        (sweep(0, 1, compliance=0), "compliance = 0 A must be greater than 0 A"),
        (sweep(0, 1, compliance=-1e-6), "must be greater than 0 A"),
        (sweep(0, 1, compliance=np.inf), "compliance = inf A is not a finite number"),
        (sweep(0, 1.5, compliance=1e-3), "greatest voltage x compliance = 1.5 mW exceeds the power limit 1 mW"),
        (sweep(0, 0.9, compliance=1e-3, constants={"bottom": -0.9}), "greatest voltage x compliance = 1.8 mW"),
        (sweep(*np.zeros(101)), "number of sweep points = 101 points exceeds the points limit 100 points of meter"),
        (sweep(), "at least one level"),
        (sampling(2.1), "voltage of top = 2.1 V exceeds"),
        (sampling(1.5, bottom=-1.5), "greatest voltage between two terminals = 3 V"),
        (sampling(1, compliance=2e-3), "compliance = 2 mA exceeds"),
        (sampling(1, count=0), "count >= 1"),
        (sampling(1, count=101), "number of readings = 101 points"),
        (sampling(1, interval=0), "interval > 0 s"),
        (sampling(1, interval=np.nan), "interval > 0 s"),
        (Sampling({"bottom": 0}, 1e-6, 3, 0.1), "sampling drives 'top', but voltages names only ['bottom']"),
    ],
)
def test_what_a_limit_forbids_is_refused_before_anything_is_asked_of_the_instrument(
    request_: Any, message: str
) -> None:
    meter = FakeMeter()
    meter.limits = LIMITS
    with pytest.raises(LimitError) as caught:
        list(meter.sweep(request_) if isinstance(request_, Sweep) else meter.sample(request_))
    assert message in str(caught.value)
    assert meter.calls == []


def test_what_is_allowed_passes() -> None:
    check_request(LIMITS, sweep(-2, 0, 2, compliance=1e-4))
    check_request(LIMITS, sweep(-1, 1, compliance=5e-4, constants={"bottom": 1}))
    check_request(LIMITS, sampling(2, bottom=0))


def test_what_was_checked_is_what_is_sent() -> None:
    levels, held = np.array([0.0, 1.0]), {"bottom": 0.0}
    request = Sweep(levels, 1e-6, constants=held)
    levels *= 50
    held["bottom"] = -100.0
    assert list(request.levels) == [0.0, 1.0]
    assert dict(request.constants) == {"bottom": 0.0}
    with pytest.raises(ValueError, match="read-only"):
        request.levels[0] = 9.0
    with pytest.raises(TypeError):
        request.constants["bottom"] = 9.0  # type: ignore[index]
    assert list(dataclasses.replace(request, compliance=1e-5).levels) == [0.0, 1.0]


class Notes:
    def __init__(self) -> None:
        self.noted: list[Mapping[str, Any]] = []
        self.outcomes: list[tuple[str, int]] = []
        self.broken = False

    def stimulus(self, kind: str, details: Mapping[str, Any]) -> int:
        self.noted.append(details)
        return len(self.noted)

    def outcome(self, note: int, outcome: str, details: Mapping[str, Any] | None = None) -> None:
        if self.broken:
            raise OSError("disk full")
        self.outcomes.append((outcome, (details or {})["rows"]))

    def event(self, kind: str, details: Mapping[str, Any]) -> None: ...


@pytest.fixture
def meter() -> FakeMeter:
    made = FakeMeter(live=2)
    made.recorder = Notes()
    return made


def outcomes(meter: FakeMeter) -> list[tuple[str, int]]:
    return meter.recorder.outcomes  # type: ignore[attr-defined, no-any-return]


def test_a_whole_sweep_is_done_and_its_note_holds_what_was_applied(meter: FakeMeter) -> None:
    list(meter.sweep(sweep(0, 1, 2, compliance=1e-5)))
    (noted,) = meter.recorder.noted  # type: ignore[attr-defined]
    assert list(noted["levels"]) == [0, 1, 2]
    assert noted["compliance"] == 1e-5
    assert noted["constants"] == {"bottom": 0.0}
    assert noted["acquisition"]["integration"] == "normal"
    assert outcomes(meter) == [("done", 3)]


def test_a_stop_that_came_too_late_changes_nothing(meter: FakeMeter) -> None:
    for block in meter.sweep(sweep(0, 1, 2)):
        if not block.provisional:
            meter.should_stop = lambda: True  # type: ignore[method-assign]
    assert outcomes(meter) == [("done", 3)]


def test_a_sweep_that_ended_itself_in_compliance_is_done(meter: FakeMeter) -> None:
    list(meter.sweep(sweep(0, 1, 2, 3, compliance=1.5e-3, stop_on_compliance=True)))
    assert outcomes(meter) == [("done", 3)]


def test_a_stopped_sweep_is_aborted(meter: FakeMeter) -> None:
    meter.should_stop = lambda: True  # type: ignore[method-assign]
    list(meter.sweep(sweep(0, 1, 2)))
    assert outcomes(meter) == [("aborted", 2)]


def test_a_sweep_nobody_reads_to_the_end_is_settled_before_the_next(meter: FakeMeter) -> None:
    for _ in meter.sweep(sweep(0, 1, 2)):
        break
    assert outcomes(meter) == []
    list(meter.sweep(sweep(0, 1)))
    assert outcomes(meter) == [("aborted", 0), ("done", 2)]


@pytest.mark.parametrize(
    ("error", "outcome"), [(InstrumentError("relay stuck"), "failed"), (KeyboardInterrupt(), "aborted")]
)
@pytest.mark.parametrize("broken", [False, True])
def test_the_first_error_is_the_one_raised(meter: FakeMeter, error: BaseException, outcome: str, broken: bool) -> None:
    def failing(request: Sweep) -> Iterator[Block]:
        yield from ()
        raise error

    meter._sweep = failing  # type: ignore[method-assign]
    meter.recorder.broken = broken  # type: ignore[attr-defined]
    with pytest.raises(type(error)) as caught:
        list(meter.sweep(sweep(0, 1)))
    assert outcomes(meter) == ([] if broken else [(outcome, 0)])
    assert ("disk full" in str(getattr(caught.value, "__notes__", ""))) == broken


def test_a_block_is_even_and_made_of_arrays() -> None:
    with pytest.raises(ValueError, match="equally long"):
        Block({"a": np.zeros(2), "b": np.zeros(3)})
    with pytest.raises(ValueError, match="equally long"):
        Block({"a": np.zeros((2, 2))})
    with pytest.raises(ValueError, match="must be NumPy arrays"):
        Block({"a": [1, 2]})  # type: ignore[dict-item]
