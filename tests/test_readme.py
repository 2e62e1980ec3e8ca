"""The README's commands do what it says; its example files are what they claim."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import labctl

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shell_lines() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def labctl_parts() -> list[str]:
    """The ``labctl …`` part of every command the README tells to type in a checkout."""
    parts = [match[1] for line in shell_lines() if (match := re.search(r"(?:^|bin/)labctl (.*)$", line))]
    assert len(parts) >= 6
    return parts


def test_both_commands_set_up_a_fresh_environment() -> None:
    commands = [line for line in shell_lines() if "venv" in line and "install" in line]
    assert len(commands) == 2
    assert commands[0].endswith("labctl demo")
    assert commands[1].endswith("-m pytest")


@pytest.mark.parametrize("part", labctl_parts())
def test_a_command_runs(part: str, tmp_path: Path) -> None:
    arguments = [str(ROOT / word) if word.startswith("data/") else word for word in shlex.split(part)]
    done = labctl(*arguments, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    if part == "demo":
        assert len(list((tmp_path / "runs").glob("*.h5"))) == 2
        assert len(list((tmp_path / "runs").glob("*.png"))) == 1
        assert not list((tmp_path / "runs").glob("*.jrn"))


def test_the_commands_from_rows_to_knowledge_run(tmp_path: Path) -> None:
    section = README.split("## From rows to knowledge")[1].split("```")[1]
    lines = re.findall(r"^\$ labctl ((?:analyze|plot|report|export) .*?)\s+#", section, re.MULTILINE)
    assert len(lines) == 4
    made = labctl(
        "run", "iv-sweep", "--sim", "device-2", "--seed", "1", "--out", "runs/my-run.h5", "-q", folder=tmp_path
    )
    assert made.returncode == 0, made.stderr
    for line in lines:
        words = [
            found
            for word in shlex.split(line)
            for found in ([*map(str, tmp_path.glob(word))] if "*" in word else [word])
        ]
        done = labctl(*words, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    assert {"figure-1.pdf", "W12.html"} <= {path.name for path in tmp_path.iterdir()}


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_python_examples_run(tmp_path: Path) -> None:
    example = next(block for block in python_blocks() if "runner.run" in block)
    example += next(block for block in python_blocks() if "Worker(" in block)
    done = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("finished ")
    assert (tmp_path / "iv.csv").read_text().count("\n") > 600


def test_the_example_procedure_is_a_plugin_as_it_stands(tmp_path: Path) -> None:
    example = next(block for block in python_blocks() if "class Leakage" in block)
    (tmp_path / "procedures").mkdir()
    (tmp_path / "procedures" / "leakage.py").write_text(example)
    arguments = ["run", "leakage", "--sim", "ohmic", "--seed", "1", "--set", "count=5"]
    done = labctl(*arguments, folder=tmp_path, LABCTL_PLUGINS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "5 rows" in done.stdout
