"""The run file seen by others: plain h5py along data/run-file.md, NeXus rules, units, filters."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from store_runs import END, START, Ticks, block, header, record, writer

import labctl
from labctl.contracts import Status
from labctl.plugins import folders
from labctl.store import PlotSpec, RunWriter, read


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Any]:
    run = writer(tmp_path)
    record(run)
    with h5py.File(run.finish("failed", "the reason", "Traceback ...", END), "r") as opened:
        yield opened


def _text(dataset: Any) -> str:
    return str(dataset[()].decode("utf-8"))


def _documented() -> list[str]:
    page = next(path for folder in folders("data") if (path := folder / "run-file.md").is_file())
    rows = [line.split(" | ")[0] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `/")]
    return [path for row in rows for path in re.findall(r"`([^`]+)`", row)]


def _found(file: Any) -> list[str]:
    paths = [f"/@{name}" for name in file.attrs]

    def visit(name: str, item: Any) -> None:
        paths.extend([f"/{name}", *(f"/{name}@{attribute}" for attribute in item.attrs)])

    file.visititems(visit)
    ignored = ("@NX_class", "@original_name", "@format")  # said once for all in the text of the page
    return [path for path in paths if not path.endswith(ignored)]


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile("[^/@]+".join(re.escape(part) for part in re.split(r"<[^>]+>", path)))


def test_the_page_describes_the_file_and_nothing_else(file: Any) -> None:
    documented, found = [_pattern(path) for path in _documented()], _found(file)
    assert len(documented) > 60
    assert [path for path in found if not any(one.fullmatch(path) for one in documented)] == []
    assert [one.pattern for one in documented if not any(one.fullmatch(path) for path in found)] == []


def test_who_what_and_when(file: Any) -> None:
    entry = file["entry"]
    assert (_text(entry["title"]), _text(entry["start_time"]), _text(entry["end_time"])) == (header().title, START, END)
    assert _text(entry["experiment_identifier"]) == header().uuid
    assert (_text(entry["user/name"]), _text(entry["sample/name"])) == ("Zoë µΩ", "W12/D3-4/C5")
    assert entry.attrs["end_state"] == "failed"
    assert (entry.attrs["end_reason"], entry.attrs["traceback"]) == ("the reason", "Traceback ...")
    assert file.attrs["creator"] == f"labctl {labctl.__version__}"
    assert file.attrs["labctl_format_version"] == 1
    process = entry["process"]
    assert (_text(process["procedure"]), _text(process["command"])) == ("iv-sweep", header().command)
    assert json.loads(process["header"][()])["sample"] == "W12/D3-4/C5"
    assert _text(process["software/python"]) == "3.11.7"
    assert (_text(process["git/commit"]), process["git/dirty"][()]) == ("c0ffee", True)
    simulation = process["simulation"]
    assert (simulation["simulated"][()], _text(simulation["device"]), simulation["seed"][()]) == (True, "device-2", 7)


def test_parameters_settings_and_limits_are_plain_values(file: Any) -> None:
    parameters = file["entry/parameters"]
    assert (parameters["v_max"][()], parameters["v_max"].attrs["units"]) == (2.0, "V")
    assert parameters["cycles"].dtype == np.int64
    assert parameters["guard"][()] == np.True_
    assert _text(parameters["mode"]) == "dc"
    assert parameters["levels"][...].tolist() == [0.0, 1.5]
    assert parameters["names"].asstr()[...].tolist() == ["a", "b"]
    for name, value in [("nothing", None), ("mixed_list", [1, "a"]), ("huge", 2**70)]:
        assert parameters[name].attrs["format"] == "json"
        assert json.loads(parameters[name][()]) == value
    assert parameters["mixed_list"].attrs["original_name"] == "mixed list"
    assert "format" not in parameters["names"].attrs
    instrument = file["entry/instrument/smu_1"]
    assert instrument.attrs["original_name"] == "smu/1"
    assert _text(instrument["identity/model"]) == "4200-SCS"
    assert instrument["settings/plc"][()] == 1.0
    assert json.loads(instrument["settings/nested"][()]) == {"x": [1, None]}
    limit = file["entry/limits/limit_1"]
    assert (limit["value"][()], _text(limit["owner"])) == (2.5, "sample W12/D3-4/C5")


def test_stimuli_and_events_are_arrays(file: Any) -> None:
    stimuli, events = file["entry/stimuli"], file["entry/events"]
    assert stimuli["id"][...].tolist() == [1, 2]
    assert stimuli["outcome"].asstr()[...].tolist() == ["done", ""]
    assert stimuli["row"][...].tolist() == [0, 9]
    assert np.isnan(stimuli["outcome_time"][1])
    assert json.loads(stimuli["details"][0])["hold"] == {"$float": "nan"}
    assert events["kind"].asstr()[...].tolist() == ["forming"]
    assert events["time"].attrs["units"] == "s"


def test_columns_have_units_scales_and_checksums(file: Any) -> None:
    data = file["entry/data"]
    for column in header().columns:
        dataset = data[column.name]
        assert dataset.attrs["units"] == column.unit
        assert dataset.attrs["long_name"] == column.caption
        assert (dataset.compression, dataset.compression_opts, dataset.shuffle, dataset.fletcher32) == (
            "gzip",
            4,
            True,
            True,
        )
        assert dataset.dtype == np.dtype(column.dtype)
    assert data["voltage"].is_scale
    assert data["current"].dims[0][0] == data["voltage"]
    masks = data["status"].attrs["flag_masks"].tolist()
    names = data["status"].attrs["flag_meanings"].split()
    assert {name.upper(): mask for name, mask in zip(names, masks, strict=True)} == {
        flag.name: flag.value for flag in Status if flag
    }


def test_a_logarithmic_plot_of_a_signed_current_draws_its_magnitude(file: Any) -> None:
    data = file["entry/data"]
    assert data.attrs["signal"] == "current_magnitude"
    assert data["current_magnitude"][...].tolist() == np.abs(np.sin(np.arange(13.0))).tolist()
    assert data["current_magnitude"].attrs["long_name"] == "|current| (A)"
    assert json.loads(data.attrs["SILX_style"]) == {"signal_scale_type": "log"}
    assert data.attrs["axes"].tolist() == ["voltage"]
    assert data.attrs["time_indices"].tolist() == [0]
    assert data.attrs["auxiliary_signals"].tolist() == ["level"]


@pytest.mark.parametrize("log", [False, True])
def test_other_plots_draw_the_signal_itself(tmp_path: Path, log: bool) -> None:
    plain = header(plot=PlotSpec("time", log=log))
    run = RunWriter.create(tmp_path / "run.h5", plain, clock=Ticks())
    run.append(block(0, 3))
    path = run.finish("finished")
    with h5py.File(path, "r") as file:
        data = file["entry/data"]
        assert data.attrs["signal"] == "time"
        assert "time_magnitude" not in data
        assert ("SILX_style" in data.attrs) is log
        assert "axes" not in data.attrs
    assert list(read(path).columns) == [column.name for column in plain.columns]


def test_magnitudes_are_not_columns(tmp_path: Path) -> None:
    run = writer(tmp_path)
    run.append(block(0, 40_000))
    path = run.finish("finished")
    assert "current_magnitude" not in read(path).columns
    with h5py.File(path, "r") as file:
        np.testing.assert_array_equal(file["entry/data/current_magnitude"][...], np.abs(np.sin(np.arange(40_000.0))))


def test_units_are_symbols_that_pint_reads(file: Any) -> None:
    pint = pytest.importorskip("pint")
    registry = pint.UnitRegistry()
    for path in _found(file):
        if path.endswith("@units"):
            place, _, name = path.rpartition("@")
            registry.Unit(file[place].attrs[name])


def test_names_that_hdf5_would_read_as_paths(tmp_path: Path) -> None:
    odd = {
        "a/b": {"value": 1, "unit": ""},
        "a b": {"value": 2, "unit": ""},
        ".": {"value": 3, "unit": ""},
        "": {"value": 4, "unit": ""},
    }
    run = RunWriter.create(tmp_path / "run.h5", header(parameters=odd), clock=Ticks())
    path = run.finish("finished")
    assert read(path).header.parameters == odd
    with h5py.File(path, "r") as file:
        found = {
            item.attrs.get("original_name", name): int(item[()]) for name, item in file["entry/parameters"].items()
        }
    assert found == {"a/b": 1, "a b": 2, ".": 3, "": 4}


@pytest.mark.skipif(find_spec("nexusformat") is None, reason="nexusformat is not installed")
@pytest.mark.parametrize("rows", [True, False])
def test_nexus_validator_finds_no_errors(tmp_path: Path, rows: bool) -> None:
    run = writer(tmp_path)
    if rows:
        record(run)
    path = run.finish("finished", end_time=END)
    assert _nexus_errors(path) == 0


def test_a_nexus_reader_finds_the_plot(tmp_path: Path) -> None:
    nxload = pytest.importorskip("nexusformat.nexus").nxload
    run = writer(tmp_path)
    record(run)
    plotted = nxload(str(run.finish("finished", end_time=END))).get_default()
    assert (plotted.nxsignal.nxname, [axis.nxname for axis in plotted.nxaxes]) == ("current_magnitude", ["voltage"])
    np.testing.assert_array_equal(plotted.nxsignal.nxvalue, np.abs(np.sin(np.arange(13.0))))


@pytest.mark.skipif(find_spec("nexusformat") is None, reason="nexusformat is not installed")
def test_nexus_validator_would_find_a_wrong_axis(tmp_path: Path) -> None:
    run = writer(tmp_path)
    record(run)
    path = run.finish("finished", end_time=END)
    with h5py.File(path, "r+") as file:
        file["entry/data"].attrs["axes"] = ["nothing"]
    assert _nexus_errors(path) > 0


def _nexus_errors(path: Path) -> int:
    """nxcheck's count of errors; its exit code is 0 whatever it finds."""
    code = "import sys; from nexusformat.scripts.nxcheck import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, "-e", str(path)], capture_output=True, text=True, check=False)
    count = re.search(r"Total number of errors: (\d+)", re.sub(r"\x1b\[[0-9;]*m", "", done.stdout))
    assert count is not None, done.stdout + done.stderr
    return int(count[1])
