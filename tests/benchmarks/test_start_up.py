"""Start-up of ``labctl --help`` beside ``python -c pass`` and beside the imports it can't do without."""

import subprocess
import sys
from collections.abc import Callable


def python(code: str, *arguments: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, check=True)


def test_help(compare: Callable[..., dict[str, float]]) -> None:
    ratios = compare(
        "process start to end",
        1,
        rounds=9,
        python_pass=python("pass"),
        import_click=python("import click"),
        labctl_help=python("from labctl.cli import main; main()", "--help"),
        import_pymeasure_display=python("import pymeasure.experiment"),
    )
    seconds = {name: 1 / ratio for name, ratio in ratios.items()}  # in units of python_pass
    assert seconds["labctl_help"] <= 3 * 1 + seconds["import_click"]
    assert seconds["labctl_help"] <= 1.6 * seconds["import_click"]
