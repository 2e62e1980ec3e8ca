"""The pulse card's driver against the simulated card: every promise on every variant, and any waveform that is accepted."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keithley_bench import DRIVER, Rig, Stutter, honest, ohmic, rig

from labctl.bench import SimBench, TcpDoor
from labctl.contracts import Block, Measure, PulseSource, PulseTrain, Status, Sweep, Waveform
from labctl.errors import LabctlError, LimitError, RemoteProtocolError
from labctl.link import VisaLink
from labctl.testing import PULSE_SOURCE_CHECKS, PulseSubject, check_pulse_source

RESISTANCE = 1e4
CURRENT_RANGE = 1e-3  #: A
QUIET = {"pulse_settling": 0.0}  #: the ranges settle at once
NOTHING, MEAN, SAMPLES = Measure.NOTHING, Measure.MEAN, Measure.SAMPLES

VARIANTS: dict[str, dict[str, Any]] = {
    "bad commands are not answered": {"bad_command": "silent"},
    "bad commands are answered with text": {"bad_command": "text"},
    "no error is said in words": {"clean_error": "No error. (0)"},
    "data end with CR LF": {"character": "crlf"},
    "50 MSa/s after INIT": {"pulse_rate": 50e6},
    "RPMs lead to the card at reset": {"rpm_at_reset": "pulse"},
    "INIT leaves the routing": {"init_resets_rpm": False},
    "means do not count as samples": {"rate_limit": "waveform"},
    "averages over loops": {"segment_average": "loops"},
    "outputs rest at 0 V": {"pulse_rests": "zero"},
    "ready is never shown": {"data_ready": "never"},
    "ready comes as 65": {"data_ready": "service"},
    "*OPT? waits": {"options_while_busy": "wait"},
    "an RPM on one channel": {"options": "SMUPA1,SMUPA2,PMU1RPM1", "cables": "PMU"},
    "no number of the card, empty slots": {"options": 'SMUPA1,"",SMUPA2,PMURPM1-2'},
    "no RPMs": {"options": "SMUPA1,SMUPA2,PMU1", "cables": "PMU"},
}


def pulses_of(one: Rig) -> PulseSource:
    return next(part for part in one.meter.parts() if isinstance(part, PulseSource))


def pulse_rig(**wish: Any) -> Rig:
    plugged = {"cables": "pulse"} if wish.get("settings", {}).get("cables") == "PMU" else {}
    options = {**plugged, **wish.get("options", {})}
    return rig(
        **{"resistance": RESISTANCE, **wish, "options": options, "settings": {**QUIET, **wish.get("settings", {})}}
    )


def subject(**wish: Any) -> PulseSubject:
    one = pulse_rig(**wish)

    def again() -> PulseSource:
        one.again()
        return pulses_of(one)

    low_ranges = one.bench.instrument.settings.options.endswith("RPM1-2")  # without RPMs there is none below 10 mA
    span, tolerance = (CURRENT_RANGE, 0.01) if low_ranges else (1e-2, 0.03)
    return PulseSubject(pulses_of(one), RESISTANCE, lambda: len(one.sent), again, span, tolerance, error=0.02)


@pytest.mark.parametrize("check", PULSE_SOURCE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("transport", ["tcp", "gpib"])
def test_it_keeps_every_promise_of_a_pulse_source(check: Any, transport: str) -> None:
    check(subject(transport=transport))


@pytest.mark.parametrize("transport", ["tcp", "gpib"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_it_keeps_them_on_every_variant_of_the_instrument(variant: str, transport: str) -> None:
    check_pulse_source(lambda: subject(transport=transport, settings=VARIANTS[variant]))


# -- any waveform -----------------------------------------------------------------------------------------------------
#: Stated accuracy with an exact meter: half a step of 14 bits over -range to range for each of two channels, 50 ohm of output
#: resistance in 10 kohm, and on slopes what the simulated ramp's steps of 0.1 V and the sampling moment are off.
STEP_V, STEP_I = 20.0 / 2**14, 2 * CURRENT_RANGE / 2**14
SHARE = 0.002


@st.composite
def waveforms(draw: st.DrawFn) -> Waveform:
    """Anything a user might ask for, most of it allowed: mostly on the grid, mostly from and to 0 V."""
    count = draw(st.integers(1, 8))
    grid = st.one_of(st.integers(2, 9), st.integers(10, 400)).map(lambda n: n * 1e-8)
    wild = draw(st.sampled_from([False] * 7 + [True]))
    length = st.floats(1e-9, 2e-5) if wild else grid
    durations = draw(st.lists(length, min_size=count, max_size=count))
    level = st.one_of(st.just(0.0), st.floats(-9.0, 9.0).map(lambda v: round(v, 3)))
    inner = draw(st.lists(level, min_size=count - 1, max_size=count - 1))
    levels = [0.0, *inner, draw(st.sampled_from([0.0] * 9 + [1.0]))]
    measure = draw(st.lists(st.sampled_from([NOTHING, MEAN, SAMPLES]), min_size=count, max_size=count))
    rate = draw(st.sampled_from([None, 200e6, 50e6, 1e7, 3e6]))
    windows = None
    if draw(st.booleans()):
        share = draw(st.tuples(st.integers(0, 4), st.integers(5, 10)))
        windows = np.array([[round(d * s / 10 / 1e-8) * 1e-8 for s in share] for d in durations])
    repeats = draw(st.sampled_from([1, 1, 2, 3, 7]))
    return Waveform(durations, levels, measure, windows, repeats=repeats, current_range=CURRENT_RANGE, sample_rate=rate)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(waveforms())
def test_what_is_accepted_is_played_and_what_is_refused_is_not_sent(waveform: Waveform) -> None:
    one = shared_rig()
    one.sent.clear()
    try:
        blocks = list(pulses_of(one).play(waveform))
    except LimitError:
        assert one.sent == []
        return
    assert (blocks == []) == (not np.any(waveform.measure))
    if blocks:
        assert_reproduced(waveform, blocks[-1])


_RIG: list[Rig] = []


def shared_rig() -> Rig:
    """One connection for all examples: each test must leave it fit for the next."""
    if not _RIG:
        _RIG.append(pulse_rig())
    return _RIG[0]


def assert_reproduced(waveform: Waveform, final: Block) -> None:
    """Every row is where the waveform has its level, and says what a resistor makes of it."""
    once = int(np.count_nonzero(waveform.measure == MEAN)) * waveform.repeats
    kinds = np.asarray(waveform.measure)[final["segment"] % len(waveform.durations)]
    assert np.count_nonzero(kinds == MEAN) == once
    assert set(final["segment"]) == {
        k for k in range(len(waveform.durations) * waveform.repeats) if waveform.measure[k % len(waveform.durations)]
    }
    assert np.all(np.diff(final["time"]) > 0)
    assert np.all(final["status"] == int(Status.NORMAL))
    inside = final["time"] < waveform.duration
    assert np.all(inside)
    slope = np.abs(np.diff(waveform.levels) / waveform.durations)[final["segment"] % len(waveform.durations)]
    level = waveform.level_at(final["time"])
    np.testing.assert_allclose(final["level"], level, atol=1e-6 + 1e-9 * float(slope.max()))
    span = np.abs(np.diff(waveform.levels))[final["segment"] % len(waveform.durations)]
    between = 1.0 / (waveform.sample_rate or 38e6)  # s; a mean is one of samples, the first at the window's start
    margin = STEP_V + SHARE * np.abs(level) + np.minimum(span, 0.1 + slope * between + span / 8)
    assert np.all(np.abs(final["voltage"] - level) <= margin)
    off = np.abs(final["current"] - level / RESISTANCE)
    assert np.all(off <= STEP_I + (margin - STEP_V) / RESISTANCE)


# -- the same rows everywhere -----------------------------------------------------------------------------------------
REQUESTS: list[Waveform | PulseTrain] = [
    Waveform([1e-6, 2e-5, 1e-6], [0.0, 1.0, 1.0, 0.0], SAMPLES, current_range=CURRENT_RANGE, sample_rate=1e7),
    PulseTrain([1.0, 1.5, 2.0], width=2e-5, period=1e-4, count=3, current_range=CURRENT_RANGE),
    PulseTrain([-1.0, 2.0], width=2e-5, period=1e-4, count=2, current_range=CURRENT_RANGE),
]


def rows_of(meter: Any) -> list[Block]:
    pulses = next(part for part in meter.parts() if isinstance(part, PulseSource))
    rows = [list(pulses.play(r) if isinstance(r, Waveform) else pulses.train(r))[-1] for r in REQUESTS]
    return [*rows, list(meter.sweep(Sweep(np.array([0.5, 1.0]), 1e-3)))[-1]]


def test_the_rows_are_the_same_in_process_and_through_a_socket() -> None:
    found = []
    for through_socket in (False, True):
        bench = SimBench(ohmic(RESISTANCE), seed=11)
        with TcpDoor(bench.instrument) as door:
            resource = f"TCPIP0::127.0.0.1::{door.port}::SOCKET" if through_socket else bench.resource
            library = "@py" if through_socket else bench.library
            ends = dict(zip(("write_termination", "read_termination"), DRIVER.terminators(resource), strict=True))
            link = VisaLink(resource, visa_library=library, timeout=10.0, **ends)
            meter = DRIVER.connect(link, {"top": 1, "bottom": 2}, bench.clock, {})
            found.append(rows_of(meter))
            meter.make_safe()
            meter.close()
    for here, there in zip(*found, strict=True):
        for name in here.columns:
            assert here[name].tolist() == there[name].tolist(), name
    assert len(set(found[0][0]["voltage"])) > 10, "no noise at all: nothing was compared"


# -- what the cell gets -----------------------------------------------------------------------------------------------
def levels_of(one: Rig, begin: int) -> list[tuple[float, float]]:
    """(V, s) of what the cell got since, equal ones joined."""
    joined: list[tuple[float, float]] = []
    for dwell in one.bench.instrument.truth[begin:]:
        volts = round(dwell.drive, 6)
        if joined and joined[-1][0] == volts:
            joined[-1] = (volts, joined[-1][1] + dwell.duration)
        else:
            joined.append((volts, dwell.duration))
    return joined


@pytest.mark.parametrize("amplitudes", [[1.0], [1.0, 1.5], [1.5, -1.0]])
def test_the_cell_gets_every_pulse_once(amplitudes: list[float]) -> None:
    one = pulse_rig()
    begin = len(one.bench.instrument.truth)
    list(pulses_of(one).train(PulseTrain(amplitudes, width=2e-5, period=1e-4, count=3, current_range=CURRENT_RANGE)))
    tops = [
        (volts, length) for volts, length in levels_of(one, begin) if any(abs(volts - a) < 1e-3 for a in amplitudes)
    ]
    assert [round(volts, 3) for volts, _ in tops] == np.repeat(amplitudes, 3).tolist()
    np.testing.assert_allclose([length for _, length in tops], 1.99e-5, rtol=0.02)


def test_repeats_of_a_short_waveform_have_no_gap() -> None:
    one = pulse_rig()
    begin = len(one.bench.instrument.truth)
    triangle = Waveform([1e-4, 1e-4], [0.0, 1.0, 0.0], NOTHING, repeats=7, current_range=CURRENT_RANGE)
    list(pulses_of(one).play(triangle))
    moving = sum(length for volts, length in levels_of(one, begin) if volts != 0)
    assert moving == pytest.approx(14e-4, rel=0.1)


# -- routing, safety, errors ------------------------------------------------------------------------------------------
def test_pulses_and_sweeps_take_turns_on_one_cell() -> None:
    one = pulse_rig()
    pulses = pulses_of(one)
    for _ in range(2):
        final = list(one.meter.sweep(Sweep(np.array([0.5, 1.0]), 1e-3)))[-1]
        np.testing.assert_allclose(final["current"], final["level"] / RESISTANCE, rtol=0.01)
        final = list(pulses.train(REQUESTS[1]))[-1]  # type: ignore[arg-type]
        np.testing.assert_allclose(final["current"], final["level"] / RESISTANCE, rtol=0.02)


def test_a_sweep_left_energised_is_off_before_a_pulse() -> None:
    one = pulse_rig()
    list(one.meter.sweep(Sweep(np.array([0.5]), 1e-3, standby=False)))
    assert not one.outputs_are_off()
    list(pulses_of(one).train(REQUESTS[1]))  # type: ignore[arg-type]
    assert one.outputs_are_off()


def test_an_error_at_execute_leaves_all_off_and_the_next_test_works() -> None:
    one = pulse_rig(settings={"pulse_overheated": True})
    with pytest.raises(LabctlError, match=r"-968.*too hot"):
        list(pulses_of(one).play(REQUESTS[0]))  # type: ignore[arg-type]
    assert one.outputs_are_off()


def test_an_open_interlock_is_told() -> None:
    one = pulse_rig(settings={"interlock_closed": False})
    with pytest.raises(LabctlError, match="interlock"):
        list(pulses_of(one).train(REQUESTS[1]))  # type: ignore[arg-type]


def test_an_overflow_is_flagged() -> None:
    one = pulse_rig()
    final = list(pulses_of(one).train(replace(REQUESTS[1], current_range=1e-4)))[-1]  # type: ignore[arg-type]
    flagged = (final["status"] & int(Status.OVERFLOW)) != 0
    assert flagged.tolist() == [level > 1.04 for level in final["level"]]


#: (start of the message whose reply comes twice, how many such messages before it are answered once)
TWICE = [
    (":ERROR:LAST:CLEAR", 0), (":PMU:INIT", 0), (":PMU:RPM", 0), (":PMU:SARB", 0), (":PMU:OUTPUT", 1), (":ERROR:LAST:GET", 0),
    ("ID", 0), (":PMU:EXECUTE", 0), (":ERROR:LAST:GET", 1), (":PMU:TEST", 0), (":PMU:DATA:COUNT", 0), (":PMU:DATA:COUNT", 3),
    (":PMU:DATA:GET 1", 0), (":PMU:DATA:GET 2", 0), (":PMU:OUTPUT", 3), (":ERROR:LAST:GET", 2),
]  # fmt: skip


@pytest.mark.parametrize(("moment", "skip"), TWICE)
def test_a_reply_too_many_never_becomes_a_row(moment: str, skip: int) -> None:
    one = pulse_rig()
    one.sent.clear()
    one.link.meddle = Stutter(moment, skip)
    seen: list[Block] = []
    with pytest.raises(RemoteProtocolError):
        seen.extend(pulses_of(one).play(REQUESTS[0]))  # type: ignore[arg-type]
    assert seen == []
    before = (moment, skip) in TWICE[:6]
    assert (":PMU:EXECUTE" in one.sent) != before, "started without a valid check"
    one.link.meddle = honest
    assert len(list(pulses_of(one).play(REQUESTS[0]))) == 1  # type: ignore[arg-type]
