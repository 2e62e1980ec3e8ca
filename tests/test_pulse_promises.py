"""What every recipe promises, on fakes: conformance, stops, limits held before anything is sent, contradictions refused."""

import math
from typing import Any

import numpy as np
import pytest
from fakes import FakeMeter, FakeStation
from pulse_fakes import PulseStation, collect, kind_of, station_of

from labctl import plugins
from labctl.contracts import PulseTrain, Waveform
from labctl.errors import LimitError
from labctl.procedure import ParameterError
from labctl.quantities import Limit, Limits
from labctl.testing.procedure import check_procedure

#: few rows each; a recipe that is not named here runs with its defaults
SMALL: dict[str, dict[str, Any]] = {
    "potentiation-depression": {
        "pulses": 3,
        "cycles": 2,
        "keep": 10,
        "disturb": "third",
        "disturb_pulses": 3,
        "step": 0.1,
    },
    "switching-time": {"step": 0.1, "sample_rate": 1e6},
    "retention": {"duration": 100, "per_decade": 3, "step": 0.1},
    "endurance": {"cycles": 5, "check_every": 3, "step": 0.25},
    "pulse-verify": {"target": 4e-6, "target_last": 8e-6, "targets": 2, "step": 0.1},
    "read-disturb": {"count": 20, "step": 0.1},
    "transient-relaxation": {"per_decade": 2},
    "volatility": {"step": 0.05},
}
PULSED = [name for name in SMALL if name != "volatility"]


def made(name: str, **settings: Any) -> Any:
    return kind_of(name)(**{**SMALL.get(name, {}), **settings})


# -- what every recipe promises ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", plugins.names("procedures"))
def test_conformance(name: str) -> None:
    station = PulseStation(station_of("synapse").cell.device, live=2)
    check_procedure(lambda: made(name), station)


@pytest.mark.parametrize("name", sorted(set(plugins.names("procedures")) - set(PULSED)))
def test_what_needs_no_pulses_runs_without_a_pulse_source(name: str) -> None:
    check_procedure(lambda: made(name), FakeStation(FakeMeter(live=2)))


@pytest.mark.parametrize("name", PULSED)
@pytest.mark.parametrize("after", [1, 3, 6])
def test_a_stop_between_two_tests_leaves_the_cell_alone(name: str, after: int) -> None:
    station = station_of("synapse")
    procedure, seen = made(name), []
    procedure.station, procedure.should_stop = station, lambda: len(seen) >= after
    procedure.hand_on = lambda block: seen.append(station.cell.drives)
    procedure.startup()
    procedure.execute()
    procedure.shutdown()
    assert len(seen) == after
    assert station.cell.drives == seen[-1], "nothing was applied after the stop"
    assert station.pulse_source.safe == 1


@pytest.mark.parametrize("name", SMALL)
def test_a_generator_that_is_read_on_after_a_stop_applies_nothing(name: str) -> None:
    """A stop that comes while a recipe waits, or between tests that yield nothing."""
    station, procedure = station_of("synapse"), made(name)
    station.stop_when(lambda: station.cell.drives >= 12)
    list(procedure.points(station))
    applied = station.cell.drives
    assert applied >= 12
    assert list(procedure.points(station)) == []
    assert station.cell.drives == applied


@pytest.mark.parametrize("name", PULSED)
def test_what_is_played_was_announced(name: str) -> None:
    """No pulse is greater than the greatest announced, of either sign, so that limits hold from the start."""
    station, procedure = station_of("synapse"), made(name, **({"stress": "pulse"} if name == "endurance" else {}))
    rows = collect(procedure, station)
    announced = [r for r in procedure.requests() if isinstance(r, (PulseTrain, Waveform))]
    assert greatest(station.pulse_source.played) <= greatest(announced)
    assert (rows["applied"][-1] > 0) == bool(station.pulse_source.played)
    assert len(rows["time"]) <= (procedure.expected_rows() or math.inf)


def greatest(requests: Any) -> float:
    levels = [r.amplitudes if isinstance(r, PulseTrain) else r.levels for r in requests]
    return max((float(np.abs(level).max()) for level in levels), default=0.0)


@pytest.mark.parametrize("name", PULSED)
def test_a_limit_is_held_before_anything_is_sent(name: str) -> None:
    station, procedure = station_of("synapse"), made(name)
    pulses = any(isinstance(r, (PulseTrain, Waveform)) for r in procedure.requests())
    part = station.pulse_source if pulses else station.source_meter
    part.limits = Limits((Limit("voltage", 0.05, "V", "sample X"),))
    procedure.station, procedure.should_stop = station, lambda: False
    with pytest.raises(LimitError, match=r"exceeds the voltage limit 50 mV of sample X"):
        procedure.startup()
    assert (station.cell.drives, station.pulse_source.played, station.source_meter.calls) == (0, [], [])


def pulses_of(procedure: Any) -> list[Any]:
    return [request for request in procedure.requests() if isinstance(request, (PulseTrain, Waveform))]


@pytest.mark.parametrize("name", [name for name in PULSED if pulses_of(made(name))])
def test_a_short_is_refused_where_the_current_limit_says_so_unless_a_series_resistor_is_declared(name: str) -> None:
    limits = Limits((Limit("current", 2e-3, "A", "sample X"),))
    highest = max(pulses_of(made(name)), key=lambda request: greatest([request]))
    with pytest.raises(LimitError, match="no compliance"):
        highest.check(limits)
    for request in pulses_of(made(name, series=10e3)):
        request.check(limits)


READ = [name for name in PULSED if "read_with" in kind_of(name).declared()]


@pytest.mark.parametrize("name", READ)
def test_reads_by_pulse_have_the_declared_series_resistance(name: str) -> None:
    limits = Limits((Limit("current", 2e-3, "A", "sample X"),))
    with pytest.raises(LimitError, match="no compliance"):
        made(name, read_with="pulse").read_request().check(limits)
    request = made(name, read_with="pulse", series=10e3).read_request()
    assert request.series == 10e3
    request.check(limits)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("potentiation-depression", {"v_read": 0}, "v_read = 0 V reads nothing"),
    ("potentiation-depression", {"pot_first": 0}, "pot_first = 0 V is no pulse"),
    ("potentiation-depression", {"width": 1e-7, "rise": 1e-3}, "leaves no top"),
    ("potentiation-depression", {"disturb": "half", "disturb_period": 2e-5}, "below twice width"),
    (
        "potentiation-depression",
        {"scheme": "width", "disturb": "half", "disturb_period": 1e-4},
        "below twice width_last",
    ),
    ("potentiation-depression", {"v_set": 0.01}, "smaller than step"),
    ("switching-time", {"amplitude": 0}, "amplitude = 0 V is no pulse"),
    ("switching-time", {"selector_on": 1e-3}, "selector_on = 1 ms leaves nothing of width = 135 us"),
    ("retention", {"first": 200}, "first = 200 s is later than duration = 100 s"),
    ("retention", {"write_with": "pulse", "pulse_set": 0}, "writes nothing"),
    ("endurance", {"stress": "pulse", "pulse_reset": 0}, "cycles nothing"),
    ("endurance", {"window": 1}, "must be greater than 1"),
    ("pulse-verify", {"up_last": 1.0}, "no rising staircase"),
    ("pulse-verify", {"down_first": 2, "down_last": 2.5}, "one sign"),
    ("read-disturb", {"period": 1e-3}, "does not hold a pulse"),
    ("transient-relaxation", {"first_delay": 1e-7}, "too short for a read"),
    ("transient-relaxation", {"v_read": 1}, "second pulse"),
    ("transient-relaxation", {"first_delay": 0.5}, "later than last_delay"),
    ("volatility", {"compliance_2": 1e-7}, "must rise"),
    ("volatility", {"step": 2}, "smaller than its step"),
]


@pytest.mark.parametrize(("name", "settings", "message"), REFUSED)
def test_contradictions_are_refused(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        made(name, **settings).check()
