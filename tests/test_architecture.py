"""The rules of the house, held by a test: who may import whom, and that no folder is forgotten in the wheel."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = ("procedures", "instruments", "sim_backends")
FILES = sorted(p for folder in ("labctl", *PLUGINS, "tests") for p in (ROOT / folder).rglob("*.py"))
SOURCES = [p for p in FILES if p.relative_to(ROOT).parts[0] != "tests"]


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(module, at import time) for every absolute import of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef) for n in ast.walk(f)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((f"{node.module}.{alias.name}", id(node) not in inside) for alias in node.names)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_file_imports_a_plugin(path: Path) -> None:
    for module, _ in imports(path):
        parts = module.split(".")
        named_one = parts[0] in PLUGINS or (parts[0] == "labctl" and bool(set(parts[1:2]) & set(PLUGINS)))
        assert not named_one, f"{named(path)} imports {module}; plug-ins are found by name, through labctl.plugins"


@pytest.mark.parametrize("path", [p for p in SOURCES if p.relative_to(ROOT).parts[0] in PLUGINS], ids=named)
def test_relative_imports_stay_inside_the_plugin(path: Path) -> None:
    depth = len(path.relative_to(ROOT).parts) - 2  # folders below procedures/, instruments/ or sim_backends/
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level <= depth, f"{named(path)} reaches out of its plug-in: {ast.unparse(node)}"


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("h5py", ("labctl/store/",)),
        ("pyvisa", ("labctl/link.py", "labctl/bench.py", "labctl/bench/")),
        ("PySide6", ("labctl/gui/",)),
        ("pyqtgraph", ("labctl/gui/",)),
        ("matplotlib", ("labctl/report/", "labctl/gui/")),
        ("click", ("labctl/cli/",)),
        ("pickle", ()),
        ("cloudpickle", ()),
    ],
)
def test_only_one_room_uses(package: str, allowed: tuple[str, ...]) -> None:
    users = [named(p) for p in SOURCES if any(module.split(".")[0] == package for module, _ in imports(p))]
    assert all(user.startswith(allowed) if allowed else False for user in users), users


def test_nothing_sleeps_but_the_wall_clock() -> None:
    users = [
        named(p)
        for p in SOURCES
        if any(m in ("time.sleep", "asyncio.sleep") for m, _ in imports(p)) or calls(p, "sleep", "time")
    ]
    assert users == ["labctl/clocks.py"]


def calls(path: Path, function: str, owner: str | None = None) -> bool:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            f = node.func
            if owner is None and isinstance(f, ast.Name) and f.id == function:
                return True
            if (
                owner
                and isinstance(f, ast.Attribute)
                and f.attr == function
                and isinstance(f.value, ast.Name)
                and f.value.id == owner
            ):
                return True
    return False


@pytest.mark.parametrize("function", ["eval", "exec", "print"])
def test_nobody_calls(function: str) -> None:
    assert [named(p) for p in SOURCES if calls(p, function)] == []


@pytest.mark.parametrize(
    "module", ["numpy", "pymeasure", "h5py", "numba", "pandas", "pyvisa", "matplotlib", "PySide6", "pydantic", "rich"]
)
def test_the_command_line_loads_heavy_packages_only_when_needed(module: str) -> None:
    """What ``labctl --help`` imports: the command line's own package and what that imports at once."""
    seen, queue = set(), [ROOT / "labctl" / "cli" / "__init__.py"]
    while queue:
        path = queue.pop()
        seen.add(path)
        for name, at_once in imports(path):
            assert not (at_once and name.split(".")[0] == module), f"{named(path)} imports {name} at once"
            if at_once and name.startswith("labctl."):
                parts = name.split(".")
                found = [ROOT.joinpath(*parts[:n]).with_suffix(".py") for n in (2, 3)] + [
                    ROOT.joinpath(*parts[:2]) / "__init__.py"
                ]
                queue += [f for f in found if f.is_file() and f not in seen]


def test_every_package_folder_is_in_the_wheel() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"])
    folders = {p.parent.relative_to(ROOT).as_posix() for p in SOURCES if p.name == "__init__.py"}
    wanted = {f.replace("/", ".") if f.startswith("labctl") else f"labctl.{f.replace('/', '.')}" for f in folders}
    data = {"labctl.data"} | {f"labctl.data.{p.name}" for p in (ROOT / "data").iterdir() if p.is_dir()}
    assert wanted | data == listed


def test_no_links_in_the_tree() -> None:
    assert [
        p for folder in ("labctl", *PLUGINS, "tests", "data") for p in (ROOT / folder).rglob("*") if p.is_symlink()
    ] == []
