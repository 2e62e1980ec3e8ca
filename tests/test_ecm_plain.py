"""The ECM cell compiled against plain Python, bit for bit, and without a cache.

Run as a script this file prints the bits of a stroll through the model.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ecm_cells import pristine, there_and_back

import labctl
from labctl import jit
from labctl.contracts import Drive


def stroll() -> Iterator[str]:
    """The bits of current and state along forming, sweeps of both signs, compliance, draws and a rest, as text."""
    for name in ("device-2", "memory", "synapse"):
        cell = pristine(name, 5)
        for v in (1.0, 3.0, 4.5, 5.5, 0.0, *there_and_back(1.2, 0.06), *there_and_back(-2.0, 0.1)):
            found = cell.advance(Drive(v, 1e-5, 50.0), 0.02)
            yield " ".join(float(z).hex() for z in (found.current, found.voltage, *cell.state().values()))


def python(*arguments: str, **environment: str) -> str:
    """What another Python process prints; it finds labctl where this one has found it."""
    root = str(Path(labctl.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_compiled_and_plain_python_agree_to_the_bit() -> None:
    """The same stroll in a process of the other kind (a second compilation if this one runs plain)."""
    kind, *lines = python(__file__, LABCTL_NO_JIT="1" if jit.enabled() else "0").split("\n")
    if kind == str(jit.enabled()):
        pytest.skip("numba is not installed: there is only one kind")
    assert len(lines) > 150
    assert lines == list(stroll())


@pytest.mark.long
@pytest.mark.skipif(not jit.enabled(), reason="this is the unjitted run")
def test_plain_python_passes_the_tests_of_the_equations() -> None:
    folder = Path(__file__).parent
    chosen = "equations or current or rates or load_line or jacobian or compliance or division or splits"
    files = [str(folder / name) for name in ("test_ecm.py", "test_ecm_series.py", "test_ecm_damage.py")]
    printed = python("-m", "pytest", "-p", "no:cacheprovider", "-k", chosen, *files, LABCTL_NO_JIT="1")
    assert "passed" in printed
    assert "failed" not in printed


@pytest.mark.skipif(not jit.enabled(), reason="needs numba")
def test_a_cache_folder_that_can_not_be_written_is_no_hindrance(tmp_path: Path) -> None:
    """Not even made: its parent is a file (which stops a superuser, too)."""
    (tmp_path / "file").write_text("")
    ask = "from labctl import plugins; print(plugins.module('sim_backends', 'ecm', 'kinetics').stop(0.03, 0.03)[0])"
    assert float(python("-c", ask, NUMBA_CACHE_DIR=str(tmp_path / "file" / "store"))) == pytest.approx(1 - math.exp(-1))


if __name__ == "__main__":
    print(jit.enabled(), *stroll(), sep="\n", end="")
