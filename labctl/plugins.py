"""Finds plug-ins by name: the built-in folders, installed entry points, and the user's own folders.

A plug-in is one Python file (or folder) in ``procedures/``, ``instruments/`` or ``sim_backends/``; its file name is its name,
with ``-`` for ``_``. Outsiders offer the same files through entry points of the groups ``labctl.procedures``,
``labctl.instruments`` and ``labctl.sim_backends``, or in a folder named by the environment variable ``LABCTL_PLUGINS``
(several separated by the system's path separator) that holds sub-folders of those names.
Of two with one name the nearer to the user wins: the user's folder (the last named first), then an installed package, then the
built-in one; `warnings` says so. Listing names imports nothing; a plug-in that can't be imported is reported, and the
others still work.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Literal, TypeVar

import labctl
from labctl.errors import UsageError

Kind = Literal["procedures", "instruments", "sim_backends"]
KINDS: tuple[Kind, ...] = ("procedures", "instruments", "sim_backends")
T = TypeVar("T")


def folders(kind: str) -> list[Path]:
    """Where files of this kind lie (also "data"): built-in first, then each folder of LABCTL_PLUGINS; only existing ones."""
    roots = [*labctl.__path__, *filter(None, os.environ.get("LABCTL_PLUGINS", "").split(os.pathsep))]
    return [folder for root in roots if (folder := Path(root).expanduser() / kind).is_dir()]


def names(kind: Kind) -> list[str]:
    """The names of all plug-ins of a kind, sorted; imports none of them."""
    return sorted({name for name, _ in _files(kind)} | {_name(entry.name) for entry in _entries(kind)})


def warnings() -> list[str]:
    """What a user should know about the plug-in folders: one that does not exist, a plug-in that hides another."""
    named = [text for text in os.environ.get("LABCTL_PLUGINS", "").split(os.pathsep) if text]
    missing = [
        f"LABCTL_PLUGINS names {text}, which is no folder" for text in named if not Path(text).expanduser().is_dir()
    ]
    return missing + [
        f"of two {kind} named {name!r} the nearer to you is used" for kind in KINDS for name in _doubles(kind)
    ]


def _doubles(kind: Kind) -> list[str]:
    found = [name for name, _ in _files(kind)] + [_name(entry.name) for entry in _entries(kind)]
    return sorted({name for name in found if found.count(name) > 1})


def module(kind: Kind, name: str, part: str = "") -> ModuleType:
    """Import the plug-in `name`; part: a module inside a plug-in that is a folder ("kinetics").

    Raises UsageError if there is none, with a suggestion, or if it can't be imported (the error is its cause).
    """
    try:
        return _found(kind, _name(name), part)
    except (Exception, SystemExit) as error:
        if isinstance(error, UsageError):
            raise
        what = f"{type(error).__name__}: {error}"
        raise UsageError(f"{_singular(kind)} {_name(name)!r} can't be loaded: {what}") from error


def _found(kind: Kind, name: str, part: str) -> ModuleType:
    paths = [path for found, path in _files(kind) if found == name]
    for path in (path for path in reversed(paths) if not _built_in(kind, path)):
        return _import_file(f"labctl_user.{kind}.{path.stem}", path, part)
    for entry in _entries(kind):
        if _name(entry.name) == name:
            return importlib.import_module(".".join(filter(None, [entry.value, part])))
    for path in paths:
        return importlib.import_module(".".join(filter(None, [f"labctl.{kind}.{path.stem}", part])))
    raise UsageError(f"no {_singular(kind)} named {name!r}{suggestion(name, names(kind))}; see 'labctl list'")


def load(kind: Kind, name: str, base: type[T]) -> type[T]:
    """The one class derived from `base` that the plug-in `name` offers. Raises UsageError if it is not exactly one."""
    source = module(kind, name)
    found = [
        item
        for item in vars(source).values()
        if inspect.isclass(item) and issubclass(item, base) and item is not base and not inspect.isabstract(item)
        and item.__module__.startswith(source.__name__)
    ]  # fmt: skip
    if len(found) != 1:
        raise UsageError(
            f"{_singular(kind)} {name!r} must offer exactly one {base.__name__}, not {[item.__name__ for item in found]}"
        )
    return found[0]


def names_of(kind: Kind, cls: type) -> list[str]:
    """The names of the plug-ins that a class is of: its own, and those of what it derives from; none for a script's own."""
    entries = {entry.value: _name(entry.name) for entry in _entries(kind)}
    found = [_name_in(kind, base.__module__, entries) for base in inspect.getmro(cls)]
    return list(dict.fromkeys(name for name in found if name))


def _name_in(kind: Kind, module: str, entries: Mapping[str, str]) -> str:
    for start in (f"labctl.{kind}.", f"labctl_user.{kind}."):
        if module.startswith(start):
            return _name(module.removeprefix(start).partition(".")[0])
    return next((name for value, name in entries.items() if f"{module}.".startswith(f"{value}.")), "")


def normal(name: str) -> str:
    """A name as it is compared where people write it freely: ``Iv_sweep `` is ``iv-sweep``."""
    return "-".join(_name(name).lower().split())


def survey(kind: Kind, base: type[T]) -> Iterator[tuple[str, type[T] | Exception]]:
    """Every plug-in of a kind that offers a `base`, as (name, class), or (name, the error) where it can't be loaded."""
    for name in names(kind):
        try:
            yield name, load(kind, name, base)
        except UsageError as error:
            yield name, error


def suggestion(name: str, among: list[str]) -> str:
    """ " (did you mean 'x'?)" or nothing."""
    by_lower = {item.lower(): item for item in among}
    close = difflib.get_close_matches(name.lower(), by_lower, 1, cutoff=0.78)
    return f" (did you mean {by_lower[close[0]]!r}?)" if close else ""


def _singular(kind: Kind) -> str:
    return {"procedures": "procedure", "instruments": "instrument", "sim_backends": "simulation"}[kind]


def _name(stem: str) -> str:
    return stem.replace("_", "-")


def _entries(kind: Kind) -> list[EntryPoint]:
    return list(entry_points(group=f"labctl.{kind}"))


def _files(kind: Kind) -> Iterator[tuple[str, Path]]:
    for folder in folders(kind):
        for path in sorted(folder.iterdir()):
            is_folder = (path / "__init__.py").is_file()
            if (path.suffix == ".py" or is_folder) and not path.name.startswith("_"):
                yield _name(path.stem), path


def _built_in(kind: Kind, path: Path) -> bool:
    return any(path.parent == Path(root) / kind for root in labctl.__path__)


def _import_file(name: str, path: Path, part: str) -> ModuleType:
    if part:
        _import_file(name, path, "")
        return importlib.import_module(f"{name}.{part}")
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) == str(_source(path)):
        return sys.modules[name]
    search = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, _source(path), submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file")
    loaded = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(loaded)
    except BaseException:
        del sys.modules[name]
        raise
    return loaded


def _source(path: Path) -> Path:
    return path / "__init__.py" if path.is_dir() else path
