"""Cells stepped together in tiles against the same cells one by one; the arithmetic that makes vector code.

Run as a script this file prints the bits of a few cells in tiles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from ecm_cells import INTEGRATOR, SUPPLY, cell_of, filament, formed, plugins_part, pristine, values_of
from test_ecm_plain import python

from labctl import jit
from labctl.contracts import Drive
from labctl.errors import LabctlError, UsageError

ARITHMETIC, LAYOUT = plugins_part("vector_math"), plugins_part("tile_layout")
Tiles: Any = plugins_part("tiles").Tiles
CARDS = {"pristine": 8.0, "l-device-2": 120.0, "l-device-4": 90.0}  # V; greatest voltage, where it is not 2.5
DWELLS = 40


def cells(card: str, seeds: list[int | None]) -> list[Any]:
    if card == "pristine":
        return [pristine("device-2", seed) for seed in seeds]
    values = values_of("memory", **SUPPLY) if card == "supply" else values_of(card)
    made = [cell_of(values, seed) for seed in seeds]
    for cell in made:
        cell.set_formed()
    return made


def waveforms(count: int, top: float, seed: int = 5) -> list[Any]:
    """Random voltages of both signs with pauses, dwells from 0.1 us to 0.1 s, compliances and resistances, for each cell."""
    rng = np.random.default_rng(seed)
    shape = (count, DWELLS)
    return [
        np.where(rng.random(shape) < 0.15, 0.0, rng.uniform(-top, top, shape)),
        10.0 ** rng.uniform(-7.0, -1.0, shape),
        np.where(rng.random(shape) < 0.2, math.inf, 10.0 ** rng.uniform(-7.0, -3.0, shape)),
        np.where(rng.random(shape) < 0.5, 0.0, 10.0 ** rng.uniform(1.0, 4.0, shape)),
    ]


def one_by_one(alone: list[Any], v: Any, dt: Any, i_cc: Any, r: Any) -> Any:
    """Current, voltage and compliance of each cell and dwell, each cell advanced by itself."""
    found = [
        [cell.advance(Drive(*map(float, drive[:3])), float(drive[3])) for drive in zip(*rows, strict=True)]
        for cell, *rows in zip(alone, v, i_cc, r, dt, strict=True)
    ]
    return np.array([[(f.current, f.voltage, f.in_compliance) for f in row] for row in found])


def drawn(cell: Any) -> Any:
    """What the cell's generator has given so far, and what it gives next."""
    return filament(cell).cycles.current(), filament(cell).cycles.next()


@pytest.mark.parametrize(
    "card",
    [
        "device-1",
        "device-2",
        "device-4",
        "memory",
        "selector",
        "leaky",
        "damaged",
        "ageing",
        "noisy",
        "l-device-2",
        "l-device-4",
        "supply",
        "pristine",
    ],
)
def test_cells_in_tiles_are_what_they_would_be_alone(card: str) -> None:
    """Same events, draws, attempts and compliance; currents to 1e-9, but where rounding meets a steep edge."""
    seeds: list[int | None] = [*range(35), None]
    together, alone = cells(card, seeds), cells(card, seeds)
    v, dt, i_cc, r = waveforms(len(seeds), CARDS.get(card, 2.5))
    found = Tiles(together).play(v, dt, i_cc, r)
    expected = one_by_one(alone, v, dt, i_cc, r)
    assert np.array_equal(found.in_compliance, expected[..., 2] > 0.5)
    np.testing.assert_allclose(found.current, expected[..., 0], rtol=1e-4, atol=1e-30)
    close = np.isclose(found.current, expected[..., 0], rtol=1e-9, atol=0.0)
    assert close.mean() > 0.98
    np.testing.assert_allclose(found.voltage, expected[..., 1], rtol=2e-3)
    for one, other in zip(together, alone, strict=True):
        ours, theirs = one.state(), other.state()
        assert [ours[k] for k in ("formed", "filament", "broken", "ruptures")] == [
            theirs[k] for k in ("formed", "filament", "broken", "ruptures")
        ]
        assert ours == pytest.approx(theirs, rel=1e-4)
        assert one._time == other._time
        assert filament(one)._tried == filament(other)._tried
        assert drawn(one) == drawn(other)


def test_an_attempt_given_up_draws_a_filament_as_it_does_alone() -> None:
    """Short pulses at the threshold: in some cells nothing grows, and the next pulse finds another site."""
    together, alone = cells("device-2", list(range(40))), cells("device-2", list(range(40)))
    first = [filament(cell).cycles.current() for cell in together]
    v, dt = [0.5, 0.0] * 5, [1e-7, 1e-3] * 5
    found = Tiles(together).play(v, dt, 1e-6).current
    expected = [
        [cell.advance(Drive(*drive), t).current for *drive, t in zip(v, [1e-6] * 10, dt, strict=True)] for cell in alone
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    without = [cell.state()["ruptures"] == 0.0 for cell in together]
    renewed = [filament(cell).cycles.current() != was for cell, was in zip(together, first, strict=True)]
    assert sum(np.logical_and(without, renewed)) > 5
    assert [drawn(cell) for cell in together] == [drawn(cell) for cell in alone]


def test_the_random_waveforms_reach_everything() -> None:
    """Else the comparison would say little: ruptures, burnt cells, compliance, an ion supply on its way."""
    virgin = cells("pristine", [None] * 40)
    found = Tiles(virgin).play(*waveforms(40, 8.0))
    states = [cell.state() for cell in virgin]
    assert {state["broken"] for state in states} == {0.0, 2.0}
    assert sum(state["ruptures"] for state in states) > 20
    assert 0.01 < found.in_compliance.mean() < 0.99
    fed = cells("supply", [None] * 8)
    Tiles(fed).play(*waveforms(8, 2.5))
    assert any(0.0 < cell.state()["supply"] < 1.0 for cell in fed)


@pytest.mark.parametrize("card", ["device-2", "l-device-2"])
def test_a_cell_does_not_feel_its_company(card: str) -> None:
    """Alone, in another order, beside cells of another kind, in two threads: the same bits."""
    seeds: list[int | None] = list(range(40))
    v, dt, i_cc, r = waveforms(40, CARDS.get(card, 2.5))
    together, turned = cells(card, seeds), cells(card, seeds[::-1])
    found = Tiles(together).play(v, dt, i_cc, r).current
    assert np.array_equal(Tiles(turned, threads=2).play(v[::-1], dt[::-1], i_cc[::-1], r[::-1]).current[::-1], found)
    assert [cell.state() for cell in turned[::-1]] == [cell.state() for cell in together]
    mixed = [*cells(card, [7]), *cells("supply", [1]), *cells("l-device-4", [2])]
    rows = slice(7, 10)
    assert np.array_equal(Tiles(mixed).play(v[rows], dt[rows], i_cc[rows], r[rows]).current[0], found[7])


def test_a_waveform_in_pieces_is_the_same_waveform() -> None:
    """Dwell by dwell with one drive per cell, against all at once."""
    v, dt, i_cc, r = waveforms(6, 2.5)
    dt = np.broadcast_to(dt[0], dt.shape)
    whole, pieces = Tiles(cells("device-2", list(range(6)))), Tiles(cells("device-2", list(range(6))))
    expected = whole.play(v, dt[0], i_cc, r)
    for step in range(DWELLS):
        drives = [Drive(*map(float, row)) for row in zip(v[:, step], i_cc[:, step], r[:, step], strict=True)]
        found = pieces.advance(drives, float(dt[0, step]))
        np.testing.assert_allclose(found.current[:, 0], expected.current[:, step], rtol=1e-5, atol=1e-30)


def test_one_drive_for_all_is_that_drive_for_each() -> None:
    tiles, other = Tiles(cells("device-2", [1, 2, 3])), Tiles(cells("device-2", [1, 2, 3]))
    for v in (0.3, 0.8, -0.4):
        common, each = tiles.advance(Drive(v, 1e-6), 1e-3), other.play([[v]] * 3, 1e-3, 1e-6)
        assert common.current.shape == (3, 1)
        assert np.array_equal(common.current, each.current)
        assert np.array_equal(common.voltage, each.voltage)


def test_what_can_not_be_in_tiles_is_refused() -> None:
    cell, charged = formed("device-2"), cell_of(values_of("device-2", area=25.0, eps_r=4.0))
    for some, threads in (([], 1), ([cell, cell], 1), ([cell], 0), ([formed("synapse")], 1), ([charged], 1)):
        with pytest.raises(UsageError):
            Tiles(some, threads)
    tiles = Tiles([cell, formed("device-2", 1)])
    good: dict[str, Any] = {"voltage": 0.1, "duration": 1e-3, "compliance": 1e-6, "resistance": 0.0}
    bad: list[dict[str, Any]] = [
        {"voltage": math.nan}, {"voltage": math.inf}, {"duration": 0.0}, {"duration": [1e-3, -1.0]}, {"compliance": 0.0},
        {"resistance": -1.0}, {"resistance": math.inf}, {"voltage": [[0.1]] * 3}, {"voltage": [[[0.1]]]}, {"voltage": []},
        {"voltage": [0.1] * 3, "duration": [1e-3] * 2},
    ]  # fmt: skip
    for one in bad:
        with pytest.raises(UsageError):
            tiles.play(**{**good, **one})
    assert filament(cell).state[INTEGRATOR.STEPS] == 0.0, "nothing has moved"


def test_a_cell_that_needs_too_many_steps_does_not_stop_the_others() -> None:
    stuck, fine, alone = formed("device-2", 1), formed("device-2", 2), formed("device-2", 2)
    stuck.tolerance = 1e-30
    with pytest.raises(LabctlError, match=r"cell 0 .* needs more than 20000 steps .*1 of 2"):
        Tiles([stuck, fine]).play([0.2, 0.9], 1e-3, 1e-6)
    alone.advance(Drive(0.2, 1e-6), 1e-3)
    alone.advance(Drive(0.9, 1e-6), 1e-3)
    assert fine.state() == pytest.approx(alone.state(), rel=1e-9)


def test_the_rows_of_a_tile_follow_the_state_of_a_cell() -> None:
    for name in ("X", "R", "X_F", "ON", "H", "U", "I_CC", "R_SRC", "LEFT", "STEPS", "TRIES", "EVENT"):
        assert getattr(LAYOUT, f"S_{name}") - LAYOUT.PARAMETERS == getattr(INTEGRATOR, name)
    for name, row in (("V_S", "S_V"), ("WORN", "S_WORN"), ("BURNT", "S_BURNT"), ("BURNING", "S_BURNING"), ("W", "S_W")):
        assert getattr(LAYOUT, row) - LAYOUT.PARAMETERS == getattr(INTEGRATOR, name)
    assert LAYOUT.ROOT == LAYOUT.PARAMETERS + INTEGRATOR.STATE_SIZE


def test_exponential_logarithm_and_power_are_those_of_the_library() -> None:
    rng = np.random.default_rng(3)
    for x in [*rng.uniform(-700.0, 700.0, 2000), *rng.uniform(-1.0, 1.0, 2000), 0.0, -708.0, 709.0]:
        assert ARITHMETIC.fast_exp(float(x)) == pytest.approx(math.exp(x), rel=5e-16, abs=0.0)
    for x in [*np.exp(rng.uniform(-700.0, 700.0, 2000)), *rng.uniform(0.5, 2.0, 2000), 1.0]:
        assert ARITHMETIC.fast_log(float(x)) == pytest.approx(math.log(x), rel=3e-16, abs=3e-16)
    for x, q in rng.uniform(0.1, 9.0, (500, 2)):
        assert ARITHMETIC.fast_power(float(x), float(q)) == pytest.approx(math.pow(x, q), rel=1e-14)
    assert ARITHMETIC.fast_exp(-math.inf) == ARITHMETIC.falling_exp(-1e9) == ARITHMETIC.fast_exp(-708.0) > 0.0
    assert ARITHMETIC.fast_exp(math.inf) == ARITHMETIC.fast_exp(709.0) < math.inf
    assert (ARITHMETIC.fast_exp(0.0), ARITHMETIC.fast_log(1.0)) == (1.0, 0.0)


def strides() -> Iterator[str]:
    """The bits of currents and states of cells in tiles: forming, switching, supply, noise, a lateral device; as text."""
    for card, top in (("pristine", 5.0), ("supply", 2.5), ("noisy", 2.5), ("l-device-4", 60.0)):
        some = cells(card, [0, 1, None])
        v = [0.5 * top, top, 0.0, 0.3 * top, 0.1 * top, -top, -0.3 * top, 0.0]
        found = Tiles(some).play(v, [1e-2, 1e-4] * 4, 1e-5, [[50.0], [0.0], [1e3]])
        for numbers in (*found.current, *found.voltage, *(list(cell.state().values()) for cell in some)):
            yield " ".join(float(z).hex() for z in numbers)


def test_compiled_tiles_and_plain_python_agree_to_the_bit() -> None:
    kind, *lines = python(__file__, LABCTL_NO_JIT="1" if jit.enabled() else "0").split("\n")
    if kind == str(jit.enabled()):
        pytest.skip("numba is not installed: there is only one kind")
    assert len(lines) == 4 * 9
    assert lines == list(strides())


if __name__ == "__main__":
    print(jit.enabled(), *strides(), sep="\n", end="")
