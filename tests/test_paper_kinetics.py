"""Kim et al., Adv. Intell. Syst. 2022, 2200110, what they pulsed and kept: measured on the device model driven directly.

The nominal stack has to meet the paper's numbers; a few seeded ones show what every stack has to do. The statistics of twenty
stacks run with ``pytest -m long``: their filaments differ, so medians and counts are asked for.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np
import paper_kinetics as paper
import pytest

from labctl.contracts import Card, DeviceModel, Drive, Response

STACK = "synapse"
SEEDS = (1, 2, 3)


def stack(seed: int | None = None) -> DeviceModel:
    return paper.device_of(STACK, seed)


# -- the definitions, on devices whose answers are known ------------------------------------------------------------------
class Relaxing(DeviceModel):
    """A device whose current under bias goes from 1 to 1 + `change` A with a time constant `tau` s, and starts anew at 0 V."""

    name = "relaxing"

    def __init__(self, tau: float, change: float) -> None:
        self.tau, self.change, self.time = tau, change, 0.0

    @classmethod
    def from_card(cls, card: Card, seed: int | None) -> DeviceModel:
        return cls(card.fields["tau"].value, card.fields["change"].value)

    def advance(self, drive: Drive, duration: float) -> Response:
        self.time = self.time + duration if drive.voltage else 0.0
        return Response(self.current(drive.voltage), drive.voltage)

    def current(self, voltage: float) -> float:
        return float(np.sign(voltage) * (1 + self.change * (1 - np.exp(-self.time / self.tau))))

    def state(self) -> Mapping[str, float]:
        return {}


@pytest.mark.parametrize("change", [3.0, -0.9])
@pytest.mark.parametrize("voltage", [2.0, -2.0])
def test_an_edge_is_timed_at_half_of_its_change(voltage: float, change: float) -> None:
    tau, width, start = 20e-6, 135e-6, 0.3e-6
    begin, end = np.exp(-start / tau), np.exp(-width / tau)
    edge = paper.pulse_edge(Relaxing(tau, change), voltage, width)
    assert edge.t50 == pytest.approx(-tau * np.log((begin + end) / 2), rel=1e-3)
    assert (edge.times[-1], np.sign(edge.currents[-1])) == (pytest.approx(width), np.sign(voltage))


def test_the_grid_of_an_edge_is_fine_enough() -> None:
    times = paper.pulse_edge(Relaxing(1.0, 1.0), 1.0, width=40.3e-6).times
    assert np.diff(times).min() > 0
    assert np.diff(times).max() <= 0.5e-6 * (1 + 1e-9)
    assert times[-1] == pytest.approx(40.3e-6)


def test_a_resistor_has_no_switching_time_and_no_levels() -> None:
    resistor = paper.device_of("ohmic")
    assert np.isnan(paper.pulse_edge(resistor, 2.0).t50)
    conductances = paper.train(resistor, np.full(5, 2.0))
    assert conductances.shape == (6,)
    assert np.ptp(conductances) == 0.0
    assert paper.levels(resistor, n=3).spacing == 0.0


def test_linearity_and_range_are_those_of_all_levels_of_a_train() -> None:
    line, bent = np.array([0.5, 1.5, 2.5, 3.5, 4.5]), np.array([0.1, 3.0, 3.6, 3.9, 4.0])
    assert paper.linearity(line) == pytest.approx(1.0)
    assert paper.linearity(bent) < 0.75
    assert paper.dynamic_range(bent) == pytest.approx(40.0)


# -- switching times ------------------------------------------------------------------------------------------------------
@cache
def nominal_times() -> paper.Times:
    return paper.switching_times(stack())


def test_set_time_at_two_volts() -> None:
    assert nominal_times().set == pytest.approx(27e-6, rel=0.15)


def test_reset_time_at_minus_two_volts() -> None:
    assert nominal_times().reset == pytest.approx(72e-6, rel=0.15)


def test_a_pulse_of_two_volts_sets_the_stack() -> None:
    """The time is one of switching only if the paper's on state, about 1e-5 A at 0.7 V, is there afterwards."""
    assert nominal_times().after_set >= 1e-5 / 1.5


def test_a_pulse_of_minus_two_volts_resets_the_stack() -> None:
    """On/off is about 1e4 in the paper; a pulse has to come to 1e3, which is 1e-8 A."""
    assert nominal_times().after_reset <= 1e-8


# -- potentiation and depression ------------------------------------------------------------------------------------------
@cache
def nominal_loops() -> paper.Loops:
    return paper.loops(stack())


@cache
def nominal_constant() -> tuple[paper.Array, paper.Array]:
    return paper.constant(stack())


def test_potentiation_raises_the_conductance_near_linearly() -> None:
    """Near-linear is the paper's word; R squared 0.97 and a range of ten are what is asked for here."""
    up = nominal_loops().up
    assert np.diff(up).min() > 0
    assert paper.linearity(up) >= 0.97
    assert paper.dynamic_range(up) > 10


def test_depression_lowers_the_conductance_near_linearly() -> None:
    down = nominal_loops().down
    assert np.diff(down).max() < 0
    assert paper.linearity(down) >= 0.97
    assert paper.dynamic_range(down) > 10


def test_potentiation_and_depression_are_a_loop() -> None:
    """Both turning points repeat within 3 % of the top; only the first pulse finds the deeper off state of a sweep."""
    found = nominal_loops()
    near = 0.03 * found.up[-1]
    assert found.up_again[-1] == pytest.approx(found.up[-1], abs=near)
    assert found.down_again[-1] == pytest.approx(found.down[-1], abs=near)
    assert paper.linearity(found.up_again) >= 0.97
    assert paper.linearity(found.down_again) >= 0.97


def test_constant_amplitudes_raise_the_conductance_abruptly_and_less_linearly() -> None:
    """The paper's words, of potentiation; our depression at a constant amplitude is about as linear as the stepped one."""
    stepped, constant = nominal_loops().up, nominal_constant()[0]
    first_quarter = [abs(g[5] - g[0]) / abs(g[-1] - g[0]) for g in (stepped, constant)]
    assert paper.linearity(constant) < paper.linearity(stepped) - 0.1
    assert first_quarter[1] > 0.5 > first_quarter[0]


def test_every_level_is_kept_after_its_pulse() -> None:
    """Over 1e3 s no level drifts by 10 % (assumed) nor up to where its neighbour was, before or after."""
    found = paper.levels(stack())
    assert np.abs(found.drifts).max() < 0.1
    assert found.spacing > 0.02
    assert (found.conductances[:-1].max(axis=1) < found.conductances[1:].min(axis=1)).all()


# -- what time and neighbours do ------------------------------------------------------------------------------------------
def test_both_states_and_the_selectivity_are_kept_for_ten_thousand_seconds() -> None:
    kept = paper.retention(stack())
    assert kept.times[-1] == pytest.approx(1e4)
    for state in (kept.on, kept.off):
        assert state == pytest.approx(state[0], rel=0.1)
    assert kept.selectivity[1] == pytest.approx(kept.selectivity[0], rel=0.1)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seeded_stack_keeps_its_states_and_its_selectivity(seed: int) -> None:
    """Each read has a selector filament of its own, so reads scatter: 30 % for the on state, a window of a hundred."""
    kept = paper.retention(stack(seed))
    assert kept.on == pytest.approx(np.median(kept.on), rel=0.3)
    assert kept.on.min() > 100 * kept.off.max()
    assert min(kept.selectivity) > 1e4


def test_half_selected_cells_keep_their_states() -> None:
    """By V/3 within 10 %; by V/2 the off state, too, and the on state as far as on and off go (its level suffers)."""
    changes = paper.disturb(stack())
    for (state, amplitude), change in changes.items():
        if state == "HRS" or abs(amplitude) < 1:
            assert abs(change) < 0.1, (state, amplitude)
        else:
            assert -0.9 < change < 0.1, (state, amplitude)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seeded_stack_repeats_with_its_seed(seed: int) -> None:
    assert paper.switching_times(stack(seed)) == pytest.approx(paper.switching_times(stack(seed)), nan_ok=True, rel=0)
    assert paper.switching_times(stack(seed)).set != paper.switching_times(stack(seed + 1)).set


# -- twenty stacks --------------------------------------------------------------------------------------------------------
MANY = range(20)


@cache
def many_times() -> paper.Array:
    """Set time, read, reset time, read of ten filaments of each stack, shape (200, 4)."""
    return np.array([paper.switching_times(device) for seed in MANY for device in [stack(seed)] * 10])


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("column", "stated"), [(0, 27e-6), (2, 72e-6)], ids=["set", "reset"])
def test_switching_times_of_twenty_stacks(column: int, stated: float) -> None:
    """Filaments differ by decades in speed; the middle of 200 of them is the paper's within a factor of two."""
    assert stated / 2 < np.nanmedian(many_times()[:, column]) < 2 * stated


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_pulses_of_two_volts_switch_two_in_five_of_the_filaments_of_twenty_stacks() -> None:
    _, after_set, _, after_reset = many_times().T
    assert np.mean((after_set >= 1e-5 / 1.5) & (after_reset <= 1e-8)) > 0.4  # 0.475: the others drew a slow site


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_potentiation_and_depression_of_twenty_stacks() -> None:
    """In most stacks both go one way near-linearly; the paper shows one."""
    found = [paper.loops(stack(seed)) for seed in MANY]
    for branch, way in ((0, 1), (1, -1)):
        assert np.median([paper.linearity(loop[branch]) for loop in found]) >= 0.9
        assert np.median([way * np.log10(loop[branch][-1] / loop[branch][0]) for loop in found]) > 1


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_retention_of_twenty_stacks() -> None:
    """Weak off states are set by the reads themselves (ecm-model.md 10): four of twenty may be."""
    kept = [paper.retention(stack(seed)) for seed in MANY]
    assert np.median([abs(run.on[-1] / run.on[0] - 1) for run in kept]) < 0.1
    assert sum(run.on[-1] > 100 * run.off[-1] for run in kept) >= 16


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_five_hundred_cycles_of_three_stacks() -> None:
    """The paper shows 500 cycles, all with a window, and sigma/mu 0.26 and 0.35 (here of 500 cycles, not 50)."""
    runs = [paper.cv(stack(seed), 500) for seed in SEEDS]
    assert max(run.narrow for run in runs) <= 5
    assert np.mean([(run.set_cv, run.reset_cv) for run in runs], axis=0) == pytest.approx([0.26, 0.35], abs=0.05)
