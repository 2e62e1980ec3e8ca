"""Recipes with pulses and waits through the whole chain: what they are for, told of cells that are known."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commandline import labctl
from pulse_chain import SMALL, Chain, figures
from pulse_fakes import kind_of

from labctl import cards, plugins, store
from labctl.contracts import Card
from labctl.errors import LimitError
from labctl.report import text

SYNAPSE_SEED = 3  #: of the cell that the command line takes; what is asked of it is less than of the nominal one
STEPPED, CONSTANT = "amplitude", "constant"


# -- the synapse ------------------------------------------------------------------------------------------------------
def check_linearity(stepped: dict[str, float], constant: dict[str, float], linear: float, far: float) -> None:
    """Near-linear by amplitudes that are stepped, clearly worse by constant ones: the rows syn-pot, syn-dep, syn-constant.

    linear: least R squared of a stepped branch; far: greatest distance of one from its line, over its range.
    """
    for branch in ("potentiation", "depression"):
        assert stepped[f"linearity of {branch}"] > linear
        assert stepped[f"nonlinearity of {branch}"] < far
    assert constant["linearity of potentiation"] < stepped["linearity of potentiation"] - 0.3
    assert constant["nonlinearity of potentiation"] > 0.25 + stepped["nonlinearity of potentiation"]


def test_a_stepped_train_is_near_linear_and_a_constant_one_is_not(tmp_path: Path) -> None:
    found: dict[str, dict[str, float]] = {}
    for scheme in (STEPPED, CONSTANT):
        _, run = Chain().run("potentiation-depression", tmp_path, {"scheme": scheme})
        found[scheme] = {name: item.value for name, item in figures("potentiation-depression", run).items()}
    check_linearity(found[STEPPED], found[CONSTANT], linear=0.95, far=0.13)


def printed_trains(folder: Path, scheme: str) -> dict[str, float]:
    """What ``labctl run potentiation-depression`` prints of both branches, which is what its file says."""
    about = ["--sim", "synapse", "--seed", str(SYNAPSE_SEED), "--out", f"{scheme}.h5", "--set", f"scheme={scheme}"]
    done = labctl("run", "potentiation-depression", *about, "--quiet", folder=folder)
    assert done.returncode == 0, done.stderr
    lines = re.findall(r"^ *((?:non)?linearity of \w+) = ([\d.e+-]+)  \((.+)\)$", done.stdout, re.MULTILINE)
    assert len(lines) == 4
    found = figures("potentiation-depression", store.read(folder / f"{scheme}.h5"))
    for name, value, definition in lines:
        assert found[name].definition.startswith(definition.removesuffix(" …"))
        assert len(definition) > 40, "stated, though cut to a line"
        assert float(value) == pytest.approx(found[name].value, rel=1e-3)
    return {name: float(value) for name, value, _ in lines}


def test_the_command_line_prints_how_linear_a_train_was(tmp_path: Path) -> None:
    stepped, constant = (printed_trains(tmp_path, scheme) for scheme in (STEPPED, CONSTANT))
    check_linearity(stepped, constant, linear=0.9, far=0.3)


def switching_times(run: store.Run) -> dict[str, Any]:
    """What is extracted, after a look at what is printed: each time, and beside it the state it led to."""
    assert [line.split(" = ")[0].strip() for line in text.extracted(run)] == [
        "I before", "t_set", "I after +2 V", "t_reset", "I after -2 V",
    ]  # fmt: skip
    return figures("switching-time", run)


def test_a_synapse_switches_in_the_papers_times_and_is_read_beside_them(tmp_path: Path) -> None:
    _, run = Chain().run("switching-time", tmp_path, {"step": 0.1})
    found = switching_times(run)
    assert found["t_set"].value == pytest.approx(27e-6, rel=0.15)
    assert found["t_reset"].value == pytest.approx(72e-6, rel=0.15)
    assert found["I after +2 V"].value > 1e3 * found["I before"].value
    assert found["I after -2 V"].value == pytest.approx(found["I before"].value, rel=0.01)


def test_a_synapse_keeps_both_states_for_ten_thousand_seconds(tmp_path: Path) -> None:
    chain = Chain()
    _, run = chain.run("retention", tmp_path, {"step": 0.1})
    found = figures("retention", run)
    kept = run["segment"] == 1
    for state in (0, 1):
        assert run["age"][kept & (run["state"] == state)].max() == pytest.approx(1e4, rel=1e-3)
    assert chain.bench.clock.now() > 2e4
    assert found["on/off at the start"].value > 5e3
    assert found["on/off at the end"].value > 5e3
    assert all(np.isnan(found[f"time to failure {state}"].value) for state in ("on", "off"))
    assert run["reads"][-1] == np.count_nonzero(run["kind"] == 0)


def endured(folder: Path, cycles: int, read: int, **values: Any) -> Chain:
    """Cycle a nominal synapse; look that its window held, and that the cell got every cycle exactly once."""
    chain = Chain()
    _, run = chain.run("endurance", folder, {"cycles": cycles, **values})
    (event,) = run.events
    assert (event.kind, event.details["cycle"]) == ("window held", cycles)
    found = figures("endurance", run)
    assert (found["cycles applied"].value, found["cycles read"].value) == (cycles, read)
    assert found["smallest on/off"].value > 5e3
    assert len(chain.peaks(2.45)) == len(chain.peaks(-2.95)) == cycles
    return chain


def test_a_synapse_bears_five_hundred_cycles_of_pulses(tmp_path: Path) -> None:
    endured(tmp_path, 500, 14, stress="pulse", check_every=100, per_decade=3)


def test_a_synapse_bears_cycles_of_sweeps(tmp_path: Path) -> None:
    endured(tmp_path, 20, 5, check_every=50, per_decade=3, curves=1)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_synapse_bears_five_hundred_cycles_of_sweeps(tmp_path: Path) -> None:
    endured(tmp_path, 500, 83)


# -- cells that die ---------------------------------------------------------------------------------------------------
CALM = {
    "n_wear": 1e9,
    "n_low": 1e9,
    "n_high": 1e9,
    "j_burn": 1e9,
    "temperature": 300.0,
}  #: an ageing cell that does not
MEMORY = {"set_compliance": 1e-3, "read_compliance": 1e-2, "step": 0.1}
PULSES = {"stress": "pulse", "width_set": 1e-4, "series": 1e3}
CHECK_EVERY = 8
DEATHS = {
    "window collapse": {"n_wear": 15.0},
    "stuck low": {"n_low": 30, "b_low": 1},
    "stuck high": {"n_high": 30, "b_high": 1},
}


def card_of_my_own(folder: Path, monkeypatch: pytest.MonkeyPatch, fields: dict[str, float]) -> Card:
    """The card `ageing` with other values, in a folder of the user's."""
    page = cards.paths()["ageing"].read_text(encoding="utf-8")
    for name, value in fields.items():
        page, changed = re.subn(rf"^(  {name}: {{value: )[^,]+", rf"\g<1>{value}", page, flags=re.MULTILINE)
        assert changed == 1, name
    (folder / "devices").mkdir()
    (folder / "devices" / "worn.yaml").write_text(page, encoding="utf-8")
    monkeypatch.setenv("LABCTL_PLUGINS", str(folder))
    return cards.read("worn")


@pytest.mark.parametrize("reason", DEATHS)
@pytest.mark.parametrize("stress", ["sweep", "pulse"])
def test_a_dead_cell_is_named_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stress: str, reason: str
) -> None:
    card = card_of_my_own(tmp_path, monkeypatch, {**CALM, **DEATHS[reason]})
    by_pulses = PULSES if stress == "pulse" else {}
    chain = Chain(card, series_resistance=by_pulses.get("series", 0.0))
    settings = {"cycles": 300, "check_every": CHECK_EVERY, "curves": 0, **MEMORY, **by_pulses}
    result, run = chain.run("endurance", tmp_path, settings)
    (event,) = run.events
    found, last = figures("endurance", run), int(run["cycle"][-1])
    assert (result.state, event.kind, event.details["cycle"]) == ("finished", reason, last)
    died = found[f"end: {reason}"].value if "n_wear" in DEATHS[reason] else chain.bench.device.state()["ruptures"]
    assert 0 <= last - died <= CHECK_EVERY
    assert run["verdict"][-1] != 0
    assert len(chain.peaks(2.45)) == len(chain.peaks(-2.95)) == last, "a cycle more than is claimed"
    assert chain.last_drive() == pytest.approx(0.7), "the read of the verdict is the last the cell sees"
    assert chain.is_off()


# -- an old 4200-SCS --------------------------------------------------------------------------------------------------
#: software before 1.13: no :PMU:, no :ERROR:, other status letters; pulses through modules of the vendor's library
OLD = {"error_query": False, "letters": "LVXCTN", "version": "V4.6.0", "model": "KI4200"}
SHORT = "segment or window of 100 ns is too short: PMU_SegArb_Example spreads 15000 samples at most over all"
TRAINS: dict[str, Any] = {"pulses": 2, "prepare": "none", "width": 2e-6}
HALF = {"disturb": "half", "disturb_pulses": 3}
CYCLED = {"stress": "pulse", "cycles": 2, "width_set": 5e-6, "width_reset": 5e-6, "rest": 1e-5}
DISTURB = {"count": 4, "states": "present", "width": 2e-6, "per_decade": 1}
DECAY = {"width": 1e-6, "read_width": 1e-6, "first_delay": 5e-6, "per_decade": 1}

RUNS_ON_OLD: dict[str, tuple[str, dict[str, Any]]] = {
    "trains, read by the SMU": ("potentiation-depression", TRAINS),
    "trains, read by short pulses": ("potentiation-depression", {**TRAINS, "read_with": "pulse", "read_width": 5e-6}),
    "trains with a dense half-select disturb": (
        "potentiation-depression",
        {**TRAINS, **HALF, "pulses": 1, "disturb_period": 5e-6},
    ),
    "switching time at the module's rate": ("switching-time", {"sample_rate": 0, "width": 5e-6, "step": 0.25}),
    "retention of sweeps": ("retention", SMALL["retention"]),
    "retention of short pulses": (
        "retention",
        {"states": "on", "write_with": "pulse", "pulse_width": 1e-5, "duration": 100, "per_decade": 1},
    ),
    "endurance of sweeps": ("endurance", SMALL["endurance"]),
    "endurance of pulses, every cycle read": ("endurance", {**CYCLED, "check_every": 1}),
    "pulse and verify": ("pulse-verify", {**SMALL["pulse-verify"], "width": 2e-6, "max_pulses": 2}),
    "dense read disturb": ("read-disturb", {**DISTURB, "period": 5e-6}),
    "fast relaxation": ("transient-relaxation", {**DECAY, "last_delay": 5e-5}),
    "volatility": ("volatility", SMALL["volatility"]),
}
REFUSED_ON_OLD: dict[str, tuple[str, dict[str, Any], str]] = {
    "long reads by pulses": ("potentiation-depression", {**TRAINS, "read_with": "pulse"}, SHORT),
    "a slow half-select disturb": ("potentiation-depression", {**TRAINS, **HALF}, SHORT),
    "a rate of one's own": (
        "switching-time",
        {},
        "sample_rate = 1e+07 per s: on this software PMU_SegArb_Example chooses the rate",
    ),
    "long pulses that write": ("retention", {"write_with": "pulse"}, SHORT),
    "endurance of long pulses": ("endurance", {"stress": "pulse"}, SHORT),
    "many cycles in one go": (
        "endurance",
        {**CYCLED, "cycles": 3000, "check_every": 1000, "per_decade": 1},
        "segments, repeats written out, exceed 2048",
    ),
    "slow read disturb": ("read-disturb", {}, SHORT),
    "slow relaxation": ("transient-relaxation", {}, SHORT),
}


def counted(chain: Chain) -> tuple[Counter[float], Counter[float]]:
    """How often the cell got each voltage beyond 1 V."""
    return Counter(chain.peaks(1.0)), Counter(chain.peaks(-1.0))


def test_the_old_instrument_is_asked_for_every_recipe() -> None:
    runs, refused = ({name for name, *_ in table.values()} for table in (RUNS_ON_OLD, REFUSED_ON_OLD))
    assert runs == set(SMALL)
    assert refused < runs, "nothing is refused altogether"
    assert set(plugins.names("procedures")) - runs == {"forming", "iv-sweep"}, "those two know nothing of pulses"


@pytest.mark.parametrize("case", RUNS_ON_OLD)
def test_an_old_instrument_runs_what_its_library_can_play(tmp_path: Path, case: str) -> None:
    """On a nominal cell, which gets the same pulses from an old instrument as from a new one, and answers alike."""
    name, settings = RUNS_ON_OLD[case]
    old, new = Chain(**OLD), Chain()
    (result, run), (_, wanted) = (chain.run(name, tmp_path, settings) for chain in (old, new))
    assert (result.state, result.safe) == ("finished", True), result.reason
    assert counted(old) == counted(new)
    assert old.is_off()
    if name != "switching-time":  # its samples are as many as the rate gives
        reads = run["kind"] == 0 if "kind" in run.columns else np.ones(len(run), dtype=bool)
        np.testing.assert_allclose(run["current"][reads], wanted["current"][reads], rtol=0.1, atol=1e-7)
    spoken = b"".join(old.gate.heard)
    uses_pulses = any(note.kind != "sweep" for note in run.stimuli)
    assert (b"EX PMU_examples_ulib" in spoken) == uses_pulses
    assert b":PMU:EXECUTE" not in spoken


@pytest.mark.parametrize("case", REFUSED_ON_OLD)
def test_an_old_instrument_refuses_the_rest_before_anything_is_sent(tmp_path: Path, case: str) -> None:
    name, settings, message = REFUSED_ON_OLD[case]
    chain = Chain(**OLD)
    with chain.station() as station:
        before = len(chain.gate.heard)
        with pytest.raises(LimitError, match=re.escape(message)):
            chain.run(name, tmp_path, settings, station)
        assert len(chain.gate.heard) == before
    assert not list(tmp_path.iterdir())
    assert not chain.driven_after(0.0)
    with Chain().station() as station:
        for request in kind_of(name)(**settings).requests():
            station.check(request)  # a new instrument takes it all
