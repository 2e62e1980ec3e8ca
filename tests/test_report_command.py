"""``labctl report`` and ``labctl analyze`` from outside: files in, one page or a table out."""

import json
import re
from pathlib import Path

import pytest
from commandline import labctl

from labctl import plugins, runner, store
from labctl.procedure import Procedure
from labctl.station import Station, simulated


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one recipe on two cells, one that was stopped, and one without rows."""
    made = tmp_path_factory.mktemp("runs")
    for name, seed in (("a", 1), ("b", 2)):
        sweep(made / f"{name}.h5", seed, cycles=4, step=0.02)
    sweep(made / "stopped.h5", 3, cycles=9, step=0.05, stop_after=2)
    sweep(made / "empty.h5", 3, cycles=1, step=0.5, stop_after=0)
    return made


def sweep(path: Path, seed: int, stop_after: int | None = None, **settings: float) -> None:
    procedure = plugins.load("procedures", "iv-sweep", Procedure)(compliance=1e-6, integration="fast", **settings)  # type: ignore[type-abstract]
    seen: list[int] = []
    with Station(simulated("device-2"), seed=seed) as station:
        station.prepare("formed")
        stop = (lambda: len(seen) >= stop_after) if stop_after is not None else (lambda: False)
        count = lambda block: seen.append(1) if not block.provisional else None  # noqa: E731
        runner.run(
            "iv-sweep",
            procedure,
            station,
            path,
            seed=seed,
            should_stop=stop,
            listeners=[count],
            unique=False,
            logs=False,
        )


def test_a_report_says_what_was_run_with_numbers_pictures_and_hashes(folder: Path) -> None:
    done = labctl(
        "report",
        "a.h5",
        "b.h5",
        "stopped.h5",
        "--out",
        "r.html",
        "--out",
        "r.pdf",
        "--title",
        "Wafer <12>",
        folder=folder,
    )
    assert done.returncode == 0, done.stderr
    page = (folder / "r.html").read_text(encoding="utf-8")
    assert "<h1>Wafer &lt;12&gt;</h1>" in page
    assert "iv-sweep, 2 cells, 2 runs together" in page
    assert "Run 3 is aborted" in page
    for path in ("a.h5", "stopped.h5"):
        assert store.digest.of_file(folder / path) in page
    assert store.digest.of_data(store.read(folder / "a.h5")) in page
    assert page.count("Drawn again by <code>labctl plot") >= 5
    assert "V_set/largest-step@1" in page
    assert (folder / "r.pdf").read_bytes()[:5] == b"%PDF-"


def test_the_command_under_a_picture_draws_it(folder: Path) -> None:
    labctl("report", "a.h5", "--out", "one.html", folder=folder)
    command = re.findall(r"<code>labctl (plot [^<]+)</code>", (folder / "one.html").read_text(encoding="utf-8"))[0]
    assert labctl(*command.split(), "--out", "again.svg", folder=folder).returncode == 0
    assert (folder / "again.svg").stat().st_size > 1000


def test_a_report_is_not_written_over_and_what_is_wrong_is_said_in_one_line(folder: Path) -> None:
    (folder / "mine.html").write_text("mine")
    for arguments, words in (
        (("a.h5", "--out", "mine.html"), "--force"),
        (("a.h5", "--out", "x.docx"), ".html or .pdf"),
        (("none.h5", "--out", "x.html"), "none.h5"),
    ):
        done = labctl("report", *arguments, folder=folder)
        assert done.returncode in (1, 2)
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
    assert (folder / "mine.html").read_text() == "mine"


def test_an_empty_run_has_a_report_and_no_numbers(folder: Path) -> None:
    done = labctl("report", "empty.h5", "--out", "e.html", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "no rows" in (folder / "e.html").read_text(encoding="utf-8")
    assert labctl("analyze", "empty.h5", folder=folder).returncode == 1


def test_numbers_are_listed_kept_and_compared(folder: Path) -> None:
    first = labctl("analyze", "a.h5", "--save", "--only", "V_th", folder=folder)
    assert first.returncode == 0, first.stderr
    assert "V_set/steepest-log-slope@1" in first.stdout
    assert "V_hold" not in first.stdout
    kept = folder / "a.analysis.json"
    assert "says the same" in labctl("analyze", "a.h5", folder=folder).stdout
    data = json.loads(kept.read_text())
    data["numbers"][0]["value"] += 0.1
    kept.write_text(json.dumps(data))
    said = labctl("analyze", "a.h5", "--definitions", folder=folder).stdout
    assert "changed: V_th (V_set/largest-step@1)" in said
    assert "log10|I/V|" in said
    found = json.loads(labctl("analyze", "a.h5", "--json", "--statistics", folder=folder).stdout)
    both = json.loads(labctl("analyze", "a.h5", "b.h5", "--json", folder=folder).stdout)
    assert [len(item["numbers"]) > 5 for item in both] == [True, True]
    assert found["data_sha256"] == store.digest.of_data(store.read(folder / "a.h5"))
    assert any(item["method"].startswith("weibull/") for item in found["statistics"])


def test_methods_are_listed_with_their_versions(folder: Path) -> None:
    done = labctl("analyze", "--methods", folder=folder)
    lines = done.stdout.splitlines()
    assert len(lines) > 50
    assert all(re.match(r"\S.*/\S.*@\d+  +\S", line) for line in lines)
    assert labctl("analyze", folder=folder).returncode == 2
