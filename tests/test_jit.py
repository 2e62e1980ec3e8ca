"""The kernel decorator: one switch, no numba before the first kernel, and no stale machine code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import labctl
from labctl import jit

ROOT = str(Path(labctl.__file__).parent.parent)
KERNEL = (
    "from labctl.jit import kernel\nfrom .helper import half\n\n@kernel\ndef quarter(x):\n    return half(half(x))\n"
)
HELPER = "from labctl.jit import kernel\n\n@kernel\ndef half(x):\n    return x * {factor}\n"
ASK = "from labctl import plugins; print(plugins.module('sim_backends', 'halves', 'kernels').quarter(8.0))"


def python(code: str, **environment: str) -> str:
    path = os.pathsep.join(filter(None, [ROOT, os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    return done.stdout.strip()


def test_importing_the_decorator_imports_no_numba() -> None:
    assert python("import sys, labctl.jit; print('numba' in sys.modules, 'numpy' in sys.modules)") == "False False"


def test_the_switch_leaves_a_kernel_as_it_is() -> None:
    setup = "import sys\nfrom labctl import jit\ndef f(x): return x\n"
    ask = "print(jit.kernel(f) is f, jit.vector([1]), 'numba' in sys.modules)"
    assert python(setup + ask, LABCTL_NO_JIT="1") == "True [1.0] False"


def test_a_vector_reads_and_writes_by_position() -> None:
    v = jit.vector(x / 2 for x in range(3))
    v[1] = 7.0
    assert [v[0], v[1], v[2]] == [0.0, 7.0, 1.0]


def test_a_kernel_without_a_file_still_works() -> None:
    space: dict[str, Any] = {}
    exec("def twice(x):\n    return x + x\n", space)
    twice: Callable[[float], float] = jit.kernel(space["twice"])
    assert twice(1.5) == 3.0


@pytest.mark.skipif(not jit.enabled(), reason="needs numba")
def test_a_kernel_follows_a_change_in_a_neighbour_file(tmp_path: Path) -> None:
    folder = tmp_path / "plugins" / "sim_backends" / "halves"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "kernels.py").write_text(KERNEL, encoding="utf-8")
    store = tmp_path / "store"
    where = {"LABCTL_PLUGINS": str(tmp_path / "plugins"), "NUMBA_CACHE_DIR": str(store)}
    for factor, expected in (("0.5", "2.0"), ("0.25", "0.5")):
        (folder / "helper.py").write_text(HELPER.format(factor=factor), encoding="utf-8")
        assert python(ASK, **where) == expected
    assert len(list(store.iterdir())) == 2, "one folder for each state of the sources"
