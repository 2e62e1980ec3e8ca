"""Virtual time moves only when waited on; the wall clock can be run faster."""

import pytest

from labctl.clocks import VirtualClock, WallClock


def test_virtual_time() -> None:
    clock = VirtualClock(5.0)
    clock.sleep(1e4)
    clock.wait(1.0, lambda: False)
    clock.wait(1.0, lambda: True)
    assert clock.now() == 5.0 + 1e4 + 1.0
    for bad in (-1.0, float("nan")):
        with pytest.raises(ValueError):
            clock.sleep(bad)


def test_a_fast_wall_clock_and_a_wait_that_is_ended() -> None:
    clock = WallClock(speed=1e6)
    start = clock.now()
    clock.sleep(100.0)  # 0.1 ms of the wall's
    assert clock.now() - start >= 100.0
    calls = iter([False, False, True])
    clock.wait(1e12, lambda: next(calls))
