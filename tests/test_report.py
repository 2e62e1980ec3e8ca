"""Pictures and texts of run files."""

from pathlib import Path

import numpy as np
import pytest

from labctl import plugins, runner, store
from labctl.contracts import Extracted
from labctl.procedure import Procedure
from labctl.report import plot, plots, text
from labctl.report.sketch import sketch
from labctl.station import Station, simulated

IVSweep = plugins.load("procedures", "iv-sweep", Procedure)  # type: ignore[type-abstract]


@pytest.fixture
def run(tmp_path: Path) -> store.Run:
    with Station(simulated("ohmic"), seed=1) as station:
        sweep = IVSweep(step=0.1, cycles=3, v_min=-1, compliance=5e-7)
        return store.read(runner.run("iv-sweep", sweep, station, tmp_path / "run.h5").path)


def test_a_picture_names_axes_first_and_last_cycle_and_compliance(run: store.Run) -> None:
    (axes,) = plots.picture([run], "plain").axes
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("applied voltage (V)", "|current| (A)", "log")
    assert [entry.get_text() for entry in axes.get_legend().get_texts()] == ["cycle 1", "cycle 3", "in compliance"]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_pictures_are_saved_by_their_ending(run: store.Run, tmp_path: Path, ending: str) -> None:
    assert plot.save([run, run], tmp_path / "deep" / f"picture.{ending}").stat().st_size > 3000


def test_numbers_are_said_with_their_uncertainty() -> None:
    assert text.value(Extracted("V_th", 0.502, "V", 0.028, "")) == "502 ± 28 mV"
    assert text.value(Extracted("R", 1e6, "ohm", float("nan"), "")) == "1 Mohm"
    for value, error, unit, said in (
        (999.98, 4.2, "ohm", "1.0000 ± 0.0042 kohm"),
        (0.99998, 0.01, "V", "1.000 ± 0.010 V"),
        (9.9999e-7, 1e-8, "A", "1.000 ± 0.010 uA"),
        (999.4, 4.2, "ohm", "999.4 ± 4.2 ohm"),
        (3e-7, 2e-8, "", "3e-07 ± 2e-08"),
        (0.5, 1e-9, "", "0.5 ± 1e-09"),
        (-3.2e-5, 1e-6, "V^-1/2", "-3.2e-05 ± 1e-06 V^-1/2"),
        (float("nan"), 1.0, "V", "no value"),
        (0.0, 0.0, "V", "0 ± 0 V"),
    ):
        assert text.value(Extracted("x", value, unit, error, "")) == said


def test_a_sketch_shows_where_the_curve_is() -> None:
    x = np.linspace(0, 1, 50)
    lines = sketch(x, 1e-9 * 10 ** (3 * x), ("V", "A"), width=50, height=10)
    assert "1 uA" in lines[0]
    assert lines[0].rstrip().endswith("*")
    assert "1 nA" in lines[9]
    assert lines[9].split("|")[1].startswith("*")
    assert sketch(x, np.zeros(50), ("V", "A")) == []


def test_reads_of_a_state_are_drawn_as_points_of_that_state(tmp_path: Path) -> None:
    retention = plugins.load("procedures", "retention", Procedure)(duration=10.0)  # type: ignore[type-abstract]
    with Station(simulated("synapse"), seed=1) as station:
        assert station.bench is not None
        station.bench.device.prepare("formed")
        found = store.read(runner.run("retention", retention, station, tmp_path / "run.h5").path)
    (axes,) = plots.picture([found], "plain").axes
    assert [line.get_label() for line in axes.get_lines()] == ["off", "on"]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    for line, state in zip(axes.get_lines(), (0, 1), strict=True):
        drawn = (found.columns["state"] == state) & (found.columns["segment"] == 1)
        assert line.get_xdata().size == drawn.sum() > 3
        assert np.all(np.isfinite(line.get_ydata()))
