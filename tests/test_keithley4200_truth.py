"""What the Keithley 4200 driver delivers is true, or says that it is not; it stops when told to, and waits for what is slow."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from keithley_bench import RESISTANCE, Rig, rig

from labctl.contracts import Acquisition, Block, Sampling, Status, Sweep
from labctl.errors import InstrumentError
from labctl.quantities import Limit, Limits

LIMITED = int(Status.COMPLIANCE)
ELSEWHERE = int(Status.COMPLIANCE | Status.OTHER_COMPLIANCE)


def final(one: Rig, request: Sweep | Sampling) -> Block:
    run = one.meter.sweep if isinstance(request, Sweep) else one.meter.sample
    return list(run(request))[-1]  # type: ignore[operator]


# -- who limits -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("letters", ["CN", "LVXCTN"])
@pytest.mark.parametrize("stop_on_compliance", [False, True])
def test_a_held_terminal_that_limits_is_seen(letters: str, stop_on_compliance: bool) -> None:
    one = rig(settings={"letters": letters}, resistance=1e3)
    levels = np.array([-0.8, 0.0, 0.4, 0.9])
    sweep = Sweep(levels, 5e-4, constants={"bottom": -1.0}, stop_on_compliance=stop_on_compliance)
    block = final(one, sweep)
    rows = 2 if stop_on_compliance else 4
    assert block["status"].tolist() == [0, *[ELSEWHERE] * (rows - 1)]
    np.testing.assert_allclose(block["current"], [2e-4, *[5e-4] * (rows - 1)], rtol=0.01)
    np.testing.assert_allclose(block["voltage"] + 1.0, block["current"] * 1e3, atol=2e-3)


def test_the_driven_terminal_that_limits_says_so_itself() -> None:
    block = final(rig(resistance=1e3), Sweep(np.array([0.2, 0.9, -0.9]), 5e-4))
    assert block["status"].tolist() == [0, LIMITED, LIMITED]
    np.testing.assert_allclose(block["voltage"], [0.2, 0.5, -0.5], atol=2e-3)


def test_sampling_with_all_the_voltage_on_the_held_terminal() -> None:
    block = final(rig(resistance=1e3), Sampling({"top": 0.0, "bottom": 1.0}, 5e-4, 3, 0.1))
    assert block["status"].tolist() == [ELSEWHERE] * 3
    np.testing.assert_allclose(block["current"], [-5e-4] * 3, rtol=0.01)


def test_of_two_held_terminals_one_in_compliance_is_flagged_and_nothing_is_corrected() -> None:
    one = rig(
        terminals={"top": 1, "bottom": 2, "gate": 3}, settings={"options": "SMUPA1,SMUPA2,SMUPA3"}, resistance=1e3
    )
    block = final(one, Sweep(np.array([0.0, 0.4]), 5e-4, constants={"bottom": -1.0, "gate": 0.2}))
    assert block["status"].tolist() == [ELSEWHERE, ELSEWHERE]
    np.testing.assert_allclose(block["voltage"], [0.0, 0.4], atol=2e-3)


@pytest.mark.parametrize(
    "request_",
    [Sweep(np.array([0.5, 1.0]), 1e-5), Sampling({"top": 1.0, "bottom": 0.0}, 1e-5, 2, 0.1)],
    ids=["sweep", "sampling"],
)
def test_no_terminal_gets_more_than_the_sample_may_carry(request_: Sweep | Sampling) -> None:
    one = rig()
    one.meter.limits = one.meter.limits & Limits((Limit("current", 1e-5, "A", "sample x"),))
    one.sent.clear()
    final(one, request_)
    compliances = [
        float(command.split(",")[2])
        for message in one.sent
        for command in message.split(";")
        if command.startswith(("VC", "VL"))
    ]
    assert len(compliances) == 2
    assert max(compliances) <= 1e-5


# -- outputs that were not on -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("levels", [[0.0, 0.5, 1.0], [50.0], [-0.1] * 4])
@pytest.mark.parametrize("options", [{}, {"live": False}], ids=str)
def test_an_open_interlock_is_no_measurement(levels: list[float], options: Mapping[str, Any]) -> None:
    one = rig(settings={"interlock_closed": False}, options=options)
    with pytest.raises(InstrumentError, match="interlock"):
        final(one, Sweep(np.array(levels), 1e-5))


def test_rows_of_a_stopped_test_with_an_open_interlock_are_marked() -> None:
    one = rig(settings={"interlock_closed": False})
    asked = iter(range(1000))
    one.meter.should_stop = lambda: next(asked) >= 12
    block = final(one, Sweep(np.full(300, 0.5), 1e-5))
    assert set(block["status"]) == {int(Status.PROVISIONAL | Status.INVALID)}


def test_zero_volts_may_be_zero() -> None:
    block = final(rig(settings={"interlock_closed": False}), Sweep(np.zeros(3), 1e-5))
    assert block["status"].tolist() == [0, 0, 0]


def readings(values: list[float]) -> str:
    return ",".join(f"N {value:.5E}" for value in values)


def test_a_voltage_off_its_level_is_marked() -> None:
    one = rig()
    one.link.meddle = lambda message, reply: readings([0.5, 1.03, 0.019, -1.0]) if message == "DO 'V1'" else reply
    block = final(one, Sweep(np.array([0.5, 1.0, 0.01, -1.0]), 1e-5))
    assert block["status"].tolist() == [0, int(Status.INVALID), 0, 0]


@pytest.mark.parametrize("measured", [[1.0, 0.5, 0.25], [1e-7, 2e-7, 3e-7], [-0.5, -1.0, -0.1]])
def test_voltages_of_something_else_are_refused(measured: list[float]) -> None:
    one = rig()
    one.link.meddle = lambda message, reply: readings(measured) if message == "DO 'V1'" else reply
    with pytest.raises(InstrumentError, match="does not follow"):
        final(one, Sweep(np.array([0.5, 1.0, 0.1]), 1e-5))
    assert one.outputs_are_off()


def test_a_limited_voltage_need_not_follow() -> None:
    block = final(rig(resistance=1e3), Sweep(np.array([5.0, 6.0]), 1e-4))
    assert block["status"].tolist() == [LIMITED, LIMITED]


# -- stopping ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("options", [{}, {"live": False}, {"poll_interval": 5.0}], ids=str)
def test_a_wish_to_stop_is_heard_within_half_a_second(options: Mapping[str, Any]) -> None:
    one = rig(settings={"message_time": 0.02}, options=options)
    clock, times = one.bench.clock, {}
    until = clock.now() + 20.0

    def should_stop() -> bool:
        if clock.now() > until:
            times.setdefault("wish", clock.now())
        return "wish" in times

    def look(message: str, reply: str) -> str:
        if message == "ME4":
            times.setdefault("stopped", clock.now())
        return reply

    one.meter.should_stop, one.link.meddle = should_stop, look
    blocks = list(one.meter.sweep(Sweep(np.linspace(0, 1, 1500), 1e-5)))
    assert times["wish"] < until + 0.5, "nobody asked for so long"
    assert times["stopped"] - times["wish"] < 0.5
    assert one.outputs_are_off()
    assert np.all(blocks[-1]["status"] & int(Status.PROVISIONAL))


# -- slow, and never ending -------------------------------------------------------------------------------------------
PATIENT = {"patience": 1.5, "margin": 3}


@pytest.mark.parametrize("live", [True, False])
def test_low_currents_take_their_time(live: bool) -> None:
    one = rig(resistance=1e12, options={"live": live})
    how = Acquisition(range_floor=1e-12)
    block = final(one, Sweep(np.linspace(0.1, 1.0, 300), 1e-9, acquisition=how))
    assert len(block) == 300
    assert block["time"][-1] > 100


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("slow", [{"filter_factor": 13}, {"filter_factor": 100}, {"delay_factor": 100}], ids=str)
def test_so_do_filter_and_delay(slow: Mapping[str, Any], live: bool) -> None:
    one = rig(resistance=1e9, options={**slow, "live": live})
    how = Acquisition(integration=1.0)
    block = final(one, Sweep(np.linspace(0.1, 1.0, 20), 1e-7, acquisition=how))
    assert len(block) == 20


def test_a_test_that_moves_is_waited_for_without_reading_it_live() -> None:
    one = rig(options={"live": False, **PATIENT}, settings={"range_change_time": 0.5})
    block = final(one, Sweep(np.array([1e-3, 1.0] * 40), 1e-5))
    assert len(block) == 80
    assert block["time"][-1] > 100


def test_a_test_that_stands_still_is_given_up_without_reading_it_live() -> None:
    one = rig(options={"live": False})
    one.link.meddle = lambda message, reply: "16" if message == "SP" else reply
    before = one.bench.clock.now()
    with pytest.raises(InstrumentError, match="does not end: 40 of 40 readings"):
        final(one, Sweep(np.linspace(0, 1, 40), 1e-5))
    assert one.bench.clock.now() - before < 60
    assert one.outputs_are_off()


def test_resistance_is_what_is_left() -> None:
    block = final(rig(), Sweep(np.array([0.1, 1.0]), 1e-5))
    np.testing.assert_allclose(block["current"], np.array([0.1, 1.0]) / RESISTANCE, rtol=0.01)
