"""Pulse response for simulators of neural networks and circuits: each format steps as the cell did."""

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pd_runs
import pytest

from labctl import exports
from labctl.analysis.plasticity import curves as plasticity_curves
from labctl.analysis.plasticity import model as plasticity_model
from labctl.analysis.plasticity import run as plasticity_run
from labctl.errors import UsageError

UP, DOWN = pd_runs.truth(1), pd_runs.truth(-1)
PLASTICITY = ("aihwkit", "crosssim", "neurosim", "verilog-a", "memdevice-bench")


def made(to: str, **scatter: float) -> dict[str, str]:
    run = pd_runs.run(pd_runs.table(cycles=4, **scatter))
    return {ending: data.decode() for ending, data in exports.make(run, to).files.items()}


@pytest.mark.parametrize("to", PLASTICITY)
def test_every_file_or_its_neighbour_says_which_run_it_is_from(to: str) -> None:
    files = made(to)
    assert any(pd_runs.UUID in text for text in files.values())
    assert any("data sha256" in text for text in files.values())


def test_the_model_tells_scatter_of_steps_from_that_of_reads() -> None:
    rng = np.random.default_rng(3)
    steps = 0.02 * rng.standard_normal((20, 60))
    reads = 0.01 * rng.standard_normal((20, 61))
    found = plasticity_model.scatter(steps + np.diff(reads, axis=1))
    assert found == pytest.approx((0.02, 0.01), rel=0.15)
    assert plasticity_model.scatter(steps)[1] < 0.005


# -- aihwkit --------------------------------------------------------------------------------------------------------
def stepped(device: dict[str, float], pulses: list[float], weight: float) -> np.ndarray:
    """What a LinearStepDevice does without scatter, by the formulas of its source, for pulses of 1 and -1."""
    up = device["dw_min"] * (1 + min(device["up_down"], 0))
    down = device["dw_min"] * (1 - max(device["up_down"], 0))
    seen = [weight]
    for pulse in pulses:
        move = up * (1 - device["gamma_up"] * weight) if pulse > 0 else -down * (1 + device["gamma_down"] * weight)
        weight = min(max(weight + move, -1.0), 1.0)
        seen.append(weight)
    return np.array(seen)


def in_weights(conductances: np.ndarray) -> np.ndarray:
    return 2 * (conductances - pd_runs.LOW) / (pd_runs.HIGH - pd_runs.LOW) - 1


def test_aihwkits_device_walks_the_measured_curve() -> None:
    device = json.loads(made("aihwkit")[".aihwkit.json"])["device"]
    assert device["class"] == "LinearStepDevice"
    walk = stepped(device["parameters"], [1.0] * pd_runs.PULSES + [-1.0] * pd_runs.PULSES, -1.0)
    assert walk == pytest.approx(np.concatenate([in_weights(UP), in_weights(DOWN)[1:]]), abs=1e-4)


def test_aihwkits_columns_have_no_head_and_its_fit_no_gap() -> None:
    files = made("aihwkit", reads=0.01)
    rows = list(
        csv.DictReader(io.StringIO(files[".aihwkit.csv"]), fieldnames=["up_data", "down_data"])
    )  # its example 21
    up = np.array([float(row["up_data"]) for row in rows])
    assert up == pytest.approx(in_weights(UP)[1:], abs=0.15)
    assert float(rows[-1]["down_data"]) == pytest.approx(-1, abs=0.15)
    fit = json.loads(files[".aihwkit.json"])["fit"]
    assert len(fit["pulses"]) == len(fit["responses"]) == 3 * (2 * pd_runs.PULSES + 1)
    assert set(fit["pulses"]) == {-1.0, 0.0, 1.0}


def test_aihwkits_scatter_is_in_its_units() -> None:
    run = pd_runs.run(pd_runs.table(cycles=30, steps=0.02, reads=0.01, seed=4))
    device = json.loads(exports.make(run, "aihwkit").files[".aihwkit.json"])["device"]["parameters"]
    assert device["dw_min_std"] * device["dw_min"] == pytest.approx(2 * 0.02, rel=0.2)
    assert device["write_noise_std"] * device["dw_min"] == pytest.approx(2 * 0.01, rel=0.35)


def test_aihwkit_itself_takes_the_file() -> None:
    fitting = pytest.importorskip("aihwkit.utils.fitting", reason="needs aihwkit, which is not among our dependencies")
    torch = pytest.importorskip("torch")
    from aihwkit.simulator.configs import SingleRPUConfig
    from aihwkit.simulator.configs.devices import LinearStepDevice, SoftBoundsDevice
    from aihwkit.simulator.tiles.analog import AnalogTile

    content = json.loads(made("aihwkit", reads=0.005)[".aihwkit.json"])
    pulses, responses = (np.array(content["fit"][name]) for name in ("pulses", "responses"))
    ranges = {
        "dw_min": (0.1, 0.001, 1.0),
        "up_down": (0.0, -0.9, 0.9),
        "w_max": (1.1, 0.5, 3.0),
        "w_min": (-1.1, -3.0, -0.5),
    }
    _, _, model = fitting.fit_measurements(ranges, pulses, responses, device_config=SoftBoundsDevice())
    assert np.std(np.ravel(model) - responses) < 0.08
    parameters = {**content["device"]["parameters"], "dw_min_std": 0.0, "write_noise_std": 0.0}
    config = SingleRPUConfig(device=LinearStepDevice(**parameters))
    config.update.desired_bl = 1
    config.update.update_bl_management = config.update.update_management = False
    tile = AnalogTile(1, 1, config)
    tile.set_learning_rate(1)
    tile.set_weights(torch.full((1, 1), -1.0))
    seen = []
    for pulse in [1.0] * pd_runs.PULSES + [-1.0] * pd_runs.PULSES:
        tile.update(torch.full((1,), pulse), -torch.ones(1))
        seen.append(float(tile.tile.get_weights()))
    assert seen == pytest.approx(np.concatenate([in_weights(UP)[1:], in_weights(DOWN)[1:]]), abs=0.02)


# -- CrossSim -------------------------------------------------------------------------------------------------------
def looked_up(text: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Conductances, probabilities, dG: read as CrossSim 2 reads its tables."""
    lines = text.encode()
    conductances = np.genfromtxt(io.BytesIO(lines), delimiter=",", skip_header=1, max_rows=1)
    probabilities = np.genfromtxt(io.BytesIO(lines), delimiter=",", skip_header=2, max_rows=1)
    return conductances, probabilities, np.genfromtxt(io.BytesIO(lines), delimiter=",", skip_header=3)


def test_crosssims_tables_step_as_the_cell_did() -> None:
    files = made("crosssim", reads=0.002)
    up, down = looked_up(files[".dG_increasing.txt"]), looked_up(files[".dG_decreasing.txt"])
    assert np.array_equal(up[0], down[0])
    assert np.array_equal(up[1], down[1])
    assert np.ptp(np.diff(up[0])) < 1e-4 * np.diff(up[0]).max(), "an even grid has the fast look-up"
    assert up[2].shape == (up[1].size, up[0].size)
    assert np.all(np.diff(up[2], axis=0) >= 0), "dG grows with its cumulative probability"
    for (conductances, _, steps), curve in ((up, UP), (down, DOWN[::1])):
        middle = steps.mean(axis=0)  # the probabilities are even
        measured = np.interp(conductances[20:80], *sorted_steps(curve))
        assert middle[20:80] == pytest.approx(measured, abs=0.15 * np.abs(measured).max())
    assert up[2].mean() > 0 > down[2].mean()


def sorted_steps(curve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A step by the conductance it begins at."""
    order = np.argsort(curve[:-1])
    return curve[:-1][order], np.diff(curve)[order]


def test_crosssims_input_has_currents_after_each_pulse_one_column_a_ramp() -> None:
    files = made("crosssim")
    table = np.genfromtxt(io.StringIO(files[".set.csv"]), skip_header=1, delimiter=",")
    assert table.shape == (pd_runs.PULSES, 4)
    assert table[:, 2] / pd_runs.V_READ == pytest.approx(UP[1:])
    assert json.loads(files[".crosssim.json"])["read_voltage"] == pd_runs.V_READ
    assert np.genfromtxt(io.StringIO(files[".reset.csv"]), skip_header=1, delimiter=",")[-1, 0] == pytest.approx(
        pd_runs.LOW * pd_runs.V_READ
    )


def test_crosssim_is_refused_without_a_read_voltage() -> None:
    with pytest.raises(UsageError, match="v_read"):
        exports.make(pd_runs.run(parameters={}), "crosssim")


# -- NeuroSim -------------------------------------------------------------------------------------------------------
def constants(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+) = (.*?);", text, flags=re.MULTILINE))


def a_of(label: float) -> float:
    """NeuroSim's A of a label, over the normalised pulses: the inverse of what its table holds."""
    from scipy.optimize import brentq

    return 1 / brentq(lambda a: plasticity_curves.label_of(a) - label, -50, 50)


def test_neurosims_constants_give_the_measured_curves_by_its_formula() -> None:
    found = constants(made("neurosim")[".neurosim.cpp"])
    low, high = float(found["minConductance"]), float(found["maxConductance"])
    assert (low, high) == pytest.approx((pd_runs.LOW, pd_runs.HIGH), rel=1e-3)
    x = np.arange(pd_runs.PULSES + 1)
    for label, levels, curve in (("NL_LTP", "maxNumLevelLTP", UP), ("NL_LTD", "maxNumLevelLTD", DOWN[::-1])):
        count = int(found[levels])
        a = a_of(float(found[label])) * count
        b = (high - low) / (1 - np.exp(-count / a))
        assert b * (1 - np.exp(-x / a)) + low == pytest.approx(curve, rel=2e-3)
    assert float(found["NL_LTP"]) > 0 > float(found["NL_LTD"]), "both branches saturate"
    assert (found["writeVoltageLTD"], found["writePulseWidthLTP"]) == ("1.5", "2e-05")
    assert (found["nonlinearWrite"], found["nonIdenticalPulse"]) == ("true", "false")


def test_neurosims_write_noise_is_a_share_of_its_range() -> None:
    run = pd_runs.run(pd_runs.table(cycles=12, steps=0.02, seed=5))
    text = exports.make(run, "neurosim").files[".neurosim.cpp"].decode()
    share, rest = constants(text)["sigmaCtoC"].split(" * ")
    assert float(share) == pytest.approx(0.02, rel=0.2)
    assert rest == "(maxConductance - minConductance)"
    assert f"--c2cVari {float(share):.6g}" in text
    content = json.loads(exports.make(run, "neurosim").files[".neurosim.json"])
    low, high = content["label intervals (95 %)"]["NL_LTP"]
    assert low < content["RealDevice"]["NL_LTP"] < high
    b, a = content["B (S)"]["LTD"], content["A of the normalised pulses"]["LTD"]
    assert b * (1 - np.exp(-1 / a)) == pytest.approx(
        content["RealDevice"]["maxConductance"] - content["RealDevice"]["minConductance"]
    )


# -- Verilog-A ------------------------------------------------------------------------------------------------------
def values_of(text: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"parameter real (\w+)\s*= ([-\d.e]+)", text)}


def test_the_verilog_a_module_integrates_to_the_measured_curve() -> None:
    text = made("verilog-a")[".va"]
    found = values_of(text)
    now, seen = found["g_start"], []
    for rate, aim, pulses in (("r_up", "aim_up", pd_runs.PULSES), ("r_down", "aim_down", pd_runs.PULSES)):
        for _ in range(pulses):  # dG/dt = rate (aim - G) for the width of a pulse
            now = found[aim] + (now - found[aim]) * np.exp(-found[rate] * 2e-5)
            seen.append(now)
    assert seen == pytest.approx(np.concatenate([UP[1:], DOWN[1:]]), rel=1e-3)
    assert (found["v_up"], found["v_down"]) == (1.5, -1.125)
    assert len(re.findall(r"\bbegin\b", text)) == len(re.findall(r"\bend\b", text)) == 1
    assert (text.count("\nmodule "), text.count("\nendmodule")) == (1, 1)
    assert f"module labctl_{pd_runs.UUID.replace('-', '_')}(p, n);" in text


def test_the_verilog_a_module_compiles(tmp_path: Path) -> None:
    compiler = shutil.which("openvaf-r") or shutil.which("openvaf")
    if compiler is None:
        pytest.skip("no Verilog-A compiler (openvaf) is on the path")
    (tmp_path / "cell.va").write_text(made("verilog-a")[".va"])
    done = subprocess.run([compiler, "cell.va", "-o", "cell.osdi"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "cell.osdi").stat().st_size > 1000


# -- memdevice-bench -------------------------------------------------------------------------------------------------
def test_memdevice_benchs_table_has_a_row_for_each_level() -> None:
    files = made("memdevice-bench")
    rows = list(csv.DictReader(io.StringIO(files[".memdevice.csv"])))
    assert len(rows) == 4 * 2 * pd_runs.PULSES
    first = rows[0]
    assert (first["device_id"], first["cycle"], first["pulse_index"], first["direction"]) == (
        "W12/D3-4/C5",
        "1",
        "1",
        "potentiation",
    )
    assert float(first["conductance_s"]) == UP[1]
    assert (first["pulse_voltage_v"], first["pulse_current_a"], first["read_voltage_v"]) == ("2.0", "5e-06", "0.5")
    about = json.loads(files[".memdevice.json"])
    assert (about["device"]["device_id"], about["device"]["terminal_count"]) == ("W12/D3-4/C5", 2)
    assert about["schema_version"] == "0.2.0"


def test_memdevice_bench_itself_takes_the_files(tmp_path: Path) -> None:
    bench = pytest.importorskip("memdevice_bench.io", reason="needs memdevice-bench")
    from memdevice_bench.metadata import load_metadata, validate_metadata

    for ending, text in made("memdevice-bench").items():
        (tmp_path / f"run{ending}").write_text(text)
    assert len(bench.load_trace(tmp_path / "run.memdevice.csv", strict=True)) == 8 * pd_runs.PULSES
    report = validate_metadata(load_metadata(tmp_path / "run.memdevice.json"))
    assert (report.errors, report.warnings) == ((), ())


# -- what they all refuse and say ------------------------------------------------------------------------------------
@pytest.mark.parametrize("to", PLASTICITY)
def test_what_has_no_branches_is_refused(to: str) -> None:
    short = {name: column[:20] for name, column in pd_runs.table().items()}
    with pytest.raises(UsageError, match="no cycle with a whole potentiation"):
        exports.make(pd_runs.run(short), to)
    columns = tuple(column for column in pd_runs.COLUMNS if column.name != "pulse")
    other = {name: column for name, column in pd_runs.table().items() if name != "pulse"}
    with pytest.raises(UsageError, match="no potentiation and depression"):
        exports.make(pd_runs.run(other, columns=columns), to)


@pytest.mark.parametrize("to", ["aihwkit", "crosssim", "neurosim", "verilog-a"])
def test_a_cell_that_does_not_follow_its_pulses_has_no_model(to: str) -> None:
    stuck = pd_runs.table()
    stuck["conductance"] = 1e-6 + 1e-9 * np.random.default_rng(1).standard_normal(len(stuck["kind"]))
    with pytest.raises(UsageError, match="no model fits"):
        exports.make(pd_runs.run(stuck), to)


def test_what_a_user_must_know_is_noted() -> None:
    columns = pd_runs.table(cycles=2)
    columns["amplitude"] = columns["amplitude"] * (1 + 0.01 * columns["pulse"])
    columns["conductance"] = np.where(columns["segment"] == -1, 0.7 * columns["conductance"], columns["conductance"])
    notes = " ".join(exports.make(pd_runs.run(columns), "neurosim").notes)
    assert "not alike" in notes
    assert "do not meet" in notes
    cut = {name: column[:-4] for name, column in pd_runs.table(cycles=3).items()}
    assert "1 of 3 cycles are not whole" in " ".join(exports.make(pd_runs.run(cut), "aihwkit").notes)


@pytest.mark.parametrize(("to", "ending"), [("neurosim", ".neurosim.cpp"), ("verilog-a", ".va")])
@pytest.mark.parametrize("sample", ["W1 \\", "W1\\\\", "W1 ??/"])
def test_a_comment_takes_no_line_of_the_code_in(to: str, ending: str, sample: str) -> None:
    text = exports.make(pd_runs.run(sample=sample), to).files[ending].decode()
    assert sample in text
    assert not [line for line in text.splitlines() if line.startswith("//") and re.search(r"(\\|\?\?/)\s*$", line)]


def test_neurosim_leaves_out_what_the_run_does_not_say() -> None:
    made = exports.make(pd_runs.run(parameters={}), "neurosim")
    text = made.files[".neurosim.cpp"].decode()
    assert "readVoltage =" not in text
    assert "nan" not in text
    assert any("readVoltage" in note for note in made.notes)
    assert "readVoltage" not in json.loads(made.files[".neurosim.json"])["RealDevice"]


def test_numbers_have_no_digits_of_float_noise() -> None:
    table = pd_runs.table()
    table["amplitude"] = np.where(table["segment"] > 0, 0.8 * 3, table["amplitude"])  # 2.4000000000000004
    run = pd_runs.run(table)
    assert "writeVoltageLTP = 2.4;" in exports.make(run, "neurosim").files[".neurosim.cpp"].decode()
    for to in PLASTICITY:
        for ending, text in exports.make(run, to).files.items():
            assert "2.4000000000000004" not in text.decode(), ending
    assert re.search(r"v_up +\s*= 1\.8;", exports.make(run, "verilog-a").files[".va"].decode())


def test_the_label_of_an_export_is_that_of_the_analysis() -> None:
    """A state that a sweep wrote far below bends the first branch; neither takes it in."""
    table = pd_runs.table(cycles=5, reads=0.002)
    table["conductance"][0] = -20 * pd_runs.LOW
    told = {item.name: item for item in plasticity_run.analyze(table)}
    fitted = json.loads(exports.make(pd_runs.run(table), "neurosim").files[".neurosim.json"])["RealDevice"]
    label = told["nonlinearity label of potentiation"]
    assert label.value == pytest.approx(plasticity_curves.label_of(pd_runs.BEND_UP), abs=0.1)
    assert fitted["NL_LTP"] == pytest.approx(label.value, abs=0.1)
    assert label.uncertainty < 0.2
    for name in ("nonlinearity label", "NeuroSim A", "beta", "alpha"):
        assert "level before the first cycle left out" in told[f"{name} of potentiation"].definition
    assert told["asymmetric ratio"].value < 0.5
    once = {item.name: item for item in plasticity_run.analyze(pd_runs.table(cycles=1))}
    assert "first cycle included" in once["nonlinearity label of potentiation"].definition
    series = {item.name: item for item in plasticity_run.per_cycle(table)}
    assert np.ptp(series["nonlinearity label of potentiation"].values) < 0.3
