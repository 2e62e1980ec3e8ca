"""The command line as a person meets it: exit codes, one-line errors, help with examples."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from commandline import labctl

from labctl import store

RUN = [sys.executable, "-c", "from labctl.cli import main; main()"]
COMMANDS = ["demo", "run", "list", "show", "serve", "doctor", "recover", "wire"]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS), ["run", "iv-sweep"], ["run", "forming"]])
def test_help_has_an_example(command: list[str], tmp_path: Path) -> None:
    done = labctl(*command, "--help", folder=tmp_path)
    assert done.returncode == 0
    assert "Example: labctl" in done.stdout


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    arguments = ["run", "iv-sweep", "--sim", "device-2", "--set", "compliance=1u", "--set", "cycles=5"]
    data = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert labctl(*arguments, "--seed", seed, "--out", f"{name}.h5", folder=tmp_path).returncode == 0
        with h5py.File(tmp_path / f"{name}.h5") as file:
            data.append({key: item[:].tobytes() for key, item in file["entry/data"].items()})
    assert data[0] == data[1]
    assert data[0]["current"] != data[2]["current"]
    assert len(data[0]["current"]) == 8 * 5 * 201


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "v_max=nan"], "v_max in V: 'nan' is not a finite number"),
        (["--set", "v_max=inf"], "v_max in V: 'inf' is not a finite number"),
        (["--set", "step=0"], "step = 0 V must be greater than 0 V"),
        (["--set", "v_min=1"], "v_min = 1 V is above the greatest allowed, 0 V"),
        (["--set", "v_max=0"], "v_max = 0 V and v_min = 0 V leave nothing to sweep"),
        (["--set", "step=0.4m"], "number of sweep points = 5001 points exceeds the points limit 4096 points of"),
        (["--set", "complience=1u"], "'complience' is no parameter of this procedure (did you mean 'compliance'?)"),
        (["--set", "compliance"], "--set 'compliance' is not NAME=VALUE"),
        (["--set", "step=1m", "--set", "step=2m"], "--set step is given twice"),
        (["--set", "compliance=1 V"], "compliance in A: '1 V' has no unit or prefix known here"),
    ],
)
def test_bad_input_is_one_clear_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = labctl("run", "iv-sweep", "--sim", "ohmic", *arguments, folder=tmp_path)
    assert done.returncode != 0
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.glob("**/*.h5"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "iv-swep", "--sim", "ohmic"], "did you mean 'iv-sweep'"),
        (["run", "iv-sweep"], "either --station FILE or --sim DEVICE"),
        (["run", "iv-sweep", "--sim", "device2"], "did you mean 'device-2'"),
        (["run", "iv-sweep", "--station", "none.yaml"], "there is no such file"),
        (["show", "nothing"], "is no run file, device or procedure"),
        (["show", "nothing.h5"], "nothing.h5"),
        (["recover", "nothing.jrn"], "nothing.jrn"),
        (["serve", "--sim", "ohmic", "--set", "sp_aftr=1"], "sp_aftr"),
    ],
)
def test_what_does_not_exist_is_said(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = labctl(*arguments, folder=tmp_path)
    assert done.returncode != 0
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_sample_limit_holds_on_the_command_line(tmp_path: Path) -> None:
    station = Path(__file__).resolve().parent.parent / "data" / "stations" / "simulated.yaml"
    where = ["run", "iv-sweep", "--station", str(station), "--sample", "W12/D3-4/C5"]
    done = labctl(*where, "--set", "v_max=2.5", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "labctl: sweep level = 2.5 V exceeds the voltage limit 2 V of sample W12/D3-4/C5\n"
    assert labctl(*where, "--set", "v_max=1.5", "--set", "step=0.1", folder=tmp_path).returncode == 0


def test_show_tells_a_run_a_device_and_a_procedure(tmp_path: Path) -> None:
    assert (
        labctl("run", "iv-sweep", "--sim", "device-2", "--seed", "3", "--out", "r.h5", folder=tmp_path).returncode == 0
    )
    run = labctl("show", "r.h5", "--plot", "r.svg", folder=tmp_path)
    assert run.returncode == 0
    for word in ("finished", "device-2, seed 3", "KEITHLEY", "V_th", "iv-sweep"):
        assert word in run.stdout
    assert (tmp_path / "r.svg").stat().st_size > 5000
    assert "nm" in labctl("show", "device-2", folder=tmp_path).stdout
    assert "compliance" in labctl("show", "iv-sweep", folder=tmp_path).stdout


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", 1)])
def test_ctrl_c_leaves_a_whole_file(number: int, tmp_path: Path) -> None:
    arguments = ["run", "iv-sweep", "--sim", "device-2", "--seed", "1", "--set", "cycles=100k", "--out", "r.h5", "-q"]
    process = subprocess.Popen([*RUN, *arguments], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    journal = tmp_path / "r.jrn"
    deadline = time.monotonic() + 40
    while _rows(journal) < 100 and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        os.sched_yield()
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopping in order" in stderr
    with h5py.File(tmp_path / "r.h5") as file:
        assert file["entry"].attrs["end_state"] == "aborted"
        assert file["entry/data/current"].shape[0] > 50
    assert not journal.exists()


def _rows(journal: Path) -> int:
    """Rows in the journal of a run that is under way; 0 before there is one."""
    try:
        return len(store.read(journal))
    except store.StoreError:
        return 0


def test_list_names_everything(tmp_path: Path) -> None:
    done = labctl("list", folder=tmp_path)
    assert done.returncode == 0
    for name in ("forming", "iv-sweep", "keithley4200", "device-2", "memory", "ohmic"):
        assert name in done.stdout


def test_a_broken_plugin_is_reported_by_list_and_doctor(tmp_path: Path) -> None:
    (tmp_path / "procedures").mkdir()
    (tmp_path / "procedures" / "broken.py").write_text("1/0")
    for command in (["list"], ["doctor"]):
        done = labctl(*command, folder=tmp_path, LABCTL_PLUGINS=str(tmp_path))
        assert done.returncode == 1
        assert "broken" in done.stdout
        assert "division by zero" in done.stdout


def test_recover_goes_on_after_a_bad_journal(tmp_path: Path) -> None:
    (tmp_path / "a.jrn").touch()
    (tmp_path / "b.jrn").write_bytes(b"this is no journal at all, but quite long")
    done = labctl("recover", ".", folder=tmp_path)
    assert done.returncode == 1
    assert "a.jrn held nothing" in done.stdout
    assert "b.jrn" in done.stderr


def test_runs_started_in_the_same_second_get_names_of_their_own(tmp_path: Path) -> None:
    for _ in range(3):
        assert labctl("run", "iv-sweep", "--sim", "ohmic", "--set", "step=0.5", folder=tmp_path).returncode == 0
    assert len(list((tmp_path / "runs").glob("*.h5"))) == 3
    taken = labctl("run", "iv-sweep", "--sim", "ohmic", "--set", "step=0.5", "--out", "r.h5", folder=tmp_path)
    again = labctl("run", "iv-sweep", "--sim", "ohmic", "--set", "step=0.5", "--out", "r.h5", folder=tmp_path)
    assert (taken.returncode, again.returncode) == (0, 1)
    assert "never overwritten" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "iv-sweep", "--sim", "ohmic", "--out", "x.csv"], 2, "a run file ends in .h5"),
        (["run", "iv-sweep", "--sim", "ohmic", "--out", "taken/sub"], 1, "taken"),
        (["run", "iv-sweep", "--sim", "ohmic", "--set", "compliance=1e99999999999999999999"], 2, "a computer can hold"),
        (["run", "iv-sweep", "--sim", "ohmic", "--set", "step=1e-9"], 2, "steps is too long"),
        (["run", "iv-sweep", "--sim", "ohmic", "--sample", "a\\b"], 2, "write parts joined by '/'"),
        (["run", "broken", "--sim", "ohmic"], 2, "can't be loaded: ZeroDivisionError"),
        (["serve", "--sim", "ohmic", "--speed", "inf"], 2, "not a finite number"),
    ],
)
def test_no_mistake_ends_in_a_traceback(arguments: list[str], code: int, message: str, tmp_path: Path) -> None:
    (tmp_path / "procedures").mkdir()
    (tmp_path / "procedures" / "broken.py").write_text("1/0")
    (tmp_path / "taken").touch()
    done = labctl(*arguments, folder=tmp_path, LABCTL_PLUGINS=str(tmp_path))
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_says_which_limits_hold(tmp_path: Path) -> None:
    station = Path(__file__).resolve().parent.parent / "data" / "stations" / "simulated.yaml"
    where = ["run", "iv-sweep", "--station", str(station), "--set", "step=0.5"]
    done = labctl(*where, "--sample", "W12/D3-4/C5", folder=tmp_path)
    assert "limits: 100 uA (sample W12/D3-4/C5), 2 V (sample W12/D3-4/C5)" in done.stderr
    typo = labctl(*where, "--sample", "w12/D3-4/C5", folder=tmp_path)
    assert typo.returncode == 2
    assert "did you mean 'W12'" in typo.stderr


def test_a_declared_series_resistance_is_in_the_simulated_circuit(tmp_path: Path) -> None:
    done = labctl(
        "run", "switching-time", "--sim", "memory", "--seed", "1", "--set", "series=10k", "--set", "pulse_range=10m",
        "--out", "run.h5", "--quiet", folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "run.h5") as file:
        assert np.abs(file["entry/data/current"][:]).max() < 1.05 * 2.0 / 10e3
