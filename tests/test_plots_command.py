"""``labctl plot`` on files."""

from __future__ import annotations

from pathlib import Path

import pytest
from commandline import labctl

from labctl import plugins, runner
from labctl.procedure import Procedure
from labctl.station import Station, simulated

IVSweep = plugins.load("procedures", "iv-sweep", Procedure)  # type: ignore[type-abstract]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run, and a run file of another program."""
    made = tmp_path_factory.mktemp("runs")
    with Station(simulated("ohmic"), seed=1) as station:
        runner.run("iv-sweep", IVSweep(step=0.1, cycles=3, v_min=-1, compliance=5e-7), station, made / "run.h5")
    (made / "other.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    return made


def test_a_picture_is_made_beside_the_run_and_not_written_over(folder: Path) -> None:
    done = labctl("plot", "run.h5", "--kind", "iv", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("picture: run.iv.png\n")
    assert "6 sweeps in 3 cycles" in done.stdout
    assert (folder / "run.iv.png").read_bytes().startswith(b"\x89PNG")
    again = labctl("plot", "run.h5", "--kind", "iv", folder=folder)
    assert again.returncode == 2
    assert "run.iv.png is there already" in again.stderr
    assert labctl("plot", "run.h5", "--kind", "iv", "--no-title", "--force", folder=folder).returncode == 0


def test_the_ending_chooses_the_format_and_folders_are_made(folder: Path) -> None:
    done = labctl("plot", "run.h5", "--out", "deep/figure.pdf", "--size", "double", folder=folder)
    assert done.returncode == 0
    assert (folder / "deep" / "figure.pdf").read_bytes().startswith(b"%PDF")
    refused = labctl("plot", "run.h5", "--out", "figure.tiff", folder=folder)
    assert refused.returncode == 2
    assert "figure.tiff is no picture: give a name that ends in .png, .svg, .pdf" in refused.stderr


def test_the_list_says_what_a_run_can_give_and_why_not_the_rest(folder: Path) -> None:
    done = labctl("plot", "run.h5", "--list", folder=folder)
    assert done.returncode == 0
    assert "  iv " in done.stdout
    assert "no: it has no column age or state" in done.stdout
    everything = labctl("plot", "--list", folder=folder)
    assert everything.returncode == 0
    assert {"iv", "cdf", "retention"} <= {line.split()[0] for line in everything.stdout.splitlines()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plot"], "give the run files to draw"),
        (["plot", "run.h5", "--kind", "retention"], "run.h5 gives no retention picture"),
        (["plot", "run.h5", "--kind", "piechart"], "there is no picture 'piechart'"),
        (["plot", "run.h5", "--kind", "cycles"], "run.h5 gives no cycles picture"),
        (["plot", "missing.h5"], "missing.h5 does not exist"),
        (["plot", "other.h5"], "other.h5 is damaged, not written by labctl"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(folder: Path, arguments: list[str], words: str) -> None:
    done = labctl(*arguments, folder=folder)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_run_file_is_never_written_over_by_its_picture(folder: Path) -> None:
    run = folder / "renamed.png"
    run.write_bytes((folder / "run.h5").read_bytes())
    before = run.read_bytes()
    done = labctl("plot", "renamed.png", "--kind", "iv", "--out", "renamed.png", "--force", folder=folder)
    assert done.returncode == 2
    assert "renamed.png is a file that is read for it" in done.stderr
    assert run.read_bytes() == before


def test_a_file_that_cannot_give_the_picture_is_left_out_and_named(folder: Path) -> None:
    with Station(simulated("ohmic"), seed=1) as station:
        retention = plugins.load("procedures", "retention", Procedure)  # type: ignore[type-abstract]
        runner.run("retention", retention(), station, folder / "kept.h5")
    done = labctl("plot", "run.h5", "kept.h5", "--kind", "retention", "--out", "both.png", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "left out: run.h5: it has no column" in done.stdout
    assert (folder / "both.png").exists()
