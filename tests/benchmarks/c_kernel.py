"""Builds the ECM cell in C with the system's compiler, and calls it through ctypes."""

from __future__ import annotations

import ctypes
import math
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
from ecm_cells import plugins_part

HERE = Path(__file__).resolve().parent
SOURCES = ("ecm.c", "ecm_cell.h")
#: what the C text takes from the model: places in vectors, constants, and two names of its own
MODULES = ("current", "circuit", "kinetics", "integrator", "parameters")
#: no fused multiply-add where the compiler could use one: both then round alike
FLAGS = ("-O3", "-std=c99", "-ffp-contract=off", "-shared", "-fPIC")


def compiler() -> str | None:
    """The path of a C compiler: the one Python was built with, else the usual names; None if there is none."""
    built_with = shlex.split(sysconfig.get_config_var("CC") or "")[:1]
    return next(filter(None, map(shutil.which, [*built_with, "cc", "gcc", "clang"])), None)


def places() -> str:
    """The text of places.h: every whole number and float that the model's modules define, to the bit."""
    found: dict[str, float] = {
        "PI": math.pi,
        "DAMAGE_CAP": plugins_part("damage").CAP,
        "COLD": plugins_part("damage").COLD,
    }
    for name in MODULES:
        for key, value in vars(plugins_part(name)).items():
            if key.isupper() and type(value) in (int, float):
                assert found.setdefault(key, value) == value, f"{key} means two things"
    return "".join(f"#define {key} {spelt(value)}\n" for key, value in found.items() if math.isfinite(value))


def spelt(value: float) -> str:
    return str(value) if isinstance(value, int) else f"({value.hex()})"


class CKernel:
    """The staircase of ecm.c as a Python function."""

    def __init__(self, cc: str, folder: Path, *flags: str) -> None:
        """Compile into `folder`; flags: on top of the usual ones."""
        for source in SOURCES:
            shutil.copy(HERE / source, folder)
        (folder / "places.h").write_text(places(), encoding="ascii")
        library = folder / ("ecm.dll" if sys.platform == "win32" else "ecm.so")
        command = [cc, *FLAGS, *flags, SOURCES[0], "-o", str(library), "-lm"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        self._staircase: Any = ctypes.CDLL(str(library)).staircase
        numbers = np.ctypeslib.ndpointer(dtype=np.float64, flags="C_CONTIGUOUS")
        whole, real = ctypes.c_long, ctypes.c_double
        self._staircase.argtypes = [numbers, numbers, numbers, whole, whole, real, real, real, real, numbers]
        self._staircase.restype = whole

    def __call__(self, p: Any, s: Any, v: Any, start: int, i_cc: float, left: float, each: float, currents: Any) -> int:
        """Hold the voltages from `start` on for `each` s, the first for `left`; the number at which something happened."""
        return int(self._staircase(p, s, v, start, len(v), i_cc, left, each, TOLERANCE, currents))


#: nm
TOLERANCE = 1e-2
