"""Benchmarks print ratios of things measured in the same run; they assert ratios only, never absolute times."""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the fakes the tests use


@pytest.fixture(autouse=True)
def one_processor() -> Iterator[None]:
    """Keep both ends on one CPU: between two idle virtual CPUs a loopback wake-up takes either 20 or 80 us."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


def interleaved(rounds: int, **jobs: Callable[[], object]) -> dict[str, float]:
    """Median seconds of each job, run in turn A B C A B C … so that a drifting machine hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


@pytest.fixture
def compare(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, float]]:
    """Time jobs that each do `count` things, print rates and ratios to the job named first, return the ratios (rate/rate)."""

    def run(what: str, count: int | dict[str, int], rounds: int = 7, **jobs: Callable[[], object]) -> dict[str, float]:
        medians = interleaved(rounds, **jobs)
        counts = count if isinstance(count, dict) else dict.fromkeys(jobs, count)
        rates = {name: counts[name] / seconds for name, seconds in medians.items()}
        first = next(iter(jobs))
        ratios = {name: rate / rates[first] for name, rate in rates.items()}
        with capsys.disabled():
            print(f"\n{what}, median of {rounds} interleaved rounds:")
            for name, rate in rates.items():
                print(f"  {name:<28}{rate:>14,.0f} /s   {ratios[name]:8.3f} x {first}")
        return ratios

    return run
