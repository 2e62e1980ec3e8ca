"""Pictures of runs: what is drawn is what was measured, refused where a run can't give it, the same file each time."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import plot_runs
import pytest
from matplotlib.colors import to_rgb

from labctl.analysis import conduction
from labctl.contracts import Series, Status
from labctl.errors import UsageError
from labctl.quantities import Column
from labctl.report import plots
from labctl.report.plots import Options, branches, rows, style
from labctl.report.plots.kinds import cycles, endurance, fn, iv, retention, staircase, waveform
from labctl.store import Run
from labctl.store.header import PlotSpec


def changed(run: Run, **columns: Any) -> Run:
    return dataclasses.replace(run, columns={**run.columns, **columns})


def first(run: Run, count: int) -> Run:
    return dataclasses.replace(run, columns={name: column[:count] for name, column in run.columns.items()})


def labels(axes: Any) -> list[str]:
    legend = axes.get_legend()
    return [text.get_text() for text in legend.get_texts()] if legend else []


# -- the style ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("size", "millimetres"), [("single", 89), ("double", 183)])
def test_a_picture_has_the_width_of_a_journals_column(size: Any, millimetres: float) -> None:
    made = plots.picture([plot_runs.cycled(100, 10, 80)], "endurance", size=size)
    assert made.get_figwidth() * 25.4 == pytest.approx(millimetres)
    axes = made.axes[0]
    sizes = [t.get_fontsize() for t in (*axes.get_xticklabels(), axes.xaxis.label, *axes.get_legend().get_texts())]
    assert set(sizes) == {7.0}


def test_colours_differ_for_every_kind_of_colour_blindness() -> None:
    """Simulated by Machado, Oliveira and Fernandes (IEEE Trans. Vis. Comput. Graph. 15, 1291, 2009), severity 1."""
    protan = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    deutan = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
    colours = np.array([to_rgb(style.colour(number)) for number in range(len(style.PALETTE))])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    for matrix in (np.eye(3), np.array(protan), np.array(deutan)):
        seen = np.clip(linear @ matrix.T, 0, 1)
        shown = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
        apart = np.linalg.norm(shown[:, None] - shown[None, :], axis=2)[~np.eye(len(shown), dtype=bool)]
        assert apart.min() > 0.1
    assert len(set(style.MARKERS)) == len(style.PALETTE)


def test_axes_get_prefixes_and_units() -> None:
    with style.applied():
        picture = style.Picture("single")
        (axes,) = picture.panels()
        axes.plot([0.0, 2e-5], [0.0, 3e6])
        style.label(axes.xaxis, "time", "s")
        style.label(axes.yaxis, "resistance", "ohm")
    picture.draw_without_rendering()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (µs)", "resistance (MΩ)")
    assert [t.get_text() for t in axes.get_xticklabels()][-3:] == ["15", "20", "25"] or "20" in [
        t.get_text() for t in axes.get_xticklabels()
    ]


@pytest.mark.parametrize("text", ["$\\frac{$", "a\nb\x1b[31m", "x" * 500, "_^{}$$"])
def test_text_of_a_file_is_drawn_as_text(text: str) -> None:
    run = plot_runs.cycled(50, 10, 60)
    run = dataclasses.replace(run, header=dataclasses.replace(run.header, sample=text, uuid=text))
    made = plots.picture([run], "endurance")
    assert plots.render(made, "png", dpi=40)
    assert "\x1b" not in "".join([*made.notes, *made.about.values(), made.get_suptitle()])
    assert "\n" not in made.caption + made.about["Source"]


def test_a_legend_covers_no_data() -> None:
    made = plots.picture([plot_runs.staircase(4)], "staircase", size="single")
    made.draw_without_rendering()
    axes = made.axes[0]
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1


# -- files ----------------------------------------------------------------------------------------------------------------
def test_the_same_run_gives_the_same_file_that_says_where_it_is_from() -> None:
    run = dataclasses.replace(plot_runs.cycled(50, 10, 60), path=Path("runs/a b.h5"))
    svg, pdf = ([plots.render(plots.picture([run], "endurance"), form) for _ in range(2)] for form in ("svg", "pdf"))  # type: ignore[arg-type]
    assert svg[0] == svg[1]
    assert pdf[0] == pdf[1]
    assert b"run u-1" in svg[0]
    assert b"labctl plot 'runs/a b.h5' --kind endurance" in svg[0].replace(b"&apos;", b"'")
    assert b"dc:date" not in svg[0]
    assert b"CreationDate" not in pdf[0]
    assert b"/Type3" not in pdf[0]
    assert b"/FontFile2" in pdf[0]  # TrueType, embedded


def test_a_png_has_300_dots_an_inch_and_its_origin() -> None:
    png = plots.render(plots.picture([plot_runs.cycled(50, 10, 60)], "endurance", size="single"), "png")
    width = int.from_bytes(png[16:20], "big")
    assert width == pytest.approx(89 / 25.4 * 300, abs=1)
    assert b"tEXtSource\0run u-1" in png
    assert b"tEXtDescription\0labctl plot u-1.h5 --kind endurance" in png


def test_many_points_are_rasterised_in_vector_files() -> None:
    level = np.tile(plot_runs.half_loop(1.0, 0.002), 30)
    table = {"level": level, "voltage": level, "current": level * 1e-6, "cycle": np.repeat(np.arange(30), 1001)}
    svg = plots.render(
        plots.picture([plot_runs.run("iv-sweep", {**table, "segment": np.ones(level.size)})], "iv"), "svg"
    )
    assert b"<image" in svg
    assert len(svg) < 500_000


def test_a_picture_for_a_report_has_caption_words_and_command() -> None:
    run = plot_runs.iv(5, sample="W7")
    flagged = run.columns["status"].copy()
    flagged[:3] = int(Status.OVERFLOW)
    made = plots.figure([changed(run, status=flagged)], "iv")
    assert made.svg.lstrip().startswith(b"<?xml")
    assert made.png.startswith(b"\x89PNG")
    assert made.command.startswith("labctl plot u-1.h5 --kind iv")
    assert "5 sweeps in 5 cycles" in made.caption
    assert "3 rows left out by status (3 beyond its range" in made.caption
    assert "W7" in made.title
    assert made.caption in made.alt


# -- what a run can give -----------------------------------------------------------------------------------------------------
def test_kinds_are_those_the_rows_can_give() -> None:
    assert set(plots.kinds_for(plot_runs.cycled(100, 10, 80))) == {"plain", "endurance"}
    assert "retention" in plots.kinds_for(plot_runs.kept())
    assert {"iv", "plain"} <= set(plots.kinds_for(plot_runs.iv(1)))
    assert plots.kinds_for(first(plot_runs.iv(1), 0)) == []
    assert set(plots.every()) >= {
        "iv",
        "cdf",
        "cycles",
        "staircase",
        "retention",
        "endurance",
        "fn",
        "waveform",
        "plain",
    }


def test_what_a_run_cannot_give_is_refused_with_what_it_can() -> None:
    with pytest.raises(plots.CannotDraw, match=r"no retention picture: it has no column age.*it gives .*plain"):
        plots.picture([plot_runs.iv(1)], "retention")
    with pytest.raises(plots.CannotDraw, match="has nothing to draw: 0 rows"):
        plots.picture([first(plot_runs.iv(1), 0)])
    with pytest.raises(UsageError, match=r"no picture 'ivv' \(did you mean 'iv'"):
        plots.picture([plot_runs.iv(1)], "ivv")


def test_kinds_a_recipe_declares_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    class Recipe:
        pictures = ("plain", "cdf", "iv")

        @staticmethod
        def per_cycle(columns: Any) -> list[Series]:
            return []

    monkeypatch.setattr(rows, "procedure", lambda run: Recipe)
    assert plots.kinds_for(plot_runs.iv(1))[:2] == ["plain", "iv"]


def test_a_recipe_that_is_not_installed_costs_only_its_own_kinds() -> None:
    run = plot_runs.iv(3)
    run = dataclasses.replace(run, header=dataclasses.replace(run.header, procedure="of-another-lab"))
    assert {"plain", "iv"} <= set(plots.kinds_for(run))
    with pytest.raises(plots.CannotDraw, match="'of-another-lab' is installed"):
        plots.picture([run], "cdf")


SPOILT = {
    "empty": lambda run: first(run, 0),
    "one row": lambda run: first(run, 1),
    "cut short": lambda run: first(run, len(run) // 2 + 1),
    "no currents": lambda run: changed(run, current=np.zeros(len(run)), **_like(run, 0.0)),
    "negative": lambda run: changed(run, current=-1e-9 - np.abs(run.columns["current"]), **_like(run, -1e-6)),
    "no numbers": lambda run: changed(run, current=np.full(len(run), np.nan), **_like(run, np.nan)),
    "infinite": lambda run: changed(run, current=np.full(len(run), np.inf)),
    "huge": lambda run: changed(run, **{k: v * 1e300 for k, v in run.columns.items() if v.dtype.kind == "f"}),
    "tiny": lambda run: changed(run, **{k: v * 1e-320 for k, v in run.columns.items() if v.dtype.kind == "f"}),
    "all flagged": lambda run: changed(run, status=np.full(len(run), -1)),
    "great integers": lambda run: changed(run, **_integers(run)),
    "random": lambda run: changed(run, **_random(run)),
}


def _like(run: Run, value: float) -> dict[str, Any]:
    return {"conductance": np.full(len(run), value)} if "conductance" in run.columns else {}


def _integers(run: Run) -> dict[str, Any]:
    far = np.arange(len(run)) * (2**62 // max(1, len(run))) - 2**61
    return {name: far for name, column in run.columns.items() if column.dtype.kind == "i"}


def _random(run: Run) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    wide = {k: rng.standard_normal(len(run)) * 10.0 ** rng.integers(-40, 40, len(run)) for k in run.columns}
    small = {k: rng.integers(-3, 4, len(run)) for k in run.columns}
    return {k: small[k] if v.dtype.kind == "i" else wide[k] for k, v in run.columns.items()}


RUNS = {
    "iv": plot_runs.iv,
    "staircase": plot_runs.staircase,
    "retention": lambda cycles: plot_runs.kept(),
    "endurance": lambda cycles: plot_runs.cycled(40, 10, 30),
    "waveform": lambda cycles: plot_runs.pulse(samples=50),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("kind", "what"), [("iv", what) for what in SPOILT] + [(kind, "random") for kind in RUNS if kind != "iv"]
)
def test_whatever_is_in_a_table_is_drawn_or_refused_in_one_line(kind: str, what: str) -> None:
    """Some kinds on some tables; every kind on every table is a longer test."""
    _draw_or_refuse(SPOILT[what](RUNS[kind](2)), [kind])


@pytest.mark.long
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("what", SPOILT)
@pytest.mark.parametrize("kind", RUNS)
def test_every_kind_on_every_table(kind: str, what: str) -> None:
    _draw_or_refuse(SPOILT[what](RUNS[kind](3)), list(plots.every()))


def _draw_or_refuse(run: Run, kinds: list[str]) -> None:
    able = plots.kinds_for(run) if len(kinds) > 1 else []
    for kind in kinds:
        reason = plots.lacks(plots.every()[kind], run)
        if not reason:
            plots.picture([run], kind).draw_without_rendering()
            continue
        assert kind not in able
        with pytest.raises(plots.CannotDraw) as refused:
            plots.picture([run], kind)
        assert reason in str(refused.value)
        assert "\n" not in reason


def test_a_header_may_declare_any_plot() -> None:
    columns = (Column("a"), Column("b", "$"), Column("c", "", "int64"))
    table = {"a": np.arange(5.0), "b": np.array([1.0, -1, np.nan, 0, 3]), "c": np.array([0, 1, 0, 1, 2])}
    spec = PlotSpec("b", ("a",), log=True, log_x=True, each="c", names=((0.0, "$x$"),), only=("c", 1.0))
    made = plots.picture([plot_runs.plain(table, columns, spec)])
    assert made.axes[0].get_xlabel() == "a"
    assert len(made.axes[0].get_lines()) == 1
    with pytest.raises(plots.CannotDraw, match="declares no abscissa"):
        plots.picture([plot_runs.plain(table, columns, PlotSpec("b"))], "plain")


# -- each kind ------------------------------------------------------------------------------------------------------------
def test_loops_of_alike_levels_have_one_median() -> None:
    run = plot_runs.iv(25)
    (family,) = iv.families(run)
    assert family.currents.shape == (25, 101)
    middle = family.middle()
    at = family.levels[: family.levels.size // 2]
    assert at[np.argmax(middle[: at.size] > 1e-7)] == pytest.approx(plot_runs.V_TH, abs=0.021)
    made = plots.picture([run], "iv")
    assert "median of 25" in labels(made.axes[0])
    assert made.axes[0].get_yscale() == "log"
    assert (made.axes[0].get_xlabel(), made.axes[0].get_ylabel()) == ("applied voltage (V)", "|current| (A)")


def test_one_loop_has_no_median_and_flagged_rows_make_gaps() -> None:
    run = plot_runs.iv(1)
    status = run.columns["status"].copy()
    status[10:15] = int(Status.OVERFLOW)
    (family,) = iv.families(changed(run, status=status))
    assert np.flatnonzero(np.isnan(family.middle())).tolist() == [10, 11, 12, 13, 14]
    assert not any("median" in text for text in labels(plots.picture([run], "iv").axes[0]))


def test_runs_of_several_devices_are_panels() -> None:
    made = plots.picture([plot_runs.iv(2, sample="A"), plot_runs.iv(2, seed=2, sample="B")], "iv")
    assert [axes.get_legend().get_title().get_text() for axes in made.axes] == ["A", "B"]


def test_a_staircase_has_the_mean_of_the_cycles_and_the_level_before() -> None:
    up, down = staircase.branches(plot_runs.staircase(4, pulses=10))
    assert up.values.shape == down.values.shape == (4, 11)
    assert up.values[0] == pytest.approx(np.arange(1, 12) * 1e-6)
    assert down.values[0] == pytest.approx(np.arange(11, 0, -1) * 1e-6)
    assert up.values[1, 0] == pytest.approx(1e-6)  # the last read of the first depression
    made = plots.picture([plot_runs.staircase(4)], "staircase")
    assert made.axes[0].get_ylabel() == "conductance (µS)"
    assert "potentiation, mean of 4 cycles" in labels(made.axes[0])


def test_repeated_reads_of_a_pulse_are_averaged_and_unusable_ones_left_out() -> None:
    run = plot_runs.staircase(1, pulses=2)
    reads = np.flatnonzero(run.columns["kind"] == 0)
    status = np.zeros(len(run), dtype=np.int64)
    status[reads[1]] = int(Status.OVERFLOW)
    up, _ = staircase.branches(changed(run, status=status))
    assert np.isnan(up.values[0, 1])
    twice = {name: np.repeat(column, 2) for name, column in run.columns.items()}
    twice["conductance"][1::2] *= 1.5
    up, _ = staircase.branches(dataclasses.replace(run, columns=twice))
    assert up.values[0, 1:] == pytest.approx(np.array([2, 3]) * 1.25e-6)


def test_drift_is_drawn_with_its_exponent_and_dashed_beyond_the_data() -> None:
    made = plots.picture([plot_runs.kept(exponent=0.05)], "retention")
    axes = made.axes[0]
    assert any(re.match(r"on, ν = 0\.05 ", text) for text in labels(axes))
    dashed = [line for line in axes.get_lines() if line.get_linestyle() == "--"]
    assert len(dashed) == 2
    assert all(line.get_xdata().min() == pytest.approx(1e4) for line in dashed)
    assert all(line.get_xdata().max() == pytest.approx(1e5) for line in dashed)
    assert [text.get_text() for text in axes.texts] == ["beyond\nthe data"]
    short = plots.picture([plot_runs.kept(last=5.0)], "retention").axes[0]
    assert not [line for line in short.get_lines() if line.get_linestyle() == "--"]


def test_reads_at_half_the_voltage_are_no_retention() -> None:
    run = plot_runs.kept(reads=10)
    segment = np.tile([1, 2], 10)
    assert [state.times.size for state in retention.kept(changed(run, segment=segment))] == [5, 5]


def test_an_endurance_picture_says_how_many_were_read_and_marks_failing_checks() -> None:
    run = plot_runs.cycled(1000, 50, 900)
    assert endurance.applied_and_read(run) == (1000, 20)
    made = plots.picture([run], "endurance")
    axes = made.axes[0]
    assert axes.get_legend().get_title().get_text() == "1000 cycles applied, 20 read"
    assert labels(axes) == ["LRS (after set)", "HRS (after reset)", "check failed"]
    crosses = [line for line in axes.get_lines() if line.get_marker() == "x"]
    assert [line.get_xdata().tolist() for line in crosses] == [[900, 950, 1000]] * 2
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert "3 stuck low" in made.caption


def test_of_many_reads_of_a_state_the_median_is_drawn() -> None:
    axes = plots.picture([plot_runs.cycled(2000, 10, 5000)], "endurance").axes[0]
    assert "median" in labels(axes)
    x, y = endurance.medians(np.array([1.0, 1.1, 100, 101, 102]), np.array([1.0, 3, 5, 9, 7]))
    assert (x.tolist(), y.tolist()) == ([1.05, 101], [2, 7])


def test_reads_without_verdicts_count_where_both_states_were_read() -> None:
    run = plot_runs.cycled(100, 10, 200)
    columns = {name: column[:-1] for name, column in run.columns.items() if name != "verdict"}
    assert endurance.applied_and_read(dataclasses.replace(run, columns=columns))[1] == 9


def test_a_waveform_has_both_panels_and_the_time_of_half_the_change() -> None:
    run = plot_runs.pulse(half=20e-6)
    (part,) = waveform.pulses(run)
    half = waveform.half_change(run, part)
    assert half is not None
    assert half.value == pytest.approx(20e-6, abs=0.2e-6)
    above, below = plots.picture([run], "waveform").axes
    assert (above.get_ylabel(), below.get_ylabel(), below.get_xlabel()) == (
        "voltage (V)",
        "current (µA)",
        "time in the pulse (µs)",
    )
    assert above.get_title(loc="left") == "2 V pulse"
    assert labels(below) == ["half of the change at 20 µs"]


def test_a_spoilt_waveform_has_no_time_and_its_samples_are_drawn_apart() -> None:
    run = plot_runs.pulse()
    status = np.where(run.columns["kind"] == 3, int(Status.OVERFLOW), 0)
    made = plots.picture([changed(run, status=status)], "waveform")
    assert labels(made.axes[1]) == ["flagged"]
    assert "1000 samples of the 2 V pulse drawn apart" in made.caption


def test_the_slope_of_tunnelling_is_drawn_over_the_rows_it_rests_on() -> None:
    run = plot_runs.tunnelling(slope=-3.0)
    assert fn.lacks(run) == ""
    axes = plots.picture([run], "fn").axes[0]
    assert labels(axes) == ["V > 0: slope −3 V"]
    (line,) = [line for line in axes.get_lines() if line.get_label().startswith("V")]
    (x0, x1), (y0, y1) = line.get_data()
    assert (y1 - y0) / (x1 - x0) == pytest.approx(-3.0)
    assert y0 == pytest.approx(np.log(1.1e-6) - 3.0 * x0)  # of the middle one of three cycles


def series(name: str, values: Any, censored: Any = None, unit: str = "V") -> Series:
    array = np.asarray(values, dtype=float)
    bounds = np.zeros(array.size, bool) if censored is None else np.asarray(censored)
    return Series(name, unit, np.arange(1, array.size + 1), array, bounds, "made up", excluded=2)


PEAK = 0.88  #: V, up to which the made-up cell was swept


@pytest.fixture
def spread(monkeypatch: pytest.MonkeyPatch) -> list[Series]:
    """Two voltages and a resistance over 40 cycles; the first voltage is only a bound in four of them."""
    rng = np.random.default_rng(3)
    drawn = np.sort(0.8 * rng.weibull(8, 40))
    bounds = np.arange(40) >= 36
    v_set = np.where(bounds, PEAK, drawn)
    assert drawn[35] < PEAK < drawn[36]
    found = [
        series("V_set", v_set, bounds),
        series("V_reset", -rng.normal(1.0, 0.1, 40)),
        series("HRS", np.exp(rng.normal(20, 2, 40)), unit="ohm"),
    ]
    monkeypatch.setattr(rows, "series", lambda run: (found, ""))
    return found


def test_distributions_of_one_unit_share_a_panel(spread: list[Series]) -> None:
    made = plots.picture([plot_runs.iv(1)], "cdf")
    left, right = made.axes
    assert (left.get_xlabel(), right.get_xlabel()) == ("|voltage| (V)", "HRS (Ω)")
    assert (left.get_xscale(), right.get_xscale()) == ("linear", "log")
    assert labels(left) == [r"$\mathit{V}_\mathrm{set}$", r"$\mathit{V}_\mathrm{reset}$"]
    steps = left.get_lines()[0].get_ydata()
    assert steps.max() == pytest.approx(0.9)  # survivors: four of forty did not set
    assert (left.get_lines()[0].get_xdata().max(), left.get_lines()[1].get_marker()) == (PEAK, ">")
    assert "V_set: 40 values, 4 of them only bounds" in made.caption
    assert "V_reset: 40 values, all negative, taken as magnitudes" in made.caption


def test_on_the_scale_of_its_family_a_distribution_is_a_line_with_a_band(spread: list[Series]) -> None:
    made = plots.picture([plot_runs.iv(1)], "cdf", options=Options("weibull", ("V_set",)))
    (axes,) = made.axes
    points, line = axes.get_lines()[:2]
    x, z = np.log(line.get_xdata()), line.get_ydata()
    assert np.allclose(np.diff(z) / np.diff(x), np.diff(z)[0] / np.diff(x)[0])
    shape = float(np.diff(z)[0] / np.diff(x)[0])
    assert 5 < shape < 13  # drawn with 8
    assert f"shape {shape:.3g}" in labels(axes)[0]
    assert points.get_xdata().size == 36
    assert len(axes.collections) == 1
    assert axes.get_ylabel() == "probability (%), Weibull scale"


def test_quantities_and_scales_there_are_not_are_named(spread: list[Series]) -> None:
    with pytest.raises(UsageError, match="no quantity V_th in these runs; there are V_set, V_reset, HRS"):
        plots.picture([plot_runs.iv(1)], "cdf", options=Options(quantities=("V_th",)))
    with pytest.raises(UsageError, match="no scale 'cubic'; there are linear, normal"):
        plots.picture([plot_runs.iv(1)], "cdf", options=Options("cubic"))


def test_several_runs_are_curves_in_a_panel_of_each_quantity(spread: list[Series]) -> None:
    runs = [plot_runs.iv(1, sample="A"), plot_runs.iv(1, sample="B")]
    made = plots.picture(runs, "cdf", options=Options(quantities=("V_set", "HRS")))
    assert [labels(axes) for axes in made.axes] == [["A", "B"], ["A", "B"]]


def test_a_quantity_against_cycles_shows_bounds_and_its_running_median(spread: list[Series]) -> None:
    made = plots.picture([plot_runs.iv(1)], "cycles")
    voltages = made.axes[0]
    points, bounds, median = voltages.get_lines()[:3]
    assert (points.get_xdata().size, bounds.get_xdata().tolist()) == (36, [37, 38, 39, 40])
    x, y = cycles.running_median(np.arange(1.0, 37.0), spread[0].values[:36])
    assert median.get_xdata().tolist() == x.tolist()
    assert y[0] == np.median(spread[0].values[:3])
    assert made.axes[-1].get_xlabel() == "cycle"


def test_a_quantity_that_is_hardly_known_has_no_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [series("V_set", [1.0] * 3, [True] * 3), series("V_reset", [-1.0, -1.1, -1.2])]
    monkeypatch.setattr(rows, "series", lambda run: (found, ""))
    made = plots.picture([plot_runs.iv(1)], "cdf")
    assert "V_set: not drawn, 0 of 3 values are known, the least is 3" in made.caption
    assert made.axes[0].get_xlabel() == r"|$\mathit{V}_\mathrm{reset}$| (V)"
    monkeypatch.setattr(rows, "series", lambda run: (found[:1], ""))
    with pytest.raises(plots.CannotDraw, match="no quantity is known in 3 cycles"):
        plots.picture([plot_runs.iv(1)], "cdf")


@pytest.mark.parametrize(("cells", "values", "curves"), [(2, 5, 2), (20, 5, 1), (5, 1, 1)])
def test_cells_are_a_curve_each_or_one_together(
    monkeypatch: pytest.MonkeyPatch, cells: int, values: int, curves: int
) -> None:
    rng = np.random.default_rng(4)
    runs = [plot_runs.iv(1, sample=f"C{number}") for number in range(cells)]
    each = {id(run): [series("V_form", rng.normal(3, 0.1, values))] for run in runs}
    monkeypatch.setattr(rows, "series", lambda run: (each[id(run)], ""))
    made = plots.picture(runs, "cdf")
    assert len(labels(made.axes[0])) == curves
    if curves == 1:
        assert labels(made.axes[0]) == [f"{cells} runs together"]
        assert f"V_form, {cells} runs together: {cells * values} values" in made.caption
    monkeypatch.setattr(rows, "series", lambda run: ([series("V_form", [1.0])], ""))
    with pytest.raises(plots.CannotDraw, match="these 2 runs give no cdf picture"):
        plots.picture(runs[:2], "cdf")


def test_a_branch_that_is_no_line_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    run = plot_runs.tunnelling(slope=-3.0)
    slope = fn.median_slope(next(iter(branches.of(run).values())))
    assert slope is not None
    assert fn.doubt(slope) == ""
    wide = dataclasses.replace(slope, found=dataclasses.replace(slope.found, interval=(-7.0, 1.0)))
    assert fn.doubt(wide) == "a slope of 0 is not ruled out"
    wavy = slope.branch.i * np.exp(2.0 * np.sin(np.arange(slope.branch.i.size)))
    bent = dataclasses.replace(slope, branch=dataclasses.replace(slope.branch, i=wavy))
    assert fn.doubt(bent).startswith("no straight line, R² 0.")
    for doubtful in (wide, bent):
        monkeypatch.setattr(fn, "median_slope", lambda items, found=doubtful: found)
        made = plots.picture([run], "fn")
        assert labels(made.axes[0]) == [f"V > 0: {fn.doubt(doubtful)}"]
        assert all(line.get_linestyle() == "None" for line in made.axes[0].get_lines())
        assert "no line is drawn" in made.caption


def test_a_curve_that_follows_no_law_is_called_so_in_the_legend(monkeypatch: pytest.MonkeyPatch) -> None:
    from labctl.report.plots.kinds import conduction as kind

    run = plot_runs.tunnelling(slope=-3.0)
    assert "measured" in labels(plots.picture([run], "conduction").axes[0])
    v = np.arange(0.05, 2, 0.02)
    wavy = conduction.rank(v, 1e-6 * v**2 * (1 + 0.3 * np.sin(4.0 * v)))
    assert kind.unfollowed(wavy[0].remarks)
    monkeypatch.setattr(conduction, "rank", lambda v, i: wavy)
    assert "measured; no law follows it" in labels(plots.picture([run], "conduction").axes[0])


def test_cycles_of_negative_number_are_refused() -> None:
    run = plot_runs.cycled(100, 10, 90)
    with pytest.raises(plots.CannotDraw, match="cycles of negative number"):
        plots.picture([changed(run, cycle=-run.columns["cycle"])], "endurance")


def test_whatever_fails_in_a_kind_is_said_with_the_runs_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(error: BaseException) -> Any:
        def draw(*about: Any) -> None:
            raise error

        return lambda name: dataclasses.replace(real(name), draw=draw)

    from labctl.report.plots import make

    real, run = make.kind_named, plot_runs.iv(3)
    monkeypatch.setattr(make, "kind_named", fails(ZeroDivisionError("of matplotlib")))
    with pytest.raises(plots.CannotDraw, match=r"u-1\.h5 can't be drawn as iv.*ZeroDivisionError: of matplotlib"):
        plots.picture([run], "iv")
    for error in (MemoryError, KeyboardInterrupt):
        monkeypatch.setattr(make, "kind_named", fails(error()))
        with pytest.raises(error):
            plots.picture([run], "iv")


def test_of_several_runs_those_that_can_be_drawn_are() -> None:
    good, other, empty = plot_runs.iv(3), plot_runs.kept(), first(plot_runs.iv(3), 0)
    kept, said = plots.able([good, other, empty], "iv")
    assert kept == [good]
    assert [line.partition(":")[0] for line in said] == ["left out"] * 2
    assert plots.able([good, empty])[0] == [good]
    assert plots.able([other], "iv") == ([other], [])
    assert plots.able([other, empty], "iv") == ([other, empty], [])
    assert plots.able([good, empty], "cdf")[0] == [good]


@pytest.mark.parametrize("kind", ["cdf", "cycles"])
def test_a_quantity_of_one_half_is_called_as_the_series_is(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "on/off at the switch, negative half"
    found = [series(name, np.arange(1.0, 9.0), unit=""), series("V_th, negative half", np.arange(1.0, 9.0))]
    monkeypatch.setattr(rows, "series", lambda run: (found, ""))
    axes = plots.picture([plot_runs.iv(3)], kind).axes
    said = " ".join(
        [*(item.get_xlabel() + item.get_ylabel() for item in axes), *(text for item in axes for text in labels(item))]
    )
    assert name in said
    assert said.count("negative half") >= 2
