"""Replies that the simulated instrument gives later than its client waits, through the in-process VISA library."""

from typing import Any

import pytest
import pyvisa
from pyvisa.constants import StatusCode
from sim_helpers import Resistor

from labctl.bench import SimBench


def opened(timeout: float, **settings: Any) -> Any:
    bench = SimBench(Resistor(), settings=settings, message_time=0.0)
    link = pyvisa.ResourceManager(bench.library).open_resource(
        bench.resource, read_termination="\0", write_termination="\0", timeout=timeout
    )
    return bench, link


def timed_out(link: Any) -> bool:
    with pytest.raises(pyvisa.VisaIOError) as failed:
        link.read()
    return failed.value.error_code is StatusCode.error_timeout


def test_a_slow_command_outlasts_the_time_out_and_its_reply_stays_to_be_read() -> None:
    bench, link = opened(2000, calibration_time=5.0)
    link.write("AC1")
    assert [timed_out(link), timed_out(link)] == [True, True]
    assert link.read() == "ACK"
    assert bench.clock.now() == pytest.approx(5.0)  # the time-outs are part of the five seconds
    link.close()


def test_patience_gets_the_reply() -> None:
    _, link = opened(6000, calibration_time=5.0)
    assert link.query("AC1") == "ACK"
    link.timeout = None
    link.write("AC1")
    assert link.read() == "ACK"
    link.close()


def test_a_late_reply_answers_the_next_question() -> None:
    _, link = opened(2000, calibration_time=5.0)
    link.write("AC1")
    assert timed_out(link)
    assert link.query("ID") == "ACK"
    link.clear()
    assert link.query("ID") == "KI4200A V1.13.0"
    link.close()


def test_options_asked_while_a_test_runs_time_out_where_the_instrument_waits_for_its_end() -> None:
    bench, link = opened(2000, options_while_busy="wait")
    for message in (
        "*RST",
        "DE;CH1,'V1','I1',1,1;CH2,'V2','I2',1,3",
        "SS;VR1,0,1,0.01,1e-3;VC2,0,0.1;DT 0.1",
        "MD;ME1",
    ):
        assert link.query(message) == "ACK"
    link.write("*OPT?")
    assert timed_out(link)
    assert link.query("SP") == "SMUPA1,SMUPA2,PMU1RPM1-2"
    assert link.read() == "1"
    assert bench.clock.now() > 10.0
    link.close()
