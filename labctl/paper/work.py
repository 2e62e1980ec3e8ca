"""Do the jobs: every step a run of a recipe by `labctl.runner` into a file of its own, several cells at a time.

Workers are processes of their own, begun afresh (so it is the same on every system); each has its own simulated bench. They
leave Ctrl-C to the process that began them, which asks them to stop in order: the run under way ends as "aborted".
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

from labctl import plugins, runner, store
from labctl.errors import LabctlError
from labctl.paper import curves
from labctl.paper.cells import named, on_bench, seed_of
from labctl.paper.plan import Job, Step
from labctl.procedure import Procedure
from labctl.station import Station

RUNS = "runs"  #: folder of the run files
POLL = 0.2  #: s between looks at whether a stop was asked for
PATIENCE = 20.0  #: s that workers get to end their runs in order: guess, far above what a sweep takes

LOST = "a process that measured was ended from outside"  #: the problem of a job that was under way or waiting then

Asked = Callable[[], bool]


@dataclass(frozen=True)
class Done:
    """What became of a job. files: of each step, relative to the folder of the whole; problem: why steps are missing, or ""."""

    job: Job
    files: dict[str, str]
    problem: str = ""
    seconds: float = 0.0


def do(job: Job, folder: Path, seed: int, should_stop: Asked = lambda: False) -> Done:
    """Run the steps of a job on its cell, into ``folder/runs``; stops after a step that did not finish."""
    files: dict[str, str] = {}
    began, problem = time.monotonic(), ""
    try:
        with on_bench(job.device, job.number, seed) as station:
            for step in job.steps:
                if step.once and not curves.switched(store.read(folder / files[step.once])):
                    break
                result = _run(job, step, station, folder, seed, should_stop)
                files[step.name] = result.path.relative_to(folder).as_posix()
                if result.state != "finished":
                    problem = f"{step.name}: {result.state}: {result.reason}"
                    break
    except LabctlError as error:
        problem = str(error)
    return Done(job, files, problem, time.monotonic() - began)


def _run(job: Job, step: Step, station: Station, folder: Path, seed: int, should_stop: Asked) -> runner.Result:
    kind = plugins.load("procedures", step.recipe, Procedure)  # type: ignore[type-abstract]
    path = folder / RUNS / f"{job.experiment}_{job.device}_{named(job.number)}_{step.name}.h5"
    notes = f"labctl paper: {step.name} of {job.experiment} on {job.device}, {named(job.number)}"
    return runner.run(
        step.recipe, kind(**step.settings), station, path,
        seed=seed_of(seed, job.device, job.number), notes=notes, unique=False, logs=False, should_stop=should_stop,
    )  # fmt: skip


def measure(
    jobs: Sequence[Job],
    folder: Path,
    seed: int,
    workers: int = 1,
    should_stop: Asked = lambda: False,
    tell: Callable[[Done], None] = lambda done: None,
) -> list[Done]:
    """Do all jobs, `workers` at a time, the first first; `tell` is called with each as it is done.

    should_stop: asked for now and then; once it is true what runs ends in order and nothing more is begun. Returns what was
    done, in the order of `jobs`. KeyboardInterrupt ends the workers at once.
    """
    (folder / RUNS).mkdir(parents=True, exist_ok=True)
    found: list[Done] = []
    for done in _one_by_one(jobs, folder, seed, should_stop) if workers == 1 else _several(
        jobs, folder, seed, workers, should_stop
    ):  # fmt: skip
        found.append(done)
        tell(done)
    places = {job: place for place, job in enumerate(jobs)}
    return sorted(found, key=lambda done: places[done.job])


def _one_by_one(jobs: Sequence[Job], folder: Path, seed: int, should_stop: Asked) -> Iterator[Done]:
    for job in jobs:
        if should_stop():
            return
        yield do(job, folder, seed, should_stop)


def _several(jobs: Sequence[Job], folder: Path, seed: int, workers: int, should_stop: Asked) -> Iterator[Done]:
    with _pool(min(workers, len(jobs) or 1)) as (pool, stop):
        of = {pool.submit(_do, job, folder, seed): job for job in jobs}
        waiting: set[Future[Done]] = set(of)
        while waiting:
            finished, waiting = wait(waiting, POLL, FIRST_COMPLETED)
            yield from (_result(future, of[future]) for future in finished)
            if should_stop() and not stop.is_set():
                stop.set()
                waiting = {future for future in waiting if not future.cancel()}


def _result(future: Future[Done], job: Job) -> Done:
    """What a worker gave; of a job under way or waiting when a worker was ended from outside, that it was not measured."""
    try:
        return future.result()
    except BrokenProcessPool:
        return Done(job, {}, LOST)


@contextmanager
def _pool(workers: int) -> Iterator[tuple[ProcessPoolExecutor, Event]]:
    """Workers and what tells them to stop; after an error they are told, given time to end in order, and then ended."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, context, _begin, (stop,))
    try:
        yield pool, stop
    except BaseException:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        _end(set(multiprocessing.active_children()) - before)
        raise
    pool.shutdown()


def _end(workers: set[multiprocessing.process.BaseProcess]) -> None:
    until = time.monotonic() + PATIENCE
    with suppress(KeyboardInterrupt):  # who is impatient skips the waiting
        for worker in workers:
            worker.join(max(0.0, until - time.monotonic()))
    for worker in workers:
        worker.terminate()


# -- in a worker ------------------------------------------------------------------------------------------------------
_stop: Event | None = None


def _begin(stop: Event) -> None:
    """Remember what tells a worker to stop; Ctrl-C is for the process that began it."""
    global _stop
    _stop = stop
    for name in ("SIGINT", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _told() -> bool:
    """Whether this worker is to stop: it was told so, or the process that began it is gone."""
    parent = multiprocessing.parent_process()
    return (_stop is not None and _stop.is_set()) or (parent is not None and not parent.is_alive())


def _do(job: Job, folder: Path, seed: int) -> Done:
    return Done(job, {}, "not begun") if _told() else do(job, folder, seed, _told)
