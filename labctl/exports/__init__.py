"""Run files in the formats of other programs: tables, arrays, and device models for simulators of neural networks.

`make` gives the files of a format as bytes, `write` puts them on the disk; `to_pandas` and `to_xarray` give tables in Python.
Every export says which run it is from. ``data/exports.md`` describes the formats.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.errors import UsageError
from labctl.outputs import Together, check_free

if TYPE_CHECKING:
    from labctl.store import Run

#: format -> (module of this package, one line of help)
FORMATS: dict[str, tuple[str, str]] = {
    "csv": ("csv_table", "the table as text: comments say from which run, columns have their units"),
    "parquet": (
        "parquet",
        "the table for pandas, polars, R, Spark; units and run in the metadata (needs labctl[export])",
    ),
    "mat": ("matlab", "the table, units and parameters as a struct for MATLAB and Octave"),
    "aihwkit": ("aihwkit", "pulse response for IBM's aihwkit: its fit's input, and a fitted LinearStepDevice"),
    "crosssim": ("crosssim", "pulse response for CrossSim 2: currents after each pulse, and look-up tables of dG"),
    "neurosim": (
        "neurosim",
        "pulse response for NeuroSim: constants of its RealDevice, flags of DNN+NeuroSim",
    ),
    "verilog-a": ("verilog_a", "pulse response as a behavioural model for circuit simulators"),
    "memdevice-bench": ("memdevice_bench", "pulse response as memdevice-bench's table and metadata"),
}


@dataclass(frozen=True)
class Made:
    """An export in memory. files: by the ending of their names, the most important first; notes: what a user must know."""

    files: Mapping[str, bytes]
    notes: tuple[str, ...] = ()


def make(run: Run, to: str) -> Made:
    """Export a run in memory. Raises UsageError for an unknown format, a run it can't take, or a library that is not there."""
    if to not in FORMATS:
        raise UsageError(f"there is no format {to!r}; there are {', '.join(FORMATS)}")
    if not len(run):
        raise UsageError(f"{run.path or run.header.title} has no rows; there is nothing to export")
    made: Made = importlib.import_module(f"{__name__}.{FORMATS[to][0]}").make(run)
    return made


@dataclass(frozen=True)
class Written:
    """What an export of one run wrote: the files, and what a user must know."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def write(run: Run, to: str, out: Path, force: bool = False) -> tuple[list[Path], tuple[str, ...]]:
    """Export a run into files; returns their paths and what a user must know.

    out: a folder, for files named after the run's; or a name with the format's ending, for the most important file, the others
    beside it. Nothing is written unless all of it can be. Raises UsageError for a file that is there, unless `force`, for one
    the run is read from, and as `make`.
    """
    (done,) = write_all([run], to, out, force)
    return list(done.paths), done.notes


def write_all(runs: Iterable[Run], to: str, out: Path | None = None, force: bool = False) -> list[Written]:
    """Export runs into files, all of them or none; as `write`, by default beside each run's file.

    Raises UsageError where two runs would get files of one name, and as `write`.
    """
    done, taken, read = [], dict[str, str](), list[Path]()
    with Together() as files:
        for run in runs:
            made = make(run, to)
            paths = _paths(run, list(made.files), out or (run.path.parent if run.path else Path()))
            read += [run.path] if run.path else []
            for path, data in zip(paths, made.files.values(), strict=True):
                check_free(path, force, read)
                _claim(path, run, taken)
                files.add(path, data)
            done.append(Written(tuple(paths), made.notes))
        for path in (path for item in done for path in item.paths):
            check_free(path, force, read)  # of runs read after it was made, too
    return done


def _claim(path: Path, run: Run, taken: dict[str, str]) -> None:
    """Take the name of a file for a run. Raises UsageError where another run has it."""
    name, mine = os.path.normcase(os.path.realpath(path)), str(run.path or run.header.uuid)
    if name in taken:
        raise UsageError(
            f"{taken[name]} and {mine} would both be written to {path}; export them one by one, each with an --out of its own"
        )
    taken[name] = mine


def _paths(run: Run, endings: list[str], out: Path) -> list[Path]:
    if out.suffix and not out.is_dir():
        wanted = Path(f"x{endings[0]}").suffix
        if out.suffix.lower() != wanted:
            raise UsageError(
                f"{out} does not end in {wanted}, as the format does; give such a name, or a folder that is there"
            )
        return [out, *(out.with_suffix(ending) for ending in endings[1:])]
    stem = run.path.stem if run.path else run.header.uuid
    return [out / f"{stem}{ending}" for ending in endings]


def to_pandas(run: Run | Path | str) -> Any:
    """A run's table as a pandas DataFrame; ``attrs`` has units, meanings, parameters and from which run. Raises UsageError."""
    from labctl.exports import tables

    return tables.to_pandas(run)


def to_xarray(run: Run | Path | str) -> Any:
    """A run's table as an xarray Dataset along ``row``; ``attrs`` of the variables have units. Raises UsageError."""
    from labctl.exports import tables

    return tables.to_xarray(run)
