"""What was measured, read back from the run files: by experiment, device and cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from labctl import store
from labctl.errors import LabctlError
from labctl.paper.cells import NOMINAL, named
from labctl.paper.plan import EXPERIMENTS, Job
from labctl.paper.results import NAN, Quantity, median
from labctl.paper.work import Done
from labctl.store import Run


class NotMeasured(LabctlError):
    """A row needs a run that is not there, or did not finish."""


class Cell:
    """A cell that was measured: the runs of its steps, read when they are asked for."""

    def __init__(self, done: Done, folder: Path, read: Callable[[Path], Run], use: Callable[[str], None]) -> None:
        self.device, self.number = done.job.device, done.job.number
        self._files, self._folder, self._read, self._use = done.files, folder, read, use

    def has(self, step: str) -> bool:
        """Whether the step was done; some are left out on cells that don't switch."""
        return step in self._files

    def run(self, step: str) -> Run:
        """The run of a step. Raises NotMeasured, StoreError."""
        if step not in self._files:
            raise NotMeasured(f"{self.device}, {named(self.number)}: there is no run {step!r}")
        if not (self._folder / self._files[step]).is_file():
            raise NotMeasured(f"{self.device}, {named(self.number)}: the run file {self._files[step]} is missing")
        self._use(self._files[step])
        return self._read(self._folder / self._files[step])


class Taken:
    """All that was measured. `used`: the run files asked for so far, relative to the folder."""

    def __init__(self, folder: Path, done: Sequence[Done], runs: dict[Path, Run] | None = None) -> None:
        self.folder, self.done = folder, {item.job: item for item in done}
        self.used: list[str] = []
        self._runs: dict[Path, Run] = {} if runs is None else runs

    def afresh(self) -> Taken:
        """The same with nothing used yet; runs that were read stay."""
        return Taken(self.folder, list(self.done.values()), self._runs)

    def cells(self, experiment: str, device: str) -> list[Cell]:
        """The drawn cells of a device. Raises NotMeasured if there is none, or one was not measured to the end."""
        found = [item for job, item in self.done.items() if (job.experiment, job.device) == (experiment, device)]
        drawn = [item for item in found if item.job.number != NOMINAL]
        if not drawn:
            raise NotMeasured(f"{experiment} of {device} was not measured")
        for item in drawn:
            if item.problem:
                raise NotMeasured(f"{experiment} of {device}, {named(item.job.number)}: {item.problem}")
        return [self._cell(item) for item in drawn]

    def has(self, experiment: str) -> bool:
        """Whether an experiment was done on any cell."""
        return any(job.experiment == experiment for job in self.done)

    def nominal(self, experiment: str, device: str) -> Cell | None:
        """The nominal cell of a device, None where it has no part in the experiment. Raises NotMeasured."""
        if not EXPERIMENTS[experiment].nominal:
            return None
        item = self.done.get(Job(experiment, device, NOMINAL))
        if item is None or item.problem:
            raise NotMeasured(f"{experiment} of {device}, nominal: {item.problem if item else 'not measured'}")
        return self._cell(item)

    def over(self, experiment: str, device: str, figure: Callable[[Cell], float], unit: str = "") -> Quantity:
        """The median over cells of one figure a cell, NaN for a cell without it; and the nominal cell's."""
        nominal = self.nominal(experiment, device)
        each = [figure(cell) for cell in self.cells(experiment, device)]
        return median(each, unit, figure(nominal) if nominal else NAN)

    def _cell(self, done: Done) -> Cell:
        return Cell(done, self.folder, self._load, self._note)

    def _load(self, path: Path) -> Run:
        if path not in self._runs:
            self._runs[path] = store.read(path)
        return self._runs[path]

    def _note(self, file: str) -> None:
        if file not in self.used:
            self.used.append(file)
