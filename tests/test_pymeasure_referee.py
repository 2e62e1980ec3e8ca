"""An independent referee: PyMeasure's own, unmodified Keithley 4200 driver against the simulated instrument.

The expectations of its hardware test (open terminals on SMU1) are repeated here, in process and over TCP.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from pymeasure.instruments.keithley import Keithley4200
from pymeasure.instruments.keithley.keithley4200 import StatusCode
from sim_helpers import Resistor

from labctl.bench import SimBench, TcpDoor

SEED = 2


def bench_of(**options: Any) -> SimBench:
    return SimBench(Resistor(1e4), seed=SEED, settings={"options": "SMUPA1,SMUPA2,SMUPA3"}, **options)


def driver_of(resource: str, library: Any) -> Any:
    return Keithley4200(resource, visa_library=library)


@pytest.fixture(params=["in process", "over TCP"])
def k4200(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The driver on an instrument whose SMU1 is open: the cell is between SMU2 and SMU3."""
    bench = bench_of(wiring={"top": 2, "bottom": 3})
    if request.param == "in process":
        driver = driver_of(bench.resource, bench.library)
        driver.clear()
        yield driver
        driver.adapter.close()
        return
    with TcpDoor(bench.instrument) as door:
        driver = driver_of(f"TCPIP0::127.0.0.1::{door.port}::SOCKET", "@py")
        driver.clear()
        yield driver
        driver.adapter.close()


def test_identity_status_and_options(k4200: Any) -> None:
    assert "KI4200" in k4200.id
    assert type(k4200.status) is StatusCode
    assert k4200.options == ["SMUPA1", "SMUPA2", "SMUPA3"]
    assert sorted(k4200.smu) == [1, 2, 3]


@pytest.mark.parametrize("voltage", [1, 20.65, -3.27, 43.1, 1.2e1, -99.7, 0])
def test_voltage_into_open_terminals(k4200: Any, voltage: float) -> None:
    k4200.clear()
    assert k4200.status == StatusCode.NONE
    k4200.smu1.voltage_setpoint = (0, voltage, 1e-3)
    assert k4200.status == StatusCode.NONE
    got = k4200.smu1.voltage
    assert k4200.status == StatusCode.DATA_READY
    assert got == pytest.approx(voltage, rel=1e-3, abs=1e-4)
    k4200.smu1.voltage_setpoint = (0, voltage, 1e-3)
    got = k4200.smu1.current
    assert k4200.status == StatusCode.DATA_READY
    assert got == pytest.approx(0, abs=1e-6)
    k4200.clear()
    assert k4200.status == StatusCode.NONE


@pytest.mark.parametrize("current", [1e-3, -0.0256, 1.467e-2, 1.243e-6])
def test_current_into_open_terminals_runs_to_compliance(k4200: Any, current: float) -> None:
    compliance = 1
    k4200.clear()
    k4200.smu1.current_setpoint = (0, current, compliance)
    assert k4200.status == StatusCode.NONE
    assert k4200.smu1.current == pytest.approx(0, abs=2e-6)
    assert k4200.status == StatusCode.DATA_READY
    k4200.smu1.current_setpoint = (0, current, compliance)
    got = k4200.smu1.voltage
    assert k4200.status == StatusCode.DATA_READY
    assert abs(got) == pytest.approx(compliance, rel=1e-3, abs=1e-4)
    assert got * current > 0


def test_a_resistor_between_two_channels(k4200: Any) -> None:
    k4200.smu2.voltage_setpoint = (0, 0.5, 1e-3)
    k4200.smu3.voltage_setpoint = (0, 0, 1e-3)
    assert k4200.smu2.current == pytest.approx(5e-5, rel=2e-3)
    assert k4200.smu3.current == pytest.approx(-5e-5, rel=2e-3)
    k4200.smu2.disable()
    assert k4200.smu3.current == pytest.approx(0, abs=1e-10)


def test_the_driver_notices_a_refusal_where_the_instrument_answers_with_text() -> None:
    bench = SimBench(Resistor(), settings={"bad_command": "text"})
    driver = driver_of(bench.resource, bench.library)
    with pytest.raises(ValueError, match="-993"):
        driver.smu1.voltage_setpoint = (0, 150, 0.1)
