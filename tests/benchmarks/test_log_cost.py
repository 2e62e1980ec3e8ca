"""What the logs cost a run on the simulated bench, where a message takes far less time than on a real one."""

import itertools
from collections.abc import Callable
from pathlib import Path

from labctl import plugins, runner
from labctl.logs import entries
from labctl.procedure import Procedure
from labctl.station import Station, simulated

CYCLES = 60
GREATEST = 1.5  # time with logs over time without; on a real bench a message takes a hundred times as long


def test_an_endurance_run_with_and_without_logs(compare: Callable[..., dict[str, float]], tmp_path: Path) -> None:
    kind = plugins.load("procedures", "endurance", Procedure)  # type: ignore[type-abstract]
    numbers = itertools.count()

    def job(logs: bool) -> None:
        with Station(simulated("synapse"), seed=1) as station:  # the same cell each time, with the same history
            station.prepare("formed")
            path = tmp_path / f"{next(numbers)}.h5"
            result = runner.run("endurance", kind(cycles=CYCLES), station, path, seed=1, logs=logs)
            assert (result.state, result.rows > CYCLES) == ("finished", True)

    job(True)  # what is loaded and compiled once; run 0
    assert sum(1 for _ in entries(tmp_path / "0.wire")) > 10 * CYCLES
    ratios = compare("endurance, cycles", CYCLES, 5, without=lambda: job(False), logs=lambda: job(True))
    assert 1 / ratios["logs"] < GREATEST
