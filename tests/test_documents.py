"""Reports as HTML and PDF, the numbers kept beside a run, and files that are whole or not there."""

import errno
import io
import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing
from store_runs import END, START, header

from labctl import outputs, store
from labctl.contracts import READING_COLUMNS, Block, Extracted
from labctl.errors import UsageError
from labctl.report import html, kept, numbers, pdf
from labctl.report.document import Document, Facts, Figure, Section, Table, Words
from labctl.store import digest

NAN = math.nan


def drawn(ending: str) -> bytes:
    figure, file = Drawing(figsize=(3.5, 2.6)), io.BytesIO()
    figure.subplots().plot([1, 2, 3])
    figure.savefig(file, format=ending)
    return file.getvalue()


@pytest.fixture(scope="module")
def document() -> Document:
    picture = Figure("I–V", drawn("svg"), drawn("png"), "labctl plot a&b.h5 --kind iv", "50 cycles, σ/µ", "loops")
    table = Table(
        ["quantity", "value", "verdict"],
        [["V_th", "502 ± 28 mV", "pass"], ["V_hold", "-", "fail"]],
        "c",
        ["pass", "fail"],
        [1],
    )
    blocks = (Words("a \x1b[31m b"), Facts([("sample", "W12/D3-4/C5")]), table, picture, picture)
    return Document(
        "Report <script>alert(1)</script>", "Ω", [Section("One", blocks), Section("Two & three", ()), Section("3", ())]
    )


def test_a_page_holds_everything_and_nothing_of_it_runs(document: Document) -> None:
    page = html.text(document)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(?:src|href)=\"(?!data:image/svg|#section)", page), "something is fetched"
    assert "http" not in page.replace("http-equiv", "")
    assert "\x1b" not in page
    assert page.count("data:image/svg+xml;base64,") == 2
    for text in (
        "W12/D3-4/C5",
        "502 ± 28 mV",
        "labctl plot a&amp;b.h5 --kind iv",
        'alt="loops"',
        'class="fail"',
        "Two &amp; three",
    ):
        assert text in page


def test_a_pdf_has_pages_and_the_letters_of_units(document: Document, tmp_path: Path) -> None:
    path = pdf.write(document, tmp_path / "deep" / "r.pdf")
    assert path.read_bytes()[:5] == b"%PDF-"
    assert path.stat().st_size > 5000
    assert not list(path.parent.glob(".*")), "a part of a file was left"


def test_a_long_table_and_long_words_fit_into_a_pdf() -> None:
    rows = [[f"quantity {n}", "1.0 ± 0.1 mV", "a definition of many words " * 8 + "x" * 90] for n in range(120)]
    data = pdf.data(
        Document("t", "", [Section("s", [Table(["q", "v", "d"], rows, "", [], [1]), Facts([("k", "y" * 400)])])])
    )
    assert data.count(b"/Type /Page\n") > 3


def test_a_file_is_whole_or_not_there_and_not_written_over_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    outputs.check_free(path)
    outputs.write_whole(path, b"one")
    with pytest.raises(UsageError, match="--force"):
        outputs.check_free(path)
    outputs.check_free(path, force=True)
    with pytest.raises(UsageError, match="folder"):
        outputs.check_free(tmp_path, force=True)
    with pytest.raises(TypeError):
        outputs.write_whole(path, "no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"one"
    assert [item.name for item in tmp_path.iterdir()] == ["a.html"]


@pytest.fixture
def run(tmp_path: Path) -> store.Run:
    writer = store.RunWriter.create(tmp_path / "run.h5", header(procedure="not-installed"))
    rows = {c.name: np.arange(4).astype(c.dtype) for c in READING_COLUMNS}
    writer.append(Block(rows))
    journal = store.read(writer.path.with_suffix(".jrn"))
    packed = store.read(writer.finish("finished", end_time=END))
    assert digest.of_data(journal) == digest.of_data(packed)
    return packed


def test_the_hash_of_the_numbers_is_as_described(run: store.Run) -> None:
    import hashlib

    data = b"".join(
        c.name.encode() + b"\0" + c.dtype.encode() + b"\0" + run[c.name].tobytes() for c in run.header.columns
    )
    assert digest.of_data(run) == hashlib.sha256(data).hexdigest()
    assert START in run.header.start_time


def test_a_run_of_an_unknown_recipe_says_so(run: store.Run) -> None:
    assert "not installed" in numbers.of(run).problem


def item(value: float, method: str = "V_set/steepest@1", name: str = "V_set") -> Extracted:
    return Extracted(name, value, "V", 0.1, "words", (1, 2), (0.4, math.inf), 3, method)


def test_numbers_are_kept_as_json_without_nan(run: store.Run) -> None:
    found = numbers.Numbers((item(0.5), item(NAN)))
    data = json.loads(kept.to_json(run, found), parse_constant=lambda word: pytest.fail(word))
    first, second = data["numbers"]
    assert first["interval_95"] == [0.4, "inf"]
    assert (first["rows_used"], first["rows_excluded"], first["method"]) == (2, 3, "V_set/steepest@1")
    assert second["value"] is None
    assert data["data_sha256"] == digest.of_data(run)


def test_an_analysis_is_held_against_the_one_before(run: store.Run, tmp_path: Path) -> None:
    path = kept.kept_path(run.path or tmp_path)
    assert path.name == "run.analysis.json"
    gone = item(3.0, "V_hold/drop@1", "V_hold")
    path.write_text(kept.to_json(run, numbers.Numbers((item(0.5), gone, item(NAN, "a/b@1", "a")))))
    before = kept.earlier(path)
    assert kept.changes(before, [item(0.5), gone, item(NAN, "a/b@1", "a")]) == []
    assert kept.changes(before, [item(0.6, "V_set/steepest@2"), item(NAN, "a/b@1", "a"), item(1, "c/d@1", "c")]) == [
        "changed: V_set (V_set/steepest@2): 600 mV, was 500 mV by V_set/steepest@1",
        "new: c (c/d@1) = 1 V",
        "gone: V_hold (V_hold/drop@1)",
    ]


def test_a_change_of_interval_or_version_or_of_one_of_two_alike_is_a_change(run: store.Run, tmp_path: Path) -> None:
    path = kept.kept_path(run.path or tmp_path)
    survivor = replace(item(NAN, "life/x@1", "life"), interval=(1e6, math.inf))
    path.write_text(kept.to_json(run, numbers.Numbers((item(0.5), item(0.7), survivor))))
    before = kept.earlier(path)
    assert kept.changes(before, [item(0.5), item(0.7), survivor]) == []
    assert kept.changes(before, [item(0.6), item(0.7), survivor])[0].startswith("changed: V_set")
    assert kept.changes(before, [item(0.5), survivor]) == ["gone: V_set (V_set/steepest@1)"]
    assert "interval" in kept.changes(before, [item(0.5), item(0.7), replace(survivor, interval=(1e2, math.inf))])[0]
    assert "another version" in kept.changes(before, [item(0.5, "V_set/steepest@2"), item(0.7), survivor])[0]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"numbers": [1]}', '{"numbers": [{"name": 1}]}', '{"numbers": 5}', "[" * 9999]
)
def test_what_is_no_analysis_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.analysis.json").write_text(text)
    with pytest.raises(UsageError, match="is no analysis of labctl") as refused:
        kept.earlier(tmp_path / "x.analysis.json")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((NAN, NAN), ""),
        ((0.1, 0.2), "100 mV to 200 mV"),
        ((0.1, math.inf), "at least 100 mV"),
        ((-math.inf, 2), "at most 2 V"),
        ((-math.inf, math.inf), ""),
    ],
)
def test_an_interval_in_words(ends: tuple[float, float], words: str) -> None:
    assert numbers.interval(Extracted("x", 1, "V", 0, "", interval=ends)) == words


def test_a_cell_of_any_length_fits_into_a_pdf_and_says_what_it_leaves_out() -> None:
    rows = [["event", "x" * 15_000], ["numbers", ", ".join(map(str, range(20_000)))], ["short", "word " * 20]]
    head = ["h" * 3000, "v"]
    document = Document("t", "", [Section("s", [Facts([("notes", "n " * 9000)]), Table(head, rows, "", [], [0])])])
    assert pdf.data(document).startswith(b"%PDF-")
    pages = pdf._Pages("t")
    pages.add_page()
    pages.set_font(pdf.FONT, "", 7.5)
    cut = pdf._cell(pages, rows[0][1], 60.0)
    kept, _, more = cut.rpartition("\n... and ")
    assert kept.count("x") + int(more.split()[0]) == 15_000
    assert cut.count("\n") < pdf.LINES
    assert pdf._cell(pages, rows[2][1], 60.0) == rows[2][1]


def test_a_method_is_parted_at_its_joints() -> None:
    pages = pdf._Pages("t")
    pages.add_page()
    pages.set_font(pdf.FONT, "", 7.5)
    name = "V_set/steepest-slope@1"
    assert pdf._cell(pages, name, 60.0) == name
    parts = pdf._cell(pages, name, 22.0).split("\n")
    assert "".join(parts) == name
    assert len(parts) > 1
    assert all(part[-1] in "/-_@" for part in parts[:-1])


def test_a_heading_stands_with_what_follows_it(document: Document, monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[tuple[str, int]] = []
    write = pdf._line

    def noted(pages: pdf._Pages, text: str, size: str, style: str = "") -> None:
        write(pages, text, size, style)
        places.append((text, pages.page_no()))

    monkeypatch.setattr(pdf, "_line", noted)
    picture = next(block for block in document.sections[0].blocks if isinstance(block, Figure))
    for lines in range(30, 46, 2):
        places.clear()
        sections = [Section("One", [Words("a")] * lines), Section("Pictures", [picture])]
        pdf.data(Document("t", "", sections))
        found = dict(places)
        caption = next(text for text in found if text.startswith(picture.title))
        assert found["Pictures"] == found[caption], lines


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_inputs_are_not_written_over_and_links_stay_links(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("1")
    link.symlink_to(real)
    for path in (real, link, tmp_path / "." / "real.txt"):
        with pytest.raises(UsageError, match="is read for it"):
            outputs.check_free(path, True, [real])
    outputs.check_free(tmp_path / "new.txt", False, [real, tmp_path / "missing"])
    outputs.write_whole(link, b"2")
    assert link.is_symlink()
    assert real.read_text() == "2"
    ahead = tmp_path / "ahead"
    ahead.symlink_to(tmp_path / "deep" / "new.txt")
    outputs.write_whole(ahead, b"3")
    assert (tmp_path / "deep" / "new.txt").read_bytes() == b"3"


@pytest.mark.skipif(os.name == "nt", reason="counts letters, not bytes")
@pytest.mark.parametrize("letter", ["n", "\N{GREEK CAPITAL LETTER OMEGA}", "\N{GRINNING FACE}"])
def test_names_of_any_length_a_file_system_takes(tmp_path: Path, letter: str) -> None:
    wide = len(letter.encode())
    assert outputs.write_whole(tmp_path / (letter * (255 // wide)), b"1").read_bytes() == b"1"
    for action in (outputs.check_free, lambda path: outputs.write_whole(path, b"1")):
        with pytest.raises(UsageError, match="shorter name"):
            action(tmp_path / (letter * (255 // wide + 1)))


def test_a_place_that_takes_no_file_is_named_as_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*about: object, **more: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "/deep/.a.csv.x.part")

    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match=r"^can't write .*a\.csv: .*give a folder$"):
        outputs.write_whole(tmp_path / "file" / "a.csv", b"1")
    monkeypatch.setattr("tempfile.mkstemp", refused)
    with pytest.raises(OSError, match=r"^can't write .*b\.csv: Read-only file system; give a name in a folder") as said:
        outputs.write_whole(tmp_path / "b.csv", b"1")
    assert isinstance(said.value, UsageError)
    assert ".part" not in str(said.value)


def test_files_made_together_are_there_together_or_not(tmp_path: Path) -> None:
    def failing() -> None:
        with outputs.Together() as files:
            files.add(tmp_path / "a", b"1")
            files.add(tmp_path / "b", b"2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert not list(tmp_path.iterdir())
    with outputs.Together() as files:
        files.add(tmp_path / "a", b"1")
        files.add(tmp_path / "b", b"2")
        assert not (tmp_path / "a").exists()
    assert [item.name for item in sorted(tmp_path.iterdir())] == ["a", "b"]
