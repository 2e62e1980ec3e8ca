"""ECM cells with a capacitance: charging, balance of charge, the static circuit as the limit, and what a large area can't do.

Run as a script this file prints the bits of a short waveform.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ecm_cells import SUPPLY, X_F, EcmCell, R, W, X, filament, read, sweep, there_and_back, values_of
from ecm_charged import LARGE, ON, OPEN, SMALL, capacity, conducted, reference, slopes_of, stack, stack_values, voltages

from labctl import jit
from labctl.contracts import CardField, Drive
from labctl.errors import UsageError
from labctl.testing.device_model import random_waveform


# -- circuit ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("tolerance", [1e-11, 1e-12])
def test_an_open_cell_charges_as_the_exponential(tolerance: float) -> None:
    values = values_of("device-2", area=1e4, eps_r=3.9, **OPEN)
    cell, v_s, outside = EcmCell({"": values}), 0.5, 200.0 + 1e3
    cell.tolerance = tolerance
    tau = outside * capacity(values)
    assert tau == pytest.approx(2.07e-9, rel=0.01)
    now = 0.0
    for time in tau * np.array([0.1, 0.3, 1.0, 2.0, 4.0, 7.0]):
        found = cell.advance(Drive(v_s, math.inf, 1e3), float(time) - now)
        now = float(time)
        assert cell.state()["voltage"] == pytest.approx(-v_s * math.expm1(-time / tau), abs=1e-3 * v_s)
        assert found.current == pytest.approx(v_s / outside * math.exp(-time / tau), abs=1e-3 * v_s / outside)


def test_what_the_source_delivers_is_charge_and_conduction() -> None:
    """Of each cell: the integral of the source's current is its charge and what its junctions carried (by root search)."""
    device, values = stack(LARGE, ON), stack_values(LARGE)
    times = np.concatenate([[0.0], np.geomspace(1e-11, 3e-6, 1500)])
    drive = Drive(0.7, math.inf, 50.0)
    source = [0.7 / 450.0]
    through: dict[str, list[float]] = {name: [0.0] for name in values}
    for before, after in itertools.pairwise(times):
        source.append(device.advance(drive, float(after - before)).current)
        for name, v in values.items():
            state = device.state()
            x, r = state[f"{name}.gap"] * 1e9, state[f"{name}.radius"] * 1e9
            through[name].append(conducted(v, state[f"{name}.voltage"], x, r)[1])
    for name, v in values.items():
        charge = capacity(v) * device.state()[f"{name}.voltage"]
        carried = float(np.trapezoid(through[name], times))
        assert min(charge, carried) > 1e-12  # both count
        assert np.trapezoid(source, times) == pytest.approx(charge + carried, rel=0.01)


@pytest.mark.parametrize(
    ("drive", "fronts", "y"),
    [
        (Drive(2.0, math.inf, 50.0), (0.8, 0.1), (1.0, 1.3, 0.4, 0.6, 2.5, 5.5, 0.7, 1.3)),
        (Drive(0.0), (0.8, 0.1), (0.9, 1.2, 0.4, -0.4, 0.6, 5.5, 0.7, 0.45)),  # after a pulse: one up, one down
        (Drive(2.5, 1e-5), (0.8, 0.1), (1.0, 1.3, 0.4, 0.3, 0.5, 5.5, 0.7, 0.8)),  # in compliance
        (Drive(-2.5, 1e-5), (0.8, 0.1), (1.0, 1.3, 0.4, 0.3, 0.5, 5.5, 0.7, 0.8)),
        (Drive(6.0), (150.0, 120.0), (150.0, 1.0, 1.0, 3.0, 120.0, 5.4742, 1.0, 2.9)),  # both form
        (Drive(0.5, math.inf, 50.0), (0.8,), (1.0, 1.3, 0.4, 0.45)),  # the selector alone
        (Drive(0.5, 1e-6), (0.8,), (1.4, 1.3, 0.4, -0.3)),
    ],
)
@pytest.mark.parametrize("supply", [{}, SUPPLY])
def test_jacobian_of_all_states(
    drive: Drive, fronts: tuple[float, ...], y: tuple[float, ...], supply: dict[str, float]
) -> None:
    cells = list(stack_values(SMALL, **supply).values())[: len(fronts)]
    at, h = np.array(y), 1e-6
    _, found = slopes_of(at, drive, fronts, cells)

    def along(direction: Any) -> Any:
        up, down = (slopes_of(at + k * h * direction, drive, fronts, cells)[0] for k in (1, -1))
        return (up - down) / (2 * h)

    by_differences = np.column_stack([along(e) for e in np.eye(len(y))])
    for row, known in enumerate(by_differences):
        assert found[row] == pytest.approx(known, rel=2e-4, abs=1e-6 * np.abs(known).max() + 1e-9)


# -- in time ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("area", "drive", "end"),
    [
        (SMALL, Drive(2.0, math.inf, 50.0), 2e-5),  # set
        (100.0, Drive(-2.0, math.inf, 50.0), 2e-5),  # reset
        (LARGE, Drive(0.7, math.inf, 50.0), 2e-5),  # a read that has to charge first
        (100.0, Drive(1.0, 1e-6, 50.0), 1e-6),  # charging at the compliance
    ],
)
def test_transients_against_radau(area: float, drive: Drive, end: float) -> None:
    """Gap and radius within 0.02 nm, voltages within 5 mV, at a time that may differ by 2 %."""
    start = ON if abs(drive.voltage) != 2.0 or drive.voltage < 0 else (4.0, 1.0, 2.9, 5.4742)
    device = stack(area, start)
    cells = [filament(device, name).state for name in ("selector", "memory")]
    y = [z for s in cells for z in (float(s[X]), float(s[R]), float(s[W]), 0.0)]
    times = np.geomspace(1e-11, end, 14)
    shifts = np.linspace(0.98, 1.0, 9)
    known = reference(area, drive, np.array(y), np.sort((times[:, None] * shifts).ravel()))
    now = 0.0
    for k, time in enumerate(times):
        device.advance(drive, float(time) - now)
        now = float(time)
        there = known[:, 9 * k : 9 * k + 9]
        found = [z for s, v in zip(cells, voltages(device), strict=True) for z in (s[X], s[R], s[W], v)]
        for n, value in enumerate(found):
            allowed = (0.02, 0.02, 0.01, 0.005)[n % 4]
            assert there[n].min() - allowed <= value <= there[n].max() + allowed, f"state {n} at {time} s"


def test_without_capacity_it_is_the_static_circuit() -> None:
    """0.05 um^2 (9 aF a cell) is charged within 0.1 ns even by a leak of 1e-7 S: the same currents after every dwell."""
    for seed in range(6):
        static, charged = stack(0.0), stack(0.05)
        for drive, duration in random_waveform(seed, 2.0, 8):
            known, found = (device.advance(drive, duration) for device in (static, charged))
            words = f"seed {seed}: {drive} for {duration} s"
            assert found.current == pytest.approx(known.current, rel=0.02, abs=1e-14), words
            assert found.voltage == pytest.approx(known.voltage, rel=0.01, abs=1e-9), words
            for name in ("selector.gap", "memory.gap", "memory.radius"):
                assert charged.state()[name] == pytest.approx(static.state()[name], abs=0.02e-9), words


def test_a_dwell_may_be_split() -> None:
    whole, parts = stack(SMALL), stack(SMALL)
    for drive, duration in (
        (Drive(0.7), 1e-10),
        (Drive(2.2, 1e-5, 50.0), 3e-5),
        (Drive(0.0), 1e-9),
        (Drive(-1.0), 1e-6),
    ):
        known = whole.advance(drive, duration)
        for _ in range(7):
            found = parts.advance(drive, duration / 7)
        assert found.current == pytest.approx(known.current, rel=0.02)
        for name, value in whole.state().items():
            assert parts.state()[name] == pytest.approx(value, rel=0.02, abs=1e-12), name


# -- compliance, polarity, rest ---------------------------------------------------------------------------------------
def test_the_compliance_limits_the_charging_current_too() -> None:
    device, values = stack(LARGE, **OPEN), stack_values(LARGE)["memory"]
    series = 0.5 * capacity(values)
    for k in range(1, 11):  # a straight line, in both directions
        found = device.advance(Drive(2.0, 1e-5), 0.1 * series * 1.99 / 1e-5)
        assert (found.current, found.in_compliance) == (1e-5, True)
        assert sum(voltages(device)) == pytest.approx(0.199 * k, rel=1e-3)
        assert found.voltage == pytest.approx(0.199 * k + 1e-5 * 400.0, rel=1e-3)
    assert not device.advance(Drive(2.0, 1e-5), 1e-4).in_compliance
    found = device.advance(Drive(1.0, 1e-5), series * 0.5 / 1e-5)
    assert (found.current, found.in_compliance) == (-1e-5, True)
    assert sum(voltages(device)) == pytest.approx(1.5, rel=1e-3)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_after_a_pulse_the_node_stays_charged(sign: float) -> None:
    """The cell that had more of the voltage keeps its sign, the other one gets the opposite, and both discharge slowly."""
    device = stack(LARGE, ON)
    device.advance(Drive(sign, math.inf, 50.0), 1e-5)
    selector, memory = voltages(device)
    assert sign * selector > sign * memory > 0.0
    device.advance(Drive(0.0), 1e-7)
    after = voltages(device)
    assert sum(after) == pytest.approx(0.0, abs=2e-3)
    assert sign * after[0] == pytest.approx(0.5 * sign * (selector - memory), rel=0.2)
    assert sign * after[1] < -0.05


def test_a_cell_grows_and_dissolves_by_its_own_voltage_not_by_the_sources() -> None:
    for volts in (0.8, -0.8):
        y = (1.5, 1.3, 1.0, -volts, 1.5, 5.5, 1.0, volts)
        cells = list(stack_values(SMALL).values())
        with_it, against = (slopes_of(y, Drive(v), (0.8, 0.1), cells)[0] for v in (0.1, -0.1))
        assert list(with_it[[0, 1, 2, 4, 5, 6]]) == list(against[[0, 1, 2, 4, 5, 6]])
        assert math.copysign(1.0, with_it[4]) == -math.copysign(1.0, volts)  # the memory's gap


def test_a_dwell_of_no_length_shows_what_is_conducted_and_keeps_the_charge() -> None:
    device = stack(LARGE, ON)
    device.advance(Drive(0.7, math.inf, 50.0), 1e-9)
    static, kept = stack(0.0, ON), voltages(device)
    for name in ("selector", "memory"):
        for k in (X, R, X_F):
            filament(static, name).state[k] = filament(device, name).state[k]
    assert device.current(0.7) == static.current(0.7)
    found, known = (d.advance(Drive(2.0, 1e-5, 50.0), 0.0) for d in (device, static))
    assert (found.current, found.in_compliance) == (known.current, known.in_compliance)
    assert found.voltage == pytest.approx(known.voltage, rel=1e-9)
    assert voltages(device) == kept
    device.set_formed()
    assert voltages(device) == (0.0, 0.0)


def test_a_rest_discharges() -> None:
    device = stack(SMALL)
    device.advance(Drive(1.0), 1e-6)
    found = device.advance(Drive(0.0), 1.0)
    assert (found.current, *voltages(device)) == (0.0, 0.0, 0.0)


# -- what the area decides --------------------------------------------------------------------------------------------
def read_after(device: Any, voltage: float, time: float) -> float:
    return float(device.advance(Drive(voltage, math.inf, 50.0), time).current)


def test_a_stack_of_a_quarter_square_millimetre_can_not_be_read_in_100_ns() -> None:
    """At 0.7 V for 100 ns the node holds it in halves and the selector stays off: what flows charges, at 0.35 V as well.

    A cell of (5 um)^2 or (10 um)^2 conducts 80 % of its settled current then, and is as selective as ever.
    """
    settled = read_after(stack(SMALL, ON), 0.7, 1e-2)
    for area in (SMALL, 100.0):
        device = stack(area, ON)
        now = read_after(device, 0.7, 1e-7)
        assert now == pytest.approx(0.8 * settled, rel=0.1)
        assert device.state()["selector.gap"] < 1e-9
        assert now / read_after(stack(area, ON), 0.35, 1e-7) > 1e5
    device = stack(LARGE, ON)
    now = read_after(device, 0.7, 1e-7)
    assert device.state()["selector.gap"] > 3.9e-9
    assert now / read_after(stack(LARGE, ON), 0.35, 1e-7) < 10.0
    assert read_after(device, 0.7, 1e-2) == pytest.approx(settled, rel=0.01)


def test_a_selector_before_an_off_memory_oscillates_where_its_cells_are_large() -> None:
    """The leak of the memory charges the selector to its threshold, the filament discharges it and ruptures, and so on."""
    counts = []
    for area in (0.0, SMALL, 300.0, 600.0):
        device = stack(area)
        device.advance(Drive(0.7), 1e-3)
        counts.append(device.state()["selector.ruptures"])
    assert counts[:2] == [0.0, 0.0]
    assert counts[2] == pytest.approx(29, abs=3)
    assert counts[3] == pytest.approx(0.5 * counts[2], abs=2)  # the period goes with the capacitance


def test_the_small_stack_sweeps_as_the_static_one() -> None:
    sweeps = [sweep(stack(area), there_and_back(2.5, 0.05), 1e-5, 0.02) for area in (0.0, SMALL)]
    for known, found in zip(*sweeps, strict=True):
        assert found.current == pytest.approx(known.current, rel=0.03, abs=1e-13)


# -- bits -------------------------------------------------------------------------------------------------------------
def stroll() -> Iterator[str]:
    """The bits of current and state along pulses of both signs with a compliance, in a large and in a small stack."""
    for area, at in ((SMALL, None), (LARGE, ON)):
        device = stack(area, at, **SUPPLY)
        for voltage, duration in ((0.7, 1e-7), (2.2, 1e-5), (0.0, 1e-8), (-2.0, 1e-6), (0.0, 1e-3)):
            found = device.advance(Drive(voltage, 1e-5, 50.0), duration)
            yield " ".join(float(z).hex() for z in (found.current, found.voltage, *device.state().values()))


def test_compiled_and_plain_python_agree_to_the_bit() -> None:
    from test_ecm_plain import python

    kind, *lines = python(__file__, LABCTL_NO_JIT="1" if jit.enabled() else "0").split("\n")
    if kind == str(jit.enabled()):
        pytest.skip("numba is not installed: there is only one kind")
    assert len(lines) == 10
    assert lines == list(stroll())


# -- refusals ---------------------------------------------------------------------------------------------------------
def test_only_a_device_that_can_be_followed_is_built() -> None:
    mixed = stack_values(SMALL)
    mixed["memory"]["area"] = 0.0
    with pytest.raises(UsageError, match="every cell or of none; it is missing for memory"):
        EcmCell(mixed)
    with pytest.raises(UsageError, match=r"r_s = 0\.0 ohm"):
        EcmCell(stack_values(SMALL, r_s=0.0))
    with pytest.raises(UsageError, match="leave the area out"):
        EcmCell(stack_values(1e-3))
    with pytest.raises(UsageError, match="noise"):
        EcmCell(stack_values(SMALL, rtn_a=0.1), 1)
    assert "selector.voltage" not in EcmCell(stack_values(0.0)).state()


def test_the_card_of_the_small_stack_is_the_synapse_with_an_area() -> None:
    small = dict(read("synapse-5um").fields)
    for name in ("selector", "memory"):
        assert (small.pop(f"{name}.area").value, small.pop(f"{name}.eps_r").value) == (SMALL, 3.9)
    assert small == dict(read("synapse").fields)


def test_a_card_has_the_whole_group_or_none() -> None:
    card, field = read("selector"), CardField(25.0, "um^2", "area of the cell", "guess")
    with pytest.raises(UsageError, match="charge needs eps_r too"):
        EcmCell.from_card(replace(card, fields={**card.fields, "area": field}), None)
    ratio = CardField(3.9, "", "relative permittivity", "guess")
    whole = replace(card, fields={**card.fields, "area": field, "eps_r": ratio})
    assert EcmCell.from_card(whole, None).state()["voltage"] == 0.0
    for wrong in (-1.0, math.inf, math.nan):
        bad = {**card.fields, "area": replace(field, value=wrong), "eps_r": ratio}
        with pytest.raises(UsageError, match="area"):
            EcmCell.from_card(replace(card, fields=bad), None)


if __name__ == "__main__":
    print(jit.enabled(), *stroll(), sep="\n", end="")
