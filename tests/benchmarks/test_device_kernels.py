"""(g) The kernels of the ECM cell: compiled Python beside the same algorithm in C."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from c_kernel import TOLERANCE, CKernel, compiler
from ecm_cells import INTEGRATOR, filament, formed, pristine, there_and_back

from labctl import jit

pytestmark = pytest.mark.skipif(not jit.enabled(), reason="plain Python has no kernels to time")

Staircase = Callable[..., int]


@pytest.fixture(scope="module")
def c_kernel(tmp_path_factory: pytest.TempPathFactory) -> CKernel:
    return built(tmp_path_factory.mktemp("c"))


def built(folder: Path, *flags: str) -> CKernel:
    cc = compiler()
    if cc is None:
        pytest.skip("no C compiler found: neither Python's own nor cc, gcc, clang")
    return CKernel(cc, folder, *flags)


@pytest.fixture(scope="module")
def numba_kernel() -> Staircase:
    """The staircase of ecm.c over the model's own dwell, compiled here and not kept."""
    from numba import njit

    dwell, done = INTEGRATOR.dwell, INTEGRATOR.DONE

    @njit(**jit.OPTIONS)
    def staircase(p: Any, s: Any, v: Any, k: int, i_cc: float, left: float, each: float, currents: Any) -> int:
        while k < len(v):
            ended, currents[k], _, _ = dwell(p, s, v[k], i_cc, 0.0, left, each * 0.0 + TOLERANCE)
            if ended != done:
                return k
            left = each
            k += 1
        return k

    return staircase


class Run:
    """A cell led through voltages by one of the two; the events between are the model's own."""

    def __init__(self, cell: Any, voltages: list[float], compliance: float, each: float) -> None:
        self._part, self._v, self._each, self._i_cc = filament(cell), np.array(voltages), each, compliance
        self._before = self._part.state.copy()
        self.events = 0

    def __call__(self, staircase: Staircase) -> Any:
        part, v, each, currents = self._part, self._v, self._each, np.empty(len(self._v))
        part.state[:] = self._before
        k, left, self.events = 0, each, 0
        while (k := staircase(part.packed, part.state, v, k, self._i_cc, left, each, currents)) < len(v):
            assert part.happen()
            left = float(part.state[INTEGRATOR.LEFT])
            self.events += 1
        return currents


def sweep() -> Run:
    return Run(formed("device-2"), [v for v in there_and_back(1.0, 0.001) if v > 0.0], 1e-5, 1e-3)


def forming_and_switching() -> Run:
    ramp, loop = there_and_back(4.5, 0.01), there_and_back(1.0, 0.01)
    return Run(pristine("device-2"), ramp + 4 * loop, 1e-6, 0.01)


@pytest.mark.parametrize("run", [sweep, forming_and_switching])
def test_one_cell_beside_c(
    run: Callable[[], Run], c_kernel: CKernel, numba_kernel: Staircase, compare: Callable[..., dict[str, float]]
) -> None:
    """Goal: at most 1.1 times the time of C, both driving the whole staircase in compiled code."""
    it = run()
    steps, currents, events = [], [], []
    for staircase in (c_kernel, numba_kernel):
        currents.append(it(staircase))
        steps.append(float(it._part.state[INTEGRATOR.STEPS]))
        events.append(it.events)
    assert steps[0] == steps[1] > 1000
    assert events[0] == events[1]
    np.testing.assert_allclose(currents[0], currents[1], rtol=1e-9)
    ratios = compare(
        f"steps of {run.__name__}", int(steps[0]), rounds=15, C=lambda: it(c_kernel), numba=lambda: it(numba_kernel)
    )
    assert math.isfinite(ratios["numba"])
