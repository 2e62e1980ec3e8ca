"""Make pictures of runs: which kinds a run can give, the figure, its bytes, and the block of a report around it."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib as mpl

import labctl
from labctl import outputs
from labctl.errors import LabctlError, UsageError
from labctl.logs.lines import visible
from labctl.report import document
from labctl.report.plots import rows, style
from labctl.report.plots.style import Picture, Size
from labctl.report.plots.table import Kind, Options, every, kind_named
from labctl.store import Run

Format = Literal["svg", "png", "pdf"]
FORMATS: tuple[Format, ...] = ("png", "svg", "pdf")


class CannotDraw(UsageError):
    """A run lacks what a kind of picture needs; the message says what it lacks, and what it can give."""


def kinds_for(run: Run) -> list[str]:
    """The kinds of picture `run` can give, those its recipe declares first, as it declares them; [] for a run without rows."""
    able = [name for name, kind in every().items() if not lacks(kind, run)]
    recipe = rows.procedure(run)
    declared = [name for name in (recipe.pictures if recipe else ()) if name in able]
    rest = [name for name in able if name not in declared]
    return [*declared, *sorted(rest, key=lambda name: (name != "plain" or bool(declared), name))]


def shown_for(run: Run) -> list[str]:
    """The kinds that show what `run` is about, for a report: those its recipe declares, or else the first it can give."""
    able = kinds_for(run)
    recipe = rows.procedure(run)
    return [name for name in able if recipe and name in recipe.pictures] or able[:1]


def lacks(kind: Kind, run: Run) -> str:
    """What `run` lacks for pictures of `kind`, "" for nothing; a table that is not what it claims lacks something, too."""
    try:
        return kind.lacks(run)
    except (KeyError, ValueError, TypeError, IndexError, ArithmeticError) as error:
        return f"its table is not what it claims to be ({type(error).__name__}: {style.plain(error)})"


def picture(
    runs: Sequence[Run],
    kind: str = "",
    *,
    size: Size | None = None,
    title: bool = True,
    options: Options | None = None,
) -> Picture:
    """Draw `runs` as one picture of `kind`, by default the first kind of the first run.

    size: one or two columns of a journal, as fits by default. The result is a matplotlib Figure; `notes` of it are what a
    caption must say. Raises CannotDraw where a run lacks something, UsageError for a kind there is not.
    """
    if not runs:
        raise UsageError("there is nothing to draw: no run")
    chosen = kind_named(kind or best(runs))
    _check(chosen, runs)
    with style.applied(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a sample named in letters the font lacks
        made = Picture(size, title)
        with _drawing(runs, chosen.name):
            chosen.draw(made, runs, options or Options())
            made.head(rows.title(runs))
    made.about = {
        "Title": f"{chosen.name}: {rows.title(runs)}".replace(r"\$", "$"),
        "Source": ", ".join(f"run {visible(run.header.uuid)[:64]}" for run in runs),
        "Description": command(runs, chosen.name, options),
    }
    return made


@contextlib.contextmanager
def _drawing(runs: Sequence[Run], kind: str) -> Iterator[None]:
    """Make whatever goes wrong while runs are drawn a CannotDraw that names them: their tables may be anybody's."""
    try:
        yield
    except (LabctlError, MemoryError, OSError):
        raise
    except Exception as error:
        names = ", ".join(map(_file, runs[:3])) + (" ..." if len(runs) > 3 else "")
        words = f"{type(error).__name__}: {style.plain(error)}"
        raise CannotDraw(
            f"{names} can't be drawn as {kind}: its numbers are not what a picture can show ({words})"
        ) from error


def able(runs: Sequence[Run], kind: str = "") -> tuple[list[Run], list[str]]:
    """Of several runs those that can be drawn as `kind` (as anything, by default), and in words why the others can't.

    All are given back where none can, or there is one only: `picture` says why.
    """
    lacking = [_alone(run, kind) if len(runs) > 1 else "" for run in runs]
    if all(lacking):
        return list(runs), []
    kept = [run for run, reason in zip(runs, lacking, strict=True) if not reason]
    said = [f"left out: {_file(run)}: {reason}" for run, reason in zip(runs, lacking, strict=True) if reason]
    return kept, said


def _alone(run: Run, kind: str) -> str:
    """What a run lacks to be drawn among others, "" for nothing."""
    if not kind:
        return "" if kinds_for(run) else f"it has nothing to draw: {len(run)} rows, {run.state}"
    chosen = kind_named(kind)
    return lacks(chosen, run) if chosen.together is None else rows.series(run)[1]  # one value of many is enough there


def _check(kind: Kind, runs: Sequence[Run]) -> None:
    """Raise CannotDraw where the runs lack something for `kind`."""
    if len(runs) > 1 and kind.together is not None:
        if reason := kind.together(runs):
            raise CannotDraw(f"these {len(runs)} runs give no {kind.name} picture: {reason}")
        return
    for run in runs:
        if reason := lacks(kind, run):
            able = ", ".join(kinds_for(run)) or "nothing"
            raise CannotDraw(f"{_file(run)} gives no {kind.name} picture: {reason}; it gives {able}")


def best(runs: Sequence[Run]) -> str:
    """The first kind of the first run that all of them can give. Raises CannotDraw where there is none."""
    shared = [set(kinds_for(run)) for run in runs]
    for name in kinds_for(runs[0]):
        if all(name in able for able in shared):
            return name
    empty = next((run for run, able in zip(runs, shared, strict=True) if not able), None)
    if empty is not None:
        raise CannotDraw(f"{_file(empty)} has nothing to draw: {len(empty)} rows, {empty.state}")
    raise CannotDraw("there is no kind of picture that all these runs can give; see them one by one with --list")


def command(runs: Sequence[Run], kind: str, options: Options | None = None, ending: str = "svg") -> str:
    """What draws these runs again, on a command line."""
    said = options or Options()
    extra = [] if said.scale == Options().scale else ["--scale", said.scale]
    extra += [part for name in said.quantities for part in ("--quantity", name)]
    files = [_file(run) for run in runs]
    return shlex.join(["labctl", "plot", *files, "--kind", kind, *extra, "--out", f"{kind}.{ending}"])


def _file(run: Run) -> str:
    """The file of a run as a command line may name it: from here, if it is below this folder."""
    if run.path is None:
        return f"{style.plain(run.header.uuid)}.h5"
    here = Path.cwd()
    return str(run.path.relative_to(here) if run.path.is_absolute() and run.path.is_relative_to(here) else run.path)


def render(figure: Picture, format: Format, dpi: int = style.DPI) -> bytes:
    """The figure as the bytes of an SVG, PNG or PDF file; the same figure gives the same bytes.

    dpi: of PNG; what is rasterised inside SVG and PDF has 600. Its `about` is in the file's metadata.
    """
    memory = io.BytesIO()
    vector = format != "png"
    with style.applied(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(
            memory, format=format, dpi=style.RASTER_DPI if vector else dpi, metadata=_metadata(figure, format)
        )
    return memory.getvalue()


def _metadata(figure: Picture, format: Format) -> dict[str, str | None]:
    """What each format has fields for; without a date, which would make equal pictures differ."""
    about = {name: re.sub(r"\s+", " ", visible(text)) for name, text in getattr(figure, "about", {}).items()}
    software = f"labctl {labctl.__version__}, matplotlib {mpl.__version__}"
    if format == "png":
        return {"Software": software, **about}
    if format == "svg":
        return {"Creator": software, "Date": None, **about}
    fields = {"Title": "Title", "Source": "Keywords", "Description": "Subject"}
    said = {fields[name]: text for name, text in about.items() if name in fields}
    return {"Creator": software, "Producer": software, "CreationDate": None, **said}


def figure(
    runs: Sequence[Run], kind: str = "", *, size: Size | None = None, options: Options | None = None
) -> document.Figure:
    """One picture of `runs` for a report: SVG and PNG, caption, description in words, and the command that draws it again.

    Raises as `picture`.
    """
    name = kind or best(runs)
    drawn = picture(runs, name, size=size, title=False, options=options)
    heading = f"{kind_named(name).words}: {rows.title(runs)}".replace(r"\$", "$")
    with _drawing(runs, name):
        return block(drawn, heading, command(runs, name, options))


def block(drawn: Picture, title: str, command: str, caption: str = "", alt: str = "") -> document.Figure:
    """Any picture as the block of a report; caption and alt are its notes unless given."""
    words = (caption or drawn.caption).replace(r"\$", "$")
    drawn.about = drawn.about or {"Title": title, "Description": command}
    return document.Figure(
        title, render(drawn, "svg"), render(drawn, "png"), command, words, alt or f"{title}. {words}"
    )


@dataclass(frozen=True)
class Saved:
    """A picture on the disk, and what its caption says."""

    path: Path
    kind: str
    caption: str


def save(
    runs: Sequence[Run],
    path: Path,
    kind: str = "",
    *,
    size: Size | None = None,
    title: bool = True,
    options: Options | None = None,
) -> Saved:
    """Draw `runs` into `path`: PNG, SVG or PDF by its ending; folders are made.

    Raises as `picture`, UsageError for other endings and for a file that one of the runs is read from.
    """
    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise UsageError(f"{path} is no picture: give a name that ends in {', '.join('.' + name for name in FORMATS)}")
    outputs.check_free(path, True, [run.path for run in runs if run.path])
    name = kind or best(runs)
    drawn = picture(runs, name, size=size, title=title, options=options)
    with _drawing(runs, name):
        made = render(drawn, ending)
    return Saved(outputs.write_whole(path, made), name, drawn.caption.replace(r"\$", "$"))
