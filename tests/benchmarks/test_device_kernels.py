"""(g) The kernels of the ECM cell: beside the same algorithm in C, many cells in tiles beside one by one, beside ngspice."""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from c_kernel import TOLERANCE, CKernel, compiler
from ecm_cells import (
    INTEGRATOR,
    PARAMETERS,
    SUPPLY,
    cell_of,
    filament,
    formed,
    plugins_part,
    pristine,
    there_and_back,
    values_of,
)
from spice_netlist import netlist

from labctl import jit
from labctl.contracts import Drive

pytestmark = pytest.mark.skipif(not jit.enabled(), reason="plain Python has no kernels to time")

Staircase = Callable[..., int]
Compare = Callable[..., dict[str, float]]


@pytest.fixture(scope="module")
def c_kernel(tmp_path_factory: pytest.TempPathFactory) -> CKernel:
    cc = compiler()
    if cc is None:
        pytest.skip("no C compiler found: neither Python's own nor cc, gcc, clang")
    return CKernel(cc, tmp_path_factory.mktemp("c"))


@pytest.fixture(scope="module")
def numba_kernel() -> Staircase:
    """The staircase of ecm.c over the model's own dwell, compiled here and not kept."""
    from numba import njit

    dwell, done = INTEGRATOR.dwell, INTEGRATOR.DONE

    @njit(**jit.OPTIONS)
    def staircase(p: Any, s: Any, v: Any, k: int, i_cc: float, left: float, each: float, currents: Any) -> int:
        while k < len(v):
            ended, currents[k], _, _ = dwell(p, s, v[k], i_cc, 0.0, left, TOLERANCE)
            if ended != done:
                return k
            left = each
            k += 1
        return k

    return staircase


def climb(staircase: Staircase, part: Any, v: Any, i_cc: float, each: float) -> tuple[Any, int]:
    """Lead a cell through voltages; the events on the way are the model's own. Returns its currents and how many there were."""
    currents, k, left, events = np.empty(len(v)), 0, each, 0
    while (k := staircase(part.packed, part.state, v, k, i_cc, left, each, currents)) < len(v):
        assert part.happen()
        left = float(part.state[INTEGRATOR.LEFT])
        events += 1
    return currents, events


def sweep() -> tuple[Any, list[float], float, float]:
    return formed("device-2"), [v for v in there_and_back(1.0, 0.001) if v > 0.0], 1e-5, 1e-3


def forming_and_switching() -> tuple[Any, list[float], float, float]:
    return pristine("device-2"), there_and_back(4.5, 0.01) + 4 * there_and_back(1.0, 0.01), 1e-6, 0.01


def set_and_reset_with_a_supply() -> tuple[Any, list[float], float, float]:
    cell = cell_of(values_of("memory", **SUPPLY))
    cell.set_formed()
    return cell, 2 * (there_and_back(2.5, 0.01) + there_and_back(-2.0, 0.01)), 1e-4, 0.01


def forming_without_a_limit() -> tuple[Any, list[float], float, float]:
    """It burns: the damage sums end the cell."""
    return pristine("device-2"), there_and_back(5.0, 0.002), math.inf, 0.01


@pytest.mark.parametrize(
    "case",
    [sweep, forming_and_switching, set_and_reset_with_a_supply, forming_without_a_limit],
    ids=lambda f: f.__name__,
)
def test_one_cell_beside_c(
    case: Callable[[], Any], c_kernel: CKernel, numba_kernel: Staircase, compare: Compare
) -> None:
    """Goal: at most 1.1 times the time of C. Both drive the whole staircase in compiled code, and take the same steps."""
    found: dict[str, Any] = {}
    cell, levels, i_cc, each = case()
    part, v = filament(cell), np.array(levels)
    first, packed = part.state.copy(), part.packed.copy()

    def run(name: str, staircase: Staircase) -> None:
        part.state[:], part.packed[:] = first, packed
        found[name] = (*climb(staircase, part, v, i_cc, each), float(part.state[INTEGRATOR.STEPS]))

    run("C", c_kernel)
    run("numba", numba_kernel)
    assert found["C"][1:] == found["numba"][1:], "events, steps"
    np.testing.assert_allclose(found["C"][0], found["numba"][0], rtol=1e-9)
    steps = int(found["C"][2])
    ratios = compare(
        f"{steps} steps, {case.__name__}",
        steps,
        rounds=15,
        C=lambda: run("C", c_kernel),
        numba=lambda: run("numba", numba_kernel),
    )
    assert steps > 1000
    assert ratios["numba"] > 0.75


@pytest.mark.parametrize("way", ["up", "up and down"])
def test_a_thousand_cells_in_tiles(way: str, numba_kernel: Staircase, compare: Compare) -> None:
    """Goal: 5 times as fast as the kernel for one cell. On the way down each cell ruptures, which is Python's for both."""
    cells, rounds, each, i_cc = 1024, 5, 0.01, 1e-6
    tiles: Any = plugins_part("tiles").Tiles
    levels = np.array(there_and_back(1.0, 0.01))
    levels = levels[: len(levels) // 2] if way == "up" else levels
    fresh = {
        name: iter([[formed("device-2", seed) for seed in range(cells)] for _ in range(rounds)])
        for name in ("scalar", "tiles")
    }
    tiles([formed("device-2")]).play(0.1, 1e-6)
    steps = {}

    def scalar() -> None:
        some = next(fresh["scalar"])
        for cell in some:
            climb(numba_kernel, filament(cell), levels, i_cc, each)
        steps["scalar"] = sum(float(filament(cell).state[INTEGRATOR.STEPS]) for cell in some)

    def together() -> None:
        some = next(fresh["tiles"])
        tiles(some).play(levels, each, i_cc)
        steps["tiles"] = sum(float(filament(cell).state[INTEGRATOR.STEPS]) for cell in some)

    climb(numba_kernel, filament(formed("device-2")), levels, i_cc, each)
    count = cells * len(levels)
    ratios = compare(f"levels of {cells} cells, {way}", count, rounds, scalar=scalar, tiles=together)
    assert steps["tiles"] == pytest.approx(steps["scalar"], rel=0.02)
    assert ratios["tiles"] > 2.0


def test_a_sweep_beside_ngspice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Goal: 30 times as fast, ngspice's start subtracted. A comparable netlist (`spice_netlist`), one process."""
    spice = shutil.which("ngspice")
    if spice is None:
        pytest.skip("ngspice is not installed")

    def seconds(text: str) -> float:
        (tmp_path / "cell.cir").write_text(text, encoding="ascii")
        start = time.perf_counter()
        done = subprocess.run(
            [spice, "-b", "-r", "out.raw", "cell.cir"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return time.perf_counter() - start

    cell, levels = formed("device-2"), there_and_back(1.0, 0.002)
    empty = seconds("* nothing\nV1 a 0 1\nR1 a 0 1\n.tran 1 2\n.end")
    theirs = seconds(netlist(values_of("device-2"), PARAMETERS, 1.0, 0.01 * len(levels), 0.01)) - empty
    start = time.perf_counter()
    for v in levels:
        cell.advance(Drive(v), 0.01)
    ours = time.perf_counter() - start
    with capsys.disabled():
        print(f"\na sweep of device 2: ngspice {theirs / ours:.0f} times the time of the model")
    assert theirs > ours
